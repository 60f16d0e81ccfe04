"""What follows a message, done by processes of their own: found, pushed, told to programs, noted, counted, archived,
erased. Everything goes in and comes out where users, other programs and operators stand.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import msgspec
import pytest

from nottermost_chat import backends, sketch
from nottermost_chat.archive import Archive
from nottermost_chat.clock import Clock
from nottermost_chat.directory import HookEvent
from nottermost_chat.pseudonyms import find_pseudonyms
from nottermost_chat.roles import Process, Role, make_process
from nottermost_chat.settings import load_secrets, load_settings
from nottermost_chat.testing.cluster import Cluster
from nottermost_chat.testing.people import PASSWORD, Person, read
from nottermost_chat.testing.push_services import Browser, WebPushService, serving
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.receiver import Received, Receiver, receiving
from nottermost_chat.testing.town import Town, until
from nottermost_chat.webhooks import HookJob

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # the first of all starts the cluster

HOUR_MS: Final = 3_600_000


@pytest.fixture
def process(town: Town, monkeypatch: pytest.MonkeyPatch) -> Process:
    """This one, with the servers of the cluster, to look into what no door shows."""
    for name, value in town.environment.items():
        monkeypatch.setenv(name, value)
    return make_process(Role.KEEPER, load_settings(town.environment), load_secrets(town.environment))


def message_at(place: str, message_id: str) -> str:
    return f"/api/messages/conversations/{place}/messages/{message_id}"


# --- indexer ----------------------------------------------------------------------------------


NOTHING: Final[tuple[list[str], int]] = ([], 0)


async def find(person: Person, words: str) -> tuple[list[str], int]:
    """The ids of what the person finds, and how many the index counts: what was just deleted it may still have."""
    page = await person.get(f"/api/search?q={words}")
    return [hit["message"]["message_id"] for hit in page["hits"]], page["total"]


async def test_search_follows_what_messages_say(town: Town) -> None:
    """Sent: found by its words, by members only. Edited: by the new ones, no longer by the old. Deleted: by none."""
    stranger = await town.join("eve")
    sent = await town.ann.say(town.place, "quinces are ripe")
    message_id = sent["message_id"]
    await until(lambda: find(town.bob, "quinces"), lambda found: found == ([message_id], 1))
    assert await find(stranger, "quinces") == NOTHING
    at = message_at(town.place, message_id)
    await town.ann.patch(at, {"client_msg_id": "edited", "body": "medlars are ripe"})
    await until(lambda: find(town.bob, "medlars"), lambda found: found == ([message_id], 1))
    assert await find(town.bob, "quinces") == NOTHING
    await town.ann.delete(f"{at}?client_msg_id=deleted", status=200)
    await until(lambda: find(town.bob, "medlars"), lambda found: found == NOTHING)


# --- notifier ---------------------------------------------------------------------------------

PUSH: Final = "/api/notifications/push"


@pytest.fixture
async def push_service(town: Town) -> AsyncIterator[WebPushService]:
    """A browser vendor's, that knows the cluster's key."""
    service = WebPushService((await town.bob.get(PUSH))["vapid_public_key"])
    async with serving(service, town.cluster.certificate):
        yield service
    assert not service.mistakes


async def take_pushes(person: Person, service: WebPushService, browser: Browser) -> None:
    address = service.url + browser.path
    keys = {"public_key": browser.public_key, "auth_secret": browser.auth_secret}
    await person.put(PUSH, {"kind": "webpush", "address": address} | keys)


async def devices(person: Person) -> list[Any]:
    """Those that take pushes."""
    return list((await person.get(PUSH))["devices"])


async def test_who_is_away_gets_a_push_without_words(town: Town, push_service: WebPushService) -> None:
    """Bob is away; Dan sits at a device; Cat's browser has forgotten her, and is asked no more."""
    ann, bob, cat, dan = town.ann, town.bob, await town.join("cat"), await town.join("dan")
    browser, gone, beside = push_service.subscribe(), Browser(), push_service.subscribe()
    for person, one in ((bob, browser), (cat, gone), (dan, beside)):
        await take_pushes(person, push_service, one)
    socket = await RawSocket.open(town.cluster.gateway_urls[0])
    await socket.authenticate(dan.access_token)
    places = {person.name: await ann.direct(person) for person in (dan, cat, bob)}

    async def presence() -> str:
        (entry,) = await ann.get(f"/api/users/presence?ids={dan.user_id}")
        return str(entry["status"])

    await until(presence, lambda status: status == "online")
    for person in (dan, cat):
        await ann.say(places[person.name], "the secret of the quinces")
    sent = await ann.say(places[bob.name], "the secret of the quinces")
    await until(lambda: devices(cat), lambda found: found == [])

    async def taken() -> list[Any]:
        return push_service.taken

    (told,) = await until(taken, bool)
    assert (told["path"], told["news"]) == (browser.path, "message")
    assert (told["conversation_id"], told["seq"], told["badge"]) == (places[bob.name], sent["seq"], 1)
    assert "quinces" not in msgspec.json.encode(told).decode()
    assert [device["kind"] for device in await devices(bob)] == ["webpush"]
    socket.abort()
    for person in (bob, dan):  # the service ends here, and what waits for Dan would be tried for hours
        await person.delete(PUSH)


