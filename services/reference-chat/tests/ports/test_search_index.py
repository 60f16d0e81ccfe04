"""What every SearchIndex promises. Another adapter joins with one line in ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from ulid import ULID

from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.adapters.opensearch_index import OpenSearchIndex, open_client
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Conflict
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import SearchDocument, SearchIndex, SearchQuery, SearchRemoval, Term
from nottermost_chat.search import normalise
from nottermost_chat.testing.servers import Address

Opener = Callable[[Path], AbstractAsyncContextManager[SearchIndex]]


@asynccontextmanager
async def open_fts(folder: Path) -> AsyncIterator[SearchIndex]:
    index = FtsSearchIndex(folder / "search.db")
    try:
        yield index
    finally:
        await index.close()


@contextmanager
def on_opensearch(address: Address) -> Iterator[Opener]:
    """Every folder stands for an index prefix; in the end they are all removed."""
    run = f"test-{ULID()}".lower()

    @asynccontextmanager
    async def open_opensearch(folder: Path) -> AsyncIterator[SearchIndex]:
        prefix = f"{run}-{sha256(bytes(folder)).hexdigest()[:16]}"
        index = OpenSearchIndex(open_client(address.url), prefix, Metrics(), Clock(), refresh=True)
        try:
            await index.set_up()
            yield index
        finally:
            await index.close()

    async def remove() -> None:
        async with open_client(address.url) as client:
            await client.indices.delete(index=f"{run}-*")
            await client.indices.delete_index_template(name=f"{run}-*")

    yield open_opensearch
    asyncio.run(remove())


ADAPTERS = ("fts", "opensearch")
WRITES_AT_ONCE = frozenset({"fts"})  # a batch is seen whole


@pytest.fixture(params=ADAPTERS, scope="module")
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def open_index(adapter: str, request: pytest.FixtureRequest) -> Iterator[Opener]:
    if adapter == "fts":
        yield open_fts
    else:
        with on_opensearch(request.getfixturevalue("opensearch")) as opener:
            yield opener


@pytest.fixture
async def index(open_index: Opener, tmp_path: Path) -> AsyncIterator[SearchIndex]:
    async with open_index(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One index for many short tests, each in a conversation of its own."""
    return tmp_path_factory.mktemp("shared")


def document(number: int, body: str, **fields: Any) -> SearchDocument:
    plain: dict[str, Any] = {
        "message_id": f"m{number}",
        "conversation_id": "c",
        "seq": number,
        "sender_id": "u",
        "created_at": number * 1000,
        "body": body,
    }
    return SearchDocument(**(plain | fields))


async def find(index: SearchIndex, *terms: str | Term, **fields: Any) -> list[str]:
    """The ids found, in order; `total` is checked on the way."""
    defaults: dict[str, Any] = {"readable": {"c": 0}, "limit": 1000}
    asked = tuple(term if isinstance(term, Term) else Term(term) for term in terms)
    result = await index.search(SearchQuery(**(defaults | fields), terms=asked))
    if not {"limit", "offset"} & fields.keys():
        assert result.total == len(result.hits)
    return [hit.message_id for hit in result.hits]


def gone(*message_ids: str, version: int = 0) -> list[SearchRemoval]:
    return [SearchRemoval(message_id, version) for message_id in message_ids]


def phrase(text: str) -> Term:
    return Term(text, whole_words=True)


def prefix(text: str) -> Term:
    return Term(text, prefix=True)


def without(term: Term | str) -> Term:
    asked = Term(term) if isinstance(term, str) else term
    return Term(asked.text, asked.whole_words, asked.prefix, negated=True)


