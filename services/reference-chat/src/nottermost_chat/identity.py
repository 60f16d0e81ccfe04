"""Who is asking: passwords and sessions. How their access tokens are checked is in `verifier.py`."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from joserfc import jwt
from joserfc.jwk import KeySet

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Accounts, Directory, FamilyRevoked, UserRow
from nottermost_chat.errors import BadCredentials, Unavailable
from nottermost_chat.ports import Caller
from nottermost_chat.settings import Settings
from nottermost_chat.verifier import ALGORITHMS, KEYS_FILE, Claims, Verifier, load_keys

HASHING_THREADS: Final = 2  # each hash takes 64 MiB and about 50 ms of up to four cores
HASHES_WAITING_MAX: Final = 100  # about 3 s of work; above it log-ins are refused rather than left waiting

T = TypeVar("T")


class SessionTokens(msgspec.Struct, frozen=True):
    """A session as the client holds it."""

    user_id: str
    device_id: str
    access_token: str
    refresh_token: str


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


class Tokens(Verifier):
    """Issues and verifies tokens, checks passwords."""

    def __init__(
        self, directory: Directory, settings: Settings, clock: Clock, keys: KeySet, passwords: Passwords
    ) -> None:
        super().__init__(keys, clock, token_s=settings.access_token_s)
        self._accounts, self._settings, self._passwords = directory.accounts, settings, passwords

    @classmethod
    async def open(
        cls,
        directory: Directory,
        settings: Settings,
        clock: Clock,
        *,
        keys: KeySet | None = None,
        hasher: PasswordHasher | None = None,
    ) -> "Tokens":
        """
        Args:
            keys: None: those of the data folder, made if there are none. Raises StartError.
            hasher: weaker parameters, for tests; the default are those of RFC 9106 for little memory.
        """
        if keys is None:
            keys = await asyncio.to_thread(load_keys, settings.data / KEYS_FILE)
        passwords = await asyncio.to_thread(Passwords, hasher or PasswordHasher())
        tokens = cls(directory, settings, clock, keys, passwords)
        await tokens.learn_revoked(directory.accounts.revoked_since)
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

    async def change_password(
        self, caller: Caller, old_password: str, new_password: str, accounts: Accounts | None = None
    ) -> list[str]:
        """Raises BadCredentials. Returns the user's other devices, which are signed out now.

        `accounts`, here and below: to write with, where more is to happen in the same transaction.
        """
        accounts = accounts or self._accounts
        known = await self._accounts.credentials_of(caller.user_id)
        if not await self.check_password(old_password, known.password_hash if known else None):
            raise BadCredentials("the old password is another one")
        new_hash = await self.hash_password(new_password)
        return self.revoke_all(await accounts.set_password(caller.user_id, new_hash, keep_device_id=caller.device_id))

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

    async def sign_out(self, user_id: str, device_id: str, accounts: Accounts | None = None) -> bool:
        """Sign out one of the user's devices; its tokens end at once. False: there is no such device."""
        signed_out = await (accounts or self._accounts).sign_out(user_id, device_id)
        if signed_out:
            self.revoke(device_id)
        return signed_out

    async def deactivate(self, user_id: str, accounts: Accounts | None = None) -> list[str]:
        """End an account and all of its sessions. Returns the devices signed out."""
        return self.revoke_all(await (accounts or self._accounts).deactivate(user_id))

    # --- access tokens -------------------------------------------------------------------------

    def issue(self, user_id: str, device_id: str, *, scopes: Sequence[str] | None = None) -> str:
        """An access token; `scopes`: a bot's."""
        now_s, key = self._clock.now_ms() // 1000, self._keys.keys[0]
        claims = Claims(sub=user_id, did=device_id, iat=now_s, exp=now_s + self._settings.access_token_s)
        if scopes is not None:
            claims = msgspec.structs.replace(claims, scopes=list(scopes))
        header = {"alg": ALGORITHMS[0], "kid": key.kid}
        return jwt.encode(header, msgspec.to_builtins(claims), key, algorithms=ALGORITHMS)

    def _session(self, user_id: str, device_id: str, refresh_token: str) -> SessionTokens:
        return SessionTokens(user_id, device_id, self.issue(user_id, device_id), refresh_token)
