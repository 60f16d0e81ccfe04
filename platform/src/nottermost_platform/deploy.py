"""Hands the stacks' programs to the Pulumi CLI, in order, and says what it will do before it does it.

A plan is a value: `--dry-run` prints the one that the real run follows. State is in the bucket of the
account's own stack, its secrets under that stack's key; both names are known by construction.
"""

import getpass
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from nottermost_conventions.errors import NottermostError
from nottermost_platform.catalog import places, stack_module
from nottermost_platform.configuration import (
    FIXTURE,
    STACKS,
    parse_settings,
    propose_end,
    read_settings,
    stack_file,
    temporary_text,
)
from nottermost_platform.naming import PRIMARY, environment_class, physical_name
from nottermost_platform.program import ROOT
from nottermost_platform.settings import Place
from nottermost_platform.targets import Target, WrongUsage

if TYPE_CHECKING:
    from pulumi.automation import LocalWorkspace, PulumiCommand, Stack

PULUMI_MIN: Final = "3.194.0"  # older ones mishandle `ignoreChanges` on lists whose length changes
PULUMI_ADDRESS: Final = "https://www.pulumi.com/docs/install/"
PARALLEL: Final = 20  # unbounded, the engine and its provider took 8 GB instead of 50 MB (pulumi/pulumi#14989)
REASON_CHARS_MIN: Final = 10  # of a break-glass; shorter says nothing to who reads it later
LIFE_DAYS_MAX: Final = 90  # of a temporary environment; what lives longer is not temporary
COMMIT_S: Final = 10  # git answers in milliseconds
Action = Literal["up", "down"]
Say = Callable[[str], None]


class NoPulumi(NottermostError):
    """The CLI is not there, or too old."""

    code = "no_pulumi"


class NotAllowed(NottermostError):
    """Production is changed by the pipeline, or by somebody who says why."""

    code = "not_allowed"


class StillProtected(NottermostError):
    """Something stands in the way of taking an environment down; nothing was touched."""

    code = "still_protected"


class DeployFailed(NottermostError):
    """A stack could not be brought up or down; says which were done and which not."""

    code = "deploy_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done, in this order.

    Attributes:
        message: kept with the update in the state's history.
        backend: where state is. secrets: what encrypts a stack's secrets; used when the stack is first made.
    """

    action: Action
    env: str
    targets: tuple[Target, ...]
    backend: str
    secrets: str
    message: str

    @property
    def removes_stacks(self) -> bool:
        """Whether a stack's history and YAML go with it: a temporary environment leaves nothing behind."""
        return self.action == "down" and environment_class(self.env) == "pr"

    def render(self) -> Iterator[str]:
        verb = {"up": "up", "down": "destroy"}[self.action]
        yield f"plan: {self.action} {self.env}, {len(self.targets)} stacks, at most {PARALLEL} operations at once"
        yield f"state: {self.backend}"
        yield f"secrets: {self.secrets}"
        yield f"message: {self.message}"
        for number, target in enumerate(self.targets, 1):
            folder = target.folder.relative_to(ROOT)
            removed = ", then its history and settings are removed" if self.removes_stacks else ""
            yield f"{number:>3}. pulumi {verb} --stack {target.place.stack} in {folder}{removed}"


def make_plan(action: Action, env: str, targets: list[Target], *, environ: Mapping[str, str], reason: str = "") -> Plan:
    """The plan for the targets, as `find_targets` gives them.

    Args:
        environ: PULUMI_BACKEND_URL in it wins over the account's bucket: for the account itself, whose bucket
            has to be made before it can hold a state. A backend in files encrypts by passphrase.
        reason: of a break-glass.

    Raises: WrongUsage.
    """
    if env == FIXTURE:
        raise WrongUsage(f"{FIXTURE} is the fixture of tests and is never brought up; take another number")
    if action == "down":
        targets = _order_down(targets, environ)
    backend, secrets = find_state(env, environ)
    message = f"break-glass: {reason}" if reason else f"nottermost env {action} {env}"
    return Plan(
        action=action, env=env, targets=tuple(targets), backend=backend, secrets=secrets,
        message=f"{message} (commit {read_commit()})",
    )  # fmt: skip


def _order_down(targets: list[Target], environ: Mapping[str, str]) -> list[Target]:
    """The last first. The account stays unless the state was moved out of its bucket."""
    if environ.get("PULUMI_BACKEND_URL"):
        return targets[::-1]
    left = [target for target in reversed(targets) if target.stack != "account"]
    if not left:
        raise WrongUsage(
            "account holds the state of every stack, its own too: move it and set PULUMI_BACKEND_URL first"
        )
    return left


