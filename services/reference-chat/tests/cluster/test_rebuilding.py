"""What operators rebuild on a running cluster, with the commands that they type, while people talk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from nottermost_chat.testing.people import Person
from nottermost_chat.testing.town import Town, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # the first of all starts the cluster


async def found(person: Person, words: str) -> int:
    """How many messages the person finds."""
    return len((await person.get(f"/api/search?q={words}&limit=100"))["hits"])


@asynccontextmanager
async def talking(town: Town) -> AsyncIterator[list[str]]:
    """Ann says something twenty times a second; gives the ids of what was acknowledged."""
    said: list[str] = []

    async def talk() -> None:
        while True:
            said.append((await town.ann.say(town.place, f"meanwhile {len(said)}"))["message_id"])
            await asyncio.sleep(0.05)

    task = asyncio.create_task(talk())
    try:
        yield said
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def lose_index(town: Town) -> None:
    """The search index forgets the conversation, as it would with a lost disk."""
    url = f"http://127.0.0.1:{town.cluster.stack.port('opensearch')}"
    query = {"query": {"term": {"conversation_id": town.place}}}
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        # It remembers for a minute what was deleted, so that nothing older comes back; a lost disk remembers nothing.
        (await http.put("/_all/_settings", json={"index": {"gc_deletes": "0ms"}})).raise_for_status()
        answer = await http.post("/_all/_delete_by_query?refresh=true&conflicts=proceed", json=query)
        assert answer.json()["deleted"] > 0, answer.text


@pytest.mark.parametrize(
    "command", [("reindex",), ("replay", "--since", "10m", "--group", "indexer")], ids=["reindex", "replay"]
)
async def test_the_search_index_is_built_again_while_people_talk(town: Town, command: tuple[str, ...]) -> None:
    """From the store, or from the log: with the texts of now, what is said meanwhile included, and no more than that."""
    sent = [await town.ann.say(town.place, f"quince {number}") for number in range(5)]
    at = f"/api/messages/conversations/{town.place}/messages"
    await town.ann.patch(f"{at}/{sent[0]['message_id']}", {"client_msg_id": "edit", "body": "medlar"})
    await town.ann.delete(f"{at}/{sent[1]['message_id']}?client_msg_id=delete", status=200)
    await until(lambda: found(town.bob, "quince"), lambda count: count == 3)
    await until(lambda: found(town.bob, "medlar"), lambda count: count == 1)
    async with talking(town) as said:
        await lose_index(town)
        assert await found(town.bob, "quince") == 0
        await town.run(*command)
        assert said
    await until(lambda: found(town.bob, "quince"), lambda count: count == 3)
    await until(lambda: found(town.bob, "medlar"), lambda count: count == 1)
    await until(lambda: found(town.bob, "meanwhile"), lambda count: count >= min(100, len(said)))


@pytest.mark.parametrize("group", ["projector", "audit", "archiver"])
async def test_replayed_records_change_nothing_twice(town: Town, group: str) -> None:
    """A consumer that has handled them all is handed them again: members and the audit log stay as they were."""
    said = await town.bob.say(town.place, "what somebody else deletes")
    at = f"/api/messages/conversations/{town.place}/messages/{said['message_id']}"
    await town.ann.delete(f"{at}?client_msg_id=delete", status=200)
    log = f"/api/workspaces/{town.workspace_id}/audit?action=message.deleted"
    await until(lambda: town.ann.get(log), bool)
    members = f"/api/chats/conversations/{town.place}/members"
    before = await town.ann.get(log), await town.ann.get(members)
    replayed = await town.run("replay", "--since", "2m", "--group", group)
    assert replayed["records"] > 0
    assert replayed["refused"] == 0
    assert (await town.ann.get(log), await town.ann.get(members)) == before
