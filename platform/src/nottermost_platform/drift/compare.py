"""Judges what was read of an account by the graph: what is missing, what changed, what nobody declared."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Final

from nottermost_platform.checks import OWNERSHIP
from nottermost_platform.differences import LISTED_BY, PropertyChange, differences, parse_text, top_level
from nottermost_platform.drift.kinds import LEFT_OUT, STRICT, UNDECLARED, key_names, place_of
from nottermost_platform.drift.placeholders import ANYTHING, Placeholders
from nottermost_platform.drift.values import EVERY, GLOBAL, Deviation, Drift, Found, Reading, Tagged, Unread
from nottermost_platform.graph import SECRET, Graph, Resource
from nottermost_platform.program import MANAGED_BY
from nottermost_platform.tokens import FORMS

ID_TAG: Final = "nottermost-id"
ROUNDS_MAX: Final = (
    8  # a rule of a listener of a load balancer in a subnet of a network: each is found by the one before
)
MAY_BE_SECRET: Final = re.compile(r"\b(environment|variables)\b", re.IGNORECASE)  # what somebody put there by hand
HIDDEN: Final = "[another, not shown: it may be a secret]"
Key = tuple[str, str, tuple[str, ...]]  # type, region, values


def compare(
    graph: Graph,
    reading: Reading,
    *,
    account: str,
    types: Iterable[str],
    stack: str | None = None,
    region: str | None = None,
) -> Drift:
    """How the account differs from the graph.

    Args:
        graph: all of an environment, `known`.
        types: those that the readers read; of others nothing is said but how many there are.
        stack, region: what is not of them is left out of the result.
    """
    match = Match(graph, reading, account, frozenset(types))
    wanted = [
        each for each in match.resources if stack in (None, match.stacks[each.urn]) and region in (None, each.region)
    ]
    deviations = [*_judge_resources(match, wanted), *_strangers(match, stack, region)]
    deviations += _unexplained(match, wanted, stack, region)
    return Drift(
        env=graph.env, account=account, stack=stack, compared=sum(each.urn in match.found for each in wanted),
        not_compared=_count_others(graph, frozenset(types), stack, region), deviations=sorted(deviations),
    )  # fmt: skip


def _count_others(graph: Graph, types: frozenset[str], stack: str | None, region: str | None) -> dict[str, int]:
    counts = Counter(
        resource.type
        for each in graph.stacks
        if stack in (None, each.name)
        for resource in each.resources
        if resource.is_aws and resource.type not in types and region in (None, resource.region)
    )
    return dict(sorted(counts.items()))


# --- finding them ---------------------------------------------------------------------------------


class Match:
    """Which resource of the graph is which in the account.

    Attributes:
        resources: those of types that are read.
        inputs: of each URN, with the account's ids in place of placeholders.
        found: of each URN what it is in the account. unread: of each URN why nobody knows.
    """

    def __init__(self, graph: Graph, reading: Reading, account: str, types: frozenset[str]) -> None:
        self.stacks = {resource.urn: each.name for each in graph.stacks for resource in each.resources}
        self.ids = {resource.tags[ID_TAG]: resource for resource in graph.resources() if ID_TAG in resource.tags}
        self.resources = [each for each in graph.resources() if each.type in types]
        self.by_urn = {each.urn: each for each in self.resources}
        self.env, self.reading = graph.env, reading
        self.found: dict[str, Found] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.unread: dict[str, Unread] = {}
        self._placeholders = Placeholders(graph, account)
        self._by_id: dict[tuple[str, str], list[Found]] = {}
        self._by_key: dict[Key, Found] = {}
        for each in reading.found:
            self._by_key.setdefault(_key(each.type, each.region, each.properties), each)
            if each.tags and ID_TAG in each.tags:
                self._by_id.setdefault((each.type, each.tags[ID_TAG]), []).append(each)
        self._learn_others(graph, types)
        self._find_all()

    def _learn_others(self, graph: Graph, types: frozenset[str]) -> None:
        """The ids of what is not compared, as far as their tags tell them."""
        arns = {each.tags.get(ID_TAG, ""): each.arn for each in self.reading.tagged}
        for resource in graph.resources():
            if resource.is_aws and resource.type not in types:
                arn = arns.get(resource.tags.get(ID_TAG) or "-", "")
                self._placeholders.learn(resource, {"arn": arn, "id": _id_in(arn, resource)} if arn else {})

    def _find_all(self) -> None:
        """Round by round, since what has no tag is found by the id of what it belongs to."""
        waiting = self.resources
        for _ in range(ROUNDS_MAX):
            left = [each for each in waiting if not self._find(each)]
            if len(left) == len(waiting):
                break
            waiting = left
        for each in waiting:
            self._give_up(each)
        self.inputs = {each.urn: self._placeholders.replace(each.inputs) for each in self.resources}

    def _find(self, resource: Resource) -> bool:
        inputs = self._placeholders.replace(resource.inputs)
        same = self._by_key.get(_key(resource.type, resource.region, inputs)) if key_names(resource.type) else None
        tagged = self._by_id.get((resource.type, resource.tags.get(ID_TAG, "")), [])
        if not tagged and same is None:
            return False
        found = same if same is not None and (same in tagged or not tagged) else tagged[0]
        self.found[resource.urn] = found
        self._placeholders.learn(resource, found.outputs)
        return True

    def _give_up(self, resource: Resource) -> None:
        why = _find_unread(resource, self.inputs.get(resource.urn) or resource.inputs, self.reading.unread)
        if why is None:
            self._placeholders.learn_missing(resource)
        else:
            self.unread[resource.urn] = why
            self._placeholders.learn(resource, {})


def _id_in(arn: str, resource: Resource) -> str:
    form = FORMS.get(resource.type.removeprefix("aws:"), {}).get("id", "")
    return arn if form == "=arn" else re.split(r"[:/]", arn)[-1]


def _key(type_: str, region: str, values: Mapping[str, Any]) -> Key:
    return type_, place_of(type_, region), tuple(_text(values.get(name)) for name in key_names(type_))


def _find_unread(resource: Resource, inputs: Mapping[str, Any], unread: Iterable[Unread]) -> Unread | None:
    place = place_of(resource.type, resource.region)
    names = {EVERY, *(str(inputs.get(name)) for name in key_names(resource.type))}
    for each in unread:
        if each.type == resource.type and each.region == place and each.name in names:
            return each
    return None


# --- what is declared -----------------------------------------------------------------------------


def _judge_resources(match: Match, resources: Iterable[Resource]) -> Iterator[Deviation]:
    for resource in resources:
        found = match.found.get(resource.urn)
        if resource.urn in match.unread:
            yield _deviation("unread", match, resource, note=match.unread[resource.urn].why)
        elif found is None:
            yield _deviation("missing", match, resource)
        elif changes := list(find_changes(resource, match.inputs[resource.urn], found)):
            yield _deviation("changed", match, resource, properties=changes, physical=_physical(found))


def _deviation(kind: Any, match: Match, resource: Resource, **more: Any) -> Deviation:
    more.setdefault("physical", _declared_name(match.inputs[resource.urn], resource.type))
    return Deviation(
        kind=kind, stack=match.stacks[resource.urn], region=resource.region, type=resource.type, name=resource.name,
        urn=resource.urn, **more,
    )  # fmt: skip


def _declared_name(inputs: Mapping[str, Any], type_: str) -> str:
    values = (_text(inputs.get(name)) for name in key_names(type_))
    return " ".join(each for each in values if each).replace(ANYTHING, "…")


def find_changes(resource: Resource, inputs: Mapping[str, Any], found: Found) -> Iterator[PropertyChange]:
    """What was read of a resource and is not as declared; what something else owns at run time never counts.

    Args:
        inputs: with the account's ids in place of placeholders.
    """
    owned = owned_properties(resource)
    defaults = UNDECLARED.get(resource.type, {})
    for name, value in found.properties.items():
        if name not in owned and (name in inputs or name in defaults):
            declared = _without_left_out(name, inputs.get(name, defaults.get(name)))
            yield from _changes(name, declared, value, strict=(resource.type, name) in STRICT)
    if found.tags is not None and "tags" in inputs:
        declared = {**inputs["tags"], "managed-by": MANAGED_BY}
        actual = {key: value for key, value in found.tags.items() if not key.startswith("aws:")}
        yield from _changes("tags", declared, actual, strict=True)


def owned_properties(resource: Resource) -> set[str]:
    """The properties of a resource that the ownership table gives to something else than its program."""
    rows = (each for each in OWNERSHIP.get(resource.type, ()) if each.when is None or each.when(resource))
    return {*(name for each in rows for name in each.properties), *map(top_level, resource.options.ignore_changes)}


def _without_left_out(name: str, declared: Any) -> Any:
    """Without what AWS does not tell or each deployment changes; such blocks are not read strictly."""
    if name not in LEFT_OUT:
        return declared
    parsed = parse_text(declared)
    if isinstance(parsed, list):
        return [_without_left_out(name, each) for each in parsed]
    return {key: value for key, value in parsed.items() if key != LEFT_OUT[name]}


def _changes(name: str, declared: Any, actual: Any, *, strict: bool) -> Iterator[PropertyChange]:
    one, other = _align(declared, actual, strict=strict)
    for each in differences({name: one}, {name: other}):
        after = HIDDEN if each.after and MAY_BE_SECRET.search(each.path) else each.after
        yield PropertyChange(each.path, each.before and each.before.replace(ANYTHING, "…"), after)


def _align(declared: Any, actual: Any, *, strict: bool) -> tuple[Any, Any]:
    """Both in one form, equal where they mean the same, so that what differs is what somebody changed.

    Args:
        strict: whether what is in `actual` alone counts; in JSON documents, such as policies, it always does.
    """
    if declared == SECRET:
        return declared, declared
    parsed, actual = parse_text(declared), parse_text(actual)
    strict = strict or parsed is not declared
    declared = parsed
    if _is_empty(declared) and _is_empty(actual):
        return None, None
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        return _align_mappings(declared, actual, strict=strict)
    if isinstance(declared, list) or isinstance(actual, list):
        return _align_lists(_listed(declared), _listed(actual), strict=strict)
    if _means(declared, actual):
        return actual, actual
    return declared, actual


def _align_mappings(
    declared: Mapping[str, Any], actual: Mapping[str, Any], *, strict: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """By their keys, whose capitals AWS and the SDK write differently."""
    spelled = {key.lower(): key for key in declared}
    values = {spelled.get(key.lower(), key): value for key, value in actual.items()}
    pairs = {key: _align(value, values.get(key), strict=strict) for key, value in declared.items()}
    extra = (
        {key: value for key, value in values.items() if key not in declared and not _is_empty(value)} if strict else {}
    )
    return (
        {key: one for key, (one, _) in pairs.items() if one is not None},
        {**{key: other for key, (_, other) in pairs.items() if other is not None}, **extra},
    )


def _align_lists(declared: list[Any], actual: list[Any], *, strict: bool) -> tuple[list[Any], list[Any]]:
    """In one order: AWS keeps none. Elements that mean the same come first, then those of one name, then the rest."""
    same, left, rest = [], [], list(actual)
    for each in declared:
        twin = next((other for other in rest if _are_same(each, other, strict=strict)), None)
        if twin is None:
            left.append(each)
        else:
            rest.remove(twin)
            same.append(twin)
    left.sort(key=lambda each: (_label(each), _text(each)))
    rest.sort(key=lambda each: (_label(each), _text(each)))
    pairs = [_align(one, other, strict=strict) for one, other in _by_label(left, rest)]
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    return [*same, *(each for each in ones if each is not None)], [
        *same,
        *(each for each in others if each is not None),
    ]


def _by_label(left: list[Any], rest: list[Any]) -> Iterator[tuple[Any, Any]]:
    named = {_label(each): each for each in rest if _label(each)}
    paired = [(each, named.get(_label(each))) for each in left]
    yield from ((one, other) for one, other in paired if other is not None)
    taken = [id(other) for _, other in paired if other is not None]
    alone = [one for one, other in paired if other is None]
    yield from zip_longest(alone, [each for each in rest if id(each) not in taken])


def _are_same(declared: Any, actual: Any, *, strict: bool) -> bool:
    one, other = _align(declared, actual, strict=strict)
    return bool(one == other)


def _label(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    return next((str(item) for key, item in value.items() if key.lower() in LABELS), "")


LABELS: Final = frozenset({*(each.lower() for each in LISTED_BY), "id"})


def _listed(value: Any) -> list[Any]:
    """As a list; a policy says one thing with or without brackets."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | list | Mapping) and not value)


