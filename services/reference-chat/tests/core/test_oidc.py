"""Tokens of an identity provider: its forms and keys, and what happens while it is away.

What every token has to stand is in `ports/test_identity_port.py`.
"""

import base64
import hmac
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from nottermost_chat.errors import Unauthorized, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.oidc import KEEP_S, REFETCH_S, OidcVerifier
from nottermost_chat.testing.issuer import CLIENT, Issuer, issuing
from nottermost_chat.testing.people import ShiftedClock


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def verifier(issuer: Issuer, clock: ShiftedClock) -> AsyncIterator[OidcVerifier]:
    async with httpx.AsyncClient() as http:
        yield OidcVerifier(issuer.url, CLIENT, http, Metrics(), clock)


def join_parts(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    """What is signed. By hand, like the next: the library refuses to forge."""
    return b".".join(base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=") for part in (header, claims))


def sign_with_secret(claims: dict[str, Any], key_id: str, secret: bytes) -> str:
    signed = join_parts({"alg": "HS256", "kid": key_id}, claims)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + signature).decode()


async def test_both_algorithms_are_taken(verifier: OidcVerifier, issuer: Issuer) -> None:
    """RS256 and ES256, with one look at the keys for both."""
    for key in (issuer.rsa, issuer.ec):
        found = await verifier.verify(issuer.token(key))
        assert (found.issuer, found.subject, found.email) == (issuer.url, "subject-1", "eve@example.org")
        assert found.email_verified
        assert found.name == "eve"
    assert issuer.looked_up == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"token_use": "id"},
        {"aud": None, "token_use": "access", "client_id": CLIENT},
        {"email_verified": "true"},
        {"nbf": 0},
    ],
)
async def test_forms_that_providers_give_them(verifier: OidcVerifier, issuer: Issuer, claims: dict[str, Any]) -> None:
    """Several audiences, and Cognito's."""
    assert (await verifier.verify(issuer.token(**claims))).email_verified


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": []},
        {"aud": ["other"]},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"aud": None, "token_use": "access", "client_id": "other"},
        {"aud": None, "token_use": "id", "client_id": CLIENT},
        {"token_use": "access"},
        {"sub": ""},
    ],
)
async def test_tokens_for_others_are_refused(verifier: OidcVerifier, issuer: Issuer, claims: dict[str, Any]) -> None:
    """Another program in one of the forms that name several, or nobody."""
    with pytest.raises(Unauthorized):
        await verifier.verify(issuer.token(**claims))


async def test_a_token_may_be_a_minute_early(verifier: OidcVerifier, issuer: Issuer) -> None:
    """Clocks differ; more than that is not valid yet."""
    now = issuer.claims()["iat"]
    await verifier.verify(issuer.token(nbf=now + 30, iat=now + 30))
    for early in ({"nbf": now + 90}, {"iat": now + 90}):
        with pytest.raises(Unauthorized):
            await verifier.verify(issuer.token(**early))


async def test_a_nonce_belongs_to_one_log_in(verifier: OidcVerifier, issuer: Issuer) -> None:
    """If the client asked for one it has to be there, and the same."""
    token = issuer.token(nonce="n-1")
    await verifier.verify(token, nonce="n-1")
    await verifier.verify(token)
    for wrong in (token, issuer.token()):
        with pytest.raises(Unauthorized):
            await verifier.verify(wrong, nonce="n-2")


async def test_no_token_chooses_how_it_is_checked(verifier: OidcVerifier, issuer: Issuer) -> None:
    """Neither HS256 with the public key as its secret, nor a key without a name, nor another algorithm of the same."""
    claims = issuer.claims()
    forged = [
        sign_with_secret(claims, str(issuer.rsa.kid), issuer.rsa.as_pem(private=False)),
        jwt.encode({"alg": "RS256"}, claims, issuer.rsa),
        jwt.encode({"alg": "PS256", "kid": issuer.rsa.kid}, claims, issuer.rsa, algorithms=["PS256"]),
        jwt.encode({"alg": "ES256", "kid": issuer.rsa.kid}, claims, issuer.ec),
    ]
    for token in forged:
        with pytest.raises(Unauthorized):
            await verifier.verify(token)


async def test_other_kinds_of_keys_are_looked_past(verifier: OidcVerifier, issuer: Issuer) -> None:
    """A secret or an encryption key among the published ones never verifies anything."""
    encryption = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})
    issuer.served.append(encryption)
    issuer.extra = [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}]
    await verifier.verify(issuer.token())
    signing = ECKey.import_key(encryption.as_dict(private=True) | {"use": "sig"})
    for token in (
        sign_with_secret(issuer.claims(), "shared", b"secret-secret-secret-secret"),
        issuer.token(signing),
    ):
        with pytest.raises(Unauthorized):
            await verifier.verify(token)


async def test_a_new_key_is_looked_up_once_a_minute(
    verifier: OidcVerifier, issuer: Issuer, clock: ShiftedClock
) -> None:
    """The provider rotates; whoever makes key names up cannot make us ask it again and again."""
    old = issuer.token()
    await verifier.verify(old)
    stranger = RSAKey.generate_key(2048, {"kid": "made-up"})
    for _ in range(5):
        with pytest.raises(Unauthorized):
            await verifier.verify(issuer.token(stranger))
    assert issuer.looked_up == 1
    issuer.rotate()
    clock.ahead_s += REFETCH_S + 1
    await verifier.verify(issuer.token())
    assert issuer.looked_up == 2
    with pytest.raises(Unauthorized):
        await verifier.verify(old)  # its key was withdrawn


async def test_known_keys_do_while_the_provider_is_away(
    verifier: OidcVerifier, issuer: Issuer, clock: ShiftedClock
) -> None:
    """However long; a new key is found when it is back."""
    await verifier.verify(issuer.token())
    issuer.up = False
    clock.ahead_s += KEEP_S + 1
    await verifier.verify(issuer.token(exp=issuer.claims()["iat"] + 7 * 3600))
    issuer.rotate()
    rotated = issuer.token(exp=issuer.claims()["iat"] + 7 * 3600)
    with pytest.raises(Unauthorized):
        await verifier.verify(rotated)
    issuer.up = True
    clock.ahead_s += REFETCH_S + 1
    await verifier.verify(rotated)


async def test_without_keys_it_says_that_the_provider_is_away(
    verifier: OidcVerifier, issuer: Issuer, clock: ShiftedClock
) -> None:
    """Try again later, not "wrong token"; and then it works."""
    issuer.up = False
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
    issuer.up = True
    clock.ahead_s += 10
    await verifier.verify(issuer.token())


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b'{"issuer": "https://other.example", "jwks_uri": "https://other.example/jwks"}', b"x" * 2_000_000],
)
async def test_what_is_no_provider_is_not_believed(verifier: OidcVerifier, issuer: Issuer, document: bytes) -> None:
    """Its discovery document has to name itself, and be one."""
    issuer.document = document
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
