"""Slack exports made for tests (any files you like, or one with every feature of the format), and their import.

In the full export each entry stands beside what must become of it, so that the expected
counts follow from the data and not from the reader.
"""

import json
import stat
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import msgspec

from nottermost_chat.settings import Settings
from nottermost_chat.slack.importer import ImportResult, run_import

MESSAGE = "message"
MEMBERSHIP = "membership"
EXPORT_DAY = "2021-03-04"
DAY_S = 1_614_816_000  # the start of EXPORT_DAY, UTC

Entry = Mapping[str, object]
Fate = str  # MESSAGE, MEMBERSHIP, or the reason to skip the entry
Fated = tuple[Fate, object]


class ExpectedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What an import of the full export must report.

    Attributes:
        memberships: (conversation, member) at the end; `membership_events`: entries that are joins and leaves.
        placeholders: messages made for roots that are missing; not in `messages`.
        reactions: (message, emoji, user); threads: roots with replies, placeholders among them.
    """

    entries_read: int
    users: int
    listed_users: int
    conversations: int
    private_conversations: int
    messages: int
    membership_events: int
    memberships: int
    placeholders: int
    reactions: int
    threads: int
    files: int
    skipped: Mapping[str, int]
    unreadable: Sequence[str]
    ignored: Sequence[str]


class MadeExport(msgspec.Struct, frozen=True):
    """An export on disk and what is in it."""

    path: Path
    expected: ExpectedCounts


def write_export(path: Path, files: Mapping[str, object], *, folder: str = "") -> Path:
    """Write a zip: bytes as they are, anything else as JSON, everything below `folder`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            archive.writestr(f"{folder}{name}", data)
    return path


