"""The keys of push services: what is missing is off. Parsed here, so that the API need not load what sends."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from nottermost_chat.directory import PushKind
from nottermost_chat.errors import BadRequest, StartError
from nottermost_chat.settings import Secrets

PRIVATE_BYTES: Final = 32
POINT_BYTES: Final = 65  # uncompressed
AUTH_BYTES: Final = 16


class VapidKey:
    """Signs Web Push messages; browsers subscribe with `public`, base64url."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        numbers = key.private_numbers().private_value.to_bytes(PRIVATE_BYTES, "big")
        self.public = encode(point)
        x, y = point[1 : 1 + PRIVATE_BYTES], point[1 + PRIVATE_BYTES :]
        self.signer = ECKey.import_key(
            {"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "d": encode(numbers)}
        )

    def __repr__(self) -> str:
        return f"VapidKey({self.public})"


class FcmAccount(msgspec.Struct, frozen=True):
    """A service account of Firebase, as its JSON file says it; `private_key`: PEM."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

    def __repr__(self) -> str:
        return f"FcmAccount({self.client_email})"


class ApnsKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signing key of an Apple developer team; `topic`: the app's bundle id, `key`: PEM."""

    key_id: str
    team_id: str
    topic: str
    key: str

    def __repr__(self) -> str:
        return f"ApnsKey({self.key_id})"


class PushKeys(msgspec.Struct, frozen=True):
    """What there is a key for."""

    vapid: VapidKey | None = None
    fcm: FcmAccount | None = None
    apns: ApnsKey | None = None

    @property
    def kinds(self) -> tuple[PushKind, ...]:
        """The kinds that are on."""
        held = {PushKind.WEBPUSH: self.vapid, PushKind.FCM: self.fcm, PushKind.APNS: self.apns}
        return tuple(kind for kind, key in held.items() if key is not None)


NO_PUSH_KEYS: Final = PushKeys()


def parse_push_keys(secrets: Secrets) -> PushKeys:
    """Raises StartError for a key that is none."""
    return PushKeys(
        vapid=_parse_vapid(secrets.vapid_key) if secrets.vapid_key else None,
        fcm=_parse_fcm(secrets.fcm_account) if secrets.fcm_account else None,
        apns=_parse_apns(secrets.apns_key) if secrets.apns_key else None,
    )


def check_browser_keys(public_key: str, auth_secret: str) -> None:
    """What a browser gives to encrypt for it with. Raises BadRequest."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(public_key, POINT_BYTES))
        decode(auth_secret, AUTH_BYTES)
    except ValueError as error:
        raise BadRequest("public_key has to be a P-256 point and auth_secret 16 bytes, both in base64url") from error


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str, size: int) -> bytes:
    """Base64url of so many bytes, padded or not. Raises ValueError."""
    bare = text.rstrip("=")
    raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes, expected {size}")
    return raw


def _parse_vapid(secret: str) -> VapidKey:
    try:
        number = int.from_bytes(decode(secret.strip(), PRIVATE_BYTES), "big")
        return VapidKey(ec.derive_private_key(number, ec.SECP256R1()))
    except ValueError as error:
        raise StartError("NOTTERMOST_VAPID_KEY has to be a P-256 private key, 32 bytes in base64url") from error


def _parse_fcm(secret: str) -> FcmAccount:
    try:
        account = msgspec.json.decode(secret, type=FcmAccount)
        RSAKey.import_key(account.private_key)
    except (msgspec.DecodeError, JoseError, ValueError) as error:
        raise StartError("NOTTERMOST_FCM_ACCOUNT has to be the JSON file of a service account") from error
    return account


def _parse_apns(secret: str) -> ApnsKey:
    try:
        key = msgspec.json.decode(secret, type=ApnsKey)
        ECKey.import_key(key.key)
    except (msgspec.DecodeError, JoseError, ValueError) as error:
        shape = '{"key_id": "…", "team_id": "…", "topic": "…", "key": "PEM of a P-256 key"}'
        raise StartError(f"NOTTERMOST_APNS_KEY has to be {shape}") from error
    return key
