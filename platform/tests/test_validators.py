"""What AWS would refuse in a value is found, what it accepts is not."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi import _types

from nottermost_platform.allowed_values import ALLOWED_VALUES
from nottermost_platform.documents import DOCUMENTS, IDENTITY, POLICIES, TRUST, check_documents, check_policy
from nottermost_platform.graph import Options, Resource, StackGraph
from nottermost_platform.limits import ARNS, CHOICES, FORMS, NEEDED, NOT_EMPTY, ORDERED, RANGES
from nottermost_platform.sdk_check import _resolve, input_class
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of
from nottermost_platform.validators import BETWEEN, Found, check_resource, check_together

KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
ROLE = "arn:aws:iam::111122223333:role/r"
TOPIC = "arn:aws:sns:us-east-1:111122223333:t"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:q"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/1"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
ALARM_OF = {"namespace": "AWS/SQS", "metricName": "m", "period": 60, "threshold": 1, "statistic": "Sum"}
BUCKET = "aws:s3/bucket:Bucket"
CDN = "aws:cloudfront/distribution:Distribution"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
FUNCTION = "aws:lambda/function:Function"
FUNCTION_OF = {"code": {"$asset": "0"}, "role": ROLE}
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
LISTENER = "aws:lb/listener:Listener"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
RDS = "aws:rds/instance:Instance"
SQS = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"
TARGETS = "aws:lb/targetGroup:TargetGroup"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
VPC = "aws:ec2/vpc:Vpc"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
NO_OPTIONS = Options(
    protect=False, ignore_changes=[], aliases=[], retain_on_delete=False, replace_on_changes=[], import_id=None
)


def resource_of(type_: str, inputs: dict[str, Any], *, region: str = "us-east-1", **more: Any) -> Resource:
    fields: dict[str, Any] = {
        "urn": f"urn:pulumi:s::p::{type_}::r",
        "name": "r",
        "custom": True,
        "parent": None,
        "provider": None,
        "tags": {},
        "dependencies": [],
        "property_dependencies": {},
        "options": NO_OPTIONS,
        "source": "",
    }
    return Resource(type=type_, inputs=inputs, region=region, **{**fields, **more})


def said_of(type_: str, inputs: dict[str, Any], *, region: str = "us-east-1") -> list[str]:
    return list(check_resource(resource_of(type_, inputs, region=region)))


def rule(**changes: Any) -> dict[str, Any]:
    return {"securityGroupId": "sg-12345678", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8", **changes}


def statement(**changes: Any) -> dict[str, Any]:
    one = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"], **changes}
    return {"Version": "2012-10-17", "Statement": [{key: value for key, value in one.items() if value is not None}]}


def policy(**changes: Any) -> dict[str, Any]:
    return {"policy": json.dumps(statement(**changes))}


def containers(**changes: Any) -> dict[str, Any]:
    return {
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": json.dumps([{"name": "chat", "image": "i", "essential": True, **changes}]),
    }


@pytest.mark.parametrize(
    ("type_", "inputs", "said"),
    [
        # allowed values
        (TARGETS, {"protocol": "HTPP"}, "'HTPP' is not one of"),
        (TARGETS, {"targetType": "fargate"}, "'fargate' is not one of"),
        (TARGETS, {"healthCheck": {"protocol": "UDP"}}, "healthCheck.protocol: 'UDP'"),
        (ALARM, ALARM_OF | {"comparisonOperator": "GreaterThan"}, "'GreaterThan' is not one of"),
        (ALARM, ALARM_OF | {"statistic": "Mean"}, "'Mean' is not one of"),
        (ALARM, ALARM_OF | {"treatMissingData": "ok"}, "'ok' is not one of"),
        (CDN, {"defaultCacheBehavior": {"viewerProtocolPolicy": "https"}}, "'https' is not one of"),
        (CDN, {"priceClass": "PriceClass_ALL"}, "'PriceClass_ALL' is not one of"),
        (CDN, {"origins": [{"customOriginConfig": {"originProtocolPolicy": "https"}}]}, "'https' is not one of"),
        (CDN, {"viewerCertificate": {"minimumProtocolVersion": "TLSv1.2"}}, "'TLSv1.2' is not one of"),
        (CDN, {"viewerCertificate": {"sslSupportMethod": "sni"}}, "'sni' is not one of"),
        (CDN, {"restrictions": {"geoRestriction": {"restrictionType": "allow"}}}, "'allow' is not one of"),
        ("aws:cognito/userPool:UserPool", {"userPoolAddOns": {"advancedSecurityMode": "ON"}}, "'ON' is not one of"),
        ("aws:cognito/userPoolClient:UserPoolClient", {"allowedOauthFlows": ["pkce"]}, "allowedOauthFlows[0]: 'pkce'"),
        ("aws:cognito/userPoolClient:UserPoolClient", {"tokenValidityUnits": {"idToken": "weeks"}}, "'weeks'"),
        ("aws:ecr/repository:Repository", {"imageTagMutability": "immutable"}, "'immutable' is not one of"),
        ("aws:ec2/vpcEndpoint:VpcEndpoint", {"vpcEndpointType": "interface"}, "'interface' is not one of"),
        ("aws:ec2/launchTemplate:LaunchTemplate", {"blockDeviceMappings": [{"ebs": {"volumeType": "gp4"}}]}, "'gp4'"),
        (RDS, {"storageType": "ssd"}, "'ssd' is not one of"),
        (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            {"rules": [{"transitions": [{"days": 1, "storageClass": "INTELLIGENT"}]}]},
            "rules[0].transitions[0].storageClass: 'INTELLIGENT'",
        ),
        ("aws:budgets/budget:Budget", {"notifications": [{"comparisonOperator": ">"}]}, "'>' is not one of"),
        (TASK, {"runtimePlatform": {"cpuArchitecture": "arm64"}}, "'arm64' is not one of"),
        (LISTENER, {"defaultActions": [{"redirect": {"statusCode": "301"}}]}, "'301' is not one of"),
        ("aws:cloudtrail/trail:Trail", {"advancedEventSelectors": [{"fieldSelectors": [{"field": "arn"}]}]}, "'arn'"),
        ("aws:sns/topicSubscription:TopicSubscription", {"topic": TOPIC, "protocol": "pigeon"}, "'pigeon'"),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"versioningConfiguration": {"status": "On"}},
            "'On' is not one of",
        ),
        (
            "aws:cloudfront/cachePolicy:CachePolicy",
            {"parametersInCacheKeyAndForwardedToOrigin": {"cookiesConfig": {"cookieBehavior": "cookie_behavior"}}},
            "'cookie_behavior' is not one of",
        ),
        (
            "aws:lb/loadBalancer:LoadBalancer",
            {"ipAddressType": "application", "subnets": ["subnet-12345678"]},
            "not one",
        ),
        # one of several
        (EGRESS, rule(cidrIpv4=None), "exactly one of cidrIpv4"),
        (INGRESS, rule(referencedSecurityGroupId="sg-12345678"), "exactly one of cidrIpv4"),
        ("aws:ec2/route:Route", {"destinationCidrBlock": "0.0.0.0/0"}, "exactly one of carrierGatewayId"),
        ("aws:iam/role:Role", {"name": "a", "namePrefix": "b"}, "at most one of name, namePrefix"),
        (ALARM, ALARM_OF | {"extendedStatistic": "p95"}, "exactly one of statistic"),
        (ALARM, ALARM_OF | {"metricQueries": [{"id": "a", "expression": "1", "returnData": True}]}, "exactly one"),
        (SQS, {"kmsMasterKeyId": "k", "sqsManagedSseEnabled": False}, "at most one of kmsMasterKeyId"),
        (
            "aws:ecs/service:Service",
            {"launchType": "FARGATE", "capacityProviderStrategies": [{"capacityProvider": "FARGATE"}]},
            "at most one of capacityProviderStrategies, launchType",
        ),
        (RDS, {"manageMasterUserPassword": True, "passwordWo": {"$secret": True}}, "at most one of manageMaster"),
        ("aws:route53/record:Record", {"name": "n", "type": "A"}, "exactly one of aliases, records"),
        ("aws:route53/record:Record", {"records": ["1"]}, "ttl: is required with records"),
        (WEB_ACL, {"defaultAction": {}}, "defaultAction.allow: exactly one of allow, block"),
        (WEB_ACL, {"rules": [{"name": "n", "priority": 0}]}, "rules[0].action: exactly one of action, overrideAction"),
        (FUNCTION, {"role": ROLE}, "exactly one of code"),
        ("aws:cloudwatch/eventRule:EventRule", {"name": "n"}, "at least one of eventPattern"),
        ("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", {}, "exactly one of policyName, resourceArn"),
        # ranges
        (SQS, {"visibilityTimeoutSeconds": 43201}, "43201 is not from 0 to 43200"),
        (SQS, {"messageRetentionSeconds": 59}, "59 is not from 60 to 1209600"),
        (SQS, {"delaySeconds": 901}, "901 is not from 0 to 900"),
        (FUNCTION, FUNCTION_OF | {"timeout": 901}, "901 is not from 1 to 900"),
        (FUNCTION, FUNCTION_OF | {"memorySize": 64}, "64 is not from 128 to 10240"),
        ("aws:kms/key:Key", {"deletionWindowInDays": 5}, "5 is not from 7 to 30"),
        ("aws:kms/key:Key", {"rotationPeriodInDays": 30}, "30 is not from 90 to 2560"),
        (RDS, {"backupRetentionPeriod": 36}, "36 is not from 0 to 35"),
        (RDS, {"monitoringInterval": 20}, "20 is not one of 0, 1, 5, 10, 15, 30, 60"),
        (TARGETS, {"healthCheck": {"healthyThreshold": 1}}, "1 is not from 2 to 10"),
        (TARGETS, {"healthCheck": {"interval": 5, "timeout": 5}}, "must be below healthCheck.interval"),
        ("aws:lb/listenerRule:ListenerRule", {"priority": 50001}, "50001 is not from 1 to 50000"),
        (ALARM, ALARM_OF | {"period": 90}, "90 is not one of"),
        (LOG_GROUP, {"retentionInDays": 100}, "100 is not one of"),
        ("aws:iam/role:Role", {"maxSessionDuration": 600}, "600 is not from 3600 to 43200"),
        (EGRESS, rule(fromPort=443, toPort=80), "443 must be at most toPort, 80"),
        (EGRESS, rule(fromPort=70000, toPort=70000), "70000 is not from -1 to 65535"),
        ("aws:ecs/service:Service", {"loadBalancers": [{"targetGroupArn": "*", "containerPort": 70000}]}, "not a port"),
        ("aws:appautoscaling/target:Target", {"minCapacity": 3, "maxCapacity": 2}, "3 must be at most maxCapacity, 2"),
        # lengths and forms
        (GROUP, {"description": "x" * 256}, "(256 characters) is not of the form"),
        (GROUP, {"description": "Ünï"}, "is not of the form"),
        (EGRESS, rule(description="somebody's"), "is not of the form"),
        (ALARM, ALARM_OF | {"alarmDescription": "x" * 1025}, "(1025 characters)"),
        (LOG_GROUP, {"name": "with space"}, "is not of the form"),
        ("aws:kms/alias:Alias", {"name": "prod-data"}, "is not of the form alias/"),
        (SQS, {"name": "jobs", "fifoQueue": True}, "must end with .fifo"),
        (SQS, {"name": "jobs.fifo"}, "ends with .fifo and is none"),
        *((BUCKET, {"bucket": name}, "is not of the form") for name in ("Upper", "a..b", "192.168.0.1", "xn--a", "ab")),
        (SQS, {"tags": {"aws:env": "prod"}}, "no key of a tag"),
        (SQS, {"tags": {"k" * 129: "v"}}, "no key of a tag"),
        (SQS, {"tags": {"env": "v" * 257}}, "no value of a tag"),
        (SQS, {"tags": {"env": "a|b"}}, "no value of a tag"),
        (SQS, {"tags": {f"t{number}": "" for number in range(51)}}, "51 tags, 50 are allowed"),
        ("aws:cloudwatch/eventRule:EventRule", {"scheduleExpression": "rate(1 days)"}, "is not of the form"),
        ("aws:backup/plan:Plan", {"rules": [{"schedule": "cron(0 5 * * ?)"}]}, "is not of the form"),
        (RDS, {"backupWindow": "3:00-4:00"}, "is not of the form"),
        (RDS, {"maintenanceWindow": "04:30-05:30"}, "is not of the form"),
        (VPC, {"cidrBlock": "10.0.0.0/33"}, "cidrBlock"),
        (VPC, {"cidrBlock": "10.0.0.1/16"}, "host bits"),
        (EGRESS, rule(cidrIpv4="::/0"), "'::/0' is IPv6, expected is IPv4"),
        (EGRESS, rule(cidrIpv4=None, cidrIpv6="0.0.0.0/0"), "'0.0.0.0/0' is IPv4, expected is IPv6"),
        # ids and ARNs
        ("aws:ec2/internetGateway:InternetGateway", {"vpcId": "main"}, "'main' is not an id"),
        ("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": ["vpc-12345678"]}, "subnetIds[0]: 'vpc-12345678'"),
        ("aws:ec2/natGateway:NatGateway", {"allocationId": "eip-12345678"}, "is not an id, as eipalloc-"),
        ("aws:ec2/routeTableAssociation:RouteTableAssociation", {"routeTableId": "rt", "subnetId": "s"}, "as rtb-"),
        (EGRESS, rule(securityGroupId="default"), "is not an id, as sg-"),
        (LOG_GROUP, {"kmsKeyId": "alias/logs"}, "'alias/logs' is not an ARN"),
        (LOG_GROUP, {"kmsKeyId": KEY.replace("us-east-1", "eu-west-1")}, "is not in us-east-1"),
        ("aws:sns/topicSubscription:TopicSubscription", {"topic": "alarms", "protocol": "sqs"}, "is not an ARN"),
        (FUNCTION, FUNCTION_OF | {"role": "r"}, "'r' is not an ARN"),
        (ALARM, ALARM_OF | {"alarmActions": ["alarms"]}, "alarmActions[0]: 'alarms' is not an ARN"),
        (ALARM, ALARM_OF | {"okActions": [TOPIC.replace("us-east-1", "eu-west-1")]}, "is not in us-east-1"),
        (CDN, {"webAclId": "acl"}, "'acl' is not an ARN"),
        ("aws:backup/vault:Vault", {"kmsKeyArn": ROLE}, "is not an ARN of kms"),
        ("aws:rds/proxy:Proxy", {"roleArn": KEY}, "is not an ARN of iam role/"),
        (LISTENER, {"certificateArn": KEY}, "is not an ARN of acm, iam"),
        ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"policyArn": "AdministratorAccess"}, "is not an ARN"),
        (
            CDN,
            {"viewerCertificate": {"acmCertificateArn": CERTIFICATE.replace("us-east-1", "eu-west-1")}},
            "is not in us-east-1, where CloudFront looks for it",
        ),
        # documents
        ("aws:iam/policy:Policy", {"policy": "{"}, "is not JSON"),
        ("aws:iam/policy:Policy", policy(Effect="allow"), "Statement[0].Effect: 'allow' is neither"),
        ("aws:iam/policy:Policy", policy(Actions=["s3:*"]), "no such key as Actions"),
        ("aws:iam/policy:Policy", policy(Action=None), "has no Action"),
        ("aws:iam/policy:Policy", policy(Action=["GetObject"]), "'GetObject' is not service:Action"),
        ("aws:iam/policy:Policy", policy(Resource=None), "has no Resource"),
        ("aws:iam/policy:Policy", policy(Resource=["bucket"]), "'bucket' is not an ARN"),
        ("aws:iam/policy:Policy", policy(Principal="*"), "has Principal, which such a policy cannot have"),
        ("aws:iam/policy:Policy", policy(Condition={"StringEqual": {"a": "b"}}), "no operator StringEqual"),
        ("aws:s3/bucketPolicy:BucketPolicy", policy(), "has no Principal"),
        ("aws:s3/bucketPolicy:BucketPolicy", policy(Principal={"Services": "x"}), "Services is not one of"),
        ("aws:iam/role:Role", {"assumeRolePolicy": policy(Principal="*")["policy"]}, "has Resource, which"),
        (SQS, {"redrivePolicy": json.dumps({"deadLetterTargetArn": QUEUE})}, "maxReceiveCount, and nothing else"),
        (SQS, {"redrivePolicy": json.dumps({"deadLetterTargetArn": TOPIC, "maxReceiveCount": 5})}, "ARN of a queue"),
        ("aws:cloudwatch/eventRule:EventRule", {"eventPattern": '{"source": "aws.ecs"}'}, "a list of what matches"),
        ("aws:cloudwatch/dashboard:Dashboard", {"dashboardBody": '{"widgets": [{"type": "graph"}]}'}, "'graph'"),
        (TASK, containers(Cpu=1), "a container has no Cpu"),
        (TASK, containers(cpu="256"), ".cpu: '256' is not a number"),
        (TASK, containers(cpu=512), "need 512 cpu together, the task has 256"),
        (TASK, containers(portMappings=[{"containerPort": 70000}]), "70000 is not from 1 to 65535"),
        (TASK, containers(environment=[{"name": "A", "value": 1}]), "environment.value: 1"),
        (TASK, containers(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]), "there is no volume 'v'"),
        (TASK, containers(essential=False), "no container is essential"),
        (TASK, {"containerDefinitions": json.dumps([{"name": "a", "image": "i"}] * 2)}, "container a is there 2 times"),
        # between properties
        (TABLE, {"hashKey": "id", "attributes": []}, "id is a key and has no attribute"),
        (TABLE, {"hashKey": "id", "attributes": [{"name": "id"}, {"name": "text"}]}, "text is no key"),
        (
            TABLE,
            {
                "hashKey": "id",
                "attributes": [{"name": "id"}],
                "globalSecondaryIndexes": [{"name": "by-user", "hashKey": "user"}],
            },
            "user is a key and has no attribute",
        ),
        (TABLE, {"billingMode": "PROVISIONED"}, "readCapacity: is required with billingMode 'PROVISIONED'"),
        (TASK, containers() | {"memory": "4096"}, "no task of 256 units and 4096 MiB"),
        (TASK, containers() | {"networkMode": "bridge"}, "Fargate needs awsvpc"),
        (LISTENER, {"protocol": "HTTPS"}, "certificateArn: is required with protocol 'HTTPS'"),
        ("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": []}, "subnetIds: must not be empty"),
        ("aws:rds/subnetGroup:SubnetGroup", {"subnetIds": [None]}, "subnetIds: must not be empty"),
        (TABLE, {"hashKey": ""}, "hashKey: must not be empty"),
        (
            "aws:msk/cluster:Cluster",
            {
                "numberOfBrokerNodes": 4,
                "brokerNodeGroupInfo": {"clientSubnets": [f"subnet-1234567{number}" for number in range(3)]},
            },
            "4 is not a multiple of the 3 client subnets",
        ),
        (CDN, {"defaultCacheBehavior": {"targetOriginId": "page"}}, "there is no origin 'page'"),
        ("aws:ec2/subnet:Subnet", {"availabilityZone": "eu-west-1a", "cidrBlock": "10.0.0.0/24"}, "of us-east-1"),
    ],
)
def test_what_aws_would_refuse(type_: str, inputs: dict[str, Any], said: str) -> None:
    """By table, by document, and between properties."""
    given = {key: value for key, value in inputs.items() if value is not None}
    assert any(said in each for each in said_of(type_, given)), said_of(type_, given)


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        (TARGETS, {"healthCheck": {"port": "8080"}}),
        *((LISTENER, {"protocol": protocol}) for protocol in ("TCP", "UDP", "TCP_UDP")),
        (LISTENER, {"protocol": "TLS", "certificateArn": CERTIFICATE}),
        (LISTENER, {"routingHttpResponseAccessControlMaxAgeHeaderValue": "86400"}),
        (LISTENER, {"routingHttpResponseAccessControlAllowHeadersHeaderValue": "X-Request-Id"}),
        (TARGETS, {"targetGroupHealth": {"dnsFailover": {"minimumHealthyTargetsCount": "3"}}}),
        (TARGETS, {"targetGroupHealth": {"dnsFailover": {"minimumHealthyTargetsPercentage": "50"}}}),
        ("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders", {"capacityProviders": ["gateways"]}),
        ("aws:ecs/service:Service", {"capacityProviderStrategies": [{"capacityProvider": "gateways", "weight": 1}]}),
        (EGRESS, rule(fromPort=-1, toPort=-1, ipProtocol="icmp")),
        (EGRESS, rule(cidrIpv4=None, referencedSecurityGroupId="111122223333/sg-12345678")),
        (RDS, {"engine": "postgres", "licenseModel": "license-included"}),
        (SQS, {"name": "jobs.fifo", "fifoQueue": True, "deduplicationScope": "messageGroup"}),
        ("aws:sns/topic:Topic", {"kmsMasterKeyId": "alias/aws/sns"}),
        ("aws:xray/samplingRule:SamplingRule", {"resourceArn": "*"}),
        (ALARM, ALARM_OF | {"alarmActions": ["arn:aws:automate:us-east-1:ec2:recover"]}),
        (FUNCTION, FUNCTION_OF | {"environment": {"variables": {"topicArn": "none", "cidr": "none"}}}),
    ],
)
def test_what_aws_accepts(type_: str, inputs: dict[str, Any]) -> None:
    """What documentation lists as examples is no enumeration."""
    assert said_of(type_, {key: value for key, value in inputs.items() if value is not None}) == []


def test_web_acl_of_a_distribution_is_in_one_region() -> None:
    """The region of the resource decides."""
    inputs = {"scope": "CLOUDFRONT", "defaultAction": {"allow": {}}}
    assert said_of(WEB_ACL, inputs) == []
    assert said_of(WEB_ACL, inputs, region="eu-west-1") == [
        "scope: CLOUDFRONT is possible in us-east-1 only, not in eu-west-1"
    ]


def test_what_is_not_known_is_not_judged() -> None:
    """Whichever input, block or item of a resource is unknown or secret, nothing more is wrong with it."""
    for resource in {each.type: each for each in graph_of("prod").resources() if each.is_aws}.values():
        before = set(check_resource(resource))
        for inputs in with_each_replaced(resource.inputs, {"$unknown": True}):
            changed = msgspec.structs.replace(resource, inputs=inputs)
            assert set(check_resource(changed)) <= before, inputs
    assert said_of(VPC, {"cidrBlock": {"$secret": True}}) == []


def with_each_replaced(value: Any, special: dict[str, bool]) -> Iterator[Any]:
    """The value as often as it has parts, each time with another part replaced."""
    places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    for place in places:
        parts = [special]
        if isinstance(value[place], dict | list):
            parts += with_each_replaced(value[place], special)
        for part in parts:
            copy = value.copy()
            copy[place] = part
            yield copy


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_no_document_is_too_odd_to_be_judged(data: st.DataObject) -> None:
    """Whatever JSON stands where a document or a part of it belongs, there is a sentence and no error."""
    type_, key = data.draw(st.sampled_from(sorted({*DOCUMENTS, *POLICIES})))
    keys = ["Statement", "Principal", "Condition", "rules", "widgets", "detail", "sourceQueueArns", "healthCheck"]
    document = data.draw(json_values | st.lists(st.dictionaries(st.sampled_from(keys), json_values)))
    list(check_documents(type_, {key: json.dumps(document)}))
    statements = data.draw(st.dictionaries(st.sampled_from(["Principal", "Condition", "Action", "Sid"]), json_values))
    list(
        check_policy({"Version": "2012-10-17", "Statement": statements}, data.draw(st.sampled_from([TRUST, IDENTITY])))
    )


# --- several resources ------------------------------------------------------------------------


def network_of(*subnets: str, vpc: str = "10.0.0.0/16") -> StackGraph:
    around = resource_of(VPC, {"cidrBlock": vpc}, urn="urn:vpc")
    inside = [
        resource_of(
            "aws:ec2/subnet:Subnet",
            {"cidrBlock": cidr, "vpcId": {"$unknown": True}},
            urn=f"urn:{number}",
            property_dependencies={"vpcId": ["urn:vpc"]},
        )
        for number, cidr in enumerate(subnets)
    ]
    return stack_of(around, *inside)


def stack_of(*resources: Resource) -> StackGraph:
    return StackGraph(
        name="s", region="us-east-1", project="p", stack="x", requires=[], outputs={}, resources=list(resources)
    )


def test_subnets_lie_in_their_vpc_and_apart() -> None:
    """Also when the VPC's id is not known yet."""
    assert list(check_together(network_of("10.0.0.0/24", "10.0.1.0/24"))) == []
    assert list(check_together(network_of("10.1.0.0/24"))) == [
        ("urn:0", "cidrBlock: 10.1.0.0/24 is not in 10.0.0.0/16, its VPC")
    ]
    assert list(check_together(network_of("10.0.0.0/23", "10.0.1.0/24"))) == [
        ("urn:1", "cidrBlock: 10.0.1.0/24 overlaps 10.0.0.0/23, another subnet of its VPC")
    ]


