"""The one description of the local cluster's servers.

The launcher starts them natively after it, compose.yaml is rendered from it, the fixtures of the tests use the
launcher. All listen on 127.0.0.1 only. In a scratch cluster (tests) nothing has to outlive the servers: no fsync,
memory instead of disk, no passwords.
"""

import base64
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from nottermost_chat.stack.artifacts import Artifacts, find_postgres, find_program
from nottermost_chat.stack.haproxy import Balancer, render_haproxy
from nottermost_chat.stack.launch import Launch
from nottermost_chat.stack.probes import (
    HOST,
    Probe,
    http_alive_probe,
    http_probe,
    kafka_probe,
    postgres_probe,
    redis_probe,
)
from nottermost_conventions.topics import LOG_RETENTION

REGION: Final = "us-east-1"
ACCESS_KEY: Final = "local"  # S3Proxy refuses others; DynamoDB Local and ElasticMQ take any
SECRET_KEY: Final = "localsecret"  # noqa: S105 - of servers that nobody else reaches
AWS_ACCOUNT: Final = {  # what every client of these servers finds in its environment
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,  # the name that botocore reads
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
}
ACCOUNT: Final = "000000000000"
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - inside a container
DATABASE: Final = "chat"
DATABASE_USER: Final = "chat"
SCRATCH_USER: Final = "postgres"
POSTGRES_ACCOUNT: Final = "postgres"  # of the system, made by Debian's package: PostgreSQL refuses root
KAFKA_CLUSTER: Final = base64.urlsafe_b64encode(b"nottermost-kafka").decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one server of one cluster is to run.

    Attributes:
        folder: its own.
        number: which of its kind it is, from 1.
        peers: ports of all of its kind, its own too.
        scratch: nothing has to outlive it.
        password: of the database.
        balancer: what the load balancer has behind it.
        extra: properties beyond the usual, where the server has some (Kafka).
    """

    folder: Path
    ports: Mapping[str, int]
    artifacts: Artifacts
    scratch: bool = False
    number: int = 1
    peers: tuple[Mapping[str, int], ...] = ()
    password: str = ""
    balancer: Balancer | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The same server in a container.

    Attributes:
        build: lines of a Dockerfile that is built instead of pulling `image`, whose base is named there.
        check: what its own health check runs inside.
        port: where it listens inside.
        data: the folder inside that has to outlive it; "": none.
        configs: path inside -> content.
    """

    image: str
    check: str
    port: int
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    data: str = ""
    build: tuple[str, ...] = ()
    configs: Mapping[str, str] | None = None
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One kind of server.

    Attributes:
        version: what was tested; of what the system packages also newer ones do.
        ports: the usual ones, by what they are for; the first is the one that clients know.
        memory_mib: of one process under load, at most: heap and all around it.
        start_s: until it answers, on a machine that is very busy; a quiet one needs a tenth of it.
    """

    name: str
    version: str
    ports: Mapping[str, int]
    memory_mib: int
    start_s: float
    launch: Callable[[Place], Launch]
    probe: Callable[[int], Probe]
    container: Container
    stop: signal.Signals = signal.SIGTERM


def _java(
    place: Place, artifact: str, main: str, *arguments: str, heap_mib: int, options: tuple[str, ...] = ()
) -> Launch:
    """A server on the JVM. Nothing is written outside its folder, also not to /tmp."""
    home = place.artifacts.require(artifact)
    return Launch(
        command=(
            str(find_program("java", package="default-jdk-headless")),
            f"-Xms{heap_mib // 2}m", f"-Xmx{heap_mib}m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=96m", "-Xss512k",
            "-XX:-UsePerfData", f"-Djava.io.tmpdir={place.folder / 'tmp'}", "-XX:+ExitOnOutOfMemoryError",
            *options, "-cp", f"{home / 'classes'}:{home / 'lib'}/*", main, *arguments,
        )
    )  # fmt: skip


def kafka_properties(*, number: int, nodes: int, listeners: str, advertised: str, quorum: str) -> dict[str, str]:
    """server.properties of one node that is broker and controller."""
    copies, copies_min = str(min(nodes, 3)), str(max(1, min(nodes, 3) - 1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "listeners": listeners,
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.bootstrap.servers": quorum,
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": copies_min,
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": "4",
        "offsets.retention.minutes": str(LOG_RETENTION // timedelta(minutes=1)),  # else who was away begins anew
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": copies_min,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": copies_min,
        "share.coordinator.state.topic.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "broker.session.timeout.ms": "6000",  # 9 s by default: a dead broker's leaders move after that
        "broker.heartbeat.interval.ms": "1000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.segment.bytes": "67108864",
    }


def _kafka(place: Place) -> Launch:
    client, controller = place.ports["client"], place.ports["controller"]
    properties = kafka_properties(
        number=place.number,
        nodes=len(place.peers),
        listeners=f"PLAINTEXT://{HOST}:{client},CONTROLLER://{HOST}:{controller}",
        advertised=f"PLAINTEXT://{HOST}:{client},CONTROLLER://{HOST}:{controller}",
        quorum=",".join(f"{HOST}:{peer['controller']}" for peer in place.peers),
    ) | {"log.dirs": str(place.folder / "data"), **place.extra}
    controllers = ",".join(
        f"{number}@{HOST}:{peer['controller']}:{_kafka_folder_id(number)}"
        for number, peer in enumerate(place.peers, start=1)
    )
    config = "server.properties"
    launch = _java(place, "kafka", "kafka.Kafka", config, heap_mib=256)
    *java, _, _ = launch.command
    format_it = ("kafka.tools.StorageTool", "format", "-t", KAFKA_CLUSTER, "--initial-controllers", controllers)
    return Launch(
        command=launch.command,
        files={config: "".join(f"{name}={value}\n" for name, value in properties.items())},
        once=((*java, *format_it, "-c", config),),
    )


def _kafka_folder_id(number: int) -> str:
    """Known beforehand, so that each node can be formatted alone."""
    return base64.urlsafe_b64encode(f"nottermost-dir-{number % 10}".encode()).decode().rstrip("=")


POSTGRES_OPTIONS: Final = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "logical",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, so that nothing stays when it is killed
}
POSTGRES_SCRATCH: Final = {"fsync": "off", "full_page_writes": "off"}


def _postgres(place: Place) -> Launch:
    options = POSTGRES_OPTIONS | {
        "listen_addresses": HOST,
        "port": str(place.ports["client"]),
        "unix_socket_directories": "",
    }
    data, server = str(place.folder / "data"), str(find_postgres("postgres"))
    initdb = [str(find_postgres("initdb")), "-D", data, "-E", "UTF8", "--locale=C.UTF-8"]
    make = ("sh", "-c", f"echo 'CREATE DATABASE {DATABASE}' | {server} --single -D '{data}' postgres")
    if place.scratch:
        options |= POSTGRES_SCRATCH
        login = ("-U", SCRATCH_USER, "-A", "trust", "--no-sync")
    else:
        login = ("-U", DATABASE_USER, "-A", "scram-sha-256", "--pwfile=password")
    return Launch(
        command=(server, "-D", data, *(part for name, value in options.items() for part in ("-c", f"{name}={value}"))),
        files={} if place.scratch else {"password": place.password},
        once=((*initdb, *login), make),
        user=POSTGRES_ACCOUNT,
    )


def redis_options(*, scratch: bool) -> tuple[str, ...]:
    """Beside address and folder. What it holds may be lost (design §3.3), so a second's worth may be lost in a crash."""
    return (
        "--save", "", "--appendonly", "no" if scratch else "yes", "--appendfsync", "everysec",
        "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru",
    )  # fmt: skip


