"""`make chaos`: break things under load and write docs/chaos.md. Begin with: make chaos ARGS="--only kill-gateway"."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nottermost_chat.testing.chaos.faults import all_faults
from nottermost_chat.testing.chaos.report import PATH, name_missed, render_row, write_rows
from nottermost_chat.testing.chaos.run import Phase, run_faults
from nottermost_chat.testing.history import Result
from nottermost_conventions import ExitCode


def main(
    only: Annotated[str, typer.Option(help="Names of faults, with commas between; nothing: all.")] = "",
    to: Annotated[Path, typer.Option(help="The page that is written.")] = PATH,
    list_: Annotated[bool, typer.Option("--list", help="Print the names and break nothing.")] = False,
) -> None:
    """Exit 0: nothing was lost, doubled or reordered; 3: something was; 4: something could not be told.

    The last line on stderr names what missed its aim; that changes no exit code.
    """
    faults = all_faults()
    wanted = set(filter(None, only.split(",")))
    if unknown := wanted - {fault.name for fault in faults}:
        raise typer.BadParameter(f"there is no fault {', '.join(sorted(unknown))}: --list shows them")
    chosen = [fault for fault in faults if not wanted or fault.name in wanted]
    if list_:
        for fault in chosen:
            sys.stdout.write(f"{fault.name:<28}{fault.title}\n")
        return
    phases: list[Phase] = []

    def done(phase: Phase) -> None:
        phases.append(phase)
        sys.stdout.write(render_row(phase) + "\n")
        sys.stdout.flush()
        for violation in phase.verdict.worst:
            sys.stderr.write(f"  {violation.kind}: {violation.sentence}\n")
        write_rows(to, [phase], faults)  # at once: a run that is broken off leaves what it found

    run_faults(chosen, lambda text: sys.stderr.write(f"{text}\n"), done)
    sys.stderr.write(f"{name_missed(phases)}\n")
    results = {phase.result for phase in phases}
    if Result.INVALID in results:
        raise typer.Exit(int(ExitCode.SAYS_NO))
    if Result.UNKNOWN in results:
        raise typer.Exit(int(ExitCode.COULD_NOT_TELL))


if __name__ == "__main__":
    typer.run(main)
