"""The root of every expected error, and what a command's exit code means."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command tells the shell, so that a pipeline can tell "no" from "broken"."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SAYS_NO = 3  # the check ran and the answer is no: a gate, a drift, a canary, a budget
    COULD_NOT_TELL = 4


class NottermostError(Exception):
    """An expected error: a stable code for programs, a sentence for people.

    The sentence says what was found, what was expected and what to do next. It holds no
    secret and no message text, because it is logged and shown.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
