"""Rules of S3: controls 53 to 56."""

from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.keys import KEYS, lets_service
from nottermost_platform.rules.statements import account_of, read, refuses_plain_transport
from nottermost_platform.rules.view import View, get, items, number

BUCKET: Final = "s3/bucket:Bucket"
CLOSED: Final = "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION: Final = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
LIFECYCLE: Final = "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOCK: Final = "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
LOGGING: Final = "s3/bucketLogging:BucketLogging"
NOTIFICATION: Final = "s3/bucketNotification:BucketNotification"
OWNER: Final = "s3/bucketOwnershipControls:BucketOwnershipControls"
POLICY: Final = "s3/bucketPolicy:BucketPolicy"
REPLICATION: Final = "s3/bucketReplicationConfig:BucketReplicationConfig"
VERSIONING: Final = "s3/bucketVersioning:BucketVersioning"
TRAIL: Final = "cloudtrail/trail:Trail"
CLOSED_BY: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
PURGE_DAYS_MAX: Final = 365  # what users deleted is gone some day
PURGE_DAYS_MIN: Final = 7  # a mistake is noticed within a week
UPLOAD_DAYS_MAX: Final = 14
LOG_DAYS_MIN: Final = {"prod": 365}  # of access logs; elsewhere a week
TRAIL_DAYS_MIN: Final = {"prod": 365}  # elsewhere a month


def companions(bucket: Resource, view: View, type_: str) -> list[Resource]:
    """The resources of a type that are about a bucket."""
    return view.users_at(bucket, type_, "bucket")


@rule(
    "buckets-closed", 53, Severity.CRITICAL, BUCKET,
    title="A bucket keeps the public out in all four ways",
    fsbp="S3.2 S3.3 S3.8", checkov="53 54 55 56 CKV2_AWS_6", nag="S2",
    fix="a BucketPublicAccessBlock with all four True; the component Bucket adds it",
)  # fmt: skip
def buckets_closed(bucket: Resource, view: View) -> Lacks:
    closed = companions(bucket, view, CLOSED)
    if not closed:
        yield "has no block of public access"
    for each in closed:
        yield from (f"leaves {way} off" for way in CLOSED_BY if get(each, way) is not True)
    if get(bucket, "acl") not in (None, "private") or bucket.inputs.get("grants"):
        yield "has a list of who may read it beside its policy"


@rule(
    "buckets-over-tls", 53, Severity.MEDIUM, BUCKET,
    title="A bucket has one policy, and it refuses what does not come over TLS",
    fsbp="S3.5", checkov="379", nag="S10", fix="add_bucket_policy, in the one stack that knows who may read the bucket",
)  # fmt: skip
def buckets_over_tls(bucket: Resource, view: View) -> Lacks:
    policies = companions(bucket, view, POLICY)
    if len(policies) != 1:
        yield f"has {len(policies)} policies"
    arn = f"arn:aws:s3:::{get(bucket, 'bucket')}"
    for policy in policies:
        document = read(get(policy, "policy"))
        if not all(refuses_plain_transport(document, f"s3:{verb}Object", arn, f"{arn}/x") for verb in ("Get", "Put")):
            yield "answers without TLS"


@rule(
    "buckets-owned", 54, Severity.MEDIUM, BUCKET,
    title="The account owns all that is in its buckets; lists of access count for nothing",
    fsbp="S3.12", checkov="CKV2_AWS_65", fix="BucketOwnershipControls with BucketOwnerEnforced",
)  # fmt: skip
def buckets_owned(bucket: Resource, view: View) -> Lacks:
    owners = companions(bucket, view, OWNER)
    if not owners:
        yield "does not say who owns what is in it"
    for owner in owners:
        if get(owner, "rule.objectOwnership") != "BucketOwnerEnforced":
            yield f"leaves objects to {get(owner, 'rule.objectOwnership')}"


@rule(
    "buckets-encrypted", 54, Severity.MEDIUM, BUCKET,
    title="Objects are encrypted with a key of ours that those who write can use, through a bucket key",
    fsbp="S3.17", checkov="19 145 CKV2_AWS_67", fix="BucketArgs.key_arn; None only where AWS delivers logs and cannot use it",
)  # fmt: skip
def buckets_encrypted(bucket: Resource, view: View) -> Lacks:
    found = companions(bucket, view, ENCRYPTION)
    if not found:
        yield "does not say how it encrypts"
    for each in found:
        default = "rules.0.applyServerSideEncryptionByDefault"
        keys = view.targets(each, f"{default}.kmsMasterKeyId", *KEYS)
        if get(each, f"{default}.sseAlgorithm") not in ("aws:kms", "aws:kms:dsse") or not keys:
            if not _takes_access_logs(bucket, view):
                yield "encrypts with no key of ours"
            elif get(each, f"{default}.sseAlgorithm") != "AES256":
                yield "takes access logs, which S3 encrypts with its own key alone"
        elif get(each, "rules.0.bucketKeyEnabled") is not True:
            yield "asks KMS for every object"
        for service in _services(bucket, view):
            yield from (f"lets {service} in, but its key does not" for key in keys if not lets_service(key, service))


