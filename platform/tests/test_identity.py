"""Signing in: what the user pool asks for, who may use it, and what its triggers say."""

import pytest

from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.identity import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements

GIVEN = {"account_id": "333344445555", "domain": "chat.example.com"}


@pytest.mark.parametrize("env", ["prod", "staging"])
def test_control_66_long_passwords(env: str) -> None:
    """Twelve characters of all classes."""
    policy = one(graph_of(env), "cognito/userPool:UserPool").inputs["passwordPolicy"]
    assert policy["minimumLength"] >= 12
    assert all(policy[f"require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols"))


def test_control_67_second_factor_and_guard() -> None:
    """A second factor for who wants it, taken accounts are noticed, the pool is not deleted by accident."""
    pool = one(graph_of("prod"), "cognito/userPool:UserPool")
    assert pool.inputs["mfaConfiguration"] == "OPTIONAL"
    assert pool.inputs["softwareTokenMfaConfiguration"]["enabled"]
    assert pool.inputs["userPoolTier"] == "PLUS"
    assert pool.inputs["userPoolAddOns"]["advancedSecurityMode"] == "ENFORCED"
    assert pool.inputs["deletionProtection"] == "ACTIVE"
    assert pool.options.protect
    risk = one(graph_of("prod"), "cognito/riskConfiguration:RiskConfiguration").inputs
    leaked = risk["compromisedCredentialsRiskConfiguration"]["actions"]["eventAction"]
    assert leaked == "BLOCK"


@pytest.mark.parametrize("client", ["users-web", "users-mobile"])
def test_control_68_clients(client: str) -> None:
    """No secret to lose, code flow only, short tokens that can be revoked, no hint who has an account."""
    given = one(graph_of("prod"), "cognito/userPoolClient:UserPoolClient", client).inputs
    assert given["preventUserExistenceErrors"] == "ENABLED"
    assert given["enableTokenRevocation"]
    assert given["allowedOauthFlows"] == ["code"]
    assert not given["generateSecret"]
    assert (given["accessTokenValidity"], given["tokenValidityUnits"]["accessToken"]) == (15, "minutes")
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in given["explicitAuthFlows"]  # refused beside rotating refresh tokens
    assert given["refreshTokenRotation"]["feature"] == "ENABLED"


def test_triggers_are_called_by_this_pool_alone() -> None:
    """Both triggers are set, and only Cognito on behalf of the pool calls them."""
    graph = graph_of("prod")
    pool = one(graph, "cognito/userPool:UserPool")
    functions = {each.name for each in find(graph, "lambda/function:Function", stack="identity")}
    assert functions == {"users-sign-up", "users-claims"}
    triggers = pool.inputs["lambdaConfig"]
    assert triggers["preSignUp"]
    assert triggers["preTokenGenerationConfig"]["lambdaVersion"] == "V2_0"
    for permission in find(graph, "lambda/permission:Permission", stack="identity"):
        assert permission.inputs["principal"] == "cognito-idp.amazonaws.com"
        assert pool.urn in permission.property_dependencies["sourceArn"]
        assert permission.inputs["sourceAccount"] == "333344445555"


def test_control_76_a_trigger_may_only_write_its_log() -> None:
    """No `*`, and its own group by name."""
    policies = find(graph_of("prod"), "iam/rolePolicy:RolePolicy", stack="identity")
    assert len(policies) == 2
    for policy in policies:
        (statement,) = statements(policy.inputs["policy"])
        assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert all(":log-group:/aws/lambda/prod-use1-users-" in each for each in statement["Resource"])


def test_control_74_logs_of_a_year() -> None:
    """In production; a shorter time is refused with the key and what is allowed."""
    groups = find(graph_of("prod"), "cloudwatch/logGroup:LogGroup", stack="identity")
    assert {each.inputs["retentionInDays"] for each in groups} == {365}
    assert all(each.inputs["kmsKeyId"] for each in groups)
    with pytest.raises(SettingsError, match="log_days: in production 365 days or more, for audits"):
        load(Settings, LAYERS, Place(env="prod", region="us-east-1"), {**GIVEN, "log_days": 30}, source="Pulumi.yaml")
