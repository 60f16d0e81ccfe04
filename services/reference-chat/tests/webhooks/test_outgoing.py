"""Webhooks from the message to the receiver, through the running chat and a real server."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from nottermost_chat.directory import DeliveryState, HookEvent
from nottermost_chat.jobs import WEBHOOK, Later, Never
from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.ports import Job
from nottermost_chat.testing.receiver import Received, Receiver, receiving
from nottermost_chat.testing.running import RunningChat, User, run_chat, wait_until
from nottermost_chat.webhooks import HookJob, Poster, Unreadable, sign
from nottermost_chat.workers.webhooks import HookConsumer, HookSender, backoff_s


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[RunningChat]:
    async with run_chat(tmp_path, webhook_private=True) as chat:
        yield chat


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


class Place:
    """A workspace with a public channel, its owner, and the API as the owner uses it."""

    def __init__(self, chat: RunningChat, owner: User, workspace_id: str, channel_id: str) -> None:
        self.chat, self.owner, self.workspace_id, self.channel_id = chat, owner, workspace_id, channel_id
        self.http = httpx.AsyncClient(
            base_url=f"{chat.url}/api/workspaces/{workspace_id}", headers={"authorization": f"Bearer {owner.token}"}
        )

    async def call(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        answer = await self.http.request(method, path, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def hook(self, receiver: Receiver, *events: str, **more: Any) -> dict[str, Any]:
        return dict(
            await self.call("POST", "/webhooks", 201, url=receiver.url, events=events or list(HookEvent), **more)
        )

    async def deliveries(self, hook: dict[str, Any]) -> list[dict[str, Any]]:
        return list(await self.call("GET", f"/webhooks/{hook['webhook_id']}/deliveries"))


@pytest.fixture
async def place(chat: RunningChat) -> AsyncIterator[Place]:
    (owner,) = await chat.users("owner")
    channel_id = await chat.conversation(owner, kind=ConversationKind.CHANNEL)
    row = await chat.services.directory.conversations.get(channel_id)
    assert row is not None
    assert row.workspace_id is not None
    place = Place(chat, owner, row.workspace_id, channel_id)
    yield place
    await place.http.aclose()


def check(received: Received, secret: str) -> dict[str, Any]:
    """What the receiver of the documentation does."""
    signed = f"{received.headers['x-nottermost-timestamp']}.".encode() + received.body
    expected = "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(received.headers["x-nottermost-signature"], expected)
    told: dict[str, Any] = msgspec.json.decode(received.body)
    assert told["delivery_id"] == received.headers["x-nottermost-delivery"]
    assert told["event"] == received.headers["x-nottermost-event"]
    return told


async def test_every_event_is_told_with_the_words_of_now(place: Place, receiver: Receiver) -> None:
    """Message, edit, reaction, delete and membership, in a body signed with the hook's secret."""
    hook = await place.hook(receiver, conversation_id=place.channel_id)
    chat, owner = place.chat, place.owner
    (bob,) = await chat.users("bob")
    said = await chat.say(place.channel_id, owner, "hello there")
    told = check(await receiver.next(), hook["secret"])
    assert (told["event"], told["message"]["body"], told["actor_id"]) == ("message", "hello there", owner.user_id)
    assert told["workspace_id"] == place.workspace_id

    message_id = said.entry.message_id
    await chat.do("edit", place.channel_id, owner, message_id=message_id, body="changed")
    assert check(await receiver.next(), hook["secret"])["message"]["body"] == "changed"
    await chat.do("reaction", place.channel_id, owner, message_id=message_id, emoji="+1")
    told = check(await receiver.next(), hook["secret"])
    assert (told["event"], told["emoji"], told["on"]) == ("reaction", "+1", True)
    await chat.do("delete", place.channel_id, owner, message_id=message_id)
    told = check(await receiver.next(), hook["secret"])
    assert told["event"] == "delete"
    assert "body" not in told["message"]
    assert told["message"]["deleted_at"]
    await chat.change(place.channel_id, owner, (bob.user_id, Role.MEMBER))
    told = check(await receiver.next(), hook["secret"])
    assert told["changes"] == [{"user_id": bob.user_id, "role": "member"}]
    assert await place.deliveries(hook) == []  # what goes through leaves nothing


async def test_only_what_was_asked_for_and_may_be_known(place: Place, receiver: Receiver) -> None:
    """All public channels of the workspace: no private ones, no groups, none of other workspaces, no other events."""
    hook = await place.hook(receiver, "message")
    chat, owner = place.chat, place.owner
    private = await place.call("POST", "/channels", 201, name="secrets", private=True)
    group = await chat.conversation(owner)
    elsewhere = await chat.conversation(owner, kind=ConversationKind.CHANNEL)
    said = await chat.say(place.channel_id, owner, "first")
    for hidden in (private["conversation_id"], group, elsewhere):
        await chat.say(hidden, owner, "hidden")
    await chat.do("reaction", place.channel_id, owner, message_id=said.entry.message_id, emoji="+1")
    await chat.say(place.channel_id, owner, "last")
    told = [check(await receiver.next(), hook["secret"])["message"]["body"] for _ in range(2)]
    assert sorted(told) == ["first", "last"]
    await wait_until(lambda: nothing_waits(chat))
    assert receiver.requests.empty()