# --- webhooks ---------------------------------------------------------------------------------


@pytest.fixture
async def receivers() -> AsyncIterator[list[Receiver]]:
    """Three programs."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(receiving()) for _ in range(3)]


class Hook:
    """An outgoing webhook for messages of the channel, as its admin sees it."""

    def __init__(self, town: Town, view: Any) -> None:
        self._ann, self.webhook_id, self._secret = town.ann, str(view["webhook_id"]), str(view["secret"])
        self.path = f"/api/workspaces/{town.workspace_id}/webhooks/{self.webhook_id}"

    @classmethod
    async def make(cls, town: Town, receiver: Receiver) -> "Hook":
        body = {"url": receiver.url, "events": [HookEvent.MESSAGE], "conversation_id": town.place}
        return cls(town, await town.ann.post(f"/api/workspaces/{town.workspace_id}/webhooks", body))

    def check(self, received: Received) -> Any:
        """What the receiver of the documentation does; returns what it is told."""
        signed = f"{received.headers['x-nottermost-timestamp']}.".encode() + received.body
        expected = "v1=" + hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(received.headers["x-nottermost-signature"], expected)
        return msgspec.json.decode(received.body)

    async def deliveries(self) -> list[Any]:
        """What did not go through at once, and tests."""
        return list(await self._ann.get(f"{self.path}/deliveries"))

    async def delivery(self, state: str) -> Any:
        """The only one, once it is in that state."""
        (row,) = await until(self.deliveries, lambda rows: [row["state"] for row in rows] == [state])
        return row

    async def replay(self, delivery_id: str) -> None:
        await self._ann.post(f"{self.path}/deliveries/{delivery_id}/replay", status=202)


async def test_programs_are_told_and_told_again(town: Town, receivers: list[Receiver]) -> None:
    """Signed; what failed or was refused for good is listed, and delivered when an admin replays it.

    The wait of half a minute before the queue's own second attempt, and all longer ones, are left to tests/webhooks.
    """
    good, failing, gone = receivers
    hook = await Hook.make(town, good)
    await town.ann.post(f"{hook.path}/test", status=202)
    assert hook.check(await good.next())["event"] == "test"
    await hook.delivery("delivered")
    failed, refused = await Hook.make(town, failing), await Hook.make(town, gone)
    failing.statuses, gone.statuses = [503], [410]
    sent = await town.bob.say(town.place, "hello programs")
    for each, receiver in ((hook, good), (failed, failing), (refused, gone)):
        told = each.check(await receiver.next())
        assert (told["message"]["message_id"], told["message"]["body"]) == (sent["message_id"], "hello programs")

    row = await failed.delivery("retrying")
    assert (row["status"], row["attempts"]) == (503, 1)
    await failed.replay(row["delivery_id"])
    assert failed.check(await failing.next())["delivery_id"] == row["delivery_id"]
    assert (await failed.delivery("delivered"))["attempts"] == 1  # the queue's own second one is half a minute away

    row = await refused.delivery("dead")
    assert row["status"] == 410
    assert not (await town.ann.patch(refused.path, {}))["active"]
    await town.ann.patch(refused.path, {"active": True})
    await refused.replay(row["delivery_id"])
    assert refused.check(await gone.next())["delivery_id"] == row["delivery_id"]
    await refused.delivery("delivered")


async def test_jobs_that_nobody_can_do_are_set_aside(town: Town, process: Process, receivers: list[Receiver]) -> None:
    """A delivery of an entry that is gone: to the queue's dead letters, from which operators and admins revive it."""
    hook, delivery_id = await Hook.make(town, receivers[0]), Clock().new_id()
    async with backends.queues(process) as queues:
        job = HookJob(hook.webhook_id, HookEvent.MESSAGE, delivery_id, town.place, 1, 1_000_000)
        (job_id,) = await queues.webhook.put([msgspec.json.encode(job)])
    dead = await hook.delivery("dead")
    found = await town.run("dead-letters", "list", "--group", "webhook-jobs")
    assert {"reason": dead["reason"], "job_id": job_id} in found["letters"]

    async def again(before: Any) -> Any:
        (row,) = await until(hook.deliveries, lambda rows: rows[0]["state"] == "dead" and rows[0]["at"] > before["at"])
        return row

    await hook.replay(delivery_id)
    dead = await again(dead)
    assert (await town.run("dead-letters", "redrive", "--group", "webhook-jobs"))["taken"] >= 1
    await again(dead)


