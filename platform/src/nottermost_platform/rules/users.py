"""Rules of Cognito: controls 66 to 68."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.functions import FUNCTION, PERMISSION
from nottermost_platform.rules.images import word, words
from nottermost_platform.rules.view import View, get, items, number

POOL: Final = "cognito/userPool:UserPool"
CLIENT: Final = "cognito/userPoolClient:UserPoolClient"
RISK: Final = "cognito/riskConfiguration:RiskConfiguration"
IDENTITY_POOL: Final = "cognito/identityPool:IdentityPool"
CLASSES: Final = ("Lowercase", "Uppercase", "Numbers", "Symbols")
PASSWORD_MIN: Final = 12
TEMPORARY_DAYS_MAX: Final = 7
ACCESS_S_MAX: Final = 3600
REFRESH_S_MAX: Final = 30 * 86_400
GRACE_S_MAX: Final = 60
UNITS_S: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
USUAL_UNITS: Final = {"accessToken": "hours", "idToken": "hours", "refreshToken": "days"}
FLOWS: Final = frozenset(["ALLOW_USER_SRP_AUTH"])  # no other proves the password without sending it, beside rotation
SCOPES: Final = frozenset(["openid", "email", "profile"])  # none changes an account


@rule(
    "passwords-long", 66, Severity.MEDIUM, POOL,
    title="Passwords have 12 characters of all classes, are not used twice, and temporary ones end in a week",
    fsbp="Cognito.3", checkov="366", nag="COG1", fix="password_policy of components.identity.Users",
)  # fmt: skip
def passwords_long(pool: Resource, _view: View) -> Lacks:
    policy = get(pool, "passwordPolicy", {})
    if number(policy, "minimumLength") < PASSWORD_MIN:
        yield f"takes passwords of {number(policy, 'minimumLength'):.0f} characters"
    for kind in CLASSES:
        if get(policy, f"require{kind}") is not True:
            yield f"takes passwords without {kind.lower()}"
    if number(policy, "passwordHistorySize") < 1:
        yield "takes the old password for a new one"
    if not 1 <= number(policy, "temporaryPasswordValidityDays") <= TEMPORARY_DAYS_MAX:
        yield "leaves temporary passwords valid for long"


@rule(
    "pools-second-factor", 67, Severity.MEDIUM, POOL,
    title="A second factor is there for who wants it; addresses are verified, and names have one spelling",
    fsbp="Cognito.5", nag="COG2", fix="mfa_configuration OPTIONAL or ON with software tokens",
)  # fmt: skip
def pools_second_factor(pool: Resource, _view: View) -> Lacks:
    if (
        get(pool, "mfaConfiguration") not in ("ON", "OPTIONAL")
        or get(pool, "softwareTokenMfaConfiguration.enabled") is not True
    ):
        yield "offers no second factor by an app"
    if "email" not in items(pool, "autoVerifiedAttributes"):
        yield "believes every address"
    if "email" not in items(pool, "userAttributeUpdateSettings.attributesRequireVerificationBeforeUpdates"):
        yield "lets an address be changed to one that is not theirs"
    if get(pool, "usernameConfiguration.caseSensitive") is not False:
        yield "tells Bob from bob, who then are two"
    ways = {word(each, "name") for each in items(pool, "accountRecoverySetting.recoveryMechanisms")}
    if not ways or not ways <= {"verified_email", "admin_only"}:
        yield "gives accounts back by what can be taken over"


@rule(
    "pools-guarded", 67, Severity.HIGH, POOL,
    title="Taken accounts and leaked passwords are refused; a pool is not deleted by mistake (production)",
    fsbp="Cognito.1 Cognito.6", nag="COG3 COG8",
    fix="user_pool_tier PLUS, advanced_security_mode ENFORCED, a RiskConfiguration that blocks; deletion protection",
)  # fmt: skip
def pools_guarded(pool: Resource, view: View) -> Lacks:
    if get(pool, "userPoolTier") != "PLUS" or get(pool, "userPoolAddOns.advancedSecurityMode") != "ENFORCED":
        yield "does not act on risky sign-ins"
    risks = view.users_at(pool, RISK, "userPoolId")
    if not any(_blocks(each) for each in risks):
        yield "does not refuse leaked passwords or taken accounts"
    if any(get(each, "riskExceptionConfiguration.skippedIpRangeLists") for each in risks):
        yield "judges no risk of some addresses"
    if view.is_prod and (get(pool, "deletionProtection") != "ACTIVE" or not pool.options.protect):
        yield "can be deleted with everybody in it"


def _blocks(risk: Resource) -> bool:
    actions = get(risk, "accountTakeoverRiskConfiguration.actions")
    leaked = get(risk, "compromisedCredentialsRiskConfiguration.actions.eventAction")
    medium = get(actions, "mediumAction.eventAction")
    asked = medium in ("BLOCK", "MFA_REQUIRED", "MFA_IF_CONFIGURED")
    return leaked == "BLOCK" and get(actions, "highAction.eventAction") in ("BLOCK", "MFA_REQUIRED") and asked


@rule(
    "pools-triggers", 67, Severity.MEDIUM, POOL,
    title="What a pool asks are functions of ours that it may call; who signs up by themselves is looked at",
    fix="lambda_config with pre_sign_up, and Function.allow for the pool",
)  # fmt: skip
def pools_triggers(pool: Resource, view: View) -> Lacks:
    if get(pool, "adminCreateUserConfig.allowAdminCreateUserOnly") is not True and not view.targets(
        pool, "lambdaConfig.preSignUp", FUNCTION
    ):
        yield "lets anybody sign up unseen"
    for name, told in _triggers(pool):
        functions = view.meant(told, FUNCTION)
        if not functions:
            yield f"asks at {name} what is no function of ours"
        allowed = [each for function in functions for each in view.users_at(function, PERMISSION, "function")]
        if functions and not any(pool in view.targets(each, "sourceArn", POOL) for each in allowed):
            yield f"may not call what it asks at {name}"
    if not view.targets(pool, "lambdaConfig.preTokenGenerationConfig", FUNCTION):
        yield "does not say in its tokens which environment they are of"


def _triggers(pool: Resource) -> Iterable[tuple[str, Any]]:
    told = get(pool, "lambdaConfig")
    return told.items() if isinstance(told, Mapping) else ()


@rule(
    "clients-safe", 68, Severity.HIGH, CLIENT,
    title="Clients use the code flow alone, send no password, hold no secret and do not tell who has an account",
    fix="components.identity.Users._client",
)  # fmt: skip
def clients_safe(client: Resource, view: View) -> Lacks:
    if get(client, "preventUserExistenceErrors") != "ENABLED":
        yield "tells who has an account"
    if items(client, "allowedOauthFlows") != ["code"] or get(client, "allowedOauthFlowsUserPoolClient") is not True:
        yield "hands out tokens by another way than the code flow"
    if not words(client, "explicitAuthFlows") or not words(client, "explicitAuthFlows") <= FLOWS:
        yield "signs in by a flow that sends the password, or that rotation refuses"
    if not words(client, "allowedOauthScopes") or not words(client, "allowedOauthScopes") <= SCOPES:
        yield "gives tokens that may do more than say who somebody is"
    if get(client, "generateSecret") is not False:
        yield "has a secret that a page or an app cannot keep"
    for address in [*items(client, "callbackUrls"), *items(client, "logoutUrls")]:
        if "*" in str(address) or str(address).startswith("http://"):
            yield f"sends codes to {address}"
    if not items(client, "callbackUrls"):
        yield "does not say where codes are sent"
    if not view.targets(client, "userPoolId", POOL):
        yield "is of no pool of ours"


@rule(
    "tokens-short", 68, Severity.MEDIUM, CLIENT,
    title="Access ends within an hour, refresh tokens within 30 days, are used once and can be revoked",
    fix="access_token_validity, refresh_token_validity with their units, rotation and revocation",
)  # fmt: skip
def tokens_short(client: Resource, _view: View) -> Lacks:
    for kind, longest in (("accessToken", ACCESS_S_MAX), ("idToken", ACCESS_S_MAX), ("refreshToken", REFRESH_S_MAX)):
        if not 0 < _validity_s(client, kind) <= longest:
            yield (
                f"gives an {kind} for {_validity_s(client, kind):.0f} s"
                if kind != "refreshToken"
                else f"can be refreshed for {_validity_s(client, kind):.0f} s"
            )
    if get(client, "enableTokenRevocation") is not True:
        yield "cannot take its tokens back"
    rotation = get(client, "refreshTokenRotation", {})
    if get(rotation, "feature") != "ENABLED" or number(rotation, "retryGracePeriodSeconds") > GRACE_S_MAX:
        yield "takes a stolen refresh token as well as the real one"


def _validity_s(client: Resource, kind: str) -> float:
    units: Mapping[str, Any] = get(client, "tokenValidityUnits", {})
    return number(client, f"{kind}Validity") * UNITS_S.get(word(units, kind) or USUAL_UNITS[kind], 0)


@rule(
    "identity-pools-closed", 68, Severity.HIGH, IDENTITY_POOL,
    title="Nobody gets a role without signing in",
    fsbp="Cognito.2", checkov="366", nag="COG7", fix="allow_unauthenticated_identities=False",
)  # fmt: skip
def identity_pools_closed(pool: Resource, _view: View) -> Lacks:
    if get(pool, "allowUnauthenticatedIdentities") is not False:
        yield "gives a role to whoever asks"
    if get(pool, "allowClassicFlow") is True:
        yield "lets people choose their role by the classic flow"
