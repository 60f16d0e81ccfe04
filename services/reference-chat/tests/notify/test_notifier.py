"""From a message to the devices: the whole way, through the API, the log, the queue and real push services."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest
import structlog

from nottermost_chat.adapters.sql_jobs import SqlJobQueue
from nottermost_chat.api.app import create_app
from nottermost_chat.bootstrap import open_services
from nottermost_chat.jobs import PUSH, Later
from nottermost_chat.model import LogRecord, Role
from nottermost_chat.notify.decide import NEWS_MS
from nottermost_chat.notify.facts import Facts
from nottermost_chat.notify.job import PushJob, decode_job, encode_job
from nottermost_chat.notify.keys import PushKeys
from nottermost_chat.notify.port import News
from nottermost_chat.notify.running import notifying
from nottermost_chat.notify.sender import FAILURES_MAX, Sender, retry_after_s
from nottermost_chat.notify.services import open_push_services
from nottermost_chat.notify.shown import Shown
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import AppendRequest, Job, Picture
from nottermost_chat.protocol import Presence
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Limits, Rate, Settings
from nottermost_chat.testing.in_process import calling
from nottermost_chat.testing.people import Person, ShiftedClock, join
from nottermost_chat.testing.push_services import Answer, ApnsService, Certificate, FcmService, WebPushService
from nottermost_chat.testing.running import wait_until
from nottermost_chat.workers.notifier import Notifier
from nottermost_chat.workers.projector import Projector
from nottermost_chat.working import working

BODY = "the-secret-text-of-a-message"
APNS_TOKEN = "cd" * 32


@dataclass(frozen=True, kw_only=True)
class World:
    """A chat with ann and bob, and the services that push to their devices."""

    services: Embedded
    clock: ShiftedClock
    http: httpx.AsyncClient
    ann: Person
    bob: Person
    web_push: WebPushService
    fcm: FcmService
    apns: ApnsService

    async def phone(self, person: Person) -> None:
        """The person's device takes pushes of Apple's."""
        await person.put("/api/notifications/push", {"kind": "apns", "address": APNS_TOKEN})

    async def further(self, person: Person) -> Person:
        """The same person on another device."""
        tokens = await self.services.tokens.session(person.user_id, "another")
        return Person(
            http=self.http, user_id=person.user_id, name=person.name, device_id=tokens.device_id,
            access_token=tokens.access_token, refresh_token=tokens.refresh_token,
        )  # fmt: skip

    async def devices(self, person: Person) -> list[str]:
        return [each["kind"] for each in (await person.get("/api/notifications/push"))["devices"]]

    async def later(self, seconds: float) -> None:
        """Time goes on, and the queue notices."""
        self.clock.ahead_s += seconds
        await self.services.queues.push.put([encode_job(PushJob(News.READ, "nobody", "nowhere", 1, 1))])

    async def settled(self) -> None:
        """Everything said so far is decided, and every job that is due is done."""

        async def is_settled() -> bool:
            return not await self.services.log.lag(Notifier.group) and not await self.due()

        await wait_until(is_settled)

    async def due(self) -> int:
        taken = await self.services.queues.push.waiting()
        return taken - await self.delayed()

    async def delayed(self) -> int:
        """Jobs that wait for their time."""
        queue, now = self.services.queues.push, self.clock.now_ms()
        assert isinstance(queue, SqlJobQueue)
        rows = await queue._file.read(  # the port has no word for it
            lambda connection: connection.execute(
                "SELECT count(*) FROM jobs WHERE queue = 'push' AND NOT dead AND due_at > ? AND attempts = 0", (now,)
            ).fetchone()
        )
        return int(rows[0])

    async def reads(self, person: Person, conversation_id: str, seq: int) -> None:
        await person.post(f"/api/messages/conversations/{conversation_id}/read", {"last_read_seq": seq}, status=200)

    def counted(self, reason: str) -> float:
        """How often something was decided for this reason."""
        samples = self.services.metrics.registry.collect()
        return sum(
            sample.value
            for family in samples
            for sample in family.samples
            if sample.name == "chat_notify_decisions_total" and sample.labels["reason"] == reason
        )


@pytest.fixture
def opened(
    tmp_path: Path,
    keys: PushKeys,
    web_push: WebPushService,
    fcm: FcmService,
    apns: ApnsService,
    certificate: Certificate,
) -> Callable[[], AbstractAsyncContextManager[World]]:
    """Opens the world; not a fixture itself, because task groups have to end in the task they began in."""

    @asynccontextmanager
    async def open_world(notifies: bool = True) -> AsyncIterator[World]:
        clock, many = ShiftedClock(), Rate(100_000, 100_000)
        settings = Settings(
            data=tmp_path / "data", port=0, push_private=True, fcm_url=fcm.url, apns_url=apns.url,
            limits=Limits(ip_log_ins=many), access_token_s=10**6,
        )  # fmt: skip
        async with open_services(settings, clock, push_keys=keys) as services:
            projector = Projector(
                services.directory, Pictures(services.directory.conversations, services.store), pause_s=0
            )
            async with (
                calling(create_app(services)) as http,
                working(projector=services.log.consume(projector.group, projector.handle)),
                notifying(
                    directory=services.directory, store=services.store, log=services.log, routes=services.routes,
                    queue=services.queues.push, keys=keys if notifies else PushKeys(), settings=settings,
                    metrics=services.metrics, clock=clock, trust=certificate.trusted,
                ),
            ):  # fmt: skip
                ann, bob = await join(services, http, "ann"), await join(services, http, "bob")
                yield World(
                    services=services, clock=clock, http=http, ann=ann, bob=bob, web_push=web_push, fcm=fcm, apns=apns
                )

    return open_world


Opened = Callable[..., AbstractAsyncContextManager[World]]


async def test_every_device_is_told_and_nobody_else_learns_what(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Browser, Android and Apple each get one push, with a badge; no payload and no log line holds text or sender."""
    caplog.set_level(logging.DEBUG)
    async with opened() as world:
        with structlog.testing.capture_logs() as lines:
            browser, phone = await world.further(world.bob), await world.further(world.bob)
            at = world.web_push.subscribe()
            keys = {"public_key": at.public_key, "auth_secret": at.auth_secret}
            await browser.put(
                "/api/notifications/push", {"kind": "webpush", "address": world.web_push.url + at.path, **keys}
            )
            await phone.put("/api/notifications/push", {"kind": "fcm", "address": "phone-token"})
            await world.phone(world.bob)
            direct = await world.ann.direct(world.bob)
            await world.ann.say(direct, BODY)
            await world.settled()
        taken = [world.web_push.taken, world.fcm.taken, world.apns.taken]
        assert [len(each) for each in taken] == [1, 1, 1]
        assert (
            world.web_push.taken[0].items() >= {"title": "New message", "badge": 1, "conversation_id": direct}.items()
        )
        assert world.fcm.taken[0]["data"]["badge"] == "1"
        assert world.apns.taken[0]["aps"]["badge"] == 1
        seen = repr(taken) + repr(lines) + caplog.text
        raw = [request for service in (world.web_push, world.fcm, world.apns) for request in service.raw]
        seen += repr([(request.path, dict(request.headers), request.body) for request in raw])
        for hidden in (BODY, world.ann.user_id, "Ann", "ann@"):
            assert hidden not in seen


