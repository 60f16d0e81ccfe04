"""Rules of OpenSearch: controls 28 to 32."""

from fnmatch import fnmatchcase
from typing import Any, Final

from nottermost_platform.components.search import LOGS
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.stores import LOG_GROUP, ROLE, has_key, lacks_ground
from nottermost_platform.rules.view import View, get, items, number, parse

DOMAIN: Final = "opensearch/domain:Domain"
LOG_POLICY: Final = "cloudwatch/logResourcePolicy:LogResourcePolicy"
TLS_POLICIES: Final = ("Policy-Min-TLS-1-2-PFS-2023-10", "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08")
WRITE: Final = ("logs:CreateLogStream", "logs:PutLogEvents")


@rule(
    "search-encrypted", 28, Severity.MEDIUM, DOMAIN,
    title="Search domains encrypt what they keep, with a key of ours, and what nodes tell each other",
    fsbp="Opensearch.1 Opensearch.3", checkov="5 6 247", nag="OS2 OS8",
    fix="encrypt_at_rest with kms_key_id, node_to_node_encryption",
)  # fmt: skip
def search_encrypted(domain: Resource, view: View) -> Lacks:
    if get(domain, "encryptAtRest.enabled") is not True:
        yield "keeps the index unencrypted"
    if not has_key(domain, view, "encryptAtRest.kmsKeyId"):
        yield "is not encrypted with a key of ours"
    if get(domain, "nodeToNodeEncryption.enabled") is not True:
        yield "sends the index unencrypted from node to node"
    if get(domain, "ebsOptions.ebsEnabled") is not True:
        yield "keeps the index on disks that end with their machines"


@rule(
    "search-tls", 28, Severity.MEDIUM, DOMAIN,
    title="Search domains answer over HTTPS alone, with TLS 1.2 and forward secrecy at least",
    fsbp="Opensearch.8", checkov="83 228", fix="domain_endpoint_options: enforce_https, tls_security_policy",
)  # fmt: skip
def search_tls(domain: Resource, _view: View) -> Lacks:
    if get(domain, "domainEndpointOptions.enforceHttps") is not True:
        yield "answers over plain HTTP"
    policy = get(domain, "domainEndpointOptions.tlsSecurityPolicy")
    if policy not in TLS_POLICIES:
        yield f"has the TLS policy {policy}"


@rule(
    "search-in-vpc", 29, Severity.CRITICAL, DOMAIN,
    title="Search domains stand in data subnets, behind a group of their own",
    fsbp="Opensearch.2", checkov="137 248", nag="OS1", fix="vpc_options: the network's data subnets and a group",
)  # fmt: skip
def search_in_vpc(domain: Resource, view: View) -> Lacks:
    yield from lacks_ground(domain, view, "vpcOptions.subnetIds", "vpcOptions.securityGroupIds", zones=1)


@rule(
    "search-access", 30, Severity.HIGH, DOMAIN,
    title="Search domains know who asks: roles of this account by signed calls, an administrator's role, no passwords",
    fsbp="Opensearch.7", checkov="CKV2_AWS_52", nag="OS5",
    fix="advanced_security_options with master_user_arn, access_policies that name principals and es:ESHttp*",
)  # fmt: skip
def search_access(domain: Resource, view: View) -> Lacks:
    options = "advancedSecurityOptions"
    if get(domain, f"{options}.enabled") is not True:
        yield "has no roles of its own: who may read may write"
    if get(domain, f"{options}.anonymousAuthEnabled") is not False:
        yield "answers whom it does not know"
    if get(domain, f"{options}.internalUserDatabaseEnabled") is not False:
        yield "keeps users with passwords of its own"
    if not view.targets(domain, f"{options}.masterUserOptions.masterUserArn", ROLE):
        yield "has no administrator's role of ours"
    statements = items(parse(get(domain, "accessPolicies")), "Statement")
    allowed = [each for each in statements if get(each, "Effect") == "Allow"]
    if not allowed:
        yield "does not say who may ask"
    account = str(get(domain, f"{options}.masterUserOptions.masterUserArn")).split(":")[4:5]
    for each in allowed:
        yield from _too_much(each, str(get(domain, "domainName")), account)


def _too_much(statement: Any, name: str, account: list[str]) -> Lacks:
    principal = get(statement, "Principal")
    who = items(principal, "AWS") if isinstance(principal, dict) else [principal]
    if not who or any(str(each).split(":")[4:5] != account for each in who):
        yield "lets in whom it does not name, or another account"
    if any(not str(each).startswith("es:ESHttp") for each in items(statement, "Action") or [""]):
        yield "allows more than calls of the index"
    if any(not str(each).endswith(f":domain/{name}/*") for each in items(statement, "Resource") or [""]):
        yield "speaks of more than itself"


