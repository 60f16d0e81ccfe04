"""Calls to S3, to SQS, and to what speaks their protocols: the guard repeats, so the client does not."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from nottermost_chat.resilience import Policy

T = TypeVar("T")


class Away(Exception):
    """The service cannot do it now."""


def make_config(policy: Policy, **more: Any) -> AioConfig:
    """A client's configuration; `more`: of botocore's `Config`."""
    return AioConfig(
        retries={"total_max_attempts": 1}, connect_timeout=policy.timeout_s, read_timeout=policy.timeout_s, **more
    )


async def passing(act: Callable[[], Awaitable[T]], telling: Collection[str]) -> T:
    """What `act` returns.

    Raises: ClientError of a code in `telling`; Away for all else: to the user a refused log-in is the same.
    """
    try:
        return await act()
    except ClientError as error:
        if code_of(error) in telling:
            raise
        raise Away(code_of(error)) from error
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise Away(type(error).__name__) from error


def code_of(error: ClientError) -> str:
    """The service's name for the error; "": it gave none."""
    return error.response.get("Error", {}).get("Code", "")
