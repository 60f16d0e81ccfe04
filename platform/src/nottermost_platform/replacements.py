"""Which changes make AWS replace a resource instead of changing it: the types we use, by their provider's schema.

A type that is not here is unknown, and says so in the preview. The names of most resources are
forced as well; they are part of `NAMED` and added by `forced`.
"""

from typing import Final

from nottermost_platform.naming import NAMED

FORCED: Final[dict[str, frozenset[str]]] = {
    f"aws:{token}": frozenset(names.split())
    for token, names in {
        "accessanalyzer/analyzer:Analyzer": "analyzerName configuration type",
        "acm/certificate:Certificate": "certificateAuthorityArn domainName keyAlgorithm "
        "subjectAlternativeNames validationMethod validationOptions",
        "acm/certificateValidation:CertificateValidation": "certificateArn validationRecordFqdns",
        "amp/queryLoggingConfiguration:QueryLoggingConfiguration": "workspaceId",
        "amp/workspace:Workspace": "kmsKeyArn",
        "amp/workspaceConfiguration:WorkspaceConfiguration": "workspaceId",
        "appautoscaling/policy:Policy": "name resourceId scalableDimension serviceNamespace",
        "appautoscaling/scheduledAction:ScheduledAction": "name resourceId scalableDimension serviceNamespace",
        "appautoscaling/target:Target": "resourceId scalableDimension serviceNamespace",
        "athena/workgroup:Workgroup": "name",
        "autoscaling/group:Group": "name namePrefix",
        "backup/plan:Plan": "name",
        "backup/selection:Selection": "conditions iamRoleArn name notResources planId resources selectionTags",
        "backup/vault:Vault": "kmsKeyArn",
        "backup/vaultLockConfiguration:VaultLockConfiguration": "backupVaultName changeableForDays "
        "maxRetentionDays minRetentionDays",
        "bcmdata/export:Export": "export",
        "budgets/budget:Budget": "accountId name namePrefix",
        "cfg/deliveryChannel:DeliveryChannel": "name",
        "cfg/recorder:Recorder": "name",
        "cfg/recorderStatus:RecorderStatus": "name",
        "cloudfront/cachePolicy:CachePolicy": "name",
        "cloudfront/distribution:Distribution": "staging",
        "cloudfront/function:Function": "name",
        "cloudfront/keyGroup:KeyGroup": "",
        "cloudfront/originAccessControl:OriginAccessControl": "name",
        "cloudfront/publicKey:PublicKey": "encodedKey name namePrefix",
        "cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": "",
        "cloudtrail/trail:Trail": "name",
        "cloudwatch/compositeAlarm:CompositeAlarm": "alarmName",
        "cloudwatch/dashboard:Dashboard": "dashboardName",
        "cloudwatch/eventRule:EventRule": "eventBusName name namePrefix",
        "cloudwatch/eventTarget:EventTarget": "eventBusName rule targetId",
        "cloudwatch/logDelivery:LogDelivery": "deliveryDestinationArn deliverySourceName",
        "cloudwatch/logDeliveryDestination:LogDeliveryDestination": "deliveryDestinationType name",
        "cloudwatch/logDeliverySource:LogDeliverySource": "logType name resourceArn",
        "cloudwatch/logGroup:LogGroup": "logGroupClass name",
        "cloudwatch/logResourcePolicy:LogResourcePolicy": "policyName resourceArn",
        "cloudwatch/metricAlarm:MetricAlarm": "",
        "cognito/managedLoginBranding:ManagedLoginBranding": "clientId userPoolId",
        "cognito/riskConfiguration:RiskConfiguration": "clientId userPoolId",
        "cognito/userPool:UserPool": "aliasAttributes schemas usernameAttributes usernameConfiguration",
        "cognito/userPoolClient:UserPoolClient": "generateSecret userPoolId",
        "cognito/userPoolDomain:UserPoolDomain": "domain userPoolId",
        "costexplorer/anomalyMonitor:AnomalyMonitor": "monitorDimension monitorSpecification monitorType",
        "costexplorer/anomalySubscription:AnomalySubscription": "accountId name",
        "costexplorer/costAllocationTag:CostAllocationTag": "tagKey",
        "dax/cluster:Cluster": "availabilityZones clusterEndpointEncryptionType iamRoleArn "
        "nodeType serverSideEncryption subnetGroupName",
        "dax/parameterGroup:ParameterGroup": "description",
        "dax/subnetGroup:SubnetGroup": "",
        "dynamodb/resourcePolicy:ResourcePolicy": "resourceArn",
        "dynamodb/table:Table": "hashKey importTable localSecondaryIndexes rangeKey",
        "dynamodb/tableReplica:TableReplica": "globalTableArn kmsKeyArn tableClassOverride",
        "ebs/encryptionByDefault:EncryptionByDefault": "",
        "ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": "",
        "ec2/defaultSecurityGroup:DefaultSecurityGroup": "vpcId",
        "ec2/eip:Eip": "domain",
        "ec2/flowLog:FlowLog": "iamRoleArn logDestination logDestinationType maxAggregationInterval trafficType vpcId",
        "ec2/imageBlockPublicAccess:ImageBlockPublicAccess": "",
        "ec2/instanceMetadataDefaults:InstanceMetadataDefaults": "",
        "ec2/internetGateway:InternetGateway": "",
        "ec2/launchTemplate:LaunchTemplate": "name namePrefix",
        "ec2/natGateway:NatGateway": "allocationId connectivityType subnetId",
        "ec2/route:Route": "destinationCidrBlock destinationPrefixListId routeTableId",
        "ec2/routeTable:RouteTable": "vpcId",
        "ec2/routeTableAssociation:RouteTableAssociation": "gatewayId subnetId",
        "ec2/securityGroup:SecurityGroup": "description vpcId",
        "ec2/subnet:Subnet": "availabilityZone availabilityZoneId cidrBlock ipv6Native outpostArn vpcId",
        "ec2/vpc:Vpc": "cidrBlock instanceTenancy ipv4IpamPoolId",
        "ec2/vpcEndpoint:VpcEndpoint": "serviceName vpcEndpointType vpcId",
        "ecr/lifecyclePolicy:LifecyclePolicy": "policy repository",
        "ecr/replicationConfiguration:ReplicationConfiguration": "",
        "ecr/repository:Repository": "encryptionConfigurations",
        "ecs/cluster:Cluster": "",
        "ecs/clusterCapacityProviders:ClusterCapacityProviders": "clusterName",
        "ecs/service:Service": "cluster deploymentController launchType schedulingStrategy",
        "ecs/taskDefinition:TaskDefinition": "containerDefinitions cpu ephemeralStorage executionRoleArn ipcMode memory "
        "networkMode pidMode requiresCompatibilities runtimePlatform taskRoleArn volumes",
        "elasticache/parameterGroup:ParameterGroup": "description family",
        "elasticache/replicationGroup:ReplicationGroup": "atRestEncryptionEnabled kmsKeyId port "
        "snapshotName subnetGroupName transitEncryptionEnabled",
        "elasticache/subnetGroup:SubnetGroup": "",
        "elasticache/user:User": "engine userId userName",
        "elasticache/userGroup:UserGroup": "userGroupId",
        "glue/catalogDatabase:CatalogDatabase": "catalogId name",
        "glue/catalogTable:CatalogTable": "catalogId databaseName name",
        "grafana/workspace:Workspace": "kmsKeyId",
        "guardduty/detector:Detector": "",
        "guardduty/detectorFeature:DetectorFeature": "detectorId name",
        "iam/accountPasswordPolicy:AccountPasswordPolicy": "",
        "iam/instanceProfile:InstanceProfile": "name namePrefix path",
        "iam/openIdConnectProvider:OpenIdConnectProvider": "url",
        "iam/policy:Policy": "description path",
        "iam/role:Role": "namePrefix path",
        "iam/rolePolicy:RolePolicy": "role",
        "iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn role",
        "iam/serviceLinkedRole:ServiceLinkedRole": "awsServiceName customSuffix",
        "kms/alias:Alias": "",
        "kms/key:Key": "customKeyStoreId customerMasterKeySpec keyUsage multiRegion",
        "kms/replicaKey:ReplicaKey": "primaryKeyArn",
        "lambda/function:Function": "packageType",
        "lambda/permission:Permission": "action eventSourceToken function functionUrlAuthType principal "
        "principalOrgId qualifier sourceAccount sourceArn statementId",
        "lb/listener:Listener": "loadBalancerArn",
        "lb/listenerRule:ListenerRule": "listenerArn",
        "lb/loadBalancer:LoadBalancer": "internal loadBalancerType subnetMappings",
        "lb/targetGroup:TargetGroup": "ipAddressType port protocol protocolVersion targetType vpcId",
        "msk/cluster:Cluster": "brokerNodeGroupInfo encryptionInfo",
        "msk/configuration:Configuration": "kafkaVersions",
        "msk/topic:Topic": "clusterArn name replicationFactor",
        "opensearch/domain:Domain": "encryptAtRest nodeToNodeEncryption vpcOptions",
        "rds/eventSubscription:EventSubscription": "name namePrefix",
        "rds/instance:Instance": "availabilityZone characterSetName dbName engine "
        "kmsKeyId masterUsername storageEncrypted timezone username",
        "rds/parameterGroup:ParameterGroup": "description family",
        "rds/proxy:Proxy": "engineFamily vpcSubnetIds",
        "rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": "dbProxyName",
        "rds/proxyTarget:ProxyTarget": "dbClusterIdentifier dbInstanceIdentifier dbProxyName targetGroupName",
        "rds/subnetGroup:SubnetGroup": "",
        "route53/healthCheck:HealthCheck": "measureLatency referenceName requestInterval type",
        "route53/record:Record": "name setIdentifier zoneId",
        "route53/zone:Zone": "delegationSetId name",
        "s3/accountPublicAccessBlock:AccountPublicAccessBlock": "accountId",
        "s3/bucket:Bucket": "objectLockEnabled",
        "s3/bucketCorsConfiguration:BucketCorsConfiguration": "bucket expectedBucketOwner",
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket expectedBucketOwner",
        "s3/bucketLogging:BucketLogging": "bucket expectedBucketOwner",
        "s3/bucketNotification:BucketNotification": "bucket",
        "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": "bucket "
        "expectedBucketOwner objectLockEnabled",
        "s3/bucketOwnershipControls:BucketOwnershipControls": "bucket",
        "s3/bucketPolicy:BucketPolicy": "bucket",
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket",
        "s3/bucketReplicationConfig:BucketReplicationConfig": "bucket",
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket "
        "expectedBucketOwner",
        "s3/bucketVersioning:BucketVersioning": "bucket expectedBucketOwner",
        "secretsmanager/secret:Secret": "",
        "secretsmanager/secretRotation:SecretRotation": "secretId",
        "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": "name vpc",
        "servicediscovery/service:Service": "dnsConfig healthCheckCustomConfig name namespaceId type",
        "sns/topic:Topic": "fifoTopic",
        "sns/topicPolicy:TopicPolicy": "arn",
        "sns/topicSubscription:TopicSubscription": "endpoint protocol topic",
        "sqs/queue:Queue": "fifoQueue",
        "sqs/queuePolicy:QueuePolicy": "queueUrl",
        "sqs/redriveAllowPolicy:RedriveAllowPolicy": "queueUrl",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule": "securityGroupId",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule": "securityGroupId",
        "wafv2/webAcl:WebAcl": "scope",
        "wafv2/webAclAssociation:WebAclAssociation": "resourceArn webAclArn",
        "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "resourceArn",
        "xray/group:Group": "groupName",
        "xray/samplingRule:SamplingRule": "ruleName",
    }.items()
}
RENAMED: Final = frozenset(  # what AWS gives another name without making it anew
    {
        "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
        "aws:cognito/userPoolClient:UserPoolClient",
        "aws:rds/instance:Instance",
    }
)


def replaces(token: str, properties: frozenset[str]) -> bool | None:
    """Whether a change of these properties may replace the resource; None: nobody has looked it up for this type."""
    if not token.startswith("aws:"):
        return False
    if token not in FORCED:
        return None
    named = {NAMED[token].property} if token in NAMED and token not in RENAMED else set()
    return bool(properties & (FORCED[token] | named | {"region"}))
