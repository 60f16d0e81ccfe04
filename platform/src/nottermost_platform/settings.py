"""Typed configuration in layers: defaults < environment class < region < the stack's YAML."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from nottermost_conventions.errors import NottermostError
from nottermost_platform.naming import PRIMARY, STANDBY, environment_class

Layers = Mapping[str, Mapping[str, Any]]  # `prod`, `eu-west-1` or `prod/eu-west-1` to settings, the later the stronger

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Cidr = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$")]
LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"  # of a host name, by RFC 1123
Domain = Annotated[str, StringConstraints(pattern=rf"^({LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])$", max_length=253)]
TagValue = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_ .:/=+@-]{1,256}$")]  # what every service takes
DataClass = Literal["public", "internal", "confidential", "restricted"]
Region = Literal["us-east-1", "eu-west-1"]
EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$"


SettingsT = TypeVar("SettingsT", bound="StackSettings")


class SettingsError(NottermostError):
    """A configuration that cannot be used: names the file, the key and what is allowed."""

    code = "bad_settings"


class Strict(BaseModel):
    """An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StackSettings(Strict):
    """What every stack needs to know.

    Attributes:
        owner: the team that is asked, on every resource.
        expires_on: for `pr-<n>` environments, which end by themselves.
    """

    account_id: AccountId
    domain: Domain
    owner: TagValue = "platform"
    cost_center: TagValue = "chat"
    repo: TagValue = "nottermost"
    data_class: DataClass = "internal"
    expires_on: date | None = None


class Place(Strict):
    """Where a stack is: which environment and region, and what that means."""

    env: str
    region: Region

    @property
    def env_class(self) -> str:
        return environment_class(self.env)

    @property
    def is_prod(self) -> bool:
        return self.env_class == "prod"

    @property
    def is_standby(self) -> bool:
        return self.region != PRIMARY

    @property
    def stack(self) -> str:
        """The name of the Pulumi stack."""
        return f"{self.env}-{self.region}"


def regions_of(env: str) -> tuple[Region, ...]:
    """The regions of an environment, the primary first. Only production has a standby."""
    return (PRIMARY, STANDBY) if environment_class(env) == "prod" else (PRIMARY,)


def parse_stack_name(name: str) -> Place:
    """`prod-us-east-1` as a place. Raises: SettingsError."""
    for region in (PRIMARY, STANDBY):
        env = name.removesuffix(f"-{region}")
        if env != name:
            try:
                environment_class(env)
            except ValueError as error:
                raise SettingsError(str(error)) from error
            return Place(env=env, region=region)
    raise SettingsError(f"stack {name!r} is not <environment>-<region>; regions: {PRIMARY}, {STANDBY}")


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`; mappings key by key, everything else whole."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def resolve(layers: Layers, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the layers and the stack's YAML, which wins over each of them, say of a place; not checked."""
    values: dict[str, Any] = {}
    for layer in (place.env_class, place.region, f"{place.env_class}/{place.region}"):
        values = merge(values, layers.get(layer, {}))
    return merge(values, given)


def load(
    model: type[SettingsT],
    layers: Layers,
    place: Place,
    given: Mapping[str, Any],
    *,
    source: str,
    today: date | None = None,
) -> SettingsT:
    """The settings of one stack in one place.

    Args:
        given: what the stack's YAML says; it wins over every layer.
        source: named in errors.
        today: by UTC, unless said otherwise; what was to end before it is refused.

    Raises: SettingsError that names every wrong key and what is allowed there.
    """
    try:
        settings = model.model_validate(resolve(layers, place, given), context={"place": place})
    except ValidationError as error:
        problems = "; ".join(_explain(one, model) for one in error.errors())
        raise SettingsError(f"{source}: {problems}") from None
    if problem := _judge_end(place, settings.expires_on, today or datetime.now(UTC).date()):
        raise SettingsError(f"{source}: expires_on: {problem}")
    return settings


def _judge_end(place: Place, expires_on: date | None, today: date) -> str:
    """What is wrong with the day on which an environment ends; "" when nothing is."""
    if place.env_class != "pr":
        return f"{place.env} is not temporary; only pr-<n> ends by itself (it is {expires_on})" if expires_on else ""
    if expires_on is None:
        return f"{place.env} is temporary; say until when, as a date"
    return f"{place.env} ended on {expires_on}; say a later day, or take it down" if expires_on < today else ""


def _explain(problem: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "settings"
    if problem["type"] == "extra_forbidden":
        return f"{key}: there is no such setting; there are {', '.join(_siblings(model, problem['loc'][:-1]))}"
    got = "" if problem["type"] == "missing" else f" (it is {problem['input']!r})"
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}{got}"


def _siblings(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return sorted(model.model_fields)
