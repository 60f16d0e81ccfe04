"""What does not grow: a message's cost with the members of its channel, a connection's with the channels of its user.

PostgreSQL, Kafka and Redis are its own. Over them are real roles, each a process: ingest, fan-out, two gateways, an api;
beside the gateways stubs that dial fan-out as gateways do and count.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from math import nan
from statistics import median
from types import SimpleNamespace
from typing import Any, Final

import httpx

from nottermost_chat import backends
from nottermost_chat.actions.conversations import LISTED_MAX, list_changes
from nottermost_chat.adapters.kafka_client import brokers_of, create_topics
from nottermost_chat.bench.load import RawClient, connect
from nottermost_chat.bench.own_servers import Servers, Tell, measure_over
from nottermost_chat.bench.server import RunningServer, raise_file_limit, role_server
from nottermost_chat.bench.snapshot import Connection, load_channels, load_members, load_users, settle, user_id
from nottermost_chat.client import ChatClient, Refused, Rest
from nottermost_chat.client.rest import Session
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import ChatError
from nottermost_chat.identity import Tokens
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Role
from nottermost_chat.ports import AppendRequest, DeliveryItem, MessageStore
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.settings import PREFIX
from nottermost_chat.stack.ports import find_free
from nottermost_chat.working import working
from nottermost_conventions import ExitCode
from nottermost_conventions.figures import Figure

SERVERS: Final = ("postgres", "kafka", "redis")
MEMBERS: Final = 1_000_000
MEMBERS_FEW: Final = 400  # just large: the reference
CHANNELS: Final = 100_000
CHANNELS_FEW: Final = 10
STUBS: Final = 98
GATEWAYS: Final = 2
COUNTED: Final = 50  # messages to each channel, one channel after the other, of which deliveries are counted
MESSAGES: Final = 200  # to each in turn, timed
ROUNDS: Final = 40  # of everything else that is timed
CONNECTIONS: Final = 1_000  # of one user, to see what each takes
CLIENTS: Final = 10  # of the client library, which lists and resumes: each takes seconds of work
RESUMED: Final = 10
SETTLE_S: Final = 3.0
ARRIVE_S: Final = 30.0
LARGE, FEW = "large", "few"
OWNERS: Final = {2: CHANNELS, 3: CHANNELS_FEW, 9: LISTED_MAX}  # users by number, and how many channels they are in
SHOWN: Final = re.compile(r"^chat_delivery_seconds_count (\S+)$", re.MULTILINE)  # records with somebody to show them to


class TooManyDeliveries(ChatError):
    """A message was delivered more often than there are gateways."""

    code = "too_many_deliveries"
    exit_code = ExitCode.SAYS_NO


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
    """What is loaded: the two channels with so many members, and the users of so many channels of their own."""

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
    api: RunningServer
    remote: RemoteIngest
    stubs: list[Counter]


async def run_fanout(tell: Tell) -> list[Figure]:
    """Measure everything; takes about five minutes.

    Raises: TooManyDeliveries; StartError when a server cannot be started.
    """
    raise_file_limit()
    return await measure_over(SERVERS, tell, lambda servers: _measure_all(servers, tell))


async def _measure_all(servers: Servers, tell: Tell) -> list[Figure]:
    async with AsyncExitStack() as stack:
        tell(f"loading a channel of {MEMBERS:,} and a user of {CHANNELS:,} channels")
        place = await stack.enter_async_context(_loaded(servers))
        tell("starting roles")
        roles = await stack.enter_async_context(_running(servers))
        return [
            *await _measure_messages(place, roles, tell),
            *await _measure_changes(place, roles, tell),
            *await _measure_user(place, roles, tell),
            *await _measure_doors(place, roles, tell),
        ]


@asynccontextmanager
async def _loaded(servers: Servers) -> AsyncIterator[Place]:
    process = servers.process
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(backends.directory(process))
        store = await stack.enter_async_context(backends.store(process))
        tokens = await Tokens.open(directory, process.settings, process.clock, keys=process.keys)
        stack.push_async_callback(tokens.close)
        database = stack.enter_context(servers.connect())
        yield await _load(directory, store, tokens, database, process.clock)


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


@asynccontextmanager
async def _running(servers: Servers) -> AsyncIterator[Roles]:
    await create_topics(brokers_of(servers.process.settings), replication=1)
    environment = servers.environment | {f"{PREFIX}DRAIN_S": "0"}
    async with AsyncExitStack() as stack:

        async def start(role: str, port: int = 0) -> RunningServer:
            return await stack.enter_async_context(role_server(role, environment | {f"{PREFIX}PORT": str(port)}))

        ingest = await start("ingest")
        environment[f"{PREFIX}INGEST"] = f"127.0.0.1:{ingest.port}"
        port = find_free(set())
        address = environment[f"{PREFIX}FANOUT"] = f"127.0.0.1:{port}"
        stubs = [Counter(number) for number in range(STUBS)]
        receivers = [DeliveryReceiver(FixedAddresses(address), stub) for stub in stubs]
        fanout = await start("fanout", port)
        dialling = {stub.gateway_id: one.run() for stub, one in zip(stubs, receivers, strict=True)}
        await stack.enter_async_context(working(**dialling))
        gateways = [await start("gateway") for _ in range(GATEWAYS)]
        for receiver in receivers:
            await receiver.connected()
        remote = RemoteIngest(FixedAddresses(f"127.0.0.1:{ingest.port}"), "bench", metrics=Metrics(), clock=Clock())
        await stack.enter_async_context(working(ingest=remote.run()))
        await remote.connected()
        api = await start("api")
        yield Roles(ingest=ingest, fanout=fanout, gateways=gateways, api=api, remote=remote, stubs=stubs)


# --- messages -------------------------------------------------------------------------------------


async def _measure_messages(place: Place, roles: Roles, tell: Tell) -> list[Figure]:
    """Two members are connected, one at each gateway; first deliveries are counted, then sends are timed."""
    members = [user_id(5), user_id(6)]
    tokens = [(await place.tokens.session(member, "bench")).access_token for member in members]
    clients = [(await connect(server.port, [token]))[0] for server, token in zip(roles.gateways, tokens, strict=True)]
    tell(f"{COUNTED} messages to each channel, counted")
    each = {label: await _count_deliveries(place, roles, label) for label in (FEW, LARGE)}
    tell(f"{MESSAGES} messages to each channel, timed")
    before = roles.ingest.rss_kib(), roles.fanout.rss_kib()
    waits = await _time_messages(place, roles)
    sent = 2 * (COUNTED + MESSAGES)
    await _until(lambda: all(client.frames == sent for client in clients), "a member lacks messages")
    memory = {"ingest": roles.ingest.rss_kib() - before[0], "fan-out": roles.fanout.rss_kib() - before[1]}
    for client in clients:
        client.close()
    said, gateways = f"{MEMBERS_FEW} members {each[FEW]:.1f}", len(roles.stubs) + len(roles.gateways)
    rows = [
        Figure(f"deliveries a message, {MEMBERS:,} members", each[LARGE], "", said, each[LARGE] / each[FEW], f"≤ {gateways} gateways"),
        _compared(f"send, {MEMBERS:,} members, p50", waits[LARGE], waits[FEW], f"{MEMBERS_FEW} members", "ratio about 1"),
    ]  # fmt: skip
    return rows + [
        Figure(f"{name}'s memory after {2 * MESSAGES} messages", grown / 1024, "MiB", "more than before them")
        for name, grown in memory.items()
    ]


async def _count_deliveries(place: Place, roles: Roles, label: str) -> float:
    """Deliveries a message, to stubs and gateways; a gateway counts a record once, and only when somebody is there.

    Raises: TooManyDeliveries.
    """
    channel, before = place.channels[label], await _shown(roles)
    for _ in range(COUNTED):
        await _say(place, roles, label)
    await _until(lambda: _deliveries(roles, channel) >= COUNTED * len(roles.stubs), "a stub lacks messages")
    await asyncio.sleep(SETTLE_S)  # the gateways' share, and what there should not be
    taken = _deliveries(roles, channel) + await _shown(roles) - before
    return check_deliveries(label, taken / COUNTED, len(roles.stubs) + len(roles.gateways))


def check_deliveries(channel: str, each: float, gateways: int) -> float:
    """`each`, deliveries a message. Raises: TooManyDeliveries when they are more than the gateways."""
    if each > gateways:
        raise TooManyDeliveries(
            f"a message to the channel of {channel} took {each:.2f} deliveries and there are {gateways} gateways: at most one for each"
        )
    return each


async def _shown(roles: Roles) -> float:
    """Records that the real gateways were told of and had somebody to show to, as their metrics say."""
    total = 0.0
    async with httpx.AsyncClient() as http:
        for server in roles.gateways:
            found = SHOWN.search((await http.get(f"http://127.0.0.1:{server.port}/metrics")).text)
            assert found is not None
            total += float(found[1])
    return total


async def _time_messages(place: Place, roles: Roles) -> dict[str, list[float]]:
    """Seconds of each append, by channel; to both in turn."""
    waits: dict[str, list[float]] = {LARGE: [], FEW: []}
    for _ in range(MESSAGES):
        for label, times in waits.items():
            started = time.perf_counter()
            await _say(place, roles, label)
            times.append(time.perf_counter() - started)
    return waits


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
        rows.append(await _compare(f"{name}, {MEMBERS:,} members", f"{MEMBERS_FEW} members", act, *_both(place)))
    return rows


def _both(place: Place) -> tuple[str, str]:
    return place.channels[LARGE], place.channels[FEW]


async def _compare(
    name: str, reference: str, act: Callable[[Any], Awaitable[object]], large: Any, few: Any, rounds: int = 0
) -> Figure:
    """The same in turns for both; `rounds`: 0 is as usual."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range((rounds or ROUNDS) + 3):
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
    for server, count in zip(roles.gateways, (CHANNELS, CHANNELS_FEW), strict=True):
        kib[count] = await _memory_of(server, [tokens[count]] * CONNECTIONS)
    rows.append(Figure(f"gateway, a connection of {users[0]}", kib[CHANNELS], "KiB", f"{users[1]} {kib[CHANNELS_FEW]:.1f} KiB",
                       kib[CHANNELS] / kib[CHANNELS_FEW], "ratio about 1"))  # fmt: skip
    return rows


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


