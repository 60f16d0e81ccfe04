"""What is known and accepted: one line each, with its reason and the day on which it ends."""

from collections.abc import Iterable
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import msgspec
import yaml

from nottermost_conventions.errors import NottermostError
from nottermost_platform.program import ROOT
from nottermost_platform.rules.engine import RULES

FILE: Final = ROOT / "platform" / "suppressions.yaml"
REASON_MIN: Final = 20  # characters: "accepted" is no reason


class BadSuppression(NottermostError):
    """A line of the file that says too little or names what is not there."""

    code = "bad_suppression"


class Suppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line.

    Attributes:
        rule: its id.
        resource: a glob over `<stack>.<region>/<name>`.
        envs: classes of environments.
        until: the last day on which it holds.
    """

    rule: str
    resource: str
    reason: str
    until: date
    envs: tuple[str, ...] = ("prod", "staging", "dev", "pr")

    def covers(self, rule: str, named: str, env_class: str) -> bool:
        return rule == self.rule and env_class in self.envs and fnmatchcase(named, self.resource)

    def expired(self, today: date) -> bool:
        return today > self.until


def load_suppressions(path: Path = FILE) -> list[Suppression]:
    """The lines of the file. Raises: BadSuppression."""
    try:
        found = msgspec.convert(yaml.safe_load(path.read_text()) or [], list[Suppression])
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadSuppression(f"{path.name} cannot be read: {error}; a line is a mapping as those beside it") from error
    _check(found, path)
    return found


def _check(found: Iterable[Suppression], path: Path) -> None:
    for each in found:
        if each.rule not in RULES:
            raise BadSuppression(f"{path.name} suppresses {each.rule}, which is no rule; see docs/security.md")
        if len(each.reason) < REASON_MIN:
            raise BadSuppression(
                f"{path.name}: {each.rule} at {each.resource} needs a reason that a reviewer can judge"
            )
