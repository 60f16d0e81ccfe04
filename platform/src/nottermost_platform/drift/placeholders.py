"""The graph's placeholders for what only AWS knows, replaced by what the found resources really have.

A placeholder is unique to its resource (tokens.py), so a text that holds one refers to that resource.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nottermost_platform.graph import Graph, Resource
from nottermost_platform.tokens import fill_outputs

ANYTHING: Final = "\ufffc"  # in a declared text: what stands here cannot be known
PIECES: Final = re.compile(r"[A-Za-z0-9]+")


class Placeholders:
    """Texts that stand for the outputs of a graph's resources, and what each is in the account."""

    def __init__(self, graph: Graph, account: str) -> None:
        self._of: dict[str, list[tuple[str, str]]] = {}  # of each URN its placeholders, with the outputs' paths
        self._values: dict[str, str] = {}
        self._lengths: dict[str, set[int]] = {}  # how many pieces the placeholders have that begin with this one
        referred = _referred(graph)
        for resource in graph.resources():
            if resource.is_aws and resource.urn in referred:
                self._of[resource.urn] = list(_placeholders(resource, account))
                for text, _ in self._of[resource.urn]:
                    pieces = PIECES.findall(text)
                    self._lengths.setdefault(pieces[0], set()).add(len(pieces))

    def learn(self, resource: Resource, outputs: Mapping[str, Any]) -> None:
        """What a resource that is there has for outputs; what it does not tell stands for anything."""
        real = dict(_leaves(outputs))
        for text, path in self._of.get(resource.urn, ()):  # one text may be two outputs, an id that is an ARN
            self._values[text] = real.get(path) or self._values.get(text, ANYTHING)

    def learn_missing(self, resource: Resource) -> None:
        """That a resource is not there: what refers to it says so."""
        for text, _ in self._of.get(resource.urn, ()):
            self._values[text] = f"[{resource.type} {resource.name}, which is missing]"

    def replace(self, value: Any) -> Any:
        """A value with the account's own ids; what was not learned stays as it is."""
        if isinstance(value, str):
            return self._replace_text(value)
        if isinstance(value, list):
            return [self.replace(each) for each in value]
        if isinstance(value, Mapping):
            return {key: self.replace(each) for key, each in value.items()}
        return value

    def _replace_text(self, text: str) -> str:
        """Whole words only, the longest first: an ARN before the name at its end."""
        pieces = list(PIECES.finditer(text))
        parts: list[str] = []
        done = at = 0
        while at < len(pieces):
            word, length = self._word(text, pieces, at)
            if length:
                parts += [text[done : pieces[at].start()], self._values[word]]
                done = pieces[at].start() + len(word)
            at += length or 1
        return "".join([*parts, text[done:]])

    def _word(self, text: str, pieces: list[re.Match[str]], at: int) -> tuple[str, int]:
        """The longest placeholder that begins with a piece, and of how many pieces it is; 0: none does."""
        for length in sorted(self._lengths.get(pieces[at][0], ()), reverse=True):
            if at + length <= len(pieces):
                word = text[pieces[at].start() : pieces[at + length - 1].end()]
                if word in self._values:
                    return word, length
        return "", 0


def _referred(graph: Graph) -> set[str]:
    """The URNs of all resources that another one has something of."""
    urns = {each.to for each in graph.references}
    for resource in graph.resources():
        urns.update(urn for each in resource.property_dependencies.values() for urn in each)
    return urns


def _placeholders(resource: Resource, account: str) -> Iterator[tuple[str, str]]:
    """The outputs that nobody can know before: those that another URN would have had otherwise."""
    one, other = (
        dict(_leaves(fill_outputs(resource.type, urn, resource.inputs, region=resource.region, account=account)))
        for urn in (resource.urn, f"other-{resource.urn}")
    )
    for path, text in one.items():
        if other.get(path) != text and PIECES.search(text):
            yield text, path


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a value, each with its path: `masterUserSecrets[0].secretArn`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            yield from _leaves(each, f"{path}[{at}]")
