"""Names that stand for others, so that what is counted and noted names nobody."""

import hmac
from typing import Final

from joserfc.jwk import KeySet

from nottermost_chat.verifier import derive_secret

PSEUDONYMS: Final = b"pseudonyms"  # the purpose of the secret
NO_WORKSPACE: Final = "none"  # direct conversations and groups belong to none


class Pseudonyms:
    """HMAC-SHA-256 under a key of the installation, which is in no database: without it nothing can be tried out."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def workspace(self, workspace_id: str | None) -> str:
        """32 hexadecimal digits, the same for ever."""
        return NO_WORKSPACE if workspace_id is None else self._digest("workspace", workspace_id).hex()[:32]

    def user(self, user_id: str) -> bytes:
        """For a sketch; kept nowhere."""
        return self._digest("user", user_id)

    def address(self, address: str) -> str:
        """Of what somebody gave as their e-mail or user name; 32 hexadecimal digits."""
        return self._digest("address", address.strip().lower()).hex()[:32]

    def _digest(self, kind: str, name: str) -> bytes:
        return hmac.digest(self._key, f"{kind}\0{name}".encode(errors="surrogatepass"), "sha256")


def find_pseudonyms(given: str, keys: KeySet) -> Pseudonyms:
    """With the key that the environment gives, else one that changes with the key that signs tokens."""
    return Pseudonyms(given.encode() if given else derive_secret(keys, PSEUDONYMS))
