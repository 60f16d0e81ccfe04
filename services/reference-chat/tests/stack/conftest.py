"""Shared by the tests of the local cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nottermost_chat.stack.launcher import Stack
from nottermost_chat.testing.servers import make_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one cluster; whatever runs in it is ended, and nothing of it stays."""
    folder = make_folder("nottermost-stack-")
    yield folder
    Stack(folder).down(volumes=True)
    if folder.exists():
        folder.rmdir()  # raises when something is left
