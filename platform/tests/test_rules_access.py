"""Each rule of IAM notices what it is for, and production passes."""

import json
from typing import Any

import pytest

from nottermost_platform.components.pipeline import GITHUB
from nottermost_platform.rules import View
from nottermost_platform.rules.access import ATTACHMENT, KEY, POLICY, PROVIDER, ROLE, ROLE_POLICY
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, one, removed, says, view_of

BUCKET_POLICY = "s3/bucketPolicy:BucketPolicy"
LOG_POLICY = "cloudwatch/logResourcePolicy:LogResourcePolicy"
PERMISSION = "lambda/permission:Permission"
TOPIC_POLICY = "sns/topicPolicy:TopicPolicy"
PROFILE = "iam/instanceProfile:InstanceProfile"
SERVES, TASK, DEPLOY, BOUNDARY = "gateway-task-serve", "gateway-task", "pipeline-deploy", "pipeline-boundary"
TRUST, FIRST = "assumeRolePolicy.Statement.0", "policy.Statement.0"
CLAIM = f"{TRUST}.Condition"
STRANGER = {"AWS": ["arn:aws:iam::999999999999:role/x"]}
PINS = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": "repo:a/b:ref:refs/heads/main"}


def document(**statement: Any) -> dict[str, str]:
    """A policy of one statement, as the inputs of a resource."""
    said = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::nottermost-x/*"], **statement}
    return {"policy": json.dumps({"Version": "2012-10-17", "Statement": [said]})}


def claims(**others: Any) -> dict[str, Any]:
    """Conditions of a workflow's token."""
    return {"StringEquals": {**PINS, **{f"{GITHUB}:{key}": value for key, value in others.items()}}}


CASES = [
    Bad("policies-name-actions", changed(ROLE_POLICY, f"{FIRST}.Action", ["*"], SERVES), "allows *"),
    Bad("policies-name-actions", changed(ROLE_POLICY, f"{FIRST}.Action", "servicediscovery:*", SERVES), "servicediscovery:*"),
    Bad("policies-name-actions", changed(ROLE_POLICY, f"{FIRST}.NotAction", ["iam:*"], SERVES), "all but what it names"),
    Bad("policies-name-actions", added(ROLE, {"inlinePolicies": [document(Action="*")]}), "allows *"),
    Bad("policies-name-actions", changed(KEY, "policy.Statement.0.Principal", STRANGER), "kms:*"),
    Bad("policies-name-actions", changed(BUCKET_POLICY, "policy.Statement.1.Action", ["s3:*"], "trail-policy"), "s3:*"),
    Bad("policies-can-be-read", changed(ROLE_POLICY, "policy", "{}", SERVES), "holds no statement"),
    Bad("policies-can-be-read", changed(ROLE_POLICY, "policy.Version", "2008-10-17", SERVES), "old version"),
    Bad("policies-can-be-read", changed(ROLE_POLICY, "role", "other", SERVES), "no role of ours"),
    Bad("policies-name-resources", added(ROLE_POLICY, document(Resource="*")), "s3:GetObject on *"),
    Bad("policies-name-resources", added(ROLE_POLICY, document(Resource=["arn:aws:s3:::*"])), "on arn:aws:s3:::*"),
    Bad("policies-name-resources", added(ROLE_POLICY, document(Resource=[])), "nothing that it names"),
    Bad("policies-name-resources", added(ROLE_POLICY, document(Resource=["arn:aws:sns:us-east-1:1:prod-*"])), "prod-*"),
    Bad("policies-name-resources", added(ROLE_POLICY, document(Resource=["arn:aws:kms:us-east-1:333344445555:key/*"])), "key/*"),
    Bad("policies-name-resources", changed(ROLE_POLICY, f"{FIRST}.Condition", REMOVED, SERVES), "DiscoverInstances"),
    Bad("any-resource-in-our-regions", changed(POLICY, "policy.Statement.2.Condition", REMOVED, "pipeline-compute"), "in any region"),
    Bad("any-resource-in-our-regions", added(ROLE_POLICY, document(Resource="*", Action="ec2:RunInstances")), "RunInstances"),
    Bad("keys-through-services", changed(ROLE_POLICY, "policy.Statement.4.Condition", REMOVED, "api-execution-start"), "kms:Decrypt with data"),
    Bad("keys-through-services", added(ROLE_POLICY, document(Resource="*", Action="kms:De*")), "keys that nobody knows"),
    Bad("keys-through-services", changed(POLICY, "policy.Statement.8.Condition", REMOVED, "pipeline-data"), "kms:CreateGrant"),
    Bad("roles-handed-over", changed(POLICY, "policy.Statement.4.Condition", REMOVED, "pipeline-compute"), "hand roles to any"),
    Bad("trust-is-specific", changed(ROLE, "assumeRolePolicy", "{}", TASK), "by nobody"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Principal", "*", TASK), "open to anybody"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Principal", {"AWS": "*"}, TASK), "open to anybody"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Principal", STRANGER, "pipeline-preview"), "no role of ours"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Condition", REMOVED, "search-admin"), "whoever this account lets"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Condition", REMOVED, TASK), "anybody's behalf"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Principal", {"Service": ["example.com"]}, TASK), "no service"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Condition.StringEquals", {"aws:SourceAccount": "999999999999"}, TASK), "not ours"),
    Bad("trust-is-specific", changed(ROLE, f"{TRUST}.Action", ["sts:*"], TASK), "lets others sts:*"),
    Bad("trust-is-specific", changed(ROLE, "maxSessionDuration", 43200, TASK), "12 hours"),
    Bad("ci-roles-pinned", changed(ROLE, CLAIM, claims(sub="repo:a/b:*"), DEPLOY), "not one ref"),
    Bad("ci-roles-pinned", changed(ROLE, CLAIM, claims(sub="repo:a/b:pull_request"), DEPLOY), "pull_request"),
    Bad("ci-roles-pinned", changed(ROLE, CLAIM, {"StringLike": PINS}, DEPLOY), "any workflow of anybody"),
    Bad("ci-roles-pinned", changed(ROLE, CLAIM, claims(aud="other"), DEPLOY), "made for others"),
    Bad("ci-roles-pinned", changed(ROLE, f"{TRUST}.Principal", {"Federated": ["arn:x"]}, DEPLOY), "issuer that is not ours"),
    Bad("issuers", changed(PROVIDER, "url", "https://example.com"), "tokens of https://example.com"),
    Bad("issuers", changed(PROVIDER, "clientIdLists", ["other"]), "made for others"),
    Bad("pipeline-boundary", changed(ROLE, "permissionsBoundary", REMOVED, DEPLOY), "no permissions boundary"),
    Bad("pipeline-boundary", changed(POLICY, f"{FIRST}.Action", ["iam:Create*"], BOUNDARY), "could iam:CreateUser"),
    Bad("pipeline-boundary", changed(POLICY, "policy.Statement.1.Effect", "Allow", BOUNDARY), "iam:PutRolePolicy on"),
    Bad("pipeline-boundary", changed(POLICY, "policy.Statement.2.Resource", [], BOUNDARY), "s3:PutBucketPolicy on"),
    Bad("pipeline-boundary", changed(POLICY, "policy.Statement.3.Action", ["kms:DisableKey"], BOUNDARY), "kms:ScheduleKeyDeletion on"),
    Bad("pipeline-boundary", changed(POLICY, "policy.Statement.4.Condition", REMOVED, BOUNDARY), "give out AdministratorAccess"),
    Bad("managed-policies", changed(ATTACHMENT, "policyArn", "arn:aws:iam::aws:policy/AdministratorAccess"), "AdministratorAccess"),
    Bad("managed-policies", changed(ROLE, "managedPolicyArns", ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]), "AmazonS3FullAccess"),
    Bad("managed-policies", changed(ATTACHMENT, "role", "other"), "no role of ours"),
    Bad("managed-policies", changed(ATTACHMENT, "policyArn", "arn:aws:iam::333344445555:policy/prod-use1-pipeline-boundary"), "a boundary"),
    Bad("managed-policies", changed(ATTACHMENT, "policyArn", REMOVED), "gives out nothing"),
    Bad("roles-may-something", removed(ROLE_POLICY, "api-execution-start"), "may do nothing"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "policy.Version", REMOVED), "old version"),
    Bad("no-users", added("iam/user:User", {"name": "somebody"}), "is for users"),
    Bad("no-users", added("iam/userPolicyAttachment:UserPolicyAttachment", {"user": "somebody"}), "is for users"),
    Bad("resource-policies-closed", changed(BUCKET_POLICY, "policy", "{}", "trail-policy"), "says nothing"),
    Bad("resource-policies-closed", changed(BUCKET_POLICY, "policy.Statement.1.Principal", "*", "trail-policy"), "lets anybody in"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "policy.Statement.1.Principal", STRANGER), "999999999999"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "policy.Statement.2.Condition", REMOVED), "anybody's behalf"),
    Bad("resource-policies-closed", changed(KEY, "policy.Statement.1.Condition", REMOVED, "audit"), "anybody's behalf"),
    Bad("resource-policies-closed", changed(KEY, "policy.Statement.1.Condition.StringEquals", {"aws:SourceAccount": "1"}, "audit"), "not ours"),
    Bad("resource-policies-closed", changed(LOG_POLICY, "policyDocument.Statement.0.Condition", REMOVED), "es.amazonaws.com"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "policy.Statement.1.Principal", REMOVED), "nobody in particular"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, f"{FIRST}.Condition", REMOVED), "denied to everybody"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "policy.Statement.1.Resource", ["*"]), "speaks of *"),
    Bad("resource-policies-closed", changed(TOPIC_POLICY, "arn", "arn:aws:sns:us-east-1:1:other"), "nothing of ours"),
    Bad("functions-called-by-ours", changed(PERMISSION, "principal", "*"), "lets anybody call"),
    Bad("functions-called-by-ours", changed(PERMISSION, "sourceAccount", "999999999999"), "another account"),
    Bad("functions-called-by-ours", changed(PERMISSION, "sourceAccount", REMOVED), "which account"),
    Bad("functions-called-by-ours", changed(PERMISSION, "sourceArn", REMOVED), "any source"),
    Bad("functions-called-by-ours", changed(PERMISSION, "action", "lambda:*"), "allows lambda:*"),
    Bad("functions-called-by-ours", changed(PERMISSION, "function", "other"), "no function of ours"),
    Bad("machine-profiles", changed(PROFILE, "role", "other"), "no role of ours"),
    Bad("pipeline-boundary", removed(POLICY, BOUNDARY), "no permissions boundary"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


@pytest.mark.parametrize("action", ["ecr:GetAuthorizationToken", "xray:PutTraceSegments"])
def test_what_has_no_resource_needs_none(action: str) -> None:
    """IAM knows nothing narrower than `*`."""
    view = view_of("prod")
    good = View(added(ROLE_POLICY, document(Action=action, Resource="*"))(view.graph), like=view)
    assert says("policies-name-resources", good) == says("policies-name-resources", view)


def test_conditions_that_let_requests_without_the_key_pass_count_for_nothing() -> None:
    """`StringEqualsIfExists` keeps nobody out who says nothing."""
    view = view_of("prod")
    source = one(view.graph, ROLE, TASK).inputs["assumeRolePolicy"]
    loose = source.replace('"StringEquals"', '"StringEqualsIfExists"').replace('"ArnLike"', '"ArnLikeIfExists"')
    check_bad(Bad("trust-is-specific", changed(ROLE, "assumeRolePolicy", loose, TASK), "anybody's behalf"))
