"""Shared by the tests of the roles: the collection as Ansible imports it, and names of their own."""

import sys
from pathlib import Path

import pytest

from nottermost_chat.clock import Clock

sys.path.insert(0, str(Path(__file__).parents[1] / "collections"))


@pytest.fixture(scope="module")
def own() -> str:
    """The beginning of every name on servers that others use too."""
    return f"t{Clock().new_id()[-10:].lower()}"
