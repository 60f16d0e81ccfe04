"""The files of an export: lists at the top, a folder for each conversation, a file for each day."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from .archive import Archive
from .conversations import LISTS
from .drafts import Day
from .kinds import Note
from .node import Node, UnreadableJson, decode_json
from .records import UnreadableFile

USER_LISTS: Final = ("users.json", "org_users.json")  # the second is Enterprise Grid's name for it
_UPLOADS: Final = frozenset({"__uploads", "__avatars"})  # where other exporters put what people uploaded,
_INNER_UPLOADS: Final = frozenset({"attachments", "uploads", "files"})  # or, in a conversation's folder, here
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ExportFiles:
    """Reads the files of an archive and remembers those that cannot be read.

    Every .json file below a folder belongs to that folder's conversation, however deep it is and
    whatever its name (`2017-05-11 (1).json`, folders by year), unless it is something people uploaded.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lists: set[str] = set()
        self._folders: defaultdict[str, list[str]] = defaultdict(list)
        self._unreadable: dict[str, UnreadableFile] = {}
        self.ignored = tuple(path for path in archive.paths if not self._take(path))

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders that hold at least one .json file."""
        return tuple(self._folders)

    @property
    def unreadable(self) -> tuple[UnreadableFile, ...]:
        """What could not be read so far, by path."""
        return tuple(sorted(self._unreadable.values(), key=lambda file: file.path))

    def read_list(self, name: str, notes: Counter[str]) -> list[Node]:
        """The objects of a list at the top; none when there is no such list, or it cannot be read."""
        if name not in self._lists:
            return []
        values, replaced = self._read(name)
        entries = [Node(value) for value in values if isinstance(value, dict)]
        notes[Note.LIST_ENTRY_LEFT_OUT] += len(values) - len(entries)
        notes[Note.CHARACTERS_REPLACED] += replaced
        return entries

    def read_folder(self, folder: str, starts_us: int) -> Iterator[Day]:
        """A conversation's files. `starts_us` dates entries without time in files without a date in their name."""
        for path in self._folders.get(folder, ()):
            values, characters_replaced = self._read(path)
            yield Day(path, values, midnight_us(path) or starts_us, characters_replaced)

    def _take(self, path: str) -> bool:
        folder, *inner = path.split("/")
        if folder in _UPLOADS or not _INNER_UPLOADS.isdisjoint(inner[:-1]):
            return False
        if inner and path.lower().endswith(".json"):
            self._folders[folder].append(path)
        elif path in USER_LISTS or path in LISTS:
            self._lists.add(path)
        else:
            return False
        return True

    def _read(self, path: str) -> tuple[list[object], int]:
        try:
            decoded = decode_json(self._archive.read(path))
        except UnreadableJson as error:
            self._unreadable[path] = UnreadableFile(path, error.reason)
            return [], 0
        if isinstance(decoded.value, list):
            return decoded.value, decoded.replaced
        self._unreadable[path] = UnreadableFile(path, "not_a_list")
        return [], 0


def midnight_us(path: str) -> int | None:
    """The start, in UTC, of the day in a file's name; None: there is none in it."""
    match = _DATE.search(path.rpartition("/")[2])
    try:
        return int(datetime.fromisoformat(match[0]).replace(tzinfo=UTC).timestamp()) * 1_000_000 if match else None
    except ValueError:
        return None