# --- what matches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "terms", "found"),
    [
        ("Hello World", ["hello"], True),
        ("Hello World", ["LO WO"], True),
        ("unbelievable", ["liev"], True),
        ("ｗｉｄｅ Straße ﬁne", ["WIDE", "strasse", "fine"], True),
        ("我在东京都工作", ["东京"], True),
        ("我在东京都工作", ["京"], True),
        ("กินข้าวแล้ว", ["ข้าว"], True),
        ("ok go", ["k g"], True),
        ("party 🎉🎉", ["🎉"], True),
        ("100% of a_b", ["%"], True),
        ("100 of a-b", ["_"], False),
        ("x AND y", ["and"], True),
        ("x y", ["x AND y"], False),
        ('say "hi"', ['"hi"'], True),
        ("a*b^c:d(e)", ["a*b^c:d(e)"], True),
        ("NEAR miss", ["NEAR(miss"], False),
        ("résumé", ["resume"], False),
        ("one two", ["one", "three"], False),
        ("a word here", [phrase("word")], True),
        ("a sword here", [phrase("word")], False),
        ("one, two", [phrase("one two")], True),
        ("two one", [phrase("one two")], False),
        ("one or two", [phrase("one two")], False),
        ("stone two", [phrase("one two")], False),
        ("ok", [phrase("ok")], True),
        ("okay", [phrase("ok")], False),
        ("c++ code", [phrase("c++")], True),
        ("c code", [phrase("c++")], False),
        ("我在东京都工作", [phrase("东京")], True),
        ("我在东,京都工作", [phrase("东京")], False),
        ("新iPhone手机", [phrase("iphone")], True),
        ("กินข้าวแล้ว", [phrase("ข้าว")], True),
        ("prefer", [prefix("pre")], True),
        ("spread", [prefix("pre")], False),
        ("go home", [prefix("h")], True),
        ("one twofold", [Term("one two", whole_words=True, prefix=True)], True),
        ("keep this", ["keep", without("that")], True),
        ("keep this", ["keep", without("his")], False),
        ("keep this", ["keep", without(phrase("his"))], True),
        ("keep this", [without("zz")], True),
        ("keep this", [without(prefix("th"))], False),
        ("x" * 200 + "y", ["x" * 100 + "y"], True),
        ("x" * 200, ["x" * 100 + "y"], False),
        (" ".join(f"word{number}" for number in range(40)), [f"word{number}" for number in range(32)], True),
        (" ".join(f"word{number}" for number in range(31)), [f"word{number}" for number in range(32)], False),
    ],
)
async def test_terms(open_index: Opener, shared_folder: Path, body: str, terms: list[str | Term], found: bool) -> None:
    """All terms must hold; nothing in them is an operator."""
    here, other = str(ULID()), str(ULID())
    async with open_index(shared_folder) as index:
        await index.apply([document(1, body, message_id=here, conversation_id=here)], [])
        await index.apply([document(2, "something else", message_id=other, conversation_id=here)], [])
        assert (here in await find(index, *terms, readable={here: 0})) is found


async def test_file_names_are_searched_like_text(index: SearchIndex) -> None:
    """Each by itself: nothing is found across the border of two of them."""
    await index.apply([document(1, "see", file_names=("Report Q3.pdf", "picture.png"))], [])
    for asked in ("report", "q3.pdf", phrase("report q3"), prefix("pict"), "see", "g"):
        assert await find(index, asked) == ["m1"], asked
    for asked in (phrase("see report"), phrase("pdf picture"), "pdfpic", "eR", "\x1e", "\n"):
        assert await find(index, asked) == [], asked


# --- filters --------------------------------------------------------------------------------------


async def test_only_what_may_be_read_is_found(index: SearchIndex) -> None:
    """Per conversation, above a seq."""
    await index.apply([document(n, "secret", conversation_id=f"c{n % 3}") for n in range(1, 31)], [])
    assert await find(index, "secret", readable={}) == []
    assert await find(index, "secret", readable={"other": 0}) == []
    expected = [f"m{n}" for n in range(30, 0, -1) if n % 3 == 1 or (n % 3 == 2 and n > 20)]
    for terms in (["secret"], ["ec"], []):
        assert await find(index, *terms, readable={"c1": 0, "c2": 20}, by_date=True) == expected
        assert await find(index, *terms, readable={"c1": 0, "c2": 20}, in_conversations=("c0", "c2")) == [
            "m29",
            "m26",
            "m23",
        ]


