"""Log-ins with an identity provider's token."""

import re
from typing import Final

from sqlalchemy import Connection

from nottermost_chat.actions.accounts import open_session
from nottermost_chat.actions.audit import noting
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, UserRow
from nottermost_chat.directory.identities import add_identity
from nottermost_chat.errors import (
    BadCredentials,
    Conflict,
    Forbidden,
    LinkRequired,
    NotFound,
    Unauthorized,
    UsernameTaken,
)
from nottermost_chat.oidc import ExternalUser
from nottermost_chat.services import Services

NAME_CHARS_MAX: Final = 50  # of a user name, before the number that makes it free
NAMES_TRIED: Final = 20
_NOT_IN_NAMES: Final = re.compile(r"[^\w.\-]+")


async def log_in(services: Services, wanted: shapes.OidcRequest) -> shapes.Session:
    """The account that belongs to the token's identity, linked or made if there was none.

    Raises: NotFound where no provider is set, Unauthorized, TokenExpired, Unavailable, LinkRequired, BadCredentials,
    Forbidden when the provider has not verified the address.
    """
    if services.oidc is None:
        raise NotFound("no identity provider is set up here: log in with a password")
    found = await services.oidc.verify(wanted.id_token, nonce=wanted.nonce)
    user = await services.directory.identities.user_of(found.issuer, found.subject)
    if user is None:
        user = await _first_time(services, found, wanted.password)
    if user.deleted:
        raise Unauthorized("this account was deactivated")
    return await open_session(services, user, wanted.device_name)


async def _first_time(services: Services, found: ExternalUser, password: str | None) -> UserRow:
    if not (found.email and found.email_verified):
        raise Forbidden("the identity provider has not verified your e-mail address: verify it there first")
    user = await services.directory.accounts.by_email(found.email)
    if user is None:
        return await _make_account(services, found)
    if password is None:
        raise LinkRequired("an account with your e-mail address is here: send its password once, to link the two")
    known = await services.directory.accounts.credentials_of(user.user_id)
    if not await services.tokens.check_password(password, known.password_hash if known else None):
        raise BadCredentials("this is not the password of the account with your e-mail address")
    await services.directory.identities.link(found.issuer, found.subject, user.user_id)
    return user


async def _make_account(services: Services, found: ExternalUser) -> UserRow:
    """Account and identity together or neither. Whoever the provider lets in may come, also where registration is closed."""
    now = services.clock.now_ms()

    def also(connection: Connection, user: UserRow) -> None:
        if not add_identity(connection, found.issuer, found.subject, user.user_id, now):
            raise Conflict("you are logging in twice at this moment: try again")

    noted = noting(services, "", AuditAction.ACCOUNT_CREATED, lambda user: str(user.user_id))
    name = _NOT_IN_NAMES.sub("-", found.name or found.email.partition("@")[0])[:NAME_CHARS_MAX].strip("-") or "user"
    for number in range(NAMES_TRIED):
        try:
            return await noted.together(also).accounts.create_user(
                username=name if not number else f"{name}-{services.clock.new_id()[-6:].lower()}",
                email=found.email, display_name=found.name,
            )  # fmt: skip
        except UsernameTaken:
            continue
    raise Conflict("no user name is free: try again")
