"""Everything the chat refuses, as one tree.

ChatError
├── BadRequest        400  the request itself is wrong
├── Unauthorized      401  who are you?
├── Forbidden         403  we know you, and no
├── NotFound          404  there is none, or none that you may see
├── Conflict          409  true once, not now
├── TooLarge          413
├── UnsupportedMedia  415
├── RateLimited       429
└── Unavailable       503  try again later

`code` is part of the protocol and is never renamed; the status is what REST answers. The
same code travels in a problem document and in the socket's `error` frame.
"""

from typing import ClassVar

from nottermost_conventions import NottermostError


class ChatError(NottermostError):
    """The base of what the chat refuses; the sentence is safe to show to the person who asked."""

    code: ClassVar[str] = "chat_error"
    status: ClassVar[int] = 500


class BadRequest(ChatError):
    """The request is malformed or breaks a rule that does not depend on state."""

    code = "bad_request"
    status = 400


class InvalidText(BadRequest):
    """A body is empty, too long, or holds U+0000 or a lone surrogate."""

    code = "invalid_text"


class ConsentMissing(BadRequest):
    """An account needs agreement to documents that was not given."""

    code = "consent_missing"


class UnknownFrame(BadRequest):
    """A socket frame is no JSON object of a known type."""

    code = "invalid_frame"


class Unauthorized(ChatError):
    """No valid token, or wrong credentials."""

    code = "unauthorized"
    status = 401


class BadCredentials(Unauthorized):
    """E-mail and password do not belong together."""

    code = "bad_credentials"


class TokenExpired(Unauthorized):
    """The access token was valid once: refresh it."""

    code = "token_expired"


class RefreshReused(Unauthorized):
    """A refresh token came a second time: its whole family is revoked."""

    code = "refresh_reused"


class Forbidden(ChatError):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403


class NotAMember(Forbidden):
    """The caller is not a member of the conversation."""

    code = "not_a_member"


class NotFound(ChatError):
    """There is no such thing, or none that the caller may know of."""

    code = "not_found"
    status = 404


class Conflict(ChatError):
    """The state does not allow it."""

    code = "conflict"
    status = 409


class EmailTaken(Conflict):
    """Another account has this e-mail address."""

    code = "email_taken"


class LinkRequired(Conflict):
    """An account with the identity's e-mail address is there: its owner has to show once that it is theirs."""

    code = "link_required"


class UsernameTaken(Conflict):
    """Another account has this user name."""

    code = "username_taken"


class Archived(Conflict):
    """The conversation is archived: it can be read, not written."""

    code = "archived"


class MessageGone(Conflict):
    """The message was deleted, so it cannot be edited or reacted to."""

    code = "message_deleted"


class InviteClosed(Conflict):
    """The invite was answered already, or expired."""

    code = "invite_closed"


class IdempotencyMismatch(Conflict):
    """The same Idempotency-Key came with another request."""

    code = "idempotency_mismatch"


class GroupFull(Conflict):
    """A group has as many members as it may have."""

    code = "group_full"

    def __init__(self, conversation_id: str, members: int, members_max: int) -> None:
        super().__init__(
            f"group {conversation_id} has {members} members, the limit is {members_max}: use a channel instead"
        )
        self.conversation_id, self.members, self.members_max = conversation_id, members, members_max


class PushOff(Conflict):
    """There is no key here for pushes of this kind."""

    code = "push_off"


class TooLarge(ChatError):
    """The body, frame or file is larger than allowed."""

    code = "too_large"
    status = 413


class UnsupportedMedia(ChatError):
    """The request's body is of a type that this route does not read."""

    code = "unsupported_media"
    status = 415


class UnsupportedFile(ChatError):
    """A file is not what it says, or an image unpacks to more pixels than allowed."""

    code = "unsupported_file"
    status = 422


class RangeNotSatisfiable(ChatError):
    """The Range header names bytes that the file does not have."""

    code = "range_not_satisfiable"
    status = 416


class RateLimited(ChatError):
    """A token bucket is empty."""

    code = "rate_limited"
    status = 429

    def __init__(self, what: str, retry_after_ms: int) -> None:
        super().__init__(f"too many {what}: try again in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Unavailable(ChatError):
    """A part that this needs is away or overloaded; the same request may succeed later."""

    code = "unavailable"
    status = 503


class StartError(ChatError):
    """The program cannot start: a port in use, a data folder that cannot be used."""

    code = "cannot_start"
