"""The protocol over a real socket: every frame works, and whatever is wrong has a stable answer."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nottermost_chat.protocol import CloseCode
from nottermost_chat.settings import Limits, Rate, Tier
from nottermost_chat.testing.raw_socket import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    HandshakeRefused,
    RawSocket,
    make_client_frame,
)
from nottermost_chat.testing.running import RunningChat, run_chat

encode = msgspec.json.encode


def send(conversation_id: str, op_id: str, body: str = "hello", **more: Any) -> dict[str, Any]:
    return {"type": "message:send", "conversation_id": conversation_id, "client_msg_id": op_id, "body": body} | more


async def test_every_client_frame_works(chat: RunningChat) -> None:
    """Each of the client's frames gets its answer, and the other member sees what it does."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one, two = await chat.raw(ann), await chat.raw(bob)
    await one.send({"type": "presence:watch", "user_ids": [bob.user_id], "conversation_id": place})
    shown = await one.expect("presence:changed")
    assert [user["user_id"] for user in shown["users"]] == [bob.user_id]
    await one.send(send(place, "1"))
    ack = await one.expect("message:ack", client_msg_id="1")
    new = await two.expect("message:new")
    assert {name: new[name] for name in ("message_id", "seq", "sender_id", "preview", "has_more", "client_msg_id")} == {
        "message_id": ack["message_id"], "seq": ack["seq"], "sender_id": ann.user_id, "preview": "hello",
        "has_more": False, "client_msg_id": "1",
    }  # fmt: skip
    target = {"conversation_id": place, "message_id": ack["message_id"]}
    await two.send({"type": "reaction:set", "client_msg_id": "2", "emoji": "👍"} | target)
    assert (await one.expect("entry:new", kind="reaction"))["emoji"] == "👍"
    await one.send({"type": "message:edit", "client_msg_id": "3", "body": "hullo"} | target)
    edited = await two.expect("entry:new", kind="edit")
    assert (edited["preview"], edited["version"], edited["target_seq"]) == ("hullo", 2, ack["seq"])
    await one.send({"type": "message:delete", "client_msg_id": "4"} | target)
    assert "preview" not in await two.expect("entry:new", kind="delete")
    await one.send({"type": "message:delete", "client_msg_id": "5", "restore": True} | target)
    restored = await two.expect("entry:new", kind="delete", restored=True)
    assert restored["preview"] == "hullo"
    await two.send(send(place, "6", "a reply", thread_id=ack["message_id"], broadcast=True))
    assert (await one.expect("message:new"))["thread_id"] == ack["message_id"]
    await two.send({"type": "typing", "conversation_id": place})
    assert (await one.expect("typing"))["user_id"] == bob.user_id
    await two.send({"type": "delivered", "conversation_id": place, "seq": 3})
    await two.send({"type": "read", "conversation_id": place, "seq": 7})
    receipt = await one.expect("receipt:changed")
    assert (receipt["user_id"], receipt["read_seq"], receipt["delivered_seq"]) == (bob.user_id, 7, 7)
    await two.send({"type": "resume", "conversations": {place: [1, 1]}})
    (resumed,) = (await two.expect("resumed"))["conversations"]
    assert [entry["seq"] for entry in resumed["entries"]] == list(range(2, 8))
    assert resumed["entries"][0]["preview"] == "hullo"
    await two.send({"type": "ping"})
    await two.expect("pong")


BAD_FRAMES = [
    (b"", "invalid_frame"),
    (b"hello", "invalid_frame"),
    (b"null", "invalid_frame"),
    (b"[]", "invalid_frame"),
    (b"{}", "invalid_frame"),
    (b'{"type":"ping"', "invalid_frame"),
    (b'{"type":"no such frame"}', "invalid_frame"),
    (b'{"type":7}', "invalid_frame"),
    (b'{"type":"ping","surprise":1}', "invalid_frame"),
    (b'{"type":"typing"}', "invalid_frame"),
    (b'{"type":"read","conversation_id":"c","seq":"1"}', "invalid_frame"),
    (b'{"type":"read","conversation_id":"c","seq":1.5}', "invalid_frame"),
    (b'{"type":"typing","conversation_id":"\\ud800"}', "invalid_frame"),
    (b'{"type":"resume","conversations":{"c":[1]}}', "invalid_frame"),
    (b'{"type":"resume","conversations":[]}', "invalid_frame"),
    (b'{"a":' + b"[" * 100_000, "invalid_frame"),
    (b'{"type":"ping","active":' + b"[" * 100_000, "invalid_frame"),
    (encode(send("c", "1", "")), "invalid_text"),
    (encode(send("c", "1", " \n ")), "invalid_text"),
    (encode(send("c", "1", "a\0b")), "invalid_text"),
    (encode(send("c", "1", "x" * 100_001)), "invalid_text"),
    (encode(send("c", "")), "bad_request"),
    (encode(send("c", "x" * 65)), "bad_request"),
    (encode(send("no such conversation", "1")), "not_found"),
    (encode({"type": "resume", "conversations": {str(number): [1, 1] for number in range(201)}}), "bad_request"),
    (encode({"type": "presence:watch", "user_ids": [str(number) for number in range(201)]}), "bad_request"),
]


