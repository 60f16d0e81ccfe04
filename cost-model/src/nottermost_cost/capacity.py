"""What can be sized: tasks of the services, nodes and storage of the stores, as the graph declares them.

`find_services` and `find_stores` read the graph; `service_charges` and `store_charges` turn any size into charges, so
that the declared size and the size that a load needs are priced by the same lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from nottermost_cost.charges import Charge, Origin, Part
from nottermost_cost.errors import GraphError
from nottermost_cost.graph import Graph, Resource
from nottermost_cost.numeric import HOURS_PER_MONTH, Number, scale, smallest
from nottermost_cost.resources.rules import Inputs, Surroundings, read_inputs

CPU_UNITS: Final = 1024  # of ECS, for one vCPU
MB_PER_GB: Final = 1024
EPHEMERAL_GB_FREE: Final = 20  # of each task's disk
PROXY_VCPUS_MIN: Final = 2  # RDS Proxy bills at least these

_ARCHITECTURES: Final[Mapping[str, Literal["x86", "arm"]]] = {"X86_64": "x86", "ARM64": "arm"}


@dataclass(frozen=True, slots=True)
class Service:
    """One ECS service.

    Attributes:
        name: without its colour, such as `gateway`; colour: `blue`, `green` or "".
        vcpu, memory_gb, ephemeral_gb: of one task; ephemeral_gb is what it has above the free 20 GB.
        desired, minimum, maximum: tasks. A service without scaling, or with suspended scaling, stays at `desired`.
        on_demand_base: tasks that never run on Spot; spot_share: of the tasks above the base, 0 to 1.
    """

    urn: str
    name: str
    colour: str
    environment: str
    region: str
    tags: Mapping[str, str]
    vcpu: Decimal
    memory_gb: Decimal
    ephemeral_gb: Decimal
    architecture: Literal["x86", "arm"]
    desired: int
    minimum: int
    maximum: int
    on_demand_base: int
    spot_share: Decimal


class StoreKind(StrEnum):
    """What a store is; each has a size of its own."""

    DATABASE = "database"
    PROXY = "database proxy"  # its nodes are the billed vCPUs of the instance behind it
    CACHE = "cache"
    BROKERS = "brokers"
    SEARCH = "search"
    SEARCH_MASTERS = "search masters"


@dataclass(frozen=True, slots=True)
class Store:
    """Nodes of one kind, with their storage.

    Attributes:
        node_type: such as `db.m7g.large`; node_key: of its price for an hour.
        storage_key: of its price for a GB-month; "" where the store has no storage of its own.
        storage_gb: over all nodes. A Multi-AZ database is one node with one storage: its prices hold both copies.
        storage_limit_gb: what it grows to by itself; the same where it does not.
        replica: it follows another database.
    """

    kind: StoreKind
    urn: str
    name: str
    environment: str
    region: str
    tags: Mapping[str, str]
    node_type: str
    node_key: str
    nodes: int
    storage_key: str = ""
    storage_gb: Decimal = Decimal(0)
    storage_limit_gb: Decimal = Decimal(0)
    replica: bool = False

    @property
    def label(self) -> str:
        """What finance reads: the kind and the name, once where one begins with the other."""
        kind, name = str(self.kind), self.name
        said = max(kind, name, key=len) if kind.startswith(name) or name.startswith(kind) else f"{kind} {name}"
        return f"{said} (replica)" if self.replica else said


def find_services(graph: Graph) -> tuple[Service, ...]:
    """Every service with the size of its tasks, in the order of the graph.

    Raises: GraphError when its task definition is not in the graph or cannot be read.
    """
    around = Surroundings(graph)
    tasks = {
        (each.region, task.family): task
        for each in _of_type(graph, "aws:ecs/taskDefinition:TaskDefinition")
        for task in [read_inputs(each, _Task)]
    }
    targets = {
        (each.region, target.resource_id): target
        for each in _of_type(graph, "aws:appautoscaling/target:Target")
        for target in [read_inputs(each, _Target)]
    }
    return tuple(_read_service(each, around, tasks, targets) for each in _of_type(graph, "aws:ecs/service:Service"))


def split_tasks(service: Service, tasks: Number) -> tuple[Number, Number]:
    """Running tasks as (on demand, Spot): the base first, then by the weights; the mean where these are not whole."""
    base = smallest(tasks, service.on_demand_base)
    spot = scale(tasks - base, service.spot_share)
    return tasks - spot, spot


def service_charges(service: Service, *, on_demand_hours: Number, spot_hours: Number, part: Part) -> list[Charge]:
    """Task hours a month, as vCPU, memory and disk. A service that never runs on Spot has no Spot lines."""
    offers = [("linux", on_demand_hours, "")]
    if service.spot_share:
        offers.append(("spot", spot_hours, " on Spot"))
    charges = [
        _charge(
            service,
            key=f"fargate.{offer}.{service.architecture}.{unit}_hour",
            quantity=scale(hours, size),
            name=f"{service.name} tasks: {what}{where}",
            driver="task hours",
            part=part,
        )
        for offer, hours, where in offers
        for unit, size, what in (("vcpu", service.vcpu, "vCPU"), ("gb", service.memory_gb, "memory"))
    ]
    if service.ephemeral_gb:
        charges.append(
            _charge(
                service,
                key="fargate.ephemeral.gb_hour",
                quantity=scale(on_demand_hours + spot_hours, service.ephemeral_gb),
                name=f"{service.name} tasks: disk above {EPHEMERAL_GB_FREE} GB",
                driver="task hours",
                part=part,
            )
        )
    return charges


def find_stores(graph: Graph) -> tuple[Store, ...]:
    """Every store, in the order of the graph.

    Raises: GraphError when an input is missing, or the source of a replica or of a proxy is not in the graph.
    """
    around = Surroundings(graph)
    return tuple(store for each in graph if each.type in _STORES for store in _STORES[each.type](each, graph, around))


def store_charges(store: Store, *, nodes: Number, storage_gb: Number, part: Part) -> list[Charge]:
    """Nodes that run all month, and GB over all of them."""
    driver = "vCPUs behind the proxy" if store.kind is StoreKind.PROXY else f"nodes ({store.node_type})"
    charges = [
        _charge(
            store,
            key=store.node_key,
            quantity=nodes * HOURS_PER_MONTH,
            name=f"{store.label}: nodes",
            driver=driver,
            part=part,
        )
    ]
    if store.storage_key:
        charges.append(
            _charge(
                store,
                key=store.storage_key,
                quantity=storage_gb,
                name=f"{store.label}: storage",
                driver="GB kept",
                part=part,
            )
        )
    return charges


# --- services -----------------------------------------------------------------------------------


class _Platform(Inputs, frozen=True):
    cpu_architecture: Literal["X86_64", "ARM64"] = "X86_64"


class _Disk(Inputs, frozen=True):
    size_in_gib: int = EPHEMERAL_GB_FREE


class _Task(Inputs, frozen=True):
    family: str
    cpu: int
    memory: int
    runtime_platform: _Platform = _Platform()
    ephemeral_storage: _Disk = _Disk()


class _Suspended(Inputs, frozen=True):
    dynamic_scaling_out_suspended: bool = False


class _Target(Inputs, frozen=True):
    resource_id: str
    min_capacity: int
    max_capacity: int
    suspended_state: _Suspended = _Suspended()


class _Provider(Inputs, frozen=True):
    capacity_provider: str
    weight: int = 0
    base: int = 0


class _Service(Inputs, frozen=True):
    name: str
    cluster: str
    task_definition: str
    desired_count: int
    capacity_provider_strategies: tuple[_Provider, ...] = ()


def _read_service(
    resource: Resource,
    around: Surroundings,
    tasks: Mapping[tuple[str, str], _Task],
    targets: Mapping[tuple[str, str], _Target],
) -> Service:
    inputs = read_inputs(resource, _Service)
    family = inputs.task_definition.rpartition("/")[2].partition(":")[0]
    task = tasks.get((resource.region, family))
    if task is None:
        raise GraphError(f"{resource.urn} runs {family}, which is no task definition of its graph: capture it again")
    target = targets.get((resource.region, f"service/{inputs.cluster.rpartition('/')[2]}/{inputs.name}"))
    scales = target is not None and not target.suspended_state.dynamic_scaling_out_suspended
    name, _, colour = resource.name.rpartition("-")
    coloured = colour in ("blue", "green")
    providers = inputs.capacity_provider_strategies
    weights = sum(each.weight for each in providers)
    spot = sum(each.weight for each in providers if each.capacity_provider == "FARGATE_SPOT")
    return Service(
        urn=resource.urn,
        name=name if coloured else resource.name,
        colour=colour if coloured else "",
        environment=around.environment,
        region=resource.region,
        tags=around.tags(resource),
        vcpu=Decimal(task.cpu) / CPU_UNITS,
        memory_gb=Decimal(task.memory) / MB_PER_GB,
        ephemeral_gb=Decimal(max(0, task.ephemeral_storage.size_in_gib - EPHEMERAL_GB_FREE)),
        architecture=_ARCHITECTURES[task.runtime_platform.cpu_architecture],
        desired=inputs.desired_count,
        minimum=target.min_capacity if target and scales else inputs.desired_count,
        maximum=target.max_capacity if target and scales else inputs.desired_count,
        on_demand_base=sum(each.base for each in providers if each.capacity_provider == "FARGATE"),
        spot_share=Decimal(spot) / weights if weights else Decimal(0),
    )


# --- stores -------------------------------------------------------------------------------------


class _Database(Inputs, frozen=True):
    identifier: str
    engine: str
    instance_class: str
    storage_type: str
    allocated_storage: int | None = None
    max_allocated_storage: int = 0
    multi_az: bool = False
    replicate_source_db: str | None = None


class _Proxy(Inputs, frozen=True):
    name: str


class _ProxyTarget(Inputs, frozen=True):
    db_proxy_name: str
    db_instance_identifier: str


class _Cache(Inputs, frozen=True):
    engine: str
    node_type: str
    num_cache_clusters: int | None = None
    num_node_groups: int = 1
    replicas_per_node_group: int = 0


class _Volume(Inputs, frozen=True):
    volume_size: int


class _BrokerStorage(Inputs, frozen=True):
    ebs_storage_info: _Volume


class _BrokerNodes(Inputs, frozen=True):
    instance_type: str
    storage_info: _BrokerStorage


class _Brokers(Inputs, frozen=True):
    broker_node_group_info: _BrokerNodes
    number_of_broker_nodes: int


class _SearchNodes(Inputs, frozen=True):
    instance_type: str
    instance_count: int = 1
    dedicated_master_enabled: bool = False
    dedicated_master_type: str = ""
    dedicated_master_count: int = 0


class _SearchVolume(Inputs, frozen=True):
    ebs_enabled: bool = False
    volume_type: str = ""
    volume_size: int = 0


class _Search(Inputs, frozen=True):
    cluster_config: _SearchNodes
    ebs_options: _SearchVolume = _SearchVolume()


def _read_database(resource: Resource, graph: Graph, around: Surroundings) -> Iterable[Store]:
    inputs = read_inputs(resource, _Database)
    zones = "multi" if inputs.multi_az else "single"
    yield _store(
        resource,
        around,
        kind=StoreKind.DATABASE,
        node_type=inputs.instance_class,
        node_key=f"rds.{inputs.engine}.{inputs.instance_class}.{zones}",
        nodes=1,
        storage_key=f"rds.{inputs.engine}.storage.{inputs.storage_type}.{zones}",
        storage_gb=Decimal(_allocated_gb(resource, graph)),
        storage_limit_gb=Decimal(inputs.max_allocated_storage),
        replica=inputs.replicate_source_db is not None,
    )


def _allocated_gb(resource: Resource, graph: Graph) -> int:
    """A replica has as much as its source, which may be a replica itself."""
    asked = set()
    while (inputs := read_inputs(resource, _Database)).allocated_storage is None:
        if inputs.replicate_source_db is None or resource.urn in asked:
            raise GraphError(f"{resource.urn} has neither allocatedStorage nor a source that has: declare it")
        asked.add(resource.urn)
        resource = _find_database(resource, inputs.replicate_source_db, graph)
    return inputs.allocated_storage


def _find_database(asker: Resource, source: str, graph: Graph) -> Resource:
    """By its ARN, or by its identifier in the same region."""
    region = source.split(":")[3] if source.startswith("arn:") else asker.region
    identifier = source.rpartition(":")[2]
    for each in _of_type(graph, "aws:rds/instance:Instance"):
        if each.region == region and each.inputs.get("identifier") == identifier:
            return each
    raise GraphError(f"{asker.urn} follows {source}, which its graph does not hold: add the stack that does")


def _read_proxy(resource: Resource, graph: Graph, around: Surroundings) -> Iterable[Store]:
    """A proxy whose database is not attached yet is billed the least there is."""
    proxy = read_inputs(resource, _Proxy)
    target = next(
        (
            found
            for each in _of_type(graph, "aws:rds/proxyTarget:ProxyTarget")
            if each.region == resource.region
            for found in [read_inputs(each, _ProxyTarget)]
            if found.db_proxy_name == proxy.name
        ),
        None,
    )
    node_type, vcpus = "", PROXY_VCPUS_MIN
    if target:
        database = _find_database(resource, target.db_instance_identifier, graph)
        node_type = read_inputs(database, _Database).instance_class
        vcpus = max(PROXY_VCPUS_MIN, _vcpus(node_type, database))
    yield _store(resource, around, kind=StoreKind.PROXY, node_type=node_type, node_key="rds.proxy", nodes=vcpus)


def _vcpus(instance_class: str, database: Resource) -> int:
    """Of `db.m7g.4xlarge` 16: four for each xlarge. Smaller ones have one or two."""
    size = instance_class.rpartition(".")[2]
    if size in ("micro", "small", "medium", "large"):
        return PROXY_VCPUS_MIN
    count = size.removesuffix("xlarge") or "1"
    if size.endswith("xlarge") and count.isdigit():
        return 4 * int(count)
    raise GraphError(f"{database.urn} has the class {instance_class}: expected a size such as large or 4xlarge")


def _read_cache(resource: Resource, _: Graph, around: Surroundings) -> Iterable[Store]:
    inputs = read_inputs(resource, _Cache)
    yield _store(
        resource,
        around,
        kind=StoreKind.CACHE,
        node_type=inputs.node_type,
        node_key=f"elasticache.{inputs.engine}.{inputs.node_type}",
        nodes=inputs.num_cache_clusters or inputs.num_node_groups * (1 + inputs.replicas_per_node_group),
    )


def _read_brokers(resource: Resource, graph: Graph, around: Surroundings) -> Iterable[Store]:
    inputs = read_inputs(resource, _Brokers)
    limits = [
        read_inputs(each, _Target).max_capacity
        for each in _of_type(graph, "aws:appautoscaling/target:Target")
        if each.region == resource.region and each.inputs.get("serviceNamespace") == "kafka"
    ]
    group = inputs.broker_node_group_info
    yield _store(
        resource,
        around,
        kind=StoreKind.BROKERS,
        node_type=group.instance_type,
        node_key=f"msk.{group.instance_type}",
        nodes=inputs.number_of_broker_nodes,
        storage_key="msk.storage.gp2",
        storage_gb=Decimal(group.storage_info.ebs_storage_info.volume_size * inputs.number_of_broker_nodes),
        storage_limit_gb=Decimal(max(limits, default=0) * inputs.number_of_broker_nodes),
    )


def _read_search(resource: Resource, _: Graph, around: Surroundings) -> Iterable[Store]:
    inputs = read_inputs(resource, _Search)
    nodes, volume = inputs.cluster_config, inputs.ebs_options
    yield _store(
        resource,
        around,
        kind=StoreKind.SEARCH,
        node_type=nodes.instance_type,
        node_key=f"opensearch.{nodes.instance_type}",
        nodes=nodes.instance_count,
        storage_key=f"opensearch.storage.{volume.volume_type}" if volume.ebs_enabled else "",
        storage_gb=Decimal(volume.volume_size * nodes.instance_count if volume.ebs_enabled else 0),
    )
    if nodes.dedicated_master_enabled:
        yield _store(
            resource,
            around,
            kind=StoreKind.SEARCH_MASTERS,
            node_type=nodes.dedicated_master_type,
            node_key=f"opensearch.{nodes.dedicated_master_type}",
            nodes=nodes.dedicated_master_count,
        )


_STORES: Final = {
    "aws:rds/instance:Instance": _read_database,
    "aws:rds/proxy:Proxy": _read_proxy,
    "aws:elasticache/replicationGroup:ReplicationGroup": _read_cache,
    "aws:msk/cluster:Cluster": _read_brokers,
    "aws:opensearch/domain:Domain": _read_search,
}


def _store(
    resource: Resource,
    around: Surroundings,
    *,
    kind: StoreKind,
    node_type: str,
    node_key: str,
    nodes: int,
    storage_key: str = "",
    storage_gb: Decimal = Decimal(0),
    storage_limit_gb: Decimal = Decimal(0),
    replica: bool = False,
) -> Store:
    return Store(
        kind=kind,
        urn=resource.urn,
        name=resource.name,
        environment=around.environment,
        region=resource.region,
        tags=around.tags(resource),
        node_type=node_type,
        node_key=node_key,
        nodes=nodes,
        storage_key=storage_key,
        storage_gb=storage_gb,
        storage_limit_gb=max(storage_gb, storage_limit_gb),
        replica=replica,
    )


# --- both ---------------------------------------------------------------------------------------


def _charge(of: Service | Store, *, key: str, quantity: Number, name: str, driver: str, part: Part) -> Charge:
    return Charge(
        origin=Origin.GRAPH,
        environment=of.environment,
        key=key,
        region=of.region,
        quantity=quantity,
        name=name,
        driver=driver,
        urn=of.urn,
        tags=of.tags,
        part=part,
    )


def _of_type(graph: Graph, type_: str) -> Iterable[Resource]:
    return (each for each in graph if each.type == type_)
