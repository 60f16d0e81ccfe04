"""Sessions, keys and passwords of own accounts. Which tokens are taken and refused is in `ports/test_identity_port.py`."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from joserfc.jwk import OctKey

from nottermost_chat.clock import Clock
from nottermost_chat.directory import Directory
from nottermost_chat.errors import BadCredentials, RefreshReused, StartError, Unauthorized, Unavailable
from nottermost_chat.identity import HASHES_WAITING_MAX, Tokens
from nottermost_chat.settings import Settings
from nottermost_chat.verifier import KEYS_FILE

NewUser = Callable[[str], Awaitable[str]]
Wait = Callable[[float], None]
Open = Callable[[], Awaitable[Tokens]]


class QuickHasher(PasswordHasher):
    """Argon2id that costs next to nothing, and counts how often it verifies."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> QuickHasher:
    return QuickHasher()


@pytest.fixture
async def open_tokens(directory: Directory, clock: Clock, tmp_path: Path, hasher: QuickHasher) -> AsyncIterator[Open]:
    """Opens `Tokens` over the data folder: again is what a restart does."""
    opened: list[Tokens] = []

    async def open_again() -> Tokens:
        opened.append(await Tokens.open(directory, Settings(data=tmp_path), clock, hasher=hasher))
        return opened[-1]

    yield open_again
    for tokens in opened:
        await tokens.close()


@pytest.fixture
async def tokens(open_tokens: Open) -> Tokens:
    return await open_tokens()


async def test_signing_out_ends_access_at_once_and_for_good(
    tokens: Tokens, open_tokens: Open, new_user: NewUser
) -> None:
    """The access token that still lives is refused, also after a restart; other devices go on."""
    user_id = await new_user("ada")
    laptop, phone, tablet = [await tokens.session(user_id, name) for name in ("laptop", "phone", "tablet")]
    assert await tokens.sign_out(user_id, laptop.device_id)
    assert not await tokens.sign_out(user_id, laptop.device_id)
    assert await tokens.log_out(phone.refresh_token) == phone.device_id
    assert await tokens.log_out("no token") is None
    for identity in (tokens, await open_tokens()):
        for session in (laptop, phone):
            with pytest.raises(Unauthorized):
                await identity.verify(session.access_token)
        assert (await identity.verify(tablet.access_token)).device_id == tablet.device_id
    assert await tokens.deactivate(user_id) == [tablet.device_id]
    with pytest.raises(Unauthorized):
        await tokens.verify(tablet.access_token)


async def test_reuse_of_a_refresh_token_ends_access_too(tokens: Tokens, new_user: NewUser, wait: Wait) -> None:
    """Refreshing gives both tokens anew; a repeated one signs the device out, live access tokens included."""
    first = await tokens.session(await new_user("ada"), "laptop")
    wait(60)
    second = await tokens.refresh(first.refresh_token)
    assert (await tokens.verify(second.access_token)).device_id == first.device_id
    with pytest.raises(RefreshReused):
        await tokens.refresh(first.refresh_token)
    for token in (first.access_token, second.access_token):
        with pytest.raises(Unauthorized):
            await tokens.verify(token)
    with pytest.raises(Unauthorized):
        await tokens.refresh(second.refresh_token)


async def test_the_key_is_private_and_can_be_rotated(
    tokens: Tokens, open_tokens: Open, new_user: NewUser, tmp_path: Path
) -> None:
    """Only the owner may read the file; a key put first signs from then on, and the old one still verifies."""
    file = tmp_path / KEYS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    old = await tokens.session(await new_user("ada"), "laptop")
    keys = json.loads(file.read_bytes())["keys"]
    new_key = OctKey.generate_key(256, {"kid": "new"}).as_dict(private=True)
    file.write_text(json.dumps({"keys": [new_key, *keys]}))
    rotated = await open_tokens()
    assert (await rotated.verify(old.access_token)).device_id == old.device_id
    fresh = rotated.issue(old.user_id, old.device_id)
    assert (await rotated.verify(fresh)).device_id == old.device_id
    with pytest.raises(Unauthorized):
        await tokens.verify(fresh)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"keys": []}', '{"keys": [{"kty": "oct"}]}', '{"keys": [{"kty": "oct", "k": "AAAA"}]}']
)
async def test_a_damaged_key_file_is_named(directory: Directory, clock: Clock, tmp_path: Path, content: str) -> None:
    """One sentence with the file's name, instead of a new key that would log everybody out in silence."""
    (tmp_path / KEYS_FILE).write_text(content)
    with pytest.raises(StartError, match=KEYS_FILE):
        await Tokens.open(directory, Settings(data=tmp_path), clock, hasher=QuickHasher())


async def test_log_in(tokens: Tokens, directory: Directory, hasher: QuickHasher) -> None:
    """By e-mail or user name; whoever cannot log in is refused alike, after the same work."""
    right = await tokens.hash_password("correct horse")
    await directory.accounts.create_user(username="ada", email="ada@example.org", password_hash=right)
    await directory.accounts.create_user(username="bot", email="bot@example.org", bot=True)
    gone = await directory.accounts.create_user(username="gone", email="gone@example.org", password_hash=right)
    await directory.accounts.deactivate(gone.user_id)
    await directory.accounts.create_user(username="odd", email="odd@example.org", password_hash="no hash")
    for name in ("ADA@example.org", "Ada"):
        user, session = await tokens.log_in(name, "correct horse", "laptop")
        assert (await tokens.verify(session.access_token)).user_id == user.user_id
    refused = ("ada@example.org", "correct hors"), *((who, "correct horse") for who in ("bot", "gone", "no@one", "odd"))
    for name, password in refused:
        before = hasher.verified
        with pytest.raises(BadCredentials):
            await tokens.log_in(name, password, "laptop")
        assert hasher.verified == before + 1


async def test_a_new_password_signs_out_the_other_devices(tokens: Tokens, directory: Directory) -> None:
    """The old one is asked for; the device that changes it stays."""
    old = await tokens.hash_password("correct horse")
    await directory.accounts.create_user(username="ada", password_hash=old)
    _, laptop = await tokens.log_in("ada", "correct horse", "laptop")
    _, phone = await tokens.log_in("ada", "correct horse", "phone")
    caller = await tokens.verify(laptop.access_token)
    with pytest.raises(BadCredentials):
        await tokens.change_password(caller, "wrong", "battery staple")
    assert await tokens.change_password(caller, "correct horse", "battery staple") == [phone.device_id]
    assert await tokens.verify(laptop.access_token) == caller
    with pytest.raises(Unauthorized):
        await tokens.verify(phone.access_token)
    with pytest.raises(BadCredentials):
        await tokens.log_in("ada", "correct horse", "laptop")
    await tokens.log_in("ada", "battery staple", "laptop")


async def test_hashing_is_bounded(tokens: Tokens) -> None:
    """More log-ins at once than can be worked off soon are refused at once, and the rest goes through."""
    tries = (tokens.hash_password("correct horse") for _ in range(HASHES_WAITING_MAX + 5))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) == 5
    hashed = next(result for result in results if isinstance(result, str))
    assert await tokens.check_password("correct horse", hashed)
