"""Whether messages really go through: a message to itself, over the socket and back.

Open sockets and green processes say nothing about delivery; only a delivered message does.
It runs when somebody asks (`/readyz`, `/metrics`) and its answer is good for a few seconds.
"""

import asyncio
from contextlib import suppress

import httpx
import structlog
from picows import WSError

from nottermost_chat.client import ChatClient, Rest
from nottermost_chat.client.rest import Session
from nottermost_chat.errors import ChatError
from nottermost_chat.model import Role
from nottermost_chat.ports import AppendRequest
from nottermost_chat.protocol import MessageNew
from nottermost_chat.services import Services

FRESH_S = 5.0  # an answer is good for this long
WITHIN_S = 3.0  # a message that takes longer counts as lost
AGAIN_S = 1.0  # after one that did not come through
KEEP_ENTRIES = 100  # of the canary's conversation; older ones are trimmed
NAME = "canary"
ADDRESS = "canary@localhost.invalid"

logger = structlog.get_logger(__name__)


class Canary:
    """Sends and receives one message every few seconds while anybody asks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._url = ""
        self._asked, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._came_at: float | None = None
        self._reason = "no message has gone through yet"

    def watch(self, url: str) -> None:
        """The address of the chat to watch."""
        self._url = url
        self._asked.set()

    def status(self) -> tuple[bool, str]:
        """Whether a message went through in the last seconds, and a sentence about it."""
        self._asked.set()
        if self._came_at is None:
            return False, self._reason
        age_s = self._services.clock.monotonic() - self._came_at
        self._services.metrics.canary_age_seconds.set(age_s)
        if age_s > FRESH_S + 2 * WITHIN_S and self._reason:
            return False, self._reason
        return True, f"a message went through {age_s:.1f} s ago"

    async def settle(self) -> None:
        """Wait, for a while, until nothing is under way: what is cancelled while it connects leaves a socket behind."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), WITHIN_S)

    async def _rest(self, seconds: float = 0.0) -> None:
        """Do nothing for a while, and then until somebody asks."""
        self._idle.set()
        await asyncio.sleep(seconds)
        await self._asked.wait()
        self._idle.clear()

    async def run(self) -> None:
        pause_s = 0.0
        while True:
            await self._rest(pause_s)
            try:
                await self._stay_connected()
            except (ChatError, httpx.HTTPError, OSError, WSError, TimeoutError) as error:
                self._reason = f"the canary message did not come through: {str(error) or type(error).__name__}"
                logger.warning("canary_failed", error=repr(error))
                pause_s = AGAIN_S

    async def _stay_connected(self) -> None:
        user_id, conversation_id = await self._prepare()
        rest = Rest(self._url)
        tokens = await self._services.tokens.session(user_id, NAME)
        rest.session = Session(tokens.access_token, tokens.refresh_token, user_id)
        async with ChatClient(rest) as chat:
            events = chat.events()
            while True:
                self._asked.clear()
                async with asyncio.timeout(WITHIN_S):
                    ack = await chat.send(conversation_id, "canary")
                    async for event in events:
                        if isinstance(event, MessageNew) and event.message_id == ack.message_id:
                            break
                self._came_at = self._services.clock.monotonic()
                if ack.seq % KEEP_ENTRIES == 0:
                    await self._services.store.trim(conversation_id, ack.seq - KEEP_ENTRIES)
                await self._rest(FRESH_S)

    async def _prepare(self) -> tuple[str, str]:
        """The canary's account and its conversation with itself."""
        accounts, conversations = self._services.directory.accounts, self._services.directory.conversations
        user = await accounts.by_email(ADDRESS)
        if user is None:
            user = await accounts.create_user(username=NAME, email=ADDRESS, display_name="", bot=True)
        self._services.limiter.exempt(user.user_id)
        row, _ = await conversations.direct(user.user_id, user.user_id)
        if row.members_seq == 0:
            await self._services.ingest.submit(
                AppendRequest(
                    kind="membership",
                    conversation_id=row.conversation_id,
                    actor_id=user.user_id,
                    op_id=f"create:{row.conversation_id}",
                    changes=((user.user_id, Role.MEMBER),),
                )
            )
        return user.user_id, row.conversation_id
