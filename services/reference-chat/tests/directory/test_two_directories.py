"""Two processes' directories on one database, at the same things at the same time: nobody notices the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select, text

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, FamilyRevoked, InviteRow, Server, SignIn
from nottermost_chat.directory.tables import activity, cursors, devices, mentions, users, workspace_members
from nottermost_chat.errors import Conflict, GroupFull, InviteClosed, NotFound, Unauthorized
from nottermost_chat.model import Detail, Entry, EntryKind, MemberChange, Role
from nottermost_chat.ports import Cursor
from nottermost_chat.testing.databases import connect_to
from nottermost_chat.testing.servers import Address

WEEK_S = 7 * 24 * 3600
T = TypeVar("T")
Pair = tuple[Directory, Directory]


@pytest.fixture
async def pair(server: Server, clock: Clock) -> AsyncIterator[Pair]:
    pair = await Directory.open(server, clock), await Directory.open(server, clock)
    yield pair
    for directory in pair:
        await directory.close()


@pytest.fixture
def deadlocks(pair: Pair, server: Server, postgres: Address) -> Callable[[], Awaitable[int]]:
    """Ends both directories, whose sessions count as they go; how many there were in this test."""

    def ask(question: str) -> int:
        with connect_to(postgres, server.database) as connection:
            return int(connection.execute(text(question + " WHERE datname = current_database()")).scalar_one())

    def so_far() -> int:
        return ask("SELECT deadlocks FROM pg_stat_database")

    before = so_far()

    async def count() -> int:
        for directory in pair:
            await directory.close()
        deadline = time.monotonic() + 10
        while ask("SELECT count(*) - 1 FROM pg_stat_activity"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        return so_far() - before

    return count


async def both(pair: Pair, act: Callable[[Directory], Awaitable[T]], times: int = 1) -> list[T | BaseException]:
    """What came of it, `times` in each process, all at once."""
    return await asyncio.gather(*(act(directory) for directory in pair for _ in range(times)), return_exceptions=True)


def kinds(results: Sequence[object]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


async def new_users(directory: Directory, count: int) -> list[str]:
    made = [directory.accounts.create_user(username=f"user{number:03}") for number in range(count)]
    return [user.user_id for user in await asyncio.gather(*made)]


def joining(conversation_id: str, seq: int, changes: Sequence[tuple[str, Role | None]]) -> Entry:
    return Entry(
        conversation_id=conversation_id, epoch=1, seq=seq, kind=EntryKind.MEMBERSHIP, actor_id="", message_id="",
        target_seq=0, created_at=0, members_seq=seq, messages=0, channel_mentions=0, op_id="",
        detail=Detail(changes=tuple(MemberChange(user_id, role) for user_id, role in changes)),
    )  # fmt: skip


async def test_two_people_have_one_direct_conversation(pair: Pair) -> None:
    """Whoever begins it, from whichever side: everybody gets the same one, and one of them has made it."""
    people = await new_users(pair[0], 4)
    for other in people[1:]:
        found = await both(pair, lambda directory, other=other: directory.conversations.direct(people[0], other), 4)  # type: ignore[misc]
        found += await both(pair, lambda directory, other=other: directory.conversations.direct(other, people[0]), 4)  # type: ignore[misc]
        assert kinds(found) == {"tuple": 16}
        rows = [each for each in found if isinstance(each, tuple)]
        assert len({row.conversation_id for row, _ in rows}) == 1
        assert sum(new for _, new in rows) == 1


async def test_names_are_unique(pair: Pair) -> None:
    """User names, channel names and team names go to one of those who ask for them."""
    [ada] = await new_users(pair[0], 1)
    here = (await pair[0].workspaces.create("Engines", ada)).workspace_id
    named = await both(
        pair, lambda directory: directory.accounts.create_user(username="eve", email="eve@example.org"), 8
    )
    assert kinds(named) == {"UserRow": 1, "EmailTaken": 15}
    channels = await both(pair, lambda directory: directory.conversations.create_channel(here, "general", ada), 8)
    assert kinds(channels) == {"ConversationRow": 1, "Conflict": 15}
    teams = await both(pair, lambda directory: directory.workspaces.create_team(here, "ops", [ada]), 8)
    assert kinds(teams) == {"TeamRow": 1, "Conflict": 15}


async def test_one_rotation_wins_and_the_reuse_is_seen(pair: Pair) -> None:
    """A refresh token that comes to both processes at once is exchanged once; its device is signed out."""
    for user_id in await new_users(pair[0], 6):
        first = await pair[0].accounts.sign_in(user_id, "phone", valid_s=WEEK_S)
        came = await both(pair, lambda directory, token=first.refresh_token: directory.accounts.rotate(token, valid_s=WEEK_S), 2)  # type: ignore[misc]  # fmt: skip
        assert kinds(came) == {"SignIn": 1, "FamilyRevoked": 3}
        assert await pair[1].accounts.devices(user_id) == []
        [winner] = [each for each in came if isinstance(each, SignIn)]
        with pytest.raises(Unauthorized) as refused:
            await pair[1].accounts.rotate(winner.refresh_token, valid_s=WEEK_S)
        assert not isinstance(refused.value, FamilyRevoked)


async def test_membership_entries_are_applied_once(pair: Pair, deadlocks: Callable[[], Awaitable[int]]) -> None:
    """Both apply the same entries of the same conversations, in overlapping pieces: all is as if one had."""
    people = await new_users(pair[0], 12)
    groups = [
        (await pair[0].conversations.create_group(f"g{number}", people[0])).conversation_id for number in range(4)
    ]
    random = Random(7)
    entries = {
        group: [
            joining(group, seq, [(user_id, random.choice([None, Role.MEMBER, Role.ADMIN])) for user_id in random.sample(people, 5)])
            for seq in range(1, 25)
        ]
        for group in groups
    }  # fmt: skip

    async def apply_all(directory: Directory, group: str) -> None:
        for end in range(3, 25, 3):
            await directory.conversations.apply(entries[group][:end])

    await asyncio.gather(*(apply_all(directory, group) for directory in pair for group in groups))
    for group in groups:
        expected: dict[str, Role] = {}
        for entry in entries[group]:
            for change in entry.detail.changes:
                expected.pop(change.user_id, None) if change.role is None else expected.update(
                    {change.user_id: change.role}
                )
        picture = await pair[0].conversations.picture(group)
        assert picture is not None
        assert picture.members_seq == 24
        assert {member.user_id: member.role for member in picture.members.values()} == expected
        row = await pair[1].conversations.get(group)
        assert row is not None
        assert row.member_count == len(expected)
    assert await deadlocks() == 0


async def test_watermarks_rise_without_deadlocks(pair: Pair, deadlocks: Callable[[], Awaitable[int]]) -> None:
    """The writes that come with every message, on the same rows in any order, from both: the highest stays."""
    random = Random(11)
    people = await new_users(pair[0], 8)
    signed_in = {
        user_id: (await pair[0].accounts.sign_in(user_id, "phone", valid_s=WEEK_S)).device_id for user_id in people
    }
    rooms = [(await pair[0].conversations.create_group(f"g{number}", people[0])).conversation_id for number in range(6)]
    files = [(await pair[0].files.create(rooms[0], people[0], "f", 1)).file_id for _ in range(10)]
    top = 200

    def some(all_of_them: Sequence[T]) -> list[T]:
        return random.sample(all_of_them, len(all_of_them))

    async def hammer(directory: Directory) -> None:
        for _ in range(12):
            read = [
                Cursor(room, user, seq := random.randint(1, top), seq, 0, seq)
                for room in some(rooms)
                for user in some(people)
            ]
            named = [(user, room, random.randint(1, top)) for user in some(people) for room in some(rooms)]
            await asyncio.gather(
                directory.cursors.raise_cursors(read),
                directory.cursors.add_mentions(named),
                directory.cursors.touch_activity({room: random.randint(1, top) for room in some(rooms)}),
                directory.accounts.note_seen(
                    [(user, signed_in[user], random.randint(1, top)) for user in some(people)]
                ),
                directory.files.attach(some(files), f"message {random.random()}"),
            )
        last = [Cursor(room, user, top, top, 0, top) for room in some(rooms) for user in some(people)]
        await directory.cursors.raise_cursors(last)
        await directory.cursors.touch_activity(dict.fromkeys(some(rooms), top))
        await directory.accounts.note_seen([(user, signed_in[user], top) for user in some(people)])

    await asyncio.gather(*(hammer(directory) for directory in (*pair, *pair)))

    def values(*columns: Any) -> Callable[[Any], list[set[Any]]]:
        return lambda connection: [{*connection.scalars(select(column))} for column in columns]

    found = await pair[0]._database.read(
        values(cursors.c.read_seq, cursors.c.delivered_seq, activity.c.active_at, users.c.last_seen_at, devices.c.last_seen_at)
    )  # fmt: skip
    assert found[:3] == [{top}, {top}, {top}]
    assert {ms for ms in found[3] if ms is not None} == {top}
    assert min(found[4]) > top  # signing in was later
    await pair[1].cursors.raise_cursors([Cursor(room, user, top + 1, top + 1) for room in rooms for user in people])
    assert await pair[0]._database.read(values(mentions.c.seq)) == [set()]
    assert len({row.message_id for row in (await pair[0].files.get_many(files)).values()}) >= 1
    assert all(row.message_id for row in (await pair[0].files.get_many(files)).values())
    assert await deadlocks() == 0


async def test_a_group_never_has_more_than_its_hundred(pair: Pair, deadlocks: Callable[[], Awaitable[int]]) -> None:
    """Invitations from both: as many as fit, one for each, and of two answers the first counts."""
    people = await new_users(pair[0], 56)
    group = (await pair[0].conversations.create_group("g", people[0])).conversation_id
    members = [(user_id, Role.MEMBER) for user_id in [*people[:1], *(f"old{number:02}" for number in range(59))]]
    await pair[0].conversations.apply([joining(group, 1, members)])

    async def invite(directory: Directory) -> list[InviteRow | BaseException]:
        tries = (directory.conversations.create_invite(group, user_id, people[0], valid_s=60) for user_id in people[1:])
        return await asyncio.gather(*tries, return_exceptions=True)

    first, second = [each for each in await both(pair, invite) if isinstance(each, list)]
    assert await pair[0].conversations.group_size(group) == 100
    invites = {each.invite_id for each in [*first, *second] if isinstance(each, InviteRow)}
    refused = [each for each in [*first, *second] if isinstance(each, BaseException)]
    assert len(invites) == 40
    assert kinds(refused) == {"GroupFull": 30}
    assert all(isinstance(each, GroupFull) for each in refused)
    one = await pair[0].conversations.invite(min(invites))
    assert one is not None
    answers = await both(
        pair, lambda directory: directory.conversations.answer_invite(one.invite_id, one.user_id, accept=True), 3
    )
    assert kinds(answers) == {"InviteRow": 1, InviteClosed.__name__: 5}
    assert await deadlocks() == 0


async def test_a_workspace_keeps_an_owner_and_counts_right(pair: Pair, deadlocks: Callable[[], Awaitable[int]]) -> None:
    """Two owners take each other's role away, members come and go twice: somebody owns it, and the count is the truth."""
    people = await new_users(pair[0], 12)
    ada, bob = people[:2]
    here = (await pair[0].workspaces.create("Engines", ada)).workspace_id
    await pair[0].workspaces.add_members(here, [bob])
    for _ in range(4):
        for user_id in (ada, bob):
            await pair[0].workspaces.set_role(here, user_id, Role.OWNER)
        changed = await asyncio.gather(
            pair[0].workspaces.set_role(here, ada, Role.MEMBER), pair[1].workspaces.set_role(here, bob, Role.MEMBER),
            return_exceptions=True,
        )  # fmt: skip
        assert kinds(changed) == {"NoneType": 1, "Conflict": 1}
    await both(pair, lambda directory: directory.workspaces.add_members(here, people), 3)
    await both(pair, lambda directory: directory.workspaces.remove_member(here, people[5]), 3)
    counted = select(func.count()).select_from(workspace_members)
    row = await pair[0].workspaces.get(here)
    assert row is not None
    assert row.member_count == await pair[1]._database.read(lambda c: c.scalar(counted)) == 11
    assert await deadlocks() == 0


