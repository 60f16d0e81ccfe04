"""An export is read completely, in order, and the same way every time."""

import contextlib
import json
import os
import random
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nottermost_chat.api.shapes import Username
from nottermost_chat.model import BODY_CHARS_MAX, ConversationKind
from nottermost_chat.slack import EntryKey, Export, Reading, SlackMembership, SlackMessage, Tally, open_export
from nottermost_chat.slack.archive import open_archive
from nottermost_chat.slack.drafts import Day
from nottermost_chat.slack.entries import assemble
from nottermost_chat.slack.markup import Names
from nottermost_chat.slack.node import Node, UnreadableJson, decode_json
from nottermost_chat.slack.rendering import render
from nottermost_chat.testing.slack_export import ExpectedCounts, event, make_full_export, message, ts, write_export

RACKET = Path(__file__).parents[4].parent / "shared/data/slack-export-racket.zip"


Read = tuple[Export, dict[str, Reading]]
Full = tuple[ExpectedCounts, Export, dict[str, Reading]]


def read_all(path: Path) -> Read:
    """Every conversation of an export: (export, readings by name)."""
    with open_export(path) as export:
        return export, {conversation.name: export.read(conversation) for conversation in export.conversations}


def read_day(tmp_path: Path, *entries: object, **lists: object) -> tuple[Reading, Export]:
    """The reading of one channel with one day, and its export."""
    files = {
        "channels.json": [{"id": "C1", "name": "general", "members": ["U1"]}],
        "general/2021-03-04.json": [*entries],
    }
    export, readings = read_all(
        write_export(tmp_path / "e.zip", {**files, **{f"{k}.json": v for k, v in lists.items()}})
    )
    return readings["general"], export


def messages(reading: Reading) -> list[SlackMessage]:
    return [record for record in reading.records if isinstance(record, SlackMessage)]