async def test_active_elsewhere_waits_for_the_grace(opened: Opened) -> None:
    """Who is at a desk gets no push at once; what is unread a minute later is pushed, though they are still there."""
    async with opened() as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        await world.services.routes.touch(world.bob.user_id, Presence.ONLINE, now_ms=world.clock.now_ms())
        await world.ann.say(direct, "one")
        await world.settled()
        assert (world.apns.taken, world.counted("active")) == ([], 1)
        await world.later(61)
        await world.services.routes.touch(world.bob.user_id, Presence.ONLINE, now_ms=world.clock.now_ms())
        await wait_until(lambda: _holds(len(world.apns.taken) == 1))


async def test_read_within_the_grace_is_not_pushed(opened: Opened) -> None:
    """The second look sees the cursor."""
    async with opened() as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        await world.services.routes.touch(world.bob.user_id, Presence.ONLINE, now_ms=world.clock.now_ms())
        said = await world.ann.say(direct, "one")
        await world.settled()
        await world.reads(world.bob, direct, said["seq"])
        await world.later(61)
        await wait_until(lambda: _holds(world.counted("read") == 1))
        assert not world.apns.taken


async def test_reading_elsewhere_takes_it_back(opened: Opened) -> None:
    """Every device is told silently, with the badge of now, and what waits in another conversation still counts."""
    async with opened() as world:
        await world.phone(world.bob)
        direct, group = await world.ann.direct(world.bob), await world.ann.group("G", world.bob)
        await world.ann.say(group, "stays")
        said = await world.ann.say(direct, "one")
        await wait_until(lambda: _holds(len(world.apns.taken) == 2))
        await world.reads(world.bob, direct, said["seq"])
        await wait_until(lambda: _holds(len(world.apns.taken) == 3))
        last = world.apns.taken[-1]
        assert last.items() >= {"news": "read", "conversation_id": direct}.items()
        assert last["aps"] == {"badge": 1, "content-available": 1}
        await world.services.ingest.missed(None, direct, (1, 0))  # nothing more comes of it
        await world.settled()
        assert len(world.apns.taken) == 3


