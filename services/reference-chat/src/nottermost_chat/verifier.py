"""Access tokens: whose they are, and whether they still count.

They are JWTs that live for minutes and are checked without a look into the directory; what is
asked there is only which devices were signed out meanwhile, and that is kept in memory.
"""

import base64
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from nottermost_chat.clock import Clock
from nottermost_chat.errors import StartError, TokenExpired, Unauthorized
from nottermost_chat.ports import Caller
from nottermost_chat.private_file import write_private_file

ALGORITHMS: Final = ["HS256"]  # pinned: a token does not choose how it is checked
KEY_BYTES: Final = 32  # as long as the hash (RFC 7518, 3.2)
KEYS_FILE: Final = "token-keys.json"


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an access token says: user, device, its times in seconds since the Unix epoch, a bot's scopes."""

    sub: str
    did: str
    iat: int
    exp: int
    scopes: list[str] | None = None


class _Key(msgspec.Struct, frozen=True):
    """A JSON Web Key: 32 bytes in base64url, with the name that stands in the head of its tokens."""

    kid: Annotated[str, msgspec.Meta(min_length=1)]
    k: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    kty: Literal["oct"] = "oct"
    alg: Literal["HS256"] = "HS256"


class _KeyFile(msgspec.Struct, frozen=True):
    """A JWK set: the first key signs, all of them verify."""

    keys: Annotated[list[_Key], msgspec.Meta(min_length=1)]


class Verifier:
    """The `Identity` port, over keys that every process has."""

    def __init__(self, keys: KeySet, clock: Clock, *, token_s: int) -> None:
        """`token_s`: how long a token lives, and so how long a signed-out device is remembered."""
        self._keys, self._clock, self._token_s = keys, clock, token_s
        self._revoked: dict[str, int] = {}  # device -> when; as long as a token of it may live

    def derive_secret(self, purpose: bytes) -> bytes:
        """See `derive_secret` below."""
        return derive_secret(self._keys, purpose)

    async def verify(self, token: str) -> Caller:
        """Raises Unauthorized or TokenExpired; also when the device was signed out."""
        try:
            claims = msgspec.convert(jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims, Claims)
        except (JoseError, ValueError, msgspec.ValidationError) as error:
            raise Unauthorized("this is no access token of ours: log in") from error
        if claims.exp * 1000 <= self._clock.now_ms():
            raise TokenExpired("the access token is too old: refresh it")
        if claims.did in self._revoked:
            raise Unauthorized("this device was signed out: log in again")
        scopes = None if claims.scopes is None else frozenset(claims.scopes)
        return Caller(claims.sub, claims.did, claims.exp * 1000, scopes)

    def revoke(self, device_id: str) -> None:
        """Refuse the device's access tokens from now on (in this process)."""
        self.revoke_all([device_id])

    def revoke_all(self, device_ids: list[str]) -> list[str]:
        """The same for several; returns them."""
        now = self._clock.now_ms()
        outlived = now - self._token_s * 1000
        for device_id in [known for known, at in self._revoked.items() if at < outlived]:
            del self._revoked[device_id]
        self._revoked |= dict.fromkeys(device_ids, now)
        return device_ids

    async def learn_revoked(self, revoked_since: Callable[[int], Awaitable[Mapping[str, int]]]) -> None:
        """Take over what was signed out anywhere; `revoked_since`: devices signed out since a time, and when."""
        since = self._clock.now_ms() - self._token_s * 1000
        self._revoked |= await revoked_since(since)


def load_keys(path: Path) -> KeySet:
    """The keys in the file; a new one if there is no file. Put another key first to rotate. Raises StartError."""
    try:
        if not path.exists():
            write_private_file(path, make_keys())
        return parse_keys(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path} cannot be used ({error.strerror}): the keys that sign tokens are in it") from error
    except msgspec.MsgspecError as error:
        raise StartError(f"{path} holds no keys ({error}): put it back, or remove it to have a new one made") from error


def find_keys(given: str, folder: Path) -> KeySet:
    """The keys that the environment gives, else those of the data folder. Raises StartError."""
    if not given:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return load_keys(folder / KEYS_FILE)
    try:
        return parse_keys(given)
    except (msgspec.MsgspecError, ValueError):  # its sentence might quote the secret
        raise StartError("signing_keys holds no keys: give a JWK set, as `nottermost stack up` makes one") from None


def derive_secret(keys: KeySet, purpose: bytes) -> bytes:
    """A secret for another purpose, the same in every process; it changes with the key that signs."""
    material = str(keys.keys[0].as_dict(private=True)["k"])
    return hmac.digest(material.encode(), purpose, "sha256")


def parse_keys(text: bytes | str) -> KeySet:
    """Keys from a JWK set. Raises msgspec.MsgspecError."""
    keys = msgspec.json.decode(text, type=_KeyFile).keys
    return KeySet([OctKey.import_key(msgspec.structs.asdict(key)) for key in keys])


def make_keys() -> bytes:
    """A JWK set with one new key."""
    key = _Key(secrets.token_hex(8), _base64(secrets.token_bytes(KEY_BYTES)))
    return msgspec.json.encode(_KeyFile([key]))


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
