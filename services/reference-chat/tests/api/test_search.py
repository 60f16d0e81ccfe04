"""Search: what is found, what is said of what is not known, and that nobody finds what they may not read."""

import functools
import operator
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest

from nottermost_chat.testing.people import Person, ShiftedClock

Indexed = Callable[[], Awaitable[None]]


async def found(person: Person, query: str, **more: object) -> list[str]:
    """Previews of the hits."""
    answer = await ask(person, query, **more)
    return [hit["message"]["preview"] for hit in answer["hits"]]


async def ask(person: Person, query: str, **more: object) -> Any:
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return await person.get(f"/api/search?q={quote(query)}{extra}")


async def test_filters_by_name(ann: Person, bob: Person, cat: Person, indexed: Indexed) -> None:
    """from:, in:, with:, also for oneself, ids and direct conversations; several of a kind widen."""
    workspace = await ann.workspace("W", bob, cat)
    general = await ann.channel(workspace, "general", bob, cat)
    random = await ann.channel(workspace, "random", bob)
    direct = await ann.direct(bob)
    await ann.say(general, "apples in general")
    await bob.say(general, "apples from bob")
    await ann.say(random, "apples at random")
    await bob.say(direct, "apples in private")
    await indexed()
    assert len(await found(ann, "apples")) == 4
    assert set(await found(ann, "apples from:bob")) == {"apples from bob", "apples in private"}
    assert set(await found(ann, "apples from:me")) == {"apples in general", "apples at random"}
    assert set(await found(ann, "apples in:#General")) == {"apples in general", "apples from bob"}
    assert await found(ann, f"apples in:{random}") == ["apples at random"]
    assert await found(ann, "in:@bob") == await found(ann, "with:bob") == ["apples in private"]
    assert len(await found(ann, "apples in:general in:random")) == 3
    assert await found(ann, "apples in:general with:bob") == []
    assert await found(cat, "apples in:general from:bob") == ["apples from bob"]


async def test_unknown_names_are_reported(ann: Person, bob: Person, indexed: Indexed) -> None:
    """And then nothing is found, rather than everything."""
    direct = await ann.direct(bob)
    await ann.say(direct, "hello")
    await indexed()
    for query, unknown in (
        ("hello from:nobody", ["from:nobody"]),
        ("hello in:nowhere with:nobody", ["with:nobody", "in:nowhere"]),
    ):
        answer = await ask(ann, query)
        assert (answer["hits"], answer["total"], answer["unknown"]) == ([], 0, unknown)
    answer = await ask(ann, "hello after:someday")
    assert (len(answer["hits"]), answer["unknown"]) == (1, ["after:someday"])  # the rest is searched
    assert (await ask(ann, "   "))["hits"] == []


