"""Each rule of search domains notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.search import DOMAIN, LOG_POLICY
from nottermost_platform.testing import REMOVED, Bad, changed, check_bad, removed

ACCESS, SECURITY = "accessPolicies.Statement.0", "advancedSecurityOptions"
LEAVE, LEAVE_NAME = "policyDocument.Statement.0", "search-logs"
CASES = [
    Bad("search-encrypted", changed(DOMAIN, "encryptAtRest.enabled", False), "index unencrypted"),
    Bad("search-encrypted", changed(DOMAIN, "encryptAtRest.kmsKeyId", REMOVED), "key of ours"),
    Bad("search-encrypted", changed(DOMAIN, "nodeToNodeEncryption.enabled", False), "node to node"),
    Bad("search-encrypted", changed(DOMAIN, "ebsOptions.ebsEnabled", False), "end with their machines"),
    Bad("search-tls", changed(DOMAIN, "domainEndpointOptions.enforceHttps", False), "plain HTTP"),
    Bad("search-tls", changed(DOMAIN, "domainEndpointOptions.tlsSecurityPolicy", "Policy-Min-TLS-1-0-2019-07"), "TLS-1-0"),
    Bad("search-in-vpc", changed(DOMAIN, "vpcOptions", REMOVED), "subnets that are not ours"),
    Bad("search-in-vpc", changed(DOMAIN, "vpcOptions.subnetIds", []), "0 zones of 1"),
    Bad("search-in-vpc", changed(DOMAIN, "vpcOptions.securityGroupIds", ["sg-1"]), "security group"),
    Bad("search-access", changed(DOMAIN, f"{SECURITY}.enabled", False), "who may read may write"),
    Bad("search-access", changed(DOMAIN, f"{SECURITY}.anonymousAuthEnabled", True), "whom it does not know"),
    Bad("search-access", changed(DOMAIN, f"{SECURITY}.internalUserDatabaseEnabled", True), "passwords"),
    Bad("search-access", changed(DOMAIN, f"{SECURITY}.masterUserOptions", REMOVED), "administrator"),
    Bad("search-access", changed(DOMAIN, "accessPolicies", REMOVED), "does not say who may ask"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Effect", "Deny"), "does not say who may ask"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Principal", "*"), "does not name"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Principal", {"AWS": ["*"]}), "does not name"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Principal", {"AWS": ["arn:aws:iam::1:root"]}), "another account"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Action", ["es:*"]), "more than calls"),
    Bad("search-access", changed(DOMAIN, f"{ACCESS}.Resource", ["*"]), "more than itself"),
    Bad("search-logs", changed(DOMAIN, "logPublishingOptions.1.enabled", False), "does not keep AUDIT_LOGS"),
    Bad("search-logs", changed(DOMAIN, "logPublishingOptions.1.cloudwatchLogGroupArn", "other"), "does not keep AUDIT_LOGS"),
    Bad("search-logs", changed(DOMAIN, "logPublishingOptions", []), "does not keep ES_APPLICATION_LOGS"),
    Bad("search-logs", removed(LOG_POLICY, LEAVE_NAME), "may not write AUDIT_LOGS"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Action", ["logs:PutLogEvents"], LEAVE_NAME), "may not write"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Resource", ["arn:aws:logs:us-east-1:1:log-group:/x"], LEAVE_NAME), "may not write"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Resource", "*", LEAVE_NAME), "or anybody's domain may"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Principal", {"Service": "ec2.amazonaws.com"}, LEAVE_NAME), "may not write"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Condition.ArnLike", REMOVED, LEAVE_NAME), "anybody's domain"),
    Bad("search-logs", changed(LOG_POLICY, f"{LEAVE}.Condition.StringEquals", REMOVED, LEAVE_NAME), "anybody's domain"),
    Bad("search-nodes", changed(DOMAIN, "clusterConfig.instanceCount", 2), "2 nodes of 3"),
    Bad("search-nodes", changed(DOMAIN, "clusterConfig.zoneAwarenessEnabled", False), "spreads its copies"),
    Bad("search-nodes", changed(DOMAIN, "clusterConfig.zoneAwarenessConfig.availabilityZoneCount", 2), "over 2 zones, and stands in 3"),
    Bad("search-nodes", changed(DOMAIN, "clusterConfig.dedicatedMasterEnabled", False), "masters of 3"),
    Bad("search-nodes", changed(DOMAIN, "clusterConfig.dedicatedMasterCount", 1), "1 masters of 3"),
    Bad("search-updates", changed(DOMAIN, "softwareUpdateOptions.autoSoftwareUpdateEnabled", False), "install updates"),
    Bad("search-updates", changed(DOMAIN, "offPeakWindowOptions.enabled", False), "any hour"),
    Bad("search-updates", changed(DOMAIN, "autoTuneOptions.desiredState", "DISABLED"), "tune itself"),
    Bad("search-updates", changed(DOMAIN, "engineVersion", REMOVED), "that AWS chooses"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
