"""Names and tags, by construction. Pure functions; the contracts of `docs/platform.md` in code."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

ENVIRONMENT: Final = re.compile(r"^(dev|staging|prod|pr-[1-9][0-9]{0,4}|pr-0)$")
PRIMARY: Final = "us-east-1"
STANDBY: Final = "eu-west-1"
REGION_CODES: Final = {PRIMARY: "use1", STANDBY: "euw1"}
REQUIRED_TAGS: Final = ("env", "service", "owner", "cost-center", "data-class", "repo", "nottermost-id")
HASH_CHARS: Final = 6


@dataclass(frozen=True, slots=True)
class Named:
    """How a resource type is named: which input holds the physical name, and how long it may be."""

    property: str
    limit: int


# Types that are given a physical name. What is not here is named by AWS (a Vpc, a rule, an attachment).
NAMED: Final = {
    "aws:accessanalyzer/analyzer:Analyzer": Named("analyzerName", 255),
    "aws:amp/workspace:Workspace": Named("alias", 100),
    "aws:appautoscaling/policy:Policy": Named("name", 255),
    "aws:appautoscaling/scheduledAction:ScheduledAction": Named("name", 255),
    "aws:athena/workgroup:Workgroup": Named("name", 128),
    "aws:autoscaling/group:Group": Named("name", 255),
    "aws:backup/plan:Plan": Named("name", 50),
    "aws:backup/selection:Selection": Named("name", 50),
    "aws:backup/vault:Vault": Named("name", 50),
    "aws:budgets/budget:Budget": Named("name", 100),
    "aws:cfg/recorder:Recorder": Named("name", 256),
    "aws:cfg/deliveryChannel:DeliveryChannel": Named("name", 256),
    "aws:cloudfront/cachePolicy:CachePolicy": Named("name", 128),
    "aws:cloudfront/function:Function": Named("name", 64),
    "aws:cloudfront/keyGroup:KeyGroup": Named("name", 128),
    "aws:cloudfront/originAccessControl:OriginAccessControl": Named("name", 64),
    "aws:cloudfront/originRequestPolicy:OriginRequestPolicy": Named("name", 128),
    "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": Named("name", 128),
    "aws:cloudtrail/trail:Trail": Named("name", 128),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Named("alarmName", 255),
    "aws:cloudwatch/dashboard:Dashboard": Named("dashboardName", 255),
    "aws:cloudwatch/eventRule:EventRule": Named("name", 64),
    "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": Named("name", 60),
    "aws:cloudwatch/logDeliverySource:LogDeliverySource": Named("name", 60),
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": Named("policyName", 255),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Named("name", 255),
    "aws:cognito/userPool:UserPool": Named("name", 128),
    "aws:cognito/userPoolClient:UserPoolClient": Named("name", 128),
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": Named("name", 1024),
    "aws:costexplorer/anomalySubscription:AnomalySubscription": Named("name", 1024),
    "aws:dax/cluster:Cluster": Named("clusterName", 20),
    "aws:dax/parameterGroup:ParameterGroup": Named("name", 255),
    "aws:dax/subnetGroup:SubnetGroup": Named("name", 255),
    "aws:dynamodb/table:Table": Named("name", 255),
    "aws:ec2/launchTemplate:LaunchTemplate": Named("name", 128),
    "aws:ec2/securityGroup:SecurityGroup": Named("name", 255),
    "aws:ecr/repository:Repository": Named("name", 256),
    "aws:ecs/cluster:Cluster": Named("name", 255),
    "aws:ecs/service:Service": Named("name", 255),
    "aws:ecs/taskDefinition:TaskDefinition": Named("family", 255),
    "aws:elasticache/parameterGroup:ParameterGroup": Named("name", 255),
    "aws:elasticache/replicationGroup:ReplicationGroup": Named("replicationGroupId", 40),
    "aws:elasticache/subnetGroup:SubnetGroup": Named("name", 255),
    "aws:glue/catalogDatabase:CatalogDatabase": Named("name", 255),
    "aws:grafana/workspace:Workspace": Named("name", 255),
    "aws:iam/instanceProfile:InstanceProfile": Named("name", 128),
    "aws:iam/policy:Policy": Named("name", 128),
    "aws:iam/role:Role": Named("name", 64),
    "aws:iam/rolePolicy:RolePolicy": Named("name", 128),
    "aws:kms/alias:Alias": Named("name", 256),
    "aws:lambda/function:Function": Named("name", 64),
    "aws:lb/loadBalancer:LoadBalancer": Named("name", 32),
    "aws:lb/targetGroup:TargetGroup": Named("name", 32),
    "aws:msk/cluster:Cluster": Named("clusterName", 64),
    "aws:msk/configuration:Configuration": Named("name", 64),
    "aws:opensearch/domain:Domain": Named("domainName", 28),
    "aws:rds/cluster:Cluster": Named("clusterIdentifier", 63),
    "aws:rds/eventSubscription:EventSubscription": Named("name", 255),
    "aws:rds/instance:Instance": Named("identifier", 63),
    "aws:rds/parameterGroup:ParameterGroup": Named("name", 255),
    "aws:rds/proxy:Proxy": Named("name", 60),
    "aws:rds/subnetGroup:SubnetGroup": Named("name", 255),
    "aws:route53/healthCheck:HealthCheck": Named("referenceName", 27),
    "aws:s3/bucket:Bucket": Named("bucket", 63),
    "aws:secretsmanager/secret:Secret": Named("name", 512),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": Named("name", 253),
    "aws:sns/topic:Topic": Named("name", 256),
    "aws:sqs/queue:Queue": Named("name", 80),
    "aws:ssm/document:Document": Named("name", 128),
    "aws:ssm/parameter:Parameter": Named("name", 1011),
    "aws:wafv2/ipSet:IpSet": Named("name", 128),
    "aws:wafv2/webAcl:WebAcl": Named("name", 128),
    "aws:xray/group:Group": Named("groupName", 32),
    "aws:xray/samplingRule:SamplingRule": Named("ruleName", 32),
}
GLOBALLY_UNIQUE: Final = frozenset({"aws:s3/bucket:Bucket"})  # the account id keeps them apart from everybody else's
UNDERSCORED: Final = frozenset({"aws:glue/catalogDatabase:CatalogDatabase"})  # a hyphen would need quoting in SQL
PREFIXES: Final = {"aws:kms/alias:Alias": "alias/", "aws:ssm/parameter:Parameter": "/"}


def environment_class(env: str) -> str:
    """`dev`, `staging`, `prod` or `pr`. Raises: ValueError when there is no such environment."""
    if not ENVIRONMENT.fullmatch(env):
        raise ValueError(f"no environment is called {env!r}: dev, staging, prod or pr-<1 to 99999>")
    return env.partition("-")[0]


def type_token(resource: type) -> str:
    """The Pulumi type of an SDK class: `pulumi_aws.sqs.queue.Queue` is `aws:sqs/queue:Queue`."""
    area = resource.__module__.split(".")[1].rstrip("_")
    name = resource.__name__
    return f"aws:{area}/{name[0].lower()}{name[1:]}:{name}"


def fit(name: str, limit: int) -> str:
    """The name, or its beginning and a hash of the whole where it is too long. Equal names stay equal."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_CHARS]
    return f"{name[: limit - HASH_CHARS - 1].rstrip('-')}-{digest}"


def physical_name(token: str, *, env: str, region: str, account: str, name: str) -> str:
    """The name that AWS shows, from environment, region and logical name; within the type's length."""
    prefix = PREFIXES.get(token, "")
    parts = [env, REGION_CODES[region], name]
    if token in GLOBALLY_UNIQUE:
        parts = ["nottermost", *parts, account]
    joined = prefix + fit("-".join(parts), NAMED[token].limit - len(prefix))
    return joined.replace("-", "_") if token in UNDERSCORED else joined


def make_urn(stack: str, project: str, types: str, name: str) -> str:
    """A URN by Pulumi's rule; `types`: the chain of parent types and the own one, joined by `$`."""
    return f"urn:pulumi:{stack}::{project}::{types}::{name}"


def nottermost_id(urn: str) -> str:
    """What drift and bills find a resource again by: a hash of its URN."""
    return hashlib.sha256(urn.encode()).hexdigest()[:16]
