"""The real chat, killed without warning under load: nothing that it acknowledged is lost, doubled or out of order."""

import asyncio
import random
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import psutil
import pytest

from nottermost_chat.client import ChatClient, Rest
from nottermost_chat.settings import PREFIX
from nottermost_chat.stack.process import Running
from nottermost_chat.testing.cluster import MANY, UNLIMITED_ENVIRONMENT
from nottermost_chat.testing.history import Acknowledged, History, Log, Seen, Sent, check_history
from nottermost_chat.testing.process import START_S, ChatProcess, free_port, running_process
from nottermost_chat.testing.recorder import Recorder, read_heads, read_logs
from nottermost_chat.testing.running import wait_until

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
USERS = ("ann", "bob", "cat", "dan")
ROUNDS = 3
PAUSE_S_MAX = 0.02  # between two messages of a sender; sixteen of them make some hundred a second
GIVE_UP_RATIO = 0.05  # sends whose answer nobody waits for
CAUGHT_UP_S = 20.0
LIMITS = UNLIMITED_ENVIRONMENT | {  # everything comes with one resume
    f"{PREFIX}LIMITS__{name}": MANY for name in ("RESUME_ENTRIES_MAX", "OUTBOX_BYTES_MAX", "FRAME_BYTES_MAX")
}
STARTER = """
import asyncio, sys
from pathlib import Path
from nottermost_chat.testing.process import running_process

async def main():
    async with running_process(Path(sys.argv[1])) as process:
        print(process.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ChatProcess]:
    async with running_process(tmp_path, environment=LIMITS) as process:
        yield process


class Team:
    """Four people with two devices each, in two direct conversations, two groups and a channel."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url, self._stack = url, stack
        self.rests: dict[str, Rest] = {}
        self.devices: dict[str, ChatClient] = {}
        self.members: dict[str, tuple[str, ...]] = {}

    async def form(self) -> None:
        for user in USERS:
            self.rests[user] = Rest(self._url)
            self._stack.push_async_callback(self.rests[user].close)
            await self.rests[user].register(f"{user}@example.org", user, PASSWORD)
        for pair in (("ann", "bob"), ("cat", "dan")):
            view = await self.rests[pair[0]].call(
                "POST", "/api/chats/conversations/dm", {"other_user_id": self.id_of(pair[1])}
            )
            self.members[view["conversation_id"]] = pair
        for users in (USERS, USERS[:3]):
            body = {"title": "+".join(users), "member_ids": [self.id_of(user) for user in users[1:]]}
            view = await self.rests[users[0]].call("POST", "/api/chats/conversations/group", body)
            self.members[view["conversation_id"]] = users
        await self._make_channel()
        for user in USERS:
            for number in (1, 2):
                chat = await ChatClient.log_in(self._url, f"{user}@example.org", PASSWORD)
                self.devices[f"{user}-{number}"] = await self._stack.enter_async_context(chat)

    async def _make_channel(self) -> None:
        ann = self.rests["ann"]
        workspace = await ann.call("POST", "/api/workspaces", {"name": "Works"})
        path = f"/api/workspaces/{workspace['workspace_id']}"
        for user in USERS[1:]:
            await ann.call("POST", f"{path}/members", {"email": f"{user}@example.org", "role": "member"})
        others = [self.id_of(user) for user in USERS[1:]]
        channel = await ann.call("POST", f"{path}/channels", {"name": "works", "private": False, "member_ids": others})
        self.members[channel["conversation_id"]] = USERS

    def id_of(self, user: str) -> str:
        session = self.rests[user].session
        assert session is not None
        return session.user_id

    def lines(self) -> Iterator[tuple[str, str]]:
        """(device, conversation) for every conversation that the device is in."""
        for conversation_id, members in self.members.items():
            for device in self.devices:
                if device.partition("-")[0] in members:
                    yield device, conversation_id


async def keep_sending(recorder: Recorder, chat: ChatClient, name: str, where: str, rng: random.Random) -> None:
    """Message after message until cancelled; now and then nobody waits for the answer."""
    number = 0
    while True:
        number += 1
        patience_s = rng.uniform(0, 0.02) if rng.random() < GIVE_UP_RATIO else None
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await recorder.send(chat, where, f"{name} says {number} «{rng.getrandbits(64):x}»")
        await asyncio.sleep(rng.uniform(0, PAUSE_S_MAX))


