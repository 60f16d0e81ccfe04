"""Users: those that the export lists, and those that only its entries name."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from nottermost_chat.api.shapes import Email
from nottermost_chat.model import Role

from .kinds import Note
from .node import Node
from .records import UNKNOWN_USER_ID, SlackUser

HANDLE_CHARS_MAX: Final = 64  # what a user name of ours may have
SLACKBOT_ID: Final = "USLACKBOT"
_NOT_IN_HANDLES = re.compile(r"[^\w.-]+")


class Sighting(msgspec.Struct, frozen=True):
    """What an entry tells about somebody; all but the id may be empty."""

    id: str
    handle: str = ""
    name: str = ""
    is_bot: bool = False


def read_users(entries: Iterable[Node], notes: Counter[str]) -> list[SlackUser]:
    """The users of a list, in its order, their handles not yet unique; the first of equal ids counts."""
    users: dict[str, SlackUser] = {}
    for entry in entries:
        user_id = entry.text("id")
        if user_id and user_id not in users:
            users[user_id] = _listed_user(user_id, entry)
            notes[Note.EMAIL_INVALID] += bool(_email(entry)) and users[user_id].email is None
    return list(users.values())


def read_bot_users(entries: Iterable[Node]) -> dict[str, str]:
    """User id by bot id: what a bot writes names its bot id, sometimes nothing else."""
    bots = {entry.node("profile").text("bot_id"): entry.text("id") for entry in entries}
    return {bot_id: user_id for bot_id, user_id in bots.items() if bot_id and user_id}


def sight_author(entry: Node, bot_users: Mapping[str, str]) -> Sighting:
    """Who wrote an entry: its user, its bot, or whatever name it gives."""
    profile, bot = entry.node("user_profile"), entry.node("bot_profile")
    bot_id = entry.text("bot_id") or bot.text("id")
    name = entry.text("username") or bot.text("name")
    user_name = profile.text("display_name") or profile.text("real_name") or profile.text("name")
    user_id = entry.text("user") or entry.node("comment").text("user") or bot_users.get(bot_id) or bot_id
    named = name or user_name
    return Sighting(
        id=user_id or (f"name:{named}" if named else UNKNOWN_USER_ID),
        handle=profile.text("name") or named,
        name=user_name or name,
        is_bot=bool(bot_id) or entry.text("subtype") == "bot_message",
    )


def complete_users(listed: Sequence[SlackUser], sightings: Iterable[Sighting]) -> tuple[SlackUser, ...]:
    """Everybody once, listed users first, with handles made valid and unique.

    Of users with the same handle the first one who is not deleted keeps it, the others get their id behind it.
    """
    known = {user.id for user in listed}
    role = Role.GUEST if known else Role.MEMBER
    unlisted = sorted(
        (_unlisted_user(seen, role) for seen in sightings if seen.id not in known), key=lambda user: user.id
    )
    users = [*listed, *unlisted]
    taken: set[str] = set()
    named = {user.id: _with_handle(user, taken) for user in sorted(users, key=lambda user: user.is_deleted)}
    return tuple(named[user.id] for user in users)


def _listed_user(user_id: str, entry: Node) -> SlackUser:
    profile = entry.node("profile")
    display_name = profile.text("display_name")
    real_name = entry.text("real_name") or profile.text("real_name")
    email = _email(entry)
    return SlackUser(
        id=user_id,
        handle=entry.text("name") or display_name or real_name,
        real_name=real_name,
        display_name=display_name,
        email=email if _can_log_in(email) else None,
        role=_role(entry),
        is_primary_owner=entry.flag("is_primary_owner"),
        is_deleted=entry.flag("deleted"),
        is_bot=entry.flag("is_bot") or user_id == SLACKBOT_ID,
    )


def _email(entry: Node) -> str:
    return entry.node("profile").text("email").strip()


def _can_log_in(email: str) -> bool:
    try:
        msgspec.convert(email, Email)
    except msgspec.ValidationError:
        return False
    return True


def _role(entry: Node) -> Role:
    """Whoever is a guest in any way is nothing more, whatever the other flags say; bots have no rights to hand on."""
    if any(map(entry.flag, ("is_restricted", "is_ultra_restricted", "is_stranger"))):
        return Role.GUEST
    if entry.flag("is_bot"):
        return Role.MEMBER
    if entry.flag("is_owner") or entry.flag("is_primary_owner"):
        return Role.OWNER
    return Role.ADMIN if entry.flag("is_admin") else Role.MEMBER


def _unlisted_user(seen: Sighting, role: Role) -> SlackUser:
    is_slackbot = seen.id == SLACKBOT_ID
    handle = seen.handle or ("slackbot" if is_slackbot else "")
    name = seen.name or handle
    is_bot = seen.is_bot or is_slackbot
    return SlackUser(
        id=seen.id, handle=handle, real_name=name, display_name=name, role=role, is_bot=is_bot, listed=False
    )


def _with_handle(user: SlackUser, taken: set[str]) -> SlackUser:
    """Give the user a handle that nobody has, and take it."""
    user_id = _as_handle(user.id) or "user"
    wanted = _as_handle(user.handle) or user_id
    spellings = [wanted, f"{wanted[: HANDLE_CHARS_MAX - len(user_id) - 1]}-{user_id}"[:HANDLE_CHARS_MAX]]
    handle = next((spelling for spelling in spellings if spelling.casefold() not in taken), "")
    number = 2
    while not handle or handle.casefold() in taken:
        handle = f"{wanted[: HANDLE_CHARS_MAX - 12]}-{number}"
        number += 1
    taken.add(handle.casefold())
    name = user.real_name or user.display_name or handle
    return msgspec.structs.replace(user, handle=handle, real_name=user.real_name or name)


def _as_handle(name: str) -> str:
    return _NOT_IN_HANDLES.sub("-", name)[:HANDLE_CHARS_MAX].strip("-.")  # a mention ends with a letter
