"""What every stack's program is made of: the stack, its components, its outputs, what it takes from others.

A stack is a module of `nottermost_platform.stacks` with `NAME`, `Settings`, `LAYERS`, `REQUIRES`,
`Outputs` and `build(stack) -> Outputs`. `run` does it under the Pulumi CLI and under capture alike.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, cast

import pulumi
import pulumi_aws as aws

from nottermost_platform.naming import NAMED, PRIMARY, make_urn, nottermost_id, physical_name, type_token
from nottermost_platform.settings import Layers, Place, SettingsError, SettingsT, StackSettings, load, parse_stack_name

ROOT: Final = Path(__file__).parents[3]  # the repository
OutputsT = TypeVar("OutputsT")
ResourceT = TypeVar("ResourceT", bound=pulumi.Resource)
MANAGED_BY: Final = "pulumi"

# Where a capture wants to see the stack of a program that it runs, a list to put it into.
CURRENT: ContextVar["list[Stack[Any]] | None"] = ContextVar("CURRENT", default=None)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a stack takes from another, or the standby's instance from the primary's under its own name.

    Attributes:
        primary: take it from the primary region's instance, also in the standby.
    """

    outputs: tuple[str, ...]
    primary: bool = False


class StackModule(Protocol):
    """A module of `nottermost_platform.stacks`."""

    __file__: str
    NAME: str
    EACH_REGION: bool  # else in the primary only
    Settings: type[StackSettings]
    LAYERS: Layers
    REQUIRES: Mapping[str, Requirement]
    Outputs: type[Any]

    def build(self, stack: "Stack[Any]", /) -> Any: ...


class Stack(Generic[SettingsT]):
    """The stack that a program declares.

    Attributes:
        defaults: options for what hangs directly on the stack: its one provider.
    """

    def __init__(self, name: str, place: Place, settings: SettingsT, requires: Mapping[str, Requirement]) -> None:
        self.name, self.place, self.settings, self.requires = name, place, settings, requires
        self.project = f"nottermost-{name}"
        self.used: dict[str, set[str]] = {other: set() for other in requires}
        provider = aws.Provider(
            "aws",
            region=place.region,
            allowed_account_ids=[settings.account_id],
            default_tags=aws.ProviderDefaultTagsArgs(tags={"managed-by": MANAGED_BY}),
        )
        self.defaults = pulumi.ResourceOptions(provider=provider)

    def require(self, outputs: type[OutputsT], name: str) -> OutputsT:
        """The outputs of another stack; only those that `REQUIRES` declares can be read."""
        if name not in self.requires:
            raise SettingsError(f"stack {self.name} does not list {name!r} in REQUIRES; add it there")
        region = PRIMARY if self.requires[name].primary else self.place.region
        reference = pulumi.StackReference(
            name if region == self.place.region else f"{name}-{region}",
            stack_name=f"organization/nottermost-{name}/{self.place.env}-{region}",
        )
        known = {each.name for each in fields(cast("Any", outputs))}
        return cast("OutputsT", _Required(reference, self.requires[name].outputs, known, self.used[name], name))


class _Required:
    """Stands for the `Outputs` of another stack."""

    def __init__(
        self, reference: pulumi.StackReference, declared: tuple[str, ...], known: set[str], used: set[str], name: str
    ) -> None:
        self._reference, self._declared, self._known, self._used, self._name = reference, declared, known, used, name

    def __getattr__(self, output: str) -> pulumi.Output[Any]:
        if output not in self._known:
            raise SettingsError(f"stack {self._name} has no output {output!r}; it has {', '.join(sorted(self._known))}")
        if output not in self._declared:
            raise SettingsError(f"REQUIRES of this stack does not list {output!r} of {self._name}; add it there")
        self._used.add(output)
        return self._reference.require_output(output)


