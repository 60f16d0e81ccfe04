"""Rules of RDS: controls 12 to 23."""

from collections.abc import Mapping
from typing import Final

from nottermost_platform.graph import SECRET, Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.network import GROUP
from nottermost_platform.rules.stores import ROLE, are_ours, has_key, has_log_group, lacks_ground
from nottermost_platform.rules.view import View, get, items, number, texts

INSTANCE: Final = "rds/instance:Instance"
CLUSTER: Final = "rds/cluster:Cluster"
MEMBER: Final = "rds/clusterInstance:ClusterInstance"
SUBNETS: Final = "rds/subnetGroup:SubnetGroup"
PARAMETERS: Final = "rds/parameterGroup:ParameterGroup"
CLUSTER_PARAMETERS: Final = "rds/clusterParameterGroup:ClusterParameterGroup"
PROXY: Final = "rds/proxy:Proxy"
EVENTS: Final = "rds/eventSubscription:EventSubscription"
FUNCTION: Final = "lambda/function:Function"
ROTATION: Final = "secretsmanager/secretRotation:SecretRotation"
ENGINES: Final = ("postgres", "aurora-postgresql")
GUESSED: Final = ("postgres", "admin", "root", "rdsadmin", "master")
OLD_CERTIFICATES: Final = ("rds-ca-2015", "rds-ca-2019")
# What has to be told, by the type of what it happens to: RDS' name of the source, its categories.
TOLD: Final = {
    f"aws:{INSTANCE}": (
        "db-instance",
        {"availability", "configuration change", "deletion", "failover", "failure", "low storage", "maintenance",
         "notification", "recovery"},
    ),
    f"aws:{CLUSTER}": ("db-cluster", {"configuration change", "deletion", "failover", "failure", "maintenance"}),
    f"aws:{PARAMETERS}": ("db-parameter-group", {"configuration change"}),
}  # fmt: skip


def is_instance(database: Resource) -> bool:
    return database.type == f"aws:{INSTANCE}"


def identity_of(database: Resource) -> str:
    """What RDS calls it: to compare texts, since its subnet group may have the same name."""
    return str(get(database, "identifier") or get(database, "clusterIdentifier") or get(database, "name"))


def is_reader(database: Resource, view: View) -> bool:
    """A replica for good: of an instance in its own region. One of another region's may be promoted."""
    return any(each.region == database.region for each in view.targets(database, "replicateSourceDb", INSTANCE))


def parameters_of(database: Resource, view: View) -> Mapping[str, str]:
    """The parameters that its group of ours sets."""
    path = "parameterGroupName" if is_instance(database) else "dbClusterParameterGroupName"
    groups = view.targets(database, path, PARAMETERS, CLUSTER_PARAMETERS)
    return {str(get(each, "name")): str(get(each, "value")) for group in groups for each in items(group, "parameters")}


@rule(
    "database-encrypted", 12, Severity.MEDIUM, INSTANCE, CLUSTER,
    title="Databases are encrypted with a key of ours",
    fsbp="RDS.3 RDS.27", checkov="16 96 327", nag="RDS2", fix="storage_encrypted=True and kms_key_id",
)  # fmt: skip
def database_encrypted(database: Resource, view: View) -> Lacks:
    if get(database, "storageEncrypted") is not True:
        yield "is not encrypted"
    if not has_key(database, view, "kmsKeyId"):
        yield "is not encrypted with a key of ours"


@rule(
    "database-private", 13, Severity.CRITICAL, INSTANCE, CLUSTER, MEMBER,
    title="Databases have no public address, a subnet group and a security group of ours",
    fsbp="RDS.2", checkov="17", fix="publicly_accessible=False, db_subnet_group_name and vpc_security_group_ids",
)  # fmt: skip
def database_private(database: Resource, view: View) -> Lacks:
    is_member = database.type == f"aws:{MEMBER}"
    if (is_instance(database) or is_member) and get(database, "publiclyAccessible") is not False:
        yield "has a public address"
    if not is_member and not are_ours(database, view, "dbSubnetGroupName", SUBNETS):
        yield "stands in a subnet group that is not ours"
    if not is_member and not are_ours(database, view, "vpcSecurityGroupIds", GROUP):
        yield "wears a security group that is not ours, or none"


