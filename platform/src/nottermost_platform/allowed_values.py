"""The allowed values of text properties, by resource type and path; in a list each value is one of them.

From botocore 1.44.5's enumerations (read 2026-11-21), without what the Terraform provider under pulumi-aws
refuses (`None` as a price class, values that AWS itself only answers); what AWS documents in prose only is marked.
Not scraped from the SDK: its sentences list examples, property names and half of what is valid.
`test_validators.py` fails when the graphs use a property that looks like an enumeration and is not here.
"""

from collections.abc import Mapping
from typing import Final


def _of(properties: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {path: frozenset(values.split()) for path, values in properties.items()}


STATUS: Final = "ENABLED DISABLED"
SWITCH: Final = "Enabled Disabled"
METHODS: Final = "DELETE GET HEAD OPTIONS PATCH POST PUT"
VIEWER: Final = "allow-all https-only redirect-to-https"
EDGE_EVENTS: Final = "origin-request origin-response viewer-request viewer-response"
SCALED: Final = (
    "appstream:fleet:DesiredCapacity cassandra:table:ReadCapacityUnits cassandra:table:WriteCapacityUnits "
    "comprehend:document-classifier-endpoint:DesiredInferenceUnits custom-resource:ResourceType:Property "
    "comprehend:entity-recognizer-endpoint:DesiredInferenceUnits dynamodb:index:ReadCapacityUnits "
    "dynamodb:index:WriteCapacityUnits dynamodb:table:ReadCapacityUnits dynamodb:table:WriteCapacityUnits "
    "ec2:spot-fleet-request:TargetCapacity ecs:service:DesiredCount elasticache:cache-cluster:Nodes "
    "elasticache:replication-group:NodeGroups elasticache:replication-group:Replicas "
    "elasticmapreduce:instancegroup:InstanceCount kafka:broker-storage:VolumeSize "
    "lambda:function:ProvisionedConcurrency neptune:cluster:ReadReplicaCount rds:cluster:ReadReplicaCount "
    "sagemaker:inference-component:DesiredCopyCount sagemaker:variant:DesiredInstanceCount "
    "sagemaker:variant:DesiredProvisionedConcurrency workspaces:workspacespool:DesiredUserSessions"
)
SCALED_SERVICES: Final = " ".join({each.partition(":")[0] for each in SCALED.split()})
PREDEFINED_METRICS: Final = (
    "ALBRequestCountPerTarget AppStreamAverageCapacityUtilization CassandraReadCapacityUtilization "
    "CassandraWriteCapacityUtilization ComprehendInferenceUtilization DynamoDBReadCapacityUtilization "
    "DynamoDBWriteCapacityUtilization EC2SpotFleetRequestAverageCPUUtilization "
    "EC2SpotFleetRequestAverageNetworkIn EC2SpotFleetRequestAverageNetworkOut ECSServiceAverageCPUUtilization "
    "ECSServiceAverageMemoryUtilization ElastiCacheDatabaseCapacityUsageCountedForEvictPercentage "
    "ElastiCacheDatabaseMemoryUsageCountedForEvictPercentage ElastiCacheDatabaseMemoryUsagePercentage "
    "ElastiCacheEngineCPUUtilization ElastiCachePrimaryEngineCPUUtilization ElastiCacheReplicaEngineCPUUtilization "
    "KafkaBrokerStorageUtilization LambdaProvisionedConcurrencyUtilization NeptuneReaderAverageCPUUtilization "
    "RDSReaderAverageCPUUtilization RDSReaderAverageDatabaseConnections "
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution "
    "SageMakerInferenceComponentInvocationsPerCopy SageMakerVariantConcurrentRequestsPerModelHighResolution "
    "SageMakerVariantInvocationsPerInstance SageMakerVariantProvisionedConcurrencyUtilization "
    "WorkSpacesAverageUserSessionsCapacityUtilization"
)
GROUP_METRICS: Final = (  # EnableMetricsCollection, prose
    "GroupAndWarmPoolDesiredCapacity GroupAndWarmPoolTotalCapacity GroupDesiredCapacity GroupInServiceCapacity "
    "GroupInServiceInstances GroupMaxSize GroupMinSize GroupPendingCapacity GroupPendingInstances "
    "GroupStandbyCapacity GroupStandbyInstances GroupTerminatingCapacity GroupTerminatingInstances "
    "GroupTotalCapacity GroupTotalInstances WarmPoolDesiredCapacity WarmPoolMinSize WarmPoolPendingCapacity "
    "WarmPoolTerminatingCapacity WarmPoolTotalCapacity WarmPoolWarmedCapacity"
)
LISTENER_ACTIONS: Final = "authenticate-cognito authenticate-oidc fixed-response forward jwt-validation redirect"
CONTENT_TYPES: Final = "application/javascript application/json text/css text/html text/plain"  # CreateListener, prose
REDIRECT_PROTOCOLS: Final = "#{protocol} HTTP HTTPS"
REDIRECTS: Final = "HTTP_301 HTTP_302"
ROUTED: Final = "GENEVE HTTP HTTPS QUIC TCP TCP_QUIC TCP_UDP TLS UDP"
CACHE_ENGINES: Final = "redis valkey"
RISK_ACTIONS: Final = "BLOCK MFA_IF_CONFIGURED MFA_REQUIRED NO_ACTION"
EC2_RESOURCES: Final = (  # what a launch template can tag: RequestLaunchTemplateData, prose
    "instance network-interface spot-instances-request volume"
)
CHECKER_REGIONS: Final = (
    "us-east-1 us-west-1 us-west-2 eu-west-1 ap-southeast-1 ap-southeast-2 ap-northeast-1 sa-east-1"
)

ALLOWED_VALUES: Final[dict[str, dict[str, frozenset[str]]]] = {
    type_: _of(properties)
    for type_, properties in {
        "aws:accessanalyzer/analyzer:Analyzer": {
            "type": "ACCOUNT ACCOUNT_INTERNAL_ACCESS ACCOUNT_UNUSED_ACCESS "
            "ORGANIZATION ORGANIZATION_INTERNAL_ACCESS ORGANIZATION_UNUSED_ACCESS",
        },
        "aws:acm/certificate:Certificate": {
            "keyAlgorithm": "EC_prime256v1 EC_secp384r1 EC_secp521r1 RSA_1024 RSA_2048 RSA_3072 RSA_4096",
            "validationMethod": "DNS EMAIL HTTP",
        },
        "aws:appautoscaling/policy:Policy": {
            "policyType": "PredictiveScaling StepScaling TargetTrackingScaling",
            "scalableDimension": SCALED,
            "serviceNamespace": SCALED_SERVICES,
            "stepScalingPolicyConfiguration.adjustmentType": "ChangeInCapacity ExactCapacity PercentChangeInCapacity",
            "stepScalingPolicyConfiguration.metricAggregationType": "Average Maximum Minimum",
            "targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.predefinedMetricType": (
                PREDEFINED_METRICS
            ),
        },
        "aws:appautoscaling/scheduledAction:ScheduledAction": {
            "scalableDimension": SCALED,
            "serviceNamespace": SCALED_SERVICES,
        },
        "aws:appautoscaling/target:Target": {"scalableDimension": SCALED, "serviceNamespace": SCALED_SERVICES},
        "aws:athena/workgroup:Workgroup": {
            "configuration.resultConfiguration.encryptionConfiguration.encryptionOption": "CSE_KMS SSE_KMS SSE_S3",
            "state": STATUS,
        },
        "aws:autoscaling/group:Group": {
            "enabledMetrics": GROUP_METRICS,
            "healthCheckType": "EBS EC2 ELB VPC_LATTICE",  # CreateAutoScalingGroup, prose
            "instanceRefresh.strategy": "ReplaceRootVolume Rolling",
            "mixedInstancesPolicy.instancesDistribution.onDemandAllocationStrategy": "lowest-price prioritized",
            "mixedInstancesPolicy.instancesDistribution.spotAllocationStrategy": (
                "capacity-optimized capacity-optimized-prioritized lowest-price price-capacity-optimized"
            ),
        },
        "aws:backup/selection:Selection": {"selectionTags.type": "STRINGEQUALS"},
        "aws:bcmdata/export:Export": {
            "export.destinationConfigurations.s3Destinations.s3OutputConfigurations.compression": "GZIP PARQUET ZIP",
            "export.destinationConfigurations.s3Destinations.s3OutputConfigurations.format": "PARQUET TEXT_OR_CSV",
            "export.destinationConfigurations.s3Destinations.s3OutputConfigurations.outputType": (
                "ATHENA CUSTOM REDSHIFT"
            ),
            "export.destinationConfigurations.s3Destinations.s3OutputConfigurations.overwrite": (
                "CREATE_NEW_REPORT OVERWRITE_REPORT"
            ),
            "export.refreshCadences.frequency": "SYNCHRONOUS",
        },
        "aws:budgets/budget:Budget": {
            "budgetType": "COST RI_COVERAGE RI_UTILIZATION SAVINGS_PLANS_COVERAGE SAVINGS_PLANS_UTILIZATION USAGE",
            "notifications.comparisonOperator": "EQUAL_TO GREATER_THAN LESS_THAN",
            "notifications.notificationType": "ACTUAL FORECASTED",
            "notifications.thresholdType": "ABSOLUTE_VALUE PERCENTAGE",
            "timeUnit": "ANNUALLY CUSTOM DAILY MONTHLY QUARTERLY",
        },
        "aws:cfg/deliveryChannel:DeliveryChannel": {
            "snapshotDeliveryProperties.deliveryFrequency": (
                "One_Hour Six_Hours Three_Hours Twelve_Hours TwentyFour_Hours"
            ),
        },
        "aws:cfg/recorder:Recorder": {"recordingMode.recordingFrequency": "CONTINUOUS DAILY"},
        "aws:cloudfront/cachePolicy:CachePolicy": {
            "parametersInCacheKeyAndForwardedToOrigin.cookiesConfig.cookieBehavior": "all allExcept none whitelist",
            "parametersInCacheKeyAndForwardedToOrigin.headersConfig.headerBehavior": "none whitelist",
            "parametersInCacheKeyAndForwardedToOrigin.queryStringsConfig.queryStringBehavior": (
                "all allExcept none whitelist"
            ),
        },
        "aws:cloudfront/distribution:Distribution": {
            "defaultCacheBehavior.allowedMethods": METHODS,
            "defaultCacheBehavior.cachedMethods": "GET HEAD OPTIONS",
            "defaultCacheBehavior.functionAssociations.eventType": "viewer-request viewer-response",
            "defaultCacheBehavior.lambdaFunctionAssociations.eventType": EDGE_EVENTS,
            "defaultCacheBehavior.viewerProtocolPolicy": VIEWER,
            "httpVersion": "http1.1 http2 http2and3 http3",
            "orderedCacheBehaviors.allowedMethods": METHODS,
            "orderedCacheBehaviors.cachedMethods": "GET HEAD OPTIONS",
            "orderedCacheBehaviors.functionAssociations.eventType": "viewer-request viewer-response",
            "orderedCacheBehaviors.lambdaFunctionAssociations.eventType": EDGE_EVENTS,
            "orderedCacheBehaviors.viewerProtocolPolicy": VIEWER,
            "origins.customOriginConfig.originProtocolPolicy": "http-only https-only match-viewer",
            "origins.customOriginConfig.originSslProtocols": "SSLv3 TLSv1 TLSv1.1 TLSv1.2",
            "priceClass": "PriceClass_100 PriceClass_200 PriceClass_All",
            "restrictions.geoRestriction.restrictionType": "blacklist none whitelist",
            "viewerCertificate.minimumProtocolVersion": (
                "SSLv3 TLSv1 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021 TLSv1.2_2025 TLSv1.3_2025 TLSv1_2016"
            ),
            "viewerCertificate.sslSupportMethod": "sni-only static-ip vip",
        },
        "aws:cloudfront/function:Function": {"runtime": "cloudfront-js-1.0 cloudfront-js-2.0"},
        "aws:cloudfront/originAccessControl:OriginAccessControl": {
            "originAccessControlOriginType": "lambda mediapackagev2 mediastore s3",
            "signingBehavior": "always never no-override",
            "signingProtocol": "sigv4",
        },
        "aws:cloudfront/originRequestPolicy:OriginRequestPolicy": {
            "cookiesConfig.cookieBehavior": "all allExcept none whitelist",
            "headersConfig.headerBehavior": "allExcept allViewer allViewerAndWhitelistCloudFront none whitelist",
            "queryStringsConfig.queryStringBehavior": "all allExcept none whitelist",
        },
        "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": {
            "corsConfig.accessControlAllowMethods.items": f"{METHODS} ALL",
            "securityHeadersConfig.frameOptions.frameOption": "DENY SAMEORIGIN",
            "securityHeadersConfig.referrerPolicy.referrerPolicy": (
                "no-referrer no-referrer-when-downgrade origin origin-when-cross-origin "
                "same-origin strict-origin strict-origin-when-cross-origin unsafe-url"
            ),
        },
        "aws:cloudtrail/trail:Trail": {
            "advancedEventSelectors.fieldSelectors.field": (  # AdvancedFieldSelector, prose
                "errorCode eventCategory eventName eventSource eventType readOnly resources.ARN resources.type "
                "sessionCredentialFromConsole userIdentity.arn vpcEndpointId"
            ),
            "insightSelectors.insightType": "ApiCallRateInsight ApiErrorRateInsight",
        },
        "aws:cloudwatch/eventRule:EventRule": {
            "state": f"{STATUS} ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
        },
        "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination": {
            "deliveryDestinationType": "CWL FH S3 XRAY",
            "outputFormat": "json parquet plain raw w3c",
        },
        "aws:cloudwatch/logGroup:LogGroup": {"logGroupClass": "DELIVERY INFREQUENT_ACCESS STANDARD"},
        "aws:cloudwatch/metricAlarm:MetricAlarm": {
            "comparisonOperator": (
                "GreaterThanOrEqualToThreshold GreaterThanThreshold GreaterThanUpperThreshold "
                "LessThanLowerOrGreaterThanUpperThreshold LessThanLowerThreshold LessThanOrEqualToThreshold "
                "LessThanThreshold"
            ),
            "evaluateLowSampleCountPercentiles": "evaluate ignore",  # PutMetricAlarm, prose
            "statistic": "Average Maximum Minimum SampleCount Sum",
            "treatMissingData": "breaching ignore missing notBreaching",  # PutMetricAlarm, prose
        },
        "aws:cognito/riskConfiguration:RiskConfiguration": {
            **{
                f"accountTakeoverRiskConfiguration.actions.{level}Action.eventAction": RISK_ACTIONS
                for level in ("low", "medium", "high")
            },
            "compromisedCredentialsRiskConfiguration.actions.eventAction": "BLOCK NO_ACTION",
            "compromisedCredentialsRiskConfiguration.eventFilters": "PASSWORD_CHANGE SIGN_IN SIGN_UP",
        },
        "aws:cognito/userPool:UserPool": {
            "accountRecoverySetting.recoveryMechanisms.name": "admin_only verified_email verified_phone_number",
            "aliasAttributes": "email phone_number preferred_username",
            "autoVerifiedAttributes": "email phone_number",
            "deletionProtection": "ACTIVE INACTIVE",
            "lambdaConfig.preTokenGenerationConfig.lambdaVersion": "V1_0 V2_0 V3_0",
            "mfaConfiguration": "OFF ON OPTIONAL",
            "userAttributeUpdateSettings.attributesRequireVerificationBeforeUpdates": "email phone_number",
            "userPoolAddOns.advancedSecurityMode": "AUDIT ENFORCED OFF",
            "userPoolTier": "ESSENTIALS LITE PLUS",
            "usernameAttributes": "email phone_number",
        },
        "aws:cognito/userPoolClient:UserPoolClient": {
            "allowedOauthFlows": "client_credentials code implicit",
            "explicitAuthFlows": (
                "ADMIN_NO_SRP_AUTH ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_CUSTOM_AUTH ALLOW_REFRESH_TOKEN_AUTH "
                "ALLOW_USER_AUTH ALLOW_USER_PASSWORD_AUTH ALLOW_USER_SRP_AUTH CUSTOM_AUTH_FLOW_ONLY USER_PASSWORD_AUTH"
            ),
            "preventUserExistenceErrors": "ENABLED LEGACY",
            "refreshTokenRotation.feature": STATUS,
            **{f"tokenValidityUnits.{each}Token": "days hours minutes seconds" for each in ("access", "id", "refresh")},
        },
        "aws:costexplorer/anomalyMonitor:AnomalyMonitor": {
            "monitorDimension": "COST_CATEGORY LINKED_ACCOUNT SERVICE TAG",
            "monitorType": "CUSTOM DIMENSIONAL",
        },
        "aws:costexplorer/anomalySubscription:AnomalySubscription": {
            "frequency": "DAILY IMMEDIATE WEEKLY",
            "subscribers.type": "EMAIL SNS",
            "thresholdExpression.dimension.key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE ANOMALY_TOTAL_IMPACT_PERCENTAGE",
            "thresholdExpression.dimension.matchOptions": (
                "ABSENT CASE_INSENSITIVE CASE_SENSITIVE CONTAINS ENDS_WITH EQUALS GREATER_THAN_OR_EQUAL STARTS_WITH"
            ),
        },
        "aws:costexplorer/costAllocationTag:CostAllocationTag": {"status": "Active Inactive"},
        "aws:dynamodb/table:Table": {
            "attributes.type": "B N S",
            "billingMode": "PAY_PER_REQUEST PROVISIONED",
            "globalSecondaryIndexes.projectionType": "ALL INCLUDE KEYS_ONLY",
            "localSecondaryIndexes.projectionType": "ALL INCLUDE KEYS_ONLY",
            "streamViewType": "KEYS_ONLY NEW_AND_OLD_IMAGES NEW_IMAGE OLD_IMAGE",
            "tableClass": "STANDARD STANDARD_INFREQUENT_ACCESS",
        },
        "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": {
            "state": "block-all-sharing block-new-sharing unblocked",
        },
        "aws:ec2/eip:Eip": {"domain": "vpc"},
        "aws:ec2/flowLog:FlowLog": {
            "logDestinationType": "cloud-watch-logs kinesis-data-firehose s3",
            "trafficType": "ACCEPT ALL REJECT",
        },
        "aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess": {"state": "block-new-sharing unblocked"},
        "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": {
            "httpEndpoint": "disabled enabled no-preference",
            "httpTokens": "no-preference optional required",
            "instanceMetadataTags": "disabled enabled no-preference",
        },
        "aws:ec2/launchTemplate:LaunchTemplate": {
            "blockDeviceMappings.ebs.deleteOnTermination": "false true",
            "blockDeviceMappings.ebs.encrypted": "false true",
            "blockDeviceMappings.ebs.volumeType": "gp2 gp3 io1 io2 sc1 st1 standard",
            "instanceInitiatedShutdownBehavior": "stop terminate",
            "metadataOptions.httpEndpoint": "disabled enabled",
            "metadataOptions.httpTokens": "optional required",
            "networkInterfaces.associatePublicIpAddress": "false true",
            "networkInterfaces.deleteOnTermination": "false true",
            "tagSpecifications.resourceType": EC2_RESOURCES,
        },
        "aws:ec2/vpc:Vpc": {"instanceTenancy": "dedicated default"},
        "aws:ec2/vpcEndpoint:VpcEndpoint": {
            "ipAddressType": "dualstack ipv4 ipv6",
            "vpcEndpointType": "Gateway GatewayLoadBalancer Interface Resource ServiceNetwork",
        },
        "aws:ecr/replicationConfiguration:ReplicationConfiguration": {
            "replicationConfiguration.rules.repositoryFilters.filterType": "PREFIX_MATCH",
        },
        "aws:ecr/repository:Repository": {
            "encryptionConfigurations.encryptionType": "AES256 KMS KMS_DSSE",
            "imageTagMutability": "IMMUTABLE IMMUTABLE_WITH_EXCLUSION MUTABLE MUTABLE_WITH_EXCLUSION",
        },
        "aws:ecs/cluster:Cluster": {
            "configuration.executeCommandConfiguration.logging": "DEFAULT NONE OVERRIDE",
            "settings.name": "containerInsights",
            "settings.value": "disabled enabled enhanced",
        },
        "aws:ecs/service:Service": {
            "availabilityZoneRebalancing": STATUS,
            "deploymentController.type": "CODE_DEPLOY ECS EXTERNAL",
            "launchType": "EC2 EXTERNAL FARGATE",
            "propagateTags": "NONE SERVICE TASK_DEFINITION",
            "schedulingStrategy": "DAEMON REPLICA",
        },
        "aws:ecs/taskDefinition:TaskDefinition": {
            "networkMode": "awsvpc bridge host none",
            "requiresCompatibilities": "EC2 EXTERNAL FARGATE MANAGED_INSTANCES",
            "runtimePlatform.cpuArchitecture": "ARM64 X86_64",
            "runtimePlatform.operatingSystemFamily": (
                "LINUX WINDOWS_SERVER_2004_CORE WINDOWS_SERVER_2016_FULL WINDOWS_SERVER_2019_CORE "
                "WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2022_CORE WINDOWS_SERVER_2022_FULL "
                "WINDOWS_SERVER_2025_CORE WINDOWS_SERVER_2025_FULL WINDOWS_SERVER_20H2_CORE"
            ),
        },
        "aws:elasticache/replicationGroup:ReplicationGroup": {
            "engine": CACHE_ENGINES,
            "logDeliveryConfigurations.destinationType": "cloudwatch-logs kinesis-firehose",
            "logDeliveryConfigurations.logFormat": "json text",
            "logDeliveryConfigurations.logType": "engine-log slow-log",
            "transitEncryptionMode": "preferred required",
        },
        "aws:elasticache/user:User": {
            "authenticationMode.type": "iam no-password-required password",
            "engine": CACHE_ENGINES,
        },
        "aws:elasticache/userGroup:UserGroup": {"engine": CACHE_ENGINES},
        "aws:glue/catalogTable:CatalogTable": {
            "tableType": "EXTERNAL_TABLE GOVERNED MANAGED_TABLE VIRTUAL_VIEW",  # Glue and Athena, prose
        },
        "aws:grafana/workspace:Workspace": {
            "accountAccessType": "CURRENT_ACCOUNT ORGANIZATION",
            "authenticationProviders": "AWS_SSO SAML",
            "dataSources": (
                "AMAZON_OPENSEARCH_SERVICE ATHENA CLOUDWATCH PROMETHEUS REDSHIFT SITEWISE TIMESTREAM TWINMAKER XRAY"
            ),
            "permissionType": "CUSTOMER_MANAGED SERVICE_MANAGED",
        },
        "aws:guardduty/detector:Detector": {"findingPublishingFrequency": "FIFTEEN_MINUTES ONE_HOUR SIX_HOURS"},
        "aws:guardduty/detectorFeature:DetectorFeature": {
            "name": (
                "AI_ANALYST AI_PROTECTION EBS_MALWARE_PROTECTION EKS_AUDIT_LOGS EKS_RUNTIME_MONITORING "
                "LAMBDA_NETWORK_LOGS RDS_LOGIN_EVENTS RUNTIME_MONITORING S3_DATA_EVENTS"
            ),
            "status": STATUS,
        },
        "aws:kms/key:Key": {
            "customerMasterKeySpec": (
                "ECC_NIST_EDWARDS25519 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 HMAC_224 HMAC_256 "
                "HMAC_384 HMAC_512 ML_DSA_44 ML_DSA_65 ML_DSA_87 RSA_2048 RSA_3072 RSA_4096 SM2 SYMMETRIC_DEFAULT"
            ),
            "keyUsage": "ENCRYPT_DECRYPT GENERATE_VERIFY_MAC KEY_AGREEMENT SIGN_VERIFY",
        },
        "aws:lambda/function:Function": {
            "architectures": "arm64 x86_64",
            "loggingConfig.applicationLogLevel": "DEBUG ERROR FATAL INFO TRACE WARN",
            "loggingConfig.logFormat": "JSON Text",
            "loggingConfig.systemLogLevel": "DEBUG INFO WARN",
            "packageType": "Image Zip",
            "runtime": (  # those that can still be created
                "dotnet10 dotnet8 java11 java11.al2023 java17 java17.al2023 java21 java25 java8.al2 java8.al2023 "
                "nodejs22.x nodejs24.x nodejs26.x provided.al2 provided.al2023 python3.10 python3.11 python3.12 "
                "python3.13 python3.14 python3.15 ruby3.2 ruby3.3 ruby3.4 ruby4.0"
            ),
            "tracingConfig.mode": "Active PassThrough",
        },
        "aws:lb/listener:Listener": {
            "defaultActions.fixedResponse.contentType": CONTENT_TYPES,
            "defaultActions.redirect.protocol": REDIRECT_PROTOCOLS,
            "defaultActions.redirect.statusCode": REDIRECTS,
            "defaultActions.type": LISTENER_ACTIONS,
            "protocol": ROUTED,
        },
        "aws:lb/listenerRule:ListenerRule": {
            "actions.fixedResponse.contentType": CONTENT_TYPES,
            "actions.redirect.protocol": REDIRECT_PROTOCOLS,
            "actions.redirect.statusCode": REDIRECTS,
            "actions.type": LISTENER_ACTIONS,
        },
        "aws:lb/loadBalancer:LoadBalancer": {
            "desyncMitigationMode": "defensive monitor strictest",
            "ipAddressType": "dualstack dualstack-without-public-ipv4 ipv4",
            "loadBalancerType": "application gateway network",
            "xffHeaderProcessingMode": "append preserve remove",
        },
        "aws:lb/targetGroup:TargetGroup": {
            "healthCheck.protocol": "HTTP HTTPS TCP",
            "ipAddressType": "ipv4 ipv6",
            "loadBalancingAlgorithmType": "least_outstanding_requests round_robin weighted_random",
            "protocol": ROUTED,
            "protocolVersion": "GRPC HTTP1 HTTP2",
            "stickiness.type": "app_cookie lb_cookie source_ip source_ip_dest_ip source_ip_dest_ip_proto",
            "targetType": "alb instance ip lambda",
        },
        "aws:msk/cluster:Cluster": {
            "brokerNodeGroupInfo.azDistribution": "DEFAULT",
            "brokerNodeGroupInfo.connectivityInfo.publicAccess.type": "DISABLED SERVICE_PROVIDED_EIPS",
            "encryptionInfo.encryptionInTransit.clientBroker": "PLAINTEXT TLS TLS_PLAINTEXT",
            "enhancedMonitoring": "DEFAULT PER_BROKER PER_TOPIC_PER_BROKER PER_TOPIC_PER_PARTITION",
            "storageMode": "LOCAL TIERED",
        },
        "aws:opensearch/domain:Domain": {
            "autoTuneOptions.desiredState": STATUS,
            "autoTuneOptions.rollbackOnDisable": "DEFAULT_ROLLBACK NO_ROLLBACK",
            "domainEndpointOptions.tlsSecurityPolicy": (
                "Policy-Min-TLS-1-0-2019-07 Policy-Min-TLS-1-2-2019-07 Policy-Min-TLS-1-2-PFS-2023-10 "
                "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08"
            ),
            "ebsOptions.volumeType": "gp2 gp3 io1 standard",
            "logPublishingOptions.logType": "AUDIT_LOGS ES_APPLICATION_LOGS INDEX_SLOW_LOGS SEARCH_SLOW_LOGS",
        },
        "aws:rds/eventSubscription:EventSubscription": {
            "sourceType": (
                "blue-green-deployment custom-engine-version db-cluster db-cluster-snapshot db-instance "
                "db-parameter-group db-proxy db-security-group db-shard-group db-snapshot zero-etl"
            ),
        },
        "aws:rds/instance:Instance": {
            "enabledCloudwatchLogsExports": (  # by engine; CreateDBInstance, prose
                "agent alert audit diag.log error general iam-db-auth-error listener notify.log oemagent postgresql "
                "slowquery trace upgrade"
            ),
            "engine": (  # CreateDBInstance, prose
                "aurora-mysql aurora-postgresql custom-oracle-ee custom-sqlserver-ee custom-sqlserver-se "
                "custom-sqlserver-web db2-ae db2-se mariadb mysql oracle-ee oracle-ee-cdb oracle-se2 oracle-se2-cdb "
                "postgres sqlserver-ee sqlserver-ex sqlserver-se sqlserver-web"
            ),
            "licenseModel": (
                "bring-your-own-license general-public-license license-included marketplace-license postgresql-license"
            ),
            "networkType": "DUAL IPV4",
            "storageType": "gp2 gp3 io1 io2 standard",
        },
        "aws:rds/parameterGroup:ParameterGroup": {"parameters.applyMethod": "immediate pending-reboot"},
        "aws:rds/proxy:Proxy": {
            "defaultAuthScheme": "IAM_AUTH NONE",
            "engineFamily": "MYSQL POSTGRESQL SQLSERVER",
        },
        "aws:route53/healthCheck:HealthCheck": {
            "insufficientDataHealthStatus": "Healthy LastKnownStatus Unhealthy",
            "regions": CHECKER_REGIONS,
            "type": ("CALCULATED CLOUDWATCH_METRIC HTTP HTTPS HTTPS_STR_MATCH HTTP_STR_MATCH RECOVERY_CONTROL TCP"),
        },
        "aws:route53/record:Record": {
            "failoverRoutingPolicies.type": "PRIMARY SECONDARY",
            "type": "A AAAA CAA CNAME DS HTTPS MX NAPTR NS PTR SOA SPF SRV SSHFP SVCB TLSA TXT",
        },
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": {
            "corsRules.allowedMethods": "DELETE GET HEAD POST PUT",
        },
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {
            "rules.noncurrentVersionTransitions.storageClass": (
                "DEEP_ARCHIVE GLACIER GLACIER_IR INTELLIGENT_TIERING ONEZONE_IA STANDARD_IA"
            ),
            "rules.status": SWITCH,
            "rules.transitions.storageClass": (
                "DEEP_ARCHIVE GLACIER GLACIER_IR INTELLIGENT_TIERING ONEZONE_IA STANDARD_IA"
            ),
        },
        "aws:s3/bucketNotification:BucketNotification": {
            f"{target}.events": (
                "s3:IntelligentTiering s3:LifecycleExpiration:* s3:LifecycleExpiration:Delete "
                "s3:LifecycleExpiration:DeleteMarkerCreated s3:LifecycleTransition s3:ObjectAcl:Put "
                "s3:ObjectCreated:* s3:ObjectCreated:CompleteMultipartUpload s3:ObjectCreated:Copy "
                "s3:ObjectCreated:Post s3:ObjectCreated:Put s3:ObjectRemoved:* s3:ObjectRemoved:Delete "
                "s3:ObjectRemoved:DeleteMarkerCreated s3:ObjectRestore:* s3:ObjectRestore:Completed "
                "s3:ObjectRestore:Delete s3:ObjectRestore:Post s3:ObjectTagging:* s3:ObjectTagging:Delete "
                "s3:ObjectTagging:Put s3:ReducedRedundancyLostObject s3:Replication:* "
                "s3:Replication:OperationFailedReplication s3:Replication:OperationMissedThreshold "
                "s3:Replication:OperationNotTracked s3:Replication:OperationReplicatedAfterThreshold"
            )
            for target in ("topics", "queues", "lambdaFunctions")
        },
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": {
            "objectLockEnabled": "Enabled",
            "rule.defaultRetention.mode": "COMPLIANCE GOVERNANCE",
        },
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": {
            "rule.objectOwnership": "BucketOwnerEnforced BucketOwnerPreferred ObjectWriter",
        },
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig": {
            "rules.deleteMarkerReplication.status": SWITCH,
            "rules.destination.metrics.status": SWITCH,
            "rules.destination.replicationTime.status": SWITCH,
            "rules.destination.storageClass": (
                "DEEP_ARCHIVE GLACIER GLACIER_IR INTELLIGENT_TIERING ONEZONE_IA REDUCED_REDUNDANCY STANDARD STANDARD_IA"
            ),
            "rules.existingObjectReplication.status": SWITCH,
            "rules.sourceSelectionCriteria.sseKmsEncryptedObjects.status": SWITCH,
            "rules.status": SWITCH,
        },
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {
            "rules.applyServerSideEncryptionByDefault.sseAlgorithm": "AES256 aws:kms aws:kms:dsse",
        },
        "aws:s3/bucketVersioning:BucketVersioning": {
            "versioningConfiguration.mfaDelete": SWITCH,
            "versioningConfiguration.status": "Disabled Enabled Suspended",
        },
        "aws:servicediscovery/service:Service": {
            "dnsConfig.dnsRecords.type": "A AAAA CNAME SRV",
            "dnsConfig.routingPolicy": "MULTIVALUE WEIGHTED",
        },
        "aws:sns/topicSubscription:TopicSubscription": {  # Subscribe, prose
            "filterPolicyScope": "MessageAttributes MessageBody",
            "protocol": "application email email-json firehose http https lambda sms sqs",
        },
        "aws:sqs/queue:Queue": {  # CreateQueue, prose
            "deduplicationScope": "messageGroup queue",
            "fifoThroughputLimit": "perMessageGroupId perQueue",
        },
        "aws:wafv2/webAcl:WebAcl": {
            "rules.statement.rateBasedStatement.aggregateKeyType": "CONSTANT CUSTOM_KEYS FORWARDED_IP IP",
            "rules.statement.rateBasedStatement.forwardedIpConfig.fallbackBehavior": "MATCH NO_MATCH",
            "scope": "CLOUDFRONT REGIONAL",
        },
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {
            "loggingFilter.defaultBehavior": "DROP KEEP",
            "loggingFilter.filters.behavior": "DROP KEEP",
            "loggingFilter.filters.conditions.actionCondition.action": (
                "ALLOW BLOCK CAPTCHA CHALLENGE COUNT EXCLUDED_AS_COUNT"
            ),
            "loggingFilter.filters.requirement": "MEETS_ALL MEETS_ANY",
        },
    }.items()
}