def find_state(env: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Where an environment's state is, and what encrypts its secrets. Raises: SettingsError without an account's YAML."""
    owner = "dev" if environment_class(env) == "pr" else env  # a temporary environment lives in dev's account
    place = Place(env=owner, region=PRIMARY)
    account = str(read_settings("account", place)["account_id"])
    bucket = physical_name("aws:s3/bucket:Bucket", env=owner, region=PRIMARY, account=account, name="state")
    backend = environ.get("PULUMI_BACKEND_URL") or f"s3://{bucket}?region={PRIMARY}&awssdk=v2"
    key = f"awskms:///arn:aws:kms:{PRIMARY}:{account}:alias/{owner}-state?region={PRIMARY}"
    return backend, "passphrase" if backend.startswith("file://") else key


# --- who may --------------------------------------------------------------------------------------


def pipeline_role(env: str) -> str:
    """The ARN of the role that deploys an environment: the delivery stack's `pipeline-deploy`."""
    account = str(read_settings("delivery", Place(env=env, region=PRIMARY))["account_id"])
    name = physical_name("aws:iam/role:Role", env=env, region=PRIMARY, account=account, name="pipeline-deploy")
    return f"arn:aws:iam::{account}:role/{name}"


def authorise(env: str, reason: str | None, environ: Mapping[str, str]) -> None:
    """Refuse to change production but from the pipeline, or with a reason.

    The pipeline's job takes its role by OIDC, so AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE say who acts, as
    long as no keys or profile are set, which the SDKs would prefer. Whoever can set variables can forge this: it
    keeps people from mistakes. What keeps them out is the trust of the role and the policies of the account.

    Raises: NotAllowed, WrongUsage.
    """
    if environment_class(env) != "prod":
        if reason is not None:
            raise WrongUsage(f"--break-glass is for production; {env} needs none")
        return
    if reason is not None:
        if len(reason.strip()) < REASON_CHARS_MIN:
            raise WrongUsage(
                f"--break-glass wants a reason of {REASON_CHARS_MIN} characters or more: it is kept for good"
            )
        return
    role = pipeline_role(env)
    other = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE") if environ.get(name)]
    token = Path(environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or "/nonexistent")
    if environ.get("AWS_ROLE_ARN") != role or not token.is_file() or other:
        found = f" ({' and '.join(other)} would be used instead)" if other else ""
        raise NotAllowed(
            f"{env} is changed by its pipeline, as {role}{found}: let the pipeline do it, or say why not with --break-glass REASON"
        )


def audit_path(environ: Mapping[str, str]) -> Path:
    """Where broken glass is written down."""
    state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "nottermost" / "break-glass.jsonl"


def write_audit(plan: Plan, reason: str, path: Path) -> None:
    """Add a line on who went around the pipeline and why, before anything happens.

    The file is the operator's own. What they cannot take back is the message in the state's history, whose
    bucket keeps its versions, and the account's trail.
    """
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "user": getpass.getuser(), "action": plan.action,
        "environment": plan.env, "stacks": [f"{each.stack}.{each.place.region}" for each in plan.targets],
        "reason": reason, "commit": read_commit(),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def read_commit() -> str:
    """What is checked out, `+changes` where it was edited since; `unknown` outside of version control."""
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def ask(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [git, "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=COMMIT_S, check=False
        )
        return done.stdout.strip()

    commit = ask("rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if commit and ask("status", "--porcelain") else commit or "unknown"


# --- temporary environments -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Temporary:
    """The settings of a temporary environment that are to be written: files by path, settings by stack."""

    files: dict[Path, str]
    overrides: dict[str, dict[str, Any]]


def plan_settings(targets: list[Target], expires: date | None, *, today: date) -> Temporary:
    """Settings of the targets of a `pr-<n>`, from those of `pr-0`; of what has its own, the new date alone.

    Raises: WrongUsage when there is no date and one is needed, and for a date that is no use.
    """
    env = targets[0].place.env
    if environment_class(env) != "pr":
        if expires is not None:
            raise WrongUsage(f"--expires is for temporary environments; {env} stays")
        return Temporary({}, {})
    own = {each.stack: STACKS / each.stack / f"Pulumi.{each.place.stack}.yaml" for each in targets}
    if expires is None:
        if missing := [stack for stack, path in own.items() if not path.exists()]:
            raise WrongUsage(
                f"{env} has no settings for {', '.join(missing)}: say until when it lives: --expires {propose_end(today)}"
            )
        return Temporary({}, {})
    if not today < expires <= today + timedelta(days=LIFE_DAYS_MAX):
        raise WrongUsage(f"--expires {expires} is not a day from tomorrow to {today + timedelta(days=LIFE_DAYS_MAX)}")
    files = {own[each.stack]: temporary_text(each.stack, each.place, expires) for each in targets}
    overrides = {stack: parse_settings(files[path], stack, path) for stack, path in own.items()}
    for stack, place in places(env):  # what is not a target now and has no settings yet will get the same end
        if stack not in own and not stack_file(stack, place).name.startswith(f"Pulumi.{place.stack}."):
            overrides[stack] = {"expires_on": str(expires)}
    return Temporary(files, overrides)


def write_settings(temporary: Temporary) -> list[Path]:
    """Write them; returns the files that changed."""
    changed = [path for path, text in temporary.files.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.write_text(temporary.files[path])
    return changed


# --- with the CLI ---------------------------------------------------------------------------------


def find_pulumi() -> "PulumiCommand":
    """The Pulumi CLI. Raises: NoPulumi."""
    from pulumi.automation import InvalidVersionError, PulumiCommand
    from semver import VersionInfo

    wanted = f"the Pulumi CLI {PULUMI_MIN} or newer is needed: install it from {PULUMI_ADDRESS}"
    if shutil.which("pulumi") is None:
        raise NoPulumi(wanted)
    try:
        return PulumiCommand(version=VersionInfo.parse(PULUMI_MIN))
    except (InvalidVersionError, subprocess.CalledProcessError, OSError) as error:
        raise NoPulumi(f"{wanted} ({_last_line(error)})") from error


class Pulumi:
    """The stacks of one environment, by the Automation API: every program runs from its own folder.

    When a stack is first made, the CLI writes its `secretsprovider` and `encryptedkey` into the stack's YAML;
    both belong into version control, or the next machine cannot read the stack's secrets.
    """

    def __init__(self, command: "PulumiCommand", backend: str, secrets: str) -> None:
        self._command, self._secrets = command, secrets
        self._environment = {"PULUMI_BACKEND_URL": backend, "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def open(self, target: Target, *, create: bool = False) -> "Stack | None":
        """A stack as the backend has it; None when there is none and none is to be made. Raises: DeployFailed."""
        from pulumi.automation import CommandError, Stack, StackNotFoundError

        make = Stack.create_or_select if create else Stack.select
        try:
            return make(target.place.stack, self._workspace(target))
        except StackNotFoundError:
            return None
        except CommandError as error:
            first = (
                "; an account's first state is in files: see PULUMI_BACKEND_URL" if target.stack == "account" else ""
            )
            raise DeployFailed(f"the state of {target.name} cannot be opened: {_last_line(error)}{first}") from error

    def _workspace(self, target: Target) -> "LocalWorkspace":
        from pulumi.automation import LocalWorkspace

        return LocalWorkspace(
            work_dir=str(target.folder), env_vars=self._environment, secrets_provider=self._secrets,
            pulumi_command=self._command,
        )  # fmt: skip

    def read_outputs(self, target: Target) -> dict[str, Any] | None:
        """What a stack exports, secrets not among it; None when it was never brought up. Raises: DeployFailed."""
        return self._ask(target, "stack", "output", "--json")

    def read_resources(self, target: Target) -> list[dict[str, Any]]:
        """What is in a stack's state, secrets encrypted; empty when there is none. Raises: DeployFailed."""
        state = self._ask(target, "stack", "export") or {}
        return list((state.get("deployment") or {}).get("resources") or [])

    def _ask(self, target: Target, *arguments: str) -> dict[str, Any] | None:
        """Asks the CLI itself: the Automation API would fetch every secret in plain text beside it."""
        from pulumi.automation import CommandError

        if self.open(target) is None:
            return None
        command = [*arguments, "--stack", target.place.stack]
        try:
            answer = json.loads(self._command.run(command, str(target.folder), self._environment).stdout)
        except (CommandError, ValueError) as error:
            raise DeployFailed(f"the state of {target.name} cannot be read: {_last_line(error)}") from error
        return dict(answer)


def run_plan(plan: Plan, pulumi: Pulumi, say: Say) -> list[str]:
    """Do what the plan says, one stack after the other; returns the stacks that were done.

    Args:
        say: is given every line that the CLI prints.

    Raises: DeployFailed at the first stack that fails; what follows is not touched. StillProtected before anything.
    """
    from pulumi.automation import CommandError

    if plan.action == "down":
        check_down(plan, pulumi)
    done: list[str] = []
    for target in plan.targets:
        say(f"{plan.action} {target.name}")
        try:
            if _apply(plan, target, pulumi, say):
                done.append(target.name)
            else:
                say(f"{target.name} is not there")
        except (CommandError, DeployFailed) as error:
            left = [each.name for each in plan.targets[plan.targets.index(target) + 1 :]]
            raise DeployFailed(
                f"{target.name} failed: {_last_line(error)}; done: {', '.join(done) or 'none'}; "
                f"not begun: {', '.join(left) or 'none'}"
            ) from error
    return done


def _apply(plan: Plan, target: Target, pulumi: Pulumi, say: Say) -> bool:
    stack = pulumi.open(target, create=plan.action == "up")
    if stack is None:
        return False
    if plan.action == "up":
        stack.up(
            parallel=PARALLEL, message=plan.message, color="never", suppress_outputs=True, show_secrets=False,
            on_output=say, on_error=say,
        )  # fmt: skip
    else:
        stack.destroy(
            parallel=PARALLEL, message=plan.message, color="never", suppress_outputs=True, show_secrets=False,
            remove=plan.removes_stacks, on_output=say, on_error=say,
        )  # fmt: skip
    return True


def _last_line(error: Exception) -> str:
    """The last thing that the CLI complained about; the rest was shown as it came."""
    text = str(error).rpartition(" stderr: ")[2] if " stderr: " in str(error) else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "the CLI did not say why; its output is above"


# --- taking down ----------------------------------------------------------------------------------

DELETION_PROTECTION: Final = ("deletionProtection", "deletionProtectionEnabled", "enableDeletionProtection")


def check_down(plan: Plan, pulumi: Pulumi) -> None:
    """See to it that a destruction does not stop halfway, before it begins. Raises: StillProtected.

    Protected resources are not left out: what remained would be neither an environment nor nothing.
    """
    going = set(plan.targets)
    states = {target: pulumi.read_resources(target) for target in plan.targets}
    for target in find_dependents(plan.targets):
        if target not in going and pulumi.read_resources(target):
            raise StillProtected(f"{target.name} stands on it: take that down first")
    problems = [text for target, resources in states.items() for text in _protections(target, resources)]
    if problems:
        raise StillProtected(f"nothing was destroyed, {plan.env} is protected: {'; '.join(problems)}")


def find_dependents(targets: tuple[Target, ...]) -> list[Target]:
    """Every stack of the environment that takes something from one of these, in whatever region."""
    from nottermost_platform.targets import find_targets

    names = {(target.stack, target.place.region) for target in targets}
    found = []
    for target in find_targets(targets[0].place.env):
        for name, requirement in stack_module(target.stack).REQUIRES.items():
            region = PRIMARY if requirement.primary else target.place.region
            if (name, region) in names and name != target.stack:
                found.append(target)
                break
    return found


def _protections(target: Target, resources: list[dict[str, Any]]) -> Iterator[str]:
    kept = [each for each in resources if each.get("protect")]
    if kept:
        yield f"{len(kept)} resources of {target.name} (pulumi state unprotect --all --stack {target.place.stack})"
    for each in resources:
        outputs = each.get("outputs") or {}
        if any(outputs.get(key) in (True, "ACTIVE") for key in DELETION_PROTECTION):
            yield f"deletion protection of {str(each.get('urn')).rpartition('::')[2]} in {target.name}"


def render_down_steps(plan: Plan) -> Iterator[str]:
    """How a production environment goes: the two steps, with their commands."""
    stacks = dict.fromkeys(target.place.stack for target in plan.targets)
    yield f"{plan.env} goes down in two steps:"
    yield "1. Take off what protects it, with a second person looking on: in the folder of each stack, with"
    yield f"   PULUMI_BACKEND_URL='{plan.backend}',"
    for stack in stacks:
        yield f"     pulumi state unprotect --all --yes --stack {stack}"
    yield "   in AWS, switch deletion protection off (databases, tables, load balancers, user pool), then let the state see it:"
    for stack in stacks:
        yield f"     pulumi refresh --yes --stack {stack}"
    yield "2. Destroy what is left unprotected; nothing is touched while anything is still protected:"
    yield f"     nottermost env down {plan.env} --confirm {plan.env} --break-glass 'why'"
