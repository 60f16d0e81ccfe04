"""The files of an export: lists at the top, a folder for each conversation, a file for each day."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from .archive import Archive, NotAnExport
from .drafts import Day
from .kinds import Note
from .layout import lay_out
from .node import Node, UnreadableJson, decode_json
from .records import UnreadableFile

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ExportFiles:
    """Reads the files of an archive and remembers those that cannot be read; paths are relative to the export's top.

    Every .json file below a conversation's folder belongs to it, however deep it is and whatever
    its name (`2017-05-11 (1).json`, folders by year), unless it is something people uploaded.
    """

    def __init__(self, archive: Archive) -> None:
        """Raises: NotAnExport when the archive holds several exports; DamagedExport."""
        self._archive, self._layout = archive, lay_out(archive.paths)
        self._unreadable: dict[str, UnreadableFile] = {}
        for name, paths in self._layout.lists.items():
            if len(paths) > 1:
                places = ", ".join(path.removesuffix(name) or "the top" for path in paths)
                raise NotAnExport(f"the archive has {name} in several places ({places}): import one export at a time")
        for path in self._layout.ignored:
            archive.check(path)
        self.ignored = tuple(map(self._shown, self._layout.ignored))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of conversations, which hold at least one .json file each."""
        return tuple(self._layout.folders)

    @property
    def unreadable(self) -> tuple[UnreadableFile, ...]:
        """What could not be read so far, by path."""
        return tuple(sorted(self._unreadable.values(), key=lambda file: file.path))

    def read_list(self, name: str, notes: Counter[str]) -> list[Node]:
        """The objects of a list at the top; none when there is no such list, or it cannot be read."""
        paths = self._layout.lists[name]
        if not paths:
            return []
        values, replaced = self._read(paths[0])
        entries = [Node(value) for value in values if isinstance(value, dict)]
        notes[Note.LIST_ENTRY_LEFT_OUT] += len(values) - len(entries)
        notes[Note.CHARACTERS_REPLACED] += replaced
        return entries

    def read_folder(self, folder: str, starts_us: int) -> Iterator[Day]:
        """A conversation's files. `starts_us` dates entries without time in files without a date in their name."""
        for path in self._layout.folders.get(folder, ()):
            values, characters_replaced = self._read(path)
            yield Day(self._shown(path), values, midnight_us(path) or starts_us, characters_replaced)

    def _shown(self, path: str) -> str:
        return path.removeprefix(self._layout.top)

    def _read(self, path: str) -> tuple[list[object], int]:
        try:
            decoded = decode_json(self._archive.read(path))
        except UnreadableJson as error:
            self._unreadable[path] = UnreadableFile(self._shown(path), error.reason)
            return [], 0
        if isinstance(decoded.value, list):
            return decoded.value, decoded.replaced
        self._unreadable[path] = UnreadableFile(self._shown(path), "not_a_list")
        return [], 0


def midnight_us(path: str) -> int | None:
    """The start, in UTC, of the day in a file's name; None: there is none in it."""
    match = _DATE.search(path.rpartition("/")[2])
    try:
        return int(datetime.fromisoformat(match[0]).replace(tzinfo=UTC).timestamp()) * 1_000_000 if match else None
    except ValueError:
        return None
