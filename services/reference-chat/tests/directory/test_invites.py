"""Invites: one waits at most, it is answered once, and a group has room for whoever accepts."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nottermost_chat.directory import Directory, InviteStatus
from nottermost_chat.errors import Conflict, GroupFull, InviteClosed, NotFound
from nottermost_chat.model import GROUP_MEMBERS_MAX, Role

NewUser = Callable[[str], Awaitable[str]]
Change = Callable[..., Awaitable[None]]
Wait = Callable[[float], None]


async def test_an_invite_is_answered_once(directory: Directory, new_user: NewUser, change: Change, wait: Wait) -> None:
    """Asking again returns the pending one; only the invited answers, and only once, also when both come at once."""
    conversations = directory.conversations
    ada, bob = await new_user("ada"), await new_user("bob")
    group = (await conversations.create_group("plans", ada)).conversation_id
    await change(group, Role.OWNER, ada)
    asked = await asyncio.gather(*(conversations.create_invite(group, bob, ada, valid_s=60) for _ in range(3)))
    [invite] = set(asked)
    assert (invite.status, invite.title) == (InviteStatus.PENDING, "plans")
    assert await conversations.invites_of(bob) == [invite]
    assert await conversations.group_size(group) == 2
    with pytest.raises(NotFound):
        await conversations.answer_invite(invite.invite_id, ada, accept=True)
    answers = (conversations.answer_invite(invite.invite_id, bob, accept=accept) for accept in (True, False))
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["InviteClosed", "InviteRow"]
    assert await conversations.invites_of(bob) == []
    assert await conversations.group_size(group) == 1
    again = await conversations.create_invite(group, bob, ada, valid_s=60)
    assert again.invite_id != invite.invite_id
    declined = await conversations.answer_invite(again.invite_id, bob, accept=False)
    assert declined.status is InviteStatus.DECLINED
    with pytest.raises(Conflict):
        await conversations.create_invite(group, ada, ada, valid_s=60)
    with pytest.raises(NotFound):
        await conversations.create_invite("nowhere", bob, ada, valid_s=60)
    assert await conversations.invite("nothing") is None


async def test_an_invite_expires(directory: Directory, new_user: NewUser, wait: Wait) -> None:
    """After its time it shows as expired, frees its place, and a new one can be made."""
    conversations = directory.conversations
    ada, bob = await new_user("ada"), await new_user("bob")
    group = (await conversations.create_group("plans", ada)).conversation_id
    invite = await conversations.create_invite(group, bob, ada, valid_s=60)
    wait(60)
    shown = await conversations.invite(invite.invite_id)
    assert shown is not None
    assert shown.status is InviteStatus.EXPIRED
    assert await conversations.invites_of(bob) == []
    assert await conversations.group_size(group) == 0
    with pytest.raises(InviteClosed):
        await conversations.answer_invite(invite.invite_id, bob, accept=True)
    later = await conversations.create_invite(group, bob, ada, valid_s=60)
    assert later.invite_id != invite.invite_id
    assert (await conversations.answer_invite(later.invite_id, bob, accept=True)).status is InviteStatus.ACCEPTED


async def test_a_group_has_room_for_everybody_invited(directory: Directory, new_user: NewUser, change: Change) -> None:
    """Members and pending invites together stay within the limit; a channel has none."""
    conversations = directory.conversations
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    here = (await directory.workspaces.create("Engines", ada)).workspace_id
    group = (await conversations.create_group("plans", ada)).conversation_id
    channel = (await conversations.create_channel(here, "general", ada)).conversation_id
    for conversation_id in (group, channel):
        await change(conversation_id, Role.MEMBER, *(f"member {at}" for at in range(GROUP_MEMBERS_MAX - 1)))
    invite = await conversations.create_invite(group, bob, ada, valid_s=60)
    with pytest.raises(GroupFull):
        await conversations.create_invite(group, eve, ada, valid_s=60)
    await conversations.answer_invite(invite.invite_id, bob, accept=False)
    await conversations.create_invite(group, eve, ada, valid_s=60)
    for user_id in (bob, eve):
        await conversations.create_invite(channel, user_id, ada, valid_s=60)
