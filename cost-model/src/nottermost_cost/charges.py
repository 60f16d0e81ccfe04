"""What is to be paid for, before its price: the one form in which graph, scenario and terms meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from nottermost_cost.numeric import Number


class Origin(StrEnum):
    """Who says that it is used. No price key comes from both the graph and the scenario."""

    GRAPH = "graph"
    SCENARIO = "scenario"
    TERMS = "terms"


class Part(StrEnum):
    """How the quantity of a graph's charge was found."""

    DECLARED = "declared"  # as the programs declare it
    CURVE = "curve"  # an autoscaled service along the scenario's day, between its minimum and maximum
    ADDED = "added"  # what the load needs beyond what the graph declares or allows


@dataclass(frozen=True, slots=True)
class Charge:
    """A quantity of one price key.

    Attributes:
        region: of the price: an AWS region, `global` or `edge:us`.
        place: where it is spent; differs from `region` when another region's price stands in, times `factor`.
        quantity: in the unit of the price.
        name: what finance reads.
        driver: the quantity of the workload, or the property of the resource, that it follows.
        urn: the resource that it is for; "" when the graph has none.
        tags: of that resource; at least `env`.
    """

    origin: Origin
    environment: str
    key: str
    region: str
    quantity: Number
    name: str
    driver: str
    urn: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    part: Part = Part.DECLARED
    place: str = ""
    factor: Decimal = Decimal(1)
