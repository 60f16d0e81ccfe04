"""What runs code, and the queues and topics between: ECS, build agents, Lambda, SQS, SNS."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nottermost_cost.charges import Charge
from nottermost_cost.graph import Resource
from nottermost_cost.resources.rules import (
    Inputs,
    Rule,
    Surroundings,
    carried,
    declares,
    free,
    priced,
    read_inputs,
    usage,
)


class _Metric(Inputs, frozen=True):
    metric_stat: Any = None


class _CustomMetrics(Inputs, frozen=True):
    metrics: tuple[_Metric, ...] = ()


class _Tracking(Inputs, frozen=True):
    disable_scale_in: bool = False
    customized_metric_specification: _CustomMetrics = _CustomMetrics()


class _Policy(Inputs, frozen=True):
    target_tracking_scaling_policy_configuration: _Tracking | None = None


class _Group(Inputs, frozen=True):
    min_size: int


class _Provider(Inputs, frozen=True):
    capacity_provider: str


class _EcsService(Inputs, frozen=True):
    launch_type: str = "FARGATE"
    capacity_provider_strategies: tuple[_Provider, ...] = ()


def _price_policy(policy: Resource, around: Surroundings) -> Iterable[Charge]:
    """Target tracking keeps alarms of its own, one to grow and one to shrink, which CloudWatch bills as any other."""
    tracking = read_inputs(policy, _Policy).target_tracking_scaling_policy_configuration
    if tracking:
        alarms = 1 if tracking.disable_scale_in else 2
        metrics = sum(metric.metric_stat is not None for metric in tracking.customized_metric_specification.metrics)
        yield around.charge(
            policy,
            "cw.alarm.standard",
            alarms * max(1, metrics),
            f"Alarms of scaling policy {policy.name}",
            "metrics of the alarms to grow and to shrink",
        )


def _doubt_group(group: Resource) -> str:
    least = read_inputs(group, _Group).min_size
    return f"{least} instances always run (minSize), which the model does not price" if least else ""


def _doubt_service(service: Resource) -> str:
    inputs = read_inputs(service, _EcsService)
    used = {each.capacity_provider for each in inputs.capacity_provider_strategies} or {inputs.launch_type}
    other = sorted(used - {"FARGATE", "FARGATE_SPOT"})
    return f"tasks on {', '.join(other)} run on instances, which the model does not price" if other else ""


RULES: Final[Mapping[str, Rule]] = {
    "ecs/service": priced("tasks by vCPU and GB hours: capacity", doubt=_doubt_service),
    "ecs/taskDefinition": priced("the size of a task: capacity; without a service it costs by the hours it is run"),
    "ecs/cluster": usage("metrics and log bytes of Container Insights, by tasks"),
    "ecs/clusterCapacityProviders": free("chooses where tasks run"),
    "ecr/repository": usage("GB of images, and their transfer"),
    "ecr/lifecyclePolicy": free("part of the repository"),
    "ecr/replicationConfiguration": carried("the images of both regions"),
    "appautoscaling/target": priced("the bounds of a service: capacity"),
    "appautoscaling/policy": priced("the alarms that target tracking makes; step scaling has none", _price_policy),
    "autoscaling/group": usage("hours of the instances that builds start, and of their disks", doubt=_doubt_group),
    "ec2/launchTemplate": free("a template: its instances are charged where they run"),
    "lambda/function": usage("requests and GB-seconds", doubt=declares("snapStart")),
    "lambda/permission": free("part of the function"),
    "sqs/queue": usage("requests, in pieces of 64 KB"),
    "sqs/queuePolicy": free("part of the queue"),
    "sqs/redriveAllowPolicy": free("part of the queue"),
    "sns/topic": usage("published messages and deliveries, in pieces of 64 KB"),
    "sns/topicPolicy": free("part of the topic"),
    "sns/topicSubscription": carried("the topics; deliveries to queues and functions are free"),
}
