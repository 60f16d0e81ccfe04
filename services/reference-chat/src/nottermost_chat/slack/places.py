"""What an export needs before its first entry: a workspace, accounts for its people, its conversations.

Everything is found again by its import key, so a later export of the same team meets the same
rows. What is there stays as it is: names, roles and topics may have been changed here meanwhile.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec

from nottermost_chat.directory import ConversationRow, Directory, UserRow, WorkspaceRow
from nottermost_chat.errors import Conflict, EmailTaken, UsernameTaken
from nottermost_chat.model import ConversationKind, Role

from .people import HANDLE_CHARS_MAX
from .reader import Export
from .records import UNKNOWN_USER_ID, SlackConversation, SlackUser

ANCHORS_MAX: Final = 50  # conversations that a workspace is looked for by; the oldest ones hardly ever go
AT_ONCE: Final = 64  # writes that the directory puts into one transaction
NAME_CHARS_MAX: Final = 100
CHANNEL_CHARS_MAX: Final = 80  # as for channels made here
STAND_IN: Final = SlackUser(id="owner", handle="owner", real_name="Workspace owner", display_name="Workspace owner")

_TEAM = re.compile(r"(?i)(?:(.+?)[ _-]+slack[ _-]+export\b.*|slack[ _-]+export[ _-]+(.+))")
_GROUP = re.compile(r"mpdm-(.+?)-\d+")  # how Slack names groups: by the handles of their members

T = TypeVar("T")
S = TypeVar("S")


class Places(msgspec.Struct, frozen=True):
    """Where an export goes; users and conversations by their Slack ids.

    Attributes:
        user_ids: of `users`; unclaimed: those of them that nobody has taken over yet.
        shared: our ids of conversations that the export has more than once.
        notes: what could not be taken over as it stood, by reason.
    """

    workspace: WorkspaceRow
    users: Mapping[str, UserRow]
    user_ids: Mapping[str, str]
    unclaimed: frozenset[str]
    conversations: Mapping[str, ConversationRow]
    shared: frozenset[str]
    users_added: int
    conversations_added: int
    notes: Mapping[str, int]


async def prepare_places(directory: Directory, export: Export, file_name: str) -> Places:
    """Find or make everything that the export's entries refer to. `file_name`: without its ending."""
    maker = _Maker(directory)
    key, workspace = await _find_workspace(directory, export.conversations, file_name)
    owner = choose_owner(export)
    people = export.users if owner in export.users else (*export.users, owner)
    users = await maker.put_users(key, people)
    if workspace is None:
        name, owner_id = name_workspace(file_name), users[owner.id].user_id
        workspace = await directory.workspaces.create(name, owner_id, import_key=key)
    # Again in every run, as a stopped one may not have come here; nobody who took an account over is brought back.
    for role, user_ids in _members(export, people, users).items():
        await directory.workspaces.add_members(workspace.workspace_id, user_ids, role)
    await _retire(directory, workspace, [users[user.id] for user in people if user.is_deleted])
    rows = await maker.put_conversations(key, workspace, export.conversations, users)
    uses = Counter(row.conversation_id for row in rows.values())
    return Places(
        workspace=workspace,
        users=users,
        user_ids={slack_id: user.user_id for slack_id, user in users.items()},
        unclaimed=frozenset(user.user_id for user in users.values() if user.imported),
        conversations=rows,
        shared=frozenset(conversation_id for conversation_id, count in uses.items() if count > 1),
        users_added=maker.users_added,
        conversations_added=maker.conversations_added,
        notes=dict(maker.notes),
    )


def choose_owner(export: Export) -> SlackUser:
    """The primary or another owner; else who made the general or the oldest public channel; else the first person.

    A guest is none of them: a stand-in where there is nobody else.
    """
    able = (user for user in export.users if not (user.is_bot or user.is_deleted or user.role is Role.GUEST))
    people = {user.id: user for user in able if user.listed or user.id != UNKNOWN_USER_ID}
    owners = sorted(people.values(), key=lambda user: (not user.is_primary_owner, user.role is not Role.OWNER))
    if owners and owners[0].role is Role.OWNER:
        return owners[0]
    oldest_first = sorted(by_age(export.conversations), key=lambda conversation: conversation.name != "general")
    creators = (conversation.creator_id for conversation in oldest_first if not conversation.is_private)
    made = next((people[user_id] for user_id in creators if user_id in people), None)
    return made or next(iter(people.values()), STAND_IN)