async def kill_and_restart(process: ChatProcess, team: Team, rng: random.Random) -> None:
    """SIGKILL at a random moment under load, back after a moment; returns when all devices are."""
    await asyncio.sleep(rng.uniform(0.5, 1.5))
    await process.kill()
    await asyncio.sleep(rng.uniform(0, 0.5))
    await process.start()
    async with asyncio.timeout(CAUGHT_UP_S):
        for chat in team.devices.values():
            await chat.connected.wait()


async def read_everything(team: Team) -> tuple[Log, ...]:
    """Every conversation as its first and its last member read it."""
    logs = []
    for conversation_id, members in team.members.items():
        for user in (members[0], members[-1]):
            logs += await read_logs(team.rests[user], conversation_id, user)
    return tuple(logs)


async def test_killed_under_load_the_chat_keeps_what_it_acknowledged(process: ChatProcess) -> None:
    """Three times SIGKILL: each acknowledged message is there once, in order, gapless, and every device saw it."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    rng = random.Random(seed)
    recorder = Recorder()
    async with AsyncExitStack() as stack:
        team = Team(process.url, stack)
        await team.form()
        async with asyncio.TaskGroup() as tasks:
            readers = []
            for device, chat in team.devices.items():
                heads = await read_heads(chat.rest)
                readers.append(tasks.create_task(recorder.follow(device, chat, heads)))
            lines = list(team.lines())
            senders = [
                tasks.create_task(keep_sending(recorder, team.devices[device], device, where, rng))
                for device, where in rng.sample(lines, 16)
            ]
            for _ in range(ROUNDS):
                before = len(recorder.acknowledged())
                await kill_and_restart(process, team, rng)
                assert len(recorder.acknowledged()) > before, "nothing was sent between two kills"
            await asyncio.sleep(0.5)
            for sender in senders:
                sender.cancel()
            await asyncio.wait(senders)
            heads = {}
            for rest in team.rests.values():
                heads |= await read_heads(rest)
            await recorder.wait_seen(
                {line: heads[line[1]][1] for line in lines if line[1] in sent_to(recorder)}, CAUGHT_UP_S
            )
            for reader in readers:
                reader.cancel()
        violations = check_history(History(tuple(recorder.events), await read_everything(team)))
    kinds = {kind: sum(isinstance(event, kind) for event in recorder.events) for kind in (Sent, Acknowledged, Seen)}
    print({kind.__name__: count for kind, count in kinds.items()})  # noqa: T201
    assert violations == []
    assert kinds[Acknowledged] < kinds[Sent], "no send had an unknown outcome: this test shows less than it should"
    assert await process.stop() == 0


def sent_to(recorder: Recorder) -> set[str]:
    return {event.conversation_id for event in recorder.events if isinstance(event, Acknowledged)}


async def test_a_chat_that_cannot_start_tells_why(process: ChatProcess, tmp_path: Path) -> None:
    """A second process on the folder ends at once, and its own words are in the error."""
    second = ChatProcess(process.data, port=free_port(), log=tmp_path / "second.log")
    with pytest.raises(RuntimeError, match="in use by another process"):
        await second.start()
    assert second.pid is None
    await second.kill()  # nothing is there to be killed, and the first one is left alone
    assert process.pid is not None


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="only Linux ends a process with the one that started it")
async def test_a_chat_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    """A run of tests is killed and can end nothing itself."""
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, str(tmp_path), stdout=PIPE)
    try:
        assert starter.stdout is not None
        async with asyncio.timeout(START_S):
            pid = int(await starter.stdout.readline())
        chat = Running(pid, psutil.Process(pid).create_time())
    finally:
        starter.kill()
        await starter.wait()

    async def is_gone() -> bool:
        return chat.find() is None

    await wait_until(is_gone)


async def test_a_killed_chat_comes_back_on_its_port(process: ChatProcess) -> None:
    """Another process, the same address and the same accounts; the end is clean when it is asked for."""
    rest = Rest(process.url)
    await rest.register("ann@example.org", "ann", PASSWORD)
    first = process.pid
    await process.restart()
    assert process.pid != first
    await rest.log_in("ann@example.org", PASSWORD)
    await rest.close()
    assert await process.stop() == 0
    assert process.pid is None