def texts(reading: Reading) -> list[str]:
    return [record.text for record in messages(reading)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Full:
    made = make_full_export(tmp_path_factory.mktemp("full") / "export.zip")
    export, readings = read_all(made.path)
    return made.expected, export, readings


# --- the whole format -------------------------------------------------------------------------


def test_every_feature_is_accounted_for(full: Full) -> None:
    """The counts are those that the export was made with."""
    expected, export, readings = full
    tally = sum((reading.tally for reading in readings.values()), Tally())
    for name in (
        "entries_read",
        "messages",
        "membership_events",
        "placeholders",
        "reactions",
        "threads",
        "files",
        "skipped",
    ):
        assert getattr(tally, name) == getattr(expected, name), name
    assert tally.entries_read == tally.messages + tally.membership_events + sum(tally.skipped.values())
    assert export.entries_total == tally.entries_read
    assert len(export.users) == expected.users
    assert sum(user.listed for user in export.users) == expected.listed_users
    assert len(export.conversations) == expected.conversations
    assert sum(conversation.is_private for conversation in export.conversations) == expected.private_conversations
    assert sum(len(conversation.member_ids) for conversation in export.conversations) == expected.memberships
    assert [file.path for file in export.unreadable] == expected.unreadable
    assert list(export.ignored) == expected.ignored
    assert export.notes == {"list_entry_left_out": 2}


def test_records_are_in_order_and_refer_to_what_exists(full: Full) -> None:
    """Times never go back; roots come before replies and are no replies; every user and key is known."""
    _, export, readings = full
    users = {user.id for user in export.users}
    for reading in readings.values():
        assert [record.sent_at for record in reading.records] == sorted(record.sent_at for record in reading.records)
        assert len({record.key for record in reading.records}) == len(reading.records)
        roots = set()
        for record in reading.records:
            if isinstance(record, SlackMembership):
                assert {record.user_id, record.inviter_id or record.user_id} <= users
                continue
            assert record.root is None or record.root in roots
            if record.root is None:
                roots.add(record.key)
            reactors = {user_id for reaction in record.reactions for user_id in reaction.user_ids}
            assert {record.author_id, record.editor_id or record.author_id, *reactors, *record.mentions} <= users
            assert 1 <= len(record.body) <= BODY_CHARS_MAX
    assert all(set(conversation.member_ids) <= users for conversation in export.conversations)


def test_conversations_keep_their_privacy_and_their_names(full: Full) -> None:
    """Lists, folders in another case, folders that no list names, archived and empty channels."""
    _, export, _ = full
    by_name = {conversation.name: conversation for conversation in export.conversations}
    assert by_name[""].kind is ConversationKind.DIRECT
    assert by_name["mpdm-baker--miller--grocer-1"].kind is ConversationKind.GROUP
    assert by_name["cellar"].kind is ConversationKind.CHANNEL
    assert by_name["cellar"].member_ids == ("U1", "U2", "U3")
    assert by_name["old-market"].is_archived
    assert by_name["büro"].created_at == 1_614_816_000_000
    assert by_name["plaza"].topic == "Bread & [prices](https://example.org)"
    attic = by_name["attic"]
    assert (attic.is_private, attic.listed, attic.member_ids) == (True, False, ("U2",))


def test_users_are_complete(full: Full) -> None:
    """Listed ones with what the list says, others with what their entries say; handles are unique."""
    _, export, _ = full
    users = {user.id: user for user in export.users}
    assert (users["U1"].handle, users["U1"].email, users["U1"].display_name) == ("baker", "baker@example.org", "bread")
    assert (users["U2"].real_name, users["U2"].email) == ("The Miller", None)
    assert users["U3"].is_deleted
    assert users["U4"].handle == "baker-U4"
    assert (users["B9"].handle, users["B9"].is_bot, users["B9"].listed) == ("Scale", True, False)
    assert (users["U8"].handle, users["U8"].real_name) == ("stranger", "A Stranger")
    assert users["name:Guest"].handle == "guest"
    assert not users["unknown"].listed


# --- keys -------------------------------------------------------------------------------------


def keys(files: Iterable[tuple[str, list[object]]]) -> list[EntryKey]:
    days = [Day(path, entries, 0) for path, entries in files]
    return sorted(draft.key for draft in assemble(days, {}).drafts)


def test_keys_do_not_depend_on_the_order(tmp_path: Path) -> None:
    """Files in any order, entries in any order within and across files: the same keys."""
    with open_archive(make_full_export(tmp_path / "e.zip").path) as archive:
        files = [archive.read(path) for path in archive.paths if "/plaza/" in path]
    entries: list[object] = []
    for data in files:
        with contextlib.suppress(UnreadableJson):
            value = decode_json(data).value
            entries += value if isinstance(value, list) else []
    expected = keys([("a.json", entries)])
    assert len(expected) > 50
    for seed in range(20):
        shuffled = random.Random(seed).sample(entries, len(entries))
        cut = random.Random(seed).randrange(len(entries))
        assert keys([("z.json", shuffled[:cut]), ("a.json", shuffled[cut:])]) == expected


def test_a_later_export_gives_the_same_keys(tmp_path: Path) -> None:
    """Reactions, reply counts, thread marks and blocks change over time; the key does not."""
    now = message(1, "U1", "hello")
    later = {
        **now,
        "thread_ts": ts(1),
        "reply_count": 3,
        "reactions": [{"name": "x", "users": ["U2"]}],
        "blocks": [{"type": "x"}],
    }
    assert keys([("a", [now])]) == keys([("a", [later])])
    assert keys([("a", [now])]) != keys([("a", [{**now, "text": "hello!"}])])


def test_twins_keep_their_reactions_in_any_order(tmp_path: Path) -> None:
    """Entries with the same time and content: what else they hold decides who is first, not where they stand."""
    plain = message(1, "U1", "hello")
    liked = {**plain, "reactions": [{"name": "x", "users": ["U2"]}]}
    readings = [read_day(tmp_path, *entries)[0] for entries in ([plain, liked], [liked, plain])]
    first, second = ({record.key: record.reactions for record in messages(reading)} for reading in readings)
    assert first == second
    assert len(first) == 2


def test_what_can_be_parsed_can_be_walked() -> None:
    """However deep a document is nested: refused when it is parsed, or no trouble to whoever walks it further down."""

    def walk(node: Node, frames: int) -> str:
        return walk(node, frames - 1) if frames else node.canonical()

    parsed = 0
    for depth in range(500, 1100, 10):
        with contextlib.suppress(UnreadableJson):
            node = Node(decode_json(b'{"a":' * depth + b"1" + b"}" * depth).value)
            parsed += walk(node, 50).count("a")
    assert parsed > 500


# --- properties -------------------------------------------------------------------------------

STAMPS = st.sampled_from([ts(second) for second in range(6)]) | st.sampled_from(
    [None, "", "x", -1, 1614816003.5, 10**20, True]
)
NAMED = st.sampled_from(["U1", "U2", "", None, 7])
SUBTYPES = st.sampled_from(
    ["channel_join", "mpim_leave", "bot_message", "thread_broadcast", "tombstone", "message_deleted", "message_changed",
     "message_replied", "huddle_thread", "channel_topic", "new_one", None, 5]
)  # fmt: skip
PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "event", None]),
        "subtype": SUBTYPES,
        "user": NAMED,
        "bot_id": NAMED,
        "username": NAMED,
        "text": st.sampled_from(["a", "b", " ", "", None, 3, "<@U1> &amp;", ["list"]]),
        "ts": STAMPS,
        "thread_ts": STAMPS,
        "deleted_ts": STAMPS,
        "hidden": st.booleans(),
        "reactions": st.just([{"name": "x", "users": ["U1", "U3"]}, None, {"name": 1}]) | st.none(),
        "files": st.just([{"id": "F1"}, "no file"]) | st.none(),
        "attachments": st.just([{"text": "a"}, None]) | st.none(),
        "blocks": st.just([{"type": "section", "text": "b"}, {}]) | st.just("blocks"),
        "edited": st.fixed_dictionaries({"user": NAMED, "ts": STAMPS}) | st.none(),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["text", "ts", "message", "type"]), inner)
    ),
)
ENTRIES = st.lists(
    PLAIN
    | st.builds(lambda plain, inner: {**plain, "subtype": "message_changed", "message": inner}, PLAIN, PLAIN)
    | st.builds(lambda plain, inner: {**plain, "subtype": "message_deleted", "previous_message": inner}, PLAIN, PLAIN)
    | JSON,
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(entries=ENTRIES, order=st.randoms(use_true_random=False))
def test_every_entry_has_one_fate_in_any_order(entries: list[object], order: random.Random) -> None:
    """The sum rule, the order of times and keys that are unique, for entries of any shape and order."""
    shuffled = order.sample(entries, len(entries))
    assembly = assemble([Day("a", entries[:6], 1), Day("b", entries[6:], 2)], {})
    reading = render(assembly, Names())
    tally = reading.tally
    assert tally.entries_read == len(entries)
    assert tally.entries_read == tally.messages + tally.membership_events + sum(tally.skipped.values())
    assert [record.sent_at for record in reading.records] == sorted(record.sent_at for record in reading.records)
    positions = {record.key: position for position, record in enumerate(reading.records)}
    assert len(positions) == len(reading.records)
    for record in reading.records:
        if isinstance(record, SlackMessage):
            assert 1 <= len(record.body) <= BODY_CHARS_MAX
            assert record.root is None or positions[record.root] < positions[record.key]
    assert keys([("a", shuffled)]) == sorted(positions)


# --- one thing at a time ----------------------------------------------------------------------


def test_an_unreadable_file_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    """Half a file, no UTF-8, no list, too deep: each by name, the others are there."""
    bad = {
        "general/a.json": b'[{"text": "half',
        "general/b.json": b'["\xff"]',
        "general/c.json": {"text": "no list"},
        "general/d.json": b"[" * 100_000,
        "general/e.json": b"",
        "general/f.json": b"[" + b"1" * 5000 + b"]",
        "users.json": b"{",
    }
    files = {**bad, "general/2021-03-04.json": [message(1, "U1", "still here")]}
    export, readings = read_all(write_export(tmp_path / "e.zip", files))
    assert {file.path: file.reason for file in export.unreadable} == {
        "general/a.json": "invalid_json",
        "general/b.json": "invalid_utf8",
        "general/c.json": "not_a_list",
        "general/d.json": "too_deep",
        "general/e.json": "invalid_json",
        "general/f.json": "invalid_json",
        "users.json": "invalid_json",
    }
    assert texts(readings["general"]) == ["still here"]


def test_a_folder_of_unreadable_files_is_no_conversation(tmp_path: Path) -> None:
    """Without a list and without an entry there is nothing to make a conversation of."""
    files = {"channels.json": [{"id": "C1", "name": "general"}], "ghost/2021-03-04.json": b"{"}
    export, _ = read_all(write_export(tmp_path / "e.zip", files))
    assert [conversation.name for conversation in export.conversations] == ["general"]
    assert [file.path for file in export.unreadable] == ["ghost/2021-03-04.json"]


def test_private_wins_when_in_doubt(tmp_path: Path) -> None:
    """A conversation in two lists, and a folder that two conversations claim."""
    files = {
        "channels.json": [
            {"id": "C1", "name": "moved"},
            {"id": "C2", "name": "twice", "members": ["U1", "U2"]},
            {"id": "C3", "name": "both"},
            {"id": "C4", "name": "both", "is_private": True},
        ],
        "groups.json": [
            {"id": "C1", "name": "moved", "members": ["U1"]},
            {"id": "G2", "name": "twice", "members": ["U1"]},
        ],
        "twice/2021-03-04.json": [message(1, "U1", "secret")],
        "both/2021-03-04.json": [message(1, "U1", "secret too")],
    }

    with open_export(write_export(tmp_path / "e.zip", files)) as export:
        by_id = {conversation.id: conversation for conversation in export.conversations}
        assert by_id["C1"].is_private
        assert export.read(by_id["G2"]).tally.messages == 1
        assert export.read(by_id["C2"]).tally.messages == 0
        assert export.read(by_id["C4"]).tally.messages == 1


def test_kinds_give_way_to_members(tmp_path: Path) -> None:
    """A direct conversation without a list of members is a group; a large group is a private channel."""
    files = {
        "dms.json": [{"id": "D1", "members": ["U1", "U1"]}, {"id": "D2"}, {"id": "D3", "members": ["U1", "U2", "U3"]}],
        "mpims.json": [{"id": "G1", "name": "crowd", "members": [f"U{i}" for i in range(101)]}],
        "channels.json": [
            {"id": "D4", "is_im": True, "members": ["U1", "U2"]},
            {"id": "C5", "name": "x", "is_private": True},
        ],
        "D2/2021-03-04.json": [message(1, "U7", "hello?")],
    }
    export, _ = read_all(write_export(tmp_path / "e.zip", files))
    by_id = {conversation.id: conversation for conversation in export.conversations}
    assert {conversation_id: str(conversation.kind) for conversation_id, conversation in by_id.items()} == {
        "D1": "direct", "D2": "group", "D3": "group", "G1": "channel", "D4": "direct", "C5": "channel",
    }  # fmt: skip
    assert all(conversation.is_private for conversation in by_id.values())
    assert by_id["D1"].member_ids == ("U1",)
    assert by_id["D2"].member_ids == ("U7",)


def test_folders_are_read_to_the_bottom(tmp_path: Path) -> None:
    """Day files in folders by year and with odd names count; what people uploaded does not."""
    files = {
        "channels.json": [{"id": "C1", "name": "general"}, {"id": "C2", "name": "by-id"}],
        "General/2021/2021-03-04.json": [message(1, "U1", "deep")],
        "General/2021-03-05 (1).JSON": [message(2, "U1", "odd")],
        "General/attachments/F1.json": [message(3, "U1", "uploaded")],
        "c2/2021-03-04.json": [message(4, "U1", "named by id")],
        "__uploads/F2/data.json": [{}],
    }
    export, readings = read_all(write_export(tmp_path / "e.zip", files))
    assert texts(readings["general"]) == ["deep", "odd"]
    assert texts(readings["by-id"]) == ["named by id"]
    assert export.ignored == ("General/attachments/F1.json", "__uploads/F2/data.json")


def test_entries_without_time_follow_the_one_before(tmp_path: Path) -> None:
    """In their file, or at the start of its day; a reply never comes before its root."""
    reply = {"type": "message", "user": "U1", "text": "late reply", "thread_ts": ts(50)}
    untimed = {"type": "message", "user": "U1", "text": "untimed"}
    reading, _ = read_day(tmp_path, untimed, reply, message(50, "U1", "root"), {**untimed, "text": "after root"})
    assert texts(reading) == ["untimed", "root", "after root", "late reply"]
    assert [record.sent_at for record in reading.records] == [1_614_816_000_000] + [1_614_816_050_000] * 3
    assert messages(reading)[3].root == reading.records[1].key
    assert reading.tally.notes == {"time_guessed": 3}


def test_time_stamps_that_are_numbers_name_the_same_moment(tmp_path: Path) -> None:
    """A root with a number and a reply with text find each other."""
    root = {**message(0, "U1", "root"), "ts": 1614816001.5}
    reading, _ = read_day(tmp_path, root, message(2, "U1", "reply", thread_ts="1614816001.500000"))
    assert messages(reading)[1].root == reading.records[0].key
    assert reading.records[0].key.ts == "1614816001.500000"
    assert reading.tally.placeholders == 0


def test_replies_to_replies_share_the_root(tmp_path: Path) -> None:
    """A thread has one level; its root is followed to the start."""
    entries = [
        message(1, "U1", "root"),
        message(2, "U1", "reply", thread_ts=ts(1)),
        message(3, "U1", "deeper", thread_ts=ts(2)),
    ]
    reading, _ = read_day(tmp_path, *entries)
    assert [record.root for record in messages(reading)] == [None, reading.records[0].key, reading.records[0].key]
    assert reading.tally.threads == 1


def test_threads_survive_their_root(tmp_path: Path) -> None:
    """A root that is deleted, missing, or a join is replaced by a placeholder that holds the thread."""
    entries = [
        message(1, "U1", "said too much", thread_ts=ts(1)),
        {"type": "message", "subtype": "message_deleted", "ts": ts(9), "deleted_ts": ts(1)},
        message(2, "U2", "to the deleted", thread_ts=ts(1), parent_user_id="U1"),
        event(3, "U3", "channel_join", reactions=[{"name": "wave", "users": ["U1"]}]),
        message(4, "U2", "welcome", thread_ts=ts(3)),
        message(5, "U2", "to the missing", thread_ts="1600000000.000000"),
    ]
    reading, _ = read_day(tmp_path, *entries)
    made = {
        record.text: record for record in reading.records if isinstance(record, SlackMessage) and record.is_placeholder
    }
    assert set(made) == {
        "(this message was deleted)",
        "@U3 channel_join",
        "(the message that started this thread is not in the export)",
    }
    assert made["(this message was deleted)"].author_id == "U1"
    assert made["@U3 channel_join"].reactions[0].user_ids == ("U1",)
    assert (reading.tally.placeholders, reading.tally.threads, reading.tally.messages) == (3, 3, 3)
    assert "said too much" not in str(reading)


def test_nothing_comes_back_after_it_was_deleted(tmp_path: Path) -> None:
    """An edit of a deleted message, in either order, with or without the message itself."""
    edit = {"type": "message", "subtype": "message_changed", "ts": ts(5), "message": message(1, "U1", "secret, edited")}
    delete = {"type": "message", "subtype": "message_deleted", "ts": ts(3), "deleted_ts": ts(1)}
    buried = {
        "type": "message",
        "subtype": "message_changed",
        "ts": ts(3),
        "message": message(1, "U1", "gone", subtype="tombstone"),
    }
    for entries in ([message(1, "U1", "secret"), edit, delete], [delete, edit], [edit, buried]):
        reading, _ = read_day(tmp_path, *entries)
        assert "secret" not in str(reading)
        assert reading.tally.messages == 0
        assert sum(reading.tally.skipped.values()) == len(entries)


def test_an_edit_replaces_the_whole_content(tmp_path: Path) -> None:
    """Text, files and attachments are those of the last version; key, thread and reactions stay."""
    first = message(1, "U1", "first", files=[{"id": "F1", "name": "a"}], reactions=[{"name": "x", "users": ["U2"]}])
    edit = {
        "type": "message",
        "subtype": "message_changed",
        "user": "U2",
        "ts": ts(5),
        "message": message(1, "U1", "last"),
    }
    reading, _ = read_day(tmp_path, first, edit)
    (record,) = messages(reading)
    assert (record.text, record.files, record.edited_at, record.editor_id) == ("last", (), 1_614_816_005_000, "U2")
    assert record.reactions[0].user_ids == ("U2",)
    assert [record.key] == keys([("a", [first])])


def test_text_that_no_store_takes_is_cleaned_and_noted(tmp_path: Path) -> None:
    """U+0000, lone surrogates and excess length; a back-slash that only looks like an escape stays."""
    raw = rb'[{"type":"message","user":"U1","ts":"1614816001.0","text":"a\u0000\ud83d\ude00\ud83d\ud83d \\u0000"}]'
    files = {"channels.json": [{"id": "C1", "name": "g\0\ud800"}], "C1/2021-03-04.json": raw}
    export, readings = read_all(write_export(tmp_path / "e.zip", files))
    assert texts(readings["g\ufffd\ufffd"]) == ["a\ufffd😀\ufffd\ufffd \\u0000"]
    assert readings["g\ufffd\ufffd"].tally.notes == {"characters_replaced": 3}
    assert export.notes == {"characters_replaced": 2}


def test_long_text_leaves_room_for_its_files(tmp_path: Path) -> None:
    """The body of a message never exceeds what can be sent, and its files are in it."""
    reading, _ = read_day(
        tmp_path, message(1, "U1", "x" * 100_001), message(2, "U1", "y" * 100_000, files=[{"name": "a.png"}])
    )
    assert [len(record.body) for record in messages(reading)] == [BODY_CHARS_MAX, BODY_CHARS_MAX]
    assert messages(reading)[1].body.endswith("y\na.png (not available)")
    assert reading.tally.notes == {"text_cut": 2}


def test_handles_are_valid_and_unique(tmp_path: Path) -> None:
    """Whatever names there are: a handle can be mentioned and belongs to one user."""
    users = [
        {"id": f"U{i}", "name": name}
        for i, name in enumerate(["a b", "A-b", "", "é.x", "x" * 80, "x" * 90, "@@", "a-b-U8", "U3"])
    ]
    _, export = read_day(tmp_path, message(1, "Bot Of Doom", "<@U1>"), users=[*users, {"id": "U9", "name": "a b"}])
    handles = [user.handle for user in export.users]
    assert len({handle.casefold() for handle in handles}) == len(handles) == 11
    for handle in handles:
        msgspec.convert(handle, Username)


# --- a real export ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def racket() -> Read:
    if not RACKET.exists() and "CI" not in os.environ:
        pytest.skip("the real export is not beside the checkout")
    return read_all(RACKET)


def test_the_real_export_is_read_completely(racket: Read) -> None:
    """16,466 messages of 245 people in one channel."""
    export, readings = racket
    assert (len(export.users), len(export.conversations), export.unreadable, export.ignored) == (245, 1, (), ())
    assert all(user.listed for user in export.users)
    tally = readings["general"].tally
    assert (tally.entries_read, tally.messages, tally.skipped) == (16_466, 16_466, {})
    assert tally.notes == {"text_empty": 1}


def test_the_real_export_is_read_faithfully(racket: Read) -> None:
    """Every message against the source: author, time, and each word that is no markup."""
    _, readings = racket
    with zipfile.ZipFile(RACKET) as archive:
        source = [entry for name in archive.namelist() if "/" in name for entry in json.loads(archive.read(name))]
    records = messages(readings["general"])
    assert len(source) == len(records)
    for entry, record in zip(sorted(source, key=lambda entry: entry["ts"]), records, strict=True):
        assert (entry["user"], entry["ts"]) == (record.author_id, record.key.ts)
        assert record.sent_at == int(entry["ts"].replace(".", "")) // 1000
        if not set("<&") & set(entry["text"]):
            assert record.text == (entry["text"] or "…")


def test_words_of_the_real_export_are_all_there(racket: Read) -> None:
    """No word is in fewer messages than in the source, but for ids and what a link shows twice."""
    _, readings = racket
    with zipfile.ZipFile(RACKET) as archive:
        source = [
            entry["text"] for name in archive.namelist() if "/" in name for entry in json.loads(archive.read(name))
        ]
    before, after = _messages_by_word(source), _messages_by_word(texts(readings["general"]))
    shown_twice = {"http", "https", "mailto"}
    lost = {
        word for word, messages in before.items() if after[word] < messages and not re.fullmatch(r"[UC]\w{8,10}", word)
    }
    assert lost <= shown_twice


def _messages_by_word(source: Iterable[str]) -> Counter[str]:
    return Counter(word for text in source for word in set(re.findall(r"\w{4,}", text)))
