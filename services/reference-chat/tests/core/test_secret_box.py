"""Secrets of webhooks at rest."""

import base64
from pathlib import Path

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.webhooks import SecretBox, Unreadable

KEY = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()


def test_what_is_sealed_can_be_opened_by_the_same_key_for_the_same_name_only() -> None:
    """Also not when a byte was changed, and never twice the same bytes."""
    box = SecretBox.find(KEY, Path("/nowhere"))
    sealed = box.seal("secret", "hook")
    assert b"secret" not in sealed
    assert sealed != box.seal("secret", "hook")
    assert box.open(sealed, "hook") == "secret"
    for other, name, content in (
        (box, "another", sealed),
        (SecretBox(bytes(32)), "hook", sealed),
        (box, "hook", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (box, "hook", b""),
    ):
        with pytest.raises(Unreadable):
            other.open(content, name)


def test_the_key_of_a_data_folder_stays(tmp_path: Path) -> None:
    """It is made once, and nobody else may read it."""
    sealed = SecretBox.find("", tmp_path).seal("secret", "hook")
    assert SecretBox.find("", tmp_path).open(sealed, "hook") == "secret"
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", ["short", "!" * 43, KEY + "AAAA"])
def test_a_wrong_key_is_refused_without_being_shown(key: str) -> None:
    """It may be a typing mistake in the right one."""
    with pytest.raises(StartError) as refused:
        SecretBox.find(key, Path("/nowhere"))
    assert key not in str(refused.value)
