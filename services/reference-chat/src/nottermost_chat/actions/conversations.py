"""Conversations: opening, joining, inviting, leaving, renaming, and how they are shown to a user."""

import asyncio
from collections.abc import Iterable, Sequence

from nottermost_chat.actions.access import Access, look_up, require_admin, require_member, require_workspace_role
from nottermost_chat.actions.accounts import require_users, user_view
from nottermost_chat.actions.membership import append_departure, append_membership
from nottermost_chat.actions.rules import (
    WORKSPACE_MEMBERS,
    first_readable_seq,
    is_last_admin,
    may_administer,
    may_join,
)
from nottermost_chat.actions.signals import tell_changed
from nottermost_chat.api import shapes
from nottermost_chat.directory import ChannelMatch, ConversationOfUser, InviteRow, InviteStatus, UserRow
from nottermost_chat.errors import (
    Archived,
    Conflict,
    Forbidden,
    GroupFull,
    NotAMember,
    NotFound,
)
from nottermost_chat.model import GROUP_MEMBERS_MAX, ConversationKind, ConversationSettings, Head, Message, Role
from nottermost_chat.ports import Cursor
from nottermost_chat.protocol import Own, to_time
from nottermost_chat.services import Services

LISTED_MAX = 2_000  # what a side bar can show; a list of 100,000 would be 60 MB
CHANGES_MAX = 200  # more have changed: the client reads its whole list
CHANGES_OVERLAP_MS = 5_000  # activity is noted a moment after the append: the next call looks back this far

_TYPES = {
    ConversationKind.DIRECT: shapes.ConversationType.DM,
    ConversationKind.GROUP: shapes.ConversationType.GROUP,
    ConversationKind.CHANNEL: shapes.ConversationType.CHANNEL,
}


# --- as one user sees them --------------------------------------------------------------------


async def list_conversations(services: Services, caller_id: str) -> list[shapes.ConversationView]:
    """The caller's conversations, last active first; whoever is in more than LISTED_MAX finds the others by name."""
    places = await services.directory.conversations.list_of(caller_id, limit=LISTED_MAX)
    return await _views(services, caller_id, places)


async def list_changes(services: Services, caller_id: str, since_ms: int) -> shapes.ConversationChanges:
    """What changed for the caller since then, joins and leaves included, newest first."""
    as_of = services.clock.now_ms() - CHANGES_OVERLAP_MS
    changes = await services.directory.conversations.changed_since(caller_id, since_ms, limit=CHANGES_MAX)
    inside = [place for place in changes.conversations if place.role is not None]
    left = [_left_view(place) for place in changes.conversations if place.role is None]
    shown = [] if changes.reset else [*await _views(services, caller_id, inside), *left]
    return shapes.ConversationChanges(conversations=shown, reset=changes.reset, as_of=to_time(as_of))


async def get_conversation(services: Services, caller_id: str, conversation_id: str) -> shapes.ConversationView:
    """Raises NotFound. A public channel shows its name, and nothing of what is said, to who has not joined."""
    found = await services.directory.conversations.list_of(caller_id, [conversation_id])
    if not found:
        access = await look_up(services, caller_id, conversation_id)
        found = [ConversationOfUser(access.conversation, None, 0, Cursor(conversation_id, caller_id))]
    return (await _views(services, caller_id, found))[0]


async def _views(
    services: Services, caller_id: str, places: Sequence[ConversationOfUser]
) -> list[shapes.ConversationView]:
    """Four look-ups, however many conversations there are."""
    ids = [place.conversation.conversation_id for place in places]
    joined = [place.conversation.conversation_id for place in places if place.role is not None]
    heads, last, people, mentions = await asyncio.gather(
        services.store.heads(ids),
        services.store.last_messages(joined),
        services.directory.conversations.people(joined),
        services.directory.cursors.count_mentions(caller_id, joined),
    )
    views = [
        _view(place, heads.get(key), last.get(key), [each for each in people.get(key, []) if each != caller_id],
              mentions.get(key, 0))
        for key, place in zip(ids, places, strict=True)
    ]  # fmt: skip
    activity = {key: head.created_at for key, head in heads.items()}
    order = sorted(
        zip(ids, views, places, strict=True),
        key=lambda each: activity.get(each[0], each[2].conversation.created_at),
        reverse=True,
    )
    return [view for _, view, _ in order]