async def test_bad_frames_do_not_close(chat: RunningChat) -> None:
    """Every bad frame gets its stable code, and the same connection goes on working after all of them."""
    ann, eve = await chat.users("ann", "eve")
    place = await chat.conversation(ann)
    said = (await chat.say(place, ann)).entry.message_id
    one = await chat.raw(eve)
    foreign = {"conversation_id": place, "message_id": said, "client_msg_id": "1"}
    frames = [
        *BAD_FRAMES,
        (encode(send(place, "1")), "not_a_member"),
        (encode({"type": "message:edit", "body": "mine"} | foreign), "not_a_member"),
        (encode({"type": "message:delete"} | foreign), "not_a_member"),
        (encode({"type": "reaction:set", "emoji": "👍"} | foreign), "not_a_member"),
    ]
    for payload, code in frames:
        await one.send_raw(make_client_frame(TEXT, payload))
        error = await one.expect("error")
        assert error["code"] == code, payload[:60]
        assert error["message"]
    await one.send({"type": "resume", "conversations": {place: [1, 0]}})
    (answer,) = (await one.expect("resumed"))["conversations"]
    assert answer["reset"]
    assert "entries" not in answer
    await one.send({"type": "ping"})
    await one.expect("pong")
    mine = await chat.conversation(eve)
    await one.send(
        {"type": "message:edit", "conversation_id": mine, "message_id": said, "client_msg_id": "1", "body": "x"}
    )
    error = await one.expect("error")
    assert (error["code"], error["client_msg_id"], error["conversation_id"]) == ("not_found", "1", mine)


async def test_absurd_numbers_are_harmless(chat: RunningChat) -> None:
    """Seqs, epochs and counts beyond any integer column: the connection and the process go on."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    one = await chat.raw(ann)
    for number in (10**30, -(10**30), 2**63, -1, 0):
        for kind in ("read", "delivered"):
            frame = f'{{"type":"{kind}","conversation_id":"{place}","seq":{number}}}'
            await one.send_raw(make_client_frame(TEXT, frame.encode()))
        frame = f'{{"type":"resume","conversations":{{"{place}":[1,{number}],"nowhere":[{number},1]}}}}'
        await one.send_raw(make_client_frame(TEXT, frame.encode()))
        await one.expect("resumed")
    await asyncio.sleep(1.2)  # the receipts of these marks are written once a second
    await one.send(send(place, "after"))
    await one.expect("message:ack")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make_client_frame(BINARY, b"x"), CloseCode.BINARY),
        (make_client_frame(TEXT, b"\xff\xfe"), CloseCode.INVALID_TEXT),
        (make_client_frame(TEXT, b'{"type":"typing","conversation_id":"\xff"}'), CloseCode.INVALID_TEXT),
        (make_client_frame(TEXT, b'{"type":"ping","\xff":1}'), CloseCode.INVALID_TEXT),
        (make_client_frame(TEXT, b"x" * 1_300_001), CloseCode.TOO_BIG),
        (
            make_client_frame(TEXT, b"x" * 700_000, fin=False) + make_client_frame(CONTINUATION, b"x" * 700_000),
            CloseCode.TOO_BIG,
        ),
        (make_client_frame(CONTINUATION, b"x"), CloseCode.PROTOCOL),
        (make_client_frame(TEXT, b"{", fin=False) + make_client_frame(TEXT, b"}"), CloseCode.PROTOCOL),
        (make_client_frame(7, b"x"), CloseCode.PROTOCOL),
    ],
    ids=["binary", "not UTF-8", "not UTF-8 in a string", "not UTF-8 in a name", "too big", "too big in parts",
         "continues nothing", "begins twice", "unknown opcode"],
)  # fmt: skip
async def test_what_breaks_the_protocol_closes_with_its_code(chat: RunningChat, data: bytes, code: CloseCode) -> None:
    """The connection ends with the code of the table; others do not notice."""
    ann, bob = await chat.users("ann", "bob")
    bad, good = await chat.raw(ann), await chat.raw(bob)
    await bad.send_raw(data)
    assert await bad.closed() == code
    await good.send({"type": "ping"})
    await good.expect("pong")


async def test_text_frames_may_come_in_parts(chat: RunningChat) -> None:
    """Fragments with a ping between them make one frame; a protocol ping gets its pong."""
    (ann,) = await chat.users("ann")
    one = await chat.raw(ann)
    await one.send_raw(
        make_client_frame(TEXT, b'{"type":', fin=False)
        + make_client_frame(PING, b"are you there")
        + make_client_frame(CONTINUATION, b'"pi', fin=False)
        + make_client_frame(CONTINUATION, b'ng"}')
    )
    kinds: set[object] = set()
    while kinds != {PONG, "pong"}:
        frame = await one.receive_frame()
        kinds.add(PONG if frame.opcode == PONG else msgspec.json.decode(frame.payload)["type"])
        if frame.opcode == PONG:
            assert frame.payload == b"are you there"


@pytest.mark.parametrize("escaped", [False, True], ids=["as UTF-8", "as escapes"])
async def test_the_longest_body_fits_a_frame(chat: RunningChat, escaped: bool) -> None:
    """100,000 characters outside the basic plane pass, also each as two \\uXXXX, and are stored whole."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    body = "𝒳" * 100_000
    payload = encode(send(place, "1", "BODY")).replace(
        b"BODY", b"\\ud835\\udcb3" * 100_000 if escaped else body.encode()
    )
    one = await chat.raw(ann)
    await one.send_raw(make_client_frame(TEXT, payload))
    ack = await one.expect("message:ack")
    stored = await chat.services.store.full_message(place, ack["message_id"])
    assert stored is not None
    assert stored.text == body


