"""One export after the other: what changed in between is found, counted, and nothing is there twice."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from nottermost_chat.bootstrap import open_services
from nottermost_chat.model import EntryKind
from nottermost_chat.settings import Settings
from nottermost_chat.testing.slack_export import count_rows, event, import_into, message, ts, write_export

Day = Sequence[object]

CHANNEL = {"id": "C1", "name": "general", "created": 1_600_000_000, "members": ["U1", "U2"]}
CAT = message(1, "U1", "cat")
DOG = message(1, "U1", "dog")
DOG_SINCE_9 = {**DOG, "edited": {"user": "U1", "ts": ts(9)}}
COW_SINCE_5 = {**message(1, "U1", "cow"), "edited": {"user": "U1", "ts": ts(5)}}
LIKED = {"reactions": [{"name": "x", "users": ["U2"]}]}
REPLY, LATE_REPLY = (message(second, "U2", f"reply {second}", thread_ts=ts(1)) for second in (2, 3))
JOINS = [event(second, f"U{second}", "channel_join") for second in (2, 3, 4)]

# Days of one export after the other; at the end: the messages, and what the last run counted.
LATER: Mapping[str, tuple[Sequence[Day], Sequence[str], Mapping[str, int]]] = {
    "edited": ([[CAT], [DOG_SINCE_9]], ["dog"], {"edits": 1, "already_imported": 1}),
    "edited without a mark": ([[CAT], [DOG]], ["dog"], {"edits": 1, "already_imported": 1}),
    "edited again": ([[CAT], [COW_SINCE_5], [DOG_SINCE_9]], ["dog"], {"edits": 1, "already_imported": 1}),
    "an older export last": ([[DOG_SINCE_9], [COW_SINCE_5], [CAT]], ["dog"], {"edits": 0, "already_imported": 1}),
    "an edit that is known": ([[CAT], [DOG_SINCE_9], [CAT], [DOG_SINCE_9]], ["dog"], {"edits": 0}),
    "edited and liked": (
        [[{**CAT, **LIKED}], [{**DOG_SINCE_9, **LIKED}]], ["dog"], {"edits": 1, "reactions": 0, "already_imported": 1}),
    "encoded otherwise": (
        [[message(1, "U1", "ask <@U2>")], [message(1, "U1", "ask <@U2|bob>")]], ["ask @U2"], {"edits": 0}),
    "another at the same time": ([[CAT], [CAT, DOG]], ["cat", "dog"], {"messages": 1, "edits": 0, "already_imported": 1}),
    "by somebody else": ([[CAT], [message(1, "U2", "dog")]], ["cat", "dog"], {"messages": 1, "edits": 0}),
    "two without a time": (
        [[{**CAT, "ts": None}], [{**DOG, "ts": None}]], ["cat", "dog"], {"messages": 1, "edits": 0}),
    "a range of dates": ([[CAT, REPLY], [LATE_REPLY]], ["cat", "> reply 2", "> reply 3"], {"placeholders": 0, "threads": 1}),
    "a root that was deleted": (
        [[CAT, REPLY], [{"subtype": "tombstone", "ts": ts(1)}, LATE_REPLY]], ["cat", "> reply 2", "> reply 3"], {"placeholders": 0}),
    "a root that is a reply": (
        [[message(0, "U1", "root"), {**CAT, "thread_ts": ts(0)}], [CAT, REPLY]],
        ["root", "> cat", "> reply 2"], {"messages": 1}),
    "a file more": ([[CAT], [{**DOG, "files": [{"id": "F1"}]}]], ["dog"], {"files_not_updated": 1}),
    "messages between joins": (
        [JOINS, [JOINS[0], message(2.5, "U1", "cat"), *JOINS[1:]]], ["cat"], {"memberships": 0, "already_imported": 3}),
    "joins between joins": ([[JOINS[0], JOINS[2]], JOINS], [], {"memberships": 1, "already_imported": 2}),
}  # fmt: skip


async def read_back(data: Path) -> list[str | None]:
    """The texts of the only conversation as they are now; replies with "> " before them."""
    async with open_services(Settings(data=data)) as services:
        with closing(connect(data / "directory.db")) as database:
            ((conversation_id,),) = database.execute("SELECT conversation_id FROM conversations")
        entries = await services.store.entries(conversation_id, 0, 1000)
        ids = [entry.message_id for entry in entries if entry.kind is EntryKind.MESSAGE]
        found = await services.store.messages(conversation_id, ids)
        roots = {one for one in ids if found[one].entry.detail.thread_id is None}
        assert {found[one].entry.detail.thread_id for one in ids} <= {None, *roots}
        return [found[one].text if one in roots else f"> {found[one].text}" for one in ids]


@pytest.mark.parametrize("name", LATER)
async def test_a_later_export(tmp_path: Path, name: str) -> None:
    """Edits are applied, threads stay whole, and running the last one again adds not a row."""
    days, texts, counts = LATER[name]
    files: list[dict[str, object]] = [{"channels.json": [CHANNEL], "general/2021-03-04.json": [*day]} for day in days]
    *earlier, path = [write_export(tmp_path / f"{number}.zip", each) for number, each in enumerate(files)]
    for each in earlier:
        await import_into(tmp_path / "data", each)
    result = await import_into(tmp_path / "data", path)
    told = {**result.skipped, **result.notes}
    assert {field: getattr(result, field, told.get(field)) for field in counts} == counts
    assert await read_back(tmp_path / "data") == texts
    before = count_rows(tmp_path / "data")
    await import_into(tmp_path / "data", path)
    assert count_rows(tmp_path / "data") == before
