"""The whole chat in this process, with users made straight in the directory, and a network that can lose things."""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from nottermost_chat.adapters.local_delivery import GatewayInbox, LocalDelivery
from nottermost_chat.bootstrap import open_services, running_chat
from nottermost_chat.client import Backoff, ChatClient, Reset, Rest
from nottermost_chat.client.rest import Session
from nottermost_chat.clock import Clock
from nottermost_chat.gateway.gateway import Gateway
from nottermost_chat.model import ConversationKind, Role
from nottermost_chat.ports import Appended, AppendRequest, Delivery, DeliveryItem
from nottermost_chat.protocol import EntryNew, MessageNew
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.ingesting import NO_LIMITS
from nottermost_chat.testing.raw_socket import RawSocket

SEEN_WITHIN_S = 30.0  # no test waits longer for an entry; a busy machine is slow, not wrong


class UnreliableDelivery(LocalDelivery):
    """Delivery to gateways of this process; `change` says what becomes of each batch on its way."""

    def __init__(self, inner: Delivery) -> None:
        super().__init__()
        self._inner = inner
        self.gateway: GatewayInbox | None = None
        self.change: Callable[[Sequence[DeliveryItem]], Sequence[DeliveryItem]] = lambda items: items

    def attach(self, gateway: GatewayInbox) -> None:
        super().attach(gateway)
        self.gateway = gateway
        if isinstance(self._inner, LocalDelivery):
            self._inner.attach(gateway)

    async def deliver(self, gateway_id: str, items: Sequence[DeliveryItem]) -> None:
        changed = self.change(items)
        if changed:
            await super().deliver(gateway_id, changed)


@dataclass(kw_only=True, frozen=True)
class User:
    """An account with a signed-in device."""

    user_id: str
    device_id: str
    token: str
    refresh_token: str


@dataclass(kw_only=True)
class RunningChat:
    """A running chat."""

    services: Embedded
    port: int
    delivery: UnreliableDelivery
    sockets: list[RawSocket] = field(default_factory=list)  # raw connections, ended with the chat

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> Gateway:
        assert isinstance(self.delivery.gateway, Gateway)
        return self.delivery.gateway

    async def users(self, *names: str) -> list[User]:
        """New accounts, each with a device."""
        made: list[User] = []
        for name in names:
            row = await self.services.directory.accounts.create_user(username=f"{name}-{self.services.clock.new_id()}")
            made.append(await self.device(row.user_id))
        return made

    async def device(self, user_id: str) -> User:
        """A further device of a user."""
        tokens = await self.services.tokens.session(user_id, "test")
        return User(
            user_id=user_id,
            device_id=tokens.device_id,
            token=tokens.access_token,
            refresh_token=tokens.refresh_token,
        )

    def expired(self, user: User) -> User:
        """The same device with an access token that has ended."""
        return self.hasty(user, access_token_s=-1)

    def hasty(self, user: User, access_token_s: int) -> User:
        """The same device with an access token of so many seconds; the chat's own keep their time."""
        tokens = copy.copy(self.services.tokens)
        tokens._settings = Settings(access_token_s=access_token_s)
        return replace(user, token=tokens.issue(user.user_id, user.device_id))

    async def conversation(self, *members: User, kind: ConversationKind = ConversationKind.GROUP) -> str:
        """A new group or channel; the first member is its admin."""
        admin, conversations = members[0].user_id, self.services.directory.conversations
        if kind is ConversationKind.CHANNEL:
            workspace = await self.services.directory.workspaces.create("workspace", admin)
            name = self.services.clock.new_id().lower()
            row = await conversations.create_channel(workspace.workspace_id, name, admin)
        else:
            row = await conversations.create_group("group", admin)
        roles = [(member.user_id, Role.MEMBER if place else Role.ADMIN) for place, member in enumerate(members)]
        await self.change(row.conversation_id, members[0], *roles)
        await self.settle()  # so that no socket that is opened next sees how it began
        return row.conversation_id

    async def change(self, conversation_id: str, actor: User, *changes: tuple[str, Role | None]) -> Appended:
        """A membership entry."""
        return await self.do("membership", conversation_id, actor, changes=changes)

    async def say(self, conversation_id: str, actor: User, body: str = "hello", **more: Any) -> Appended:
        """A message, straight through ingest."""
        return await self.do("message", conversation_id, actor, body=body, **more)

    async def do(self, kind: str, conversation_id: str, actor: User, **more: Any) -> Appended:
        op_id = more.pop("op_id", self.services.clock.new_id())
        return await self.services.ingest.submit(
            AppendRequest(kind=kind, conversation_id=conversation_id, actor_id=actor.user_id, op_id=op_id, **more)
        )

    async def raw(self, user: User | None = None, **how: Any) -> RawSocket:
        """A raw connection, signed in if a user is given."""
        socket = await RawSocket.open(self.url, **how)
        self.sockets.append(socket)
        if user is not None:
            await socket.authenticate(user.token)
        return socket

    def rest(self, user: User) -> Rest:
        return Rest(self.url, Session(user.token, user.refresh_token, user.user_id))

    async def settle(self) -> None:
        """Everything published so far has been fanned out."""

        async def is_settled() -> bool:
            return not await self.services.log.lag("fanout")

        await wait_until(is_settled)

    def client(self, user: User) -> ChatClient:
        """A client that reconnects at once."""
        return ChatClient(self.rest(user), backoff=Backoff(lambda _low, _high: 0.01))


