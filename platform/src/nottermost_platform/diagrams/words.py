"""What resources are called in pictures, and the colour of their kind."""

import re
from collections.abc import Iterable
from typing import Final

from nottermost_platform.diagrams.drawing import COMPUTE, OUTSIDE, SAFETY, STORE, TRAFFIC, WATCH, Paint, Swatch
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import PRIMARY

PROVIDER: Final = "pulumi:providers:aws"
# The colour of a kind, by the beginning of its type; the first that fits.
PAINTS: Final[tuple[tuple[tuple[str, ...], Paint], ...]] = (
    (("aws:ec2/launchTemplate", "aws:ec2/instance"), COMPUTE),
    (("aws:ecs/", "aws:lambda/", "aws:autoscaling/", "aws:appautoscaling/", "aws:ecr/"), COMPUTE),
    (("aws:ec2/securityGroup", "aws:vpc/securityGroup", "aws:ec2/defaultSecurityGroup"), SAFETY),
    (("aws:rds/", "aws:dynamodb/", "aws:elasticache/", "aws:opensearch/", "aws:s3/", "aws:dax/", "aws:glue/"), STORE),
    (("aws:msk/", "aws:sqs/", "aws:sns/", "aws:backup/", "aws:athena/"), STORE),
    (("aws:lb/", "aws:cloudfront/", "aws:route53/", "aws:acm/", "aws:ec2/", "aws:servicediscovery/"), TRAFFIC),
    (("aws:iam/", "aws:kms/", "aws:secretsmanager/", "aws:wafv2/", "aws:cognito/", "aws:guardduty/"), SAFETY),
    (("aws:accessanalyzer/", "aws:cloudtrail/", "aws:cfg/", "aws:ebs/"), SAFETY),
    (("aws:cloudwatch/", "aws:amp/", "aws:grafana/", "aws:xray/", "aws:budgets/", "aws:costexplorer/"), WATCH),
)
SWATCHES: Final = {
    COMPUTE: Swatch(COMPUTE, "runs code"),
    STORE: Swatch(STORE, "keeps data or hands it on"),
    TRAFFIC: Swatch(TRAFFIC, "network and traffic"),
    SAFETY: Swatch(SAFETY, "identity, keys, protection"),
    WATCH: Swatch(WATCH, "watches"),
}
# Where the class does not say what people call it.
CALLED: Final = {
    "aws:autoscaling/group:Group": "instance group",
    "aws:ecs/service:Service": "service",
    "aws:elasticache/user:User": "cache user",
    "aws:elasticache/userGroup:UserGroup": "cache user group",
    "aws:ebs/encryptionByDefault:EncryptionByDefault": "default of encryption",
    "aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess": "block of public images",
    "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": "block of public snapshots",
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": "block of public buckets",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "OpenID Connect provider",
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": "private DNS namespace",
    "aws:lambda/permission:Permission": "Lambda permission",
    "aws:servicediscovery/service:Service": "discovery name",
    "aws:wafv2/webAclAssociation:WebAclAssociation": "web firewall setting",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "web firewall setting",
    "aws:elasticache/replicationGroup:ReplicationGroup": "cache",
    "aws:lb/loadBalancer:LoadBalancer": "load balancer",
    "aws:msk/cluster:Cluster": "Kafka cluster",
    "aws:msk/topic:Topic": "Kafka topic",
    "aws:opensearch/domain:Domain": "search domain",
    "aws:rds/instance:Instance": "PostgreSQL instance",
    "aws:rds/proxy:Proxy": "database proxy",
    "aws:dynamodb/table:Table": "DynamoDB table",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:sqs/queue:Queue": "queue",
    "aws:sns/topic:Topic": "SNS topic",
    "aws:ec2/natGateway:NatGateway": "NAT gateway",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "VPC endpoint",
    "aws:ec2/eip:Eip": "elastic IP",
    "aws:ec2/vpc:Vpc": "VPC",
    "aws:iam/rolePolicy:RolePolicy": "role policy",
    "aws:kms/key:Key": "KMS key",
    "aws:kms/alias:Alias": "key alias",
    "aws:appautoscaling/policy:Policy": "scaling policy",
    "aws:appautoscaling/target:Target": "scaling target",
    "aws:lambda/function:Function": "Lambda function",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "alarm",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": "composite alarm",
    "aws:cognito/userPool:UserPool": "user pool",
    "aws:rds/cluster:Cluster": "database cluster",
    "aws:wafv2/webAcl:WebAcl": "web firewall",
}
# What a newcomer wants to know of it besides: made of its inputs.
DETAILS: Final = {
    "aws:autoscaling/group:Group": "{minSize} to {maxSize}",
    "aws:elasticache/replicationGroup:ReplicationGroup": "{engine}, {numCacheClusters} × {nodeType}",
    "aws:lb/loadBalancer:LoadBalancer": "{loadBalancerType}",
    "aws:msk/cluster:Cluster": "{numberOfBrokerNodes} × {brokerNodeGroupInfo[instanceType]}",
    "aws:opensearch/domain:Domain": "{clusterConfig[instanceCount]} × {clusterConfig[instanceType]}",
    "aws:rds/instance:Instance": "{instanceClass}",
}
SETTINGS: Final = re.compile(r"aws:s3/bucket[A-Z]")  # what S3 keeps beside a bucket, resource by resource
# The colour of a component, by the beginning of its kind.
KINDS: Final[tuple[tuple[tuple[str, ...], Paint], ...]] = (
    (("chat:Alarm", "observability:", "billing:"), WATCH),
    (("chat:", "cluster:", "delivery:", "functions:"), COMPUTE),
    (("data:", "async:", "storage:"), STORE),
    (("edge:WebFirewall", "security:", "secrets:", "identity:", "audit:", "account:"), SAFETY),
    (("edge:", "network:"), TRAFFIC),
)


