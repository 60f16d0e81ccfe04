"""The projection of membership entries: it ends where a simple model ends, however often and however it is applied."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from nottermost_chat.directory import Directory
from nottermost_chat.directory.tables import memberships
from nottermost_chat.errors import NotFound
from nottermost_chat.model import (
    ConversationKind,
    ConversationSettings,
    Detail,
    Entry,
    EntryKind,
    Member,
    MemberChange,
    Role,
)
from nottermost_chat.ports import Cursor, Memberships

NewUser = Callable[[str], Awaitable[str]]
USERS = ["u1", "u2", "u3", "u4"]

changes = st.lists(
    st.builds(MemberChange, st.sampled_from(USERS), st.one_of(st.none(), st.sampled_from(Role))), max_size=4
)
some_settings = st.one_of(
    st.none(),
    st.builds(
        ConversationSettings,
        title=st.one_of(st.none(), st.text(st.characters(categories=["L", "N"]), max_size=5)),
        topic=st.one_of(st.none(), st.just(""), st.just("a topic")),
        archived=st.one_of(st.none(), st.booleans()),
    ),
)
# An entry of the log: who changes, which settings, and how many messages came before it.
plans = st.lists(st.tuples(changes, some_settings, st.integers(0, 3)), min_size=1, max_size=8)


def entries_of(
    conversation_id: str, plan: list[tuple[list[MemberChange], ConversationSettings | None, int]], epoch: int = 1
) -> list[Entry]:
    entries = []
    seq = messages = 0
    for who, what, before in plan:
        seq, messages = seq + before + 1, messages + before
        entries.append(
            Entry(
                conversation_id=conversation_id,
                epoch=epoch,
                seq=seq,
                kind=EntryKind.MEMBERSHIP,
                actor_id="u1",
                message_id="",
                target_seq=0,
                created_at=0,
                members_seq=seq,
                messages=messages,
                channel_mentions=messages // 2,
                op_id="",
                detail=Detail(changes=tuple(who), settings=what),
            )
        )
    return entries


class Model:
    """What the entries mean, said as simply as possible."""

    def __init__(self, entries: list[Entry]) -> None:
        self.members: dict[str, Member] = {}
        self.stays: list[tuple[str, int, int | None]] = []
        self.joins: dict[str, Entry] = {}
        self.settings = {"title": "t", "topic": "", "purpose": "", "archived": False}
        for entry in entries:
            for user_id, role in {change.user_id: change.role for change in entry.detail.changes}.items():
                self._change(entry, user_id, role)
            if entry.detail.settings:
                for name in self.settings:
                    value = getattr(entry.detail.settings, name)
                    self.settings[name] = self.settings[name] if value is None else value
        self.stays += [(user_id, member.joined_seq, None) for user_id, member in self.members.items()]

    def _change(self, entry: Entry, user_id: str, role: Role | None) -> None:
        before = self.members.pop(user_id, None)
        if before is None and role is not None:
            self.joins[user_id] = entry
        if role is not None:
            self.members[user_id] = Member(user_id, role, before.joined_seq if before else entry.seq)
        elif before is not None:
            self.stays.append((user_id, before.joined_seq, entry.seq))


async def stays_in_rows(directory: Directory, conversation_id: str) -> list[tuple[str, int, int | None]]:
    stay = memberships.c
    statement = select(stay.user_id, stay.joined_seq, stay.left_seq).where(stay.conversation_id == conversation_id)
    return await directory._database.read(lambda connection: [(*row,) for row in connection.execute(statement)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans, cuts=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=4))
async def test_any_repetition_comes_to_the_same(
    directory: Directory,
    plan: list[tuple[list[MemberChange], ConversationSettings | None, int]],
    cuts: list[tuple[int, int]],
) -> None:
    """Prefixes applied in any repetition, then all: picture, stays, count and cursors are those of the model."""
    row = await directory.conversations.create_group("t", "u1")
    here = row.conversation_id
    entries = entries_of(here, plan)
    applied = 0
    for start, end in cuts:  # a repetition may begin anywhere that is applied already
        await directory.conversations.apply(entries[min(start, applied) : end])
        applied = max(applied, min(end, len(entries)))
    for _ in range(2):
        await directory.conversations.apply(entries)
    model = Model(entries)

    picture = await directory.conversations.picture(here)
    assert picture is not None
    assert picture.members == model.members
    assert (picture.kind, picture.tier, picture.members_seq) == (ConversationKind.GROUP, "standard", entries[-1].seq)
    assert picture.settings == ConversationSettings(**model.settings)  # type: ignore[arg-type]
    after = await directory.conversations.get(here)
    assert after is not None
    assert (after.member_count, after.members_seq) == (len(model.members), entries[-1].seq)

    stays = await stays_in_rows(directory, here)
    assert sorted(stays, key=str) == sorted(model.stays, key=str)
    for user_id in USERS:
        ends = [
            (joined, left or 10**9) for who, joined, left in sorted(stays, key=lambda stay: stay[1]) if who == user_id
        ]
        assert all(joined < left for joined, left in ends)
        assert all(left <= joined for (_, left), (joined, _) in pairwise(ends))

    assert await directory.conversations.among(here, USERS) == model.members
    for user_id in USERS:
        expected = {here: model.members[user_id]} if user_id in model.members else {}
        assert await directory.conversations.of_user(user_id, [here, "elsewhere"]) == expected
        join = model.joins.get(user_id)
        cursor = Cursor(here, user_id, join.seq, join.messages, join.channel_mentions) if join else None
        assert (await directory.cursors.of_user(user_id, [here])).get(here) == cursor


async def test_it_is_the_port(directory: Directory) -> None:
    """The directory's conversations are a `Memberships`, and say so when there is no such conversation."""
    memberships: Memberships = directory.conversations
    assert await memberships.picture("nowhere") is None
    await memberships.apply([])
    with pytest.raises(NotFound):
        await memberships.apply(entries_of("nowhere", [([MemberChange("u1", Role.MEMBER)], None, 0)]))
    assert await memberships.among("nowhere", USERS) == {}
    assert await memberships.of_user("u1", []) == {}