@asynccontextmanager
async def run_chat(folder: Path, *, clock: Clock | None = None, **settings: Any) -> AsyncIterator[RunningChat]:
    """The chat on this folder and a free port; without rate limits, unless `settings` say otherwise.

    It runs in a task of its own: a fixture begins in one task and ends in another, which task groups
    do not allow. What a role dies of is raised at the end.
    """
    given: dict[str, Any] = {"data": folder, "port": 0, "limits": NO_LIMITS, "drain_s": 0} | settings
    started: asyncio.Future[RunningChat] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(_host(Settings(**given), clock, started, stop), name="chat")
    either: set[asyncio.Future[Any]] = {task, started}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    chat = started.result()
    try:
        yield chat
    finally:
        for socket in chat.sockets:
            socket.abort()
        stop.set()
        await task


async def _host(
    settings: Settings, clock: Clock | None, started: "asyncio.Future[RunningChat]", stop: asyncio.Event
) -> None:
    async with open_services(settings, clock) as opened:
        delivery = UnreliableDelivery(opened.delivery)
        services = replace(opened, delivery=delivery)
        async with running_chat(services) as port:
            started.set_result(RunningChat(services=services, port=port, delivery=delivery))
            await stop.wait()


async def wait_until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until it holds, for what tells nobody when it changes. Raises: TimeoutError."""
    async with asyncio.timeout(SEEN_WITHIN_S):
        while not await holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class Follower:
    """What a client's user sees of each conversation, in the order in which it was shown."""

    def __init__(self, client: ChatClient) -> None:
        self.client = client
        self.entries: dict[str, list[MessageNew | EntryNew]] = {}
        self.others: list[Any] = []
        self.resets: list[str] = []
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Collect until the session ends."""
        async for event in self.client.events():
            if isinstance(event, (MessageNew, EntryNew)):
                self.entries.setdefault(event.conversation_id, []).append(event)
            elif isinstance(event, Reset):
                self.resets.append(event.conversation_id)
            else:
                self.others.append(event)
            self._more.set()

    def seqs(self, conversation_id: str) -> list[int]:
        return [entry.seq for entry in self.entries.get(conversation_id, [])]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns when it holds after some event. Raises: TimeoutError."""
        async with asyncio.timeout(SEEN_WITHIN_S):
            while not holds():
                self._more.clear()
                await self._more.wait()

    async def saw(self, conversation_id: str, seq: int) -> list[int]:
        """The seqs shown, once this one is among them."""
        await self.until(lambda: seq in self.seqs(conversation_id))
        return self.seqs(conversation_id)

    async def other(self, kind: type[Any], **fields: object) -> Any:
        """The first event of this kind with these fields."""

        def found() -> list[Any]:
            return [
                event
                for event in self.others
                if isinstance(event, kind) and msgspec.structs.asdict(event).items() >= fields.items()
            ]

        await self.until(lambda: bool(found()))
        return found()[0]


@asynccontextmanager
async def following(client: ChatClient) -> AsyncIterator[Follower]:
    """A connected client and what it sees."""
    async with client:
        follower = Follower(client)
        task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def abort_connection(client: ChatClient) -> None:
    """Cut the client's connection as a network does."""
    socket = client._socket
    if socket is not None and socket._transport is not None:
        socket._transport.underlying_transport.abort()