def _redis(place: Place) -> Launch:
    program = str(find_program("redis-server", package="redis-server"))
    address = ("--port", str(place.ports["client"]), "--bind", HOST, "--dir", str(place.folder))
    return Launch(command=(program, *address, *redis_options(scratch=place.scratch)))


def _dynamodb(place: Place) -> Launch:
    kept = ("-inMemory",) if place.scratch else ("-dbPath", str(place.folder / "data"))
    launch = _java(
        place, "dynamodb", "LocalDynamo", "-port", str(place.ports["client"]), "-sharedDb", "-disableTelemetry", *kept,
        heap_mib=256, options=(f"-Djava.library.path={place.artifacts.require('dynamodb') / 'lib'}",),
    )  # fmt: skip
    return Launch(command=launch.command, once=() if place.scratch else (("mkdir", "-p", "data"),))


def _opensearch(place: Place) -> Launch:
    ports = (str(place.ports["client"]), str(place.ports["transport"]))
    netty = "-Dopensearch.set.netty.runtime.available.processors=false"
    return _java(place, "opensearch", "LocalSearch", *ports, str(place.folder), heap_mib=384, options=(netty,))


def elasticmq_config(*, host: str, bind: str, port: int, folder: str) -> str:
    """`folder`: where queues and messages are kept; "": in memory."""
    lines = [
        'include classpath("application.conf")',
        f'node-address {{ protocol = http, host = "{host}", port = {port}, context-path = "" }}',
        f'rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "{bind}", sqs-limits = strict }}',
        "rest-stats { enabled = false }",
        f'aws {{ region = "{REGION}", accountId = "{ACCOUNT}" }}',
    ]
    if folder:
        lines += [
            f'messages-storage {{ enabled = true, uri = "jdbc:h2:{folder}/messages" }}',
            f'queues-storage {{ enabled = true, path = "{folder}/queues.conf" }}',
        ]
    return "\n".join(lines) + "\n"


