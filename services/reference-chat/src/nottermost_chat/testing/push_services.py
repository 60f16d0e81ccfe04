"""Push services as their vendors document them, over HTTP/2 and TLS: each looks at everything that the real one would.

A push that breaks a rule is answered with a refusal and remembered in `mistakes`.
"""

import asyncio
import fcntl
import ssl
import time
from base64 import urlsafe_b64decode
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import h2.events
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from ulid import ULID

from nottermost_chat.notify.keys import encode

DAY_S: Final = 24 * 3600
PUSH_BYTES_MAX: Final = 4096
URGENCIES: Final = {"very-low", "low", "normal", "high"}
CERTIFICATE_FILE: Final = "push-services.pem"


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Mistake(Exception):
    """Something that the real service would refuse."""


def expect(holds: object, what: str) -> None:
    """Raises Mistake."""
    if not holds:
        raise Mistake(what)


class Service:
    """The base of the three: counts, remembers, and answers as told.

    Attributes:
        answers: what to answer next instead of taking the push, in this order.
        taken: what was taken, decoded.
        raw: every request as it came, for what must not be in any.
    """

    refusal = Answer(400)

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.taken: list[Any] = []
        self.raw: list[Request] = []
        self.mistakes: list[str] = []
        self.url = ""

    def answer(self, request: Request) -> Answer:
        self.raw.append(request)
        try:
            return self.look_at(request)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a push is a mistake
            self.mistakes.append(repr(error))
            return self.refusal

    def look_at(self, request: Request) -> Answer:
        raise NotImplementedError

    def next_answer(self, usual: Answer) -> Answer:
        return self.answers.popleft() if self.answers else usual


# --- Web Push -------------------------------------------------------------------------------------


class Browser:
    """What a browser makes when it subscribes."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"sixteen bytes :-"
        self.path = f"/push/{ULID()}"

    @property
    def public_key(self) -> str:
        return encode(_point(self.key))

    @property
    def auth_secret(self) -> str:
        return encode(self.auth)

    def decrypt(self, body: bytes) -> bytes:
        """RFC 8188 and 8291, from the text of both."""
        salt, size, key_length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender_point, record = body[21 : 21 + key_length], body[21 + key_length :]
        expect(len(record) <= size, "more than one record")
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender_point)
        )
        secret = _derive(self.auth, shared, b"WebPush: info\0" + _point(self.key) + sender_point, 32)
        content_key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(content_key).decrypt(nonce, record, None)
        content, delimiter, _ = padded.rstrip(b"\0").rpartition(b"\2")
        expect(delimiter, "no delimiter of the last record")
        return content


class WebPushService(Service):
    """A browser vendor's push service (RFC 8030, 8292)."""

    def __init__(self, application_key: str) -> None:
        super().__init__()
        self._application_key = application_key
        self.browsers: dict[str, Browser] = {}

    def subscribe(self) -> Browser:
        browser = Browser()
        self.browsers[browser.path] = browser
        return browser

    def look_at(self, request: Request) -> Answer:
        expect(request.method == "POST", "not a POST")
        expect(0 < int(request.headers["ttl"]) <= 28 * DAY_S, "TTL")
        topic = request.headers["topic"]
        expect(len(topic) <= 32 and all(each.isalnum() or each in "-_" for each in topic), f"topic {topic}")
        expect(request.headers["urgency"] in URGENCIES, "urgency")
        expect(request.headers["content-encoding"] == "aes128gcm", "content encoding")
        expect(len(request.body) <= PUSH_BYTES_MAX, "too large")
        self._verify(request.headers["authorization"])
        browser = self.browsers.get(request.path)
        if browser is None:
            return Answer(410)
        told = msgspec.json.decode(browser.decrypt(request.body))
        answer = self.next_answer(Answer(201))
        if answer.status == 201:
            self.taken.append(told | {"topic": topic, "urgency": request.headers["urgency"], "path": request.path})
        return answer

    def _verify(self, authorization: str) -> None:
        scheme, _, rest = authorization.partition(" ")
        expect(scheme == "vapid", f"scheme {scheme}")
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        expect(given["k"] == self._application_key, "subscribed with another key")
        point = urlsafe_b64decode(given["k"] + "=" * (-len(given["k"]) % 4))
        key: dict[str, str | list[str]] = {
            "kty": "EC",
            "crv": "P-256",
            "x": encode(point[1:33]),
            "y": encode(point[33:]),
        }
        claims = jwt.decode(given["t"], ECKey.import_key(key), algorithms=["ES256"]).claims
        expect(claims["aud"] == self.url, f"aud {claims['aud']}")
        expect(time.time() < claims["exp"] <= time.time() + DAY_S, "exp")
        expect(claims["sub"].startswith(("mailto:", "https:")), "sub")


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


