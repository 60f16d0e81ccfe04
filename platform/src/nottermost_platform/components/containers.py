"""The containers of a task, as canonical text: the chat, and beside it the collector of metrics and traces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nottermost_platform.policy import canonical_json

CHAT: Final = "chat"
COLLECTOR: Final = "collector"
METRICS_PORT: Final = 9464  # /metrics and /healthz of every role, inside the task only
OTLP_PORT: Final = 4317
USER: Final = "10001:10001"  # made in the image, owns nothing but /tmp
COLLECTOR_USER: Final = "4317"  # as the collector's own image has it
SCRATCH: Final = "scratch"  # Fargate has no tmpfs: an empty volume at /tmp, which the image declares a VOLUME
SCRATCH_MOUNT: Final = {"sourceVolume": SCRATCH, "containerPath": "/tmp", "readOnly": False}  # noqa: S108
SCRAPE_S: Final = 30
FIGURES_NAMESPACE: Final = "Nottermost/Chat"  # in CloudWatch, for what scaling and alarms follow
HEALTH: Final = (
    "import sys, urllib.request as r; "
    f"sys.exit(r.urlopen('http://127.0.0.1:{METRICS_PORT}/healthz', timeout=3).status != 200)"
)
STOP_S_MAX: Final = 120  # what Fargate grants


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainersArgs:
    """The containers of one role, everything in it known.

    Attributes:
        service: the ECS service's name: what metrics and traces call it.
        port: where it takes requests, if it does.
        cpu, memory_mib: of the whole task; the collector has a small part of it.
        drain_s: how long it may take to end; ECS waits a little longer.
        secrets: environment variables to ARNs.
        log_group: where both log.
        figures: metrics that also become CloudWatch's, by way of `figures_group`, since scaling reads only those.
    """

    env: str
    region: str
    role: str
    service: str
    image: str
    collector_image: str
    port: int | None
    cpu: int
    memory_mib: int
    drain_s: int
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)
    log_group: str
    metrics_write_url: str
    figures: Sequence[str] = ()
    figures_group: str = ""


def describe_containers(args: ContainersArgs) -> str:
    """The container definitions as ECS itself would write them, so that nothing seems to change."""
    return canonical_json([_chat(args), _collector(args)])


def _chat(args: ContainersArgs) -> dict[str, Any]:
    small = _collector_share(args)
    environment = {
        **args.environment,
        "AWS_DEFAULT_REGION": args.region,  # botocore does not read AWS_REGION, which ECS gives
        "NOTTERMOST_OTLP_ENDPOINT": f"http://127.0.0.1:{OTLP_PORT}",
        "NOTTERMOST_DATA": "/tmp/nottermost",  # noqa: S108 - the task's own empty volume
        "NOTTERMOST_DRAIN_S": str(args.drain_s),
        "NOTTERMOST_METRICS_PORT": str(METRICS_PORT),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{OTLP_PORT}",
        "OTEL_RESOURCE_ATTRIBUTES": f"env={args.env}",
        "OTEL_SERVICE_NAME": args.service,
    }
    return {
        **_harden(args, CHAT, USER),
        "image": args.image,
        "essential": True,
        "command": ["nottermost", "chat", "run", "--role", args.role],
        "cpu": args.cpu - small[0],
        "memory": args.memory_mib - small[1],
        "environment": list_pairs(environment, "value"),
        "secrets": list_pairs(args.secrets, "valueFrom"),
        "portMappings": [_port(args.port)] if args.port else [],
        "mountPoints": [SCRATCH_MOUNT],
        "stopTimeout": min(args.drain_s + 20, STOP_S_MAX),
        "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
        "healthCheck": _check("python", "-c", HEALTH),
    }


def _collector(args: ContainersArgs) -> dict[str, Any]:
    cpu, memory = _collector_share(args)
    config = canonical_json(configure_collector(args))
    return {
        **_harden(args, COLLECTOR, COLLECTOR_USER),
        "image": args.collector_image,
        "essential": False,  # a chat without metrics is still a chat
        "cpu": cpu,
        "memory": memory,
        "environment": list_pairs({"AOT_CONFIG_CONTENT": config}, "value"),
        "secrets": [],
        "portMappings": [],
        "mountPoints": [],
        "stopTimeout": STOP_S_MAX,  # it hands over the last figures after the chat has ended
        "healthCheck": _check("/healthcheck"),
    }


def _collector_share(args: ContainersArgs) -> tuple[int, int]:
    """CPU units and MiB of the collector."""
    return (32, 128) if args.cpu < 1024 else (128, 256)


def _harden(args: ContainersArgs, name: str, user: str) -> dict[str, Any]:
    return harden(name, user, log_group=args.log_group, region=args.region, stream=args.service)


def harden(name: str, user: str, *, log_group: str, region: str, stream: str) -> dict[str, Any]:
    """What every container has: no root, nothing writable, no capability, a reaper for orphans, a log."""
    options = {
        "awslogs-group": log_group,
        "awslogs-region": region,
        "awslogs-stream-prefix": stream,
        "max-buffer-size": "25m",
        "mode": "non-blocking",  # a full log must not stop a socket
    }
    return {
        "name": name,
        "user": user,
        "privileged": False,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}},
        "logConfiguration": {"logDriver": "awslogs", "options": options, "secretOptions": []},
        "systemControls": [],
        "volumesFrom": [],
    }


def list_pairs(values: Mapping[str, str], key: str) -> list[dict[str, str]]:
    """Environment or secrets as ECS lists them, in one order."""
    return [{"name": name, key: value} for name, value in sorted(values.items())]


def _port(port: int) -> dict[str, Any]:
    return {"containerPort": port, "hostPort": port, "protocol": "tcp"}


def _check(*command: str) -> dict[str, Any]:
    return {"command": ["CMD", *command], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 30}


def configure_collector(args: ContainersArgs) -> dict[str, Any]:
    """The collector's configuration: scrape the chat, take its spans, write to Prometheus and X-Ray."""
    target = {"targets": [f"127.0.0.1:{METRICS_PORT}"], "labels": {"role": args.role, "service": args.service}}
    scrape = {"job_name": args.role, "scrape_interval": f"{SCRAPE_S}s", "static_configs": [target]}
    exporters: dict[str, Any] = {
        "awsxray": {"region": args.region, "indexed_attributes": ["env"]},
        "prometheusremotewrite": {
            "endpoint": args.metrics_write_url,
            "auth": {"authenticator": "sigv4auth"},
            "external_labels": {"env": args.env, "region": args.region},
        },
    }
    processors: dict[str, Any] = {
        "attributes/env": {
            "actions": [{"key": "env", "value": args.env, "action": "insert"}]
        },  # traces are found by it
        "batch": {},
        "memory_limiter": {"check_interval": "5s", "limit_percentage": 80, "spike_limit_percentage": 20},
    }
    usual = ["memory_limiter", "batch"]
    pipelines: dict[str, Any] = {
        "metrics": {"receivers": ["prometheus"], "processors": usual, "exporters": ["prometheusremotewrite"]},
        "traces": {"receivers": ["otlp"], "processors": ["attributes/env", *usual], "exporters": ["awsxray"]},
    }
    if args.figures:
        names = sorted(args.figures)
        processors["filter/figures"] = {"metrics": {"include": {"match_type": "strict", "metric_names": names}}}
        exporters["awsemf"] = {
            "region": args.region,
            "namespace": FIGURES_NAMESPACE,
            "log_group_name": args.figures_group,
            "log_stream_name": f"{args.service}-{{TaskId}}",
            "dimension_rollup_option": "NoDimensionRollup",
            "metric_declarations": [{"dimensions": [["service"]], "metric_name_selectors": [f"^{n}$" for n in names]}],
        }
        pipelines["metrics/figures"] = {
            "receivers": ["prometheus"],
            "processors": ["memory_limiter", "filter/figures", "batch"],
            "exporters": ["awsemf"],
        }
    return {
        "extensions": {"health_check": {}, "sigv4auth": {"region": args.region, "service": "aps"}},
        "receivers": {
            "prometheus": {"config": {"scrape_configs": [scrape]}},
            "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{OTLP_PORT}"}}},
        },
        "processors": processors,
        "exporters": exporters,
        "service": {"extensions": ["health_check", "sigv4auth"], "pipelines": pipelines},
    }