def _sqs(place: Place) -> Launch:
    folder = "" if place.scratch else str(place.folder / "data")
    config = elasticmq_config(host=HOST, bind=HOST, port=place.ports["client"], folder=folder)
    option = "-Dconfig.file=elasticmq.conf"
    launch = _java(place, "elasticmq", "org.elasticmq.server.Main", heap_mib=192, options=(option,))
    return Launch(command=launch.command, files={"elasticmq.conf": config}, once=(("mkdir", "-p", "data"),))


def s3proxy_properties(*, bind: str, port: int, folder: str) -> dict[str, str]:
    """`folder`: absolute, or listings are empty."""
    return {
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": ACCESS_KEY,
        "s3proxy.credential": SECRET_KEY,
        "s3proxy.endpoint": f"http://{bind}:{port}",
        "s3proxy.cors-allow-all": "true",
        "jclouds.provider": "filesystem-nio2",
        "jclouds.filesystem.basedir": folder,
    }


def _s3(place: Place) -> Launch:
    properties = s3proxy_properties(bind=HOST, port=place.ports["client"], folder=str(place.folder / "data"))
    config = "s3proxy.conf"
    launch = _java(place, "s3proxy", "org.gaul.s3proxy.Main", "--properties", config, heap_mib=192)
    content = "".join(f"{name}={value}\n" for name, value in properties.items())
    return Launch(command=launch.command, files={config: content}, once=(("mkdir", "-p", "data"),))


def _haproxy(place: Place) -> Launch:
    assert place.balancer is not None, "a load balancer needs something to balance"
    program = str(find_program("haproxy", package="haproxy"))
    return Launch(
        command=(program, "-W", "-db", "-f", "haproxy.cfg"), files={"haproxy.cfg": render_haproxy(place.balancer)}
    )


def _toxiproxy(place: Place) -> Launch:
    program = place.artifacts.require("toxiproxy-server") / "toxiproxy-server"
    return Launch(command=(str(program), "-host", HOST, "-port", str(place.ports["client"])))


