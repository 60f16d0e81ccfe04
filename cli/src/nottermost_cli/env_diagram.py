"""`nottermost env diagram`: pictures of an environment, drawn from its graph."""

from pathlib import Path
from typing import Annotated

import typer

from nottermost_cli.env_shared import Env, Json, need_platform, print_json, progress, say
from nottermost_conventions import ExitCode

Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Where they are. [default: docs/diagrams for prod]")]


def diagram(
    env: Env,
    out: Out = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when one is stale.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="NAME", help="This picture alone.")] = None,
    json: Json = False,
) -> None:
    """Draw an environment: its network, services, who reaches whom, each stack; of prod, the chat's architecture too.

    SVG of a page's width, laid out by Graphviz, and a page that shows them. --check needs no Graphviz: a picture
    carries a hash of what it was made of. It also compares the chat's model with its code and the graph.

    Example: nottermost env diagram prod --check
    """
    need_platform()
    from nottermost_platform.diagrams import gallery
    from nottermost_platform.diagrams.architecture import check_model
    from nottermost_platform.diagrams.rendering import find_dot
    from nottermost_platform.graph import load_environment
    from nottermost_platform.targets import WrongUsage, find_targets

    find_targets(env, None)
    if out is None and env != gallery.COMMITTED:
        raise WrongUsage(f"pictures of {env} are kept nowhere: say where with --out DIR")
    if not check:
        find_dot()
    model = gallery.model_of(env)
    with progress(f"capturing {env}"):
        graph = load_environment(env)
    everything = gallery.draw_all(graph, model)
    pictures = gallery.select(everything, only or [])
    page = "" if only else gallery.render_page(env, everything)
    folder = out or gallery.FOLDER
    untrue = check_model(model, graph) if model else []
    stale = gallery.check_all(pictures, folder, page=page) if check else []
    written = [] if check or untrue else gallery.write_all(pictures, folder, page=page)
    if json:
        print_json({"env": env, "untrue": untrue, "stale": stale, "written": [str(path) for path in written]})
    else:
        for path in written:
            print(path)
    for problem in untrue:
        say(f"nottermost: architecture.yaml: {problem}")
    for problem in stale:
        say(f"nottermost: {folder.name}/{problem}: run `nottermost env diagram {env}`")
    if untrue or stale:
        raise typer.Exit(int(ExitCode.SAYS_NO))
