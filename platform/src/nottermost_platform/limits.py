"""What a value may be, as tables: how many of some properties, ranges, forms, what ids and ARNs belong to which key.

A row's path leads through blocks and lists, as `healthCheck.interval`; "" is the resource itself.
Ranges and lengths: botocore 1.44.5 and the service's API reference, where the two differ the narrower
one that the Terraform provider under pulumi-aws checks too (read 2026-11-21).
"""

import re
from dataclasses import dataclass
from typing import Final

# --- how many of some properties --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """Of these properties at least `low` and at most `high` may be given, in each block at `path`."""

    low: int
    high: int
    keys: tuple[str, ...]
    path: str = ""


def exactly_one(*keys: str, path: str = "") -> Choice:
    return Choice(1, 1, keys, path)


def at_most_one(*keys: str, path: str = "") -> Choice:
    return Choice(0, 1, keys, path)


def at_least_one(*keys: str, path: str = "") -> Choice:
    return Choice(1, len(keys), keys, path)


RULE_PEERS: Final = exactly_one("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
# A name of our own, or one that the provider makes up behind a prefix: of every type.
NAMES: Final = (("name", "namePrefix"), ("bucket", "bucketPrefix"), ("identifier", "identifierPrefix"))
CHOICES: Final[dict[str, tuple[Choice, ...]]] = {
    "aws:appautoscaling/policy:Policy": (
        at_most_one("stepScalingPolicyConfiguration", "targetTrackingScalingPolicyConfiguration"),
        exactly_one(
            "predefinedMetricSpecification",
            "customizedMetricSpecification",
            path="targetTrackingScalingPolicyConfiguration",
        ),
    ),
    "aws:autoscaling/group:Group": (
        exactly_one("launchTemplate", "launchConfiguration", "mixedInstancesPolicy"),
        at_most_one("availabilityZones", "vpcZoneIdentifiers"),
    ),
    "aws:cloudfront/distribution:Distribution": (
        exactly_one("acmCertificateArn", "cloudfrontDefaultCertificate", "iamCertificateId", path="viewerCertificate"),
        exactly_one("cachePolicyId", "forwardedValues", path="defaultCacheBehavior"),
        exactly_one("cachePolicyId", "forwardedValues", path="orderedCacheBehaviors"),
        at_most_one("customOriginConfig", "s3OriginConfig", path="origins"),
        at_most_one("originAccessControlId", "s3OriginConfig", path="origins"),
    ),
    "aws:cloudtrail/trail:Trail": (at_most_one("advancedEventSelectors", "eventSelectors"),),
    "aws:cloudwatch/eventRule:EventRule": (at_least_one("eventPattern", "scheduleExpression"),),
    "aws:cloudwatch/eventTarget:EventTarget": (at_most_one("input", "inputPath", "inputTransformer"),),
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": (exactly_one("policyName", "resourceArn"),),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        exactly_one("metricName", "metricQueries"),
        exactly_one("statistic", "extendedStatistic", "metricQueries"),
        at_most_one("threshold", "thresholdMetricId"),
        at_least_one("threshold", "thresholdMetricId"),
        *(at_most_one("metricQueries", key) for key in ("dimensions", "namespace", "period", "unit")),
        exactly_one("expression", "metric", path="metricQueries"),
    ),
    "aws:ec2/flowLog:FlowLog": (
        exactly_one(
            "eniId", "regionalNatGatewayId", "subnetId", "transitGatewayAttachmentId", "transitGatewayId", "vpcId"
        ),
    ),
    "aws:ec2/route:Route": (
        exactly_one("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId"),
        exactly_one(
            "carrierGatewayId",
            "coreNetworkArn",
            "egressOnlyGatewayId",
            "gatewayId",
            "localGatewayId",
            "natGatewayId",
            "networkInterfaceId",
            "odbNetworkArn",
            "transitGatewayId",
            "vpcEndpointId",
            "vpcPeeringConnectionId",
        ),
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": (exactly_one("gatewayId", "subnetId"),),
    "aws:ec2/subnet:Subnet": (
        at_most_one("availabilityZone", "availabilityZoneId"),
        at_least_one("cidrBlock", "ipv4IpamPoolId", "ipv6CidrBlock", "ipv6IpamPoolId"),
    ),
    "aws:ec2/vpc:Vpc": (at_most_one("cidrBlock", "ipv4NetmaskLength"), at_least_one("cidrBlock", "ipv4IpamPoolId")),
    "aws:ecs/service:Service": (
        at_most_one("capacityProviderStrategies", "launchType"),
        exactly_one("elbName", "targetGroupArn", path="loadBalancers"),
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": (
        at_most_one("numCacheClusters", "numNodeGroups"),
        at_most_one("authToken", "userGroupIds"),
    ),
    "aws:elasticache/user:User": (exactly_one("authenticationMode", "noPasswordRequired", "passwords"),),
    "aws:lambda/function:Function": (exactly_one("code", "imageUri", "s3Bucket"),),
    "aws:lb/listenerRule:ListenerRule": (
        exactly_one(
            "hostHeader",
            "httpHeader",
            "httpRequestMethod",
            "pathPattern",
            "queryStrings",
            "sourceIp",
            path="conditions",
        ),
    ),
    "aws:lb/loadBalancer:LoadBalancer": (exactly_one("subnetMappings", "subnets"),),
    "aws:rds/instance:Instance": (
        at_most_one("manageMasterUserPassword", "password", "passwordWo"),
        at_most_one("replicateSourceDb", "s3Import", "snapshotIdentifier"),
        at_most_one("characterSetName", "replicateSourceDb"),
    ),
    "aws:route53/record:Record": (
        exactly_one("aliases", "records"),
        at_most_one("aliases", "ttl"),
        at_most_one(
            "cidrRoutingPolicy",
            "failoverRoutingPolicies",
            "geolocationRoutingPolicies",
            "geoproximityRoutingPolicy",
            "latencyRoutingPolicies",
            "multivalueAnswerRoutingPolicy",
            "weightedRoutingPolicies",
        ),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        exactly_one("date", "days", "expiredObjectDeleteMarker", path="rules.expiration"),
        exactly_one("date", "days", path="rules.transitions"),
        at_most_one("filter", "prefix", path="rules"),
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        exactly_one("days", "years", path="rule.defaultRetention"),
    ),
    "aws:secretsmanager/secretRotation:SecretRotation": (
        exactly_one("automaticallyAfterDays", "scheduleExpression", path="rotationRules"),
    ),
    "aws:sqs/queue:Queue": (at_most_one("kmsMasterKeyId", "sqsManagedSseEnabled"),),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (RULE_PEERS,),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (RULE_PEERS,),
    "aws:wafv2/webAcl:WebAcl": (
        exactly_one("allow", "block", path="defaultAction"),
        exactly_one("action", "overrideAction", path="rules"),
        exactly_one("allow", "block", "captcha", "challenge", "count", path="rules.action"),
        exactly_one("count", "none", path="rules.overrideAction"),
        at_most_one("rules", "ruleJson"),
    ),
}
# What another property makes necessary: type to (property, its value, what must be there too).
NEEDED: Final[dict[str, tuple[tuple[str, object, tuple[str, ...]], ...]]] = {
    "aws:appautoscaling/policy:Policy": (
        ("policyType", "TargetTrackingScaling", ("targetTrackingScalingPolicyConfiguration",)),
        ("policyType", "StepScaling", ("stepScalingPolicyConfiguration",)),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (("metricName", ..., ("namespace", "period")),),
    "aws:dynamodb/table:Table": (
        ("billingMode", "PROVISIONED", ("readCapacity", "writeCapacity")),
        ("streamEnabled", True, ("streamViewType",)),
    ),
    "aws:ecs/taskDefinition:TaskDefinition": (("requiresCompatibilities", ["FARGATE"], ("cpu", "memory")),),
    "aws:lb/listener:Listener": (("protocol", "HTTPS", ("certificateArn",)), ("protocol", "TLS", ("certificateArn",))),
    "aws:lb/targetGroup:TargetGroup": tuple(
        ("targetType", each, ("port", "protocol", "vpcId")) for each in ("instance", "ip")
    ),
    "aws:route53/record:Record": (
        ("records", ..., ("ttl",)),
        *(
            (policy, ..., ("setIdentifier",))
            for policy in ("failoverRoutingPolicies", "latencyRoutingPolicies", "weightedRoutingPolicies")
        ),
    ),
}
NOT_EMPTY: Final[dict[str, tuple[str, ...]]] = {
    "aws:autoscaling/group:Group": ("vpcZoneIdentifiers",),
    "aws:cloudfront/distribution:Distribution": ("origins", "origins.domainName", "origins.originId"),
    "aws:dynamodb/table:Table": ("attributes", "hashKey"),
    "aws:ecs/service:Service": ("networkConfiguration.subnets", "taskDefinition"),
    "aws:elasticache/subnetGroup:SubnetGroup": ("subnetIds",),
    "aws:elasticache/userGroup:UserGroup": ("userIds",),
    "aws:lb/listener:Listener": ("defaultActions",),
    "aws:lb/listenerRule:ListenerRule": ("actions", "conditions", "conditions.pathPattern.values"),
    "aws:lb/loadBalancer:LoadBalancer": ("subnets",),
    "aws:msk/cluster:Cluster": ("brokerNodeGroupInfo.clientSubnets", "brokerNodeGroupInfo.securityGroups"),
    "aws:opensearch/domain:Domain": ("vpcOptions.subnetIds",),
    "aws:rds/proxy:Proxy": ("vpcSubnetIds",),
    "aws:rds/subnetGroup:SubnetGroup": ("subnetIds",),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": ("corsRules.allowedMethods", "corsRules.allowedOrigins"),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ("rules",),
}

# --- ranges -----------------------------------------------------------------------------------

RULE_PORT: Final = (-1, 65535)  # -1: any ICMP type
SCALABLE: Final = (0, 1_000_000)
BACKUP_DAYS: Final = (1, 36500)
MINUTES: Final = frozenset([10, 20, 30, *range(60, 86401, 60)])  # PutMetricAlarm: high resolution, or whole minutes
RANGES: Final[dict[str, dict[str, tuple[float, float] | frozenset[int]]]] = {
    "aws:amp/workspaceConfiguration:WorkspaceConfiguration": {"retentionPeriodInDays": (1, 1095)},
    "aws:appautoscaling/policy:Policy": {
        "targetTrackingScalingPolicyConfiguration.scaleInCooldown": (0, 86400),
        "targetTrackingScalingPolicyConfiguration.scaleOutCooldown": (0, 86400),
    },
    "aws:appautoscaling/target:Target": {"maxCapacity": SCALABLE, "minCapacity": SCALABLE},
    "aws:athena/workgroup:Workgroup": {"configuration.bytesScannedCutoffPerQuery": (10_000_000, 2**63 - 1)},
    "aws:autoscaling/group:Group": {
        "desiredCapacity": (0, 10_000),
        "maxInstanceLifetime": (86400, 31_536_000),
        "maxSize": (0, 10_000),
        "minSize": (0, 10_000),
        "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity": (0, 100),
    },
    "aws:backup/plan:Plan": {
        "rules.copyActions.lifecycle.deleteAfter": BACKUP_DAYS,
        "rules.lifecycle.deleteAfter": BACKUP_DAYS,
        "rules.startWindow": (60, 100_000),
    },
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": {
        "changeableForDays": (3, 36500),
        "maxRetentionDays": BACKUP_DAYS,
        "minRetentionDays": BACKUP_DAYS,
    },
    "aws:budgets/budget:Budget": {"notifications.threshold": (0, 15_000_000_000_000)},
    "aws:cloudfront/distribution:Distribution": {
        "origins.connectionAttempts": (1, 3),
        "origins.connectionTimeout": (1, 10),
        "origins.customOriginConfig.originKeepaliveTimeout": (1, 180),
        "origins.customOriginConfig.originReadTimeout": (1, 180),
        "originGroups.failoverCriteria.statusCodes": frozenset([400, 403, 404, 416, 429, 500, 502, 503, 504]),
    },
    "aws:cloudwatch/logGroup:LogGroup": {
        "retentionInDays": frozenset(  # PutRetentionPolicy; 0: for ever
            [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
        ),
    },
    "aws:cloudwatch/metricAlarm:MetricAlarm": {
        "datapointsToAlarm": (1, 1440),
        "evaluationPeriods": (1, 1440),
        "metricQueries.metric.period": frozenset([1, 5]) | MINUTES,
        "metricQueries.period": frozenset([1, 5]) | MINUTES,
        "period": MINUTES,
    },
    "aws:cognito/userPool:UserPool": {
        "accountRecoverySetting.recoveryMechanisms.priority": (1, 2),
        "passwordPolicy.minimumLength": (6, 99),
        "passwordPolicy.passwordHistorySize": (0, 24),
        "passwordPolicy.temporaryPasswordValidityDays": (0, 365),
    },
    "aws:cognito/userPoolClient:UserPoolClient": {
        "accessTokenValidity": (1, 86400),
        "authSessionValidity": (3, 15),
        "idTokenValidity": (1, 86400),
        "refreshTokenRotation.retryGracePeriodSeconds": (0, 60),
        "refreshTokenValidity": (0, 315_360_000),
    },
    "aws:cognito/userPoolDomain:UserPoolDomain": {"managedLoginVersion": (1, 2)},
    "aws:dynamodb/table:Table": {"readCapacity": (0, 10**9), "writeCapacity": (0, 10**9)},
    "aws:ec2/flowLog:FlowLog": {"maxAggregationInterval": frozenset([60, 600])},
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": {"httpPutResponseHopLimit": (-1, 64)},
    "aws:ec2/launchTemplate:LaunchTemplate": {
        "blockDeviceMappings.ebs.throughput": (125, 2000),
        "blockDeviceMappings.ebs.volumeSize": (1, 65536),
        "metadataOptions.httpPutResponseHopLimit": (1, 64),
    },
    "aws:ecs/service:Service": {
        "capacityProviderStrategies.base": (0, 100_000),
        "capacityProviderStrategies.weight": (0, 1000),
        "desiredCount": (0, 5000),
        "deploymentMaximumPercent": (100, 200),
        "deploymentMinimumHealthyPercent": (0, 100),
        "healthCheckGracePeriodSeconds": (0, 2**31 - 1),
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "numCacheClusters": (1, 6),
        "replicasPerNodeGroup": (0, 5),
        "snapshotRetentionLimit": (0, 35),
    },
    "aws:iam/accountPasswordPolicy:AccountPasswordPolicy": {
        "maxPasswordAge": (0, 1095),
        "minimumPasswordLength": (6, 128),
        "passwordReusePrevention": (0, 24),
    },
    "aws:iam/role:Role": {"maxSessionDuration": (3600, 43200)},
    "aws:kms/key:Key": {"deletionWindowInDays": (7, 30), "rotationPeriodInDays": (90, 2560)},
    "aws:kms/replicaKey:ReplicaKey": {"deletionWindowInDays": (7, 30)},
    "aws:lambda/function:Function": {
        "ephemeralStorage.size": (512, 10240),
        "memorySize": (128, 10240),
        "reservedConcurrentExecutions": (-1, 10**6),
        "timeout": (1, 900),
    },
    "aws:lb/listenerRule:ListenerRule": {"actions.forward.targetGroups.weight": (0, 999), "priority": (1, 50000)},
    "aws:lb/loadBalancer:LoadBalancer": {"clientKeepAlive": (60, 604_800), "idleTimeout": (1, 4000)},
    "aws:lb/targetGroup:TargetGroup": {
        "deregistrationDelay": (0, 3600),
        "healthCheck.healthyThreshold": (2, 10),
        "healthCheck.interval": (5, 300),
        "healthCheck.timeout": (2, 120),
        "healthCheck.unhealthyThreshold": (2, 10),
        "slowStart": frozenset([0, *range(30, 901)]),
        "stickiness.cookieDuration": (0, 604_800),
    },
    "aws:msk/cluster:Cluster": {
        "brokerNodeGroupInfo.storageInfo.ebsStorageInfo.volumeSize": (1, 16384),
        "numberOfBrokerNodes": (1, 90),
    },
    "aws:msk/topic:Topic": {"partitionCount": (1, 100_000), "replicationFactor": (1, 5)},
    "aws:opensearch/domain:Domain": {
        "clusterConfig.dedicatedMasterCount": frozenset([3, 5]),
        "clusterConfig.instanceCount": (1, 1002),
        "clusterConfig.zoneAwarenessConfig.availabilityZoneCount": frozenset([2, 3]),
        "ebsOptions.throughput": (125, 1000),
        "ebsOptions.volumeSize": (10, 36864),
    },
    "aws:rds/instance:Instance": {
        "allocatedStorage": (5, 65536),
        "backupRetentionPeriod": (0, 35),
        "maxAllocatedStorage": (0, 65536),
        "monitoringInterval": frozenset([0, 1, 5, 10, 15, 30, 60]),
        "performanceInsightsRetentionPeriod": frozenset([7, 731, *range(31, 714, 31)]),
        "port": (1150, 65535),
    },
    "aws:rds/proxy:Proxy": {"idleClientTimeout": (1, 28800)},
    "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": {
        "connectionPoolConfig.connectionBorrowTimeout": (0, 3600),
        "connectionPoolConfig.maxConnectionsPercent": (1, 100),
        "connectionPoolConfig.maxIdleConnectionsPercent": (0, 100),
    },
    "aws:route53/healthCheck:HealthCheck": {
        "childHealthThreshold": (0, 256),
        "failureThreshold": (1, 10),
        "port": (1, 65535),
        "requestInterval": frozenset([10, 30]),
    },
    "aws:route53/record:Record": {"ttl": (0, 2**31 - 1), "weightedRoutingPolicies.weight": (0, 255)},
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {
        "rules.abortIncompleteMultipartUpload.daysAfterInitiation": (1, 2**31 - 1),
        "rules.expiration.days": (1, 2**31 - 1),
        "rules.noncurrentVersionExpiration.noncurrentDays": (1, 2**31 - 1),
        "rules.transitions.days": (0, 2**31 - 1),
    },
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": {
        "rule.defaultRetention.days": (1, 36500),
        "rule.defaultRetention.years": (1, 100),
    },
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": {
        "rules.destination.metrics.eventThreshold.minutes": frozenset([15]),
        "rules.destination.replicationTime.time.minutes": frozenset([15]),
    },
    "aws:secretsmanager/secret:Secret": {"recoveryWindowInDays": frozenset([0, *range(7, 31)])},
    "aws:secretsmanager/secretRotation:SecretRotation": {"rotationRules.automaticallyAfterDays": (1, 1000)},
    "aws:servicediscovery/service:Service": {
        "dnsConfig.dnsRecords.ttl": (0, 2**31 - 1),
        "healthCheckCustomConfig.failureThreshold": (1, 10),
    },
    "aws:sns/topic:Topic": {"signatureVersion": (1, 2)},
    "aws:sqs/queue:Queue": {
        "delaySeconds": (0, 900),
        "kmsDataKeyReusePeriodSeconds": (60, 86400),
        "maxMessageSize": (1024, 1_048_576),  # 1 MiB since August 2025
        "messageRetentionSeconds": (60, 1_209_600),
        "receiveWaitTimeSeconds": (0, 20),
        "visibilityTimeoutSeconds": (0, 43200),
    },
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {"fromPort": RULE_PORT, "toPort": RULE_PORT},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"fromPort": RULE_PORT, "toPort": RULE_PORT},
    "aws:wafv2/webAcl:WebAcl": {
        "rules.priority": (0, 2**31 - 1),
        "rules.statement.rateBasedStatement.evaluationWindowSec": frozenset([60, 120, 300, 600]),
        "rules.statement.rateBasedStatement.limit": (10, 2_000_000_000),
    },
    "aws:xray/samplingRule:SamplingRule": {
        "fixedRate": (0, 1),
        "priority": (1, 9999),
        "reservoirSize": (0, 10**6),
        "version": (1, 1),
    },
}
PORTS: Final = frozenset(
    ["port", "fromPort", "toPort", "containerPort", "hostPort", "backendPort", "httpPort", "httpsPort"]
)
# First and last: the first must not be above the last. Equal is refused where the last entry says so.
ORDERED: Final[dict[str, tuple[tuple[str, str, bool], ...]]] = {
    "aws:appautoscaling/target:Target": (("minCapacity", "maxCapacity", True),),
    "aws:autoscaling/group:Group": (("minSize", "maxSize", True),),
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": (("minRetentionDays", "maxRetentionDays", True),),
    "aws:cloudfront/cachePolicy:CachePolicy": (("minTtl", "defaultTtl", True), ("defaultTtl", "maxTtl", True)),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (("datapointsToAlarm", "evaluationPeriods", True),),
    "aws:ecs/service:Service": (("deploymentMinimumHealthyPercent", "deploymentMaximumPercent", False),),
    "aws:lb/targetGroup:TargetGroup": (("healthCheck.timeout", "healthCheck.interval", False),),
    "aws:rds/instance:Instance": (("allocatedStorage", "maxAllocatedStorage", False),),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (("fromPort", "toPort", True),),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (("fromPort", "toPort", True),),
}

