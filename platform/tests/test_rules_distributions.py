"""Each rule of CloudFront and of web ACLs notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.distributions import (
    ACCESS,
    ACL_LOG,
    CACHE,
    DELIVERY,
    DESTINATION,
    DISTRIBUTION,
    HEADERS,
    KEY_GROUP,
    SOURCE,
)
from nottermost_platform.rules.load_balancers import ACL
from nottermost_platform.testing import (
    REMOVED,
    UNPROTECTED,
    Bad,
    added,
    altered,
    changed,
    check_bad,
    graph_of,
    removed,
    says,
    view_of,
)

KEY = "parametersInCacheKeyAndForwardedToOrigin"
PAGE = "defaultCacheBehavior"
API, FILES = "orderedCacheBehaviors.0", "orderedCacheBehaviors.2"
SAID = "securityHeadersConfig"
CSP = f"{SAID}.contentSecurityPolicy.contentSecurityPolicy"
RATE = "rules.3.statement.rateBasedStatement"
FILTER = "loggingFilter"


CASES = [
    Bad("distributions-encrypted", changed(DISTRIBUTION, f"{PAGE}.viewerProtocolPolicy", "allow-all"), "the default path in the clear"),
    Bad("distributions-encrypted", changed(DISTRIBUTION, f"{API}.viewerProtocolPolicy", "allow-all"), "/api/* in the clear"),
    Bad("distributions-encrypted", changed(DISTRIBUTION, f"{PAGE}.targetOriginId", "other"), "no origin"),
    Bad("distributions-encrypted", changed(DISTRIBUTION, "origins.0.customOriginConfig.originProtocolPolicy", "match-viewer"), "asks api in the clear"),
    Bad("distributions-encrypted", changed(DISTRIBUTION, "origins.0.customOriginConfig.originSslProtocols", ["TLSv1", "TLSv1.2"]), "TLSv1, TLSv1.2"),
    Bad("distributions-encrypted", changed(DISTRIBUTION, "origins.0.domainName", "old.example.com"), "no name of ours"),
    Bad("distributions-certified", changed(DISTRIBUTION, "viewerCertificate.acmCertificateArn", REMOVED), "no certificate of ours"),
    Bad("distributions-certified", changed(DISTRIBUTION, "viewerCertificate.cloudfrontDefaultCertificate", True), "CloudFront's certificate"),
    Bad("distributions-certified", changed(DISTRIBUTION, "viewerCertificate.minimumProtocolVersion", "TLSv1.1_2016"), "TLSv1.1_2016"),
    Bad("distributions-certified", changed(DISTRIBUTION, "viewerCertificate.sslSupportMethod", "vip"), "address of its own"),
    Bad("origins-signed", changed(DISTRIBUTION, "origins.1.originAccessControlId", REMOVED), "page without a signature"),
    Bad("origins-signed", changed(ACCESS, "signingBehavior", "never"), "without a signature"),
    Bad("origins-signed", changed(DISTRIBUTION, "origins.1.domainName", "free.s3.us-east-1.amazonaws.com"), "not ours"),
    Bad("origins-signed", removed("s3/bucketPolicy:BucketPolicy", "readable-page"), "let in alone"),
    Bad("origins-signed", changed("s3/bucketPolicy:BucketPolicy", "policy.Statement.1.Condition", REMOVED, "readable-page"), "let in alone"),
    Bad("origins-signed", changed("s3/bucketPolicy:BucketPolicy", "policy.Statement.1.Action", ["s3:*"], "readable-page"), "let in alone"),
    Bad("origins-signed", changed(DISTRIBUTION, f"{FILES}.allowedMethods", ["GET", "HEAD", "PUT"]), "/files/* be written"),
    Bad("private-files-signed", changed(DISTRIBUTION, f"{FILES}.trustedSigners", ["self"]), "whole accounts"),
    Bad("private-files-signed", changed(DISTRIBUTION, f"{FILES}.trustedKeyGroups", REMOVED), "/files/* without a signed link"),
    Bad("private-files-signed", changed(KEY_GROUP, "items", ["K1"]), "keys that are not ours"),
    Bad("private-files-signed", changed("cloudfront/publicKey:PublicKey", "encodedKey", REMOVED), "keys that are not ours"),
    Bad("private-files-signed", changed(DISTRIBUTION, f"{API}.cachePolicyId", "658327ea-f89d-4fab-a63d-7e88639e58f6"), "what another asked"),
    Bad("private-files-signed", changed(DISTRIBUTION, f"{PAGE}.cachePolicyId", REMOVED), "no policy of ours"),
    Bad("caches-by-path", changed(CACHE, f"{KEY}.queryStringsConfig.queryStringBehavior", "all"), "an object for each link"),
    Bad("caches-by-path", changed(CACHE, f"{KEY}.enableAcceptEncodingGzip", False), "no compressed copy"),
    Bad("caches-by-path", changed(CACHE, "defaultTtl", 0), "keeps nothing"),
    Bad("distributions-guarded", changed(DISTRIBUTION, "webAclId", REMOVED), "no web ACL"),
    Bad("distributions-guarded", changed(DISTRIBUTION, f"{API}.responseHeadersPolicyId", REMOVED), "from /api/*"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.strictTransportSecurity.accessControlMaxAgeSec", 0), "fall back to HTTP"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.strictTransportSecurity.includeSubdomains", False), "fall back to HTTP"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.contentTypeOptions.override", False), "guess"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.frameOptions", REMOVED), "into a frame"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.referrerPolicy.referrerPolicy", "unsafe-url"), "came from"),
    Bad("security-headers", changed(HEADERS, CSP, ""), "allows by default"),
    Bad("security-headers", changed(HEADERS, CSP, "default-src 'none'"), "frame the page"),
    Bad("security-headers", changed(HEADERS, CSP, "default-src 'none'; frame-ancestors 'none'; script-src 'unsafe-inline' *"), "'unsafe-inline' * as script-src"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.contentSecurityPolicy.override", True, "cdn-page"), "overrides"),
    Bad("security-headers", changed(HEADERS, f"{SAID}.contentSecurityPolicy.override", False, "cdn-files"), "overrides"),
    Bad("security-headers", changed(HEADERS, "corsConfig", {"accessControlAllowOrigins": {"items": ["*"]}}), "of anybody"),
    Bad("distributions-kept", changed(DISTRIBUTION, "defaultRootObject", REMOVED), "in its bucket"),
    Bad("distributions-kept", changed(DISTRIBUTION, "aliases", ["other.example.com"]), "answers to no name"),
    Bad("distributions-kept", changed(DISTRIBUTION, "enabled", False), "switched off"),
    Bad("distributions-kept", changed(DISTRIBUTION, "isIpv6Enabled", False), "IPv6"),
    Bad("distributions-kept", changed(DISTRIBUTION, "restrictions.geoRestriction.restrictionType", "blacklist"), "which countries"),
    Bad("distributions-kept", altered(DISTRIBUTION, options=UNPROTECTED), "by mistake"),
    Bad("distributions-kept", changed(DISTRIBUTION, "originGroups.1.members", [{"originId": "files"}]), "behind /files/*"),
    Bad("distributions-logged", removed(SOURCE), "no log"),
    Bad("distributions-logged", removed(DELIVERY), "no log"),
    Bad("distributions-logged", changed(DESTINATION, "deliveryDestinationConfiguration.destinationResourceArn", "arn:aws:s3:::other/x"), "no log"),
    Bad("distributions-logged", changed(DISTRIBUTION, "loggingConfig.includeCookies", True), "cookies"),
    Bad("web-acls-refuse", changed(ACL, "rules.1.overrideAction", {"count": {}}), "KnownBadInputs"),
    Bad("web-acls-refuse", changed(ACL, "rules.2.statement.managedRuleGroupStatement.ruleActionOverrides.0.name", "NoUserAgent_HEADER"), "CommonRuleSet"),
    Bad("web-acls-refuse", changed(ACL, "rules.2.statement.managedRuleGroupStatement.ruleActionOverrides.0.actionToUse", {"allow": {}}), "CommonRuleSet"),
    Bad("web-acls-refuse", changed(ACL, "rules.0.statement.managedRuleGroupStatement.scopeDownStatement", {"geoMatchStatement": {}}), "IpReputation"),
    Bad("web-acls-refuse", changed(ACL, f"{RATE}.limit", 2_000_000, "cdn-web"), "more than 10000 times"),
    Bad("web-acls-refuse", changed(ACL, "rules.3.action", {"count": {}}, "cdn-web"), "more than 10000 times"),
    Bad("web-acls-refuse", changed(ACL, f"{RATE}.aggregateKeyType", "FORWARDED_IP", "cdn-web"), "forges"),
    Bad("web-acls-refuse", changed(ACL, f"{RATE}.forwardedIpConfig.fallbackBehavior", "NO_MATCH", "main-web"), "say no address"),
    Bad("web-acls-refuse", changed(ACL, f"{RATE}.evaluationWindowSec", 0), "which time"),
    Bad("web-acls-refuse", changed(ACL, "scope", "EVERYWHERE"), "of no scope"),
    Bad("web-acls-refuse", changed(ACL, "rules.0.visibilityConfig.cloudwatchMetricsEnabled", False), "AWSManagedRulesAmazonIpReputationList refuses"),
    Bad("web-acls-refuse", changed(ACL, "visibilityConfig.sampledRequestsEnabled", False), "does not count"),
    Bad("web-acls-refuse", changed(ACL, "defaultAction", REMOVED), "other requests"),
    Bad("web-acls-refuse", added(ACL, {"name": "left-over"}), "guards nothing"),
    Bad("web-acls-logged", removed(ACL_LOG), "not logged"),
    Bad("web-acls-logged", changed(ACL_LOG, "logDestinationConfigs", []), "nowhere"),
    Bad("web-acls-logged", changed(ACL_LOG, "redactedFields", [{"singleHeader": {"name": "Cookie"}}]), "logs authorization"),
    Bad("web-acls-logged", changed(ACL_LOG, f"{FILTER}.filters", []), "what it refuses"),
    Bad("web-acls-logged", changed(ACL_LOG, f"{FILTER}.filters.0.requirement", "MEETS_ALL"), "what it refuses"),
    Bad("web-acls-logged", changed(ACL_LOG, f"{FILTER}.filters.0.behavior", "DROP"), "what it refuses"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_log_without_a_filter_keeps_everything() -> None:
    """Nothing is left out, so nothing is complained of."""
    graph = changed(ACL_LOG, "loggingFilter", REMOVED)(graph_of("prod"))
    assert says("web-acls-logged", View(graph, like=view_of("prod"))) == set()
