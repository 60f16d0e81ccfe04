"""Who is in a conversation, as of a membership entry: kept in memory, never older than asked for."""

from collections import OrderedDict
from collections.abc import Collection
from typing import cast

import msgspec

from nottermost_chat.model import ConversationSettings, Entry, EntryKind, Member
from nottermost_chat.ports import Memberships, MessageStore, Picture

PICTURES_MAX = 10_000  # conversations; the one used longest ago goes first
EXCERPTS_MAX = 1_000  # conversations with more than 300 members
EXCERPT_MEMBERS_MAX = 10_000  # of one: those who wrote lately; above it they are looked up again
PAGE = 500


class Pictures:
    """Pictures of conversations, each at least as new as the head or record it is asked for.

    A membership entry that a crash kept from being applied is applied here, when somebody
    first needs it.
    """

    def __init__(self, memberships: Memberships, store: MessageStore) -> None:
        self._memberships, self._store = memberships, store
        self._known: OrderedDict[str, Picture] = OrderedDict()
        self._excerpts: OrderedDict[str, Picture] = OrderedDict()  # of conversations too large to hold

    def known(self, conversation_id: str, members_seq: int) -> Picture | None:
        """The picture if it is in memory and new enough."""
        picture = self._known.get(conversation_id)
        return picture if picture is not None and picture.members_seq >= members_seq else None

    async def at(self, conversation_id: str, members_seq: int) -> Picture | None:
        """The picture that includes the membership entry `members_seq`; None: no such conversation."""
        picture = self.known(conversation_id, members_seq)
        if picture is None:
            picture = await self._load(conversation_id, members_seq)
        return picture

    async def _load(self, conversation_id: str, members_seq: int) -> Picture | None:
        picture = await self._memberships.picture(conversation_id)
        if picture is None:
            return None
        if picture.members_seq < members_seq:
            await self.project(conversation_id, picture.members_seq)
            picture = await self._memberships.picture(conversation_id)
        if picture is not None:
            if picture.members_seq < members_seq:  # an epoch of its own or a trimmed log: the head is right
                picture = msgspec.structs.replace(picture, members_seq=members_seq)
            known = self._known.get(conversation_id)  # it may have moved meanwhile
            if known is not None and known.members_seq > picture.members_seq:
                return picture
            self._known[conversation_id] = picture
            self._known.move_to_end(conversation_id)
            if len(self._known) > PICTURES_MAX:
                self._known.popitem(last=False)
        return picture

    async def excerpt(
        self, conversation_id: str, members_seq: int, user_ids: Collection[str], *, eldest: int = 0
    ) -> Picture | None:
        """The same with only these members, and whom `eldest` adds (`Memberships.excerpt`).

        Who was looked up stays known, and membership entries keep it up to date.
        """
        known = self._excerpts.get(conversation_id)
        if (
            known is not None
            and known.members_seq >= members_seq
            and not eldest
            and known.members.keys() >= {*user_ids}
        ):
            return known
        found = await self._memberships.excerpt(conversation_id, list(user_ids), eldest=eldest)
        if found is not None and found.members_seq < members_seq:
            await self.project(conversation_id, found.members_seq)
            found = await self._memberships.excerpt(conversation_id, list(user_ids), eldest=eldest)
        if found is None:
            return None
        found = msgspec.structs.replace(found, members_seq=max(found.members_seq, members_seq))
        known = self._excerpts.get(conversation_id)  # it may have moved meanwhile
        if known is not None and known.members_seq == found.members_seq and len(known.members) < EXCERPT_MEMBERS_MAX:
            found = msgspec.structs.replace(found, members={**known.members, **found.members})
        if known is None or known.members_seq <= found.members_seq:
            self._excerpts[conversation_id] = found
            self._excerpts.move_to_end(conversation_id)
            if len(self._excerpts) > EXCERPTS_MAX:
                self._excerpts.popitem(last=False)
        return found

    async def catch_up(self, conversation_id: str, members_seq: int) -> None:
        """Apply what a crash left, up to a membership entry."""
        if self.known(conversation_id, members_seq) is None:
            await self.excerpt(conversation_id, members_seq, ())

    async def project(self, conversation_id: str, after_seq: int) -> None:
        """Apply the membership entries after `after_seq`."""
        while entries := await self._store.entries(conversation_id, after_seq, PAGE):
            after_seq = entries[-1].seq
            changes = [entry for entry in entries if entry.kind is EntryKind.MEMBERSHIP]
            if changes:
                await self._memberships.apply(changes)

    def advance(self, entry: Entry) -> None:
        """Carry a membership entry into what is in memory, if it is the next one for it."""
        for known in (self._known, self._excerpts):
            picture = known.get(entry.conversation_id)
            if picture is not None and picture.members_seq < entry.seq:
                known[entry.conversation_id] = _advanced(picture, entry)

    def forget(self, conversation_id: str) -> None:
        """The conversation changed in a way that its membership entries do not tell."""
        self._known.pop(conversation_id, None)
        self._excerpts.pop(conversation_id, None)


def _advanced(picture: Picture, entry: Entry) -> Picture:
    """The picture after a membership entry. Its members are changed in place: most changes are of one of thousands."""
    members = cast("dict[str, Member]", picture.members)
    for change in entry.detail.changes:
        if change.role is None:
            members.pop(change.user_id, None)
        else:
            before = members.get(change.user_id)
            joined_seq = entry.seq if before is None else before.joined_seq
            members[change.user_id] = Member(change.user_id, change.role, joined_seq)
    settings = merge_settings(picture.settings, entry.detail.settings)
    return msgspec.structs.replace(picture, members_seq=entry.seq, settings=settings)


def merge_settings(now: ConversationSettings, change: ConversationSettings | None) -> ConversationSettings:
    """The settings after a change; None leaves a field as it is."""
    if change is None:
        return now
    given = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return msgspec.structs.replace(now, **given)
