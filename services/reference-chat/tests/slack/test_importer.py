"""An export becomes a workspace: complete, in order, once, and seen only by those who saw it before."""

import asyncio
import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from sqlite3 import connect

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.actions import accounts, conversations, messages, search
from nottermost_chat.bootstrap import open_services
from nottermost_chat.directory import UserRow
from nottermost_chat.errors import NotFound
from nottermost_chat.model import ConversationKind, Entry, EntryKind, Message
from nottermost_chat.ports import Appended, AppendRequest, Ingest
from nottermost_chat.search.normalise import normalise
from nottermost_chat.services import Services
from nottermost_chat.settings import Settings
from nottermost_chat.slack import (
    EntryKey,
    SlackConversation,
    SlackExportError,
    SlackMembership,
    SlackMessage,
    open_export,
)
from nottermost_chat.slack.importer import ImportResult, import_export
from nottermost_chat.slack.members import find_difference, plan_members
from nottermost_chat.slack.places import anchor_key, name_group, name_workspace
from nottermost_chat.slack.replay import clean_url
from nottermost_chat.testing.slack_export import (
    MadeExport,
    count_rows,
    event,
    import_into,
    make_full_export,
    message,
    ts,
    write_export,
)

RACKET = Path(__file__).parents[4].parent / "shared/data/slack-export-racket.zip"

Line = tuple[object, ...]  # what a test compares of an entry


@asynccontextmanager
async def chat(data: Path) -> AsyncIterator[Services]:
    async with open_services(Settings(data=data)) as services:
        yield services


async def find_conversation(services: Services, title: str) -> str:
    """The id of the imported conversation with this title."""
    with closing(connect(services.settings.data / "directory.db")) as database:
        return str(
            database.execute("SELECT conversation_id FROM conversations WHERE title = ?", (title,)).fetchone()[0]
        )


async def find_user(services: Services, username: str) -> UserRow:
    user = await services.directory.accounts.by_username(username)
    assert user is not None
    return user


async def entries_of(services: Services, title: str) -> list[Entry]:
    return await services.store.entries(await find_conversation(services, title), 0, 100_000)


async def messages_of(services: Services, title: str) -> list[Message]:
    """Every message of the conversation, with its whole text."""
    found = []
    for entry in await entries_of(services, title):
        if entry.kind is EntryKind.MESSAGE:
            whole = await services.store.full_message(entry.conversation_id, entry.message_id)
            assert whole is not None
            found.append(whole)
    return found


async def texts_of(services: Services, title: str) -> list[str | None]:
    return [message.text for message in await messages_of(services, title)]


async def tell_log(services: Services) -> dict[str, list[Line]]:
    """Each conversation's log without what is different in every run: ids and the times of the import."""
    with closing(connect(services.settings.data / "directory.db")) as database:
        names = dict(database.execute("SELECT user_id, username FROM users"))
        titles = dict(database.execute("SELECT conversation_id, title FROM conversations"))
    told = {}
    for conversation_id, title in titles.items():
        entries = await services.store.entries(conversation_id, 0, 100_000)
        keys = {entry.message_id: entry.op_id for entry in entries if entry.kind is EntryKind.MESSAGE}
        told[title] = [_tell(entry, names, keys) for entry in entries]
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    return told


def _tell(entry: Entry, names: Mapping[str, str], keys: Mapping[str, str]) -> Line:
    detail = entry.detail
    changes = sorted((names[change.user_id], change.role) for change in detail.changes)
    return (entry.kind, names[entry.actor_id], keys.get(entry.message_id), keys.get(detail.thread_id or ""),
            detail.sent_at, detail.emoji, len(detail.file_ids), changes, detail.settings)  # fmt: skip


class Stopped(Exception):
    """The import was stopped by a test."""


class StoppingIngest:
    """An ingest that stops its caller at one request: with an error, or by cancelling it."""

    def __init__(self, ingest: Ingest, after: int, *, cancels: bool = False) -> None:
        self._ingest, self._left, self._cancels = ingest, after, cancels

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        self._left -= 1
        if self._left < 0 and self._cancels:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        elif self._left < 0:
            raise Stopped
        return self._ingest.submit(request)

    def __getattr__(self, name: str) -> object:
        return getattr(self._ingest, name)


