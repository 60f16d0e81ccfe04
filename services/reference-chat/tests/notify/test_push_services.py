"""The three adapters against services that check what the real ones check."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from nottermost_chat.directory import PushKind, Subscription
from nottermost_chat.errors import StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.notify.keys import PushKeys, parse_push_keys
from nottermost_chat.notify.port import News, Notice, Outcome, PushService, Sent
from nottermost_chat.notify.services import open_push_services
from nottermost_chat.settings import Secrets, Settings
from nottermost_chat.testing.people import ShiftedClock
from nottermost_chat.testing.push_services import (
    Answer,
    ApnsService,
    Certificate,
    FcmService,
    Service,
    WebPushService,
    serving,
)
from nottermost_chat.trust import trusted

NOTICE = Notice(News.MENTION, "01CONVERSATION", 7, 3)
READ = Notice(News.READ, "01CONVERSATION", 7, 2)
APNS_TOKEN = "ab" * 32


@dataclass(frozen=True)
class Here:
    """A kind of push service: the adapter, the service it talks to, a device."""

    kind: PushKind
    adapter: PushService
    service: Service
    device: Subscription

    async def send(self, notice: Notice = NOTICE) -> Sent:
        return await self.adapter.send(self.device, notice)


def device(kind: PushKind, address: str, public_key: str = "", auth_secret: str = "") -> Subscription:
    return Subscription("01DEVICE", kind, address, public_key, auth_secret, created_at=0, failures=0)


def browser_at(web_push: WebPushService) -> Subscription:
    browser = web_push.subscribe()
    return device(PushKind.WEBPUSH, web_push.url + browser.path, browser.public_key, browser.auth_secret)


@pytest.fixture
async def adapters(
    keys: PushKeys,
    clock: ShiftedClock,
    web_push: WebPushService,
    fcm: FcmService,
    apns: ApnsService,
    certificate: Certificate,
) -> AsyncIterator[Mapping[PushKind, PushService]]:
    settings = Settings(push_private=True, fcm_url=fcm.url, apns_url=apns.url)
    async with open_push_services(keys, settings, Metrics(), clock, trust=certificate.trusted) as opened:
        yield opened


@pytest.fixture(params=list(PushKind))
def here(
    request: pytest.FixtureRequest, adapters: Mapping[PushKind, PushService],
    web_push: WebPushService, fcm: FcmService, apns: ApnsService,
) -> Here:  # fmt: skip
    places: dict[PushKind, tuple[Service, Subscription]] = {
        PushKind.WEBPUSH: (web_push, browser_at(web_push)),
        PushKind.FCM: (fcm, device(PushKind.FCM, "fcm-token")),
        PushKind.APNS: (apns, device(PushKind.APNS, APNS_TOKEN)),
    }
    return Here(request.param, adapters[request.param], *places[request.param])


# --- what all promise -------------------------------------------------------------------------


async def test_a_push_arrives(here: Here) -> None:
    """The service takes it: everything that it checks is right (`Service.mistakes`)."""
    assert (await here.send()).outcome is Outcome.SENT
    assert (await here.send(READ)).outcome is Outcome.SENT
    assert len(here.service.taken) == 2


async def test_busy_says_when_to_come_back(here: Here) -> None:
    """429 and 503 with Retry-After, in seconds and as a date; nothing is repeated at once."""
    here.service.answers.extend(
        [Answer(429, headers={"retry-after": "17"}), Answer(503, headers={"retry-after": "120"})]
    )
    assert await here.send() == Sent(Outcome.LATER, "429", 17.0)
    assert await here.send() == Sent(Outcome.LATER, "away", 120.0)
    here.service.answers.append(Answer(503, headers={"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"}))
    assert await here.send() == Sent(Outcome.LATER, "away", 900.0)
    assert (await here.send()).outcome is Outcome.SENT


async def test_a_service_that_is_away_is_left_alone(here: Here, clock: ShiftedClock) -> None:
    """Five failures open the breaker: then no request is made, until a probe finds it back."""
    here.service.answers.extend(Answer(500) for _ in range(5))
    for _ in range(5):
        assert await here.send() == Sent(Outcome.LATER, "away")
    came = len(here.service.raw)
    assert await here.send() == Sent(Outcome.LATER, "away")
    assert len(here.service.raw) == came
    clock.ahead_s += 3
    assert (await here.send()).outcome is Outcome.SENT


async def test_authorities_of_ones_own(
    keys: PushKeys, clock: ShiftedClock, web_push: WebPushService, certificate: Certificate, tmp_path: Path
) -> None:
    """A service whose certificate the settings name is told; with the usual ones alone it counts as away."""
    outcomes = []
    for authorities in ("", str(certificate.path)):
        settings = Settings(push_private=True, authorities=authorities)
        async with open_push_services(keys, settings, Metrics(), clock) as opened:
            sent = await opened[PushKind.WEBPUSH].send(browser_at(web_push), NOTICE)
            outcomes.append(sent.outcome)
    assert outcomes == [Outcome.LATER, Outcome.SENT]
    empty = tmp_path / "empty.pem"
    empty.touch()
    for wrong in (empty, tmp_path / "nowhere.pem"):
        with pytest.raises(StartError, match="NOTTERMOST_AUTHORITIES"):
            trusted(str(wrong))


async def test_nobody_there(keys: PushKeys, clock: ShiftedClock, certificate: Certificate) -> None:
    """A connection that is refused is no answer: later."""
    settings = Settings(fcm_url="https://127.0.0.1:1", apns_url="https://127.0.0.1:1")
    async with open_push_services(keys, settings, Metrics(), clock, trust=certificate.trusted) as opened:
        sent = await opened[PushKind.APNS].send(device(PushKind.APNS, APNS_TOKEN), NOTICE)
    assert sent == Sent(Outcome.LATER, "away")


async def test_strangers_certificates_are_refused(
    keys: PushKeys, clock: ShiftedClock, fcm: FcmService, apns: ApnsService
) -> None:
    """Without our own authority the test's certificate is nobody's."""
    settings = Settings(push_private=True, fcm_url=fcm.url, apns_url=apns.url)
    async with open_push_services(keys, settings, Metrics(), clock) as opened:
        sent = await opened[PushKind.APNS].send(device(PushKind.APNS, APNS_TOKEN), NOTICE)
    assert sent == Sent(Outcome.LATER, "away")
    assert not apns.raw


async def test_what_has_no_key_is_off(clock: ShiftedClock) -> None:
    """No adapter, and a key that is none stops the start."""
    async with open_push_services(parse_push_keys(Secrets()), Settings(), Metrics(), clock) as opened:
        assert not opened
    for name in ("vapid_key", "fcm_account", "apns_key"):
        with pytest.raises(StartError, match=f"NOTTERMOST_{name.upper()}"):
            parse_push_keys(Secrets(**{name: "nonsense"}))


def test_secrets_do_not_show(keys: PushKeys) -> None:
    """Nothing that is printed holds a key or the address of a device."""
    assert keys.fcm is not None
    assert keys.apns is not None
    shown = repr(keys) + repr(device(PushKind.FCM, "fcm-token", "public", "secret"))
    for hidden in (keys.fcm.private_key, keys.apns.key, "PRIVATE", "fcm-token", "secret"):
        assert hidden not in shown


# --- Web Push ---------------------------------------------------------------------------------


async def test_web_push_is_for_that_browser_alone(
    web_push: WebPushService, adapters: Mapping[PushKind, PushService]
) -> None:
    """The service sees a topic and an urgency; only the browser's key opens the rest."""
    assert (await adapters[PushKind.WEBPUSH].send(browser_at(web_push), NOTICE)).outcome is Outcome.SENT
    assert (await adapters[PushKind.WEBPUSH].send(browser_at(web_push), READ)).outcome is Outcome.SENT
    first, second = web_push.taken
    assert (
        first.items()
        >= {"news": "mention", "title": "You were mentioned", "seq": 7, "badge": 3, "urgency": "high"}.items()
    )
    assert first["conversation_id"] == "01CONVERSATION"
    assert second.items() >= {"news": "read", "title": "", "urgency": "low"}.items()
    assert first["topic"] == second["topic"], "a read message replaces the push that is still on its way"
    assert b"CONVERSATION" not in b"".join(request.body for request in web_push.raw)
    assert "CONVERSATION" not in first["topic"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(404, Outcome.GONE), (410, Outcome.GONE), (403, Outcome.REFUSED), (413, Outcome.REFUSED), (302, Outcome.REFUSED)],
)
async def test_web_push_answers(
    web_push: WebPushService, adapters: Mapping[PushKind, PushService], status: int, outcome: Outcome
) -> None:
    """Gone is gone; a redirect is not followed, because it could lead inside."""
    web_push.answers.append(Answer(status, headers={"location": "https://127.0.0.1/"}))
    assert await adapters[PushKind.WEBPUSH].send(browser_at(web_push), NOTICE) == Sent(outcome, str(status))


