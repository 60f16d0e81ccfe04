"""Accounts, sessions, devices, profiles and presence."""

import asyncio
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from nottermost_chat.actions.audit import note_session, noting
from nottermost_chat.actions.consents import check_consents
from nottermost_chat.actions.signals import tell_changed
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, AuditDetails, FamilyRevoked, UserRow
from nottermost_chat.directory.consents import add_consents
from nottermost_chat.errors import BadCredentials, Forbidden, NotFound, Unauthorized
from nottermost_chat.identity import SessionTokens
from nottermost_chat.ports import Caller, SeenUser, Signal
from nottermost_chat.protocol import Own, Presence, PresenceEntry, to_time, to_time_or_none
from nottermost_chat.services import Services


def user_view(user: UserRow) -> shapes.UserView:
    """What everybody may know of a user: no e-mail address."""
    return shapes.UserView(
        user_id=user.user_id,
        username=user.username,
        display_name=user.display_name or user.username,
        title=user.title,
        bot=user.bot,
        deleted=user.deleted,
    )


def me_view(user: UserRow, device_id: str) -> shapes.MeView:
    return shapes.MeView(
        user_id=user.user_id,
        email=user.email,
        username=user.username,
        display_name=user.display_name or user.username,
        title=user.title,
        device_id=device_id,
        presence=user.presence,
    )


# --- sessions ---------------------------------------------------------------------------------


async def register(services: Services, wanted: shapes.RegisterRequest) -> shapes.Session:
    """Raises Forbidden when registration is closed, EmailTaken, UsernameTaken."""
    if not services.settings.registration:
        raise Forbidden("registration is closed here: ask an administrator for an account")
    versions = check_consents(services.settings, wanted.consents)

    def also(connection: Connection, user: UserRow) -> None:
        add_consents(connection, user.user_id, versions, user.created_at)

    directory = noting(services, "", AuditAction.ACCOUNT_CREATED, lambda user: str(user.user_id)).together(also)
    user = await directory.accounts.create_user(
        username=wanted.username,
        email=wanted.email,
        display_name=wanted.display_name,
        password_hash=await services.tokens.hash_password(wanted.password),
    )
    return await open_session(services, user, wanted.device_name)


async def log_in(services: Services, email: str, password: str, device_name: str) -> shapes.Session:
    """Raises BadCredentials."""
    try:
        user, tokens = await services.tokens.log_in(email, password, device_name)
    except BadCredentials:
        tried = AuditDetails(address=services.pseudonyms.address(email))
        await note_session(services, "", AuditAction.SESSION_REFUSED, "", details=tried)
        raise
    await _note_started(services, tokens)
    return _session(user, tokens)


async def open_session(services: Services, user: UserRow, device_name: str) -> shapes.Session:
    """For who has shown in another way who they are."""
    tokens = await services.tokens.session(user.user_id, device_name)
    await _note_started(services, tokens)
    return _session(user, tokens)


async def _note_started(services: Services, tokens: SessionTokens) -> None:
    device = AuditDetails(device_id=tokens.device_id)
    await note_session(services, tokens.user_id, AuditAction.SESSION_STARTED, tokens.user_id, details=device)


async def claim(services: Services, claim_token: str, password: str, device_name: str) -> shapes.Session:
    """Take an imported account over. Raises Unauthorized when the token is unknown, used or too old."""
    password_hash = await services.tokens.hash_password(password)
    directory = noting(services, "", AuditAction.ACCOUNT_CLAIMED, lambda user: str(user.user_id))
    return await open_session(services, await directory.accounts.claim(claim_token, password_hash), device_name)


def _session(user: UserRow, tokens: SessionTokens) -> shapes.Session:
    return shapes.Session(
        access_token=tokens.access_token, refresh_token=tokens.refresh_token, user=me_view(user, tokens.device_id)
    )


async def refresh(services: Services, refresh_token: str) -> SessionTokens:
    """Raises RefreshReused (a stolen token: the device is signed out, its sockets end), Unauthorized."""
    try:
        return await services.tokens.refresh(refresh_token)
    except FamilyRevoked as error:
        await close_sockets(services, error.user_id, [error.device_id])
        await note_session(services, error.user_id, AuditAction.TOKEN_REUSED, error.device_id)
        raise


async def log_out(services: Services, refresh_token: str) -> None:
    """Sign out the device that holds the token; an unknown one is as good as signed out."""
    device_id = await services.tokens.log_out(refresh_token)
    if device_id is not None:
        await close_sockets(services, "", [device_id])
        device = await services.directory.accounts.device(device_id)
        user_id, details = device.user_id if device else "", AuditDetails(device_id=device_id)
        await note_session(services, user_id, AuditAction.SESSION_ENDED, user_id, details=details)


