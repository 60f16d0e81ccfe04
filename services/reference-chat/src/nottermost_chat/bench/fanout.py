"""What does not grow: a message's cost with the members of its channel, a connection's with the channels of its user.

Real roles over the servers that the settings name, each a process: ingest, fan-out, two gateways; beside them stubs
that dial fan-out as gateways do and count. The database is one of its own and goes afterwards.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import psycopg
from psycopg import sql

from nottermost_chat.actions.conversations import list_changes, list_conversations
from nottermost_chat.adapters.kafka_client import Brokers, create_topics, delete_topics
from nottermost_chat.adapters.postgres_store import PostgresStore
from nottermost_chat.bench.crowd import UNLIMITED
from nottermost_chat.bench.load import RawClient, connect
from nottermost_chat.bench.server import RunningServer, raise_file_limit, role_server
from nottermost_chat.bench.snapshot import Connection, load_channels, load_members, load_users, settle, user_id
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.directory.server import Server
from nottermost_chat.errors import Unavailable
from nottermost_chat.identity import Tokens
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Role
from nottermost_chat.ports import AppendRequest, DeliveryItem, MessageStore
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.settings import Settings
from nottermost_chat.stack.ports import find_free
from nottermost_chat.verifier import make_keys, parse_keys
from nottermost_chat.working import working
from nottermost_conventions.figures import Figure

MEMBERS: Final = 1_000_000
MEMBERS_FEW: Final = 400  # just large: the reference
CHANNELS: Final = 100_000
CHANNELS_FEW: Final = 10
STUBS: Final = 98
GATEWAYS: Final = STUBS + 2
MESSAGES: Final = 200
ROUNDS: Final = 40  # of everything else that is timed
CONNECTIONS: Final = 1_000  # of one user, to see what each takes
RESUMED: Final = 10
SETTLE_S: Final = 3.0
ARRIVE_S: Final = 30.0
LARGE, FEW = "large", "few"
OWNERS: Final = {2: CHANNELS, 3: CHANNELS_FEW}  # users by number, and how many channels they are in

Tell = Callable[[str], None]


class Counter:
    """A gateway without connections that counts what it is told, by conversation."""

    def __init__(self, number: int) -> None:
        self.gateway_id = f"stub-{number}"
        self.taken: dict[str, int] = {}
        self.lapses = 0

    async def take(self, items: Sequence[DeliveryItem]) -> None:
        for item in items:
            conversation_id = item.record.entry.conversation_id
            self.taken[conversation_id] = self.taken.get(conversation_id, 0) + 1

    def signal(self, signal: object) -> None: ...

    def lapse(self) -> None:
        self.lapses += 1


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is loaded: the two channels with so many members, and the two users of so many channels."""

    directory: Directory
    store: MessageStore
    tokens: Tokens
    channels: dict[str, str]  # by how large
    owners: dict[int, tuple[str, list[str]]]  # user and channels, by how many those are
    since: int  # some of their channels are active since


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What runs."""

    ingest: RunningServer
    fanout: RunningServer
    gateways: list[RunningServer]
    remote: RemoteIngest
    stubs: list[Counter] = field(default_factory=list)


async def run_fanout(settings: Settings, tell: Tell) -> list[Figure]:
    """Measure everything; takes about two minutes.

    Args:
        settings: where PostgreSQL is (its user may create databases), Kafka and Redis.
    """
    raise_file_limit()
    name, keys = f"bench_{Clock().new_id()}".lower(), make_keys()
    settings = msgspec.structs.replace(settings, access_token_s=7200)
    with TemporaryDirectory() as folder:
        environment = _environment(settings, name, keys.decode(), Path(folder))
        async with AsyncExitStack() as stack:
            tell(f"loading a channel of {MEMBERS:,} and a user of {CHANNELS:,} channels")
            place = await stack.enter_async_context(_loaded(settings, name, keys))
            tell("starting roles")
            roles = await stack.enter_async_context(_running(settings, environment))
            rows = await _measure_messages(place, roles, tell)
            rows += await _measure_changes(place, roles, tell)
            return rows + await _measure_user(place, roles, tell)


def _environment(settings: Settings, name: str, keys: str, folder: Path) -> dict[str, str]:
    given = {
        "STORE": "postgres", "DATABASE_HOST": settings.database_host, "DATABASE_USER": settings.database_user,
        "DATABASE_NAME": name, "BROKERS": settings.brokers, "TOPIC_PREFIX": f"{name}-", "CACHE_HOST": settings.cache_host,
        "CACHE_PREFIX": name, "DATA": str(folder), "SIGNING_KEYS": keys, "LOG_LEVEL": "warning", "DRAIN_S": "0",
    }  # fmt: skip
    return UNLIMITED | {f"NOTTERMOST_{key}": value for key, value in given.items()}


@asynccontextmanager
async def _loaded(settings: Settings, name: str, keys: bytes) -> AsyncIterator[Place]:
    clock, metrics = Clock(), Metrics()
    server = Server(host=settings.database_host, database=name, user=settings.database_user)
    _administer(settings, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        async with AsyncExitStack() as stack:
            directory = await Directory.open(server, clock, metrics)
            stack.push_async_callback(directory.close)
            store = await PostgresStore.open(server, metrics, clock.monotonic)
            stack.push_async_callback(store.close)
            tokens = await Tokens.open(directory, settings, clock, keys=parse_keys(keys))
            stack.push_async_callback(tokens.close)
            database = stack.enter_context(_connected(settings, name))
            yield await _load(directory, store, tokens, database, clock)
    finally:
        _administer(settings, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _load(directory: Directory, store: MessageStore, tokens: Tokens, database: Connection, clock: Clock) -> Place:
    load_users(database, MEMBERS)
    database.commit()
    workspace = (await directory.workspaces.create("Bench", user_id(1))).workspace_id
    await directory.workspaces.add_members(workspace, [user_id(number) for number in OWNERS])
    channels = {}
    for label, count in ((LARGE, MEMBERS), (FEW, MEMBERS_FEW)):
        row = await directory.conversations.create_channel(workspace, label, user_id(1))
        channels[label] = row.conversation_id
        load_members(database, row.conversation_id, count)
    since, owners = clock.now_ms(), {}
    for number, count in OWNERS.items():
        ids = load_channels(database, workspace, user_id(number), clock.new_id()[-20:], count, active_at=since)
        owners[count] = user_id(number), ids
    await asyncio.to_thread(settle, database)
    return Place(directory=directory, store=store, tokens=tokens, channels=channels, owners=owners, since=since)


def _administer(settings: Settings, statement: sql.Composed) -> None:
    with _connected(settings, "postgres") as connection:
        connection.autocommit = True
        connection.execute(statement)


def _connected(settings: Settings, database: str) -> Connection:
    host, _, port = settings.database_host.partition(":")
    return psycopg.connect(host=host, port=int(port or 5432), user=settings.database_user, dbname=database)


@asynccontextmanager
async def _running(settings: Settings, environment: dict[str, str]) -> AsyncIterator[Roles]:
    brokers = Brokers(settings.brokers, topic_prefix=environment["NOTTERMOST_TOPIC_PREFIX"])
    await create_topics(brokers, replication=1)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(delete_topics, brokers)
        start = stack.enter_async_context
        ingest = await start(role_server("ingest", environment | {"NOTTERMOST_PORT": "0"}))
        environment |= {"NOTTERMOST_INGEST": f"127.0.0.1:{ingest.port}"}
        port = find_free(set())
        address = f"127.0.0.1:{port}"
        environment |= {"NOTTERMOST_FANOUT": address}
        stubs = [Counter(number) for number in range(STUBS)]
        receivers = [DeliveryReceiver(FixedAddresses(address), stub) for stub in stubs]
        fanout = await start(role_server("fanout", environment | {"NOTTERMOST_PORT": str(port)}))
        await start(working(**{stub.gateway_id: one.run() for stub, one in zip(stubs, receivers, strict=True)}))
        gateways = [await start(role_server("gateway", environment | {"NOTTERMOST_PORT": "0"})) for _ in range(2)]
        for receiver in receivers:
            await receiver.connected()
        remote = RemoteIngest(FixedAddresses(f"127.0.0.1:{ingest.port}"), "bench", metrics=Metrics(), clock=Clock())
        await start(working(ingest=remote.run()))
        await remote.connected()
        yield Roles(ingest=ingest, fanout=fanout, gateways=gateways, remote=remote, stubs=stubs)


# --- messages -------------------------------------------------------------------------------------


async def _measure_messages(place: Place, roles: Roles, tell: Tell) -> list[Figure]:
    """The same messages to both channels in turn; two members are connected, one at each gateway."""
    members = [user_id(5), user_id(6)]
    tokens = [(await place.tokens.session(member, "bench")).access_token for member in members]
    clients = [(await connect(server.port, [token]))[0] for server, token in zip(roles.gateways, tokens, strict=True)]
    waits: dict[str, list[float]] = {LARGE: [], FEW: []}
    memory: dict[str, int] = {}
    tell(f"{MESSAGES} messages to each channel")
    for label in (FEW, LARGE):  # warm
        for _ in range(20):
            await _say(place, roles, label)
    before = roles.ingest.rss_kib(), roles.fanout.rss_kib()
    for _ in range(MESSAGES):
        for label in (FEW, LARGE):
            started = time.perf_counter()
            await _say(place, roles, label)
            waits[label].append(time.perf_counter() - started)
    sent = MESSAGES + 20
    await _until(lambda: all(client.frames == 2 * sent for client in clients), "a member lacks messages")
    memory = {"ingest": roles.ingest.rss_kib() - before[0], "fan-out": roles.fanout.rss_kib() - before[1]}
    each = {label: _deliveries(roles, place.channels[label]) / sent + len(clients) for label in (LARGE, FEW)}
    for client in clients:
        client.close()
    rows = [Figure("deliveries a message, 1,000,000 members", each[LARGE], "", f"{FEW} members {each[FEW]:.1f}",
                   each[LARGE] / each[FEW], f"≤ {GATEWAYS} gateways"),
            _compared("send, 1,000,000 members, p50", waits[LARGE], waits[FEW], "400 members", "ratio about 1")]  # fmt: skip
    return rows + [
        Figure(f"{name}'s memory after {2 * MESSAGES} messages", grown / 1024, "MiB", "more than before them")
        for name, grown in memory.items()
    ]


async def _say(place: Place, roles: Roles, label: str) -> None:
    await _do(roles, "message", place.channels[label], user_id(4), body="hello")


async def _do(roles: Roles, kind: str, conversation_id: str, actor: str, **more: Any) -> None:
    op_id = Clock().new_id()
    await roles.remote.submit(
        AppendRequest(kind=kind, conversation_id=conversation_id, actor_id=actor, op_id=op_id, **more)
    )


def _deliveries(roles: Roles, conversation_id: str) -> int:
    return sum(stub.taken.get(conversation_id, 0) for stub in roles.stubs)


async def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + ARRIVE_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        await asyncio.sleep(0.02)


# --- what changes and asks for members --------------------------------------------------------------


async def _measure_changes(place: Place, roles: Roles, tell: Tell) -> list[Figure]:
    tell("joins, leaves, mentions, resumes")
    stranger, member, admin = user_id(MEMBERS_FEW + 7), user_id(7), user_id(1)
    out, back, made = ((member, None),), ((member, Role.MEMBER),), ((member, Role.ADMIN),)

    async def leave_and_join(channel: str) -> None:
        await _do(roles, "membership", channel, member, changes=out)
        await _do(roles, "membership", channel, admin, changes=back)

    async def make_admin_and_not(channel: str) -> None:
        await _do(roles, "membership", channel, admin, changes=made)
        await _do(roles, "membership", channel, admin, changes=back)

    async def mention(channel: str) -> None:
        await _do(roles, "message", channel, admin, body="@user8 and @nobody")

    async def missed(channel: str) -> None:
        await roles.remote.missed(stranger if channel == place.channels[LARGE] else member, channel, (1, 1))

    async def among(channel: str) -> None:
        await roles.remote.among(channel, [user_id(number) for number in range(2, 402)])

    rows = []
    for name, act in (
        ("leave and join", leave_and_join), ("become admin and not", make_admin_and_not), ("mention two names", mention),
        ("resume", missed), ("who of 400 is in", among),
    ):  # fmt: skip
        rows.append(await _compare(f"{name}, 1,000,000 members", "400 members", act, *_both(place)))
    return rows


def _both(place: Place) -> tuple[str, str]:
    return place.channels[LARGE], place.channels[FEW]


async def _compare(name: str, reference: str, act: Callable[[Any], Awaitable[object]], large: Any, few: Any) -> Figure:
    """The same in turns for both."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(ROUNDS + 3):
        for argument, times in zip((large, few), took, strict=True):
            started = time.perf_counter()
            await act(argument)
            if turn >= 3:
                times.append(time.perf_counter() - started)
    return _compared(f"{name}, p50", *took, reference, "ratio about 1")


