"""Bodies, previews and mentions."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.errors import InvalidText
from nottermost_chat.model import BODY_CHARS_MAX, PREVIEW_CHARS
from nottermost_chat.text import Mentions, check_body, find_mentions, has_link, make_preview

PIECES = [
    "a",
    " ",
    "é",
    "e\u0301",
    "👩\u200d👩\u200d👧",
    "🇩🇪",
    "👍🏽",
    "नि",
    "한",
    "각",
    "❤\ufe0f",
    "1\ufe0f\u20e3",
    "\r\n",
    "ก็",
]


@given(body=st.text(max_size=600))
def test_a_preview_is_a_short_prefix(body: str) -> None:
    """At most 200 code points of the beginning; `has_more` exactly when something is left out."""
    preview, has_more = make_preview(body)
    assert body.startswith(preview)
    assert len(preview) <= PREVIEW_CHARS
    assert has_more == (preview != body)
    assert preview or not body


@given(pieces=st.lists(st.sampled_from(PIECES), min_size=60, max_size=250))
def test_a_preview_splits_no_visible_character(pieces: list[str]) -> None:
    """Cut between whole pieces: letters with marks, emoji families, flags, skin tones, Hangul, CR LF."""
    preview, _ = make_preview("".join(pieces))
    whole = ""
    for piece in pieces:
        if len(whole) >= len(preview):
            break
        whole += piece
    assert whole == preview


def test_a_pile_of_marks_does_not_empty_the_preview() -> None:
    """Where no boundary is near, the preview is cut all the same."""
    body = "a" + "\u0301" * 1000
    assert unicodedata.combining(body[1])
    assert len(make_preview(body)[0]) >= PREVIEW_CHARS // 2


@pytest.mark.parametrize("body", ["", "  \n\t", "a\0b", "\ud800", "a\udfff", "x" * (BODY_CHARS_MAX + 1)])
def test_bodies_that_cannot_be_stored_are_refused(body: str) -> None:
    """Empty, too long, U+0000, half a surrogate pair."""
    with pytest.raises(InvalidText):
        check_body(body)


@pytest.mark.parametrize("body", ["x", "𝒳" * BODY_CHARS_MAX, "\ufeff.", "\u202e"])
def test_any_other_unicode_is_kept(body: str) -> None:
    """Length counts code points; the body comes back unchanged."""
    assert check_body(body) == body


def test_a_message_with_files_may_be_empty() -> None:
    """An attachment says enough."""
    assert check_body("", may_be_empty=True) == ""


@pytest.mark.parametrize(
    ("body", "names", "everybody"),
    [
        ("hello @Ann, @bob.lee and @c-d!", ("ann", "bob.lee", "c-d"), False),
        ("@ann @ANN", ("ann",), False),
        ("@channel", (), True),
        ("@here @ann", ("ann",), True),
        ("ann@example.org", (), False),
        ("`@ann` and ```\n@bob\n```", (), False),
        ("```\n@ann", (), False),
        ("(@ann) *@bob*", ("ann", "bob"), False),
        ("@ann.", ("ann",), False),
        ("@@ann @", (), False),
        ("@müller @山田", ("müller", "山田"), False),
        ("no names", (), False),
    ],
)
def test_mentions(body: str, names: tuple[str, ...], everybody: bool) -> None:
    """Names after @, in lower case and once; not in code, addresses or after another @."""
    assert find_mentions(body) == Mentions(names, everybody)


@given(body=st.text(alphabet="@`a.\n -", max_size=300))
def test_mention_parsing_takes_any_text(body: str) -> None:
    """No text breaks it, and no name holds what names cannot hold."""
    for name in find_mentions(body).names:
        assert name
        assert "@" not in name
        assert "`" not in name


def test_links() -> None:
    """http and https addresses count, other words do not."""
    assert has_link("see HTTPS://example.org/a")
    assert not has_link("see example.org and http:// nothing")
