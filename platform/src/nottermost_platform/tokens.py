"""Values for the outputs that only AWS would know: of valid format, the same each time, different for each resource.

Because each is unique to its URN, a value that turns up in another stack's inputs tells where it came from.
"""

import hashlib
import importlib
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pulumi
from pulumi import _types

from nottermost_platform.naming import NAMED

# How AWS writes what it hands out, by type: {name} the physical name, {id} the resource's id, {region}, {account},
# {uuid} and {hex} (32 digits, cut as {hex:.17}) the resource's alone. "=arn": the id is the ARN. What is not here
# has the name as its id, a hash behind it where there is no name, and an ARN of service and kind.
EC2: Final = "arn:aws:ec2:{region}:{account}:"
RDS: Final = "arn:aws:rds:{region}:{account}:"
CDN: Final = "arn:aws:cloudfront::{account}:"
CACHE: Final = "arn:aws:elasticache:{region}:{account}:"
ELB: Final = "arn:aws:elasticloadbalancing:{region}:{account}:"
FORMS: Final[dict[str, dict[str, str]]] = {
    "acm/certificate:Certificate": {"id": "=arn", "arn": "arn:aws:acm:{region}:{account}:certificate/{uuid}"},
    "amp/workspace:Workspace": {
        "id": "ws-{uuid}", "arn": "arn:aws:aps:{region}:{account}:workspace/{id}",
        "prometheusEndpoint": "https://aps-workspaces.{region}.amazonaws.com/workspaces/{id}/",
    },
    "appautoscaling/target:Target": {
        "arn": "arn:aws:application-autoscaling:{region}:{account}:scalable-target/{hex:.34}",
    },
    "autoscaling/group:Group": {
        "arn": "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}",
    },
    "backup/plan:Plan": {"id": "{uuid}", "arn": "arn:aws:backup:{region}:{account}:backup-plan:{id}"},
    "backup/selection:Selection": {"id": "{uuid}"},
    "backup/vault:Vault": {"arn": "arn:aws:backup:{region}:{account}:backup-vault:{name}"},
    "bcmdata/export:Export": {"id": "=arn", "arn": "arn:aws:bcm-data-exports:us-east-1:{account}:export/{uuid}"},
    "cloudfront/cachePolicy:CachePolicy": {"id": "{uuid}", "arn": CDN + "cache-policy/{id}"},
    "cloudfront/distribution:Distribution": {
        "id": "E{HEX:.13}", "arn": CDN + "distribution/{id}", "domainName": "d{hex:.13}.cloudfront.net",
    },
    "cloudfront/keyGroup:KeyGroup": {"id": "{uuid}"},
    "cloudfront/originAccessControl:OriginAccessControl": {"id": "E{HEX:.13}", "arn": CDN + "origin-access-control/{id}"},
    "cloudfront/publicKey:PublicKey": {"id": "K{HEX:.13}"},
    "cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": {
        "id": "{uuid}", "arn": CDN + "response-headers-policy/{id}",
    },
    "cloudtrail/trail:Trail": {"id": "=arn", "arn": "arn:aws:cloudtrail:{region}:{account}:trail/{name}"},
    "cloudwatch/compositeAlarm:CompositeAlarm": {"arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
    "cloudwatch/dashboard:Dashboard": {"dashboardArn": "arn:aws:cloudwatch::{account}:dashboard/{name}"},
    "cloudwatch/eventRule:EventRule": {"arn": "arn:aws:events:{region}:{account}:rule/{name}"},
    "cloudwatch/logDelivery:LogDelivery": {
        "id": "{hex:.16}", "arn": "arn:aws:logs:{region}:{account}:delivery:{id}",
    },
    "cloudwatch/logDeliveryDestination:LogDeliveryDestination": {
        "arn": "arn:aws:logs:{region}:{account}:delivery-destination:{name}",
    },
    "cloudwatch/logDeliverySource:LogDeliverySource": {"arn": "arn:aws:logs:{region}:{account}:delivery-source:{name}"},
    "cloudwatch/logGroup:LogGroup": {"arn": "arn:aws:logs:{region}:{account}:log-group:{name}"},
    "cloudwatch/metricAlarm:MetricAlarm": {"arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
    "cognito/userPool:UserPool": {
        "id": "{region}_{hex:.9}", "arn": "arn:aws:cognito-idp:{region}:{account}:userpool/{id}",
        "endpoint": "cognito-idp.{region}.amazonaws.com/{id}",
    },
    "cognito/userPoolClient:UserPoolClient": {"id": "{hex:.26}"},
    "costexplorer/anomalyMonitor:AnomalyMonitor": {"id": "=arn", "arn": "arn:aws:ce::{account}:anomalymonitor/{uuid}"},
    "costexplorer/anomalySubscription:AnomalySubscription": {
        "id": "=arn", "arn": "arn:aws:ce::{account}:anomalysubscription/{uuid}",
    },
    "dynamodb/table:Table": {
        "arn": "arn:aws:dynamodb:{region}:{account}:table/{name}",
        "streamArn": "arn:aws:dynamodb:{region}:{account}:table/{name}/stream/2026-01-01T00:00:00.000",
    },
    "dynamodb/tableReplica:TableReplica": {"arn": "arn:aws:dynamodb:{region}:{account}:table/{name}"},
    "ec2/defaultSecurityGroup:DefaultSecurityGroup": {"id": "sg-{hex:.17}", "arn": EC2 + "security-group/{id}"},
    "ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": {"id": "eigw-{hex:.17}"},
    "ec2/eip:Eip": {
        "id": "eipalloc-{hex:.17}", "allocationId": "eipalloc-{hex:.17}", "arn": EC2 + "elastic-ip/{id}",
    },
    "ec2/flowLog:FlowLog": {"id": "fl-{hex:.17}", "arn": EC2 + "vpc-flow-log/{id}"},
    "ec2/internetGateway:InternetGateway": {"id": "igw-{hex:.17}", "arn": EC2 + "internet-gateway/{id}"},
    "ec2/launchTemplate:LaunchTemplate": {"id": "lt-{hex:.17}", "arn": EC2 + "launch-template/{id}"},
    "ec2/natGateway:NatGateway": {"id": "nat-{hex:.17}"},
    "ec2/networkAcl:NetworkAcl": {"id": "acl-{hex:.17}", "arn": EC2 + "network-acl/{id}"},
    "ec2/route:Route": {"id": "r-rtb-{hex:.17}"},
    "ec2/routeTable:RouteTable": {"id": "rtb-{hex:.17}", "arn": EC2 + "route-table/{id}"},
    "ec2/routeTableAssociation:RouteTableAssociation": {"id": "rtbassoc-{hex:.17}"},
    "ec2/securityGroup:SecurityGroup": {"id": "sg-{hex:.17}", "arn": EC2 + "security-group/{id}"},
    "ec2/subnet:Subnet": {"id": "subnet-{hex:.17}", "arn": EC2 + "subnet/{id}"},
    "ec2/vpc:Vpc": {"id": "vpc-{hex:.17}", "arn": EC2 + "vpc/{id}"},
    "ec2/vpcEndpoint:VpcEndpoint": {"id": "vpce-{hex:.17}", "arn": EC2 + "vpc-endpoint/{id}"},
    "ecr/repository:Repository": {
        "arn": "arn:aws:ecr:{region}:{account}:repository/{name}",
        "repositoryUrl": "{account}.dkr.ecr.{region}.amazonaws.com/{name}",
    },
    "ecs/cluster:Cluster": {"id": "=arn", "arn": "arn:aws:ecs:{region}:{account}:cluster/{name}"},
    "ecs/service:Service": {"id": "=arn", "arn": "arn:aws:ecs:{region}:{account}:service/{hex:.8}/{name}"},
    "ecs/taskDefinition:TaskDefinition": {
        "arn": "arn:aws:ecs:{region}:{account}:task-definition/{name}:1",
        "arnWithoutRevision": "arn:aws:ecs:{region}:{account}:task-definition/{name}",
    },
    "elasticache/parameterGroup:ParameterGroup": {"arn": CACHE + "parametergroup:{name}"},
    "elasticache/replicationGroup:ReplicationGroup": {
        "arn": CACHE + "replicationgroup:{name}",
        "primaryEndpointAddress": "master.{name}.{hex:.6}.cache.amazonaws.com",
        "readerEndpointAddress": "replica.{name}.{hex:.6}.cache.amazonaws.com",
        "configurationEndpointAddress": "clustercfg.{name}.{hex:.6}.cache.amazonaws.com",
    },
    "elasticache/subnetGroup:SubnetGroup": {"arn": CACHE + "subnetgroup:{name}"},
    "elasticache/user:User": {"arn": CACHE + "user:{name}"},
    "elasticache/userGroup:UserGroup": {"arn": CACHE + "usergroup:{name}"},
    "glue/catalogDatabase:CatalogDatabase": {
        "id": "{account}:{name}", "arn": "arn:aws:glue:{region}:{account}:database/{name}",
    },
    "glue/catalogTable:CatalogTable": {"id": "{account}:{hex:.8}:{name}", "arn": "arn:aws:glue:{region}:{account}:table/{hex:.8}/{name}"},
    "grafana/workspace:Workspace": {
        "id": "g-{hex:.10}", "arn": "arn:aws:grafana:{region}:{account}:/workspaces/{id}",
        "endpoint": "{id}.grafana-workspace.{region}.amazonaws.com",
    },
    "guardduty/detector:Detector": {"id": "{hex}", "arn": "arn:aws:guardduty:{region}:{account}:detector/{id}"},
    "iam/instanceProfile:InstanceProfile": {"arn": "arn:aws:iam::{account}:instance-profile/{name}"},
    "iam/openIdConnectProvider:OpenIdConnectProvider": {
        "id": "=arn", "arn": "arn:aws:iam::{account}:oidc-provider/{name}",
    },
    "iam/policy:Policy": {"id": "=arn", "arn": "arn:aws:iam::{account}:policy/{name}"},
    "iam/role:Role": {"arn": "arn:aws:iam::{account}:role/{name}", "uniqueId": "AROA{HEX:.17}"},
    "iam/serviceLinkedRole:ServiceLinkedRole": {
        "id": "=arn", "arn": "arn:aws:iam::{account}:role/aws-service-role/{name}",
    },
    "kms/alias:Alias": {"arn": "arn:aws:kms:{region}:{account}:{name}"},
    "kms/key:Key": {"id": "{uuid}", "keyId": "{uuid}", "arn": "arn:aws:kms:{region}:{account}:key/{id}"},
    "kms/replicaKey:ReplicaKey": {"id": "{uuid}", "keyId": "{uuid}", "arn": "arn:aws:kms:{region}:{account}:key/{id}"},
    "lambda/function:Function": {
        "arn": "arn:aws:lambda:{region}:{account}:function:{name}",
        "qualifiedArn": "arn:aws:lambda:{region}:{account}:function:{name}:1",
        "invokeArn": "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:{region}:{account}:function:{name}/invocations",
    },
    "lb/listener:Listener": {"id": "=arn", "arn": ELB + "listener/app/{name}/{hex:.16}/{HEX:.16}"},
    "lb/listenerRule:ListenerRule": {"id": "=arn", "arn": ELB + "listener-rule/app/{name}/{hex:.16}/{HEX:.16}"},
    "lb/loadBalancer:LoadBalancer": {
        "id": "=arn", "arn": ELB + "loadbalancer/app/{name}/{hex:.16}", "arnSuffix": "app/{name}/{hex:.16}",
        "dnsName": "{name}-{hex:.10}.{region}.elb.amazonaws.com",
    },
    "lb/targetGroup:TargetGroup": {
        "id": "=arn", "arn": ELB + "targetgroup/{name}/{hex:.16}", "arnSuffix": "targetgroup/{name}/{hex:.16}",
    },
    "msk/cluster:Cluster": {"id": "=arn", "arn": "arn:aws:kafka:{region}:{account}:cluster/{name}/{uuid}-1"},
    "msk/configuration:Configuration": {
        "id": "=arn", "arn": "arn:aws:kafka:{region}:{account}:configuration/{name}/{uuid}-1",
    },
    "msk/topic:Topic": {"arn": "arn:aws:kafka:{region}:{account}:topic/{hex:.8}/{uuid}-1/{name}"},
    "opensearch/domain:Domain": {
        "id": "=arn", "arn": "arn:aws:es:{region}:{account}:domain/{name}", "domainId": "{account}/{name}",
        "endpoint": "vpc-{name}-{hex:.26}.{region}.es.amazonaws.com",
    },
    "rds/eventSubscription:EventSubscription": {"arn": RDS + "es:{name}"},
    "rds/instance:Instance": {
        "id": "db-{HEX:.26}", "resourceId": "db-{HEX:.26}", "arn": RDS + "db:{name}",
        "address": "{name}.{hex:.12}.{region}.rds.amazonaws.com",
        "endpoint": "{name}.{hex:.12}.{region}.rds.amazonaws.com:5432",
    },
    "rds/parameterGroup:ParameterGroup": {"arn": RDS + "pg:{name}"},
    "rds/proxy:Proxy": {
        "arn": RDS + "db-proxy:prx-{hex:.17}", "endpoint": "{name}.proxy-{hex:.12}.{region}.rds.amazonaws.com",
    },
    "rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": {"arn": RDS + "target-group:prx-tg-{hex:.17}"},
    "rds/subnetGroup:SubnetGroup": {"arn": RDS + "subgrp:{name}"},
    "route53/healthCheck:HealthCheck": {"id": "{uuid}", "arn": "arn:aws:route53:::healthcheck/{id}"},
    "route53/zone:Zone": {"id": "Z{HEX:.20}", "zoneId": "Z{HEX:.20}", "arn": "arn:aws:route53:::hostedzone/{id}"},
    "s3/bucket:Bucket": {
        "arn": "arn:aws:s3:::{name}", "bucketDomainName": "{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": "{name}.s3.{region}.amazonaws.com",
    },
    "secretsmanager/secret:Secret": {
        "id": "=arn", "arn": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-{hex:.6}",
    },
    "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": {
        "id": "ns-{hex:.16}", "arn": "arn:aws:servicediscovery:{region}:{account}:namespace/{id}",
    },
    "servicediscovery/service:Service": {
        "id": "srv-{hex:.16}", "arn": "arn:aws:servicediscovery:{region}:{account}:service/{id}",
    },
    "sns/topic:Topic": {"id": "=arn", "arn": "arn:aws:sns:{region}:{account}:{name}"},
    "sns/topicSubscription:TopicSubscription": {"id": "=arn", "arn": "arn:aws:sns:{region}:{account}:{hex:.8}:{uuid}"},
    "sqs/queue:Queue": {
        "id": "https://sqs.{region}.amazonaws.com/{account}/{name}",
        "url": "https://sqs.{region}.amazonaws.com/{account}/{name}", "arn": "arn:aws:sqs:{region}:{account}:{name}",
    },
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "id": "sgr-{hex:.17}", "securityGroupRuleId": "sgr-{hex:.17}", "arn": EC2 + "security-group-rule/{id}",
    },
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "id": "sgr-{hex:.17}", "securityGroupRuleId": "sgr-{hex:.17}", "arn": EC2 + "security-group-rule/{id}",
    },
    "wafv2/webAcl:WebAcl": {"id": "{uuid}", "arn": "arn:aws:wafv2:{region}:{account}:{scope}/webacl/{name}/{id}"},
    "xray/group:Group": {"arn": "arn:aws:xray:{region}:{account}:group/{name}/{HEX:.26}"},
    "xray/samplingRule:SamplingRule": {"arn": "arn:aws:xray:{region}:{account}:sampling-rule/{name}"},
}  # fmt: skip
# Outputs of other types, by the ending of their names.
ID_LIKE: Final = {"vpcId": "vpc", "subnetId": "subnet", "securityGroupId": "sg", "networkInterfaceId": "eni",
                  "prefixListId": "pl", "networkAclId": "acl", "routeTableId": "rtb"}  # fmt: skip
