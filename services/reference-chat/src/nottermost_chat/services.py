"""The parts of one running chat, put together in `bootstrap.py` and passed to whoever acts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nottermost_chat.clock import Clock
from nottermost_chat.jobs import Queues
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.keys import NO_PUSH_KEYS, PushKeys
from nottermost_chat.oidc import OidcVerifier
from nottermost_chat.ports import (
    BlobStore,
    Delivery,
    EventLog,
    Ingest,
    JobQueue,
    MessageStore,
    Routes,
    SearchIndex,
    Signals,
)
from nottermost_chat.pseudonyms import Pseudonyms
from nottermost_chat.secret_box import SecretBox
from nottermost_chat.settings import Settings

if TYPE_CHECKING:
    from nottermost_chat.archive.archive import Archive
    from nottermost_chat.directory import Directory
    from nottermost_chat.identity import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the API's actions and the workers need."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    limiter: RateLimiter
    directory: "Directory"
    tokens: "Tokens"
    store: MessageStore
    ingest: Ingest
    signals: Signals
    routes: Routes
    search: SearchIndex
    blobs: BlobStore
    queues: Queues[JobQueue]
    secret_box: SecretBox
    oidc: OidcVerifier | None = None
    pseudonyms: Pseudonyms
    archive: "Archive | None" = None  # None: there is no Arrow here, so that nothing is archived and nothing trimmed
    push_keys: PushKeys = NO_PUSH_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded(Services):
    """All of a chat that is one process."""

    log: EventLog
    delivery: Delivery
