"""Nodes and storage of the stores: what the load fills, beside what the graph declares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.capacity import Store, StoreKind, store_charges
from nottermost_cost.charges import Charge, Part
from nottermost_cost.estimate import Sizing
from nottermost_cost.inputs import Values
from nottermost_cost.nodes import Node, describe_node
from nottermost_cost.numeric import HOURS_PER_MONTH, SECONDS_PER_HOUR, Number, ceil, largest, scale, smallest
from nottermost_cost.sizing.needs import Need, without_nothing
from nottermost_cost.workload import Workload

_GIB: Final = 1024**3
_MB: Final = 1_000_000
_BROKER_GB_MAX: Final = 16_384  # of one MSK broker; AWS's quota, general knowledge
_SMALLEST_VCPU: Final = 2  # of a node type that has no smaller one fit for production
_ZONES: Final = 3


@dataclass(frozen=True, slots=True)
class _Demand:
    """What fills a store: nodes of its type (not rounded) and GB over all of them."""

    nodes: Number
    storage_gb: Number
    reason: str


def size_store(store: Store, workload: Workload, values: Values, sizing: Sizing) -> tuple[list[Charge], list[Need]]:
    """Charges and needs of one store: as declared, what it grows to by itself, and what is missing beyond that."""
    charges = store_charges(store, nodes=Decimal(store.nodes), storage_gb=store.storage_gb, part=Part.DECLARED)
    demand = _fill(store, workload, values)
    if demand is None:
        return charges, []
    group = _group_of(store)
    needed = ceil(largest(demand.nodes / group, 1)) * group
    grown = smallest(largest(demand.storage_gb, _like(store.storage_gb, demand)), _like(store.storage_limit_gb, demand))
    beyond = largest(demand.storage_gb - _like(store.storage_limit_gb, demand), 0)
    _, *growth = store_charges(
        store, nodes=Decimal(0), storage_gb=grown - _like(store.storage_gb, demand), part=Part.CURVE
    )
    nodes, *storage = store_charges(store, nodes=largest(needed - store.nodes, 0), storage_gb=beyond, part=Part.ADDED)
    if sizing is Sizing.SCENARIO:
        charges += without_nothing([*growth, nodes, *storage])
    return charges, _needs(store, demand, needed, group, nodes, storage)


def _needs(
    store: Store, demand: _Demand, needed: Number, group: int, nodes: Charge, storage: list[Charge]
) -> list[Need]:
    unit = "vCPUs" if store.kind is StoreKind.PROXY else "nodes"
    smaller = store.nodes > group or (store.node_type and describe_node(store.node_type).vcpu > _SMALLEST_VCPU)
    needs = [
        Need(
            what=f"{store.label} {unit} ({store.node_type})",
            environment=store.environment,
            region=store.region,
            unit=unit,
            demand=demand.nodes,
            needed=needed,
            declared=Decimal(store.nodes),
            least=Decimal(store.nodes if smaller else 0),
            reason=demand.reason,
            added=(nodes,),
        )
    ]
    if storage:
        needs.append(
            Need(
                what=f"{store.label} storage",
                environment=store.environment,
                region=store.region,
                unit="GB",
                demand=demand.storage_gb,
                needed=demand.storage_gb,
                declared=store.storage_limit_gb,
                least=Decimal(0),
                reason="what is stored",
                added=tuple(storage),
            )
        )
    return needs


def _like(size: Decimal, demand: _Demand) -> Number:
    """A size of the graph as the kind of number that the demand is."""
    return size if isinstance(demand.storage_gb, Decimal | int) else float(size)


def _group_of(store: Store) -> int:
    """How many nodes come together: a cache's shard with its copies, a broker in every zone, vCPUs of a proxied node."""
    if store.kind in (StoreKind.CACHE, StoreKind.PROXY):
        return store.nodes
    if store.kind is StoreKind.BROKERS:
        return _ZONES if store.nodes % _ZONES == 0 else 2
    return 1


