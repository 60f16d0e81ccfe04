"""The graph of the contract: bytes, references, regions; and tokens that tell where they came from."""

import json
import re
from itertools import chain
from typing import Any

import pytest

from nottermost_platform.graph import encode, load_environment, normalise
from nottermost_platform.program import ROOT
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one
from nottermost_platform.tokens import fill_outputs


def test_the_same_bytes_each_time() -> None:
    """Two captures are equal, byte for byte."""
    assert encode(load_environment("dev")) == encode(graph_of("dev"))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_resources_are_sorted_and_their_links_lead_somewhere(env: str) -> None:
    """Parents, providers and dependencies are of the same stack; sources are files of the repository."""
    for stack in graph_of(env).stacks:
        urns = [each.urn for each in stack.resources]
        assert urns == sorted(set(urns))
        for each in stack.resources:
            links = {each.parent, each.provider, *each.dependencies, *chain(*each.property_dependencies.values())}
            assert links - {None} <= set(urns)
            assert (ROOT / each.source).is_file()
            assert ":" not in each.source


def test_references_lead_from_a_stack_to_one_it_requires() -> None:
    """And every requirement between stacks shows as at least one, in some environment."""
    seen, required = set(), set()
    for graph in (graph_of(env) for env in ENVIRONMENTS):
        home = {each.urn: (stack.name, stack.region) for stack in graph.stacks for each in stack.resources}
        led = {(*home[each.from_], *home[each.to]) for each in graph.references}
        asked = {
            (stack.name, stack.region, each.stack, each.region) for stack in graph.stacks for each in stack.requires
        }
        assert led <= asked
        seen |= {(name, other) for name, _, other, _ in led}
        required |= {(name, other) for name, _, other, _ in asked}
    assert seen == required


def test_every_value_of_another_stack_is_traced() -> None:
    """Each property that depends on a stack reference leads to a resource of that stack, or to a setting of it."""
    for graph in (graph_of(env) for env in ENVIRONMENTS):
        traced = {(each.from_, each.property.partition(".")[0]) for each in graph.references}
        untraced = {
            (each.type, name, urn.rpartition("::")[2])
            for each in graph.resources()
            if each.is_aws
            for name, urns in each.property_dependencies.items()
            for urn in urns
            if "StackReference::" in urn and (each.urn, name) not in traced
            if not isinstance(each.inputs[name], bool)  # made of a setting that the other stack passes on
        }
        assert untraced == set()


def test_a_reference_inside_of_text_is_found() -> None:
    """In a policy document the ARN is a part of the text, here with a wildcard behind it."""
    graph = graph_of("prod")
    targets = {(each.from_.rpartition("::")[2], each.to.rpartition("::")[2]) for each in graph.references}
    assert ("uploads-policy", "files") in targets


def test_a_resource_is_in_the_region_of_its_own_argument() -> None:
    """The certificate and the firewall of the CDN are in us-east-1, whatever the stack's region."""
    graph = graph_of("prod")
    assert one(graph, "acm/certificate:Certificate", "viewer").region == "us-east-1"
    assert {each.region for each in find(graph, "ec2/vpc:Vpc", region="eu-west-1")} == {"eu-west-1"}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_unknown_outputs_change_no_resource(env: str) -> None:
    """No resource is made inside apply: both modes declare the same, and the first knows no ids."""
    known, unknown = graph_of(env), graph_of(env, unknown=True)
    assert [each.urn for each in known.resources()] == [each.urn for each in unknown.resources()]
    assert (known.mode, unknown.mode) == ("known", "unknown")
    assert b'"$unknown"' not in encode(known)
    assert b'"$unknown"' in encode(unknown)
    assert unknown.references == []


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_secret_and_no_line_number(env: str) -> None:
    """Nothing that could not be published, nothing that changes when a line moves."""
    text = encode(graph_of(env)).decode()
    assert not re.search(r"BEGIN [A-Z ]*PRIVATE KEY", text)
    assert not re.search(r"\.py:\d", text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (443.0, 443),
        (0.5, 0.5),
        ([2.0, 1], [2, 1]),
        ({"b": 1, "a": None}, {"b": 1}),
        ('{"b":1, "a":2}', '{"a":2,"b":1}'),
    ],
)
def test_normal_form(value: Any, expected: Any) -> None:
    """Whole floats are integers, JSON text is sorted, lists keep their order."""
    assert json.dumps(normalise(value)) == json.dumps(expected)


TOKENS = {
    "ec2/vpc:Vpc": {"id": r"vpc-[0-9a-f]{17}", "arn": r"arn:aws:ec2:us-east-1:111122223333:vpc/.+"},
    "s3/bucket:Bucket": {"arn": r"arn:aws:s3:::[a-z0-9-]+"},
    "sqs/queue:Queue": {
        "id": r"https://sqs\.us-east-1\.amazonaws\.com/111122223333/.+", "arn": r"arn:aws:sqs:us-east-1:111122223333:[^/]+"
    },
    "iam/role:Role": {"arn": r"arn:aws:iam::111122223333:role/.+"},
    "kms/key:Key": {"id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "arn": r"arn:aws:kms:us-east-1:\d{12}:key/[0-9a-f-]{36}"},
    "route53/zone:Zone": {"id": r"Z[0-9A-F]{20}"},
    "cloudfront/distribution:Distribution": {"id": r"E[0-9A-F]{13}", "arn": r"arn:aws:cloudfront::\d{12}:distribution/.+"},
    "cognito/userPool:UserPool": {"id": r"us-east-1_[0-9A-Za-z]{9}"},
    "lambda/function:Function": {"arn": r"arn:aws:lambda:us-east-1:\d{12}:function:.+"},
    "dynamodb/table:Table": {"arn": r"arn:aws:dynamodb:us-east-1:\d{12}:table/.+"},
    "secretsmanager/secret:Secret": {"arn": r"arn:aws:secretsmanager:us-east-1:\d{12}:secret:.+-[0-9a-f]{6}"},
}  # fmt: skip


@pytest.mark.parametrize("type_", TOKENS)
def test_tokens_have_the_format_of_what_they_stand_for(type_: str) -> None:
    """And are the same each time."""
    made = [
        fill_outputs(f"aws:{type_}", "urn::thing", {"name": "thing"}, region="us-east-1", account="111122223333")
        for _ in range(2)
    ]
    assert made[0] == made[1]
    for key, pattern in TOKENS[type_].items():
        assert re.fullmatch(pattern, made[0][key]), made[0][key]


def test_tokens_are_of_one_resource_alone() -> None:
    """No two resources of an environment export the same ARN."""
    owners: dict[str, set[str]] = {}
    for name in ("one", "two"):
        for type_ in TOKENS:
            state = fill_outputs(f"aws:{type_}", f"urn::{name}", {"name": name}, region="us-east-1", account="1" * 12)
            owners.setdefault(state["arn"], set()).add(f"{type_} {name}")
    assert {len(each) for each in owners.values()} == {1}