def test_subnets_of_the_platform_are_compared() -> None:
    """The graph says which VPC each subnet is in, in both modes."""
    for unknown in (False, True):
        for subnet in find(graph_of("dev", unknown=unknown), "ec2/subnet:Subnet"):
            assert len(subnet.property_dependencies["vpcId"]) == 1


def test_rules_of_a_listener_have_priorities_of_their_own() -> None:
    """Two rules of one listener cannot have the same."""
    type_, inputs = "aws:lb/listenerRule:ListenerRule", {"listenerArn": "l", "priority": 1}
    one, other = (resource_of(type_, inputs, name=name) for name in ("one", "other"))
    assert [message for _, message in check_together(stack_of(one, other))] == ["priority: 1 is that of one too"]
    elsewhere = resource_of(type_, {**inputs, "listenerArn": "m"}, name="elsewhere")
    assert list(check_together(stack_of(one, elsewhere))) == []


# --- the tables themselves --------------------------------------------------------------------

# What looks like an enumeration and is none: names of ours, and lists that others extend.
OPEN = {
    "aws:appautoscaling/policy:Policy": "metrics.id",
    "aws:autoscaling/group:Group": "tags.key",
    "aws:backup/plan:Plan": "rules.ruleName",
    "aws:backup/selection:Selection": "selectionTags.key",
    "aws:bcmdata/export:Export": "export.name s3Destinations.s3Prefix",
    "aws:cloudfront/distribution:Distribution": "targetOriginId originId origins.originAccessControlId",
    "aws:cloudfront/keyGroup:KeyGroup": "items",
    "aws:cloudwatch/eventTarget:EventTarget": "targetId",
    "aws:cloudwatch/logDeliverySource:LogDeliverySource": "logType",  # each service has its own
    "aws:cloudwatch/metricAlarm:MetricAlarm": "metricQueries.id metricName metricQueries.metric.metricName",
    "aws:cognito/userPoolClient:UserPoolClient": "allowedOauthScopes supportedIdentityProviders",
    "aws:costexplorer/costAllocationTag:CostAllocationTag": "tagKey",
    "aws:dynamodb/table:Table": "attributes.name hashKey rangeKey",
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": "capacityProviders capacityProvider",
    "aws:ecs/service:Service": "capacityProvider loadBalancers.containerName",
    "aws:ecs/taskDefinition:TaskDefinition": "volumes.name",
    "aws:elasticache/parameterGroup:ParameterGroup": "parameters.name parameters.value",
    "aws:glue/catalogTable:CatalogTable": "name partitionKeys.name columns.name type",  # types: Hive's
    "aws:lb/loadBalancer:LoadBalancer": "prefix",
    "aws:rds/parameterGroup:ParameterGroup": "parameters.name parameters.value",
    "aws:route53/record:Record": "zoneId",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "rules.id",
    "aws:s3/bucketNotification:BucketNotification": "topics.id",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "rules.id",
    "aws:servicediscovery/service:Service": "name",
    "aws:wafv2/webAcl:WebAcl": "ruleActionOverrides.name vendorName managedRuleGroupStatement.name",
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "singleHeader.name",
}
ENUMERATED = re.compile(r"[A-Z][A-Z0-9_]+|[A-Z][a-z]+[A-Z_]\w*|[a-z]+(-[a-z]+)*")