def _compared(name: str, times: Sequence[float], references: Sequence[float], reference: str, aim: str) -> Figure:
    value, other = median(times) * 1000, median(references) * 1000
    return Figure(name, value, "ms", f"{reference} {other:.1f} ms", value / other, aim)


# --- a user of many channels ------------------------------------------------------------------------


async def _measure_user(place: Place, roles: Roles, tell: Tell) -> list[Figure]:
    tell("connections of a user of many channels")
    port = roles.gateways[0].port
    services: Any = SimpleNamespace(clock=Clock(), directory=place.directory, store=place.store)
    tokens = {
        count: (await place.tokens.session(owner, "bench")).access_token for count, (owner, _) in place.owners.items()
    }
    users = f"{CHANNELS:,} channels", f"{CHANNELS_FEW} channels"

    async def log_in(count: int) -> None:
        (await connect(port, [tokens[count]]))[0].close()

    async def resume(count: int) -> None:
        owner, ids = place.owners[count]
        for channel in ids[:RESUMED]:
            await roles.remote.missed(owner, channel, (1, 1))

    async def changes(count: int) -> None:
        found = await list_changes(services, place.owners[count][0], place.since)
        assert len(found.conversations) >= 4, found

    rows = [
        await _compare(f"{name} of {users[0]}", users[1], act, CHANNELS, CHANNELS_FEW)
        for name, act in (
            ("socket to authenticated", log_in),
            (f"resume of {RESUMED}", resume),
            ("changed_since", changes),
        )
    ]
    kib = {}
    for server, count in zip(roles.gateways, place.owners, strict=True):
        kib[count] = await _memory_of(server, [tokens[count]] * CONNECTIONS)
    rows.append(Figure(f"gateway, a connection of {users[0]}", kib[CHANNELS], "KiB", f"{users[1]} {kib[CHANNELS_FEW]:.1f} KiB",
                       kib[CHANNELS] / kib[CHANNELS_FEW], "ratio about 1"))  # fmt: skip
    return [*rows, await _list_all(services, place.owners[CHANNELS][0])]


async def _list_all(services: Any, user: str) -> Figure:
    """What grows, and may take longer than a call may."""
    started = time.perf_counter()
    try:
        said = f"{len(await list_conversations(services, user)):,} conversations: grows with them"
    except Unavailable:
        said = "refused: it took longer than the directory's time limit"
    return Figure("the whole list of conversations", (time.perf_counter() - started) * 1000, "ms", said)


async def _memory_of(server: RunningServer, tokens: list[str]) -> float:
    """KiB a connection."""
    for client in await connect(server.port, tokens[:200]):
        client.close()
    await asyncio.sleep(SETTLE_S)
    before = server.rss_kib()
    clients: list[RawClient] = await connect(server.port, tokens)
    await asyncio.sleep(SETTLE_S)
    each = (server.rss_kib() - before) / len(clients)
    for client in clients:
        client.close()
    return each
