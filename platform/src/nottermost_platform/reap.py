"""Ends temporary environments whose day has passed, by the very plan of `env down`.

Which there are is known from two sides: the settings in the stacks' folders, and the tags in the account, since
settings may be on a branch only. The later of two days counts, so that nothing ends before its last one.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from nottermost_conventions.errors import ExitCode, NottermostError
from nottermost_platform import deploy
from nottermost_platform.configuration import FIXTURE, STACKS, parse_settings, read_settings
from nottermost_platform.drift.account import Account, AccountError, NotReadable, tags_of
from nottermost_platform.drift.compare import ID_TAG
from nottermost_platform.drift.values import Tagged
from nottermost_platform.naming import PRIMARY
from nottermost_platform.program import ROOT
from nottermost_platform.settings import Place, SettingsError
from nottermost_platform.targets import find_targets

END_TAG: Final = "expires-on"
TEMPORARY: Final = re.compile(r"pr-[1-9][0-9]{0,4}")
SETTINGS: Final = re.compile(r"Pulumi\.(?P<env>pr-[0-9]+)-[a-z-]+-[0-9]\.yaml")
SHOWN: Final = 5  # of what is left of an environment; the command beside it lists the rest


class Verdict(StrEnum):
    """What becomes of a temporary environment."""

    END = "end"
    KEEP = "keep"
    LEAVE = "leave"  # nobody knows when it ends, so it is not touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A temporary environment as settings and tags know it.

    Attributes:
        ends: every day that they name, in no order. unclear: what cannot be read as a day, and where it stands.
        tagged: what bears its tags in the account.
    """

    env: str
    ends: tuple[date, ...] = ()
    unclear: tuple[str, ...] = ()
    settings: tuple[Path, ...] = ()
    tagged: tuple[Tagged, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about an environment, and what came of it.

    Attributes:
        done: the stacks that were ended. plan: as `env down` prints it. orphans: ARNs that no state knows of.
        error: why it could not be ended; "" when it was, or was not to be.
    """

    env: str
    verdict: Verdict
    reason: str
    ends: date | None
    done: list[str] = []
    plan: list[str] = []
    orphans: list[str] = []
    error: str = ""


class Reaping(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. `unread`: why the account's tags are unknown; "" when they are known."""

    today: date
    dry_run: bool
    environments: list[Outcome]
    unread: str

    @property
    def exit_code(self) -> ExitCode:
        if any(each.error for each in self.environments):
            return ExitCode.FAILED
        return ExitCode.COULD_NOT_TELL if self.unread else ExitCode.DONE


def decide(environment: Environment, today: date, *, tags_known: bool = True) -> tuple[Verdict, str]:
    """Whether an environment's day has passed, by UTC; its last day is its own.

    Args:
        tags_known: whether the account's tags were read, where a longer life may be written down.
    """
    if not TEMPORARY.fullmatch(environment.env):
        return Verdict.LEAVE, f"{environment.env} is not temporary"
    if environment.unclear:
        return Verdict.LEAVE, f"nobody knows when it ends: {'; '.join(environment.unclear)}"
    if not environment.ends:
        return Verdict.LEAVE, "nobody said when it ends"
    last = max(environment.ends)
    if last < today and not tags_known:
        return Verdict.LEAVE, f"ended on {last} by its settings, but the account may know of a later day"
    if last < today:
        return Verdict.END, f"ended on {last}"
    return Verdict.KEEP, f"lives until {last}"


# --- which there are ------------------------------------------------------------------------------


def find_environments(stacks: Path, tagged: list[Tagged]) -> list[Environment]:
    """Every temporary environment that settings or tags know, but the fixture of tests."""
    settings: dict[str, list[Path]] = {}
    for path in sorted(stacks.glob("*/Pulumi.pr-*.yaml")):
        if match := SETTINGS.fullmatch(path.name):
            settings.setdefault(match["env"], []).append(path)
    tags: dict[str, list[Tagged]] = {}
    for each in tagged:
        tags.setdefault(each.tags.get("env", ""), []).append(each)
    known = [env for env in {*settings, *tags} if TEMPORARY.fullmatch(env) and env != FIXTURE]
    return [
        _describe(env, settings.get(env, []), tags.get(env, []))
        for env in sorted(known, key=lambda each: int(each[3:]))
    ]


def _describe(env: str, settings: list[Path], tagged: list[Tagged]) -> Environment:
    said = [*((_shown(path), _end_in(path)) for path in settings), *_ends_of(tagged)]
    days = [(where, _parse_day(text)) for where, text in said]
    unclear = [f"{where} says {text!r}" for (where, text), (_, day) in zip(said, days, strict=True) if day is None]
    return Environment(
        env=env, ends=tuple(day for _, day in days if day), unclear=tuple(unclear), settings=tuple(settings),
        tagged=tuple(sorted(tagged, key=lambda each: each.arn)),
    )  # fmt: skip


def _ends_of(tagged: list[Tagged]) -> Iterator[tuple[str, str]]:
    """Each day that the tags name once, with one resource that bears it."""
    days = {each.tags.get(END_TAG, ""): each.arn for each in tagged}
    yield from ((f"the tag {END_TAG} of {arn}", text) for text, arn in sorted(days.items()))


def _end_in(path: Path) -> str:
    try:
        return str(parse_settings(path.read_text("utf-8"), path.parent.name, path).get("expires_on", ""))
    except (SettingsError, OSError, UnicodeDecodeError) as error:
        return f"nothing: {error}"


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def read_tagged(account: Account, env: str = "") -> list[Tagged]:
    """What says in the account of temporary environments, or of one, when it ends. Raises: AccountError, NotReadable."""
    owner = str(read_settings("account", Place(env="dev", region=PRIMARY))["account_id"])
    account.check(PRIMARY, [owner])
    service, mapping = "resourcegroupstaggingapi", "ResourceTagMappingList"
    filters = [{"Key": END_TAG}, *([{"Key": "env", "Values": [env]}] if env else [])]
    found = account.list(service, PRIMARY, "get_resources", mapping, TagFilters=filters, ResourcesPerPage=100)
    return [Tagged(each["ResourceARN"], PRIMARY, tags_of(each["Tags"])) for each in found]


# --- ending them ----------------------------------------------------------------------------------


def reap(
    *,
    today: date,
    environ: Mapping[str, str],
    dry_run: bool,
    say: Callable[[str], None],
    account: Account | None = None,
) -> Reaping:
    """End what is to end; one that fails does not keep the others. A second run finds nothing left to do.

    Args:
        environ: as `deploy.make_plan` takes it. say: is given every line of progress.
    """
    work = _Work(today=today, environ=environ, dry_run=dry_run, say=say, account=account or Account())
    unread, tagged = "", []
    try:
        tagged = read_tagged(work.account)
    except (AccountError, NotReadable) as error:
        unread = str(error)
    outcomes = []
    for each in find_environments(STACKS, tagged):
        outcome = _judge(each, today, tags_known=not unread)
        outcomes.append(_end(work, outcome) if outcome.verdict is Verdict.END else outcome)
    return Reaping(today=today, dry_run=dry_run, environments=outcomes, unread=unread)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What `reap` was told."""

    today: date
    environ: Mapping[str, str]
    dry_run: bool
    say: Callable[[str], None]
    account: Account


def _judge(environment: Environment, today: date, *, tags_known: bool = True) -> Outcome:
    verdict, reason = decide(environment, today, tags_known=tags_known)
    return Outcome(env=environment.env, verdict=verdict, reason=reason, ends=max(environment.ends, default=None))


def _end(work: _Work, outcome: Outcome) -> Outcome:
    """Looks again before it ends anything: those before may have taken an hour, in which somebody prolonged this one."""
    work.say(f"{outcome.env} {outcome.reason}")
    try:
        plan = deploy.make_plan("down", outcome.env, find_targets(outcome.env), environ=work.environ)
        outcome = msgspec.structs.replace(outcome, plan=list(plan.render()))
        if work.dry_run:
            return outcome
        pulumi = deploy.Pulumi(deploy.find_pulumi(), plan.backend, plan.secrets)
        states = json.dumps([pulumi.read_resources(target) for target in plan.targets])
        environment = _read_again(outcome.env, work.account)
        again = _judge(environment, work.today)
        if again.verdict is not Verdict.END:
            return again
        done = deploy.run_plan(plan, pulumi, work.say)
    except NottermostError as error:
        return msgspec.structs.replace(outcome, error=str(error))
    if done or not environment.tagged:
        for path in environment.settings:  # of stacks that were never made; those of others went with them
            path.unlink(missing_ok=True)
    orphans = [each.arn for each in environment.tagged if not _is_known(each, states)]
    left = _explain_orphans(outcome.env, len(orphans)) if orphans else ""
    return msgspec.structs.replace(outcome, done=done, orphans=orphans, error=left)


def _read_again(env: str, account: Account) -> Environment:
    """As it is now; without days when somebody else ended it. Raises: AccountError, NotReadable."""
    found = find_environments(STACKS, read_tagged(account, env))
    return next((each for each in found if each.env == env), Environment(env=env))


def _is_known(tagged: Tagged, states: str) -> bool:
    """Whether a state speaks of it, by the tag with the id; what a resource makes in its turn bears the same."""
    id_ = tagged.tags.get(ID_TAG)
    return bool(id_) and f'"{id_}"' in states


def _explain_orphans(env: str, count: int) -> str:
    return (
        f"{count} resources bear its tags, but no state knows them: is the state asked for the right one "
        "(PULUMI_BACKEND_URL)? if so, delete them by hand (AWS may list what is gone for an hour; then try again); "
        "list them with `aws resourcegroupstaggingapi get-resources "
        f"--region {PRIMARY} --tag-filters Key=env,Values={env}`"
    )


def render(reaping: Reaping) -> Iterator[str]:
    """A line for each environment, its plan when it would be ended, and what failed at the end."""
    for each in reaping.environments:
        yield f"{each.env}: {_said(each, dry_run=reaping.dry_run)}"
        if reaping.dry_run:
            yield from (f"  {line}" for line in each.plan)
        yield from (f"  {arn}" for arn in each.orphans[:SHOWN])
        if len(each.orphans) > SHOWN:
            yield f"  … and {len(each.orphans) - SHOWN} more"
    if not reaping.environments:
        yield "no temporary environments"


def _said(outcome: Outcome, *, dry_run: bool) -> str:
    if outcome.verdict is not Verdict.END:
        return f"{outcome.reason}{'; left alone' if outcome.verdict is Verdict.LEAVE else ''}"
    if outcome.error:
        done = f"; is down: {', '.join(outcome.done)}" if outcome.done else ""
        return f"{outcome.reason}{done}; not ended: {outcome.error}"
    if dry_run:
        return f"{outcome.reason}; would be ended"
    return f"{outcome.reason}; is down: {', '.join(outcome.done) or 'nothing was there'}"


def render_failures(reaping: Reaping) -> Iterator[str]:
    """What is left to somebody, for the end of the output."""
    if failed := [each.env for each in reaping.environments if each.error]:
        yield f"not ended: {', '.join(failed)}"
    if reaping.unread:
        yield f"the account's tags are unknown, so nothing was ended: {reaping.unread}"
