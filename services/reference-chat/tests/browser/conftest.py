"""A Chromium for each worker, a chat of its own for each worker and the run's cluster, people who come and go with each test.

The loop is the session's, because Playwright's objects belong to the loop they were made in:
each module says `pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]`.
"""

import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nottermost_chat.testing.browser import People, find_chromium, running_browser
from nottermost_chat.testing.cluster import ON_CLUSTER, UNLIMITED_ENVIRONMENT, using_cluster
from nottermost_chat.testing.process import Chat, ChatProcess, OwnChat, running_process

FAILED = pytest.StashKey[bool]()
EMBEDDED = "embedded"


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
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChatProcess]:
    """The worker's chat in one process. Tests share it: each brings its own people, in a workspace of their own."""
    async with running_process(tmp_path_factory.mktemp("chat"), environment=UNLIMITED_ENVIRONMENT) as process:
        yield process


@pytest.fixture(params=[EMBEDDED, ON_CLUSTER])
def chat(request: pytest.FixtureRequest) -> Iterator[Chat]:
    """Each test runs against the chat in one process, and unchanged against the cluster behind its load balancer."""
    if request.param == EMBEDDED:
        yield request.getfixturevalue("embedded")
    else:
        with using_cluster() as cluster:
            yield cluster


@pytest_asyncio.fixture(loop_scope="session", params=[{}, ON_CLUSTER])
async def own_chat(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[OwnChat]:
    """A chat that the test may kill: one process, then the cluster.

    A test that brings settings of its own, as a parameter, runs on one process with them.
    """
    if request.param == "cluster":
        with using_cluster(alone=True) as cluster:
            yield cluster
    else:
        async with running_process(tmp_path, environment=UNLIMITED_ENVIRONMENT | request.param) as process:
            yield process


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    """Who takes part. A page in which something went wrong unseen fails the test."""
    people = People(browser)
    yield people
    failed = request.node.stash.get(FAILED, False)
    troubles = await people.leave(screenshots=tmp_path if failed else None)
    assert not troubles, "went wrong unseen: " + "; ".join(troubles)