async def test_a_profile_loses_no_change(pair: Pair) -> None:
    """Title, display name and user name change at once, in different processes: all three are there."""
    [ada] = await new_users(pair[0], 1)
    for number in range(5):
        await asyncio.gather(
            pair[0].accounts.change_profile(ada, title=f"title {number}"),
            pair[1].accounts.change_profile(ada, display_name=f"name {number}"),
            pair[1].accounts.change_profile(ada, username=f"ada{number}"),
        )
        user = await pair[0].accounts.user(ada)
        assert user is not None
        assert (user.title, user.display_name, user.username) == (f"title {number}", f"name {number}", f"ada{number}")
        assert await pair[1].accounts.find(f"name {number}", caller_id=ada) == [user]


async def test_who_is_deactivated_has_no_device(pair: Pair) -> None:
    """Signing in while the account ends: the device is refused, or it ends with the account."""
    for user_id in await new_users(pair[0], 6):
        signing_in = [pair[0].accounts.sign_in(user_id, "phone", valid_s=WEEK_S) for _ in range(3)]
        await asyncio.gather(*signing_in, pair[1].accounts.deactivate(user_id), return_exceptions=True)
        assert await pair[0].accounts.devices(user_id) == []


async def test_a_claimed_account_cannot_be_claimed_again(pair: Pair) -> None:
    """A new claim link made in the moment in which the old one is used is good for nothing."""
    for number in range(6):
        user = await pair[0].accounts.create_user(username=f"imported{number}", imported=True)
        token = await pair[0].accounts.create_claim(user.user_id, valid_s=60)
        claimed, link = await asyncio.gather(
            pair[0].accounts.claim(token, "hash"), pair[1].accounts.create_claim(user.user_id, valid_s=60),
            return_exceptions=True,
        )  # fmt: skip
        if isinstance(claimed, BaseException):  # the new link came first and replaced the old one
            assert isinstance(claimed, Unauthorized)
            assert isinstance(link, str)
        else:
            assert isinstance(link, NotFound)


async def test_one_of_many_equal_requests_acts(pair: Pair) -> None:
    """An Idempotency-Key that comes to both: one may act; also while others give up theirs."""
    begun = await both(pair, lambda directory: directory.requests.begin("u", "key", b"f", valid_s=60), 5)
    assert kinds(begun) == {"NoneType": 1, "Conflict": 9}

    async def come_and_go(directory: Directory) -> None:
        for _ in range(15):
            try:
                await directory.requests.begin("u", "busy", b"f", valid_s=60)
                await directory.requests.abandon("u", "busy")
            except Conflict:
                pass

    assert kinds(await both(pair, come_and_go, 3)) == {"NoneType": 6}
