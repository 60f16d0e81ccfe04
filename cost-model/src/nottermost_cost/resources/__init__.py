"""Fixed lines: what the declared resources cost whoever uses them, and how every resource type is treated.

One table: the short form of a type (`ec2/eip` of `aws:ec2/eip:Eip`) to its rule, in one file for each area of AWS.
What has a size (tasks, databases, caches, brokers, search) is charged in `capacity`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from nottermost_cost.charges import Charge
from nottermost_cost.estimate import Treatment, TypeCoverage
from nottermost_cost.graph import Graph, Resource
from nottermost_cost.resources import account, compute, data, network, observability
from nottermost_cost.resources.rules import Rule, Surroundings, free, unpriced

RULES: Final[Mapping[str, Rule]] = {
    **network.RULES,
    **compute.RULES,
    **data.RULES,
    **observability.RULES,
    **account.RULES,
}
_GROUPING: Final = free("a grouping, no resource of AWS")
_UNKNOWN: Final = unpriced("unknown type")


def find_rule(resource: Resource) -> Rule:
    """How this resource is treated. A type that the table does not know is unpriced, never free."""
    if _is_grouping(resource):
        return _GROUPING
    package, _, rest = resource.type.partition(":")
    return RULES.get(rest.partition(":")[0], _UNKNOWN) if package == "aws" else _UNKNOWN


def price_resources(graph: Graph) -> tuple[list[Charge], tuple[TypeCoverage, ...]]:
    """The fixed charges in the order of the graph, and each type with its treatment.

    The counts add up to the number of resources; a type whose resources differ has an entry for each reason.
    Groupings are one entry for each package (`nottermost:*`).

    Raises: GraphError when an input that a price needs is missing.
    """
    around = Surroundings(graph)
    charges: list[Charge] = []
    counts: Counter[tuple[str, Treatment, str]] = Counter()
    for resource in graph:
        rule = find_rule(resource)
        if rule.price:
            charges.extend(rule.price(resource, around))
        doubt = rule.doubt(resource) if rule.doubt else ""
        name = f"{resource.type.partition(':')[0]}:*" if _is_grouping(resource) else resource.type
        counts[(name, Treatment.UNPRICED, doubt) if doubt else (name, rule.treatment, rule.reason)] += 1
    return charges, tuple(
        TypeCoverage(name, count, treatment, reason) for (name, treatment, reason), count in sorted(counts.items())
    )


def _is_grouping(resource: Resource) -> bool:
    return not resource.custom or resource.type.startswith("pulumi:")
