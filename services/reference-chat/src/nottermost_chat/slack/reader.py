"""Reading a Slack export: from a zip to users, conversations and what happened in them.

`open_export` reads the whole archive once: what is damaged is found before anything is used,
and everybody who appears anywhere is known. `Export.read` then reads one conversation again
and renders it; only that conversation is in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from .archive import LIMITS, Archive, ArchiveLimits, NotAnExport, open_archive
from .conversations import LISTS, Listing, build_conversation, list_folder, match_folders, member_ids_of, read_listings
from .entries import Assembly, assemble
from .files import ExportFiles
from .kinds import Kind, Note
from .layout import USER_LISTS
from .markup import Names
from .people import Sighting, complete_users, read_bot_users, read_users
from .records import Reading, SlackConversation
from .rendering import render

PRIVATE_NAME: Final = "private-channel"  # a mention does not tell outsiders what a private conversation is called


@contextmanager
def open_export(path: Path, limits: ArchiveLimits = LIMITS) -> "Iterator[Export]":
    """Open an export and read it through once, without keeping its messages.

    Raises: SlackExportError (NotAnExport, DamagedExport, UnsafeExport): nothing of it can be used.
    """
    with open_archive(path, limits) as archive:
        export = Export(archive)
        if not export.conversations:
            raise NotAnExport(f"{path.name} lists no conversation and has no folder of messages: is it a Slack export?")
        yield export


class Export:
    """An open export.

    Attributes:
        users: everybody whom a list, an entry or a member list names; listed ones first.
        conversations: private lists first, then public channels, then folders that no list names.
        entries_total: objects in all day files: the sum of `entries_read` over all conversations.
        unreadable: files left out, lists among them.
        ignored: paths of files that are no list that is read and in no conversation's folder.
        notes: what was changed while reading the lists.
    """

    def __init__(self, archive: Archive) -> None:
        self._files = ExportFiles(archive)
        notes = Counter[str]()
        user_entries = [entry for name in USER_LISTS for entry in self._files.read_list(name, notes)]
        listed_users = read_users(user_entries, notes)
        notes[Note.LIST_ENTRY_LEFT_OUT] += len(user_entries) - len(listed_users)
        self._bot_users = read_bot_users(user_entries)
        self._listings = {listing.id: listing for listing in self._list_conversations(notes)}
        self._folders = self._assign_folders()
        survey = _survey((listing, self._assemble(listing)) for listing in self._listings.values())
        self.entries_total = sum(survey.entries.values())
        self._listings = {  # a folder that no list names and without a single entry is no conversation
            listing.id: listing for listing in self._listings.values() if listing.listed or survey.entries[listing.id]
        }
        self.users = complete_users(listed_users, survey.sightings.values())
        self._names = Names(
            users={user.id: user.handle for user in self.users},
            channels={
                listing.id: PRIVATE_NAME if listing.is_private else listing.name for listing in self._listings.values()
            },
        )
        self.conversations = tuple(
            build_conversation(listing, survey.member_ids[listing.id], self._names)
            for listing in self._listings.values()
        )
        self.unreadable, self.ignored = self._files.unreadable, self._files.ignored
        self.notes = {str(note): count for note, count in notes.items() if count}

    def read(self, conversation: SlackConversation, handles: Mapping[str, str] | None = None) -> Reading:
        """Everything that happened in one of `conversations`. `handles`: what users are called where it goes, by id."""
        names = self._names if handles is None else msgspec.structs.replace(self._names, users=handles)
        return render(self._assemble(self._listings[conversation.id]), names)

    def _list_conversations(self, notes: Counter[str]) -> list[Listing]:
        lists = {name: self._files.read_list(name, notes) for name in LISTS}
        listings = read_listings(lists)
        notes[Note.LIST_ENTRY_LEFT_OUT] += sum(map(len, lists.values())) - len(listings)
        return listings

    def _assign_folders(self) -> dict[str, str]:
        """Folder by conversation id; folders that nobody claims become listings of their own."""
        folders = match_folders(list(self._listings.values()), self._files.folders)
        for folder in sorted(set(self._files.folders).difference(folders.values())):
            listing = list_folder(folder)
            self._listings[listing.id] = listing
            folders[listing.id] = folder
        return folders

    def _assemble(self, listing: Listing) -> Assembly:
        folder = self._folders.get(listing.id, "")
        return assemble(self._files.read_folder(folder, listing.entry.time_us("created") or 0), self._bot_users)


class _Survey(msgspec.Struct, frozen=True):
    """What must be known before the first record: everybody, each conversation's members and size."""

    sightings: Mapping[str, Sighting]
    member_ids: Mapping[str, tuple[str, ...]]
    entries: Mapping[str, int]


def _survey(conversations: Iterable[tuple[Listing, Assembly]]) -> _Survey:
    sightings: dict[str, Sighting] = {}
    member_ids: dict[str, tuple[str, ...]] = {}
    entries: dict[str, int] = {}
    for listing, assembly in conversations:
        entries[listing.id] = assembly.entries_read
        written = (draft for draft in assembly.drafts if draft.kind is Kind.MESSAGE and not draft.is_placeholder)
        members = member_ids[listing.id] = member_ids_of(listing, (draft.author.id for draft in written))
        mentioned = (*members, listing.entry.text("creator"))
        for seen in (*_sightings(assembly), *(Sighting(user_id) for user_id in mentioned if user_id)):
            known = sightings.get(seen.id)
            if known is None or (seen.name and not known.name):  # the first entry that gives a name decides
                is_bot = seen.is_bot or (known is not None and known.is_bot)
                sightings[seen.id] = msgspec.structs.replace(seen, is_bot=is_bot)
    return _Survey(sightings, member_ids, entries)


def _sightings(assembly: Assembly) -> Iterator[Sighting]:
    """Everybody whom a record of this conversation will name by id."""
    for draft in assembly.drafts:
        yield draft.author
        for reaction in draft.entry.nodes("reactions"):
            yield from map(Sighting, reaction.texts("users"))
        for user_id in (draft.entry.node("edited").text("user"), draft.entry.text("inviter")):
            if user_id:
                yield Sighting(user_id)
