"""Every acknowledged entry reaches every connected member, on every device, once and in order."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.errors import Unavailable
from nottermost_chat.model import ConversationKind
from nottermost_chat.ports import DeliveryItem
from nottermost_chat.protocol import CloseCode, MessageNew
from nottermost_chat.settings import Limits
from nottermost_chat.testing.ingesting import NO_LIMITS
from nottermost_chat.testing.running import RunningChat, abort_connection, following, run_chat


async def test_every_device_sees_every_entry_once_and_in_order_across_reconnects(chat: RunningChat) -> None:
    """Three people, one on two devices, send while connections are cut at random: everybody shows 1, 2, 3, …"""
    ann, bob, cat = await chat.users("ann", "bob", "cat")
    places = [await chat.conversation(ann, bob, cat) for _ in range(2)]
    devices = [ann, bob, cat, await chat.device(ann.user_id)]
    dice = random.Random(7)
    async with AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(following(chat.client(device))) for device in devices]

        async def cut() -> None:
            for _ in range(12):
                await asyncio.sleep(dice.uniform(0.01, 0.05))
                abort_connection(dice.choice(followers).client)

        async def talk(number: int) -> list[str]:
            acks = []
            for turn in range(15):
                ack = await followers[number].client.send(places[turn % 2], f"{number}.{turn}")
                acks.append(ack.message_id)
                if turn % 5 == 4:
                    await followers[number].client.edit(places[turn % 2], ack.message_id, "edited")
            return acks

        acknowledged, *_ = await asyncio.gather(asyncio.gather(*map(talk, range(4))), cut())
        for place in places:
            entries = await chat.services.store.entries(place, 1, 1000)
            for follower in followers:
                assert await follower.saw(place, entries[-1].seq) == [entry.seq for entry in entries]
        stored = [
            e.message_id
            for place in places
            for e in await chat.services.store.entries(place, 0, 1000)
            if e.target_seq == 0
        ]
        assert sorted(one for acks in acknowledged for one in acks) == sorted(filter(None, stored))


FAULTS = st.lists(st.sampled_from(["pass", "pass", "drop", "twice", "older", "hold"]), min_size=6, max_size=14)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=FAULTS)
async def test_the_gateway_puts_right_what_the_log_gets_wrong(chat: RunningChat, faults: list[str]) -> None:
    """Deliveries dropped, repeated, late or out of order: raw sockets see each entry once and in order."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one = await chat.raw(bob)
    await chat.say(place, ann, "the first is seen by everybody")
    first = await one.expect("message:new")
    past: list[DeliveryItem] = []
    held: list[DeliveryItem] = []
    script = iter([*faults, "pass"])

    def change(items: Sequence[DeliveryItem]) -> Sequence[DeliveryItem]:
        mine = [item for item in items if item.record.entry.conversation_id == place]
        others = [item for item in items if item not in mine]
        out: list[DeliveryItem] = []
        for item in mine:
            past.append(item)
            match next(script):
                case "drop":
                    pass
                case "twice":
                    out += [item, item]
                case "older":
                    out += [*past[-3:][::-1]]
                case "hold":
                    held.append(item)
                case _:
                    out += [item, *held]
                    held.clear()
        return [*others, *out]

    chat.delivery.change = change
    for fault in [*faults, "pass"]:
        await chat.say(place, ann, fault)
    seqs: list[int] = []
    while len(seqs) < len(faults) + 1:
        frame = await one.receive()
        if frame["type"] == "message:new":
            seqs.append(frame["seq"])
    assert seqs == list(range(first["seq"] + 1, first["seq"] + len(faults) + 2))
    chat.delivery.change = lambda items: items
    one.abort()


async def test_a_slow_reader_is_sent_away_and_misses_nothing(tmp_path: Path) -> None:
    """Whoever does not read is closed with SLOW_CONSUMER; others are served meanwhile; a resume brings the rest."""
    limits = Limits(standard=NO_LIMITS.standard, outbox_bytes_max=300_000, ip_handshakes=NO_LIMITS.ip_handshakes)
    async with run_chat(tmp_path, limits=limits) as chat:
        ann, bob, cat = await chat.users("ann", "bob", "cat")
        place = await chat.conversation(ann, bob, cat)
        slow, quick = await chat.raw(bob, read_ahead_bytes=1024), await chat.raw(cat)
        evicted = sent = 0
        while not evicted and sent < 3000:
            await asyncio.gather(*(chat.say(place, ann, "界" * 200) for _ in range(100)))
            for _ in range(100):
                await quick.expect("message:new")
            sent += 100
            evicted = int(chat.services.metrics.registry.get_sample_value("chat_outbox_evicted_total") or 0)
        assert evicted == 1
        frames, code = await slow.rest()
        seqs = [frame["seq"] for frame in frames if frame["type"] == "message:new"]
        assert code == CloseCode.SLOW_CONSUMER
        again = await chat.raw(bob)
        await again.send({"type": "resume", "conversations": {place: [1, seqs[-1]]}})
        (answer,) = (await again.expect("resumed"))["conversations"]
        if answer.get("reset"):  # more than one answer holds: the client reads it afresh
            seqs += [one.entry.seq for one in await chat.services.store.history(place, limit=sent, after_seq=seqs[-1])]
        else:
            seqs += [entry["seq"] for entry in answer["entries"]]
        assert seqs == list(range(2, sent + 2))


