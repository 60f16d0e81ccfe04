"""The trace of the operation at hand, carried along: W3C trace context as one text. Makes no spans itself."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

_TRACEPARENT: Final = ContextVar("traceparent", default="")
_NOTHING: Final = nullcontext()  # nearly all operations: making a context for each would cost a microsecond


def current_traceparent() -> str:
    """Of the span that is open here; "": none."""
    return _TRACEPARENT.get()


def continued(traceparent: str) -> AbstractContextManager[None]:
    """What begins inside belongs to this span; "": nothing changes."""
    return _inside(traceparent) if traceparent else _NOTHING


@contextmanager
def _inside(traceparent: str) -> Iterator[None]:
    token = _TRACEPARENT.set(traceparent)
    try:
        yield
    finally:
        _TRACEPARENT.reset(token)
