"""One cluster: what belongs to it, where everything is, and what each of its processes is started with."""

import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from nottermost_chat.errors import NotFound, StartError
from nottermost_chat.private_file import write_private_file
from nottermost_chat.settings import PREFIX, Store
from nottermost_chat.stack.artifacts import Artifacts
from nottermost_chat.stack.haproxy import Backend, Balancer
from nottermost_chat.stack.keys import KEYS_FILE, Keys
from nottermost_chat.stack.launch import Launch, Unit
from nottermost_chat.stack.ports import find_free
from nottermost_chat.stack.probes import HOST, http_probe
from nottermost_chat.stack.process import Running
from nottermost_chat.stack.roles import ROLES, SLOTS, Role, Serves
from nottermost_chat.stack.servers import (
    ACCOUNT,
    AWS_ACCOUNT,
    DATABASE,
    DATABASE_USER,
    SCRATCH_USER,
    SERVERS,
    Place,
)
from nottermost_conventions import ExitCode

STATE_FILE: Final = "stack.json"
LOCK_FILE: Final = ".lock"
LOGS: Final = "logs"
SHARED: Final = "chat"  # what `chat setup` keeps
BALANCER: Final = "haproxy"
KAFKA: Final = "kafka"
ON_DEMAND: Final = {"toxiproxy"}  # started only when it is named
ROLE_START_S: Final = 60.0  # Python and its imports take 2 s alone, twelve at once on two cores 20 s
DRAIN_S: Final = 10  # a laptop's people need no minute to move
FILES_BUCKET: Final = "nottermost-files"
ARCHIVE_BUCKET: Final = "nottermost-archive"
PUSH_QUEUE: Final = "nottermost-push"
WEBHOOK_QUEUE: Final = "nottermost-webhooks"


class BadOption(StartError):
    """An option names what there is not."""

    exit_code = ExitCode.USAGE


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may differ from cluster to cluster.

    Attributes:
        port: of the load balancer; 0: a free one.
        scale: role -> how many, where it is not the usual number.
        origin: of a page that is served elsewhere and may call us; "": none.
        scratch: for tests: nothing has to outlive the processes. A server that is killed comes back empty or, like
            PostgreSQL without full_page_writes, perhaps not at all.
        free_ports: any free ones instead of the usual, for a second cluster on the machine.
        settings: for tests: what processes are told beyond the usual. "" (every role), a kind or a unit -> name ->
            value, without the prefix; the last of these counts. Kafka takes them as properties.
    """

    store: Store = Store.DYNAMODB
    port: int = 3000
    scale: dict[str, int] = {}
    kafka_nodes: int = 1
    origin: str = ""
    scratch: bool = False
    free_ports: bool = False
    settings: dict[str, dict[str, str]] = {}


class State(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is known about a cluster between two commands.

    Attributes:
        ports: unit -> its ports by what they are for.
        processes: unit -> what was started for it last; it may have ended since.
        set_up: schema, tables, topics, buckets, queues and index are there.
    """

    options: Options
    ports: dict[str, dict[str, int]] = {}
    processes: dict[str, Running] = {}
    set_up: bool = False


