"""Rules of CloudFront and of web ACLs: controls 57 to 63."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nottermost_platform.components.distribution import CACHING_DISABLED, FAILING, READS
from nottermost_platform.components.web_firewall import DIRECT_MAX, GROUPS, LOG_PREFIX, REDACTED
from nottermost_platform.graph import Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.functions import LOG_GROUP
from nottermost_platform.rules.images import word, words
from nottermost_platform.rules.load_balancers import ACL, ASSOCIATION, BUCKET
from nottermost_platform.rules.names import CERTIFICATE, RECORD
from nottermost_platform.rules.view import View, get, items, number, parse

DISTRIBUTION: Final = "cloudfront/distribution:Distribution"
ACCESS: Final = "cloudfront/originAccessControl:OriginAccessControl"
HEADERS: Final = "cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
CACHE: Final = "cloudfront/cachePolicy:CachePolicy"
KEY_GROUP: Final = "cloudfront/keyGroup:KeyGroup"
PUBLIC_KEY: Final = "cloudfront/publicKey:PublicKey"
BUCKET_POLICY: Final = "s3/bucketPolicy:BucketPolicy"
SOURCE: Final = "cloudwatch/logDeliverySource:LogDeliverySource"
DELIVERY: Final = "cloudwatch/logDelivery:LogDelivery"
DESTINATION: Final = "cloudwatch/logDeliveryDestination:LogDeliveryDestination"
ACL_LOG: Final = "wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"

PEM: Final = "-----BEGIN PUBLIC KEY-----"
VIEWER_TLS: Final = frozenset(["TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"])
HSTS_S_MIN: Final = 31_536_000
LIMIT_MAX: Final = 10_000  # requests of one address in the window: nobody types so fast
SAFE_REFERRERS: Final = frozenset(["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"])
UNSAFE_SOURCES: Final = frozenset(["*", "http:", "https:", "'unsafe-inline'", "'unsafe-eval'"])


def behaviors(distribution: Resource) -> list[Mapping[str, Any]]:
    """All cache behaviours, the default one first."""
    default = get(distribution, "defaultCacheBehavior", {})
    return [each for each in (default, *items(distribution, "orderedCacheBehaviors")) if isinstance(each, Mapping)]


def path_of(behavior: Mapping[str, Any]) -> str:
    return str(get(behavior, "pathPattern", "the default path"))


def origins_of(distribution: Resource, target: Any) -> list[Mapping[str, Any]]:
    """The origins behind a behaviour's target, those of a group too."""
    members = {
        get(member, "originId")
        for group in items(distribution, "originGroups") if get(group, "originId") == target
        for member in items(group, "members")
    }  # fmt: skip
    return [each for each in items(distribution, "origins") if get(each, "originId") in members | {target}]


def is_bucket(origin: Mapping[str, Any]) -> bool:
    return not get(origin, "customOriginConfig")