def test_each_enumeration_in_use_is_in_the_table() -> None:
    """A property all of whose values look like an enumeration's is in a table, or open and listed so."""
    values: dict[tuple[str, str], set[str]] = {}
    for env in ENVIRONMENTS:
        for resource in graph_of(env).resources():
            for path, _, value in Found(resource.inputs).leaves if resource.is_aws else ():
                if isinstance(value, str) and not path.endswith(("description", "Description", "comment")):
                    values.setdefault((resource.type, path), set()).add(value)
    missing = {
        (type_, path)
        for (type_, path), given in values.items()
        if all(map(ENUMERATED.fullmatch, given))
        and path not in {**ALLOWED_VALUES.get(type_, {}), **FORMS.get(type_, {})}
        and not f".{path}".endswith(tuple(f".{each}" for each in OPEN.get(type_, "").split()) or "?")
    }
    assert missing == set()


def rows() -> Iterator[tuple[str, str]]:
    for table in (ALLOWED_VALUES, ARNS, FORMS, NOT_EMPTY, RANGES):
        yield from ((type_, path) for type_, paths in table.items() for path in paths)
    for type_, choices in CHOICES.items():
        yield from ((type_, f"{each.path}.{key}".lstrip(".")) for each in choices for key in each.keys)
    for type_, needs in NEEDED.items():
        yield from ((type_, key) for given, _, needed in needs for key in (given, *needed))
    for type_, orders in ORDERED.items():
        yield from ((type_, key) for first, last, _ in orders for key in (first, last))
    yield from DOCUMENTS
    yield from POLICIES


def test_each_row_names_a_property_that_exists() -> None:
    """By the SDK's classes: a row with a typing error would never be applied."""
    unknown = []
    for type_, path in rows():
        block: Any = input_class(type_)
        for key in path.split("."):
            hints = _types.input_type_types(block) if block is not None else {}
            if key not in hints:
                unknown.append((type_, path))
                break
            kind, inner = _resolve(hints[key])
            if kind == "list":
                kind, inner = _resolve(inner)
            block = inner if kind in ("block", "either") else None
    assert unknown == []
    assert {type_ for type_ in BETWEEN if input_class(type_) is None} == set()
