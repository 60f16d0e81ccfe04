"""One role of the chat as two ECS services, blue and green: one lives, the other is idle until it takes over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.ecs.service import Service as EcsService
from pulumi_aws.ecs.task_definition import TaskDefinition
from pulumi_aws.lb.listener_rule import ListenerRule
from pulumi_aws.lb.target_group import TargetGroup
from pulumi_aws.servicediscovery.service import Service as NamedService
from pulumi_aws.vpc.security_group_egress_rule import SecurityGroupEgressRule
from pulumi_aws.vpc.security_group_ingress_rule import SecurityGroupIngressRule

from nottermost_platform.components.cluster import ON_DEMAND, SPOT, pull_images, write_log
from nottermost_platform.components.containers import (
    CHAT,
    FIGURES_NAMESPACE,
    SCRATCH,
    ContainersArgs,
    describe_containers,
)
from nottermost_platform.components.needs import Provision
from nottermost_platform.components.observability import Alarm, AlarmArgs, Condition, Formula, Series
from nottermost_platform.components.roles import Size
from nottermost_platform.components.scaling import CPU, CPU_PERCENT, Scaling, ScalingArgs, Track
from nottermost_platform.components.security import (
    Firewall,
    FirewallArgs,
    Rule,
    ServiceRole,
    ServiceRoleArgs,
    add_log_group,
)
from nottermost_platform.policy import Statement, trust
from nottermost_platform.program import Component, Stack

COLOURS: Final = ("blue", "green")
FIRST: Final = "blue"  # lives at the beginning; later on the promoter says which
CONNECTIONS: Final = "chat_connections"
SURGE_PERCENT: Final = 20  # of tasks more when one of them takes nobody new
# Whole properties that the deploy tool changes at run time (design §4): what is declared is only the beginning.
SERVICE_OWNED: Final = ["desiredCount", "taskDefinition"]
RULE_OWNED: Final = ["actions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What all roles share.

    Attributes:
        images: repositories that a task may pull from, by ARN.
        stores_group_id: the security group that stores let in.
        secrets_key_arn: the key of what `secrets` point to.
        alarm_topic_arn: who is told of alarms.
    """

    cluster_arn: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[list[str]]
    stores_group_id: pulumi.Input[str]
    image: pulumi.Input[str]
    collector_image: pulumi.Input[str]
    images: Sequence[pulumi.Input[str]]
    log_days: int
    log_key_arn: pulumi.Input[str]
    secrets_key_arn: pulumi.Input[str]
    metrics_write_url: pulumi.Input[str]
    metrics_workspace_arn: pulumi.Input[str]
    alarm_topic_arn: pulumi.Input[str]
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Reached through the load balancer.

    Attributes:
        paths: patterns of the listener rule; five at most with everything else that it looks at.
        latency_s_p95_max: until the first byte of an answer; above it a deployment is rolled back.
    """

    listener_arn: pulumi.Input[str]
    load_balancer_suffix: pulumi.Input[str]
    load_balancer_group_id: pulumi.Input[str]
    paths: Sequence[str]
    priority: int
    latency_s_p95_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Reached by its name in the VPC; `name` is the role's, however many services take part."""

    namespace_id: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """A role of the chat.

    Attributes:
        role: what `nottermost chat run --role` is told; several pools may have one.
        port: where it takes requests; None for what only consumes.
        drain_s: how long it may take to let go of what it serves.
        connections_max: open sockets a task that tasks are added for, and those that are an alarm.
        latency_s_p95: answers slower than that add tasks; needs `http`.
        backlog: a further figure that adds tasks.
    """

    runtime: Runtime
    role: str
    size: Size
    provision: Provision
    port: int | None = None
    http: Http | None = None
    named: Named | None = None
    drain_s: int = 30
    connections_max: tuple[int, int] | None = None
    latency_s_p95: float | None = None
    backlog: Track | None = None


@dataclass(frozen=True, slots=True)
class Colour:
    """One of the two services of a role. `targets`: its target group, where it is behind the load balancer."""

    name: str
    service: EcsService
    targets: TargetGroup | None