async def run_until(data: Path, export: Path, after: int, *, cancels: bool = False) -> ImportResult | None:
    """Import until so many requests were made; None: stopped."""
    async with chat(data) as services:
        stopping = StoppingIngest(services.ingest, after, cancels=cancels)
        task = asyncio.create_task(
            import_export(dataclasses.replace(services, ingest=stopping), export, progress=lambda done, total: None)  # type: ignore[arg-type]
        )
        await asyncio.wait([task])
        if task.cancelled() or isinstance(task.exception(), Stopped):
            return None
        return task.result()


@pytest.fixture
def full(tmp_path: Path) -> MadeExport:
    return make_full_export(tmp_path / "Bakers Slack export Mar 4 2021 - Mar 9 2021.zip")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


# --- the whole format -------------------------------------------------------------------------


async def test_every_feature_is_accounted_for(full: MadeExport, data: Path) -> None:
    """The counts are those that the export was made with, and the result is one JSON object."""
    expected, result = full.expected, await import_into(data, full.path)
    for name in ("entries_read", "users", "conversations", "messages", "placeholders", "reactions", "threads", "files"):
        assert getattr(result, name) == getattr(expected, name), name
    assert (result.memberships, result.members) == (expected.membership_events, expected.memberships)
    assert result.skipped == expected.skipped
    assert [file.path for file in result.unreadable] == expected.unreadable
    assert list(result.ignored) == expected.ignored
    assert (result.users_added, result.conversations_added, result.edits) == (15, 7, 3)
    assert json.loads(msgspec.json.encode(result))["skipped"]["tombstone"] == 1
    assert any("cellar/2021-03-05.json" in line for line in result.summary("data"))


async def test_the_log_says_what_the_export_says(full: MadeExport, data: Path) -> None:
    """Every message of every conversation: author, time, text, thread, mentions, reactions, files, edits."""
    await import_into(data, full.path)
    async with chat(data) as services:
        with open_export(full.path) as export:
            handles = {user.id: user.handle for user in export.users}
            for conversation in export.conversations:
                records = [each for each in export.read(conversation).records if isinstance(each, SlackMessage)]
                found = await messages_of(services, name_group(conversation.name))
                ids = {record.key: each.entry.message_id for record, each in zip(records, found, strict=True)}
                for record, each in zip(records, found, strict=True):
                    detail = each.entry.detail
                    users = await services.directory.accounts.users([each.entry.actor_id, *detail.mentions])
                    assert users[each.entry.actor_id].username == handles[record.author_id]
                    assert (each.text, detail.sent_at, detail.note) == (record.text, record.sent_at, record.is_note)
                    assert detail.thread_id == (ids[record.root] if record.root else None)
                    assert (detail.broadcast, detail.mention_channel) == (record.is_broadcast, record.mentions_channel)
                    assert {users[key].username for key in detail.mentions} == {handles[key] for key in record.mentions}
                    assert (each.edited_at is not None) == (record.edited_at is not None and record.text != "")
                    reactions = {(one.emoji, len(one.user_ids)) for one in each.reactions}
                    assert reactions == {(one.name, len(one.user_ids)) for one in record.reactions}
                    names = await services.directory.files.names(detail.file_ids)
                    assert [names[file_id] for file_id in detail.file_ids] == [file.name for file in record.files]


async def test_files_are_references_without_the_token(full: MadeExport, data: Path) -> None:
    """A file is attached to its message, says where it is, and does not let everybody in as the exporter."""
    await import_into(data, full.path)
    async with chat(data) as services:
        (shared,) = [each for each in await messages_of(services, "plaza") if each.text == "look"]
        rows = await services.directory.files.get_many(shared.entry.detail.file_ids)
        picture, gone = (rows[file_id] for file_id in shared.entry.detail.file_ids)
        assert picture.external_url == "https://files.example.org/F1/loaf.png"
        assert (picture.name, picture.size, picture.content_type) == ("loaf.png", 1234, "image/png")
        assert gone.external_url == ""
        assert {picture.message_id, gone.message_id} == {shared.entry.message_id}


