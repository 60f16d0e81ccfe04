"""Sessions: rotation and reuse, the page's cookie, devices, passwords, claims, registration."""

import dataclasses

import httpx
import msgspec

from nottermost_chat.api.app import create_app
from nottermost_chat.api.users import COOKIE
from nottermost_chat.services import Services
from nottermost_chat.testing.people import PASSWORD, Person, ShiftedClock, read

AUTH = "/api/users/auth"
WEB = {"x-client": "web"}


async def test_reuse_of_a_refresh_token_ends_the_whole_family(http: httpx.AsyncClient, ann: Person) -> None:
    """A stolen token is noticed when it comes a second time: both holders are out, the access token too."""
    fresh = read(await http.post(f"{AUTH}/refresh", json={"refresh_token": ann.refresh_token}), 200)
    reused = read(await http.post(f"{AUTH}/refresh", json={"refresh_token": ann.refresh_token}), 401)
    assert reused["code"] == "refresh_reused"
    assert (await http.post(f"{AUTH}/refresh", json={"refresh_token": fresh["refresh_token"]})).status_code == 401
    assert (await ann.call("GET", "/api/users/me")).status_code == 401


async def test_the_page_keeps_its_refresh_token_in_a_cookie(http: httpx.AsyncClient, ann: Person) -> None:
    """With X-Client: web the token is in no body, and the cookie is httpOnly, strict and only for the auth paths."""
    answer = await http.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD}, headers=WEB)
    assert read(answer, 200)["refresh_token"] is None
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", f"path={AUTH}", "max-age=604800"))
    assert "secure" not in cookie  # http on a laptop
    first = http.cookies[COOKIE]
    assert read(await http.post(f"{AUTH}/refresh", headers=WEB), 200)["refresh_token"] is None
    assert http.cookies[COOKIE] != first
    left = await http.post(f"{AUTH}/logout", headers=WEB)
    assert left.status_code == 204
    assert "max-age=0" in left.headers["set-cookie"].lower()
    assert COOKIE not in http.cookies


async def test_a_cookie_alone_does_nothing(http: httpx.AsyncClient, ann: Person) -> None:
    """Another site can make a browser send the cookie, but not the header."""
    await http.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD}, headers=WEB)
    held = http.cookies[COOKIE]
    for path in ("refresh", "logout"):
        assert (await http.post(f"{AUTH}/{path}", json={})).status_code == 401
        assert (
            await http.post(f"{AUTH}/{path}", content="a=b", headers={"content-type": "text/plain"})
        ).status_code == 415
    assert http.cookies[COOKIE] == held
    assert (await http.post(f"{AUTH}/refresh", headers=WEB)).status_code == 200


async def test_the_cookie_is_secure_where_the_site_is(services: Services, ann: Person) -> None:
    """public_url says how users reach the chat."""
    https = dataclasses.replace(
        services, settings=msgspec.structs.replace(services.settings, public_url="https://chat.example")
    )
    transport = httpx.ASGITransport(create_app(https))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="https://chat.example") as client:
        answer = await client.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD}, headers=WEB)
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_wrong_credentials_say_no_more_than_that(http: httpx.AsyncClient, ann: Person) -> None:
    """Whether the account exists is not told."""
    for login in [{"email": "ann@example.org", "password": "wrong"}, {"email": "no@x.org", "password": PASSWORD}]:
        refused = read(await http.post(f"{AUTH}/login", json=login), 401)
        assert refused["code"] == "bad_credentials"
        assert "exist" not in refused["detail"]


async def test_devices_are_listed_and_signed_out(http: httpx.AsyncClient, ann: Person) -> None:
    """Signing a device out ends its tokens at once; one's own is marked."""
    other = read(
        await http.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD, "device_name": "phone"}), 200
    )
    devices = await ann.get("/api/users/me/devices")
    assert {each["device_id"]: each["current"] for each in devices} == {
        ann.device_id: True,
        other["user"]["device_id"]: False,
    }
    assert "phone" in {each["name"] for each in devices}
    await ann.delete(f"/api/users/me/devices/{other['user']['device_id']}")
    bearer = {"authorization": f"Bearer {other['access_token']}"}
    assert read(await http.get("/api/users/me", headers=bearer), 401)["code"] == "unauthorized"
    assert len(await ann.get("/api/users/me/devices")) == 1


