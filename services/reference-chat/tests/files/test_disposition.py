"""File names in a header."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.files import content_disposition

HEADER = re.compile(r"attachment; filename=\"([\x20-\x7e]*)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+\-.^_`|~%]+)")


@pytest.mark.parametrize(
    ("name", "plain", "real"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("two words (1).txt", "two words (1).txt", "two words (1).txt"),
        ("résumé.pdf", "resume.pdf", "résumé.pdf"),
        ("报告.pdf", "__.pdf", "报告.pdf"),
        ('a"; filename="evil.exe', "a_; filename=_evil.exe", 'a"; filename="evil.exe'),
        ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1", "a__Set-Cookie_ x=1"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ("C:\\temp\\x.txt", "C__temp_x.txt", "C__temp_x.txt"),
        ("100%41.txt", "100_41.txt", "100%41.txt"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe", "invoice_fdp.exe"),
        ("👩\u200d💻.png", "___.png", "👩\u200d💻.png"),
        ("half\ud800.txt", "half_.txt", "half_.txt"),
        ("a／..／b", "a_.._b", "a／..／b"),
        ("‥", "file", "‥"),
        (" . ", "file", "file"),
        ("", "file", "file"),
    ],
)
def test_names(name: str, plain: str, real: str) -> None:
    """They stay readable, and stay inside their quotes."""
    match = HEADER.fullmatch(content_disposition(name))
    assert match
    assert (match[1], unquote(match[2])) == (plain, real)


def test_long_names_keep_their_ending() -> None:
    """The middle is what can be spared."""
    match = HEADER.fullmatch(content_disposition("x" * 500 + ".tar.gz"))
    assert match
    assert match[1].endswith("x.gz")
    assert len(match[1]) == 150
    assert content_disposition("a.png", inline=True).startswith("inline; ")


@given(st.text(st.characters(), max_size=300))
def test_any_name_is_a_safe_header(name: str) -> None:
    """Nothing leaves the header or its quotes, and no name has a folder."""
    match = HEADER.fullmatch(content_disposition(name))
    assert match
    for shown in (match[1], unquote(match[2])):
        assert not set(shown) & set("/\\\r\n\0")
        assert shown not in ("", ".", "..")
    assert '"' not in match[1]