# The usual ports are those that each server is known by plus 20,000: clear of servers that the system runs itself, and
# below what kernels give to outgoing connections (32768 and up).
SERVERS: Final[Mapping[str, Server]] = {
    server.name: server
    for server in (
        Server(
            name="redis", version="7.0", ports={"client": 26379}, memory_mib=300, start_s=15,
            launch=_redis, probe=redis_probe,
            container=Container(
                image="redis:7.0.15", port=6379, check="redis-cli ping", data="/data",
                command=("redis-server", *redis_options(scratch=False)),
            ),
        ),
        Server(
            name="postgres", version="15", ports={"client": 25432}, memory_mib=400, start_s=30,
            launch=_postgres, probe=postgres_probe, stop=signal.SIGINT,  # "fast": SIGTERM waits for every client to go
            container=Container(
                image="postgres:15.18", port=5432, check=f"pg_isready -h 127.0.0.1 -U {DATABASE_USER} -d {DATABASE}",
                data="/var/lib/postgresql/data",
                command=("postgres", *(f"--{name}={value}" for name, value in POSTGRES_OPTIONS.items())),
                environment={
                    "POSTGRES_USER": DATABASE_USER, "POSTGRES_DB": DATABASE,
                    "POSTGRES_INITDB_ARGS": "--locale=C.UTF-8",
                },
            ),
        ),
        Server(
            name="kafka", version="4.3.1", ports={"client": 29092, "controller": 29093}, memory_mib=450, start_s=100,
            launch=_kafka, probe=kafka_probe,
            container=Container(
                image="apache/kafka:4.3.1", port=9092, check="nc -z 127.0.0.1 9092", data="/var/lib/kafka/data",
                environment={
                    "CLUSTER_ID": KAFKA_CLUSTER, "KAFKA_HEAP_OPTS": "-Xms128m -Xmx256m",
                    **{
                        f"KAFKA_{name.replace('.', '_').upper()}": value
                        for name, value in kafka_properties(
                            number=1, nodes=1, listeners="PLAINTEXT://:9092,CONTROLLER://:9093",
                            advertised="PLAINTEXT://kafka:9092,CONTROLLER://kafka:9093", quorum="",
                        ).items()
                        if value
                    },
                    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@kafka:9093", "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
                },
            ),
        ),
        Server(
            name="dynamodb", version="3.1.0", ports={"client": 28000}, memory_mib=400, start_s=100,
            launch=_dynamodb, probe=http_alive_probe,
            container=Container(
                image="amazon/dynamodb-local:3.1.0", port=8000, check="curl -s -o /dev/null http://127.0.0.1:8000",
                data="/home/dynamodblocal/data", user="root",  # the image's own user may not write to a new volume
                command=("-jar", "DynamoDBLocal.jar", "-sharedDb", "-disableTelemetry", "-dbPath", "./data"),
            ),
        ),
        Server(
            name="opensearch", version="2.19.1", ports={"client": 29200, "transport": 29300}, memory_mib=700, start_s=115,
            launch=_opensearch, probe=partial(http_probe, path="/_cluster/health?wait_for_status=yellow&timeout=1s"),
            container=Container(
                image="nottermost-opensearch:2.19.1", port=9200, data="/usr/share/opensearch/data",
                build=("FROM opensearchproject/opensearch:2.19.1", "RUN bin/opensearch-plugin install --batch analysis-icu"),
                check="curl -fs 'http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=1s'",
                environment={
                    "discovery.type": "single-node", "DISABLE_SECURITY_PLUGIN": "true",
                    "DISABLE_INSTALL_DEMO_CONFIG": "true", "OPENSEARCH_JAVA_OPTS": "-Xms384m -Xmx384m",
                },
            ),
        ),
        Server(
            name="sqs", version="1.7.1", ports={"client": 29324}, memory_mib=300, start_s=100,
            launch=_sqs, probe=http_alive_probe,
            container=Container(
                image="softwaremill/elasticmq:1.7.1", port=9324, data="/data", user="root",
                check="wget -q -O /dev/null 'http://127.0.0.1:9324/?Action=ListQueues'",
                configs={"/opt/elasticmq.conf": elasticmq_config(host="sqs", bind=ANYWHERE, port=9324, folder="/data")},
            ),
        ),
        Server(
            name="s3", version="4.1.0", ports={"client": 29000}, memory_mib=300, start_s=100,
            launch=_s3, probe=http_alive_probe,
            container=Container(
                image="andrewgaul/s3proxy:s3proxy-4.1.0", port=9000, data="/data", user="root",
                check="curl -s -o /dev/null http://127.0.0.1:9000",
                environment={
                    name.replace(".", "_").replace("-", "_").upper(): value
                    for name, value in s3proxy_properties(bind=ANYWHERE, port=9000, folder="/data").items()
                },
            ),
        ),
        Server(
            name="haproxy", version="2.6", ports={"client": 3000, "health": 3001}, memory_mib=100, start_s=15,
            launch=_haproxy, probe=http_probe,
            container=Container(image="haproxy:2.6.12", port=3000, check="bash -c '</dev/tcp/127.0.0.1/3001'"),
        ),
        Server(
            name="toxiproxy", version="2.5.0", ports={"client": 28474}, memory_mib=100, start_s=15,
            launch=_toxiproxy, probe=partial(http_probe, path="/version"),
            container=Container(image="ghcr.io/shopify/toxiproxy:2.5.0", port=8474, check="/toxiproxy-cli list"),
        ),
    )
}  # fmt: skip