def _takes_access_logs(bucket: Resource, view: View) -> bool:
    return bool(view.users_at(bucket, LOGGING, "targetBucket"))


def _services(bucket: Resource, view: View) -> set[str]:
    """The services that a bucket's policy lets read or write objects."""
    return {
        service
        for policy in companions(bucket, view, POLICY)
        for said in read(get(policy, "policy"))
        if said.allows and any(each in ("s3:GetObject", "s3:PutObject") for each in said.actions)
        for service in said.services
        if service != "billingreports.amazonaws.com"  # it asks as bcm-data-exports
    }


@rule(
    "buckets-versioned", 54, Severity.MEDIUM, BUCKET,
    title="A bucket keeps what was overwritten or deleted for a while, and no longer; unfinished uploads go",
    fsbp="S3.10 S3.13 S3.14", checkov="21 300 CKV2_AWS_61",
    fix="versioning Enabled, and a lifecycle with noncurrent_version_expiration and abort_incomplete_multipart_upload",
)  # fmt: skip
def buckets_versioned(bucket: Resource, view: View) -> Lacks:
    versioning = companions(bucket, view, VERSIONING)
    if not versioning or any(get(each, "versioningConfiguration.status") != "Enabled" for each in versioning):
        yield "keeps no versions"
    lifecycles = companions(bucket, view, LIFECYCLE)
    rules = [
        each
        for lifecycle in lifecycles
        for each in items(lifecycle, "rules")
        if get(each, "status") == "Enabled" and get(each, "filter.prefix", "") == ""
    ]
    if not any(
        PURGE_DAYS_MIN <= _days(each, "noncurrentVersionExpiration.noncurrentDays") <= PURGE_DAYS_MAX for each in rules
    ):
        yield f"does not purge old versions after {PURGE_DAYS_MIN} to {PURGE_DAYS_MAX} days"
    if not any(
        1 <= _days(each, "abortIncompleteMultipartUpload.daysAfterInitiation") <= UPLOAD_DAYS_MAX for each in rules
    ):
        yield "keeps parts of uploads that were never finished"
    if not any(get(each, "expiration.expiredObjectDeleteMarker") is True for each in rules):
        yield "keeps markers of what is gone"
    kept = [_days(each, "expiration.days") for each in rules if _days(each, "expiration.days")]
    least = LOG_DAYS_MIN.get(view.env_class, 7) if _takes_access_logs(bucket, view) else 7
    if any(each < least for each in kept):
        yield f"forgets its objects after {min(kept):.0f} days"


def _days(rule_: dict[str, object], path: str) -> float:
    return number(rule_, path)


@rule(
    "buckets-logged", 55, Severity.MEDIUM, BUCKET,
    title="Who reads a bucket is logged into another one, whose policy takes it; buckets of logs are the exception",
    fsbp="S3.9", checkov="18", nag="S1", fix="BucketArgs.logs_bucket",
)  # fmt: skip
def buckets_logged(bucket: Resource, view: View) -> Lacks:
    logging = companions(bucket, view, LOGGING)
    if not logging and not _takes_access_logs(bucket, view):
        yield "does not log who reads it"
    for each in logging:
        targets = view.targets(each, "targetBucket", BUCKET)
        if not targets or bucket in targets:
            yield "logs who reads it to nowhere else of ours"
        if not get(each, "targetPrefix"):
            yield "mixes its log with others'"
        for target in targets:
            if "logging.s3.amazonaws.com" not in _services(target, view):
                yield f"logs into {target.name}, whose policy does not take it"


@rule(
    "buckets-stay", 55, Severity.HIGH, BUCKET,
    title="A bucket is not deleted with what is in it, but for environments of pull requests; protected in production",
    fix="force_destroy=False, and protect in production", envs=("prod", "staging", "dev"),
)  # fmt: skip
def buckets_stay(bucket: Resource, view: View) -> Lacks:
    if get(bucket, "forceDestroy") is not False:
        yield "is deleted with all that is in it"
    if view.is_prod and not bucket.options.protect:
        yield "is not protected from being deleted"


@rule(
    "buckets-locked", 56, Severity.MEDIUM, BUCKET,
    title="What must not be rewritten is locked for a set time: the trail's bucket a year in production",
    fsbp="S3.15", checkov="143 CKV2_AWS_10", fix="BucketArgs.lock_days",
)  # fmt: skip
def buckets_locked(bucket: Resource, view: View) -> Lacks:
    locks = companions(bucket, view, LOCK)
    least = TRAIL_DAYS_MIN.get(view.env_class, 30) if view.users_at(bucket, TRAIL, "s3BucketName") else 1
    if least > 1 and view.is_prod and not locks:
        yield "holds the trail and can be rewritten"
    if bool(locks) != (get(bucket, "objectLockEnabled") is True):
        yield "has a lock that is not switched on, or no rule for the one that is"
    for lock in locks:
        kept = "rule.defaultRetention"
        if get(lock, f"{kept}.mode") not in ("GOVERNANCE", "COMPLIANCE"):
            yield "is locked in no mode"
        days = number(lock, f"{kept}.days") + 365 * number(lock, f"{kept}.years")
        if days < least:
            yield f"is locked for {days:.0f} days"


