"""The search language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.ports import Term
from nottermost_chat.search import ParsedQuery, parse_query
from nottermost_chat.search.query import TERMS_MAX

MAY_1_2024 = 1_714_521_600_000  # 2024-05-01T00:00Z
DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("two words", [Term("two"), Term("words")]),
        ('"a phrase" word', [Term("a phrase", whole_words=True), Term("word")]),
        ("“smart quotes”", [Term("smart quotes", whole_words=True)]),
        ('"not yet clo', [Term("not yet clo", whole_words=True)]),
        ('"open en"*', [Term("open en", whole_words=True, prefix=True)]),
        ("beg*", [Term("beg", prefix=True)]),
        ("-no", [Term("no", negated=True)]),
        ('-"not this"', [Term("not this", whole_words=True, negated=True)]),
        ("-pre*", [Term("pre", prefix=True, negated=True)]),
        ("--verbose - * ** a-b", [Term("--verbose"), Term("-"), Term("*"), Term("**"), Term("a-b")]),
        ("http://x.org/a?b 12:30 std::vector", [Term("http://x.org/a?b"), Term("12:30"), Term("std::vector")]),
        ("fromage: x:from:me", [Term("fromage:"), Term("x:from:me")]),
        ("AND or NEAR(a) ^x 中国", [Term("AND"), Term("or"), Term("NEAR(a)"), Term("^x"), Term("中国")]),
        ('""', [Term('""')]),
        ("again again", [Term("again")]),
        ("  ", []),
    ],
)
def test_terms(text: str, terms: list[Term]) -> None:
    """Words, phrases, prefixes and exclusions; what only looks like a filter is a word."""
    assert parse_query(text) == ParsedQuery(terms=tuple(terms))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from:alice", ParsedQuery(from_names=("alice",))),
        ("FROM:@Alice from:me", ParsedQuery(from_names=("Alice", "me"))),
        ('from:"first last"', ParsedQuery(from_names=("first last",))),
        ("in:~town in:#square in:@bob", ParsedQuery(in_names=("town", "square", "bob"))),
        ("with:carol", ParsedQuery(with_names=("carol",))),
        ("has:file has:LINK has:reaction", ParsedQuery(has_file=True, has_link=True, has_reaction=True)),
        ("after:2024-05-01", ParsedQuery(created_from=MAY_1_2024 + DAY)),
        ("before:2024-05-01", ParsedQuery(created_before=MAY_1_2024)),
        ("on:2024-05-01", ParsedQuery(created_from=MAY_1_2024, created_before=MAY_1_2024 + DAY)),
        (
            "after:2024-05-01 after:2024-05-03 before:2024-06-01 on:2024-05-05",
            ParsedQuery(created_from=MAY_1_2024 + 4 * DAY, created_before=MAY_1_2024 + 5 * DAY),
        ),
    ],
)
def test_filters(text: str, expected: ParsedQuery) -> None:
    """Prefixes of names are tolerated, several times become their intersection."""
    assert parse_query(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "has:children",
        "has:",
        "before:yesterday",
        "on:2024-02-30",
        "after:20240501",
        "on:٢٠٢٤-٠٥-٠١",
        "from:",
        "in:#",
        "-from:alice",
        'from:""',
    ],
)
def test_what_is_not_understood_is_named(text: str) -> None:
    """The rest of the query counts."""
    assert parse_query(f"word {text}") == ParsedQuery(terms=(Term("word"),), problems=(text,))


def test_days_begin_at_the_searchers_midnight() -> None:
    """Two hours ahead of UTC, May 1st began at 22:00 of April 30th."""
    parsed = parse_query("on:2024-05-01", utc_offset_minutes=120)
    assert parsed.created_from == MAY_1_2024 - 2 * 3_600_000
    assert parse_query("after:9999-12-31").problems == ()


def test_a_query_has_a_bound() -> None:
    """What is beyond it is reported."""
    parsed = parse_query(" ".join(f"word{number}" for number in range(TERMS_MAX + 2)))
    assert len(parsed.terms) == TERMS_MAX
    assert parsed.problems == (f"word{TERMS_MAX}", f"word{TERMS_MAX + 1}")


PIECES = ["from:", "in:", "on:", "has:", '"', "-", "*", ":", " ", "2024-05-01", "file", "@", "#", "a", "“", "”", "\x00"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join))
def test_any_text_is_a_query(text: str) -> None:
    """It never fails, and no term is empty."""
    parsed = parse_query(text)
    assert all(term.text.strip() for term in parsed.terms)
    assert not text.strip() or parsed != ParsedQuery()
