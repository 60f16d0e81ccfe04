"""Secrets at rest that the server has to tell or to sign with: encrypted, as a hash would not do."""

import base64
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nottermost_chat.errors import StartError
from nottermost_chat.private_file import write_private_file

KEY_FILE: Final = "webhook-key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # AES-GCM's; random ones do for 2^32 secrets


class Unreadable(Exception):
    """It was encrypted with another key, or for another webhook."""


class SecretBox:
    """AES-256-GCM. What is sealed for one name cannot be opened for another."""

    def __init__(self, key: bytes) -> None:
        """Raises ValueError when it is not 32 bytes."""
        self._cipher = AESGCM(key)

    @classmethod
    def find(cls, given: str, folder: Path) -> "SecretBox":
        """With the key that the environment gives, else that of the data folder, made if there is none. Raises StartError."""
        if given:
            return cls(_parse(given))
        path = folder / KEY_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                write_private_file(path, base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)))
            return cls(_parse(path.read_text("ascii")))
        except OSError as error:
            raise StartError(f"{path} cannot be used ({error.strerror}): its key encrypts secrets") from error

    def seal(self, secret: str, name: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), name.encode())

    def open(self, sealed: bytes, name: str) -> str:
        """Raises Unreadable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unreadable("the secret was encrypted with another key: give the webhook a new one") from error


def _parse(text: str) -> bytes:
    """Raises StartError, without the key in its sentence."""
    bare = text.strip()
    try:
        key = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise StartError("webhook_key has to be 32 bytes in base64url")
    return key
