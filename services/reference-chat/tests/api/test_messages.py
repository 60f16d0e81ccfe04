"""Messages over REST: history from every side, changes, threads, cursors, who sees what."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from nottermost_chat.ports import Signal
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import PASSWORD, Person, ShiftedClock

TALK = "/api/messages/conversations"


class Looker:
    """A gateway that only listens."""

    gateway_id = "looker"

    def __init__(self) -> None:
        self.signals: list[Signal] = []

    async def take(self, items: object) -> None: ...

    def lapse(self) -> None: ...

    def signal(self, signal: Signal) -> None:
        self.signals.append(signal)


# --- history ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_pages_cover_the_history_whatever_their_size(ann: Person, bob: Person, seed: int) -> None:
    """Forward and backward, with edits and reactions in between that take seqs: every message once, in order."""
    pick = random.Random(seed)
    direct = await ann.direct(bob)
    sent: list[str] = []
    for number in range(23):
        sent.append((await ann.say(direct, f"m{number}"))["message_id"])
        if pick.random() < 0.5:
            change = {"client_msg_id": f"e{number}", "emoji": "+1"}
            await bob.put(f"{TALK}/{direct}/messages/{pick.choice(sent)}/reactions", change)
    limit = pick.randint(1, 9)
    forward: list[str] = []
    after, more = 0, True
    while more:
        page = await bob.get(f"{TALK}/{direct}/messages?after_seq={after}&limit={limit}")
        forward += [each["message_id"] for each in page["messages"]]
        after, more = page["next_seq"] - 1, page["has_more"]
    backward: list[str] = []
    before, more = 0, True
    while more:
        page = await bob.get(f"{TALK}/{direct}/messages?before_seq={before}&limit={limit}")
        backward = [each["message_id"] for each in page["messages"]] + backward
        before, more = page["next_seq"], page["has_more"]
    assert forward == backward == sent


async def test_a_page_around_a_place(ann: Person, bob: Person) -> None:
    """Half older, half from the place on; both ends say whether there is more."""
    direct = await ann.direct(bob)
    seqs = [(await ann.say(direct, str(n)))["seq"] for n in range(9)]
    page = await bob.get(f"{TALK}/{direct}/messages?around_seq={seqs[4]}&limit=4")
    assert [each["seq"] for each in page["messages"]] == seqs[2:6]
    assert page["has_more"]
    assert page["has_more_before"]
    assert page["next_seq"] == seqs[5] + 1
    page = await bob.get(f"{TALK}/{direct}/messages?around_seq={seqs[0]}&limit=200")
    assert len(page["messages"]) == 9
    assert not page["has_more"]
    assert not page["has_more_before"]
    page = await bob.get(f"{TALK}/{direct}/messages?around_seq={seqs[8]}&limit=1")
    assert [each["seq"] for each in page["messages"]] == [seqs[8]]
    assert page["has_more_before"]


async def test_jump_to_a_date(ann: Person, bob: Person, clock: ShiftedClock) -> None:
    """The first message at or after the time, with what came before."""
    direct = await ann.direct(bob)
    await ann.say(direct, "yesterday")
    clock.ahead_s = 300.0
    await ann.say(direct, "today")
    at = (datetime.now(UTC) + timedelta(seconds=150)).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = await bob.get(f"{TALK}/{direct}/messages?at={at}&limit=2")
    assert [each["preview"] for each in page["messages"]] == ["yesterday", "today"]
    page = await bob.get(f"{TALK}/{direct}/messages?at={at}&limit=1")
    assert [each["preview"] for each in page["messages"]] == ["today"]


async def test_places_that_are_none(ann: Person) -> None:
    """One place, well formed, and only parameters that exist."""
    for query in [
        "after_seq=1&before_seq=2",
        "at=2026-01-01T00:00:00",
        "at=noon",
        "after_seq=-1",
        "after_seq=null",
        "after_seq=",
        "after_seq=1.5",
        "after_seq=9999999999999999",
        "limit=0",
        "limit=201",
        "limit=x",
        "roots=perhaps",
        "after_seq=1&after_seq=2",
        "page=2",
        "at=2026-01-01T00:00:00Z&after_seq=0",
    ]:
        assert (await ann.get(f"{TALK}/{await ann.direct(ann)}/messages?{query}", status=400))["code"] == "bad_request"


async def test_threads(ann: Person, bob: Person) -> None:
    """Replies are counted at the root and can be left out of the history; a broadcast one is shown there too."""
    direct = await ann.direct(bob)
    root = (await ann.say(direct, "root"))["message_id"]
    await bob.say(direct, "hidden reply", thread_id=root)
    shown = await bob.say(direct, "loud reply", thread_id=root, broadcast=True)
    page = await ann.get(f"{TALK}/{direct}/messages?after_seq=0&roots=true")
    assert [(each["preview"], each.get("reply_count", 0)) for each in page["messages"]] == [
        ("root", 2),
        ("loud reply", 0),
    ]
    thread = await ann.get(f"{TALK}/{direct}/messages/{root}/thread")
    assert [each["preview"] for each in thread["messages"]] == ["root", "hidden reply", "loud reply"]
    rest = await ann.get(f"{TALK}/{direct}/messages/{root}/thread?after_seq={shown['seq'] - 1}")
    assert [each["preview"] for each in rest["messages"]] == ["loud reply"]
    await ann.get(f"{TALK}/{direct}/messages/nothing/thread", status=404)
    refused = {"client_msg_id": "deep", "body": "x", "thread_id": shown["message_id"]}
    await ann.post(f"{TALK}/{direct}/messages", refused, status=409)  # no thread in a thread


async def test_a_group_is_read_from_the_join_on(ann: Person, bob: Person, cat: Person) -> None:
    """In the history, by id, in threads and in what can be replied to."""
    group = await ann.group("G", bob)
    before = (await ann.say(group, "before cat"))["message_id"]
    invite = await ann.post(f"/api/chats/conversations/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"/api/chats/conversations/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    await bob.say(group, "reply", thread_id=before)
    for query in ("after_seq=0", "before_seq=0", "around_seq=1", "at=2020-01-01T00:00:00Z"):
        assert [each["preview"] for each in await cat.history(group, query)] == ["reply"]
    await cat.get(f"{TALK}/{group}/messages/{before}", status=404)
    await cat.get(f"{TALK}/{group}/messages/{before}?fields=full", status=404)
    thread = await cat.get(f"{TALK}/{group}/messages/{before}/thread")
    assert [each["preview"] for each in thread["messages"]] == ["reply"]
    reply = {"client_msg_id": "r", "body": "x", "thread_id": before}
    await cat.post(f"{TALK}/{group}/messages", reply, status=404)
    await cat.put(f"{TALK}/{group}/messages/{before}/reactions", {"client_msg_id": "x", "emoji": "+1"}, status=404)


# --- changes ----------------------------------------------------------------------------------


async def test_edit_delete_restore_react(ann: Person, bob: Person) -> None:
    """Each is an operation with an id of its own, shown in history and by id."""
    direct = await ann.direct(bob)
    path = f"{TALK}/{direct}/messages/{(await ann.say(direct, 'first'))['message_id']}"
    edited = await ann.patch(path, {"client_msg_id": "e1", "body": "second"})
    assert await ann.patch(path, {"client_msg_id": "e1", "body": "second"}) == edited
    assert (await ann.patch(path, {"client_msg_id": "e1", "body": "other"}))["id_reused"] is True
    shown = await bob.get(f"{path}?fields=full")
    assert (shown["body"], shown["version"]) == ("second", 2)
    assert shown["edited_at"]
    await bob.put(f"{path}/reactions", {"client_msg_id": "r1", "emoji": "🎉"})
    assert (await ann.get(path))["reactions"] == [{"emoji": "🎉", "user_ids": [bob.user_id]}]
    await bob.put(f"{path}/reactions", {"client_msg_id": "r2", "emoji": "🎉", "on": False})
    await bob.delete(f"{path}?client_msg_id=d0", status=403)
    await ann.delete(f"{path}?client_msg_id=d1", status=200)
    gone = await bob.get(f"{path}?fields=full")
    assert gone["preview"] is None
    assert gone.get("body") is None
    assert gone["deleted_at"]
    assert (await ann.patch(path, {"client_msg_id": "e2", "body": "x"}, status=409))["code"] == "message_deleted"
    assert (await bob.get("/api/chats/conversations"))[0]["last_preview"] is None
    await ann.post(f"{path}/restore", {"client_msg_id": "u1"}, status=200)
    assert (await bob.get(path))["preview"] == "second"


async def test_a_delete_is_undone_within_seven_days(ann: Person, clock: ShiftedClock) -> None:
    """Later the text is gone for good."""
    alone = await ann.direct(ann)
    path = f"{TALK}/{alone}/messages/{(await ann.say(alone, 'x'))['message_id']}"
    await ann.delete(f"{path}?client_msg_id=d1", status=200)
    clock.ahead_s = 7 * 24 * 3600 + 60
    session = await ann.post("/api/users/auth/login", {"email": ann.email, "password": PASSWORD}, status=200)
    ann.access_token = session["access_token"]
    assert (await ann.post(f"{path}/restore", {"client_msg_id": "u1"}, status=409))["code"] == "message_deleted"


async def test_bodies_that_are_none(ann: Person) -> None:
    """Nothing of them is stored."""
    for body, code in [
        ("", "invalid_text"),
        (" \n\t", "invalid_text"),
        ("a\0b", "invalid_text"),
        ("x" * 100_001, "invalid_text"),
        (5, "bad_request"),
        (None, "bad_request"),
    ]:
        alone = await ann.direct(ann)
        refused = await ann.post(f"{TALK}/{alone}/messages", {"client_msg_id": "1", "body": body}, status=400)
        assert refused["code"] == code
        assert await ann.history(alone) == []


# --- cursors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_unread_counts_follow_a_simple_model(ann: Person, bob: Person, seed: int) -> None:
    """Others' messages above the read cursor; mentions of oneself or of everybody among them; deletes change nothing."""
    pick = random.Random(seed)
    group = await ann.group("G", bob)
    said: list[tuple[int, bool]] = []  # seq, mentions bob
    read_seq, last = 0, ""
    for _ in range(30):
        match pick.choice(("say", "say", "mention", "everybody", "read", "delete")):
            case "say":
                sent = await ann.say(group, "hello")
                said.append((sent["seq"], False))
                last = sent["message_id"]
            case "mention":
                sent = await ann.say(group, "look @bob")
                said.append((sent["seq"], True))
            case "everybody":
                sent = await ann.say(group, "look @channel")
                said.append((sent["seq"], True))
            case "read" if said:
                seq = pick.choice(said)[0]
                read_seq = max(read_seq, seq)
                await bob.post(f"{TALK}/{group}/read", {"last_read_seq": seq}, status=200)
            case "delete" if last:
                await ann.delete(f"{TALK}/{group}/messages/{last}?client_msg_id=d{len(said)}", status=200)
                last = ""
    (view,) = await bob.get("/api/chats/conversations")
    assert view["unread_count"] == sum(seq > read_seq for seq, _ in said)
    assert view["read_seq"] >= read_seq


