"""What drift has to know of the types that it reads: what tells one from another, and what AWS does undeclared."""

from typing import Any, Final

from nottermost_platform.drift.values import GLOBAL
from nottermost_platform.naming import NAMED

# What tells resources of a type apart where no tag does: inputs, with the account's ids in them. Else the physical name.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "aws:cognito/userPoolClient:UserPoolClient": ("userPoolId", "name"),
    "aws:dynamodb/resourcePolicy:ResourcePolicy": ("resourceArn",),
    "aws:dynamodb/tableReplica:TableReplica": ("globalTableArn",),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ("vpcId",),
    "aws:ec2/flowLog:FlowLog": ("vpcId", "logDestination"),
    "aws:ec2/internetGateway:InternetGateway": ("vpcId",),
    "aws:ec2/natGateway:NatGateway": ("allocationId",),
    "aws:ec2/route:Route": (
        "routeTableId", "destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId",
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ("subnetId",),
    "aws:ec2/securityGroup:SecurityGroup": ("vpcId", "name"),
    "aws:ec2/subnet:Subnet": ("vpcId", "cidrBlock"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ("vpcId", "serviceName"),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": ("repository",),
    "aws:ecs/service:Service": ("cluster", "name"),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": ("url",),
    "aws:iam/rolePolicy:RolePolicy": ("role", "name"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "policyArn"),
    "aws:kms/replicaKey:ReplicaKey": ("primaryKeyArn",),
    "aws:lb/listener:Listener": ("loadBalancerArn", "port"),
    "aws:lb/listenerRule:ListenerRule": ("listenerArn", "priority"),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": ("bucket",),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ("bucket",),
    "aws:s3/bucketLogging:BucketLogging": ("bucket",),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": ("bucket",),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ("bucket",),
    "aws:s3/bucketPolicy:BucketPolicy": ("bucket",),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("bucket",),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ("bucket",),
    "aws:s3/bucketVersioning:BucketVersioning": ("bucket",),
    "aws:secretsmanager/secretRotation:SecretRotation": ("secretId",),
    "aws:sns/topicPolicy:TopicPolicy": ("arn",),
    "aws:sns/topicSubscription:TopicSubscription": ("topic", "protocol", "endpoint"),
    "aws:sqs/queuePolicy:QueuePolicy": ("queueUrl",),
    **dict.fromkeys(
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"),
        (
            "securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId",
            "referencedSecurityGroupId",
        ),
    ),
}  # fmt: skip
GLOBAL_AREAS: Final = ("aws:iam/",)  # whose resources are in no region
NAMES: Final = {"aws:cloudwatch/logGroup:LogGroup": "name"}  # where naming.py, which makes up names, has none

# What AWS does where a program says nothing; with another value somebody has changed it.
UNDECLARED: Final[dict[str, dict[str, Any]]] = {
    "aws:ec2/subnet:Subnet": {"mapPublicIpOnLaunch": False, "assignIpv6AddressOnCreation": False},
    "aws:iam/role:Role": {"permissionsBoundary": None},
    "aws:rds/instance:Instance": {"publiclyAccessible": False},
    "aws:sqs/queue:Queue": {"redrivePolicy": None, "delaySeconds": 0, "receiveWaitTimeSeconds": 0},
}
# What a deployment changes inside of a block that a program declares: the image, of each container.
DEPLOYED: Final = {"containerDefinitions": "image"}
# Blocks in which anything undeclared counts too; elsewhere AWS fills blocks up with what it takes for usual.
STRICT: Final = frozenset(
    {
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "dimensions"),
        ("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "corsRules"),
        ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "rules"),
    }
)


def key_names(type_: str) -> tuple[str, ...]:
    """The inputs that tell resources of a type apart; () where only tags do."""
    if type_ in KEYS:
        return KEYS[type_]
    if type_ in NAMES:
        return (NAMES[type_],)
    return (NAMED[type_].property,) if type_ in NAMED else ()


def place_of(type_: str, region: str) -> str:
    """The region that a resource is looked for in."""
    return GLOBAL if type_.startswith(GLOBAL_AREAS) else region
