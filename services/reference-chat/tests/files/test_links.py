"""Signed links."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.files import LinkAction, LinkExpired, LinkInvalid, check, sign

SECRET = b"a secret of the server"
NOW = 1_700_000_000_000


def query_of(link: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(link, strict_parsing=True).items()}


def test_a_link_allows_what_it_was_signed_for() -> None:
    """Until it ends; then its error says so."""
    query = query_of(sign(SECRET, LinkAction.DOWNLOAD, "F1", NOW + 1, "thumbnail"))
    assert check(SECRET, LinkAction.DOWNLOAD, "F1", query, now_ms=NOW) == "thumbnail"
    with pytest.raises(LinkExpired) as raised:
        check(SECRET, LinkAction.DOWNLOAD, "F1", query, now_ms=NOW + 1)
    assert (raised.value.code, raised.value.status) == ("link_expired", 403)


@pytest.mark.parametrize(
    "change",
    [
        {"expires": str(NOW * 2)},
        {"expires": "0" + str(NOW + 1)},
        {"expires": "never"},
        {"variant": ""},
        {"variant": "original"},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "ü\ud800"},
        {"variant": "\ud800"},
    ],
)
def test_a_changed_link_is_refused(change: dict[str, str]) -> None:
    """Whatever was changed, also long after its end."""
    query = query_of(sign(SECRET, LinkAction.UPLOAD, "F1", NOW + 1, "thumbnail"))
    with pytest.raises(LinkInvalid) as raised:
        check(SECRET, LinkAction.UPLOAD, "F1", query | change, now_ms=NOW * 3)
    assert (raised.value.code, raised.value.status) == ("link_invalid", 403)


def test_a_link_is_for_one_thing() -> None:
    """Not for another action, file or server; a link without its parts is none."""
    query = query_of(sign(SECRET, LinkAction.UPLOAD, "F1", NOW + 1))
    for secret, action, file_id in (
        (SECRET, LinkAction.DOWNLOAD, "F1"),
        (SECRET, LinkAction.UPLOAD, "F2"),
        (b"another", LinkAction.UPLOAD, "F1"),
    ):
        with pytest.raises(LinkInvalid):
            check(secret, action, file_id, query, now_ms=NOW)
    with pytest.raises(LinkInvalid):
        check(SECRET, LinkAction.UPLOAD, "F1", {}, now_ms=NOW)


PARTS = st.tuples(st.text(max_size=4), st.integers(0, 99), st.text(max_size=4))


@given(PARTS, PARTS)
def test_different_links_have_different_signatures(one: tuple[str, int, str], other: tuple[str, int, str]) -> None:
    """No two choices of values are signed alike."""
    first, second = (query_of(sign(SECRET, LinkAction.UPLOAD, *parts))["signature"] for parts in (one, other))
    assert (first == second) is (one == other)
