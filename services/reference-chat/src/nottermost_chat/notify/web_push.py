"""Browsers, through whatever service their vendor runs: RFC 8030, encrypted (RFC 8291), signed (RFC 8292)."""

from typing import ClassVar, Final

import msgspec
from joserfc import jwt
from pywebpush import WebPusher  # type: ignore[import-untyped]

from nottermost_chat.clock import Clock
from nottermost_chat.directory import PushKind, Subscription
from nottermost_chat.notify.keys import VapidKey
from nottermost_chat.notify.line import Answer, Line, origin_of
from nottermost_chat.notify.port import NOTICE_S, News, Notice, Outcome, Sent

SIGNED_S: Final = 12 * 3600  # RFC 8292 allows a day; the rest is for clocks that differ
GONE: Final = frozenset({404, 410})

_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """What the page's service worker gets."""

    news: News
    title: str
    conversation_id: str
    seq: int
    badge: int


class WebPush:
    """PushService for browsers."""

    kind: ClassVar[PushKind] = PushKind.WEBPUSH

    def __init__(self, line: Line, key: VapidKey, contact: str, clock: Clock) -> None:
        self._line, self._key, self._contact, self._clock = line, key, contact, clock

    async def send(self, subscription: Subscription, notice: Notice) -> Sent:
        told = Told(notice.news, notice.title, notice.conversation_id, notice.seq, notice.badge)
        try:
            content = encrypt(subscription, _encode(told))
        except ValueError:
            return Sent(Outcome.REFUSED, "bad subscription")
        headers = {
            "authorization": self._sign(subscription.address),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(NOTICE_S),
            "topic": notice.topic,
            "urgency": "low" if notice.news is News.READ else "high",
        }
        return await self._line.post(subscription.address, headers=headers, content=content, judge=_judge)

    def _sign(self, address: str) -> str:
        until = self._clock.now_ms() // 1000 + SIGNED_S
        claims = {"aud": origin_of(address), "sub": self._contact, "exp": until}
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._key.signer)
        return f"vapid t={token}, k={self._key.public}"


def encrypt(subscription: Subscription, content: bytes) -> bytes:
    """For that browser alone (aes128gcm). Raises ValueError when its keys are none."""
    keys = {"p256dh": subscription.public_key, "auth": subscription.auth_secret}
    pusher = WebPusher({"endpoint": subscription.address, "keys": keys})
    return bytes(pusher.encode(content, "aes128gcm")["body"])


def _judge(answer: Answer) -> Sent:
    if answer.status < 300:
        return Sent(Outcome.SENT)
    return Sent(Outcome.GONE if answer.status in GONE else Outcome.REFUSED, str(answer.status))
