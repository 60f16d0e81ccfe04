"""`nottermost`: the entry point, and where expected errors become one line and an exit code."""

import sys

import typer

from nottermost_cli import chat, cost, env, stack
from nottermost_conventions import ExitCode, NottermostError

app = typer.Typer(
    name="nottermost",
    help="Run a team chat on a laptop or on AWS. Begin with: nottermost chat run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(chat.app, name="chat")
app.add_typer(stack.app, name="stack")
app.add_typer(env.app, name="env")
app.add_typer(cost.app, name="cost")


def main() -> None:
    """Run a command; an expected error is one line on stderr, a bug keeps its traceback."""
    try:
        app()
    except NottermostError as error:
        print(f"nottermost: {error}", file=sys.stderr)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.FAILED))
