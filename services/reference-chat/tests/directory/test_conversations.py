"""Conversations: names, pairs, lists, what changed, and what is found."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nottermost_chat.directory import Directory
from nottermost_chat.directory import conversations as module
from nottermost_chat.errors import Conflict
from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.ports import Cursor

NewUser = Callable[[str], Awaitable[str]]
Change = Callable[..., Awaitable[None]]
Wait = Callable[[float], None]
NOW = 1_700_000_000_000


async def test_a_pair_has_one_conversation(directory: Directory) -> None:
    """Whoever asks first, and however many at once: one direct conversation; one with oneself is allowed."""
    asked = await asyncio.gather(*(directory.conversations.direct(*pair) for pair in [("a", "b"), ("b", "a")] * 5))
    assert sorted(new for _, new in asked) == [False] * 9 + [True]
    [row] = {row.conversation_id: row for row, _ in asked}.values()
    assert (row.kind, row.pair, row.private, row.members_seq) == (ConversationKind.DIRECT, ("a", "b"), True, 0)
    alone, new = await directory.conversations.direct("a", "a")
    assert (alone.pair, new) == (("a", "a"), True)


async def test_channel_names_are_unique_in_their_workspace(directory: Directory, new_user: NewUser) -> None:
    """Any case, archived ones too; groups may share a title; a rename takes the name before its entry is written."""
    conversations = directory.conversations
    ada = await new_user("ada")
    here = (await directory.workspaces.create("Engines", ada)).workspace_id
    there = (await directory.workspaces.create("Others", ada)).workspace_id
    general = await conversations.create_channel(here, "General", ada, archived=True)
    with pytest.raises(Conflict):
        await conversations.create_channel(here, "gENERAL", ada)
    await conversations.create_channel(there, "general", ada)
    group = await conversations.create_group("general", ada, workspace_id=here)
    await conversations.create_group("general", ada, workspace_id=here)
    random = await conversations.create_channel(here, "random", ada)
    with pytest.raises(Conflict):
        await conversations.reserve_name(random.conversation_id, "GENERAL")
    await conversations.reserve_name(group.conversation_id, "random")
    await conversations.reserve_name(general.conversation_id, "old")
    await conversations.reserve_name(random.conversation_id, "general")
    await conversations.create_channel(here, "random", ada)
    assert (await conversations.get_many([random.conversation_id]))[random.conversation_id] == random


async def test_an_import_finds_what_it_made(directory: Directory, new_user: NewUser) -> None:
    """Import keys are unique, and lead back to the rows."""
    ada = await new_user("ada")
    here = (await directory.workspaces.create("Engines", ada)).workspace_id
    channel = await directory.conversations.create_channel(here, "general", ada, import_key="C1")
    group = await directory.conversations.create_group("plans", ada, import_key="G1")
    assert await directory.conversations.by_import_key(["C1", "G1", "D1"]) == {"C1": channel, "G1": group}
    with pytest.raises(Conflict):
        await directory.conversations.create_group("plans", ada, import_key="G1")


async def test_the_list_of_a_user(directory: Directory, new_user: NewUser, change: Change, wait: Wait) -> None:
    """Rows, role, join and cursor together, last active first; what the user left is not there."""
    conversations = directory.conversations
    ada, bob = await new_user("ada"), await new_user("bob")
    here = (await directory.workspaces.create("Engines", ada)).workspace_id
    channel = (await conversations.create_channel(here, "general", ada)).conversation_id
    group = (await conversations.create_group("plans", ada)).conversation_id
    direct = (await conversations.direct(ada, bob))[0].conversation_id
    for conversation_id, role in ((channel, Role.OWNER), (group, Role.GUEST), (direct, Role.MEMBER)):
        await change(conversation_id, role, ada)
    await change(group, Role.MEMBER, bob)
    await change(direct, Role.MEMBER, bob)
    await directory.cursors.raise_cursors([Cursor(channel, ada, 7, 5, 1, 9)])
    await directory.cursors.touch_activity({channel: NOW + 5, group: NOW + 9, direct: NOW - 5, "nowhere": NOW})

    listed = await conversations.list_of(ada)
    assert [row.conversation.conversation_id for row in listed] == [group, channel, direct]
    assert [row.role for row in listed] == [Role.GUEST, Role.OWNER, Role.MEMBER]
    assert listed[1].cursor == Cursor(channel, ada, 7, 5, 1, 9)
    assert [row.active_at - NOW for row in listed] == [9, 5, 0]
    assert await conversations.list_of(ada, limit=2) == listed[:2]
    assert await conversations.list_of(ada, [channel, "nowhere"]) == [listed[1]]
    assert await conversations.in_workspace(ada, here) == [channel]
    assert await conversations.people([channel, group, direct]) == {
        group: sorted([ada, bob]),
        direct: sorted([ada, bob]),
    }
    page = await conversations.members(group, limit=1)
    assert [user.user_id for user, _ in page] == [min(ada, bob)]
    rest = await conversations.members(group, after=page[0][0].user_id)
    assert [user.user_id for user, _ in rest] == [max(ada, bob)]
    assert [(user.username, member.role) for user, member in await conversations.members(group, text="AD")] == [
        ("ada", Role.GUEST)
    ]
    await change(channel, None, ada)
    assert channel not in [row.conversation.conversation_id for row in await conversations.list_of(ada)]


@pytest.mark.parametrize("walk_max", [1, 1000])
async def test_what_changed_for_a_user(
    directory: Directory, change: Change, wait: Wait, monkeypatch: pytest.MonkeyPatch, walk_max: int
) -> None:
    """Entries, own reading, joins and leaves, newest first; others' reading is no news. Both ways to find it agree."""
    monkeypatch.setattr(module, "WALK_MAX", walk_max)
    groups = [(await directory.conversations.create_group(f"g{at}", "ada")).conversation_id for at in range(6)]
    for group in groups[:5]:
        await change(group, Role.MEMBER, "ada", "bob")
    wait(1)

    async def changed(since_ms: int, limit: int = 200) -> list[str] | None:
        answer = await directory.conversations.changed_since("ada", since_ms, limit=limit)
        return None if answer.reset else [row.conversation.conversation_id for row in answer.conversations]

    assert await changed(NOW + 1000) == []
    await directory.cursors.touch_activity({groups[1]: NOW + 2000, groups[5]: NOW + 2000})
    wait(2)
    await directory.cursors.raise_cursors([Cursor(groups[2], "ada", 5), Cursor(groups[0], "bob", 5)])
    wait(1)
    await directory.cursors.raise_cursors([Cursor(groups[3], "ada", 0, delivered_seq=5)])
    await change(groups[4], None, "ada")
    assert await changed(NOW + 1000) == [groups[4], groups[2], groups[1]]
    assert await changed(NOW + 4000) == [groups[4]]
    assert await changed(NOW + 1000, limit=2) is None
    assert await changed(NOW + 1000, limit=3) == [groups[4], groups[2], groups[1]]
    left = (await directory.conversations.changed_since("ada", NOW + 4000)).conversations[0]
    assert (left.role, left.joined_seq) == (None, 1)
    await change(groups[4], Role.GUEST, "ada")
    again = (await directory.conversations.changed_since("ada", NOW + 4000)).conversations[0]
    assert (again.role, again.joined_seq) == (Role.GUEST, 3)


