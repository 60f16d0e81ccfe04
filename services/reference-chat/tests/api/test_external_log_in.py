"""Log-ins with an identity provider's token: whose account it opens."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nottermost_chat.services import Embedded
from nottermost_chat.settings import Limits, Rate, Settings
from nottermost_chat.testing.issuer import CLIENT, Issuer, issuing
from nottermost_chat.testing.people import PASSWORD, Person


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
def settings(tmp_path: Path, issuer: Issuer) -> Settings:
    limits = Limits(ip_log_ins=Rate(100_000, 100_000))
    return Settings(data=tmp_path / "data", port=0, limits=limits, oidc_issuer=issuer.url, oidc_client=CLIENT)


class Door:
    """The route."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def open(self, token: str, status: int = 200, **more: Any) -> dict[str, Any]:
        answer = await self._http.post("/api/users/auth/oidc", json={"id_token": token} | more)
        assert answer.status_code == status, answer.text
        return dict(answer.json())


@pytest.fixture
def door(http: httpx.AsyncClient) -> Door:
    return Door(http)


async def test_the_first_log_in_makes_an_account(door: Door, http: httpx.AsyncClient, issuer: Issuer) -> None:
    """With our own session; later ones find it by the identity, whatever the address is by then."""
    first = await door.open(issuer.token())
    assert (first["user"]["username"], first["user"]["email"]) == ("eve", "eve@example.org")
    me = await http.get("/api/users/me", headers={"authorization": f"Bearer {first['access_token']}"})
    assert me.status_code == 200
    again = await door.open(issuer.token(email="eve@elsewhere.example", email_verified=False))
    assert again["user"]["user_id"] == first["user"]["user_id"]
    refreshed = await http.post("/api/users/auth/refresh", json={"refresh_token": again["refresh_token"]})
    assert refreshed.status_code == 200


async def test_a_taken_name_is_made_free(door: Door, issuer: Issuer, ann: Person) -> None:
    """Names are suggestions of the provider; odd ones are made to fit."""
    made = await door.open(issuer.token(preferred_username="Ann"))
    assert made["user"]["username"].startswith("Ann-")
    odd = await door.open(issuer.token(sub="2", email="odd@example.org", preferred_username="Odd <Name>"))
    assert odd["user"]["username"] == "Odd-Name"


async def test_an_account_is_linked_by_its_owner_only(door: Door, issuer: Issuer, ann: Person) -> None:
    """The address alone does not open it: the password does, once."""
    token = issuer.token(email=ann.email)
    assert (await door.open(token, 409))["code"] == "link_required"
    assert (await door.open(token, 401, password="wrong password"))["code"] == "bad_credentials"
    linked = await door.open(token, password=PASSWORD)
    assert linked["user"]["user_id"] == ann.user_id
    assert (await door.open(token))["user"]["user_id"] == ann.user_id
    other = issuer.token(sub="somebody-else", email=ann.email)
    assert (await door.open(other, 409))["code"] == "link_required"


async def test_an_address_has_to_be_verified(door: Door, issuer: Issuer) -> None:
    """Otherwise anybody could claim anybody's."""
    for claims in ({"email_verified": False}, {"email_verified": None}, {"email": None}):
        assert (await door.open(issuer.token(**claims), 403))["code"] == "forbidden"


async def test_a_deactivated_account_stays_closed(services: Embedded, door: Door, issuer: Issuer) -> None:
    """The provider does not open it again."""
    made = await door.open(issuer.token())
    await services.directory.accounts.deactivate(made["user"]["user_id"])
    await door.open(issuer.token(), 401)


async def test_bad_tokens_open_nothing(door: Door, issuer: Issuer) -> None:
    """Each with a sentence; a provider that is away asks to try again."""
    await door.open("guess", 401)
    assert (await door.open(issuer.token(exp=1), 401))["code"] == "token_expired"
    await door.open(issuer.token(nonce="a"), 401, nonce="b")
