"""`nottermost env bootstrap`: databases, search, topics and hosts, as the chat expects them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nottermost_cli.env_shared import DryRun, Json, need_platform, print_json, print_lines, say

if TYPE_CHECKING:
    from nottermost_platform.bootstrap import Phase
    from nottermost_platform.inventory import Group, Host, Inventory

LOCAL = "local"


def bootstrap(
    env: Annotated[str, typer.Argument(help="dev, staging, prod, pr-NUMBER, or local: the cluster of `stack up`.")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ROLE", help="database, search, topics or hosts; several times."),
    ] = None,
    this_host: Annotated[
        bool, typer.Option("--this-host", help="Also make this machine an admin host: kernel, audit, sessions, no SSH.")
    ] = False,
    region: Annotated[str | None, typer.Option(help="Whose stores. [default: the primary one]")] = None,
    phase: Annotated[
        str,
        typer.Option(help="Of migrations: expand; promoted, when only new programs run; then contract."),
    ] = "expand",
    inventory: Annotated[Path | None, typer.Option(help="Work on what stands in this file instead.")] = None,
    folder: Annotated[Path, typer.Option(help="The cluster's, for local.")] = Path("cluster"),
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Give the database its roles and tables, the search its templates, the log its topics, a host its baseline.

    Everything is compared first; run again, it changes nothing. On AWS it runs inside the network, on the admin
    host. --dry-run changes nothing and shows what would; where a server does not answer it exits 4.

    Example: nottermost env bootstrap staging --dry-run
    """
    need_platform()
    from nottermost_platform import bootstrap as platform
    from nottermost_platform.inventory import Inventory

    roles, phase_ = _roles(only, this_host=this_host, env=env), _phase(phase)
    found: Inventory = _find_inventory(env, inventory, folder)
    if found.source == "reviewed":
        from nottermost_platform.targets import WrongUsage

        raise WrongUsage(
            f"the addresses in {inventory} are placeholders: leave --inventory out, and the state is asked"
        )
    chosen = _choose(found, region, roles, named=bool(only))
    secrets = platform.find_secrets(chosen, os.environ)
    if env == LOCAL and inventory is None:
        secrets |= {platform.PASSWORD: _local_environment(folder).get("NOTTERMOST_DATABASE_PASSWORD", "")}
    plan = platform.Plan(
        inventory=found, hosts=chosen, phase=phase_, dry_run=dry_run,
        variables={"database_program": _program()},
    )  # fmt: skip
    for line in plan.render():
        say(line) if json else print(line)
    plays = platform.run(plan, secrets, say) if chosen else []
    changed = sum(play.changed for play in plays)
    if json:
        print_json({"env": env, "dry_run": dry_run, "changed": changed, "plays": plays})
        return
    print_lines(play.render(dry_run=dry_run) for play in plays)
    print(f"{env}: {'would change' if dry_run else 'changed'}={changed}")


def inventory(
    env: Annotated[str, typer.Argument(help="dev, staging, prod, pr-NUMBER, or local.")],
    folder: Annotated[Path, typer.Option(help="The cluster's, for local.")] = Path("cluster"),
) -> None:
    """Print what `env bootstrap` works on, from the stacks' outputs: for a machine that cannot read their state.

    Example: nottermost env inventory staging > staging.yml
    """
    need_platform()
    from nottermost_platform.inventory import render

    print(render(_find_inventory(env, None, folder)), end="")


def _roles(only: list[str] | None, *, this_host: bool, env: str) -> "tuple[Group, ...]":
    """In their order, whatever the order in which they were named. Raises: WrongUsage."""
    from nottermost_platform.inventory import GROUPS
    from nottermost_platform.targets import WrongUsage

    if unknown := set(only or ()) - set(GROUPS):
        raise WrongUsage(f"no role is called {', '.join(sorted(unknown))}: {', '.join(GROUPS)}")
    if "hosts" in (only or ()) and not (this_host or env == LOCAL):
        raise WrongUsage("hosts changes the machine that this runs on: add --this-host if that is meant")
    wanted = set(only or GROUPS)
    if only is None and env != LOCAL and not this_host:
        wanted -= {"hosts"}
    return tuple(group for group in GROUPS if group in wanted)


def _phase(phase: str) -> "Phase":
    from nottermost_platform.targets import WrongUsage

    match phase:
        case "expand" | "promoted" | "contract":
            return phase
    raise WrongUsage(f"no phase is called {phase!r}: expand, promoted or contract")


def _find_inventory(env: str, path: Path | None, folder: Path) -> "Inventory":
    from nottermost_platform.inventory import make_inventory, make_local, parse

    if path is not None:
        return _check_env(env, parse(_read(path), str(path)), path)
    if env == LOCAL:
        return make_local(_local_environment(folder), folder.absolute() / "host")
    from nottermost_platform import deploy
    from nottermost_platform.targets import find_targets

    pulumi = deploy.Pulumi(deploy.find_pulumi(), *deploy.find_state(env, os.environ))
    outputs: dict[str, dict[str, Any] | None] = {
        f"{each.stack}.{each.place.region}": pulumi.read_outputs(each) for each in find_targets(env, "data")
    }
    return make_inventory(env, outputs, source="state")


def _check_env(env: str, found: "Inventory", path: Path) -> "Inventory":
    """What was typed is what is worked on. Raises: WrongUsage."""
    from nottermost_platform.targets import WrongUsage

    if found.env != env:
        raise WrongUsage(f"{path} is of {found.env}, not of {env}: name that environment, or another inventory")
    return found


def _read(path: Path) -> str:
    from nottermost_platform.targets import WrongUsage

    try:
        return path.read_text()
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read ({error.strerror}): name an inventory") from error


def _local_environment(folder: Path) -> dict[str, str]:
    """What the roles of a laptop's cluster are told. Raises: StartError when there is none."""
    from nottermost_chat.stack.launcher import Stack

    return Stack(folder).environment()


def _choose(
    inventory: "Inventory", region: str | None, roles: "tuple[Group, ...]", *, named: bool
) -> "tuple[Host, ...]":
    """The hosts to work on, none where a role has none by design.

    Args:
        region: None is the primary one, where it is among them. named: whether the roles were asked for by name.

    Raises: WrongUsage.
    """
    from nottermost_platform.inventory import ABSENT
    from nottermost_platform.naming import PRIMARY
    from nottermost_platform.targets import WrongUsage

    regions = sorted({host.region for host in inventory.hosts})
    region = region or (PRIMARY if PRIMARY in regions else next(iter(regions), PRIMARY))
    if region not in regions:
        raise WrongUsage(f"{inventory.env} has nothing in {region}: {', '.join(regions) or 'nor anywhere else'}")
    chosen = inventory.select(region, roles)
    for role in [each for each in roles if named and each not in {host.group for host in chosen}]:
        if inventory.env == LOCAL or role not in ABSENT:
            raise WrongUsage(f"the inventory of {inventory.env} has no host for {role} in {region}: make it anew")
        say(f"{role}: nothing to do in {region}: {ABSENT[role]}")
    return chosen


def _program() -> str:
    from nottermost_platform.deploy import read_commit

    return read_commit()
