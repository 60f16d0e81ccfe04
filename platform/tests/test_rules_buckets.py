"""Each rule of buckets notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.buckets import (
    BUCKET,
    CLOSED,
    ENCRYPTION,
    LIFECYCLE,
    LOCK,
    LOGGING,
    NOTIFICATION,
    OWNER,
    POLICY,
    REPLICATION,
    VERSIONING,
)
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, removed

CORS = "s3/bucketCorsConfiguration:BucketCorsConfiguration"
ACCOUNT = "s3/accountPublicAccessBlock:AccountPublicAccessBlock"
DEFAULT = "rules.0.applyServerSideEncryptionByDefault"
NO_TLS = {
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Principal": {"AWS": ["arn:aws:iam::1:root"]},
            "Resource": ["x"],
        }
    ]
}
FILES, COPIED, COPY = "files", "copies-files", "rules.0"
CASES = [
    Bad("buckets-closed", removed(CLOSED, "files-closed"), "has no block"),
    Bad("buckets-closed", changed(CLOSED, "restrictPublicBuckets", False, "files-closed"), "restrictPublicBuckets"),
    Bad("buckets-closed", changed(BUCKET, "acl", "public-read", FILES), "list of who may read"),
    Bad("buckets-over-tls", removed(POLICY, "readable-files"), "has 0 policies"),
    Bad("buckets-over-tls", changed(POLICY, "policy.Statement.0.Effect", "Allow", "trail-policy"), "without TLS"),
    Bad("buckets-over-tls", changed(POLICY, "policy.Statement.0.Action", ["s3:PutObject"], "trail-policy"), "without TLS"),
    Bad("buckets-over-tls", changed(POLICY, "policy.Statement.0.Condition", REMOVED, "trail-policy"), "without TLS"),
    Bad("buckets-over-tls", changed(POLICY, "policy", NO_TLS, "trail-policy"), "without TLS"),
    Bad("buckets-owned", removed(OWNER, "files-owner"), "does not say who owns"),
    Bad("buckets-owned", changed(OWNER, "rule.objectOwnership", "ObjectWriter", "files-owner"), "ObjectWriter"),
    Bad("buckets-encrypted", removed(ENCRYPTION, "files-encryption"), "does not say how"),
    Bad("buckets-encrypted", changed(ENCRYPTION, f"{DEFAULT}.sseAlgorithm", "AES256", "files-encryption"), "no key of ours"),
    Bad("buckets-encrypted", changed(ENCRYPTION, f"{DEFAULT}.kmsMasterKeyId", REMOVED, "files-encryption"), "no key of ours"),
    Bad("buckets-encrypted", changed(ENCRYPTION, f"{DEFAULT}.sseAlgorithm", REMOVED, "access-logs-encryption"), "takes access logs"),
    Bad("buckets-encrypted", changed(ENCRYPTION, "rules.0.bucketKeyEnabled", False, "files-encryption"), "every object"),
    Bad("buckets-encrypted", changed("kms/key:Key", "policy.Statement.1.Principal.Service", ["config.amazonaws.com"], "audit"), "cloudtrail"),
    Bad("buckets-versioned", removed(VERSIONING, "files-versions"), "keeps no versions"),
    Bad("buckets-versioned", changed(VERSIONING, "versioningConfiguration.status", "Suspended", "files-versions"), "no versions"),
    Bad("buckets-versioned", removed(LIFECYCLE, "files-lifecycle"), "does not purge"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.noncurrentVersionExpiration.noncurrentDays", 0, "files-lifecycle"), "purge"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.status", "Disabled", "files-lifecycle"), "never finished"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.filter.prefix", "tmp/", "files-lifecycle"), "does not purge"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.abortIncompleteMultipartUpload", REMOVED, "files-lifecycle"), "uploads"),
    Bad("buckets-versioned", changed(LIFECYCLE, "rules.1.expiration.expiredObjectDeleteMarker", False, "files-lifecycle"), "markers"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.expiration", {"days": 1}, "files-lifecycle"), "after 1 days"),
    Bad("buckets-versioned", changed(LIFECYCLE, f"{COPY}.expiration.days", 30, "access-logs-lifecycle"), "after 30 days"),
    Bad("buckets-logged", removed(LOGGING, "files-log"), "does not log"),
    Bad("buckets-logged", changed(LOGGING, "targetBucket", "somebody-elses", "files-log"), "nowhere else of ours"),
    Bad("buckets-logged", changed(LOGGING, "targetPrefix", "", "files-log"), "mixes"),
    Bad("buckets-logged", changed(POLICY, "policy.Statement.1.Principal", {"Service": "s3.amazonaws.com"}, "access-logs-policy"), "does not take it"),
    Bad("buckets-stay", changed(BUCKET, "forceDestroy", True, FILES), "all that is in it"),
    Bad("buckets-stay", added(BUCKET, {"forceDestroy": False}, like="sqs/queue:Queue"), "not protected"),
    Bad("buckets-locked", removed(LOCK, "trail-lock"), "can be rewritten"),
    Bad("buckets-locked", changed(BUCKET, "objectLockEnabled", False, "trail"), "not switched on"),
    Bad("buckets-locked", changed(LOCK, "rule.defaultRetention.mode", "NONE", "trail-lock"), "no mode"),
    Bad("buckets-locked", changed(LOCK, "rule.defaultRetention.days", 0, "trail-lock"), "for 0 days"),
    Bad("buckets-copied", removed(REPLICATION, COPIED), "is not copied"),
    Bad("buckets-copied", changed(REPLICATION, "role", REMOVED, COPIED), "no role of ours"),
    Bad("buckets-copied", changed(REPLICATION, f"{COPY}.status", "Disabled", COPIED), "copies everything"),
    Bad("buckets-copied", changed(REPLICATION, f"{COPY}.destination.bucket", "arn:aws:s3:::other", COPIED), "no bucket of ours elsewhere"),
    Bad("buckets-copied", changed(REPLICATION, f"{COPY}.destination.encryptionConfiguration", REMOVED, COPIED), "unencrypted"),
    Bad("buckets-copied", changed(REPLICATION, f"{COPY}.sourceSelectionCriteria", REMOVED, COPIED), "without what is encrypted"),
    Bad("buckets-copied", changed(REPLICATION, f"{COPY}.destination.replicationTime.status", "Disabled", COPIED), "replicationTime"),
    Bad("buckets-shared-with-pages", changed(CORS, "corsRules.0.allowedOrigins", ["*"]), "pages of *"),
    Bad("buckets-shared-with-pages", changed(CORS, "corsRules.0.allowedMethods", ["DELETE"]), "DELETE"),
    Bad("buckets-shared-with-pages", changed(CORS, "bucket", "other"), "no bucket of ours"),
    Bad("uploads-are-told", changed(NOTIFICATION, "bucket", "other"), "no bucket of ours"),
    Bad("uploads-are-told", changed(NOTIFICATION, "topics", []), "tells nobody"),
    Bad("uploads-are-told", changed(NOTIFICATION, "topics.0.events", []), "tells of nothing"),
    Bad("uploads-are-told", changed(NOTIFICATION, "topics.0.topicArn", "arn:aws:sns:us-east-1:1:other"), "not ours"),
    Bad("buckets-of-the-account", changed(ACCOUNT, "ignorePublicAcls", False), "ignorePublicAcls"),
    Bad("buckets-of-the-account", changed(ACCOUNT, "accountId", "999999999999"), "another account"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
