"""What REST does, as those see it who are connected: the whole chat runs, on a port of its own."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from nottermost_chat.bootstrap import running_chat
from nottermost_chat.client import ChatClient, Rest
from nottermost_chat.client.chat import Event
from nottermost_chat.client.rest import Session
from nottermost_chat.protocol import EntryNew, MessageNew, ReceiptChanged
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person, join
from nottermost_chat.testing.raw_socket import RawSocket


@pytest.fixture
async def url(services: Embedded) -> AsyncIterator[str]:
    async with running_chat(services) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url) as client:
        yield client


def connect(url: str, person: Person) -> ChatClient:
    return ChatClient(Rest(url, Session(person.access_token, person.refresh_token, person.user_id)))


async def events_until(client: ChatClient, last: str) -> list[Event]:
    """What comes, up to the message with this text."""
    seen = []
    async with asyncio.timeout(10):
        async for event in client.events():
            seen.append(event)
            if isinstance(event, MessageNew) and event.preview == last:
                break
    return seen


async def test_what_rest_does_reaches_sockets(url: str, ann: Person, bob: Person) -> None:
    """Messages, changes of the conversation, and receipts for who looks."""
    group = await ann.group("G", bob)
    async with connect(url, bob) as client, connect(url, ann) as anns:
        anns.watch(conversation_id=group)
        await ann.patch(f"/api/chats/conversations/{group}", {"topic": "plans"})
        sent = await ann.say(group, "hello over REST")
        seen = await events_until(client, "hello over REST")
        topics = [each.settings.topic for each in seen if isinstance(each, EntryNew) and each.settings]
        assert topics == ["plans"]
        await bob.post(f"/api/messages/conversations/{group}/read", {"last_read_seq": sent["seq"]}, status=200)
        async with asyncio.timeout(10):
            async for event in anns.events():
                if isinstance(event, ReceiptChanged) and event.read_seq == sent["seq"]:
                    assert event.user_id == bob.user_id
                    break


async def test_a_removed_member_hears_of_it_and_of_nothing_after(url: str, ann: Person, bob: Person) -> None:
    """On a socket that is open all the time; the same goes for leaving the workspace."""
    workspace = await ann.workspace("W", bob)
    group, channel = await ann.group("G", bob), await ann.channel(workspace, "general", bob)
    direct = await ann.direct(bob)
    async with connect(url, bob) as client:
        await ann.say(group, "together")
        await ann.delete(f"/api/chats/conversations/{group}/members/{bob.user_id}")
        await ann.delete(f"/api/workspaces/{workspace}/members/{bob.user_id}")
        await ann.say(group, "alone in the group")
        await ann.say(channel, "alone in the channel")
        await ann.say(direct, "the end")
        seen = await events_until(client, "the end")
    texts = [each.preview for each in seen if isinstance(each, MessageNew)]
    assert texts == ["together", "the end"]
    removals = {each.conversation_id for each in seen if isinstance(each, EntryNew) and each.changes}
    assert removals == {group, channel}


async def test_changes_of_ones_own_are_told_at_once(
    url: str, services: Embedded, ann: Person, bob: Person, cat: Person
) -> None:
    """Invites that come and go, workspaces, one's profile: on all devices, when it can be read; others hear nothing."""
    group, phone = await ann.group("G"), await services.tokens.session(bob.user_id, "phone")
    tokens = (bob.access_token, phone.access_token, cat.access_token)
    laptop, phones, _ = sockets = [await RawSocket.open(url) for _ in tokens]
    for socket, token in zip(sockets, tokens, strict=True):
        await socket.authenticate(token)

    async def told(what: str) -> None:
        for socket in (laptop, phones):
            assert await socket.expect("me:changed") == {"type": "me:changed", "what": what}

    for answer, status in (("decline", 204), ("join", 200)):
        await ann.post(f"/api/chats/conversations/{group}/invite", {"user_id": bob.user_id})
        await told("invites")
        (invite,) = await bob.get("/api/chats/invites")
        given = {"invite_id": invite["invite_id"]}
        await bob.post(f"/api/chats/conversations/{group}/{answer}", given, status=status)
        await told("invites")
        assert await bob.get("/api/chats/invites") == []
    workspace = await ann.workspace("W", bob)
    await told("workspaces")
    assert [each["role"] for each in await bob.get("/api/workspaces")] == ["member"]
    await ann.patch(f"/api/workspaces/{workspace}/members/{bob.user_id}", {"role": "admin"})
    await told("workspaces")
    await ann.delete(f"/api/workspaces/{workspace}/members/{bob.user_id}")
    await told("workspaces")
    assert await bob.get("/api/workspaces") == []
    await bob.workspace("Bob's")
    await told("workspaces")
    await bob.patch("/api/users/me", {"display_name": "Robert"})
    await told("profile")
    for socket in sockets:
        await socket.send({"type": "ping"})
        while (frame := await socket.receive())["type"] != "pong":
            assert frame["type"] != "me:changed"
        socket.abort()


async def test_files_can_be_fetched_when_their_message_arrives(
    url: str, http: httpx.AsyncClient, ann: Person, bob: Person
) -> None:
    """Also when it was sent over the socket."""
    direct = await ann.direct(bob)
    file = await ann.post("/api/files", {"conversation_id": direct, "name": "a.txt", "size": 5})
    assert (await http.put(file["upload_url"], content=b"hello")).status_code == 201
    async with connect(url, ann) as anns, connect(url, bob) as client:
        await anns.send(direct, "see this", file_ids=(file["file_id"],))
        await events_until(client, "see this")
        (view,) = await bob.post("/api/files/links", {"file_ids": [file["file_id"]]}, status=200)
        assert (await http.get(view["url"])).content == b"hello"


async def test_a_signed_out_device_is_disconnected(
    url: str, services: Embedded, http: httpx.AsyncClient, ann: Person
) -> None:
    """At once and for good; the user's other devices stay."""
    other = await services.tokens.session(ann.user_id, "phone")
    phone = ChatClient(Rest(url, Session(other.access_token, other.refresh_token, ann.user_id)))
    async with connect(url, ann) as laptop:
        async with phone:
            await ann.delete(f"/api/users/me/devices/{other.device_id}")
            async with asyncio.timeout(10):
                assert [event async for event in phone.events()] == []  # ends
        alone = await ann.direct(ann)
        await ann.say(alone, "still here")
        await events_until(laptop, "still here")


async def test_ready_once_messages_go_through(http: httpx.AsyncClient) -> None:
    """The canary's message has come back."""
    async with asyncio.timeout(20):
        while (answer := await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - that is how one asks
            await asyncio.sleep(0.05)
    assert answer.json()["status"] == "ready"


async def test_bytes_over_a_real_connection(http: httpx.AsyncClient, services: Embedded) -> None:
    """HEAD has no body on the wire, and ranges arrive as they are announced."""
    person = await join(services, http, "dave")
    alone = await person.direct(person)
    content = bytes(range(256)) * 4000
    file = await person.post("/api/files", {"conversation_id": alone, "name": "a.bin", "size": len(content)})
    view = (await http.put(file["upload_url"], content=content)).json()
    assert (await http.get(view["url"])).content == content
    assert (await http.get(view["url"], headers={"range": "bytes=1000-1999"})).content == content[1000:2000]
    head = await http.head("/assets/app.js")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len((await http.get("/assets/app.js")).content)
