"""What a bot's token may be used for: a closed list of words, and what each lets a bot do.

What is not in these tables no bot may do, so a new route is closed to them until somebody decides.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from nottermost_chat.errors import Forbidden
from nottermost_chat.protocol import (
    Authenticate,
    ClientFrame,
    Delivered,
    MessageDelete,
    MessageEdit,
    MessageSend,
    Ping,
    PresenceWatch,
    ReactionSet,
    Read,
    Resume,
    TypingSend,
)


class Scope(StrEnum):
    """A word in a token."""

    MESSAGES_READ = "messages:read"  # history, threads, search, read marks; the socket, which delivers messages
    MESSAGES_WRITE = "messages:write"  # send, edit and delete its own; begin a conversation with one person
    REACTIONS_WRITE = "reactions:write"
    CHANNELS_READ = "channels:read"  # which workspaces, channels and members there are
    CHANNELS_JOIN = "channels:join"  # join and leave channels, answer invitations
    USERS_READ = "users:read"  # profiles and presence
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"


FOR_ANY: Final = frozenset({"me"})  # the token's own bot

# By the names of the functions that answer them (`nottermost_chat.api`).
ROUTES: Final[Mapping[str, Scope]] = {
    route: scope
    for scope, routes in {
        Scope.MESSAGES_READ: (
            "read_history get_message read_thread mark_read mark_delivered list_receipts search_messages"
        ),
        Scope.MESSAGES_WRITE: "send edit delete_message restore open_direct",
        Scope.REACTIONS_WRITE: "react",
        Scope.CHANNELS_READ: (
            "list_workspaces get_workspace list_workspace_members list_teams browse_channels list_conversations"
            " get_conversation list_members quick_search"
        ),
        Scope.CHANNELS_JOIN: "join leave list_invites decline",
        Scope.USERS_READ: "get_users get_user get_presence",
        Scope.FILES_READ: "list_files",
        Scope.FILES_WRITE: "announce_upload",
    }.items()
    for route in routes.split()
}

# None: whoever is on the socket.
FRAMES: Final[Mapping[type[ClientFrame], Scope | None]] = {
    Authenticate: None,
    Ping: None,
    MessageSend: Scope.MESSAGES_WRITE,
    MessageEdit: Scope.MESSAGES_WRITE,
    MessageDelete: Scope.MESSAGES_WRITE,
    TypingSend: Scope.MESSAGES_WRITE,
    ReactionSet: Scope.REACTIONS_WRITE,
    Read: Scope.MESSAGES_READ,
    Delivered: Scope.MESSAGES_READ,
    Resume: Scope.MESSAGES_READ,
    PresenceWatch: Scope.USERS_READ,
}

Scopes = frozenset[str] | None  # None: a person, who may do everything that they may do


def check_route(scopes: Scopes, route: str) -> None:
    """Raises Forbidden."""
    if scopes is None or route in FOR_ANY:
        return
    wanted = ROUTES.get(route)
    if wanted is None:
        raise Forbidden("bots may not do this, whatever their scopes")
    _require(scopes, wanted)


def check_frame(scopes: Scopes, frame: ClientFrame) -> None:
    """Raises Forbidden."""
    if scopes is not None and (wanted := FRAMES[type(frame)]) is not None:
        _require(scopes, wanted)


def check_socket(scopes: Scopes) -> None:
    """Raises Forbidden: a socket delivers messages."""
    if scopes is not None:
        _require(scopes, Scope.MESSAGES_READ)


def _require(scopes: Iterable[str], wanted: Scope) -> None:
    if wanted not in scopes:
        raise Forbidden(f"this token lacks the scope {wanted}: ask an admin for a token that has it")