@rule(
    "search-logs", 31, Severity.MEDIUM, DOMAIN,
    title="Search domains log errors, every access and slow calls, and may write there for this account alone",
    fsbp="Opensearch.4 Opensearch.5", checkov="84 317", nag="OS9",
    fix="log_publishing_options with a group each, and a LogResourcePolicy with aws:SourceAccount and aws:SourceArn",
)  # fmt: skip
def search_logs(domain: Resource, view: View) -> Lacks:
    found = {str(get(each, "logType")): each for each in items(domain, "logPublishingOptions")}
    for kind in LOGS.values():
        option = found.get(kind)
        groups = view.meant(get(option, "cloudwatchLogGroupArn"), LOG_GROUP)
        if get(option, "enabled") is not True or not groups:
            yield f"does not keep {kind} in a log group of ours"
        for group in groups:
            if not may_write(domain, view, str(get(group, "name"))):
                yield f"may not write {kind}, or anybody's domain may"


def may_write(domain: Resource, view: View, path: str) -> bool:
    """Whether OpenSearch may write into a log group, for this domain alone."""
    statements = [
        each
        for policy in view.of(LOG_POLICY)
        if policy.region == domain.region
        for each in items(parse(get(policy, "policyDocument")), "Statement")
        if get(each, "Effect") == "Allow" and "es.amazonaws.com" in items(each, "Principal.Service")
    ]
    return any(
        set(WRITE) <= {str(action) for action in items(each, "Action")}
        and any(fnmatchcase(f"log-group:{path}", str(arn).split(":", 5)[-1]) for arn in items(each, "Resource"))
        for each in statements
    ) and all(_names_its_source(each, domain) for each in statements)


def _names_its_source(statement: Any, domain: Resource) -> bool:
    if not all(":log-group:/" in str(each) for each in items(statement, "Resource") or [""]):
        return False
    source = str(get(statement, "Condition.ArnLike.aws:SourceArn"))
    account = get(statement, "Condition.StringEquals.aws:SourceAccount")
    return source.endswith(f":domain/{get(domain, 'domainName')}") and source.split(":")[4:5] == [account]


@rule(
    "search-nodes", 32, Severity.MEDIUM, DOMAIN, envs=("prod",),
    title="In production search domains have three nodes or more over zones, and three masters",
    fsbp="Opensearch.6 Opensearch.11", checkov="318 CKV2_AWS_59", nag="OS4 OS7",
    fix="search.nodes, search.zones and search.masters in the settings of data",
)  # fmt: skip
def search_nodes(domain: Resource, _view: View) -> Lacks:
    nodes, zones = number(domain, "clusterConfig.instanceCount"), len(items(domain, "vpcOptions.subnetIds"))
    spread = number(domain, "clusterConfig.zoneAwarenessConfig.availabilityZoneCount")
    if nodes < 3:
        yield f"has {nodes:.0f} nodes of 3"
    if get(domain, "clusterConfig.zoneAwarenessEnabled") is not True or spread < 2 or spread != zones:
        yield f"spreads its copies over {spread:.0f} zones, and stands in {zones}"
    masters = number(domain, "clusterConfig.dedicatedMasterCount")
    if get(domain, "clusterConfig.dedicatedMasterEnabled") is not True or masters < 3:
        yield f"has {masters:.0f} masters of 3"


@rule(
    "search-updates", 0, Severity.MEDIUM, DOMAIN,
    title="Search domains install updates by themselves, when least is searched, and tune themselves",
    fsbp="Opensearch.10", fix="software_update_options, off_peak_window_options, auto_tune_options",
)  # fmt: skip
def search_updates(domain: Resource, _view: View) -> Lacks:
    if get(domain, "softwareUpdateOptions.autoSoftwareUpdateEnabled") is not True:
        yield "does not install updates"
    if get(domain, "offPeakWindowOptions.enabled") is not True:
        yield "is updated at any hour"
    burstable = str(get(domain, "clusterConfig.instanceType")).startswith("t")  # AWS tunes none of these
    if not burstable and get(domain, "autoTuneOptions.desiredState") != "ENABLED":
        yield "does not tune itself"
    if not str(get(domain, "engineVersion")).startswith("OpenSearch_"):
        yield f"is of version {get(domain, 'engineVersion', 'that AWS chooses')}, and no OpenSearch"