def _view(
    place: ConversationOfUser, head: Head | None, last: Message | None, other_ids: list[str], mentions: int
) -> shapes.ConversationView:
    row, joined = place.conversation, place.role is not None
    if last is not None and last.entry.seq < first_readable_seq(row.kind, place.joined_seq):
        last = None  # said before the caller came
    head = head if joined and head is not None else Head(row.conversation_id)
    unread, mentioned = count_unread(head, place.cursor, mentions) if joined else (0, 0)
    return shapes.ConversationView(
        conversation_id=row.conversation_id,
        type=_TYPES[row.kind],
        title=None if row.kind is ConversationKind.DIRECT else row.title,
        last_message_at=None if last is None else to_time(last.entry.detail.sent_at or last.entry.created_at),
        last_preview=None if last is None else last.text,
        last_has_more=last is not None and last.has_more,
        unread_count=unread,
        mention_count=mentioned,
        last_sender_id=None if last is None else last.entry.actor_id,
        workspace_id=row.workspace_id,
        private=row.private or row.kind is not ConversationKind.CHANNEL,
        topic=row.topic,
        purpose=row.purpose,
        archived=row.archived,
        joined=joined,
        role=place.role,
        member_count=row.member_count,
        other_user_ids=other_ids,
        epoch=head.epoch,
        last_seq=head.seq,
        read_seq=place.cursor.read_seq,
        created_at=to_time(row.created_at),
    )


def _left_view(place: ConversationOfUser) -> shapes.ConversationView:
    """A conversation that the user is out of: nothing of what it has become since."""
    row = place.conversation
    return shapes.ConversationView(
        conversation_id=row.conversation_id,
        type=_TYPES[row.kind],
        title=None,
        last_message_at=None,
        last_preview=None,
        last_has_more=False,
        unread_count=0,
        workspace_id=row.workspace_id,
        private=row.private,
        joined=False,
    )


def count_unread(head: Head, cursor: Cursor, personal_mentions: int) -> tuple[int, int]:
    """Unread messages and mentions above the cursor, never below zero; every mention is in an unread message."""
    unread = max(0, head.messages - cursor.read_messages)
    mentions = max(0, head.channel_mentions - cursor.read_mentions) + personal_mentions
    return unread, min(unread, mentions)


async def list_members(
    services: Services, caller_id: str, conversation_id: str, *, after: str, limit: int
) -> list[shapes.MemberView]:
    """A page of members by user id. Raises NotFound, NotAMember."""
    await require_member(services, caller_id, conversation_id)
    found = await services.directory.conversations.members(conversation_id, after=after, limit=limit)
    return [shapes.MemberView(user=user_view(user), role=member.role) for user, member in found]


async def find_people_and_conversations(
    services: Services, caller_id: str, text: str, limit: int
) -> list[shapes.QuickMatch]:
    """The quick switcher: by the beginning of a name, in a title, or by a whole e-mail address."""
    if not text.strip():
        return []
    directory = services.directory
    users, conversations, workspaces, addressed = await asyncio.gather(
        directory.accounts.find(text, caller_id=caller_id, limit=limit),
        directory.conversations.find(text, user_id=caller_id, limit=limit),
        directory.workspaces.of_user(caller_id),
        directory.accounts.by_email(text),
    )
    if addressed is not None and not addressed.deleted and addressed.user_id not in {user.user_id for user in users}:
        users = [addressed, *users]  # who knows the address may write, also to a stranger
    guest_in = {workspace.workspace_id for workspace, role in workspaces if role is Role.GUEST}
    visible = [match for match in conversations if match.joined or match.conversation.workspace_id not in guest_in]
    return [*map(_match_user, users), *map(_match_conversation, visible)][:limit]