async def test_web_push_looks_at_the_address_again(
    web_push: WebPushService, keys: PushKeys, clock: ShiftedClock, certificate: Certificate
) -> None:
    """A name that leads inside by now is not called: `localhost` was let through by nobody."""
    async with open_push_services(keys, Settings(), Metrics(), clock, trust=certificate.trusted) as opened:
        browser = browser_at(web_push)
        for address in (browser.address, browser.address.replace("127.0.0.1", "localhost")):
            inside = msgspec.structs.replace(browser, address=address)
            assert await opened[PushKind.WEBPUSH].send(inside, NOTICE) == Sent(Outcome.REFUSED, "bad address")
    assert not web_push.raw


async def test_one_bad_place_does_not_close_the_others(
    web_push: WebPushService, adapters: Mapping[PushKind, PushService], certificate: Certificate, keys: PushKeys
) -> None:
    """Anybody can subscribe with an address that fails: only that address is left alone."""
    assert keys.vapid is not None
    bad = WebPushService(keys.vapid.public)
    async with serving(bad, certificate):
        bad.answers.extend(Answer(500) for _ in range(6))
        for _ in range(6):
            await adapters[PushKind.WEBPUSH].send(browser_at(bad), NOTICE)
    assert len(bad.raw) == 5
    assert (await adapters[PushKind.WEBPUSH].send(browser_at(web_push), NOTICE)).outcome is Outcome.SENT


