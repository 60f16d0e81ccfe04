"""The Python client against a running chat."""

import asyncio
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.client import Backoff, ChatClient, Refused, Rest
from nottermost_chat.client.backoff import FIRST_S, LAST_S
from nottermost_chat.client.rest import Session
from nottermost_chat.model import Role
from nottermost_chat.ports import Signal
from nottermost_chat.protocol import EntryNew, MessageNew, PresenceChanged, ReceiptChanged, Typing
from nottermost_chat.settings import Limits, Rate, Tier
from nottermost_chat.testing.ingesting import NO_LIMITS
from nottermost_chat.testing.running import RunningChat, User, abort_connection, following, run_chat, wait_until
from nottermost_chat.testing.silence import running_wire


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_backoff_doubles_within_its_bounds(shares: list[float]) -> None:
    """1, 2, 4 … 30 s, each shortened by at most half; short again after a success."""
    chosen = iter([*shares, 0.0])
    backoff = Backoff(lambda low, high: low + (high - low) * next(chosen))
    wanted = FIRST_S
    for _ in shares:
        assert wanted / 2 <= backoff.next_s() <= wanted
        wanted = min(LAST_S, wanted * 2)
    backoff.reset()
    assert backoff.next_s() <= FIRST_S


async def test_everything_a_user_does(chat: RunningChat) -> None:
    """Send, edit, react, delete, restore, read, type and watch through the library."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    async with following(chat.client(ann)) as one, following(chat.client(bob)) as two:
        two.client.watch((ann.user_id,), place)
        await two.other(PresenceChanged)
        ack = await one.client.send(place, "hello")
        again = await one.client.send(place, "hello", client_msg_id=ack.client_msg_id)
        assert (again.seq, again.id_reused) == (ack.seq, False)
        await one.client.edit(place, ack.message_id, "hullo")
        await two.client.react(place, ack.message_id, "👍")
        await one.client.delete(place, ack.message_id)
        last = await one.client.delete(place, ack.message_id, restore=True)
        one.client.typing(place)
        one.client.read(place, last.seq)
        assert (await two.other(Typing)).user_id == ann.user_id
        assert (await two.other(ReceiptChanged)).read_seq == last.seq
        for follower in (one, two):
            assert await follower.saw(place, last.seq) == list(range(2, last.seq + 1))
        kinds = [entry.kind if isinstance(entry, EntryNew) else "message" for entry in two.entries[place]]
        assert kinds == ["message", "edit", "reaction", "delete", "delete"]


async def test_a_refusal_is_raised_and_the_next_send_works(chat: RunningChat) -> None:
    """What the server refuses for good is the caller's to know."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann)
    async with chat.client(bob) as client:
        for body, code in [("hello", "not_a_member"), ("", "invalid_text")]:
            with pytest.raises(Refused) as refused:
                await client.send(place, body)
            assert refused.value.code == code
        mine = await chat.conversation(bob)
        assert (await client.send(mine, "hello")).seq == 2


async def test_who_is_rate_limited_waits_and_succeeds(tmp_path: Path) -> None:
    """The library waits as told and sends again under the same id."""
    tier = Tier(user_messages=Rate(1200, 1), user_calls=NO_LIMITS.standard.user_calls)
    async with run_chat(tmp_path, limits=Limits(standard=tier)) as chat:
        (ann,) = await chat.users("ann")
        place = await chat.conversation(ann)
        async with chat.client(ann) as client:
            acks = [await client.send(place, str(number)) for number in range(4)]
        assert [ack.seq for ack in acks] == [2, 3, 4, 5]


async def test_a_send_while_away_goes_out_on_return(chat: RunningChat) -> None:
    """What is sent while the connection is down is stored once when it is back."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    async with following(chat.client(ann)) as follower:
        for number in range(5):
            abort_connection(follower.client)
            assert (await follower.client.send(place, "hello", client_msg_id=str(number))).seq == number + 2
        assert await follower.saw(place, 6) == [2, 3, 4, 5, 6]


async def test_what_began_while_away_is_told_as_a_reset(chat: RunningChat) -> None:
    """A conversation that the client was added to while it was away is to be read afresh, then followed."""
    ann, bob = await chat.users("ann", "bob")
    async with following(chat.client(bob)) as follower:
        chat.delivery.change = lambda items: []
        place = await chat.conversation(ann, bob)
        await chat.say(place, ann, "said while bob was away")
        await chat.settle()
        chat.delivery.change = lambda items: items
        abort_connection(follower.client)
        await follower.until(lambda: place in follower.resets)
        await follower.client.connected.wait()
        seq = (await chat.say(place, ann)).entry.seq
        await follower.saw(place, seq)


async def test_a_removed_member_hears_of_it(chat: RunningChat) -> None:
    """The removal is shown, or a reset in its place; nothing newer ever is."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    other = await chat.conversation(ann, bob)
    async with following(chat.client(bob)) as follower:
        removal = (await chat.change(place, ann, (bob.user_id, None))).entry.seq
        for _ in range(3):
            await chat.say(place, ann, "between us")
        await chat.change(other, ann, (bob.user_id, Role.ADMIN))
        await follower.saw(other, 2)
        assert follower.seqs(place) == [removal] or place in follower.resets
        with pytest.raises(Refused):
            await follower.client.send(place, "still here?")


