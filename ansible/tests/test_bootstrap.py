"""`nottermost env bootstrap` on a real PostgreSQL, OpenSearch and Kafka and on a throw-away tree for the host."""

import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import msgspec
import psycopg
import pytest
import testinfra
import yaml
from ansible_collections.nottermost.platform.plugins.module_utils.opensearch import Client
from ansible_collections.nottermost.platform.plugins.modules import kafka_topics
from moto.server import ThreadedMotoServer
from psycopg import sql

from nottermost_chat import migrations
from nottermost_chat.testing.servers import Address
from nottermost_cli.testing import Call, make_call, run_command
from nottermost_conventions import ExitCode
from nottermost_platform import bootstrap
from nottermost_platform.inventory import Group, Host, Inventory, parse, read_reviewed, render
from nottermost_platform.program import ROOT

# A bootstrap takes 5 s, and several times that on a machine that other tests keep busy; the first test waits for two.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENDPOINTS = {"database": "db.example:5432", "search": "search.example:443"}


@dataclass(frozen=True)
class Site:
    """Everything that one bootstrap works on, and how to look at it from outside."""

    own: str
    inventory: Path
    tree: Path
    postgres: Address
    kafka: Address
    opensearch: Address

    def bootstrap(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_command("env", "bootstrap", "local", "--inventory", str(self.inventory), *arguments)

    def rows(self, query: str, database: str = "") -> list[tuple[Any, ...]]:
        place: dict[str, Any] = {"host": self.postgres.host, "port": self.postgres.port, "user": "postgres"}
        with psycopg.connect(**place, dbname=database or self.own) as connection:
            return connection.execute(query).fetchall()

    def topics(self) -> dict[str, Any]:
        admin = kafka_topics.open_admin({"brokers": self.kafka.authority, "iam_region": ""})
        return kafka_topics.read_topics(admin, [f"{self.own}-chat.entries", f"{self.own}-chat.entries.dead"])

    def search(self, path: str) -> dict[str, Any] | None:
        return Client(self.opensearch.url).get(path)


@pytest.fixture(scope="module")
def site(
    postgres: Address, kafka: Address, opensearch: Address, own: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Servers in which nothing of ours is yet, but for an empty database."""
    folder = tmp_path_factory.mktemp("bootstrap")
    place = Site(own, folder / "inventory.yml", folder / "root", postgres, kafka, opensearch)
    place.inventory.write_text(render(inventory_of(place)))
    with psycopg.connect(host=postgres.host, port=postgres.port, user="postgres", autocommit=True) as root:
        root.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(own)))
        yield place
        root.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(own)))
        for role in ("owner", "app", "readonly"):
            root.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{own}_{role}")))
    admin = kafka_topics.open_admin({"brokers": kafka.authority, "iam_region": ""})
    for future in admin.delete_topics(list(place.topics())).values() if place.topics() else ():
        future.result(10)
    Client(opensearch.url).send("DELETE", f"/{own}-messages-*", {})


def inventory_of(site: Site) -> Inventory:
    own = site.own
    variables: dict[Group, dict[str, Any]] = {
        "database": {
            "database_host": site.postgres.host, "database_port": site.postgres.port, "database_name": own,
            "database_admin": "postgres", "database_owner": f"{own}_owner", "database_app": f"{own}_app",
            "database_readonly": f"{own}_readonly", "database_iam_role": f"{own}_none",
        },
        "search": {"search_url": site.opensearch.url, "search_managed": False, "search_prefix": own},
        "topics": {"topics_brokers": site.kafka.authority, "topics_prefix": f"{own}-"},
        "hosts": {"root_prefix": str(site.tree), "common_environment": "local", "ssm_admin_host_endpoints": ENDPOINTS},
    }  # fmt: skip
    hosts = [
        Host(name=f"local-{group}", group=group, region="local", variables=each) for group, each in variables.items()
    ]
    return Inventory(env="local", source="local", hosts=tuple(hosts))


@pytest.fixture(scope="module")
def done(site: Site) -> Site:
    """A dry run, then the run: the first changes nothing, and both name the same tasks."""
    dry = site.bootstrap("--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert site.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE '" + site.own + "%'") == []
    assert site.topics() == {}
    assert site.search(f"/_index_template/{site.own}-messages") is None
    assert not site.tree.exists()
    assert f"+role {site.own}_owner" in dry.stderr  # the diff
    real = site.bootstrap("--json")
    assert real.returncode == 0, real.stderr
    planned, changed = json.loads(dry.stdout), json.loads(real.stdout)
    assert planned["changed"] == changed["changed"] > 0
    assert [play["play"] for play in changed["plays"]] == ["Database", "Search", "Topics", "Hosts"]
    assert [play["changes"] for play in planned["plays"]] == [play["changes"] for play in changed["plays"]]
    return site


def test_again_changes_nothing(done: Site) -> None:
    """changed=0, in all four roles, and the recap says so in words."""
    again = done.bootstrap()
    assert again.returncode == 0, again.stderr
    lines = again.stdout.splitlines()
    assert lines[0] == "plan: bootstrap local, bring about what is missing"
    assert lines[1] == f"  1. database on local-database: {done.postgres.authority}, migrations: expand"
    assert lines[-5:] == [
        "database: ok=3 changed=0 failed=0",
        "search: ok=3 changed=0 failed=0",
        "topics: ok=2 changed=0 failed=0",
        "hosts: ok=5 changed=0 failed=0",
        "local: changed=0",
    ]


def test_the_database_has_roles_tables_and_a_ledger(done: Site) -> None:
    """The owner has every table, nobody signs in as it, and the ledger tells who migrated with what."""
    newest = migrations.known("directory")[0]
    assert done.rows("SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'") == [
        (f"{done.own}_owner",)
    ]
    assert done.rows(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{done.own}_owner'") == [(False,)]
    assert done.rows("SELECT version_num FROM alembic_version_directory") == [(newest,)]
    ledger = done.rows("SELECT phase, to_revision, who::text, program <> 'unknown' FROM operations.migration_ledger")
    assert ledger == [("expand", newest, "postgres", True)]
    assert ("pg_stat_statements",) in done.rows("SELECT extname::text FROM pg_extension")


def test_search_has_its_template_and_an_index_that_is_written_and_read(done: Site) -> None:
    """As the chat's adapter looks for them."""
    index = f"{done.own}-messages-1"
    aliases = done.search(f"/{index}/_alias") or {}
    assert set(aliases[index]["aliases"]) == {f"{done.own}-messages", f"{index}-write"}
    mapping = (done.search(f"/{index}/_mapping") or {})[index]["mappings"]
    assert mapping["dynamic"] == "strict"
    assert mapping["_source"] == {"enabled": False}


def test_the_log_has_its_topics(done: Site) -> None:
    """With the partitions that the conventions say; one copy has to be in sync where there is one broker."""
    found = done.topics()
    assert {name.removeprefix(f"{done.own}-"): topic.partitions for name, topic in found.items()} == {
        "chat.entries": 12, "chat.entries.dead": 1,
    }  # fmt: skip
    assert {topic.config["min.insync.replicas"] for topic in found.values()} == {"1"}


def test_a_role_that_refuses_says_why(done: Site) -> None:
    """Exit 1 with its name, task and reason; a phase reaches the ledger."""
    with psycopg.connect(host=done.postgres.host, port=done.postgres.port, user="postgres", dbname=done.own) as root:
        root.execute("UPDATE alembic_version_directory SET version_num = 'v1_3'")
    try:
        refused = done.bootstrap("--only", "database", "--phase", "contract")
        assert refused.returncode == ExitCode.FAILED
        assert (
            "database: Migrate: contract refused: the directory is expanded to v1_3, and nobody has said"
            in refused.stderr
        )
    finally:
        with psycopg.connect(
            host=done.postgres.host, port=done.postgres.port, user="postgres", dbname=done.own
        ) as root:
            root.execute("UPDATE alembic_version_directory SET version_num = %s", [migrations.known("directory")[0]])


# --- the host, with testinfra ---------------------------------------------------------------------


@pytest.fixture(params=["local", "ansible"])
def host(request: pytest.FixtureRequest, done: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The machine as testinfra sees it by itself, and through our inventory."""
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible" / "ansible.cfg"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    if request.param == "local":
        return testinfra.get_host("local://")
    return testinfra.get_host("ansible://local-hosts", ansible_inventory=str(done.inventory))


FILES = {
    "/etc/sysusers.d/nottermost.conf": (0o644, 'u nottermost 990 "Nottermost" /var/lib/nottermost /usr/sbin/nologin'),
    "/etc/security/limits.d/90-nottermost.conf": (0o644, "* hard nofile 1048576"),
    "/etc/sysctl.d/90-nottermost.conf": (0o644, "kernel.yama.ptrace_scope = 1"),
    "/etc/audit/rules.d/90-nottermost.rules": (0o640, "-a always,exit -F arch=b64 -S execve -F auid>=1000"),
    "/etc/systemd/journald.conf.d/90-nottermost.conf": (0o644, "SystemMaxUse=1024M"),
    "/etc/chrony.d/nottermost.sources": (0o644, "server 169.254.169.123 prefer iburst"),
    "/etc/dnf/automatic.conf": (0o644, "apply_updates = yes"),
    "/etc/amazon/ssm/amazon-ssm-agent.json": (0o600, '"Region": "us-east-1"'),
    "/etc/profile.d/nottermost-session.sh": (0o644, "TMOUT=1200"),
    "/etc/ssh/sshd_config.d/00-nottermost.conf": (0o600, "ListenAddress 127.0.0.1"),
    "/etc/sudoers.d/nottermost-sessions": (0o440, "log_output"),
    "/usr/local/bin/nottermost-forward": (0o755, "AWS-StartPortForwardingSessionToRemoteHost"),
}


def test_the_tree_is_a_host_that_nobody_enters_by_ssh(done: Site, host: Any) -> None:
    """Every file with its mode and a line that matters; the SSH server is masked; nothing else was left behind."""
    for path, (mode, line) in FILES.items():
        file = host.file(str(done.tree) + path)
        assert file.is_file, path
        assert file.mode == mode, path
        assert line in file.content_string, path
    for unit in ("sshd.service", "sshd.socket"):
        assert host.file(f"{done.tree}/etc/systemd/system/{unit}").linked_to == "/dev/null"
    assert not [each for each in done.tree.rglob("*") if each.name.startswith(".nottermost-")]


def test_what_was_written_is_what_its_reader_takes(done: Site, host: Any) -> None:
    """JSON is JSON, the shell accepts the scripts, and sudo's own checker its file."""
    json.loads(host.file(f"{done.tree}/etc/amazon/ssm/amazon-ssm-agent.json").content_string)
    for script in ("etc/profile.d/nottermost-session.sh", "usr/local/bin/nottermost-forward"):
        assert host.run(f"sh -n {done.tree}/{script}").rc == 0
    if shutil.which("visudo"):
        assert host.run(f"visudo -cf {done.tree}/etc/sudoers.d/nottermost-sessions").rc == 0


def test_the_forward_asks_systems_manager(done: Site, tmp_path: Path) -> None:
    """With the store's address and a local port; what makes no sense is refused with how it is used."""
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "$@"\n')
    aws.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def forward(*arguments: str) -> "subprocess.CompletedProcess[str]":
        script = str(done.tree / "usr/local/bin/nottermost-forward")
        return subprocess.run(
            [script, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
        )

    asked = forward("database", "i-0abc", "5555")
    assert asked.stdout.split() == [
        "ssm", "start-session", "--region", "us-east-1", "--target", "i-0abc",
        "--document-name", "AWS-StartPortForwardingSessionToRemoteHost",
        "--parameters", "host=db.example,portNumber=5432,localPortNumber=5555",
    ]  # fmt: skip
    assert "localPortNumber=19200" in forward("search", "i-0abc").stdout
    for wrong in (("cache", "i-0abc"), ("database", "host"), ("database",), ("database", "i-0abc", "x")):
        refused = forward(*wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "STORE: database, search" in refused.stderr


# --- without servers ------------------------------------------------------------------------------


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process."""
    return make_call(monkeypatch, capfd, "env")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_what_does_not_answer_is_told_before_anything_is_done(
    call: Call, tmp_path: Path, dry_run: tuple[str, ...]
) -> None:
    """Exit 4, with the plan, the address and where to run it."""
    host = Host(name="s", group="search", region="local", variables={"search_url": f"http://127.0.0.1:{closed_port()}"})
    path = tmp_path / "inventory.yml"
    path.write_text(render(Inventory(env="local", source="local", hosts=(host,))))
    result = call("bootstrap", "local", "--inventory", str(path), *dry_run)
    assert result.code == ExitCode.COULD_NOT_TELL
    assert "1. search on s: 127.0.0.1:" in result.out
    assert "Connection refused" in result.err
    assert "run this on the admin host" in result.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("staging", "--only", "web"), "no role is called web: database, search, topics, hosts"),
        (("staging", "--only", "hosts"), "add --this-host if that is meant"),
        (("local", "--phase", "shrink"), "no phase is called 'shrink'"),
        (("prod", "--inventory", str(ROOT / "ansible/inventories/prod.yml")), "are placeholders"),
        (("local", "--inventory", "/nonexistent"), "cannot be read"),
        (("staging", "--inventory", str(ROOT / "ansible/inventories/prod.yml")), "is of prod, not of staging"),
        (("local", "--inventory", str(ROOT / "ansible/inventories/staging.yml")), "is of staging, not of local"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Call, arguments: tuple[str, ...], reason: str) -> None:
    """Exit 2, in one sentence."""
    result = call("bootstrap", *arguments)
    assert result.code == ExitCode.USAGE
    assert reason in result.err


@pytest.fixture
def prod(tmp_path: Path) -> str:
    """Production's inventory as the state has it."""
    path = tmp_path / "prod.yml"
    path.write_text(render(msgspec.structs.replace(read_reviewed("prod"), source="state")))
    return str(path)


def test_a_region_that_is_none_is_refused(call: Call, prod: str) -> None:
    """With those that there are."""
    result = call("bootstrap", "prod", "--inventory", prod, "--region", "eu-west1")
    assert result.code == ExitCode.USAGE
    assert "prod has nothing in eu-west1: eu-west-1, us-east-1" in result.err


@pytest.mark.parametrize(
    ("role", "region", "why"),
    [("topics", "us-east-1", "provisioned cluster"), ("database", "eu-west-1", "a replica takes its roles")],
)
def test_a_role_without_a_host_by_design_has_nothing_to_do(
    call: Call, prod: str, role: str, region: str, why: str
) -> None:
    """Exit 0 with the reason; Ansible is not begun."""
    result = call("bootstrap", "prod", "--inventory", prod, "--only", role, "--region", region)
    assert result.code == ExitCode.DONE
    assert f"{role}: nothing to do in {region}: " in result.err
    assert why in result.err
    assert result.out.endswith("prod: changed=0\n")


def test_a_role_that_should_have_a_host_is_refused_without_one(call: Call, tmp_path: Path) -> None:
    """An inventory that lost it is no reason to say that all is well."""
    host = Host(name="s", group="search", region="us-east-1", variables={"search_url": "http://127.0.0.1:9"})
    path = tmp_path / "inventory.yml"
    path.write_text(render(Inventory(env="local", source="local", hosts=(host,))))
    result = call("bootstrap", "local", "--inventory", str(path), "--only", "topics")
    assert result.code == ExitCode.USAGE
    assert "the inventory of local has no host for topics in us-east-1" in result.err


def test_what_does_not_come_to_its_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything that it began, which holds the pipe that is read: the test would hang."""
    monkeypatch.setattr(bootstrap, "RUN_S", 1.0)
    said: list[str] = []
    with pytest.raises(bootstrap.BootstrapFailed, match="was ended, since it did not come to its end"):
        bootstrap._play(["/bin/sh", "-c", "echo begun; sleep 200 & wait"], dict(os.environ), said.append)
    assert said == ["begun"]


def test_a_laptop_without_a_cluster_is_told_how_to_get_one(call: Call, tmp_path: Path) -> None:
    """`local` is the cluster of `nottermost stack up`."""
    result = call("bootstrap", "local", "--folder", str(tmp_path))
    assert result.code == ExitCode.FAILED
    assert "`nottermost stack up` makes one" in result.err


def test_the_inventory_of_a_laptop(call: Call, site: Site) -> None:
    """Of the cluster that runs: each store where it really is."""
    folder = os.environ["CHAT_TEST_SERVERS"]
    found = parse(call("inventory", "local", "--folder", folder).out, "out")
    variables = {host.group: host.variables for host in found.hosts}
    assert variables["database"]["database_port"] == site.postgres.port
    assert variables["search"]["search_url"] == site.opensearch.url
    assert variables["topics"]["topics_brokers"] == site.kafka.authority
    assert variables["hosts"]["root_prefix"] == str(Path(folder) / "host")


def test_aws_is_asked_for_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes back apart from the hosts, or not at all; whoever gives it is not asked."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        address, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{address}:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        secret = boto3.client("secretsmanager", region_name="us-east-1").create_secret(
            Name="p", SecretString='{"username": "nottermost", "password": "from-the-vault"}'
        )
        variables = {"database_host": "10.0.0.1", "database_secret_arn": secret["ARN"]}
        host = Host(name="d", group="database", region="us-east-1", variables=variables)
        assert bootstrap.find_secrets((host,), {}) == {bootstrap.PASSWORD: "from-the-vault"}
        assert bootstrap.find_secrets((host,), {bootstrap.PASSWORD: "given"}) == {}
        absent = msgspec.structs.replace(host, variables={**variables, "database_secret_arn": secret["ARN"] + "x"})
        with pytest.raises(bootstrap.BootstrapFailed, match="AWS does not tell the database's password"):
            bootstrap.find_secrets((absent,), {})
    finally:
        server.stop()


def test_generated_files_are_as_their_sources_say() -> None:
    """The index as the chat searches it and the topics; `make lint` looks at the inventories too."""
    texts = dict(islice(runpy.run_path(str(ROOT / "ansible/generate.py"))["texts"](), 2))
    assert len(texts) == 2
    assert {path: path.read_text() for path in texts} == texts


def test_what_was_written_is_loaded_when_a_later_task_fails(tmp_path: Path) -> None:
    """Otherwise the next run finds nothing changed, and the file is never loaded."""
    steps = [
        {"name": "Write", "ansible.builtin.command": "true", "changed_when": True, "notify": "Load"},
        {"name": "Stop", "ansible.builtin.fail": {"msg": "later"}},
    ]
    loaded = tmp_path / "loaded"
    handler = {"name": "Load", "ansible.builtin.file": {"path": str(loaded), "state": "touch", "mode": "0600"}}
    play = {"name": "P", "hosts": "localhost", "connection": "local", "tasks": steps, "handlers": [handler]}
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run([program, str(path)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.USAGE, done.stderr  # of ansible-playbook: a task failed
    assert loaded.exists(), done.stdout


def test_every_unit_that_is_begun_is_installed() -> None:
    """The package of each one comes first."""
    tasks = yaml.safe_load((ROOT / "ansible/roles/common/tasks/main.yml").read_text())
    packages = yaml.safe_load((ROOT / "ansible/roles/common/defaults/main.yml").read_text())["common_packages"]
    assert tasks[0]["ansible.builtin.package"]["name"] == "{{ common_packages }}"
    providers = {"auditd.service": "audit", "chronyd.service": "chrony", "dnf-automatic.timer": "dnf-automatic"}
    assert {providers[unit] for unit in tasks[-1]["loop"]} == set(packages)


def test_roles_use_nothing_but_ansible_and_our_own() -> None:
    """Every task of every role and playbook names its module in full, from one of the two collections."""
    keywords = {
        "args", "become", "changed_when", "check_mode", "failed_when", "listen", "loop", "loop_control", "name", "no_log",
        "notify", "register", "tags", "vars", "when",
    }  # fmt: skip
    files = [*(ROOT / "ansible/roles").glob("*/tasks/*.yml"), *(ROOT / "ansible/roles").glob("*/handlers/*.yml")]
    assert len(files) >= 9
    for path in files:
        for task in yaml.safe_load(path.read_text()):
            (module,) = set(task) - keywords
            assert module.startswith(("ansible.builtin.", "nottermost.platform.")), f"{path}: {module}"