async def test_private_stays_private(full: MadeExport, data: Path) -> None:
    """Members see what they saw before; the workspace's owner gets into nothing he was not in."""
    await import_into(data, full.path)
    async with chat(data) as services:
        names = {"baker": {"", "plaza", "Büro".casefold(), "cellar", "baker, miller, grocer"},
                 "miller": {"", "plaza", "cellar", "attic", "baker, miller, grocer"},
                 "baker-U4": {"plaza"}, "stranger": set()}  # fmt: skip
        for username, titles in names.items():
            user = await find_user(services, username)
            found = await conversations.list_conversations(services, user.user_id)
            assert {(view.title or "").casefold() for view in found} == titles
            assert {(view.unread_count, view.mention_count) for view in found} <= {(0, 0)}
        owner, attic = await find_user(services, "baker"), await find_conversation(services, "attic")
        with pytest.raises(NotFound):
            await messages.read_history(services, owner.user_id, attic, messages.Place(), limit=10)
        with pytest.raises(NotFound):
            await conversations.join(services, owner.user_id, attic, None)
        view = await search.search(services, owner.user_id, "no list knows", by_date=False, offset=0, limit=10)
        assert view.total == 0
        miller = await find_user(services, "miller")
        view = await search.search(services, miller.user_id, "no list knows", by_date=False, offset=0, limit=10)
        assert view.total == 1


async def test_the_owner_can_look_at_it_at_once(full: MadeExport, data: Path) -> None:
    """The link lets the owner choose a password, once; a second run gives no link any more."""
    result = await import_into(data, full.path)
    (link,) = result.claims
    assert (link.username, link.email, result.workspace_name) == ("baker", "baker@example.org", "Bakers")
    assert any(link.url in line for line in result.summary("data"))
    (fresh,) = (await import_into(data, full.path)).claims
    assert fresh.url != link.url
    async with chat(data) as services:
        await accounts.claim(services, fresh.url.partition("#token=")[2], "correct horse battery", "browser")
        session = await accounts.log_in(services, "baker@example.org", "correct horse battery", "browser")
        (workspace,) = await services.directory.workspaces.of_user(session.user.user_id)
        assert (workspace[0].workspace_id, workspace[1]) == (result.workspace_id, "owner")
    assert (await import_into(data, full.path)).claims == []


async def test_people_and_channels_are_what_they_were(full: MadeExport, data: Path) -> None:
    """Deactivated people, bots, those in no list; an archived channel, a topic, a purpose."""
    result = await import_into(data, full.path)
    async with chat(data) as services:
        grocer, oven, scale = [await find_user(services, name) for name in ("grocer", "oven", "Scale")]
        assert (grocer.deleted, grocer.bot, oven.bot, scale.bot) == (True, False, True, True)
        inside = await services.directory.workspaces.members(result.workspace_id)
        assert {member.user.username for member in inside} == {"baker", "miller", "baker-U4", "oven", "slackbot", "U7"}
        rows = {
            title: await services.directory.conversations.get(await find_conversation(services, title))
            for title in ("old-market", "plaza", "büro")
        }
        assert [row is not None and row.archived for row in rows.values()] == [True, False, False]
        assert rows["plaza"] is not None
        assert rows["plaza"].topic == "Bread & [prices](https://example.org)"
        assert rows["büro"] is not None
        assert rows["büro"].purpose == "Folder in another case"


async def test_members_come_and_go_with_their_events(data: Path, tmp_path: Path) -> None:
    """Joins and leaves stand where they happened, neighbours together; in the end the members are those of the list."""
    channel = {"id": "C1", "name": "general", "members": ["U1", "U2", "U3"]}
    day = [
        message(1, "U1", "first"),
        event(2, "U2", "channel_join"),
        event(3, "U4", "channel_join"),
        event(4, "U4", "channel_leave"),
        event(5, "U5", "channel_leave"),
        event(6, "U6", "channel_join"),
        event(7, "U3", "channel_leave"),
    ]
    files = {"channels.json": [channel], "general/2021-03-04.json": day}
    result = await import_into(data, write_export(tmp_path / "e.zip", files))
    assert (result.messages, result.memberships, result.skipped) == (1, 6, {})
    async with chat(data) as services:
        (log,) = (await tell_log(services)).values()
        changes = [[(name, role is not None) for name, role in line[7]] for line in log if line[0] == "membership"]  # type: ignore[attr-defined]
        assert changes == [
            [("U1", True), ("U3", True), ("U5", True)],
            [("U2", True), ("U4", True)],
            [("U3", True), ("U4", False), ("U5", False), ("U6", True)],
            [("U6", False)],
        ]  # fmt: skip
        picture = await services.directory.conversations.picture(await find_conversation(services, "general"))
        assert picture is not None
        users = await services.directory.accounts.users(list(picture.members))
        assert {user.username for user in users.values()} == {"U1", "U2", "U3"}


