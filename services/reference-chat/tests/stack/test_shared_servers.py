"""The fixtures' servers: one for all workers of a run, none after it, however it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nottermost_chat.testing.servers import FOLDER_VARIABLE

WORKERS = 2
WITHIN_S = 100.0  # a run of its own with two workers takes seconds, on a busy machine a minute

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
CONFTEST = """
import pytest
from nottermost_chat.testing.servers import claim_servers, end_servers, start_server

def pytest_configure(config):
    claim_servers(config)

def pytest_unconfigure(config):
    end_servers(config)

@pytest.fixture(scope="session")
def redis(request):
    return start_server("redis", request)
"""
TESTS = """
import os, pathlib, time, pytest
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.testing.servers import OPTIONS, make_folder
NOTES = pathlib.Path(__file__).with_name("notes")

@pytest.mark.parametrize("number", range(4))
def test_something(redis, number):
    if STAYS:
        Stack(make_folder("own-")).up(OPTIONS, only=["redis"])
    NOTES.with_name(f"note{number}").write_text(f"{os.environ['CHAT_TEST_SERVERS']} {redis.port}")
    if STAYS:
        time.sleep(600)
"""


@contextmanager
def running(tmp_path: Path, *, stays: bool = False) -> Iterator["subprocess.Popen[bytes]"]:
    """A run of pytest with two workers and no plugins but what makes them."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_servers.py").write_text(TESTS.replace("STAYS", str(stays)))
    environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ("-q", "-p", "no:cacheprovider", "-p", "xdist.plugin", "-n", str(WORKERS))
    run = subprocess.Popen(
        (sys.executable, "-m", "pytest", *options, str(tmp_path)),
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        yield run
    finally:
        run.terminate()
        run.communicate(timeout=WITHIN_S)


def read_notes(tmp_path: Path) -> list[tuple[str, str]]:
    """(folder of the servers, Redis' port), as each test saw them."""
    notes = (path.read_text().split() for path in tmp_path.glob("note*"))
    return [(note[0], note[1]) for note in notes if len(note) == 2]


def is_gone(folder: str) -> bool:
    names = [word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or []]
    return not Path(folder).exists() and not any(folder in name for name in names)


def test_two_workers_share_one_server(tmp_path: Path) -> None:
    """And it ends with the run."""
    with running(tmp_path) as run:
        output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == 0, output.decode()
    ((folder, _),) = set(read_notes(tmp_path))
    assert is_gone(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl+C, and a CI that cancels: neither shared servers nor a cluster of a test's own."""
    with running(tmp_path, stays=True) as run:
        deadline = time.monotonic() + WITHIN_S
        while len(notes := read_notes(tmp_path)) < WORKERS:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(number)
        output, _ = run.communicate(timeout=WITHIN_S)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, output.decode()
    assert is_gone(notes.pop()[0])