def by_age(conversations: Sequence[SlackConversation]) -> list[SlackConversation]:
    """Listed before found, public before private, then from the oldest on."""
    return sorted(
        conversations,
        key=lambda each: (not each.listed, each.is_private, each.created_at is None, each.created_at or 0, each.id),
    )


def anchor_key(conversation: SlackConversation, file_name: str) -> str:
    """The key of a workspace that this conversation stands for.

    Slack's ids are unique in the world, and the time of creation tells apart those that somebody
    made up. A name alone proves nothing: two teams must never become one, so the file counts too.
    """
    key = f"slack:{conversation.id}@{conversation.created_at or ''}"
    is_name = not conversation.listed or (conversation.id == conversation.name and conversation.created_at is None)
    return f"{key}@{file_name}" if is_name else key


def name_workspace(file_name: str) -> str:
    """The team's name, where the file has one as Slack gives it: "Team Slack export Jan 1 - Feb 2"."""
    match = _TEAM.fullmatch(file_name)
    return _line((match[1] or match[2]) if match else file_name) or "Slack export"


def name_group(name: str) -> str:
    """`mpdm-ann--bob-1` as people would say it."""
    match = _GROUP.fullmatch(name)
    return _line(", ".join(match[1].split("--")) if match else name)


async def _find_workspace(
    directory: Directory, conversations: Sequence[SlackConversation], file_name: str
) -> tuple[str, WorkspaceRow | None]:
    """The workspace that one of the conversations is known from; else the key for a new one.

    An export has no team id. The first import takes its oldest channel as the key; a later one
    looks for any of its channels, so it does not matter if that has others which are older.
    """
    keys = [anchor_key(conversation, file_name) for conversation in by_age(conversations)[:ANCHORS_MAX]]
    for key in keys:
        if workspace := await directory.workspaces.by_import_key(key):
            return key, workspace
    return keys[0], None


def _members(export: Export, people: Sequence[SlackUser], users: Mapping[str, UserRow]) -> Mapping[Role, Sequence[str]]:
    """Everybody whom the export lists, and who is in one of its conversations; nobody who has left or took over."""
    inside = {user_id for conversation in export.conversations for user_id in conversation.member_ids}
    members: defaultdict[Role, list[str]] = defaultdict(list)
    for user in people:
        row = users[user.id]
        if (user.listed or user.id in inside) and row.imported and not (user.is_deleted or row.deleted):
            members[user.role].append(row.user_id)
    return members


async def _retire(directory: Directory, workspace: WorkspaceRow, users: Sequence[UserRow]) -> None:
    """Who left the team since an earlier import and had not taken the account over cannot do so any more."""
    for user in users:
        if user.imported and not user.deleted and user.user_id != workspace.created_by:
            with suppress(Conflict):  # the last owner stays listed as such
                await directory.workspaces.remove_member(workspace.workspace_id, user.user_id)
            await directory.accounts.deactivate(user.user_id)  # last: a run that is stopped comes here again