async def test_thousands_of_conversations_can_be_readable(index: SearchIndex) -> None:
    """A member of a large workspace is in many channels."""
    await index.apply([document(n, "word", conversation_id=f"c{n}") for n in range(1, 5)], [])
    readable = {f"c{number}": 0 for number in range(2, 40_000)}
    assert await find(index, "word", readable=readable) == ["m4", "m3", "m2"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"senders": ("u1", "nobody")}, ["m1"]),
        ({"senders": ("u1", "u2")}, ["m2", "m1"]),
        ({"created_from": 3000}, ["m5", "m4", "m3"]),
        ({"created_before": 3000}, ["m2", "m1"]),
        ({"created_from": 2000, "created_before": 4000}, ["m3", "m2"]),
        ({"has_file": True}, ["m3"]),
        ({"has_link": True}, ["m4"]),
        ({"has_reaction": True}, ["m5"]),
        ({"has_reaction": True, "has_link": True}, []),
    ],
)
async def test_filters(index: SearchIndex, fields: dict[str, Any], expected: list[str]) -> None:
    """Each alone, with a word, with a short word and without any."""
    await index.apply(
        [
            document(1, "word", sender_id="u1"),
            document(2, "word", sender_id="u2"),
            document(3, "word", file_names=("x",)),
            document(4, "word", has_link=True),
            document(5, "word", has_reaction=True),
        ],
        [],
    )
    for terms in (["word"], ["wo"], [phrase("word")], []):
        assert await find(index, *terms, by_date=True, **fields) == expected


# --- order ----------------------------------------------------------------------------------------


async def test_by_rank(index: SearchIndex) -> None:
    """Whole words first, then where the word weighs more, then the newest."""
    await index.apply(
        [
            document(1, "art"),
            document(2, "a long message in which art is only one of many words that stand there"),
            document(3, "party"),
            document(4, "art"),
            document(5, "nothing"),
        ],
        [],
    )
    assert await find(index, "art") == ["m4", "m1", "m2", "m3"]
    assert await find(index, "ar") == ["m4", "m3", "m2", "m1"]  # too short to weigh: newest first


async def test_by_date(index: SearchIndex) -> None:
    """Newest first, whatever matches better."""
    await index.apply([document(n, "art" if n % 2 else "party") for n in range(1, 7)], [])
    assert await find(index, "art", by_date=True) == ["m6", "m5", "m4", "m3", "m2", "m1"]


async def test_pages(index: SearchIndex) -> None:
    """Pages join up; `total` is exact on each, also beyond the last."""
    await index.apply([document(n, "word") for n in range(1, 26)], [])
    everything = await find(index, "word")
    pages: list[str] = []
    for offset in (0, 10, 20, 30):
        result = await index.search(SearchQuery({"c": 0}, (Term("word"),), offset=offset, limit=10))
        assert result.total == 25
        pages += [hit.message_id for hit in result.hits]
    assert pages == everything
    assert (await index.search(SearchQuery({"c": 0}, (Term("word"),), limit=0))).total == 25


# --- change ---------------------------------------------------------------------------------------


async def test_a_later_document_replaces(index: SearchIndex) -> None:
    """What was there before is found nowhere; nothing is doubled."""
    await index.apply([document(1, "first", file_names=("old.txt",)), document(2, "first")], [])
    for _ in range(2):
        await index.apply([document(1, "between"), document(1, "second", has_reaction=True)], [])
        assert await find(index, "first") == ["m2"]
        assert await find(index, "between") == await find(index, "old") == await find(index, has_file=True) == []
        assert await find(index, "second", has_reaction=True) == ["m1"]
        assert await find(index) == ["m2", "m1"]


async def test_removal(index: SearchIndex) -> None:
    """Of what is there, of what is not, and of what comes in the same call: then it is gone."""
    await index.apply([document(n, "word") for n in range(1, 5)], [])
    for _ in range(2):
        await index.apply([document(4, "word")], gone("m1", "unknown", "m4"))
        assert await find(index, "word") == await find(index, "wo") == await find(index) == ["m3", "m2"]
    await index.apply([document(1, "word")], [])
    assert await find(index, "word", by_date=True) == ["m3", "m2", "m1"]


