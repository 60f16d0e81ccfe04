"""Apple's devices, through APNs: HTTP/2 with a provider token."""

from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

from nottermost_chat.clock import Clock
from nottermost_chat.directory import PushKind, Subscription
from nottermost_chat.notify.keys import ApnsKey
from nottermost_chat.notify.line import Answer, Line
from nottermost_chat.notify.port import NOTICE_S, News, Notice, Outcome, Sent

TOKEN_S: Final = 40 * 60.0  # Apple takes it for an hour, and wants no new one within 20 minutes
GONE: Final = frozenset({"BadDeviceToken", "Unregistered", "ExpiredToken"})
OURS: Final = frozenset(  # our key's fault: it must cost no device its subscription
    {"ExpiredProviderToken", "InvalidProviderToken", "MissingProviderToken", "BadTopic", "TopicDisallowed"}
)

_encode = msgspec.json.Encoder().encode


class _Refusal(msgspec.Struct):
    reason: str


class Apns:
    """PushService for Apple's devices. APNs sets the badge by itself; a READ wakes the app, which removes what is shown."""

    kind: ClassVar[PushKind] = PushKind.APNS

    def __init__(self, line: Line, key: ApnsKey, url: str, clock: Clock) -> None:
        self._line, self._key, self._url, self._clock = line, key, url.rstrip("/"), clock
        self._signer = ECKey.import_key(key.key)
        self._token, self._signed_at = "", float("-inf")

    async def send(self, subscription: Subscription, notice: Notice) -> Sent:
        headers = {
            "authorization": f"bearer {self._provider_token()}",
            "apns-topic": self._key.topic,
            "apns-push-type": "alert",  # for a READ too: `background` may not set the badge
            "apns-priority": "5" if notice.news is News.READ else "10",
            "apns-expiration": str(self._clock.now_ms() // 1000 + NOTICE_S),
            "apns-collapse-id": notice.topic,
        }
        url = f"{self._url}/3/device/{quote(subscription.address, safe='')}"
        sent = await self._line.post(url, headers=headers, content=_encode_payload(notice), judge=_judge)
        if sent.reason == "ExpiredProviderToken":
            self._signed_at = float("-inf")
        return sent

    def _provider_token(self) -> str:
        now = self._clock.monotonic()
        if now - self._signed_at >= TOKEN_S:
            claims = {"iss": self._key.team_id, "iat": self._clock.now_ms() // 1000}
            self._token = jwt.encode({"alg": "ES256", "kid": self._key.key_id}, claims, self._signer)
            self._signed_at = now
        return self._token


def _encode_payload(notice: Notice) -> bytes:
    """As Apple wants it; what is beside `aps` is for the app."""
    aps: dict[str, Any] = {"badge": notice.badge}
    if notice.news is News.READ:
        aps["content-available"] = 1
    else:
        aps |= {"alert": {"title": notice.title}, "sound": "default", "thread-id": notice.conversation_id}
    app = {"news": notice.news, "conversation_id": notice.conversation_id, "seq": notice.seq}
    return _encode({"aps": aps, **app})


def _judge(answer: Answer) -> Sent:
    if answer.status < 300:
        return Sent(Outcome.SENT)
    try:
        reason = msgspec.json.decode(answer.body, type=_Refusal).reason
    except msgspec.DecodeError:
        return Sent(Outcome.REFUSED, str(answer.status))
    if answer.status == 410 or reason in GONE:
        return Sent(Outcome.GONE, reason)
    return Sent(Outcome.LATER if reason in OURS else Outcome.REFUSED, reason)