# --- FCM --------------------------------------------------------------------------------------


async def test_fcm_shows_and_takes_back(fcm: FcmService, adapters: Mapping[PushKind, PushService]) -> None:
    """A notification that replaces itself; a READ is data for the app alone."""
    await adapters[PushKind.FCM].send(device(PushKind.FCM, "fcm-token"), NOTICE)
    await adapters[PushKind.FCM].send(device(PushKind.FCM, "fcm-token"), READ)
    shown, taken_back = fcm.taken
    assert shown["token"] == "fcm-token"
    assert shown["notification"] == {"title": "You were mentioned"}
    assert shown["android"]["notification"] == {"tag": NOTICE.topic, "notification_count": 3}
    assert "notification" not in taken_back
    assert taken_back["data"]["news"] == "read"
    assert taken_back["data"]["tag"] == shown["android"]["notification"]["tag"]
    assert fcm.tokens_given == 1, "one access token for many pushes"


async def test_fcm_renews_its_token(
    fcm: FcmService, adapters: Mapping[PushKind, PushService], clock: ShiftedClock
) -> None:
    """Before it ends, and when the service says so."""
    phone = device(PushKind.FCM, "fcm-token")
    await adapters[PushKind.FCM].send(phone, NOTICE)
    clock.ahead_s += 3600 - 30
    await adapters[PushKind.FCM].send(phone, NOTICE)
    assert fcm.tokens_given == 2
    fcm.answers.append(fcm.error(401, "UNAUTHENTICATED"))
    assert (await adapters[PushKind.FCM].send(phone, NOTICE)).outcome is Outcome.LATER
    assert (await adapters[PushKind.FCM].send(phone, NOTICE)).outcome is Outcome.SENT
    assert fcm.tokens_given == 3


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (404, "UNREGISTERED", Outcome.GONE),
        (404, "NOT_FOUND", Outcome.REFUSED),
        (400, "INVALID_ARGUMENT", Outcome.REFUSED),
        (403, "SENDER_ID_MISMATCH", Outcome.REFUSED),
        (403, "PERMISSION_DENIED", Outcome.LATER),
        (401, "THIRD_PARTY_AUTH_ERROR", Outcome.LATER),
    ],
)
async def test_fcm_answers(
    fcm: FcmService, adapters: Mapping[PushKind, PushService], status: int, code: str, outcome: Outcome
) -> None:
    """Only what says that the app is gone ends a subscription at once, and what is our fault never does."""
    fcm.answers.append(fcm.error(status, code))
    assert await adapters[PushKind.FCM].send(device(PushKind.FCM, "fcm-token"), NOTICE) == Sent(outcome, code)


