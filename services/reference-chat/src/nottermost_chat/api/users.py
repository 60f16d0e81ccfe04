"""/api/users: sessions, accounts, devices, presence."""

from typing import Final, TypeVar

import msgspec
from litestar import Response, Router, delete, get, patch, post, put
from litestar.datastructures import Cookie
from litestar.params import JSONBody

from nottermost_chat.actions import accounts, external
from nottermost_chat.api import shapes
from nottermost_chat.api.params import Ids, PathId, parse_ids
from nottermost_chat.api.privacy import erase_me
from nottermost_chat.api.request import ApiRequest
from nottermost_chat.errors import Unauthorized
from nottermost_chat.protocol import PresenceEntry

COOKIE: Final = "nottermost_refresh"
COOKIE_PATH: Final = "/api/users/auth"
NO_TOKEN: Final = shapes.RefreshRequest()  # the page's is in its cookie

Held = TypeVar("Held", shapes.Session, shapes.Tokens)

# --- sessions ---------------------------------------------------------------------------------


@post("/register")
async def register(request: ApiRequest, data: JSONBody[shapes.RegisterRequest]) -> Response[shapes.Session]:
    """Make an account and sign in."""
    await request.limits.take_log_in(request.client_ip)
    return _hand_over(request, await accounts.register(request.services, data))


@post("/login", status_code=200)
async def log_in(request: ApiRequest, data: JSONBody[shapes.LoginRequest]) -> Response[shapes.Session]:
    """Sign in on a device."""
    await request.limits.take_log_in(request.client_ip)
    return _hand_over(request, await accounts.log_in(request.services, data.email, data.password, data.device_name))


@post("/claim", status_code=200)
async def claim(request: ApiRequest, data: JSONBody[shapes.ClaimRequest]) -> Response[shapes.Session]:
    """Take over an account that came with an import."""
    await request.limits.take_log_in(request.client_ip)
    return _hand_over(
        request, await accounts.claim(request.services, data.claim_token, data.password, data.device_name)
    )


@post("/oidc", status_code=200)
async def log_in_externally(request: ApiRequest, data: JSONBody[shapes.OidcRequest]) -> Response[shapes.Session]:
    """Sign in with the token of the identity provider that the server trusts."""
    await request.limits.take_log_in(request.client_ip)
    return _hand_over(request, await external.log_in(request.services, data))


@post("/refresh", status_code=200)
async def refresh(request: ApiRequest, data: JSONBody[shapes.RefreshRequest] = NO_TOKEN) -> Response[shapes.Tokens]:
    """Exchange a refresh token for the next one; each is good for one exchange."""
    request.limits.take_connection(request.client_ip)
    tokens = await accounts.refresh(request.services, _refresh_token(request, data))
    return _hand_over(request, shapes.Tokens(access_token=tokens.access_token, refresh_token=tokens.refresh_token))


@post("/logout", status_code=204)
async def log_out(request: ApiRequest, data: JSONBody[shapes.RefreshRequest] = NO_TOKEN) -> Response[None]:
    """Sign out the device that holds the refresh token."""
    await accounts.log_out(request.services, _refresh_token(request, data))
    return Response(None, cookies=[_cookie(request, "", max_age=0)] if request.is_web else None)


def _hand_over(request: ApiRequest, held: Held) -> Response[Held]:
    """The page gets its refresh token as a cookie that no script can read, everybody else in the body."""
    if not request.is_web:
        return Response(held)
    cookie = _cookie(request, held.refresh_token or "", max_age=request.services.settings.refresh_token_s)
    return Response(msgspec.structs.replace(held, refresh_token=None), cookies=[cookie])


def _cookie(request: ApiRequest, value: str, *, max_age: int) -> Cookie:
    secure = request.services.settings.url.startswith("https:")
    return Cookie(COOKIE, COOKIE_PATH, value, max_age=max_age, secure=secure, httponly=True, samesite="strict")


def _refresh_token(request: ApiRequest, data: shapes.RefreshRequest) -> str:
    """From the body, or for the page from the cookie, which alone would let other sites act for the user."""
    token = data.refresh_token or (request.cookies.get(COOKIE) if request.is_web else None)
    if not token:
        raise Unauthorized("send refresh_token, or the cookie together with `X-Client: web`")
    return token


# --- the caller -------------------------------------------------------------------------------


@get("/me")
async def me(request: ApiRequest) -> shapes.MeView:
    """The caller's account."""
    return await accounts.me(request.services, request.user)


@patch("/me")
async def change_profile(request: ApiRequest, data: JSONBody[shapes.ProfileRequest]) -> shapes.UserView:
    """Change user name, display name or title."""
    return await accounts.change_profile(request.services, request.user, data)


@put("/me/password", status_code=204)
async def change_password(request: ApiRequest, data: JSONBody[shapes.PasswordRequest]) -> None:
    """Change the password; every other device is signed out."""
    await request.limits.take_log_in(request.client_ip)
    await accounts.change_password(request.services, request.user, data.old_password, data.new_password)


@put("/me/presence")
async def set_presence(request: ApiRequest, data: JSONBody[shapes.PresenceRequest]) -> PresenceEntry:
    """What others are to see."""
    return await accounts.set_presence(*request.who, data.status)


@get("/me/devices")
async def list_devices(request: ApiRequest) -> list[shapes.DeviceView]:
    """Devices that are signed in."""
    return await accounts.list_devices(request.services, request.user)


@delete("/me/devices/{device_id:str}")
async def sign_out_device(request: ApiRequest, device_id: PathId) -> None:
    """Sign out a device; its connections end."""
    await accounts.sign_out_device(request.services, request.user, device_id)


# --- others -----------------------------------------------------------------------------------


@get("/")
async def get_users(request: ApiRequest, ids: Ids) -> list[shapes.UserView]:
    """Those of the users that exist."""
    return await accounts.get_users(request.services, parse_ids(ids))


@get("/presence")
async def get_presence(request: ApiRequest, ids: Ids) -> list[PresenceEntry]:
    """Who of them is there; those one shares nothing with are left out."""
    return await accounts.get_presence(*request.who, parse_ids(ids))


@get("/{user_id:str}")
async def get_user(request: ApiRequest, user_id: PathId) -> shapes.UserView:
    """A user's public profile."""
    return await accounts.get_user(request.services, user_id)


session_routes = Router(
    path=COOKIE_PATH,
    route_handlers=[register, log_in, log_in_externally, claim, refresh, log_out],
    tags=["sessions"],
)
user_routes = Router(
    path="/api/users",
    route_handlers=[
        me, change_profile, change_password, set_presence, list_devices, sign_out_device, get_users, get_presence,
        get_user, erase_me,
    ],
    tags=["users"],
)  # fmt: skip
