"""The secrets of one cluster: made once, kept in its folder, readable by its owner alone."""

import base64
import secrets
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from nottermost_chat.private_file import write_private_file
from nottermost_chat.verifier import make_keys

KEYS_FILE: Final = "secrets.json"


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Secrets by the names of `settings.Secrets`."""

    database_password: str
    signing_keys: str
    webhook_key: str
    vapid_key: str

    @classmethod
    def make(cls) -> "Keys":
        private = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        return cls(
            database_password=secrets.token_urlsafe(24),
            signing_keys=make_keys().decode(),
            webhook_key=_base64(secrets.token_bytes(32)),
            vapid_key=_base64(private.to_bytes(32, "big")),
        )

    @classmethod
    def open(cls, folder: Path) -> "Keys":
        """Those of the folder; new ones when it has none."""
        path = folder / KEYS_FILE
        if not path.exists():
            write_private_file(path, msgspec.json.encode(cls.make()))
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def environment(self) -> dict[str, str]:
        """By the names of environment variables, without their prefix."""
        return {name.upper(): str(value) for name, value in msgspec.structs.asdict(self).items()}

    def __repr__(self) -> str:
        return "Keys(…)"


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