GLOBAL_SERVICES: Final = frozenset({"iam", "cloudfront", "route53", "budgets"})
ARN_SERVICES: Final = {  # the SDK's areas that the service calls otherwise
    "lb": "elasticloadbalancing", "msk": "kafka", "opensearch": "es", "cognito": "cognito-idp", "cfg": "config",
    "cloudwatch": "logs", "vpc": "ec2", "amp": "aps", "costexplorer": "ce", "appautoscaling": "application-autoscaling",
}  # fmt: skip
NAMES: Final = (  # inputs that name a resource where NAMED has none, the first that is there
    "bucket", "name", "identifier", "clusterIdentifier", "replicationGroupId", "domainName", "family", "functionName",
    "userId", "userGroupId", "alarmName", "dashboardName", "groupName", "ruleName", "analyzerName", "url", "awsServiceName",
)  # fmt: skip


def digest(urn: str, *parts: str) -> str:
    """64 hexadecimal digits that are this resource's alone."""
    return hashlib.sha256("\0".join((urn, *parts)).encode()).hexdigest()


@cache
def sdk_class(token: str) -> type[pulumi.Resource] | None:
    """The SDK's class of a type token, None for what is not of the AWS SDK."""
    if not token.startswith("aws:"):
        return None
    _, module, name = token.split(":")
    area, _, file = module.partition("/")
    area = {"lambda": "lambda_"}.get(area, area)
    found = getattr(importlib.import_module(f"pulumi_aws.{area}.{_snake(file)}"), name)
    return typing.cast("type[pulumi.Resource]", found)


