"""Where texts may be cut."""

import pytest

from nottermost_chat.graphemes import grapheme_end, grapheme_start, is_grapheme_start


@pytest.mark.parametrize(
    "character",
    [
        "e\u0301",
        "กี้",
        "한",
        "\u1112\u1161\u11ab",
        "👩‍💻",
        "👍🏽",
        "🇩🇪",
        "❤️",
        "1️⃣",
        "\r\n",
        "ﾊﾞ",
        "🏴\U000e0067\U000e0062\U000e007f",
    ],
)
def test_a_visible_character_is_not_split(character: str) -> None:
    """Between two of them a cut is allowed, inside never."""
    text = f"a{character}{character}b"
    starts = [index for index in range(len(text) + 1) if is_grapheme_start(text, index)]
    size = len(character)
    assert starts == [0, 1, 1 + size, 1 + 2 * size, 2 + 2 * size]
    assert grapheme_start(text, size) == 1 if size > 1 else size
    assert grapheme_end(text, 2) == 1 + size if size > 1 else 2


def test_endless_marks_are_cut() -> None:
    """A character with a thousand marks is no text: the look stays short."""
    text = "e" + "\u0301" * 1000
    assert grapheme_start(text, 500) == grapheme_end(text, 500) == 500
    assert grapheme_start("🇩🇪" * 50_000, 20_001) in (20_000, 20_001)
