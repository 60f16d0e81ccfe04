"""The parts of one running chat, put together in `bootstrap.py` and passed to whoever acts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nottermost_chat.clock import Clock
from nottermost_chat.limiter import RateLimiter
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import BlobStore, Delivery, EventLog, Ingest, MessageStore, Routes, SearchIndex
from nottermost_chat.settings import Settings

if TYPE_CHECKING:
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
    log: EventLog
    ingest: Ingest
    delivery: Delivery
    routes: Routes
    search: SearchIndex
    blobs: BlobStore