def write_link(path: Path, name: str, target: str) -> Path:
    """Write a zip whose only entry is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, target)
    return path


def ts(second: float) -> str:
    """A Slack time stamp, so many seconds into EXPORT_DAY."""
    return f"{DAY_S + second:.6f}"


def message(second: float, user: str, text: str, **fields: object) -> dict[str, object]:
    """A plain message, with further fields or without."""
    return {"type": "message", "user": user, "text": text, "ts": ts(second), **fields}


def event(second: float, user: str, subtype: str, **fields: object) -> dict[str, object]:
    """An entry with a subtype and a text that tells what happened."""
    return message(second, user, f"<@{user}> {subtype}", **{"subtype": subtype, **fields})


def make_full_export(path: Path) -> MadeExport:
    """An export with every feature of the format that we know."""
    days: dict[str, list[Fated]] = {
        f"plaza/{EXPORT_DAY}.json": _plain_entries() + _system_entries(),
        "plaza/2021-03-05.json": _thread_entries(),
        "plaza/2021-03-06.json": _bot_entries() + _file_entries(),
        "plaza/2021-03-07 (1).json": _change_entries(),
        "plaza/canvas_in_the_conversation.json": [("empty", {"id": "F9", "title": "Opening hours"})],
        "cellar/2021-03-04.json": _odd_entries(),
        "Büro/2021-03-04.json": [(MESSAGE, message(1, "U1", "The name of this channel has an umlaut"))],
        "D1/2021-03-04.json": [
            (MESSAGE, message(1, "U1", "Only for two")),
            (MESSAGE, message(2, "U2", "As it should be")),
        ],
        "mpdm-baker--miller--grocer-1/2021-03-04.json": [(MESSAGE, message(5, "U3", "Only for three"))],
        "attic/2021-03-04.json": [(MESSAGE, message(9, "U2", "No list knows this place")), ("empty", {})],
    }
    broken: dict[str, object] = {
        "plaza/2021-03-08.json": b'[{"type": "message", "user": "U1", "text": "half of',
        "plaza/2021-03-09.json": {"messages": []},
        "cellar/2021-03-05.json": b'[{"text": "\xff\xfe"}]',
    }
    others: dict[str, object] = {
        "integration_logs.json": [{"user_id": "U1"}],
        "canvases.json": [],
        "readme.txt": b"hello",
    }
    entries = {name: [entry for _, entry in fated] for name, fated in days.items()}
    junk: dict[str, object] = {"__MACOSX/._users.json": b"\0", "plaza/.DS_Store": b"\0"}
    write_export(path, {**_lists(), **entries, **broken, **others, **junk}, folder="our export/")
    fates = Counter(fate for fated in days.values() for fate, _ in fated)
    return MadeExport(path, _expected(fates, unreadable=sorted(broken), ignored=sorted(others)))


def _expected(fates: Counter[Fate], unreadable: Sequence[str], ignored: Sequence[str]) -> ExpectedCounts:
    return ExpectedCounts(
        entries_read=fates.total(),
        users=15,  # 6 listed; U7 (member), U8 (author), U9 (reaction), U10 (editor), U11 (inviter), B9, Till, Guest, unknown
        listed_users=6,
        conversations=7,
        private_conversations=4,  # cellar, the direct one, the group, and the folder that no list knows
        messages=fates.pop(MESSAGE),
        membership_events=fates.pop(MEMBERSHIP),
        memberships=4 + 3 + 1 + 2 + 3 + 0 + 1,
        placeholders=4,  # a deleted root, one before the export began, two joins: answered, and reacted to
        reactions=2 + 1 + 1,
        threads=4,
        files=5,
        skipped=dict(fates),
        unreadable=unreadable,
        ignored=ignored,
    )


def _lists() -> dict[str, object]:
    users = [
        {
            "id": "U1",
            "name": "baker",
            "real_name": "The Baker",
            "profile": {"email": "baker@example.org", "display_name": "bread"},
        },
        {"id": "U2", "name": "miller", "profile": {"real_name": "The Miller", "email": ""}},
        {
            "id": "U3",
            "name": "grocer",
            "real_name": "The Grocer",
            "deleted": True,
            "profile": {"email": "grocer@example.org"},
        },
        {"id": "U4", "name": "baker", "real_name": "The other Baker", "profile": None},
        {"id": "U5", "name": "oven", "is_bot": True, "profile": {"real_name": "Oven", "bot_id": "B5"}},
        {"id": "USLACKBOT", "name": "slackbot"},
    ]
    topic = {"value": "Bread &amp; <https://example.org|prices>", "creator": "U1", "last_set": DAY_S}
    channels = [
        {
            "id": "C1",
            "name": "plaza",
            "created": DAY_S,
            "creator": "U1",
            "members": ["U1", "U2", "U4", "U7"],
            "topic": topic,
        },
        {"id": "C2", "name": "old-market", "created": DAY_S, "creator": "U1", "is_archived": True, "members": []},
        {
            "id": "C3",
            "name": "büro",
            "created": str(DAY_S),
            "members": ["U1"],
            "purpose": {"value": "Folder in another case"},
        },
    ]
    cellar = {"id": "G1", "name": "cellar", "created": DAY_S, "creator": "U2", "members": ["U1", "U2", "U3", "U1"]}
    trio = {"id": "G2", "name": "mpdm-baker--miller--grocer-1", "created": DAY_S, "members": ["U1", "U2", "U3"]}
    return {
        "users.json": b"\xef\xbb\xbf" + json.dumps([*users, "not a user", {"name": "without id"}]).encode(),
        "channels.json": channels,
        "groups.json": [cellar],
        "mpims.json": [trio],
        "dms.json": [{"id": "D1", "created": DAY_S, "members": ["U1", "U2"]}],
    }


def _plain_entries() -> list[Fated]:
    """Text, mentions, links, entities, edits, reactions; not in the order of their times."""
    blocks = [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "1 < 2"}]}],
        }
    ]
    reactions = [
        {"name": "bread", "users": ["U2", "U9"], "count": 3},
        {"name": "+1::skin-tone-3", "users": ["U1"], "count": 1},
    ]
    return [
        (MESSAGE, message(20, "U2", "Rye &amp; wheat, 3 &lt; 4, &amp;lt; stays an entity")),
        (MESSAGE, message(10, "U1", "Good morning <!channel>, <@U2>, <@U99|someone> in <#C1|plaza> and <#G1|cellar>")),
        (
            MESSAGE,
            message(
                30, "U1", "<https://example.org/a?b=1&amp;c=2|Prices> <mailto:baker@example.org|baker@example.org>"
            ),
        ),
        (
            MESSAGE,
            message(
                40, "U1", "<!subteam^S1|@mill-team> <!date^1614816000^{date}|today> <!here|here> `<http://x.org|x.org>`"
            ),
        ),
        (MESSAGE, message(50, "U1", "second version", edited={"user": "U10", "ts": ts(55)}, reactions=reactions)),
        (MESSAGE, message(60, "U1", "", blocks=blocks)),
        (MESSAGE, message(61, "U1", "as text too", blocks=blocks)),
        (MESSAGE, message(70, "U2", "x" * 100_050)),
        (MESSAGE, message(71, "U2", "zero \0 and half a pair \ud83d and a pair \ud83d\ude00")),
        (MESSAGE, message(72, "U2", "waves", subtype="me_message")),
        (MESSAGE, message(73, "U2", "")),
        (MESSAGE, {**message(74, "U2", ""), "text": None}),
    ]


def _system_entries() -> list[Fated]:
    return [
        (MEMBERSHIP, event(100, "U1", "channel_join")),
        (MEMBERSHIP, event(101, "U2", "channel_join", inviter="U11")),
        (MEMBERSHIP, event(102, "U3", "channel_leave", reactions=[{"name": "wave", "users": ["U1"], "count": 1}])),
        ("membership_without_user", {"type": "message", "subtype": "channel_join", "ts": ts(103)}),
        (MESSAGE, event(110, "U1", "channel_topic", topic="Bread")),
        (MESSAGE, event(111, "U1", "channel_purpose", purpose="Bread")),
        (MESSAGE, event(112, "U1", "channel_name", old_name="market", name="plaza")),
        (MESSAGE, event(113, "U1", "channel_archive")),
        (MESSAGE, event(114, "U1", "channel_unarchive")),
        (MESSAGE, event(115, "U1", "channel_convert_to_private")),
        (MESSAGE, event(116, "U1", "pinned_item")),
        (MESSAGE, event(117, "U1", "reminder_add")),
        (MESSAGE, event(118, "U1", "bot_add")),
        (MESSAGE, event(119, "USLACKBOT", "slackbot_response")),
        (MESSAGE, event(120, "U1", "joiner_notification")),
        (MESSAGE, message(121, "U1", "", subtype="huddle_thread", room={"id": "R1"})),
        (MESSAGE, event(122, "U1", "a_subtype_of_tomorrow")),
        ("unknown_subtype", message(123, "U1", "", subtype="another_of_tomorrow")),
        ("hidden", event(124, "U1", "sh_room_created", hidden=True)),
    ]


def _thread_entries() -> list[Fated]:
    """Replies before and after their root, to everybody, to a deleted root, to a missing one, to a join."""
    return [
        (MESSAGE, message(310, "U2", "a reply", thread_ts=ts(300), parent_user_id="U1")),
        (MESSAGE, message(300, "U1", "the root", thread_ts=ts(300), reply_count=2)),
        (
            MESSAGE,
            message(311, "U4", "to all", thread_ts=ts(300), subtype="thread_broadcast", root={"text": "the root"}),
        ),
        ("tombstone", {**event(320, "USLACKBOT", "tombstone"), "hidden": True, "thread_ts": ts(320)}),
        (MESSAGE, message(330, "U2", "reply to a deleted root", thread_ts=ts(320), parent_user_id="USLACKBOT")),
        (MESSAGE, message(331, "U2", "reply to a root before the export", thread_ts=ts(-9000), parent_user_id="U1")),
        (MESSAGE, message(332, "U2", "welcome", thread_ts=ts(100), parent_user_id="U1")),
        ("reply_notice", {"type": "message", "subtype": "message_replied", "hidden": True, "ts": ts(333)}),
        (MESSAGE, message(334, "U2", "reply to what comes later", thread_ts=ts(900))),
    ]


def _bot_entries() -> list[Fated]:
    """Bots that are listed, that are not, that only have a name; what they attach."""
    attachment = {
        "pretext": "Fresh",
        "title": "Loaf 12 &amp; 13",
        "title_link": "https://example.org/12",
        "text": "golden\nbrown",
        "fields": [{"title": "Oven", "value": "3"}],
        "fallback": "not shown",
        "from_url": "https://example.org/oven",
    }
    return [
        (MESSAGE, {"type": "message", "subtype": "bot_message", "bot_id": "B5", "text": "hot", "ts": ts(400)}),
        (
            MESSAGE,
            {
                "type": "message",
                "subtype": "bot_message",
                "bot_id": "B9",
                "username": "Scale",
                "text": "heavy",
                "ts": ts(401),
            },
        ),
        (
            MESSAGE,
            {
                "type": "message",
                "subtype": "bot_message",
                "username": "Till",
                "text": "",
                "attachments": [attachment],
                "ts": ts(402),
            },
        ),
        (
            MESSAGE,
            {
                "type": "message",
                "text": "from a guest",
                "user_profile": {"real_name": "Guest", "name": "guest"},
                "ts": ts(403),
            },
        ),
        (MESSAGE, {"type": "message", "text": "from nobody", "ts": ts(404)}),
        (
            MESSAGE,
            message(405, "U8", "from nobody we know", user_profile={"name": "stranger", "real_name": "A Stranger"}),
        ),
        (MESSAGE, message(406, "U1", "", attachments=[{"fallback": "only a fallback"}])),
    ]


def _file_entries() -> list[Fated]:
    picture = {"id": "F1", "name": "loaf.png", "title": "Loaf", "mimetype": "image/png", "size": 1234,
               "original_w": 640, "original_h": 480, "url_private": "https://files.example.org/F1/loaf.png?t=secret"}  # fmt: skip
    comment = {"user": "U2", "comment": "nice"}
    return [
        (MESSAGE, message(500, "U1", "look", subtype="file_share", files=[picture, {"id": "F2", "mode": "tombstone"}])),
        (MESSAGE, message(501, "U1", "", files=[picture])),
        (MESSAGE, message(502, "U1", "an old kind of share", subtype="file_share", file=picture)),
        (MESSAGE, {"type": "message", "subtype": "file_comment", "text": "a comment: nice", "comment": comment, "file": picture, "ts": ts(503)}),
    ]  # fmt: skip


def _change_entries() -> list[Fated]:
    """Edits and deletes that are entries of their own."""
    last = message(600, "U1", "third", edited={"user": "U1", "ts": ts(620)})
    stale = message(600, "U1", "second", edited={"user": "U1", "ts": ts(610)})
    missing = message(650, "U2", "known from its edit only", edited={"user": "U2", "ts": ts(651)})
    gone = message(320, "U1", "deleted long ago")
    return [
        ("edit_applied", {"type": "message", "subtype": "message_changed", "hidden": True, "ts": ts(620), "message": last}),
        ("edit_applied", {"type": "message", "subtype": "message_changed", "hidden": True, "ts": ts(610), "message": stale}),
        (MESSAGE, message(600, "U1", "first")),
        (MESSAGE, {"type": "message", "subtype": "message_changed", "hidden": True, "ts": ts(651), "message": missing}),
        ("edit_of_deleted", {"type": "message", "subtype": "message_changed", "ts": ts(652), "message": gone}),
        ("edit_without_message", {"type": "message", "subtype": "message_changed", "ts": ts(653)}),
        ("edit_outdated", {"type": "message", "subtype": "message_changed", "ts": ts(654), "message": {**stale, "ts": ts(50), "edited": {"user": "U1", "ts": ts(51)}}}),
        ("deleted", message(660, "U1", "said too much")),
        ("delete_applied", {"type": "message", "subtype": "message_deleted", "ts": ts(661), "deleted_ts": ts(660)}),
        ("delete_without_target", {"type": "message", "subtype": "message_deleted", "ts": ts(662), "deleted_ts": ts(1)}),
    ]  # fmt: skip


def _odd_entries() -> list[Fated]:
    """Time stamps that are missing, unreadable, numbers, or the same; what is no object."""
    twin = message(10, "U1", "said twice")
    return [
        (MESSAGE, {"type": "message", "user": "U2", "text": "no time, first of its file"}),
        (MESSAGE, twin),
        (MESSAGE, twin),
        (MESSAGE, message(10, "U2", "the same time, another text")),
        (MESSAGE, {**message(11, "U1", "a time that is a number"), "ts": DAY_S + 11.25}),
        (MESSAGE, {**message(12, "U1", "a whole number"), "ts": DAY_S + 12}),
        (MESSAGE, {**message(13, "U1", "an unreadable time"), "ts": "yesterday"}),
        (MESSAGE, {"type": "message", "user": "U1", "text": "no time"}),
        (MESSAGE, {"type": "message", "user": "U1", "text": "no time"}),
        ("not_an_object", None),
        ("not_an_object", "text"),
        ("not_an_object", [1]),
        ("not_a_message", {"type": "presence_change", "user": "U1"}),
        (MEMBERSHIP, event(30, "U2", "group_join")),
        (MEMBERSHIP, event(31, "U2", "group_leave")),
    ]


# --- importing one ----------------------------------------------------------------------------


async def import_into(data: Path, export: Path) -> ImportResult:
    """Import an export into a data folder; every entry must be accounted for."""
    result = await run_import(Settings(data=data), export, lambda *_: None)
    assert result.entries_read == result.messages + result.memberships + sum(result.skipped.values())
    return result


def count_rows(data: Path) -> dict[str, int]:
    """Rows of every table of the directory and of the store, but for claims: each run makes a fresh link."""
    counts: dict[str, int] = {}
    for name in ("directory.db", "store.db"):
        with closing(connect(data / name)) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            counts |= {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    return {table: count for table, count in counts.items() if table not in ("claims", "consumers")}
