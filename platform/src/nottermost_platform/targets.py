"""What a command was asked to work on: an environment and one or all of its stacks."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nottermost_conventions.errors import ExitCode, NottermostError
from nottermost_platform.catalog import MODULES, places
from nottermost_platform.configuration import FIXTURE, STACKS
from nottermost_platform.naming import environment_class
from nottermost_platform.settings import Place

__all__ = ["FIXTURE", "Target", "WrongUsage", "find_targets"]


class WrongUsage(NottermostError):
    """A request that makes no sense as it was typed."""

    code: ClassVar[str] = "wrong_usage"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Target:
    """One stack in one region."""

    stack: str
    place: Place

    @property
    def name(self) -> str:
        return f"{self.stack} in {self.place.region}"

    @property
    def folder(self) -> Path:
        """Where Pulumi finds the program and its configuration."""
        return STACKS / self.stack


def find_targets(env: str, stack: str | None = None) -> list[Target]:
    """The stacks of an environment, or one in each region that has it, in the order in which they are brought up.

    Raises: WrongUsage for a name that is none, and for a stack that the environment does not have.
    """
    try:
        environment_class(env)
    except ValueError as error:
        raise WrongUsage(str(error)) from None
    if stack is not None and stack not in MODULES:
        raise WrongUsage(f"no stack is called {stack!r}: {', '.join(MODULES)}")
    found = [Target(name, place) for name, place in places(env, stack) if stack in (None, name)]
    if not found:
        raise WrongUsage(
            f"{env} has no stack {stack}: a temporary environment lives in the account of dev, which has it"
        )
    return found