async def test_clear(index: SearchIndex) -> None:
    """Nothing is left, and it can be filled again."""
    await index.apply([document(1, "word")], [])
    await index.clear()
    await index.clear()
    assert await find(index, "word") == await find(index) == []
    await index.apply([document(1, "word")], [])
    assert await find(index, "word") == ["m1"]


async def test_it_is_still_there_after_a_restart(open_index: Opener, tmp_path: Path) -> None:
    """What `apply` returned for is kept."""
    async with open_index(tmp_path) as index:
        await index.apply([document(1, "word"), document(2, "gone")], [])
        await index.apply([], gone("m2"))
    async with open_index(tmp_path) as index:
        assert await find(index, "word") == await find(index) == ["m1"]


async def test_searches_while_it_is_written(adapter: str, index: SearchIndex) -> None:
    """Every search sees what was there before, and whole batches where the adapter writes them at once."""

    async def write() -> None:
        for batch in range(20):
            await index.apply([document(batch * 10 + n, "word") for n in range(1, 11)], [])

    async def read() -> None:
        before = 0
        for _ in range(20):
            found = len(await find(index, "word"))
            assert found >= before
            assert found % 10 == 0 or adapter not in WRITES_AT_ONCE
            before = found

    await asyncio.gather(write(), read(), read())
    assert len(await find(index, "word")) == 200


# --- versions ------------------------------------------------------------------------------------


async def test_whatever_the_order_the_highest_version_stays(index: SearchIndex) -> None:
    """Of texts and removals alike, in every order, one by one and in one call."""
    states: list[SearchDocument | SearchRemoval] = [
        document(1, "first", version=3),
        document(1, "second", version=5),
        SearchRemoval("m1", 7),
        document(1, "restored", version=9),
    ]
    orders = list(permutations(states))
    for number, order in enumerate(orders):
        last = max(state.version for state in order[:3])
        ids = {"message_id": f"m{number}"}
        for state in order[:3]:
            await apply_one(index, replace(state, **ids))
        shown = {3: "first", 5: "second", 9: "restored"}.get(last)
        for body in ("first", "second", "restored"):
            assert (ids["message_id"] in await find(index, body)) is (body == shown), (order, body)
    upserts = [
        replace(state, message_id="all") for state in (states[3], states[0]) if isinstance(state, SearchDocument)
    ]
    await index.apply(upserts, gone("all", version=7))
    assert "all" in await find(index, "restored")


async def apply_one(index: SearchIndex, state: SearchDocument | SearchRemoval) -> None:
    if isinstance(state, SearchDocument):
        await index.apply([state], [])
    else:
        await index.apply([], [state])


async def test_two_indexers_in_any_interleaving(index: SearchIndex) -> None:
    """Both go through the same changes, each at its own pace: what is found is how it ended."""
    changes = [document(1, f"text{version}", version=version) for version in range(1, 12, 2)]

    async def follow(offset: int) -> None:
        for change in [*changes[offset:], *changes[:offset]]:
            await apply_one(index, change)
            await apply_one(index, SearchRemoval("m2", change.version))
            await apply_one(index, document(2, "late", version=change.version - 1))

    await asyncio.gather(*(follow(offset) for offset in range(4)))
    assert await find(index, "text11") == await find(index) == ["m1"]


# --- rebuilding ------------------------------------------------------------------------------------


async def test_search_keeps_answering_during_a_rebuild(index: SearchIndex) -> None:
    """With what was there and what changes meanwhile; in the end with what was applied since it began."""
    old = [document(n, "old", version=n) for n in range(1, 4)]
    await index.apply(old, [])
    rebuild = await index.begin_rebuild()
    assert set(await find(index, "old")) == {"m1", "m2", "m3"}
    await index.apply([document(4, "live", version=4)], gone("m1", version=5))
    assert set(await find(index)) == {"m2", "m3", "m4"}
    await index.apply([document(1, "old", version=1), document(2, "new", version=2)], [])
    assert set(await find(index)) == {"m2", "m3", "m4"}
    await index.finish_rebuild(rebuild)
    assert set(await find(index)) == {"m2", "m4"}
    assert await find(index, "new") == ["m2"]
    assert await find(index, "old") == []


