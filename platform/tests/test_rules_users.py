"""Each rule of Cognito notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.functions import PERMISSION
from nottermost_platform.rules.users import CLIENT, IDENTITY_POOL, POOL, RISK
from nottermost_platform.testing import (
    REMOVED,
    UNPROTECTED,
    Bad,
    added,
    altered,
    changed,
    check_bad,
    graph_of,
    removed,
    says,
    view_of,
)

TAKEN = "accountTakeoverRiskConfiguration.actions"
CASES = [
    Bad("passwords-long", changed(POOL, "passwordPolicy.minimumLength", 8), "8 characters"),
    Bad("passwords-long", changed(POOL, "passwordPolicy.requireSymbols", False), "without symbols"),
    Bad("passwords-long", changed(POOL, "passwordPolicy.passwordHistorySize", 0), "old password"),
    Bad("passwords-long", changed(POOL, "passwordPolicy.temporaryPasswordValidityDays", 90), "valid for long"),
    Bad("pools-second-factor", changed(POOL, "mfaConfiguration", "OFF"), "no second factor"),
    Bad("pools-second-factor", changed(POOL, "softwareTokenMfaConfiguration.enabled", False), "no second factor"),
    Bad("pools-second-factor", changed(POOL, "autoVerifiedAttributes", []), "believes"),
    Bad("pools-second-factor", changed(POOL, "userAttributeUpdateSettings", REMOVED), "not theirs"),
    Bad("pools-second-factor", changed(POOL, "usernameConfiguration.caseSensitive", True), "Bob"),
    Bad("pools-second-factor", changed(POOL, "accountRecoverySetting", REMOVED), "taken over"),
    Bad("pools-guarded", changed(POOL, "userPoolTier", "LITE"), "risky"),
    Bad("pools-guarded", changed(POOL, "userPoolAddOns.advancedSecurityMode", "AUDIT"), "risky"),
    Bad("pools-guarded", removed(RISK), "leaked passwords"),
    Bad("pools-guarded", changed(RISK, "compromisedCredentialsRiskConfiguration.actions.eventAction", "NO_ACTION"), "leaked"),
    Bad("pools-guarded", changed(RISK, f"{TAKEN}.highAction.eventAction", "NO_ACTION"), "taken accounts"),
    Bad("pools-guarded", changed(RISK, f"{TAKEN}.mediumAction", REMOVED), "taken accounts"),
    Bad("pools-guarded", changed(RISK, "riskExceptionConfiguration", {"skippedIpRangeLists": ["0.0.0.0/0"]}), "some addresses"),
    Bad("pools-guarded", changed(POOL, "deletionProtection", "INACTIVE"), "everybody in it"),
    Bad("pools-guarded", altered(POOL, options=UNPROTECTED), "everybody in it"),
    Bad("pools-triggers", changed(POOL, "lambdaConfig.preSignUp", REMOVED), "unseen"),
    Bad("pools-triggers", changed(POOL, "lambdaConfig.preSignUp", "arn:aws:lambda:us-east-1:333344445555:function:other"), "no function of ours"),
    Bad("pools-triggers", removed(PERMISSION, "users-claims-cognito-idp"), "may not call"),
    Bad("pools-triggers", changed(POOL, "lambdaConfig.preTokenGenerationConfig", REMOVED), "which environment"),
    Bad("clients-safe", changed(CLIENT, "preventUserExistenceErrors", "LEGACY"), "who has an account"),
    Bad("clients-safe", changed(CLIENT, "allowedOauthFlows", ["code", "implicit"]), "code flow"),
    Bad("clients-safe", changed(CLIENT, "explicitAuthFlows", ["ALLOW_USER_PASSWORD_AUTH"]), "sends the password"),
    Bad("clients-safe", changed(CLIENT, "allowedOauthScopes", ["openid", "aws.cognito.signin.user.admin"]), "may do more"),
    Bad("clients-safe", changed(CLIENT, "generateSecret", True), "cannot keep"),
    Bad("clients-safe", changed(CLIENT, "callbackUrls", ["http://chat.example.com/in"]), "codes to http://"),
    Bad("clients-safe", changed(CLIENT, "callbackUrls", []), "where codes are sent"),
    Bad("clients-safe", changed(CLIENT, "userPoolId", "us-east-1_other"), "no pool of ours"),
    Bad("tokens-short", changed(CLIENT, "accessTokenValidity", 1440), "an accessToken for 86400 s"),
    Bad("tokens-short", changed(CLIENT, "tokenValidityUnits.idToken", "days"), "an idToken for"),
    Bad("tokens-short", changed(CLIENT, "refreshTokenValidity", 365), "refreshed for 31536000 s"),
    Bad("tokens-short", changed(CLIENT, "refreshTokenValidity", REMOVED), "refreshed for 0 s"),
    Bad("tokens-short", changed(CLIENT, "enableTokenRevocation", False), "back"),
    Bad("tokens-short", changed(CLIENT, "refreshTokenRotation.feature", "DISABLED"), "stolen"),
    Bad("identity-pools-closed", added(IDENTITY_POOL, {"allowUnauthenticatedIdentities": True}), "whoever asks"),
    Bad("identity-pools-closed", added(IDENTITY_POOL, {"allowUnauthenticatedIdentities": False, "allowClassicFlow": True}), "classic flow"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_closed_identity_pool_passes() -> None:
    """Production has none; one for who signed in is fine."""
    graph = added(IDENTITY_POOL, {"allowUnauthenticatedIdentities": False})(graph_of("prod"))
    assert says("identity-pools-closed", View(graph, like=view_of("prod"))) == set()