@rule(
    "database-subnets", 13, Severity.HIGH, SUBNETS, PROXY,
    title="Databases and their proxies stand in data subnets, which lead nowhere, in two zones; in production in three",
    fsbp="RDS.18 RDS.46", fix="give it the network's data subnets",
)  # fmt: skip
def database_subnets(place: Resource, view: View) -> Lacks:
    if place.type == f"aws:{PROXY}":  # in two also in production: a third would replace it
        yield from lacks_ground(place, view, "vpcSubnetIds", zones=2)
    else:
        yield from lacks_ground(place, view, "subnetIds")


@rule(
    "database-zones", 14, Severity.MEDIUM, INSTANCE, CLUSTER, envs=("prod",),
    title="In production a database stands in two zones, and says which member takes over",
    fsbp="RDS.5 RDS.15", checkov="157", nag="RDS3", fix="multi_az=True, or two members with promotion_tier",
)  # fmt: skip
def database_zones(database: Resource, view: View) -> Lacks:
    if is_instance(database):
        if get(database, "multiAz") is not True:
            yield "stands in one zone"
        return
    members = view.users_at(database, MEMBER, "clusterIdentifier")
    zones = {str(get(each, "availabilityZone")) for each in members if get(each, "availabilityZone")}
    if len(zones) < 2:
        yield f"has members in {len(zones)} zones of 2"
    if any(get(each, "promotionTier") is None for each in members):
        yield "does not say which member takes over"


@rule(
    "database-copied", 0, Severity.HIGH, INSTANCE, envs=("prod",),
    title="In production a database stands in the other region too: a replica, or what was one before a failover",
    fix="copied=True and source_arn of Database, in the stacks of data",
)  # fmt: skip
def database_copied(database: Resource, view: View) -> Lacks:
    if all(each.region == database.region for each in view.of(INSTANCE)):
        yield "has no copy in another region"
    if get(database, "replicateSourceDb") and not view.targets(database, "replicateSourceDb", INSTANCE):
        yield "is a replica of no database of ours"


@rule(
    "database-deletion", 15, Severity.MEDIUM, INSTANCE, CLUSTER,
    title="Databases leave a last snapshot; in production AWS refuses to delete them",
    fsbp="RDS.7 RDS.8", checkov="139 293", nag="RDS10",
    fix="skip_final_snapshot=False with final_snapshot_identifier; deletion_protection=True in production",
)  # fmt: skip
def database_deletion(database: Resource, view: View) -> Lacks:
    if view.is_prod and get(database, "deletionProtection") is not True:
        yield "can be deleted"
    if is_reader(database, view):
        if get(database, "skipFinalSnapshot") is not True:
            yield "asks for a last snapshot, which RDS refuses of a replica: it cannot be deleted"
        return
    if get(database, "skipFinalSnapshot") is not False or not get(database, "finalSnapshotIdentifier"):
        yield "leaves no snapshot when it is deleted"


@rule(
    "database-backups", 16, Severity.MEDIUM, INSTANCE, CLUSTER,
    title="Databases can be put back to any second of a week; in production of two, also once they are deleted",
    fsbp="RDS.11 RDS.50", checkov="133", nag="RDS13",
    fix="database.backup_days in the settings of data; delete_automated_backups=False",
)  # fmt: skip
def database_backups(database: Resource, view: View) -> Lacks:
    days, wanted = number(database, "backupRetentionPeriod"), 14 if view.is_prod else 7
    if days < wanted:
        yield f"is backed up for {days:.0f} days of {wanted}"
    if view.is_prod and get(database, "deleteAutomatedBackups") is not False:
        yield "takes its backups with it when it is deleted"


@rule(
    "database-connections", 17, Severity.MEDIUM, INSTANCE, CLUSTER, MEMBER,
    title="Databases speak TLS alone, with a certificate that clients trust, and let in who signs in by IAM",
    fsbp="RDS.10 RDS.12", checkov="161 162 CKV2_AWS_69", nag="RDS6",
    fix="iam_database_authentication_enabled=True, rds.force_ssl=1 in the parameter group, ca_cert_identifier",
)  # fmt: skip
def database_connections(database: Resource, view: View) -> Lacks:
    certificate = str(get(database, "caCertIdentifier"))
    is_old = not certificate.startswith("rds-ca-") or certificate in OLD_CERTIFICATES
    if database.type != f"aws:{CLUSTER}" and is_old:
        yield f"shows a certificate of {certificate}"
    if get(database, "engine") not in ENGINES:
        yield "is no PostgreSQL, which the chat speaks to and these rules are for"
    if database.type == f"aws:{MEMBER}":
        return
    if get(database, "iamDatabaseAuthenticationEnabled") is not True:
        yield "lets nobody sign in by IAM"
    if parameters_of(database, view).get("rds.force_ssl") != "1":
        yield "answers without TLS: no parameter group of ours has rds.force_ssl=1"


