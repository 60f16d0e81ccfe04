"""Bots on the socket: what their scopes let them do there, and how it ends."""

import httpx

from nottermost_chat.actions.accounts import close_sockets
from nottermost_chat.errors import Forbidden
from nottermost_chat.protocol import CloseCode
from nottermost_chat.scopes import Scope
from nottermost_chat.testing.running import RunningChat


class Bot:
    """A bot in a group, and sessions made of its tokens."""

    def __init__(self, chat: RunningChat, user_id: str, conversation_id: str) -> None:
        self.chat, self.user_id, self.conversation_id = chat, user_id, conversation_id

    async def session(self, *scopes: Scope) -> tuple[str, str]:
        """The token's id and an access token, as the API gives it."""
        row, token = await self.chat.services.directory.bots.create_token(self.user_id, "test", scopes, "admin")
        async with httpx.AsyncClient(base_url=self.chat.url) as http:
            answer = await http.post("/api/bots/session", json={"token": token})
        return row.token_id, str(answer.json()["access_token"])


async def make_bot(chat: RunningChat) -> Bot:
    (owner,) = await chat.users("owner")
    row = await chat.services.directory.accounts.create_user(username=f"bot-{chat.services.clock.new_id()}", bot=True)
    conversation_id = await chat.conversation(owner, await chat.device(row.user_id))
    return Bot(chat, row.user_id, conversation_id)


async def test_frames_need_their_scope(chat: RunningChat) -> None:
    """What the token lacks is refused with a sentence, and the socket stays."""
    bot = await make_bot(chat)
    _, token = await bot.session(Scope.MESSAGES_READ)
    socket = await chat.raw()
    await socket.authenticate(token)
    said = {"type": "message:send", "conversation_id": bot.conversation_id, "client_msg_id": "1", "body": "hi"}
    await socket.send(said)
    refused = await socket.expect("error")
    assert refused["code"] == Forbidden.code
    assert Scope.MESSAGES_WRITE in refused["message"]
    _, more = await bot.session(Scope.MESSAGES_READ, Scope.MESSAGES_WRITE)
    await socket.authenticate(more)  # a fresh token brings its own scopes
    await socket.send(said)
    await socket.expect("message:ack")


async def test_a_socket_needs_leave_to_read(chat: RunningChat) -> None:
    """It would deliver messages."""
    bot = await make_bot(chat)
    _, token = await bot.session(Scope.MESSAGES_WRITE)
    socket = await chat.raw()
    await socket.send({"type": "authenticate", "token": token})
    assert await socket.closed() == CloseCode.NOT_AUTHENTICATED


async def test_a_revoked_token_closes_its_sockets_only(chat: RunningChat) -> None:
    """At once, and the session that was made of it opens none any more."""
    bot = await make_bot(chat)
    first_id, first = await bot.session(Scope.MESSAGES_READ)
    _, second = await bot.session(Scope.MESSAGES_READ)
    ends, stays = await chat.raw(), await chat.raw()
    await ends.authenticate(first)
    await stays.authenticate(second)
    await chat.services.directory.bots.revoke(bot.user_id, first_id)
    chat.services.tokens.revoke(first_id)
    await close_sockets(chat.services, bot.user_id, [first_id])
    assert await ends.closed() == CloseCode.REVOKED
    again = await chat.raw()
    await again.send({"type": "authenticate", "token": first})
    assert await again.closed() == CloseCode.NOT_AUTHENTICATED
    await stays.send({"type": "ping"})
    await stays.expect("pong")