async def test_private_channels_are_not_found_by_others(
    directory: Directory, new_user: NewUser, change: Change
) -> None:
    """Browsing and finding show public channels of one's workspaces and what one is in, nothing else."""
    conversations = directory.conversations
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    here = (await directory.workspaces.create("Engines", ada)).workspace_id
    await directory.workspaces.add_members(here, [bob])
    for name, private in (("Plan public", False), ("plan secret", True), ("our PLAN", False), ("100% plan_b", False)):
        row = await conversations.create_channel(here, name, ada, private=private, archived=name.startswith("our"))
        await change(row.conversation_id, Role.OWNER, ada)
    group = await conversations.create_group("planners", ada)
    await change(group.conversation_id, Role.MEMBER, ada)

    async def found(text: str, user_id: str) -> list[tuple[str, bool]]:
        matches = await conversations.find(text, user_id=user_id)
        return [(match.conversation.title, match.joined) for match in matches]

    assert await found("plan", ada) == [
        ("Plan public", True),
        ("plan secret", True),
        ("planners", True),
        ("100% plan_b", True),
        ("our PLAN", True),
    ]
    assert await found("plan", bob) == [("Plan public", False), ("100% plan_b", False), ("our PLAN", False)]
    assert await found("plan", eve) == []
    assert await found("0%", bob) == await found("n_b", bob) == [("100% plan_b", False)]
    assert await found("p_a", bob) == []

    browsed = await conversations.browse(here, bob, limit=2)
    assert [match.conversation.title for match in browsed] == ["100% plan_b", "our PLAN"]
    rest = await conversations.browse(here, bob, after="our PLAN")
    assert [match.conversation.title for match in rest] == ["Plan public"]
    assert len(await conversations.browse(here, ada)) == 4
    assert [match.joined for match in await conversations.browse(here, ada, text="SECRET")] == [True]
