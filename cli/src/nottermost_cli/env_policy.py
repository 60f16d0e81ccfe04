"""`nottermost env policy`: the rules held against an environment."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from nottermost_cli.env_shared import Env, StackName, need_platform, print_json, print_lines, progress
from nottermost_conventions import ExitCode


class Format(StrEnum):
    """How a verdict is printed."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


def policy(
    env: Env,
    stack: StackName = None,
    format_: Annotated[
        Format, typer.Option("--format", help="SARIF is what code hosts and scanners read.")
    ] = Format.TABLE,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Hold every rule against an environment: exit 3 on a violation; needs no cloud, no CLI and no network.

    What is accepted stands in platform/suppressions.yaml, with its reason and last day; an expired line fails.
    All rules: docs/security.md.

    Example: nottermost env policy prod --format sarif > policy.sarif
    """
    need_platform()
    from nottermost_platform.graph import load_environment
    from nottermost_platform.rules import View, judge
    from nottermost_platform.rules.report import make_sarif, render_verdict
    from nottermost_platform.rules.suppressions import load_suppressions
    from nottermost_platform.targets import find_targets

    find_targets(env, stack)
    suppressions = load_suppressions()
    with progress(f"capturing {env}"):
        graph = load_environment(env)
    verdict = judge(View(graph), suppressions, datetime.now(UTC).date(), stack=stack)
    match Format.JSON if json else format_:
        case Format.TABLE:
            print_lines(render_verdict(verdict))
        case Format.JSON:
            print_json(verdict)
        case Format.SARIF:
            print_json(make_sarif(verdict))
    if not verdict.passes:
        raise typer.Exit(int(ExitCode.SAYS_NO))
