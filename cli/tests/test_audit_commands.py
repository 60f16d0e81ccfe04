"""`nottermost chat audit`, `counts` and `dead-letters` over a data folder; what they show is tested with the chat."""

import json
from pathlib import Path

import httpx
import pytest

from nottermost_chat.actions.conversations import create_group
from nottermost_chat.adapters.sqlite_store import SqliteStore
from nottermost_chat.bootstrap import open_services
from nottermost_chat.settings import Settings
from nottermost_chat.testing.process import running_process
from nottermost_cli.testing import NOTTERMOST, run_on
from nottermost_conventions import ExitCode


async def test_the_log_is_read_while_the_chat_runs(tmp_path: Path) -> None:
    """A refused log-in is found by its action; that it was looked for is in the log the next time."""
    async with running_process(tmp_path, command=(NOTTERMOST, "chat", "run")) as process:
        async with httpx.AsyncClient(base_url=process.url) as http:
            wrong = {"email": "nobody@example.org", "password": "wrong horse battery"}
            assert (await http.post("/api/users/auth/login", json=wrong)).status_code == 401
        found = json.loads(run_on(process.data, "audit", "--action", "session.refused", "--json").stdout)
        assert [row["action"] for row in found["rows"]] == ["session.refused"]
        assert "nobody" not in json.dumps(found)
        lines = run_on(process.data, "audit", "--since", "1h", "--limit", "2").stdout.splitlines()
        assert "audit.read by operator" in lines[0]
        assert "audit.read by operator" in lines[1]
        assert json.loads(run_on(process.data, "counts", "--json").stdout) == {"days": []}
        await process.stop()


@pytest.mark.parametrize("command", [("audit",), ("counts",)])
def test_a_folder_without_a_chat(tmp_path: Path, command: tuple[str, ...]) -> None:
    """One sentence, and nothing is made."""
    refused = run_on(tmp_path / "data", *command)
    assert refused.returncode == ExitCode.FAILED
    assert "there is no chat in" in refused.stderr
    assert not (tmp_path / "data").exists()


async def test_what_was_set_aside_is_tried_again(tmp_path: Path) -> None:
    """Records of a consumer and jobs of a queue: listed with the reason, taken, gone; and that is noted."""
    async with open_services(Settings(data=tmp_path)) as services:
        ann = (await services.directory.accounts.create_user(username="ann")).user_id
        place = await create_group(services, ann, "G", [])
        assert isinstance(services.store, SqliteStore)
        await services.store.commit_position("indexer", 1, [(1, "refused three times: ValueError")])
        await services.queues.webhook.put([b"{}"])
        (job,) = await services.queues.webhook.take(1, 1)
        await services.queues.webhook.bury(job, "gone for good")
    listed = json.loads(run_on(tmp_path, "dead-letters", "list", "--group", "indexer", "--json").stdout)
    entry = {"reason": "refused three times: ValueError", "entry": f"{place}:1:1", "kind": "membership"}
    assert listed == {"letters": [entry]}
    assert run_on(tmp_path, "dead-letters", "list", "--group", "webhook-jobs").stdout.endswith(" job: gone for good\n")
    for group in ("indexer", "webhook-jobs"):
        assert run_on(tmp_path, "dead-letters", "redrive", "--group", group).stdout == "1 taken\n"
    assert json.loads(run_on(tmp_path, "dead-letters", "redrive", "--group", "indexer", "--json").stdout) == {
        "taken": 0
    }
    noted = json.loads(run_on(tmp_path, "audit", "--action", "dead_letters.redriven", "--json").stdout)["rows"]
    assert [row["subject_id"] for row in noted] == ["indexer", "webhook-jobs", "indexer"]


def test_a_group_that_there_is_not(tmp_path: Path) -> None:
    refused = run_on(tmp_path / "data", "dead-letters", "list", "--group", "everybody")
    assert refused.returncode == ExitCode.FAILED
    assert "choose one of projector, indexer" in refused.stderr
