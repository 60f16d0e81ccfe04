"""How far one has read: told to one's own devices, and to nobody else's."""

from pathlib import Path

from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.running import RunningChat, run_chat


async def own_until_pong(socket: RawSocket) -> list[dict[str, object]]:
    """The frames about oneself that came so far."""
    await socket.send({"type": "ping"})
    frames = []
    while (frame := await socket.receive())["type"] != "pong":
        if frame["type"].startswith("me:"):
            frames.append(frame)
    return frames


async def test_reading_on_one_device_is_told_to_all(chat: RunningChat) -> None:
    """Over the socket and over REST, once it is stored; nobody else hears of it, and a delivery is no reading."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    last = [(await chat.say(place, ann)).entry.seq for _ in range(5)][-1]
    phone = await chat.device(bob.user_id)
    one, two, other = await chat.raw(bob), await chat.raw(phone), await chat.raw(ann)
    await one.send({"type": "delivered", "conversation_id": place, "seq": last})
    await one.send({"type": "read", "conversation_id": place, "seq": 3})
    for socket in (one, two):
        assert await socket.expect("me:read") == {"type": "me:read", "conversation_id": place, "seq": 3}
    assert (await chat.services.directory.cursors.of_user(bob.user_id, [place]))[place].read_seq == 3
    await one.send({"type": "delivered", "conversation_id": place, "seq": last - 1})
    path, rest = f"/api/messages/conversations/{place}/read", chat.rest(phone)
    await rest.call("POST", path, {"last_read_seq": last})
    await rest.call("POST", path, {"last_read_seq": last})
    await rest.close()
    assert [frame["seq"] for frame in await own_until_pong(one)] == [last]
    assert [frame["seq"] for frame in await own_until_pong(two)] == [last]
    theirs = await own_until_pong(other)
    assert all(frame["seq"] == last for frame in theirs)  # sending reads; of the other's reading they hear nothing


async def test_reading_is_told_in_conversations_of_any_size(tmp_path: Path) -> None:
    """There are no receipts above 100 members, but one's own devices still agree."""
    async with run_chat(tmp_path) as chat:
        ann, bob = await chat.users("ann", "bob")
        place = await chat.conversation(ann, bob, kind=ConversationKind.CHANNEL)
        create = chat.services.directory.accounts.create_user
        others = [(await create(username=f"p{number}-{chat.services.clock.new_id()}")).user_id for number in range(100)]
        last = (await chat.change(place, ann, *((user_id, Role.MEMBER) for user_id in others))).entry.seq
        one, two = await chat.raw(bob), await chat.raw(await chat.device(bob.user_id))
        await one.send({"type": "read", "conversation_id": place, "seq": last})
        assert (await two.expect("me:read"))["seq"] == last
