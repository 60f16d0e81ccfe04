"""Typing, presence and receipts: for those who look, and only for them."""

from pathlib import Path

import pytest

from nottermost_chat.clock import Clock
from nottermost_chat.gateway import gateway
from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.protocol import Presence
from nottermost_chat.testing.running import RunningChat, run_chat, wait_until


class ShiftedClock(Clock):
    """The real clock, set forward."""

    ahead_s = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + round(self.ahead_s * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


async def test_typing_reaches_those_who_look(chat: RunningChat) -> None:
    """Not the one who types, not members who look elsewhere, and never from a stranger."""
    ann, bob, cat, eve = await chat.users("ann", "bob", "cat", "eve")
    place = await chat.conversation(ann, bob, cat)
    looking, elsewhere, typist, stranger = [await chat.raw(user) for user in (ann, bob, cat, eve)]
    for one in (looking, stranger):
        await one.send({"type": "presence:watch", "conversation_id": place})
        await one.expect("presence:changed")
    await stranger.send({"type": "typing", "conversation_id": place})
    await typist.send({"type": "typing", "conversation_id": place, "thread_id": "t"})
    assert await looking.expect("typing") == {
        "type": "typing", "conversation_id": place, "user_id": cat.user_id, "thread_id": "t",
    }  # fmt: skip
    for one in (elsewhere, typist, stranger):
        await one.send({"type": "ping"})
        while (frame := await one.receive())["type"] != "pong":
            assert frame["type"] != "typing"


async def test_presence_follows_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watched users show as online, away when nobody is at a device, as they wish, and offline with `last_seen`."""
    monkeypatch.setattr(gateway, "PRESENCE_EVERY_S", 0.02)
    clock = ShiftedClock()
    async with run_chat(tmp_path, clock=clock, idle_away_s=300, heartbeat_timeout_s=10_000) as chat:
        ann, bob, eve = await chat.users("ann", "bob", "eve")
        await chat.conversation(ann, bob)
        one = await chat.raw(ann)
        await chat.raw(eve)

        async def shows(status: Presence) -> dict[str, str]:
            while True:
                for user in (await one.expect("presence:changed"))["users"]:
                    assert user["user_id"] == bob.user_id, "eve is a stranger"
                    if user["status"] == status:
                        return dict(user)

        await one.send({"type": "presence:watch", "user_ids": [eve.user_id, bob.user_id]})
        assert "last_seen" not in await shows(Presence.OFFLINE)
        two = await chat.raw(bob)
        assert "last_seen" not in await shows(Presence.ONLINE)
        clock.ahead_s = 400
        await two.send({"type": "ping", "active": False})
        assert "last_seen" in await shows(Presence.AWAY)
        await two.send({"type": "ping", "active": True})
        await shows(Presence.ONLINE)
        await chat.services.directory.accounts.set_presence(bob.user_id, Presence.AWAY)
        await two.send({"type": "ping", "active": True})
        await shows(Presence.AWAY)
        two.abort()
        assert "last_seen" in await shows(Presence.OFFLINE)


async def test_receipts_go_to_those_who_look_and_are_coalesced(chat: RunningChat) -> None:
    """Many marks within a second become one receipt; only lookers get it; a lower mark changes nothing."""
    ann, bob, cat = await chat.users("ann", "bob", "cat")
    place = await chat.conversation(ann, bob, cat)
    last = [(await chat.say(place, ann)).entry.seq for _ in range(20)][-1]
    looking, elsewhere, reader = [await chat.raw(user) for user in (ann, cat, bob)]
    await looking.send({"type": "presence:watch", "conversation_id": place})
    await looking.expect("presence:changed")
    for seq in [*range(1, last + 1), 3]:
        await reader.send({"type": "delivered", "conversation_id": place, "seq": seq})
    await reader.send({"type": "read", "conversation_id": place, "seq": last - 5})
    receipts: list[tuple[int, int]] = []
    while not receipts or receipts[-1][0] < last - 5 or receipts[-1][1] < last:
        frame = await looking.expect("receipt:changed", user_id=bob.user_id)
        receipts.append((frame["read_seq"], frame["delivered_seq"]))
    assert len(receipts) <= 3
    await elsewhere.send({"type": "ping"})
    while (frame := await elsewhere.receive())["type"] != "pong":
        assert frame["type"] != "receipt:changed"
    cursors = {cursor.user_id: cursor for cursor in await chat.services.directory.cursors.receipts(place)}
    assert cursors[bob.user_id].read_seq == last - 5


async def test_large_conversations_have_no_receipts(chat: RunningChat) -> None:
    """Above 100 members a mark raises the cursor and tells nobody."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob, kind=ConversationKind.CHANNEL)
    create = chat.services.directory.accounts.create_user
    others = [(await create(username=f"p{number}-{chat.services.clock.new_id()}")).user_id for number in range(100)]
    last = (await chat.change(place, ann, *((user_id, Role.MEMBER) for user_id in others))).entry.seq
    looking, reader = await chat.raw(ann), await chat.raw(bob)
    await looking.send({"type": "presence:watch", "conversation_id": place})
    await reader.send({"type": "read", "conversation_id": place, "seq": last})

    async def is_raised() -> bool:
        return (await chat.services.directory.cursors.of_user(bob.user_id, [place]))[place].read_seq == last

    await wait_until(is_raised)
    await looking.send({"type": "ping"})
    while (frame := await looking.receive())["type"] != "pong":
        assert frame["type"] != "receipt:changed"
