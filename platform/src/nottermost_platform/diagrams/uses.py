"""What each service of a graph uses: by its IAM grants, the secrets it starts with, and where its settings point."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from nottermost_platform.diagrams.words import PROVIDER, component_name, resources_of
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.tokens import fill_outputs

SERVICE: Final = "aws:ecs/service:Service"
SECRETS: Final = "aws:secretsmanager/secret:Secret"
PROXY: Final = "aws:rds/proxy:Proxy"
TOPIC: Final = "aws:msk/topic:Topic"
POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
# What a grant may name. To what is not here nobody needs one: there the settings tell.
GRANTED: Final = frozenset(
    [
        "aws:dynamodb/table:Table",
        "aws:dynamodb/tableReplica:TableReplica",
        "aws:s3/bucket:Bucket",
        "aws:sqs/queue:Queue",
        "aws:sns/topic:Topic",
        "aws:opensearch/domain:Domain",
        "aws:kms/key:Key",
        "aws:kms/replicaKey:ReplicaKey",
        "aws:amp/workspace:Workspace",
        "aws:ecr/repository:Repository",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:rds/instance:Instance",
        PROXY,
        TOPIC,
        SECRETS,
    ]
)
POINTED_AT: Final = frozenset(["aws:elasticache/replicationGroup:ReplicationGroup", "aws:cognito/userPool:UserPool"])
READS: Final = re.compile(
    r":(BatchGet|Get(?!QueueAttributes|DownloadUrl|Authorization)|Query|Scan|List|ReadData|Receive|ESHttp(Get|Head|Post)$)"
)
WRITES: Final = re.compile(
    r":(BatchWrite|Put|Update|WriteData$|Send|Publish|RemoteWrite|ESHttp(Put|Delete)|DeleteItem|DeleteObject)"
)


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """That a service uses a resource. `service`: its component's name, the same for both colours; `rule`: why, a URN."""

    region: str
    service: str
    resource: str
    reads: bool
    writes: bool
    rule: str


def find_uses(graph: Graph) -> list[Use]:
    """What every service uses; a grant that neither reads nor writes data, as of a key, is a use with neither."""
    return sorted(set(_Uses(graph).all()))


def merge_uses(uses: Iterable[Use]) -> dict[tuple[str, str], Use]:
    """By service and resource: reads or writes when one of the grants lets it."""
    found: dict[tuple[str, str], Use] = {}
    for each in uses:
        known = found.get((each.service, each.resource), each)
        found[each.service, each.resource] = replace(
            known, reads=known.reads or each.reads, writes=known.writes or each.writes
        )
    return found


class _Uses:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.resources = graph, resources_of(graph)
        self.arns = dict(self._arns())
        self.references: dict[str, list[str]] = defaultdict(list)
        for reference in graph.references:
            self.references[reference.from_].append(reference.to)
        self.policies: dict[str, list[Resource]] = defaultdict(list)
        for each in self.resources.values():
            if each.type == POLICY:
                for role in each.property_dependencies.get("role", []):
                    self.policies[role].append(each)

    def all(self) -> Iterator[Use]:
        for service in self.resources.values():
            if service.type == SERVICE:
                for urn in service.property_dependencies.get("taskDefinition", []):
                    yield from self._of_task(component_name(service, self.resources), self.resources[urn])

    def _of_task(self, name: str, task: Resource) -> Iterator[Use]:
        for key in ("taskRoleArn", "executionRoleArn"):
            for role in task.property_dependencies.get(key, []):
                for policy in self.policies[role]:
                    yield from self._of_policy(name, policy)
        for urn in (*self.references[task.urn], *task.property_dependencies.get("containerDefinitions", [])):
            if self.resources[urn].type in POINTED_AT:
                yield Use(task.region, name, urn, False, False, task.urn)

    def _of_policy(self, name: str, policy: Resource) -> Iterator[Use]:
        for statement in json.loads(_document(policy))["Statement"]:
            actions, arns = _listed(statement.get("Action")), _listed(statement.get("Resource"))
            for arn in arns:
                urn = self.arns.get(_bare(arn), "")
                if urn and statement.get("Effect") == "Allow":
                    reads = any(READS.search(each) for each in actions)
                    writes = any(WRITES.search(each) for each in actions)
                    yield Use(policy.region, name, urn, reads, writes, policy.urn)

    def _arns(self) -> Iterator[tuple[str, str]]:
        """The ARNs that grants name, to resources."""
        for stack in self.graph.stacks:
            account = next((_account(each) for each in stack.resources if each.type == PROVIDER), "")
            for each in stack.resources:
                if each.type in GRANTED:
                    outputs = fill_outputs(each.type, each.urn, each.inputs, region=each.region, account=account)
                    yield from ((arn, each.urn) for arn in _names(each, outputs, account))


def _names(resource: Resource, outputs: dict[str, Any], account: str) -> Iterator[str]:
    arn = str(outputs.get("arn", ""))
    yield arn
    if resource.type == PROXY:  # logins are granted to a user of it
        yield f"arn:aws:rds-db:{resource.region}:{account}:dbuser:{arn.rpartition(':')[2]}"
    if resource.type == "aws:rds/instance:Instance":
        yield f"arn:aws:rds-db:{resource.region}:{account}:dbuser:{outputs.get('resourceId', '')}"
    if resource.type == TOPIC:
        yield f"{resource.inputs.get('clusterArn', '')}/{resource.inputs.get('name', '')}".replace(
            ":cluster/", ":topic/"
        )
    if resource.type == "aws:dynamodb/tableReplica:TableReplica":
        table = str(resource.inputs.get("globalTableArn", ""))
        yield re.sub(r"^(arn:aws:dynamodb):[^:]*", rf"\1:{resource.region}", table)


def _bare(arn: str) -> str:
    """Without what is within a resource: `/*` of a bucket, `:*` of a log group, the user of a database."""
    short = arn.removesuffix("/*").removesuffix(":*")
    return short.rpartition("/")[0] if ":dbuser:" in short else short


def _document(policy: Resource) -> str:
    text = policy.inputs.get("policy")
    return text if isinstance(text, str) else '{"Statement": []}'


def _account(provider: Resource) -> str:
    ids = provider.inputs.get("allowedAccountIds") or "[]"
    return str(next(iter(json.loads(ids) if isinstance(ids, str) else ids), ""))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