async def test_joins_between_messages_share_entries(data: Path, tmp_path: Path) -> None:
    """Each membership entry costs a group of its own: in a channel few do for many joins, in a group each has its place."""
    members = [f"U{number}" for number in range(60)]
    pairs = ((event(2 * at, user, "channel_join"), message(2 * at + 1, user, "hi")) for at, user in enumerate(members))
    entries = [entry for pair in pairs for entry in pair]
    files = {
        "channels.json": [{"id": "C1", "name": "general", "members": members}],
        "mpims.json": [{"id": "M1", "name": "few", "members": members}],
        "general/1.json": entries,
        "few/1.json": entries,
    }
    result = await import_into(data, write_export(tmp_path / "e.zip", files))
    assert (result.messages, result.memberships) == (120, 120)
    async with chat(data) as services:
        kinds = {name: [entry.kind for entry in await entries_of(services, name)] for name in ("general", "few")}
    assert kinds["general"] == [EntryKind.MESSAGE] * 60 + [EntryKind.MEMBERSHIP]
    assert kinds["few"] == [EntryKind.MEMBERSHIP, EntryKind.MESSAGE] * 60


@given(members=st.sets(st.sampled_from("abcd")), events=st.lists(st.tuples(st.sampled_from("abcde"), st.booleans())))
def test_plans_of_members_end_with_the_list(members: set[str], events: list[tuple[str, bool]]) -> None:
    """Whatever the events say: a join lets in, and the difference that is left in the end only removes."""
    records = [
        SlackMembership(key=EntryKey(str(place), "x"), user_id=user_id, joined=joined, sent_at=place)
        for place, (user_id, joined) in enumerate(events)
    ]
    conversation = SlackConversation(
        id="C1", kind=ConversationKind.CHANNEL, is_private=False, name="c", member_ids=tuple(sorted(members))
    )
    plan = plan_members(conversation, records)
    inside = {*plan.start}
    assert len(inside) == len(plan.start)
    for record in records:
        assert plan.after[record.key] or not record.joined
        (inside.add if plan.after[record.key] else inside.discard)(record.user_id)
    difference = find_difference(inside, plan.end)
    assert not any(difference.values())
    assert inside - difference.keys() == members


async def test_long_texts_and_many_reactions_keep_their_order(data: Path, tmp_path: Path) -> None:
    """Text that is stored apart does not fall behind; reactions keep the order of those who reacted."""
    users = [f"U{number}" for number in range(40)]
    long_name = "party_" * 20
    day = [message(second, "U1", f"{second} " + "x" * (9_000 if second % 3 else 1)) for second in range(1, 30)]
    day.append(
        message(40, "U1", "liked", reactions=[{"name": "+1", "users": users}, {"name": long_name, "users": ["U2"]}])
    )
    files = {"channels.json": [{"id": "C1", "name": "general"}], "general/2021-03-04.json": day}
    result = await import_into(data, write_export(tmp_path / "e.zip", files))
    assert (result.messages, result.reactions, result.notes) == (30, 41, {"emoji_cut": 1})
    async with chat(data) as services:
        assert await texts_of(services, "general") == [each["text"] for each in day]
        liked = (await messages_of(services, "general"))[-1]
        names = await services.directory.accounts.users(liked.reactions[0].user_ids)
        assert [names[user_id].username for user_id in liked.reactions[0].user_ids] == users


# --- who is here already ----------------------------------------------------------------------


