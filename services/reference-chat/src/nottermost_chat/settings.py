"""Every setting and limit of the chat, in one frozen object, read once at the start.

`NOTTERMOST_<NAME>` in the environment sets a field (nested: `NOTTERMOST_LIMITS__NAME`); an
unknown name is an error.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from nottermost_chat.errors import StartError

PREFIX = "NOTTERMOST_"
CLIENT_PREFIX = "NOTTERMOST_CLIENT_"  # who the command line logs in as; not the server's business
CACHE_VARIABLE = "NOTTERMOST_CACHE"  # where `make servers` keeps what it fetched; neither


class Store(StrEnum):
    """What holds the messages."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"
    DYNAMODB = "dynamodb"


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
    trusted_proxies: str = ""  # addresses and networks of load balancers, with commas between: they say who really asks
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
    consent_documents: str = ""  # what users agree to, with the versions of now: terms=2026-11,privacy=2
    consent_required: bool = False  # registering needs agreement with all of them
    limits: Limits = Limits()

    # What is kept for how long where no workspace says otherwise (docs/retention.md).
    warm_days: int = 0  # in the message store; 0: until a workspace's policy says otherwise (ADR 0001)
    archive_days: int = 1_826  # in the archive; five years
    archive_every_s: int = 60  # a part of the archive at most so often while little is said
    export_s: int = 7 * 24 * 3600  # for which the export of one's data can be fetched

    # Where the roles find what they need when they run apart (docs/architecture.md); "": not used.
    instance: str = ""  # a name that no other process has; "": one is made up
    metrics_port: int = 0  # health and metrics of roles that serve nothing else; 0: a free one
    clock_ahead_s: float = 0.0  # for tests: how wrong this process's time of day is
    clock_file: str = ""  # for tests: holds instead how many seconds it is ahead, and may change while the process runs
    fenced: bool = False  # a standby region: nothing is appended
    store: Store = Store.SQLITE
    table_log: str = "log"  # DynamoDB
    table_texts: str = "texts"
    database_host: str = ""  # PostgreSQL, with `:port` unless it is 5432
    database_name: str = "chat"
    database_user: str = "chat"
    database_iam: bool = False  # log in with a token of AWS instead of the password
    brokers: str = ""  # of Kafka, with commas between
    brokers_iam: bool = False
    topic_prefix: str = ""  # several chats on one log (tests)
    cache_host: str = ""  # Redis, with `:port` unless it is 6379
    cache_tls: bool = False
    cache_prefix: str = "chat"
    search_host: str = ""  # OpenSearch, an address with scheme
    search_prefix: str = "chat"
    files_bucket: str = ""
    archive_bucket: str = ""
    push_queue: str = ""  # addresses of SQS queues
    webhook_queue: str = ""
    push_topic: str = ""  # SNS, for phones, where AWS keeps the services' credentials; not used: ADR 0038
    push_contact: str = "mailto:postmaster@example.org"  # whom push services write to when something is wrong
    push_private: bool = False  # browsers may name addresses of our own network: for tests
    fcm_url: str = "https://fcm.googleapis.com"
    apns_url: str = "https://api.push.apple.com"  # for apps in development: api.sandbox.push.apple.com
    webhook_private: bool = False  # webhooks may go to http and to addresses of our own network: for tests
    authorities: str = ""  # a PEM file of more whose certificates push services and receivers of webhooks may have
    oidc_issuer: str = ""  # whose tokens are taken beside our own
    oidc_client: str = ""
    ingest: str = ""  # addresses with commas between, or one name that resolves to all
    fanout: str = ""
    otlp_endpoint: str = ""  # where spans go; "": none are made
    trace_share: float = 0.01  # of messages that are traced

    @property
    def url(self) -> str:
        """The address to give to people."""
        return self.public_url or f"http://{self.host}:{self.port}"


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must not be shown; apart from the settings, so that nothing prints it."""

    database_password: str = ""
    cache_login: str = ""  # {"username": "…", "password": "…"}, as Secrets Manager keeps it
    signing_keys: str = ""  # a JWK set; "": a file in the data folder
    webhook_key: str = ""  # encrypts the secrets of webhooks at rest; "": a file in the data folder
    pseudonym_key: str = ""  # makes pseudonyms in counts and in the audit log; "": they change with the signing keys
    vapid_key: str = ""  # signs Web Push messages: a P-256 private key, base64url
    fcm_account: str = ""  # the service account of Firebase, as its JSON file
    apns_key: str = ""  # {"key_id": "…", "team_id": "…", "topic": "…", "key": "PEM"}

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_settings(environment: Mapping[str, str], **overrides: Any) -> Settings:
    """Settings from the environment, then `overrides` (None: not given).

    Raises: StartError for an unknown name or a value of the wrong type.
    """
    raw: dict[str, Any] = {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and not name.startswith(CLIENT_PREFIX) and name not in NOT_SETTINGS:
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


SECRET_NAMES = frozenset(PREFIX + name.upper() for name in Secrets.__struct_fields__)
NOT_SETTINGS = SECRET_NAMES | {CACHE_VARIABLE}


def load_secrets(environment: Mapping[str, str]) -> Secrets:
    """The secrets that the environment holds."""
    return Secrets(
        **{name.removeprefix(PREFIX).lower(): environment[name] for name in SECRET_NAMES & environment.keys()}
    )
