"""The routes below /api/notifications: what they take, refuse and keep."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.bootstrap import open_services
from nottermost_chat.notify.keys import PushKeys, parse_push_keys
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Secrets, Settings
from nottermost_chat.testing.people import Person, ShiftedClock
from nottermost_chat.testing.push_services import Browser

PUSH = "/api/notifications/push"
SETTINGS = "/api/notifications/settings"
ENDPOINT = "https://updates.push.example.com/wpush/v2/abc"


@pytest.fixture
def keys(vapid_secret: str) -> PushKeys:
    """Web Push is on, the rest is off."""
    return parse_push_keys(Secrets(vapid_key=vapid_secret))


@pytest.fixture
async def services(tmp_path: Path, clock: ShiftedClock, keys: PushKeys) -> AsyncIterator[Embedded]:
    async with open_services(Settings(data=tmp_path / "data", port=0), clock, push_keys=keys) as services:
        yield services


def browser(**more: str) -> dict[str, str]:
    made = Browser()
    known = {"kind": "webpush", "address": ENDPOINT, "public_key": made.public_key, "auth_secret": made.auth_secret}
    return known | more


async def test_what_is_on(ann: Person, keys: PushKeys) -> None:
    """The page learns the key to subscribe with, an app that its kind is off."""
    assert keys.vapid is not None
    view = await ann.get(PUSH)
    assert view == {"kinds": ["webpush"], "vapid_public_key": keys.vapid.public, "devices": []}
    refused = await ann.put(PUSH, {"kind": "fcm", "address": "token"}, status=409)
    assert refused["code"] == "push_off"


async def test_subscribing_replaces_and_ends(ann: Person) -> None:
    """One subscription a device; addresses are not shown to anybody."""
    await ann.put(PUSH, browser())
    view = await ann.put(PUSH, browser(address=ENDPOINT + "d"))
    assert [(each["kind"], each["current"]) for each in view["devices"]] == [("webpush", True)]
    assert ENDPOINT not in str(view)
    await ann.delete(PUSH)
    await ann.delete(PUSH)
    assert (await ann.get(PUSH))["devices"] == []


async def test_an_address_is_one_devices(services: Embedded, ann: Person, bob: Person) -> None:
    """A browser in which somebody else signs in takes its address along: what is for ann stays away from bob's eyes."""
    await ann.put(PUSH, browser())
    await bob.put(PUSH, browser())
    notifications = services.directory.notifications
    assert await notifications.subscriptions(ann.user_id) == []
    assert len(await notifications.subscriptions(bob.user_id)) == 1
    assert await notifications.subscribed([ann.user_id, bob.user_id]) == {bob.user_id}


NOWHERE = [
    {"address": "http://updates.push.example.com/abc"},
    {"address": "https://127.0.0.1/abc"},
    {"address": "https://169.254.169.254/latest/meta-data"},
    {"address": "https://[::1]/abc"},
    {"address": "https://localhost/abc"},
    {"address": "https://user@push.example.com/abc"},
    {"address": "ftp://push.example.com/abc"},
    {"address": "nonsense"},
    {"public_key": "AAAA"},
    {"public_key": ""},
    {"auth_secret": "AAAA"},
    {"kind": "pigeon"},
]


async def test_subscriptions_that_lead_nowhere(ann: Person) -> None:
    """Not https, our own network, no keys: refused before anything is sent."""
    for change in NOWHERE:
        await ann.put(PUSH, browser(**change), status=400)
    assert (await ann.get(PUSH))["devices"] == []


async def test_quiet_hours(ann: Person) -> None:
    """They are kept as they were said, and replaced as a whole."""
    usual: dict[str, Any] = {"time_zone": "UTC", "paused_until": None, "quiet": [], "conversations": []}
    assert await ann.get(SETTINGS) == usual
    quiet = [{"weekday": day, "start_minute": 1320, "end_minute": 420} for day in range(7)]
    wanted = {"time_zone": "Europe/Vienna", "paused_until": "2030-01-01T00:00:00Z", "quiet": quiet}
    assert await ann.put(SETTINGS, wanted) == usual | wanted
    assert await ann.get(SETTINGS) == usual | wanted
    assert await ann.put(SETTINGS, {"time_zone": "Asia/Tokyo"}) == usual | {"time_zone": "Asia/Tokyo"}


SENSELESS: list[dict[str, Any]] = [
    {"time_zone": "Atlantis/Capital"},
    {"time_zone": "../../etc/passwd"},
    {"time_zone": "UTC", "paused_until": "2030-01-01T00:00:00"},
    {"time_zone": "UTC", "quiet": [{"weekday": 7, "start_minute": 0, "end_minute": 1}]},
    {"time_zone": "UTC", "quiet": [{"weekday": 0, "start_minute": 0, "end_minute": 1440}]},
    {"time_zone": "UTC", "quiet": [{"weekday": 0, "start_minute": 0, "end_minute": end} for end in (1, 2)]},
]


async def test_settings_that_make_no_sense(ann: Person) -> None:
    """Refused, and nothing changes."""
    for wanted in SENSELESS:
        await ann.put(SETTINGS, wanted, status=400)
    assert (await ann.get(SETTINGS))["time_zone"] == "UTC"


async def test_the_ends_of_time(ann: Person) -> None:
    """Times that no calendar of ours reaches are taken for the nearest that it does."""
    for time in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        await ann.put(SETTINGS, {"time_zone": "UTC", "paused_until": time})
        assert (await ann.get(SETTINGS))["paused_until"]


async def test_a_conversation_by_itself(services: Embedded, ann: Person, bob: Person, clock: ShiftedClock) -> None:
    """The usual for its kind, what was chosen, for as long as it was chosen, and the usual again."""
    group = await ann.group("G", bob)
    path = f"/api/notifications/conversations/{group}"
    assert await ann.get(path) == {"conversation_id": group, "notify": "all", "until": None}
    await ann.put(path, {"notify": "mentions"})
    assert (await ann.get(path))["notify"] == "mentions"
    assert (await bob.get(path))["notify"] == "all", "everybody chooses for themselves"
    assert [each["notify"] for each in (await ann.get(SETTINGS))["conversations"]] == ["mentions"]
    await ann.put(path, {"notify": None})
    assert (await ann.get(path))["notify"] == "all"
    await ann.put(path, {"notify": "none", "until": "2030-01-01T00:00:00Z"})
    assert (await ann.get(path))["notify"] == "none"
    clock.ahead_s += 10 * 365 * 86_400
    ann.access_token = (await services.tokens.session(ann.user_id, "years later")).access_token
    assert (await ann.get(path))["notify"] == "all"
    assert (await ann.get(SETTINGS))["conversations"] == []
