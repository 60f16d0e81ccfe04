"""Services and stores as the graph sizes them, and any size of them as charges."""

from collections import defaultdict
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_conventions.contracts import GRAPH
from nottermost_cost.capacity import (
    Service,
    Store,
    StoreKind,
    find_services,
    find_stores,
    service_charges,
    split_tasks,
    store_charges,
)
from nottermost_cost.charges import Part
from nottermost_cost.errors import GraphError
from nottermost_cost.graph import GRAPHS, Graph, Resource, Stack, load_graph
from nottermost_cost.testing import declared_charges

MAIN, SECOND = "us-east-1", "eu-west-1"


@cache
def golden(env: str) -> Graph:
    return load_graph(GRAPHS / env)


def service(env: str, name: str, colour: str = "blue", region: str = MAIN) -> Service:
    (found,) = [
        each for each in find_services(golden(env)) if (each.name, each.colour, each.region) == (name, colour, region)
    ]
    return found


def stores(env: str, kind: StoreKind, region: str = MAIN) -> list[Store]:
    return [each for each in find_stores(golden(env)) if (each.kind, each.region) == (kind, region)]


def resource(type_: str, name: str, /, **inputs: Any) -> Resource:
    return Resource(f"urn:{type_}::{name}", type_, name, MAIN, inputs)


def graph_of(*resources: Resource) -> Graph:
    return Graph(GRAPH, "dev", "known", (Stack("data", MAIN, resources),))


def database(name: str = "database", /, **inputs: Any) -> Resource:
    known = {"identifier": name, "engine": "postgres", "instanceClass": "db.m7g.large", "storageType": "gp3"}
    return resource("aws:rds/instance:Instance", name, **(known | inputs))


def tasks(**inputs: Any) -> Resource:
    known = {"family": "dev-worker", "cpu": "256", "memory": "512"}
    return resource("aws:ecs/taskDefinition:TaskDefinition", "worker", **(known | inputs))


def worker(**inputs: Any) -> Resource:
    arn = "arn:aws:ecs:us-east-1:1:task-definition/dev-worker:3"
    known = {"name": "dev-worker", "cluster": "arn:aws:ecs:us-east-1:1:cluster/main", "taskDefinition": arn}
    return resource("aws:ecs/service:Service", "worker", **(known | {"desiredCount": 4} | inputs))


def quantities(graph: Graph) -> dict[tuple[str, str], Decimal]:
    total: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for charge in declared_charges(graph):
        total[charge.key, charge.region] += charge.quantity
    return dict(total)


# --- services -----------------------------------------------------------------------------------


def test_a_service_is_read_with_its_task_and_its_bounds() -> None:
    """The gateway of production: 2 vCPU and 4 GB, never on Spot, from 3 to 1250 tasks."""
    gateway = service("prod", "gateway")
    assert [gateway.vcpu, gateway.memory_gb, gateway.ephemeral_gb] == [2, 4, 0]
    assert gateway.architecture == "x86"
    assert (gateway.desired, gateway.minimum, gateway.maximum) == (3, 3, 1250)
    assert gateway.on_demand_base == 3
    assert gateway.spot_share == 0
    assert gateway.tags["service"] == "gateway"


def test_workers_run_on_spot_above_their_base() -> None:
    """Weights of 25 and 75 above a base of two."""
    archiver = service("prod", "archiver")
    assert (archiver.on_demand_base, archiver.spot_share) == (2, Decimal("0.75"))
    assert split_tasks(archiver, Decimal(10)) == (4, 6)
    assert split_tasks(archiver, Decimal(1)) == (1, 0)


def test_a_standing_by_colour_neither_scales_nor_costs() -> None:
    """Green has no tasks and its scaling is suspended, so the minimum of its target does not start any."""
    green = service("prod", "gateway", "green")
    assert (green.desired, green.minimum, green.maximum) == (0, 0, 0)
    assert not [each for each in declared_charges(golden("prod")) if each.urn == green.urn]


def test_a_service_without_scaling_stays_at_its_count() -> None:
    """Without target, strategy, platform and disk: 4 tasks on demand, x86, the free disk."""
    (found,) = find_services(graph_of(tasks(), worker()))
    assert (found.name, found.colour) == ("worker", "")
    assert (found.minimum, found.maximum, found.on_demand_base) == (4, 4, 0)
    assert found.spot_share == 0
    assert quantities(graph_of(tasks(), worker())) == {
        ("fargate.linux.x86.vcpu_hour", MAIN): Decimal(730),
        ("fargate.linux.x86.gb_hour", MAIN): Decimal(1460),
    }


