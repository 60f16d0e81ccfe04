"""Routes over a Redis that is flushed, stopped, killed and promoted: nobody who is connected ever looks offline."""

import asyncio
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from nottermost_chat.adapters.redis_client import Cache, open_cache
from nottermost_chat.adapters.redis_routes import LIFETIMES, Lifetimes, RedisRoutes
from nottermost_chat.clock import Clock
from nottermost_chat.errors import StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.protocol import Presence
from nottermost_chat.settings import Secrets, Settings
from nottermost_chat.testing.own_redis import OwnRedis, own_redis
from nottermost_chat.testing.running import wait_until

pytestmark = pytest.mark.slow  # each starts a Redis of its own

WITHIN_S = 30.0
QUICK = Lifetimes(settle=2500)  # more than two beats, as 40 s are more than one renewal
EVERYWHERE = {"ann": frozenset({"g1"}), "bob": frozenset({"g2"})}

Open = Callable[..., RedisRoutes]


async def seen_once(user_ids: Sequence[str]) -> Mapping[str, int]:
    return {user_id: 4000 for user_id in user_ids if user_id != "cat"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    async with own_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def open_routes(server: OwnRedis) -> AsyncIterator[Open]:
    """Opens routes as a process of its own would; `beating` runs them."""
    async with AsyncExitStack() as stack:

        def open_one(*, beating: bool = True, lifetimes: Lifetimes = QUICK) -> RedisRoutes:
            cache = open_cache(Settings(cache_host=server.authority), Secrets(), Metrics(), Clock().monotonic)
            stack.push_async_callback(cache.close)
            routes = RedisRoutes(cache, seen_once, Clock().monotonic, lifetimes=lifetimes)
            if beating:
                task = asyncio.create_task(routes.run())
                stack.push_async_callback(asyncio.wait, [task])
                stack.callback(task.cancel)
            return routes

        yield open_one


async def first_answer(routes: RedisRoutes) -> dict[str, frozenset[str]]:
    """What it says as soon as it says anything."""
    async with asyncio.timeout(WITHIN_S):
        while (found := await routes.gateways_of(["ann", "bob"])) is None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
        return found


async def connect_both(open_routes: Open) -> tuple[RedisRoutes, RedisRoutes, RedisRoutes]:
    """Two gateways with a user each, the second one slow to beat, and a fan-out that has found them."""
    one, two, fanout = open_routes(), open_routes(beating=False), open_routes()
    await one.register("g1", ["ann"])
    await two.register("g2", ["bob"])
    await two.beat()
    assert await first_answer(fanout) == EVERYWHERE
    return one, two, fanout


async def lose(server: OwnRedis, losing: Awaitable[object]) -> None:
    """Returns when the first gateway has noticed and begun a new generation."""
    before = await server.ask("get", "chat:generation")
    await losing

    async def has_begun() -> bool:
        return await server.ask("get", "chat:generation") not in (before, "")

    await wait_until(has_begun)


async def test_a_new_generation_says_nothing_until_everybody_has_renewed(open_routes: Open) -> None:
    """Not even of those who have."""
    one, fanout = open_routes(beating=False), open_routes(beating=False, lifetimes=LIFETIMES)
    assert await fanout.gateways_of(["ann"]) is None, "there is no generation"
    await one.register("g1", ["ann"])
    assert await fanout.gateways_of(["ann"]) is None, "it is young"


async def test_a_flush_hides_nobody(server: OwnRedis, open_routes: Open) -> None:
    """What was flushed is written again unasked; until all have done so the answer is that it cannot tell."""
    _, two, fanout = await connect_both(open_routes)
    await lose(server, server.ask("flushall"))
    assert await fanout.gateways_of(["ann", "bob"]) is None
    await two.beat()
    assert await first_answer(fanout) == EVERYWHERE


async def test_a_restart_hides_nobody(server: OwnRedis, open_routes: Open) -> None:
    """Nor does it lose who came while it was away."""
    one, two, fanout = open_routes(), open_routes(), open_routes()
    await one.register("g1", ["ann"])
    await server.kill()
    await one.register("g1", ["cat"])
    await two.register("g2", ["bob"])
    assert await fanout.gateways_of(["ann", "bob"]) is None
    await server.start()
    assert await first_answer(fanout) == EVERYWHERE
    assert await fanout.gateways_of(["cat"]) == {"cat": frozenset({"g1"})}


async def test_an_old_snapshot_hides_nobody(server: OwnRedis, open_routes: Open) -> None:
    """A server that comes back with routes of the past has a generation of the past, which does not count."""
    one, two = open_routes(), open_routes(beating=False)
    await one.register("g1", ["ann"])
    await server.ask("save")
    await two.register("g2", ["bob"])
    await server.kill()
    await server.start("--save", "3600 1")
    assert await server.ask("exists", "chat:route:ann", "chat:route:bob") == "1", "the snapshot was loaded"
    fanout = open_routes(beating=False)
    assert await fanout.gateways_of(["ann", "bob"]) is None
    for _ in range(2):  # the first finds that its connection is gone
        await two.beat()
    assert await first_answer(fanout) == EVERYWHERE


async def test_a_redis_that_hangs_holds_nobody_up(server: OwnRedis, open_routes: Open) -> None:
    """Calls return, log-ins succeed, presence is when people were last seen; afterwards all is as before."""
    one, two, fanout = await connect_both(open_routes)
    await one.touch("ann", Presence.ONLINE, now_ms=5000)
    server.send(signal.SIGSTOP)
    try:
        async with asyncio.timeout(WITHIN_S):  # of calls that would otherwise hang for ever
            assert await fanout.gateways_of(["ann", "bob"]) is None
            await one.register("g1", ["cat"])
            await one.touch("cat", Presence.ONLINE, now_ms=6000)
            await one.unregister("g1", ["dan"], now_ms=6000)
            seen = await fanout.presence(["ann", "cat"])
    finally:
        server.send(signal.SIGCONT)
    assert {user: (one.status, one.last_seen) for user, one in seen.items()} == {
        "ann": (Presence.OFFLINE, 4000),
        "cat": (Presence.OFFLINE, None),
    }
    await two.beat()
    assert await first_answer(fanout) == EVERYWHERE
    assert await fanout.gateways_of(["cat"]) == {"cat": frozenset({"g1"})}
    assert (await fanout.presence(["ann"]))["ann"].status is Presence.ONLINE


async def test_a_promoted_replica_that_lacks_the_last_writes_hides_nobody(
    tmp_path: Path, server: OwnRedis, open_routes: Open
) -> None:
    """The name leads to the replica after the primary's end; what it has not heard of is written again."""
    (tmp_path / "replica").mkdir()
    async with own_redis(tmp_path / "replica", "--replicaof", "127.0.0.1", str(server.port)) as replica:
        one, two, fanout = open_routes(), open_routes(beating=False), open_routes()
        await one.register("g1", ["ann"])

        async def has_ann() -> bool:
            return await replica.ask("exists", "chat:route:ann") == "1"

        await wait_until(has_ann)
        replica.send(signal.SIGSTOP)
        await two.register("g2", ["bob"])
        await server.kill()
        replica.send(signal.SIGCONT)
        await lose(replica, replica.take_over(server))
        fresh = open_routes(beating=False)
        assert await fresh.gateways_of(["ann", "bob"]) is None, "nor for one who has just come"
        for _ in range(2):  # the first finds that its connection is gone
            await two.beat()
        assert await first_answer(fresh) == EVERYWHERE
        assert await first_answer(fanout) == EVERYWHERE


async def test_a_primary_that_was_demoted_is_left(tmp_path: Path, server: OwnRedis, open_routes: Open) -> None:
    """Its connections stay open, and it would answer: but it refuses to write, and so nothing is believed."""
    (tmp_path / "other").mkdir()
    async with own_redis(tmp_path / "other") as other:
        _, two, fanout = await connect_both(open_routes)
        await server.ask("replicaof", "127.0.0.1", str(other.port))

        async def is_unsure() -> bool:
            return await fanout.gateways_of(["ann", "bob"]) is None

        await wait_until(is_unsure)
        await server.ask("replicaof", "no", "one")
        await two.beat()
        assert await first_answer(fanout) == EVERYWHERE


async def test_a_gateway_that_is_cut_off_is_told_of_everybody(open_routes: Open) -> None:
    """Redis cannot know who is there by now; one that has ended is not missed."""
    lifetimes = Lifetimes(settle=0, lease=1500)
    one, two, fanout = (open_routes(beating=False, lifetimes=lifetimes) for _ in range(3))
    for routes, gateway, user in ((one, "g1", "ann"), (two, "g2", "bob")):
        await routes.register(gateway, [user])
        await routes.beat()
    await two.unregister("g2", ["bob"], now_ms=1000)
    await two.close()

    async def is_told() -> bool:
        return await fanout.gateways_of(["dan"]) == {"dan": frozenset({"g1"})}

    await wait_until(is_told)
    assert await fanout.gateways_of(["ann", "bob"]) == dict.fromkeys(["ann", "bob"], frozenset({"g1"}))
    await one.beat()
    assert await fanout.gateways_of(["ann", "dan"]) == {"ann": frozenset({"g1"})}


async def test_a_cancelled_call_takes_no_other_with_it(server: OwnRedis, open_routes: Open) -> None:
    """Changes that wait together are written together; the one who writes them may be cancelled."""
    routes = open_routes(beating=False, lifetimes=Lifetimes(settle=0))
    await routes.register("g1", ["eve"])
    server.send(signal.SIGSTOP)
    writer = asyncio.create_task(routes.register("g1", ["ann"]))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(routes.register("g1", ["bob"]))
    await asyncio.sleep(0)
    writer.cancel()
    server.send(signal.SIGCONT)
    await asyncio.wait([writer, waiting])
    assert writer.cancelled()
    assert await routes.gateways_of(["ann", "bob"]) == dict.fromkeys(["ann", "bob"], frozenset({"g1"}))


async def test_everything_ends_by_itself(server: OwnRedis, open_routes: Open) -> None:
    """Each key has a lifetime, and a route the 60 s that are promised; all are under the prefix."""
    routes = open_routes(beating=False, lifetimes=LIFETIMES)
    await routes.register("g1", ["ann"])
    await routes.touch("ann", Presence.ONLINE, now_ms=1000)
    await routes.unregister("g1", ["bob"], now_ms=1000)
    await routes.beat()
    keys = (await server.ask("keys", "*")).split()
    assert sorted(keys) == ["chat:gateways", "chat:generation", "chat:route:ann", "chat:seen:ann", "chat:seen:bob"]
    left_ms = {key: int(await server.ask("pttl", key)) for key in keys}
    assert all(0 < left <= 24 * 3600 * 1000 for left in left_ms.values())
    assert 30_000 < left_ms["chat:route:ann"] <= 60_000


async def test_it_logs_in_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With user and password as Secrets Manager keeps them; a wrong password is Redis being away, and not shown."""
    _make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert ssl.get_default_verify_paths().openssl_cafile_env == "SSL_CERT_FILE"
    files = ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem")]
    async with own_redis(tmp_path, *files, "--tls-auth-clients", "no") as server:
        await server.ask("acl", "setuser", "chat", "on", ">right", "~chat:*", "+@all")
        tls_port = server.port + 1 if server.port < 60_000 else server.port - 1
        assert await server.ask("config", "set", "tls-port", str(tls_port)) == "OK"
        for password, known in (("right", {"ann": frozenset({"g1"})}), ("wrong", None)):
            cache = _open(f"localhost:{tls_port}", {"username": "chat", "password": password})
            routes = RedisRoutes(cache, seen_once, Clock().monotonic, lifetimes=Lifetimes(settle=0))
            await routes.register("g1", ["ann"])
            assert await routes.gateways_of(["ann"]) == known
            await cache.close()


def test_a_login_that_cannot_be_read_is_not_shown() -> None:
    """The sentence says what it should look like."""
    with pytest.raises(StartError, match="username") as refused:
        open_cache(Settings(), Secrets(cache_login="hunter2"), Metrics(), Clock().monotonic)
    assert "hunter2" not in str(refused.value)


def _open(host: str, login: dict[str, str]) -> Cache:
    secrets = Secrets(cache_login=msgspec.json.encode(login).decode())
    return open_cache(Settings(cache_host=host, cache_tls=True), secrets, Metrics(), Clock().monotonic)


def _make_certificate(folder: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