def _match_user(user: UserRow) -> shapes.QuickMatch:
    return shapes.QuickMatch(
        kind="user", id=user.user_id, label=user.display_name or user.username, hint=f"@{user.username}"
    )


def _match_conversation(match: ChannelMatch) -> shapes.QuickMatch:
    row = match.conversation
    return shapes.QuickMatch(
        kind="conversation", id=row.conversation_id, label=row.title, hint=row.topic or row.kind, joined=match.joined
    )


# --- opening ----------------------------------------------------------------------------------


async def open_direct(services: Services, caller_id: str, other_id: str) -> tuple[str, bool]:
    """The direct conversation of the two, and whether it is new. Raises NotFound for an unknown user."""
    await require_users(services, [other_id])
    row, new = await services.directory.conversations.direct(caller_id, other_id)
    if row.members_seq == 0:
        members = [(user_id, Role.MEMBER) for user_id in dict.fromkeys((caller_id, other_id))]
        await append_membership(services, row.created_by, row.conversation_id, members, op_id="create")
    return row.conversation_id, new


async def create_group(services: Services, caller_id: str, title: str, member_ids: Iterable[str]) -> str:
    """A group of the caller, who is its admin, and these users. Raises NotFound, GroupFull. Returns its id."""
    others = [user_id for user_id in dict.fromkeys(member_ids) if user_id != caller_id]
    if len(others) >= GROUP_MEMBERS_MAX:
        raise GroupFull("to be made", len(others) + 1, GROUP_MEMBERS_MAX)
    await require_users(services, others)
    row = await services.directory.conversations.create_group(title, caller_id)
    members = [(caller_id, Role.ADMIN), *((user_id, Role.MEMBER) for user_id in others)]
    settings = ConversationSettings(title=title)
    await append_membership(services, caller_id, row.conversation_id, members, op_id="create", settings=settings)
    return row.conversation_id


async def create_channel(services: Services, caller_id: str, workspace_id: str, wanted: shapes.ChannelRequest) -> str:
    """A channel with the caller as admin. Raises Forbidden, NotFound, Conflict for a taken name. Returns its id."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_MEMBERS)
    others = await _users_to_add(services, workspace_id, wanted.member_ids, wanted.team_ids)
    row = await services.directory.conversations.create_channel(
        workspace_id, wanted.name, caller_id, private=wanted.private, topic=wanted.topic, purpose=wanted.purpose
    )
    members = [(caller_id, Role.ADMIN), *((user_id, Role.MEMBER) for user_id in others if user_id != caller_id)]
    settings = ConversationSettings(title=wanted.name, topic=wanted.topic, purpose=wanted.purpose)
    await append_membership(services, caller_id, row.conversation_id, members, op_id="create", settings=settings)
    return row.conversation_id


async def _users_to_add(
    services: Services, workspace_id: str, user_ids: Sequence[str], team_ids: Sequence[str]
) -> list[str]:
    """The users and the members of the teams, each once. Raises NotFound for who is not in the workspace."""
    workspaces = services.directory.workspaces
    wanted = list(
        dict.fromkeys([*user_ids, *(await workspaces.team_members(workspace_id, team_ids) if team_ids else ())])
    )
    roles = await workspaces.roles_of(workspace_id, wanted)
    if strangers := [user_id for user_id in wanted if user_id not in roles]:
        raise NotFound(f"not in the workspace: {', '.join(strangers[:5])}")
    return wanted


# --- joining and leaving ----------------------------------------------------------------------


async def add_members(
    services: Services, caller_id: str, conversation_id: str, user_ids: Sequence[str], team_ids: Sequence[str]
) -> list[shapes.MemberView]:
    """Add users and whole teams to a channel in one step. Raises NotFound, NotAMember, Forbidden, Archived.

    Returns: those who were added now.
    """
    access = await look_up(services, caller_id, conversation_id)
    row = access.conversation
    if row.kind is not ConversationKind.CHANNEL or row.workspace_id is None:
        raise Conflict("members are added to channels only: invite them to a group")
    if not access.joined:
        raise NotAMember(f"you are not a member of conversation {conversation_id}: join it first")
    if access.workspace_role not in WORKSPACE_MEMBERS:
        raise Forbidden("guests do not add members")
    _refuse_archived(access)
    wanted = await _users_to_add(services, row.workspace_id, user_ids, team_ids)
    inside = await services.directory.conversations.among(conversation_id, wanted)
    added = [user_id for user_id in wanted if user_id not in inside]
    if added:
        await append_membership(
            services, caller_id, conversation_id, [(each, Role.MEMBER) for each in added], joins=True
        )
    users = await services.directory.accounts.users(added)
    return [
        shapes.MemberView(user=user_view(users[user_id]), role=Role.MEMBER) for user_id in added if user_id in users
    ]


async def invite(services: Services, caller_id: str, conversation_id: str, user_id: str) -> shapes.InviteView:
    """Any member of a group may invite. Raises NotFound, NotAMember, Conflict, GroupFull."""
    place = await require_member(services, caller_id, conversation_id)
    if place.conversation.kind is not ConversationKind.GROUP:
        raise Conflict("only groups take invites: add members to a channel instead")
    await require_users(services, [user_id])
    row = await services.directory.conversations.create_invite(
        conversation_id, user_id, caller_id, valid_s=services.settings.invite_s
    )
    await tell_changed(services, user_id, Own.INVITES)
    return _invite_view(row)


async def list_invites(services: Services, caller_id: str) -> list[shapes.InviteView]:
    """Those that wait for the caller's answer."""
    return [_invite_view(row) for row in await services.directory.conversations.invites_of(caller_id)]