@pytest.mark.parametrize("change", ["deleted", "muted", "paused", "left"])
async def test_the_second_look(opened: Opened, change: str) -> None:
    """What changed while a push waited counts."""
    async with opened() as world:
        await world.phone(world.bob)
        group = await world.ann.group("G", world.bob)
        await world.services.routes.touch(world.bob.user_id, Presence.ONLINE, now_ms=world.clock.now_ms())
        said = await world.ann.say(group, "one")
        await world.settled()
        notifications = "/api/notifications"
        match change:
            case "deleted":
                path = f"/api/messages/conversations/{group}/messages/{said['message_id']}?client_msg_id=1"
                await world.ann.delete(path, status=200)
            case "muted":
                await world.bob.put(f"{notifications}/conversations/{group}", {"notify": "none"})
            case "paused":
                pause = {"time_zone": "UTC", "paused_until": "2100-01-01T00:00:00Z"}
                await world.bob.put(f"{notifications}/settings", pause)
            case _:
                await world.bob.post(f"/api/chats/conversations/{group}/leave", status=204)
        await world.later(61)
        reason = {"left": "not_a_member"}.get(change, change)
        await wait_until(lambda: _holds(world.counted(reason) == 1))
        assert not world.apns.taken


async def test_dead_devices_are_forgotten(opened: Opened) -> None:
    """At once where the service says that the device is gone; otherwise after five refusals in a row."""
    async with opened() as world:
        browser, phone = await world.further(world.bob), await world.further(world.bob)
        at = world.web_push.subscribe()
        del world.web_push.browsers[at.path]
        keys = {"public_key": at.public_key, "auth_secret": at.auth_secret}
        await browser.put(
            "/api/notifications/push", {"kind": "webpush", "address": world.web_push.url + at.path, **keys}
        )
        await phone.put("/api/notifications/push", {"kind": "fcm", "address": "phone-token"})
        await world.phone(world.bob)
        world.fcm.answers.append(world.fcm.error(404, "UNREGISTERED"))
        direct = await world.ann.direct(world.bob)
        await world.ann.say(direct, "one")
        await world.settled()
        assert await world.devices(world.bob) == ["apns"]
        refusal = world.apns.error(400, "DeviceTokenNotForTopic")
        world.apns.answers.extend([refusal, Answer(200)] + [refusal] * FAILURES_MAX)
        for number in range(1 + FAILURES_MAX):
            await world.ann.say(direct, str(number))
            await world.settled()
            assert await world.devices(world.bob) == ["apns"]
        await world.ann.say(direct, "last")
        await world.settled()
        assert await world.devices(world.bob) == []