async def test_nobody_is_taken_for_an_account_that_was_here(full: MadeExport, data: Path) -> None:
    """Neither a user name nor an e-mail address in an export gives anything of an account away."""
    async with chat(data) as services:
        before = await services.directory.accounts.create_user(
            username="Baker", email="Baker@example.org", password_hash="x"
        )
        workspace = await services.directory.workspaces.create("ours", before.user_id)
        await services.directory.conversations.create_channel(workspace.workspace_id, "plaza", before.user_id)
    result = await import_into(data, full.path)
    assert {"email_taken", "username_taken"} <= result.notes.keys()
    async with chat(data) as services:
        assert await services.directory.accounts.user(before.user_id) == before
        assert await conversations.list_conversations(services, before.user_id) == []
        imported = await find_user(services, "baker-2")
        assert (imported.email, imported.imported) == (None, True)
        assert [claim.username for claim in result.claims] == ["baker-2"]


async def test_an_export_without_people_gets_an_owner(data: Path, tmp_path: Path) -> None:
    """Only bots, or nobody at all: somebody has to be able to look at it."""
    day = [
        {"type": "message", "subtype": "bot_message", "bot_id": "B1", "username": "Horn", "text": "beep", "ts": ts(1)}
    ]
    files = {"channels.json": [{"id": "C1", "name": "general"}], "general/2021-03-04.json": day}
    result = await import_into(data, write_export(tmp_path / "e.zip", files))
    assert [claim.username for claim in result.claims] == ["owner"]
    assert (result.messages, result.users, result.users_added) == (1, 1, 2)
    assert (await import_into(data, tmp_path / "e.zip")).users_added == 0


async def test_channels_of_the_same_name_stay_two(data: Path, tmp_path: Path) -> None:
    """Names are unique here and not there: the second one gets a number."""
    channels = [{"id": "C1", "name": "Twice"}, {"id": "C2", "name": "twice"}]
    files = {
        "channels.json": channels,
        "C1/1.json": [message(1, "U1", "one")],
        "C2/1.json": [message(2, "U1", "two")],
    }
    result = await import_into(data, write_export(tmp_path / "e.zip", files))
    assert result.notes["channel_name_taken"] == 1
    async with chat(data) as services:
        assert await texts_of(services, "Twice") == ["one"]
        assert await texts_of(services, "twice-2") == ["two"]


# --- again, stopped, later --------------------------------------------------------------------


async def test_twice_adds_nothing(full: MadeExport, data: Path) -> None:
    """No row more, and every entry is accounted for as imported already."""
    first = await import_into(data, full.path)
    before = count_rows(data)
    second = await import_into(data, full.path)
    assert count_rows(data) == before
    assert second.skipped == {**first.skipped, "already_imported": first.messages + first.memberships}
    added = (second.messages, second.memberships, second.reactions, second.files, second.edits, second.placeholders)
    assert added == (0, 0, 0, 0, 0, 0)
    assert (second.users_added, second.conversations_added, second.threads) == (0, 0, 0)
    assert (second.workspace_id, second.entries_read) == (first.workspace_id, first.entries_read)


@pytest.mark.slow
@pytest.mark.parametrize("cancels", [False, True])
async def test_what_was_stopped_goes_on_where_it_ended(full: MadeExport, tmp_path: Path, cancels: bool) -> None:
    """Stopped over and over at any request, the log is the one of a run that was not stopped."""
    await import_into(tmp_path / "whole", full.path)
    async with chat(tmp_path / "whole") as services:
        expected = await tell_log(services)
    data, chance, result, runs = tmp_path / "parts", random.Random(7), None, 0
    while result is None:
        result = await run_until(data, full.path, chance.randrange(1, 30), cancels=cancels)
        runs += 1
    assert runs > 3
    async with chat(data) as services:
        assert await tell_log(services) == expected
    last = await import_into(data, full.path)
    assert last.skipped["already_imported"] == full.expected.messages + full.expected.membership_events


