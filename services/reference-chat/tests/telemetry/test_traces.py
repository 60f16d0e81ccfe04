"""One trace from a frame to the sockets of others, received over OTLP; nobody is in it, and nobody waits for it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from nottermost_chat.adapters.kafka_client import brokers_of, create_topics, delete_topics
from nottermost_chat.api.app import create_app
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, Server
from nottermost_chat.identity import Tokens
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Detail, Entry, EntryKind
from nottermost_chat.model import Role as MemberRole
from nottermost_chat.ports import Appended, AppendRequest, Ingest
from nottermost_chat.roles import Process, Role, make_process, traced
from nottermost_chat.roles.parts import dial_ingest
from nottermost_chat.settings import Limits, Rate, Secrets, Settings, Store, Tier
from nottermost_chat.telemetry import Tracing
from nottermost_chat.testing.databases import USER, make_database
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.running import SEEN_WITHIN_S, RunningChat
from nottermost_chat.testing.servers import Address
from nottermost_chat.testing.spans import Collector, attributes_of, collecting
from nottermost_chat.verifier import make_keys, parse_keys
from nottermost_chat.working import working

SECRET = "nobody else may read this"
STAGES = ("submit", "queue", "store", "publish", "log", "deliver", "flush")
AT_ONCE = 40
MANY = Rate(1e6, 100_000)
PLENTY = Limits(standard=Tier(MANY, MANY, MANY, MANY), ip_handshakes=MANY)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


# --- the whole path, in roles of this process -------------------------------------------------


@dataclass(kw_only=True)
class LivePath:
    """Ingest, fan-out and two gateways over real servers, and two members of a group."""

    processes: dict[str, Process]
    urls: list[str]
    tokens: list[str]
    users: list[str]
    conversation_id: str
    sockets: list[RawSocket] = field(default_factory=list)

    async def connect(self, place: int) -> RawSocket:
        """The one user at the one gateway, the other at the other."""
        socket = await RawSocket.open(self.urls[place])
        self.sockets.append(socket)
        await socket.authenticate(self.tokens[place])
        return socket

    def stage_count(self, stage: str) -> float:
        values = (one.metrics.registry.get_sample_value("chat_stage_seconds_count", {"stage": stage})
                  for one in self.processes.values())  # fmt: skip
        return sum(value or 0 for value in values)


@asynccontextmanager
async def running_path(settings: Settings) -> AsyncIterator[LivePath]:
    clock, keys = Clock(), make_keys()
    secrets, processes, urls = Secrets(signing_keys=keys.decode()), dict[str, Process](), list[str]()
    async with AsyncExitStack() as stack:
        await create_topics(brokers_of(settings), replication=1, partitions=2)
        stack.push_async_callback(delete_topics, brokers_of(settings))

        async def start(role: Role, name: str, *known_as: str) -> int:
            nonlocal settings
            own = msgspec.structs.replace(settings, instance=name)
            process = await stack.enter_async_context(traced(make_process(role, own, secrets)))
            processes[name] = process
            port: int = await stack.enter_async_context(import_module(f"nottermost_chat.roles.{role}").run(process))
            settings = msgspec.structs.replace(settings, **dict.fromkeys(known_as, f"127.0.0.1:{port}"))
            return port

        await start(Role.INGEST, "ingest1", "ingest")
        users, tokens, conversation_id = await _people(settings, clock, keys)
        await start(Role.FANOUT, "fanout1", "fanout")
        for name in ("gateway1", "gateway2"):
            urls.append(f"http://127.0.0.1:{await start(Role.GATEWAY, name)}")
        path = LivePath(processes=processes, urls=urls, tokens=tokens, users=users, conversation_id=conversation_id)
        try:
            yield path
        finally:
            for socket in path.sockets:
                socket.abort()
            await asyncio.sleep(0)


async def _people(settings: Settings, clock: Clock, keys: bytes) -> tuple[list[str], list[str], str]:
    """Two users, their tokens, and a group with both."""
    server = Server(host=settings.database_host, database=settings.database_name, user=USER)
    directory = await Directory.open(server, clock, Metrics())
    tokens = await Tokens.open(directory, settings, clock, keys=parse_keys(keys))
    try:
        ids = [(await directory.accounts.create_user(username=f"person{n}")).user_id for n in range(2)]
        sessions = [await tokens.session(user_id, "test") for user_id in ids]
        row = await directory.conversations.create_group("secret plans", ids[0])
        process = make_process(Role.API, settings, Secrets(signing_keys=keys.decode()))
        ingest = dial_ingest(process)
        async with working(ingest=ingest.run()):
            await ingest.submit(
                AppendRequest(
                    kind="membership", conversation_id=row.conversation_id, actor_id=ids[0], op_id=clock.new_id(),
                    changes=((ids[0], MemberRole.ADMIN), (ids[1], MemberRole.MEMBER)),
                )
            )  # fmt: skip
        return ids, [session.access_token for session in sessions], row.conversation_id
    finally:
        await tokens.close()
        await directory.close()


@pytest.fixture
def path_settings(kafka: Address, postgres: Address, redis: Address, tmp_path: Path) -> Any:
    name = f"traces-{Clock().new_id()}".lower()
    with make_database(postgres, "directory", empty=True) as database:
        yield Settings(
            data=tmp_path, host="127.0.0.1", port=0, drain_s=0, limits=PLENTY, store=Store.POSTGRES,
            database_host=postgres.authority, database_name=database, database_user=USER, brokers=kafka.authority,
            topic_prefix=f"{name}-", cache_host=redis.authority, cache_prefix=name, trace_share=1.0,
        )  # fmt: skip


async def _send(socket: RawSocket, path: LivePath, op_id: str) -> None:
    await socket.send(
        {"type": "message:send", "conversation_id": path.conversation_id, "client_msg_id": op_id, "body": SECRET}
    )


async def _until_followed(sender: RawSocket, reader: RawSocket, path: LivePath) -> None:
    """Send until one arrives: until fan-out has its place in the log, what is sent is not its business."""
    arrived = asyncio.create_task(reader.expect("message:new"))
    async with asyncio.timeout(SEEN_WITHIN_S):
        while not arrived.done():
            await _send(sender, path, Clock().new_id())
            await asyncio.wait((arrived,), timeout=0.2)


def _parent_name(collector: Collector, span: Span) -> str:
    return next((one.name for one in collector.spans if one.span_id == span.parent_span_id), "")


async def test_one_trace_from_the_socket_to_the_sockets(path_settings: Settings, collector: Collector) -> None:
    """All stages, each below the one before it; batches linked; no text, name or id of anybody; times by stage."""
    settings = msgspec.structs.replace(path_settings, otlp_endpoint=collector.endpoint)
    async with running_path(settings) as path:
        sender, reader = [await path.connect(place) for place in range(2)]
        await _until_followed(sender, reader, path)
        sent = [Clock().new_id() for _ in range(AT_ONCE)]
        for op_id in sent:
            await _send(sender, path, op_id)
        last = sent[-1]
        await reader.expect("message:new", client_msg_id=last)
        await sender.expect("message:ack", client_msg_id=last)
        stages = {stage: path.stage_count(stage) for stage in STAGES}
    delivered = {span.trace_id for span in collector.named("gateway.deliver")}
    trace_id = max(delivered, key=lambda one: collector.named("gateway.receive", one)[0].start_time_unix_nano)
    found = {name: collector.named(name, trace_id) for name in {span.name for span in collector.spans}}
    edges = {(_parent_name(collector, span), span.name) for spans in found.values() for span in spans}
    assert edges == {
        ("", "gateway.receive"), ("gateway.receive", "rpc.append"), ("rpc.append", "ingest.append"),
        ("ingest.append", "ingest.queue"), ("ingest.append", "ingest.plan"), ("ingest.append", "store.append"),
        ("ingest.append", "log.publish"), ("log.publish", "fanout.handle"), ("fanout.handle", "gateway.deliver"),
        ("gateway.deliver", "outbox.flush"),
    }  # fmt: skip
    roles = {span.name: collector.roles[span.span_id] for span in collector.spans}
    assert roles["gateway.receive"] == roles["outbox.flush"] == "gateway"
    assert (roles["store.append"], roles["fanout.handle"]) == ("ingest", "fanout")
    assert len(found["gateway.deliver"]) == 2  # the sender's gateway too
    assert attributes_of(found["ingest.append"][0]) == {"chat.entry": "message", "chat.conversation": "group"}
    assert attributes_of(found["store.append"][0]).keys() == {"chat.batch", "chat.size"}
    _assert_linked(collector)
    said = "\n".join(collector.texts)
    for word in (SECRET, *path.users, path.conversation_id, "person0", "secret plans", "127.0.0.1", last):
        assert word not in said
    assert all(count >= AT_ONCE for stage, count in stages.items() if stage != "flush"), stages
    assert stages["flush"] > 0  # of each round of writes


def _assert_linked(collector: Collector) -> None:
    """Several traced messages of a batch: a span of its own names them all, and each of theirs names it."""
    batches = collector.named("store.append.batch")
    assert batches
    for batch in batches:
        linked = {link.span_id for link in batch.links}
        parts = [
            span for span in collector.named("store.append") if batch.span_id in {one.span_id for one in span.links}
        ]
        assert len(parts) == len(linked) > 1
        assert {span.parent_span_id for span in parts} == linked


# --- what is chosen, and what is left alone -----------------------------------------------------


class NoIngest:
    """Answers at once."""

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        done: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        entry = Entry(request.conversation_id, 1, 1, EntryKind.MESSAGE, "", "", 0, 0, 1, 1, 0, request.op_id, Detail())
        done.set_result(Appended(entry))
        return done


async def _submit(ingest: Ingest, count: int) -> Sequence[Appended]:
    requests = (AppendRequest(kind="message", conversation_id="c", actor_id="a", op_id=str(n)) for n in range(count))
    return await asyncio.gather(*(ingest.submit(request) for request in requests))


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)])
async def test_a_share_of_the_messages_is_traced(collector: Collector, share: float, least: int, most: int) -> None:
    """Of 1,000; a quarter is 250, give or take seven standard deviations."""
    tracing = Tracing("gateway", "gateway1", endpoint=collector.endpoint, share=share)
    assert len(await _submit(tracing.receiving(cast("Ingest", NoIngest())), 1000)) == 1000
    await asyncio.sleep(0)
    await tracing.close()
    roots = collector.named("gateway.receive")
    assert least <= len(roots) <= most
    assert len(collector.named("rpc.append")) == len(roots)


async def test_nobody_waits_for_a_receiver_that_is_away() -> None:
    """More spans than the queue takes, to a port where nobody listens: every operation is answered, the process ends."""
    tracing = Tracing("gateway", "gateway1", endpoint="http://127.0.0.1:1", share=1.0)
    assert len(await _submit(tracing.receiving(cast("Ingest", NoIngest())), 5000)) == 5000
    await tracing.close()


async def test_a_request_is_told_by_its_route(chat: RunningChat, collector: Collector) -> None:
    """What it asks for stands in no span; the operation that it makes is below it."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    tracing = Tracing("api", "api1", endpoint=collector.endpoint, share=1.0)
    services = replace(chat.services, ingest=tracing.calling(chat.services.ingest))
    app = create_app(services, lambda: (True, ""), link_secret=b"x" * 32)
    transport = httpx.ASGITransport(cast("Any", tracing.requesting(app)))
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as client:
        url = f"/api/messages/conversations/{place}/messages"
        headers = {"Authorization": f"Bearer {ann.token}"}
        assert (await client.get(url, params={"limit": 7}, headers=headers)).status_code == 200
        body = {"client_msg_id": Clock().new_id(), "body": SECRET}
        assert (await client.post(url, json=body, headers=headers)).status_code in (200, 201)
    await app.state["files"].images.close()
    await tracing.close()
    read, written = sorted(collector.named("api.request"), key=lambda span: span.start_time_unix_nano)
    assert attributes_of(read)["http.request.method"] == "GET"
    assert str(attributes_of(read)["http.route"]).startswith("/api/messages/conversations/{")
    assert attributes_of(read)["http.response.status_code"] == 200
    (append,) = collector.named("rpc.append")
    assert append.parent_span_id == written.span_id
    said = "\n".join(collector.texts)
    assert not any(word in said for word in (SECRET, place, ann.user_id, ann.token, "limit"))


def test_without_an_endpoint_nothing_is_made() -> None:
    """Our code loads no library of telemetry (the client of Redis loads the API by itself), and wraps nothing."""
    program = """
import asyncio, sys
from pathlib import Path
from nottermost_chat.roles import Role, make_process, traced
from nottermost_chat.settings import Secrets, Settings
import nottermost_chat.roles.gateway, nottermost_chat.roles.ingest, nottermost_chat.roles.fanout
from nottermost_chat.verifier import make_keys
async def main():
    async with traced(make_process(Role.GATEWAY, Settings(), Secrets(signing_keys=make_keys().decode()))) as process:
        assert process.tracing is None
    assert not [name for name in sys.modules if name.startswith("opentelemetry")], "loaded"
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
