"""What the questions are asked of: one environment, one workload, one price book."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Final

from nottermost_cost.breakeven.curves import NoAnswer
from nottermost_cost.charges import Charge
from nottermost_cost.engine import Choice, Model, Side, load_model, make_estimate
from nottermost_cost.estimate import Estimate
from nottermost_cost.inputs import Values, base_values
from nottermost_cost.layouts import Layout
from nottermost_cost.numeric import HOURS_PER_MONTH, SECONDS_PER_HOUR
from nottermost_cost.pricebook import Rate
from nottermost_cost.tiers import price_quantity
from nottermost_cost.usage import derive_operations
from nottermost_cost.workload import Workload, derive_workload

SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * SECONDS_PER_HOUR


@dataclass(frozen=True)
class Setting:
    """An environment by itself, at public prices where a question says nothing else."""

    model: Model

    @property
    def side(self) -> Side:
        """Its graph and scenario."""
        return self.model.sides[0]

    @property
    def home(self) -> str:
        """The region that appends."""
        return self.side.shape.home

    @property
    def scenario(self) -> str:
        """Its name."""
        return self.side.scenario.name

    @property
    def users(self) -> Decimal:
        """A day. Raises: NoAnswer when there are none, for nothing grows with them then."""
        dau = self.model.inputs["users.dau"].value
        if not dau:
            raise NoAnswer(f"scenario {self.scenario} has no users: there is nothing to compare")
        return dau

    @cached_property
    def values(self) -> Values:
        """Every input, at its base."""
        return base_values(self.model.inputs)

    @cached_property
    def workload(self) -> Workload:
        """What the scenario does in a month."""
        return derive_workload(self.values, self.side.shape)

    def with_users(self, dau: Decimal) -> "Setting":
        """The same with another number of daily users; everything else a user does stays."""
        users = self.model.inputs["users.dau"]
        scaled = replace(users, value=dau, low=dau, high=dau)
        return Setting(replace(self.model, inputs={**self.model.inputs, "users.dau": scaled}))

    def with_operations(self) -> Workload:
        """The workload with what running it takes, without tasks."""
        workload = derive_workload(self.values, self.side.shape)
        shape = self.side.shape
        derive_operations(workload, {each: Decimal(0) for each in (shape.home, *shape.standbys)}, self.values)
        return workload

    def find(self, key: str, region: str) -> Rate:
        """A price of the day. Raises: PriceNotFound."""
        return self.model.tariff.book.find(key, region, self.model.choice.day)

    def price(self, charges: Iterable[Charge]) -> Decimal:
        """Charges by themselves at public prices, tiers walked for each key and region."""
        found: dict[tuple[str, str], Decimal] = {}
        for each in charges:
            found[each.key, each.region] = found.get((each.key, each.region), Decimal(0)) + Decimal(each.quantity)
        return sum((price_quantity(self.find(*where), quantity) for where, quantity in found.items()), Decimal(0))

    def estimate(self) -> Estimate:
        """Of the environment, with the terms."""
        return make_estimate(self.model)


def load_setting(choice: Choice, layout: Layout | None = None) -> Setting:
    """Read what the questions need. Raises: CostError."""
    return Setting(load_model(replace(choice, alone=True, layout=layout or choice.layout)))