def _means(declared: Any, actual: Any) -> bool:
    one, other = _text(declared), _text(actual)
    if ANYTHING in one:
        return re.fullmatch(".+".join(map(re.escape, one.split(ANYTHING))), other) is not None
    return one == other


def _text(value: Any) -> str:
    """A single value, of whichever type AWS gives it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# --- what is not declared -------------------------------------------------------------------------


def _strangers(match: Match, stack: str | None, region: str | None) -> Iterator[Deviation]:
    """What the readers found that no program declares, then whatever else bears the environment's tags."""
    matched = {id(each) for each in match.found.values()}
    owners = {(found.type, _identity(found)): urn for urn, found in match.found.items()}
    told: set[str] = set()
    for found in match.reading.found:
        if id(found) in matched:
            continue
        owner = owners.get(found.belongs_to) if found.belongs_to else None
        ours = stack is None and _bears_tags(found.tags, match.env)
        if owner and stack in (None, match.stacks[owner]) and region in (None, match.by_urn[owner].region):
            note = f"part of {match.by_urn[owner].name}, which no program declares"
            yield _stranger(match.stacks[owner], match.by_urn[owner].region, found, note)
        elif ours and region in (None, found.region):
            yield _stranger("", found.region, found, _whose(found.tags, match))
        else:
            continue
        told |= {str(each) for each in found.outputs.values()}
    if stack is None:
        for each in match.reading.tagged:
            if region in (None, each.region) and _is_stranger(each, match, told):
                yield Deviation(
                    kind="stranger", stack="", region=each.region, type=":".join(each.arn.split(":")[2:3]),
                    name=re.split(r"[:/]", each.arn)[-1], physical=each.arn, note=_whose(each.tags, match),
                )  # fmt: skip