# --- forms of text ----------------------------------------------------------------------------

DAY: Final = "(?:mon|tue|wed|thu|fri|sat|sun)"
TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
DAILY_WINDOW: Final = rf"{TIME}-{TIME}"
WEEKLY_WINDOW: Final = rf"(?i:{DAY}:{TIME}-{DAY}:{TIME})"
RATE: Final = r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9]\d+) (?:minutes|hours|days))\)"
CRON: Final = r"cron\((?:[^\s()]+ ){5}[^\s()]+\)"
SECURITY_GROUP_TEXT: Final = r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}"
DESCRIPTION_1000: Final = r"[\t\n\r -~¡-ÿ]{0,1000}"
DOMAIN: Final = r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?"
HTTP_CODES: Final = r"[2-5]\d\d(?:[-,][2-5]\d\d)*"
STATISTIC: Final = (
    r"p(?:\d{1,2}(?:\.\d{1,10})?|100)|(?:tm|tc|ts|wm)\d{1,2}(?:\.\d{1,10})?|IQM|(?:PR|TC|TM|TS|WM)\([\d.%]*:[\d.%]*\)"
)
ANY_STATISTIC: Final = rf"Average|Maximum|Minimum|SampleCount|Sum|{STATISTIC}"
FORMS: Final[dict[str, dict[str, str]]] = {
    "aws:acm/certificate:Certificate": {"domainName": DOMAIN, "subjectAlternativeNames": DOMAIN},
    "aws:appautoscaling/scheduledAction:ScheduledAction": {"schedule": rf"{RATE}|{CRON}|at\([^()]+\)"},
    "aws:appautoscaling/policy:Policy": {
        "targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.metrics.metricStat.stat": ANY_STATISTIC,
    },
    "aws:athena/workgroup:Workgroup": {
        "configuration.engineVersion.selectedEngineVersion": r"AUTO|Athena engine version \d+",
        "configuration.resultConfiguration.outputLocation": r"s3://[a-z0-9.-]{3,63}(?:/.*)?",
        "name": r"[A-Za-z0-9._-]{1,128}",
    },
    "aws:backup/plan:Plan": {
        "name": r"[A-Za-z0-9._-]{1,50}",
        "rules.ruleName": r"[A-Za-z0-9._-]{1,50}",
        "rules.schedule": CRON,
    },
    "aws:backup/vault:Vault": {"name": r"[A-Za-z0-9_-]{2,50}"},
    "aws:budgets/budget:Budget": {
        "limitAmount": r"\d+(?:\.\d+)?",
        "limitUnit": r"[A-Z]{3}|GB|Hours|PERCENTAGE",
        "notifications.subscriberEmailAddresses": r"[^@\s]+@[^@\s]+",
    },
    "aws:cloudfront/distribution:Distribution": {
        "aliases": DOMAIN,
        "defaultRootObject": r"[^/].{0,254}",
        "orderedCacheBehaviors.pathPattern": r"\S{1,255}",
        "origins.domainName": DOMAIN,
    },
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": {
        "alarmDescription": r"(?s:.{0,1024})",
        "alarmRule": r"(?s:.{1,10240})",
    },
    "aws:cloudwatch/eventRule:EventRule": {
        "description": r"(?s:.{0,512})",
        "name": r"[A-Za-z0-9._-]{1,64}",
        "scheduleExpression": rf"{RATE}|{CRON}",
    },
    "aws:cloudwatch/eventTarget:EventTarget": {"targetId": r"[A-Za-z0-9._-]{1,64}"},
    "aws:cloudwatch/logGroup:LogGroup": {"name": r"[A-Za-z0-9._/#-]{1,512}"},
    "aws:cloudwatch/metricAlarm:MetricAlarm": {
        "alarmDescription": r"(?s:.{0,1024})",
        "extendedStatistic": STATISTIC,
        "metricQueries.expression": r"(?s:.{1,2048})",
        "metricQueries.metric.stat": ANY_STATISTIC,
        "metricQueries.id": r"[a-z]\w{0,254}",
        "namespace": r"[^:].{0,254}",
    },
    "aws:cognito/userPool:UserPool": {"name": r"[\w\s+=,.@-]{1,128}"},
    "aws:cognito/userPoolClient:UserPoolClient": {
        "callbackUrls": r"https://[^#\s]+|http://localhost[^#\s]*|[a-z][a-z0-9+.-]*://[^#\s]*",
        "logoutUrls": r"https://[^#\s]+|http://localhost[^#\s]*|[a-z][a-z0-9+.-]*://[^#\s]*",
        "name": r"[\w\s+=,.@-]{1,128}",
    },
    "aws:cognito/userPoolDomain:UserPoolDomain": {
        "domain": r"(?!.*(?:aws|amazon|cognito))[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    },
    "aws:dynamodb/table:Table": {"name": r"[A-Za-z0-9._-]{3,255}"},
    "aws:ec2/securityGroup:SecurityGroup": {
        "description": SECURITY_GROUP_TEXT,
        "name": rf"(?!sg-){SECURITY_GROUP_TEXT}",
    },
    "aws:ec2/vpcEndpoint:VpcEndpoint": {"serviceName": r"(?:com\.amazonaws|aws\.\w+)\.[a-z0-9.-]+"},
    "aws:ecr/repository:Repository": {
        "name": r"(?=.{2,256}$)[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*",
    },
    "aws:ecs/cluster:Cluster": {"name": r"[A-Za-z0-9_-]{1,255}"},
    "aws:ecs/service:Service": {"name": r"[A-Za-z0-9_-]{1,255}"},
    "aws:ecs/taskDefinition:TaskDefinition": {"family": r"[A-Za-z0-9_-]{1,255}"},
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "maintenanceWindow": WEEKLY_WINDOW,
        "snapshotWindow": DAILY_WINDOW,
    },
    "aws:glue/catalogDatabase:CatalogDatabase": {"name": r"[^A-Z]{1,255}"},
    "aws:glue/catalogTable:CatalogTable": {"name": r"[^A-Z]{1,255}"},
    "aws:iam/policy:Policy": {"description": DESCRIPTION_1000, "name": r"[\w+=,.@-]{1,128}"},
    "aws:iam/role:Role": {"description": DESCRIPTION_1000},
    "aws:kms/alias:Alias": {"name": r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}"},
    "aws:kms/key:Key": {"description": r"(?s:.{0,8192})"},
    "aws:lambda/function:Function": {
        "description": r"(?s:.{0,256})",
        "handler": r"\S{1,128}",
        "name": r"[A-Za-z0-9_-]{1,64}",
    },
    "aws:lambda/permission:Permission": {
        "action": r"lambda:[*]|lambda:[A-Za-z]+",
        "principal": r"\*|\d{12}|[a-z0-9.-]+\.amazonaws\.com|arn:aws:iam::\d{12}:.+",
    },
    "aws:lb/listener:Listener": {
        "defaultActions.fixedResponse.messageBody": r"(?s:.{0,1024})",
        "defaultActions.fixedResponse.statusCode": r"[245]\d\d|[245]XX",
        "defaultActions.redirect.port": r"\d{1,5}|#\{port\}",
        "sslPolicy": r"ELBSecurityPolicy-[A-Za-z0-9-]+",
    },
    "aws:lb/listenerRule:ListenerRule": {
        "actions.fixedResponse.statusCode": r"[245]\d\d|[245]XX",
        "conditions.pathPattern.values": r"\S{1,128}",
    },
    "aws:lb/targetGroup:TargetGroup": {
        "healthCheck.matcher": HTTP_CODES,
        "healthCheck.path": r"/\S{0,1023}",
        "healthCheck.port": r"traffic-port|[1-9]\d{0,4}",
    },
    "aws:opensearch/domain:Domain": {"engineVersion": r"OpenSearch_\d{1,2}\.\d{1,2}|Elasticsearch_\d\.\d{1,2}"},
    "aws:rds/instance:Instance": {
        "backupWindow": DAILY_WINDOW,
        "dbName": r"[A-Za-z]\w{0,62}",
        "finalSnapshotIdentifier": r"[A-Za-z](?:-?[A-Za-z0-9]){0,254}",
        "instanceClass": r"db\.[a-z0-9-]+\.[a-z0-9-]+",
        "maintenanceWindow": WEEKLY_WINDOW,
        "username": r"(?!(?:admin|postgres|rdsadmin)$)[A-Za-z]\w{0,62}",
    },
    "aws:route53/healthCheck:HealthCheck": {"fqdn": DOMAIN, "resourcePath": r"/?\S{0,255}"},
    "aws:route53/zone:Zone": {"name": DOMAIN},
    "aws:s3/bucket:Bucket": {  # the rules of general purpose buckets
        "bucket": r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
        r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]",
    },
    "aws:secretsmanager/secret:Secret": {"name": r"[A-Za-z0-9/_+=.@-]{1,512}"},
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": {"name": DOMAIN},
    "aws:sns/topic:Topic": {"displayName": r".{0,100}"},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "description": SECURITY_GROUP_TEXT,
        "ipProtocol": r"(?i:-1|tcp|udp|icmp|icmpv6|\d{1,3})",
    },
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "description": SECURITY_GROUP_TEXT,
        "ipProtocol": r"(?i:-1|tcp|udp|icmp|icmpv6|\d{1,3})",
    },
    "aws:wafv2/webAcl:WebAcl": {
        "description": r"[\w+=:#@/,.-][\w+=:#@/,. -]{0,254}[\w+=:#@/,.-]",
        "name": r"[\w-]{1,128}",
        "rules.name": r"[\w-]{1,128}",
        "rules.visibilityConfig.metricName": r"[\w#:./-]{1,255}",
        "visibilityConfig.metricName": r"[\w#:./-]{1,255}",
    },
}
TAGS_MAX: Final = 50
TAG_KEY: Final = re.compile(r"(?!aws:)[\w\s.:/=+@-]{1,128}", re.IGNORECASE)
TAG_VALUE: Final = re.compile(r"[\w\s.:/=+@-]{0,256}")