async def test_a_refused_account_costs_no_device(fcm: FcmService, adapters: Mapping[PushKind, PushService]) -> None:
    """Without an access token pushes wait."""
    fcm.refuse_account = True
    assert (await adapters[PushKind.FCM].send(device(PushKind.FCM, "fcm-token"), NOTICE)).outcome is Outcome.LATER
    assert not fcm.taken


# --- APNs -------------------------------------------------------------------------------------


async def test_apns_shows_and_takes_back(apns: ApnsService, adapters: Mapping[PushKind, PushService]) -> None:
    """An alert with a badge; a READ sets the badge and wakes the app, silently."""
    await adapters[PushKind.APNS].send(device(PushKind.APNS, APNS_TOKEN), NOTICE)
    await adapters[PushKind.APNS].send(device(PushKind.APNS, APNS_TOKEN), READ)
    shown, taken_back = apns.taken
    assert shown["aps"].items() >= {"alert": {"title": "You were mentioned"}, "badge": 3}.items()
    assert taken_back["aps"] == {"badge": 2, "content-available": 1}
    assert shown["token"] == APNS_TOKEN
    assert shown["collapse_id"] == taken_back["collapse_id"] == NOTICE.topic


async def test_apns_keeps_its_token_for_less_than_an_hour(
    apns: ApnsService, adapters: Mapping[PushKind, PushService], clock: ShiftedClock
) -> None:
    """One for many pushes, a new one after 40 minutes, and when Apple says that it ended."""
    phone = device(PushKind.APNS, APNS_TOKEN)
    for _ in range(3):
        await adapters[PushKind.APNS].send(phone, NOTICE)
    assert len(apns.provider_tokens) == 1
    clock.ahead_s += 41 * 60
    await adapters[PushKind.APNS].send(phone, NOTICE)
    assert len(apns.provider_tokens) == 2
    apns.answers.append(apns.error(403, "ExpiredProviderToken"))
    assert (await adapters[PushKind.APNS].send(phone, NOTICE)).outcome is Outcome.LATER
    clock.ahead_s += 1
    assert (await adapters[PushKind.APNS].send(phone, NOTICE)).outcome is Outcome.SENT
    assert len(apns.provider_tokens) == 3


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (400, "BadDeviceToken", Outcome.GONE),
        (410, "Unregistered", Outcome.GONE),
        (400, "PayloadEmpty", Outcome.REFUSED),
        (400, "DeviceTokenNotForTopic", Outcome.REFUSED),
        (403, "InvalidProviderToken", Outcome.LATER),
    ],
)
async def test_apns_answers(
    apns: ApnsService, adapters: Mapping[PushKind, PushService], status: int, reason: str, outcome: Outcome
) -> None:
    """Apple's own words."""
    apns.answers.append(apns.error(status, reason))
    assert await adapters[PushKind.APNS].send(device(PushKind.APNS, APNS_TOKEN), NOTICE) == Sent(outcome, reason)