def _is_stranger(each: Tagged, match: Match, told: set[str]) -> bool:
    """Whether nobody declares it. Copies, as snapshots and replicas, bear the tags of what they were made from."""
    last = re.split(r"[:/]", each.arn)[-1]
    known = each.tags.get(ID_TAG) in match.ids
    return _bears_tags(each.tags, match.env) and not known and each.arn not in told and last not in told


def _bears_tags(tags: Mapping[str, str] | None, env: str) -> bool:
    return tags is not None and tags.get("env") == env and (tags.get("managed-by") == MANAGED_BY or ID_TAG in tags)


def _whose(tags: Mapping[str, str] | None, match: Match) -> str:
    """What its tags say that it is."""
    original = match.ids.get((tags or {}).get(ID_TAG, ""))
    if original is not None:
        return f"bears the tags of {original.type} {original.name}, but is another one"
    return f"bears the tags of {match.env}, and no program declares it"


def _stranger(stack: str, region: str, found: Found, note: str) -> Deviation:
    none: dict[str, Any] = {}
    shown = _without_empty(found.properties)
    return Deviation(
        kind="stranger", stack=stack, region=region, type=found.type, name=_physical(found), physical=_physical(found),
        properties=list(differences(none, shown)), note=note,
    )  # fmt: skip


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if not _is_empty(each)}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


