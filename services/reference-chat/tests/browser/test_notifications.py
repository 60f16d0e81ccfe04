"""Notifications at a real browser: permission, subscription, what the service worker shows and takes back, mutes, quiet hours."""

import asyncio
import json
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import CDPSession, expect

from nottermost_chat.notify.keys import encode
from nottermost_chat.testing.browser import People, Person
from nottermost_chat.testing.cluster import ON_CLUSTER
from nottermost_chat.testing.process import Chat, OwnChat
from nottermost_chat.testing.push_services import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VAPID_KEY = encode(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big"))
WITH_KEY = {"NOTTERMOST_VAPID_KEY": VAPID_KEY}
SHOWN = "navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) => all.map(({ title, tag }) => ({ title, tag })))"
# Debian's Chromium has no push service to subscribe at: this answers as one would.
SUBSCRIPTION = """({ endpoint, p256dh, auth }) => {
  PushManager.prototype.subscribe = async ({ applicationServerKey, userVisibleOnly }) => {
    if (!userVisibleOnly || applicationServerKey.length !== 65) throw new Error("subscribed wrongly");
    return { toJSON: () => ({ endpoint, keys: { p256dh, auth } }) };
  };
}"""


async def allow(person: Person, chat: Chat) -> None:
    """The browser's own question is answered with yes."""
    await person.context.grant_permissions(["notifications"], origin=chat.url)


async def turn_on(person: Person) -> None:
    """Through the settings, as a user does it."""
    page = person.page
    await page.evaluate("import('/assets/components/settings.js').then((each) => each.openSettings())")
    await page.get_by_role("tab", name="Notifications").click()
    box = page.get_by_label(re.compile("^Notify me of mentions"))
    await box.uncheck()  # where the browser allows them they are on
    await box.check()


async def deliver(person: Person, told: dict[str, Any]) -> None:
    """A push reaches the service worker, as the browser hands it over once it has decrypted it."""
    cdp: CDPSession = await person.context.new_cdp_session(person.page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def learn(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if each["scopeURL"].startswith(person.url) and not found.done():
                found.set_result(each["registrationId"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", learn)
    await cdp.send("ServiceWorker.enable")
    async with asyncio.timeout(10):
        registration_id = await found
    message = {"origin": f"{person.url}/", "registrationId": registration_id, "data": json.dumps(told)}
    await cdp.send("ServiceWorker.deliverPushMessage", message)
    await cdp.detach()


async def shown(person: Person, wanted: list[dict[str, str]]) -> None:
    """Waits until exactly these are shown."""
    await person.page.wait_for_function(
        f"async (wanted) => JSON.stringify(await {SHOWN}) === wanted", arg=json.dumps(wanted, separators=(",", ":"))
    )


@pytest.mark.parametrize("own_chat", [WITH_KEY, ON_CLUSTER], indirect=True)
async def test_a_push_is_shown_and_taken_back(own_chat: OwnChat, people: People) -> None:
    """Permission, subscription, a push while the page looks away, and reading elsewhere."""
    ann, bob = await people.arrive_all(own_chat.url, "Ann", "Bob")
    direct = await ann.direct(bob)
    browser = Browser()
    keys = {"endpoint": "https://push.example.com/abc", "p256dh": browser.public_key, "auth": browser.auth_secret}
    await bob.context.add_init_script(f"({SUBSCRIPTION})({json.dumps(keys)})")
    await allow(bob, own_chat)
    await bob.log_in()
    await turn_on(bob)
    await expect(bob.page.get_by_label(re.compile("^Notify me of mentions"))).to_be_checked()

    async def subscribed() -> bool:
        return bool((await bob.rest.call("GET", "/api/notifications/push"))["devices"])

    async with asyncio.timeout(15):
        while not await subscribed():  # noqa: ASYNC110 - the page tells nobody
            await asyncio.sleep(0.05)
    await bob.page.keyboard.press("Escape")
    elsewhere = await bob.context.new_page()
    await elsewhere.goto("about:blank")
    await elsewhere.bring_to_front()
    told = {"news": "mention", "title": "You were mentioned", "conversation_id": direct, "seq": 2, "badge": 1}
    await deliver(bob, told)
    await shown(bob, [{"title": "You were mentioned", "tag": direct}])
    await deliver(bob, told | {"news": "message", "title": "New message", "seq": 3, "badge": 2})
    await shown(bob, [{"title": "You were mentioned", "tag": direct}])
    await deliver(bob, told | {"news": "read", "title": "", "badge": 0})
    await shown(bob, [])


@pytest.mark.parametrize("own_chat", [WITH_KEY, ON_CLUSTER], indirect=True)
async def test_without_a_push_service(own_chat: OwnChat, people: People) -> None:
    """A browser that reaches none says so, and notifies while its page is open."""
    bob = await people.arrive(own_chat.url, "Bob")
    bob.tolerated.append("does not support the Push API in incognito mode")
    await allow(bob, own_chat)
    await bob.log_in()
    await turn_on(bob)
    await expect(bob.page.get_by_role("status").filter(has_text="cannot reach its push service")).to_be_visible()
    await expect(bob.page.get_by_label(re.compile("^Notify me of mentions"))).to_be_checked()


@pytest.mark.parametrize("own_chat", [{}], indirect=True)
async def test_without_a_key(own_chat: OwnChat, people: People) -> None:
    """A chat without a key says that nothing is pushed; there is no service worker."""
    bob = await people.arrive(own_chat.url, "Bob")
    await allow(bob, own_chat)
    await bob.log_in()
    await turn_on(bob)
    await expect(bob.page.get_by_role("status").filter(has_text="pushes are not set up here")).to_be_visible()
    assert await bob.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


async def test_a_muted_conversation_wants_no_attention(chat: Chat, people: People) -> None:
    """Muting takes the badge away, here and on another device, and undoing it brings it back."""
    ann, bob = await people.arrive_all(chat.url, "Ann", "Bob")
    workspace = await ann.workspace("Harbour", bob)
    await ann.channel(workspace, "arrivals", bob)
    await ann.direct(bob)
    phone = await people.arrive(chat.url, "Phone", account=False)
    await bob.log_in()
    await phone.log_in(email=bob.email)
    await phone.open("arrivals")
    await bob.open("Ann")
    await bob.page.get_by_role("button", name="Ann, details").click()
    await bob.pane.get_by_role("button", name="Notifications: all messages").click()
    await bob.page.get_by_role("menuitemradio", name="Nothing").click()
    await expect(bob.pane.get_by_role("button", name="Muted")).to_be_visible()
    await bob.open("arrivals")
    await ann.say(await ann.direct(bob), "One")
    for device in (bob, phone):
        await expect(device.side_bar.get_by_role("link", name="Ann, unread")).to_be_visible()
    path = f"/api/notifications/conversations/{await ann.direct(bob)}"
    await bob.rest.call("PUT", path, {"notify": None})
    for device in (bob, phone):
        await expect(device.side_bar.get_by_role("link", name="Ann, 1 unread")).to_be_visible()


async def test_quiet_hours_and_pauses(chat: Chat, people: People) -> None:
    """Hours are kept in the browser's own time zone, a pause ends when one wants it to."""
    bob = await people.arrive(chat.url, "Bob", timezone_id="Europe/Vienna")
    await bob.log_in()
    page = bob.page
    await page.evaluate("import('/assets/components/settings.js').then((each) => each.openSettings())")
    await page.get_by_role("tab", name="Notifications").click()
    await page.get_by_label("Every night from").fill("22:30")
    await page.get_by_label("to", exact=True).fill("07:00")
    await page.get_by_role("button", name="Save hours").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await page.get_by_role("button", name="2 hours").click()
    await expect(page.get_by_text(re.compile("^Paused until"))).to_be_visible()
    kept = await bob.rest.call("GET", "/api/notifications/settings")
    assert kept["time_zone"] == "Europe/Vienna"
    assert {(each["start_minute"], each["end_minute"]) for each in kept["quiet"]} == {(1350, 420)}
    assert len(kept["quiet"]) == 7
    assert kept["paused_until"]
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="2 hours")).to_be_visible()
    await expect(page.get_by_label("Every night from")).to_have_value("22:30")
