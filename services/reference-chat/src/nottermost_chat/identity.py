"""Who is asking: passwords, access tokens, sessions.

Access tokens are JWTs that live for minutes and are checked without a look into the
directory; what is asked there is only whether the device was signed out meanwhile, and that
is kept in memory.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory, FamilyRevoked, UserRow
from nottermost_chat.errors import BadCredentials, StartError, TokenExpired, Unauthorized, Unavailable
from nottermost_chat.ports import Caller
from nottermost_chat.private_file import write_private_file
from nottermost_chat.settings import Settings

ALGORITHMS: Final = ["HS256"]  # pinned: a token does not choose how it is checked
KEY_BYTES: Final = 32  # as long as the hash (RFC 7518, 3.2)
KEYS_FILE: Final = "token-keys.json"
HASHING_THREADS: Final = 2  # each hash takes 64 MiB and about 50 ms of up to four cores
HASHES_WAITING_MAX: Final = 100  # about 3 s of work; above it log-ins are refused rather than left waiting

T = TypeVar("T")


class SessionTokens(msgspec.Struct, frozen=True):
    """A session as the client holds it."""

    user_id: str
    device_id: str
    access_token: str
    refresh_token: str


class _Claims(msgspec.Struct, frozen=True):
    """What an access token says: user, device, and its times in seconds since the Unix epoch."""

    sub: str
    did: str
    iat: int
    exp: int


class _Key(msgspec.Struct, frozen=True):
    """A JSON Web Key: 32 bytes in base64url, with the name that stands in the head of its tokens."""

    kid: Annotated[str, msgspec.Meta(min_length=1)]
    k: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    kty: Literal["oct"] = "oct"
    alg: Literal["HS256"] = "HS256"


class _KeyFile(msgspec.Struct, frozen=True):
    """A JWK set: the first key signs, all of them verify."""

    keys: Annotated[list[_Key], msgspec.Meta(min_length=1)]


class Passwords:
    """Argon2id, off the event loop and a few at a time."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobodys = hasher.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        """The password as it is stored."""
        return await self._run(lambda: self._hasher.hash(password))

    async def check(self, password: str, password_hash: str | None) -> bool:
        """Whether they belong together; without a hash it takes as long and says no."""

        def work() -> bool:
            try:
                self._hasher.verify(password_hash or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
            return password_hash is not None

        return await self._run(work)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= HASHES_WAITING_MAX:
            raise Unavailable("too many people log in at this moment: try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


class Tokens:
    """Issues and verifies tokens, checks passwords. Is the `Identity` port."""

    def __init__(
        self, directory: Directory, settings: Settings, clock: Clock, keys: KeySet, passwords: Passwords
    ) -> None:
        self._accounts, self._settings, self._clock = directory.accounts, settings, clock
        self._keys, self._passwords = keys, passwords
        self._revoked: dict[str, int] = {}  # device -> when; as long as a token of it may live

    @classmethod
    async def open(
        cls, directory: Directory, settings: Settings, clock: Clock, *, hasher: PasswordHasher | None = None
    ) -> "Tokens":
        """Read the signing keys from the data folder, or make one. Raises StartError.

        `hasher`: weaker parameters, for tests; the default are those of RFC 9106 for little memory.
        """
        keys = await asyncio.to_thread(_load_keys, settings.data / KEYS_FILE)
        passwords = await asyncio.to_thread(Passwords, hasher or PasswordHasher())
        tokens = cls(directory, settings, clock, keys, passwords)
        since = clock.now_ms() - settings.access_token_s * 1000
        tokens._revoked = await directory.accounts.revoked_since(since)
        return tokens

    async def close(self) -> None:
        """End the threads that hash passwords."""
        await asyncio.to_thread(self._passwords.close)

    # --- passwords -----------------------------------------------------------------------------

    async def hash_password(self, password: str) -> str:
        """Argon2id, off the event loop; a few at a time. Raises Unavailable when too many wait."""
        return await self._passwords.hash(password)

    async def check_password(self, password: str, password_hash: str | None) -> bool:
        """Whether they belong together; without a hash it takes as long and says no. Raises Unavailable."""
        return await self._passwords.check(password, password_hash)

    async def log_in(self, name: str, password: str, device_name: str) -> tuple[UserRow, SessionTokens]:
        """By e-mail, or by user name. Raises BadCredentials, in the same time whether or not the account exists."""
        known = await self._accounts.credentials(name)
        if not await self.check_password(password, known.password_hash if known else None) or known is None:
            raise BadCredentials("e-mail and password do not belong together")
        return known.user, await self.session(known.user.user_id, device_name)

    async def change_password(self, caller: Caller, old_password: str, new_password: str) -> list[str]:
        """Raises BadCredentials. Returns the user's other devices, which are signed out now."""
        known = await self._accounts.credentials_of(caller.user_id)
        if not await self.check_password(old_password, known.password_hash if known else None):
            raise BadCredentials("the old password is another one")
        new_hash = await self.hash_password(new_password)
        return self._revoke_all(
            await self._accounts.set_password(caller.user_id, new_hash, keep_device_id=caller.device_id)
        )

    # --- sessions ------------------------------------------------------------------------------

    async def session(self, user_id: str, device_name: str) -> SessionTokens:
        """Sign a user in on a new device without asking for a password (after registering, claiming)."""
        valid_s = self._settings.refresh_token_s
        signed_in = await self._accounts.sign_in(user_id, device_name, valid_s=valid_s)
        return self._session(signed_in.user_id, signed_in.device_id, signed_in.refresh_token)

    async def refresh(self, refresh_token: str) -> SessionTokens:
        """Rotate. Raises FamilyRevoked (a RefreshReused; its device is signed out now), Unauthorized."""
        try:
            rotated = await self._accounts.rotate(refresh_token, valid_s=self._settings.refresh_token_s)
        except FamilyRevoked as error:
            self.revoke(error.device_id)
            raise
        return self._session(rotated.user_id, rotated.device_id, rotated.refresh_token)

    async def log_out(self, refresh_token: str) -> str | None:
        """Sign out the device that holds the token. Returns its id, for closing its sockets; None: unknown."""
        device_id = await self._accounts.sign_out_token(refresh_token)
        if device_id is not None:
            self.revoke(device_id)
        return device_id

    async def sign_out(self, user_id: str, device_id: str) -> bool:
        """Sign out one of the user's devices; its tokens end at once. False: there is no such device."""
        signed_out = await self._accounts.sign_out(user_id, device_id)
        if signed_out:
            self.revoke(device_id)
        return signed_out

    async def deactivate(self, user_id: str) -> list[str]:
        """End an account and all of its sessions. Returns the devices signed out."""
        return self._revoke_all(await self._accounts.deactivate(user_id))

    # --- access tokens -------------------------------------------------------------------------

    def revoke(self, device_id: str) -> None:
        """Refuse the device's access tokens from now on (in this process)."""
        self._revoke_all([device_id])

    def issue(self, user_id: str, device_id: str) -> str:
        """An access token."""
        now_s, key = self._clock.now_ms() // 1000, self._keys.keys[0]
        claims = _Claims(sub=user_id, did=device_id, iat=now_s, exp=now_s + self._settings.access_token_s)
        header = {"alg": ALGORITHMS[0], "kid": key.kid}
        return jwt.encode(header, msgspec.structs.asdict(claims), key, algorithms=ALGORITHMS)

    async def verify(self, token: str) -> Caller:
        """Raises Unauthorized or TokenExpired; also when the device was signed out."""
        try:
            claims = msgspec.convert(jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims, _Claims)
        except (JoseError, ValueError, msgspec.ValidationError) as error:
            raise Unauthorized("this is no access token of ours: log in") from error
        if claims.exp * 1000 <= self._clock.now_ms():
            raise TokenExpired("the access token is too old: refresh it")
        if claims.did in self._revoked:
            raise Unauthorized("this device was signed out: log in again")
        return Caller(claims.sub, claims.did, claims.exp * 1000)

    def _session(self, user_id: str, device_id: str, refresh_token: str) -> SessionTokens:
        return SessionTokens(user_id, device_id, self.issue(user_id, device_id), refresh_token)

    def _revoke_all(self, device_ids: list[str]) -> list[str]:
        now = self._clock.now_ms()
        outlived = now - self._settings.access_token_s * 1000
        for device_id in [known for known, at in self._revoked.items() if at < outlived]:
            del self._revoked[device_id]
        self._revoked |= dict.fromkeys(device_ids, now)
        return device_ids


def _load_keys(path: Path) -> KeySet:
    """The keys in the file; a new one if there is no file. Put another key first to rotate. Raises StartError."""
    try:
        if not path.exists():
            key = _Key(secrets.token_hex(8), _base64(secrets.token_bytes(KEY_BYTES)))
            write_private_file(path, msgspec.json.encode(_KeyFile([key])))
        keys = msgspec.json.decode(path.read_bytes(), type=_KeyFile).keys
    except OSError as error:
        raise StartError(f"{path} cannot be used ({error.strerror}): the keys that sign tokens are in it") from error
    except msgspec.MsgspecError as error:
        raise StartError(f"{path} holds no keys ({error}): put it back, or remove it to have a new one made") from error
    return KeySet([OctKey.import_key(msgspec.structs.asdict(key)) for key in keys])


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
