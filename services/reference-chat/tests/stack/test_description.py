"""What the description says is what is started."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nottermost_chat.errors import NotFound
from nottermost_chat.settings import Store, load_secrets, load_settings
from nottermost_chat.stack.artifacts import Artifacts
from nottermost_chat.stack.cluster import BadOption, Cluster, Options, State, kind_of, parse_scale
from nottermost_chat.stack.keys import Keys
from nottermost_chat.stack.roles import ROLES, SLOTS
from nottermost_chat.stack.servers import SERVERS
from nottermost_chat.stack.status import MEMORY_MIB_MAX
from nottermost_chat.verifier import parse_keys

KEYS = Keys.make()
Make = Callable[..., Cluster]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A cluster that is only described; its artifacts are empty folders."""
    artifacts = Artifacts(tmp_path / "cache")
    for name in ("kafka", "dynamodb", "opensearch", "elasticmq", "s3proxy", "toxiproxy-server"):
        artifacts.place(name).mkdir(parents=True)

    def make(**options: object) -> Cluster:
        state = State(options=Options(**options))  # type: ignore[arg-type]
        return Cluster(tmp_path / "cluster", state, KEYS, artifacts, ("nottermost",))

    return make


def every_word(cluster: Cluster) -> str:
    """All commands and configuration of all processes."""
    units = [cluster.unit(name) for name in [*cluster.names, "toxiproxy"]]
    return "\n".join(
        word
        for unit in units
        for word in (*unit.launch.command, *unit.launch.files.values(), *unit.launch.environment.values())
    )


def test_everything_listens_on_this_machine_only(make: Make) -> None:
    """No configuration holds the address of all interfaces."""
    words = every_word(make())
    assert "0.0.0.0" not in words
    assert "[::]" not in words
    assert words.count("127.0.0.1") > 20


def test_a_cluster_keeps_its_data_and_a_scratch_one_does_not(make: Make) -> None:
    """fsync, append-only file, a database on disk; in tests none of it."""
    kept, scratch = make(), make(scratch=True)
    assert "fsync=off" not in kept.unit("postgres").launch.command
    assert "fsync=off" in scratch.unit("postgres").launch.command
    assert "-dbPath" in kept.unit("dynamodb").launch.command
    assert "-inMemory" in scratch.unit("dynamodb").launch.command
    for cluster, answer in ((kept, "yes"), (scratch, "no")):
        command = cluster.unit("redis").launch.command
        assert command[command.index("--appendonly") + 1] == answer
    assert "messages-storage" in kept.unit("sqs").launch.files["elasticmq.conf"]
    assert "messages-storage" not in scratch.unit("sqs").launch.files["elasticmq.conf"]


def test_no_port_is_given_twice(make: Make) -> None:
    """Also with three brokers and every slot of every role."""
    cluster = make(kafka_nodes=3, scale=dict.fromkeys(ROLES, SLOTS))
    ports = [port for name in [*cluster.names, "toxiproxy"] for port in cluster.unit(name).ports.values()]
    assert len(ports) == len(set(ports))
    assert max(ports) < 32_768, "above, a client's own connection may have it"
    free = make(free_ports=True, port=0)
    found = [port for name in free.names for port in free.unit(name).ports.values()]
    assert len(found) == len(set(found))


def test_the_chat_understands_what_it_is_told(make: Make) -> None:
    """Settings and secrets of every role parse; each knows every other by address."""
    cluster = make(store=Store.POSTGRES, scale={"ingest": 3}, kafka_nodes=3)
    for name in cluster.roles:
        environment = cluster.unit(name).launch.environment
        settings, secrets = load_settings(environment), load_secrets(environment)
        assert settings.store is Store.POSTGRES
        assert settings.instance == name
        assert settings.ingest.split(",") == [cluster.authority(f"ingest{number}") for number in (1, 2, 3)]
        assert len(settings.brokers.split(",")) == 3
        assert parse_keys(secrets.signing_keys).keys
        assert secrets.database_password


def test_three_brokers_keep_three_copies(make: Make) -> None:
    """Two of them confirm a write; one broker alone asks for no more than itself."""
    config = make(kafka_nodes=3).unit("kafka2").launch.files["server.properties"]
    assert "default.replication.factor=3\nmin.insync.replicas=2\nunclean.leader.election.enable=false\n" in config
    assert config.count("127.0.0.1:29") >= 3
    alone = make().unit("kafka").launch.files["server.properties"]
    assert "default.replication.factor=1\nmin.insync.replicas=1\n" in alone


def test_names_of_processes_kinds_and_groups(make: Make) -> None:
    """`gateway` is all gateways, `gateway2` one of them; what there is not is refused with what there is."""
    cluster = make(scale={"gateway": 3})
    assert cluster.resolve(["gateway"]) == ["gateway1", "gateway2", "gateway3"]
    assert cluster.resolve(["gateway2", "gateway"]) == ["gateway2", "gateway1", "gateway3"]
    assert "dynamodb" in cluster.resolve(["servers"])
    assert "dynamodb" not in make(store=Store.POSTGRES).resolve(["servers"])
    assert {kind_of(name) for name in [*make(kafka_nodes=3).names, "toxiproxy"]} == {*SERVERS, *ROLES}
    with pytest.raises(NotFound, match=r"no gateway4 .*gateway3"):
        cluster.resolve(["gateway4"])


@pytest.mark.parametrize("text", ["gateway", "gateway=", "gateway=nine", "gateway=9", "redis=2"])
def test_a_wrong_scale_is_refused(text: str) -> None:
    """Only roles have a number, and a bounded one."""
    with pytest.raises(BadOption, match="say ROLE=NUMBER"):
        parse_scale([text])


def test_the_usual_cluster_fits_into_six_gibibytes(make: Make) -> None:
    """Even when every process takes all that it may."""
    cluster = make()
    assert sum(cluster.unit(name).memory_mib for name in cluster.names) <= MEMORY_MIB_MAX


def test_secrets_are_not_shown() -> None:
    """Neither in a repr nor in a command line, which other users can read."""
    assert repr(KEYS) == "Keys(…)"


def test_no_secret_is_on_a_command_line(make: Make) -> None:
    """They are in private files and in the environment."""
    cluster = make()
    for name in cluster.names:
        launch = cluster.unit(name).launch
        words = " ".join([*launch.command, *(word for command in launch.once for word in command)])
        assert not [secret for secret in KEYS.environment().values() if secret in words]


def test_every_image_has_the_version_that_runs_natively() -> None:
    """The containers are the same cluster."""
    for server in SERVERS.values():
        assert f":{server.version}" in server.container.image.replace("s3proxy-", ""), server.name
