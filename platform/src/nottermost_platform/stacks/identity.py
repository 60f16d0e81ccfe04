"""Who may sign in from outside the chat's own accounts."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pydantic import Field

from nottermost_platform.components.identity import UserPoolArgs, Users
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.sizes import AuditDays
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Domain, Layers, StackSettings

NAME: Final = "identity"
EACH_REGION: Final = False
REQUIRES: Final[dict[str, Requirement]] = {}


class Settings(StackSettings):
    """What may be chosen about signing in.

    Attributes:
        email_domains: who may sign up by themselves; none: anybody with an address.
        page_domains: further ones whose pages may ask for tokens, beside the chat's own.
    """

    email_domains: tuple[Domain, ...] = ()
    page_domains: tuple[Domain, ...] = ()
    log_days: AuditDays = Field(default=14, validate_default=True)


LAYERS: Final[Layers] = {"pr": {"log_days": 7}, "staging": {"log_days": 30}, "prod": {"log_days": 365}}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the user pool."""

    user_pool_id: pulumi.Input[str]
    user_pool_arn: pulumi.Input[str]
    web_client_id: pulumi.Input[str]
    mobile_client_id: pulumi.Input[str]
    issuer_url: pulumi.Input[str]
    sign_in_url: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    key = EncryptionKey(
        stack, "identity-logs",
        EncryptionKeyArgs(description="Logs of the triggers", services=[f"logs.{place.region}.amazonaws.com"]),
    )  # fmt: skip
    prefix = f"nottermost-{place.env}-{settings.account_id}"
    users = Users(
        stack, "users",
        UserPoolArgs(
            domains=[settings.domain, *settings.page_domains], prefix=prefix, email_domains=settings.email_domains,
            log_key_arn=key.arn, log_days=settings.log_days,
        ),
    )  # fmt: skip
    return Outputs(
        user_pool_id=users.pool.id,
        user_pool_arn=users.pool.arn,
        web_client_id=users.web.id,
        mobile_client_id=users.mobile.id,
        issuer_url=users.issuer,
        sign_in_url=f"https://{prefix}.auth.{place.region}.amazoncognito.com",
    )
