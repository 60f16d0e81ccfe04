"""Cognito: who may sign in from outside the chat's own accounts, and what happens on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.cognito.managed_login_branding import ManagedLoginBranding
from pulumi_aws.cognito.risk_configuration import RiskConfiguration
from pulumi_aws.cognito.user_pool import UserPool
from pulumi_aws.cognito.user_pool_client import UserPoolClient
from pulumi_aws.cognito.user_pool_domain import UserPoolDomain

from nottermost_platform.components.functions import Function, FunctionArgs
from nottermost_platform.program import Component, Stack

ACCESS_MINUTES: Final = 15  # as the chat's own tokens
REFRESH_DAYS: Final = 7
UNITS: Final = {"access_token": "minutes", "id_token": "minutes", "refresh_token": "days"}
CALLER: Final = "cognito-idp.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPoolArgs:
    """A user pool.

    Attributes:
        domains: of the chat; its pages may ask for tokens.
        prefix: of the sign-in page's address, unique in the region.
        email_domains: who may sign up; none: anybody with an address.
    """

    domains: Sequence[str]
    prefix: str
    email_domains: Sequence[str]
    log_key_arn: pulumi.Input[str]
    log_days: int


class Users(Component):
    """A pool with long passwords, a second factor for who wants it, and a guard against taken accounts."""

    KIND = "identity:Users"

    def __init__(self, stack: Stack[Any], name: str, args: UserPoolArgs) -> None:
        super().__init__(stack, name, data_class="restricted", protect=stack.place.is_prod or None)
        sign_up = self._trigger(
            args, "sign_up", "Checks addresses before a sign-up", EMAIL_DOMAINS=" ".join(args.email_domains)
        )
        claims = self._trigger(args, "claims", "Adds the environment to tokens", ENVIRONMENT=stack.place.env)
        triggers = aws.cognito.UserPoolLambdaConfigArgs(
            pre_sign_up=sign_up.arn,
            pre_token_generation_config=aws.cognito.UserPoolLambdaConfigPreTokenGenerationConfigArgs(
                lambda_arn=claims.arn, lambda_version="V2_0"
            ),
        )
        recovery = aws.cognito.UserPoolAccountRecoverySettingRecoveryMechanismArgs(name="verified_email", priority=1)
        self.pool = self.add(
            UserPool, "", user_pool_tier="PLUS", deletion_protection="ACTIVE" if stack.place.is_prod else "INACTIVE",
            username_attributes=["email"], auto_verified_attributes=["email"], mfa_configuration="OPTIONAL",
            username_configuration=aws.cognito.UserPoolUsernameConfigurationArgs(case_sensitive=False),
            software_token_mfa_configuration=aws.cognito.UserPoolSoftwareTokenMfaConfigurationArgs(enabled=True),
            password_policy=aws.cognito.UserPoolPasswordPolicyArgs(
                minimum_length=12, require_lowercase=True, require_uppercase=True, require_numbers=True,
                require_symbols=True, temporary_password_validity_days=3, password_history_size=5,
            ),
            user_pool_add_ons=aws.cognito.UserPoolUserPoolAddOnsArgs(advanced_security_mode="ENFORCED"),
            account_recovery_setting=aws.cognito.UserPoolAccountRecoverySettingArgs(recovery_mechanisms=[recovery]),
            user_attribute_update_settings=aws.cognito.UserPoolUserAttributeUpdateSettingsArgs(
                attributes_require_verification_before_updates=["email"]
            ),
            admin_create_user_config=aws.cognito.UserPoolAdminCreateUserConfigArgs(allow_admin_create_user_only=False),
            lambda_config=triggers,
        )  # fmt: skip
        for trigger in (sign_up, claims):
            trigger.allow(CALLER, self.pool.arn)
        self.add(UserPoolDomain, "sign-in", domain=args.prefix, user_pool_id=self.pool.id, managed_login_version=2)
        self._guard()
        pages = [f"https://{domain}" for domain in args.domains]
        self.web = self._client(
            "web", [f"{page}/signed-in" for page in pages], [f"{page}/signed-out" for page in pages]
        )
        self.mobile = self._client("mobile", ["nottermost://signed-in"], ["nottermost://signed-out"])
        self.issuer: pulumi.Output[str] = pulumi.Output.concat("https://", self.pool.endpoint)
        self.register_outputs({"pool": self.pool.id})

    def _trigger(self, args: UserPoolArgs, module: str, description: str, **environment: str) -> Function:
        function = FunctionArgs(
            module=module, description=description, log_key_arn=args.log_key_arn, log_days=args.log_days,
            environment=environment, timeout_s=5,
        )  # fmt: skip
        return Function(self.stack, f"{self.logical_name}-{module.replace('_', '-')}", function, parent=self)

    def _client(self, name: str, callbacks: list[str], logouts: list[str]) -> UserPoolClient:
        """A public client: the code flow with proof of possession (PKCE), no secret to lose."""
        client = self.add(
            UserPoolClient, name, user_pool_id=self.pool.id, generate_secret=False, callback_urls=callbacks,
            logout_urls=logouts, allowed_oauth_flows=["code"], allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_scopes=["openid", "email", "profile"], supported_identity_providers=["COGNITO"],
            explicit_auth_flows=["ALLOW_USER_SRP_AUTH"], prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True, access_token_validity=ACCESS_MINUTES, id_token_validity=ACCESS_MINUTES,
            refresh_token_validity=REFRESH_DAYS,
            token_validity_units=aws.cognito.UserPoolClientTokenValidityUnitsArgs(**UNITS),
            refresh_token_rotation=aws.cognito.UserPoolClientRefreshTokenRotationArgs(
                feature="ENABLED", retry_grace_period_seconds=30
            ),
        )  # fmt: skip
        self.add(  # without one the sign-in page of the second version stays empty
            ManagedLoginBranding, name, user_pool_id=self.pool.id, client_id=client.id, use_cognito_provided_values=True
        )
        return client

    def _guard(self) -> None:
        """Passwords known from leaks are refused; a risky sign-in asks for the second factor, a very risky one fails."""
        actions = aws.cognito.RiskConfigurationAccountTakeoverRiskConfigurationActionsArgs(
            medium_action=aws.cognito.RiskConfigurationAccountTakeoverRiskConfigurationActionsMediumActionArgs(
                event_action="MFA_IF_CONFIGURED", notify=False
            ),
            high_action=aws.cognito.RiskConfigurationAccountTakeoverRiskConfigurationActionsHighActionArgs(
                event_action="BLOCK", notify=False
            ),
        )
        leaked = aws.cognito.RiskConfigurationCompromisedCredentialsRiskConfigurationActionsArgs(event_action="BLOCK")
        self.add(
            RiskConfiguration, "", user_pool_id=self.pool.id,
            account_takeover_risk_configuration=aws.cognito.RiskConfigurationAccountTakeoverRiskConfigurationArgs(
                actions=actions
            ),
            compromised_credentials_risk_configuration=aws.cognito.RiskConfigurationCompromisedCredentialsRiskConfigurationArgs(
                actions=leaked
            ),
        )  # fmt: skip
