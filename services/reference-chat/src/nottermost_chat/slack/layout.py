"""Where things are in an archive: the lists, and which folder belongs to which conversation.

As Slack packs it, the lists are at the top and every folder beside them is a conversation. People and
programs wrap that into folders, put other files beside it, and sort the conversations by their kind
(`private_channels/…`). A folder with several conversations is never taken for one: all of its writers
would see all of it.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

USER_LISTS: Final = ("users.json", "org_users.json")  # the second is Enterprise Grid's name for it
CONVERSATION_LISTS: Final = ("dms.json", "mpims.json", "groups.json", "channels.json")  # most private first
_LISTS: Final = frozenset({*USER_LISTS, *CONVERSATION_LISTS})
_SIGNS: Final = _LISTS | {"integration_logs.json"}  # what tells the folder that the export is in

_UPLOADS: Final = frozenset({"__uploads", "__avatars"})  # where other exporters put what people uploaded,
_INNER_UPLOADS: Final = frozenset({"attachments", "uploads", "files"})  # or, in a conversation's folder, here
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*\.json", re.IGNORECASE)
_SPAN = re.compile(r"[0-9]{2,4}(?:-[0-9]{2}){0,2}")  # a folder for a year, a month or a day
# Names of folders around conversations: those of private ones, and all of them.
_PRIVATE_GROUP = re.compile(r"private|direct|group|multi|mpim|mpdm|\b[di]ms?\b", re.IGNORECASE)
_GROUP = re.compile(rf"{_PRIVATE_GROUP.pattern}|channels", re.IGNORECASE)


class Layout(msgspec.Struct, frozen=True):
    """What is where.

    Attributes:
        top: the folder that holds everything of the export, with a final "/"; "" mostly.
        lists: paths by file name; more than one path: several exports in one archive.
        folders: paths of the day files by their conversation's folder, which is relative to the top.
        ignored: paths that are neither.
    """

    top: str
    lists: Mapping[str, tuple[str, ...]]
    folders: Mapping[str, tuple[str, ...]]
    ignored: tuple[str, ...]


def lay_out(paths: Collection[str]) -> Layout:
    """Sort the paths of an archive; each one is in a list, a folder or ignored."""
    with_days = {_folder(path) for path in paths if _is_day(path)}
    own = [path for path in paths if not _is_upload(path, with_days)]
    signs = {path for path in own if _name(path) in _SIGNS}
    roots = {"", *map(_folder, signs)}
    folders = defaultdict(list)
    for path in own:
        is_beside_lists = _folder(path) in roots and not (_folder(path) and _is_day(path))
        if path.lower().endswith(".json") and path not in signs and not is_beside_lists:
            folders[_conversation_folder(path, with_days)].append(path)
    lists = {name: tuple(sorted(path for path in signs if _name(path) == name)) for name in _LISTS}
    top = _common_top([*map(_folder, signs), *map(_folder, folders)])
    taken = itertools.chain(*lists.values(), *folders.values())
    return Layout(
        top=top,
        lists=lists,
        folders={folder[len(top) :]: tuple(sorted(inside)) for folder, inside in folders.items()},
        ignored=tuple(sorted(set(paths).difference(taken))),
    )


def folder_name(folder: str) -> str:
    """What a conversation's folder is called, without the folders around it."""
    return _name(folder)


def is_in_private_group(folder: str) -> bool:
    """Whether one of the folders around it says that what is in it is private."""
    return bool(_PRIVATE_GROUP.search(_folder(folder).replace("_", " ")))


def _conversation_folder(path: str, with_days: Collection[str]) -> str:
    """The folder around a file, or the one around that if it holds days itself or is only divided by time."""
    folder = _folder(path)
    while outer := _folder(folder):
        is_span = _SPAN.fullmatch(_name(folder)) and not _GROUP.search(_name(outer))
        if not is_span and (folder in with_days or outer not in with_days):
            break
        folder = outer
    return folder


def _common_top(folders: Iterable[str]) -> str:
    split = [folder.split("/") if folder else [] for folder in set(folders)]
    first, last = min(split, default=[]), max(split, default=[])
    length = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return "".join(f"{part}/" for part in first[:length])


def _is_upload(path: str, with_days: Collection[str]) -> bool:
    """Whether people uploaded it. A day's file is none, as a channel may be called "files", but in a conversation."""
    around, folder = [], _folder(path)
    while folder:
        around.append(folder)
        folder = _folder(folder)
    inner = [folder for folder in around if _name(folder) in _INNER_UPLOADS and _folder(folder)]
    is_inside = not _is_day(path) or any(_folder(folder) in with_days for folder in inner)
    return any(_name(folder) in _UPLOADS for folder in around) or bool(inner and is_inside)


def _is_day(path: str) -> bool:
    return bool(_DAY.match(_name(path)))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
