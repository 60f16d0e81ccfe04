"""What texts and queries are compared as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.ports import Term
from nottermost_chat.search.normalise import FIELD_END, Needles, find_needles, normalise, word_form
from nottermost_chat.search.offsets import normalise_with_offsets

TEXTS = st.text(st.characters(), max_size=40) | st.text(
    st.sampled_from("eE\u0301ß\ufb01Ａ１ﾊﾞハ\u3099İi\u0307한\u1112\u1161\u11abน้ำ้ำ\u0345\u1fb3👩\u200d💻\ufe0f\r\n"),
    max_size=30,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ｈｅｌｌｏ ＷＯＲＬＤ", "hello world"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("ﾊﾞﾅﾅ", "バナナ"),
        ("re\u0301sume\u0301", "résumé"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("น้ำ", "น\u0e49\u0e4dา"),
        ("a\x00b\ud800c\ufffed", "a\ufffdb\ufffdc\ufffdd"),
    ],
)
def test_texts_that_look_alike_are_alike(text: str, expected: str) -> None:
    """Width, case, ligatures and ways of composing do not matter; what cannot be stored is replaced."""
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello, world!", " hello world "),
        ("don't snake_case", " don t snake_case "),
        ("東京都に", " 東 京 都 に "),
        ("iphone手机", " iphone 手 机 "),
        ("กินข้าว", " กิ น ข้ า ว "),
        ("한국어 검색", " 한국어 검색 "),
        ("हिन्दी", " हिन्दी "),
        ("a ❤️ b", " a b "),
        ("…", "  "),
    ],
)
def test_words_are_told_apart_by_unicode(text: str, expected: str) -> None:
    """Marks stay with their letter; scripts without spaces have a word in every letter."""
    assert word_form(normalise(text)) == expected


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (Term("Foo"), Needles(("foo",))),
        (Term("Two  Words", whole_words=True), Needles(("two", "words"), " two words ")),
        (Term("c++", whole_words=True), Needles(("c++",), " c ")),
        (Term(":-)", whole_words=True), Needles((":-)",))),
        (Term("Foo", prefix=True), Needles(("foo",), " foo")),
        (Term("foo.ba", prefix=True), Needles(("foo.ba",), " foo ba")),
        (Term("c+", prefix=True), Needles(("c+",), " c ")),
        (Term("東京", whole_words=True), Needles(("東京",), " 東 京 ")),
    ],
)
def test_every_term_is_a_question_of_substrings(term: Term, expected: Needles) -> None:
    """This is all that an index has to be able to do."""
    assert find_needles(term) == expected


@given(TEXTS)
def test_offsets_cover_the_text(text: str) -> None:
    """Normalising piece by piece gives the same text, and every character of it comes from a real place, in order."""
    normalised = normalise_with_offsets(text)
    assert normalised.text == normalise(text)
    assert len(normalised.starts) == len(normalised.ends) == len(normalised.text)
    assert list(normalised.starts) == sorted(normalised.starts)
    assert all(0 <= start < end <= len(text) for start, end in zip(normalised.starts, normalised.ends, strict=True))


@given(TEXTS)
def test_normalised_text_can_be_stored(text: str) -> None:
    """It has no character that SQLite confuses with another one, nor the mark between two fields."""
    assert not set(normalise(text)) & {"\x00", FIELD_END, "\ufffe", "\uffff"}
    normalise(text).encode()


@given(st.text(st.characters(), max_size=30))
def test_words_are_in_the_word_form(text: str) -> None:
    """Searching for any text as a whole finds that text."""
    needles = find_needles(Term(text, whole_words=True))
    normalised = normalise(text)
    assert needles.words in word_form(normalised)
    assert all(chunk in normalised for chunk in needles.chunks)
