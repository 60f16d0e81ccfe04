"""How much the rules notice: one thing of a real graph made worse at a time, and whether any rule says so.

What is changed is everything that an attacker, or an accident, would like to have changed: switches, references to
keys, groups and logs, choices of protocols, how long and how often things are kept, address ranges, statements of
policies, companions that guard another resource, protection, tags.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from nottermost_conventions.errors import NottermostError
from nottermost_platform.allowed_values import ALLOWED_VALUES
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import NAMED
from nottermost_platform.program import ROOT
from nottermost_platform.rules.engine import RULES, Violation, evaluate
from nottermost_platform.rules.view import View, items, parse
from nottermost_platform.sdk_check import check_inputs
from nottermost_platform.validators import check_resource

SURVIVORS: Final = ROOT / "platform" / "mutation-survivors.yaml"


class Operator(StrEnum):
    """What is done to a property or a resource."""

    FLIP = "flip"  # a switch
    DROP = "drop"  # a reference to another resource
    CHOOSE = "choose"  # an allowed value that says off, open, plain or old
    ZERO = "zero"  # a number that says how long, how many, how strict
    OPEN = "open"  # an address range
    WIDEN = "widen"  # a statement of a policy
    REMOVE = "remove"  # a resource that guards another
    UNPROTECT = "unprotect"  # an option, or the tags


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One resource with one thing made worse.

    Attributes:
        path: within its inputs, places of lists as `*`; "" for the whole resource.
        to: the new value, in words.
        resource: as it is now; None where it is taken away.
    """

    operator: Operator
    urn: str
    type: str
    name: str
    path: str
    to: str
    resource: Resource | None

    @property
    def kind(self) -> str:
        """What it has in common with others, and what a list of survivors names."""
        return f"{self.operator} {self.type.removeprefix('aws:')} {self.path or '-'} {self.to}"


STRICT: Final = re.compile(  # last word of a number's path: how long, how many, how strict
    r"(?i)retention|days|window|validity|minimum|history|reuse|maxage|receivecount|visibility|idletimeout|interval$"
    r"|replication|nodes$|clusters$|instancecount|mastercount|zonecount|mincapacity|deleteafter|evaluationperiods|limit$"
    r"|healthypercent|stoptimeout|hoplimit|datapoints"
)
WEAK: Final = re.compile(  # a choice that says off, open, plain, old, or less
    r"(?i)(^|[-_ ])(off|none|no|disabled?|suspended|inactive|never|open|public|any|all|plaintext|plain|http|tcp|optional"
    r"|mutable|legacy|audit|count|allow|basic|default|standard|email|password|governance|monitor|lowest|once|delete"
    r"|ignore|single|passthrough|snapshot)($|[-_ ])|tls.?v?1.?[01]($|[^0-9.])|201[0-9]|aes256|sse_s3|rsa_1024|sslv3|allow-all"
)
GUARDS: Final = re.compile(  # types whose only purpose is to keep something else safe, or to tell of it
    r"PublicAccessBlock|BucketPolicy|Versioning|OwnershipControls|ServerSideEncryption|BucketLogging|LifecycleConfiguration"
    r"|ObjectLock|FlowLog|DefaultSecurityGroup|WebAclAssociation|LoggingConfiguration|SecretRotation|QueuePolicy|TopicPolicy"
    r"|RedrivePolicy|MetricAlarm|EventSubscription|VaultLock|Selection|Detector|RecorderStatus|Trail|Analyzer|PasswordPolicy"
    r"|EncryptionByDefault|BlockPublicAccess|MetadataDefaults|LifecyclePolicy|appautoscaling/policy|VpcEndpoint"
    r"|BucketReplicationConfig|LogResourcePolicy|ResourcePolicy|AnomalyMonitor|AnomalySubscription|Budget|TopicSubscription"
)
SKIPPED: Final = frozenset({"tags", "tagsAll", "dashboardBody"})  # tags are one change; a dashboard is a picture


def find_mutants(view: View) -> Iterator[Mutant]:
    """Each kind of change once: at the first resource that it is possible of, those of the primary region first."""
    seen: set[str] = set()
    for resource in sorted(view.resources, key=lambda each: (each.region != "us-east-1", each.urn)):
        if resource.is_aws:
            for mutant in _mutants(resource, view):
                key = f"{mutant.kind} {_setting(mutant, resource)}"
                if key not in seen:
                    seen.add(key)
                    yield mutant