# --- FCM ------------------------------------------------------------------------------------------


class FcmService(Service):
    """Google's token endpoint and FCM's HTTP v1 interface."""

    project = "chat-project"
    email = "push@chat-project.iam.gserviceaccount.com"
    expires_in = 3600

    def __init__(self) -> None:
        super().__init__()
        self._key = _rsa_key()
        self.tokens_given = 0
        self.refuse_account = False

    @property
    def account(self) -> str:
        """The service account's JSON file."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        fields = {
            "type": "service_account", "project_id": self.project, "client_email": self.email,
            "private_key": pem, "private_key_id": "key-1", "token_uri": f"{self.url}/token",
        }  # fmt: skip
        return msgspec.json.encode(fields).decode()

    def look_at(self, request: Request) -> Answer:
        if request.path == "/token":
            return self._give_token(request)
        expect(request.path == f"/v1/projects/{self.project}/messages:send", f"path {request.path}")
        if request.headers["authorization"] != f"Bearer token-{self.tokens_given}":
            return self.error(401, "UNAUTHENTICATED")
        expect(request.headers["content-type"] == "application/json", "content type")
        message = msgspec.json.decode(request.body)["message"]
        expect(message["token"], "no token")
        expect(all(isinstance(value, str) for value in message["data"].values()), "data has to be strings")
        expect(message["android"]["priority"] in ("NORMAL", "HIGH"), "priority")
        expect(message["android"]["ttl"].endswith("s"), "ttl")
        answer = self.next_answer(Answer(200, b'{"name": "projects/chat-project/messages/1"}'))
        if answer.status == 200:
            self.taken.append(message)
        return answer

    def _give_token(self, request: Request) -> Answer:
        if self.refuse_account:
            return Answer(400, b'{"error": "invalid_grant"}')
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        expect(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", "grant type")
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        token = jwt.decode(form["assertion"], RSAKey.import_key(public), algorithms=["RS256"])
        claims = token.claims
        expect(claims["iss"] == self.email and claims["aud"] == f"{self.url}/token", "issuer or audience")
        expect(claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging", "scope")
        expect(0 < claims["exp"] - claims["iat"] <= 3600 and claims["exp"] > time.time(), "times")
        expect(token.header["kid"] == "key-1", "kid")
        self.tokens_given += 1
        body = {"access_token": f"token-{self.tokens_given}", "expires_in": self.expires_in, "token_type": "Bearer"}
        return Answer(200, msgspec.json.encode(body))

    @staticmethod
    def error(status: int, code: str, **headers: str) -> Answer:
        """As Google words it."""
        detail = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
        error = {"code": status, "status": "NOT_FOUND" if status == 404 else code, "details": [detail]}
        return Answer(status, msgspec.json.encode({"error": error}), headers)


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """One for all tests of a process: making one takes a quarter of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


# --- APNs -----------------------------------------------------------------------------------------