def _identity(found: Found) -> str:
    """What parts of it call it: its id, else what names it."""
    return str(found.outputs.get("id") or next((_text(found.properties.get(key)) for key in key_names(found.type)), ""))


def _physical(found: Found) -> str:
    """What AWS shows it by: its name, else its id."""
    names = (_text(found.properties.get(key)) for key in key_names(found.type))
    return str(found.outputs.get("id") or " ".join(each for each in names if each))


# --- what could not be read -----------------------------------------------------------------------


def _unexplained(
    match: Match, wanted: Iterable[Resource], stack: str | None, region: str | None
) -> Iterator[Deviation]:
    """What could not be read, though nothing that is asked for is declared there: strangers may be."""
    explained = {match.unread[each.urn] for each in wanted if each.urn in match.unread}
    for each in dict.fromkeys(match.reading.unread):
        whose = _stack_of(match, each)
        is_asked_for = region in (None, each.region) or each.region == GLOBAL
        if is_asked_for and each not in explained and (stack in (None, whose) or (not whose and each.type != "tags")):
            yield Deviation(
                kind="unread", stack=whose, region=each.region, type=each.type,
                name=each.name or WHATEVER.get(each.type, "all that are there"), note=each.why,
            )  # fmt: skip


WHATEVER: Final = {"tags": "whatever bears the environment's tags"}


def _stack_of(match: Match, unread: Unread) -> str:
    """The stack of the resource that it names, a bucket; "" where it names none."""
    for each in match.resources if unread.name else ():
        names = {_text(match.inputs[each.urn].get(name)) for name in key_names(each.type)}
        if unread.name in names and place_of(each.type, each.region) == unread.region:
            return match.stacks[each.urn]
    return ""
