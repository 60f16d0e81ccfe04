"""compose.yaml against the rules of Compose that matter here, since no container engine runs the tests."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from nottermost_chat.proxies import Proxies
from nottermost_chat.settings import load_secrets, load_settings
from nottermost_chat.stack.artifacts import find_program
from nottermost_chat.stack.compose import check_compose, render_env
from nottermost_chat.stack.keys import Keys
from nottermost_chat.stack.roles import ROLES
from nottermost_chat.verifier import parse_keys

ROOT = Path(__file__).resolve().parents[4]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICE = pytest.mark.parametrize("name", SERVICES)
JOBS = {"setup"}
CONDITIONS = {"service_healthy", "service_completed_successfully"}
VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")


def parse_env(text: str) -> dict[str, str]:
    """As Compose reads it: comments behind a space, single quotes keep everything."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    pairs = (line.partition("=") for line in lines)
    return {name: value[1:-1] if value[:1] == "'" else value.partition(" #")[0].strip() for name, _, value in pairs}


def substitute(text: str, env: dict[str, str]) -> str:
    """Variables by their values; an empty one by its default."""
    return VARIABLE.sub(lambda found: env.get(found[1]) or found[3], text)


EXAMPLE = parse_env((ROOT / ".env.example").read_text())


def test_the_files_are_what_the_description_makes() -> None:
    """Nobody edited one without the other."""
    assert check_compose(ROOT) == []


@SERVICE
def test_images_are_pinned(name: str) -> None:
    """A tag that means a version; our own is built here."""
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image
    assert re.search(r"\d", tag) or "build" in service
    assert tag != "latest"
    for line in service.get("build", {}).get("dockerfile_inline", "").splitlines():
        assert not line.startswith("FROM") or re.search(r":\d[\w.]+$", line)


@SERVICE
def test_every_service_has_profiles_a_limit_and_a_check(name: str) -> None:
    """A job ends, so it is waited for; all else is asked whether it is healthy."""
    service = SERVICES[name]
    assert set(service["profiles"]) <= {"infra", "apps", "edge", "ui", "obs"}
    assert "container_name" not in service, "a name of its own would forbid --scale"
    assert name in JOBS or {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys()
    assert name in JOBS or re.fullmatch(r"\d+m", service["mem_limit"])


@SERVICE
def test_dependencies_exist_and_have_a_condition(name: str) -> None:
    """A dependency in a profile that is off is an error, so it is on wherever its user is."""
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        assert (how["condition"] == "service_completed_successfully") == (other in JOBS)
        assert set(service["profiles"]) <= set(SERVICES[other]["profiles"]), other


@SERVICE
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    """What can be scaled publishes none, or a second one could not start."""
    ports = SERVICES[name].get("ports", [])
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+|\$\{\w+:-\d+\}):\d+", port) for port in ports)
    assert not ports or name not in ROLES


@SERVICE
def test_volumes_and_configs_are_declared(name: str) -> None:
    """Named ones only: nothing depends on a path of the machine."""
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        source, _, target = volume.partition(":")
        assert source in COMPOSE["volumes"]
        assert target.startswith("/")
    for config in service.get("configs", []):
        assert config["source"] in COMPOSE["configs"]


def test_variables_have_a_default_and_are_explained() -> None:
    """Nothing has to be set; what can be set is in the example."""
    for name, kind, _ in VARIABLE.findall(TEXT):
        assert kind == "-", name
        assert name in EXAMPLE or name == "PROMETHEUS_PORT"
    assert not re.findall(r"\$[^{]", TEXT), "Compose would take it for a variable"
    assert (EXAMPLE["WEB_PORT"], EXAMPLE["API_PORT"]) == ("3000", "4000")


def test_every_role_is_there_and_can_be_scaled() -> None:
    """The same roles as the native cluster, in the same number."""
    for name, role in ROLES.items():
        assert SERVICES[name]["command"] == ["nottermost", "chat", "run", "--role", name]
        assert SERVICES[name]["deploy"]["replicas"] == role.count
    assert "server-template gateway 8 gateway:8080 check resolvers" in COMPOSE["configs"]["haproxy"]["content"]


@pytest.mark.parametrize("env", [EXAMPLE, parse_env(render_env(Keys.make()))], ids=["example", "own secrets"])
def test_the_chat_understands_its_environment(env: dict[str, str]) -> None:
    """Settings and secrets parse, with the example's values and with secrets of its own."""
    raw = SERVICES["api"]["environment"]
    environment = {name: substitute(str(value), env) for name, value in raw.items()}
    settings, secrets = load_settings(environment), load_secrets(environment)
    assert settings.public_url == "http://127.0.0.1:3000"
    assert Proxies(settings.trusted_proxies).find_client("172.18.0.5", [b"198.51.100.7"]) == "198.51.100.7"
    assert secrets.database_password
    assert not secrets.signing_keys or parse_keys(secrets.signing_keys).keys


def test_haproxy_takes_its_configuration(tmp_path: Path) -> None:
    """Checked by HAProxy itself."""
    config = tmp_path / "haproxy.cfg"
    config.write_text(substitute(COMPOSE["configs"]["haproxy"]["content"], EXAMPLE))
    haproxy = find_program("haproxy", package="haproxy")
    done = subprocess.run([haproxy, "-c", "-f", config], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_the_image_is_built_from_what_is_locked_and_does_not_run_as_root() -> None:
    """Hashed packages, a user of its own, and no file of this machine beside the sources."""
    lines = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements/cluster.txt" in lines
    users = re.findall(r"^USER (.*)$", lines, re.MULTILINE)
    assert users == ["10001:10001"]  # as the platform's task definitions say
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    for source in re.findall(r"^COPY (?!--from)(\S+) ", lines, re.MULTILINE):
        assert (ROOT / source).exists()
