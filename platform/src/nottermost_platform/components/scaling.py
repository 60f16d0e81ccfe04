"""How many tasks a service has: between a minimum and a maximum, following figures, and by the clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.appautoscaling.policy import Policy
from pulumi_aws.appautoscaling.scheduled_action import ScheduledAction
from pulumi_aws.appautoscaling.target import Target
from pydantic import Field

from nottermost_platform.components.observability import Series
from nottermost_platform.program import Component, Stack
from nottermost_platform.settings import Strict

_Tracking: Final = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs
_Predefined: Final = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs
_Custom: Final = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationArgs
_Metric: Final = (
    aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricArgs
)
_Stat: Final = (
    aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatArgs
)
_StatMetric: Final = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricArgs
_Dimension: Final = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationCustomizedMetricSpecificationMetricMetricStatMetricDimensionArgs
_Steps: Final = aws.appautoscaling.PolicyStepScalingPolicyConfigurationArgs
_Step: Final = aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgs
CPU: Final = "ECSServiceAverageCPUUtilization"
CPU_PERCENT: Final = 70  # document D


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A figure that tasks are added for while it is above its target.

    Attributes:
        measure: a metric, or the name of one that ECS itself keeps.
        tasks_fall: whether tasks also go when it is below. Not for figures that are missing while nothing happens:
            no tasks go while one that may take them away has no data.
    """

    measure: Series | str
    target: float
    tasks_fall: bool = True


class Schedule(Strict):
    """Other bounds from a time on. `cron`: AWS's six fields, in the zone."""

    cron: str = Field(pattern=r"^(\S+ ){5}\S+$")
    tasks_min: int = Field(ge=1)
    tasks_max: int = Field(ge=1)
    zone: str = "Etc/UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingArgs:
    """The scaling of one ECS service.

    Attributes:
        surge_percent: added at once when whoever is given `surge_arn` says that tasks are full; 0: nobody is.
        suspended: of the idle colour, which stays at 0. Which colour is idle is the promoter's to say later on.
        fall_s: how long no further task goes after one went.
    """

    cluster_name: pulumi.Input[str]
    service_name: pulumi.Input[str]
    tasks_min: int
    tasks_max: int
    tracks: Mapping[str, Track]
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    surge_percent: int = 0
    suspended: bool = False
    rise_s: int = 30
    fall_s: int = 300


class Scaling(Component):
    """A scaling target of Application Auto Scaling with its policies."""

    KIND = "chat:Scaling"

    def __init__(self, stack: Stack[Any], name: str, args: ScalingArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        state = aws.appautoscaling.TargetSuspendedStateArgs(
            dynamic_scaling_in_suspended=args.suspended, dynamic_scaling_out_suspended=args.suspended,
            scheduled_scaling_suspended=args.suspended,
        )  # fmt: skip
        self.target = self.add(
            Target, "", service_namespace="ecs", scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", args.cluster_name, "/", args.service_name),
            min_capacity=args.tasks_min, max_capacity=args.tasks_max, suspended_state=state,
            opts=pulumi.ResourceOptions(ignore_changes=["suspendedState"]),  # the promoter's: only the live colour scales
        )  # fmt: skip
        scaled: dict[str, Any] = {
            "service_namespace": self.target.service_namespace,
            "scalable_dimension": self.target.scalable_dimension,
            "resource_id": self.target.resource_id,
        }
        for figure, track in args.tracks.items():
            configuration = _Tracking(
                target_value=track.target, disable_scale_in=not track.tasks_fall, scale_out_cooldown=args.rise_s,
                scale_in_cooldown=args.fall_s, **_measured(track.measure),
            )  # fmt: skip
            self.add(
                Policy, figure, policy_type="TargetTrackingScaling",
                target_tracking_scaling_policy_configuration=configuration, **scaled,
            )  # fmt: skip
        for when, schedule in args.schedules.items():
            bounds = aws.appautoscaling.ScheduledActionScalableTargetActionArgs(
                min_capacity=schedule.tasks_min, max_capacity=schedule.tasks_max
            )
            self.add(
                ScheduledAction, when, schedule=f"cron({schedule.cron})", timezone=schedule.zone,
                scalable_target_action=bounds, **scaled,
            )  # fmt: skip
        self.surge_arn = self._surge(args, scaled) if args.surge_percent else None
        self.register_outputs({})

    def _surge(self, args: ScalingArgs, scaled: Mapping[str, Any]) -> pulumi.Output[str]:
        """What an alarm calls when following a target was too slow: as when everybody connects again."""
        steps = _Steps(
            adjustment_type="PercentChangeInCapacity", metric_aggregation_type="Maximum", min_adjustment_magnitude=1,
            cooldown=args.rise_s,
            step_adjustments=[_Step(metric_interval_lower_bound="0", scaling_adjustment=args.surge_percent)],
        )  # fmt: skip
        policy = self.add(Policy, "surge", policy_type="StepScaling", step_scaling_policy_configuration=steps, **scaled)
        arn: pulumi.Output[str] = policy.arn
        return arn


def _measured(measure: Series | str) -> dict[str, Any]:
    if isinstance(measure, str):
        return {"predefined_metric_specification": _Predefined(predefined_metric_type=measure)}
    dimensions = [_Dimension(name=name, value=value) for name, value in sorted(measure.dimensions.items())]
    metric = _StatMetric(namespace=measure.namespace, metric_name=measure.metric, dimensions=dimensions)
    found = _Metric(id="figure", metric_stat=_Stat(metric=metric, stat=measure.statistic), return_data=True)
    return {"customized_metric_specification": _Custom(metrics=[found])}
