"""A secret is noticed wherever it stands, and what only sounds like one is not."""

from base64 import b64encode
from typing import Any

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.containers import TASK, TEMPLATE
from nottermost_platform.rules.functions import FUNCTION
from nottermost_platform.testing import ENVIRONMENTS, Bad, added, changed, check_bad, graph_of, says, view_of

PARAMETER = "ssm/parameter:Parameter"
VERSION = "secretsmanager/secretVersion:SecretVersion"
DATABASE = "rds/instance:Instance"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"  # in two parts: what looks for secrets in files must not find this one
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
TOKEN = "gh" + "p_" + "a" * 36
BUILD = {"environment": {"environmentVariables": [{"name": "DEPLOY_TOKEN", "value": "abc123", "type": "PLAINTEXT"}]}}
STORED = {
    "environment": {"environmentVariables": [{"name": "DEPLOY_TOKEN", "value": "ci/token", "type": "SECRETS_MANAGER"}]}
}
CASES = [
    Bad("secrets-never-literal", added(VERSION, {"secretString": "hunter2"}), "at secretString"),
    Bad("secrets-never-literal", added(PARAMETER, {"type": "SecureString", "value": "hunter2"}), "at value"),
    Bad("secrets-never-literal", changed(DATABASE, "password", "hunter2"), "at password"),
    Bad("secrets-never-literal", added("elasticache/user:User", {"passwords": ["hunter2hunter2"]}), "at passwords"),
    Bad("secrets-never-literal", changed(FUNCTION, "environment.variables.SIGNING_KEY", "c2VjcmV0"), "SIGNING_KEY"),
    Bad("secrets-never-literal", changed(TASK, "containerDefinitions.0.environment.0", {"name": "DB_PASSWORD", "value": "x1"}), "DB_PASSWORD"),
    Bad("secrets-never-literal", added("codebuild/project:Project", BUILD), "DEPLOY_TOKEN"),
    Bad("secrets-never-literal", changed(TASK, "containerDefinitions.0.command", ["run", f"--id={KEY_ID}"]), "looks like a key"),
    Bad("secrets-never-literal", added(PARAMETER, {"type": "String", "value": "postgres://chat:hunter2@database/chat"}), "looks like"),
    Bad("secrets-never-literal", changed(FUNCTION, "description", f"with {TOKEN}"), "description"),
    Bad("secrets-never-literal", changed(TEMPLATE, "userData", b64encode(f"echo {PEM}".encode()).decode()), "userData"),
]  # fmt: skip
HARMLESS = [
    {"secretString": {"$secret": True}},
    {"passwordWo": {"$secret": True}, "passwordWoVersion": 1},
    {"secretId": "prod-use1-key", "secretArn": "arn:aws:secretsmanager:us-east-1:333344445555:secret:a", "kmsKeyId": "a"},
    {"tokenValidityUnits": {"accessToken": "minutes"}, "metadataOptions": {"httpTokens": "required"}},
    {"environment": {"variables": {"TOKEN_TTL_S": "900", "PUBLIC_KEY": "MIIB", "TOKEN_URL": "https://example.com/token"}}},
    {"policy": '{"Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:a/b"}}}'},
    {"hashKey": "owner", "encodedKey": "-----BEGIN PUBLIC KEY-----\nMIIB"},
    {"userData": "not base64 at all"},
    STORED,
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


@pytest.mark.parametrize("inputs", HARMLESS)
def test_what_only_sounds_like_a_secret_passes(inputs: dict[str, Any]) -> None:
    """References, secrets that Pulumi keeps, lengths of time, public keys."""
    graph = added("codebuild/project:Project", inputs)(graph_of("prod"))
    assert says("secrets-never-literal", View(graph, like=view_of("prod"))) == set()


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_environment_has_one(env: str) -> None:
    """Every text of every resource."""
    assert says("secrets-never-literal", view_of(env)) == set()