def test_arm_tasks_on_spot_with_a_large_disk() -> None:
    """Each has its price; the first 20 GB of a task's disk are free."""
    large = tasks(runtimePlatform={"cpuArchitecture": "ARM64"}, ephemeralStorage={"sizeInGib": 30})
    spot = worker(capacityProviderStrategies=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    assert quantities(graph_of(large, spot)) == {
        ("fargate.spot.arm.vcpu_hour", MAIN): Decimal(730),
        ("fargate.spot.arm.gb_hour", MAIN): Decimal(1460),
        ("fargate.ephemeral.gb_hour", MAIN): Decimal(4 * 730 * 10),
    }


def test_a_service_needs_its_task_definition() -> None:
    """The error says what is missing and what to do."""
    with pytest.raises(GraphError, match=r"worker runs dev-worker, .* capture it again"):
        find_services(graph_of(worker()))


def test_tasks_that_only_run_on_call_are_not_declared() -> None:
    """The load fleet of dev has a task definition and no service."""
    assert not [each for each in declared_charges(golden("dev")) if "LoadFleet" in each.urn]


@given(
    on_demand=st.lists(st.floats(0, 1e6), min_size=1, max_size=4),
    share=st.decimals(0, 1, places=2),
    cpu=st.integers(1, 64),
)
def test_columns_and_decimals_agree(on_demand: list[float], share: Decimal, cpu: int) -> None:
    """A thousand samples are priced by the same formulas as the reported line."""
    strategy = [
        {"capacityProvider": "FARGATE", "weight": int(100 - 100 * share), "base": 2},
        {"capacityProvider": "FARGATE_SPOT", "weight": int(100 * share)},
    ]
    (found,) = find_services(graph_of(tasks(cpu=str(256 * cpu)), worker(capacityProviderStrategies=strategy)))
    columns = service_charges_at(found, np.array(on_demand))
    for row, value in enumerate(on_demand):
        exact = service_charges_at(found, Decimal(value))
        assert [column[row] for column in columns] == pytest.approx([float(each) for each in exact])


def service_charges_at(of: Service, running: Any) -> list[Any]:
    on_demand, spot = split_tasks(of, running)
    charges = service_charges(of, on_demand_hours=on_demand * 730, spot_hours=spot * 730, part=Part.CURVE)
    return [each.quantity for each in charges]


# --- stores -------------------------------------------------------------------------------------


def test_production_has_its_stores() -> None:
    """Kinds, nodes and storage in both regions; a replica has the storage of its source across regions."""
    found = [
        (each.kind, each.region, each.node_key, each.nodes, int(each.storage_gb))
        for each in find_stores(golden("prod"))
    ]
    assert sorted(found) == sorted(
        [
            (StoreKind.DATABASE, MAIN, "rds.postgres.db.m7g.large.multi", 1, 200),
            (StoreKind.DATABASE, MAIN, "rds.postgres.db.m7g.large.multi", 1, 200),
            (StoreKind.DATABASE, SECOND, "rds.postgres.db.m7g.large.multi", 1, 200),
            (StoreKind.PROXY, MAIN, "rds.proxy", 2, 0),
            (StoreKind.PROXY, SECOND, "rds.proxy", 2, 0),
            (StoreKind.CACHE, MAIN, "elasticache.valkey.cache.r7g.large", 3, 0),
            (StoreKind.CACHE, SECOND, "elasticache.valkey.cache.t4g.medium", 2, 0),
            (StoreKind.BROKERS, MAIN, "msk.kafka.m7g.large", 3, 1500),
            (StoreKind.BROKERS, SECOND, "msk.kafka.t3.small", 3, 300),
            (StoreKind.SEARCH, MAIN, "opensearch.r6g.large.search", 3, 600),
            (StoreKind.SEARCH, SECOND, "opensearch.r6g.large.search", 3, 150),
            (StoreKind.SEARCH_MASTERS, MAIN, "opensearch.m6g.large.search", 3, 0),
            (StoreKind.SEARCH_MASTERS, SECOND, "opensearch.m6g.large.search", 3, 0),
        ]
    )
    assert [each.replica for each in stores("prod", StoreKind.DATABASE)] == [False, True]
    assert stores("prod", StoreKind.DATABASE, SECOND)[0].replica


def test_a_single_zone_has_its_own_keys() -> None:
    """Dev runs one small database in one zone, without masters for its search."""
    (found,) = stores("dev", StoreKind.DATABASE)
    assert (found.node_key, found.storage_key) == (
        "rds.postgres.db.t4g.small.single",
        "rds.postgres.storage.gp3.single",
    )
    assert not stores("dev", StoreKind.SEARCH_MASTERS)


def test_another_instance_class_has_another_price() -> None:
    """The class that the graph declares is the key, for the database and for its proxy."""
    target = resource("aws:rds/proxyTarget:ProxyTarget", "p", dbProxyName="p", dbInstanceIdentifier="database")
    proxy = resource("aws:rds/proxy:Proxy", "p", name="p")
    for size, vcpus in {"large": 2, "xlarge": 4, "4xlarge": 16}.items():
        graph = graph_of(database(instanceClass=f"db.r7g.{size}", allocatedStorage=20), proxy, target)
        assert quantities(graph) == {
            (f"rds.postgres.db.r7g.{size}.single", MAIN): Decimal(730),
            ("rds.postgres.storage.gp3.single", MAIN): Decimal(20),
            ("rds.proxy", MAIN): Decimal(vcpus * 730),
        }


def test_an_unknown_size_behind_a_proxy_is_an_error() -> None:
    """Its vCPUs are not guessed."""
    target = resource("aws:rds/proxyTarget:ProxyTarget", "p", dbProxyName="p", dbInstanceIdentifier="database")
    proxy = resource("aws:rds/proxy:Proxy", "p", name="p")
    with pytest.raises(GraphError, match=r"db\.r7g\.metal: expected a size such as large or 4xlarge"):
        find_stores(graph_of(database(instanceClass="db.r7g.metal", allocatedStorage=20), proxy, target))


def test_a_replica_of_a_replica_has_the_storage_of_the_first() -> None:
    """By identifier as well as by ARN."""
    first = database("first", allocatedStorage=300)
    second = database("second", replicateSourceDb=f"arn:aws:rds:{MAIN}:1:db:first")
    third = database("third", replicateSourceDb="second")
    assert [each.storage_gb for each in find_stores(graph_of(first, second, third))] == [300, 300, 300]


@pytest.mark.parametrize(
    ("databases", "message"),
    [
        ([database("a", replicateSourceDb="b")], "its graph does not hold"),
        ([database("a")], "neither allocatedStorage nor a source"),
        ([database("a", replicateSourceDb="b"), database("b", replicateSourceDb="a")], "neither allocatedStorage"),
    ],
)
def test_storage_of_unknown_size_is_an_error(databases: list[Resource], message: str) -> None:
    """A source that is missing, not named or a circle is not priced as zero."""
    with pytest.raises(GraphError, match=message):
        find_stores(graph_of(*databases))


def test_a_cache_in_shards_has_all_their_nodes() -> None:
    """Groups with their replicas."""
    group = "aws:elasticache/replicationGroup:ReplicationGroup"
    sharded = {"engine": "valkey", "nodeType": "cache.r7g.large", "numNodeGroups": 3, "replicasPerNodeGroup": 1}
    (found,) = find_stores(graph_of(resource(group, "cache", **sharded)))
    assert (found.nodes, found.storage_key) == (6, "")


def test_a_store_of_another_size_is_priced_by_the_same_lines() -> None:
    """What a load needs of a store, as columns: node hours and GB, marked as added."""
    (search,) = stores("prod", StoreKind.SEARCH)
    nodes, kept = store_charges(search, nodes=np.array([1.0, 2.0]), storage_gb=np.array([10.0, 20.0]), part=Part.ADDED)
    assert list(nodes.quantity) == [730, 1460]
    assert list(kept.quantity) == [10, 20]
    assert (nodes.key, kept.key) == (search.node_key, "opensearch.storage.gp3")
    assert {nodes.part, kept.part} == {Part.ADDED}


def test_declared_tasks_of_production() -> None:
    """At the desired counts nothing of production runs on Spot: 31 and 23 vCPU all month."""
    found = quantities(golden("prod"))
    assert found["fargate.linux.x86.vcpu_hour", MAIN] == 31 * 730
    assert found["fargate.linux.x86.vcpu_hour", SECOND] == 23 * 730
    assert not [key for key, _ in found if "spot" in key]
