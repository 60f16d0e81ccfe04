"""Reads who may do what: IAM's roles and policies, keys, secrets, user pools."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from nottermost_platform.drift.account import View, pick, tags_of
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import GLOBAL, Found

ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
POLICY: Final = "aws:iam/policy:Policy"
PROVIDER: Final = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
KEY: Final = "aws:kms/key:Key"
REPLICA_KEY: Final = "aws:kms/replicaKey:ReplicaKey"
ALIAS: Final = "aws:kms/alias:Alias"
SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type
ROTATION: Final = "aws:secretsmanager/secretRotation:SecretRotation"
USER_POOL: Final = "aws:cognito/userPool:UserPool"
POOL_CLIENT: Final = "aws:cognito/userPoolClient:UserPoolClient"


# --- IAM ------------------------------------------------------------------------------------------


@reader(ROLE, ROLE_POLICY, ATTACHMENT)
def read_roles(view: View) -> Iterator[Found]:
    """All of an account's roles come in a few pages, with their policies and tags."""
    roles = view.list("iam", "get_account_authorization_details", "RoleDetailList", Filter=["Role"])
    ours = [each for each in roles if view.is_ours(ROLE, each["RoleName"], tags_of(each.get("Tags")))]
    for role, more in zip(ours, view.each(lambda each: _role(view, each["RoleName"]), ours), strict=True):
        yield _read_role(role, more)
        name = role["RoleName"]
        for each in role.get("RolePolicyList", []):
            properties = {"role": name, "name": each["PolicyName"], "policy": document(each["PolicyDocument"])}
            yield Found(type=ROLE_POLICY, region=GLOBAL, properties=properties, belongs_to=(ROLE, name))
        for each in role.get("AttachedManagedPolicies", []):
            properties = {"role": name, "policyArn": each["PolicyArn"]}
            yield Found(type=ATTACHMENT, region=GLOBAL, properties=properties, belongs_to=(ROLE, name))


def _role(view: View, name: str) -> dict[str, Any]:
    """What the account's details leave out. A role that goes in between is missing its rest."""
    answer = view.get("iam", "get_role", RoleName=name, absent=("NoSuchEntity",)) or {"Role": {}}
    return dict(answer["Role"])


def _read_role(role: dict[str, Any], more: dict[str, Any]) -> Found:
    properties = pick(
        {**role, **more}, name="RoleName", description="Description", maxSessionDuration="MaxSessionDuration",
        permissionsBoundary="PermissionsBoundary.PermissionsBoundaryArn",
    )  # fmt: skip
    properties["assumeRolePolicy"] = document(role["AssumeRolePolicyDocument"])
    outputs = {"id": role["RoleName"], "arn": role["Arn"], "uniqueId": role["RoleId"]}
    tags = tags_of(more.get("Tags") or role.get("Tags"))
    return Found(type=ROLE, region=GLOBAL, properties=properties, outputs=outputs, tags=tags)


def document(value: Any) -> str:
    """A policy as JSON text; IAM has it in percent encoding, which the SDK sometimes takes off."""
    return json.dumps(value) if not isinstance(value, str) else unquote(value) if value[:1] == "%" else value


@reader(POLICY)
def read_policies(view: View) -> Iterator[Found]:
    """Whose tags are asked for one by one, as the list has none: at most the 1,500 that AWS allows an account."""
    policies = view.list("iam", "list_policies", "Policies", Scope="Local")
    tags = view.each(lambda each: _policy_tags(view, each["Arn"]), policies)
    both = zip(policies, tags, strict=True)
    ours = [each for each, own in both if view.is_ours(POLICY, each["PolicyName"], own)]
    yield from view.each(lambda each: _read_policy(view, each), ours)


def _policy_tags(view: View, arn: str) -> dict[str, str]:
    answer = view.get("iam", "list_policy_tags", PolicyArn=arn, absent=("NoSuchEntity",)) or {}
    return tags_of(answer.get("Tags"))


def _read_policy(view: View, policy: dict[str, Any]) -> Found:
    arn = policy["Arn"]
    whole = (view.get("iam", "get_policy", PolicyArn=arn) or {})["Policy"]
    version = view.get("iam", "get_policy_version", PolicyArn=arn, VersionId=whole["DefaultVersionId"]) or {}
    properties = pick(whole, name="PolicyName", description="Description")
    properties["policy"] = document(version["PolicyVersion"]["Document"])
    return Found(
        type=POLICY,
        region=GLOBAL,
        properties=properties,
        outputs={"id": arn, "arn": arn},
        tags=tags_of(whole.get("Tags")),
    )


