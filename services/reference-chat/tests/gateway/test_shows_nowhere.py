"""What was edited, deleted or redacted shows nowhere: not in any read, resume, replay or search."""

import re
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.errors import ChatError
from nottermost_chat.ports import SearchQuery, Term
from nottermost_chat.testing.running import RunningChat, User, wait_until
from nottermost_chat.workers import housekeeping

MOVES = st.lists(
    st.tuples(st.sampled_from(["edit", "long edit", "delete", "restore", "redact"]), st.integers(0, 2)), max_size=12
)
WORD = re.compile(r"word[0-9]+x[0-9]+")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
async def test_only_the_texts_of_now_show_anywhere(chat: RunningChat, moves: list[tuple[str, int]]) -> None:
    """After any sequence of edits, deletes, restores and redactions every read shows exactly what a model does."""
    ann, bob = await chat.users("ann", "bob")
    place = await chat.conversation(ann, bob)
    texts: list[str | None] = []
    shown: list[bool] = []
    ids: list[str] = []
    for number in range(3):
        texts.append(f"word{number}x0")
        ids.append((await chat.say(place, ann, f"see {texts[-1]}")).entry.message_id)
        shown.append(True)
    for turn, (what, number) in enumerate(moves, 1):
        word = f"word{number}x{turn}"
        body = f"{'long ' * 1500 if what == 'long edit' else 'see '}{word}"
        kind = {"long edit": "edit", "restore": "delete"}.get(what, what)
        more = {"body": body} if kind == "edit" else {"restore": what == "restore"}
        trusted = {"trusted": True} if kind == "redact" else {}
        try:
            await chat.do(kind, place, ann, message_id=ids[number], **more, **trusted)
        except ChatError:
            continue
        match what:
            case "edit" | "long edit":
                texts[number] = word
            case "delete" | "restore":
                shown[number] = what == "restore"
            case _:
                shown[number], texts[number] = False, None
    wanted = {text for text, is_shown in zip(texts, shown, strict=True) if is_shown and text}
    await wait_until(lambda: is_indexed(chat))
    for reading, found in (await every_reading(chat, place, bob, ids)).items():
        assert found <= wanted, reading
        if reading in ("full", "search"):
            assert found == wanted, reading


async def is_indexed(chat: RunningChat) -> bool:
    return await chat.services.log.lag("indexer") == 0


async def every_reading(chat: RunningChat, place: str, reader: User, ids: list[str]) -> dict[str, set[str]]:
    """The words that each way of reading shows."""
    services, rest = chat.services, chat.rest(reader)
    one = await chat.raw(reader)
    await one.send({"type": "resume", "conversations": {place: [1, 1]}})
    base = f"/api/messages/conversations/{place}/messages"
    assert isinstance(services.store, SqliteStore)
    found: dict[str, Any] = {
        "resume": await one.expect("resumed"),
        "history": await rest.call("GET", base, after_seq=0),
        "full": [await rest.call("GET", f"{base}/{message_id}", fields="full") for message_id in ids],
        "list": await rest.call("GET", "/api/chats/conversations"),
        "replay": [r for r in await services.store.log_records(0, 10_000) if r.entry.conversation_id == place],
        "search answer": await rest.call("GET", "/api/search/", q="word"),
    }
    hits = set()
    for number in range(3):
        for turn in range(13):
            word = f"word{number}x{turn}"
            query = SearchQuery({place: 0}, (Term(word, whole_words=True),))
            if (await services.search.search(query)).total:
                hits.add(word)
    await rest.close()
    one.abort()
    words = {name: set(WORD.findall(msgspec.json.encode(value).decode())) for name, value in found.items()}
    return words | {"search": hits}


async def test_what_was_deleted_long_ago_is_erased(chat: RunningChat) -> None:
    """Housekeeping redacts what was deleted more than seven days ago: it cannot be restored, and its text is gone."""
    (ann,) = await chat.users("ann")
    place = await chat.conversation(ann)
    kept = (await chat.say(place, ann, "kept")).entry
    gone = (await chat.say(place, ann, "gone")).entry
    await chat.do("delete", place, ann, message_id=gone.message_id)
    assert await housekeeping.redact_deleted(chat.services) == 0
    later = replace(chat.services, settings=msgspec.structs.replace(chat.services.settings, undo_delete_s=-1))
    assert await housekeeping.redact_deleted(later) == 1
    assert await housekeeping.redact_deleted(later) == 0
    messages = await chat.services.store.messages(place, [kept.message_id, gone.message_id])
    assert messages[gone.message_id].redacted
    assert messages[kept.message_id].text == "kept"
