"""How large the stores are, and what production may not go below. The defaults are a development environment's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import pulumi
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, model_validator

from nottermost_platform.settings import Layers, Place, Strict


def in_production(allowed: Callable[[Any], bool], rule: str) -> AfterValidator:
    """A value that production refuses unless `allowed`; `rule` is the rest of the sentence "in production …"."""

    def check(value: Any, info: ValidationInfo) -> Any:
        place: Place | None = info.context["place"] if info.context else None
        if place and place.is_prod and not allowed(value):
            raise ValueError(f"in production {rule}")
        return value

    return AfterValidator(check)


# Days that CloudWatch can keep a log group for (PutRetentionPolicy).
LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
# The same, a year or more in production.
AuditDays = Annotated[LogDays, in_production(lambda days: days >= 365, "365 days or more, for audits")]


class Size(Strict):
    """Defaults are checked as well: production has to say more than nothing."""

    model_config = ConfigDict(validate_default=True)


class DatabaseSize(Size):
    """Attributes: storage_gib grows by itself to storage_max_gib; replicas: readers in the region."""

    instance_class: str = Field(default="db.t4g.small", pattern=r"^db\.[a-z0-9-]+\.[a-z0-9-]+$")
    storage_gib: int = Field(default=20, ge=20)
    storage_max_gib: int = Field(default=100, ge=22, le=65_536)
    multi_az: Annotated[bool, in_production(bool, "it stands in two zones: true")] = False
    backup_days: Annotated[int, Field(ge=7, le=35), in_production(lambda days: days >= 14, "from 14 to 35")] = 7
    replicas: int = Field(default=0, ge=0, le=5)

    @model_validator(mode="after")
    def _can_grow(self) -> "DatabaseSize":
        if self.storage_max_gib < 1.1 * self.storage_gib:  # RDS refuses less
            raise ValueError("storage_max_gib is at least a tenth more than storage_gib")
        return self


class Capacity(Size):
    """Units per second that autoscaling moves between; for steady load it is cheaper than paying per request."""

    writes_min: int = Field(ge=2)
    writes_max: int = Field(default=8_000, ge=2)  # a shard's limit in document D
    reads_min: int = Field(ge=2)
    reads_max: int = Field(default=80_000, ge=2)  # ten reads a write (document D)

    @model_validator(mode="after")
    def _has_room(self) -> "Capacity":
        if self.writes_min > self.writes_max or self.reads_min > self.reads_max:
            raise ValueError("writes_min is at most writes_max, reads_min at most reads_max")
        return self


class TableSize(Size):
    """Attributes:
    capacity: provisioned and autoscaled; None: paid per request.
    warm_writes: units per second that are there at once; 0: DynamoDB's default, 4,000.
    """

    capacity: Capacity | None = None
    warm_writes: int = Field(default=0, ge=0, le=40_000)  # the quota of a table


class SearchSize(Size):
    """Attributes: nodes hold data, over 1, 2 or 3 zones; masters are dedicated."""

    node_type: str = Field(default="t3.small.search", pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$")
    nodes: Annotated[int, Field(ge=1), in_production(lambda nodes: nodes >= 3, "3 or more")] = 1
    zones: Annotated[Literal[1, 2, 3], in_production(lambda zones: zones > 1, "2 or 3")] = 1
    storage_gib: int = Field(default=10, ge=10)
    masters: Annotated[Literal[0, 3], in_production(bool, "3")] = 0
    master_type: str = Field(default="m6g.large.search", pattern=r"^[a-z0-9]+\.[a-z0-9]+\.search$")

    @model_validator(mode="after")
    def _spreads(self) -> "SearchSize":
        if self.nodes % self.zones:
            raise ValueError(f"nodes is a multiple of zones ({self.zones})")
        return self


class BrokerSize(Size):
    """Attributes: nodes are spread over the network's zones; a node's storage grows by itself and never shrinks."""

    node_type: str = Field(default="kafka.t3.small", pattern=r"^kafka\.[a-z0-9]+\.[a-z0-9]+$")
    nodes: int = Field(default=4, ge=3)  # three copies of each record
    storage_gib: int = Field(default=20, ge=2)
    storage_max_gib: int = Field(default=100, ge=2, le=16_384)
    monitoring: Literal["PER_BROKER", "PER_TOPIC_PER_BROKER", "PER_TOPIC_PER_PARTITION"] = "PER_BROKER"

    @model_validator(mode="after")
    def _can_grow(self) -> "BrokerSize":
        if self.storage_max_gib < self.storage_gib:
            raise ValueError(f"storage_max_gib is at least storage_gib ({self.storage_gib})")
        return self


class CacheSize(Size):
    """Attributes:
    nodes: of a shard; the first takes writes.
    shards: more than one is cluster mode, for above 100 GB; shards_max: how many it may grow to at 80 % of memory.
    """

    node_type: str = Field(default="cache.t4g.micro", pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")
    nodes: Annotated[int, Field(ge=1, le=6), in_production(lambda nodes: nodes > 1, "from 2 to 6")] = 1
    shards: int = Field(default=1, ge=1, le=500)
    shards_max: int = Field(default=0, ge=0, le=500)
    snapshot_days: Annotated[int, Field(ge=0, le=35), in_production(lambda days: days >= 7, "from 7 to 35")] = 1

    @model_validator(mode="after")
    def _can_grow(self) -> "CacheSize":
        large = self.node_type.startswith(("cache.m", "cache.r"))
        if self.shards_max and not (1 < self.shards < self.shards_max and large):  # ElastiCache scales nothing else
            raise ValueError("shards_max is above shards, of which there are 2 or more, on nodes of cache.m or cache.r")
        return self


class DaxSize(Size):
    """Attributes: nodes in different zones."""

    node_type: str = Field(default="dax.t3.small", pattern=r"^dax\.[a-z0-9]+\.[a-z0-9]+$")
    nodes: Annotated[int, Field(ge=1, le=11), in_production(lambda nodes: nodes >= 3, "from 3 to 11")] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every store stands on: subnets without a way out, keys, how long its logs stay."""

    subnet_ids: pulumi.Input[list[str]]
    key_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str]
    log_days: int


