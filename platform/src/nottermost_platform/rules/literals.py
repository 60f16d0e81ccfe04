"""Secrets are never a text in anybody's inputs: a rule of our own over every resource."""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.view import View, get, parse

SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase|code)|secret|token|credential|login|connection_string|bearer"
    r"|(api|access|private|signing|encryption|auth|client|shared|license)_keys?$"
)
TOLD_NAME: Final = re.compile(r"_keys?$")  # in an environment a key is a key, elsewhere it may be of a table or a tag
NO_SECRET: Final = re.compile(
    r"[.:]|public|_(ids?|arns?|names?|version|type|length|size|algorithm|validity|days|s|max|url|issuer)$"
)
SECRET_TEXT: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{36}|\bxox[abprs]-\w{10}|\bAIza[\w-]{35}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|://[^/\s:@]+:[^/\s:@]{3,}@|\bsk_live_\w{16}|\bglpat-[\w-]{20}"
)
SHORTEST: Final = 10  # characters of what the pattern finds
HARMLESS: Final = frozenset(
    ["", "true", "false", "none", "required", "optional", "enabled", "disabled", "seconds", "minutes", "hours", "days"]
)
POINTERS: Final = ("arn:", "alias/", "resolve:", "{{resolve:")
HOLDS_SECRETS: Final = frozenset(["SECRETS_MANAGER", "PARAMETER_STORE"])  # the value is a reference then


@cache
def is_secret_name(name: str, *, told: bool = True) -> bool:
    """Whether what is so called should be a secret; `told`: it is a variable of an environment."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return bool((SECRET_NAME.search(words) or (told and TOLD_NAME.search(words))) and not NO_SECRET.search(words))


def is_literal(value: Any) -> bool:
    """Whether a value is a text of its own: no reference, no word of an API."""
    return isinstance(value, str) and value.lower() not in HARMLESS and not value.startswith(POINTERS)


@rule(
    "secrets-never-literal", 0, Severity.CRITICAL,
    title="No secret stands in the inputs of any resource: state, previews and logs would show it",
    checkov="41 45 46 384", fix="a secret of Secrets Manager and its ARN, or a value that Pulumi keeps secret",
)  # fmt: skip
def secrets_never_literal(resource: Resource, _view: View) -> Lacks:
    if (
        resource.type == "aws:ssm/parameter:Parameter"
        and get(resource, "type") == "SecureString"
        and is_literal(get(resource, "value"))
    ):
        yield "holds a secret as text at value"
    for name, value, told in _named_texts(resource.inputs):
        if is_secret_name(name, told=told) and is_literal(value):
            yield f"holds a secret as text at {name}"
        elif len(value) >= SHORTEST and SECRET_TEXT.search(_readable(name, value)):
            yield f"holds what looks like a key or a password in {name}"


def _named_texts(value: Any, name: str = "", told: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Each text with the property or the variable that it is the value of, and whether it is a variable."""
    if isinstance(value, Mapping):
        variable = value.get("name") if told and isinstance(value.get("value"), str) else None
        if isinstance(variable, str):
            if value.get("type") not in HOLDS_SECRETS:
                yield variable, value["value"], True
                yield from _within(value["value"])
            return
        for key, each in value.items():
            yield from _named_texts(each, key, told or key == "environment")
    elif isinstance(value, list):
        for each in value:
            yield from _named_texts(each, name, told)
    elif isinstance(value, str):
        yield name, value, told
        yield from _within(value)


def _within(text: str) -> Iterator[tuple[str, str, bool]]:
    if text[:1] in ("{", "["):
        yield from _named_texts(parse(text))


def _readable(name: str, text: str) -> str:
    """A text, in the clear where it is only encoded."""
    if name not in ("userData", "userDataBase64"):
        return text
    try:
        return b64decode(text, validate=True).decode(errors="replace")
    except ValueError:
        return text
