"""Signing in: what the user pool asks for, who may use it, and what its triggers say."""

import pytest

from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks.identity import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements

GIVEN = {"account_id": "333344445555", "domain": "chat.example.com"}


def test_the_pool_has_both_triggers() -> None:
    """Who signs up is looked at, and tokens say which environment they are of."""
    graph = graph_of("prod")
    pool = one(graph, "cognito/userPool:UserPool")
    functions = {each.name for each in find(graph, "lambda/function:Function", stack="identity")}
    assert functions == {"users-sign-up", "users-claims"}
    triggers = pool.inputs["lambdaConfig"]
    assert triggers["preSignUp"]
    assert triggers["preTokenGenerationConfig"]["lambdaVersion"] == "V2_0"


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
