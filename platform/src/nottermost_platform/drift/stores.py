"""Reads what holds data: buckets with all that is set on them, tables, databases, search, caches, images."""

from collections.abc import Iterator
from typing import Any, Final

from nottermost_platform.drift.account import NotReadable, View, pick, tags_of
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import Found, Unread
from nottermost_platform.naming import PRIMARY

BUCKET: Final = "aws:s3/bucket:Bucket"
TABLE: Final = "aws:dynamodb/table:Table"
TABLE_COPY: Final = "aws:dynamodb/tableReplica:TableReplica"
TABLE_POLICY: Final = "aws:dynamodb/resourcePolicy:ResourcePolicy"
DATABASE: Final = "aws:rds/instance:Instance"
DATABASE_SUBNETS: Final = "aws:rds/subnetGroup:SubnetGroup"
PROXY: Final = "aws:rds/proxy:Proxy"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
CACHE_SUBNETS: Final = "aws:elasticache/subnetGroup:SubnetGroup"
SEARCH: Final = "aws:opensearch/domain:Domain"
IMAGES: Final = "aws:ecr/repository:Repository"
IMAGES_POLICY: Final = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


# --- buckets --------------------------------------------------------------------------------------

# What is set on a bucket by a call of its own: type, operation, the error that says there is none, properties.
Settings = tuple[str, str, str, dict[str, str]]
PUBLIC_ACCESS: Final = "PublicAccessBlockConfiguration"
SETTINGS: Final[tuple[Settings, ...]] = (
    (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "get_public_access_block",
        "NoSuchPublicAccessBlockConfiguration",
        {
            "blockPublicAcls": f"{PUBLIC_ACCESS}.BlockPublicAcls", "blockPublicPolicy": f"{PUBLIC_ACCESS}.BlockPublicPolicy",
            "ignorePublicAcls": f"{PUBLIC_ACCESS}.IgnorePublicAcls",
            "restrictPublicBuckets": f"{PUBLIC_ACCESS}.RestrictPublicBuckets",
        },
    ),
    ("aws:s3/bucketPolicy:BucketPolicy", "get_bucket_policy", "NoSuchBucketPolicy", {"policy": "Policy"}),
    (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "get_bucket_encryption",
        "ServerSideEncryptionConfigurationNotFoundError", {"rules": "ServerSideEncryptionConfiguration.Rules"},
    ),
    (
        "aws:s3/bucketVersioning:BucketVersioning", "get_bucket_versioning", "",
        {"versioningConfiguration": "{status: Status, mfaDelete: MFADelete}"},
    ),
    (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "get_bucket_lifecycle_configuration",
        "NoSuchLifecycleConfiguration", {"rules": "Rules"},
    ),
    (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls", "get_bucket_ownership_controls",
        "OwnershipControlsNotFoundError", {"rule": "OwnershipControls.Rules[0]"},
    ),
    (
        "aws:s3/bucketLogging:BucketLogging", "get_bucket_logging", "",
        {"targetBucket": "LoggingEnabled.TargetBucket", "targetPrefix": "LoggingEnabled.TargetPrefix"},
    ),
    (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "get_object_lock_configuration",
        "ObjectLockConfigurationNotFoundError", {"rule": "ObjectLockConfiguration.Rule"},
    ),
    (
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "get_bucket_cors", "NoSuchCORSConfiguration",
        {"corsRules": "CORSRules"},
    ),
)  # fmt: skip


@reader(BUCKET, *(type_ for type_, *_ in SETTINGS))
def read_buckets(view: View) -> Iterator[Found]:
    names = [each for each in view.list("s3", "list_buckets", "Buckets[].Name") if view.is_ours(BUCKET, each)]
    for parts in view.each(lambda each: list(_read_bucket(view, each)), names):
        yield from parts


