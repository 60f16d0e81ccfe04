"""Buckets: private, encrypted, versioned, with an end to what is kept; what logs are delivered to; copies elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.s3.bucket import Bucket as S3Bucket
from pulumi_aws.s3.bucket_cors_configuration import BucketCorsConfiguration
from pulumi_aws.s3.bucket_lifecycle_configuration import BucketLifecycleConfiguration
from pulumi_aws.s3.bucket_logging import BucketLogging
from pulumi_aws.s3.bucket_object_lock_configuration import BucketObjectLockConfiguration
from pulumi_aws.s3.bucket_ownership_controls import BucketOwnershipControls
from pulumi_aws.s3.bucket_policy import BucketPolicy
from pulumi_aws.s3.bucket_public_access_block import BucketPublicAccessBlock
from pulumi_aws.s3.bucket_replication_config import BucketReplicationConfig
from pulumi_aws.s3.bucket_server_side_encryption_configuration import BucketServerSideEncryptionConfiguration
from pulumi_aws.s3.bucket_versioning import BucketVersioning

from nottermost_platform.components.backup import backup_tag
from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs
from nottermost_platform.naming import physical_name, type_token
from nottermost_platform.policy import Statement, deny_plain_transport, make_policy, trust
from nottermost_platform.program import Component, Stack

PURGE_DAYS: Final = 30  # what was deleted or replaced is gone for good after this (document D)
UPLOAD_DAYS: Final = 7  # an upload that was never finished
REPLICATION_MINUTES: Final = 15  # the one value that S3 replication time control offers


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketArgs:
    """A bucket.

    Attributes:
        key_arn: encrypts it; None: keys of S3's own, for buckets that AWS delivers logs to (it cannot use ours).
        logs_bucket: takes its access log, under `s3/<bucket>/`; None only for a bucket of logs. See `writable`.
        purge_days: after which deleted and replaced versions are gone.
        expire_days: after which objects are deleted, None: they stay.
        tiering: objects move to Intelligent-Tiering, without the tiers that must be restored before reading.
        lock_days: versions cannot be deleted that long without the right to bypass it; 0: no object lock.
        upload_origins: web origins whose pages may upload and download with signed links.
        allows: statements of its policy beside the refusal of plain transport; see `bucket_arn`.
        policy_elsewhere: another stack writes its policy with `add_bucket_policy`, since only that one
            knows who may read it (a bucket has one policy).
        keep: it outlives the stack, for logs.
        backed_up: AWS Backup takes it.
    """

    key_arn: pulumi.Input[str] | None = None
    logs_bucket: pulumi.Input[str] | None = None
    purge_days: int = PURGE_DAYS
    expire_days: int | None = None
    tiering: bool = False
    lock_days: int = 0
    upload_origins: Sequence[str] = ()
    allows: Sequence[Statement] = ()
    policy_elsewhere: bool = False
    keep: bool = False
    backed_up: bool = False


class Bucket(Component):
    """A bucket that nobody reads unless a policy says so.

    Attributes:
        writable: the name, once its policy is there: for what is refused before, as logging into it.
    """

    KIND = "storage:Bucket"

    def __init__(
        self, stack: Stack[Any], name: str, args: BucketArgs, *, parent: Component | None = None, data_class: str = ""
    ) -> None:
        super().__init__(stack, name, parent=parent, data_class=data_class, protect=stack.place.is_prod or None)
        keep = pulumi.ResourceOptions(retain_on_delete=True) if args.keep else None
        self.bucket = self.add(
            S3Bucket, "", force_destroy=stack.place.env_class == "pr", object_lock_enabled=args.lock_days > 0,
            tags=backup_tag(stack) if args.backed_up else None, opts=keep,
        )  # fmt: skip
        self.name: pulumi.Output[str] = self.bucket.bucket
        self.arn: pulumi.Output[str] = self.bucket.arn
        self.domain: pulumi.Output[str] = self.bucket.bucket_regional_domain_name
        closed = self.add(
            BucketPublicAccessBlock, "closed", bucket=self.name, block_public_acls=True, block_public_policy=True,
            ignore_public_acls=True, restrict_public_buckets=True,
        )  # fmt: skip
        owner = aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced")
        self.add(BucketOwnershipControls, "owner", bucket=self.name, rule=owner)
        self._encrypt(args)
        self._keep_versions(args)
        if args.logs_bucket is not None:
            self.add(
                BucketLogging, "log", bucket=self.name, target_bucket=args.logs_bucket, target_prefix=f"s3/{name}/"
            )
        if args.upload_origins:
            rule = aws.s3.BucketCorsConfigurationCorsRuleArgs(
                allowed_methods=["GET", "HEAD", "PUT"], allowed_origins=list(args.upload_origins),
                allowed_headers=["*"], expose_headers=["ETag"], max_age_seconds=3600,
            )  # fmt: skip
            self.add(BucketCorsConfiguration, "uploads", bucket=self.name, cors_rules=[rule])
        self.writable = self.name
        if not args.policy_elsewhere:
            self.writable = add_bucket_policy(self, "policy", self.name, self.arn, *args.allows, after=[closed]).bucket
        self.register_outputs({"name": self.name, "arn": self.arn})

    def _encrypt(self, args: BucketArgs) -> None:
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="aws:kms" if args.key_arn is not None else "AES256", kms_master_key_id=args.key_arn
        )
        rule = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default, bucket_key_enabled=args.key_arn is not None
        )
        self.add(BucketServerSideEncryptionConfiguration, "encryption", bucket=self.name, rules=[rule])

    def _keep_versions(self, args: BucketArgs) -> None:
        """Versions, how long they stay, and the lock on them."""
        enabled = aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled")
        versioning = self.add(BucketVersioning, "versions", bucket=self.name, versioning_configuration=enabled)
        after = pulumi.ResourceOptions(depends_on=[versioning])
        everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
        upload = aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=UPLOAD_DAYS
        )
        purge = aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(noncurrent_days=args.purge_days)
        # Not the opt-in archive tiers: Athena and downloads read at once.
        tiering = aws.s3.BucketLifecycleConfigurationRuleTransitionArgs(days=1, storage_class="INTELLIGENT_TIERING")
        rules = [
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="purge", status="Enabled", filter=everything, abort_incomplete_multipart_upload=upload,
                noncurrent_version_expiration=purge, transitions=[tiering] if args.tiering else None,
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.expire_days)
                if args.expire_days else None,
            ),
            aws.s3.BucketLifecycleConfigurationRuleArgs(  # one rule cannot hold both kinds of expiration
                id="delete-markers", status="Enabled", filter=everything,
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
            ),
        ]  # fmt: skip
        self.add(BucketLifecycleConfiguration, "lifecycle", bucket=self.name, rules=rules, opts=after)
        if args.lock_days:
            retention = aws.s3.BucketObjectLockConfigurationRuleDefaultRetentionArgs(
                mode="GOVERNANCE", days=args.lock_days
            )
            rule = aws.s3.BucketObjectLockConfigurationRuleArgs(default_retention=retention)
            self.add(BucketObjectLockConfiguration, "lock", bucket=self.name, rule=rule, opts=after)


def bucket_arn(stack: Stack[Any], name: str, *, region: str = "") -> str:
    """The ARN that a `Bucket` of this logical name has, for the statements of its own policy."""
    place, account = stack.place, stack.settings.account_id
    named = physical_name(
        type_token(S3Bucket), env=place.env, region=region or place.region, account=account, name=name
    )
    return f"arn:aws:s3:::{named}"


def add_bucket_policy(
    component: Component,
    name: str,
    bucket: pulumi.Input[str],
    arn: pulumi.Input[str],
    *statements: Statement,
    after: Sequence[pulumi.Resource] = (),
) -> BucketPolicy:
    """The one policy of a bucket: the statements, and nothing over plain transport."""
    plain = replace(deny_plain_transport(arn, pulumi.Output.concat(arn, "/*")), actions=["s3:*"])
    return component.add(
        BucketPolicy, name, bucket=bucket, policy=make_policy(plain, *statements),
        opts=pulumi.ResourceOptions(depends_on=list(after)),
    )  # fmt: skip


def log_delivery(account: str, arn: str) -> list[Statement]:
    """Lets this account's load balancers, distributions and buckets write their logs into a bucket."""
    mine = {"StringEquals": {"aws:SourceAccount": account}}
    owned = {"StringEquals": {"aws:SourceAccount": account, "s3:x-amz-acl": "bucket-owner-full-control"}}
    return [
        Statement(  # the account is in the path: no other's load balancers write there
            sid="LoadBalancers", actions=["s3:PutObject"], resources=[f"{arn}/*/AWSLogs/{account}/*"],
            services=["logdelivery.elasticloadbalancing.amazonaws.com"],
        ),
        Statement(
            sid="LogDelivery", actions=["s3:PutObject"], resources=[f"{arn}/*"],
            services=["delivery.logs.amazonaws.com"], conditions=owned,
        ),
        Statement(
            sid="LogDeliveryLooks", actions=["s3:GetBucketAcl", "s3:ListBucket"], resources=[arn],
            services=["delivery.logs.amazonaws.com"], conditions=mine,
        ),
        Statement(
            sid="Buckets", actions=["s3:PutObject"], resources=[f"{arn}/*"], as_text=True,
            services=["logging.s3.amazonaws.com"], conditions=mine,
        ),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A bucket and the one that takes its copies."""

    source: pulumi.Input[str]
    source_arn: pulumi.Input[str]
    target: Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketCopiesArgs:
    """Buckets of another region that are copied into this one.

    Attributes:
        source_region: where the sources are; their replication is declared there.
        source_key_arn, target_key_arn: what encrypts both sides.
    """

    buckets: Mapping[str, Copied]
    source_region: str
    source_key_arn: pulumi.Input[str]
    target_key_arn: pulumi.Input[str]


class BucketCopies(Component):
    """Replication that the standby owns: what is written there is here within 15 minutes, deletions too."""

    KIND = "storage:BucketCopies"

    def __init__(
        self, stack: Stack[Any], name: str, args: BucketCopiesArgs, *, parent: Component | None = None
    ) -> None:
        super().__init__(stack, name, parent=parent)
        role = self._role(args)
        on = "Enabled"
        minutes = REPLICATION_MINUTES
        for key, copied in args.buckets.items():
            destination = aws.s3.BucketReplicationConfigRuleDestinationArgs(
                bucket=copied.target.arn,
                encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                    replica_kms_key_id=args.target_key_arn
                ),
                replication_time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeArgs(
                    status=on,
                    time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeTimeArgs(minutes=minutes),
                ),
                metrics=aws.s3.BucketReplicationConfigRuleDestinationMetricsArgs(
                    status=on,
                    event_threshold=aws.s3.BucketReplicationConfigRuleDestinationMetricsEventThresholdArgs(
                        minutes=minutes
                    ),
                ),
            )
            encrypted = aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
                sse_kms_encrypted_objects=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
                    status=on
                )
            )
            rule = aws.s3.BucketReplicationConfigRuleArgs(
                id="standby", status=on, priority=0, filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
                delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status=on),
                source_selection_criteria=encrypted, destination=destination,
            )  # fmt: skip
            self.add(
                BucketReplicationConfig, key, region=args.source_region, bucket=copied.source, role=role.arn,
                rules=[rule], opts=pulumi.ResourceOptions(depends_on=[copied.target]),
            )  # fmt: skip
        self.register_outputs({})

    def _role(self, args: BucketCopiesArgs) -> ServiceRole:
        """May read versions there and write copies here, with the keys of both sides through S3 alone."""
        source, here = args.source_region, self.stack.place.region
        sources = [each.source_arn for each in args.buckets.values()]
        objects = [pulumi.Output.concat(each, "/*") for each in sources]
        targets = [pulumi.Output.concat(each.target.arn, "/*") for each in args.buckets.values()]
        copy = [
            Statement(actions=["s3:GetReplicationConfiguration", "s3:ListBucket"], resources=sources),
            Statement(
                actions=[
                    "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging",
                    "s3:GetObjectRetention", "s3:GetObjectLegalHold",
                ],
                resources=objects,
            ),
            Statement(actions=["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], resources=targets),
            Statement(
                actions=["kms:Decrypt"], resources=[args.source_key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{source}.amazonaws.com"}},
            ),
            Statement(
                actions=["kms:Encrypt", "kms:GenerateDataKey"], resources=[args.target_key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{here}.amazonaws.com"}},
            ),
        ]  # fmt: skip
        trusted = trust("s3.amazonaws.com", self.stack.settings.account_id)
        return ServiceRole(
            self.stack, f"{self.logical_name}-role", parent=self,
            args=ServiceRoleArgs(
                description="Lets S3 copy buckets into the standby", trusted=[trusted], allows={"copy": copy}
            ),
        )  # fmt: skip