async def test_the_end_of_the_session_is_raised_by_whatever_waits(chat: RunningChat) -> None:
    """Signed out: events end, a send that waits and every later one fail instead of hanging."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    client = chat.client(ann)
    async with client:
        events = asyncio.create_task(anext(aiter(client.events()), None))
        await chat.services.tokens.sign_out(ann.user_id, ann.device_id)
        await chat.services.signals.signal(Signal(revoke_user=ann.user_id, revoke_device=ann.device_id))
        async with asyncio.timeout(20):
            while (event := await events) is not None:
                events = asyncio.create_task(anext(aiter(client.events()), None))
                assert isinstance(event, MessageNew | EntryNew)
            with pytest.raises(Refused):
                await client.send(place, "hello")


async def test_calls_at_the_same_time_share_one_refresh(tmp_path: Path) -> None:
    """With an expired token several calls at once succeed: the refresh token is used once, so nobody is signed out."""
    async with run_chat(tmp_path) as chat:
        (ann,) = await chat.users("ann")
        rest = chat.rest(chat.expired(ann))
        answers = await asyncio.gather(*(rest.call("GET", "/api/users/me") for _ in range(4)))
        assert {answer["user_id"] for answer in answers} == {ann.user_id}
        await rest.refresh()
        await rest.close()


async def test_a_client_outlives_its_token(tmp_path: Path) -> None:
    """The token ends while the client is connected and again while it is away: it refreshes and goes on."""
    async with run_chat(tmp_path, access_token_s=2, authenticate_within_s=1, heartbeat_s=60) as chat:
        ann, bob = await chat.users("ann", "bob")
        place = await chat.conversation(ann, bob)
        async with following(chat.client(ann)) as follower:
            before = follower.client.session.refresh_token

            async def is_refreshed() -> bool:
                client = follower.client
                return client.session.refresh_token != before and client.connected.is_set()

            await wait_until(is_refreshed)
            seq = (await chat.say(place, bob)).entry.seq
            assert await follower.saw(place, seq) == [2]


async def test_a_connection_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    """Nobody closes it and nothing comes: the client notices by its ping, comes back, and misses nothing."""
    async with run_chat(tmp_path, heartbeat_s=1) as chat, running_wire(chat.port) as wire:
        ann, bob = await chat.users("ann", "bob")
        place = await chat.conversation(ann, bob)
        session = Session(bob.token, bob.refresh_token, bob.user_id)
        rest = Rest(wire.url, session, timeout_s=0.5)
        async with following(ChatClient(rest, backoff=Backoff(lambda *_: 0.01), answer_s=0.5)) as follower:
            await follower.saw(place, (await chat.say(place, ann, "before")).entry.seq)
            await asyncio.sleep(1.5)
            assert follower.client.connected.is_set(), "pongs are enough"
            before = wire.connections
            wire.fall_silent()
            last = (await chat.say(place, ann, "while nothing came through")).entry.seq

            async def is_trying() -> bool:
                return wire.connections > before + 1

            await wait_until(is_trying)  # handshakes that nobody answers are given up too
            assert not follower.client.connected.is_set()
            wire.silent = False
            assert await follower.saw(place, last) == [2, 3]


class RefusedOnce(Rest):
    """Its first refresh is refused: too many, come back in a second."""

    def __init__(self, url: str, user: User) -> None:
        super().__init__(url, Session(user.token, user.refresh_token, user.user_id))
        self.refreshed_at: list[float] = []

    async def refresh(self) -> Session:
        self.refreshed_at.append(asyncio.get_running_loop().time())
        if len(self.refreshed_at) == 1:
            raise Refused(429, "rate_limited", "too many refreshes", retry_after_ms=1000)
        return await super().refresh()


async def test_a_refresh_that_is_rate_limited_is_tried_again(tmp_path: Path) -> None:
    """With a token that has ended: the client waits as it is told, and then the session goes on."""
    async with run_chat(tmp_path) as chat:
        (ann,) = await chat.users("ann")
        place = await chat.conversation(ann)
        rest = RefusedOnce(chat.url, chat.expired(ann))
        async with following(ChatClient(rest, backoff=Backoff(lambda *_: 0.01))) as follower:
            first, second = rest.refreshed_at[:2]
            assert second - first >= 1.0
            assert await follower.saw(place, (await chat.say(place, ann)).entry.seq) == [2]


async def test_a_live_connection_outlasts_a_refresh_that_is_rate_limited(tmp_path: Path) -> None:
    """The old token is still good: the client stays connected, and refreshes a little later."""
    async with run_chat(tmp_path, access_token_s=30, heartbeat_s=1) as chat:
        (ann,) = await chat.users("ann")
        rest = RefusedOnce(chat.url, ann)
        async with ChatClient(rest, backoff=Backoff(lambda *_: 0.01)) as client:
            socket = client._socket

            async def is_renewed() -> bool:
                return client.session.refresh_token != ann.refresh_token

            await wait_until(is_renewed)
            assert client._socket is socket


async def test_who_waits_no_longer_for_a_connection_leaves_nothing_behind() -> None:
    """A client that was given up before it was connected does not go on trying."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        rest = Rest(f"http://127.0.0.1:{silent.getsockname()[1]}", Session("access", "refresh", "ada"))
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), ChatClient(rest):
                pytest.fail("nobody is there to connect to")
    assert "chat-client" not in {task.get_name() for task in asyncio.all_tasks() - before}


async def test_a_wrong_password_is_refused(chat: RunningChat) -> None:
    """Logging in tells why it failed."""
    with pytest.raises(Refused) as refused:
        await ChatClient.log_in(chat.url, "nobody@example.org", "wrong")
    assert refused.value.code == "bad_credentials"
