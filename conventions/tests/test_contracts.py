"""Readers refuse what they do not know."""

import json

import pytest

from nottermost_conventions.contracts import GRAPH, SCHEMAS, UnknownSchema, parse_document


def test_a_document_of_the_expected_schema_is_read() -> None:
    """What a file holds comes back as it is."""
    assert parse_document(b'{"schema": "nottermost.graph/1", "env": "dev"}', GRAPH, "a file")["env"] == "dev"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"schema": "nottermost.graph/2"}', "'nottermost.graph/2'"),
        (b"{}", "no schema"),
        (b"[1]", "no schema"),
        (b"{", "no"),
    ],
)
def test_anything_else_is_refused(data: bytes, found: str) -> None:
    """Another version, another kind of file, no file of ours: the error names what was found and what expected."""
    with pytest.raises(UnknownSchema, match=found) as refused:
        parse_document(data, GRAPH, "a file")
    assert GRAPH in str(refused.value)


def test_the_schema_is_there() -> None:
    """Each contract has its JSON Schema beside the code, for readers in any language."""
    schema = json.loads((SCHEMAS / "graph.json").read_text())
    assert schema["properties"]["schema"] == {"const": GRAPH}