async def test_a_later_export_adds_what_is_new(data: Path, tmp_path: Path) -> None:
    """New messages, reactions, replies, events, members and channels; an edit changes the message that is there."""
    channel = {"id": "C5", "name": "general", "created": 1_600_000_000, "members": ["U1", "U2"]}
    users = [{"id": "U1", "name": "ann"}, {"id": "U2", "name": "bob"}]
    day = [
        message(1, "U1", "hello"),
        message(2, "U2", "tpyo"),
        message(5, "U1", "bye"),
        event(6, "U2", "channel_leave"),
    ]
    first = await import_into(
        data,
        write_export(
            tmp_path / "Team Slack export A.zip",
            {"users.json": users, "channels.json": [channel], "general/1.json": day},
        ),
    )
    grown = [
        {**message(1, "U1", "hello"), "reactions": [{"name": "wave", "users": ["U2"]}]},
        message(2, "U2", "typo", edited={"user": "U2", "ts": ts(60)}),
        message(3, "U3", "in between"),
        message(5, "U1", "bye"),
        event(6, "U2", "channel_leave"),
        event(6.5, "U3", "channel_join"),
        message(7, "U3", "me too", thread_ts=ts(2)),
    ]
    files = {
        "users.json": [*users, {"id": "U3", "name": "cat"}],
        "channels.json": [{"id": "C1", "name": "a", "created": 1_500_000_000}, {**channel, "members": ["U1", "U3"]}],
        "general/1.json": grown,
    }
    later = write_export(tmp_path / "Team Slack export B.zip", files)
    second = await import_into(data, later)
    assert second.workspace_id == first.workspace_id
    assert (second.messages, second.reactions, second.edits, second.threads) == (2, 1, 1, 1)
    assert (second.users_added, second.conversations_added, second.skipped) == (1, 1, {"already_imported": 4})
    assert second.memberships == 1
    async with chat(data) as services:
        assert await texts_of(services, "general") == ["hello", "typo", "bye", "in between", "me too"]
        found = await messages_of(services, "general")
        assert [each.entry.detail.sent_at for each in found] == [int(float(ts(s)) * 1000) for s in (1, 2, 5, 3, 7)]
        assert found[4].entry.detail.thread_id == found[1].entry.message_id
        assert found[1].edited_at is not None
        picture = await services.directory.conversations.picture(await find_conversation(services, "general"))
        assert picture is not None
        inside = await services.directory.accounts.users(list(picture.members))
        assert {user.username for user in inside.values()} == {"ann", "cat"}
    before = count_rows(data)
    assert (await import_into(data, later)).messages == 0
    assert count_rows(data) == before


async def test_what_happened_here_since_stays(full: MadeExport, data: Path) -> None:
    """Who left, what was deleted, renamed or written here: a second run changes none of it."""
    result = await import_into(data, full.path)
    async with chat(data) as services:
        await accounts.claim(services, result.claims[0].url.partition("#token=")[2], "correct horse battery", "browser")
        owner, miller = await find_user(services, "baker"), await find_user(services, "miller")
        plaza = await find_conversation(services, "plaza")
        liked = next(each for each in await messages_of(services, "plaza") if each.text == "second version")
        await messages.delete(services, owner.user_id, plaza, liked.entry.message_id, "delete")
        await conversations.remove_member(services, owner.user_id, plaza, miller.user_id)
        request = AppendRequest(kind="message", conversation_id=plaza, actor_id=owner.user_id, op_id="x", body="live")
        await services.ingest.submit(request)
    before = count_rows(data)
    assert (await import_into(data, full.path)).messages == 0
    assert count_rows(data) == before
    async with chat(data) as services:
        assert await services.directory.conversations.among(plaza, [miller.user_id]) == {}


async def test_what_was_unread_stays_unread(data: Path, tmp_path: Path) -> None:
    """A later export does not mark as read what people wrote here meanwhile."""
    channel = {"id": "C1", "name": "general", "created": 1_600_000_000, "creator": "U1", "members": ["U1", "U2"]}
    users = [{"id": "U1", "name": "ann"}, {"id": "U2", "name": "bob"}]
    lists: dict[str, object] = {"users.json": users, "channels.json": [channel]}
    export = write_export(tmp_path / "e.zip", {**lists, "general/1.json": [message(1, "U1", "hello")]})
    result = await import_into(data, export)
    async with chat(data) as services:
        await accounts.claim(services, result.claims[0].url.partition("#token=")[2], "correct horse battery", "browser")
        bob, general = await find_user(services, "bob"), await find_conversation(services, "general")
        request = AppendRequest(kind="message", conversation_id=general, actor_id=bob.user_id, op_id="x", body="live")
        await services.ingest.submit(request)
    grown = [message(1, "U1", "hello"), message(2, "U2", "more")]
    await import_into(data, write_export(tmp_path / "f.zip", {**lists, "general/1.json": grown}))
    async with chat(data) as services:
        unread = {}
        for username in ("ann", "bob"):
            (view,) = await conversations.list_conversations(services, (await find_user(services, username)).user_id)
            unread[username] = view.unread_count
    assert unread == {"ann": 2, "bob": 0}