async def test_a_rebuild_takes_what_an_earlier_version_spoilt(index: SearchIndex) -> None:
    """What is there is no reason to refuse what the store says, whatever its version."""
    await index.apply([document(1, "spoilt", version=9)], gone("m2", version=9))
    rebuild = await index.begin_rebuild()
    await index.apply([document(1, "right", version=8), document(2, "there", version=8)], [])
    await index.finish_rebuild(rebuild)
    assert await find(index, "right") == ["m1"]
    assert set(await find(index)) == {"m1", "m2"}


async def test_an_abandoned_rebuild(index: SearchIndex) -> None:
    """What served goes on; it cannot be finished any more, and the next one begins empty."""
    await index.apply([document(1, "one", version=1)], [])
    rebuild = await index.begin_rebuild()
    await index.apply([document(2, "two", version=2)], [])
    await index.abandon_rebuild(rebuild)
    assert set(await find(index)) == {"m1", "m2"}
    with pytest.raises(Conflict):
        await index.finish_rebuild(rebuild)
    await index.apply([document(1, "late", version=0)], [])
    assert await find(index, "late") == []
    await index.finish_rebuild(await index.begin_rebuild())
    assert await find(index) == []


async def test_a_rebuild_that_a_crash_ended(open_index: Opener, tmp_path: Path) -> None:
    """The old one serves, also what came since; the next rebuild replaces the half-built one, which can do no harm."""
    async with open_index(tmp_path) as index:
        await index.apply([document(1, "one", version=1), document(2, "two", version=2)], [])
        left = await index.begin_rebuild()
        await index.apply([document(3, "half", version=3)], [])
    async with open_index(tmp_path) as index:
        assert set(await find(index)) == {"m1", "m2", "m3"}
        rebuild = await index.begin_rebuild()
        with pytest.raises(Conflict):
            await index.finish_rebuild(left)
        await index.apply([document(1, "one", version=1)], [])
        await index.finish_rebuild(rebuild)
        assert await find(index) == ["m1"]


async def test_searches_and_writes_while_rebuilds_come_and_go(index: SearchIndex) -> None:
    """None of them fails, and what is written meanwhile is never lost."""
    everything = [document(n, "word", version=n) for n in range(1, 11)]
    await index.apply(everything, [])
    stop = asyncio.Event()

    async def rebuild() -> None:
        for _ in range(3):
            name = await index.begin_rebuild()
            await index.apply(everything, [])
            await index.finish_rebuild(name)
        stop.set()

    async def read() -> None:
        while not stop.is_set():
            assert len(await find(index, "word")) == 10

    async def write() -> list[str]:
        written: list[str] = []
        while not stop.is_set():
            item = document(100 + len(written), "live", version=1)
            everything.append(item)  # the store has it first
            await index.apply([item], [])
            written.append(item.message_id)
        return written

    _, _, written = await asyncio.gather(rebuild(), read(), write())
    assert set(await find(index, "live")) == set(written)


# --- the index against a plain scan -----------------------------------------------------------------

LETTERS = "abAé\u0301ßſﬁＡİ中国东กี้👍🏽\u200d \n,'\"%_*^:()-+\\\x00\x1e\ufffe"
TEXTS = st.lists(
    st.sampled_from(["AND", "OR", "NOT", "NEAR", "foo", "Foobar", "bar", '"foo"', "text:", "c++", "中国"])
    | st.text(st.sampled_from(LETTERS), max_size=6)
    | st.text(max_size=4),
    max_size=6,
).map(" ".join)
NEEDLES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=5) | TEXTS.filter(bool)
DOCUMENTS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=2)), min_size=1, max_size=8)
TERMS = st.builds(Term, NEEDLES, st.booleans(), st.booleans(), st.booleans())

EXAMPLES = {"fts": 60, "opensearch": 12}  # a new index for each takes a server a tenth of a second


def quick(adapter: str) -> settings:
    return settings(max_examples=EXAMPLES[adapter], deadline=None, suppress_health_check=[HealthCheck.too_slow])


