"""What an entry of a day file is, told from the entry alone, and the words of the report."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from .node import Node


class Kind(StrEnum):
    """What an entry is, when it is not skipped at once."""

    MESSAGE = "message"
    JOIN = "join"
    LEAVE = "leave"
    EDIT = "edit"  # message_changed: a later version of another entry
    DELETE = "delete"  # message_deleted


class Skip(StrEnum):
    """Why an entry is neither message nor membership event. Part of the report: never renamed."""

    NOT_AN_OBJECT = "not_an_object"
    NOT_A_MESSAGE = "not_a_message"
    EMPTY = "empty"
    UNKNOWN_SUBTYPE = "unknown_subtype"  # and nothing in it that could be shown
    HIDDEN = "hidden"  # Slack does not show it either
    MEMBERSHIP_WITHOUT_USER = "membership_without_user"
    REPLY_NOTICE = "reply_notice"  # message_replied: the reply itself is another entry
    TOMBSTONE = "tombstone"  # what a deleted root leaves behind
    DELETED = "deleted"  # by another entry
    DELETE_APPLIED = "delete_applied"
    DELETE_WITHOUT_TARGET = "delete_without_target"
    EDIT_APPLIED = "edit_applied"
    EDIT_OUTDATED = "edit_outdated"  # the target shows a later version already
    EDIT_OF_DELETED = "edit_of_deleted"
    EDIT_WITHOUT_MESSAGE = "edit_without_message"


class Note(StrEnum):
    """What was kept but not as it stood. Part of the report: never renamed."""

    CHARACTERS_REPLACED = "characters_replaced"  # U+0000 and lone surrogates, by U+FFFD
    TEXT_CUT = "text_cut"
    TEXT_EMPTY = "text_empty"  # a message without anything to show
    TIME_GUESSED = "time_guessed"  # no time stamp that can be read
    REPLY_BEFORE_ROOT = "reply_before_root"  # no reply then
    REACTION_WITHOUT_USER = "reaction_without_user"  # Slack counts more than it names
    REACTION_WITHOUT_NAME = "reaction_without_name"
    EMAIL_INVALID = "email_invalid"  # nobody could log in with it
    LIST_ENTRY_LEFT_OUT = "list_entry_left_out"  # of users or conversations: no object, no id, or an id again


_MEMBERSHIP: Final = {
    f"{where}_{verb}": kind
    for where in ("channel", "group", "mpim", "mpdm")
    for verb, kind in (("join", Kind.JOIN), ("leave", Kind.LEAVE))
}
_WRAPPERS: Final[Mapping[str, Kind | Skip]] = {
    "message_changed": Kind.EDIT,
    "message_deleted": Kind.DELETE,
    "message_replied": Skip.REPLY_NOTICE,
    "tombstone": Skip.TOMBSTONE,
}
BROADCASTS: Final = frozenset({"thread_broadcast", "reply_broadcast"})
_SAID: Final = BROADCASTS | {
    "", "me_message", "bot_message", "file_share", "file_comment", "file_mention", "slackbot_response",
}  # fmt: skip
NOTES: Final = frozenset(
    [
        f"{where}_{what}"
        for where in ("channel", "group")
        for what in ("topic", "purpose", "name", "archive", "unarchive", "convert_to_private", "convert_to_public",
                     "posting_permissions", "canvas_updated")
    ]
    + ["pinned_item", "unpinned_item", "reminder_add", "reminder_delete", "sh_room_created", "sh_room_shared",
       "huddle_thread", "bot_add", "bot_remove", "bot_enable", "bot_disable", "tabbed_canvas_updated",
       "joiner_notification", "joiner_notification_for_inviter", "app_conversation_join", "app_conversation_leave",
       "ekm_access_denied"]
)  # fmt: skip


def classify(entry: Node) -> Kind | Skip:
    """What an entry is, told from the entry alone."""
    subtype = entry.text("subtype")
    if subtype in _MEMBERSHIP:
        return _MEMBERSHIP[subtype] if entry.text("user") else Skip.MEMBERSHIP_WITHOUT_USER
    if subtype == "message_changed" and entry.node("message").text("subtype") == "tombstone":
        return Kind.DELETE
    if subtype in _WRAPPERS:
        return _WRAPPERS[subtype]
    if entry.flag("hidden"):
        return Skip.HIDDEN
    if _has_content(entry):
        return Kind.MESSAGE
    if entry.text("type") not in ("message", ""):
        return Skip.NOT_A_MESSAGE
    if subtype not in _SAID and subtype not in NOTES:
        return Skip.UNKNOWN_SUBTYPE
    was_said = entry.text("type") and entry.text("user") + entry.text("bot_id") and entry.time_us("ts")
    return Kind.MESSAGE if was_said else Skip.EMPTY


def files_of(entry: Node) -> list[Node]:
    """The files that an entry shares; old exports have one, in a field of its own."""
    return entry.nodes("files") or [file for file in [entry.node("file")] if file]


def _has_content(entry: Node) -> bool:
    lists = ("blocks", "attachments")
    return bool(entry.text("text").strip() or any(entry.nodes(name) for name in lists) or files_of(entry))