# --- the same through the doors ---------------------------------------------------------------------


async def _measure_doors(place: Place, roles: Roles, tell: Tell) -> list[Figure]:
    """The list that REST gives, and the client library until it is ready: both end at LISTED_MAX conversations."""
    tell("the list over REST, the client library until it is ready")
    sessions = {count: await _session(place, count) for count in place.owners}
    api = f"http://127.0.0.1:{roles.api.port}"
    rests = {count: Rest(api, session) for count, session in sessions.items()}

    async def list_all(count: int) -> None:
        found = await rests[count].call("GET", "/api/chats/conversations")
        in_all = count + len(place.channels)
        assert len(found) == min(in_all, LISTED_MAX), f"{len(found)} conversations of {in_all}"

    try:
        rows = []
        for other in (LISTED_MAX, CHANNELS_FEW):
            name = f"list over REST, {CHANNELS:,} beside {other:,}"
            rows.append(await _compare(name, f"{other:,} channels", list_all, CHANNELS, other, CLIENTS))
        return rows + await _measure_clients(roles, api, sessions)
    except Refused as refused:
        return [Figure(f"the doors, {CHANNELS:,} channels", nan, "", f"refused: {refused}")]
    finally:
        for rest in rests.values():
            await rest.close()


async def _session(place: Place, count: int) -> Session:
    owner = place.owners[count][0]
    tokens = await place.tokens.session(owner, "bench")
    return Session(tokens.access_token, tokens.refresh_token, owner)


