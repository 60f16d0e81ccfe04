"""The real servers that tests use: each started once for a whole run, on a free port, by the first test that asks.

All processes of a run share a folder, which the environment names to the workers; a lock in it lets one of them start
a server while the others wait. The process that made the folder ends the servers, also after Ctrl+C and SIGTERM; what a
killed run left is ended by the next one.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from nottermost_chat.stack.cluster import STATE_FILE, Options
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.stack.servers import SERVERS

FOLDER_VARIABLE: Final = "CHAT_TEST_SERVERS"  # no setting of the chat, which refuses names that it does not know
PREFIX: Final = "nottermost-servers-"
OPTIONS: Final = Options(scratch=True, free_ports=True, port=0)
WARM_S: Final = 30.0
CLUSTER: Final = "cluster"  # below the run's folder: a whole cluster with servers of its own (testing.cluster)
_OWNED: Final = pytest.StashKey[Path]()


@dataclass(frozen=True, slots=True)
class Address:
    """A server on this machine."""

    port: int
    host: str = "127.0.0.1"

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


def claim_servers(config: pytest.Config) -> None:
    """Make the run's folder, unless the process that started this one did."""
    if FOLDER_VARIABLE in os.environ:
        return
    _sweep()
    folder = make_folder(f"{PREFIX}{os.getpid()}-")
    os.environ[FOLDER_VARIABLE] = str(folder)
    config.stash[_OWNED] = folder
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled CI job ends as Ctrl+C does


def start_server(name: str, request: pytest.FixtureRequest) -> Address:
    """Where the server is. The first call also starts what other tests of this run ask for, side by side.

    Raises: StartError that says what to do when the servers were not fetched.
    """
    stack = Stack(Path(os.environ[FOLDER_VARIABLE]))
    asked = {fixture for item in request.session.items for fixture in getattr(item, "fixturenames", ())}
    stack.up(OPTIONS, only=[name, *sorted(asked & SERVERS.keys())])
    address = Address(stack.port(name))
    if name == "kafka":
        _warm_kafka(stack.folder, address)
    return address


def end_servers(config: pytest.Config) -> None:
    """End them and remove all they left, if this process made the folder."""
    if (folder := config.stash.get(_OWNED, None)) is not None:
        os.environ.pop(FOLDER_VARIABLE, None)
        _end(folder)


def make_folder(prefix: str) -> Path:
    """A folder that PostgreSQL may enter when root runs the tests: pytest's own are closed to all others.

    In a run it lies below the run's own, so that a cluster in it ends with the run at the latest.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get(FOLDER_VARIABLE)))
    folder.chmod(0o711)
    return folder


def _warm_kafka(folder: Path, address: Address) -> None:
    """Once a run: a broker's first record, first producer id and first group take seconds, later ones milliseconds."""
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    with (folder / ".warm").open("a+") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        if marker.tell():
            return
        config: dict[str, str | int | float | bool] = {"bootstrap.servers": address.authority}
        admin, topic = AdminClient(config), "warm"
        admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(WARM_S)
        producer = Producer(config | {"enable.idempotence": "true"})
        producer.produce(topic, b"warm")
        producer.flush(WARM_S)
        consumer = Consumer(config | {"group.id": topic, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        consumer.consume(1, timeout=WARM_S)
        consumer.close()
        admin.delete_topics([topic])[topic].result(WARM_S)
        marker.write("done")


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another run sweeps too
            if pid.isdecimal() and not psutil.pid_exists(int(pid)) and folder.stat().st_uid == os.geteuid():
                _end(folder)


def _end(folder: Path) -> None:
    for state in (*folder.glob(f"*/{STATE_FILE}"), folder / STATE_FILE):
        Stack(state.parent).down(volumes=True)
    shutil.rmtree(folder, ignore_errors=True)
