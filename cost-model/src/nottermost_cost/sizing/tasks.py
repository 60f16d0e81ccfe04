"""Tasks of the autoscaled services: what each hour of the day fills, between minimum and maximum and beyond."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from nottermost_cost.capacity import Service, service_charges, split_tasks
from nottermost_cost.charges import Charge, Part
from nottermost_cost.estimate import Sizing
from nottermost_cost.inputs import Values
from nottermost_cost.numeric import HOURS_PER_DAY, HOURS_PER_MONTH, Number, ceil, largest, scale, smallest
from nottermost_cost.sizing.needs import Need, without_nothing
from nottermost_cost.workload import Workload


def _demand_of(service: Service, workload: Workload, values: Values) -> tuple[list[Number], str]:
    """Tasks that each hour fills, and which demand decides. A standby has a share of the home region's load."""
    region = service.region
    share: Number = 1
    if region in workload.shape.standbys and region not in workload.shape.served:
        share, region = values["autoscaling.standby_share"], workload.shape.home
    busy = scale(values["autoscaling.utilisation"], service.vcpu)
    if service.name == "gateway":
        connected = scale(values["gateway.connections_per_vcpu"], service.vcpu)
        frames = values["gateway.frames_per_vcpu_s"] * busy
        hours = [
            largest(open_ / connected, delivered / frames)
            for open_, delivered in zip(workload.connections[region], workload.deliveries_per_s[region], strict=True)
        ]
        reason = "connections, or frames in the busiest second"
    elif service.name == "api":
        hours = [each / (values["api.requests_per_vcpu_s"] * busy) for each in workload.requests_per_s[region]]
        reason = "requests in the busiest second"
    else:
        if region != workload.shape.home:
            share = 0
        coefficient, reason = _PER_MESSAGE.get(service.name, ("worker.records_per_vcpu_s", _RECORDS))
        hours = [each / (values[coefficient] * busy) for each in workload.messages_per_s]
    return [each * share for each in hours], reason


_RECORDS: Final = "log records in the busiest second"
_PER_MESSAGE: Final = {
    "ingest": ("ingest.messages_per_vcpu_s", "messages in the busiest second"),
    "fanout": ("fanout.records_per_vcpu_s", _RECORDS),
}


def size_service(
    service: Service, workload: Workload, values: Values, sizing: Sizing
) -> tuple[list[Charge], Number, Need]:
    """Charges, task hours a month and the need of one service."""
    demand, reason = _demand_of(service, workload, values)
    wanted = [largest(ceil(each), service.minimum) for each in demand]
    allowed = [smallest(each, service.maximum) for each in wanted]
    releases = 1 + values["terms.releases.per_month"] * values["terms.releases.overlap_hours"] / HOURS_PER_MONTH
    running = allowed if sizing is Sizing.SCENARIO else [service.desired + 0 * each for each in demand]
    on_demand, spot = _month_of([split_tasks(service, each) for each in running], releases, values)
    charges = service_charges(
        service,
        on_demand_hours=on_demand,
        spot_hours=spot,
        part=Part.CURVE if sizing is Sizing.SCENARIO else Part.DECLARED,
    )
    beyond = [each - most for each, most in zip(wanted, allowed, strict=True)]
    spots = [scale(each, service.spot_share) for each in beyond]
    more_on_demand, more_spot = _month_of(
        [(each - part, part) for each, part in zip(beyond, spots, strict=True)], releases, values
    )
    added = service_charges(service, on_demand_hours=more_on_demand, spot_hours=more_spot, part=Part.ADDED)
    hours = on_demand + spot
    if sizing is Sizing.SCENARIO:
        charges += without_nothing(added)
        hours = hours + more_on_demand + more_spot
    peak = largest(*demand)
    return (
        charges,
        hours,
        Need(
            what=f"{service.name} tasks",
            environment=service.environment,
            region=service.region,
            unit="tasks",
            demand=peak,
            needed=largest(*wanted),
            declared=Decimal(service.maximum),
            least=Decimal(service.minimum),
            reason=reason,
            added=tuple(added),
        ),
    )


def _month_of(tasks: Sequence[tuple[Number, Number]], releases: Number, values: Values) -> tuple[Number, Number]:
    """Task hours a month (on demand, Spot) of a day's 24 hours; what Spot loses is done again."""
    on_demand = sum(each for each, _ in tasks) * HOURS_PER_MONTH / HOURS_PER_DAY
    spot = sum(each for _, each in tasks) * HOURS_PER_MONTH / HOURS_PER_DAY
    return on_demand * releases, spot * releases * (1 + values["terms.spot_overhead"])
