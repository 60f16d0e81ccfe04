"""A message between gateways, as document C tells it: stored, logged, consumed, told of, read in order, read more."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import msgspec
import pytest

from nottermost_chat import backends
from nottermost_chat.client import ChatClient, Rest
from nottermost_chat.clock import Clock
from nottermost_chat.model import LogRecord
from nottermost_chat.roles import Role, make_process
from nottermost_chat.settings import load_secrets, load_settings
from nottermost_chat.testing.cluster import Cluster
from nottermost_chat.testing.raw_socket import RawSocket
from nottermost_chat.testing.running import following, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

LONG = "Hello B, " + "this is a long story. " * 300


class Pair:
    """Ann and Bob, who have a direct conversation; and who else joins them."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack

    async def join(self, name: str) -> Rest:
        """A new account."""
        rest = Rest(self._url)
        self._stack.push_async_callback(rest.close)
        unique = f"{name}{Clock().new_id().lower()}"
        await rest.register(f"{unique}@example.org", unique, "correct horse battery")
        return rest

    async def open(self) -> None:
        self.ann, self.bob = await self.join("ann"), await self.join("bob")
        assert self.bob.session is not None
        request = {"other_user_id": self.bob.session.user_id}
        view = await self.ann.call("POST", "/api/chats/conversations/dm", request)
        self.place: str = view["conversation_id"]


@pytest.fixture
async def pair(cluster: Cluster) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        pair = Pair(cluster.url, stack)
        await pair.open()
        yield pair


def token_of(rest: Rest) -> str:
    assert rest.session is not None
    return rest.session.access_token


async def test_a_message_between_two_gateways(cluster: Cluster, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Document C's scenario, step by step: A on gateway 1, B on gateway 2."""
    for name, value in cluster.stack.environment().items():
        monkeypatch.setenv(name, value)
    environment = cluster.stack.environment()
    process = make_process(Role.KEEPER, load_settings(environment), load_secrets(environment))
    began = Clock().now_ms() - 300_000  # before they had a conversation
    bob = await RawSocket.open(cluster.gateway_urls[1])
    await bob.authenticate(token_of(pair.bob))
    async with following(ChatClient(pair.ann, socket_url=cluster.gateway_urls[0])) as ann:
        acks = [await ann.client.send(pair.place, body) for body in ("first", LONG, "last")]
        assert [ack.seq for ack in acks] == [2, 3, 4]  # 1: who is in
        pointers = [await bob.expect("message:new", conversation_id=pair.place) for _ in acks]  # 4: gateway 2 tells B
        assert await ann.saw(pair.place, 4) == [2, 3, 4]
    bob.abort()
    assert [(frame["seq"], frame["message_id"]) for frame in pointers] == [(ack.seq, ack.message_id) for ack in acks]
    assert (pointers[1]["preview"], pointers[1]["has_more"]) == (LONG[:200], True)

    async with backends.store(process) as store, backends.log(process, store) as log:
        entries = await store.entries(pair.place, 0, 10)  # 1: stored, with the right seqs
        assert [(entry.seq, entry.message_id) for entry in entries[1:]] == [(ack.seq, ack.message_id) for ack in acks]
        logged: list[LogRecord] = []

        async def note(records: Sequence[LogRecord]) -> None:
            logged.extend(record for record in records if record.entry.conversation_id == pair.place)

        await log.replay(note, began)  # 2: in the log
        seqs = [record.entry.seq for record in logged]
        assert sorted(set(seqs)) == [1, 2, 3, 4]
        assert LONG not in msgspec.json.encode(logged).decode()

        async def is_consumed() -> bool:
            return await log.lag(Role.FANOUT) == 0

        await wait_until(is_consumed)  # 3: fan-out took it

    path = f"/api/messages/conversations/{pair.place}/messages"
    page = await pair.bob.call("GET", path)  # 5: in order
    assert [message["message_id"] for message in page["messages"]] == [ack.message_id for ack in acks]
    assert page["messages"][1]["has_more"]
    whole = await pair.bob.call("GET", f"{path}/{acks[1].message_id}", fields="full")  # 6: Read more
    assert whole["body"] == LONG


async def test_three_gateways_and_a_moved_connection(cluster_alone: Cluster) -> None:
    """A third gateway takes part at once; who moves from one to another misses nothing and sees nothing twice."""
    stack = cluster_alone.stack
    options = stack.options()
    await asyncio.to_thread(stack.up, msgspec.structs.replace(options, scale={**options.scale, "gateway": 3}))
    try:
        async with AsyncExitStack() as opened:
            pair = Pair(cluster_alone.url, opened)
            await pair.open()
            one, two, three = cluster_alone.gateway_urls
            async with following(ChatClient(pair.ann, socket_url=one)) as ann:
                async with following(ChatClient(pair.bob, socket_url=two)) as bob:
                    await ann.client.send(pair.place, "on the second")
                    assert await bob.saw(pair.place, 2) == [2]
                await ann.client.send(pair.place, "while nobody listens")
                raw = await RawSocket.open(three)
                await raw.authenticate(token_of(pair.bob))
                await raw.send({"type": "resume", "conversations": {pair.place: [1, 2]}})
                (answer,) = (await raw.expect("resumed"))["conversations"]
                assert ([entry["seq"] for entry in answer["entries"]], answer.get("reset", False)) == ([3], False)
                await ann.client.send(pair.place, "on the third")
                assert (await raw.expect("message:new"))["seq"] == 4
                raw.abort()
    finally:
        await asyncio.to_thread(stack.up, options)


async def test_through_the_load_balancer(cluster: Cluster, pair: Pair) -> None:
    """Wherever sockets and requests end up, everybody sees everything once and in order."""
    cat = await pair.join("cat")
    assert cat.session is not None
    assert pair.bob.session is not None
    members = [pair.bob.session.user_id, cat.session.user_id]
    group = await pair.ann.call("POST", "/api/chats/conversations/group", {"title": "three", "member_ids": members})
    place, people = group["conversation_id"], [pair.ann, pair.bob, cat]
    for invited in (pair.bob, cat):
        await invited.call("POST", f"/api/chats/conversations/{place}/join")
    async with AsyncExitStack() as stack:
        followers = [await stack.enter_async_context(following(ChatClient(rest))) for rest in people]
        sends = [follower.client.send(place, f"{number}") for number in range(10) for follower in followers]
        acks = await asyncio.gather(*sends)
        last = max(ack.seq for ack in acks)
        seen = [[seq for seq in await follower.saw(place, last) if seq > last - 30] for follower in followers]
        assert seen == [list(range(last - 29, last + 1))] * 3