def fill_outputs(token: str, urn: str, inputs: Mapping[str, Any], *, region: str, account: str) -> dict[str, Any]:
    """The inputs, and a value for each output that the class declares beside them. Includes `id`."""
    resource = sdk_class(token)
    make = _Maker(token, urn, region, account, inputs)
    state: dict[str, Any] = {}
    if resource is not None:
        for name, hint in _types.resource_types(resource).items():
            if name not in ("urn", "id", "tagsAll") and name not in inputs:
                state[name] = make.value(name, hint, name)
    state |= inputs
    if isinstance(inputs.get("tags"), Mapping):
        state["tagsAll"] = dict(inputs["tags"])
    state["id"] = make.id
    return state


class _Maker:
    """Makes the values of one resource."""

    def __init__(self, type_: str, urn: str, region: str, account: str, inputs: Mapping[str, Any]) -> None:
        self.type, self.urn, self.region, self.account = type_, urn, region, account
        self._logical = urn.rpartition("::")[2]
        self.area = type_.split(":")[1].partition("/")[0] if type_.startswith("aws:") else type_
        self.forms = FORMS.get(type_.removeprefix("aws:"), {})
        hexes = digest(urn)
        keys = (NAMED[type_].property, *NAMES) if type_ in NAMED else NAMES
        given = next((inputs[key] for key in keys if isinstance(inputs.get(key), str)), "")
        self.name: str = given or f"{self._logical}-{hexes[:12]}"
        self.words = {
            "region": region, "account": account, "name": self.name.removeprefix("https://"), "uuid": _uuid(hexes),
            "hex": hexes[:34], "HEX": hexes[:34].upper(), "scope": "global" if inputs.get("scope") == "CLOUDFRONT" else "regional",
        }  # fmt: skip
        form = self.forms.get("id", "{name}")
        self.words["id"] = self.id = (
            self.forms["arn"].format_map(self.words) if form == "=arn" else form.format_map(self.words)
        )

    def value(self, name: str, hint: Any, path: str, within: tuple[type[Any], ...] = ()) -> Any:
        """A value of the declared type.

        Args:
            within: blocks around it; one within itself, as WAF's statements are, ends there.
        """
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
            return self.value(name, next(each for each in arguments if each is not type(None)), path, within)
        if origin is pulumi.Output:
            return self.value(name, arguments[0], path, within)
        if hint is bool:
            return False
        if hint in (int, float):
            return int(digest(self.urn, path)[:4], 16)
        if hint is str:
            return self.forms[path].format_map(self.words) if path in self.forms else self._text(name, path)
        if isinstance(hint, type) and _types.is_output_type(hint):
            if hint in within:
                return {}
            inside = (*within, hint)
            return {
                key: self.value(key, inner, f"{path}.{key}", inside)
                for key, inner in _types.output_type_types(hint).items()
            }
        if origin in (list, tuple) or (origin and "Sequence" in str(origin)):
            return [self.value(name, arguments[0], f"{path}[0]", within)]
        return {}

    def _text(self, name: str, path: str) -> str:
        """A text of the format that its name tells."""
        hexes, lower = digest(self.urn, path), name.lower()
        ip = ".".join(str(int(hexes[at : at + 2], 16)) for at in (0, 2, 4))
        host = f"{hexes[:12]}.{self.area}.{self.region}.amazonaws.com"
        brokers = ",".join(f"b-{n}.{host}:{9098 if 'iam' in lower else 9094}" for n in (1, 2, 3))
        formats = (  # the first whose ending fits
            (("arn", "arns"), self._arn(name)),
            (("ownerid", "awsaccountid", "registryid", "accountid"), self.account),
            (("cidr", "cidrblock"), f"10.{ip.rpartition('.')[0]}.0/24"),
            (("ip", "ipaddress"), f"10.{ip}"),
            (("region",), self.region),
            (("zoneid", "hostedzone"), f"Z{hexes[:20].upper()}"),
            (("brokers", "brokerstls", "brokerssasliam", "brokerssaslscram"), brokers),
            (("endpoint", "dnsname", "domainname", "address", "hostname", "domain"), f"{self._logical}-{host}"),
            (("url", "uri"), f"https://{host}/{self.name}"),
            *(((each.lower(),), f"{prefix}-{hexes[:17]}") for each, prefix in ID_LIKE.items()),
        )
        return next((text for ends, text in formats if lower.endswith(ends)), f"{self.name}-{hexes[:12]}")

    def _arn(self, output: str) -> str:
        """An ARN of the service; `output`: which, a resource may have several."""
        hexes, here = digest(self.urn, output), f"{self.region}:{self.account}"
        for ending, arn in (  # of another service's resource
            ("secretarn", f"arn:aws:secretsmanager:{here}:secret:{self._logical}-{hexes[:6]}"),
            ("kmskeyarn", f"arn:aws:kms:{here}:key/{_uuid(hexes)}"),
            ("rolearn", f"arn:aws:iam::{self.account}:role/{self._logical}-{hexes[:6]}"),
        ):
            if output.lower().endswith(ending):
                return arn
        service = ARN_SERVICES.get(self.area, self.area)
        region = "" if service in GLOBAL_SERVICES else self.region
        rest = f"{self.type.rpartition(':')[2].lower()}/{self.words['name']}"
        if output != "arn":
            rest += f"/{output}-{hexes[:12]}"
        return f"arn:aws:{service}:{region}:{self.account}:{rest}"


def _uuid(hexes: str) -> str:
    return f"{hexes[:8]}-{hexes[8:12]}-{hexes[12:16]}-{hexes[16:20]}-{hexes[20:32]}"


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