@reader(PROVIDER)
def read_identity_providers(view: View) -> Iterator[Found]:
    for each in view.list("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList"):
        arn = each["Arn"]
        whole = view.get("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=arn) or {}
        url = f"https://{whole['Url'].removeprefix('https://')}"
        yield Found(
            type=PROVIDER, region=GLOBAL, properties={"url": url, "clientIdLists": whole.get("ClientIDList")},
            outputs={"id": arn, "arn": arn}, tags=tags_of(whole.get("Tags")),
        )  # fmt: skip


# --- KMS ------------------------------------------------------------------------------------------


@reader(KEY, REPLICA_KEY, ALIAS)
def read_keys(view: View) -> Iterator[Found]:
    keys = view.list("kms", "list_keys", "Keys[].KeyId")
    for found in view.each(lambda each: _read_key(view, each), keys):
        if found is not None:
            yield found
    for each in view.list("kms", "list_aliases", "Aliases"):
        if not each["AliasName"].startswith("alias/aws/"):
            properties = pick(each, name="AliasName", targetKeyId="TargetKeyId")
            outputs = {"id": each["AliasName"], "arn": each["AliasArn"]}
            yield Found(type=ALIAS, region=view.region, properties=properties, outputs=outputs)


def _read_key(view: View, key_id: str) -> Found | None:
    """None: it is another environment's, AWS's own, or about to be deleted."""
    key = (view.get("kms", "describe_key", KeyId=key_id) or {})["KeyMetadata"]
    if key["KeyManager"] != "CUSTOMER" or key["KeyState"] == "PendingDeletion":
        return None
    tags = tags_of(view.list("kms", "list_resource_tags", "Tags", KeyId=key_id))
    if not view.is_ours(KEY, "", tags):
        return None
    policy = view.get("kms", "get_key_policy", KeyId=key_id, PolicyName="default") or {}
    rotation = view.get("kms", "get_key_rotation_status", KeyId=key_id, absent=("UnsupportedOperationException",)) or {}
    properties = pick(key, description="Description", multiRegion="MultiRegion", isEnabled="Enabled")
    properties |= {"policy": policy.get("Policy"), "enableKeyRotation": rotation.get("KeyRotationEnabled")}
    copy = key.get("MultiRegionConfiguration", {})
    is_copy = copy.get("PrimaryKey", {}).get("Region", view.region) != view.region
    if is_copy:  # which follows its primary in rotation
        properties = {"primaryKeyArn": copy["PrimaryKey"]["Arn"], **properties, "enableKeyRotation": None}
        properties["enabled"] = properties.pop("isEnabled")
    return Found(
        type=REPLICA_KEY if is_copy else KEY, region=view.region, properties=properties,
        outputs={"id": key_id, "keyId": key_id, "arn": key["Arn"]}, tags=tags,
    )  # fmt: skip


# --- secrets: that they are there and how they are kept, never what they say ------------------------


@reader(SECRET, ROTATION)
def read_secrets(view: View) -> Iterator[Found]:
    for each in view.list("secretsmanager", "list_secrets", "SecretList"):
        arn, tags = each["ARN"], tags_of(each.get("Tags"))
        if each.get("PrimaryRegion", view.region) != view.region:  # a copy
            continue
        if each.get("RotationEnabled"):  # also of secrets that RDS made
            rotation = pick(each, secretId="ARN", rotationLambdaArn="RotationLambdaARN", rotationRules="RotationRules")
            yield Found(type=ROTATION, region=view.region, properties=rotation, belongs_to=(SECRET, arn))
        if view.is_ours(SECRET, each["Name"], tags):
            whole = view.get("secretsmanager", "describe_secret", SecretId=arn) or {}
            properties = pick(whole, name="Name", description="Description", kmsKeyId="KmsKeyId")
            properties["replicas"] = [{"region": copy["Region"]} for copy in whole.get("ReplicationStatus") or []]
            outputs = {"id": arn, "arn": arn}
            yield Found(type=SECRET, region=view.region, properties=properties, outputs=outputs, tags=tags)


# --- user pools -----------------------------------------------------------------------------------


@reader(USER_POOL, POOL_CLIENT)
def read_user_pools(view: View) -> Iterator[Found]:
    for each in view.list("cognito-idp", "list_user_pools", "UserPools", MaxResults=60):
        if not view.is_ours(USER_POOL, each["Name"]):
            continue
        pool = (view.get("cognito-idp", "describe_user_pool", UserPoolId=each["Id"]) or {})["UserPool"]
        yield Found(
            type=USER_POOL, region=view.region, properties=_read_pool(pool),
            outputs={"id": pool["Id"], "arn": pool["Arn"], "endpoint": f"cognito-idp.{view.region}.amazonaws.com/{pool['Id']}"},
            tags=pool.get("UserPoolTags"),
        )  # fmt: skip
        for client in view.list("cognito-idp", "list_user_pool_clients", "UserPoolClients", UserPoolId=each["Id"]):
            yield _read_client(view, client)


def _read_pool(pool: dict[str, Any]) -> dict[str, Any]:
    return pick(
        pool, name="Name", mfaConfiguration="MfaConfiguration", passwordPolicy="Policies.PasswordPolicy",
        lambdaConfig="LambdaConfig", adminCreateUserConfig="AdminCreateUserConfig", deletionProtection="DeletionProtection",
        autoVerifiedAttributes="AutoVerifiedAttributes", usernameAttributes="UsernameAttributes",
        accountRecoverySetting="AccountRecoverySetting", userPoolAddOns="UserPoolAddOns", userPoolTier="UserPoolTier",
    )  # fmt: skip


def _read_client(view: View, client: dict[str, Any]) -> Found:
    ids = {"UserPoolId": client["UserPoolId"], "ClientId": client["ClientId"]}
    whole = (view.get("cognito-idp", "describe_user_pool_client", **ids) or {})["UserPoolClient"]
    properties = pick(
        whole, name="ClientName", userPoolId="UserPoolId", callbackUrls="CallbackURLs", logoutUrls="LogoutURLs",
        allowedOauthFlows="AllowedOAuthFlows", allowedOauthScopes="AllowedOAuthScopes", explicitAuthFlows="ExplicitAuthFlows",
        allowedOauthFlowsUserPoolClient="AllowedOAuthFlowsUserPoolClient", accessTokenValidity="AccessTokenValidity",
        idTokenValidity="IdTokenValidity", refreshTokenValidity="RefreshTokenValidity", tokenValidityUnits="TokenValidityUnits",
        supportedIdentityProviders="SupportedIdentityProviders", enableTokenRevocation="EnableTokenRevocation",
        preventUserExistenceErrors="PreventUserExistenceErrors",
    )  # fmt: skip
    return Found(
        type=POOL_CLIENT, region=view.region, properties=properties, outputs={"id": client["ClientId"]},
        belongs_to=(USER_POOL, client["UserPoolId"]),
    )  # fmt: skip
