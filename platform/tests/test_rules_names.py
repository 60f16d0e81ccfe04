"""Each rule of certificates, zones, records and health checks notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.names import CERTIFICATE, HEALTH_CHECK, RECORD, VALIDATION, ZONE
from nottermost_platform.testing import REMOVED, UNPROTECTED, Bad, added, altered, changed, check_bad, removed

CHECK, OPEN = "origin-names-check", "origin-names-open"
CASES = [
    Bad("certificates-renew", changed(CERTIFICATE, "validationMethod", "EMAIL"), "by DNS"),
    Bad("certificates-renew", changed(CERTIFICATE, "keyAlgorithm", "RSA_1024"), "RSA_1024"),
    Bad("certificates-renew", changed(CERTIFICATE, "options", {"certificateTransparencyLoggingPreference": "DISABLED"}), "public logs"),
    Bad("certificates-renew", removed(VALIDATION), "no record of ours"),
    Bad("certificates-renew", changed(VALIDATION, "validationRecordFqdns", ["elsewhere.example.com"]), "no record of ours"),
    Bad("certificates-renew", added(CERTIFICATE, {"domainName": "old.example.com"}), "used by nothing"),
    Bad("zones-kept", changed(ZONE, "forceDestroy", True), "all names"),
    Bad("zones-kept", altered(ZONE, options=UNPROTECTED), "delegation"),
    Bad("records-lead-somewhere", changed(RECORD, "zoneId", "Z1"), "zone that is not ours"),
    Bad("records-lead-somewhere", changed(RECORD, "aliases.0.name", "gone.elb.amazonaws.com", "origin-names-own"), "somebody else"),
    Bad("records-lead-somewhere", changed(RECORD, "aliases.0.evaluateTargetHealth", False, "origin-names-own"), "does not follow"),
    Bad("records-lead-somewhere", changed(RECORD, "aliases.0.evaluateTargetHealth", True, "cdn-name-a"), "for its health"),
    Bad("records-lead-somewhere", changed(RECORD, "records", [], "viewer-proof"), "leads nowhere"),
    Bad("records-lead-somewhere", changed(RECORD, "healthCheckId", REMOVED, "origin-names-shared"), "no health check"),
    Bad("records-lead-somewhere", changed(RECORD, "failoverRoutingPolicies", REMOVED, "origin-names-shared"), "when it is taken"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "disabled", True, OPEN), "healthy for ever"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "invertHealthcheck", True, OPEN), "when it is not"),
    Bad("health-checks-judge", added(HEALTH_CHECK, {"type": "HTTPS"}), "by no record"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "childHealthThreshold", 0, OPEN), "whatever its children"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "childHealthchecks", [], OPEN), "whatever its children"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "type", "HTTP", CHECK), "over TLS"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "enableSni", False, CHECK), "over TLS"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "fqdn", "elsewhere.example.com", CHECK), "not ours"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "resourcePath", REMOVED, CHECK), "no path"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "regions", ["us-east-1"], CHECK), "too few"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "failureThreshold", 10, CHECK), "longer than 90 s"),
    Bad("health-checks-judge", changed(HEALTH_CHECK, "measureLatency", False, CHECK), "measure"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