# --- who is there -----------------------------------------------------------------------------


async def test_nothing_works_before_authentication(chat: RunningChat) -> None:
    """Frames before `authenticate` are refused one by one, and the connection can still sign in."""
    (ann,) = await chat.users("ann")
    one = await chat.raw()
    for frame in ({"type": "ping"}, send("c", "1"), {"type": "resume", "conversations": {}}):
        await one.send(frame)
        assert (await one.expect("error"))["code"] == "unauthorized"
    hello = await one.authenticate(ann.token)
    assert hello["userId"] == ann.user_id


@pytest.mark.parametrize(
    ("token", "code"),
    [("", "unauthorized"), ("nonsense", "unauthorized"), ("a.b.c", "unauthorized"), ("expired", "token_expired"),
     ("signed out", "unauthorized")],
)  # fmt: skip
async def test_a_token_that_is_not_valid_ends_the_connection(tmp_path: Path, token: str, code: str) -> None:
    """The error says why, the close code says not to come back with it."""
    async with run_chat(tmp_path) as chat:
        (ann,) = await chat.users("ann")
        if token == "expired":
            token = chat.expired(ann).token
        elif token == "signed out":
            token = ann.token
            await chat.services.tokens.sign_out(ann.user_id, ann.device_id)
        one = await chat.raw()
        await one.send({"type": "authenticate", "token": token})
        assert (await one.expect("error"))["code"] == code
        assert await one.closed() == CloseCode.NOT_AUTHENTICATED


async def test_a_connection_keeps_its_user(chat: RunningChat) -> None:
    """A fresh token of the same user is taken; tokens of two users, even at once, end the connection."""
    ann, bob = await chat.users("ann", "bob")
    one = await chat.raw(ann)
    assert (await one.authenticate(ann.token))["userId"] == ann.user_id
    await one.send({"type": "authenticate", "token": bob.token})
    assert await one.closed() == CloseCode.NOT_AUTHENTICATED
    two = await chat.raw()
    both = [make_client_frame(TEXT, encode({"type": "authenticate", "token": user.token})) for user in (ann, bob)]
    await two.send_raw(b"".join(both))
    assert await two.closed() == CloseCode.NOT_AUTHENTICATED


async def test_rates_are_told_and_pass(tmp_path: Path) -> None:
    """Above the rate of messages or calls: `rate_limited` with the time to wait, on a connection that lives on."""
    tier = Tier(user_messages=Rate(600, 3), user_calls=Rate(600, 3))
    async with run_chat(tmp_path, limits=Limits(standard=tier)) as chat:
        (ann,) = await chat.users("ann")
        place = await chat.conversation(ann)
        one = await chat.raw(ann)
        for number in range(4):
            await one.send(send(place, str(number)))
        error = await one.expect("error")
        assert (error["code"], error["client_msg_id"]) == ("rate_limited", "3")
        assert 0 < error["retry_after_ms"] <= 100
        for _ in range(4):
            await one.send({"type": "ping"})
        assert (await one.expect("error"))["code"] == "rate_limited"
        await asyncio.sleep(0.11)
        await one.send(send(place, "3"))
        await one.expect("message:ack", client_msg_id="3")


async def test_handshakes_over_the_rate_are_refused(tmp_path: Path) -> None:
    """HTTP 429 with Retry-After, before anything of a connection exists."""
    async with run_chat(tmp_path, limits=Limits(ip_handshakes=Rate(6, 4))) as chat:
        answers = await asyncio.gather(*(chat.raw() for _ in range(4)), return_exceptions=True)
        assert any(isinstance(one, RawSocket) for one in answers)
        with pytest.raises(HandshakeRefused) as refused:
            await chat.raw()
        assert refused.value.status == 429
        assert "retry-after: " in refused.value.head


async def test_too_many_unanswered_operations_are_refused(chat: RunningChat) -> None:
    """One connection has at most 64 operations under way; the rest is told to wait, none is lost in silence."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    one = await chat.raw(ann)
    await one.send_raw(b"".join(make_client_frame(TEXT, encode(send(place, str(number)))) for number in range(100)))
    answers: dict[str, str] = {}
    while len(answers) < 100:
        frame = await one.receive()
        if frame["type"] in ("message:ack", "error"):
            answers[frame["client_msg_id"]] = frame.get("code", "stored")
    assert set(answers.values()) <= {"stored", "rate_limited"}
    head = (await chat.services.store.heads([place]))[place]
    assert head.messages == list(answers.values()).count("stored") >= 64