# --- ids and ARNs -----------------------------------------------------------------------------

HEX: Final = "[0-9a-f]{8}(?:[0-9a-f]{9})?"
ID_KEYS: Final = tuple(  # key to the prefix of its ids, wherever the key stands; first match
    (re.compile(key), re.compile(rf"{prefix}-{HEX}"))
    for key, prefix in (
        (r"[vV]pcIds?|vpc", "vpc"),
        (r"[sS]ubnetIds?|vpcZoneIdentifiers|clientSubnets|subnets", "subnet"),
        (r"(?:vpc|source|s)ecurityGroupIds?|vpcSecurityGroupIds|securityGroups", "sg"),
        (r"referencedSecurityGroupId", r"(?:\d{12}/)?sg"),
        (r"routeTableIds?", "rtb"),
        (r"allocationId", "eipalloc"),
        (r"natGatewayId", "nat"),
        (r"launchTemplateId", "lt"),
        (r"gatewayId", "(?:igw|vgw)"),
        (r"egressOnlyGatewayId", "eigw"),
        (r"prefixListIds?", "pl"),
        (r"vpcEndpointId", "vpce"),
        (r"networkAclId", "acl"),
    )
)
ACCOUNT_KEYS: Final = frozenset(["accountId", "expectedBucketOwner", "registryId", "sourceAccount"])
ARN: Final = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}|aws|aws-managed|ec2)?:(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Arn:
    """What an ARN is of: its services (None: any), and the beginning of its last part.

    Attributes:
        local: it must be of the resource's own region.
    """

    services: frozenset[str] | None = None
    kind: str = ""
    local: bool = False


def _arn(services: str = "", kind: str = "", *, local: bool = False) -> Arn:
    return Arn(frozenset(services.split()) or None, kind, local)


KEY: Final = _arn("kms", "key/", local=True)
ANY_KEY: Final = _arn("kms", "key/")
ROLE: Final = _arn("iam", "role/")
TOPIC: Final = _arn("sns", local=True)
LOG_GROUP: Final = _arn("logs", "log-group:", local=True)
FUNCTION: Final = _arn("lambda", "function:", local=True)
ACTIONS: Final = _arn(
    "application-autoscaling autoscaling automate events lambda sns ssm ssm-contacts ssm-incidents swf", local=True
)
ARN_KEYS: Final = tuple(  # key to what its ARNs are of, wherever the key stands; first match
    (re.compile(key), arn)
    for key, arn in (
        (r"globalTableArn", _arn("dynamodb", "table/")),
        (r"primaryKeyArn|s3KmsKeyArn", ANY_KEY),  # the latter: the bucket's, wherever that is
        (r".*[kK]msKeyArns?", KEY),
        (r".*[rR]oleArn", ROLE),
        (r"certificateArn", _arn("acm iam", local=True)),
        (r"acmCertificateArn", _arn("acm", "certificate/")),
        (r".*[lL]ogGroupArn|cloudWatchLogsGroupArn", LOG_GROUP),
        (r"topicArn|subscriberSnsTopicArns", TOPIC),
        (r"targetGroupArn", _arn("elasticloadbalancing", "targetgroup/", local=True)),
        (r"loadBalancerArn", _arn("elasticloadbalancing", "loadbalancer/", local=True)),
        (r"listenerArn", _arn("elasticloadbalancing", "listener/", local=True)),
        (r"webAclArn", _arn("wafv2", local=True)),
        (r"policyArn", _arn("iam", "policy/")),
        (r".*[lL]ambdaArn", FUNCTION),
        (r"functionArn", _arn("cloudfront lambda")),
        (r"clusterArn", _arn("ecs kafka", local=True)),
        (r"arns?|.*Arns?|.*ArnLists", _arn()),
        (r"(?:alarm|ok|insufficientData)Actions", ACTIONS),
    )
)
COGNITO_TRIGGERS: Final = (
    *("createAuthChallenge", "customMessage", "defineAuthChallenge", "postAuthentication", "postConfirmation"),
    *("preAuthentication", "preSignUp", "preTokenGeneration", "userMigration", "verifyAuthChallengeResponse"),
)
# ARNs under other keys, by type and path.
ARNS: Final[dict[str, dict[str, Arn]]] = {
    "aws:cloudfront/distribution:Distribution": {"webAclId": _arn("wafv2", "global/webacl/")},
    "aws:cloudtrail/trail:Trail": {"kmsKeyId": KEY},
    "aws:cloudwatch/logGroup:LogGroup": {"kmsKeyId": KEY},
    "aws:cognito/userPool:UserPool": {f"lambdaConfig.{trigger}": FUNCTION for trigger in COGNITO_TRIGGERS},
    "aws:ec2/flowLog:FlowLog": {"logDestination": _arn("firehose logs s3")},
    "aws:ecr/repository:Repository": {"encryptionConfigurations.kmsKey": KEY},
    "aws:iam/role:Role": {"permissionsBoundary": _arn("iam", "policy/")},
    "aws:lambda/function:Function": {"role": ROLE},
    "aws:lb/listenerRule:ListenerRule": {
        "actions.forward.targetGroups.arn": _arn("elasticloadbalancing", "targetgroup/", local=True),
    },
    "aws:rds/eventSubscription:EventSubscription": {"snsTopic": TOPIC},
    "aws:rds/instance:Instance": {"kmsKeyId": KEY, "performanceInsightsKmsKeyId": KEY},
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": {
        "role": ROLE,
        "rules.destination.bucket": _arn("s3"),
        "rules.destination.encryptionConfiguration.replicaKmsKeyId": ANY_KEY,
    },
    "aws:sns/topicSubscription:TopicSubscription": {"topic": TOPIC},
}