@rule(
    "database-logs", 18, Severity.MEDIUM, INSTANCE, CLUSTER,
    title="Databases log slow statements, changes of tables and waits for locks, into log groups of ours",
    fsbp="RDS.9 RDS.36 RDS.37", checkov="129 324 CKV2_AWS_27 CKV2_AWS_30",
    fix="enabled_cloudwatch_logs_exports with a log group each, and log_* in the parameter group",
)  # fmt: skip
def database_logs(database: Resource, view: View) -> Lacks:
    exported = items(database, "enabledCloudwatchLogsExports")
    if "postgresql" not in exported:
        yield "does not hand its log to CloudWatch"
    kind = "instance" if is_instance(database) else "cluster"
    for each in exported:
        if not has_log_group(database, view, f"/aws/rds/{kind}/{identity_of(database)}/{each}"):
            yield f"has no log group of ours for {each}"
    parameters = parameters_of(database, view)
    if parameters.get("log_statement") not in ("ddl", "mod", "all"):
        yield "does not log changes of its tables"
    if number(parameters, "log_min_duration_statement") <= 0:
        yield "logs no slow statement, or each one with its values"
    if parameters.get("log_lock_waits") not in ("1", "on"):
        yield "does not log waits for locks"


@rule(
    "database-limits", 0, Severity.LOW, INSTANCE,
    title="A database's disk grows before it is full, and a transaction ends whose client is gone",
    fix="max_allocated_storage above allocated_storage; idle_in_transaction_session_timeout in the parameter group",
)  # fmt: skip
def database_limits(database: Resource, view: View) -> Lacks:
    if number(database, "maxAllocatedStorage") <= number(database, "allocatedStorage"):
        yield "has a disk that does not grow"
    if number(parameters_of(database, view), "idle_in_transaction_session_timeout") <= 0:
        yield "keeps the locks of clients that are gone"


@rule(
    "database-updates", 19, Severity.HIGH, INSTANCE, CLUSTER, MEMBER,
    title="Databases install minor versions by themselves and are not put back by us; snapshots keep their tags",
    fsbp="RDS.13 RDS.16 RDS.17 RDS.35 RDS.47", checkov="226 313 CKV2_AWS_60",
    fix="auto_minor_version_upgrade=True, copy_tags_to_snapshot=True, engine_version without a minor one",
)  # fmt: skip
def database_updates(database: Resource, _view: View) -> Lacks:
    if get(database, "copyTagsToSnapshot") is not True:
        yield "makes snapshots without tags, which nobody can bill or find"
    if database.type != f"aws:{CLUSTER}" and get(database, "autoMinorVersionUpgrade") is not True:
        yield "does not install minor versions"
    version = str(get(database, "engineVersion", ""))
    if database.type != f"aws:{MEMBER}" and not (
        version.isdigit() or "engineVersion" in database.options.ignore_changes
    ):
        yield f"is of version {version or 'unsaid'}: the next minor one would be put back"


@rule(
    "database-watched", 20, Severity.LOW, INSTANCE, MEMBER,
    title="What a database's machine and its statements do is kept, encrypted with a key of ours",
    fsbp="RDS.6", checkov="118 353 354",
    fix="monitoring_interval with a role, performance_insights_enabled with a key and seven days",
)  # fmt: skip
def database_watched(database: Resource, view: View) -> Lacks:
    if number(database, "monitoringInterval") <= 0:
        yield "does not report what its machine does"
    if not view.targets(database, "monitoringRoleArn", ROLE):
        yield "has no role of ours to report by"
    if get(database, "performanceInsightsEnabled") is not True:
        yield "does not record what its statements wait for"
    if not has_key(database, view, "performanceInsightsKmsKeyId"):
        yield "does not encrypt with a key of ours what its statements wait for"
    if number(database, "performanceInsightsRetentionPeriod") < 7:
        yield "keeps for less than 7 days what its statements wait for"


