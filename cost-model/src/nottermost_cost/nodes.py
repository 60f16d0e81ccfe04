"""What a node of a type has: AWS names the family, the generation and the size."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.errors import GraphError

_NAME: Final = re.compile(r"(?P<family>[a-z]+)(?P<generation>\d)[a-z]*\.(?P<size>\d*xlarge|[a-z]+)")
_GIB_PER_VCPU: Final = {"c": Decimal(2), "m": Decimal(4), "r": Decimal(8), "or": Decimal(8)}
_BURSTABLE_GIB: Final = {"micro": Decimal(1), "small": Decimal(2), "medium": Decimal(4), "large": Decimal(8)}
_BURSTABLE: Final = "t"  # two vCPUs in each of its small sizes; general AWS knowledge, as is the table above


@dataclass(frozen=True, slots=True)
class Node:
    """vCPUs and GiB of memory of one node."""

    vcpu: int
    memory_gib: Decimal


def describe_node(node_type: str) -> Node:
    """Of `db.m7g.large`, `cache.r7g.xlarge`, `kafka.t3.small` or `r6g.large.search`. Raises: GraphError."""
    found = _NAME.search(node_type)
    if found is None:
        raise GraphError(f"{node_type!r} is no node type that the model can size: expected one such as db.m7g.large")
    family, size = found["family"], found["size"]
    if family == _BURSTABLE and size in _BURSTABLE_GIB:
        return Node(2, _BURSTABLE_GIB[size])
    per_vcpu = _GIB_PER_VCPU.get(family, _GIB_PER_VCPU["m"])
    vcpu = 4 * int(size.removesuffix("xlarge") or 1) if size.endswith("xlarge") else 2 if size == "large" else 1
    return Node(vcpu, per_vcpu * vcpu)
