"""compose.yaml, .env.example and .env: the same cluster in containers, rendered from the same description."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from nottermost_chat.stack.cluster import ARCHIVE_BUCKET, FILES_BUCKET, PUSH_QUEUE, WEBHOOK_QUEUE
from nottermost_chat.stack.haproxy import Backend, Balancer, render_haproxy
from nottermost_chat.stack.keys import Keys
from nottermost_chat.stack.roles import ROLES, SLOTS, Role, Serves
from nottermost_chat.stack.servers import (
    ACCOUNT,
    ANYWHERE,
    AWS_ACCOUNT,
    DATABASE,
    DATABASE_USER,
    SERVERS,
    Container,
)

NOTE: Final = "Made by `nottermost stack docs`; change nottermost_chat/stack, not this file."
IMAGE: Final = "nottermost-chat:local"
CHAT_PORT: Final = 8080  # of every role, inside its container
METRICS_PORT: Final = 9464
PAGE_PORT: Final = 3000
API_PORT: Final = 4000
HEALTH_PORT: Final = 3001
DOCKER_DNS: Final = "127.0.0.11:53"
CHAT_VOLUME: Final = "chat:/data"  # of all roles: keys that nobody gave are made there, once
STOP_GRACE: Final = "75s"  # a gateway drains for at most 60 s
# What needs a profile's services has to bring them: a dependency in a profile that is off is an error.
INFRA: Final = ("infra", "apps", "edge", "ui")
APPS: Final = ("apps", "edge", "ui")
# HAProxy has some address of these, which Docker chooses (RFC 1918). Nobody else reaches a role: none has a port outside.
PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
NOT_NATIVE: Final = {"haproxy", "toxiproxy"}  # rendered apart; only for chaos
# A signed link holds the host, which has to mean the server both in a container and in a browser: names below
# `localhost` are this machine to browsers, and this one is the container to the others.
S3_NAME: Final = "s3.localhost"

DATABASE_PASSWORD: Final = "${DATABASE_PASSWORD:-local}"  # noqa: S105 - nobody else is on that network

Document = dict[str, Any]


def render_compose() -> str:
    """compose.yaml."""
    document = {
        "name": "nottermost",
        "services": {
            **{name: _server(name, server.container) for name, server in SERVERS.items() if name not in NOT_NATIVE},
            "setup": _setup(),
            **{name: _role(role) for name, role in ROLES.items()},
            "edge": _balancer(("edge",), "API_PORT", API_PORT),
            "web": _balancer(("ui",), "WEB_PORT", PAGE_PORT),
            "prometheus": _PROMETHEUS,
        },
        "volumes": {name: {} for name in _volumes()},
        "configs": {name: {"content": content} for name, content in _configs().items()},
    }
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {NOTE}\n# Docker Compose 2.23.1 or newer: cp .env.example .env && docker compose up -d --wait\n{text}"


def render_env_example() -> str:
    """.env.example: every variable of compose.yaml, with values that are good enough for one's own machine."""
    return _render_env(dict.fromkeys(_secret_names(), ""))


def render_env(keys: Keys) -> str:
    """.env with secrets of its own."""
    return _render_env(keys.environment())


def write_compose(root: Path) -> None:
    for name, text in _documents().items():
        (root / name).write_text(text)


def check_compose(root: Path) -> list[str]:
    """Names of the files that are stale."""
    return [name for name, text in _documents().items() if not _holds(root / name, text)]


def _documents() -> dict[str, str]:
    return {"compose.yaml": render_compose(), ".env.example": render_env_example()}


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _render_env(secrets: Mapping[str, str]) -> str:
    lines = [
        f"# {NOTE}",
        "COMPOSE_PROFILES=edge,ui  # infra: the servers; apps: and the roles; edge, ui: and a way in; obs: Prometheus",
        f"WEB_PORT={PAGE_PORT}  # the page, http://127.0.0.1:{PAGE_PORT}",
        f"API_PORT={API_PORT}  # REST and sockets; GET /healthz",
        f"PAGE_ORIGIN=http://127.0.0.1:{PAGE_PORT}  # may call the API across origins, and no other page",
        "CHAT_STORE=dynamodb  # or postgres",
        "# Secrets; empty: the chat makes its own. `nottermost stack env > .env` writes this file with all of them.",
        *(f"{name}='{value}'" for name, value in secrets.items()),
    ]
    return "\n".join(lines) + "\n"


