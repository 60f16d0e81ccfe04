"""The one table of DynamoDB tables: the chat's message store and the platform read it (ADR 0020).

Heads, entries, repeat keys and messages share a table, because one transaction writes them and one
partition, the conversation's, holds them. Texts have their own: they are erased and expire, entries
stay; and a message's text must not weigh on reading the log around it. Every read of the message
store is answered by a key, so there is no secondary index, which could only be read behind:

| table | partition | sort | what it is |
| --- | --- | --- | --- |
| log | the conversation | `head` | position, counters, members_seq, floor |
| | | `entry#` seq in 16 digits | a permanent skeleton; a range is a page, the last one the newest |
| | | `op#` actor `#` operation id | the repeat key: which entry it became |
| | | `message#` message id | seq and version of a message |
| | | `thread#` root's seq `#` seq, 16 digits each | replies of a thread |
| | `republish#` 0 to 15 | the conversation | the log may lack its entries from this seq on |
| | `deleted#` day | time `#` conversation `#` seq | a deleted message whose text is to be purged |
| texts | the message | version | its body; `expires_at` until an entry refers to a long one written ahead |
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Key:
    """A key attribute; type `S` (text), `N` (number) or `B` (bytes)."""

    name: str
    type: Literal["S", "N", "B"]


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        partition, sort: the primary key.
        expires: the attribute with the time to live, in seconds since the epoch; "": items stay.
    """

    name: str
    partition: Key
    sort: Key
    expires: str = ""


LOG = Table("log", Key("conversation", "S"), Key("item", "S"))
TEXTS = Table("texts", Key("message", "S"), Key("version", "N"), expires="expires_at")

TABLES = (LOG, TEXTS)