async def nothing_waits(chat: RunningChat) -> bool:
    lag = await chat.services.log.lag(HookConsumer.group)
    return not lag and not await chat.services.queues.webhook.waiting()


async def test_a_failed_delivery_is_seen_and_replayed(place: Place, receiver: Receiver) -> None:
    """It waits for its next attempt; an admin sends it again at once, under the same id, and sees that it went through."""
    hook = await place.hook(receiver, "message")
    receiver.statuses = [500]
    await place.chat.say(place.channel_id, place.owner, "hello")
    first = check(await receiver.next(), hook["secret"])

    async def is_seen() -> bool:
        return bool(await place.deliveries(hook))

    await wait_until(is_seen)
    (failed,) = await place.deliveries(hook)
    assert (failed["state"], failed["status"], failed["attempts"]) == ("retrying", 500, 1)
    assert failed["delivery_id"] == first["delivery_id"]
    await place.call("POST", f"/webhooks/{hook['webhook_id']}/deliveries/{failed['delivery_id']}/replay", 202)
    assert check(await receiver.next(), hook["secret"])["delivery_id"] == first["delivery_id"]

    async def is_delivered() -> bool:
        return [(row["state"], row["attempts"]) for row in await place.deliveries(hook)] == [("delivered", 1)]

    await wait_until(is_delivered)  # the replay's first attempt, not the second one that comes half a minute later
    await place.call("POST", f"/webhooks/{hook['webhook_id']}/deliveries/unknown/replay", 404)


async def test_gone_switches_the_webhook_off(place: Place, receiver: Receiver) -> None:
    """410 means never again; an admin may switch it on again."""
    hook = await place.hook(receiver, "message")
    receiver.statuses = [410]
    await place.chat.say(place.channel_id, place.owner, "hello")
    await receiver.next()

    async def is_off() -> bool:
        (seen,) = await place.call("GET", "/webhooks")
        return not seen["active"]

    await wait_until(is_off)
    await place.chat.say(place.channel_id, place.owner, "unheard")
    await wait_until(lambda: nothing_waits(place.chat))
    await place.call("PATCH", f"/webhooks/{hook['webhook_id']}", active=True)
    await place.chat.say(place.channel_id, place.owner, "again")
    assert check(await receiver.next(), hook["secret"])["message"]["body"] == "again"
    assert [row["state"] for row in await place.deliveries(hook)] == ["dead"]


async def test_an_admin_tries_it_out(place: Place, receiver: Receiver) -> None:
    """A test delivery, and what became of it, good or bad; it is not repeated."""
    hook = await place.hook(receiver, "message")
    started = await place.call("POST", f"/webhooks/{hook['webhook_id']}/test", 202)
    told = check(await receiver.next(), hook["secret"])
    assert (told["event"], told["delivery_id"]) == ("test", started["delivery_id"])
    receiver.statuses = [404]
    await place.call("POST", f"/webhooks/{hook['webhook_id']}/test", 202)
    await receiver.next()

    async def both() -> bool:
        return len(await place.deliveries(hook)) == 2

    await wait_until(both)
    assert {row["state"] for row in await place.deliveries(hook)} == {"delivered", "dead"}
    await wait_until(lambda: nothing_waits(place.chat))  # its job ends after what became of it is written down


async def test_secrets_are_shown_once_and_replaced(place: Place, receiver: Receiver) -> None:
    """A list never holds them; a new one signs from then on; the database holds none in the clear."""
    hook = await place.hook(receiver, "message")
    assert [row.get("secret") for row in await place.call("GET", "/webhooks")] == [None]
    changed = await place.call("PATCH", f"/webhooks/{hook['webhook_id']}", new_secret=True)
    assert changed["secret"] not in (None, hook["secret"])
    await place.chat.say(place.channel_id, place.owner, "hello")
    check(await receiver.next(), changed["secret"])
    stored = b"".join(path.read_bytes() for path in place.chat.services.settings.data.glob("directory.db*"))
    assert hook["secret"].encode() not in stored
    assert changed["secret"].encode() not in stored


async def test_removed_means_silence(place: Place, receiver: Receiver) -> None:
    """Also for what waits, and it is gone from the list."""
    hook = await place.hook(receiver, "message")
    await place.call("DELETE", f"/webhooks/{hook['webhook_id']}", 204)
    await place.chat.say(place.channel_id, place.owner, "hello")
    await wait_until(lambda: nothing_waits(place.chat))
    assert receiver.requests.empty()
    assert await place.call("GET", "/webhooks") == []


# --- the sender alone ---------------------------------------------------------------------------