class Cluster:
    """The description applied to one folder."""

    def __init__(self, folder: Path, state: State, keys: Keys, artifacts: Artifacts, command: tuple[str, ...]) -> None:
        """`command`: starts `nottermost`."""
        self.folder, self.state, self._keys, self._artifacts, self._command = folder, state, keys, artifacts, command

    def save(self) -> None:
        write_private_file(self.folder / STATE_FILE, msgspec.json.encode(self.state))

    def remove(self) -> None:
        """Delete what a cluster keeps in its folder; what else is in there stays, and so does the folder then."""
        for name in (*self.state.ports, LOGS, SHARED):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in (STATE_FILE, KEYS_FILE, LOCK_FILE):
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    @property
    def servers(self) -> list[str]:
        """All servers but the load balancer and what is started on demand."""
        without = ON_DEMAND | {BALANCER} | ({"dynamodb"} if self.state.options.store is not Store.DYNAMODB else set())
        return [name for kind in SERVERS if kind not in without for name in self._instances(kind)]

    @property
    def roles(self) -> list[str]:
        return [name for kind in ROLES for name in self._instances(kind)]

    @property
    def names(self) -> list[str]:
        """All that `up` starts."""
        return [*self.servers, *self.roles, BALANCER]

    def resolve(self, names: Iterable[str]) -> list[str]:
        """Names of units for `servers`, `roles`, a kind (`gateway`) or a unit (`gateway2`). Raises: NotFound."""
        groups = {"servers": self.servers, "roles": self.roles}
        found: list[str] = []
        for name in names:
            if name in groups:
                found += groups[name]
            elif name in SERVERS or name in ROLES:
                found += self._instances(name)
            elif name in self.names:
                found.append(name)
            else:
                known = ", ".join([*groups, *SERVERS, *self.roles])
                raise NotFound(f"there is no {name} in this cluster, there are: {known}")
        return list(dict.fromkeys(found))

    def unit(self, name: str) -> Unit:
        """The process of that name, ready to be started."""
        kind, number = _parse_name(name)
        return self._role_unit(name, ROLES[kind]) if kind in ROLES else self._server_unit(name, kind, number)

    def port(self, name: str, use: str = "") -> int:
        """Where a unit listens; `use`: "" is what clients know."""
        ports = self._ports(name)
        return ports[use] if use else next(iter(ports.values()))

    def authority(self, name: str) -> str:
        return f"{HOST}:{self.port(name)}"

    @property
    def url(self) -> str:
        """Where people open the chat."""
        return f"http://{self.authority(BALANCER)}"

    def environment(self) -> dict[str, str]:
        """What every role is told: where everything is. Holds secrets."""
        return {
            **{PREFIX + name: value for name, value in (self._settings() | self._extra("")).items()},
            **{PREFIX + name: value for name, value in self._keys.environment().items()},
            **AWS_ACCOUNT,
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{self.authority('dynamodb')}",
            "AWS_ENDPOINT_URL_S3": f"http://{self.authority('s3')}",
            "AWS_ENDPOINT_URL_SQS": f"http://{self.authority('sqs')}",
        }  # fmt: skip

    def _settings(self) -> dict[str, str]:
        queues = f"http://{self.authority('sqs')}/{ACCOUNT}"
        return {
            "DATA": str(self.folder / SHARED),
            "STORE": self.state.options.store.value,
            "PUBLIC_URL": self.url,
            "TRUSTED_PROXIES": HOST,
            "DRAIN_S": str(DRAIN_S),
            "DATABASE_HOST": self.authority("postgres"),
            "DATABASE_NAME": DATABASE,
            "DATABASE_USER": SCRATCH_USER if self.state.options.scratch else DATABASE_USER,
            "BROKERS": ",".join(self.authority(name) for name in self._instances(KAFKA)),
            "CACHE_HOST": self.authority("redis"),
            "SEARCH_HOST": f"http://{self.authority('opensearch')}",
            "FILES_BUCKET": FILES_BUCKET,
            "ARCHIVE_BUCKET": ARCHIVE_BUCKET,
            "PUSH_QUEUE": f"{queues}/{PUSH_QUEUE}",
            "WEBHOOK_QUEUE": f"{queues}/{WEBHOOK_QUEUE}",
            "INGEST": ",".join(self.authority(name) for name in self._instances("ingest")),
            "FANOUT": ",".join(self.authority(name) for name in self._instances("fanout")),
        }

    def _extra(self, *names: str) -> dict[str, str]:
        """What the options add for these, the last of them counting."""
        return {key: value for name in names for key, value in self.state.options.settings.get(name, {}).items()}

    def setup_unit(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command that makes schema, tables, topics, buckets, queues and index, and its environment."""
        return (*self._command, "chat", "setup"), self.environment()

    def _instances(self, kind: str) -> list[str]:
        """Units of one kind. A server that is alone bears its kind's name, every other one has a number."""
        if kind in ROLES:
            count = self.state.options.scale.get(kind, ROLES[kind].count)
        else:
            count = self.state.options.kafka_nodes if kind == KAFKA else 1
            if count == 1:
                return [kind]
        return [f"{kind}{number}" for number in range(1, count + 1)]

    def _server_unit(self, name: str, kind: str, number: int) -> Unit:
        server, folder, ports = SERVERS[kind], self.folder / name, self._ports(name)
        place = Place(
            folder=folder, ports=ports, artifacts=self._artifacts, scratch=self.state.options.scratch, number=number,
            peers=tuple(self._ports(peer) for peer in self._instances(kind)), password=self._keys.database_password,
            balancer=self._balancer() if kind == BALANCER else None, extra=self._extra(kind, name),
        )  # fmt: skip
        health = ports["health"] if kind == BALANCER else self.port(name)
        return Unit(
            name=name, folder=folder, ports=ports, launch=server.launch(place), probe=server.probe(health),
            start_s=server.start_s, memory_mib=server.memory_mib, stop=server.stop,
        )  # fmt: skip

    def _role_unit(self, name: str, role: Role) -> Unit:
        ports = self._ports(name)
        health = ports.get("metrics", self.port(name))
        own = {"INSTANCE": name, "HOST": HOST, "DATA": str(self.folder / name)}
        if role.serves is not Serves.NOTHING:
            own["PORT"] = str(ports["client"])
        if role.serves is not Serves.HTTP:
            own["METRICS_PORT"] = str(health)
        path = "/healthz" if role.serves is Serves.NOTHING else "/readyz"  # who is called by others has to be able to
        extra = own | self._extra(role.name, name)
        environment = self.environment() | {PREFIX + key: value for key, value in extra.items()}
        return Unit(
            name=name, folder=self.folder / name, ports=ports, probe=http_probe(health, path),
            launch=Launch(command=(*self._command, "chat", "run", "--role", role.name), environment=environment),
            start_s=ROLE_START_S, memory_mib=role.memory_mib,
        )  # fmt: skip

    def _balancer(self) -> Balancer:
        def slots(kind: str) -> tuple[Backend, ...]:
            running = self._instances(kind)
            names = [f"{kind}{number}" for number in range(1, SLOTS + 1)]
            return tuple(Backend(name=name, authority=self.authority(name), enabled=name in running) for name in names)

        return Balancer(
            host=HOST, ports=(self.port(BALANCER),), health_port=self.port(BALANCER, "health"),
            gateways=slots("gateway"), apis=slots("api"), origin=self.state.options.origin,
        )  # fmt: skip

    def _ports(self, name: str) -> Mapping[str, int]:
        if name not in self.state.ports:
            self.state.ports[name] = self._choose_ports(name)
        return self.state.ports[name]

    def _choose_ports(self, name: str) -> dict[str, int]:
        kind, number = _parse_name(name)
        usual = dict(ROLES[kind].usual_ports(number) if kind in ROLES else SERVERS[kind].ports)
        if kind == KAFKA:
            usual = {use: port + 10 * (number - 1) for use, port in usual.items()}
        options = self.state.options
        if kind == BALANCER and options.port != usual["client"]:
            usual = {"client": options.port, "health": options.port + 1 if options.port else 0}
        taken = {port for ports in self.state.ports.values() for port in ports.values()}
        for use, port in usual.items():
            if port == 0 or (options.free_ports and not (kind == BALANCER and options.port)):
                usual[use] = find_free(taken | set(usual.values()))
        return usual


def parse_scale(texts: Iterable[str]) -> dict[str, int]:
    """`gateway=3` and the like. Raises: BadOption."""
    scale: dict[str, int] = {}
    for text in texts:
        name, _, count = text.partition("=")
        if name not in ROLES or not count.isdecimal() or int(count) > SLOTS:
            raise BadOption(f"--scale {text}: say ROLE=NUMBER with one of {', '.join(ROLES)} and 0 to {SLOTS}")
        scale[name] = int(count)
    return scale


def kind_of(name: str) -> str:
    """`gateway` for `gateway2`; the 3 of `s3` is no number."""
    return _parse_name(name)[0]


def _parse_name(name: str) -> tuple[str, int]:
    """`gateway2` is the second gateway; a name without a number is the first of its kind."""
    if name in SERVERS:
        return name, 1
    found = re.fullmatch(r"([a-z]+)(\d+)", name)
    assert found, name
    return found[1], int(found[2])
