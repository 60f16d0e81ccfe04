"""What a cache of the newest pages would save: a page through the API, the store's part of it, and the same from Redis.

PostgreSQL, DynamoDB Local and Redis are its own. The cache is the one of ADR 0021: a page lies under (conversation,
epoch, head), so the head is read strongly first, and each append writes or ends the page.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import msgspec
from aiobotocore.session import AioSession
from redis.asyncio import Redis

from nottermost_chat.adapters.dynamo_store import DynamoStore
from nottermost_chat.adapters.dynamo_tables import create_tables
from nottermost_chat.adapters.postgres_store import PostgresStore
from nottermost_chat.api.app import create_app
from nottermost_chat.backends import closing, database_server
from nottermost_chat.bench.crowd import ENVIRONMENT
from nottermost_chat.bench.own_servers import Servers, Tell, measure_over
from nottermost_chat.bootstrap import open_services
from nottermost_chat.clock import Clock
from nottermost_chat.front_door import listen
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import Message
from nottermost_chat.ports import MessageStore
from nottermost_chat.roles.process import Process
from nottermost_chat.services import Services
from nottermost_chat.settings import load_settings
from nottermost_chat.testing.ingesting import open_writing
from nottermost_conventions.figures import Figure
from nottermost_conventions.tables import LOG, TEXTS

SERVERS: Final = ("postgres", "redis", "dynamodb")
PAGE: Final = 50
CONVERSATIONS: Final = 20
BODY: Final = "x" * 100
ROUNDS: Final = 600
WARM: Final = 50
TTL_S: Final = 3600  # document D's

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Message]).decode


class Timed:
    """The store, with what each page took in it."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self.took_s: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def history(self, *args: Any, **more: Any) -> list[Message]:
        started = time.perf_counter()
        page = await self._store.history(*args, **more)
        self.took_s.append(time.perf_counter() - started)
        return page


class Units:
    """Read units that DynamoDB says it took, summed up."""

    def __init__(self) -> None:
        self.total = 0.0

    def attach(self, session: AioSession) -> None:
        session.register("before-parameter-build.dynamodb.Query", self._ask)
        session.register("before-parameter-build.dynamodb.BatchGetItem", self._ask)
        session.register("after-call.dynamodb", self._add)

    def _ask(self, params: dict[str, Any], **_more: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _add(self, parsed: dict[str, Any], **_more: object) -> None:
        taken = parsed.get("ConsumedCapacity", [])
        for one in taken if isinstance(taken, list) else [taken]:
            self.total += one["CapacityUnits"]

    async def of(self, work: Awaitable[object]) -> float:
        """What this takes, alone."""
        before = self.total
        await work
        return self.total - before


async def run_history(tell: Tell) -> list[Figure]:
    """Measure both stores, one after the other; takes about two minutes.

    Raises: StartError when a server cannot be started.
    """
    return await measure_over(SERVERS, tell, lambda servers: _measure_both(servers, tell))


async def _measure_both(servers: Servers, tell: Tell) -> list[Figure]:
    rows = []
    for name, opening in (("PostgreSQL", _on_postgres), ("DynamoDB", _on_dynamodb)):
        tell(name)
        async with opening(servers.process) as (store, units):
            rows += await _measure(name, servers.process.settings.cache_host, store, units)
    return rows


async def _measure(name: str, cache: str, store: MessageStore, units: Units | None) -> list[Figure]:
    timed = Timed(store)
    host, _, port = cache.partition(":")
    redis = Redis(host=host, port=int(port))
    try:
        async with _serving(timed) as (http, places):
            rows = await _compare(name, timed, redis, http, places)
            return rows if units is None else rows + await _count_units(store, units, places[0])
    finally:
        await redis.aclose()


@asynccontextmanager
async def _serving(store: Timed) -> AsyncIterator[tuple[httpx.AsyncClient, list[str]]]:
    """The API over the store, with a caller who is in these conversations, each of which has two pages."""
    with TemporaryDirectory() as name, TemporaryDirectory() as unused:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            services: Services = await stack.enter_async_context(open_services(load_settings(ENVIRONMENT, data=folder)))
            shared: Any = store
            writing = await stack.enter_async_context(
                open_writing(Path(unused), directory=services.directory, store=shared)
            )
            (user_id,) = await writing.users("ann")
            places = [await writing.conversation(user_id) for _ in range(CONVERSATIONS)]
            for place in places:
                await asyncio.gather(*(writing.say(place, user_id, BODY) for _ in range(2 * PAGE)))
            token = (await services.tokens.session(user_id, "bench")).access_token
            app = create_app(replace(services, store=shared))
            server = await listen(app, "127.0.0.1", 0)
            http = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{server.port}", headers={"authorization": f"Bearer {token}"}
            )
            try:
                yield await stack.enter_async_context(http), places
            finally:
                server.stop_listening()
                await server.finish(1.0)
                await app.state["files"].images.close()


