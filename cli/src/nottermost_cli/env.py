"""`nottermost env …`: what an environment on AWS consists of, what would change, and bringing it up and down."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nottermost_cli.env_bootstrap import bootstrap, inventory
from nottermost_cli.env_diagram import diagram
from nottermost_cli.env_docs import docs
from nottermost_cli.env_drift import drift
from nottermost_cli.env_policy import policy
from nottermost_cli.env_reap import reap
from nottermost_cli.env_shared import (
    DryRun,
    Env,
    Json,
    StackName,
    ask,
    need_platform,
    print_json,
    print_lines,
    progress,
    say,
)
from nottermost_conventions import ExitCode

if TYPE_CHECKING:
    from nottermost_platform.preview import Preview

app = typer.Typer(
    help="Preview, compare and bring up environments on AWS. Begin with: nottermost env preview dev",
    no_args_is_help=True,
)

Graphs = Annotated[Path | None, typer.Option(help="Where the reviewed graphs are. [default: platform/graphs]")]
BreakGlass = Annotated[
    str | None,
    typer.Option(metavar="REASON", help="Change production without the pipeline; the reason is kept for good."),
]


@app.command()
def graph(
    env: Env,
    stack: StackName = None,
    json: Json = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="As in a first preview: nothing of AWS is known.")] = False,
) -> None:
    """Show every resource of an environment and what it hangs on; needs no cloud, no CLI and no network.

    Example: nottermost env graph prod --stack data --json
    """
    need_platform()
    from nottermost_platform.graph import encode, load_environment
    from nottermost_platform.preview import select_stack
    from nottermost_platform.render import render_graph
    from nottermost_platform.targets import find_targets

    find_targets(env, stack)
    with progress(f"capturing {env}"):
        found = select_stack(load_environment(env, stack=stack, unknown=unknown), stack)
    if json:
        sys.stdout.buffer.write(encode(found))
        return
    print_lines(render_graph(found))


@app.command()
def preview(
    env: Env,
    stack: StackName = None,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit 3 when something differs or was never reviewed.")
    ] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Keep this as what was reviewed.")] = False,
    graphs: Graphs = None,
) -> None:
    """Check an environment and show how it differs from what was last reviewed; needs no cloud, no CLI and no network.

    Whatever must not be deployed ends it with exit code 1; then nothing is accepted.

    Example: nottermost env preview prod --expect-no-changes
    """
    need_platform()
    from nottermost_platform.preview import GOLDEN, preview_environment
    from nottermost_platform.preview import accept as accept_graph
    from nottermost_platform.render import render_markdown, render_preview
    from nottermost_platform.targets import FIXTURE, WrongUsage, find_targets

    find_targets(env, stack)
    if accept and expect_no_changes:
        raise WrongUsage("--accept and --expect-no-changes exclude each other")
    if json and markdown:
        raise WrongUsage("--json and --markdown exclude each other")
    if accept and env.startswith("pr-") and env != FIXTURE:
        raise WrongUsage(f"{env} is temporary: reviewed graphs are kept of dev, staging, prod and {FIXTURE}")
    golden = graphs or GOLDEN
    with progress(f"capturing {env}"):
        found, result = preview_environment(env, stack=stack, golden=golden)
    if json:
        print_json(result)
    elif markdown:
        print(render_markdown(result))
    else:
        print_lines(render_preview(result))
    _stop_at_findings(result)
    if accept:
        for path in accept_graph(found, stack=stack, golden=golden):
            print(f"wrote {path}" if path.exists() else f"removed {path}", file=sys.stderr)
    elif expect_no_changes and (result.changes or result.never_reviewed):
        raise typer.Exit(int(ExitCode.SAYS_NO))


@app.command()
def diff(
    one: Annotated[str, typer.Argument(help="An environment.")],
    other: Annotated[str, typer.Argument(help="The one to compare it with.")],
    stack: StackName = None,
    json: Json = False,
) -> None:
    """Show what two environments do not have alike, besides names and ids; of production, its primary region.

    Example: nottermost env diff staging prod --stack data
    """
    need_platform()
    from nottermost_platform.environments import compare_environments, read_domains
    from nottermost_platform.graph import load_environment
    from nottermost_platform.preview import select_stack
    from nottermost_platform.render import render_differences
    from nottermost_platform.targets import find_targets

    for env in (one, other):
        find_targets(env, stack)
    with progress(f"capturing {one} and {other}"):
        left, right = (select_stack(load_environment(env, stack=stack), stack) for env in (one, other))
    differences = compare_environments(left, right, read_domains(one, other))
    if json:
        print_json({"one": one, "other": other, "differences": differences})
        return
    print_lines(render_differences(one, other, differences))


@app.command()
def outputs(
    env: Env,
    stack: StackName = None,
    json: Json = False,
    captured: Annotated[
        bool, typer.Option("--captured", help="From the programs, with placeholders for what only AWS knows.")
    ] = False,
) -> None:
    """Show what each stack exports, from its state; secrets are never asked for.

    Example: nottermost env outputs dev --stack network --json
    """
    need_platform()
    from nottermost_platform.deploy import Pulumi, find_pulumi, find_state
    from nottermost_platform.graph import SECRET, load_environment
    from nottermost_platform.preview import select_stack
    from nottermost_platform.targets import find_targets

    targets = find_targets(env, stack)
    found: dict[str, dict[str, Any] | None]
    if captured:
        with progress(f"capturing {env}"):
            stacks = select_stack(load_environment(env, stack=stack), stack).stacks
        found = {
            f"{each.name}.{each.region}": {
                name: "[secret]" if output.secret or output.value == SECRET else output.value
                for name, output in each.outputs.items()
            }
            for each in stacks
        }
    else:
        pulumi = Pulumi(find_pulumi(), *find_state(env, os.environ))
        found = {f"{each.stack}.{each.place.region}": pulumi.read_outputs(each) for each in targets}
    source = "captured: placeholders stand for what only AWS knows" if captured else "state"
    if json:
        print_json({"env": env, "source": source, "stacks": found})
        return
    print_lines(_render_outputs(found, source))


def _render_outputs(found: dict[str, dict[str, Any] | None], source: str) -> Iterator[str]:
    yield f"from {source}"
    for name, values in found.items():
        yield f"{name}: not there" if values is None else name
        for key, value in (values or {}).items():
            yield f"  {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"


@app.command()
def up(
    env: Env,
    stack: StackName = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    expires: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Until when a pr-NUMBER lives; writes its settings from those of pr-0."
        ),
    ] = None,
    break_glass: BreakGlass = None,
    graphs: Graphs = None,
) -> None:
    """Bring an environment up: preview it, check it, then give its stacks to the Pulumi CLI one after the other.

    A pr-NUMBER needs settings of its own: --expires writes Pulumi.pr-NUMBER-us-east-1.yaml into each
    stack's folder. Commit what the CLI adds there about secrets. Production takes the pipeline's role, or
    --break-glass with a reason. An account's first state is in files: set PULUMI_BACKEND_URL=file://… for it.

    Example: nottermost env up pr-12 --expires 2026-12-01 --dry-run
    """
    need_platform()
    from nottermost_platform import deploy
    from nottermost_platform.preview import GOLDEN, preview_environment
    from nottermost_platform.program import ROOT
    from nottermost_platform.render import render_preview
    from nottermost_platform.targets import find_targets

    targets = find_targets(env, stack)
    plan = deploy.make_plan("up", env, targets, environ=os.environ, reason=break_glass or "")
    settings = deploy.plan_settings(targets, expires and expires.date(), today=datetime.now(UTC).date())
    if not dry_run:
        deploy.authorise(env, break_glass, os.environ)
    with progress(f"capturing {env}"):
        _, result = preview_environment(env, stack=stack, overrides=settings.overrides, golden=graphs or GOLDEN)
    print_lines(render_preview(result))
    _stop_at_findings(result)
    for path in settings.files:
        print(f"settings: {path.relative_to(ROOT)}")
    print_lines(plan.render())
    if dry_run:
        return
    pulumi = deploy.Pulumi(deploy.find_pulumi(), plan.backend, plan.secrets)
    if not yes:
        ask(f"Bring {env} up like this?")
    if break_glass:
        deploy.write_audit(plan, break_glass, deploy.audit_path(os.environ))
    deploy.write_settings(settings)
    done = deploy.run_plan(plan, pulumi, say)
    print(f"{env} is up: {', '.join(done)}")


@app.command()
def down(
    env: Env,
    stack: StackName = None,
    confirm: Annotated[str | None, typer.Option(metavar="ENV", help="The environment's name once more.")] = None,
    dry_run: DryRun = False,
    break_glass: BreakGlass = None,
) -> None:
    """Destroy an environment, the last stack first; the account stays, since it holds the state.

    Nothing is touched while anything is protected, or while something outside of the plan stands on it.
    A pr-NUMBER goes with its history and settings. Production goes in two steps, which it prints.

    Example: nottermost env down pr-12 --confirm pr-12
    """
    need_platform()
    from nottermost_platform import deploy
    from nottermost_platform.targets import WrongUsage, find_targets

    plan = deploy.make_plan("down", env, find_targets(env, stack), environ=os.environ, reason=break_glass or "")
    print_lines(plan.render())
    if dry_run:
        return
    if confirm != env:
        if env == "prod":
            print_lines(deploy.render_down_steps(plan))
        raise WrongUsage(f"this destroys {env}; if that is meant, add --confirm {env}")
    deploy.authorise(env, break_glass, os.environ)
    pulumi = deploy.Pulumi(deploy.find_pulumi(), plan.backend, plan.secrets)
    if break_glass:
        deploy.write_audit(plan, break_glass, deploy.audit_path(os.environ))
    done = deploy.run_plan(plan, pulumi, say)
    print(f"{env} is down: {', '.join(done) or 'nothing was there'}")


@app.command()
def schemas(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when one is stale.")] = False,
) -> None:
    """Write the JSON Schemas of every stack's settings and of the graph, which are made from the code.

    Example: nottermost env schemas --check
    """
    need_platform()
    from nottermost_platform.program import ROOT
    from nottermost_platform.schemas import find_stale, write_schemas

    if not check:
        write_schemas()
        return
    stale = find_stale()
    for path in stale:
        print(f"nottermost: {path.relative_to(ROOT)} is stale: run `nottermost env schemas`", file=sys.stderr)
    if stale:
        raise typer.Exit(int(ExitCode.SAYS_NO))


@app.command()
def bench(json: Json = False) -> None:
    """Measure how long captures take, beside the SDK's bare mocks in the same run. Takes about half a minute.

    Example: nottermost env bench
    """
    need_platform()
    from nottermost_platform.bench import run_bench

    figures = run_bench(lambda step: say(f"measuring: {step}"))
    if json:
        print_json(figures)
        return
    for figure in figures:
        print(figure.render())


app.command()(policy)
app.command()(docs)
app.command()(drift)
app.command()(reap)
app.command()(diagram)
app.command()(bootstrap)
app.command()(inventory)


def _stop_at_findings(result: "Preview") -> None:
    """Exit 1 with each finding; nothing is accepted or deployed with one."""
    for each in result.findings:
        print(f"nottermost: {each.urn}: {each.message} ({each.code})", file=sys.stderr)
    if result.findings:
        raise typer.Exit(int(ExitCode.FAILED))
