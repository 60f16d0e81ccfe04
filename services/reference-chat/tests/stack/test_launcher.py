"""Real processes: started, killed, brought back, ended; nothing half started, nothing left."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_client

from nottermost_chat.errors import NotFound, StartError
from nottermost_chat.stack.artifacts import Artifacts
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack, check_memory, check_ports
from nottermost_chat.stack.ports import find_free, is_free
from nottermost_chat.stack.process import Running
from nottermost_chat.stack.status import Condition

SCRATCH = Options(scratch=True, free_ports=True, port=0)
KEPT = Options(free_ports=True, port=0)
KILLED = 10
MANY_THREADS = """
import socket, sys, threading
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(300):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


def processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [" ".join(words) for words in found if any(str(folder) in word for word in words)]


def conditions(stack: Stack) -> dict[str, Condition]:
    return {unit.name: unit.condition for unit in stack.status().units}


def test_up_kill_up_down(folder: Path) -> None:
    """What was killed is told, and brought back alone; down ends all and leaves the data, or not even these."""
    stack = Stack(folder)
    assert sorted(stack.up(SCRATCH, only=["redis", "postgres"])) == ["postgres", "redis"]
    assert stack.up(only=["redis", "postgres"]) == []
    before = {unit.name: unit.pid for unit in stack.status().units}
    assert stack.kill("redis") == ["redis"]
    assert not stack.runs("redis")
    assert conditions(stack) == {"redis": Condition.ENDED, "postgres": Condition.READY}
    assert not stack.status().ready
    with pytest.raises(NotFound, match="redis does not run"):
        stack.kill("redis")
    assert stack.up(only=["redis", "postgres"]) == ["redis"]
    after = {unit.name: unit.pid for unit in stack.status().units}
    assert after["postgres"] == before["postgres"]
    assert after["redis"] != before["redis"]
    status = stack.status()
    assert status.ready
    assert 10 < status.memory_mib < 1000
    assert sorted(stack.down()) == ["postgres", "redis"]
    assert stack.down() == []
    assert (folder / "postgres" / "data").is_dir()
    assert processes_in(folder) == []
    stack.down(volumes=True)
    assert not folder.exists()


def test_a_frozen_process_is_told_from_a_dead_one(folder: Path) -> None:
    """SIGSTOP and SIGCONT; an end in order reaches it even while it is frozen."""
    stack = Stack(folder)
    stack.up(SCRATCH, only=["redis", "postgres"])
    stack.kill("postgres", signal.SIGSTOP)
    stack.kill("redis", signal.SIGSTOP)
    assert set(conditions(stack).values()) == {Condition.FROZEN}
    stack.kill("redis", signal.SIGCONT)
    assert conditions(stack) == {"redis": Condition.READY, "postgres": Condition.FROZEN}
    assert sorted(stack.down()) == ["postgres", "redis"]
    assert processes_in(folder) == []


def test_what_was_committed_outlives_a_kill(folder: Path) -> None:
    """The database of a cluster that keeps its data asks for the password, and has it all after SIGKILL."""
    stack = Stack(folder)
    stack.up(KEPT, only=["postgres"])
    environment = stack.environment()
    server = f"host=127.0.0.1 port={stack.port('postgres')} user=chat dbname=chat"
    login = f"{server} password={environment['NOTTERMOST_DATABASE_PASSWORD']}"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server, connect_timeout=10)
    with psycopg.connect(login, autocommit=True) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    stack.restart("postgres")
    with psycopg.connect(login, autocommit=True) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    segment = (folder / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
    stack.kill("postgres")
    stack.down()
    listed = subprocess.run(["ipcs", "-m"], capture_output=True, text=True, check=True).stdout
    assert segment not in {line.split()[1] for line in listed.splitlines() if len(line.split()) > 1}


def test_it_stays_up_when_the_program_that_started_it_ends(folder: Path) -> None:
    """Another program finds it by the folder."""
    program = (
        "import sys; from pathlib import Path; from nottermost_chat.stack.cluster import Options;"
        "from nottermost_chat.stack.launcher import Stack;"
        "Stack(Path(sys.argv[1])).up(Options(scratch=True, free_ports=True, port=0), only=['redis'])"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(folder)], check=True, timeout=60)
    stack = Stack(folder)
    assert conditions(stack) == {"redis": Condition.READY}
    with redis_client.Redis(port=stack.port("redis")) as client:
        assert client.ping()