class Component(pulumi.ComponentResource):
    """A part of the platform; what it holds is named, tagged and parented by `add`.

    A subclass says `KIND` (`<area>:<Name>`) and in its constructor takes a frozen arguments struct,
    adds its resources and ends with `register_outputs`.
    """

    KIND: ClassVar[str]
    DECLARED: ClassVar[dict[str, str]] = {}  # component type to the file that declares it

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "KIND" in cls.__dict__:
            Component.DECLARED[f"nottermost:{cls.KIND}"] = Path(inspect.getfile(cls)).relative_to(ROOT).as_posix()

    def __init__(
        self,
        stack: Stack[Any],
        name: str,
        *,
        parent: "Component | None" = None,
        service: str = "",
        data_class: str = "",
        protect: bool | None = None,
    ) -> None:
        """
        Args:
            service: for the tag; by default the parent's, at the top the stack's name.
            data_class: for the tag; by default the parent's, at the top the settings'.
        """
        token = f"nottermost:{self.KIND}"
        options = pulumi.ResourceOptions(parent=parent, protect=protect)
        if parent is None:
            options = pulumi.ResourceOptions.merge(stack.defaults, options)
        super().__init__(token, name, None, options)
        self.stack, self.logical_name = stack, name
        self.types: str = token if parent is None else f"{parent.types}${token}"
        self.service: str = service or (parent.service if parent else stack.name)
        self.data_class: str = data_class or (parent.data_class if parent else stack.settings.data_class)

    def add(
        self,
        make: type[ResourceT],
        name: str,
        /,
        *,
        opts: pulumi.ResourceOptions | None = None,
        service: str = "",
        data_class: str = "",
        tags: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> ResourceT:
        """A resource of this component, named after it: `<component>-<name>`, or as the component itself for "".

        It gets its physical name where the type has one, and the required tags where the type takes tags.

        Args:
            opts: over `parent=self`, for `ignore_changes`, `protect`, `depends_on` and the like.
            tags: beside the required ones.
        """
        logical = f"{self.logical_name}-{name}" if name else self.logical_name
        token = type_token(make)
        if token in NAMED and (key := _snake(NAMED[token].property)) not in arguments:
            arguments[key] = self.physical_name(make, logical)
        if is_taggable(make):
            arguments["tags"] = {**self.tags(token, logical, service, data_class), **(tags or {})}
        options = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self), opts)
        return make(logical, opts=options, **arguments)

    def physical_name(self, make: type[pulumi.Resource], logical: str) -> str:
        """What `add` would call a resource of this logical name; for policies and ARNs that name it beforehand."""
        place, account = self.stack.place, self.stack.settings.account_id
        return physical_name(type_token(make), env=place.env, region=place.region, account=account, name=logical)

    def tags(self, token: str, logical: str, service: str = "", data_class: str = "") -> dict[str, str]:
        """The required tags of a child."""
        settings, place = self.stack.settings, self.stack.place
        urn = make_urn(place.stack, self.stack.project, f"{self.types}${token}", logical)
        expiry = {"expires-on": settings.expires_on.isoformat()} if settings.expires_on else {}
        return {
            "env": place.env,
            "service": service or self.service,
            "owner": settings.owner,
            "cost-center": settings.cost_center,
            "data-class": data_class or self.data_class,
            "repo": settings.repo,
            "nottermost-id": nottermost_id(urn),
            **expiry,
        }


def is_taggable(resource: type[pulumi.Resource]) -> bool:
    """Whether the SDK's class takes `tags`."""
    return "tags" in inspect.signature(resource._internal_init).parameters  # type: ignore[attr-defined]


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def run(module: StackModule) -> None:
    """The whole program of a stack: `__main__.py` is this call."""
    place = parse_stack_name(pulumi.get_stack())
    given = pulumi.Config(f"nottermost-{module.NAME}").require_object("settings")
    source = f"platform/stacks/{module.NAME}/Pulumi.{place.stack}.yaml"
    settings = load(module.Settings, module.LAYERS, place, given, source=source)
    stack = Stack(module.NAME, place, settings, module.REQUIRES)
    if (seen := CURRENT.get()) is not None:
        seen.append(stack)
    outputs = module.build(stack)
    for name, value in _items(outputs):
        pulumi.export(name, value)


def _items(outputs: Any) -> Iterator[tuple[str, Any]]:
    return ((each.name, getattr(outputs, each.name)) for each in fields(outputs))