async def test_a_changed_password_signs_out_the_other_devices(http: httpx.AsyncClient, ann: Person) -> None:
    """The old one does not work any more, and the caller's own session goes on."""
    login = {"email": ann.email, "password": PASSWORD}
    other = read(await http.post(f"{AUTH}/login", json=login), 200)
    await ann.put("/api/users/me/password", {"old_password": PASSWORD, "new_password": "another one!"}, status=204)
    assert (
        await http.get("/api/users/me", headers={"authorization": f"Bearer {other['access_token']}"})
    ).status_code == 401
    assert (await http.post(f"{AUTH}/login", json=login)).status_code == 401
    await ann.get("/api/users/me")
    read(await http.post(f"{AUTH}/login", json=login | {"password": "another one!"}), 200)


async def test_an_expired_token_says_so(http: httpx.AsyncClient, ann: Person, clock: ShiftedClock) -> None:
    """token_expired: refresh; anything else: log in."""
    clock.ahead_s = 16 * 60
    assert (await ann.get("/api/users/me", status=401))["code"] == "token_expired"
    fresh = read(await http.post(f"{AUTH}/refresh", json={"refresh_token": ann.refresh_token}), 200)
    ann.access_token = fresh["access_token"]
    await ann.get("/api/users/me")


async def test_no_token_of_ours(http: httpx.AsyncClient) -> None:
    """401 with WWW-Authenticate, whatever it is."""
    for header in ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x.y.z", "Bearer " + "a" * 5000, "bearer \u00e9"]:
        answer = await http.get("/api/users/me", headers={b"authorization": header.encode("latin-1")})
        assert read(answer, 401)["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_registration_is_judged(http: httpx.AsyncClient, ann: Person) -> None:
    """Names and addresses are unique without case, and have a form."""
    changes: list[tuple[dict[str, object], str]] = [
        ({"email": "ANN@example.org"}, "email_taken"), ({"username": "Ann"}, "username_taken"),
        ({"email": "a@b\n"}, "bad_request"), ({"username": "a b"}, "bad_request"), ({"username": "ann\n"}, "bad_request"),
        ({"password": "short"}, "bad_request"), ({"admin": True}, "bad_request"),
    ]  # fmt: skip
    for changed, code in changes:
        wanted = {"email": "new@example.org", "username": "new", "password": PASSWORD} | changed
        assert (await http.post(f"{AUTH}/register", json=wanted)).json()["code"] == code


async def test_an_imported_user_is_claimed_once(
    http: httpx.AsyncClient, services: Services, ann: Person, bob: Person
) -> None:
    """An admin makes the link; whoever holds it sets the password; a second time it is used up."""
    workspace = await ann.workspace("W", bob)
    user = await services.directory.accounts.create_user(username="cyd", imported=True, import_key="U1")
    await services.directory.workspaces.add_members(workspace, [user.user_id])
    path = f"/api/workspaces/{workspace}/imported-users"
    assert [each["user"]["username"] for each in await ann.get(path)] == ["cyd"]
    link = await ann.post(f"{path}/{user.user_id}/claim")
    assert link["url"] == f"/claim#token={link['claim_token']}"  # a fragment is never sent to a server
    await ann.post(f"{path}/{bob.user_id}/claim", status=404)  # bob has an account of his own
    claimed = read(
        await http.post(f"{AUTH}/claim", json={"claim_token": link["claim_token"], "password": PASSWORD}), 200
    )
    assert claimed["user"]["user_id"] == user.user_id
    assert (
        await http.post(f"{AUTH}/claim", json={"claim_token": link["claim_token"], "password": PASSWORD})
    ).status_code == 401
    assert await ann.get(path) == []


async def test_profile_and_presence(ann: Person, bob: Person) -> None:
    """Others see names but no address; presence only of those one shares something with."""
    await ann.patch("/api/users/me", {"display_name": "Ann A.", "title": "Captain"})
    seen = await bob.get(f"/api/users/{ann.user_id}")
    assert (seen["display_name"], seen["title"]) == ("Ann A.", "Captain")
    assert "email" not in seen
    assert (await bob.patch("/api/users/me", {"username": "ANN"}, status=409))["code"] == "username_taken"
    await ann.put("/api/users/me/presence", {"status": "away"})
    assert await bob.get(f"/api/users/presence?ids={ann.user_id}") == []
    await ann.direct(bob)
    assert [each["status"] for each in await bob.get(f"/api/users/presence?ids={ann.user_id}")] == ["away"]
    assert (await ann.get("/api/users/me"))["presence"] == "away"


async def test_closed_registration(services: Services) -> None:
    """`registration = false`: an administrator makes the accounts."""
    closed = dataclasses.replace(services, settings=msgspec.structs.replace(services.settings, registration=False))
    transport = httpx.ASGITransport(create_app(closed))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
        wanted = {"email": "new@example.org", "username": "new", "password": PASSWORD}
        assert read(await client.post(f"{AUTH}/register", json=wanted), 403)["code"] == "forbidden"