# --- damage -----------------------------------------------------------------------------------


async def test_a_damaged_archive_changes_nothing(full: MadeExport, data: Path, tmp_path: Path) -> None:
    """Cut off, a flipped bit, no zip: refused before anything is made or changed."""
    whole = full.path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    for number, content in enumerate([whole[: len(whole) // 2], bytes(flipped), b"no zip"]):
        damaged = tmp_path / f"damaged-{number}.zip"
        damaged.write_bytes(content)
        with pytest.raises(SlackExportError):
            await import_into(data, damaged)
        assert data not in tmp_path.iterdir()  # noqa: ASYNC240 - a test may wait for the disk
    await import_into(data, full.path)
    before = count_rows(data)
    with pytest.raises(SlackExportError):
        await import_into(data, tmp_path / "damaged-0.zip")
    assert count_rows(data) == before


async def test_one_unreadable_file_is_reported_and_the_rest_imported(data: Path, tmp_path: Path) -> None:
    """By its name; once it is whole, a further run adds what was in it."""
    lists: dict[str, object] = {"channels.json": [{"id": "C1", "name": "general"}]}
    days: dict[str, object] = {
        "general/1.json": [message(1, "U1", "one")],
        "general/3.json": [message(3, "U1", "three")],
    }
    broken = {**lists, **days, "general/2.json": b'[{"type": "message", "te'}
    result = await import_into(data, write_export(tmp_path / "e.zip", broken))
    assert (result.messages, [file.path for file in result.unreadable]) == (2, ["general/2.json"])
    whole = {**lists, **days, "general/2.json": [message(2, "U1", "two")]}
    result = await import_into(data, write_export(tmp_path / "e.zip", whole))
    assert (result.messages, result.unreadable) == (1, ())
    async with chat(data) as services:
        assert await texts_of(services, "general") == ["one", "three", "two"]


# --- names and links --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("Acme Inc Slack export Jan 1 2020 - Mar 3 2021", "Acme Inc"),
        ("slack-export-racket", "racket"),
        ("my team", "my team"),
        ("", "Slack export"),
    ],
)
def test_workspaces_are_named_after_the_file(file_name: str, name: str) -> None:
    """As Slack names its exports, or just the name."""
    assert name_workspace(file_name) == name


def test_two_teams_never_become_one() -> None:
    """An id is enough to know a workspace by; a name such as "general" is not."""

    def make(conversation_id: str, *, created_at: int | None = None, listed: bool = True) -> SlackConversation:
        kind = ConversationKind.CHANNEL
        return SlackConversation(
            id=conversation_id, kind=kind, is_private=False, name="general", created_at=created_at, listed=listed
        )

    assert anchor_key(make("C1"), "a") == anchor_key(make("C1"), "b")
    assert anchor_key(make("C1", created_at=1), "a") != anchor_key(make("C1", created_at=2), "a")
    assert anchor_key(make("general"), "a") != anchor_key(make("general"), "b")
    assert anchor_key(make("folder:general", listed=False), "a") != anchor_key(
        make("folder:general", listed=False), "b"
    )


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://files.slack.com/a.png?t=xoxe-1", "https://files.slack.com/a.png"),
        ("https://files.slack.com/a.png?a=1&t=xoxe-1&b=2#f", "https://files.slack.com/a.png?a=1&b=2#f"),
        ("javascript:alert(1)", ""),
        ("//files.slack.com/a", ""),
        ("http://[half", ""),
        ("", ""),
    ],
)
def test_links_to_files_are_clean(url: str, clean: str) -> None:
    """No token, and no scheme but the web's."""
    assert clean_url(url) == clean