def _read_bucket(view: View, name: str) -> Iterator[Found]:
    """A bucket and what is set on it; what of that cannot be read does not keep the rest from being compared."""
    where = (view.get("s3", "get_bucket_location", Bucket=name) or {}).get("LocationConstraint") or PRIMARY
    if where != view.region:
        return
    tags = (view.get("s3", "get_bucket_tagging", Bucket=name, absent=("NoSuchTagSet",)) or {}).get("TagSet")
    outputs = {
        "id": name, "arn": f"arn:aws:s3:::{name}", "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{view.region}.amazonaws.com",
    }  # fmt: skip
    yield Found(type=BUCKET, region=view.region, properties={"bucket": name}, outputs=outputs, tags=tags_of(tags))
    for type_, operation, absent, paths in SETTINGS:
        try:
            answer = view.get("s3", operation, Bucket=name, absent=(absent,))
        except NotReadable as error:
            view.unread.append(Unread(type_, view.region, name, str(error)))
            continue
        found = pick(answer or {}, **paths)
        if any(value not in (None, {}, [], {"status": None, "mfaDelete": None}) for value in found.values()):
            yield Found(type=type_, region=view.region, properties={"bucket": name, **found}, belongs_to=(BUCKET, name))


# --- tables ---------------------------------------------------------------------------------------


@reader(TABLE, TABLE_COPY, TABLE_POLICY)
def read_tables(view: View) -> Iterator[Found]:
    names = [each for each in view.list("dynamodb", "list_tables", "TableNames") if view.home_of(TABLE, each)]
    for parts in view.each(lambda each: list(_read_table(view, each)), names):
        yield from parts