def _invite_view(row: InviteRow) -> shapes.InviteView:
    return shapes.InviteView(
        invite_id=row.invite_id,
        conversation_id=row.conversation_id,
        title=row.title,
        invited_user_id=row.user_id,
        invited_by=row.invited_by,
        status=row.status,
        created_at=to_time(row.created_at),
        expires_at=to_time(row.expires_at),
    )


async def join(services: Services, caller_id: str, conversation_id: str, invite_id: str | None) -> None:
    """Join a public channel, or a group by invite; who is in already stays in.

    Raises NotFound, Forbidden, Archived, InviteClosed.
    """
    if invite_id is not None:
        await _accept(services, caller_id, conversation_id, invite_id)
        return
    access = await look_up(services, caller_id, conversation_id)
    if access.joined:
        return
    if not may_join(access.conversation, access.workspace_role):
        raise Forbidden("this conversation is entered by invite")
    _refuse_archived(access)
    await append_membership(services, caller_id, conversation_id, [(caller_id, Role.MEMBER)], joins=True)


async def _accept(services: Services, caller_id: str, conversation_id: str, invite_id: str) -> None:
    """The entry comes first, under an id of its own: an answer that a crash cut short can be given again."""
    row = await _own_invite(services, caller_id, conversation_id, invite_id)
    conversations = services.directory.conversations
    if row.status is InviteStatus.ACCEPTED and await conversations.among(conversation_id, [caller_id]):
        return
    if row.status is InviteStatus.PENDING:
        changes, op_id = [(caller_id, Role.MEMBER)], f"invite:{invite_id}"
        await append_membership(services, caller_id, conversation_id, changes, op_id=op_id, joins=True)
    await conversations.answer_invite(invite_id, caller_id, accept=True)
    await tell_changed(services, caller_id, Own.INVITES)


async def decline(services: Services, caller_id: str, conversation_id: str, invite_id: str) -> None:
    """Raises NotFound, InviteClosed."""
    await _own_invite(services, caller_id, conversation_id, invite_id)
    await services.directory.conversations.answer_invite(invite_id, caller_id, accept=False)
    await tell_changed(services, caller_id, Own.INVITES)


