"""Android, through the HTTP v1 interface of Firebase Cloud Messaging."""

from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

import msgspec
from joserfc import jwt
from joserfc.jwk import RSAKey

from nottermost_chat.clock import Clock
from nottermost_chat.directory import PushKind, Subscription
from nottermost_chat.notify.keys import FcmAccount
from nottermost_chat.notify.line import Answer, Line
from nottermost_chat.notify.port import NOTICE_S, News, Notice, Outcome, Sent

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTED_S: Final = 3600  # what Google takes at most
RENEW_BEFORE_S: Final = 60.0
GONE: Final = "UNREGISTERED"  # a 404 without it may be a project that does not exist
OURS: Final = frozenset({401, 403})  # our account's fault: it must cost no device its subscription
WRONG_SENDER: Final = "SENDER_ID_MISMATCH"  # a 403 that is the token's fault: it is of another project

_encode = msgspec.json.Encoder().encode


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float


class _Detail(msgspec.Struct):
    error_code: str = msgspec.field(default="", name="errorCode")


class _Error(msgspec.Struct):
    status: str = ""
    details: list[_Detail] = []


class _Refusal(msgspec.Struct):
    error: _Error


class Fcm:
    """PushService for Android. FCM takes nothing back: the app removes what it shows when the data of a READ comes."""

    kind: ClassVar[PushKind] = PushKind.FCM

    def __init__(self, line: Line, account: FcmAccount, url: str, clock: Clock) -> None:
        self._line, self._account, self._clock = line, account, clock
        self._signer = RSAKey.import_key(account.private_key)
        self._url = f"{url.rstrip('/')}/v1/projects/{quote(account.project_id)}/messages:send"
        self._token, self._good_until = "", float("-inf")

    async def send(self, subscription: Subscription, notice: Notice) -> Sent:
        if self._clock.monotonic() >= self._good_until:
            renewed = await self._renew()
            if renewed.outcome is not Outcome.SENT:
                return renewed
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        content = _encode_message(subscription.address, notice)
        sent = await self._line.post(self._url, headers=headers, content=content, judge=_judge)
        if sent.reason == "UNAUTHENTICATED":
            self._good_until = float("-inf")
        return sent

    async def _renew(self) -> Sent:
        """Exchange an assertion for an access token (RFC 7523)."""
        asked_at = self._clock.monotonic()

        def judge(answer: Answer) -> Sent:
            try:
                token = msgspec.json.decode(answer.body, type=_Token)
            except msgspec.DecodeError:
                return Sent(Outcome.LATER, f"no access token: {answer.status}")
            self._token, self._good_until = token.access_token, asked_at + token.expires_in - RENEW_BEFORE_S
            return Sent(Outcome.SENT)

        content = urlencode({"grant_type": GRANT, "assertion": self._assert()}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self._line.post(self._account.token_uri, headers=headers, content=content, judge=judge)

    def _assert(self) -> str:
        now = self._clock.now_ms() // 1000
        account = self._account
        times = {"iat": now, "exp": now + ASSERTED_S}
        claims = {"iss": account.client_email, "scope": SCOPE, "aud": account.token_uri, **times}
        return jwt.encode({"typ": "JWT", "alg": "RS256", "kid": account.private_key_id}, claims, self._signer)


def _encode_message(token: str, notice: Notice) -> bytes:
    """As FCM wants it: Android shows the notification by itself, the app gets the data."""
    shown = notice.news is not News.READ
    android: dict[str, Any] = {
        "collapse_key": notice.topic,  # FCM keeps those of four conversations for a device that is off
        "priority": "HIGH" if shown else "NORMAL",
        "ttl": f"{NOTICE_S}s",
    }
    data = {
        "news": notice.news, "conversation_id": notice.conversation_id, "seq": str(notice.seq),
        "badge": str(notice.badge), "tag": notice.topic,
    }  # fmt: skip
    message: dict[str, Any] = {"token": token, "data": data, "android": android}
    if shown:
        message["notification"] = {"title": notice.title}
        android["notification"] = {"tag": notice.topic, "notification_count": notice.badge}
    return _encode({"message": message})


def _judge(answer: Answer) -> Sent:
    if answer.status < 300:
        return Sent(Outcome.SENT)
    try:
        error = msgspec.json.decode(answer.body, type=_Refusal).error
    except msgspec.DecodeError:
        error = _Error(str(answer.status))
    code = next((detail.error_code for detail in error.details if detail.error_code), error.status)
    if code == GONE:
        return Sent(Outcome.GONE, code)
    ours = answer.status in OURS and code != WRONG_SENDER
    return Sent(Outcome.LATER if ours else Outcome.REFUSED, code)
