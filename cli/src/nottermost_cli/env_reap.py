"""`nottermost env reap`: ends temporary environments whose day has passed."""

import os
import sys
from datetime import UTC, datetime

import typer

from nottermost_cli.env_shared import DryRun, Json, need_platform, print_json, print_lines, say
from nottermost_conventions import ExitCode


def reap(dry_run: DryRun = False, json: Json = False) -> None:
    """End every pr-NUMBER whose day has passed, as `env down` does; others, and pr-0, are never touched.

    They are known by their settings here and by their tags in the account; the later of two days counts. What fails
    does not keep the rest from being ended, and makes it exit 1 with the names; run it again as often as you like.

    Example: nottermost env reap --dry-run
    """
    need_platform()
    from nottermost_platform import reap as reaper

    found = reaper.reap(today=datetime.now(UTC).date(), environ=os.environ, dry_run=dry_run, say=say)
    if json:
        print_json(found)
    else:
        print_lines(reaper.render(found))
    for line in reaper.render_failures(found):
        print(f"nottermost: {line}", file=sys.stderr)
    if found.exit_code is not ExitCode.DONE:
        raise typer.Exit(int(found.exit_code))
