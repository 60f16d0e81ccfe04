"""Refusals across gRPC: the same error on both sides."""

import inspect
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from nottermost_chat import ports
from nottermost_chat.adapters import record_codec
from nottermost_chat.client import rest
from nottermost_chat.errors import ChatError, RateLimited, Unavailable
from nottermost_chat.ingest import plan
from nottermost_chat.rpc import contract
from nottermost_chat.rpc.refusals import REFUSAL_KEY, UnknownRefusal, make_error, make_refusal, translate_status
from nottermost_chat.rpc.v1 import common_pb2 as pb
from nottermost_chat.slack import archive

MODULES = (ports, record_codec, rest, plan, contract, archive)  # whoever defines errors of its own; imported for that
OWN_CODE = (rest.Refused, UnknownRefusal)  # the code is an instance's, from another server
EXAMPLES: dict[type, Any] = {int: 7, str: "é", object: "what", type(None): None}


def kinds(kind: type[ChatError] = ChatError) -> Iterator[type[ChatError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from kinds(derived)


def make(kind: type[ChatError]) -> ChatError:
    """An example of it, whatever its constructor asks for."""
    if kind.__init__ is Exception.__init__ or "args" in inspect.signature(kind).parameters:
        return kind("a sentence with a dot. And one more")
    wanted = inspect.signature(kind).parameters.values()
    return kind(*(EXAMPLES.get(one.annotation, ()) for one in wanted if one.default is one.empty))


@pytest.mark.parametrize("kind", [one for one in kinds() if one not in OWN_CODE and one.__module__.startswith("nottermost_chat")])  # fmt: skip
def test_every_error_comes_back_as_itself(kind: type[ChatError]) -> None:
    """Class, code, status, sentence, and the fields that are numbers and texts."""
    error = make(kind)
    back = make_error(pb.Refusal.FromString(make_refusal(error).SerializeToString()))
    known = next(one for one in kinds() if vars(one).get("code") == kind.code)
    assert type(back) is known  # a refinement without a code of its own comes back as what it refines
    assert (back.code, back.status, str(back)) == (error.code, error.status, str(error))
    simple = {name: value for name, value in vars(error).items() if isinstance(value, int | str)}
    assert vars(back) == simple


def test_codes_are_not_shared() -> None:
    """Two classes that define the same code could not be told apart."""
    codes = [vars(one)["code"] for one in kinds() if "code" in vars(one)]
    assert len(codes) == len(set(codes))


def test_an_unknown_code_is_kept() -> None:
    """A newer ingest refuses with a code of which this process has not heard."""
    back = make_error(pb.Refusal(code="too_early", sentence="not yet", status=425, numbers={"retry_after_ms": 5}))
    assert isinstance(back, UnknownRefusal)
    assert (back.code, back.status, str(back)) == ("too_early", 425, "not yet")
    again = make_error(make_refusal(back))
    assert (again.code, again.status, str(again)) == ("too_early", 425, "not yet")
    assert ChatError.code == "chat_error"


def failed(code: grpc.StatusCode, **metadata: bytes) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata(*((REFUSAL_KEY, value) for value in metadata.values()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "details of gRPC")


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_a_status_becomes_an_error_of_ours(code: grpc.StatusCode) -> None:
    """Away is `unavailable`, a refusal is itself, the rest is a failure that can be shown."""
    error = translate_status(failed(code))
    away = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
    assert type(error) is (Unavailable if code in away else ChatError)
    refusal = make_refusal(RateLimited("calls", 250)).SerializeToString()
    refused = translate_status(failed(code, refusal=refusal))
    assert isinstance(refused, RateLimited)
    assert refused.retry_after_ms == 250