# By class of environment, and for the standby; what is not here has the defaults above.
SIZES: Final[Layers] = {
    "pr": {"database": {"instance_class": "db.t4g.micro"}},
    "staging": {
        "database": {"instance_class": "db.t4g.medium", "storage_gib": 50, "storage_max_gib": 200, "multi_az": True},
        "search": {"nodes": 2, "zones": 2, "storage_gib": 20},
        "cache": {"node_type": "cache.t4g.medium", "nodes": 2},
    },
    "prod": {
        "database": {
            "instance_class": "db.m7g.large", "storage_gib": 200, "storage_max_gib": 1000, "multi_az": True,
            "backup_days": 35, "replicas": 1,
        },
        "tables": {"warm_writes": 8_000},  # document D's target
        "search": {"node_type": "r6g.large.search", "nodes": 3, "zones": 3, "storage_gib": 200, "masters": 3},
        "brokers": {
            "node_type": "kafka.m7g.large", "nodes": 3, "storage_gib": 500, "storage_max_gib": 8000,
            "monitoring": "PER_TOPIC_PER_BROKER",
        },
        "cache": {"node_type": "cache.r7g.large", "nodes": 3, "snapshot_days": 7},
    },
    "prod/eu-west-1": {  # small until it is home, but for the database, which has to keep up
        "database": {"replicas": 0},
        "search": {"storage_gib": 50},
        "brokers": {"node_type": "kafka.t3.small", "storage_gib": 100},
        "cache": {"node_type": "cache.t4g.medium", "nodes": 2},
    },
}  # fmt: skip