def _fill(store: Store, workload: Workload, values: Values) -> _Demand | None:
    """What the load fills of a store; None for what does not grow with it."""
    if store.kind not in _FILL or not store.node_type:
        return None
    home = store.region == workload.shape.home
    if not home and not store.replica:
        return None  # the standby's own brokers, cache and search are filled when it takes over
    return _FILL[store.kind](store, describe_node(store.node_type), workload, values)


def _fill_database(store: Store, node: Node, workload: Workload, values: Values) -> _Demand:
    busy = node.vcpu * values["autoscaling.utilisation"]
    peak = largest(*workload.messages_per_s)
    nodes = peak * values["directory.transactions_per_message"] / (values["directory.transactions_per_vcpu_s"] * busy)
    stored = workload.quantities("users.mau") * values["directory.bytes_per_user"]
    reason = "the directory's transactions in the busiest second"
    if workload.shape.store == "postgresql":
        nodes = nodes + peak / (values["store.postgres_writes_per_vcpu_s"] * busy)
        stored = stored + workload.quantities("database.bytes", workload.shape.home)
        reason = "messages and the directory's transactions in the busiest second"
    return _Demand(nodes * (store.nodes if store.kind is StoreKind.PROXY else 1), stored / _GIB, reason)


def _fill_cache(store: Store, node: Node, workload: Workload, values: Values) -> _Demand:
    """Routes of connections, and pages of history for as long as they may be used again."""
    q, peak = workload.quantities, largest(*workload.messages_per_s)
    pages = q("history.pages") / HOURS_PER_MONTH * values["curve.peak_factor"]
    caches = smallest(values["reads.cache_hit"] * 1000, 1)  # without hits nothing is kept
    page_bytes = values["store.page_entries"] * (values["store.entry_bytes"] + q("messages.body"))
    kept = q.total("connections.peak") * values["cache.bytes_per_connection"]
    kept = kept + pages * (1 - values["reads.cache_hit"]) * values["cache.page_hours"] * page_bytes * caches
    memory = kept / _GIB / scale(values["autoscaling.utilisation"], node.memory_gib)
    work = peak * (values["cache.operations_per_message"] + values["reads.per_message"] * caches)
    work = work + pages / SECONDS_PER_HOUR * caches
    threads = work / (values["cache.operations_per_vcpu_s"] * values["autoscaling.utilisation"])
    shards = largest(memory, threads)
    return _Demand(shards * store.nodes, 0 * shards, "routes and hot pages in memory, or operations on a primary")


def _fill_brokers(_: Store, node: Node, workload: Workload, values: Values) -> _Demand:
    per_s = largest(*workload.messages_per_s) * values["log.record_bytes"] / _MB
    stored = workload.quantities("log.stored") / _GIB
    nodes = largest(per_s / (values["log.mb_per_vcpu_s"] * node.vcpu), stored / _BROKER_GB_MAX)
    return _Demand(nodes, stored, f"bytes into the log in the busiest second, or {_BROKER_GB_MAX:,} GB a broker")


def _fill_search(_: Store, node: Node, workload: Workload, values: Values) -> _Demand:
    index = workload.quantities("search.index_bytes") * values["search.copies"] / _GIB
    stored = index / (values["search.gb_per_vcpu"] * node.vcpu)
    busiest = workload.quantities("searches") / HOURS_PER_MONTH / SECONDS_PER_HOUR * values["curve.peak_factor"]
    asked = busiest / (values["search.queries_per_vcpu_s"] * node.vcpu)
    return _Demand(largest(stored, asked), index * values["search.free_space"], "GB a node, or searches a second")


_FILL: Final[Mapping[StoreKind, Callable[[Store, Node, Workload, Values], _Demand]]] = {
    StoreKind.DATABASE: _fill_database,
    StoreKind.PROXY: _fill_database,
    StoreKind.CACHE: _fill_cache,
    StoreKind.BROKERS: _fill_brokers,
    StoreKind.SEARCH: _fill_search,
}
