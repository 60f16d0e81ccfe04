"""What every SearchIndex promises. Another adapter joins with one line in ADAPTERS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.adapters.fts_search import FtsSearchIndex
from nottermost_chat.ports import SearchDocument, SearchIndex, SearchQuery, Term
from nottermost_chat.search import normalise

Opener = Callable[[Path], AbstractAsyncContextManager[SearchIndex]]


@asynccontextmanager
async def open_fts(folder: Path) -> AsyncIterator[SearchIndex]:
    index = FtsSearchIndex(folder / "search.db")
    try:
        yield index
    finally:
        await index.close()


ADAPTERS: dict[str, Opener] = {"fts": open_fts}


@pytest.fixture(params=sorted(ADAPTERS), scope="module")
def open_index(request: pytest.FixtureRequest) -> Opener:
    return ADAPTERS[request.param]


@pytest.fixture
async def index(open_index: Opener, tmp_path: Path) -> AsyncIterator[SearchIndex]:
    async with open_index(tmp_path) as opened:
        yield opened


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
async def test_terms(index: SearchIndex, body: str, terms: list[str | Term], found: bool) -> None:
    """All terms must hold; nothing in them is an operator."""
    await index.apply([document(1, body), document(2, "something else")], [])
    assert ("m1" in await find(index, *terms)) is found


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
        await index.apply([document(4, "word")], ["m1", "unknown", "m4"])
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
        await index.apply([], ["m2"])
    async with open_index(tmp_path) as index:
        assert await find(index, "word") == await find(index) == ["m1"]


async def test_searches_while_it_is_written(index: SearchIndex) -> None:
    """Every search sees whole batches."""

    async def write() -> None:
        for batch in range(20):
            await index.apply([document(batch * 10 + n, "word") for n in range(1, 11)], [])

    async def read() -> None:
        for _ in range(20):
            assert len(await find(index, "word")) % 10 == 0

    await asyncio.gather(write(), read(), read())
    assert len(await find(index, "word")) == 200


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

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


@QUICK
@given(texts=DOCUMENTS, queries=st.lists(st.lists(TERMS, min_size=1, max_size=3), min_size=1, max_size=6))
def test_it_finds_what_a_scan_finds(
    open_index: Opener, texts: list[tuple[str, list[str]]], queries: list[list[Term]]
) -> None:
    """For any texts and any terms, the same messages as looking at each text, ranked or by date."""
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


@QUICK
@given(operations=OPERATIONS, needles=st.lists(NEEDLES, min_size=1, max_size=4))
def test_it_follows_every_change(open_index: Opener, operations: Operations, needles: list[str]) -> None:
    """After any series of applies, each made twice, it finds exactly what a dictionary of the last texts holds."""

    async def check() -> None:
        texts: dict[str, str] = {}
        with TemporaryDirectory() as folder:
            async with open_index(Path(folder)) as index:
                for upserts, removals in operations:
                    for _ in range(2):
                        await index.apply(
                            [document(number, text) for number, text in upserts], [f"m{number}" for number in removals]
                        )
                    texts |= {f"m{number}": text for number, text in upserts}
                    texts = {id_: text for id_, text in texts.items() if int(id_[1:]) not in removals}
                    for needle in needles:
                        found = {id_ for id_, text in texts.items() if normalise(needle) in normalise(text)}
                        assert set(await find(index, needle)) == found
                assert set(await find(index)) == texts.keys()

    asyncio.run(check())
