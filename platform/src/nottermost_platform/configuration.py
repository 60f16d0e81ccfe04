"""The YAML of a stack, as strict as Pulumi and the JSON Schema are, and what several of them have to agree on."""

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import yaml

from nottermost_platform.catalog import places, stack_module
from nottermost_platform.naming import PRIMARY, environment_class
from nottermost_platform.program import ROOT
from nottermost_platform.settings import Place, SettingsError, merge, regions_of, resolve

STACKS: Final = ROOT / "platform" / "stacks"
FIXTURE: Final = "pr-0"  # of tests; never brought up
LIFE_DAYS: Final = 7  # of a temporary environment that has not said how long
WRITTEN_BY_CLI: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")  # when it makes a stack
NO_DEFAULT_PROVIDERS: Final = "pulumi:disable-default-providers"
COMMON: Final = ("account_id", "domain", "expires_on")  # what all stacks of an environment have alike

Given = Mapping[tuple[str, Place], Mapping[str, Any]]  # stack and place to what its YAML says


# --- one file -------------------------------------------------------------------------------------


# Bare words that YAML 1.1 (Python) and 1.2 (Pulumi, which is in Go) take for different things: Norway's NO, 012, 12:30,
# 12e5. A bare date is worse: Pulumi hands the program `2099-12-31 00:00:00 +0000 UTC` (its config/object.go).
TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
AMBIGUOUS: Final = re.compile(
    r"(?i:yes|no|on|off)|[-+]?(0[0-9o_][0-9_]*|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[0-9]+[eE][-+]?[0-9]+)", re.ASCII
)


class _Loader(yaml.SafeLoader):
    """Refuses what Pulumi refuses, or reads otherwise than Python does."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _problem("a key is a word", key)
            if key.value in seen:
                raise _problem(f"{key.value} is there twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        if node.style is None and (node.tag == TIMESTAMP or AMBIGUOUS.fullmatch(node.value)):
            raise _problem(f'{node.value} is something else to Pulumi; put it in quotes, "{node.value}"', node)
        return super().construct_scalar(node)


def _problem(text: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, text, node.start_mark)


def stack_file(stack: str, place: Place) -> Path:
    """The YAML of a stack; a temporary environment without one uses that of `pr-0`."""
    path = _own_file(stack, place)
    return path if path.exists() or place.env_class != "pr" else _fixture_file(stack, place)


def read_settings(stack: str, place: Place) -> dict[str, Any]:
    """What a stack's YAML says. Raises: SettingsError when there is none or it is not what Pulumi reads.

    A temporary environment without one has what `env up --expires` would write: the settings of `pr-0` under its
    own name, and the end that its other stacks have, else one in a week.
    """
    path = stack_file(stack, place)
    if path != _own_file(stack, place):
        ends = _known_end(place) or propose_end(datetime.now(UTC).date())
        return parse_settings(temporary_text(stack, place, ends), stack, path)
    return parse_settings(_read(path, place), stack, path)


def temporary_text(stack: str, place: Place, expires: date) -> str:
    """The YAML of a stack of a temporary environment: its own, else that of `pr-0`, with its name and this end."""
    text = re.sub(rf"(?<![\w-]){FIXTURE}(?!\w)", place.env, _read(stack_file(stack, place), place))
    return re.sub(r"(?m)^(\s+expires_on:)[^#\n]*?(\s+#.*)?$", rf'\1 "{expires}"\2', text)


def propose_end(today: date) -> date:
    """When a temporary environment ends that does not say."""
    return today + timedelta(days=LIFE_DAYS)


def parse_settings(text: str, stack: str, path: Path) -> dict[str, Any]:
    """The settings in the text of a stack's YAML. Raises: SettingsError."""
    where, key = _relative(path), f"nottermost-{stack}:settings"
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SettingsError(f"{where}{at}: {' '.join(str(error.problem or error.context).split())}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: {' '.join(str(error).split())}") from None
    if content is None:
        raise SettingsError(f"{where} is empty; copy that of another environment")
    given: Any = _part(content, where, "", ("config", *WRITTEN_BY_CLI))
    for name in ("config", key):
        if name not in given:
            raise SettingsError(f"{where} has no `{name}`; settings stand at `config: {key}:`")
        given = _part(given[name], where, name, (key, NO_DEFAULT_PROVIDERS) if name == "config" else None)
    return dict(given)


def yaml_to_json(value: Any) -> str:
    """Structured configuration as the CLI hands it to a program."""
    return json.dumps(value, sort_keys=True, default=str)


