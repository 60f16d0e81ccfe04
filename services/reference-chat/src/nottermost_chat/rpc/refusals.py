"""What the chat refuses, across gRPC: raised on one side, raised again as the same error on the other."""

from typing import Final

import grpc
import grpc.aio

from nottermost_chat.errors import ChatError, Unavailable
from nottermost_chat.rpc.v1 import common_pb2 as pb

REFUSAL_KEY: Final = "nottermost-refusal-bin"  # trailing metadata of an answer that is an error
AWAY: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)  # the last one: the server went while it answered


class UnknownRefusal(ChatError):
    """The other side is newer and refuses with a code that is not known here."""

    def __init__(self, code: str, sentence: str, status: int) -> None:
        super().__init__(sentence)
        vars(self).update(code=code, status=status)


def make_refusal(error: ChatError) -> pb.Refusal:
    """The error's code and sentence, and its fields as far as they are numbers and texts."""
    fields = vars(error)
    return pb.Refusal(
        code=error.code,
        sentence=str(error),
        status=error.status,
        numbers={name: value for name, value in fields.items() if isinstance(value, int)},
        texts={name: value for name, value in fields.items() if isinstance(value, str)},
    )


def make_error(refusal: pb.Refusal) -> ChatError:
    """The same error again; with a code that nobody here knows, one that keeps code and status."""
    known = _find_class(refusal.code)
    if known is None:
        return UnknownRefusal(refusal.code, refusal.sentence, refusal.status)
    error = known.__new__(known)
    Exception.__init__(error, refusal.sentence)  # its own constructor would write the sentence anew
    vars(error).update(refusal.numbers)
    vars(error).update(refusal.texts)
    return error


def translate_status(error: grpc.aio.AioRpcError) -> ChatError:
    """What a failed call means to its caller."""
    for key, value in error.trailing_metadata() or ():
        if key == REFUSAL_KEY and isinstance(value, bytes):
            return make_error(pb.Refusal.FromString(value))
    if error.code() in AWAY:
        return Unavailable("the ingest does not answer: try again in a moment")
    return ChatError(f"the ingest failed with {error.code().name}: its log says why")


def _find_class(code: str) -> type[ChatError] | None:
    """The class that defines the code; those that inherit it are refinements which only their own side knows."""
    waiting: list[type[ChatError]] = [ChatError]
    for kind in waiting:
        if vars(kind).get("code") == code:
            return kind
        waiting += kind.__subclasses__()
    return None