class Service(Component):
    """Two ECS services with scaling and alarms, the roles and the security group they run under, and the way to them."""

    KIND = "chat:Service"

    def __init__(self, stack: Stack[Any], name: str, args: ServiceArgs) -> None:
        super().__init__(stack, name, service=name)
        self.args = args
        runtime = args.runtime
        self.firewall = Firewall(
            stack, f"{name}-task", parent=self,
            args=FirewallArgs(
                vpc_id=runtime.vpc_id, description=f"Tasks of {name}",
                egress=[Rule(name="https", port=443, why="AWS endpoints and the web, over TLS", cidr="0.0.0.0/0")],
            ),
        )  # fmt: skip
        path = f"/nottermost/{stack.place.env}/chat/{name}"
        self.logs = add_log_group(self, "logs", days=runtime.log_days, key_arn=runtime.log_key_arn, path=path)
        # Metrics that scaling and alarms follow become CloudWatch's by way of this log group.
        self.figures = (
            add_log_group(self, "figures", days=3, key_arn=runtime.log_key_arn, path=f"{path}/figures")
            if args.connections_max else None
        )  # fmt: skip
        self.execution = self._add_role("execution", "Starts the tasks of", {"start": self._to_start(path)})
        observe = self._to_observe(f"{path}/figures")
        self.task = self._add_role("task", "What tasks may do of", {"observe": observe, "serve": args.provision.allows})
        self.known = pulumi.Output.all(  # once for both colours: each Output costs every wait of the SDK a little
            image=runtime.image, collector_image=runtime.collector_image, log_group=self.logs.name,
            metrics_write_url=runtime.metrics_write_url, figures_group=self.figures.name if self.figures else "",
            environment=args.provision.environment, secrets=args.provision.secrets,
        )  # fmt: skip
        targets = {colour: self._add_targets(colour) for colour in COLOURS} if args.http else {}
        self.rule = self._add_rule(args.http, targets) if args.http else None
        self.registry = self._add_name(args.named) if args.named else None
        self.colours = [self._add_colour(colour, targets.get(colour)) for colour in COLOURS]
        self.register_outputs({})

    def let_in(self, caller: "Service") -> None:
        """Lets the tasks of another service call this one, and nobody else."""
        name = caller.logical_name
        own, other = self.firewall.id, caller.firewall.id
        self._let(SecurityGroupIngressRule, f"from-{name}", own, other, f"Calls of {name}")
        self._let(SecurityGroupEgressRule, f"{name}-to", other, own, f"Calls to {self.logical_name}")

    def _let(
        self, kind: type[pulumi.Resource], name: str, group: pulumi.Input[str], other: pulumi.Input[str], why: str
    ) -> None:
        """A rule of a group about the port of this service and one other group."""
        self.add(
            kind, name, security_group_id=group, referenced_security_group_id=other, description=why, ip_protocol="tcp",
            from_port=self.args.port, to_port=self.args.port,
        )  # fmt: skip

    def promotion(self) -> dict[str, pulumi.Output[str]]:
        """What the promoter needs to know to move users from one colour to the other."""
        known = {each.name: each.service.name for each in self.colours}
        known |= {f"{each.name}_targets": each.targets.arn for each in self.colours if each.targets}
        return known | ({"rule": self.rule.arn} if self.rule else {})

    def _add_role(self, name: str, does: str, allows: Mapping[str, Sequence[Statement]]) -> ServiceRole:
        account, region = self.stack.settings.account_id, self.stack.place.region
        source = f"arn:aws:ecs:{region}:{account}:*"
        trusted = [trust("ecs-tasks.amazonaws.com", account, source_arn=source)]
        return ServiceRole(
            self.stack, f"{self.logical_name}-{name}", parent=self,
            args=ServiceRoleArgs(
                description=f"{does} {self.logical_name}", trusted=trusted,
                allows={each: statements for each, statements in allows.items() if statements},
            ),
        )  # fmt: skip

    def _to_start(self, path: str) -> list[Statement]:
        """What ECS does before the containers run: pull two images, read the listed secrets, open the log."""
        runtime, region = self.args.runtime, self.stack.place.region
        start = [*pull_images(*runtime.images), write_log(self.stack, path)]
        secrets = [pulumi.Output.from_input(each).apply(_whole) for each in self.args.provision.secrets.values()]
        if not secrets:
            return start
        read = Statement(actions=["secretsmanager:GetSecretValue"], resources=secrets)
        decrypt = Statement(
            actions=["kms:Decrypt"], resources=[runtime.secrets_key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}},
        )  # fmt: skip
        return [*start, read, decrypt]

    def _to_observe(self, figures_path: str) -> list[Statement]:
        """What the collector does in the name of the task."""
        trace = Statement(
            actions=["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            resources=["*"],  # X-Ray's segments have no resource in IAM
        )  # fmt: skip
        measure = Statement(actions=["aps:RemoteWrite"], resources=[self.args.runtime.metrics_workspace_arn])
        if not self.args.connections_max:
            return [measure, trace]
        return [measure, trace, write_log(self.stack, figures_path)]

    def _add_targets(self, colour: str) -> TargetGroup:
        """A target group. TLS ends at the load balancer: behind it only its group reaches the task, inside the VPC."""
        check = aws.lb.TargetGroupHealthCheckArgs(
            enabled=True, protocol="HTTP", port="traffic-port", path="/healthz", matcher="200", interval=10, timeout=5,
            healthy_threshold=2, unhealthy_threshold=3,
        )  # fmt: skip
        return self.add(
            TargetGroup, colour, vpc_id=self.args.runtime.vpc_id, target_type="ip", protocol="HTTP",
            protocol_version="HTTP1", port=self.args.port, health_check=check, deregistration_delay=self.args.drain_s,
            load_balancing_algorithm_type="least_outstanding_requests", ip_address_type="ipv4",
        )  # fmt: skip

    def _add_rule(self, http: Http, targets: Mapping[str, TargetGroup]) -> ListenerRule:
        """All requests to the first colour, both in the rule from the start: one added later would begin with weight 1."""
        groups = [
            aws.lb.ListenerRuleActionForwardTargetGroupArgs(arn=group.arn, weight=100 if colour == FIRST else 0)
            for colour, group in targets.items()
        ]
        forward = aws.lb.ListenerRuleActionForwardArgs(target_groups=groups)
        paths = aws.lb.ListenerRuleConditionPathPatternArgs(values=list(http.paths))
        own, balancer = self.firewall.id, http.load_balancer_group_id
        self._let(SecurityGroupIngressRule, "from-balancer", own, balancer, "Requests of the load balancer")
        self._let(SecurityGroupEgressRule, "balancer-to", balancer, own, f"Requests to {self.logical_name}")
        return self.add(
            ListenerRule, "weights", listener_arn=http.listener_arn, priority=http.priority,
            conditions=[aws.lb.ListenerRuleConditionArgs(path_pattern=paths)],
            actions=[aws.lb.ListenerRuleActionArgs(type="forward", forward=forward)],
            opts=pulumi.ResourceOptions(ignore_changes=RULE_OWNED),
        )  # fmt: skip

    def _add_name(self, named: Named) -> NamedService:
        """An address in DNS for up to eight tasks; callers that need all ask Cloud Map itself."""
        record = aws.servicediscovery.ServiceDnsConfigDnsRecordArgs(type="A", ttl=10)
        return self.add(
            NamedService, "name", name=self.logical_name, description=f"Tasks of {self.logical_name}",
            dns_config=aws.servicediscovery.ServiceDnsConfigArgs(
                namespace_id=named.namespace_id, dns_records=[record], routing_policy="MULTIVALUE"
            ),
            # Without it ECS stops its tasks, and left empty the provider leaves it out; but the argument class warns.
            health_check_custom_config={"failure_threshold": 1},
        )  # fmt: skip

    def _add_colour(self, colour: str, targets: TargetGroup | None) -> Colour:
        args, runtime, size, place = self.args, self.args.runtime, self.args.size, self.stack.place
        name = f"{self.logical_name}-{colour}"
        service = self.physical_name(EcsService, name)
        describe = partial(
            _describe, env=place.env, region=place.region, role=args.role, service=service, port=args.port, cpu=size.cpu,
            memory_mib=size.memory_mib, drain_s=args.drain_s, figures=[CONNECTIONS] if self.figures else [],
        )  # fmt: skip
        definition = self.add(
            TaskDefinition, colour, container_definitions=self.known.apply(describe), cpu=str(size.cpu),
            memory=str(size.memory_mib), network_mode="awsvpc", requires_compatibilities=["FARGATE"],
            execution_role_arn=self.execution.arn, task_role_arn=self.task.arn, skip_destroy=True,  # a rollback needs them
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                operating_system_family="LINUX", cpu_architecture=runtime.architecture
            ),
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=SCRATCH)],
        )  # fmt: skip
        alarms = [
            Alarm(
                self.stack, f"{name}-{what}", AlarmArgs(condition=each, actions=[runtime.alarm_topic_arn]), parent=self
            )
            for what, each in self._troubles(service, targets).items()
        ]
        running = self.add(
            EcsService, colour, cluster=runtime.cluster_arn, task_definition=definition.arn,
            desired_count=size.tasks_min if colour == FIRST else 0, capacity_provider_strategies=_capacity(size),
            availability_zone_rebalancing="ENABLED", propagate_tags="SERVICE", enable_ecs_managed_tags=True,
            enable_execute_command=False, wait_for_steady_state=True, scheduling_strategy="REPLICA",
            force_new_deployment=True,  # else another capacity strategy replaces the service; tags alone deploy nothing
            deployment_minimum_healthy_percent=100, deployment_maximum_percent=200,
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            alarms=aws.ecs.ServiceAlarmsArgs(alarm_names=[each.name for each in alarms], enable=True, rollback=True),
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=runtime.subnet_ids, assign_public_ip=False,
                security_groups=[self.firewall.id, runtime.stores_group_id],
            ),
            load_balancers=[_balanced(targets, args.port)] if targets and args.port else None,
            health_check_grace_period_seconds=60 if targets else None,
            service_registries=aws.ecs.ServiceServiceRegistriesArgs(registry_arn=self.registry.arn) if self.registry else None,
            opts=pulumi.ResourceOptions(ignore_changes=SERVICE_OWNED, depends_on=[self.rule] if self.rule else None),
        )  # fmt: skip
        scaling = Scaling(
            self.stack, name, parent=self,
            args=ScalingArgs(
                cluster_name=runtime.cluster_name, service_name=running.name, tasks_min=size.tasks_min,
                tasks_max=size.tasks_max, tracks=self._tracks(service, targets), schedules=size.schedules,
                surge_percent=SURGE_PERCENT if args.connections_max else 0, suspended=colour != FIRST,
                fall_s=900 if args.connections_max else 300,  # sockets move when a task goes
            ),
        )  # fmt: skip
        if args.connections_max and scaling.surge_arn is not None:
            full = self._full(service, args.connections_max[1])
            alarm = AlarmArgs(condition=full, actions=[runtime.alarm_topic_arn], starts=[scaling.surge_arn])
            Alarm(self.stack, f"{name}-full", alarm, parent=self)
        return Colour(colour, running, targets)

    def _troubles(self, service: str, targets: TargetGroup | None) -> dict[str, Condition]:
        """What rolls a deployment back, and calls somebody."""
        name = self.logical_name
        tasks = {"ClusterName": self.args.runtime.cluster_name, "ServiceName": service}
        counts = {
            "desired": _series("ECS/ContainerInsights", "DesiredTaskCount", tasks),
            "running": _series("ECS/ContainerInsights", "RunningTaskCount", tasks),
        }
        troubles = {
            "missing": Condition(
                summary=f"{service} runs fewer tasks than it should for 10 minutes.",
                measure=Formula("desired - running", counts), threshold=0, periods=10, runbook="service-tasks-missing",
            )
        }  # fmt: skip
        if targets is None or self.args.http is None:
            return troubles
        own = {"LoadBalancer": self.args.http.load_balancer_suffix, "TargetGroup": targets.arn_suffix}
        answers = {
            "errors": _series("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", own, "Sum"),
            "requests": _series("AWS/ApplicationELB", "RequestCount", own, "Sum"),
        }
        slow = self.args.http.latency_s_p95_max
        return troubles | {
            # Zero errors are no data point, no requests neither: the one counts as 0, the other is not judged.
            "errors": Condition(
                summary=f"More than 1 % of the answers of {name} ({service}) are 5xx.",
                measure=Formula("IF(requests > 100, 100 * FILL(errors, 0) / requests, 0)", answers),
                threshold=1, periods=3, runbook="service-errors",
            ),
            "slow": Condition(
                summary=f"5 % of the answers of {name} ({service}) take more than {slow} s.",
                measure=_series("AWS/ApplicationELB", "TargetResponseTime", own, "p95"),
                threshold=slow, periods=5, runbook="service-slow",
            ),
            "unhealthy": Condition(
                summary=f"Tasks of {name} ({service}) do not answer health checks for 5 minutes.",
                measure=_series("AWS/ApplicationELB", "UnHealthyHostCount", own, "Maximum"),
                threshold=0, periods=5, runbook="service-unhealthy",
            ),
        }  # fmt: skip

    def _full(self, service: str, limit: int) -> Condition:
        return Condition(
            summary=f"A task of {service} holds {limit} sockets and takes nobody new: scaling does not keep up.",
            measure=_series(FIGURES_NAMESPACE, CONNECTIONS, {"service": service}, "Maximum"),
            threshold=limit, comparison=">=", periods=3, runbook="gateway-full",
        )  # fmt: skip

    def _tracks(self, service: str, targets: TargetGroup | None) -> dict[str, Track]:
        args = self.args
        tracks = {"cpu": Track(measure=CPU, target=CPU_PERCENT)}
        if args.connections_max:
            open_sockets = _series(FIGURES_NAMESPACE, CONNECTIONS, {"service": service})
            tracks["connections"] = Track(measure=open_sockets, target=args.connections_max[0])
        if args.latency_s_p95 and args.http and targets:
            own = {"LoadBalancer": args.http.load_balancer_suffix, "TargetGroup": targets.arn_suffix}
            latency = _series("AWS/ApplicationELB", "TargetResponseTime", own, "p95")
            tracks["latency"] = Track(measure=latency, target=args.latency_s_p95, tasks_fall=False)
        if args.backlog:
            tracks["backlog"] = args.backlog
        return tracks