# --- a real export ----------------------------------------------------------------------------


@pytest.fixture
def racket() -> Path:
    if not RACKET.exists() and "CI" not in os.environ:
        pytest.skip("the real export is not beside the checkout")
    return RACKET


@pytest.mark.slow
async def test_the_real_export_is_imported_whole(racket: Path, data: Path) -> None:
    """Counts, a sample field by field against the source, and 50 words found as often as a plain scan finds them."""
    result = await import_into(data, racket)
    assert (result.messages, result.users, result.conversations, result.skipped) == (16_466, 245, 1, {})
    with zipfile.ZipFile(racket) as archive:
        handles = {user["id"]: user["name"] for user in json.loads(archive.read("users.json"))}
        members = json.loads(archive.read("channels.json"))[0]["members"]
        source = [entry for name in archive.namelist() if "/" in name for entry in json.loads(archive.read(name))]
    source.sort(key=lambda entry: entry["ts"])
    async with chat(data) as services:
        found = await messages_of(services, "general")
        assert len(found) == len(source)
        for place in random.Random(3).sample(range(len(source)), 500):
            entry, each = source[place], found[place]
            author = await services.directory.accounts.user(each.entry.actor_id)
            assert author is not None
            assert author.username == handles[entry["user"]]
            assert each.entry.detail.sent_at == int(entry["ts"].replace(".", "")) // 1000
            if not set("<&") & set(entry["text"]):
                assert each.text == (entry["text"] or "…")
        texts = [each.text or "" for each in found]
        await assert_search_finds(services, texts, _choose_words(texts, 50))
        owner = await find_user(services, result.claims[0].username)
        (view,) = await conversations.list_conversations(services, owner.user_id)
        assert (view.unread_count, view.member_count) == (0, len(members))


async def assert_search_finds(services: Services, texts: Sequence[str], words: Sequence[str]) -> None:
    user = (await services.directory.workspaces.members(await _workspace_id(services)))[0].user
    normalised = [normalise(text) for text in texts]
    for word in words:
        view = await search.search(services, user.user_id, word, by_date=False, offset=0, limit=1)
        assert view.total == sum(normalise(word) in text for text in normalised), word


async def _workspace_id(services: Services) -> str:
    with closing(connect(services.settings.data / "directory.db")) as database:
        return str(database.execute("SELECT workspace_id FROM workspaces").fetchone()[0])


def _choose_words(texts: Sequence[str], count: int) -> list[str]:
    """Words from frequent to rare."""
    words = Counter(word for text in texts for word in re.findall(r"[A-Za-z]{3,}", text))
    ranked = [word for word, _ in words.most_common()]
    return [ranked[place * len(ranked) // count] for place in range(count)]


@pytest.mark.slow
async def test_a_killed_import_goes_on(racket: Path, data: Path) -> None:
    """SIGKILL at random moments: in the end every message is there once, in the order of the source."""
    script = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from nottermost_chat.settings import Settings\nfrom nottermost_chat.slack.importer import run_import\n"
        "asyncio.run(run_import(Settings(data=Path(sys.argv[1])), Path(sys.argv[2]), lambda done, total: print(done, flush=True)))"
    )
    chance, seen = random.Random(11), list[int]()
    for _ in range(3):
        process = subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to do
            [sys.executable, "-c", script, str(data), str(racket)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout:
            stop_after = len(seen) and seen[-1] + chance.randrange(2_000, 6_000)
            while (line := process.stdout.readline()) and int(line) <= stop_after:
                continue
            await asyncio.sleep(chance.random() * 0.1)
            process.kill()
            process.wait()
        seen.append(int(line or 0))
    result = await import_into(data, racket)
    assert 0 < result.messages < 16_466
    assert result.messages + result.skipped["already_imported"] == 16_466
    async with chat(data) as services:
        found = [entry for entry in await entries_of(services, "general") if entry.kind is EntryKind.MESSAGE]
    keys = [entry.op_id for entry in found]
    assert (len(keys), len(set(keys))) == (16_466, 16_466)
    times = [entry.detail.sent_at or 0 for entry in found]
    assert times == sorted(times)
