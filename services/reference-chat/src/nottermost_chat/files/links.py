"""Signed links: whoever holds one may upload or fetch one file until it ends, without a token."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlencode

from nottermost_chat.errors import Forbidden


class LinkAction(StrEnum):
    """What a link allows."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


class LinkInvalid(Forbidden):
    """The link was changed, or is for something else."""

    code = "link_invalid"


class LinkExpired(Forbidden):
    """The link was valid once: ask for a new one."""

    code = "link_expired"


def sign(secret: bytes, action: LinkAction, file_id: str, expires_at: int, variant: str = "") -> str:
    """The query string of a link.

    Args:
        expires_at: ms since the epoch.
        variant: of the file: "" the file itself, "thumbnail", or what the caller needs told apart.
    """
    query = {"expires": str(expires_at)} | ({"variant": variant} if variant else {})
    return urlencode(query | {"signature": _signature(secret, action, file_id, str(expires_at), variant)})


def check(secret: bytes, action: LinkAction, file_id: str, query: Mapping[str, str], *, now_ms: int) -> str:
    """Check the query of a link that came back; returns its variant.

    Raises: LinkInvalid, LinkExpired (only for a link that was really ours).
    """
    expires, variant = query.get("expires", ""), query.get("variant", "")
    expected = _signature(secret, action, file_id, expires, variant)
    given = query.get("signature", "").encode("utf-8", "replace")
    if not hmac.compare_digest(expected.encode(), given):
        raise LinkInvalid("the link's signature does not fit: use the link as it was given")
    if now_ms >= int(expires):
        raise LinkExpired("the link has ended: ask for the file again to get a new one")
    return variant


def _signature(secret: bytes, action: LinkAction, file_id: str, expires: str, variant: str) -> str:
    # As JSON: no choice of values makes two different links the same message. The standard library's takes any string.
    message = json.dumps(["nottermost file link 1", action.value, file_id, expires, variant])
    return hmac.new(secret, message.encode("ascii"), hashlib.sha256).hexdigest()
