"""Limits that no node raises: partitions of the log, and what a table takes."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from nottermost_cost.graph import Graph
from nottermost_cost.numeric import largest
from nottermost_cost.sizing.needs import Need
from nottermost_cost.workload import Workload

TABLE_UNITS_PER_S: Final = 40_000  # a table's write units on demand, before a quota is raised (docs/platform.md)
_TOPIC: Final = "aws:msk/topic:Topic"
_CONSUMERS: Final = ("archiver", "fanout", "indexer", "notifier", "webhooks")  # each task reads at least a partition


def find_limits(graph: Graph, workload: Workload, tasks: Iterable[Need]) -> list[Need]:
    """Needs that a number in a program or a quota decides. `tasks`: what the services need."""
    home, needs = workload.shape.home, []
    consumers = [
        each
        for each in tasks
        if each.region == home and each.unit == "tasks" and each.what.removesuffix(" tasks") in _CONSUMERS
    ]
    partitions = [int(each.inputs["partitionCount"]) for each in graph if each.type == _TOPIC and each.region == home]
    if partitions and consumers:
        needs.append(
            Need(
                what="log partitions",
                environment=graph.env,
                region=home,
                unit="partitions",
                demand=largest(*(each.needed for each in consumers)),
                needed=largest(*(each.needed for each in consumers)),
                declared=Decimal(max(partitions)),
                least=Decimal(0),
                reason="each task of a consumer reads at least one; they are fixed for the life of a topic",
            )
        )
    if workload.shape.store != "postgresql":
        units = workload.quantities("store.writes_per_message") * largest(*workload.messages_per_s)
        needs.append(
            Need(
                what="message store write units",
                environment=graph.env,
                region=home,
                unit="units/s",
                demand=units,
                needed=units,
                declared=Decimal(TABLE_UNITS_PER_S),
                least=Decimal(0),
                reason="messages in the busiest second, against a table's quota",
            )
        )
    return needs
