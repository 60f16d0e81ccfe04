"""Conversations: the lists of an export, and the folders that belong to them.

In doubt private: a conversation that two lists have, or a folder that two conversations claim,
goes to the more private one, and a folder that none claims is private.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from nottermost_chat.model import GROUP_MEMBERS_MAX, ConversationKind

from .layout import folder_name, is_in_private_group
from .markup import Names, to_text
from .node import Node
from .records import SlackConversation

# Most private first: the first list that has a conversation decides.
LISTS: Final = {
    "dms.json": ConversationKind.DIRECT,
    "mpims.json": ConversationKind.GROUP,
    "groups.json": ConversationKind.CHANNEL,
    "channels.json": ConversationKind.CHANNEL,
}
PUBLIC_LIST: Final = "channels.json"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as a list has it, or as its folder's name is all there is (`entry` empty)."""

    id: str
    kind: ConversationKind
    is_private: bool
    name: str
    entry: Node
    listed: bool = True


def read_listings(lists: Mapping[str, Iterable[Node]]) -> list[Listing]:
    """The conversations of all lists (entries by file name), each id once; entries without id and name are left out."""
    listings: dict[str, Listing] = {}
    for list_name in LISTS:
        for entry in lists.get(list_name, ()):
            if conversation_id := entry.text("id") or entry.text("name"):
                listings.setdefault(conversation_id, _listing(conversation_id, list_name, entry))
    return list(listings.values())


def match_folders(listings: Sequence[Listing], folders: Iterable[str]) -> dict[str, str]:
    """Folder by conversation id, each folder once: by name, by id, then by either without regard to case.

    A folder that several private conversations claim is nobody's, as each has other members.
    """
    matched: dict[str, str] = {}
    free = set(folders)
    most_likely_first = sorted(
        listings, key=lambda listing: (not listing.is_private, listing.entry.flag("is_archived"))
    )
    for spell in (_exactly, _loosely):
        for field in (_name, _id):
            spelled = _by_spelling(free, spell)
            unmatched = [listing for listing in most_likely_first if listing.id not in matched]
            claims = Counter(spell(field(listing)) for listing in unmatched if listing.is_private)
            for listing in unmatched:
                spelling = spell(field(listing))
                fitting = [
                    folder for folder in spelled.get(spelling, ()) if folder in free and _may_be(listing, folder)
                ]
                if fitting and claims[spelling] <= 1:
                    matched[listing.id] = fitting[0]
                    free.discard(fitting[0])
    return matched


def list_folder(folder: str) -> Listing:
    """The listing of a folder that no list names."""
    return Listing(
        id=f"folder:{folder}",
        kind=ConversationKind.CHANNEL,
        is_private=True,
        name=folder_name(folder),
        entry=Node({}),
        listed=False,
    )


def member_ids_of(listing: Listing, writers: Iterable[str]) -> tuple[str, ...]:
    """Its members; where the export has no list of them, those who wrote. A listed empty list stays empty."""
    if listing.entry.has_list("members"):
        return tuple(dict.fromkeys(listing.entry.texts("members")))
    return tuple(dict.fromkeys(writers))


def build_conversation(listing: Listing, member_ids: tuple[str, ...], names: Names) -> SlackConversation:
    """The conversation with its topic and purpose as text."""
    entry = listing.entry
    created_us = entry.time_us("created")
    return SlackConversation(
        id=listing.id,
        kind=_fitting_kind(listing, len(member_ids)),
        is_private=listing.is_private,
        name=listing.name,
        topic=to_text(entry.node("topic").text("value"), names).text,
        purpose=to_text(entry.node("purpose").text("value"), names).text,
        created_at=None if created_us is None else created_us // 1000,
        creator_id=entry.text("creator") or None,
        is_archived=entry.flag("is_archived"),
        member_ids=member_ids,
        listed=listing.listed,
    )


def _listing(conversation_id: str, list_name: str, entry: Node) -> Listing:
    """Some exporters write everything into channels.json: what the entry says of itself counts too."""
    kind = LISTS[list_name]
    if entry.flag("is_im"):
        kind = ConversationKind.DIRECT
    elif entry.flag("is_mpim"):
        kind = ConversationKind.GROUP
    says_private = entry.flag("is_private") or entry.flag("is_group")  # the second: made private before 2021
    is_private = list_name != PUBLIC_LIST or kind is not ConversationKind.CHANNEL or says_private
    name = "" if kind is ConversationKind.DIRECT else entry.text("name") or conversation_id
    return Listing(id=conversation_id, kind=kind, is_private=is_private, name=name, entry=entry)


def _fitting_kind(listing: Listing, members: int) -> ConversationKind:
    """Nobody is dropped to make a conversation fit its kind; the kind gives way."""
    kind = listing.kind
    if kind is ConversationKind.DIRECT and (members not in (1, 2) or not listing.entry.has_list("members")):
        kind = ConversationKind.GROUP  # a lone writer is not somebody who talks to himself
    if kind is ConversationKind.GROUP and members > GROUP_MEMBERS_MAX:
        kind = ConversationKind.CHANNEL
    return kind


def _by_spelling(folders: Iterable[str], spell: Callable[[str], str]) -> Mapping[str, Sequence[str]]:
    """Folders by their name, those that must be private first."""
    spelled: defaultdict[str, list[str]] = defaultdict(list)
    for folder in sorted(folders, key=lambda folder: (not is_in_private_group(folder), folder)):
        spelled[spell(folder_name(folder))].append(folder)
    return spelled


def _may_be(listing: Listing, folder: str) -> bool:
    return listing.is_private or not is_in_private_group(folder)


def _name(listing: Listing) -> str:
    return listing.name


def _id(listing: Listing) -> str:
    return listing.id


def _exactly(name: str) -> str:
    return name


def _loosely(name: str) -> str:
    """Without regard to case and to how accents are encoded: file systems change both."""
    return unicodedata.normalize("NFKC", name).casefold()
