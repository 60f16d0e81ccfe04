"""How one resource type is treated, and what its price may depend on besides the resource itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from nottermost_cost.charges import Charge, Origin
from nottermost_cost.errors import GraphError
from nottermost_cost.estimate import Treatment
from nottermost_cost.graph import Graph, Resource
from nottermost_cost.numeric import HOURS_PER_MONTH

MONTH: Final = Decimal(1)  # of something billed by the month
HOURS: Final = Decimal(HOURS_PER_MONTH)  # of something that always runs

_OWN_TAGS: Final = ("nottermost-id", "Name")  # name one resource, so they are not passed on


class Inputs(msgspec.Struct, frozen=True, rename="camel"):
    """What a price needs of a resource's inputs; the others are passed over."""


Kind = TypeVar("Kind", bound=Inputs)


class Surroundings:
    """What is asked of the graph as a whole: its environment, tags of untagged resources, names that lead to AWS."""

    def __init__(self, graph: Graph) -> None:
        self.environment = graph.env
        self._tags = _inherit_tags(graph)
        self.aws_names = frozenset(
            str(each.inputs["name"])
            for each in graph
            if each.type == "aws:route53/record:Record" and each.inputs.get("aliases")
        )

    def tags(self, resource: Resource) -> Mapping[str, str]:
        """Its own, or where it has none (many types cannot) those that its neighbours agree on; at least `env`."""
        return {"env": self.environment} | self._tags.get(resource.urn, {})

    def charge(
        self, resource: Resource, key: str, quantity: Decimal | int, name: str, driver: str, region: str = ""
    ) -> Charge:
        """A fixed line of a resource, priced in `region` or, where that is empty, in the resource's own."""
        return Charge(
            origin=Origin.GRAPH,
            environment=self.environment,
            key=key,
            region=region or resource.region,
            quantity=Decimal(quantity),
            name=name,
            driver=driver,
            urn=resource.urn,
            tags=self.tags(resource),
        )


Price: TypeAlias = Callable[[Resource, Surroundings], Iterable[Charge]]
Doubt: TypeAlias = Callable[[Resource], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """What the model does with a resource type.

    Attributes:
        price: the charges that do not depend on use.
        doubt: why this one resource costs more than the rule knows; "" when it does not. Such a resource is reported
            as unpriced, also where the rest of it is priced.
    """

    treatment: Treatment
    reason: str
    price: Price | None = None
    doubt: Doubt | None = None


def priced(reason: str, price: Price | None = None, *, doubt: Doubt | None = None) -> Rule:
    """Without `price` its lines come from `capacity`."""
    return Rule(Treatment.PRICED, reason, price, doubt)


def carried(by: str) -> Rule:
    """What it costs is in the lines of something else."""
    return Rule(Treatment.USAGE, f"in the lines of {by}")


def usage(reason: str, *, doubt: Doubt | None = None) -> Rule:
    """The reason names what it costs by."""
    return Rule(Treatment.USAGE, reason, doubt=doubt)


def free(reason: str, *, doubt: Doubt | None = None) -> Rule:
    """The reason says why, or where the cost appears instead."""
    return Rule(Treatment.FREE, reason, doubt=doubt)


def unpriced(reason: str) -> Rule:
    """The reason says what it costs by and that the book has no price of it."""
    return Rule(Treatment.UNPRICED, reason)


def declares(*paths: str) -> Doubt:
    """Doubt about a resource that sets any of these inputs (`a.b` is `b` inside `a`) to something."""

    def found(resource: Resource) -> str:
        set_ = [path for path in paths if _look_up(resource.inputs, path)]
        return f"declares {', '.join(set_)}, which the model does not price" if set_ else ""

    return found


def read_inputs(resource: Resource, kind: type[Kind]) -> Kind:
    """What a price needs of the inputs. Raises: GraphError when one is missing or of another kind."""
    try:
        return msgspec.convert(resource.inputs, kind, strict=False)
    except msgspec.ValidationError as error:
        raise GraphError(f"{resource.urn} cannot be priced: {error}; capture the graph again") from None


def _look_up(inputs: Mapping[str, Any], path: str) -> object:
    value: Any = inputs
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _inherit_tags(graph: Graph) -> dict[str, dict[str, str]]:
    """Tags by URN: of a resource without any, what all tagged resources in the nearest component agree on."""
    parents = {each.urn: each.parent for each in graph}
    agreed: dict[str, dict[str, str]] = {}
    for each in graph:
        if each.tags:
            shared = {name: value for name, value in each.tags.items() if name not in _OWN_TAGS}
            for ancestor in _ancestors(each.urn, parents):
                known = agreed.get(ancestor, shared)
                agreed[ancestor] = {name: value for name, value in known.items() if shared.get(name) == value}
    return {
        each.urn: dict(each.tags) or next((agreed[at] for at in _ancestors(each.urn, parents) if agreed.get(at)), {})
        for each in graph
    }


def _ancestors(urn: str, parents: Mapping[str, str | None]) -> Iterable[str]:
    at = parents.get(urn)
    while at:
        yield at
        at = parents.get(at)
