"""What AWS would refuse of a graph; who owns which property at run time, and what holds data, for rules and drift."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nottermost_platform.graph import Graph, Resource, StackGraph
from nottermost_platform.sdk_check import check_inputs
from nottermost_platform.validators import check_resource, check_together

STACK_TYPE: Final = "pulumi:pulumi:Stack"


def _is_weighted(resource: Resource) -> bool:
    actions = resource.inputs.get("actions") or []
    return any(len((action.get("forward") or {}).get("targetGroups", [])) > 1 for action in actions)


@dataclass(frozen=True, slots=True)
class Owned:
    """Properties of a type that something else than the programs decides at run time.

    Attributes:
        when: of which resources of the type; without it of all.
    """

    properties: tuple[str, ...]
    owner: str
    when: Callable[[Resource], bool] | None = None


# The ownership table (design §4). A resource ignores exactly what stands here for its type.
OWNERSHIP: Final[dict[str, tuple[Owned, ...]]] = {
    "aws:appautoscaling/target:Target": (
        Owned(("suspendedState",), "promoter", lambda target: target.inputs.get("serviceNamespace") == "ecs"),
    ),
    "aws:dynamodb/table:Table": (
        Owned(("replicas",), "the standby's table replicas"),
        Owned(("warmThroughput",), "DynamoDB, which raises it with the load"),
        Owned(
            ("readCapacity", "writeCapacity"),
            "autoscaling",
            lambda table: table.inputs.get("billingMode") == "PROVISIONED",
        ),
    ),
    "aws:ecs/service:Service": (Owned(("desiredCount", "taskDefinition"), "promoter and autoscaling"),),
    "aws:elasticache/user:User": (
        Owned(("authenticationMode",), "rotation of its password", lambda user: "authenticationMode" in user.inputs),
    ),
    "aws:lb/listenerRule:ListenerRule": (Owned(("actions",), "promoter", _is_weighted),),
    "aws:msk/cluster:Cluster": (Owned(("brokerNodeGroupInfo",), "storage autoscaling"),),
    "aws:rds/instance:Instance": (
        Owned(("passwordWo",), "rotation of its password", lambda instance: "passwordWo" in instance.inputs),
    ),
}
# What holds data: in production it is protected.
HOLDS_DATA: Final = frozenset(
    [
        "aws:rds/instance:Instance",
        "aws:rds/cluster:Cluster",
        "aws:dynamodb/table:Table",
        "aws:opensearch/domain:Domain",
        "aws:msk/cluster:Cluster",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
        "aws:secretsmanager/secret:Secret",
        "aws:cognito/userPool:UserPool",
        "aws:backup/vault:Vault",
        "aws:route53/zone:Zone",
        "aws:dynamodb/tableReplica:TableReplica",
        "aws:cloudtrail/trail:Trail",
    ]
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that must not be deployed as it is."""

    code: str
    urn: str
    message: str


def check_graph(graph: Graph) -> list[Finding]:
    """What AWS would refuse of a graph."""
    return sorted(finding for stack in graph.stacks for finding in check_stack(stack))


def check_stack(stack: StackGraph) -> Iterator[Finding]:
    """What AWS would refuse of a stack."""
    for resource in stack.resources:
        for message in _check_resource(resource):
            yield Finding("inputs", resource.urn, message)
    for urn, message in check_together(stack):
        yield Finding("inputs", urn, message)


def _check_resource(resource: Resource) -> Iterator[str]:
    if resource.is_aws:
        yield from check_inputs(resource.type, resource.inputs)
        yield from check_resource(resource)