def _secret_names() -> list[str]:
    return [name.upper() for name in Keys.__struct_fields__]


def _server(name: str, container: Container) -> Document:
    memory = SERVERS[name].memory_mib
    return _without_empty(
        {
            "profiles": list(INFRA),
            "image": container.image,
            "build": {"dockerfile_inline": "\n".join(container.build) + "\n"} if container.build else None,
            "user": container.user,
            "command": list(container.command),
            "environment": {
                **(container.environment or {}),
                **({"POSTGRES_PASSWORD": DATABASE_PASSWORD} if name == "postgres" else {}),
            },
            "ports": [f"127.0.0.1:{container.port}:{container.port}"] if name == "s3" else [],
            "networks": {"default": {"aliases": [S3_NAME]}} if name == "s3" else None,
            "volumes": [f"{name}:{container.data}"] if container.data else [],
            "configs": [_mount(f"{name}{number}", at) for number, at in enumerate(container.configs or {})],
            "healthcheck": _check(container.check),
            "mem_limit": f"{2 * memory}m",  # the image has more inside than the native process: twice its figure
            "restart": "unless-stopped",
        }
    )


def _setup() -> Document:
    native = [name for name in SERVERS if name not in NOT_NATIVE]
    return {
        "profiles": list(APPS),
        "image": IMAGE,
        "build": {"context": "."},
        "command": ["nottermost", "chat", "setup"],
        "environment": _ENVIRONMENT,
        "volumes": [CHAT_VOLUME],
        "depends_on": {name: {"condition": "service_healthy"} for name in native},
        "restart": "on-failure:3",
    }


def _role(role: Role) -> Document:
    port = CHAT_PORT if role.serves is Serves.HTTP else METRICS_PORT
    probe = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/healthz', timeout=3)"
    return {
        "profiles": list(APPS),
        "image": IMAGE,
        "build": {"context": "."},
        "command": ["nottermost", "chat", "run", "--role", role.name],
        "environment": _ENVIRONMENT,
        "volumes": [CHAT_VOLUME],
        "depends_on": {"setup": {"condition": "service_completed_successfully"}},
        "healthcheck": _check(f'python -c "{probe}"'),
        "deploy": {"replicas": role.count},
        "mem_limit": f"{2 * role.memory_mib}m",
        "stop_grace_period": STOP_GRACE,
        "restart": "unless-stopped",
    }


def _environment() -> dict[str, str]:
    queues = f"http://sqs:{SERVERS['sqs'].container.port}/{ACCOUNT}"
    settings = {
        "HOST": ANYWHERE,
        "PORT": str(CHAT_PORT),
        "METRICS_PORT": str(METRICS_PORT),
        "TRUSTED_PROXIES": ",".join(PRIVATE),
        "PUBLIC_URL": f"http://127.0.0.1:${{WEB_PORT:-{PAGE_PORT}}}",
        "STORE": "${CHAT_STORE:-dynamodb}",
        "DATABASE_HOST": _at("postgres"),
        "DATABASE_NAME": DATABASE,
        "DATABASE_USER": DATABASE_USER,
        "BROKERS": _at("kafka"),
        "CACHE_HOST": _at("redis"),
        "SEARCH_HOST": f"http://{_at('opensearch')}",
        "FILES_BUCKET": FILES_BUCKET,
        "ARCHIVE_BUCKET": ARCHIVE_BUCKET,
        "PUSH_QUEUE": f"{queues}/{PUSH_QUEUE}",
        "WEBHOOK_QUEUE": f"{queues}/{WEBHOOK_QUEUE}",
        "INGEST": f"ingest:{CHAT_PORT}",  # one name that resolves to all of them
        "FANOUT": f"fanout:{CHAT_PORT}",
        **{name: f"${{{name}:-}}" for name in _secret_names()},
        "DATABASE_PASSWORD": DATABASE_PASSWORD,
    }
    return {
        **{f"NOTTERMOST_{name}": value for name, value in settings.items()},
        **AWS_ACCOUNT,
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://{_at('dynamodb')}",
        "AWS_ENDPOINT_URL_S3": f"http://{S3_NAME}:{SERVERS['s3'].container.port}",
        "AWS_ENDPOINT_URL_SQS": f"http://{_at('sqs')}",
    }


