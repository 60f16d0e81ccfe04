"""ID tokens of an identity provider: OpenID Connect, and Amazon Cognito, which is nearly that.

The provider signs, we look its public keys up (JWKS) and keep them: while it is away, tokens signed with
known keys are verified all the same.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from nottermost_chat.clock import Clock
from nottermost_chat.errors import TokenExpired, Unauthorized, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.resilience import POLICIES, Guard
from nottermost_chat.settings import Settings

# Pinned: a token does not choose how it is checked. None of them works with a secret, so a public key is never one.
ALGORITHMS: Final = ["RS256", "ES256"]
_KINDS: Final[dict[str, type[RSAKey] | type[ECKey]]] = {"RSA": RSAKey, "EC": ECKey}
LEEWAY_S: Final = 60  # by which clocks may differ
REFETCH_S: Final = 60.0  # between two looks for a key that nobody knows: anybody can make such tokens up
KEEP_S: Final = 6 * 3600.0  # after which keys are read again, so that one that was withdrawn ends
DOCUMENT_BYTES_MAX: Final = 1_000_000  # a JWKS has a few kilobytes
DISCOVERY: Final = "/.well-known/openid-configuration"


class ExternalUser(msgspec.Struct, frozen=True):
    """Who the provider says somebody is.

    Attributes:
        email: "": it does not say.
        email_verified: the provider has seen to it that the address is theirs.
        name: a suggestion, perhaps "".
    """

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


class _Claims(msgspec.Struct, frozen=True):
    """What we read of a token; times in seconds since the epoch. Cognito's access tokens have no `aud`."""

    iss: str
    sub: str
    exp: float
    aud: str | list[str] | None = None
    azp: str | None = None
    iat: float | None = None
    nbf: float | None = None
    nonce: str | None = None
    token_use: str | None = None
    client_id: str | None = None
    email: str = ""
    email_verified: bool | str = False  # some providers write it as a string
    preferred_username: str = ""
    name: str = ""


class _Provider(msgspec.Struct, frozen=True):
    """What we read of the discovery document."""

    issuer: str
    jwks_uri: str


class _Away(Exception):
    """The provider does not answer as it should."""