def _part(content: Any, where: Path, name: str, allowed: tuple[str, ...] | None) -> Mapping[str, Any]:
    """A mapping of the file, which has no other keys than these."""
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where}: {name or 'the file'} is not a mapping (it is {content!r})")
    if allowed is not None and (strangers := [str(key) for key in content if key not in allowed]):
        inside = f" below {name}" if name else ""
        raise SettingsError(f"{where}: {strangers[0]}: there is no such key{inside}; there are {', '.join(allowed)}")
    return content


def _read(path: Path, place: Place) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{place.env} has no {_relative(path)}; copy one of another environment") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{_relative(path)} is not text in UTF-8: {error}") from None


def _own_file(stack: str, place: Place) -> Path:
    return STACKS / stack / f"Pulumi.{place.stack}.yaml"


def _fixture_file(stack: str, place: Place) -> Path:
    return STACKS / stack / f"Pulumi.{FIXTURE}-{place.region}.yaml"


def _known_end(place: Place) -> date | None:
    """When a temporary environment ends by the YAML that it has of any stack."""
    for path in sorted(STACKS.glob(f"*/Pulumi.{place.stack}.yaml")):
        said = parse_settings(_read(path, place), path.parent.name, path).get("expires_on")
        try:
            return date.fromisoformat(str(said))
        except ValueError:
            continue  # its own stack's model says what is wrong with it
    return None


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


# --- all of an environment ------------------------------------------------------------------------


def read_environment(
    env: str, stack: str | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[tuple[str, Place], dict[str, Any]]:
    """What the YAML of every stack says, in each region; with `stack`, of that one and of what it requires.

    And for a temporary environment the account of dev, in which it lives.

    Args:
        overrides: settings by stack over those of the YAML, in every region.

    Raises: SettingsError.
    """
    found = {
        (name, place): merge(read_settings(name, place), (overrides or {}).get(name, {}))
        for name, place in places(env, stack)
    }
    if environment_class(env) == "pr":
        host = Place(env="dev", region=PRIMARY)
        found["account", host] = {"account_id": read_settings("account", host).get("account_id")}
    return found


def check_environment(settings_by_place: Given) -> None:
    """See to it that an environment's stacks can live together. Raises: SettingsError with all that is wrong.

    Each stack's own model sees one file; here is what only several show: one account and one domain, networks that
    can be joined, at most one region that appends.
    """
    resolved = {(name, place): _resolve(name, place, given) for (name, place), given in settings_by_place.items()}
    problems = [*_find_disagreements(resolved), *_find_overlaps(resolved), *_find_homes(resolved)]
    if problems:
        raise SettingsError("; ".join(problems))


def _resolve(name: str, place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """With the layers and the model's defaults, unchecked: what is missing or wrong, the stack itself tells."""
    module = stack_module(name)
    fields = module.Settings.model_fields.items()
    defaults = {key: field.default for key, field in fields if not field.is_required()}
    return {**defaults, **resolve(module.LAYERS, place, given)}


def _find_disagreements(resolved: Given) -> Iterator[str]:
    for key in COMMON:
        said = {where: str(values[key]) for where, values in resolved.items() if values.get(key) is not None}
        if len(set(said.values())) < 2:
            continue
        usual = Counter(said.values()).most_common(1)[0][0]
        example = next(where for where, value in said.items() if value == usual)
        for where, value in said.items():
            if value != usual:
                yield f"{_name(where, key)} is {value}, but {_name(example, key)} is {usual}: one environment has one"


def _find_overlaps(resolved: Given) -> Iterator[str]:
    key = "vpc_cidr"
    networks = {where: values.get(key) for where, values in resolved.items() if where[0] == "network"}
    for (one, cidr), (other, second) in combinations(networks.items(), 2):
        try:
            overlap = IPv4Network(str(cidr), strict=False).overlaps(IPv4Network(str(second), strict=False))
        except ValueError:
            continue  # the network's own model says what is wrong with it
        if overlap:
            yield f"{_name(other, key)}, {second}, overlaps {_name(one, key)}, {cidr}: regions could not be joined"


def _find_homes(resolved: Given) -> Iterator[str]:
    """Two homes would give one seq twice. None is what there is while one is fenced and the other not open yet."""
    key = "home_region"
    homes = {where: str(values.get(key)) for where, values in resolved.items() if where[0] == "data"}
    at_home = [where for where, home in homes.items() if home == where[1].region]
    if len(at_home) > 1:
        told = " and ".join(f"{_name(where, key)} is {homes[where]}" for where in at_home)
        yield f"{told}: two regions would append; say the same in both, and bring up the old home first"
    for where, home in homes.items():
        regions = regions_of(where[1].env)
        if len(regions) == 1 and home != regions[0]:
            yield f"{_name(where, key)} is {home}; {where[1].env} is in {PRIMARY} alone: nothing would append"


def _name(where: tuple[str, Place], key: str) -> str:
    stack, place = where
    return f"{_relative(stack_file(stack, place))}: {key}"
