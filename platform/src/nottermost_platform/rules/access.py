"""Rules of IAM: controls 72, 76 and 77, and our own."""

from collections.abc import Iterator
from typing import Final

from nottermost_platform.components.pipeline import GITHUB, TOO_MUCH
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.statements import (
    Said,
    account_of,
    denials_of_all,
    denies,
    is_current,
    is_our_arn,
    is_ours,
    may,
    read,
    wide_actions,
)
from nottermost_platform.rules.view import View, get, items, number

ROLE: Final = "iam/role:Role"
POLICY: Final = "iam/policy:Policy"
ROLE_POLICY: Final = "iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "iam/rolePolicyAttachment:RolePolicyAttachment"
PROVIDER: Final = "iam/openIdConnectProvider:OpenIdConnectProvider"
KEY: Final = "kms/key:Key"
REPLICA_KEY: Final = "kms/replicaKey:ReplicaKey"
IDENTITY_POLICIES: Final = (POLICY, ROLE_POLICY, "iam/groupPolicy:GroupPolicy")
RESOURCE_POLICIES: Final = {  # where each has its document, and which input names what it is a policy of
    "s3/bucketPolicy:BucketPolicy": ("policy", "bucket"),
    "sqs/queuePolicy:QueuePolicy": ("policy", "queueUrl"),
    "sqs/queue:Queue": ("policy", ""),
    "sns/topicPolicy:TopicPolicy": ("policy", "arn"),
    "sns/topic:Topic": ("policy", ""),
    KEY: ("policy", ""),
    REPLICA_KEY: ("policy", ""),
    "secretsmanager/secretPolicy:SecretPolicy": ("policy", "secretArn"),
    "secretsmanager/secret:Secret": ("policy", ""),
    "cloudwatch/logResourcePolicy:LogResourcePolicy": ("policyDocument", ""),
    "cloudwatch/eventBusPolicy:EventBusPolicy": ("policy", "eventBusName"),
    "cloudwatch/logDeliveryDestinationPolicy:LogDeliveryDestinationPolicy": ("deliveryDestinationPolicy", ""),
    "dynamodb/resourcePolicy:ResourcePolicy": ("policy", "resourceArn"),
    "ecr/repositoryPolicy:RepositoryPolicy": ("policy", "repository"),
    "ecr/registryPolicy:RegistryPolicy": ("policy", ""),
    "backup/vaultPolicy:VaultPolicy": ("policy", "backupVaultName"),
    "glue/resourcePolicy:ResourcePolicy": ("policy", ""),
    "opensearch/domainPolicy:DomainPolicy": ("accessPolicies", "domainName"),
    "opensearch/domain:Domain": ("accessPolicies", ""),
}  # fmt: skip
# Actions that IAM knows without a resource, so that `*` is all that can be said
# (Service Authorization Reference, the tables of actions without resource types, read 2026-11-21).
ONLY_ANY: Final = frozenset({
    "aps:ListWorkspaces", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "ecr:GetAuthorizationToken",
    "logs:GetQueryResults", "logs:StopQuery", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "sts:GetCallerIdentity", "tag:GetResources",
    "xray:BatchGetTraces", "xray:GetGroups", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "xray:GetServiceGraph", "xray:GetTraceSummaries", "xray:PutTelemetryRecords", "xray:PutTraceSegments",
})  # fmt: skip
ANY_WITHIN: Final = {"servicediscovery:DiscoverInstances": "servicediscovery:NamespaceName"}  # and with this condition
READS: Final = ("Describe", "Get", "List")
GLOBAL: Final = frozenset({"cloudfront", "iam", "route53", "sts", "tag"})  # they answer in one region only
NO_KINDS: Final = frozenset({"s3", "sns", "sqs"})  # their ARNs end in the name, without `<kind>/` before it
USES_KEYS: Final = ("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
# Services that name no source when they take a role or write: a condition would refuse them.
SILENT_TRUST: Final = frozenset({
    "cloudtrail.amazonaws.com",  # CloudTrail guide, "Role policy document for CloudTrail to use CloudWatch Logs"
    "ec2.amazonaws.com",  # EC2 guide, "Instance profiles": the machine that wears the profile, and no other
})  # fmt: skip
SILENT_WRITE: Final = frozenset({
    "events.amazonaws.com",  # EventBridge guide, "Amazon SNS permissions"
    "logdelivery.elasticloadbalancing.amazonaws.com",  # ELB guide, "Access logs": the path holds the account
})  # fmt: skip
SESSION_S_MAX: Final = 7200
DOCUMENT_FIX: Final = "name it in the Statement; where AWS knows nothing narrower, record why in suppressions.yaml"


def documents(resource: Resource) -> Iterator[list[Said]]:
    """The identity policies of a resource: its own, or those written into a role."""
    if resource.type == f"aws:{ROLE}":
        yield from (read(get(each, "policy")) for each in items(resource, "inlinePolicies"))
    else:
        yield read(get(resource, "policy"))


def is_boundary(policy: Resource, view: View) -> bool:
    """Whether a policy only ends what roles may do, and gives nothing to any."""
    return bool(view.users_at(policy, ROLE, "permissionsBoundary")) and not view.users_at(
        policy, ATTACHMENT, "policyArn"
    )


@rule(
    "policies-name-actions", 76, Severity.HIGH, *IDENTITY_POLICIES, ROLE, *RESOURCE_POLICIES,
    title="No policy allows every action, or every action of a service; a key's own policy does so for our account",
    fsbp="IAM.1 IAM.21", checkov="62 63 286 287 288 289 290", nag="IAM5", fix=DOCUMENT_FIX,
)  # fmt: skip
def policies_name_actions(resource: Resource, view: View) -> Lacks:
    if resource.type in (f"aws:{KEY}", f"aws:{REPLICA_KEY}"):
        root = f"arn:aws:iam::{account_of(resource, view)}:root"
        yield from wide_actions(
            [each for each in read(get(resource, "policy")) if each.principals != {"AWS": [root]} or each.inverted]
        )
    elif (kind := resource.type.removeprefix("aws:")) in RESOURCE_POLICIES:
        yield from wide_actions(read(get(resource, RESOURCE_POLICIES[kind][0])))
    else:
        for document in documents(resource):
            yield from wide_actions(document)


@rule(
    "policies-can-be-read", 76, Severity.HIGH, POLICY, ROLE_POLICY,
    title="What a role may do is a document that says something",
    fix="make_policy(...) with at least one Statement",
)  # fmt: skip
def policies_can_be_read(resource: Resource, view: View) -> Lacks:
    if not read(get(resource, "policy")):
        yield "holds no statement"
    if not is_current(get(resource, "policy")):
        yield "is of an old version"
    if resource.type == f"aws:{ROLE_POLICY}" and not view.targets(resource, "role", ROLE):
        yield "belongs to no role of ours"


@rule(
    "policies-name-resources", 76, Severity.HIGH, *IDENTITY_POLICIES, ROLE,
    title="What a policy allows, it allows on resources it names, where IAM knows a resource of the action",
    checkov="355 290 288", nag="IAM5", fix=DOCUMENT_FIX,
)  # fmt: skip
def policies_name_resources(resource: Resource, view: View) -> Lacks:
    if is_boundary(resource, view):
        return
    account = account_of(resource, view)
    for said in (each for document in documents(resource) for each in document if each.allows):
        wide = [each for each in said.resources if _is_wide(each, said, account)]
        named = [each for each in said.actions if not _knows_no_resource(each, said)]
        if named and (wide or not said.resources):
            more = f" and {len(named) - 1} more" if len(named) > 1 else ""
            yield f"allows {named[0]}{more} on {wide[0] if wide else 'nothing that it names'}"


def _knows_no_resource(action: str, said: Said) -> bool:
    return action in ONLY_ANY or (action in ANY_WITHIN and bool(said.wants(ANY_WITHIN[action])))


def _is_wide(arn: str, said: Said, account: str) -> bool:
    """Whether an ARN names next to nothing: any, another account's, or all of a kind; keys have no names to begin with."""
    if "*" not in arn and "?" not in arn:
        return False
    parts = arn.split(":", 5)
    if len(parts) < 6 or "*" in parts[2] or parts[4] not in (account, "aws", ""):
        return True
    if parts[2] == "kms" and _through_services(said):
        return False
    kind, _, name = parts[5].replace(":", "/").partition("/")
    return (parts[5] if parts[2] in NO_KINDS else name or kind).lstrip("/").startswith(("*", "?"))


@rule(
    "any-resource-in-our-regions", 76, Severity.MEDIUM, *IDENTITY_POLICIES, ROLE,
    title="What may be changed wherever it is, may be changed in the platform's own regions only",
    fix="conditions={'StringEquals': {'aws:RequestedRegion': [...]}}",
)  # fmt: skip
def any_resource_in_our_regions(resource: Resource, view: View) -> Lacks:
    if is_boundary(resource, view):
        return
    regions = {each.region for each in view.graph.stacks}
    for said in (each for document in documents(resource) for each in document if each.allows):
        changes = [each for each in said.actions if _changes_in_a_region(each)]
        wanted = said.wants("aws:RequestedRegion")
        if "*" in said.resources and changes and (not wanted or "*" in wanted or not regions & set(wanted)):
            yield f"allows {changes[0]} in any region"


def _changes_in_a_region(action: str) -> bool:
    service, _, verb = action.partition(":")
    return service not in GLOBAL and action not in (*ONLY_ANY, *ANY_WITHIN) and not verb.startswith(READS)


@rule(
    "keys-through-services", 72, Severity.MEDIUM, *IDENTITY_POLICIES, ROLE,
    title="A role uses a key through the service that keeps what it encrypts, and never every key by itself",
    fsbp="KMS.1 KMS.2", fix="conditions={'StringEquals': {'kms:ViaService': ...}} beside the key's ARN",
)  # fmt: skip
def keys_through_services(resource: Resource, view: View) -> Lacks:
    if is_boundary(resource, view):
        return
    for said in (each for document in documents(resource) for each in document if each.allows):
        uses = [each for each in USES_KEYS if any(said.covers(f"kms:{each}", arn) for arn in said.resources)]
        if uses and not _through_services(said):
            names = sorted({each.name for each in view.meant(said.resources, KEY, REPLICA_KEY)})
            yield f"allows kms:{uses[0]} with {', '.join(names) or 'keys that nobody knows'}, through no service"


def _through_services(said: Said) -> bool:
    via = said.wants("kms:ViaService")
    return _grants_to_services(said) or (bool(via) and "*" not in via)


def _grants_to_services(said: Said) -> bool:
    """Whether it only lets AWS services be granted a key, for what they keep on the caller's behalf."""
    return said.actions == ["kms:CreateGrant"] and said.conditions.get(("bool", "kms:grantisforawsresource")) == [
        "true"
    ]


@rule(
    "roles-handed-over", 76, Severity.HIGH, *IDENTITY_POLICIES, ROLE,
    title="Who may hand a role to a service may hand it to services that are named",
    checkov="CKV2_AWS_40", fix="conditions={'StringEquals': {'iam:PassedToService': [...]}}",
)  # fmt: skip
def roles_handed_over(resource: Resource, view: View) -> Lacks:
    if is_boundary(resource, view):
        return
    for said in (each for document in documents(resource) for each in document if each.allows):
        if said.covers("iam:PassRole", said.resources[0] if said.resources else ""):
            services = said.wants("iam:PassedToService")
            if not services or any("*" in each for each in services):
                yield "may hand roles to any service"


@rule(
    "trust-is-specific", 76, Severity.HIGH, ROLE,
    title="A role trusts services on behalf of this account, and roles of ours; never anybody",
    fsbp="IAM.21", checkov="60 61", nag="IAM4", fix="trust(service, account), or the ARN of a role; see policy.py",
)  # fmt: skip
def trust_is_specific(role: Resource, view: View) -> Lacks:
    document = read(get(role, "assumeRolePolicy"))
    if not is_current(get(role, "assumeRolePolicy")) or not any(each.allows for each in document):
        yield "can be taken by nobody"
    account = account_of(role, view)
    for said in (each for each in document if each.allows):
        yield from _strangers(said, account, view)
        yield from _wrong_source(said, account, view)
        silent = set(said.services) <= SILENT_TRUST
        if said.services and not silent and not said.anybody and not is_ours(said, account, view):
            yield f"trusts {', '.join(said.services)} on anybody's behalf"
        for action in said.actions:
            if not action.startswith(("sts:AssumeRole", "sts:TagSession")) or "*" in action:
                yield f"lets others {action}"
    if not 3600 <= number(role, "maxSessionDuration") <= SESSION_S_MAX:
        yield f"is worn for {number(role, 'maxSessionDuration') / 3600:.0f} hours at a time"


def _strangers(said: Said, account: str, view: View) -> Lacks:
    """Principals that are not ours."""
    if said.anybody or said.inverted:
        yield "is open to anybody"
    for principal in said.principals.get("AWS", []):
        if principal in (account, f"arn:aws:iam::{account}:root"):
            if any(each.startswith("sts:AssumeRole") for each in said.actions) and not is_ours(said, account, view):
                yield "can be taken by whoever this account lets"
        elif principal != "*" and not view.meant(principal, ROLE) and not is_ours(said, account, view):
            yield f"trusts {principal}, which is no role of ours"
    for service in said.services:
        if "*" in service or not service.endswith((".amazonaws.com", ".aws.internal")):
            yield f"trusts {service}, which is no service"


def _wrong_source(said: Said, account: str, view: View) -> Lacks:
    """Each condition on where a request comes from names us: one that names another beside it opens or closes it."""
    for key in ("aws:SourceAccount", "aws:PrincipalAccount", "aws:SourceArn", "aws:PrincipalArn"):
        for value in said.wants(key):
            of_account = key.endswith("Account")
            if not (value == account if of_account else is_our_arn(value, account, view)):
                yield f"wants {key} to be {value}, which is not ours"


@rule(
    "ci-roles-pinned", 77, Severity.HIGH, ROLE,
    title="A workflow takes a role from one ref of one repository, with a token made for AWS",
    checkov="393 358", fix="StringEquals on the issuer's aud and sub: repo:<owner>/<name>:ref:<ref>",
)  # fmt: skip
def ci_roles_pinned(role: Resource, view: View) -> Lacks:
    for said in read(get(role, "assumeRolePolicy")):
        if not said.allows or not (said.principals.get("Federated") or any("Web" in each for each in said.actions)):
            continue
        if not view.meant(said.principals.get("Federated", []), PROVIDER):
            yield "trusts an issuer that is not ours"
        if said.conditions.get(("stringequals", f"{GITHUB}:aud")) != ["sts.amazonaws.com"]:
            yield "takes tokens that were made for others"
        subjects = said.conditions.get(("stringequals", f"{GITHUB}:sub"), [])
        if len(subjects) != 1 or not _is_pinned(subjects[0]):
            yield f"is taken by {', '.join(subjects) or 'any workflow of anybody'}, which is not one ref of one repository"


def _is_pinned(subject: str) -> bool:
    kind, repository, ref = (*subject.split(":", 2), "", "")[:3]
    owner, _, name = repository.partition("/")
    pinned = ref.startswith(("ref:refs/heads/", "ref:refs/tags/", "environment:")) and not ref.endswith(("/", ":"))
    return kind == "repo" and bool(owner and name) and pinned and "*" not in subject and "?" not in subject


@rule(
    "issuers", 77, Severity.MEDIUM, PROVIDER,
    title="The issuer of workflows' tokens is GitHub's, over HTTPS, for AWS alone",
    fix="url='https://token.actions.githubusercontent.com', client_id_lists=['sts.amazonaws.com']",
)  # fmt: skip
def issuers(provider: Resource, _view: View) -> Lacks:
    if get(provider, "url") != f"https://{GITHUB}":
        yield f"trusts tokens of {get(provider, 'url')}"
    if items(provider, "clientIdLists") != ["sts.amazonaws.com"]:
        yield "takes tokens that were made for others"


OWN_ROLES: Final = (
    "AttachRolePolicy", "CreatePolicyVersion", "CreateRole", "DeletePolicy", "DeletePolicyVersion", "DeleteRole",
    "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy", "PutRolePermissionsBoundary",
    "PutRolePolicy", "SetDefaultPolicyVersion", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole",
)  # fmt: skip
KEPT_BUCKETS: Final = (
    "DeleteBucket", "DeleteBucketPolicy", "PutBucketAcl", "PutBucketLogging", "PutBucketObjectLockConfiguration",
    "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketVersioning", "PutEncryptionConfiguration",
    "PutLifecycleConfiguration",
)  # fmt: skip
KEPT_KEYS: Final = ("DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion")
NEVER: Final = (  # by no pipeline: what watches it, who enters the account, and the account itself
    "access-analyzer:DeleteAnalyzer", "account:CloseAccount", "aws-portal:ModifyBilling", "budgets:ModifyBudget",
    "cloudtrail:DeleteTrail", "cloudtrail:PutEventSelectors", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail",
    "config:DeleteConfigurationRecorder", "config:StopConfigurationRecorder", "guardduty:DeleteDetector",
    "guardduty:UpdateDetector", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateOpenIDConnectProvider",
    "iam:CreateUser", "iam:UpdateAccountPasswordPolicy", "organizations:LeaveOrganization",
    "sso:CreateAccountAssignment", "sts:AssumeRole",
)  # fmt: skip


@rule(
    "pipeline-boundary", 0, Severity.HIGH, ROLE,
    title="Roles that workflows take end at a boundary: not their own rights, not audit, not state, no users",
    fsbp="IAM.21", fix="permissions_boundary with the denials of Pipeline._add_boundary",
)  # fmt: skip
def pipeline_boundary(role: Resource, view: View) -> Lacks:
    if not any(each.principals.get("Federated") for each in read(get(role, "assumeRolePolicy"))):
        return
    boundaries = view.targets(role, "permissionsBoundary", POLICY)
    if not boundaries:
        yield "has no permissions boundary of ours"
    for boundary in boundaries:
        document = read(get(boundary, "policy"))
        yield from (f"could {each}" for each in NEVER if may(document, each, "*"))
        yield from (
            f"could {action} on {what}"
            for action, what in _kept(role, boundary, view)
            if not denies(document, action, what)
        )
        kept = {
            arn
            for each in document
            if not each.allows and each.covers("iam:AttachRolePolicy", "*")
            for arn in each.wants("iam:PolicyARN")
        }
        yield from (
            f"could give out {each}" for each in TOO_MUCH if f"arn:aws:iam::aws:policy/{each}" not in kept
        )  # fmt: skip


def _kept(role: Resource, boundary: Resource, view: View) -> Iterator[tuple[str, str]]:
    """What a pipeline's boundary has to deny: each action, and on what."""
    account = account_of(role, view)
    for arn in (f"role/{get(role, 'name')}", f"policy/{get(boundary, 'name')}"):
        yield from ((f"iam:{action}", f"arn:aws:iam::{account}:{arn}") for action in OWN_ROLES)
    trails = [bucket for each in view.of("cloudtrail/trail:Trail") for bucket in view.targets(each, "s3BucketName")]
    states = [
        each for each in view.of("s3/bucket:Bucket") if view.named(each).startswith("account.") and each.name == "state"
    ]
    for bucket in (*trails, *states):
        yield from ((f"s3:{action}", f"arn:aws:s3:::{get(bucket, 'bucket')}") for action in KEPT_BUCKETS)
        for encryption in view.users_at(
            bucket, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "bucket"
        ):
            arn = str(get(encryption, "rules.0.applyServerSideEncryptionByDefault.kmsMasterKeyId"))
            yield from ((f"kms:{action}", arn) for action in KEPT_KEYS)


@rule(
    "managed-policies", 76, Severity.HIGH, ATTACHMENT, ROLE,
    title="Roles get policies of ours, or those that AWS keeps for a role of its service; never an administrator's",
    fsbp="IAM.1", checkov="274 275", nag="IAM4", fix="write the policy; of AWS's own, only service-role ones",
)  # fmt: skip
def managed_policies(resource: Resource, view: View) -> Lacks:
    for arn in (*items(resource, "policyArn"), *items(resource, "managedPolicyArns")):
        name = str(arn).rpartition("/")[2]
        if any(arn == get(each, "permissionsBoundary") for each in view.of(ROLE)):
            yield "gives out a boundary, which allows far too much"
        of_service = str(arn).startswith("arn:aws:iam::aws:policy/") and "ServiceRolePolicy" in name
        if not view.meant(arn, POLICY) and not of_service:
            yield f"gives out {name}"
    if resource.type == f"aws:{ATTACHMENT}":
        if not view.targets(resource, "role", ROLE):
            yield "is attached to no role of ours"
        if not get(resource, "policyArn"):
            yield "gives out nothing"


@rule(
    "roles-may-something", 76, Severity.LOW, ROLE,
    title="A role that a service takes may do something: one without rights is left over, or lost them",
    fix="give it its policy, or delete it",
)  # fmt: skip
def roles_may_something(role: Resource, view: View) -> Lacks:
    given = (*view.users_at(role, ROLE_POLICY, "role"), *view.users_at(role, ATTACHMENT, "role"))
    of_service = any(each.services for each in read(get(role, "assumeRolePolicy")))
    if of_service and not given and not items(role, "inlinePolicies") and not items(role, "managedPolicyArns"):
        yield "may do nothing"


@rule(
    "no-users", 76, Severity.HIGH, "iam/user:User", "iam/accessKey:AccessKey", "iam/userPolicy:UserPolicy",
    "iam/userPolicyAttachment:UserPolicyAttachment", "iam/policyAttachment:PolicyAttachment",
    "iam/userLoginProfile:UserLoginProfile", "iam/userGroupMembership:UserGroupMembership",
    "iam/groupMembership:GroupMembership",
    title="Nobody has a user, a password or an access key in the account: people and machines take roles",
    fsbp="IAM.2 IAM.3 IAM.22", checkov="40 273", nag="IAM4", fix="a role that is taken through an identity provider",
)  # fmt: skip
def no_users(_resource: Resource, _view: View) -> Lacks:
    yield "is for users, who would hold keys for as long as they like"


@rule(
    "resource-policies-closed", 76, Severity.HIGH, *RESOURCE_POLICIES,
    title="What a resource's own policy lets in is ours: our account, our roles, services on our behalf",
    fsbp="S3.6 SQS.3 SNS.4 KMS.5", checkov="33 70 168 169 283 385 CKV2_AWS_43", nag="SQS4",
    fix="name the principal, and condition services on aws:SourceAccount or aws:SourceArn",
)  # fmt: skip
def resource_policies_closed(resource: Resource, view: View) -> Lacks:
    path, of = RESOURCE_POLICIES[resource.type.removeprefix("aws:")]
    document = read(get(resource, path))
    if of and not document:
        yield "says nothing, or what cannot be read"
    if document and not is_current(get(resource, path)):
        yield "is of an old version"
    account = account_of(resource, view)
    for said in (each for each in document if each.allows):
        own = is_ours(said, account, view)
        if (said.anybody or said.inverted) and not own:
            yield "lets anybody in"
        yield from _foreign(said, account, view)
        yield from _wrong_source(said, account, view)
        if said.services and not own and not set(said.services) <= SILENT_WRITE:
            yield f"lets {', '.join(said.services)} in on anybody's behalf"
        if not said.principals:
            yield "allows something to nobody in particular"
    for _ in denials_of_all(document):
        yield "is denied to everybody, always"
    if of:
        yield from _elsewhere(document, view.targets(resource, of), view)


def _foreign(said: Said, account: str, view: View) -> Lacks:
    for principal in said.principals.get("AWS", []):
        known = principal in ("*", account) or f":{account}:" in principal or bool(view.meant(principal))
        if not known or (principal != "*" and "*" in principal):
            yield f"lets {principal} in, which is not ours"


def _elsewhere(document: list[Said], homes: list[Resource], view: View) -> Lacks:
    """A policy that is on nothing of ours, or that allows on more than what it is on."""
    if not homes:
        yield "is the policy of nothing of ours"
        return
    for arn in (arn for each in document for arn in each.resources):
        if not any(each in homes for each in view.meant(_within(arn))):
            yield f"speaks of {arn}, which is not what it is the policy of"


def _within(arn: str) -> str:
    """An ARN without what stands for a part: objects of a bucket, indexes of a table."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return arn
    return arn.partition("/")[0] if parts[2] == "s3" else arn.partition("/index/")[0]


@rule(
    "functions-called-by-ours", 76, Severity.HIGH, "lambda/permission:Permission",
    title="A service calls a function for one source of ours",
    fsbp="Lambda.1", checkov="301 364", fix="source_arn of what calls it, and source_account",
)  # fmt: skip
def functions_called_by_ours(permission: Resource, view: View) -> Lacks:
    if str(get(permission, "principal", "*")) in ("*", ""):
        yield "lets anybody call"
    account = account_of(permission, view)
    if get(permission, "sourceAccount", account) != account:
        yield "lets another account call"
    if get(permission, "sourceAccount") is None:
        yield "does not say for which account"
    arn = str(get(permission, "sourceArn", ""))
    if "*" in arn or not is_our_arn(arn, account, view):
        yield "lets any source call"
    if get(permission, "action") != "lambda:InvokeFunction":
        yield f"allows {get(permission, 'action')}"
    if not view.targets(permission, "function", "lambda/function:Function"):
        yield "is for no function of ours"


@rule(
    "machine-profiles", 76, Severity.MEDIUM, "iam/instanceProfile:InstanceProfile",
    title="A machine's profile holds a role of ours", fix="role=<Role>.name",
)  # fmt: skip
def machine_profiles(profile: Resource, view: View) -> Lacks:
    if not view.targets(profile, "role", ROLE):
        yield "holds no role of ours"