class _Maker:
    """Makes the rows that are missing, and counts them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.notes = Counter[str]()
        self.users_added = self.conversations_added = 0

    async def put_users(self, key: str, people: Sequence[SlackUser]) -> dict[str, UserRow]:
        """Accounts by Slack id. Nobody is taken for an account that was here before: that would give it away."""
        keys = {user.id: f"{key}:{user.id}" for user in people}
        known = await self._directory.accounts.by_import_key(list(keys.values()))
        missing = sorted(  # of two users with one e-mail address it is the one who can log in who gets it
            (user for user in people if keys[user.id] not in known), key=lambda user: user.is_deleted
        )
        made = await _each(missing, lambda user: self._make_user(user, keys[user.id]))
        self.users_added = len(made)
        known |= {keys[user.id]: row for user, row in zip(missing, made, strict=True)}
        return {user.id: known[keys[user.id]] for user in people}

    async def _make_user(self, user: SlackUser, import_key: str) -> UserRow:
        """An e-mail address or a user name that another account has stays with that one."""
        username, email, number = user.handle, user.email, 1
        while True:
            try:
                return await self._directory.accounts.create_user(
                    username=username,
                    email=email,
                    display_name=_line(user.display_name or user.real_name),
                    bot=user.is_bot,
                    imported=True,
                    deleted=user.is_deleted,
                    import_key=import_key,
                )
            except EmailTaken:
                self.notes["email_taken"] += 1
                email = None
            except UsernameTaken:
                self.notes["username_taken"] += number == 1
                number += 1
                username = _numbered(user.handle, number, HANDLE_CHARS_MAX)

    async def put_conversations(
        self,
        key: str,
        workspace: WorkspaceRow,
        conversations: Sequence[SlackConversation],
        users: Mapping[str, UserRow],
    ) -> dict[str, ConversationRow]:
        """Conversations by Slack id, without members yet: those come in through the log."""
        keys = {conversation.id: f"{key}:{conversation.id}" for conversation in conversations}
        known = await self._directory.conversations.by_import_key(list(keys.values()))
        missing = sorted(  # of two channels with one name it is the one that is seen most that keeps it
            (conversation for conversation in conversations if keys[conversation.id] not in known),
            key=lambda conversation: (conversation.is_archived, conversation.is_private),
        )

        async def make(conversation: SlackConversation) -> ConversationRow:
            creator = users.get(conversation.creator_id or "")
            creator_id = workspace.created_by if creator is None else creator.user_id
            if conversation.kind is ConversationKind.DIRECT:
                return await self._find_direct(conversation, users)
            self.conversations_added += 1
            if conversation.kind is ConversationKind.GROUP:
                members = (users[user_id].username for user_id in conversation.member_ids)
                title = name_group(conversation.name) or _line(", ".join(members))
                return await self._directory.conversations.create_group(
                    title, creator_id, import_key=keys[conversation.id]
                )
            return await self._make_channel(conversation, workspace.workspace_id, creator_id, keys[conversation.id])

        made = await _each(missing, make)
        known |= {keys[conversation.id]: row for conversation, row in zip(missing, made, strict=True)}
        return {conversation.id: known[keys[conversation.id]] for conversation in conversations}

    async def _find_direct(self, conversation: SlackConversation, users: Mapping[str, UserRow]) -> ConversationRow:
        """Two users have one direct conversation, however often an export lists it."""
        first, last = conversation.member_ids[0], conversation.member_ids[-1]
        row, is_new = await self._directory.conversations.direct(users[first].user_id, users[last].user_id)
        self.conversations_added += is_new
        return row

    async def _make_channel(
        self, conversation: SlackConversation, workspace_id: str, creator_id: str, import_key: str
    ) -> ConversationRow:
        wanted = _line(conversation.name, CHANNEL_CHARS_MAX) or conversation.id[:CHANNEL_CHARS_MAX]
        name, number = wanted, 1
        while True:
            try:
                return await self._directory.conversations.create_channel(
                    workspace_id,
                    name,
                    creator_id,
                    private=conversation.is_private,
                    topic=conversation.topic,
                    purpose=conversation.purpose,
                    import_key=import_key,
                )
            except Conflict:
                self.notes["channel_name_taken"] += number == 1
                number += 1
                name = _numbered(wanted, number, CHANNEL_CHARS_MAX)


async def _each(items: Sequence[S], make: Callable[[S], Awaitable[T]]) -> list[T]:
    """Results in order; as many at once as share a transaction."""
    made: list[T] = []
    for start in range(0, len(items), AT_ONCE):
        made += await asyncio.gather(*(make(item) for item in items[start : start + AT_ONCE]))
    return made


def _line(text: str, chars_max: int = NAME_CHARS_MAX) -> str:
    return " ".join(text.split())[:chars_max].rstrip()


def _numbered(name: str, number: int, chars_max: int) -> str:
    suffix = f"-{number}"
    return name[: chars_max - len(suffix)] + suffix
