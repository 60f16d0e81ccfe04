"""The one table of log topics: the chat, the brokers and the dashboards read it."""

from dataclasses import dataclass
from datetime import timedelta

LOG_RETENTION = timedelta(days=30)  # longest time a consumer may be away and still catch up (ADR 0001)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of the event log.

    Attributes:
        key: what a record is keyed by; order is promised within a key only.
        partitions: fixed for the life of the topic, since growing it would reorder keys.
        dead_letters: the topic that takes what a consumer could not handle, or None.
        owner: the role that writes it.
    """

    name: str
    key: str
    partitions: int
    retention: timedelta
    dead_letters: str | None
    owner: str


ENTRIES = Topic("chat.entries", "conversation_id", 12, LOG_RETENTION, "chat.entries.dead", "ingest")
ENTRIES_DEAD = Topic("chat.entries.dead", "conversation_id", 1, LOG_RETENTION, None, "workers")

TOPICS = (ENTRIES, ENTRIES_DEAD)
