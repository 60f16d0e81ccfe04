"""`nottermost env docs`: the pages that are made from rules and reviewed graphs."""

import sys
from typing import Annotated

import typer

from nottermost_cli.env_shared import need_platform
from nottermost_conventions import ExitCode


def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when one is stale.")] = False,
    mutations: Annotated[
        bool, typer.Option("--mutations", help="The page of how much the rules notice, too; takes a minute.")
    ] = False,
) -> None:
    """Write docs/security.md from the rules and the reviewed graph of production.

    Example: nottermost env docs --check
    """
    need_platform()
    from nottermost_platform.rules.pages import render_pages

    stale = {
        path: text
        for path, text in render_pages(mutations=mutations).items()
        if not path.is_file() or path.read_text() != text
    }
    for path, text in stale.items():
        if check:
            print(f"nottermost: {path.name} is stale: run `nottermost env docs`", file=sys.stderr)
        else:
            path.write_text(text)
            print(f"wrote {path.name}", file=sys.stderr)
    if stale and check:
        raise typer.Exit(int(ExitCode.SAYS_NO))
