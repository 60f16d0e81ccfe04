"""What brings a notice to a device: one port, an adapter for each kind of push service."""

import hashlib
from base64 import urlsafe_b64encode
from enum import StrEnum
from typing import ClassVar, Final, Protocol

import msgspec

from nottermost_chat.directory import PushKind, Subscription

NOTICE_S: Final = 4 * 3600  # how long a push service keeps it for a device that is off; later the badge tells enough
TOPIC_CHARS: Final = 32  # what Web Push allows


class News(StrEnum):
    """What a notice tells."""

    MESSAGE = "message"
    MENTION = "mention"
    READ = "read"  # on another device: take the notification back


TITLES: Final = {News.MESSAGE: "New message", News.MENTION: "You were mentioned"}


class Notice(msgspec.Struct, frozen=True):
    """All that a push service and a locked screen get to know: neither who wrote nor what.

    Attributes:
        badge: what waits for the user, in all conversations.
    """

    news: News
    conversation_id: str
    seq: int
    badge: int

    @property
    def title(self) -> str:
        """ "" for what is not shown."""
        return TITLES.get(self.news, "")

    @property
    def topic(self) -> str:
        """A later notice of one topic replaces the earlier one, on its way and on the screen; tells nothing by itself."""
        digest = hashlib.sha256(self.conversation_id.encode()).digest()
        return urlsafe_b64encode(digest).decode()[:TOPIC_CHARS]


class Outcome(StrEnum):
    SENT = "sent"
    GONE = "gone"  # the device does not take pushes at this address any more
    REFUSED = "refused"  # repeating it would not help
    LATER = "later"


class Sent(msgspec.Struct, frozen=True):
    """What became of a push.

    Attributes:
        reason: in the service's own word, for the log.
        after_s: later: how long to wait; 0: as usual.
    """

    outcome: Outcome
    reason: str = ""
    after_s: float = 0.0


class PushService(Protocol):
    """One kind of push service.

    Promises: `send` returns within the time limit of the policy and never raises for what the service
    or the network does; the same notice again replaces itself. Neither address nor keys reach a log.
    """

    kind: ClassVar[PushKind]

    async def send(self, subscription: Subscription, notice: Notice) -> Sent: ...