def _setting(mutant: Mutant, resource: Resource) -> str:
    """What tells two changes of one kind apart: of a policy, whose it is; of all else, nothing."""
    return resource.name if mutant.operator is Operator.WIDEN else ""


def _mutants(resource: Resource, view: View) -> Iterator[Mutant]:
    def make(operator: Operator, path: tuple[Any, ...], to: str, new: Resource | None) -> Mutant:
        said = ".".join("*" if isinstance(each, int) else str(each) for each in path)
        return Mutant(
            operator=operator, urn=resource.urn, type=resource.type, name=resource.name, path=said, to=to, resource=new
        )

    def with_value(path: tuple[Any, ...], value: Any) -> Resource:
        return msgspec.structs.replace(resource, inputs=_put(resource.inputs, path, value))

    for path, value in _leaves(resource.inputs):
        for operator, to, new in _worse(resource, path, value, view):
            worse = with_value(path, new)
            if not _refused(worse):
                yield make(operator, path, to, worse)
    for path, to, document in _wider(resource.inputs):
        yield make(Operator.WIDEN, path, to, with_value(path, document))
    if GUARDS.search(resource.type):
        yield make(Operator.REMOVE, (), "nothing", None)
    if resource.options.protect:
        options = msgspec.structs.replace(resource.options, protect=False)
        yield make(
            Operator.UNPROTECT, ("options", "protect"), "false", msgspec.structs.replace(resource, options=options)
        )
    if resource.options.ignore_changes:
        options = msgspec.structs.replace(resource.options, ignore_changes=[])
        yield make(
            Operator.UNPROTECT, ("options", "ignoreChanges"), "none", msgspec.structs.replace(resource, options=options)
        )
    if resource.tags:
        yield make(Operator.UNPROTECT, ("tags",), "none", msgspec.structs.replace(resource, tags={}))


DROPPED: Final = object()


def _refused(mutant: Resource) -> bool:
    """Whether AWS would not take it: no such thing can be deployed, so it proves nothing."""
    return any(check_inputs(mutant.type, mutant.inputs)) or any(check_resource(mutant))


def _worse(resource: Resource, path: tuple[Any, ...], value: Any, view: View) -> Iterator[tuple[Operator, str, Any]]:
    """A value's worse ones: operator, words, value."""
    last = next((str(each) for each in reversed(path) if isinstance(each, str)), "")
    match value:
        case bool():
            yield Operator.FLIP, str(not value).lower(), not value
        case "true" | "false":
            yield Operator.FLIP, "false" if value == "true" else "true", "false" if value == "true" else "true"
        case int() | float() if value and STRICT.search(last):
            yield Operator.ZERO, "0", 0
        case str() if _is_range(value):
            yield Operator.OPEN, "anywhere", "::/0" if ":" in value else "0.0.0.0/0"
        case str():
            plain = ".".join(each for each in path if isinstance(each, str))
            choices = ALLOWED_VALUES.get(resource.type, {}).get(plain, frozenset())
            for other in sorted(choices - {value}):
                if WEAK.search(other) and not WEAK.search(value):
                    yield Operator.CHOOSE, other, other
            named = resource.type in NAMED and NAMED[resource.type].property == plain
            if not choices and not named and any(each.urn != resource.urn for each in view.meant(value)):
                yield Operator.DROP, "nothing", DROPPED


def _is_range(value: str) -> bool:
    try:
        return "/" in value and ip_network(value, strict=False).prefixlen > 0
    except ValueError:
        return False


# --- policies -------------------------------------------------------------------------------------


def _wider(inputs: Mapping[str, Any]) -> Iterator[tuple[tuple[str], str, str]]:
    """Each policy document among the inputs, with one statement made wider at a time."""
    for key, value in inputs.items():
        document = parse(value) if isinstance(value, str) and value.startswith("{") else None
        if isinstance(document, Mapping) and "Statement" in document:
            statements = items(document, "Statement")
            for place, statement in enumerate(statements):
                for to, new in _wider_statements(statement):
                    kept = [*statements[:place], *([new] if new else []), *statements[place + 1 :]]
                    yield (key,), f"{to} of {_action(statement)}", json.dumps({**document, "Statement": kept})