async def test_a_busy_service_delays_its_own_devices_only(opened: Opened) -> None:
    """The push comes back when the service said, for the device that lacks it; the other one does not get it twice."""
    async with opened() as world:
        phone = await world.further(world.bob)
        await phone.put("/api/notifications/push", {"kind": "fcm", "address": "phone-token"})
        await world.phone(world.bob)
        world.fcm.answers.append(Answer(429, headers={"retry-after": "300"}))
        await world.ann.say(await world.ann.direct(world.bob), "one")
        await world.settled()
        assert (len(world.fcm.taken), len(world.apns.taken), await world.delayed()) == (0, 1, 1)
        await world.later(301)
        await wait_until(lambda: _holds(len(world.fcm.taken) == 1))
        await world.settled()
        assert len(world.apns.taken) == 1


async def test_a_service_that_stays_away_is_asked_ever_more_slowly(opened: Opened, certificate: Certificate) -> None:
    """Eight attempts fit into the hour in which a message is news; the queue keeps what the last one leaves."""
    async with opened(notifies=False) as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        said = await world.ann.say(direct, "one")
        services, directory = world.services, world.services.directory
        queue, metrics, clock = services.queues.push, services.metrics, world.clock
        shown = Shown(directory, queue, clock)
        async with open_push_services(
            services.push_keys, services.settings, metrics, clock, trust=certificate.trusted
        ) as ways:
            sender = Sender(
                directory=directory, store=services.store, facts=Facts(directory, services.routes), services=ways,
                queue=queue, shown=shown, metrics=metrics, clock=clock,
            )  # fmt: skip
            push = PushJob(
                News.MESSAGE,
                world.bob.user_id,
                direct,
                1,
                said["seq"],
                said["message_id"],
                device_id=world.bob.device_id,
            )
            world.apns.answers.extend(Answer(503) for _ in range(PUSH.attempts_max))
            waits: list[float] = []
            for attempt in range(1, PUSH.attempts_max + 1):
                with pytest.raises(Later) as later:
                    await sender.handle(Job("job", encode_job(push), attempt, "receipt"))
                waits.append(later.value.after_s)
                world.clock.ahead_s += 31  # the breaker forgets
            assert waits == [retry_after_s(attempt) for attempt in range(1, PUSH.attempts_max + 1)] == sorted(waits)
            assert sum(waits[:-1]) < NEWS_MS / 1000
            await sender.handle(Job("job", encode_job(push), PUSH.attempts_max, "receipt"))
        assert len(world.apns.taken) == 1


async def test_a_large_channel_tells_whom_it_names(opened: Opened) -> None:
    """Of 302 members the one who is named gets a push; a plain message and @channel reach nobody's phone."""
    async with opened() as world:
        await world.phone(world.bob)
        workspace = await world.ann.workspace("W", world.bob)
        channel = await world.ann.channel(workspace, "all", world.bob)
        ids = [
            (await world.services.directory.accounts.create_user(username=f"many-{number}")).user_id
            for number in range(300)
        ]
        change = AppendRequest(
            kind="membership", conversation_id=channel, actor_id=world.ann.user_id, op_id="many",
            changes=tuple((user_id, Role.MEMBER) for user_id in ids), trusted=True,
        )  # fmt: skip
        await world.services.ingest.submit(change)
        await world.ann.put(f"/api/notifications/conversations/{channel}", {"notify": "all"})
        await world.bob.put(f"/api/notifications/conversations/{channel}", {"notify": "all"})
        await world.ann.say(channel, "hello")
        await world.ann.say(channel, "hello @channel")
        await world.settled()
        assert not world.apns.taken
        await world.ann.say(channel, "hello @bob")
        await world.settled()
        assert [each["aps"]["alert"]["title"] for each in world.apns.taken] == ["You were mentioned"]


async def test_channels_tell_of_mentions_unless_asked_for_more(opened: Opened) -> None:
    """The usual for a channel, what was chosen, and an end of the choice."""
    async with opened() as world:
        await world.phone(world.bob)
        channel = await world.ann.channel(await world.ann.workspace("W", world.bob), "c", world.bob)
        await world.ann.say(channel, "nobody is told")
        await world.ann.say(channel, "@channel")
        await world.settled()
        assert [each["news"] for each in world.apns.taken] == ["mention"]
        await world.bob.put(f"/api/notifications/conversations/{channel}", {"notify": "all"})
        await world.ann.say(channel, "plain")
        await world.settled()
        assert [each["news"] for each in world.apns.taken] == ["mention", "message"]


