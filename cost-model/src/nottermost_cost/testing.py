"""What tests of several files share: the collected facts, which lie beside the checkout, and charges as declared."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from nottermost_cost.capacity import find_services, find_stores, service_charges, split_tasks, store_charges
from nottermost_cost.charges import Charge, Part
from nottermost_cost.graph import Graph
from nottermost_cost.numeric import HOURS_PER_MONTH

SHARED_DATA: Final = Path(__file__).parents[4] / "shared" / "data"


def require_shared(name: str) -> Path:
    """A file of the shared data. Where it is missing the test is skipped, on CI it fails when it reads the file."""
    path = SHARED_DATA / name
    if not path.exists() and "CI" not in os.environ:
        pytest.skip(f"{name} is not beside the checkout")
    return path


def declared_charges(graph: Graph) -> list[Charge]:
    """All services at their desired count and all stores as declared; what stands by at zero has no line.

    Raises: GraphError as `find_services` and `find_stores` do.
    """
    charges: list[Charge] = []
    for service in find_services(graph):
        on_demand, spot = split_tasks(service, Decimal(service.desired))
        charges += service_charges(
            service,
            on_demand_hours=on_demand * HOURS_PER_MONTH,
            spot_hours=spot * HOURS_PER_MONTH,
            part=Part.DECLARED,
        )
    for store in find_stores(graph):
        charges += store_charges(store, nodes=Decimal(store.nodes), storage_gb=store.storage_gb, part=Part.DECLARED)
    return [charge for charge in charges if charge.quantity]
