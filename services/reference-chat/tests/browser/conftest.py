"""A Chromium for each worker, a chat of its own for each worker, people who come and go with each test.

The loop is the session's, because Playwright's objects belong to the loop they were made in:
each module says `pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]`.
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nottermost_chat.testing.browser import People, find_chromium, running_browser
from nottermost_chat.testing.process import ChatProcess, running_process

MANY = "1000000"
LIMITS = {  # one address, few people, many messages
    f"NOTTERMOST_LIMITS__{name}__{part}": MANY
    for name in (
        "STANDARD__USER_MESSAGES",
        "STANDARD__CONVERSATION_MESSAGES",
        "STANDARD__USER_CALLS",
        "STANDARD__USER_GROUP_CREATIONS",
        "IP_LOG_INS",
        "IP_HANDSHAKES",
    )
    for part in ("PER_MINUTE", "BURST")
}
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells the fixtures whether the test failed, so that they can keep what was on the screen."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    executable = find_chromium()
    if executable is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("there is no Chromium here; install it with: apt-get install chromium")
    async with running_browser(executable) as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chat(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChatProcess]:
    """The worker's chat. Tests share it: each brings its own people, in a workspace of their own."""
    async with running_process(tmp_path_factory.mktemp("chat"), environment=LIMITS) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def own_chat(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[ChatProcess]:
    """A chat that the test may kill; its parameter is what to add to the environment."""
    async with running_process(tmp_path, environment=LIMITS | getattr(request, "param", {})) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    """Who takes part. A page in which something went wrong unseen fails the test."""
    people = People(browser)
    yield people
    failed = request.node.stash.get(FAILED, False)
    troubles = await people.leave(screenshots=tmp_path if failed else None)
    assert not troubles, "went wrong unseen: " + "; ".join(troubles)
