"""The clusters that faults need: each a running stack with fsync on, unless somebody else's is used."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import psutil

from nottermost_chat import backends
from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.model import LARGE_FROM, Role
from nottermost_chat.settings import Store, load_secrets, load_settings
from nottermost_chat.stack.artifacts import find_postgres, find_program
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launch import Launch, Unit
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.stack.ports import find_free
from nottermost_chat.stack.probes import HOST, postgres_probe, redis_probe
from nottermost_chat.stack.process import Running, end_all, start_units
from nottermost_chat.stack.servers import DATABASE_USER, POSTGRES_ACCOUNT
from nottermost_chat.testing.chaos.toxiproxy import Toxiproxy
from nottermost_chat.testing.cluster import ALL, UNLIMITED
from nottermost_chat.testing.servers import make_folder

START_S: Final = 60.0
PREFIX: Final = "nottermost-chaos-"
DISK_MIB: Final = 400
HEAL_TRIES: Final = 4
HEAL_AGAIN_S: Final = 5.0
CLOCKED: Final = ("ingest2", "gateway2", "keeper1")  # their clocks can be set while they run


class Layout(StrEnum):
    """Which cluster."""

    PLAIN = "plain"
    TABLES = "tables"  # DynamoDB Local on disk
    BROKERS = "brokers"  # three of them
    LINKS = "links"  # between the processes Toxiproxy
    STANDBYS = "standbys"  # of PostgreSQL and Redis
    SMALL_DISK = "small disk"  # under PostgreSQL


@dataclass(kw_only=True)
class Site:
    """A running cluster.

    Attributes:
        crowd: users who make a channel a large one.
        toxiproxy: where links pass through it.
        standbys: further servers, by name: what runs, and its port.
        disk: the folder of a file system that can be filled.
        retired: servers that stay away, because others have taken their place.
    """

    stack: Stack
    store: Store
    crowd: list[str] = field(default_factory=list)
    toxiproxy: Toxiproxy | None = None
    standbys: dict[str, tuple[Running, int]] = field(default_factory=dict)
    disk: Path | None = None
    retired: set[str] = field(default_factory=set)

    @property
    def links(self) -> Toxiproxy:
        assert self.toxiproxy is not None, "this fault needs links that pass through Toxiproxy"
        return self.toxiproxy

    def heal(self) -> None:
        """Bring back what does not run. Raises: StartError."""
        for again in reversed(range(HEAL_TRIES)):
            try:
                self.stack.up(only=self._wanted())
            except StartError:  # what was away has not kept its port from others
                if not again:
                    raise
                time.sleep(HEAL_AGAIN_S)
            else:
                return

    def _wanted(self) -> list[str]:
        if not self.retired:
            return list(ALL)
        return [unit.name for unit in self.stack.status().units if unit.name not in self.retired]

    def tell(self, name: str, **settings: str) -> None:
        """From its next start on a role is told this, and nothing that it was told here before."""
        options = self.stack.options()
        changed = options.settings | {name: settings}
        self.stack.up(msgspec.structs.replace(options, settings=changed), only=[name])

    def set_clock(self, name: str, *, ahead_s: float) -> None:
        """One of CLOCKED is told another time of day while it runs."""
        file = _clock_file(self.stack.folder, name)
        new = file.with_suffix(".new")
        new.write_text(str(ahead_s))
        new.replace(file)  # it is read at any moment

    def conninfo(self, port: int) -> str:
        """Of a PostgreSQL server, for a superuser."""
        password = self.stack.environment()["NOTTERMOST_DATABASE_PASSWORD"]
        return f"host={HOST} port={port} user={DATABASE_USER} dbname=postgres password={password} connect_timeout=5"


@contextmanager
def running_site(layout: Layout) -> Iterator[Site]:
    """Start it in a folder of its own; nothing of it stays, also of one whose run was killed."""
    _sweep()
    folder = make_folder(f"{PREFIX}{os.getpid()}-")
    try:
        with _running(layout, folder) as site:
            yield site
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)) and folder.stat().st_uid == os.geteuid():
            Stack(folder).down(volumes=True)
            _unmount(folder / "postgres")
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(layout: Layout, folder: Path) -> Iterator[Site]:
    store = Store.DYNAMODB if layout is Layout.TABLES else Store.POSTGRES
    options = Options(
        store=store, free_ports=True, port=0, kafka_nodes=3 if layout is Layout.BROKERS else 1,
        settings={"": UNLIMITED, **{name: {"CLOCK_FILE": str(_clock_file(folder, name))} for name in CLOCKED}},
    )  # fmt: skip
    site = Site(stack=Stack(folder), store=store)
    with ExitStack() as cleanup:
        if layout is Layout.SMALL_DISK:
            site.disk = cleanup.enter_context(_small_disk(folder))
        cleanup.callback(site.stack.down, volumes=True)
        match layout:
            case Layout.LINKS:
                options = _lay_links(site, options, cleanup)
            case Layout.STANDBYS:
                options = _add_standbys(site, options, cleanup)
            case _:
                pass
        site.stack.up(options, only=ALL)
        yield site


async def make_crowd(site: Site) -> None:
    """Enough accounts to make a channel a large one, without passwords."""
    async with _directory(site) as directory:
        for _ in range(LARGE_FROM):
            user = await directory.accounts.create_user(username=f"silent-{Clock().new_id().lower()}")
            site.crowd.append(user.user_id)


async def enlist_crowd(site: Site, workspace_id: str) -> list[str]:
    """Make them members of a workspace; returns their ids."""
    if site.crowd:
        async with _directory(site) as directory:
            await directory.workspaces.add_members(workspace_id, site.crowd, Role.MEMBER)
    return site.crowd


@asynccontextmanager
async def _directory(site: Site) -> AsyncIterator[Directory]:
    environment = site.stack.environment()
    settings, secrets = load_settings(environment), load_secrets(environment)
    server = backends.database_server(settings, secrets)
    async with backends.closing(await Directory.open(server, Clock(), Metrics())) as directory:
        yield directory


def _clock_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.clock"


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    for _ in range(count):
        ports.append(find_free(set(ports)))
    return ports


def _lay_links(site: Site, options: Options, cleanup: ExitStack) -> Options:
    """All reach Redis through Toxiproxy, gateways also ingests and fan-outs, ingests Kafka and PostgreSQL.

    Of two fan-outs the first one reaches Kafka through it, by a listener of its own.
    """
    stack = site.stack
    stack.up(options, only=["servers", "toxiproxy", "ingest"])
    kafka, behind_kafka, log, behind_log, postgres, redis, ingest1, ingest2, fanout1, fanout2 = _free_ports(10)
    site.toxiproxy = proxy = Toxiproxy(f"http://{HOST}:{stack.port('toxiproxy')}")
    cleanup.callback(proxy.close)
    proxy.add("kafka", kafka, behind_kafka)
    proxy.add("postgres", postgres, stack.port("postgres"))
    proxy.add("redis", redis, stack.port("redis"))
    proxy.add("ingest1", ingest1, stack.port("ingest1"))
    proxy.add("ingest2", ingest2, stack.port("ingest2"))
    proxy.add("fanout1", fanout1, stack.port("fanout1"))
    proxy.add("fanout2", fanout2, stack.port("fanout2"))
    proxy.add("kafka-of-fanout1", log, behind_log)
    controller = stack.port("kafka", "controller")
    settings = {
        "": UNLIMITED | {"CACHE_HOST": f"{HOST}:{redis}"},
        "gateway": {
            "INGEST": f"{HOST}:{ingest1},{HOST}:{ingest2}",
            "FANOUT": f"{HOST}:{fanout1},{HOST}:{fanout2}",
        },
        "fanout1": {"BROKERS": f"{HOST}:{log}"},
        "ingest": {"BROKERS": f"{HOST}:{kafka}", "DATABASE_HOST": f"{HOST}:{postgres}"},
        "kafka": _listeners(
            {
                "PLAINTEXT": (stack.port("kafka"), stack.port("kafka")),
                "CONTROLLER": (controller, controller),
                "INGEST": (behind_kafka, kafka),
                "FANOUT": (behind_log, log),
            }
        ),
    }
    for name in ("kafka", "ingest"):
        stack.kill(name)
    return msgspec.structs.replace(options, settings=settings)


def _listeners(ports: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Kafka's properties. `ports`: name -> where it listens, and where who comes in there is told to come back."""
    return {
        "listeners": ",".join(f"{name}://{HOST}:{own}" for name, (own, _) in ports.items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{told}" for name, (_, told) in ports.items()),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ports),
    }


def _add_standbys(site: Site, options: Options, cleanup: ExitStack) -> Options:
    """A PostgreSQL that takes over without losing anything acknowledged, and a Redis behind a name that can move."""
    import psycopg

    stack = site.stack
    stack.up(options, only=["servers", "toxiproxy"])
    primary, redis = stack.port("postgres"), stack.port("redis")
    standby, replica, name = _free_ports(3)
    units = [_standby_unit(site, primary, standby), _replica_unit(stack.folder, redis, replica)]

    def started(unit: Unit, running: Running) -> None:
        site.standbys[unit.name] = (running, unit.port)
        cleanup.callback(end_all, [(running, unit.stop)], 10.0)

    start_units(units, stack.folder / "logs", started)
    with psycopg.connect(site.conninfo(primary), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")  # what is acknowledged is on both
        connection.execute("SELECT pg_reload_conf()")
    site.toxiproxy = proxy = Toxiproxy(f"http://{HOST}:{stack.port('toxiproxy')}")
    cleanup.callback(proxy.close)
    proxy.add("redis", name, redis)
    hosts = {"DATABASE_HOST": f"{HOST}:{primary},{HOST}:{standby}", "CACHE_HOST": f"{HOST}:{name}"}
    return msgspec.structs.replace(options, settings={"": UNLIMITED | hosts})


def _standby_unit(site: Site, primary: int, port: int) -> Unit:
    folder = site.stack.folder / "standby"
    data = str(folder / "data")
    copy = (str(find_postgres("pg_basebackup")), "-D", data, "-R", "-c", "fast", "-d", site.conninfo(primary))
    options = ("-c", f"port={port}", "-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=")
    served = ("-c", "max_connections=200", "-c", "wal_level=logical")  # not below the primary's
    launch = Launch(
        command=(
            str(find_postgres("postgres")),
            "-D",
            data,
            *options,
            *served,
            "-c",
            "dynamic_shared_memory_type=mmap",
        ),
        once=(copy,),
        user=POSTGRES_ACCOUNT,
    )
    return Unit(
        name="standby", folder=folder, ports={"client": port}, launch=launch, probe=postgres_probe(port),
        start_s=START_S, memory_mib=400,
    )  # fmt: skip


def _replica_unit(folder: Path, primary: int, port: int) -> Unit:
    server = str(find_program("redis-server", package="redis-server"))
    command = (server, "--port", str(port), "--bind", HOST, "--save", "", "--replicaof", HOST, str(primary))
    return Unit(
        name="replica", folder=folder / "replica", ports={"client": port}, launch=Launch(command=command),
        probe=redis_probe(port), start_s=START_S, memory_mib=100,
    )  # fmt: skip


def _unmount(place: Path) -> None:
    if place.is_mount():
        subprocess.run(["umount", "--lazy", str(place)], check=False, timeout=60)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A file system in a file under PostgreSQL's folder. Raises: OSError, CalledProcessError unless root may mount."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    image, place = folder / "disk.img", folder / "postgres"
    place.mkdir(mode=0o700)
    try:
        with image.open("wb") as file:
            file.truncate(DISK_MIB * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, timeout=60)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, timeout=60)
        try:
            yield place
        finally:
            _unmount(place)
    finally:
        image.unlink(missing_ok=True)
        with suppress(OSError):
            place.rmdir()
