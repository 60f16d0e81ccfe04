"""The command line as its users meet it: arguments in, lines and exit codes out."""

import json
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nottermost_chat.testing.process import ChatProcess, running_process
from nottermost_cli.testing import NOTTERMOST, run_command
from nottermost_conventions import ExitCode


@asynccontextmanager
async def welcome_chat(folder: Path) -> AsyncIterator[tuple[ChatProcess, dict[str, str]]]:
    """A running chat with the welcome workspace, and the environment of somebody logged in to it."""
    async with running_process(folder, command=(NOTTERMOST, "chat", "run")) as process:
        accounts = json.loads((process.data / "welcome.json").read_text())
        yield (
            process,
            {
                "NOTTERMOST_CLIENT_URL": process.url,
                "NOTTERMOST_CLIENT_EMAIL": accounts[1]["email"],
                "NOTTERMOST_CLIENT_PASSWORD": accounts[1]["password"],
            },
        )


async def test_the_shell_can_say_read_and_find(tmp_path: Path) -> None:
    """What one command says another reads and a third finds; standard input is taken for `-`."""
    async with welcome_chat(tmp_path) as (_, me):
        assert run_command("chat", "whoami", environment=me).stdout.startswith("newcomer <newcomer@example.org>")
        said = run_command("chat", "say", "#corner", "-", "--json", environment=me, stdin="marzipan from a pipe")
        ack = json.loads(said.stdout)
        assert ack["message_id"]
        tail = run_command("chat", "tail", "#corner", "--no-follow", "--lines", "1", environment=me)
        assert tail.stdout.endswith("newcomer: marzipan from a pipe\n")
        found = search_until_found("marzipan", me)
        assert [hit["message"]["message_id"] for hit in found["hits"]] == [ack["message_id"]]


def search_until_found(query: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The index follows the log at its own pace: ask again, a bounded number of times."""
    for _ in range(50):
        found: dict[str, Any] = json.loads(
            run_command("chat", "search", query, "--json", environment=environment).stdout
        )
        if found["total"]:
            return found
    raise AssertionError(f"{query} was never found")


async def test_welcome_accounts_are_printed_and_the_text_is_there(tmp_path: Path) -> None:
    """`run` prints the address and two accounts, which see the welcome channel; again on the second start."""
    async with welcome_chat(tmp_path) as (process, me):
        printed = process.log.read_text()
        assert process.url in printed
        assert me["NOTTERMOST_CLIENT_PASSWORD"] in printed
        assert "Welcome to Nottermost" in run_command("chat", "tail", "#welcome", "--no-follow", environment=me).stdout
        await process.restart()
        assert process.log.read_text().count(me["NOTTERMOST_CLIENT_PASSWORD"]) == 2


async def test_errors_are_one_sentence(tmp_path: Path) -> None:
    """A wrong password, an unknown conversation, a folder or port in use: exit 1 and one line that says what to do."""
    async with welcome_chat(tmp_path) as (process, me):
        wrong = run_command("chat", "whoami", environment={**me, "NOTTERMOST_CLIENT_PASSWORD": "wrong password"})
        nowhere = run_command("chat", "say", "#nowhere", "hello", environment=me)
        folder = run_command("chat", "run", "--data", str(process.data), "--port", "0")
        port = run_command("chat", "run", "--data", str(tmp_path / "other"), "--port", str(process.port))
    for refused, words in ((wrong, "password"), (nowhere, "#nowhere"), (folder, "in use"), (port, "--port")):
        assert_refused(refused, words)
    gone = run_command("chat", "whoami", environment=me)
    assert_refused(gone, "nottermost chat run")


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    """A path that is a file, data of a newer version, a setting that does not exist: one sentence and exit 1."""
    (tmp_path / "file").write_text("")
    assert_refused(run_command("chat", "run", "--data", str(tmp_path / "file"), "--port", "0"), "data folder")
    newer = tmp_path / "newer"
    newer.mkdir()
    with sqlite3.connect(newer / "store.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert_refused(run_command("chat", "run", "--data", str(newer), "--port", "0"), "newer Nottermost")
    unknown = run_command("chat", "run", "--data", str(tmp_path / "new"), environment={"NOTTERMOST_NO_SUCH": "1"})
    assert_refused(unknown, "no_such")


def test_stale_documents_are_noticed(tmp_path: Path) -> None:
    """`docs --check` exits 3 and names what is missing or edited by hand, and 0 after `docs`."""
    assert run_command("chat", "docs", "--folder", str(tmp_path)).returncode == ExitCode.DONE
    assert run_command("chat", "docs", "--folder", str(tmp_path), "--check").returncode == ExitCode.DONE
    (tmp_path / "protocol.md").write_text("by hand")
    (tmp_path / "schemas" / "client-gone.json").write_text("{}")
    stale = run_command("chat", "docs", "--folder", str(tmp_path), "--check")
    assert stale.returncode == ExitCode.SAYS_NO
    assert "protocol.md" in stale.stderr
    assert "client-gone.json" in stale.stderr


@pytest.mark.parametrize("arguments", [("chat", "no-such-command"), ("chat", "say"), ("chat", "run", "--port", "many")])
def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    """What the shell got wrong is told apart from what went wrong."""
    assert run_command(*arguments).returncode == ExitCode.USAGE


def assert_refused(result: subprocess.CompletedProcess[str], words: str) -> None:
    assert result.returncode == ExitCode.FAILED, result
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("nottermost: "), result.stderr
    assert words in last
    assert "Traceback" not in result.stderr