async def _measure_clients(roles: Roles, api: str, sessions: dict[int, Session]) -> list[Figure]:
    """The client library's connections of each user at a gateway of their own, opened in turns and kept open."""
    at = dict(zip((CHANNELS, CHANNELS_FEW), roles.gateways, strict=True))
    took: dict[int, list[float]] = {count: [] for count in at}
    async with AsyncExitStack() as stack:
        before = {count: server.rss_kib() for count, server in at.items()}
        for _ in range(CLIENTS):
            for count, server in at.items():
                client = ChatClient(Rest(api, sessions[count]), socket_url=f"http://127.0.0.1:{server.port}")
                started = time.perf_counter()
                await stack.enter_async_context(client)
                took[count].append(time.perf_counter() - started)
        await asyncio.sleep(SETTLE_S)
        grown = {count: (server.rss_kib() - before[count]) / CLIENTS for count, server in at.items()}
    few = f"{CHANNELS_FEW} channels"
    return [
        _compared(f"client library until ready, {CHANNELS:,} channels, p50", took[CHANNELS], took[CHANNELS_FEW], few, ""),
        Figure(f"gateway, a client that follows {LISTED_MAX:,}", grown[CHANNELS], "KiB", f"{few} {grown[CHANNELS_FEW]:.1f} KiB"),
    ]  # fmt: skip
