"""`nottermost chat reindex` and `replay` over a data folder; their work itself is tested with the chat."""

import json
from pathlib import Path

from nottermost_chat.testing.process import running_process
from nottermost_cli.testing import NOTTERMOST, run_on
from nottermost_conventions import ExitCode


async def test_a_folder_is_rebuilt_once_its_chat_has_stopped(tmp_path: Path) -> None:
    """While it runs the commands say so; afterwards they count what they did, on stdout alone."""
    async with running_process(tmp_path, command=(NOTTERMOST, "chat", "run")) as process:
        busy = run_on(process.data, "reindex")
        assert busy.returncode == ExitCode.FAILED
        assert "in use by another process: stop it first" in busy.stderr
        await process.stop()
    done = json.loads(run_on(process.data, "reindex", "--json").stdout)
    assert done["messages"] > 0
    said = run_on(process.data, "reindex").stdout
    assert said == f"{done['messages']:,} messages of {done['conversations']:,} conversations indexed\n"
    replayed = json.loads(run_on(process.data, "replay", "--since", "1h", "--group", "projector", "--json").stdout)
    assert replayed["records"] > done["messages"]
    assert replayed["refused"] == 0


def test_nobody_is_told_twice(tmp_path: Path) -> None:
    """The notifier's part is refused before anything is opened."""
    refused = run_on(tmp_path / "data", "replay", "--since", "1h", "--group", "notifier")
    assert refused.returncode == ExitCode.FAILED
    assert "people would be told again" in refused.stderr
    assert not (tmp_path / "data").exists()
