"""The three kinds of push service, running."""

from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nottermost_chat.notify.keys import PushKeys, encode, parse_push_keys
from nottermost_chat.settings import Secrets
from nottermost_chat.testing.push_services import (
    ApnsService,
    Certificate,
    FcmService,
    WebPushService,
    make_certificate,
    serving,
)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def vapid_secret() -> str:
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return encode(number.to_bytes(32, "big"))


@pytest.fixture
async def web_push(certificate: Certificate, vapid_secret: str) -> AsyncIterator[WebPushService]:
    vapid = parse_push_keys(Secrets(vapid_key=vapid_secret)).vapid
    assert vapid is not None
    service = WebPushService(vapid.public)
    async with serving(service, certificate):
        yield service
    assert not service.mistakes


@pytest.fixture
async def fcm(certificate: Certificate) -> AsyncIterator[FcmService]:
    service = FcmService()
    async with serving(service, certificate):
        yield service
    assert not service.mistakes


@pytest.fixture
async def apns(certificate: Certificate) -> AsyncIterator[ApnsService]:
    service = ApnsService()
    async with serving(service, certificate):
        yield service
    assert not service.mistakes


@pytest.fixture
def secrets(vapid_secret: str, fcm: FcmService, apns: ApnsService) -> Secrets:
    return Secrets(vapid_key=vapid_secret, fcm_account=fcm.account, apns_key=apns.key)


@pytest.fixture
def keys(secrets: Secrets) -> PushKeys:
    return parse_push_keys(secrets)