def _read_table(view: View, name: str) -> Iterator[Found]:
    """A table and its policy; in another region than its own it is the copy there, of which less is declared."""
    table = (view.get("dynamodb", "describe_table", TableName=name) or {})["Table"]
    arn, home = table["TableArn"], view.home_of(TABLE, name)
    tags = tags_of(view.list("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=arn))
    properties = _table_properties(view, name, table)
    type_ = TABLE if home == view.region else TABLE_COPY
    if type_ == TABLE_COPY:
        properties = {
            "globalTableArn": arn.replace(f":{view.region}:", f":{home}:"), "kmsKeyArn": properties["serverSideEncryption"]["kmsKeyArn"],
            "pointInTimeRecovery": properties["pointInTimeRecovery"]["enabled"],
            "deletionProtectionEnabled": properties["deletionProtectionEnabled"],
        }  # fmt: skip
    outputs = {"id": name, "arn": arn, "streamArn": table.get("LatestStreamArn")}
    yield Found(type=type_, region=view.region, properties=properties, outputs=outputs, tags=tags)
    policy = view.get("dynamodb", "get_resource_policy", ResourceArn=arn, absent=("PolicyNotFoundException",))
    if policy and policy.get("Policy"):
        properties = {"resourceArn": arn, "policy": policy["Policy"]}
        yield Found(type=TABLE_POLICY, region=view.region, properties=properties, belongs_to=(type_, name))


def _table_properties(view: View, name: str, table: dict[str, Any]) -> dict[str, Any]:
    backups = view.get("dynamodb", "describe_continuous_backups", TableName=name) or {}
    expiry = view.get("dynamodb", "describe_time_to_live", TableName=name) or {}
    recovery = (
        "{enabled: ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus=='ENABLED'}"
    )
    ttl = "TimeToLiveDescription.{enabled: TimeToLiveStatus=='ENABLED', attributeName: AttributeName}"
    return pick(
        table, name="TableName", hashKey="KeySchema[?KeyType=='HASH'] | [0].AttributeName",
        rangeKey="KeySchema[?KeyType=='RANGE'] | [0].AttributeName",
        attributes="AttributeDefinitions[].{name: AttributeName, type: AttributeType}",
        deletionProtectionEnabled="DeletionProtectionEnabled", billingMode="BillingModeSummary.BillingMode || 'PROVISIONED'",
        streamEnabled="StreamSpecification.StreamEnabled", streamViewType="StreamSpecification.StreamViewType",
        serverSideEncryption="{enabled: SSEDescription.Status=='ENABLED', kmsKeyArn: SSEDescription.KMSMasterKeyArn}",
    ) | pick(backups, pointInTimeRecovery=recovery) | pick(expiry, ttl=ttl)  # fmt: skip


# --- databases ------------------------------------------------------------------------------------


@reader(DATABASE, DATABASE_SUBNETS, PROXY)
def read_databases(view: View) -> Iterator[Found]:
    for each in view.list("rds", "describe_db_instances", "DBInstances"):
        yield _read_database(view, each)
    for each in view.list("rds", "describe_db_subnet_groups", "DBSubnetGroups"):
        paths = {
            "name": "DBSubnetGroupName",
            "description": "DBSubnetGroupDescription",
            "subnetIds": "Subnets[].SubnetIdentifier",
        }
        outputs = {"id": each["DBSubnetGroupName"], "arn": each["DBSubnetGroupArn"]}
        tags = read_tags(view, "rds", DATABASE_SUBNETS, outputs)
        properties = pick(each, **paths)
        yield Found(type=DATABASE_SUBNETS, region=view.region, properties=properties, outputs=outputs, tags=tags)
    for each in view.list("rds", "describe_db_proxies", "DBProxies"):
        properties = pick(
            each, name="DBProxyName", engineFamily="EngineFamily", requireTls="RequireTLS", roleArn="RoleArn",
            idleClientTimeout="IdleClientTimeout", debugLogging="DebugLogging", vpcSubnetIds="VpcSubnetIds",
            vpcSecurityGroupIds="VpcSecurityGroupIds",
        )  # fmt: skip
        outputs = {"id": each["DBProxyName"], "arn": each["DBProxyArn"], "endpoint": each.get("Endpoint")}
        tags = read_tags(view, "rds", PROXY, outputs)
        yield Found(type=PROXY, region=view.region, properties=properties, outputs=outputs, tags=tags)


def read_tags(view: View, service: str, type_: str, outputs: dict[str, Any]) -> dict[str, str] | None:
    """Tags that a service's lists leave out. None: it has another name than ours, and none of our tags."""
    tags = view.tags.get(outputs["arn"])
    if tags is None and view.is_ours(type_, outputs["id"]):
        return tags_of(view.list(service, "list_tags_for_resource", "TagList", ResourceName=outputs["arn"]))
    return tags


def _read_database(view: View, database: dict[str, Any]) -> Found:
    properties = pick(
        database, identifier="DBInstanceIdentifier", engine="Engine", instanceClass="DBInstanceClass", multiAz="MultiAZ",
        publiclyAccessible="PubliclyAccessible", storageEncrypted="StorageEncrypted", kmsKeyId="KmsKeyId",
        deletionProtection="DeletionProtection", backupRetentionPeriod="BackupRetentionPeriod", storageType="StorageType",
        iamDatabaseAuthenticationEnabled="IAMDatabaseAuthenticationEnabled", copyTagsToSnapshot="CopyTagsToSnapshot",
        autoMinorVersionUpgrade="AutoMinorVersionUpgrade", backupWindow="PreferredBackupWindow",
        maintenanceWindow="PreferredMaintenanceWindow", dbSubnetGroupName="DBSubnetGroup.DBSubnetGroupName",
        vpcSecurityGroupIds="VpcSecurityGroups[].VpcSecurityGroupId", enabledCloudwatchLogsExports="EnabledCloudwatchLogsExports",
        parameterGroupName="DBParameterGroups[0].DBParameterGroupName", monitoringInterval="MonitoringInterval",
        monitoringRoleArn="MonitoringRoleArn", caCertIdentifier="CACertificateIdentifier",
    )  # fmt: skip
    address = database.get("Endpoint", {}).get("Address")
    outputs = {
        "id": database.get("DbiResourceId"), "resourceId": database.get("DbiResourceId"), "arn": database["DBInstanceArn"],
        "address": address, "endpoint": f"{address}:{database.get('Endpoint', {}).get('Port')}",
    }  # fmt: skip
    if secret := database.get("MasterUserSecret"):
        outputs["masterUserSecrets"] = [{"secretArn": secret["SecretArn"]}]
    return Found(
        type=DATABASE, region=view.region, properties=properties, outputs=outputs, tags=tags_of(database.get("TagList"))
    )


# --- caches and search ----------------------------------------------------------------------------


@reader(CACHE, CACHE_SUBNETS)
def read_caches(view: View) -> Iterator[Found]:
    for each in view.list("elasticache", "describe_replication_groups", "ReplicationGroups"):
        if view.is_ours(CACHE, each["ReplicationGroupId"]):
            yield _read_cache(view, each)
    for each in view.list("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups"):
        paths = {
            "name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription", "subnetIds": "Subnets[].SubnetIdentifier",
        }  # fmt: skip
        outputs = {"id": each["CacheSubnetGroupName"], "arn": each["ARN"]}
        tags = read_tags(view, "elasticache", CACHE_SUBNETS, outputs)
        properties = pick(each, **paths)
        yield Found(type=CACHE_SUBNETS, region=view.region, properties=properties, outputs=outputs, tags=tags)


def _read_cache(view: View, cache: dict[str, Any]) -> Found:
    properties = pick(
        cache, replicationGroupId="ReplicationGroupId", description="Description", nodeType="CacheNodeType",
        atRestEncryptionEnabled="AtRestEncryptionEnabled", transitEncryptionEnabled="TransitEncryptionEnabled",
        snapshotRetentionLimit="SnapshotRetentionLimit", snapshotWindow="SnapshotWindow", kmsKeyId="KmsKeyId",
        transitEncryptionMode="TransitEncryptionMode", userGroupIds="UserGroupIds",
    )  # fmt: skip
    properties["automaticFailoverEnabled"] = cache.get("AutomaticFailover") in ("enabled", "enabling")
    properties["multiAzEnabled"] = cache.get("MultiAZ") == "enabled"
    primary, reader_ = "NodeGroups[0].PrimaryEndpoint.Address", "NodeGroups[0].ReaderEndpoint.Address"
    outputs = pick(
        cache, id="ReplicationGroupId", arn="ARN", primaryEndpointAddress=primary, readerEndpointAddress=reader_
    )
    tags = tags_of(view.list("elasticache", "list_tags_for_resource", "TagList", ResourceName=cache["ARN"]))
    return Found(type=CACHE, region=view.region, properties=properties, outputs=outputs, tags=tags)


@reader(SEARCH)
def read_search(view: View) -> Iterator[Found]:
    names = view.list("opensearch", "list_domain_names", "DomainNames[].DomainName")
    for name in (each for each in names if view.is_ours(SEARCH, each)):
        domain = (view.get("opensearch", "describe_domain", DomainName=name) or {})["DomainStatus"]
        properties = pick(
            domain, domainName="DomainName", engineVersion="EngineVersion", accessPolicies="AccessPolicies",
            clusterConfig="ClusterConfig", domainEndpointOptions="DomainEndpointOptions", ebsOptions="EBSOptions",
            encryptAtRest="EncryptionAtRestOptions", nodeToNodeEncryption="NodeToNodeEncryptionOptions",
            vpcOptions="VPCOptions.{subnetIds: SubnetIds, securityGroupIds: SecurityGroupIds}",
            advancedSecurityOptions="AdvancedSecurityOptions",
        )  # fmt: skip
        properties["logPublishingOptions"] = [
            {"logType": kind, "cloudwatchLogGroupArn": log.get("CloudWatchLogsLogGroupArn"), "enabled": True}
            for kind, log in (domain.get("LogPublishingOptions") or {}).items()
            if log.get("Enabled")
        ]
        outputs = {"id": domain["ARN"], "arn": domain["ARN"], "endpoint": (domain.get("Endpoints") or {}).get("vpc")}
        tags = tags_of(view.list("opensearch", "list_tags", "TagList", ARN=domain["ARN"]))
        yield Found(type=SEARCH, region=view.region, properties=properties, outputs=outputs, tags=tags)


# --- images ---------------------------------------------------------------------------------------


@reader(IMAGES, IMAGES_POLICY)
def read_images(view: View) -> Iterator[Found]:
    for each in view.list("ecr", "describe_repositories", "repositories"):
        name, arn = each["repositoryName"], each["repositoryArn"]
        if not view.is_ours(IMAGES, name):
            continue
        properties = pick(
            each, name="repositoryName", imageTagMutability="imageTagMutability",
            imageScanningConfiguration="imageScanningConfiguration", encryptionConfigurations="[encryptionConfiguration]",
        )  # fmt: skip
        tags = tags_of(view.list("ecr", "list_tags_for_resource", "tags", resourceArn=arn))
        outputs = {"id": name, "arn": arn, "repositoryUrl": each["repositoryUri"]}
        yield Found(type=IMAGES, region=view.region, properties=properties, outputs=outputs, tags=tags)
        kept = view.get(
            "ecr", "get_lifecycle_policy", repositoryName=name, absent=("LifecyclePolicyNotFoundException",)
        )
        if kept:
            properties = {"repository": name, "policy": kept["lifecyclePolicyText"]}
            yield Found(type=IMAGES_POLICY, region=view.region, properties=properties, belongs_to=(IMAGES, name))
