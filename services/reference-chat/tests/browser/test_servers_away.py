"""What people see while a server of the cluster is away, as docs/failure-policy.md says it; nothing is missing afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from nottermost_chat.testing.browser import OFFLINE, People
from nottermost_chat.testing.cluster import Cluster, using_cluster

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

BACK_MS = 45_000  # clients wait up to 30 s between two tries, at random


@asynccontextmanager
async def away(cluster: Cluster, server: str) -> AsyncIterator[None]:
    """It hangs: nobody is refused, nobody answered."""
    await asyncio.to_thread(cluster.stack.kill, server, signal.SIGSTOP)
    try:
        yield
    finally:
        await asyncio.to_thread(cluster.stack.kill, server, signal.SIGCONT)


async def test_each_server_in_turn(people: People) -> None:
    """Redis, Kafka, OpenSearch and the message store hang while two people write to each other."""
    with using_cluster(alone=True) as cluster:
        ann, bob = await people.arrive_all(cluster.url, "Ann", "Bob")
        quay = await ann.channel(await ann.workspace("Harbour", bob), "quay", bob)
        for person in (ann, bob):
            person.tolerated.append(OFFLINE)
            await person.sit_down("quay")
        await ann.write("anchor")
        await expect(bob.message("anchor")).to_be_visible()

        async with away(cluster, "redis"):
            await ann.write("without Redis")
            await expect(bob.message("without Redis")).to_be_visible(timeout=BACK_MS)
            (seen,) = await ann.rest.call("GET", "/api/users/presence", ids=bob.user_id)
            assert seen["status"] == "offline"  # and when they were last seen, which is noted now and then

        async with away(cluster, "kafka"):
            await ann.write("without Kafka")
            sent = ann.message("without Kafka").get_by_role("img", name="Sent")
            await expect(sent).to_be_visible(timeout=BACK_MS)  # stored, and noted for the log
            await expect(bob.message("without Kafka")).to_have_count(0)
        await expect(bob.message("without Kafka")).to_be_visible(timeout=BACK_MS)

        async with away(cluster, "opensearch"):
            await ann.main.get_by_role("button", name="Search", exact=True).click()
            field = ann.pane.get_by_role("searchbox", name="Search messages")
            await field.fill("anchor")
            await field.press("Enter")
            await expect(ann.pane.get_by_role("status")).to_contain_text("try again", timeout=BACK_MS)

        async with away(cluster, cluster.store):
            await ann.write("without the store")
            waiting = ann.message("without the store").get_by_role("img", name="Waiting to be sent")
            await expect(waiting).to_be_visible()
            await asyncio.sleep(4)  # its time limit is over: the first try is refused
            await expect(waiting).to_be_visible()
        await expect(bob.message("without the store")).to_be_visible(timeout=BACK_MS)
        texts = ["anchor", "without Redis", "without Kafka", "without the store"]
        assert await ann.history(quay) == texts
        for person in (ann, bob):
            await person.page.reload()
            await expect(person.messages.locator(".text")).to_have_text(texts, timeout=BACK_MS)
