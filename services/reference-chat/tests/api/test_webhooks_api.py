"""Who may do what with webhooks, and what incoming ones do."""

from typing import Any

import httpx
import pytest
import structlog

from nottermost_chat.model import Role
from nottermost_chat.services import Embedded
from nottermost_chat.testing.people import Person


class Place:
    """Ann's workspace with a public channel, and Bob as a member without office."""

    def __init__(self, ann: Person, workspace_id: str, channel_id: str) -> None:
        self.ann, self.workspace_id, self.channel_id = ann, workspace_id, channel_id
        self.path = f"/api/workspaces/{workspace_id}"

    async def incoming(self, **more: Any) -> dict[str, Any]:
        wanted = {"conversation_id": self.channel_id, "name": "Build server"} | more
        return dict(await self.ann.post(f"{self.path}/incoming-hooks", wanted))

    async def history(self) -> list[dict[str, Any]]:
        page = await self.ann.get(f"/api/messages/conversations/{self.channel_id}/messages")
        return list(page["messages"])


@pytest.fixture
async def place(services: Embedded, ann: Person, bob: Person) -> Place:
    workspace_id = (await ann.post("/api/workspaces", {"name": "W"}))["workspace_id"]
    await services.directory.workspaces.add_members(workspace_id, [bob.user_id], Role.MEMBER)
    channel = await ann.post(f"/api/workspaces/{workspace_id}/channels", {"name": "general"})
    return Place(ann, workspace_id, channel["conversation_id"])


def path_of(hook: dict[str, Any]) -> str:
    return str(httpx.URL(hook["url"]).path)


# --- outgoing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"url": "http://example.org/", "events": ["message"]},
        {"url": "https://127.0.0.1/", "events": ["message"]},
        {"url": "https://169.254.169.254/latest/meta-data/", "events": ["message"]},
        {"url": "https://example.org/", "events": []},
        {"url": "https://example.org/", "events": ["redact"]},
        {"url": "https://example.org/", "events": ["message"], "secret": "mine"},
    ],
)
async def test_what_cannot_be_told_is_refused(place: Place, wanted: dict[str, Any]) -> None:
    """Before anything is stored."""
    await place.ann.post(f"{place.path}/webhooks", wanted, status=400)
    assert await place.ann.get(f"{place.path}/webhooks") == []


async def test_a_channel_has_to_be_the_admins_to_show(
    services: Embedded, place: Place, ann: Person, bob: Person
) -> None:
    """No private channel that the admin is not in, none of another workspace, no group."""
    await ann.patch(f"{place.path}/members/{bob.user_id}", {"role": "admin"})
    secret = await bob.post(f"{place.path}/channels", {"name": "secret", "private": True})
    other = (await ann.post("/api/workspaces", {"name": "Other"}))["workspace_id"]
    elsewhere = await ann.post(f"/api/workspaces/{other}/channels", {"name": "general"})
    group = await ann.group("Friends", bob)
    for path, more in (
        ("webhooks", {"url": "https://example.org/", "events": ["message"]}),
        ("incoming-hooks", {"name": "x"}),
    ):
        for conversation_id, status in (
            (secret["conversation_id"], 404),
            (elsewhere["conversation_id"], 400),
            (group, 400),
        ):
            await ann.post(f"{place.path}/{path}", {"conversation_id": conversation_id} | more, status=status)
        await bob.post(f"{place.path}/{path}", {"conversation_id": secret["conversation_id"]} | more)


