"""Who gets what when people come and go, in small conversations and in large ones."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nottermost_chat.model import LARGE_FROM, LARGE_UNTIL, ConversationKind, Role
from nottermost_chat.ports import DeliveryItem
from nottermost_chat.protocol import CloseCode
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.running import RunningChat, User, run_chat


async def seqs_until_pong(socket: RawSocket) -> list[int]:
    """What the connection got so far: everything before the answer to a ping that is sent now."""
    await socket.send({"type": "ping"})
    seqs = []
    while (frame := await socket.receive())["type"] != "pong":
        if frame["type"] in ("message:new", "entry:new"):
            seqs.append(frame["seq"])
    return seqs


async def seqs_up_to(socket: RawSocket, seq: int) -> list[int]:
    """The entries that come, up to this one."""
    seqs: list[int] = []
    while seqs[-1:] != [seq]:
        frame = await socket.receive()
        if frame["type"] in ("message:new", "entry:new"):
            seqs.append(frame["seq"])
    return seqs


@pytest.mark.parametrize("kind", [ConversationKind.GROUP, ConversationKind.CHANNEL])
async def test_who_is_removed_sees_that_and_nothing_newer(chat: RunningChat, kind: ConversationKind) -> None:
    """The open socket of a removed member gets the removal entry and no more, live or by resume."""
    ann, bob, cat = await chat.users("ann", "bob", "cat")
    place = await chat.conversation(ann, bob, cat, kind=kind)
    out, stays = await chat.raw(bob), await chat.raw(cat)
    await chat.say(place, ann)
    await out.send({"type": "presence:watch", "conversation_id": place})
    await out.expect("message:new")
    removal = (await chat.change(place, ann, (bob.user_id, None))).entry
    after = [(await chat.say(place, ann)).entry.seq for _ in range(3)]
    assert await seqs_up_to(stays, after[-1]) == [removal.seq - 1, removal.seq, *after]
    assert await seqs_until_pong(out) == [removal.seq]
    await stays.send({"type": "typing", "conversation_id": place})
    await out.send({"type": "resume", "conversations": {place: [1, removal.seq]}})
    (answer,) = (await out.expect("resumed"))["conversations"]
    assert answer["reset"]
    assert await seqs_until_pong(out) == []


async def test_a_new_group_member_gets_nothing_from_before(chat: RunningChat) -> None:
    """Live, by resume, and when the gateway fills a hole: a group begins with the join."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann)
    one, first = await chat.raw(bob), await chat.raw(ann)
    for _ in range(3):
        await chat.say(place, ann, "between us")
    await seqs_up_to(first, 4)
    joined = (await chat.change(place, ann, (bob.user_id, Role.MEMBER))).entry.seq
    assert await seqs_up_to(one, joined) == [joined]
    await one.send({"type": "resume", "conversations": {place: [1, 1]}})
    (answer,) = (await one.expect("resumed"))["conversations"]
    assert answer["reset"]
    await one.send({"type": "resume", "conversations": {place: [1, joined - 1]}})
    (answer,) = (await one.expect("resumed"))["conversations"]
    assert [entry["seq"] for entry in answer["entries"]] == [joined]


def dropping(chat: RunningChat, place: str) -> None:
    """From now on no delivery of this conversation arrives."""

    def change(items: Sequence[DeliveryItem]) -> Sequence[DeliveryItem]:
        return [item for item in items if item.record.entry.conversation_id != place]

    chat.delivery.change = change


