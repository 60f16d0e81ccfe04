"""Reads a Slack export: pure reading and normalising, nothing is stored.

with open_export(path) as export:
    for conversation in export.conversations:
        reading = export.read(conversation)
"""

from .archive import LIMITS, ArchiveLimits, DamagedExport, NotAnExport, SlackExportError, UnsafeExport
from .kinds import Note, Skip
from .markup import Names, Rendered, to_text
from .reader import Export, open_export
from .records import (
    UNKNOWN_USER_ID,
    EntryKey,
    FileReference,
    Reading,
    Record,
    SlackConversation,
    SlackMembership,
    SlackMessage,
    SlackReaction,
    SlackUser,
    Tally,
    UnreadableFile,
)

__all__ = [
    "LIMITS",
    "UNKNOWN_USER_ID",
    "ArchiveLimits",
    "DamagedExport",
    "EntryKey",
    "Export",
    "FileReference",
    "Names",
    "NotAnExport",
    "Note",
    "Reading",
    "Record",
    "Rendered",
    "Skip",
    "SlackConversation",
    "SlackExportError",
    "SlackMembership",
    "SlackMessage",
    "SlackReaction",
    "SlackUser",
    "Tally",
    "UnreadableFile",
    "UnsafeExport",
    "open_export",
    "to_text",
]