async def test_only_so_many_conversations_are_searched(
    ann: Person, clock: ShiftedClock, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more the last active, and the answer says so; one that is named is searched however old it is."""
    workspace, channels = await ann.workspace("W"), dict[str, str]()
    for name in ("oldest", "older", "newest"):
        channels[name] = await ann.channel(workspace, name)
        await ann.say(channels[name], f"apples in {name}")
        clock.ahead_s += 1
    await indexed()
    assert len((await ask(ann, "apples"))["hits"]) == 3
    monkeypatch.setattr("nottermost_chat.actions.search.SEARCHED_MAX", 2)
    cut = "conversations beyond the 2 last active"
    answer = await ask(ann, "apples", sort="date")
    assert [hit["message"]["preview"] for hit in answer["hits"]] == ["apples in newest", "apples in older"]
    assert (answer["total"], answer["unknown"]) == (2, [cut])
    for named in ("oldest", channels["oldest"]):
        answer = await ask(ann, f"apples in:{named}")
        assert [hit["message"]["preview"] for hit in answer["hits"]] == ["apples in oldest"]
        assert answer["unknown"] == []
    assert (await ask(ann, "apples in:nowhere"))["unknown"] == ["in:nowhere", cut]
    monkeypatch.setattr("nottermost_chat.actions.search.SEARCHED_MAX", 3)
    answer = await ask(ann, "apples")
    assert (answer["total"], answer["unknown"]) == (3, [])


async def test_nobody_finds_what_they_may_not_read(ann: Person, bob: Person, cat: Person, indexed: Indexed) -> None:
    """Strangers nothing, removed members nothing, a group's new member only what came after the join."""
    workspace = await ann.workspace("W", bob, cat)
    public = await ann.channel(workspace, "public")
    private = await ann.channel(workspace, "private", bob, private=True)
    group = await ann.group("G", bob)
    for place in (public, private, group):
        await ann.say(place, f"secret in {'public' if place == public else 'private'}")
    invite = await ann.post(f"/api/chats/conversations/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"/api/chats/conversations/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    await ann.say(group, "secret after the join")
    await indexed()
    assert len(await found(ann, "secret")) == 4
    assert len(await found(bob, "secret")) == 3  # not in the public channel: join it first
    assert await found(cat, "secret") == ["secret after the join"]
    assert await found(cat, f"secret in:{private}") == [] == await found(cat, "secret in:private")
    await ann.delete(f"/api/chats/conversations/{private}/members/{bob.user_id}")
    await ann.delete(f"/api/chats/conversations/{group}/members/{bob.user_id}")
    assert await found(bob, "secret") == []


async def test_a_hit_shows_the_text_of_now(ann: Person, indexed: Indexed) -> None:
    """An edit is followed; what was deleted is left out at once, even if the index does not know yet."""
    alone = await ann.direct(ann)
    path = f"/api/messages/conversations/{alone}/messages"
    kept, gone = await ann.say(alone, "old words"), await ann.say(alone, "old words too")
    await indexed()
    await ann.patch(f"{path}/{kept['message_id']}", {"client_msg_id": "e", "body": "new words"})
    await ann.delete(f"{path}/{gone['message_id']}?client_msg_id=d", status=200)
    assert "old" not in str((await ask(ann, "words"))["hits"])
    await indexed()
    assert await found(ann, "words") == ["new words"]
    assert await found(ann, "old") == []


async def test_snippets_of_long_messages(ann: Person, indexed: Indexed) -> None:
    """Around the match, wherever it is in the text, with highlights in code points."""
    alone = await ann.direct(ann)
    await ann.say(alone, "🙂 filler " * 5000 + "the needle is here" + " more" * 5000)
    await ann.say(alone, "日本語のテキスト")
    await indexed()
    (hit,) = (await ask(ann, "needle"))["hits"]
    ((start, end),) = hit["highlights"]
    assert hit["snippet"][start:end] == "needle"
    assert len(hit["snippet"]) < 200
    assert len(hit["message"]["preview"]) <= 200
    assert hit["message"].get("body") is None
    assert hit["message"]["has_more"] is True
    (hit,) = (await ask(ann, "テキスト"))["hits"]
    assert [hit["snippet"][start:end] for start, end in hit["highlights"]] == ["テキスト"]


async def test_pages_order_and_dates(ann: Person, indexed: Indexed) -> None:
    """By date the newest first; offset and limit walk through all of them."""
    alone = await ann.direct(ann)
    for number in range(5):
        await ann.say(alone, f"fruit {number}")
    await indexed()
    pages = [await found(ann, "fruit", sort="date", offset=offset, limit=2) for offset in (0, 2, 4)]
    assert functools.reduce(operator.iadd, pages, []) == [f"fruit {number}" for number in (4, 3, 2, 1, 0)]
    assert (await ask(ann, "fruit", limit=1))["total"] == 5
    assert await found(ann, "fruit before:2001-01-01") == []
    assert len(await found(ann, "fruit after:2001-01-01", utc_offset=-600)) == 5


async def test_files_links_and_reactions(ann: Person, indexed: Indexed) -> None:
    """has: and the names of files."""
    alone = await ann.direct(ann)
    file = await ann.post("/api/files", {"conversation_id": alone, "name": "Budget 2026.txt", "size": 5})
    await ann.http.put(file["upload_url"], content=b"12345")
    await ann.say(alone, "the file", file_ids=[file["file_id"]])
    await ann.say(alone, "see https://example.org/x")
    liked = await ann.say(alone, "liked")
    path = f"/api/messages/conversations/{alone}/messages/{liked['message_id']}/reactions"
    await ann.put(path, {"client_msg_id": "r", "emoji": "+1"})
    await indexed()
    assert await found(ann, "budget") == await found(ann, "has:file") == ["the file"]
    assert await found(ann, "has:link") == ["see https://example.org/x"]
    assert await found(ann, "has:reaction") == ["liked"]
