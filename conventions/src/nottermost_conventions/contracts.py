"""Files that one part writes and another reads: their versions, and the JSON Schemas beside this module."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nottermost_conventions.errors import NottermostError

GRAPH: Final = "nottermost.graph/1"
SCENARIO: Final = "nottermost.scenario/1"
COEFFICIENTS: Final = "nottermost.coefficients/1"
ESTIMATE: Final = "nottermost.estimate/1"
SCHEMAS: Final = Path(__file__).with_name("schemas")


class UnknownSchema(NottermostError):
    """A file that another version wrote, or that is something else."""

    code = "unknown_schema"

    def __init__(self, source: str, found: object, expected: str) -> None:
        said = f"has schema {found!r}" if found else "names no schema"
        super().__init__(f"{source} {said}, expected {expected!r}: make it again with this version")
        self.source, self.found, self.expected = source, found, expected


def parse_document(data: bytes, expected: str, source: str) -> Mapping[str, Any]:
    """A JSON file of one contract.

    Raises: UnknownSchema when it is of another contract or version, and when it is no JSON object.
    """
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != expected:
        raise UnknownSchema(source, found, expected)
    return dict(document)