@rule(
    "buckets-copied", 56, Severity.MEDIUM, BUCKET,
    title="In production what users stored is copied to the other region within minutes, encrypted there",
    fsbp="S3.7", checkov="144", fix="BucketCopies in the standby's data stack", envs=("prod",),
)  # fmt: skip
def buckets_copied(bucket: Resource, view: View) -> Lacks:
    if not _holds_what_users_stored(bucket, view):
        return
    copies = companions(bucket, view, REPLICATION)
    if not copies:
        yield "is not copied to another region"
    for copy in copies:
        yield from _copy_lacks(copy, view)
        if not view.targets(copy, "role", "iam/role:Role"):
            yield "is copied by no role of ours"


def _holds_what_users_stored(bucket: Resource, view: View) -> bool:
    """Whether the standby has a bucket of the same name in the same stack: one is appended to, the other takes copies."""
    stack = view.stacks[bucket.urn]
    twins = [
        each
        for each in view.of(BUCKET)
        if each.name == bucket.name and view.stacks[each.urn].name == stack.name and each.region != bucket.region
    ]
    primary = min((each.region for each in view.of(TRAIL)), default=bucket.region)
    return bool(twins) and bucket.region == primary and not _takes_access_logs(bucket, view) and not _is_scratch(bucket)


def _is_scratch(bucket: Resource) -> bool:
    return bucket.name.endswith("-results")  # answers of Athena, which anybody can ask for again


def _copy_lacks(copy: Resource, view: View) -> Lacks:
    rules = [
        each
        for each in items(copy, "rules")
        if get(each, "status") == "Enabled" and get(each, "filter.prefix", "") == ""
    ]
    if not rules:
        yield "has no rule that copies everything"
    for each in rules:
        there = [found for found in view.meant(get(each, "destination.bucket"), BUCKET) if found.region != copy.region]
        if not there:
            yield "is copied to no bucket of ours elsewhere"
        keys = view.meant(get(each, "destination.encryptionConfiguration.replicaKmsKeyId"), *KEYS)
        if not any(key.region == found.region for key in keys for found in there):
            yield "is copied unencrypted, or with a key of another region"
        if get(each, "sourceSelectionCriteria.sseKmsEncryptedObjects.status") != "Enabled":
            yield "is copied without what is encrypted, which is all"
        for part in ("deleteMarkerReplication", "destination.replicationTime", "destination.metrics"):
            if get(each, f"{part}.status") != "Enabled":
                yield f"is copied without {part.rpartition('.')[2]}"


@rule(
    "buckets-shared-with-pages", 53, Severity.MEDIUM, "s3/bucketCorsConfiguration:BucketCorsConfiguration",
    title="Only pages of ours upload from a browser, over HTTPS",
    fix="BucketArgs.upload_origins: https:// origins without `*`",
)  # fmt: skip
def buckets_shared_with_pages(cors: Resource, view: View) -> Lacks:
    if not view.targets(cors, "bucket", BUCKET):
        yield "is about no bucket of ours"
    for each in items(cors, "corsRules"):
        for origin in items(each, "allowedOrigins"):
            if "*" in str(origin) or not str(origin).startswith("https://"):
                yield f"lets pages of {origin} in"
        for method in set(items(each, "allowedMethods")) - {"GET", "HEAD", "PUT", "POST"}:
            yield f"lets pages {method}"


@rule(
    "uploads-are-told", 53, Severity.LOW, NOTIFICATION,
    title="What is told of a bucket reaches a topic, queue or function of ours",
    fsbp="S3.11", fix="Uploads with a Topic",
)  # fmt: skip
def uploads_are_told(notification: Resource, view: View) -> Lacks:
    if not view.targets(notification, "bucket", BUCKET):
        yield "is about no bucket of ours"
    told = [*items(notification, "topics"), *items(notification, "queues"), *items(notification, "lambdaFunctions")]
    if not told and get(notification, "eventbridge") is not True:
        yield "tells nobody"
    for each in told:
        if not items(each, "events"):
            yield "tells of nothing"
        if not view.meant(get(each, "topicArn", get(each, "queueArn", get(each, "lambdaFunctionArn")))):
            yield "tells somebody who is not ours"


@rule(
    "buckets-of-the-account", 53, Severity.HIGH, "s3/accountPublicAccessBlock:AccountPublicAccessBlock",
    title="No bucket of the account can be made public",
    fsbp="S3.1", checkov="CKV2_AWS_6", fix="all four True",
)  # fmt: skip
def buckets_of_the_account(block: Resource, view: View) -> Lacks:
    yield from (f"leaves {way} off" for way in CLOSED_BY if get(block, way) is not True)
    if get(block, "accountId") not in (None, account_of(block, view)):
        yield "is about another account"