class OidcVerifier:
    """Tokens of one provider for one client."""

    def __init__(self, issuer: str, client_id: str, http: httpx.AsyncClient, metrics: Metrics, clock: Clock) -> None:
        """`http`: a client that follows no redirects."""
        self._issuer, self._client_id, self._http, self._clock = issuer, client_id, http, clock
        self._guard = Guard(POLICIES["identity provider"], metrics, clock.monotonic, _Away, httpx.HTTPError)
        self._keys: dict[str, RSAKey | ECKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading = asyncio.Lock()

    async def verify(self, token: str, *, nonce: str | None = None) -> ExternalUser:
        """Who the token speaks of.

        Args:
            nonce: what the client asked the provider to put in; None: it asked for nothing.
        Raises: Unauthorized, TokenExpired; Unavailable when the keys are not known and cannot be had.
        """
        key = await self._key(_key_id(token))
        try:
            claims = msgspec.convert(jwt.decode(token, key, algorithms=ALGORITHMS).claims, _Claims)
        except (JoseError, ValueError, msgspec.ValidationError) as error:
            raise _refused("its signature or form is wrong") from error
        self._check(claims, nonce)
        return ExternalUser(
            issuer=claims.iss,
            subject=claims.sub,
            email=claims.email,
            email_verified=claims.email_verified in (True, "true"),
            name=claims.preferred_username or claims.name,
        )

    def _check(self, claims: _Claims, nonce: str | None) -> None:
        now_s = self._clock.now_ms() / 1000
        if claims.iss != self._issuer or not claims.sub:
            raise _refused("another provider made it")
        if not self._is_for_us(claims):
            raise _refused("it was made for another program")
        if claims.exp + LEEWAY_S <= now_s:
            raise TokenExpired("the identity provider's token is too old: log in there again")
        if max(claims.nbf or 0, claims.iat or 0) - LEEWAY_S > now_s:
            raise _refused("it is not valid yet: are the clocks right?")
        if nonce is not None and claims.nonce != nonce:
            raise _refused("it answers another log-in")

    def _is_for_us(self, claims: _Claims) -> bool:
        match claims.aud:
            case None:  # an access token of Cognito
                return claims.token_use == "access" and claims.client_id == self._client_id  # noqa: S105 - a word
            case str():
                return claims.aud == self._client_id and claims.token_use in (None, "id")
            case list():
                return self._client_id in claims.aud and (len(claims.aud) == 1 or claims.azp == self._client_id)

    # --- keys ------------------------------------------------------------------------------------

    async def _key(self, key_id: str) -> RSAKey | ECKey:
        """Raises Unauthorized, Unavailable."""
        now = self._clock.monotonic()
        if key_id not in self._keys or now - self._read_at > KEEP_S:
            async with self._reading:  # one look for all who wait
                await self._read_keys(key_id)
        if key_id not in self._keys:
            raise _refused("no key of the identity provider made it")
        return self._keys[key_id]

    async def _read_keys(self, key_id: str) -> None:
        now = self._clock.monotonic()
        known, fresh = key_id in self._keys, now - self._read_at <= KEEP_S
        if (known and fresh) or now - self._tried_at < REFETCH_S:
            return
        try:
            self._keys = await self._guard.call(self._fetch)
            self._read_at = self._tried_at = now
        except Unavailable:
            if not self._keys:  # there is nothing to go on with, so the next one may try at once
                raise
            self._tried_at = now

    async def _fetch(self) -> dict[str, RSAKey | ECKey]:
        document = await self._get(self._issuer.rstrip("/") + DISCOVERY)
        try:
            provider = msgspec.json.decode(document, type=_Provider)
        except msgspec.MsgspecError as error:
            raise _Away("its discovery document cannot be read") from error
        if provider.issuer != self._issuer:
            raise _Away(f"the provider calls itself {provider.issuer}")
        if urlsplit(provider.jwks_uri).scheme != urlsplit(self._issuer).scheme:
            raise _Away("the provider's keys are not where its tokens come from")
        return _parse_keys(await self._get(provider.jwks_uri))

    async def _get(self, url: str) -> bytes:
        async with self._http.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise _Away(f"it answers {answer.status_code}")
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > DOCUMENT_BYTES_MAX:
                    raise _Away("it answers more than anybody needs")
            return bytes(content)


@asynccontextmanager
async def open_oidc(settings: Settings, metrics: Metrics, clock: Clock) -> AsyncIterator[OidcVerifier | None]:
    """As the settings say; None: they name no provider."""
    if not settings.oidc_issuer:
        yield None
        return
    async with httpx.AsyncClient(timeout=POLICIES["identity provider"].timeout_s) as http:
        yield OidcVerifier(settings.oidc_issuer, settings.oidc_client, http, metrics, clock)


class _Key(msgspec.Struct, frozen=True):
    """What we look at before a key of the provider's is imported."""

    kid: str = ""
    kty: str = ""
    use: str = "sig"


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[msgspec.Raw]


def _parse_keys(content: bytes) -> dict[str, RSAKey | ECKey]:
    """Public keys that sign, by their names; others are looked past. Raises _Away when there is none."""
    keys: dict[str, RSAKey | ECKey] = {}
    try:
        for raw in msgspec.json.decode(content, type=_KeySet).keys:
            seen = msgspec.json.decode(raw, type=_Key)
            kind = _KINDS.get(seen.kty)
            if kind is not None and seen.kid and seen.use == "sig":
                keys[seen.kid] = kind.import_key(msgspec.json.decode(raw))
    except (JoseError, msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        raise _Away("its keys cannot be read") from error
    if not keys:
        raise _Away("it has no key that we could use")
    return keys


def _key_id(token: str) -> str:
    """The name of the key that is said to have signed. Raises Unauthorized."""
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError) as error:
        raise _refused("it is none") from error
    if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
        raise _refused(f"it has to be signed with {' or '.join(ALGORITHMS)} and name its key")
    return str(header["kid"])


def _refused(reason: str) -> Unauthorized:
    return Unauthorized(f"the token of the identity provider is refused: {reason}")
