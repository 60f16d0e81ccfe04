"""Telling other programs what happens here: what they are sent, signed, and to addresses of the internet only."""

from nottermost_chat.secret_box import SecretBox, Unreadable
from nottermost_chat.webhooks.addresses import ForbiddenAddress, check_url
from nottermost_chat.webhooks.payload import TEST, HookJob, describe, sign
from nottermost_chat.webhooks.poster import Answer, Poster

__all__ = [
    "TEST",
    "Answer",
    "ForbiddenAddress",
    "HookJob",
    "Poster",
    "SecretBox",
    "Unreadable",
    "check_url",
    "describe",
    "sign",
]
