"""What tests of the commands share: calling one as a shell does, in this process or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nottermost_cli.main import main

if TYPE_CHECKING:
    import pytest

NOTTERMOST: Final = str(Path(sys.executable).with_name("nottermost"))
WITHIN_S: Final = 120.0


def run_command(
    *arguments: str, environment: Mapping[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`nottermost` as a process of its own, to its end. `environment`: added to ours."""
    return subprocess.run(  # noqa: S603 - our own command
        [NOTTERMOST, *arguments], env={**os.environ, **(environment or {})}, input=stdin,
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip


def run_on(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`nottermost chat` on a data folder, the same way."""
    return run_command("chat", *arguments, environment={"NOTTERMOST_DATA": str(data)})


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