def split_words(text: str) -> list[str]:
    """The definition, letter by letter, for the letters used here."""
    words: list[str] = []
    inside = False
    for letter in text:
        if category(letter).startswith("M") and inside:
            words[-1] += letter
        elif not (letter.isalnum() or letter == "_"):
            inside = False
        elif inside and not is_spaceless(letter) and not is_spaceless(words[-1][0]):
            words[-1] += letter
        else:
            words.append(letter)
            inside = True
    return words


def is_spaceless(letter: str) -> bool:
    return "\u0e00" <= letter <= "\u0e7f" or "\u4e00" <= letter <= "\u9fff"


def holds(term: Term, fields: Iterable[str]) -> bool:
    texts = [normalise(field) for field in fields]
    if not (term.whole_words or term.prefix):
        return any(normalise(term.text) in text for text in texts) is not term.negated
    asked = normalise(term.text).strip()
    chunks_there = all(any(chunk in text for text in texts) for chunk in asked.split())
    wanted = split_words(asked)
    is_open = term.prefix and bool(wanted) and asked.endswith(wanted[-1])
    return (chunks_there and (not wanted or any(follow(wanted, split_words(text), is_open) for text in texts))) is not (
        term.negated
    )


def follow(wanted: list[str], words: list[str], is_open: bool) -> bool:
    """Whether the wanted words stand in a row, the last one perhaps only begun."""
    rows = (words[first : first + len(wanted)] for first in range(len(words)))
    return any(
        row[:-1] == wanted[:-1] and (row[-1].startswith(wanted[-1]) if is_open else row[-1] == wanted[-1])
        for row in rows
        if len(row) == len(wanted)
    )


def test_it_finds_what_a_scan_finds(adapter: str, open_index: Opener) -> None:
    """For any texts and any terms, the same messages as looking at each text, ranked or by date."""
    queries = st.lists(st.lists(TERMS, min_size=1, max_size=3), min_size=1, max_size=6)
    quick(adapter)(given(st.just(open_index), DOCUMENTS, queries)(compare_with_a_scan))()


def compare_with_a_scan(open_index: Opener, texts: list[tuple[str, list[str]]], queries: list[list[Term]]) -> None:
    documents = [document(n, body, file_names=tuple(names)) for n, (body, names) in enumerate(texts, 1)]

    async def check() -> None:
        with TemporaryDirectory() as folder:
            async with open_index(Path(folder)) as index:
                await index.apply(documents, [])
                for terms in queries:
                    expected = {
                        item.message_id
                        for item in documents
                        if all(holds(term, [item.body, *item.file_names]) for term in terms)
                    }
                    assert set(await find(index, *terms)) == expected
                    assert set(await find(index, *terms, by_date=True)) == expected

    asyncio.run(check())


Operations = list[tuple[list[tuple[int, str]], list[int]]]

OPERATIONS: st.SearchStrategy[Operations] = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(1, 6), TEXTS), max_size=4), st.lists(st.integers(1, 6), max_size=2)),
    min_size=1,
    max_size=6,
)


def test_it_follows_every_change(adapter: str, open_index: Opener) -> None:
    """After any series of applies, each made twice, it finds exactly what a dictionary of the last texts holds."""
    needles = st.lists(NEEDLES, min_size=1, max_size=4)
    quick(adapter)(given(st.just(open_index), OPERATIONS, needles)(follow_changes))()


def follow_changes(open_index: Opener, operations: Operations, needles: list[str]) -> None:
    async def check() -> None:
        texts: dict[str, str] = {}
        with TemporaryDirectory() as folder:
            async with open_index(Path(folder)) as index:
                for upserts, removals in operations:
                    for _ in range(2):
                        await index.apply(
                            [document(number, text) for number, text in upserts],
                            gone(*(f"m{number}" for number in removals)),
                        )
                    texts |= {f"m{number}": text for number, text in upserts}
                    texts = {id_: text for id_, text in texts.items() if int(id_[1:]) not in removals}
                    for needle in needles:
                        found = {id_ for id_, text in texts.items() if normalise(needle) in normalise(text)}
                        assert set(await find(index, needle)) == found
                assert set(await find(index)) == texts.keys()

    asyncio.run(check())
