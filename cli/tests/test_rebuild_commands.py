"""`nottermost chat reindex` and `replay` over a data folder; their work itself is tested with the chat."""

import json
import os
import subprocess
import sys
from pathlib import Path

from nottermost_chat.testing.process import running_process
from nottermost_conventions import ExitCode

NOTTERMOST = str(Path(sys.executable).with_name("nottermost"))
WITHIN_S = 60


def call(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the folder to its end."""
    command, environment = [NOTTERMOST, "chat", *arguments], os.environ | {"NOTTERMOST_DATA": str(data)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False)


async def test_a_folder_is_rebuilt_once_its_chat_has_stopped(tmp_path: Path) -> None:
    """While it runs the commands say so; afterwards they count what they did, on stdout alone."""
    async with running_process(tmp_path, command=(NOTTERMOST, "chat", "run")) as process:
        busy = call(process.data, "reindex")
        assert busy.returncode == ExitCode.FAILED
        assert "in use by another process: stop it first" in busy.stderr
        await process.stop()
    done = json.loads(call(process.data, "reindex", "--json").stdout)
    assert done["messages"] > 0
    said = call(process.data, "reindex").stdout
    assert said == f"{done['messages']:,} messages of {done['conversations']:,} conversations indexed\n"
    replayed = json.loads(call(process.data, "replay", "--since", "1h", "--group", "projector", "--json").stdout)
    assert replayed["records"] > done["messages"]
    assert replayed["refused"] == 0


def test_nobody_is_told_twice(tmp_path: Path) -> None:
    """The notifier's part is refused before anything is opened."""
    refused = call(tmp_path / "data", "replay", "--since", "1h", "--group", "notifier")
    assert refused.returncode == ExitCode.FAILED
    assert "people would be told again" in refused.stderr
    assert not (tmp_path / "data").exists()