def _behind(distribution: Resource, behavior: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return origins_of(distribution, get(behavior, "targetOriginId"))


@rule(
    "distributions-encrypted", 57, Severity.HIGH, DISTRIBUTION,
    title="CloudFront speaks HTTPS alone to viewers, and TLS 1.2 to origins, which are names of ours",
    fsbp="CloudFront.3 CloudFront.9 CloudFront.10", checkov="34 CKV2_AWS_54 CKV2_AWS_72", nag="CFR5",
    fix="redirect-to-https or https-only; https-only with TLSv1.2 to origins",
)  # fmt: skip
def distributions_encrypted(distribution: Resource, view: View) -> Lacks:
    for behavior in behaviors(distribution):
        if get(behavior, "viewerProtocolPolicy") not in ("redirect-to-https", "https-only"):
            yield f"serves {path_of(behavior)} in the clear"
        if not _behind(distribution, behavior):
            yield f"has no origin for {path_of(behavior)}"
    for origin in items(distribution, "origins"):
        if is_bucket(origin):
            continue
        protocols = words(origin, "customOriginConfig.originSslProtocols")
        if get(origin, "customOriginConfig.originProtocolPolicy") != "https-only":
            yield f"asks {get(origin, 'originId')} in the clear"
        if not protocols or not protocols <= {"TLSv1.2", "TLSv1.3"}:
            yield f"asks {get(origin, 'originId')} over {', '.join(sorted(protocols)) or 'what it likes'}"
        if not view.meant(get(origin, "domainName"), RECORD):
            yield f"asks {get(origin, 'domainName')}, which is no name of ours"


@rule(
    "distributions-certified", 58, Severity.MEDIUM, DISTRIBUTION,
    title="CloudFront shows a certificate of ours in us-east-1, by name, over TLS 1.2 of 2021 or later",
    fsbp="CloudFront.7 CloudFront.8 CloudFront.15", checkov="174 CKV2_AWS_42", nag="CFR4",
    fix="viewer_certificate with a certificate of us-east-1, TLSv1.2_2021 and sni-only",
)  # fmt: skip
def distributions_certified(distribution: Resource, view: View) -> Lacks:
    certificates = view.meant(get(distribution, "viewerCertificate.acmCertificateArn"), CERTIFICATE)
    if not any(each.region == PRIMARY for each in certificates):
        yield "shows no certificate of ours in us-east-1"
    if get(distribution, "viewerCertificate.cloudfrontDefaultCertificate") is True:
        yield "shows CloudFront's certificate"
    if word(distribution, "viewerCertificate.minimumProtocolVersion") not in VIEWER_TLS:
        yield f"accepts {get(distribution, 'viewerCertificate.minimumProtocolVersion', 'any TLS')}"
    if get(distribution, "viewerCertificate.sslSupportMethod") != "sni-only":
        yield "takes an address of its own to show its certificate"


@rule(
    "origins-signed", 59, Severity.HIGH, DISTRIBUTION,
    title="Buckets are ours, asked under CloudFront's signature, let this distribution alone in, and are only read",
    fsbp="CloudFront.12 CloudFront.13", checkov="CKV2_AWS_46", nag="CFR7",
    fix="origin_access_control_id on the origin, aws:SourceArn in the policy of the bucket, READS as methods",
)  # fmt: skip
def origins_signed(distribution: Resource, view: View) -> Lacks:
    for origin in filter(is_bucket, items(distribution, "origins")):
        name = get(origin, "originId")
        if not any(_signs(each) for each in view.meant(get(origin, "originAccessControlId"), ACCESS)):
            yield f"asks {name} without a signature"
        buckets = view.meant(get(origin, "domainName"), BUCKET)
        if not buckets:
            yield f"asks {name} for a bucket that is not ours"
        if not all(_lets_in(bucket, distribution, view) for bucket in buckets):
            yield f"is not let in alone by the bucket of {name}"
    for behavior in behaviors(distribution):
        if all(map(is_bucket, _behind(distribution, behavior))) and not words(behavior, "allowedMethods") <= set(READS):
            yield f"lets {path_of(behavior)} be written"


def _signs(access: Resource) -> bool:
    wanted = {"signingBehavior": "always", "signingProtocol": "sigv4", "originAccessControlOriginType": "s3"}
    return all(get(access, key) == value for key, value in wanted.items())


def _lets_in(bucket: Resource, distribution: Resource, view: View) -> bool:
    """Whether CloudFront reads the bucket for one distribution and for no other."""
    statements = [
        each
        for policy in view.users_at(bucket, BUCKET_POLICY, "bucket")
        for each in items(parse(get(policy, "policy")), "Statement")
        if get(each, "Effect") == "Allow" and "cloudfront.amazonaws.com" in items(each, "Principal.Service")
    ]
    conditions = [get(each, "Condition.StringEquals.aws:SourceArn") for each in statements]
    if any(words(each, "Action") != {"s3:GetObject"} for each in statements):
        return False
    return bool(statements) and all(view.meant(each, DISTRIBUTION) == [distribution] for each in conditions)


@rule(
    "private-files-signed", 59, Severity.CRITICAL, DISTRIBUTION,
    title="What is not public is served for signed links alone, by keys of ours, and answers of the API are never cached",
    checkov="CKV2_AWS_46", fix="trusted_key_groups on the behaviour; CACHING_DISABLED towards the API",
)  # fmt: skip
def private_files_signed(distribution: Resource, view: View) -> Lacks:
    for behavior in behaviors(distribution):
        origins = _behind(distribution, behavior)
        buckets = [each for origin in origins for each in view.meant(get(origin, "domainName"), BUCKET)]
        groups = view.meant(get(behavior, "trustedKeyGroups"), KEY_GROUP)
        if items(behavior, "trustedSigners"):
            yield f"trusts whole accounts to sign links to {path_of(behavior)}"
        if any(each.tags.get("data-class") != "public" for each in buckets):
            if not groups:
                yield f"serves {path_of(behavior)} without a signed link"
            keys = [view.targets(group, "items", PUBLIC_KEY) for group in groups]
            if not all(keys) or any(PEM not in word(each, "encodedKey") for found in keys for each in found):
                yield f"trusts keys that are not ours for {path_of(behavior)}"
        cached = get(behavior, "cachePolicyId")
        if not all(map(is_bucket, origins)) and cached != CACHING_DISABLED:
            yield f"may answer one with what another asked at {path_of(behavior)}"
        if origins and all(map(is_bucket, origins)) and not view.meant(cached, CACHE):
            yield f"caches {path_of(behavior)} by no policy of ours"


@rule(
    "caches-by-path", 0, Severity.LOW, CACHE,
    title="The edge keeps what has a name of its own: cookies, headers and the signature of a link make no other object",
    fix="components.distribution.Distribution._cache",
)  # fmt: skip
def caches_by_path(cache: Resource, _view: View) -> Lacks:
    key = get(cache, "parametersInCacheKeyAndForwardedToOrigin", {})
    ways = ("cookiesConfig.cookieBehavior", "headersConfig.headerBehavior", "queryStringsConfig.queryStringBehavior")
    if any(get(key, way) != "none" for way in ways):
        yield "keeps an object for each link to it, or passes cookies on to a bucket"
    if not _all_true(key, "enableAcceptEncodingBrotli", "enableAcceptEncodingGzip"):
        yield "keeps no compressed copy"
    if not 0 < number(cache, "defaultTtl") <= number(cache, "maxTtl"):
        yield "keeps nothing"


@rule(
    "distributions-guarded", 60, Severity.HIGH, DISTRIBUTION,
    title="CloudFront is behind a web ACL, and every answer has security headers",
    fsbp="CloudFront.6", checkov="68 CKV2_AWS_32", nag="CFR2",
    fix="web_acl_id of scope CLOUDFRONT; response_headers_policy_id on every behaviour",
)  # fmt: skip
def distributions_guarded(distribution: Resource, view: View) -> Lacks:
    acls = view.meant(get(distribution, "webAclId"), ACL)
    if not any(get(each, "scope") == "CLOUDFRONT" and each.region == PRIMARY for each in acls):
        yield "is behind no web ACL of scope CLOUDFRONT"
    for behavior in behaviors(distribution):
        if not view.meant(get(behavior, "responseHeadersPolicyId"), HEADERS):
            yield f"sends no security headers from {path_of(behavior)}"


@rule(
    "security-headers", 60, Severity.MEDIUM, HEADERS,
    title="Answers say HTTPS for a year, no sniffing, no frames, no referrer, and a content policy without loopholes",
    checkov="259", fix="components.distribution.Distribution._headers",
)  # fmt: skip
def security_headers(headers: Resource, view: View) -> Lacks:
    said = get(headers, "securityHeadersConfig", {})
    hsts = get(said, "strictTransportSecurity", {})
    if number(hsts, "accessControlMaxAgeSec") < HSTS_S_MIN or not _all_true(
        hsts, "includeSubdomains", "preload", "override"
    ):
        yield "lets a browser fall back to HTTP"
    if not _all_true(said, "contentTypeOptions.override"):
        yield "lets a browser guess what a file is"
    if get(said, "frameOptions.frameOption") not in ("DENY", "SAMEORIGIN") or not _all_true(
        said, "frameOptions.override"
    ):
        yield "lets others put the page into a frame"
    if word(said, "referrerPolicy.referrerPolicy") not in SAFE_REFERRERS or not _all_true(
        said, "referrerPolicy.override"
    ):
        yield "tells others where somebody came from"
    yield from _loopholes(word(said, "contentSecurityPolicy.contentSecurityPolicy"))
    if get(said, "contentSecurityPolicy.override") is not all(map(is_bucket, _answered(headers, view))):
        yield "overrides the content policy of the API, or not that of a bucket's file"
    if "*" in items(headers, "corsConfig.accessControlAllowOrigins.items"):
        yield "lets the pages of anybody read answers"


def _all_true(within: Any, *paths: str) -> bool:
    return all(get(within, path) is True for path in paths)


def _answered(headers: Resource, view: View) -> Iterator[Mapping[str, Any]]:
    """The origins whose answers get these headers."""
    for distribution in view.users(headers, DISTRIBUTION):
        for behavior in behaviors(distribution):
            if headers in view.meant(get(behavior, "responseHeadersPolicyId"), HEADERS):
                yield from _behind(distribution, behavior)


def _loopholes(policy: str) -> Iterator[str]:
    """What is missing in a content security policy, or undoes it."""
    said = {words[0]: words[1:] for words in (each.split() for each in policy.split(";")) if words}
    if said.get("default-src") not in (["'none'"], ["'self'"]):
        yield "has a content policy that allows by default"
    if said.get("frame-ancestors") not in (["'none'"], ["'self'"]):
        yield "has a content policy that lets others frame the page"
    for name, sources in said.items():
        if UNSAFE_SOURCES & set(sources):
            yield f"has a content policy with {' '.join(sorted(UNSAFE_SOURCES & set(sources)))} as {name}"


@rule(
    "distributions-kept", 61, Severity.MEDIUM, DISTRIBUTION,
    title="CloudFront has a root object, logs, says which countries it serves; in production a bucket that fails has another",
    fsbp="CloudFront.1 CloudFront.4 CloudFront.5", checkov="86 216 305 310 374", nag="CFR1 CFR3",
    fix="default_root_object, geo_restriction, a log delivery, origin_groups and protect in production",
)  # fmt: skip
def distributions_kept(distribution: Resource, view: View) -> Lacks:
    if not get(distribution, "defaultRootObject"):
        yield "shows what is in its bucket at /"
    aliases = items(distribution, "aliases")
    if not aliases or not all(view.meant(each, RECORD) for each in aliases):
        yield "answers to no name, or to one that is not ours"
    if get(distribution, "enabled") is not True:
        yield "is switched off"
    if get(distribution, "isIpv6Enabled") is not True:
        yield "cannot be reached over IPv6, though records say so"
    kind = get(distribution, "restrictions.geoRestriction.restrictionType")
    if kind not in ("none", "blacklist", "whitelist") or (kind != "none") is not bool(
        items(distribution, "restrictions.geoRestriction.locations")
    ):
        yield "does not say which countries it serves"
    if view.is_prod and not distribution.options.protect:
        yield "can be deleted by mistake"
    for behavior in behaviors(distribution) if view.is_prod else ():
        if all(map(is_bucket, _behind(distribution, behavior))) and not _has_standby(distribution, behavior):
            yield f"has nothing behind {path_of(behavior)} when its bucket fails"


def _has_standby(distribution: Resource, behavior: Mapping[str, Any]) -> bool:
    target = get(behavior, "targetOriginId")
    groups = [each for each in items(distribution, "originGroups") if get(each, "originId") == target]
    failing = all(set(map(str, FAILING)) <= words(each, "failoverCriteria.statusCodes") for each in groups)
    return bool(groups) and failing and len(origins_of(distribution, target)) > 1


@rule(
    "distributions-logged", 61, Severity.MEDIUM, DISTRIBUTION,
    title="CloudFront's requests are delivered to a bucket of ours, without cookies",
    fsbp="CloudFront.5", checkov="86", nag="CFR3", fix="components.distribution.Distribution._log",
)  # fmt: skip
def distributions_logged(distribution: Resource, view: View) -> Lacks:
    sources = [
        each
        for each in view.users_at(distribution, SOURCE, "resourceArn")
        if each.region == PRIMARY and get(each, "logType") == "ACCESS_LOGS"
    ]
    deliveries = [each for source in sources for each in view.users_at(source, DELIVERY, "deliverySourceName")]
    destinations = [to for each in deliveries for to in view.targets(each, "deliveryDestinationArn", DESTINATION)]
    arns = [word(each, "deliveryDestinationConfiguration.destinationResourceArn") for each in destinations]
    if not any(view.meant(arn.partition("/")[0], BUCKET) for arn in arns):
        yield "keeps no log of requests in a bucket of ours"
    if get(distribution, "loggingConfig.includeCookies") is not False:
        yield "logs cookies, which sign people in"


# --- web ACLs -----------------------------------------------------------------------------------


@rule(
    "web-acls-refuse", 62, Severity.HIGH, ACL,
    title="Web ACLs refuse known attacks, bad addresses and floods, count everything, and guard something",
    fsbp="WAF.10 WAF.12", checkov="175 192 342 CKV2_AWS_47", fix="components.web_firewall.WebFirewall",
)  # fmt: skip
def web_acls_refuse(acl: Resource, view: View) -> Lacks:
    rules = items(acl, "rules")
    for group, counted in GROUPS.items():
        if not any(_refuses(each, group, set(counted)) for each in rules):
            yield f"does not refuse what {group} knows, or only counts it"
    limits = [
        each for each in rules if get(each, "statement.rateBasedStatement") and get(each, "action.block") is not None
    ]
    yield from _floods(acl, [get(each, "statement.rateBasedStatement") for each in limits])
    for each in (acl.inputs, *rules):
        if not _all_true(each, "visibilityConfig.cloudwatchMetricsEnabled", "visibilityConfig.sampledRequestsEnabled"):
            yield f"does not count or sample what {get(each, 'name')} refuses"
    if not get(acl, "defaultAction"):
        yield "does not say what happens to other requests"
    if not view.users(acl, ASSOCIATION, DISTRIBUTION):
        yield "guards nothing"


def _refuses(given: Any, group: str, counted: set[str]) -> bool:
    """Whether a rule is of AWS's group, with its own actions but for what we know to count."""
    managed = get(given, "statement.managedRuleGroupStatement", {})
    if (word(managed, "vendorName"), word(managed, "name")) != ("AWS", group) or get(managed, "scopeDownStatement"):
        return False
    overrides = [*items(managed, "ruleActionOverrides"), *items(managed, "excludedRules")]
    quiet = {word(each, "name") for each in overrides} <= counted
    allows = any(get(each, "actionToUse.allow") is not None for each in overrides)
    return get(given, "overrideAction.none") is not None and quiet and not allows


def _floods(acl: Resource, limits: list[Any]) -> Iterator[str]:
    # Behind CloudFront the address is CloudFront's own, so a load balancer's ACL looks at the forwarded one.
    kind = "IP" if get(acl, "scope") == "CLOUDFRONT" else "FORWARDED_IP"
    tight = [each for each in limits if 0 < number(each, "limit") <= LIMIT_MAX and not get(each, "scopeDownStatement")]
    if not any(get(each, "aggregateKeyType") == kind for each in tight):
        yield f"lets one address ask more than {LIMIT_MAX} times in 5 minutes"
    if not any(get(each, "aggregateKeyType") == "IP" and 0 < number(each, "limit") <= DIRECT_MAX for each in limits):
        yield "has no limit for who forges the address that it is asked from"
    forwarded = [each for each in limits if get(each, "aggregateKeyType") == "FORWARDED_IP"]
    if any(get(each, "forwardedIpConfig.fallbackBehavior") != "MATCH" for each in forwarded):
        yield "lets those pass who say no address"
    if any(not 0 < number(each, "evaluationWindowSec") <= 600 for each in limits):
        yield "does not say in which time it counts"
    if get(acl, "scope") not in ("CLOUDFRONT", "REGIONAL"):
        yield "is of no scope"


@rule(
    "web-acls-logged", 63, Severity.MEDIUM, ACL,
    title="Web ACLs log what they refuse, without what signs people in",
    fsbp="WAF.11", checkov="CKV2_AWS_31", fix="a WebAclLoggingConfiguration that redacts authorization and cookie",
)  # fmt: skip
def web_acls_logged(acl: Resource, view: View) -> Lacks:
    logs = view.users_at(acl, ACL_LOG, "resourceArn")
    if not logs:
        yield "is not logged"
    for log in logs:
        groups = view.targets(log, "logDestinationConfigs", LOG_GROUP, BUCKET)
        if not any((word(each, "name") or word(each, "bucket")).startswith(LOG_PREFIX) for each in groups):
            yield "is logged to nowhere that WAF writes to"
        redacted = {word(each, "singleHeader.name").lower() for each in items(log, "redactedFields")}
        if missing := set(REDACTED) - redacted:
            yield f"logs {' and '.join(sorted(missing))}"
        if not _keeps_refusals(get(log, "loggingFilter")):
            yield "does not log what it refuses or counts"


def _keeps_refusals(chosen: Any) -> bool:
    """Whether a filter of a log lets through what was refused or counted; no filter keeps all."""
    if chosen is None:
        return True
    wanted = {"BLOCK", "COUNT"}
    kept, dropped = set[str](), set[str]()
    for each in items(chosen, "filters"):
        actions = {word(on, "actionCondition.action") for on in items(each, "conditions")}
        if get(each, "behavior") != "KEEP":
            dropped |= actions
        elif get(each, "requirement") == "MEETS_ANY":
            kept |= actions
    return (wanted <= kept or get(chosen, "defaultBehavior") == "KEEP") and not wanted & dropped
