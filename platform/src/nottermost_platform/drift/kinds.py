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
    "aws:kms/key:Key": {"isEnabled": True},
    "aws:kms/replicaKey:ReplicaKey": {"enabled": True},
    "aws:lambda/function:Function": {"environment": None},
    "aws:rds/instance:Instance": {"publiclyAccessible": False},
    "aws:sqs/queue:Queue": {"redrivePolicy": None, "delaySeconds": 0, "receiveWaitTimeSeconds": 0},
}
# What is left out of a block that a program declares: a container's image, which deployments change, and the first
# user of a domain, which OpenSearch takes and never tells.
LEFT_OUT: Final = {"containerDefinitions": "image", "advancedSecurityOptions": "masterUserOptions"}
# Blocks in which anything undeclared counts too; elsewhere AWS fills blocks up with what it takes for usual.
STRICT: Final = frozenset(
    {
        ("aws:cloudtrail/trail:Trail", "advancedEventSelectors"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "dimensions"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "metricQueries"),
        ("aws:lambda/function:Function", "environment"),
        ("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "corsRules"),
        ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "rules"),
    }
)

ONLY_HERE: Final = "tells the provider or a deletion what to do; AWS does not keep it"
UNSERVED: Final = "moto does not serve it, so reading it could not be tested"
ELSEWHERE: Final = "fixed when it is made, or read as resources of their own"
LATER: Final = "not read yet"
# What programs declare of the types that are compared, and no reader reads, with why.
NOT_READ: Final[dict[str, dict[str, str]]] = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": {"evaluateLowSampleCountPercentiles": LATER},
    "aws:cognito/userPool:UserPool": {
        "softwareTokenMfaConfiguration": LATER,
        "userAttributeUpdateSettings": LATER,
        "usernameConfiguration": LATER,
    },
    "aws:cognito/userPoolClient:UserPoolClient": {"generateSecret": ELSEWHERE, "refreshTokenRotation": LATER},
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {"egress": ELSEWHERE, "ingress": ELSEWHERE},
    "aws:ecr/repository:Repository": {"forceDelete": ONLY_HERE},
    "aws:ecs/service:Service": {
        "alarms": UNSERVED,
        "availabilityZoneRebalancing": LATER,
        "capacityProviderStrategies": UNSERVED,
        "deploymentCircuitBreaker": UNSERVED,
        "deploymentMaximumPercent": LATER,
        "deploymentMinimumHealthyPercent": LATER,
        "enableEcsManagedTags": LATER,
        "forceNewDeployment": ONLY_HERE,
        "healthCheckGracePeriodSeconds": UNSERVED,
        "waitForSteadyState": ONLY_HERE,
    },
    "aws:ecs/taskDefinition:TaskDefinition": {"skipDestroy": ONLY_HERE},
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "autoMinorVersionUpgrade": LATER,
        "engine": LATER,
        "engineVersion": LATER,
        "logDeliveryConfigurations": LATER,
        "maintenanceWindow": LATER,
        "numCacheClusters": LATER,
        "parameterGroupName": LATER,
        "port": LATER,
        "securityGroupIds": LATER,
        "subnetGroupName": LATER,
    },
    "aws:kms/key:Key": {"deletionWindowInDays": ONLY_HERE},
    "aws:kms/replicaKey:ReplicaKey": {"deletionWindowInDays": ONLY_HERE},
    "aws:lambda/function:Function": {"code": ELSEWHERE, "loggingConfig": LATER},
    "aws:lb/loadBalancer:LoadBalancer": {
        "connectionLogs": UNSERVED,
        "enableHttp2": LATER,
        "enableZonalShift": UNSERVED,
        "preserveHostHeader": LATER,
    },
    "aws:opensearch/domain:Domain": {
        "autoTuneOptions": LATER,
        "offPeakWindowOptions": LATER,
        "softwareUpdateOptions": LATER,
    },
    "aws:rds/instance:Instance": {
        "allocatedStorage": LATER,
        "dbName": ELSEWHERE,
        "deleteAutomatedBackups": ONLY_HERE,
        "engineVersion": LATER,
        "finalSnapshotIdentifier": ONLY_HERE,
        "manageMasterUserPassword": LATER,
        "masterUserSecretKmsKeyId": LATER,
        "maxAllocatedStorage": LATER,
        "passwordWoVersion": ONLY_HERE,
        "performanceInsightsEnabled": UNSERVED,
        "performanceInsightsKmsKeyId": UNSERVED,
        "performanceInsightsRetentionPeriod": UNSERVED,
        "port": LATER,
        "replicateSourceDb": ELSEWHERE,
        "skipFinalSnapshot": ONLY_HERE,
        "username": ELSEWHERE,
    },
    "aws:rds/proxy:Proxy": {"defaultAuthScheme": UNSERVED},
    "aws:s3/bucket:Bucket": {"forceDestroy": ONLY_HERE, "objectLockEnabled": ELSEWHERE},
    "aws:secretsmanager/secret:Secret": {"recoveryWindowInDays": ONLY_HERE},
    "aws:secretsmanager/secretRotation:SecretRotation": {"rotateImmediately": ONLY_HERE},
    "aws:sns/topic:Topic": {"signatureVersion": UNSERVED},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {"description": UNSERVED},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"description": UNSERVED},
}


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