async def close_sockets(services: Services, user_id: str, device_ids: Iterable[str]) -> None:
    """End what these devices have open."""
    for device_id in device_ids:
        await services.signals.signal(Signal(revoke_user=user_id, revoke_device=device_id))


# --- devices and passwords --------------------------------------------------------------------


async def list_devices(services: Services, caller: Caller) -> list[shapes.DeviceView]:
    """Devices that are signed in, last seen first."""
    return [
        shapes.DeviceView(
            device_id=device.device_id,
            name=device.name,
            created_at=to_time(device.created_at),
            last_seen_at=to_time(device.last_seen_at),
            current=device.device_id == caller.device_id,
        )
        for device in await services.directory.accounts.devices(caller.user_id)
    ]


async def sign_out_device(services: Services, caller: Caller, device_id: str) -> None:
    """Raises NotFound when the caller has no such device."""
    directory = noting(services, caller.user_id, AuditAction.DEVICE_SIGNED_OUT, device_id)
    if not await services.tokens.sign_out(caller.user_id, device_id, directory.accounts):
        raise NotFound(f"you have no device {device_id} signed in")
    await close_sockets(services, caller.user_id, [device_id])


async def change_password(services: Services, caller: Caller, old_password: str, new_password: str) -> None:
    """Every other device is signed out. Raises BadCredentials."""
    directory = noting(services, caller.user_id, AuditAction.PASSWORD_CHANGED, caller.user_id)
    try:
        devices = await services.tokens.change_password(caller, old_password, new_password, directory.accounts)
    except BadCredentials:
        await note_session(services, caller.user_id, AuditAction.PASSWORD_REFUSED, caller.user_id)
        raise
    await close_sockets(services, caller.user_id, devices)


# --- users ------------------------------------------------------------------------------------


async def me(services: Services, caller: Caller) -> shapes.MeView:
    """Raises Unauthorized when the account is gone."""
    user = await services.directory.accounts.user(caller.user_id)
    if user is None:
        raise Unauthorized("this account is gone")
    return me_view(user, caller.device_id)


async def change_profile(services: Services, caller: Caller, wanted: shapes.ProfileRequest) -> shapes.UserView:
    """Change what is not None. Raises UsernameTaken."""
    user = await services.directory.accounts.change_profile(
        caller.user_id, username=wanted.username, display_name=wanted.display_name, title=wanted.title
    )
    await tell_changed(services, caller.user_id, Own.PROFILE)
    return user_view(user)


async def get_user(services: Services, user_id: str) -> shapes.UserView:
    """Raises NotFound."""
    user = await services.directory.accounts.user(user_id)
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    return user_view(user)


async def get_users(services: Services, user_ids: Sequence[str]) -> list[shapes.UserView]:
    """Those of them that exist."""
    return [user_view(user) for user in (await services.directory.accounts.users(user_ids)).values()]


async def require_users(services: Services, user_ids: Sequence[str]) -> None:
    """Raises NotFound when one of the users does not exist or has left for good."""
    users = await services.directory.accounts.users(user_ids)
    for user_id in user_ids:
        if user_id not in users or users[user_id].deleted:
            raise NotFound(f"there is no user {user_id}")


# --- presence ---------------------------------------------------------------------------------


async def set_presence(services: Services, caller_id: str, wanted: Presence) -> PresenceEntry:
    """What others are to see while the caller is connected."""
    await services.directory.accounts.set_presence(caller_id, wanted)
    await services.routes.touch(caller_id, wanted, now_ms=services.clock.now_ms())
    return PresenceEntry(user_id=caller_id, status=wanted)


async def get_presence(services: Services, caller_id: str, user_ids: Sequence[str]) -> list[PresenceEntry]:
    """Of those whom the caller shares a workspace or a conversation with."""
    known = await services.directory.workspaces.acquainted(caller_id, user_ids)
    users, seen = await asyncio.gather(
        services.directory.accounts.users(sorted(known)), services.routes.presence(sorted(known))
    )
    return [_presence(users[user_id], seen.get(user_id)) for user_id in user_ids if user_id in users]


def _presence(user: UserRow, seen: SeenUser | None) -> PresenceEntry:
    status = Presence.OFFLINE if seen is None else seen.status
    last_seen = user.last_seen_at if seen is None or seen.last_seen is None else seen.last_seen
    if status is Presence.ONLINE:
        return PresenceEntry(user_id=user.user_id, status=user.presence)
    return PresenceEntry(user.user_id, status, to_time_or_none(last_seen))
