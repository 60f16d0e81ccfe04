"""What Identity promises. The same tests run over own accounts, a gateway that has only their keys, and OpenID Connect."""

import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from nottermost_chat.actions import external
from nottermost_chat.api.shapes import OidcRequest
from nottermost_chat.bootstrap import open_services
from nottermost_chat.clock import Clock
from nottermost_chat.errors import TokenExpired, Unauthorized
from nottermost_chat.ports import Caller, Identity
from nottermost_chat.services import Embedded
from nottermost_chat.settings import Settings
from nottermost_chat.testing.issuer import CLIENT, Issuer, issuing
from nottermost_chat.verifier import KEYS_FILE, Verifier, load_keys

Key = OctKey | RSAKey


class SetClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.ms = time.time_ns() // 1_000_000_000 * 1000

    def now_ms(self) -> int:
        return self.ms


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An identity, and what its tokens are made with.

    Attributes:
        claims: of a valid token of ann's.
        required: claims without which it is none.
        others: valid ones of somebody else's, for somebody else, or of another kind.
        wrong_algorithm: works with the same key.
        valid_s: how long a new token is taken.
        shut_out: ends what a caller may do, as their administrator or they themselves would.
    """

    identity: Identity
    key: Key
    new_key: Callable[[], Key]
    algorithm: str
    wrong_algorithm: str
    claims: Mapping[str, Any]
    required: tuple[str, ...]
    others: tuple[str, ...]
    valid_s: int
    user_id: str
    shut_out: Callable[[Caller], Awaitable[object]]

    def token(self, key: Key | None = None, algorithm: str = "", **changed: Any) -> str:
        """Valid but for what is changed; None leaves a claim out."""
        claims = {name: value for name, value in {**self.claims, **changed}.items() if value is not None}
        algorithm = algorithm or self.algorithm
        header = {"alg": algorithm, "kid": self.key.kid}
        return jwt.encode(header, claims, key or self.key, algorithms=[algorithm])

    async def refusal(self, token: str) -> str:
        """The code with which it is refused."""
        with pytest.raises(Unauthorized) as refused:
            await self.identity.verify(token)
        return refused.value.code


@asynccontextmanager
async def open_accounts(services: Embedded, issuer: Issuer, user_id: str) -> AsyncIterator[Bench]:
    """Tokens of own accounts, where they are issued."""
    tokens = services.tokens
    yield await own_bench(services, issuer, user_id, tokens, lambda caller: tokens.sign_out(user_id, caller.device_id))


@asynccontextmanager
async def open_gateway(services: Embedded, issuer: Issuer, user_id: str) -> AsyncIterator[Bench]:
    """The same tokens where only the keys are; who was signed out is heard of."""
    settings, accounts = services.settings, services.directory.accounts
    verifier = Verifier(load_keys(settings.data / KEYS_FILE), services.clock, token_s=settings.access_token_s)

    async def shut_out(caller: Caller) -> None:
        await services.tokens.sign_out(user_id, caller.device_id)
        await verifier.learn_revoked(accounts.revoked_since)

    yield await own_bench(services, issuer, user_id, verifier, shut_out)


async def own_bench(
    services: Embedded,
    issuer: Issuer,
    user_id: str,
    identity: Identity,
    shut_out: Callable[[Caller], Awaitable[object]],
) -> Bench:
    """Of whatever verifies our own tokens."""
    [ours] = msgspec.json.decode((services.settings.data / KEYS_FILE).read_bytes())["keys"]
    key = OctKey.import_key({name: ours[name] for name in ("kty", "kid", "k")})  # with which it signs whatever is asked
    strange = OctKey.generate_key(256, {"kid": "of-another-chat"})
    session = await services.tokens.session(user_id, "laptop")
    claims = jwt.decode(session.access_token, key).claims
    return Bench(
        identity=identity, key=key, new_key=lambda: OctKey.generate_key(256, {"kid": ours["kid"]}),
        algorithm="HS256", wrong_algorithm="HS512", claims=claims, required=("sub", "did", "iat", "exp"),
        others=(
            jwt.encode({"alg": "HS256", "kid": strange.kid}, claims, strange),
            jwt.encode({"alg": "HS256", "kid": strange.kid}, claims, key),
            issuer.token(), session.refresh_token,
        ),
        valid_s=15 * 60, user_id=user_id, shut_out=shut_out,
    )  # fmt: skip


class LogsIn:
    """Speaks for whom the provider's token lets in: with a device of its own, as at the door."""

    def __init__(self, services: Embedded) -> None:
        self._services = services

    async def verify(self, token: str) -> Caller:
        session = await external.log_in(self._services, OidcRequest(id_token=token, device_name="laptop"))
        return await self._services.tokens.verify(session.access_token)


