"""An environment's graph as rules ask it: by type, by path, and along what its values refer to."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from nottermost_platform.graph import Graph, Resource, StackGraph
from nottermost_platform.naming import NAMED, environment_class
from nottermost_platform.reachability import (
    Exposure,
    Reach,
    SubnetRoutes,
    find_exposures,
    find_places,
    find_reaches,
    find_routes,
)
from nottermost_platform.tokens import fill_outputs

T = TypeVar("T")
PROVIDER: Final = "pulumi:providers:aws"


class View:
    """Indexes over one graph, of mode `known`.

    What a value refers to is read from the value itself: every placeholder that stands for an id, a name, an ARN or
    another output is unique to its resource, so a changed value refers to something else at once.
    """

    def __init__(self, graph: Graph, like: "View | None" = None) -> None:
        """`like`: a view of a graph that shares most of its resources; what is known of those is not read again."""
        self.graph = graph
        self.env_class = environment_class(graph.env)
        self.resources = [each for each in graph.resources() if each.is_aws or each.type == PROVIDER]
        self._known: dict[int, _Texts] = like._known if like else {}
        self._like = like
        before = {id(each) for each in like.resources} if like else set[int]()
        now = {id(each) for each in self.resources}
        self._gone = [each for each in like.resources if id(each) not in now] if like else []
        self._new = [each for each in self.resources if id(each) not in before]

    @property
    def is_prod(self) -> bool:
        return self.env_class == "prod"

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.resources:
            found[resource.type].append(resource)
        return found

    @cached_property
    def stacks(self) -> Mapping[str, StackGraph]:
        """The stack of each resource, by URN."""
        return {resource.urn: stack for stack in self.graph.stacks for resource in stack.resources}

    @cached_property
    def _accounts(self) -> Mapping[str, str]:
        return {stack.name: _account(stack) for stack in self.graph.stacks}

    def of(self, *types: str) -> list[Resource]:
        """Every resource of these types, as `ec2/vpc:Vpc`."""
        return [resource for type_ in types for resource in self._by_type.get(f"aws:{type_}", ())]

    def named(self, resource: Resource) -> str:
        """`<stack>.<region>/<name>`, as people and suppressions call it."""
        stack = self.stacks[resource.urn]
        return f"{stack.name}.{stack.region}/{resource.name}"

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        return {each.urn: each for each in self.graph.resources()}

    def name_of(self, urn: str) -> str:
        """As `named`; an id that is no resource of the graph stays as it is."""
        return self.named(self.by_urn[urn]) if urn in self.by_urn else urn

    # --- who reaches what ---------------------------------------------------------------------

    @cached_property
    def reaches(self) -> Mapping[str, list[Reach]]:
        """What gets through to each security group, by its URN."""
        if self._like and not self._moved:
            return self._like.reaches
        return _grouped(find_reaches(self.graph), lambda each: each.target)

    @cached_property
    def exposures(self) -> Mapping[str, list[Exposure]]:
        """How strangers can connect to each resource, by its URN."""
        if self._like and not self._moved:
            return self._like.exposures
        return _grouped(find_exposures(self.graph), lambda each: each.resource)

    @cached_property
    def routes(self) -> Mapping[str, SubnetRoutes]:
        """Where each subnet leads, by its URN."""
        if self._like and not self._moved:
            return self._like.routes
        return {each.subnet: each for each in find_routes(self.graph)}

    @cached_property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """The subnets that each resource stands in, by its URN."""
        if self._like and not self._moved:
            return self._like.places
        return find_places(self.graph)

    @cached_property
    def _moved(self) -> bool:
        """Whether something changed that is part of the network or stands in it."""
        return any(
            each.type in NETWORK or any(found.type in NETWORK for found in self.meant(each.inputs))
            for each in (*self._gone, *self._new)
        )

    # --- references ---------------------------------------------------------------------------

    @cached_property
    def _tokens(self) -> Mapping[str, list[Resource]]:
        found = defaultdict[str, list[Resource]](list, self._like._tokens if self._like else {})
        for resource in self._gone:
            for text in self._before(resource).own:
                found[text] = [each for each in found[text] if each is not resource]
        for resource in self._new if self._like else self.resources:
            for text in self._texts(resource).own:
                found[text] = [*found[text], resource]
        return found

    def _texts(self, resource: Resource) -> "_Texts":
        known = self._known.get(id(resource))
        if known is None or known.resource is not resource:
            held = frozenset(_bare(each) for each in texts(resource.inputs))
            own = _handed_out(resource, self._accounts[self.stacks[resource.urn].name])
            known = self._known[id(resource)] = _Texts(resource, own, held)
        return known

    def _before(self, gone: Resource) -> "_Texts":
        assert self._like is not None
        return self._like._texts(gone)

    def meant(self, value: Any, *types: str) -> list[Resource]:
        """The resources that the texts within a value stand for: of these types, or of any."""
        wanted = {f"aws:{type_}" for type_ in types}
        found = {each.urn: each for text in texts(value) for each in self._tokens.get(_bare(text), ())}
        return [each for each in found.values() if not wanted or each.type in wanted]

    def targets(self, resource: Resource, path: str, *types: str) -> list[Resource]:
        """What the value at a path of a resource's inputs refers to; where regions use a name twice, in its own."""
        found = [each for each in self.meant(get(resource, path), *types) if each.urn != resource.urn]
        return [each for each in found if each.region == resource.region] or found

    @cached_property
    def _users(self) -> Mapping[str, dict[str, Resource]]:
        if self._like is None or self._renamed:
            return self._find_users(self.resources, {})
        gone = {each.urn for each in self._gone}
        kept = {
            urn: {key: user for key, user in users.items() if key not in gone}
            for urn, users in self._like._users.items()
        }
        return self._find_users(self._new, kept)

    def _find_users(
        self, resources: Iterable[Resource], known: Mapping[str, dict[str, Resource]]
    ) -> Mapping[str, dict[str, Resource]]:
        found = defaultdict[str, dict[str, Resource]](dict, known)
        for user in resources:
            for text in self._texts(user).held:
                for each in self._tokens.get(text, ()):
                    if each.urn != user.urn:
                        found[each.urn][user.urn] = user
        return found

    @cached_property
    def _renamed(self) -> bool:
        """Whether something is called otherwise than before, so that what others hold means something else."""
        before = {each.urn: self._before(each).own for each in self._gone}
        return any(before.get(each.urn) != self._texts(each).own for each in self._new)

    def users(self, resource: Resource, *types: str) -> list[Resource]:
        """Who refers to a resource in any of its inputs; of these types, or of any."""
        wanted = {f"aws:{type_}" for type_ in types}
        return [each for each in self._users.get(resource.urn, {}).values() if not wanted or each.type in wanted]

    def users_at(self, resource: Resource, type_: str, path: str) -> list[Resource]:
        """Those of a type whose value at a path refers to a resource."""
        return [each for each in self.users(resource, type_) if resource in self.targets(each, path)]