async def _compare(name: str, store: Timed, redis: "Redis", http: httpx.AsyncClient, places: list[str]) -> list[Figure]:
    """All of it in turns, so that what else the machine does shows in each."""
    times: dict[str, list[float]] = {part: [] for part in ("request", "page", "head", "cached", "written", "work")}
    size, keys = 0, {place: f"bench-{Clock().new_id()}" for place in places}
    for turn in range(WARM + ROUNDS):
        place = places[turn % len(places)]
        if turn == WARM:
            store.took_s.clear()
            times = {part: [] for part in times}
        path = f"/api/messages/conversations/{place}/messages"
        times["request"].append(await _timed(http.get(path, params={"limit": PAGE, "roots": "true"})))
        started = time.process_time()
        page = await store.history(place, limit=PAGE, roots_only=True)
        read_s = time.process_time() - started
        times["written"].append(await _timed(_write(redis, keys[place], page)))
        started = time.process_time()
        times["head"].append(await _timed(store.heads([place])))
        times["cached"].append(await _timed(_read(redis, keys[place])))
        times["work"].append(read_s - (time.process_time() - started))
        size = len(_encode(page))
    await redis.delete(*keys.values())
    times["page"] = store.took_s[::2]  # the requests' own; every second one was ours
    p50, p99 = ({part: _at(each, share) for part, each in times.items()} for share in (0.5, 0.99))
    saved = p50["page"] - p50["head"] - p50["cached"]
    whole = f"request {p50['request']:.2f} ms"
    return [
        Figure(f"{name}: newest {PAGE} through the API, p50", p50["request"], "ms", f"p99 {p99['request']:.1f} ms"),
        _part(f"{name}: of it in the store, p50", p50, p99, "page"),
        _part(f"{name}: the head alone, read strongly, p50", p50, p99, "head"),
        _part(f"Redis: the page, {size:,} bytes, decoded, p50", p50, p99, "cached"),
        _part("Redis: the page written after an append, p50", p50, p99, "written"),
        Figure(f"{name}: work of this process that a hit would save, p50", p50["work"], "ms", "its processor time"),
        Figure(f"{name}: a hit would save", saved, "ms", whole, saved / p50["request"], "> 0.3 to be built"),
    ]  # fmt: skip


async def _count_units(store: MessageStore, units: Units, place: str) -> list[Figure]:
    page = await units.of(store.history(place, limit=PAGE + 1, roots_only=True))
    head = await units.of(store.heads([place]))
    return [Figure("DynamoDB: read units of a page", page, "", f"the head alone {head:.1f}")]


def _part(name: str, p50: dict[str, float], p99: dict[str, float], part: str) -> Figure:
    return Figure(name, p50[part], "ms", f"p99 {p99[part]:.1f} ms", p50[part] / p50["request"])


def _at(times: list[float], share: float) -> float:
    """Milliseconds below which this share lies."""
    return quantiles(times, n=100)[round(share * 100) - 1] * 1000


async def _timed(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def _write(redis: "Redis", key: str, page: list[Message]) -> None:
    await redis.set(key, _encode(page), ex=TTL_S)


async def _read(redis: "Redis", key: str) -> list[Message]:
    found = await redis.get(key)
    assert isinstance(found, bytes)
    return _decode(found)


@asynccontextmanager
async def _on_postgres(process: Process) -> AsyncIterator[tuple[MessageStore, Units | None]]:
    server = database_server(process.settings, process.secrets)
    async with closing(await PostgresStore.open(server, Metrics(), Clock().monotonic)) as store:
        yield store, None


@asynccontextmanager
async def _on_dynamodb(_process: Process) -> AsyncIterator[tuple[MessageStore, Units | None]]:
    units, session = Units(), AioSession()
    units.attach(session)
    names = {LOG: "bench-log", TEXTS: "bench-texts"}
    async with session.create_client("dynamodb") as client:
        await create_tables(client, names)
    opening = DynamoStore.open(
        table_log=names[LOG], table_texts=names[TEXTS], metrics=Metrics(), clock=Clock(), session=session
    )
    async with closing(await opening) as store:
        yield store, units
