"""Files that hold secrets."""

import stat
from pathlib import Path

from nottermost_chat.bootstrap import _link_secret
from nottermost_chat.private_file import write_private_file


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """The file is private, whole, and replaces what was there."""
    path = tmp_path / "secret"
    for content in (b"first", b"second"):
        write_private_file(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [left.name for left in tmp_path.iterdir()] == ["secret"]


def test_a_half_written_link_secret_is_not_used(tmp_path: Path) -> None:
    """A crash may have left an empty file: links signed with nothing could be forged."""
    (tmp_path / "link-secret").touch(mode=0o600)
    secret = _link_secret(tmp_path)
    assert len(secret) == 32
    assert _link_secret(tmp_path) == secret