def _grouped(values: Iterable[T], key: Callable[[T], str]) -> Mapping[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for each in values:
        found[key(each)].append(each)
    return found


NETWORK: Final = frozenset(
    f"aws:{each}"
    for each in (
        "ec2/securityGroup:SecurityGroup",
        "ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "ec2/subnet:Subnet",
        "ec2/vpc:Vpc",
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "ec2/securityGroupRule:SecurityGroupRule",
        "ec2/route:Route",
        "ec2/routeTable:RouteTable",
        "ec2/routeTableAssociation:RouteTableAssociation",
        "ec2/internetGateway:InternetGateway",
        "ec2/natGateway:NatGateway",
        "rds/subnetGroup:SubnetGroup",
        "elasticache/subnetGroup:SubnetGroup",
        "dax/subnetGroup:SubnetGroup",
        "ec2/launchTemplate:LaunchTemplate",
        "ec2/vpcEndpoint:VpcEndpoint",
    )
)


class _Texts(NamedTuple):
    """What stands for a resource, and all that its inputs hold."""

    resource: Resource
    own: set[str]
    held: frozenset[str]


def _account(stack: StackGraph) -> str:
    allowed = next((each.inputs.get("allowedAccountIds") for each in stack.resources if each.type == PROVIDER), None)
    return str(next(iter(parse(allowed) or ()), ""))


def _handed_out(resource: Resource, account: str) -> set[str]:
    """The texts that stand for a resource: its id, name, ARN and other outputs, not what it was given of others."""
    state = fill_outputs(resource.type, resource.urn, resource.inputs, region=resource.region, account=account)
    naming = NAMED[resource.type].property if resource.type in NAMED else "name"
    given = set(texts({key: value for key, value in resource.inputs.items() if key != naming}))
    given.discard(resource.inputs.get(naming, ""))  # a name is its own, also where another property has the same text
    found = {value for name, value in state.items() if isinstance(value, str) and name not in NOT_ITS_OWN}
    return {text for text in found - given - {resource.region, account} if text and text[0] not in "{["}


NOT_ITS_OWN: Final = frozenset(["region", "scope", "status", "type", "description"])


def _bare(text: str) -> str:
    """An ARN without what stands for parts of its resource: objects of a bucket, streams of a log group."""
    return text.removesuffix(":*").removesuffix("/*") if text.startswith("arn:") else text


# --- values -------------------------------------------------------------------------------------


def get(within: Resource | Mapping[str, Any] | None, path: str, default: Any = None) -> Any:
    """The value at a path, as `encryptionInfo.encryptionInTransit.inCluster`; `rules.0` is the first of a list."""
    value: Any = within.inputs if isinstance(within, Resource) else within
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return default
    return default if value is None else value


def items(within: Resource | Mapping[str, Any] | None, path: str) -> list[Any]:
    """The list at a path; a single value is a list of one, nothing is an empty list."""
    value = get(within, path, [])
    return value if isinstance(value, list) else [value]


def number(within: Resource | Mapping[str, Any] | None, path: str) -> float:
    """The number at a path; what is missing or no number is 0."""
    try:
        return float(get(within, path, 0))
    except (TypeError, ValueError):
        return 0.0


def texts(value: Any) -> Iterator[str]:
    """All texts within a value, those of JSON documents too."""
    if isinstance(value, str):
        if value[:1] in ("{", "["):
            yield from texts(parse(value))
        else:
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def parse(text: Any) -> Any:
    """A JSON document; None for what is none."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None
