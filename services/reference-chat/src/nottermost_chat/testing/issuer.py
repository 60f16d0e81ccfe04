"""An identity provider for tests: a real HTTP server with keys of its own, which can be changed and taken away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT: Final = "chat-client"


class Issuer:
    """Signs tokens, and serves the discovery document and the public keys while it is `up`.

    Attributes:
        served: the keys that the provider publishes.
        extra: further keys as JWKs, of kinds that a verifier has to look past.
        looked_up: how often the keys were read.
        document: None: the discovery document as it should be.
    """

    def __init__(self) -> None:
        self.up, self.looked_up = True, 0
        self.rsa = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})
        self.served: list[RSAKey | ECKey] = [self.rsa, self.ec]
        self.extra: list[dict[str, str]] = []
        self.url = ""
        self.document: bytes | None = None

    def rotate(self) -> RSAKey:
        """A new key in place of the RSA key before."""
        self.rsa = RSAKey.generate_key(2048, {"kid": f"rsa-{time.monotonic_ns()}", "use": "sig"})
        self.served = [self.rsa, self.ec]
        return self.rsa

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Good ones; a change to None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "subject-1", "aud": CLIENT, "iat": now, "exp": now + 300,
            "email": "eve@example.org", "email_verified": True, "preferred_username": "eve",
        } | changed  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: RSAKey | ECKey | None = None, **changed: Any) -> str:
        """Signed with the RSA key, or this one."""
        key = key or self.rsa
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, self.claims(**changed), key, algorithms=[algorithm])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = self._answer(head.split()[1].decode()) if self.up else b""
            status = "200 OK" if self.up else "503 Away"
            writer.write(
                f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> bytes:
        if path == "/jwks":
            self.looked_up += 1
            keys = [key.as_dict(private=False) for key in self.served]
            return msgspec.json.encode({"keys": [*self.extra, *keys]})
        if self.document is not None:
            return self.document
        return msgspec.json.encode({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """On a free port of this machine."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        server.close()