class Sending:
    """A sender whose jobs the test hands over itself."""

    def __init__(self, place: Place, hook: dict[str, Any], poster: Poster) -> None:
        services = place.chat.services
        self.place, self.hook = place, hook
        self.sender = HookSender(
            directory=services.directory, store=services.store, queue=services.queues.webhook,
            box=services.secret_box, poster=poster, clock=services.clock,
        )  # fmt: skip

    async def job(self, attempt: int = 1) -> Job:
        entry = (await self.place.chat.say(self.place.channel_id, self.place.owner)).entry
        job = HookJob.about(self.hook["webhook_id"], HookEvent.MESSAGE, entry)
        return Job(self.place.chat.services.clock.new_id(), msgspec.json.encode(job), attempt, "")


@pytest.fixture
async def sending(place: Place, receiver: Receiver) -> AsyncIterator[Sending]:
    hook = await place.hook(receiver, "edit")
    poster = Poster(place.chat.services.clock, private=True)
    yield Sending(place, hook, poster)
    await poster.close()


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
async def test_what_fails_is_tried_again_later(sending: Sending, receiver: Receiver, status: int) -> None:
    """Whatever the answer but 2xx and 410; a redirect is not followed."""
    receiver.statuses, receiver.location = [status], receiver.address.url + "/elsewhere"
    with pytest.raises(Later) as later:
        await sending.sender.handle(await sending.job(attempt=3))
    assert 0.8 * 480 <= later.value.after_s <= 1.2 * 480
    assert receiver.requests.qsize() == 1


async def test_the_last_attempt_ends_it(sending: Sending, receiver: Receiver) -> None:
    """Then it lies with the dead letters, and the admin sees it."""
    receiver.statuses = [500]
    with pytest.raises(Never):
        await sending.sender.handle(await sending.job(attempt=WEBHOOK.attempts_max))
    (row,) = await sending.place.deliveries(sending.hook)
    assert row["state"] == DeliveryState.DEAD


async def test_a_success_after_a_failure_is_noted(sending: Sending, receiver: Receiver) -> None:
    """The admin who saw it fail sees that it went through."""
    await sending.sender.handle(await sending.job(attempt=2))
    assert [row["state"] for row in await sending.place.deliveries(sending.hook)] == ["delivered"]


async def test_private_addresses_are_never_asked(sending: Sending, receiver: Receiver) -> None:
    """Even if one was stored while they were allowed; it is not tried again."""
    poster = Poster(sending.place.chat.services.clock, private=False)
    strict = Sending(sending.place, sending.hook, poster)
    with pytest.raises(Never):
        await strict.sender.handle(await strict.job())
    assert receiver.requests.empty()
    (row,) = await sending.place.deliveries(sending.hook)
    assert "not an address of the internet" in row["reason"]
    await poster.close()


async def test_nobody_there_and_a_receiver_that_hangs(
    sending: Sending, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are tried again, and neither holds the sender up for longer than its time limit."""
    monkeypatch.setattr("nottermost_chat.webhooks.poster.TIMEOUT_S", 0.2)
    receiver.silent = True
    with pytest.raises(Later, match="no answer within"):
        await sending.sender.handle(await sending.job())
    await sending.place.call("PATCH", f"/webhooks/{sending.hook['webhook_id']}", url="http://127.0.0.1:9/")
    with pytest.raises(Later, match="Connect"):
        await sending.sender.handle(await sending.job())


async def test_a_long_answer_is_not_read(sending: Sending, receiver: Receiver) -> None:
    """What counts is the status."""
    receiver.answer = b"x" * 5_000_000
    await sending.sender.handle(await sending.job())


async def test_a_secret_that_cannot_be_read_is_said(sending: Sending) -> None:
    """After a change of the key without the old one."""
    webhook_id = sending.hook["webhook_id"]
    await sending.place.chat.services.directory.webhooks.change(webhook_id, secret=b"x" * 60)
    with pytest.raises(Never, match="another key"):
        await sending.sender.handle(await sending.job())
    with pytest.raises(Unreadable):
        sending.place.chat.services.secret_box.open(b"", webhook_id)


async def test_a_repeat_of_the_log_is_the_same_delivery(place: Place, receiver: Receiver) -> None:
    """The log hands records out again after a restart: the receiver knows them by their id."""
    hook = await place.hook(receiver, "message")
    services = place.chat.services
    said = await place.chat.say(place.channel_id, place.owner, "hello")
    first = check(await receiver.next(), hook["secret"])
    records = await services.store.records(place.channel_id, said.entry.seq - 1, 1)
    await HookConsumer(services.directory, services.queues.webhook).handle(records)
    assert check(await receiver.next(), hook["secret"])["delivery_id"] == first["delivery_id"]


def test_attempts_span_about_a_day() -> None:
    """Eight attempts, ever further apart, never more than eight hours and some."""
    waits = [backoff_s(attempt, lambda: 0.5) for attempt in range(1, WEBHOOK.attempts_max)]
    assert waits == sorted(waits)
    assert 16 * 3600 < sum(waits) < 26 * 3600
    assert backoff_s(1, lambda: 0.0) < waits[0] < backoff_s(1, lambda: 1.0)


def test_the_signature_covers_the_time() -> None:
    """An old body with a new time is another signature."""
    assert sign("s", 1, b"x") != sign("s", 2, b"x")
    assert sign("s", 1, b"x") != sign("t", 1, b"x")
