"""Who sends and reads while something is broken: people, their conversations and their devices."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeVar

import httpx
import msgspec
from picows import WSError

from nottermost_chat.client import ChatClient, Refused, Rest
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Unavailable

PASSWORD: Final = "correct horse battery"
PEOPLE: Final = 10
PATIENCE_S: Final = 60.0
AGAIN_S: Final = 0.5
REGISTER_AT_ONCE: Final = 2  # a password takes 50 ms of a processor


T = TypeVar("T")


class Team:
    """Ten people with twelve devices, in five direct conversations, two groups and a channel.

    Attributes:
        members: conversation -> numbers of those who are in it and send.
        devices: reader's name -> client; `3-1` is the first device of the fourth person.
    """

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url, self._stack = url, stack
        self._tag = Clock().new_id().lower()
        self.rests: list[Rest] = []
        self.devices: dict[str, ChatClient] = {}
        self.members: dict[str, tuple[int, ...]] = {}

    async def form(self, enlist: Callable[[str], Awaitable[Sequence[str]]]) -> None:
        """Sign up, begin the conversations, connect.

        Args:
            enlist: makes others members of the workspace with this id; they are in its channel too, and silent.
        """
        at_once = asyncio.Semaphore(REGISTER_AT_ONCE)
        self.rests = [Rest(self.url) for _ in range(PEOPLE)]
        for rest in self.rests:
            self._stack.push_async_callback(rest.close)
        await asyncio.gather(*(self._register(number, at_once) for number in range(PEOPLE)))
        for number in range(0, PEOPLE, 2):
            await self._begin("dm", (number, number + 1), other_user_id=self.id_of(number + 1))
        everybody = tuple(range(PEOPLE))
        for title in ("one", "two"):
            await self._begin("group", everybody, title=title, member_ids=[self.id_of(one) for one in everybody[1:]])
        await self._begin_channel(everybody, enlist)
        await asyncio.gather(*(self._connect(number, 1, at_once) for number in everybody))
        await asyncio.gather(*(self._connect(number, 2, at_once) for number in everybody[:2]))

    def id_of(self, number: int) -> str:
        session = self.rests[number].session
        assert session is not None
        return session.user_id

    def lines(self) -> Iterator[tuple[str, str]]:
        """(device, conversation) for every conversation that the device is in."""
        for conversation_id, members in self.members.items():
            for device in self.devices:
                if person_of(device) in members:
                    yield device, conversation_id

    def fresh_rest(self, number: int) -> Rest:
        """A client that knows nothing but the person's token, good for a quarter of an hour; the caller closes it."""
        session = self.rests[number].session
        assert session is not None
        return Rest(self.url, msgspec.structs.replace(session))

    async def sign_in(self, number: int) -> Rest:
        """A further device of a person; the caller closes it."""
        rest = Rest(self.url)
        try:
            await patiently(lambda: rest.log_in(self._email(number), PASSWORD))
        except BaseException:
            await rest.close()
            raise
        return rest

    async def _register(self, number: int, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            await self.rests[number].register(self._email(number), f"{self._tag}-{number}", PASSWORD)

    async def _connect(self, number: int, device: int, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            chat = ChatClient(await self.sign_in(number))
        self.devices[f"{number}-{device}"] = await self._stack.enter_async_context(chat)

    async def _begin(self, kind: str, members: tuple[int, ...], **body: object) -> None:
        view = await self.rests[members[0]].call("POST", f"/api/chats/conversations/{kind}", body)
        self.members[view["conversation_id"]] = members

    async def _begin_channel(self, members: tuple[int, ...], enlist: Callable[[str], Awaitable[Sequence[str]]]) -> None:
        admin = self.rests[0]
        workspace = await admin.call("POST", "/api/workspaces", {"name": "Works"})
        path = f"/api/workspaces/{workspace['workspace_id']}"
        for number in members[1:]:
            await admin.call("POST", f"{path}/members", {"email": self._email(number), "role": "member"})
        crowd = await patiently(lambda: enlist(workspace["workspace_id"]))
        ids = [*(self.id_of(number) for number in members[1:]), *crowd]
        channel = await admin.call("POST", f"{path}/channels", {"name": "works", "private": False, "member_ids": ids})
        self.members[channel["conversation_id"]] = members

    def _email(self, number: int) -> str:
        return f"{self._tag}-{number}@example.org"


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """Do it, again while it is refused for now or nobody answers. It may run several times. Raises: what comes last."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await act()
        except (Refused, Unavailable, httpx.TransportError, OSError, WSError, TimeoutError) as error:
            passing = error.passing if isinstance(error, Refused) else True
            if not passing or time.monotonic() > deadline:
                raise
            await asyncio.sleep(AGAIN_S)


def person_of(device: str) -> int:
    """Whose device it is."""
    return int(device.partition("-")[0])