def _balancer(profiles: Iterable[str], variable: str, port: int) -> Document:
    container = SERVERS["haproxy"].container
    return {
        "profiles": list(profiles),
        "image": container.image,
        "ports": [f"127.0.0.1:${{{variable}:-{port}}}:{port}"],
        "configs": [_mount("haproxy", "/usr/local/etc/haproxy/haproxy.cfg")],
        "depends_on": {name: {"condition": "service_healthy"} for name in ("gateway", "api")},
        "healthcheck": _check(container.check),
        "mem_limit": f"{2 * SERVERS['haproxy'].memory_mib}m",
        "restart": "unless-stopped",
    }


def _configs() -> dict[str, str]:
    balancer = Balancer(
        host="*",
        ports=(PAGE_PORT, API_PORT),
        health_port=HEALTH_PORT,
        gateways=(Backend(name="gateway", authority=f"gateway:{CHAT_PORT}"),),
        apis=(Backend(name="api", authority=f"api:{CHAT_PORT}"),),
        origin="${PAGE_ORIGIN:-http://127.0.0.1:3000}",
        admin_socket="/tmp/admin.sock",  # noqa: S108 - the container's own
        resolver=DOCKER_DNS,
        slots=SLOTS,
    )
    servers = {
        f"{name}{number}": content
        for name, server in SERVERS.items()
        for number, content in enumerate((server.container.configs or {}).values())
    }
    return {"haproxy": render_haproxy(balancer), "prometheus": _PROMETHEUS_CONFIG, **servers}


def _volumes() -> list[str]:
    return [name for name, server in SERVERS.items() if server.container.data] + ["chat", "prometheus"]


def _at(name: str) -> str:
    return f"{name}:{SERVERS[name].container.port}"


def _mount(config: str, at: str) -> Document:
    return {"source": config, "target": at}


def _check(command: str) -> Document:
    return {
        "test": ["CMD-SHELL", command],
        "interval": "5s",
        "timeout": "5s",
        "retries": 10,
        "start_period": "60s",
    }


def _without_empty(service: Document) -> Document:
    return {key: value for key, value in service.items() if value}


_ENVIRONMENT: Final = _environment()


class _Dumper(yaml.SafeDumper):
    """Short lists on one line, configuration as a block, and the roles' environment written once."""

    def ignore_aliases(self, data: object) -> bool:
        return data is not _ENVIRONMENT

    def generate_anchor(self, node: yaml.Node) -> str:  # noqa: ARG002
        return "chat"


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _list(dumper: yaml.SafeDumper, items: list[object]) -> yaml.SequenceNode:
    flow = all(isinstance(item, str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)

_SCRAPED: Final = {
    **{name: CHAT_PORT if role.serves is Serves.HTTP else METRICS_PORT for name, role in ROLES.items()},
    "edge": HEALTH_PORT,
}
_PROMETHEUS_CONFIG: Final = yaml.safe_dump(
    {
        "global": {"scrape_interval": "15s"},
        "scrape_configs": [
            {"job_name": name, "dns_sd_configs": [{"names": [name], "type": "A", "port": port}]}
            for name, port in _SCRAPED.items()
        ],
    },
    sort_keys=False,
)
_PROMETHEUS: Final[Document] = {
    "profiles": ["obs"],
    "image": "prom/prometheus:v2.42.0",
    "ports": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
    "volumes": ["prometheus:/prometheus"],
    "configs": [_mount("prometheus", "/etc/prometheus/prometheus.yml")],
    "healthcheck": _check("wget -q -O /dev/null http://127.0.0.1:9090/-/ready"),
    "mem_limit": "512m",
    "restart": "unless-stopped",
}
