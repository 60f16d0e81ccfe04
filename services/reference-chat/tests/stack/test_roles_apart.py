"""Roles and load balancer under the launcher; small programs stand for the roles, HAProxy is real."""

import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack

SMALL_ROLE = str(Path(__file__).with_name("small_role.py"))
WITHIN_S = 30.0
FRONT = ("gateway", "api", "haproxy")


def make_stack(folder: Path, notes: Path) -> Stack:
    return Stack(folder, command=(sys.executable, SMALL_ROLE, str(notes)))


def options(**scale: int) -> Options:
    return Options(free_ports=True, port=0, scale=scale)


def who_answers(stack: Stack) -> set[str]:
    """Names of the apis that answer a dozen requests."""

    def ask() -> str:
        with urllib.request.urlopen(stack.url(), timeout=10) as answer:
            return str(answer.read().decode())

    return {ask() for _ in range(12)}


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_more_and_fewer_of_a_role(folder: Path, tmp_path: Path) -> None:
    """A third api is taken in while the load balancer runs on; with one left the others are ended."""
    stack = make_stack(folder, tmp_path / "notes")
    stack.up(options(gateway=1), only=FRONT)
    assert who_answers(stack) == {"api1", "api2"}
    balancer = next(unit.pid for unit in stack.status().units if unit.name == "haproxy")
    assert stack.up(options(gateway=1, api=3), only=FRONT) == ["api3"]
    wait_until(lambda: who_answers(stack) == {"api1", "api2", "api3"})
    assert stack.up(options(gateway=1, api=1), only=FRONT) == []
    assert {unit.name for unit in stack.status().units} == {"gateway1", "api1", "haproxy"}
    assert next(unit.pid for unit in stack.status().units if unit.name == "haproxy") == balancer
    assert who_answers(stack) == {"api1"}  # nothing was sent to the others while they ended, nor is it now


def test_a_killed_role_is_missed_by_nobody_and_comes_back(folder: Path, tmp_path: Path) -> None:
    """Requests go on; `up` brings back that one alone."""
    stack = make_stack(folder, tmp_path / "notes")
    stack.up(options(gateway=1), only=FRONT)
    stack.kill("api1")
    assert who_answers(stack) == {"api2"}
    assert stack.up(only=FRONT) == ["api1"]
    wait_until(lambda: who_answers(stack) == {"api1", "api2"})
    stack.restart("api2")
    wait_until(lambda: who_answers(stack) == {"api1", "api2"})


def test_set_up_comes_before_the_roles_and_once(folder: Path, tmp_path: Path) -> None:
    """Until a server is started again, which may have come back empty."""
    notes = tmp_path / "notes"
    stack = make_stack(folder, notes)
    stack.up(options(api=1), only=["redis", "api"])
    stack.kill("api1")
    stack.up(only=["redis", "api"])
    stack.restart("redis")
    stack.restart("api1")
    assert notes.read_text().splitlines() == [
        "chat setup",
        "chat run --role api api1",
        "chat run --role api api1",
        "chat setup",
        "chat run --role api api1",
    ]


def test_a_failed_set_up_is_told_and_nothing_stays(folder: Path, tmp_path: Path) -> None:
    """With what it said."""
    stack = make_stack(folder, tmp_path / "refuse")
    with pytest.raises(StartError, match=r"could not be set up:\nthe tables could not be made"):
        stack.up(options(), only=["redis", "api"])
    assert stack.status().units == []
