"""Containers: Fargate, machines of our own, or Fargate on Spot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.breakeven.curves import (
    Assumption,
    Axis,
    BreakEven,
    NoAnswer,
    Option,
    answer_question,
    space_evenly,
)
from nottermost_cost.breakeven.setting import Setting
from nottermost_cost.capacity import Service, find_services
from nottermost_cost.errors import PriceNotFound
from nottermost_cost.nodes import Node, describe_node
from nottermost_cost.numeric import HOURS_PER_MONTH
from nottermost_cost.pricebook import Rate
from nottermost_cost.report.cells import show_whole
from nottermost_cost.sizing import size_all

FARGATE: Final = "Fargate"
SPOT: Final = "Fargate Spot"
AGENT_SHARE: Final = Decimal("0.05")  # of a machine's CPU and memory
SPARE_SHARE: Final = Decimal("0.1")  # of the machines
DISK_GB: Final = 30  # of each machine; a task on Fargate has 20 GB in its price
_MACHINES: Final = {  # those of one size that the book knows in several regions
    "x86": ("c6i.2xlarge", "c5.2xlarge", "m5.2xlarge"),
    "arm": ("c7g.2xlarge", "c6g.2xlarge", "m7g.2xlarge", "m6g.2xlarge"),
}
_LOWEST: Final = Decimal("0.3")


@dataclass(frozen=True, slots=True)
class Tasks:
    """Task hours a month of one service."""

    service: Service
    hours: Decimal

    @property
    def vcpu_hours(self) -> Decimal:
        """Over all tasks."""
        return self.hours * self.service.vcpu

    @property
    def gb_hours(self) -> Decimal:
        """Over all tasks."""
        return self.hours * self.service.memory_gb


@dataclass(frozen=True)
class Machine:
    """A type of machine, with the price of an hour and of its disk by region."""

    name: str
    node: Node
    prices: dict[str, tuple[Rate, Rate]]

    @property
    def vcpu(self) -> Decimal:
        """What the agent and the system leave."""
        return self.node.vcpu * (1 - AGENT_SHARE)

    @property
    def memory_gb(self) -> Decimal:
        """Likewise."""
        return self.node.memory_gib * (1 - AGENT_SHARE)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """All its prices."""
        return tuple(rate for pair in self.prices.values() for rate in pair)

    def full_hours(self, tasks: Iterable[Tasks]) -> Decimal:
        """Machine hours if tasks were a liquid: CPU or memory, whichever is scarcer."""
        found = list(tasks)
        return max(
            sum(each.vcpu_hours for each in found) / self.vcpu, sum(each.gb_hours for each in found) / self.memory_gb
        )

    def whole_hours(self, tasks: Iterable[Tasks]) -> Decimal:
        """Machine hours if each machine holds as many whole tasks of one service as it can."""
        return sum((each.hours / self._count(each.service) for each in tasks), Decimal(0))

    def _count(self, service: Service) -> int:
        count = min(self.vcpu // service.vcpu, self.memory_gb // service.memory_gb)
        if not count:
            raise NoAnswer(f"a task of {service.name} does not fit on {self.name}: the question has no larger machine")
        return int(count)

    def cost(self, tasks: Sequence[Tasks], fill: Decimal) -> Decimal:
        """USD a month when tasks fill this share of what there is for them."""
        total = Decimal(0)
        for region, (hour, disk) in self.prices.items():
            hours = self.full_hours(each for each in tasks if each.service.region == region) / fill
            total += hours * (hour.bands[0].price + disk.bands[0].price * DISK_GB / HOURS_PER_MONTH)
        return total


def ask_compute(setting: Setting) -> BreakEven:
    """x: the share of the machines that tasks fill. Raises: CostError where tasks or prices do not allow the question."""
    tasks = find_tasks(setting)
    machine = choose_machine(setting, tasks)
    own = f"EC2 {machine.name}"
    overhead = 1 + Decimal(setting.values["terms.spot_overhead"])
    options = (
        _fargate(setting, tasks, FARGATE, "linux", Decimal(1)),
        _fargate(setting, tasks, SPOT, "spot", overhead),
        Option(own, lambda fill: machine.cost(tasks, fill), machine.rates),
    )
    here = find_fill(machine, tasks)
    return answer_question(
        "compute",
        "Fargate, EC2 or Spot?",
        Axis("share of the machines that tasks fill", "", space_evenly(min(_LOWEST, here), Decimal(1)), here,
             is_logarithmic=False),
        options,
        lambda found: _answer(found, own),
        (
            Assumption(
                f"{AGENT_SHARE:.0%} of a machine's CPU and memory is the agent's and the system's",
                "AWS recommends it for memory (Batch user guide, reserve system memory); of CPU it is assumed",
            ),
            Assumption(
                f"one machine in {1 / SPARE_SHARE:f} is room for releases and new tasks, and a machine holds whole tasks "
                "of one service",
                "assumed; ADR 0023 names the first",
            ),
            Assumption(f"machines follow the load as tasks do and have {DISK_GB} GB of disk each", "assumed"),
            Assumption("every service could run on Spot; ADR 0023 keeps gateways and ingest off it", "a bound, no plan"),
        ),
    )  # fmt: skip


def find_tasks(setting: Setting) -> tuple[Tasks, ...]:
    """Task hours of every service that runs, sized for the scenario. Raises: NoAnswer for two architectures."""
    services = [each for each in find_services(setting.side.graph) if each.desired]
    sized = size_all(services, [], setting.workload, setting.values, setting.model.choice.sizing)
    found = tuple(
        Tasks(service, sum((Decimal(each.quantity) for each in sized.charges
                            if each.urn == service.urn and each.key.endswith(".vcpu_hour")), Decimal(0)) / service.vcpu)
        for service in services
    )  # fmt: skip
    if not found:
        raise NoAnswer(f"{setting.side.graph.env} runs no services: there is nothing to place on machines")
    if len({each.architecture for each in services}) > 1:
        raise NoAnswer(f"{setting.side.graph.env} has services of two architectures: no one machine runs both")
    return found


def choose_machine(setting: Setting, tasks: Sequence[Tasks]) -> Machine:
    """The cheapest for these tasks of those priced in all their regions. Raises: PriceNotFound when none is."""
    regions = dict.fromkeys(each.service.region for each in tasks)
    found, problem = [], None
    for name in _MACHINES[tasks[0].service.architecture]:
        try:
            prices = {
                each: (setting.find(f"ec2.{name}.linux.od", each), setting.find("ebs.gp3", each)) for each in regions
            }
        except PriceNotFound as error:
            problem = error
            continue
        found.append(Machine(name, describe_node(name), prices))
    if not found:
        assert problem is not None
        raise problem
    return min(found, key=lambda each: each.cost(tasks, Decimal(1)))


def find_fill(machine: Machine, tasks: Sequence[Tasks]) -> Decimal:
    """What whole tasks fill of the machines, the spare ones included."""
    return machine.full_hours(tasks) / machine.whole_hours(tasks) * (1 - SPARE_SHARE)


def _fargate(setting: Setting, tasks: Sequence[Tasks], name: str, offer: str, overhead: Decimal) -> Option:
    """Flat in x: a task pays for itself."""
    total, rates = Decimal(0), []
    for each in tasks:
        prefix = f"fargate.{offer}.{each.service.architecture}"
        for unit, hours in (("vcpu_hour", each.vcpu_hours), ("gb_hour", each.gb_hours)):
            rate = setting.find(f"{prefix}.{unit}", each.service.region)
            rates.append(rate)
            total += hours * rate.bands[0].price * overhead
    return Option(name, lambda _: total, tuple(rates))


def _answer(found: BreakEven, own: str) -> str:
    crossing, over_spot = found.crossing(FARGATE, own), found.crossing(SPOT, own)
    fargate, spot, machines = (found.cost_here(each) for each in (FARGATE, SPOT, own))
    first = (
        f"{own} is cheaper than Fargate when tasks fill more than {crossing.x:.1%} of the machines"
        if crossing
        else f"{own} is never cheaper than Fargate"
        if machines > fargate
        else f"{own} is cheaper than Fargate however little of it is filled"
    )
    second = (
        f", and than Spot above {over_spot.x:.1%}."
        if over_spot
        else f"; Spot is {'cheaper' if spot < machines else 'dearer'} than it however full the machines are."
    )
    verdict = "less" if machines < fargate else "more"
    return (
        f"{first}{second} Whole tasks and spare machines fill {found.here[0].x:.1%}: {own} costs {show_whole(machines)} a "
        f"month, {show_whole(abs(fargate - machines))} {verdict} than Fargate's {show_whole(fargate)}, before anybody "
        f"looks after machines. All on Spot it would be {show_whole(spot)}."
    )
