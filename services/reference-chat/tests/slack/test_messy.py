"""Exports that no program should have written: each is imported, accounted for, and nothing new the second time."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import msgspec
import pytest

from nottermost_chat.testing.slack_export import count_rows, event, import_into, message, ts, write_export

Files = Mapping[str, object]

USERS = [{"id": "U1", "name": "ann"}, {"id": "U2", "name": "bob"}, {"id": "U3", "name": "cat"}]
GENERAL = {"id": "C1", "name": "general", "created": 1_600_000_000, "creator": "U1", "members": ["U1", "U2"]}


def day(*entries: object, **lists: object) -> Files:
    """An export with one channel and one day."""
    files = {"users": USERS, "channels": [GENERAL]} | lists
    return {f"{name}.json": value for name, value in files.items()} | {"general/2021-03-04.json": [*entries]}


def nested(depth: int) -> object:
    """A table in a table in a table …"""
    block: object = {"type": "section", "text": "innermost"}
    for _ in range(depth):
        block = {"type": "table", "rows": [[block]]}
    return block


def ordered_list(offset: int) -> list[object]:
    items = [{"elements": [{"type": "text", "text": "first"}]}]
    numbered = {"type": "rich_text_list", "style": "ordered", "offset": offset, "indent": offset, "elements": items}
    return [{"type": "rich_text", "elements": [numbered]}]


def at(*stamps: object) -> list[object]:
    return [{**message(1, "U1", f"at {stamp}"), "ts": stamp} for stamp in stamps]


def saying(*texts: object) -> list[object]:
    return [{**message(second, "U1", ""), "text": text} for second, text in enumerate(texts)]


def reacted(*reactions: object) -> object:
    return message(1, "U1", "hello", reactions=[*reactions])


MESSY: Mapping[str, tuple[Files, Mapping[str, object]]] = {
    "times": (
        day(*at(1e305, float("inf"), float("nan"), -5, "-5.0", 10**40, "9" * 400, "1e9", 0, None, True, [], "253402300800"),
            *at("253402300799.999999", 1614816003, 1614816003.5, " 1614816003.5 ", "1614816003.50000001")),
        {"messages": 18, "notes": {"time_guessed": 14}},
    ),
    "texts": (
        day(*saying(None, [], {}, True, "", " \t", 5, "\0", "\ud800", "x" * 100_001, "😀" * 100_001, "\u200b", "<" * 50_000)),
        {"messages": 13, "notes": {"text_empty": 6, "characters_replaced": 2, "text_cut": 2}},
    ),
    "numbers": (
        day(message(1, "U1", "", files=[{"id": "F1", "size": 10**40}]),
            message(2, "U1", "", blocks=ordered_list(10**40)),
            message(3, "U1", "hi", reactions=[{"name": "x", "users": ["U1"], "count": 10**40}])),
        {"messages": 3, "files": 1, "reactions": 1, "notes": {}},
    ),
    "depths": (
        {**day(message(1, "U1", "hi"), message(2, "U1", "", blocks=[nested(200)])),
         "general/2021-03-05.json": b"[" * 2000 + b"]" * 2000},
        {"messages": 2, "unreadable": ["general/2021-03-05.json"]},
    ),
    "no entries": (
        day(None, "x", 5, True, [], [[]], {}, {"type": "file"}, message(1, "U1", "hi")),
        {"messages": 1, "skipped": {"not_an_object": 6, "empty": 1, "not_a_message": 1}},
    ),
    "reactions": (
        day(reacted({"name": "+1::skin-tone-2", "users": ["U1", "ghost"], "count": 9}, {"users": ["U1"]}, None, "x",
                    {"name": "n", "users": None, "count": 2}, {"name": "n", "users": ["U1", "U1", None, {}]})),
        {"messages": 1, "reactions": 3, "users": 4, "notes": {"reaction_without_user": 9, "reaction_without_name": 1}},
    ),
    "threads": (
        day(message(5, "U1", "before its root", thread_ts=ts(1)), message(1, "U2", "root", thread_ts=ts(1)),
            message(6, "U1", "no root", thread_ts=ts(-100)), message(7, "U1", "of itself", thread_ts=ts(7)),
            message(8, "U1", "of tomorrow", thread_ts=ts(99)), message(9, "U1", "of nothing", thread_ts="x")),
        {"messages": 6, "threads": 2, "placeholders": 1, "notes": {"reply_before_root": 1}},
    ),
    "users": (
        day(message(1, "U1", "hi <@U4>"), users=[
            {"id": "U1", "name": "ann", "profile": {"email": "A@x.org"}},
            {"id": "U2", "name": "ann", "profile": {"email": "a@X.org"}},
            {"id": "U3", "name": "", "real_name": " ", "profile": {"email": "nobody"}},
            {"id": "U4", "name": "a\nb\u202e<i>", "profile": {"email": "a@x.org\nBcc: b@x.org"}},
            {"id": "U5", "name": "x" * 5000, "real_name": "y" * 5000, "profile": {"email": "z" * 300 + "@x.org"}},
            {"id": "U5", "name": "again"}, {"id": 6, "name": 7, "profile": "text"}, {"name": "no id"}, None, [],
        ]),
        {"users": 6, "notes": {"email_taken": 1, "email_invalid": 3, "list_entry_left_out": 4}},
    ),
    "conversations": (
        {**day(message(1, "U1", "hi")), "channels.json": [
            GENERAL, {"id": "C2", "name": "GENERAL"}, {"id": "C3", "name": ""}, {"id": "C4", "name": "n" * 500},
            {"id": "C5", "name": "a/b", "members": "U1", "topic": "text"}, {"id": "C1", "name": "again"}, {}, None],
         "dms.json": [{"id": "D1", "members": ["U1", "U2"]}, {"id": "D2", "members": ["U2", "U1"]},
                      {"id": "D3", "members": ["U3"]}, {"id": "D4"}, {"id": "D5", "members": ["U1", None]}],
         "mpims.json": [{"id": "M1", "name": "mpdm-ann--bob--cat-1", "members": [f"V{n}" for n in range(101)]}],
         "D1/1.json": [message(1, "U1", "said twice"), message(2, "U1", "first file")],
         "D2/1.json": [message(1, "U1", "said twice"), message(2, "U1", "second file"), event(3, "U2", "channel_join")],
         "D4/1.json": [message(1, "U2", "to whom?")]},
        {"messages": 5, "memberships": 1, "conversations": 11, "conversations_added": 10, "edits": 0,
         "skipped": {"already_imported": 1}, "notes": {"channel_name_taken": 1, "list_entry_left_out": 3}},
    ),
    "files": (
        day(message(1, "U1", "", files=[{"id": "F1", "mode": "tombstone"}, {"id": "F2", "mode": "hidden_by_limit"}, None, 5,
                                        {"name": "n" * 5000, "url_private": "file:///etc/passwd", "mimetype": "a\r\nb: c"}]),
            message(2, "U1", "", files=[]), message(3, "U1", "", attachments=["text", None, {}]),
            message(4, "U1", "", attachments=[{"fallback": "only this"}])),
        {"messages": 4, "files": 3, "notes": {"text_empty": 2}},
    ),
    "encodings": (
        {**day(), "general/1.json": b"\xef\xbb\xbf[\r\n]\r\n", "general/2.json": b"\xff\xfe[\0]\0", "general/3.json": b'["\xe9"]',
         "general/4.json": b"null", "general/5.json": b"", "general/6.json": {"messages": [message(1, "U1", "hi")]}},
        {"entries_read": 0, "unreadable": [f"general/{number}.json" for number in range(2, 7)]},
    ),
    "an answer to what was said before": (
        {**day(), "mpims.json": [{"id": "M1", "name": "mpdm-ann--bob-1", "members": ["U1", "U2"]}],
         "mpdm-ann--bob-1/1.json": [message(1, "U1", "hi"), event(2, "U2", "mpim_join"), message(3, "U2", "yes", thread_ts=ts(1))]},
        {"messages": 2, "memberships": 1},
    ),
    "only channels": ({"channels.json": [GENERAL], "general/1.json": [message(1, "U1", "hi")]}, {"messages": 1, "users": 2}),
    "only folders": ({"general/1.json": [message(1, "U1", "hi")]}, {"messages": 1, "conversations": 1, "users": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSY)
async def test_whatever_is_in_it(tmp_path: Path, name: str) -> None:
    """What is counted is what is there, and a second run adds not a row."""
    files, expected = MESSY[name]
    path = write_export(tmp_path / "Team Slack export.zip", files)
    result = await import_into(tmp_path / "data", path)
    told = {**msgspec.to_builtins(result), "unreadable": [file.path for file in result.unreadable]}
    assert {field: told[field] for field in expected} == expected
    before = count_rows(tmp_path / "data")
    again = await import_into(tmp_path / "data", path)
    assert (again.messages, again.memberships, again.reactions, again.files, again.edits) == (0, 0, 0, 0, 0)
    assert count_rows(tmp_path / "data") == before
    assert msgspec.json.decode(msgspec.json.encode(result))["entries_read"] == result.entries_read
    assert all(line.isprintable() for line in result.summary("data"))


# --- people -----------------------------------------------------------------------------------

FLAGS: Mapping[str, tuple[Sequence[str], str | None]] = {
    "plain": ([], "member"),
    "admin": (["is_admin"], "admin"),
    "owner": (["is_owner", "is_admin"], "owner"),
    "primary": (["is_primary_owner", "is_owner", "is_admin"], "owner"),
    "restricted": (["is_restricted"], "guest"),
    "ultra": (["is_ultra_restricted", "is_restricted", "is_admin"], "guest"),
    "stranger": (["is_stranger"], "guest"),
    "robot": (["is_bot", "is_owner"], "member"),
    "gone": (["deleted", "is_owner", "is_primary_owner"], None),
}


def query(data: Path, sql: str) -> list[Any]:
    with closing(connect(data / "directory.db")) as database:
        return database.execute(sql).fetchall()


async def test_roles_are_those_of_the_team(tmp_path: Path) -> None:
    """Owners, admins, guests; who is in no list is a guest too; who is gone is in no workspace, but wrote what he wrote."""
    users = [{"id": f"U-{name}", "name": name, **dict.fromkeys(flags, True)} for name, (flags, _) in FLAGS.items()]
    entries = [message(second, f"U-{name}", "hi") for second, name in enumerate([*FLAGS, "foreign"])]
    channel = {**GENERAL, "creator": "U-plain", "members": ["U-plain", "U-foreign"]}
    result = await import_into(
        tmp_path / "data", write_export(tmp_path / "e.zip", day(*entries, users=users, channels=[channel]))
    )
    roles = dict(query(tmp_path / "data", "SELECT username, role FROM workspace_members JOIN users USING (user_id)"))
    assert roles == {name: role for name, (_, role) in FLAGS.items() if role} | {"U-foreign": "guest"}
    assert ([claim.username for claim in result.claims], result.messages) == (["primary"], len(entries))


async def test_nobody_is_made_owner_who_is_not_of_the_team(tmp_path: Path) -> None:
    """Guests, bots and strangers only: a stand-in owns the workspace."""
    users = [{"id": "U1", "name": "guest", "is_restricted": 1}, {"id": "U2", "name": "robot", "is_bot": "true"}]
    result = await import_into(
        tmp_path / "data", write_export(tmp_path / "e.zip", day(message(1, "U9", "hi"), users=users))
    )
    assert [claim.username for claim in result.claims] == ["owner"]


async def test_who_is_here_gets_name_and_address_before_who_is_gone(tmp_path: Path) -> None:
    """Of two accounts of one person the one that can log in; and who goes later cannot take an account over any more."""
    twins = [{"id": f"U{n}", "name": "ann", "deleted": n < 3, "profile": {"email": "a@x.org"}} for n in (2, 3)]
    path = write_export(tmp_path / "a.zip", day(message(1, "U1", "ask <@U3>"), users=[*USERS[:1], *twins]))
    await import_into(tmp_path / "data", path)
    names = "SELECT username, email, deleted FROM users ORDER BY import_key"
    assert query(tmp_path / "data", names) == [("ann", None, 0), ("ann-U2", None, 1), ("ann-U3", "a@x.org", 0)]
    gone = [{**user, "deleted": True} for user in twins]
    path = write_export(tmp_path / "b.zip", day(message(1, "U1", "ask <@U3>"), users=[*USERS[:1], *gone]))
    await import_into(tmp_path / "data", path)
    assert [row[2] for row in query(tmp_path / "data", names)] == [0, 1, 1]
    assert query(tmp_path / "data", "SELECT count(*) FROM workspace_members") == [(1,)]


async def test_mentions_name_people_as_they_are_called_here(tmp_path: Path) -> None:
    """Somebody else has the name already: the text must not point to that one."""
    for number in (1, 2):  # two teams in one chat
        channel = {**GENERAL, "id": f"C{number}", "created": number}
        path = write_export(tmp_path / f"{number}.zip", day(message(1, "U1", "ask <@U2>"), channels=[channel]))
        await import_into(tmp_path / "data", path)
    with closing(connect(tmp_path / "data" / "store.db")) as database:
        assert sorted(row[0] for row in database.execute("SELECT preview FROM texts")) == ["ask @bob", "ask @bob-2"]
