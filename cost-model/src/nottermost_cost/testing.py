"""What tests of several files share: the collected facts, which lie beside the checkout and not in it."""

import os
from pathlib import Path
from typing import Final

import pytest

SHARED_DATA: Final = Path(__file__).parents[4] / "shared" / "data"


def require_shared(name: str) -> Path:
    """A file of the shared data. Where it is missing the test is skipped, on CI it fails when it reads the file."""
    path = SHARED_DATA / name
    if not path.exists() and "CI" not in os.environ:
        pytest.skip(f"{name} is not beside the checkout")
    return path
