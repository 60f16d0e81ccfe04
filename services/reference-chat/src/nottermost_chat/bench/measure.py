"""The measurements themselves; `run_bench` makes them one after the other and gives their rows."""

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from nottermost_chat.bench.crowd import Crowd, make_crowd
from nottermost_chat.bench.load import RawClient, connect, make_send
from nottermost_chat.bench.reference import GO, SECONDS, measure_bare_store, measure_fdatasync_ms
from nottermost_chat.bench.server import (
    RunningServer,
    bare_sends_server,
    bare_server,
    chat_server,
    pin,
    raise_file_limit,
)
from nottermost_conventions.figures import Figure

SENDERS = 64
READERS = 1000
IDLE = 5000
CHANNEL_SENDERS = 16
BODY = "x" * 100
WARM_UP_S = 1.0
SETTLE_S = 3.0
LAST_ARRIVE_S = 1.0
LATE_ARRIVE_S = 15.0  # a busy machine is slow: what is late is counted as late, not as missing
SAMPLE_MIN = 10  # messages: a server too slow for these in `SECONDS` is measured for longer
TURNS = 3

Ports = int | Sequence[int]  # several gateways take turns


async def run_bench(folder: Path | None, export: Path | None, tell: Callable[[str], None]) -> list[Figure]:
    """Measure everything.

    Args:
        folder: where the data goes, which decides what a sync costs; None: a temporary folder.
        export: a Slack export for the import; None: left out.
    """
    pin(1)
    raise_file_limit()
    gc.disable()  # its pauses would be measured as the server's
    with tempfile.TemporaryDirectory(dir=folder) as name:
        data = Path(name)
        tell("making a crowd")
        crowd = await make_crowd(data / "chat", IDLE, pairs=SENDERS // 2, in_channel=READERS)
        rows = [Figure("one fdatasync", measure_fdatasync_ms(data), "ms")]
        tell("sends")
        sends, bare, acknowledged = await compare_sends(data, crowd)
        rows.append(compare("durable sends", sends, "1/s", f"bare store {bare:,.0f}/s", sends / bare, "≥ 0.3"))
        rows.append(acknowledged)
        tell("latency at half of saturation")
        rows += await compare_latency(data, crowd, sends / 2)
        tell("deliveries")
        async with bare_server() as server:
            loop = await measure_bare_loop(server)
        async with chat_server(data / "chat") as server:
            deliveries, lags = await measure_deliveries(server.port, crowd.tokens[:READERS], crowd.channels[0])
        rows.append(
            compare("deliveries to 1,000", deliveries, "1/s", f"bare loop {loop:,.0f}/s", deliveries / loop, "≥ 0.6")
        )
        rows += lags
        tell("idle connections")
        async with bare_server() as server:
            bare_kib, _ = await measure_memory(server, [""] * IDLE)
        async with chat_server(data / "chat") as server:
            kib, without = await measure_memory(server, crowd.tokens)
        said = f"bare loop {bare_kib:.1f} KiB; the chat without any {without / 1024:,.0f} MiB"
        rows.append(
            compare(f"idle connection, of {IDLE:,}", kib, "KiB", said, kib / bare_kib if bare_kib else None, "≤ 12 KiB")
        )
        if export is not None:
            tell("import")
            rows.append(await measure_import(data / "import", export, bare))
    return rows


class Latency(msgspec.Struct, frozen=True):
    """Seconds from the intended moment of sending, sorted.

    Attributes:
        delivered: to the frame at the other end; acked: to the acknowledgement.
        missing: what never came.
    """

    delivered: list[float]
    acked: list[float]
    missing: int


class _Place(msgspec.Struct):
    """Where a sender sends, and when it last did."""

    conversation_id: str
    name: str
    sent_at: float
    sent: int = 0


async def compare_sends(data: Path, crowd: Crowd) -> tuple[float, float, Figure]:
    """Sends a second, the bare store's, and what a sender waits at that rate: medians of turns with the two in turn."""
    sends, bares, waits = list[float](), list[float](), list[list[float]]()
    async with chat_server(data / "chat") as server:
        for turn in range(TURNS):
            bares.append(measure_bare_store(data, senders=SENDERS, body=BODY))
            rate, waited = await measure_sends(server.port, crowd, f"{turn}")
            sends.append(rate)
            waits.append(waited)
    p50, p99 = (median(value_at(each, share) for each in waits) * 1000 for share in (0.5, 0.99))
    return median(sends), median(bares), Figure("acknowledgement p99 at saturation", p99, "ms", f"p50 {p50:.1f} ms")


async def measure_sends(port: Ports, crowd: Crowd, turn: str) -> tuple[float, list[float]]:
    """Closed loop: each of 64 senders sends its next message when the last one is acknowledged.

    Returns: sends a second; the seconds that each waited, sorted.
    """
    places: dict[RawClient, _Place] = {}
    waits: list[float] = []
    counting = False
    done = 0

    def on_frame(client: RawClient, payload: bytes) -> None:
        nonlocal done
        if payload.startswith(b'{"type":"message:ack"'):
            place, now = places[client], time.perf_counter()
            if counting:
                done += 1
                waits.append(now - place.sent_at)
            place.sent += 1
            place.sent_at = now
            client.send(make_send(place.conversation_id, f"{place.name}-{place.sent}", BODY))

    clients = await connect(port, crowd.tokens[:SENDERS], on_frame)
    for number, client in enumerate(clients):
        place = places[client] = _Place(crowd.directs[number // 2], f"s{turn}-{number}", time.perf_counter())
        client.send(make_send(place.conversation_id, f"{place.name}-0", BODY))
    await asyncio.sleep(WARM_UP_S)
    counting, started = True, time.perf_counter()
    await asyncio.sleep(SECONDS)
    await _wait_until(lambda: done >= SAMPLE_MIN)
    counting, seconds = False, time.perf_counter() - started
    for client in clients:
        client.close()
    return done / seconds, sorted(waits)


async def compare_latency(data: Path, crowd: Crowd, per_s: float) -> list[Figure]:
    """Send to deliver beside a bare loop that commits and answers, in turns: what stalls the machine shows in both.

    The figure is the median of the turns, since one stall of a shared machine lasts longer than a turn's worst 1 %.
    """
    turns, bare_turns, lost = list[list[float]](), list[list[float]](), 0
    async with (
        chat_server(data / "chat") as server,
        bare_sends_server(data, SENDERS, BODY) as bare,
    ):
        for turn in range(TURNS):
            bare_turns.append((await measure_latency(bare.port, [""] * SENDERS, crowd, per_s, f"{turn}")).delivered)
            latency = await measure_latency(server.port, crowd.tokens[:SENDERS], crowd, per_s, f"{turn}")
            turns.append(latency.delivered)
            lost += latency.missing
    measured = sum(len(waits) for waits in turns)
    rows = []
    for name, share, aim in (("p50", 0.5, ""), ("p99", 0.99, "≤ 50 ms")):
        each, bares = (
            sorted(value_at(waits, share) * 1000 for waits in all_turns) for all_turns in (turns, bare_turns)
        )
        value, reference = median(each), median(bares)
        said = f"bare {reference:.1f} ms; {per_s:,.0f}/s, {measured:,} measured, {lost} missing, worst turn {each[-1]:.0f} ms"
        rows.append(compare(f"send to deliver {name}", value, "ms", said, value / reference, aim))
    return rows


async def measure_latency(port: Ports, tokens: list[str], crowd: Crowd, per_s: float, turn: str) -> Latency:
    """Open loop at a fixed rate.

    At the chat it counts when it is at the other member; the bare loop, which knows no members, sends it back.
    """
    intended: dict[str, float] = {}
    sides: dict[RawClient, str] = {}
    waits: list[float] = []
    acked: list[float] = []
    bare = not tokens[0]

    def on_frame(client: RawClient, payload: bytes) -> None:
        if bare or payload.startswith(b'{"type":"message:new"'):
            frame = _decode(payload)
            at = intended.get(frame.client_msg_id)
            if at is not None and (bare or frame.client_msg_id[-1] != sides[client]):
                waits.append(time.perf_counter() - at)
        elif payload.startswith(b'{"type":"message:ack"'):
            at = intended.get(_decode(payload).client_msg_id)
            if at is not None:
                acked.append(time.perf_counter() - at)

    clients = await connect(port, tokens, on_frame)
    sides.update({client: "ab"[number % 2] for number, client in enumerate(clients)})

    def send(index: int, at: float) -> None:
        number = index % SENDERS
        key = f"l{turn}-{index}-{'ab'[number % 2]}"
        if index >= round(per_s * WARM_UP_S):
            intended[key] = at
        clients[number].send(make_send(crowd.directs[number // 2], key, BODY))

    await _send_open_loop(per_s, WARM_UP_S, send)
    await _wait_until(lambda: len(waits) >= len(intended))
    for client in clients:
        client.close()
    return Latency(sorted(waits), sorted(acked), len(intended) - len(waits))


class _New(msgspec.Struct):
    client_msg_id: str = ""


_decode = msgspec.json.Decoder(_New).decode


async def measure_deliveries(port: Ports, tokens: Sequence[str], channel: str) -> tuple[float, list[Figure]]:
    """One channel that all of these read; 16 of them send as fast as they are acknowledged."""
    counts: dict[RawClient, int] = {}
    waits: list[float] = []
    sent_at: dict[str, float] = {}

    def on_frame(client: RawClient, payload: bytes) -> None:
        if payload.startswith(b'{"type":"message:ack"'):
            counts[client] += 1
            key = f"d{numbers[client]}-{counts[client]}"
            sent_at[key] = time.perf_counter()
            client.send(make_send(channel, key, BODY))

    clients = await connect(port, tokens)
    numbers = {client: number for number, client in enumerate(clients[:CHANNEL_SENDERS])}
    for client, number in numbers.items():
        client.on_frame = on_frame
        counts[client] = 0
        client.send(make_send(channel, f"d{number}-0", BODY))
    await asyncio.sleep(WARM_UP_S)
    before, started = sum(client.frames for client in clients), time.perf_counter()
    await asyncio.sleep(SECONDS)
    await _wait_until(lambda: sum(client.frames for client in clients) - before >= SAMPLE_MIN * len(tokens))
    got, seconds = sum(client.frames for client in clients) - before, time.perf_counter() - started
    rate = got / seconds
    for client in numbers:
        client.on_frame = None
    await asyncio.sleep(0.5)

    half = rate / len(tokens) / 2
    keys: dict[str, float] = {}
    watchers = clients[CHANNEL_SENDERS :: max(1, len(clients) // 20)]

    def on_new(_client: RawClient, payload: bytes) -> None:
        at = keys.get(_decode(payload).client_msg_id)
        if at is not None:
            waits.append(time.perf_counter() - at)

    for client in watchers:
        client.on_frame = on_new

    def send(index: int, at: float) -> None:
        keys[f"h{index}"] = at
        clients[index % CHANNEL_SENDERS].send(make_send(channel, f"h{index}", BODY))

    await _send_open_loop(half, 0.0, send)
    await _wait_until(lambda: len(waits) >= len(keys) * len(watchers))
    for client in clients:
        client.close()
    waits.sort()
    note = f"{half:,.0f} messages/s to {len(tokens):,} readers"
    return rate, [
        Figure("fan-out send to deliver p50", value_at(waits, 0.5) * 1000, "ms", note),
        Figure("fan-out send to deliver p99", value_at(waits, 0.99) * 1000, "ms", note),
    ]


async def _send_open_loop(per_s: float, warm_up_s: float, send: Callable[[int, float], None]) -> None:
    """Call `send(index, intended time)` at a fixed rate, late ones at once, and wait for what is under way."""
    total = round(per_s * warm_up_s) + max(SAMPLE_MIN, round(per_s * SECONDS))
    started, index = time.perf_counter(), 0
    while index < total:
        now = time.perf_counter()
        while index < total and started + index / per_s <= now:
            send(index, started + index / per_s)
            index += 1
        await asyncio.sleep(0.001)  # less is 0 to uvloop, and a client that spins starves the server of its core
    await asyncio.sleep(LAST_ARRIVE_S)


async def _wait_until(done: Callable[[], bool]) -> None:
    """Until it is so, or `LATE_ARRIVE_S` are over."""
    deadline = time.monotonic() + LATE_ARRIVE_S
    while not done() and time.monotonic() < deadline:  # noqa: ASYNC110 - sockets tell nobody how many came
        await asyncio.sleep(0.05)


async def measure_bare_loop(server: RunningServer) -> float:
    """Frames a second that this process takes from the bare loop."""
    clients = await connect(server.port, [""] * READERS)
    clients[0].send(GO)
    await asyncio.sleep(WARM_UP_S)
    before, started = sum(client.frames for client in clients), time.perf_counter()
    await asyncio.sleep(SECONDS)
    got, seconds = sum(client.frames for client in clients) - before, time.perf_counter() - started
    for client in clients:
        client.close()
    return got / seconds


async def measure_memory(server: RunningServer, tokens: list[str]) -> tuple[float, float]:
    """KiB of resident memory a connection, and of the server with none but after a few came and went."""
    for client in await connect(server.port, tokens[:200]):
        client.close()
    await asyncio.sleep(SETTLE_S)
    before = server.rss_kib()
    clients = await connect(server.port, tokens)
    await asyncio.sleep(SETTLE_S)
    each = (server.rss_kib() - before) / len(clients)
    for client in clients:
        client.close()
    return each, before


async def measure_import(data: Path, export: Path, bare: float) -> Figure:
    """The whole import, search index included."""
    from nottermost_chat.settings import load_settings
    from nottermost_chat.slack.importer import run_import

    started = time.perf_counter()
    result = await run_import(load_settings({}, data=data), export, lambda _done, _total: None)
    seconds = time.perf_counter() - started
    rate = result.messages / seconds
    name = f"import of {result.messages:,} messages in {seconds:.1f} s"
    return compare(name, rate, "1/s", f"bare store {bare:,.0f}/s", rate / bare, "≤ 15 s for 16,466")


def compare(name: str, value: float, unit: str, reference: str, ratio: float | None, aim: str) -> Figure:
    return Figure(name, value, unit, reference, ratio, aim)


def value_at(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered values lie; without values there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