def test_a_port_that_is_taken_is_told_with_its_owner(folder: Path) -> None:
    """And nothing is started, also not what could be."""
    stack = Stack(folder)
    stack.up(SCRATCH, only=["redis"])
    port = stack.port("redis")
    stack.down()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(StartError, match=rf"port {port} for redis is taken by .*process {os.getpid()}\): end it"):
            stack.up(only=["redis", "postgres"])
        assert processes_in(folder) == []
    assert stack.up(only=["redis"]) == ["redis"]


def test_nothing_half_started_stays(folder: Path) -> None:
    """One of two cannot start: the other one is ended again, what ran before goes on."""
    stack = Stack(folder)
    stack.up(SCRATCH, only=["redis"])
    (folder / "postgres").mkdir()
    (folder / "postgres" / ".made").touch()  # so it takes its data for made, and finds none
    with pytest.raises(StartError, match=r"postgres ended while it started:\n.*data"):
        stack.up(only=["postgres", "toxiproxy", "redis"])
    assert conditions(stack) == {"redis": Condition.READY}
    assert all("redis" in line for line in processes_in(folder))


def test_a_missing_cache_is_told(folder: Path, tmp_path: Path) -> None:
    """The sentence names the command; no server is left running."""
    stack = Stack(folder, Artifacts(tmp_path))
    with pytest.raises(StartError, match="run `make servers`"):
        stack.up(SCRATCH, only=["redis", "kafka"])
    assert processes_in(folder) == []


def test_two_at_a_time_start_one(folder: Path) -> None:
    """The second waits for the first and finds its server."""
    started: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: started.append(Stack(folder).up(SCRATCH, only=["redis"]))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(started) == [[], ["redis"]]


def test_a_reused_id_is_not_our_process() -> None:
    """The id of a process that ended may be another one's now: the start time tells."""
    ours = psutil.Process()
    assert Running(ours.pid, ours.create_time()).find() is not None
    assert Running(ours.pid, ours.create_time() - 60).find() is None


def test_what_was_killed_has_given_up_its_port() -> None:
    """Also when its first thread is gone before the many others, which hold the port as well."""
    for _ in range(KILLED):
        port = find_free(set())
        process = subprocess.Popen([sys.executable, "-c", MANY_THREADS, str(port)], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            assert process.stdout.readline()
            Running(process.pid, psutil.Process(process.pid).create_time()).send(signal.SIGKILL)
            assert is_free(port)


def test_what_cannot_change_while_it_runs(folder: Path) -> None:
    """Another port would leave processes behind that nobody knows."""
    stack = Stack(folder)
    stack.up(SCRATCH, only=["redis"])
    other = Options(scratch=True, free_ports=True, port=find_free(set()))
    with pytest.raises(StartError, match=r"port cannot change while it runs: .*down"):
        stack.up(other, only=["redis"])
    stack.down()
    assert stack.up(other, only=["redis"]) == ["redis"]


def test_too_little_memory_is_told(folder: Path) -> None:
    """Before anything is started."""
    stack = Stack(folder)
    stack.up(SCRATCH, only=["redis"])
    unit = stack.describe("redis")
    check_ports([])
    with pytest.raises(StartError, match=r"need about \d+ MiB of memory and \d+ MiB are free"):
        check_memory([unit] * 1_000_000)


def test_there_is_no_cluster_until_one_is_started(folder: Path) -> None:
    """Asking makes nothing."""
    with pytest.raises(NotFound, match="`nottermost stack up` makes one"):
        Stack(folder / "none").status()
    assert not (folder / "none").exists()


def test_secrets_and_state_are_private(folder: Path) -> None:
    """Nobody else may read passwords and keys."""
    stack = Stack(folder)
    stack.up(KEPT, only=["redis", "postgres"])
    for name in ("secrets.json", "stack.json", "postgres/password"):
        assert (folder / name).stat().st_mode & 0o077 == 0, name
