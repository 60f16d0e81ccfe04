"""All roles of the chat together: who provides for each, who may call whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from nottermost_conventions.topics import ENTRIES
from nottermost_platform.components.needs import Backends, Need, Provision, provide
from nottermost_platform.components.observability import Series
from nottermost_platform.components.roles import ROLES, TIER_PRIORITY, Role, Size, Tier
from nottermost_platform.components.scaling import Track
from nottermost_platform.components.service import Http, Named, Runtime, Service, ServiceArgs
from nottermost_platform.policy import Statement
from nottermost_platform.program import Stack

LAG_RECORDS: Final = 10_000  # document D: more consumers above it
QUEUE_AGE_S: Final = 60  # until a webhook is sent
GATEWAY: Final = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetArgs:
    """The chat.

    Attributes:
        listener_arn, load_balancer_suffix, load_balancer_group_id: of the load balancer.
        namespace_id, namespace: the private domain in which roles find each other.
        broker_cluster: whose backlog adds tasks.
        fenced: appends nothing: a region that is not home.
        connections: open sockets a gateway that add tasks, and those that are an alarm.
        proxies: networks, with commas between, whose machines are believed when they say who asks.
    """

    runtime: Runtime
    backends: Backends
    listener_arn: pulumi.Input[str]
    load_balancer_suffix: pulumi.Input[str]
    load_balancer_group_id: pulumi.Input[str]
    namespace_id: pulumi.Input[str]
    namespace: pulumi.Input[str]
    broker_cluster: pulumi.Input[str]
    domain: str
    fenced: pulumi.Input[bool]
    roles: Mapping[str, Size]
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    connections: tuple[int, int]
    proxies: pulumi.Input[str]
    api_latency_s_p95: float


def add_fleet(stack: Stack[Any], args: FleetArgs) -> dict[str, Service]:
    """Every role's services by name, and a further pool of gateways for each tier."""
    services = {}
    for name, size in args.roles.items():
        role = ROLES.get(name, Role(needs=tuple(size.needs)))
        services[name] = _add(stack, args, name, name, role, size)
    for tier, pool in args.tiers.items():
        role = ROLES[GATEWAY].at(f"/ws/{tier}", priority=TIER_PRIORITY + pool.slot)
        services[f"{GATEWAY}-{tier}"] = _add(stack, args, f"{GATEWAY}-{tier}", GATEWAY, role, pool)
    for caller in list(services.values()):
        for callee in ROLES[caller.args.role].calls if caller.args.role in ROLES else ():
            services[callee].let_in(caller)
    return services


def _add(stack: Stack[Any], args: FleetArgs, name: str, kind: str, role: Role, size: Size) -> Service:
    http = Http(
        listener_arn=args.listener_arn, load_balancer_suffix=args.load_balancer_suffix,
        load_balancer_group_id=args.load_balancer_group_id, paths=role.paths, priority=role.priority,
        latency_s_p95_max=role.latency_s_p95_max,
    )  # fmt: skip
    return Service(
        stack, name,
        ServiceArgs(
            runtime=args.runtime, role=kind, size=size, port=role.port, drain_s=role.drain_s,
            provision=_provide(args, name, kind, role), http=http if role.paths else None,
            named=Named(namespace_id=args.namespace_id) if role.port and not role.paths else None,
            connections_max=args.connections if kind == GATEWAY else None,
            latency_s_p95=args.api_latency_s_p95 if kind == "api" else None, backlog=_backlog(args, name, role),
        ),
    )  # fmt: skip


def _consumer(name: str) -> str:
    """What the brokers call a group that reads the log, as in `nottermost_chat.adapters.kafka_client`."""
    return f"nottermost-{name}"


def _provide(args: FleetArgs, name: str, kind: str, role: Role) -> Provision:
    """All that a role needs, and where it listens and whom it calls."""
    environment: dict[str, pulumi.Input[str]] = {
        "NOTTERMOST_HOST": "0.0.0.0",  # noqa: S104 - inside the task's own network interface
        "NOTTERMOST_PUBLIC_URL": f"https://{args.domain}",
        "NOTTERMOST_FENCED": pulumi.Output.from_input(args.fenced).apply(lambda fenced: str(fenced).lower()),
    }
    if role.port:
        environment["NOTTERMOST_PORT"] = str(role.port)
    if role.paths:
        environment["NOTTERMOST_TRUSTED_PROXIES"] = args.proxies
    if kind == GATEWAY:
        environment["NOTTERMOST_LIMITS__CONNECTIONS_MAX"] = str(args.connections[1])
    for callee in role.calls:
        address = pulumi.Output.concat(f"{callee}.", args.namespace, f":{ROLES[callee].port}")
        environment[f"NOTTERMOST_{callee.upper()}"] = address
    find = Statement(  # DNS names eight tasks at most: whoever calls all of them asks Cloud Map; IAM knows no resource, the condition keeps to this namespace
        actions=["servicediscovery:DiscoverInstances"], resources=["*"],
        conditions={"StringEquals": {"servicediscovery:NamespaceName": args.namespace}},
    )  # fmt: skip
    provision = Provision(environment=environment, allows=[find] if role.calls else [])
    for need in role.needs:
        groups = role.redrives if need is Need.REDRIVE else (name, *role.groups)
        provision |= provide(need, args.backends, consumers=[_consumer(group) for group in groups])
    return provision


def _backlog(args: FleetArgs, name: str, role: Role) -> Track | None:
    """What has not been worked off yet; it only adds tasks, CPU takes them away."""
    if Need.WEBHOOKS in role.needs:
        queue = pulumi.Output.from_input(args.backends.webhook_queue_arn).apply(lambda arn: arn.rpartition(":")[2])
        age = Series(
            namespace="AWS/SQS", metric="ApproximateAgeOfOldestMessage", dimensions={"QueueName": queue},
            statistic="Maximum",
        )  # fmt: skip
        return Track(measure=age, target=QUEUE_AGE_S, tasks_fall=False)
    if Need.LOG_READ in role.needs:
        group = {"Cluster Name": args.broker_cluster, "Consumer Group": _consumer(name), "Topic": ENTRIES.name}
        lag = Series(namespace="AWS/Kafka", metric="SumOffsetLag", dimensions=group, statistic="Maximum")
        return Track(measure=lag, target=LAG_RECORDS, tasks_fall=False)
    return None