class ApnsService(Service):
    """Apple's provider interface."""

    topic = "org.example.chat"
    team = "TEAM123456"
    key_id = "KEY1234567"

    def __init__(self) -> None:
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.provider_tokens: set[str] = set()

    @property
    def key(self) -> str:
        """What the secret holds."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return msgspec.json.encode(
            {"key_id": self.key_id, "team_id": self.team, "topic": self.topic, "key": pem}
        ).decode()

    def look_at(self, request: Request) -> Answer:
        expect(request.method == "POST" and request.path.startswith("/3/device/"), f"path {request.path}")
        headers = request.headers
        self._verify(headers["authorization"])
        expect(headers["apns-topic"] == self.topic, "topic")
        expect(headers["apns-push-type"] == "alert" and headers["apns-priority"] in ("5", "10"), "type, priority")
        expect(int(headers["apns-expiration"]) > time.time(), "expiration")
        expect(len(headers["apns-collapse-id"].encode()) <= 64, "collapse id")
        expect(len(request.body) <= PUSH_BYTES_MAX, "too large")
        payload = msgspec.json.decode(request.body)
        expect(isinstance(payload["aps"]["badge"], int), "badge")
        answer = self.next_answer(Answer(200))
        if answer.status == 200:
            token = request.path.removeprefix("/3/device/")
            self.taken.append(payload | {"token": token, "collapse_id": headers["apns-collapse-id"]})
        return answer

    def _verify(self, authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        expect(scheme == "bearer", f"scheme {scheme}")
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        token = jwt.decode(given, ECKey.import_key(public), algorithms=["ES256"])
        expect(token.header["kid"] == self.key_id and token.claims["iss"] == self.team, "key or team")
        expect(abs(time.time() - token.claims["iat"]) < 3600, "older than an hour")
        self.provider_tokens.add(given)

    @staticmethod
    def error(status: int, reason: str, **headers: str) -> Answer:
        """As Apple words it."""
        return Answer(status, msgspec.json.encode({"reason": reason}), headers)


# --- the server -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """For 127.0.0.1, and the context that trusts it."""

    path: Path
    trusted: ssl.SSLContext


def make_certificate(folder: Path) -> Certificate:
    """A key and a certificate that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "push services")]), datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(names, critical=False)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        key, hashes.SHA256()
    )
    path = folder / CERTIFICATE_FILE
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return _read_certificate(path)


def find_certificate(folder: Path) -> Certificate:
    """The folder's, made by the first of several processes that asks."""
    with (folder / f".{CERTIFICATE_FILE}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / CERTIFICATE_FILE
        return _read_certificate(path) if path.exists() else make_certificate(folder)


def _read_certificate(path: Path) -> Certificate:
    return Certificate(path, ssl.create_default_context(cafile=str(path)))


@asynccontextmanager
async def serving(service: Service, certificate: Certificate) -> AsyncIterator[str]:
    """The service on a free port; gives its address, which it also knows itself."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.path)
    context.set_alpn_protocols(["h2"])
    open_now: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await _talk(reader, writer, service.answer)
        except OSError:
            pass  # the client has gone
        finally:
            open_now.discard(task)
            writer.transport.abort()  # closing would wait for the word of a client that keeps the connection

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    service.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service.url
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        await server.wait_closed()


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Callable[[Request], Answer]
) -> None:
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    waiting: dict[int, tuple[dict[str, str], bytearray]] = {}
    writer.write(connection.data_to_send())
    while data := await reader.read(65_536):
        for event in connection.receive_data(data):
            match event:
                case h2.events.RequestReceived():
                    waiting[event.stream_id] = ({str(name): str(value) for name, value in event.headers}, bytearray())
                case h2.events.DataReceived():
                    waiting[event.stream_id][1].extend(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    headers, body = waiting.pop(event.stream_id)
                    request = Request(headers.pop(":method"), headers.pop(":path"), headers, bytes(body))
                    _reply(connection, event.stream_id, answer(request))
        writer.write(connection.data_to_send())
        await writer.drain()


def _reply(connection: H2Connection, stream_id: int, answer: Answer) -> None:
    headers = [(":status", str(answer.status)), *answer.headers.items()]
    connection.send_headers(stream_id, headers, end_stream=not answer.body)
    if answer.body:
        connection.send_data(stream_id, answer.body, end_stream=True)