async def test_programs_post_what_members_see(town: Town) -> None:
    """Whoever has the address of an incoming webhook; members have it on their sockets at once."""
    body = {"conversation_id": town.place, "name": "builds"}
    hook = await town.ann.post(f"/api/workspaces/{town.workspace_id}/incoming-hooks", body)
    socket = await RawSocket.open(town.cluster.gateway_urls[1])
    await socket.authenticate(town.bob.access_token)
    async with httpx.AsyncClient(timeout=30) as program:
        sent = read(await program.post(hook["url"], json={"text": "build 17 is green"}), 201)
    frame = await socket.expect("message:new", conversation_id=town.place)
    assert (frame["message_id"], frame["preview"]) == (sent["message_id"], "build 17 is green")
    socket.abort()


# --- keeper -----------------------------------------------------------------------------------


async def test_who_did_what_is_noted(town: Town) -> None:
    """What an admin reads of the workspace, conversations included, and an operator of everything."""
    ann, bob, audit = town.ann, town.bob, f"/api/workspaces/{town.workspace_id}/audit"
    body = {"email": bob.email, "password": PASSWORD}
    session = read(await bob.http.post("/api/users/auth/login", json=body), 200)
    await ann.patch(f"/api/workspaces/{town.workspace_id}/members/{bob.user_id}", {"role": "admin"})
    message_id = (await bob.say(town.place, "what Ann takes out"))["message_id"]
    await ann.delete(f"{message_at(town.place, message_id)}?client_msg_id=deleted", status=200)
    await until(lambda: ann.get(f"{audit}?action=message.deleted"), bool)
    rows = await ann.get(audit)
    assert {(row["action"], row["actor_id"], row["subject_id"]) for row in rows} >= {
        ("workspace.role_changed", ann.user_id, bob.user_id),
        ("conversation.member_set", ann.user_id, bob.user_id),
        ("message.deleted", ann.user_id, message_id),
    }
    found = await town.run("audit", "--since", "10m", "--actor", bob.user_id)
    started = [row["details"]["device_id"] for row in found["rows"] if row["action"] == "session.started"]
    assert started == [session["user"]["device_id"], bob.device_id]


async def test_days_are_counted(town: Town, process: Process) -> None:
    """What was said and by how many, under a pseudonym; nothing of so few is shown."""
    first = datetime.now(UTC).date()
    for person in (town.ann, town.ann, town.bob):
        await person.say(town.place, "counted")
    name = find_pseudonyms(process.secrets.pseudonym_key, process.keys).workspace(town.workspace_id)
    last = first + timedelta(days=1)
    async with backends.directory(process) as directory:

        async def tallies() -> list[Any]:
            page = await directory.counts.window(first.isoformat(), last.isoformat(), after="", limit=10_000)
            return page.get(name, [])

        counted, shown = await asyncio.gather(
            until(tallies, lambda found: sum(tally.messages for tally in found) == 3),
            town.run("counts", "--since", "2d"),
        )
    people = sketch.EMPTY
    for tally in counted:
        people = sketch.merge(people, tally.users)
    assert sketch.count(people) == 2
    assert name not in {day["workspace"] for day in shown["days"]}


@pytest.fixture
async def archive(process: Process) -> AsyncIterator[Archive]:
    """The cluster's, in its bucket."""
    async with backends.archive(process) as archive:
        yield archive


async def archived(archive: Archive, place: str) -> list[str]:
    """What the archive has of a conversation today; "" where a text was taken out."""
    now_ms = Clock().now_ms()
    return [row.text or "" async for row in archive.query(place, now_ms - HOUR_MS, now_ms)]


