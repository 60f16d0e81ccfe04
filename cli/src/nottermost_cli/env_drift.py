"""`nottermost env drift`: whether the account still is what the programs declare."""

from typing import Annotated

import typer

from nottermost_cli.env_shared import Env, Json, StackName, need_platform, print_json, print_lines, progress
from nottermost_conventions import ExitCode

Region = Annotated[str | None, typer.Option("--region", help="What is in this region alone.")]


def drift(env: Env, stack: StackName = None, region: Region = None, json: Json = False) -> None:
    """Compare the account with what the programs declare, by calls that only read; what others own at run time is left alone.

    Exit 3: something is missing, changed, or was made by nobody known. Exit 4: something could not be read, or it is
    the wrong account. Credentials are those of the AWS SDKs; reading is all they need to be allowed.

    Example: nottermost env drift prod --stack network
    """
    need_platform()
    from nottermost_platform.drift import find_drift, render
    from nottermost_platform.graph import load_environment
    from nottermost_platform.settings import regions_of
    from nottermost_platform.targets import WrongUsage, find_targets

    find_targets(env, stack)
    if region is not None and region not in (known := regions_of(env)):
        raise WrongUsage(f"{env} is not in {region}: {', '.join(known)}")
    with progress(f"capturing {env}"):
        graph = load_environment(env)
    with progress(f"reading the account of {env}"):
        found = find_drift(graph, stack=stack, region=region)
    if json:
        print_json(found)
    else:
        print_lines(render(found))
    if found.exit_code is not ExitCode.DONE:
        raise typer.Exit(int(found.exit_code))
