"""The one table of DynamoDB tables: the chat's message store and the platform read it (ADR 0020).

Heads, entries, repeat keys and messages share a table, because one transaction writes them and one
partition, the conversation's, holds them. Texts have their own: they are erased and expire, entries
stay; and a message's text must not weigh on reading the log around it. They stand in the order of
their messages, so that those of a page are one range, charged by 4 KB and not one by one (ADR 0039).
Every read of the message store is answered by a key, so there is no secondary index, which could
only be read behind:

| table | partition | sort | what it is |
| --- | --- | --- | --- |
| log | the conversation | `head` | position, counters, members_seq, floor; whether a trim left something below it; where the newest message is |
| | | `entry#` seq in 16 digits | a permanent skeleton of what is no message |
| | | `message#` seq | the same of a message, and its state; a range is a page, the last one the newest |
| | | `reply#` seq | a message that shows in its thread alone |
| | | `op#` actor `#` operation id | the repeat key: where its entry is |
| | | `id#` message id | where the message is |
| | | `thread#` root's id `#` seq | where a reply of the thread is |
| | | `reaction#` message's seq `#` user `#` emoji | one reaction, and the seq that set it |
| | `republish#` 0 to 15 | the conversation `#` the ingest | the log may lack its entries from this seq on |
| | `deleted#` 0 to 15 | time `#` conversation `#` seq | a deleted message whose text is to be purged |
| texts | the conversation | `message#` seq `#` version, or `reply#` | a message's text: the preview, and the body up to 4 KiB |
| | the message | `body#` version | a longer body; it has `expires_at` until an entry refers to it |

Each seq stands in one of `entry#`, `message#` and `reply#`, so that a page of messages reads no
edits, reactions and replies; a resume reads all three, each from its first seq to its last. What all
conversations share has sixteen partitions, chosen by the conversation (CRC-32).
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
TEXTS = Table("texts", Key("owner", "S"), Key("item", "S"), expires="expires_at")

TABLES = (LOG, TEXTS)
