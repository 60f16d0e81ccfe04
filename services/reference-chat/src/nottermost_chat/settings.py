"""Every setting and limit of the chat, in one frozen object, read once at the start.

`NOTTERMOST_<NAME>` in the environment sets a field (nested: `NOTTERMOST_LIMITS__NAME`); an
unknown name is an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from nottermost_chat.errors import StartError

PREFIX = "NOTTERMOST_"
CLIENT_PREFIX = "NOTTERMOST_CLIENT_"  # who the command line logs in as; not the server's business


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token bucket: `burst` at once, then `per_minute` spread evenly."""

    per_minute: float
    burst: int


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the users of a workspace may do; document D's figures for `standard`."""

    user_messages: Rate = Rate(100, 30)
    user_calls: Rate = Rate(1000, 200)
    user_group_creations: Rate = Rate(50 / 60, 50)
    conversation_messages: Rate = Rate(1000, 200)


ENTERPRISE = Tier(Rate(600, 100), Rate(6000, 1000), Rate(500 / 60, 500), Rate(6000, 1000))


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that protect the service; each with the reason for its size."""

    standard: Tier = Tier()
    enterprise: Tier = ENTERPRISE
    ip_handshakes: Rate = Rate(600, 300)  # an office behind one address reconnects at once
    ip_log_ins: Rate = Rate(30, 20)  # Argon2 costs 50 ms: also protects the processor
    outbox_bytes_max: int = 1_048_576  # a stalled reader costs at most this; then it resumes
    frame_bytes_max: int = 1_300_000
    ingest_queue_max: int = 10_000  # requests; above it `unavailable`, and the client repeats
    file_bytes_max: int = 50_000_000
    image_pixels_max: int = 40_000_000  # a decoded image takes 4 bytes a pixel
    connections_max: int = 20_000
    resume_entries_max: int = 1_000  # a conversation that lacks more is read afresh


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the chat listens, keeps its data, and how it behaves."""

    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: int = 3000
    public_url: str = ""  # as users reach it; "": http://host:port
    log_level: str = "info"
    heartbeat_s: int = 30  # routers drop idle connections at 60 s and more
    heartbeat_timeout_s: int = 60
    authenticate_within_s: int = 10
    drain_s: int = 60  # ADR 0001
    drain_connections_few: int = 50
    access_token_s: int = 15 * 60
    refresh_token_s: int = 7 * 24 * 3600
    undo_delete_s: int = 7 * 24 * 3600
    invite_s: int = 7 * 24 * 3600
    file_link_s: int = 3600
    idempotency_s: int = 24 * 3600
    idle_away_s: int = 300
    registration: bool = True
    limits: Limits = Limits()

    @property
    def url(self) -> str:
        """The address to give to people."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load_settings(environment: Mapping[str, str], **overrides: Any) -> Settings:
    """Settings from the environment, then `overrides` (None: not given).

    Raises: StartError for an unknown name or a value of the wrong type.
    """
    raw: dict[str, Any] = {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and not name.startswith(CLIENT_PREFIX):
            *parents, leaf = name.removeprefix(PREFIX).lower().split("__")
            place = raw
            for parent in parents:
                place = place.setdefault(parent, {})
            place[leaf] = value
    raw |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return msgspec.convert(raw, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        raise StartError(f"settings: {error}; see docs/settings.md for the names and types") from error
