"""The documentation's own code verifies what we sign."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nottermost_chat.directory import HookEvent
from nottermost_chat.scopes import Scope
from nottermost_chat.webhooks import sign

PAGE = Path(__file__).parents[4] / "docs" / "webhooks.md"


def documented() -> Callable[[str, Mapping[str, str], bytes], bool]:
    """The function in the page's only block of Python."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    function: Callable[[str, Mapping[str, str], bytes], bool] = names["is_from_nottermost"]
    return function


def headers(secret: str, body: bytes, at: int) -> dict[str, str]:
    return {"x-nottermost-timestamp": str(at), "x-nottermost-signature": sign(secret, at, body)}


def test_the_documented_check_takes_what_we_sign_and_nothing_else() -> None:
    """Not another body, secret or time, and nothing old."""
    check, now, body = documented(), int(time.time()), b'{"event":"test"}'
    good = headers("secret", body, now)
    assert check("secret", good, body)
    assert not check("other", good, body)
    assert not check("secret", good, body + b" ")
    assert not check("secret", good | {"x-nottermost-timestamp": str(now - 1)}, body)
    assert not check("secret", headers("secret", body, now - 3600), body)


def test_every_event_and_scope_is_documented() -> None:
    """Whoever adds one says what it is for."""
    text = PAGE.read_text()
    assert [word for word in (*HookEvent, *Scope) if f"`{word}`" not in text] == []
