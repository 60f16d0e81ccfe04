"""What the commands of `nottermost env` share: their arguments, and how they print."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from nottermost_conventions import NottermostError

Env = Annotated[str, typer.Argument(help="dev, staging, prod or pr-NUMBER.")]
StackName = Annotated[str | None, typer.Option("--stack", help="This stack alone, in each of its regions.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan that the real run follows, and do nothing.")]


class NotInstalled(NottermostError):
    """The platform's packages are not part of the set that runs the chat."""

    code = "not_installed"


def need_platform() -> None:
    """The chat runs without Pulumi, so its packages may be missing. Raises: NotInstalled."""
    import logging
    from importlib.util import find_spec

    if find_spec("nottermost_platform") is None or find_spec("pulumi_aws") is None:
        raise NotInstalled("`nottermost env` needs the platform's packages, which `make setup` installs")
    # When a program fails, the SDK leaves a traceback for each property that now has no value; the error says why.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A sign of life on a terminal, nothing elsewhere. Without animation: its thread would keep captures from forking."""
    if not sys.stderr.isatty():
        yield
        return
    sys.stderr.write(f"{text} …")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\r\033[K")


def print_json(value: object) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        print(line)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def ask(question: str) -> None:
    """Go on only when a person says so."""
    from nottermost_platform.targets import WrongUsage

    if not sys.stdin.isatty():
        raise WrongUsage("nobody is there to ask: add --yes")
    typer.confirm(question, abort=True, err=True)
