"""What drift is told in: what was found in the account, what could not be read, what is not as declared."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from nottermost_conventions.errors import ExitCode
from nottermost_platform.differences import PropertyChange

Kind = Literal["missing", "changed", "stranger", "unread"]
GLOBAL: Final = "global"  # in place of a region, of what has none
EVERY: Final = ""  # in place of a name: all of the type


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something in the account, in the words of the graph.

    Attributes:
        type: as the graph has it, `aws:sqs/queue:Queue`.
        properties: by the names of the graph's inputs, as far as they were read; None: AWS says that it is not set.
        outputs: what AWS handed out, by the names of the SDK's outputs.
        tags: None where the type has none, or they were not asked for.
        belongs_to: the type and the id (the key's first value where it has no id) of what it is a part of.
    """

    type: str
    region: str
    properties: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] | None = None
    belongs_to: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, and why. `name`: of one resource; "" means all of the type in the region."""

    type: str
    region: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """Something of whatever type that bears the environment's tags."""

    arn: str
    region: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that was read of an account."""

    found: list[Found]
    unread: list[Unread]
    tagged: list[Tagged] = field(default_factory=list)


class Deviation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is not as the programs declare it, or of which nobody can tell.

    Attributes:
        physical: its name or id in AWS.
        properties: what changed: `before` as declared, `after` as found.
        note: what to know about it.
    """

    kind: Kind
    stack: str
    region: str
    type: str
    name: str
    physical: str = ""
    urn: str = ""
    properties: list[PropertyChange] = []
    note: str = ""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How an account differs from an environment's graph.

    Attributes:
        compared: resources that were found and looked at. not_compared: how many there are, by type, of those not read.
    """

    env: str
    account: str
    stack: str | None
    compared: int
    not_compared: dict[str, int]
    deviations: list[Deviation]

    @property
    def exit_code(self) -> ExitCode:
        """A difference is a no, whatever else could not be read; without one, an unread resource leaves it open."""
        kinds = {each.kind for each in self.deviations}
        if kinds - {"unread"}:
            return ExitCode.SAYS_NO
        if kinds or not self.compared:
            return ExitCode.COULD_NOT_TELL
        return ExitCode.DONE