async def test_receipts_are_told_to_those_who_look(services: Embedded, ann: Person, bob: Person) -> None:
    """A frame when a cursor rises, none when it does not; and a list for small conversations."""
    looker = Looker()
    services.delivery.attach(looker)  # type: ignore[attr-defined]
    direct = await ann.direct(bob)
    seq = (await ann.say(direct, "hello"))["seq"]
    await bob.post(f"{TALK}/{direct}/read", {"last_read_seq": seq}, status=200)
    await bob.post(f"{TALK}/{direct}/read", {"last_read_seq": seq}, status=200)
    told = [signal for signal in looker.signals if signal.not_for == bob.user_id]
    assert len(told) == 1
    assert b'"type":"receipt:changed"' in told[0].frame
    receipts = await ann.get(f"{TALK}/{direct}/receipts")
    assert {each["user_id"]: each["read_seq"] for each in receipts}[bob.user_id] == seq


async def test_signing_out_closes_sockets(services: Embedded, ann: Person, bob: Person, cat: Person) -> None:
    """The gateway is told which device to close."""
    looker = Looker()
    services.delivery.attach(looker)  # type: ignore[attr-defined]
    await ann.delete(f"/api/users/me/devices/{ann.device_id}")
    assert [(each.revoke_user, each.revoke_device) for each in looker.signals] == [(ann.user_id, ann.device_id)]
    looker.signals.clear()
    await bob.post("/api/users/auth/logout", {"refresh_token": bob.refresh_token}, status=204)
    assert [each.revoke_device for each in looker.signals] == [bob.device_id]
    looker.signals.clear()
    stolen = {"refresh_token": cat.refresh_token}
    await cat.post("/api/users/auth/refresh", stolen, status=200)
    await cat.post("/api/users/auth/refresh", stolen, status=401)
    assert [(each.revoke_user, each.revoke_device) for each in looker.signals] == [(cat.user_id, cat.device_id)]
