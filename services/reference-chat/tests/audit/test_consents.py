"""What users agree to, with version and time."""

from typing import Any

import pytest

from nottermost_chat.actions.consents import parse_documents
from nottermost_chat.errors import StartError
from nottermost_chat.testing.people import PASSWORD

REGISTER = "/api/users/auth/register"
MINE = "/api/users/me/consents"
ALL = {"terms": "2026-11", "privacy": "2"}


def account(name: str, **consents: str) -> dict[str, Any]:
    return {"email": f"{name}@example.org", "username": name, "password": PASSWORD, "consents": consents}


async def test_an_account_needs_agreement(consenting: Any) -> None:
    """To the versions of now, all of them; what was agreed to is kept with its time."""
    shown = (await consenting.http.get("/api/users/auth/consents")).json()
    assert shown["required"]
    assert {each["document"]: each["version"] for each in shown["documents"]} == ALL
    for given, code in (({}, "consent_missing"), ({"terms": "2026-11"}, "consent_missing"), (ALL | {"terms": "1"}, "bad_request")):  # fmt: skip
        answer = await consenting.http.post(REGISTER, json=account("ann", **given))
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    made = await consenting.http.post(REGISTER, json=account("ann", **ALL))
    assert made.status_code == 201
    token = {"authorization": f"Bearer {made.json()['access_token']}"}
    mine = (await consenting.http.get(MINE, headers=token)).json()["given"]
    assert {each["document"]: each["version"] for each in mine} == ALL
    assert all(each["given_at"] and each["withdrawn_at"] is None for each in mine)


async def test_giving_and_withdrawing(consenting: Any) -> None:
    """The history stays; agreeing twice is agreeing once; another version than that of now is refused."""
    ann = await consenting.join("ann")
    assert (await ann.get(MINE))["given"] == []
    for _ in range(2):
        given = (await ann.put(MINE, {"document": "terms", "version": "2026-11"}))["given"]
        assert [each["withdrawn_at"] for each in given] == [None]
    await ann.put(MINE, {"document": "terms", "version": "2020-01"}, status=409)
    await ann.put(MINE, {"document": "cookies", "version": "1"}, status=404)
    await ann.delete(f"{MINE}?document=terms")
    await ann.delete(f"{MINE}?document=terms", status=404)
    consenting.clock.ahead_s = 60
    await ann.put(MINE, {"document": "terms", "version": "2026-11"})
    given = (await ann.get(MINE))["given"]
    assert [each["withdrawn_at"] is None for each in given] == [False, True]
    assert given[0]["given_at"] < given[0]["withdrawn_at"] < given[1]["given_at"]


async def test_nothing_to_agree_to(chat: Any) -> None:
    """As it comes: no documents, and nobody is asked."""
    assert (await chat.http.get("/api/users/auth/consents")).json() == {"documents": [], "required": False}
    assert (await chat.http.post(REGISTER, json=account("ann"))).status_code == 201


def test_the_setting_is_read_strictly() -> None:
    assert parse_documents(" terms=2026-11, privacy=2,") == ALL
    for wrong in ("terms", "terms=", "Terms=1", "terms=1,terms=2", "terms=1;privacy=2"):
        with pytest.raises(StartError, match="has to be a document with its version"):
            parse_documents(wrong)