async def test_a_higher_epoch_goes_on(directory: Directory) -> None:
    """Entries are compared as (epoch, seq): a restored log goes on with a lower seq, an old epoch is passed over."""
    here = (await directory.conversations.create_group("t", "u1")).conversation_id
    await directory.conversations.apply(entries_of(here, [([MemberChange("u1", Role.OWNER)], None, 5)]))
    await directory.conversations.apply(entries_of(here, [([MemberChange("u2", Role.GUEST)], None, 2)], epoch=2))
    await directory.conversations.apply(entries_of(here, [([MemberChange("u3", Role.GUEST)], None, 9)], epoch=1))
    picture = await directory.conversations.picture(here)
    assert picture is not None
    assert (picture.members_seq, sorted(picture.members)) == (3, ["u1", "u2"])


async def test_large_channels(directory: Directory, new_user: NewUser) -> None:
    """500 users an entry, thousands in a channel of an enterprise workspace; asking for many is chunked."""
    owner = await new_user("ada")
    workspace = await directory.workspaces.create("Engines", owner, tier="enterprise")
    here = (await directory.conversations.create_channel(workspace.workspace_id, "all", owner)).conversation_id
    users = [f"user-{number:05}" for number in range(3000)]
    parts = [users[start : start + 500] for start in range(0, len(users), 500)]
    await directory.conversations.apply(
        entries_of(here, [([MemberChange(user_id, Role.MEMBER) for user_id in part], None, 0) for part in parts])
    )
    picture = await directory.conversations.picture(here)
    assert picture is not None
    assert (len(picture.members), picture.tier, picture.workspace_id) == (3000, "enterprise", workspace.workspace_id)
    assert len(await directory.conversations.among(here, [*users, "nobody"])) == 3000


async def test_names_stand_for_members(directory: Directory, new_user: NewUser) -> None:
    """User and team names in any case, active members only, teams of the conversation's own workspace only."""
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    workspace_id = (await directory.workspaces.create("Engines", ada)).workspace_id
    other_id = (await directory.workspaces.create("Others", ada)).workspace_id
    await directory.workspaces.add_members(workspace_id, [bob, eve])
    await directory.workspaces.create_team(workspace_id, "ops", [bob, eve])
    await directory.workspaces.create_team(other_id, "theirs", [ada])
    here = (await directory.conversations.create_channel(workspace_id, "all", ada)).conversation_id
    joins = [MemberChange(user_id, Role.MEMBER) for user_id in (ada, bob)]
    await directory.conversations.apply(entries_of(here, [(joins, None, 0)]))
    assert await directory.conversations.mentioned(here, ["ADA", "nobody", "theirs", "eve"]) == [ada]
    assert await directory.conversations.mentioned(here, ["Ops", "ada"]) == sorted([ada, bob])
    assert await directory.conversations.mentioned(here, []) == []
