"""What must hold of every graph before it is shown or deployed: the platform's own promises."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from nottermost_platform.graph import Graph, Resource, StackGraph
from nottermost_platform.naming import PRIMARY, REQUIRED_TAGS, STANDBY, environment_class, nottermost_id
from nottermost_platform.policy import canonical_json
from nottermost_platform.program import MANAGED_BY, is_taggable
from nottermost_platform.sdk_check import check_inputs
from nottermost_platform.tokens import sdk_class
from nottermost_platform.validators import check_resource, check_together

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_TYPE: Final = "pulumi:providers:aws"
DEFAULT_TAGS: Final = canonical_json({"tags": {"managed-by": MANAGED_BY}})


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
    """Everything that is wrong with a graph."""
    return sorted(finding for stack in graph.stacks for finding in check_stack(stack, graph.env))


def check_stack(stack: StackGraph, env: str) -> Iterator[Finding]:
    """Everything that is wrong with a stack."""
    for resource in stack.resources:
        for code, message in _check_resource(resource, env):
            yield Finding(code, resource.urn, message)
    for urn, message in check_together(stack):
        yield Finding("inputs", urn, message)
    yield from _check_provider(stack)


def _check_provider(stack: StackGraph) -> Iterator[Finding]:
    providers = [each for each in stack.resources if each.type == PROVIDER_TYPE]
    for extra in providers[1:]:
        yield Finding(
            "provider", extra.urn, "is a second provider; another region is the `region` argument of a resource"
        )
    for provider in providers[:1]:
        if provider.inputs.get("region") != stack.region:
            yield Finding("provider", provider.urn, f"is of another region than its stack, {stack.region}")
        if not provider.inputs.get("allowedAccountIds"):
            yield Finding("provider", provider.urn, "says no allowedAccountIds: the wrong credentials would do")
        if provider.inputs.get("defaultTags") != DEFAULT_TAGS:
            yield Finding("provider", provider.urn, f"has other default tags than {DEFAULT_TAGS}; tag by Component.add")


def _check_resource(resource: Resource, env: str) -> Iterator[tuple[str, str]]:
    if not resource.is_aws:
        return
    if resource.provider is None:
        yield "provider", "has no explicit provider; hang it on a component of the stack"
    if resource.region not in (PRIMARY, STANDBY):
        yield "region", f"is in {resource.region}; there are {PRIMARY} and {STANDBY}"
    if resource.parent is None or STACK_TYPE in resource.parent:
        yield "parent", "hangs on the stack itself; add it by a component"
    for message in check_inputs(resource.type, resource.inputs):
        yield "inputs", message
    for message in check_resource(resource):
        yield "inputs", message
    yield from _check_tags(resource)
    yield from _check_ownership(resource)
    if environment_class(env) == "prod" and resource.type in HOLDS_DATA and not resource.options.protect:
        yield "protect", "holds data and is not protected in production"


def _check_tags(resource: Resource) -> Iterator[tuple[str, str]]:
    made_of = sdk_class(resource.type)
    if made_of is None or not is_taggable(made_of):
        return
    missing = [tag for tag in REQUIRED_TAGS if not resource.tags.get(tag)]
    if missing:
        yield "tags", f"lacks {', '.join(missing)}; make it with Component.add"
    elif resource.tags["nottermost-id"] != nottermost_id(resource.urn):
        yield "tags", f"nottermost-id is not the hash of its URN, {nottermost_id(resource.urn)}"


def _check_ownership(resource: Resource) -> Iterator[tuple[str, str]]:
    owned = {
        name
        for each in OWNERSHIP.get(resource.type, ())
        if each.when is None or each.when(resource)
        for name in each.properties
    }
    ignored = set(resource.options.ignore_changes)
    if lacking := owned - ignored:
        yield "ownership", f"must ignore changes of {', '.join(sorted(lacking))}: something else owns them at run time"
    if extra := ignored - owned:
        yield "ownership", f"ignores changes of {', '.join(sorted(extra))}, which the ownership table gives to nobody"