async def test_who_is_erased_has_said_nothing(town: Town, archive: Archive) -> None:
    """Bob asks for it himself and the keeper does it; an operator does Cat's. Nobody can read a word of theirs."""
    ann, bob, cat = town.ann, town.bob, await town.join("cat")
    alone = await ann.direct(cat)
    of_bob = (await bob.say(town.place, "bob likes quinces"))["message_id"]
    of_cat = (await cat.say(alone, "cat likes medlars"))["message_id"]
    said = {"quinces": (town.place, of_bob), "medlars": (alone, of_cat)}

    async def is_everywhere(words: str, place: str, message_id: str) -> None:
        await until(lambda: find(ann, words), lambda found: found == ([message_id], 1))
        await until(lambda: archived(archive, place), lambda found: [words in text for text in found] == [True])

    async def is_nowhere(words: str, place: str, message_id: str) -> None:
        at = f"{message_at(place, message_id)}?fields=full"
        seen = await until(lambda: ann.get(at), lambda seen: seen.get("redacted", False))
        assert (seen["preview"], seen.get("body")) == (None, None)
        await until(lambda: find(ann, words), lambda found: found == NOTHING)
        await until(lambda: archived(archive, place), lambda found: found == [""])

    await asyncio.gather(*(is_everywhere(words, *message) for words, message in said.items()))
    await bob.delete(f"/api/users/me?confirm={bob.name}", status=202)
    erased = await town.run("erase", "--user", cat.name, "--confirm", cat.name)
    assert [(one["user_id"], one["state"]) for one in erased["erasures"]] == [(cat.user_id, "finished")]
    await asyncio.gather(*(is_nowhere(words, *message) for words, message in said.items()))
    for person in (bob, cat):
        body = {"email": person.email, "password": PASSWORD}
        read(await person.http.post("/api/users/auth/login", json=body), 401)


# --- archiver ---------------------------------------------------------------------------------


async def test_what_was_said_can_be_read_from_the_archive(town: Town, archive: Archive) -> None:
    """Written to the bucket in the background, as it is now; operators find it by conversation and words."""
    sent = await town.ann.say(town.place, "a first draft")
    await town.bob.say(town.place, "an answer")
    at = message_at(town.place, sent["message_id"])
    await town.ann.patch(at, {"client_msg_id": "edited", "body": "The Last Word"})
    await until(lambda: archived(archive, town.place), lambda found: found == ["The Last Word", "an answer"])
    found = await town.run("archive", "query", "--conversation", town.place, "--from", "1h", "--text", "last word")
    said = [(message["message_id"], message["sender_id"], message["body"]) for message in found["messages"]]
    assert said == [(sent["message_id"], town.ann.user_id, "The Last Word")]


# --- killed -----------------------------------------------------------------------------------

WORKERS: Final = ("indexer", "notifier", "webhooks", "archiver")


@pytest.mark.timeout(600)  # waits until the cluster is its alone
async def test_what_was_said_while_they_were_dead_is_done_afterwards(cluster_alone: Cluster) -> None:
    """SIGKILL of four workers, then messages: started again each does its part, with what the log and the queue kept."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=cluster_alone.url, timeout=30))
        town = Town(cluster_alone, http)
        await town.open()
        receiver = await stack.enter_async_context(receiving())
        hook = await Hook.make(town, receiver)
        service = WebPushService((await town.bob.get(PUSH))["vapid_public_key"])
        await stack.enter_async_context(serving(service, cluster_alone.certificate))
        await take_pushes(town.bob, service, service.subscribe())
        direct = await town.ann.direct(town.bob)

        for worker in WORKERS:
            await asyncio.to_thread(cluster_alone.stack.kill, worker)
        sent = await town.ann.say(town.place, "persimmons for programs")
        await town.ann.say(direct, "persimmons for Bob")
        await asyncio.to_thread(cluster_alone.heal)

        assert hook.check(await receiver.next())["message"]["message_id"] == sent["message_id"]

        async def pushed() -> set[str]:
            return {told["conversation_id"] for told in service.taken}

        await until(pushed, lambda places: direct in places)
        await until(lambda: find(town.bob, "persimmons"), lambda found: len(found[0]) == 2)
        query = ("archive", "query", "--conversation", town.place, "--from", "1h", "--text", "persimmons")
        await until(lambda: town.run(*query), lambda found: len(found["messages"]) == 1)
        await town.bob.delete(PUSH)