async def test_a_repeated_record_replaces_its_own_notification(opened: Opened) -> None:
    """The log hands records over again after a crash: the second push carries the first one's topic."""
    async with opened() as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        await world.ann.say(direct, "one")
        await world.settled()
        records = await world.services.store.records(direct, 0, 100)
        directory, store = world.services.directory, world.services.store
        notifier = Notifier(
            directory, Pictures(directory.conversations, store), Facts(directory, world.services.routes),
            world.services.queues.push, world.services.metrics, world.clock,
        )  # fmt: skip
        await notifier.handle(records)
        await world.settled()
        first, second = world.apns.taken
        assert first == second


async def test_signed_out_devices_are_told_nothing(opened: Opened) -> None:
    """Neither one that signed out nor one that gave pushes up."""
    async with opened() as world:
        phone = await world.further(world.bob)
        await world.phone(phone)
        await phone.put("/api/notifications/push", {"kind": "fcm", "address": "phone-token"})
        await world.bob.delete(f"/api/users/me/devices/{phone.device_id}")
        await world.phone(world.bob)
        await world.bob.delete("/api/notifications/push")
        await world.ann.say(await world.ann.direct(world.bob), "one")
        await world.settled()
        assert not world.fcm.raw
        assert not world.apns.raw


async def test_what_was_said_while_nobody_notified(opened: Opened) -> None:
    """After a restart the last hour is made up for; older messages are no news, whoever starts on a full log."""
    async with opened(notifies=False) as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        await world.ann.say(direct, "long ago")
        world.clock.ahead_s += 3700
        await world.ann.say(direct, "just now")
        keys, services = world.services.push_keys, world.services
        jobs = [await _decided(world, record) for record in await services.store.records(direct, 0, 100)]
        assert keys.kinds
        assert [job.seq for each in jobs for job in each] == [3]
        assert world.counted("old") == 1


async def test_a_million_members_are_not_loaded(opened: Opened) -> None:
    """Of a large conversation only those who are named are looked up."""
    async with opened(notifies=False) as world:
        await world.phone(world.bob)
        direct = await world.ann.direct(world.bob)
        await world.ann.say(direct, "one")
        record = (await world.services.store.records(direct, 0, 100))[-1]
        pictures = OnlyExcerpts(world.services.directory.conversations, world.services.store)
        large = msgspec.structs.replace(record, large=True)
        assert await _decided(world, large, pictures) == []
        assert pictures.asked == []
        detail = msgspec.structs.replace(record.entry.detail, mentions=(world.bob.user_id, "stranger"))
        named = msgspec.structs.replace(large, entry=msgspec.structs.replace(record.entry, detail=detail))
        assert [job.user_id for job in await _decided(world, named, pictures)] == [world.bob.user_id]
        assert pictures.asked == [(world.bob.user_id, "stranger")]


class OnlyExcerpts(Pictures):
    """Pictures of which nobody may ask for a whole one."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.asked: list[tuple[str, ...]] = []

    async def at(self, conversation_id: str, members_seq: int) -> Picture | None:
        raise AssertionError(f"all members of {conversation_id} were asked for")

    async def excerpt(
        self, conversation_id: str, members_seq: int, user_ids: object, *, eldest: int = 0
    ) -> Picture | None:
        self.asked.append(tuple(user_ids))  # type: ignore[arg-type]
        return await super().excerpt(conversation_id, members_seq, user_ids, eldest=eldest)  # type: ignore[arg-type]


async def _decided(world: World, record: LogRecord, pictures: Pictures | None = None) -> list[PushJob]:
    """The jobs that a record leads to."""
    services, directory = world.services, world.services.directory
    queue = services.queues.push
    pictures = pictures or Pictures(directory.conversations, services.store)
    facts = Facts(directory, services.routes)
    await Notifier(directory, pictures, facts, queue, services.metrics, world.clock).handle([record])
    taken = await queue.take(100, 0)
    for job in taken:
        await queue.finish(job)
    return [decode_job(job.body) for job in taken]


async def _holds(value: bool) -> bool:
    return value
