"""Snippets and their highlights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.graphemes import is_grapheme_start
from nottermost_chat.ports import Term
from nottermost_chat.search import make_snippet, normalise


def marked(text: str, *terms: Term, chars: int = 160) -> str:
    """The snippet with [ and ] where its highlights are."""
    snippet = make_snippet(text, terms, chars)
    shown = snippet.text
    for start, end in reversed(snippet.highlights):
        shown = f"{shown[:start]}[{shown[start:end]}]{shown[end:]}"
    return shown


def word(text: str) -> Term:
    return Term(text)


def phrase(text: str) -> Term:
    return Term(text, whole_words=True)


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("Hello World", [word("world")], "Hello [World]"),
        ("abcabc", [word("abc")], "[abcabc]"),
        ("a word, a sword", [phrase("word")], "a [word], a sword"),
        ("one, two one two", [phrase("one two")], "[one, two] [one two]"),
        ("two two two", [phrase("two two")], "[two two] two"),
        ("prefer a prefix", [Term("pref", prefix=True)], "[pref]er a [pref]ix"),
        ("use c++ now", [phrase("c++")], "use [c++] now"),
        ("nothing here", [Term("here", negated=True)], "nothing here"),
        ("die ﬁne Straße", [word("FINE"), word("strasse")], "die [ﬁne] [Straße]"),
        ("Straße", [word("s")], "[S]tra[ß]e"),
        ("ﬁ", [word("i")], "[ﬁ]"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", [word("width")], "ｆｕｌｌ　[ｗｉｄｔｈ]"),
        ("in İstanbul", [word("stanbul")], "in İ[stanbul]"),
        ("İİ x", [word("x")], "İİ [x]"),
        ("re\u0301sume\u0301 ok", [word("résumé")], "[re\u0301sume\u0301] ok"),
        ("ﾊﾞﾅﾅ", [word("バナ")], "[ﾊﾞﾅ]ﾅ"),
        ("我在东京都工作", [phrase("东京")], "我在[东京]都工作"),
        ("กินข้าวแล้ว", [word("ข้าว")], "กิน[ข้าว]แล้ว"),
        ("👩‍💻 codes", [word("👩")], "[👩‍💻] codes"),
        ("a\x00b", [word("b")], "a\x00[b]"),
    ],
)
def test_highlights_are_where_the_match_is(text: str, terms: list[Term], expected: str) -> None:
    """Offsets are those of the text as it was written, whatever normalising did to its length."""
    assert marked(text, *terms) == expected


def test_the_window_shows_the_best_cluster() -> None:
    """Where most different terms are close together, not where one of them comes first; cut between words."""
    text = "apple " * 5 + "filler " * 60 + "an apple and a pear " + "filler " * 60
    shown = marked(text, word("apple"), word("pear"), chars=60)
    assert "an [apple] and a [pear]" in shown
    assert shown.startswith("…filler")
    assert shown.endswith("filler…")


def test_without_a_match_the_beginning_is_shown() -> None:
    """A file's name may be what matched."""
    assert marked("some text", word("report.pdf")) == "some text"
    assert marked("word " * 100, word("report.pdf"), chars=20) == "word word word…"


def test_a_match_longer_than_the_window_is_cut() -> None:
    """Its beginning is shown."""
    assert marked("x" * 10 + "y" * 500, word("y" * 500), chars=12) == "…[" + "y" * 10 + "]…"


LETTERS = "ab ßﬁİＡé\u0301กีั한👩\u200d💻🇩🇪❤\ufe0f\r\n,"
TEXTS = st.text(st.sampled_from(LETTERS), max_size=120)
TERMS = st.lists(
    st.builds(Term, st.text(st.sampled_from(LETTERS), min_size=1, max_size=3), st.booleans(), st.booleans())
)


@given(TEXTS, TERMS, st.integers(20, 60))
def test_snippets_are_sane(text: str, terms: list[Term], chars: int) -> None:
    """Bounded, cut and marked at visible characters, highlights ascending; shown whenever an unquoted word matches."""
    snippet = make_snippet(text, terms, chars)
    assert len(snippet.text) <= chars
    assert snippet.text.strip("…") in text
    edges = [place for span in snippet.highlights for place in span]
    assert edges == sorted(set(edges))
    assert all(is_grapheme_start(snippet.text, edge) for edge in edges)
    if any(not (term.whole_words or term.prefix) and normalise(term.text) in normalise(text) for term in terms):
        assert snippet.highlights


def test_long_texts_stay_quick() -> None:
    """The longest message, full of matches and of flags, takes no time that grows with its square."""
    for text in ("é" * 100_000, "🇩🇪" * 50_000, "a" + "\u0301" * 99_999, "汉 " * 50_000):
        assert len(make_snippet(text, [word(text[0]), phrase(text[0])]).text) <= 160