async def test_a_hole_with_a_removal_or_a_join_in_it(chat: RunningChat) -> None:
    """The delivery of a removal and of a join is lost: the removed one is sent to resume, the new one begins with the join."""
    ann, bob, cat = await chat.users("ann", "bob", "cat")
    place = await chat.conversation(ann, bob)
    stays, out, new = await chat.raw(ann), await chat.raw(bob), await chat.raw(cat)
    await chat.say(place, ann)
    await seqs_up_to(out, 2)
    dropping(chat, place)
    await chat.say(place, ann, "before the change")
    await chat.change(place, ann, (bob.user_id, None), (cat.user_id, Role.MEMBER))
    await chat.say(place, ann, "after the change")
    await chat.settle()
    chat.delivery.change = lambda items: items
    last = (await chat.say(place, ann, "the next one that arrives")).entry.seq
    assert (await seqs_up_to(stays, last)) == list(range(2, last + 1))
    assert await out.closed() == CloseCode.RESYNC
    got = []
    while last not in got:
        try:
            frame = await new.receive()
        except Exception:  # noqa: BLE001 - sent to resume: it does so below
            new = await chat.raw(cat)
            await new.send({"type": "resume", "conversations": {place: [1, 3]}})
            (answer,) = (await new.expect("resumed"))["conversations"]
            got = [entry["seq"] for entry in answer["entries"]]
        else:
            got += [frame["seq"]] if frame["type"] in ("message:new", "entry:new") else []
    assert min(got) >= 4


# --- large conversations ----------------------------------------------------------------------


async def make_crowd(chat: RunningChat) -> tuple[str, User, list[str]]:
    """A channel of 310 members: its id, its admin, and the others."""
    (admin,) = await chat.users("admin")
    create = chat.services.directory.accounts.create_user
    people = [(await create(username=f"p{number}-{chat.services.clock.new_id()}")).user_id for number in range(309)]
    place = await chat.conversation(admin, kind=ConversationKind.CHANNEL)
    await chat.change(place, admin, *((user_id, Role.MEMBER) for user_id in people))
    return place, admin, people


async def test_large_conversations(tmp_path: Path) -> None:
    """Above 300 no recipients are named; joins, leaves, lost deliveries and both switches of size lose nobody anything."""
    async with run_chat(tmp_path) as chat:
        place, admin, people = await make_crowd(chat)
        named: list[bool] = []

        def watch(items: Sequence[DeliveryItem]) -> Sequence[DeliveryItem]:
            named.extend(item.recipients is not None for item in items if item.record.entry.conversation_id == place)
            return items

        chat.delivery.change = watch
        member, late, stranger = (await chat.device(people[0]), await chat.device(people[1]), *await chat.users("x"))
        one, outside = await chat.raw(member), await chat.raw(stranger)
        assert (await chat.services.store.heads([place]))[place].large
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(one, seq) == [seq]
        assert not any(named)
        two = await chat.raw(late)  # connects after the gateway worked out who wants it
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(one, seq) == await seqs_up_to(two, seq) == [seq]
        # Joins and leaves are kept up.
        joined = (await chat.change(place, admin, (stranger.user_id, Role.MEMBER))).entry.seq
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(outside, seq) == [joined, seq]
        left = (await chat.change(place, admin, (late.user_id, None))).entry.seq
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(one, seq) == [joined, joined + 1, left, seq]
        assert (await seqs_until_pong(two))[-1] == left
        # Deliveries of a join and a leave are lost.
        dropping(chat, place)
        await chat.change(place, admin, (late.user_id, Role.MEMBER), (stranger.user_id, None))
        await chat.settle()
        chat.delivery.change = watch
        seq = (await chat.say(place, admin)).entry.seq
        assert (await seqs_up_to(two, seq))[-1] == seq
        assert await outside.closed() == CloseCode.RESYNC
        assert await seqs_up_to(one, seq) == [seq - 1, seq]
        # Down to small: recipients are named again, and who left is out.
        gone = people[2 : 2 + 310 - LARGE_UNTIL]
        small = (await chat.change(place, admin, *((user_id, None) for user_id in gone))).entry.seq
        assert not (await chat.services.store.heads([place]))[place].large
        del named[:]
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(one, seq) == [small, seq]
        assert named[-1]
        # And up again.
        back = (
            await chat.change(
                place, admin, *((user_id, Role.MEMBER) for user_id in gone), (stranger.user_id, Role.MEMBER)
            )
        ).entry
        head = (await chat.services.store.heads([place]))[place]
        assert head.large
        assert head.members > LARGE_FROM
        seq = (await chat.say(place, admin)).entry.seq
        assert await seqs_up_to(one, seq) == [back.seq, seq]
        assert await seqs_up_to(two, seq) == [small, small + 1, back.seq, seq]
        assert not named[-1]