async def test_webhooks_of_one_workspace_are_out_of_reach_of_another(place: Place, bob: Person) -> None:
    """An id alone opens nothing."""
    wanted = {"url": "https://example.org/", "events": ["message", "edit"]}
    hook = await place.ann.post(f"{place.path}/webhooks", wanted)
    other = (await bob.post("/api/workspaces", {"name": "Bob's"}))["workspace_id"]
    path = f"/api/workspaces/{other}/webhooks/{hook['webhook_id']}"
    await bob.patch(path, {"active": False}, status=404)
    await bob.post(f"{path}/test", status=404)
    await bob.get(f"{path}/deliveries", status=404)
    await bob.delete(path, status=404)
    (row,) = await place.ann.get(f"{place.path}/webhooks")
    assert row["active"]
    changed = await place.ann.patch(f"{place.path}/webhooks/{hook['webhook_id']}", {"events": ["delete"]})
    assert (changed["events"], changed["url"]) == (["delete"], "https://example.org/")


# --- incoming -----------------------------------------------------------------------------------


async def test_a_token_posts_in_the_name_of_its_hook(place: Place, http: httpx.AsyncClient) -> None:
    """Into its channel, as a bot that is no member; mentions count."""
    hook = await place.incoming()
    sent = await http.post(path_of(hook), json={"text": "build 17 failed, @ann"})
    assert sent.status_code == 201
    message = (await place.history())[-1]
    assert (message["preview"], message["sender_id"]) == ("build 17 failed, @ann", hook["hook_id"])
    assert message["mentions"] == [place.ann.user_id]
    poster = await place.ann.get(f"/api/users/{hook['hook_id']}")
    assert (poster["display_name"], poster["bot"]) == ("Build server", True)
    (listed,) = await place.ann.get(f"{place.path}/incoming-hooks")
    assert listed["last_used_at"]
    assert listed["url"] is None


async def test_the_same_key_posts_once(place: Place, http: httpx.AsyncClient) -> None:
    """A program that did not hear the answer may repeat."""
    path = path_of(await place.incoming())
    for _ in range(2):
        answer = await http.post(path, json={"text": "once"}, headers={"idempotency-key": "build-17"})
        assert answer.status_code == 201
    other = await http.post(path, json={"text": "another"}, headers={"idempotency-key": "build-18"})
    assert other.status_code == 201
    assert [message["preview"] for message in (await place.history())[-2:]] == ["once", "another"]


async def test_what_an_address_does_not_open(place: Place, http: httpx.AsyncClient) -> None:
    """A wrong or revoked token, an archived channel, and text that no message may have."""
    hook = await place.incoming()
    path = path_of(hook)
    for body, status in (({"text": " "}, 400), ({"text": "x" * 100_001}, 400), ({"text": "x", "as": "ann"}, 400)):
        assert (await http.post(path, json=body)).status_code == status
    assert (await http.post("/api/hooks/guess", json={"text": "x"})).status_code == 401
    await place.ann.patch(f"/api/chats/conversations/{place.channel_id}", {"archived": True})
    assert (await http.post(path, json={"text": "x"})).status_code == 409
    await place.ann.patch(f"/api/chats/conversations/{place.channel_id}", {"archived": False})
    assert (await http.post(path, json={"text": "x"})).status_code == 201
    await place.ann.delete(f"{place.path}/incoming-hooks/{hook['hook_id']}")
    assert (await http.post(path, json={"text": "x"})).status_code == 401
    assert await place.ann.get(f"{place.path}/incoming-hooks") == []


async def test_a_hook_is_slowed_down(place: Place, http: httpx.AsyncClient) -> None:
    """It cannot flood its channel, and is told when to come back."""
    path = path_of(await place.incoming())
    answers = [await http.post(path, json={"text": f"{number}"}) for number in range(40)]
    assert {answer.status_code for answer in answers} == {201, 429}
    assert int(next(each for each in answers if each.status_code == 429).headers["retry-after"]) > 0


async def test_neither_tokens_nor_texts_are_logged(place: Place, http: httpx.AsyncClient) -> None:
    """The address is the password: no log line may hold it."""
    with structlog.testing.capture_logs() as lines:
        path = path_of(await place.incoming())
        await http.post(path, json={"text": "confidential"})
    assert lines
    assert path.rpartition("/")[2] not in repr(lines)
    assert "confidential" not in repr(lines)