def _describe(known: Mapping[str, Any], **given: Any) -> str:
    return describe_containers(ContainersArgs(**given, **known))


def _whole(secret: str) -> str:
    """The ARN of a secret of which a container may take one key."""
    return ":".join(secret.split(":")[:7])


def _series(
    namespace: str, metric: str, dimensions: Mapping[str, pulumi.Input[str]], statistic: str = "Average"
) -> Series:
    return Series(namespace=namespace, metric=metric, dimensions=dimensions, statistic=statistic)


def _capacity(size: Size) -> list[aws.ecs.ServiceCapacityProviderStrategyArgs]:
    """The minimum on demand; of what comes above it, the given part on Spot."""
    on_demand = aws.ecs.ServiceCapacityProviderStrategyArgs(
        capacity_provider=ON_DEMAND, base=max(1, size.tasks_min), weight=100 - size.spot_percent
    )
    spot = aws.ecs.ServiceCapacityProviderStrategyArgs(capacity_provider=SPOT, weight=size.spot_percent)
    return [on_demand, spot] if size.spot_percent else [on_demand]


def _balanced(targets: TargetGroup, port: int) -> aws.ecs.ServiceLoadBalancerArgs:
    return aws.ecs.ServiceLoadBalancerArgs(target_group_arn=targets.arn, container_name=CHAT, container_port=port)
