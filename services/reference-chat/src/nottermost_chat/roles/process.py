"""What every role begins with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from joserfc.jwk import KeySet

from nottermost_chat.clock import Clock, ClockThatIsSet
from nottermost_chat.errors import StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.settings import Secrets, Settings
from nottermost_chat.verifier import find_keys

if TYPE_CHECKING:
    from nottermost_chat.telemetry import Tracing


class Role(StrEnum):
    """What a process of the chat does."""

    GATEWAY = "gateway"
    API = "api"
    INGEST = "ingest"
    FANOUT = "fanout"
    INDEXER = "indexer"
    KEEPER = "keeper"
    ARCHIVER = "archiver"
    WEBHOOKS = "webhooks"
    NOTIFIER = "notifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What every role begins with.

    Attributes:
        name: this process's; no other one has it, nor has it had it before a restart.
        tracing: None: no spans are made.
    """

    role: Role
    name: str
    settings: Settings
    secrets: Secrets
    clock: Clock
    metrics: Metrics
    keys: KeySet
    tracing: "Tracing | None" = None


def parse_role(name: str) -> Role:
    """Raises StartError."""
    try:
        return Role(name)
    except ValueError:
        raise StartError(f"there is no role {name!r}: choose one of {', '.join(Role)}") from None


def make_process(role: Role, settings: Settings, secrets: Secrets) -> Process:
    """Raises StartError."""
    clock = ClockThatIsSet(Path(settings.clock_file)) if settings.clock_file else Clock(settings.clock_ahead_s)
    name = f"{settings.instance or role}-{clock.new_id()}"
    keys = find_keys(secrets.signing_keys, settings.data)
    return Process(role=role, name=name, settings=settings, secrets=secrets, clock=clock, metrics=Metrics(), keys=keys)


@asynccontextmanager
async def traced(process: Process) -> AsyncIterator[Process]:
    """The process with spans, if its settings say where they go."""
    settings = process.settings
    if not settings.otlp_endpoint:
        yield process
        return
    from nottermost_chat.telemetry import Tracing

    tracing = Tracing(process.role, process.name, endpoint=settings.otlp_endpoint, share=settings.trace_share)
    try:
        yield replace(process, tracing=tracing)
    finally:
        await tracing.close()