@asynccontextmanager
async def open_oidc(services: Embedded, issuer: Issuer, user_id: str) -> AsyncIterator[Bench]:
    """Tokens of a provider to which ann's account is linked."""
    now_s = services.clock.now_ms() // 1000
    claims = issuer.claims(iat=now_s, exp=now_s + 300)
    await services.directory.identities.link(issuer.url, claims["sub"], user_id)
    yield Bench(
        identity=LogsIn(services), key=issuer.rsa,
        new_key=lambda: RSAKey.generate_key(2048, {"kid": str(issuer.rsa.kid)}),
        algorithm="RS256", wrong_algorithm="RS512", claims=claims, required=("iss", "sub", "aud", "exp"),
        others=(
            issuer.token(**claims | {"iss": "https://other.example"}), issuer.token(**claims | {"aud": "other"}),
            services.tokens.issue(user_id, "laptop"),
        ),
        valid_s=300 + 60, user_id=user_id, shut_out=lambda caller: services.tokens.deactivate(caller.user_id),
    )  # fmt: skip


ADAPTERS: dict[str, Callable[[Embedded, Issuer, str], AbstractAsyncContextManager[Bench]]] = {
    "accounts": open_accounts,
    "gateway": open_gateway,
    "oidc": open_oidc,
}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
async def services(tmp_path: Path, clock: SetClock, issuer: Issuer) -> AsyncIterator[Embedded]:
    settings = Settings(data=tmp_path / "data", oidc_issuer=issuer.url, oidc_client=CLIENT)
    async with open_services(settings, clock) as services:
        yield services


@pytest.fixture(params=ADAPTERS)
async def bench(request: pytest.FixtureRequest, services: Embedded, issuer: Issuer) -> AsyncIterator[Bench]:
    ann = await services.directory.accounts.create_user(username="ann", email="ann@example.org")
    async with ADAPTERS[request.param](services, issuer, ann.user_id) as bench:
        yield bench


async def test_a_valid_token_gives_user_and_device(bench: Bench, services: Embedded) -> None:
    """A person's, so that it may be used for everything; the device is one of theirs."""
    caller = await bench.identity.verify(bench.token())
    devices = await services.directory.accounts.devices(bench.user_id)
    assert caller.user_id == bench.user_id
    assert caller.device_id in {device.device_id for device in devices}
    assert caller.expires_at > services.clock.now_ms()
    assert caller.scopes is None


async def test_it_ends_to_the_second_and_says_so(bench: Bench, clock: SetClock) -> None:
    """Then its code is one of its own: who gets it asks for a new token instead of a password."""
    token = bench.token()
    clock.ms += bench.valid_s * 1000 - 1000
    assert (await bench.identity.verify(token)).user_id == bench.user_id
    clock.ms += 1000
    assert await bench.refusal(token) == TokenExpired.code


async def test_who_was_shut_out_is_refused(bench: Bench) -> None:
    """At once, though the token would be valid for longer; and however often it is tried."""
    token = bench.token()
    await bench.shut_out(await bench.identity.verify(token))
    assert [await bench.refusal(token) for _ in range(2)] == [Unauthorized.code] * 2


async def test_forged_tokens_are_refused(bench: Bench) -> None:
    """Another key of the same name, another algorithm, none, and other claims under a valid signature."""
    header, claims, signature = bench.token().split(".")
    unsigned = encode_part({"alg": "none", "kid": bench.key.kid})
    forged = [
        bench.token(bench.new_key()),
        bench.token(algorithm=bench.wrong_algorithm),
        f"{unsigned}.{claims}.",
        f"{unsigned}.{claims}.{signature}",
        f"{header}.{encode_part({**bench.claims, 'sub': 'somebody-else'})}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[:-3]}",
        f"{header}.{claims}.AAAA{signature[4:]}",
    ]
    assert [await bench.refusal(token) for token in forged] == [Unauthorized.code] * len(forged)
    assert (await bench.identity.verify(f"{header}.{claims}.{signature}")).user_id == bench.user_id


async def test_tokens_of_others_and_for_others_are_refused(bench: Bench) -> None:
    """Another issuer's, another audience's, another kind's."""
    assert [await bench.refusal(token) for token in bench.others] == [Unauthorized.code] * len(bench.others)


async def test_claims_have_to_be_there_and_of_their_type(bench: Bench) -> None:
    """Also when whoever may sign has signed them."""
    values: tuple[Any, ...] = (None, {"a": 1}, [1])
    broken = [bench.token(**{name: value}) for name in bench.required for value in values]
    broken.append(bench.token(exp="never"))
    assert [await bench.refusal(token) for token in broken] == [Unauthorized.code] * len(broken)


@pytest.mark.parametrize("token", ["", " ", ".", "..", "a.b.c", "\u20ac", "\ud800", "\x00", "a" * 100_000])
async def test_what_is_no_token_is_refused(bench: Bench, token: str) -> None:
    """With the same code, empty or long."""
    assert await bench.refusal(token) == Unauthorized.code


@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.one_of(st.text(max_size=40), st.from_regex(r"\A[\w-]{0,30}(\.[\w-]{0,30}){1,4}\Z")))
async def test_no_text_fails_in_another_way(bench: Bench, token: str) -> None:
    """Whatever somebody sends."""
    assert await bench.refusal(token) == Unauthorized.code


def encode_part(content: Mapping[str, Any]) -> str:
    """A part of a token. By hand: the library refuses to forge."""
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()
