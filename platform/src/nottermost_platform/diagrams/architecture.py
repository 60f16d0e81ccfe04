"""The model of the chat, `nottermost.architecture/1`: read from its file, and compared with code and graph."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from nottermost_conventions.contracts import UnknownSchema
from nottermost_conventions.errors import NottermostError
from nottermost_platform.diagrams.uses import GRANTED, POINTED_AT, SERVICE, find_uses
from nottermost_platform.diagrams.words import component_name, resources_of
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.program import ROOT
from nottermost_platform.reachability import find_reaches

SCHEMA: Final = "nottermost.architecture/1"
MODEL: Final = ROOT / "services" / "reference-chat" / "architecture.yaml"
CODE: Final = ROOT / "services" / "reference-chat" / "src" / "nottermost_chat"
KINDS: Final = ("person", "system", "external", "container", "store", "component")


class BadModel(NottermostError):
    """A model that cannot be read, or that says what is not so."""

    code = "bad_model"


class Element(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A box. `code`: a file, and behind `::` what is in it; `resource`: a type, and a logical name."""

    kind: str
    name: str
    text: str
    technology: str = ""
    code: str = ""
    resource: str = ""


class Relation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """An arrow between two elements."""

    from_: str
    to: str
    text: str = ""


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A C4 picture. `boundaries`: frames by their names, with the elements inside; `across`: from the left."""

    name: str
    title: str
    caption: str
    elements: list[str]
    relations: list[Relation]
    boundaries: dict[str, list[str]] = {}
    across: bool = False


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """A line of a sequence: `from` one `to` another, or something that happens `at` one. `code`: where that is."""

    text: str
    code: str
    from_: str = ""
    to: str = ""
    at: str = ""
    reply: bool = False


class Sequence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens in which order. Participants stand in their order, from the left."""

    name: str
    title: str
    caption: str
    participants: list[str]
    steps: list[Step]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the chat is made of."""

    schema: str
    elements: dict[str, Element]
    views: list[View]
    sequences: list[Sequence]


def load_model(path: Path = MODEL) -> Model:
    """Raises: BadModel, UnknownSchema."""
    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise BadModel(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise UnknownSchema(path.name, found, SCHEMA)
    try:
        return msgspec.convert(document, Model)
    except msgspec.ValidationError as error:
        raise BadModel(f"{path.name}: {error}") from error


# --- what it says, against what is ------------------------------------------------------------------


def check_model(model: Model, graph: Graph, code: Path = CODE) -> list[str]:
    """A sentence for everything that the model says and that is not so; none when all is well."""
    return [
        *_check_elements(model, graph, code),
        *_check_names(model),
        *_check_steps(model, code),
        *_check_uses(model, graph),
    ]


def _check_elements(model: Model, graph: Graph, code: Path) -> Iterator[str]:
    for name, element in model.elements.items():
        if element.kind not in KINDS:
            yield f"element {name}: there is no kind {element.kind}; there are {', '.join(KINDS)}"
        if not element.code and not element.resource:
            yield f"element {name} names neither code nor a resource: nothing shows that it exists"
        if element.code and (missing := missing_code(element.code, code)):
            yield f"element {name}: {missing}"
        if element.resource and not find_resources(graph, element.resource):
            yield f"element {name}: {graph.env} has no resource {element.resource}"


def missing_code(reference: str, code: Path) -> str:
    """What is not there of `file::Class.method`, as a sentence; empty when it is."""
    name, _, symbol = reference.partition("::")
    path = next((each for each in (code / name, ROOT / name) if each.is_file()), None)
    if path is None:
        return f"there is no file {name}"
    return "" if not symbol or symbol in _symbols(path) else f"{name} has no {symbol}"


@cache
def _symbols(path: Path) -> frozenset[str]:
    """Classes, functions and methods of a Python file, as `Class.method`."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    top = [each for each in ast.parse(path.read_bytes()).body if isinstance(each, kinds)]
    inner = [f"{each.name}.{one.name}" for each in top for one in each.body if isinstance(one, kinds)]
    return frozenset([each.name for each in top] + inner)


def find_resources(graph: Graph, reference: str) -> list[Resource]:
    """Resources of `type name`, or of a type."""
    type_, _, name = reference.partition(" ")
    return [each for each in graph.resources() if each.type == type_ and name in ("", each.name)]


def _check_names(model: Model) -> Iterator[str]:
    """Every name that views and sequences use is an element's."""
    for view in model.views:
        inside = [each for names in view.boundaries.values() for each in names]
        used = {*view.elements, *inside}
        ends = {end for each in view.relations for end in (each.from_, each.to)}
        yield from (f"view {view.name}: there is no element {each}" for each in sorted(used - set(model.elements)))
        yield from (
            f"view {view.name}: an arrow ends at {each}, which it does not show" for each in sorted(ends - used)
        )
    for sequence in model.sequences:
        shown = set(sequence.participants)
        ends = {end for each in sequence.steps for end in (each.from_, each.to, each.at) if end}
        missing = shown - set(model.elements)
        yield from (f"sequence {sequence.name}: there is no element {each}" for each in sorted(missing))
        yield from (f"sequence {sequence.name}: {each} takes no part in it" for each in sorted(ends - shown))


def _check_steps(model: Model, code: Path) -> Iterator[str]:
    for sequence in model.sequences:
        for step in sequence.steps:
            if missing := missing_code(step.code, code):
                yield f"sequence {sequence.name}, {step.text!r}: {missing}"
            if bool(step.at) == bool(step.from_ and step.to):
                yield f"sequence {sequence.name}, {step.text!r}: it is either `at` one or `from` one `to` another"


def _check_uses(model: Model, graph: Graph) -> Iterator[str]:
    """An arrow between a service and a store needs a grant; one between two services a rule that lets it through."""
    lines = [(view.name, each.from_, each.to) for view in model.views for each in view.relations]
    lines += [(each.name, step.from_, step.to) for each in model.sequences for step in each.steps if step.from_]
    allowed = _allowed(graph)
    for where, one, other in lines:
        ends = [_ends(model, graph, each) for each in (one, other)]
        if all(ends) and not any((here, there) in allowed for here in ends[0] for there in ends[1]):
            yield f"{where}: nothing in {graph.env} lets {one} and {other} speak; grant it, or take the arrow away"


def _ends(model: Model, graph: Graph, name: str) -> list[str]:
    """What grants and rules call an element: a service's name, a resource's URN; nothing where neither speaks of it."""
    element = model.elements.get(name)
    if element is None or not element.resource:
        return []
    resources = resources_of(graph)
    found = find_resources(graph, element.resource)
    services = {component_name(each, resources) for each in found if each.type == SERVICE}
    return sorted(services | {each.urn for each in found if each.type in GRANTED | POINTED_AT})


def _allowed(graph: Graph) -> set[tuple[str, str]]:
    """Pairs that may speak, in both directions: who is called answers."""
    resources = resources_of(graph)
    pairs = {(each.service, each.resource) for each in find_uses(graph)}
    for reach in find_reaches(graph):
        sources, targets = (
            {component_name(resources[urn], resources) for urn in urns if resources[urn].type == SERVICE}
            for urns in (reach.source_wearers, reach.wearers)
        )
        pairs |= {(source, target) for source in sources for target in targets}
    return pairs | {(other, one) for one, other in pairs}