async def _own_invite(services: Services, caller_id: str, conversation_id: str, invite_id: str) -> InviteRow:
    row = await services.directory.conversations.invite(invite_id)
    if row is None or row.user_id != caller_id or row.conversation_id != conversation_id:
        raise NotFound(f"you have no invite {invite_id} to conversation {conversation_id}")
    return row


async def leave(services: Services, caller_id: str, conversation_id: str) -> None:
    """Raises NotFound, NotAMember, Conflict for a direct conversation."""
    place = await require_member(services, caller_id, conversation_id)
    _refuse_direct(place.conversation.kind)
    await append_departure(services, caller_id, conversation_id, caller_id)


async def remove_member(services: Services, caller_id: str, conversation_id: str, user_id: str) -> None:
    """Admins remove members; removing oneself is leaving. Raises NotFound, NotAMember, Forbidden, Conflict."""
    if user_id == caller_id:
        await leave(services, caller_id, conversation_id)
        return
    access = await require_admin(services, caller_id, conversation_id)
    _refuse_direct(access.conversation.kind)
    await _require_inside(services, conversation_id, user_id)
    await append_departure(services, caller_id, conversation_id, user_id)


# --- changing ---------------------------------------------------------------------------------


async def change_role(
    services: Services, caller_id: str, conversation_id: str, user_id: str, role: Role
) -> shapes.MemberView:
    """Make a member admin, or an admin member. Raises NotFound, Forbidden, Conflict for the last admin."""
    access = await require_admin(services, caller_id, conversation_id)
    _refuse_direct(access.conversation.kind)
    await _require_inside(services, conversation_id, user_id)
    picture = await services.directory.conversations.excerpt(conversation_id, [user_id], eldest=1)
    if role is Role.MEMBER and picture is not None and is_last_admin(picture.members, user_id):
        raise Conflict("somebody has to be admin: make another member admin first")
    await append_membership(services, caller_id, conversation_id, [(user_id, role)])
    users = await services.directory.accounts.users([user_id])
    return shapes.MemberView(user=user_view(users[user_id]), role=role)


async def change_conversation(
    services: Services, caller_id: str, conversation_id: str, wanted: shapes.ConversationPatch
) -> None:
    """Members set topic and purpose; admins also rename, archive and unarchive.

    Raises NotFound, NotAMember, Forbidden, Archived, Conflict (direct, or the name is taken).
    """
    access = await look_up(services, caller_id, conversation_id)
    row = access.conversation
    _refuse_direct(row.kind)
    admin = may_administer(row, access.role, access.workspace_role)
    if not (access.joined or admin):
        raise NotAMember(f"you are not a member of conversation {conversation_id}: join it first")
    if (wanted.title, wanted.archived) != (None, None) and not admin:
        raise Forbidden(f"only admins of conversation {conversation_id} rename or archive it")
    if wanted.archived is not None and row.kind is not ConversationKind.CHANNEL:
        raise Conflict("only channels are archived: leave a group instead")
    if wanted.archived is not False:
        _refuse_archived(access)
    if wanted.title is not None:
        await services.directory.conversations.reserve_name(conversation_id, wanted.title)
    settings = ConversationSettings(wanted.title, wanted.topic, wanted.purpose, wanted.archived)
    if settings != ConversationSettings():
        await append_membership(services, caller_id, conversation_id, settings=settings)


async def _require_inside(services: Services, conversation_id: str, user_id: str) -> None:
    if user_id not in await services.directory.conversations.among(conversation_id, [user_id]):
        raise NotFound(f"user {user_id} is not a member of conversation {conversation_id}")


def _refuse_direct(kind: ConversationKind) -> None:
    if kind is ConversationKind.DIRECT:
        raise Conflict("a direct conversation keeps its two members, and has no name and no admins")


def _refuse_archived(access: Access) -> None:
    if access.conversation.archived:
        raise Archived(f"conversation {access.conversation.conversation_id} is archived: unarchive it first")
