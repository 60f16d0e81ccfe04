"""What AWS would refuse in the inputs of a resource, beyond what the SDK's classes know (`sdk_check`).

The rules are the tables of `allowed_values`, `limits` and `documents`; here is who applies them, and the few rules
between properties that need code. What is unknown or secret is never judged.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations
from typing import Any, Final

from nottermost_platform.allowed_values import ALLOWED_VALUES
from nottermost_platform.documents import as_list, check_documents, objects, twice
from nottermost_platform.graph import Resource, StackGraph
from nottermost_platform.limits import (
    ACCOUNT_KEYS,
    ARN,
    ARN_KEYS,
    ARNS,
    CHOICES,
    FORMS,
    ID_KEYS,
    NAMES,
    NEEDED,
    NOT_EMPTY,
    ORDERED,
    PORTS,
    RANGES,
    TAG_KEY,
    TAG_VALUE,
    TAGS_MAX,
    Arn,
    Choice,
    at_most_one,
)
from nottermost_platform.naming import PRIMARY

SPECIAL: Final = frozenset(["$unknown", "$secret", "$asset"])
# Maps whose keys are ours and not the SDK's.
MAPS: Final = frozenset(
    ["dimensions", "labelSet", "labels", "parameters", "requestParameters", "tableConfigurations", "tags", "variables"]
)
CIDR_KEYS: Final = re.compile(r"(?:.*[cC]idr|.*[cC]idrBlocks?|cidrIpv[46])$")


def check_resource(resource: Resource) -> Iterator[str]:
    """What is wrong with the inputs of a resource, a sentence each."""
    type_, found = resource.type, Found(resource.inputs)
    for path, where, value in found.leaves:
        yield from _check_leaf(type_, path, where, value, resource.region)
    for path, where, value in found.lists:
        yield from _check_list(type_, path, where, value)
    for where, tags in found.tags:
        yield from _check_tags(tags, where)
    for choice in (*CHOICES.get(type_, ()), *(at_most_one(*names) for names in NAMES)):
        yield from _check_choice(choice, found)
    yield from _check_needed(type_, resource.inputs)
    yield from _check_order(type_, found)
    yield from check_documents(type_, resource.inputs)
    if rule := BETWEEN.get(type_):
        yield from rule(resource)


def is_special(value: Any) -> bool:
    """Whether a value is unknown, secret or an asset."""
    return isinstance(value, Mapping) and not SPECIAL.isdisjoint(value)


def blocks(value: Any) -> list[Mapping[str, Any]]:
    """The blocks of a list, or the one block, as far as they are known."""
    return [each for each in objects(value) if not is_special(each)]


class Found:
    """The inputs of a resource by path: `leaves` and `lists` as (path, where it is exactly, value), `blocks` by path."""

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self.leaves: list[tuple[str, str, Any]] = []
        self.lists: list[tuple[str, str, list[Any]]] = []
        self.tags: list[tuple[str, Mapping[str, Any]]] = []
        self.blocks: dict[str, list[tuple[str, Mapping[str, Any]]]] = {"": [("", inputs)]}
        self._walk(inputs, "", "")

    def number(self, path: str) -> float | None:
        """The number at a path, None where there is none or more than one."""
        values = [value for at, _, value in self.leaves if at == path]
        return values[0] if len(values) == 1 and isinstance(values[0], int | float) else None

    def _walk(self, block: Mapping[str, Any], path: str, where: str) -> None:
        for key, value in block.items():
            at, exactly = (f"{path}.{key}", f"{where}.{key}") if path else (key, key)
            if key == "tags" and isinstance(value, Mapping) and not is_special(value):
                self.tags.append((exactly, value))
            elif key not in MAPS or not isinstance(value, Mapping):
                self._add(value, at, exactly)

    def _add(self, value: Any, path: str, where: str) -> None:
        if value is None or is_special(value):
            return
        if isinstance(value, Mapping):
            self.blocks.setdefault(path, []).append((f"{where}.", value))
            self._walk(value, path, where)
        elif isinstance(value, list):
            self.lists.append((path, where, value))
            for number, each in enumerate(value):
                self._add(each, path, f"{where}[{number}]")
        else:
            self.leaves.append((path, where, value))


# --- one value ----------------------------------------------------------------------------------


def _check_leaf(type_: str, path: str, where: str, value: Any, region: str) -> Iterator[str]:
    key = path.rpartition(".")[2]
    if isinstance(value, str):
        allowed = ALLOWED_VALUES.get(type_, {}).get(path)
        if allowed is not None and value not in allowed:
            yield f"{where}: {value!r} is not one of {', '.join(sorted(allowed))}"
        if (form := FORMS.get(type_, {}).get(path)) and not _compiled(form).fullmatch(value):
            yield f"{where}: {value[:80]!r} ({len(value)} characters) is not of the form {form}"
        if value == "" and path in NOT_EMPTY.get(type_, ()):
            yield f"{where}: must not be empty"
        yield from _check_reference(type_, path, where, value, region)
        if CIDR_KEYS.match(key):
            yield from _check_cidr(key, where, value)
        if key == "availabilityZone" and not re.fullmatch(rf"{region}[a-z]", value):
            yield f"{where}: {value!r} is no availability zone of {region}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        limits = RANGES.get(type_, {}).get(path)
        if isinstance(limits, tuple) and not limits[0] <= value <= limits[1]:
            yield f"{where}: {value} is not from {limits[0]} to {limits[1]}"
        elif isinstance(limits, frozenset) and value not in limits:
            shown = sorted(limits)
            yield f"{where}: {value} is not one of {', '.join(map(str, shown[:24]))}{' ...' if len(shown) > 24 else ''}"
        elif limits is None and key in PORTS and not 0 <= value <= 65535:
            yield f"{where}: {value} is not a port; 0 to 65535 are"


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form)


@cache
def _id_form(key: str) -> re.Pattern[str] | None:
    return next((form for keys, form in ID_KEYS if keys.fullmatch(key)), None)


@cache
def _arn_of(type_: str, path: str) -> Arn | None:
    key = path.rpartition(".")[2]
    return ARNS.get(type_, {}).get(path) or next((arn for keys, arn in ARN_KEYS if keys.fullmatch(key)), None)


def _check_reference(type_: str, path: str, where: str, value: str, region: str) -> Iterator[str]:
    key = path.rpartition(".")[2]
    if (form := _id_form(key)) and not form.fullmatch(value):
        yield f"{where}: {value!r} is not an id, as {form.pattern}"
    if key in ACCOUNT_KEYS and not re.fullmatch(r"\d{12}", value):
        yield f"{where}: {value!r} is not an account, which has 12 digits"
    arn = _arn_of(type_, path)
    if arn is None or value == "*":
        return
    parts = ARN.fullmatch(value)
    if parts is None:
        yield f"{where}: {value!r} is not an ARN"
        return
    service, there, _, rest = parts.groups()
    if (arn.services and service not in arn.services) or not rest.startswith(arn.kind):
        yield f"{where}: {value!r} is not an ARN of {', '.join(sorted(arn.services or ()))} {arn.kind}".rstrip()
    elif arn.local and there not in (region, ""):
        yield f"{where}: {value!r} is not in {region}, where the resource is"


def _check_cidr(key: str, where: str, value: str) -> Iterator[str]:
    wants_6, is_6 = "pv6" in key, ":" in value
    if wants_6 != is_6 and ("pv" in key or key in ("cidrBlock", "destinationCidrBlock")):
        yield f"{where}: {value!r} is IPv{6 if is_6 else 4}, expected is IPv{6 if wants_6 else 4}"
        return
    try:
        IPv6Network(value) if is_6 else IPv4Network(value)
    except ValueError as error:
        yield f"{where}: {error}"


def _check_list(type_: str, path: str, where: str, value: list[Any]) -> Iterator[str]:
    if path in NOT_EMPTY.get(type_, ()) and not any(each not in ("", None) for each in value):
        yield f"{where}: must not be empty"
    yield from (f"{where}[{number}]: nothing is there" for number, each in enumerate(value) if each is None)


# --- several properties -----------------------------------------------------------------------


def _check_choice(choice: Choice, found: Found) -> Iterator[str]:
    for where, block in found.blocks.get(choice.path, ()):
        given = [key for key in choice.keys if block.get(key) is not None]
        if choice.low <= len(given) <= choice.high:
            continue
        wanted = {(1, 1): "exactly one", (0, 1): "at most one"}.get((choice.low, choice.high), "at least one")
        yield f"{where}{choice.keys[0]}: {wanted} of {', '.join(choice.keys)} is given, not {', '.join(given) or 'none'}"


def _check_needed(type_: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    for key, expected, needed in NEEDED.get(type_, ()):
        given = inputs.get(key)
        if given is None or is_special(given) or (expected is not ... and given != expected):
            continue
        because = key if expected is ... else f"{key} {expected!r}"
        yield from (f"{each}: is required with {because}" for each in needed if each not in inputs)


def _check_order(type_: str, found: Found) -> Iterator[str]:
    for low, high, may_be_equal in ORDERED.get(type_, ()):
        first, last = found.number(low), found.number(high)
        if first is not None and last is not None and (first > last or (first == last and not may_be_equal)):
            yield f"{low}: {first} must be {'at most' if may_be_equal else 'below'} {high}, {last}"


def _check_tags(tags: Mapping[str, Any], where: str) -> Iterator[str]:
    if len(tags) > TAGS_MAX:
        yield f"{where}: {len(tags)} tags, {TAGS_MAX} are allowed"
    for key, value in tags.items():
        if not TAG_KEY.fullmatch(key):
            yield f"{where}: {key[:140]!r} is no key of a tag: up to 128 letters, digits, spaces and _.:/=+-@, not aws:"
        if isinstance(value, str) and not TAG_VALUE.fullmatch(value):
            yield f"{where}.{key}: {value[:260]!r} is no value of a tag: up to 256 letters, digits, spaces and _.:/=+-@"


def _check_table(resource: Resource) -> Iterator[str]:
    """The attributes of a table are exactly its keys and those of its indexes."""
    inputs = resource.inputs
    attributes, global_, local = (
        inputs.get(key, []) for key in ("attributes", "globalSecondaryIndexes", "localSecondaryIndexes")
    )
    if any(map(is_special, (attributes, global_, local, *as_list(attributes), *as_list(global_), *as_list(local)))):
        return
    names = [each.get("name") for each in blocks(attributes)]
    schemas = (inputs, *blocks(global_), *blocks(local))
    keys = [each[key] for each in schemas for key in ("hashKey", "rangeKey") if each.get(key)]
    if any(map(is_special, (*keys, *names))):
        return
    yield from (
        f"attributes: {missing} is a key and has no attribute" for missing in sorted(set(keys).difference(names))
    )
    yield from (f"attributes: {name} is no key; only keys are declared" for name in names if name not in keys)
    yield from twice(names, "attributes:")


# CPU units to MiB of a task on Fargate (AWS_Fargate.html, task CPU and memory).
FARGATE: Final = {
    256: frozenset([512, 1024, 2048]),
    512: frozenset(range(1024, 4097, 1024)),
    1024: frozenset(range(2048, 8193, 1024)),
    2048: frozenset(range(4096, 16385, 1024)),
    4096: frozenset(range(8192, 30721, 1024)),
    8192: frozenset(range(16384, 61441, 4096)),
    16384: frozenset(range(32768, 122_881, 8192)),
}


def _check_task(resource: Resource) -> Iterator[str]:
    """A task on Fargate has one of its sizes, and its containers fit."""
    inputs = resource.inputs
    if "FARGATE" not in as_list(inputs.get("requiresCompatibilities")):
        return
    if inputs.get("networkMode") != "awsvpc" and not is_special(inputs.get("networkMode")):
        yield f"networkMode: Fargate needs awsvpc, not {inputs.get('networkMode')!r}"
    sizes = {key: int(inputs[key]) for key in ("cpu", "memory") if str(inputs.get(key)).isdigit()}
    if len(sizes) == 2 and sizes["memory"] not in FARGATE.get(sizes["cpu"], ()):
        yield f"cpu, memory: Fargate has no task of {sizes['cpu']} units and {sizes['memory']} MiB"
    containers = _containers(inputs)
    for key, there in sizes.items():
        taken = sum(each[key] for each in containers if isinstance(each.get(key), int))
        if taken > there:
            yield f"containerDefinitions: need {taken} {key} together, the task has {there}"
    volumes = as_list(inputs.get("volumes"))
    names = [each.get("name") for each in blocks(volumes)]
    for mount in (mount for each in containers for mount in objects(each.get("mountPoints"))):
        if mount.get("sourceVolume") not in names and not any(map(is_special, (*volumes, *names))):
            yield f"containerDefinitions: there is no volume {mount.get('sourceVolume')!r}"


def _containers(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    try:
        return objects(json.loads(inputs.get("containerDefinitions", "")))
    except (TypeError, ValueError):
        return []  # unknown, or not JSON: said elsewhere


def _check_cluster(resource: Resource) -> Iterator[str]:
    brokers = resource.inputs.get("numberOfBrokerNodes")
    for block in blocks(resource.inputs.get("brokerNodeGroupInfo")):
        subnets = block.get("clientSubnets")
        if isinstance(brokers, int) and isinstance(subnets, list) and subnets and brokers % len(subnets):
            yield f"numberOfBrokerNodes: {brokers} is not a multiple of the {len(subnets)} client subnets"


def _check_fifo(resource: Resource) -> Iterator[str]:
    name, fifo = resource.inputs.get("name"), resource.inputs.get("fifoQueue", resource.inputs.get("fifoTopic", False))
    if isinstance(name, str) and isinstance(fifo, bool) and name.endswith(".fifo") != fifo:
        yield f"name: {name!r} {'must end with .fifo' if fifo else 'ends with .fifo and is none'}"


def _check_distribution(resource: Resource) -> Iterator[str]:
    """What a distribution uses is in us-east-1, and its behaviours lead to its origins."""
    inputs = resource.inputs
    certificates = [each.get("acmCertificateArn") for each in blocks(inputs.get("viewerCertificate"))]
    for key, value in (("webAclId", inputs.get("webAclId")), *(("acmCertificateArn", each) for each in certificates)):
        arn = ARN.fullmatch(value) if isinstance(value, str) else None
        if arn is not None and arn[2] != PRIMARY:
            yield f"{key}: {value!r} is not in {PRIMARY}, where CloudFront looks for it"
    leads_to = [each for key in ("origins", "originGroups") for each in as_list(inputs.get(key))]
    origins = [each.get("originId") for each in blocks(leads_to)]
    yield from twice(origins, "origins:")
    for key in ("defaultCacheBehavior", "orderedCacheBehaviors"):
        for behaviour in blocks(inputs.get(key)):
            target = behaviour.get("targetOriginId")
            if isinstance(target, str) and target not in origins and not any(map(is_special, (*leads_to, *origins))):
                yield f"{key}.targetOriginId: there is no origin {target!r}"


def _check_web_acl(resource: Resource) -> Iterator[str]:
    if resource.inputs.get("scope") == "CLOUDFRONT" and resource.region != PRIMARY:
        yield f"scope: CLOUDFRONT is possible in {PRIMARY} only, not in {resource.region}"
    for key in ("priority", "name"):
        yield from twice((each.get(key) for each in blocks(resource.inputs.get("rules"))), f"rules: {key}")


def _check_alarm(resource: Resource) -> Iterator[str]:
    """One query of an alarm returns its figure; they have ids of their own."""
    queries = as_list(resource.inputs.get("metricQueries"))
    yield from twice((each.get("id") for each in blocks(queries)), "metricQueries: id")
    returned = [each.get("returnData") for each in blocks(queries)]
    if queries and returned.count(True) != 1 and not any(map(is_special, (*queries, *returned))):
        yield "metricQueries: exactly one has returnData"


BETWEEN: Final[dict[str, Callable[[Resource], Iterator[str]]]] = {
    "aws:cloudfront/distribution:Distribution": _check_distribution,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _check_alarm,
    "aws:dynamodb/table:Table": _check_table,
    "aws:ecs/taskDefinition:TaskDefinition": _check_task,
    "aws:msk/cluster:Cluster": _check_cluster,
    "aws:sns/topic:Topic": _check_fifo,
    "aws:sqs/queue:Queue": _check_fifo,
    "aws:wafv2/webAcl:WebAcl": _check_web_acl,
}


# --- several resources --------------------------------------------------------------------------


def check_together(stack: StackGraph) -> Iterator[tuple[str, str]]:
    """What resources of a stack do to each other, as (URN, sentence)."""
    yield from _check_subnets(stack)
    yield from _check_priorities(stack)


def _check_subnets(stack: StackGraph) -> Iterator[tuple[str, str]]:
    """Subnets lie in their VPC and apart from each other."""
    vpcs = {each.urn: _network(each) for each in stack.resources if each.type == "aws:ec2/vpc:Vpc"}
    subnets = defaultdict(list)
    for each in stack.resources:
        network = _network(each) if each.type == "aws:ec2/subnet:Subnet" else None
        for vpc in each.property_dependencies.get("vpcId", []):
            if network is not None and (around := vpcs.get(vpc)) is not None:
                subnets[vpc].append((each, network))
                if not network.subnet_of(around):
                    yield each.urn, f"cidrBlock: {network} is not in {around}, its VPC"
    for together in subnets.values():
        for (_, one), (each, other) in combinations(together, 2):
            if one.overlaps(other):
                yield each.urn, f"cidrBlock: {other} overlaps {one}, another subnet of its VPC"


def _network(resource: Resource) -> IPv4Network | None:
    """The addresses of a VPC or subnet; None where they are unknown or wrong, which `check_resource` says."""
    try:
        return IPv4Network(resource.inputs.get("cidrBlock", ""))
    except (TypeError, ValueError):
        return None


def _check_priorities(stack: StackGraph) -> Iterator[tuple[str, str]]:
    """The rules of a listener have priorities of their own."""
    taken: dict[tuple[str, int], str] = {}
    for each in stack.resources:
        listener, priority = each.inputs.get("listenerArn"), each.inputs.get("priority")
        if each.type != "aws:lb/listenerRule:ListenerRule" or is_special(listener) or is_special(priority):
            continue
        if (other := taken.setdefault((str(listener), priority or 0), each.name)) != each.name:
            yield each.urn, f"priority: {priority} is that of {other} too"