@rule(
    "database-first-user", 21, Severity.MEDIUM, INSTANCE, CLUSTER,
    title="The first user has a name of its own and a password that no program knows and that changes",
    fsbp="RDS.24 RDS.25", fix="manage_master_user_password=True with a key, or password_wo and its secret's rotation",
)  # fmt: skip
def database_first_user(database: Resource, view: View) -> Lacks:
    user = get(database, "username") or get(database, "masterUsername")
    given = get(database, "passwordWo") or get(database, "masterPasswordWo")
    managed = get(database, "manageMasterUserPassword") is True
    if user in GUESSED:
        yield f"calls its first user {user}, which everybody tries"
    if "password" in database.inputs or "masterPassword" in database.inputs:
        yield "is given a password that stays in Pulumi's state"
    if managed and not has_key(database, view, "masterUserSecretKmsKeyId"):
        yield "has a password that no key of ours encrypts"
    if given and given != SECRET:
        yield "has its password in the program"
    if given and not is_rotated(database, view):
        yield "has a password that nothing changes at once"
    # One that was copied has neither of them: it has the users of the one that it is of.
    if bool(user) != (managed or bool(given)):
        yield "has a first user without a password that somebody keeps, or the reverse"


def is_rotated(database: Resource, view: View) -> bool:
    """Whether a function that knows the database changes its secret, at once and then from time to time."""
    functions = [
        each
        for each in view.of(FUNCTION)
        if each.region == database.region and identity_of(database) in texts(get(each, "environment"))
    ]
    rotations = [each for function in functions for each in view.users_at(function, ROTATION, "rotationLambdaArn")]
    return any(get(each, "rotateImmediately") is True for each in rotations)


@rule(
    "database-proxy", 22, Severity.MEDIUM, PROXY,
    title="A proxy speaks TLS alone, lets in who signs in by IAM, and logs no statements",
    fsbp="RDS.43", fix="require_tls=True, default_auth_scheme='IAM_AUTH', debug_logging=False, a log group",
)  # fmt: skip
def database_proxy(proxy: Resource, view: View) -> Lacks:
    if get(proxy, "requireTls") is not True:
        yield "answers without TLS"
    auths = items(proxy, "auths")
    by_iam = get(proxy, "defaultAuthScheme") == "IAM_AUTH" or bool(auths)
    if not by_iam or any(get(each, "iamAuth") != "REQUIRED" for each in auths):
        yield "lets clients in by password"
    if get(proxy, "debugLogging") is not False:
        yield "writes statements into its log"
    if not are_ours(proxy, view, "vpcSecurityGroupIds", GROUP):
        yield "wears a security group that is not ours, or none"
    if not view.targets(proxy, "roleArn", ROLE):
        yield "has no role of ours"
    if not has_log_group(proxy, view, f"/aws/rds/proxy/{get(proxy, 'name')}"):
        yield "has no log group of ours"


@rule(
    "database-global", 22, Severity.MEDIUM, "rds/globalCluster:GlobalCluster",
    title="A global cluster is encrypted; in production AWS refuses to delete it",
    checkov="140", fix="storage_encrypted=True; deletion_protection=True in production",
)  # fmt: skip
def database_global(cluster: Resource, view: View) -> Lacks:
    if get(cluster, "storageEncrypted") is not True:
        yield "is not encrypted"
    if view.is_prod and get(cluster, "deletionProtection") is not True:
        yield "can be deleted"


# Without RDS.22: security groups of RDS' own ended with EC2-Classic, and send no events any more.
@rule(
    "database-events", 23, Severity.LOW, INSTANCE, CLUSTER, PARAMETERS, envs=("prod",),
    title="In production what happens to databases and their parameters reaches a topic of ours",
    fsbp="RDS.19 RDS.20 RDS.21", fix="an EventSubscription in async that names it, or all of its kind",
)  # fmt: skip
def database_events(source: Resource, view: View) -> Lacks:
    kind, wanted = TOLD[source.type]
    told = set[str]()
    for each in view.of(EVENTS):
        names = get(each, "sourceType") == kind and (
            not items(each, "sourceIds") or identity_of(source) in items(each, "sourceIds")
        )
        if names and each.region == source.region and get(each, "enabled") is not False:
            if not are_ours(each, view, "snsTopic", "sns/topic:Topic"):
                yield f"is told of by {each.name} to no topic of ours"
                continue
            told |= {str(category) for category in items(each, "eventCategories") or wanted}
    if missing := wanted - told:
        yield f"tells nobody of {', '.join(sorted(missing))}"
