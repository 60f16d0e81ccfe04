"""What a load needs of the services and stores, against what the graph declares.

Autoscaled services follow the curve of the day between their minimum and maximum, and volumes grow to their
limit. What the load needs beyond that is charged too, as `Part.ADDED`, and is a finding: the graph is too
small. What hardly anything fills is a finding as well. Nothing is billed below the declared minimum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nottermost_cost.capacity import Service, Store
from nottermost_cost.charges import Charge
from nottermost_cost.estimate import Sizing
from nottermost_cost.inputs import Values
from nottermost_cost.numeric import Number
from nottermost_cost.sizing.limits import find_limits
from nottermost_cost.sizing.needs import Need, judge_needs
from nottermost_cost.sizing.stores import size_store
from nottermost_cost.sizing.tasks import size_service
from nottermost_cost.workload import Workload

__all__ = ["Need", "Sized", "find_limits", "judge_needs", "size_all"]


@dataclass(frozen=True)
class Sized:
    """Charges of everything that can be sized, what was needed, and the task hours a month of each region."""

    charges: list[Charge]
    needs: list[Need]
    task_hours: Mapping[str, Number]


def size_all(
    services: Sequence[Service], stores: Sequence[Store], workload: Workload, values: Values, sizing: Sizing
) -> Sized:
    """Size every service and store of one environment."""
    charges: list[Charge] = []
    needs: list[Need] = []
    task_hours: dict[str, Number] = {}
    for service in services:
        if not service.desired:
            continue  # the idle colour; what both run during releases is in the hours of the other
        found, hours, need = size_service(service, workload, values, sizing)
        charges += found
        needs.append(need)
        task_hours[service.region] = task_hours.get(service.region, 0) + hours
    for store in stores:
        found, wanted = size_store(store, workload, values, sizing)
        charges += found
        needs += wanted
    return Sized(charges, needs, task_hours)
