"""Rules of Route 53 and ACM: our own, as there is no control of them in the list."""

from collections.abc import Iterator
from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.images import word
from nottermost_platform.rules.view import View, get, items, number

ZONE: Final = "route53/zone:Zone"
RECORD: Final = "route53/record:Record"
HEALTH_CHECK: Final = "route53/healthCheck:HealthCheck"
CERTIFICATE: Final = "acm/certificate:Certificate"
VALIDATION: Final = "acm/certificateValidation:CertificateValidation"
ALGORITHMS: Final = frozenset(["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"])
CHECKERS_MIN: Final = 3  # regions: Route 53 takes no fewer
ROUTED: Final = (
    "failoverRoutingPolicies",
    "latencyRoutingPolicies",
    "weightedRoutingPolicies",
    "geolocationRoutingPolicies",
)


@rule(
    "certificates-renew", 0, Severity.MEDIUM, CERTIFICATE,
    title="Certificates have keys of 2048 bits and more, are proved by a record of ours, logged, and used",
    fsbp="ACM.1 ACM.2", checkov="234", fix="components.dns.Certificate: DNS validation, whose record stays for renewals",
)  # fmt: skip
def certificates_renew(certificate: Resource, view: View) -> Lacks:
    if get(certificate, "validationMethod") != "DNS":
        yield "is not proved by DNS, so that it does not renew itself"
    if word(certificate, "keyAlgorithm") not in ALGORITHMS:
        yield f"has a key of {get(certificate, 'keyAlgorithm', 'no known kind')}"
    if get(certificate, "options.certificateTransparencyLoggingPreference", "ENABLED") != "ENABLED":
        yield "is not in the public logs, in which forgeries are found"
    proofs = view.users_at(certificate, VALIDATION, "certificateArn")
    if not any(view.targets(each, "validationRecordFqdns", RECORD) for each in proofs):
        yield "is proved by no record of ours"
    if not [each for each in view.users(certificate) if each.type != f"aws:{VALIDATION}"]:
        yield "is used by nothing"


@rule(
    "zones-kept", 0, Severity.HIGH, ZONE,
    title="A zone with names in it is not deleted by mistake, and in production protected",
    fix="no force_destroy; protect=True in production",
)  # fmt: skip
def zones_kept(zone: Resource, view: View) -> Lacks:
    if get(zone, "forceDestroy") is True:
        yield "is deleted with all names in it"
    if view.is_prod and not zone.options.protect:
        yield "can be deleted, and with it the delegation"


@rule(
    "records-lead-somewhere", 0, Severity.HIGH, RECORD,
    title="Records lead to what is ours, and where there are several by a health check",
    checkov="CKV2_AWS_23", fix="components.dns.OriginNames: aliases of our own, evaluate_target_health, health_check_id",
)  # fmt: skip
def records_lead_somewhere(record: Resource, view: View) -> Lacks:
    if not view.targets(record, "zoneId", ZONE):
        yield "is in a zone that is not ours"
    for alias in items(record, "aliases"):
        led_to = {each.type for each in view.meant(get(alias, "name")) if each.urn != record.urn}
        if not led_to:
            yield "leads to what is not here, which somebody else may take"
        follows = led_to != {"aws:cloudfront/distribution:Distribution"}  # a distribution has no health to follow
        if get(alias, "evaluateTargetHealth") is not follows:
            yield "does not follow the health of what it leads to" if follows else "asks a distribution for its health"
    if not items(record, "aliases") and not items(record, "records"):
        yield "leads nowhere"
    routed = any(items(record, way) for way in ROUTED)
    if routed is not bool(get(record, "setIdentifier")):
        yield "is one of several, and nothing says when it is taken"
    if routed and not view.targets(record, "healthCheckId", HEALTH_CHECK):
        yield "is one of several and has no health check of ours"


@rule(
    "health-checks-judge", 0, Severity.MEDIUM, HEALTH_CHECK,
    title="Health checks ask over TLS, from three regions, soon enough; one that is switched off fences its region",
    fix="components.dns.OriginNames: HTTPS with SNI, and `open` disabled and inverted together",
)  # fmt: skip
def health_checks_judge(check: Resource, view: View) -> Lacks:
    off, inverted = get(check, "disabled", False), get(check, "invertHealthcheck", False)
    if off is not inverted:
        yield "counts as healthy for ever" if off else "counts as healthy when it is not"
    if not view.users_at(check, RECORD, "healthCheckId") and not view.users(check, HEALTH_CHECK):
        yield "is followed by no record"
    if get(check, "type") == "CALCULATED":
        if number(check, "childHealthThreshold") < 1 or not view.targets(check, "childHealthchecks", HEALTH_CHECK):
            yield "counts as healthy whatever its children say"
        return
    yield from _unasked(check, view)


def _unasked(check: Resource, view: View) -> Iterator[str]:
    if get(check, "type") not in ("HTTPS", "HTTPS_STR_MATCH") or get(check, "enableSni") is not True:
        yield "does not ask over TLS by the name that it checks"
    if not view.targets(check, "fqdn", RECORD):
        yield "asks a name that is not ours"
    if not get(check, "resourcePath"):
        yield "asks for no path that tells of health"
    if len(items(check, "regions")) < CHECKERS_MIN:
        yield "asks from too few regions"
    if not 1 <= number(check, "failureThreshold") <= 3 or not 10 <= number(check, "requestInterval") <= 30:
        yield "takes longer than 90 s to notice, or does not say how long"
    if get(check, "measureLatency") is not True:
        yield "does not measure how long an answer takes"