def _wider_statements(statement: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    if statement.get("Effect") == "Deny":
        yield "without the refusal", None
        return
    if statement.get("Action") not in ("*", ["*"]):
        yield "any action", {**statement, "Action": "*"}
    if "Resource" in statement and statement["Resource"] not in ("*", ["*"]):
        yield "any resource", {**statement, "Resource": "*"}
    if "Principal" in statement and statement["Principal"] != "*":
        yield "anybody", {**statement, "Principal": "*"}
    if "Condition" in statement:
        yield "without its condition", {key: value for key, value in statement.items() if key != "Condition"}


def _action(statement: Mapping[str, Any]) -> str:
    return str(next(iter(items(statement, "Action")), "?"))


# --- values ---------------------------------------------------------------------------------------


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every plain value with its path; JSON documents are gone into, policies are not."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key not in SKIPPED:
                yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _leaves(each, (*path, place))
    elif isinstance(value, str) and value[:1] in ("{", "["):
        document = parse(value)
        if document is not None and not (isinstance(document, Mapping) and "Statement" in document):
            yield from _leaves(document, path)
    else:
        yield path, value


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at a path; JSON documents on the way are opened and closed."""
    if not path:
        return new
    if isinstance(value, str):
        return json.dumps(_put(parse(value), path, new), sort_keys=True, separators=(",", ":"))
    copied: Any = list(value) if isinstance(value, list) else dict(value)
    key, rest = path[0], path[1:]
    if not rest and new is DROPPED:
        del copied[key]
    else:
        copied[key] = _put(copied[key], rest, new)
    return copied


# --- whether it is noticed --------------------------------------------------------------------------


def find_notice(mutant: Mutant, view: View, before: frozenset[Violation]) -> str | None:
    """The rule that says something of a mutant that none said before; near the change first, then everywhere."""
    changed = View(_replace(view.graph, mutant), like=view)
    far = [rule for rule in RULES.values() if rule.types]  # a rule of every type looks at its resource alone
    for rules, resources in ((RULES.values(), _near(mutant, view, changed)), (far, None)):
        for violation in evaluate(changed, rules, resources):
            if violation not in before:
                return violation.rule
    return None


def _near(mutant: Mutant, view: View, changed: View) -> list[Resource]:
    """The resource, what it refers to and who refers to it, before and after."""
    old = view.by_urn[mutant.urn]
    around = [mutant.resource or old, *view.meant(old.inputs), *view.users(old)]
    return [changed.by_urn[urn] for urn in dict.fromkeys(each.urn for each in around) if urn in changed.by_urn]


def _replace(graph: Graph, mutant: Mutant) -> Graph:
    stacks = list(graph.stacks)
    for place, stack in enumerate(stacks):
        if any(each.urn == mutant.urn for each in stack.resources):
            kept = [mutant.resource if each.urn == mutant.urn else each for each in stack.resources]
            stacks[place] = msgspec.structs.replace(stack, resources=[each for each in kept if each is not None])
    return msgspec.structs.replace(graph, stacks=stacks)


# --- the measurement ------------------------------------------------------------------------------


class BadSurvivors(NottermostError):
    """The list of what survives cannot be read."""

    code = "bad_survivors"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, by operator, and what nothing noticed."""

    tried: dict[Operator, int]
    survivors: list[Mutant]

    @property
    def mutants(self) -> int:
        return sum(self.tried.values())

    @property
    def share(self) -> float:
        """Noticed, 0 to 1."""
        return 1 - len(self.survivors) / self.mutants if self.mutants else 0.0


class Survivor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why no rule says anything of a kind of change; `change`: a glob over `Mutant.kind`."""

    change: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        return fnmatchcase(mutant.kind, self.change.replace("[", "[[]"))


def measure(view: View) -> Measured:
    """Try every kind of change. Takes about half a minute for production."""
    before = frozenset(evaluate(view, RULES.values()))
    mutants = list(find_mutants(view))
    tried = {operator: sum(each.operator is operator for each in mutants) for operator in Operator}
    survivors = [each for each in mutants if find_notice(each, view, before) is None]
    return Measured(tried=tried, survivors=sorted(survivors, key=lambda each: (each.kind, each.urn)))


def load_survivors(path: Path = SURVIVORS) -> list[Survivor]:
    """The reasons. Raises: BadSurvivors."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_text()) or [], list[Survivor])
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadSurvivors(f"{path.name} cannot be read: {error}; a line has `change` and `reason`") from error


def find_unexplained(measured: Measured, reasons: list[Survivor]) -> list[Mutant]:
    """Survivors that no line covers."""
    return [each for each in measured.survivors if not any(reason.covers(each) for reason in reasons)]
