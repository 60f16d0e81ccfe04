"""What a message costs does not grow with the members: deliveries by gateway, and nobody looks at all members.

How long it takes at a million, and what a user of a hundred thousand channels costs: `nottermost chat bench --only fanout`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from nottermost_chat.adapters.postgres_store import PostgresStore
from nottermost_chat.bench.snapshot import Connection, load_members, load_users, settle, user_id
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.directory.server import Server
from nottermost_chat.fanout.service import Fanout
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LogRecord, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.ports import MessageStore, Picture
from nottermost_chat.rpc.addresses import FixedAddresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.rpc.delivery_server import GatewayDelivery
from nottermost_chat.rpc.server import serving
from nottermost_chat.testing.databases import USER, make_database
from nottermost_chat.testing.ingesting import ListLog, Writing, open_writing
from nottermost_chat.testing.rpc import Inbox, running, until
from nottermost_chat.testing.servers import Address
from nottermost_chat.workers.projector import Projector

MEMBERS = {"few": 400, "many": 20_000}  # both large: no recipients are named
GATEWAYS = 100
MESSAGES = 5
NAMED_MAX = 10  # members that anything may ask for here, of those who act or are changed


class NoRoutes:
    """Nobody is asked where members of large conversations are."""

    async def gateways_of(self, user_ids: Sequence[str]) -> dict[str, frozenset[str]] | None:
        raise AssertionError(f"{len(user_ids)} users looked up")


@dataclass(frozen=True, kw_only=True)
class World:
    """Channels of different sizes, each made by user 1, and what writes to them."""

    directory: Directory
    store: MessageStore
    writing: Writing
    log: ListLog
    channels: dict[str, str]

    def records(self, channel: str) -> list[LogRecord]:
        return [record for record in self.log.records if record.entry.conversation_id == channel]


@pytest.fixture
async def world(postgres: Address, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        name = stack.enter_context(make_database(postgres, "directory", empty=True))
        server = Server(host=postgres.authority, database=name, user=USER)
        directory = await Directory.open(server, Clock())
        stack.push_async_callback(directory.close)
        store = await PostgresStore.open(server, Metrics(), Clock().monotonic)
        stack.push_async_callback(store.close)
        database: Connection = stack.enter_context(
            psycopg.connect(host=postgres.host, port=postgres.port, user=USER, dbname=name)
        )
        load_users(database, max(MEMBERS.values()) + 1)
        workspace = await directory.workspaces.create("workspace", user_id(1))
        channels = {}
        for label, count in MEMBERS.items():
            row = await directory.conversations.create_channel(workspace.workspace_id, label, user_id(1))
            channels[label] = row.conversation_id
            load_members(database, row.conversation_id, count)
        settle(database)
        log: Any = ListLog()
        writing = await stack.enter_async_context(open_writing(tmp_path, directory=directory, store=store, log=log))
        yield World(directory=directory, store=store, writing=writing, log=log, channels=channels)


async def test_a_message_is_delivered_once_to_each_gateway(world: World) -> None:
    """To a hundred gateways over gRPC: as many deliveries for twenty thousand members as for four hundred."""
    delivery, inboxes = GatewayDelivery(Clock()), [Inbox(f"gateway-{number}") for number in range(GATEWAYS)]
    routes: Any = NoRoutes()
    fanout = Fanout(Pictures(world.directory.conversations, world.store), routes, delivery)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(delivery, host="127.0.0.1", port=0))
        receivers = [DeliveryReceiver(FixedAddresses(f"127.0.0.1:{port}"), inbox) for inbox in inboxes]
        await stack.enter_async_context(running(*(asyncio.create_task(receiver.run()) for receiver in receivers)))
        await until(lambda: len(delivery.connected) == GATEWAYS)
        for channel in world.channels.values():
            for _ in range(MESSAGES):
                await world.writing.say(channel, user_id(2))
            await fanout.handle(world.records(channel))
    for channel in world.channels.values():
        taken = [item for inbox in inboxes for item in inbox.items if item.record.entry.conversation_id == channel]
        assert len(taken) == GATEWAYS * MESSAGES
        assert all(item.recipients is None for item in taken)


async def test_nothing_looks_at_all_members(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends, joins, leaves, changes of admins, mentions, resumes, receipts, projections and fan-out name a few of them."""
    memberships, writing, large = world.directory.conversations, world.writing, world.channels["many"]
    admin, member, stranger = user_id(1), user_id(7), user_id(MEMBERS["many"] + 1)
    asked_for, excerpt = list[int](), memberships.excerpt

    async def no_picture(conversation_id: str) -> Picture | None:
        raise AssertionError(f"the whole picture of {conversation_id}")

    async def counted(conversation_id: str, user_ids: Sequence[str], *, eldest: int) -> Picture | None:
        found = await excerpt(conversation_id, user_ids, eldest=eldest)
        asked_for.append(0 if found is None else len(found.members))
        return found

    monkeypatch.setattr(memberships, "picture", no_picture)
    monkeypatch.setattr(memberships, "excerpt", counted)
    await writing.say(large, member, "@user8, @nobody and @channel")
    await writing.change(large, admin, (stranger, Role.MEMBER))
    await writing.change(large, stranger, (stranger, None))
    await writing.change(large, admin, (member, Role.ADMIN))
    await writing.change(large, admin, (admin, None))
    await writing.change(large, member, (member, None))  # the last admin: the eldest takes over
    heir = (await memberships.among(large, [user_id(2)]))[user_id(2)]
    assert heir.role is Role.ADMIN
    missed = await writing.ingest.missed(user_id(2), large, (1, 1))
    assert len(missed.entries) == len(world.records(large))
    writing.ingest.mark(user_id(2), large, read_seq=missed.head[1])
    await writing.receipts.flush()
    pictures = Pictures(memberships, world.store)
    await Projector(world.directory, pictures, pause_s=0).handle(world.records(large))
    nothing: Any = NoRoutes()
    await Fanout(pictures, nothing, GatewayDelivery(Clock())).handle(world.records(large))
    assert max(asked_for) <= NAMED_MAX