async def test_a_slow_client_of_the_library_loses_nothing(tmp_path: Path) -> None:
    """The library resumes by itself after SLOW_CONSUMER: shown once and in order, or told to read afresh."""
    limits = Limits(standard=NO_LIMITS.standard, outbox_bytes_max=50_000, ip_handshakes=NO_LIMITS.ip_handshakes)
    async with run_chat(tmp_path, limits=limits) as chat:
        ann, bob = await chat.users("ann", "bob")
        place = await chat.conversation(ann, bob)
        async with following(chat.client(bob)) as follower:
            for gateway_connection in chat.gateway._users[bob.user_id]:
                gateway_connection.close(CloseCode.SLOW_CONSUMER)
            await asyncio.gather(*(chat.say(place, ann) for _ in range(50)))
            assert await follower.saw(place, 51) == list(range(2, 52))


async def test_a_resume_that_fails_sends_the_client_back(chat: RunningChat, monkeypatch: pytest.MonkeyPatch) -> None:
    """When ingest is away during a resume the connection is closed to resume again: nothing is held back for ever."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one = await chat.raw(bob)
    missed = chat.services.ingest.missed

    async def away(*args: object) -> None:
        raise Unavailable("ingest is away")

    monkeypatch.setattr(chat.services.ingest, "missed", away)
    await one.send({"type": "resume", "conversations": {place: [1, 0]}})
    assert await one.closed() == CloseCode.RESYNC
    monkeypatch.setattr(chat.services.ingest, "missed", missed)
    again = await chat.raw(bob)
    await again.send({"type": "resume", "conversations": {place: [1, 1]}})
    await again.expect("resumed")
    await chat.say(place, ann)
    assert (await again.expect("message:new"))["seq"] == 2


async def test_live_entries_wait_for_the_resume_of_their_conversation(chat: RunningChat) -> None:
    """On a raw socket no entry of a conversation comes between `resume` and `resumed`, and none is missing after it."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one = await chat.raw(bob)
    for round_ in range(10):
        await asyncio.gather(
            one.send({"type": "resume", "conversations": {place: [1, 1 + 3 * round_]}}),
            *(chat.say(place, ann) for _ in range(3)),
        )
        seqs: list[int] = []
        wanted = [2 + 3 * round_ + number for number in range(3)]
        resumed = False
        while not (resumed and seqs[-1:] == wanted[-1:]):
            frame = await one.receive()
            if frame["type"] == "resumed":
                seqs = [entry["seq"] for entry in frame["conversations"][0].get("entries", ())]
                resumed = True
            elif frame["type"] == "message:new" and resumed:
                seqs.append(frame["seq"])
        assert seqs == wanted


async def test_when_routes_are_lost_live_delivery_goes_on(chat: RunningChat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes that cannot tell mean every gateway is told; nobody misses anything."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one = await chat.raw(bob)

    async def lost(user_ids: Sequence[str]) -> None:
        return None

    monkeypatch.setattr(chat.services.routes, "gateways_of", lost)
    await chat.say(place, ann, "still here")
    assert (await one.expect("message:new"))["preview"] == "still here"


async def test_what_is_imported_is_delivered_to_nobody(chat: RunningChat) -> None:
    """Silent entries are passed over; the next one is delivered as if nothing were missing before it."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob, kind=ConversationKind.CHANNEL)
    async with following(chat.client(bob)) as follower:
        await chat.say(place, ann, "old", silent=True, trusted=True)
        await chat.say(place, ann, "new")
        seqs = await follower.saw(place, 3)
        assert seqs == sorted(set(seqs))
        live = [entry.preview for entry in follower.entries[place] if isinstance(entry, MessageNew)]
        assert live[-1] == "new"
