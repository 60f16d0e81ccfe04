"""What tests of the commands share: calling one in this process, as a shell does."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nottermost_cli.main import main

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Call = Callable[..., Result]


def make_call(monkeypatch: "pytest.MonkeyPatch", capfd: "pytest.CaptureFixture[str]", group: str = "env") -> Call:
    """`call("preview", "dev")` is `nottermost env preview dev` where the SDK is loaded already; no traceback passes."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr("sys.argv", ["nottermost", group, *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stdout.flush()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Result(code, captured.out, captured.err)

    return run