def paint_of(type_: str) -> Paint:
    """The colour of a type."""
    return next((paint for beginnings, paint in PAINTS if type_.startswith(beginnings)), OUTSIDE)


def rank_of(type_: str) -> int:
    """Where its kind comes in a picture: what runs code first."""
    paints = [*SWATCHES, OUTSIDE]
    return paints.index(paint_of(type_))


def paint_of_kind(kind: str) -> Paint:
    """The colour of a kind of component, as `data:Cache`; of a bare resource that of its type."""
    if kind.startswith("aws:"):
        return paint_of(kind)
    return next((paint for beginnings, paint in KINDS if kind.startswith(beginnings)), OUTSIDE)


def legend_of(paints: Iterable[Paint]) -> tuple[Swatch, ...]:
    """What these colours say, in the palette's order."""
    used = set(paints)
    return tuple(swatch for paint, swatch in SWATCHES.items() if paint in used)


def call(type_: str, count: int = 1) -> str:
    """What people call a type: `9 services`, `3 Kafka topics`; of one, without the number."""
    words = word_of(type_)
    return words if count == 1 else f"{count} {plural(words)}"


def word_of(type_: str) -> str:
    if SETTINGS.match(type_):
        return "bucket setting"
    return CALLED.get(type_) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type_.rpartition(":")[2]).lower()


def detail(resource: Resource) -> str:
    """What else is to be known of it; empty where there is nothing, or an input is missing."""
    try:
        return DETAILS.get(resource.type, "").format_map(resource.inputs)
    except (KeyError, TypeError):
        return ""


def plural(words: str) -> str:
    if " of " in words:
        return f"{plural(words.partition(' of ')[0])} of {words.partition(' of ')[2]}"
    if words.endswith(("controls", "metrics", "status", "defaults", "metadata")):
        return words
    if words.endswith("y") and words[-2] not in "aeo":
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("s", "x")) else f"{words}s"


def component_name(resource: Resource, resources: dict[str, Resource]) -> str:
    """The name of the component it is part of, its own without one: both colours of a service have one name."""
    parent = resources.get(resource.parent or "")
    return parent.name if parent is not None and parent.type.startswith("nottermost:") else resource.name


def joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def region_suffix(region: str) -> str:
    """What a file's name ends with: nothing in the primary region."""
    return "" if region == PRIMARY else f"-{region}"


def resources_of(graph: Graph) -> dict[str, Resource]:
    return {each.urn: each for each in graph.resources()}
