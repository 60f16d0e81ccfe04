"""`nottermost stack` as people use it: through its arguments, with real servers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from nottermost_chat.stack.launcher import Stack
from nottermost_chat.testing.servers import make_folder
from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process."""
    return make_call(monkeypatch, capfd, "stack")


@pytest.fixture
def folder() -> Iterator[str]:
    """Where a cluster may be; ended and removed afterwards."""
    folder = make_folder("nottermost-stack-")
    yield str(folder)
    Stack(folder).down(volumes=True)
    if folder.exists():
        folder.rmdir()


def test_a_cluster_from_up_to_down(call: Call, folder: str) -> None:
    """up, status, kill, status says no, up again brings back what was killed, logs, down."""
    at = ("--folder", folder)
    only = ("--only", "redis", "--only", "postgres")
    up = call("up", *at, *only, "--free-ports", "--port", "0")
    assert (up.code, up.out) == (0, "started redis, postgres\n")
    assert "starting redis, postgres" in up.err
    assert call("up", *at, *only).out == "everything runs already\n"
    status = json.loads(call("status", *at, "--json").out)
    assert status["ready"] is True
    assert [unit["name"] for unit in status["units"]] == ["redis", "postgres"]
    assert 0 < status["memory_mib"] < status["memory_mib_max"] == 6144
    assert call("kill", "redis", *at).out == "sent KILL to redis\n"
    table = call("status", *at)
    assert table.code == ExitCode.SAYS_NO
    assert "redis         ended" in table.out
    assert "within the 6144 MiB that it may take" in table.out
    assert call("up", *at, *only).out == "started redis\n"
    assert call("kill", "postgres", *at, "--signal", "STOP").out == "sent STOP to postgres\n"
    assert "postgres      frozen" in call("status", *at).out
    assert "database system is ready" in call("logs", "postgres", *at).out
    assert "Ready to accept connections" in call("logs", *at, "--lines", "100").out
    assert call("down", *at).out == "ended redis, postgres\n"
    assert call("down", *at).out == "nothing ran\n"
    assert (Path(folder) / "postgres" / "data").exists()
    call("down", *at, "--volumes")
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("status",), ExitCode.FAILED, "`nottermost stack up` makes one"),
        (("up", "--scale", "gatewy=3"), ExitCode.USAGE, "say ROLE=NUMBER with one of ingest, fanout, gateway"),
        (("up", "--only", "mongodb"), ExitCode.FAILED, "there is no mongodb in this cluster, there are: servers"),
        (("up", "--only", "kafka"), ExitCode.FAILED, "run `make servers`"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    call: Call, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    code: ExitCode, sentence: str,
) -> None:  # fmt: skip
    """On stderr, with what to do and an exit code that tells a wrong word from a failure."""
    monkeypatch.setenv("NOTTERMOST_CACHE", str(tmp_path))
    result = call(*arguments, "--folder", folder)
    assert result.code == code
    assert sentence in result.err
    assert result.out == ""


def test_options_stay_as_they_were(call: Call, folder: str) -> None:
    """A later `up` without options starts the same cluster."""
    at = ("--folder", folder)
    call("up", *at, "--only", "redis", "--free-ports", "--port", "0", "--scale", "gateway=3", "--store", "postgres")
    call("up", *at, "--only", "redis", "--scale", "api=1")
    options = Stack(Path(folder)).options()
    assert options.scale == {"gateway": 3, "api": 1}
    assert options.store.value == "postgres"


def test_compose_files_are_fresh(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`stack docs --check` says no when one is stale; `stack env` prints secrets that nobody had before."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    assert call("docs", "--check").code == 0
    stale = call("docs", "--check", "--root", str(tmp_path))
    assert stale.code == ExitCode.SAYS_NO
    assert "compose.yaml is stale: run `nottermost stack docs`" in stale.err
    first, second = call("env").out, call("env").out
    assert first != second
    assert "SIGNING_KEYS='{" in first
