"""What must not be deployed is found: by changing one thing of a good graph."""

from typing import Any

import msgspec
import pytest

from nottermost_platform.checks import OWNERSHIP, PROVIDER_TYPE, check_graph, check_stack
from nottermost_platform.graph import Resource, StackGraph
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.replacements import replaces
from nottermost_platform.sdk_check import check_inputs, input_class
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one

BUCKET = "aws:s3/bucket:Bucket"


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_nothing_is_wrong_with_what_is_committed(env: str, unknown: bool) -> None:
    """In both modes."""
    assert check_graph(graph_of(env, unknown=unknown)) == []


def codes(resource: Resource, env: str = "prod", **changes: Any) -> set[str]:
    changed = msgspec.structs.replace(resource, **changes)
    stack = StackGraph(
        name="s", region="us-east-1", project="p", stack="x", requires=[], outputs={}, resources=[changed]
    )
    return {finding.code for finding in check_stack(stack, env)}


def test_each_promise_of_a_resource() -> None:
    """A provider of its own, a component as parent, tags, its id, protection."""
    bucket = one(graph_of("prod"), "s3/bucket:Bucket", "files")
    assert codes(bucket) == set()
    assert codes(bucket, provider=None) == {"provider"}
    assert codes(bucket, parent=None) == {"parent"}
    assert codes(bucket, region="us-west-9") == {"region"}
    assert codes(bucket, parent="urn:pulumi:x::p::pulumi:pulumi:Stack::p-x") == {"parent"}
    assert codes(bucket, tags={}) == {"tags"}
    assert codes(bucket, tags={**bucket.tags, "nottermost-id": "0" * 16}) == {"tags"}
    for tag in REQUIRED_TAGS:
        assert codes(bucket, tags={key: value for key, value in bucket.tags.items() if key != tag}) == {"tags"}
    unprotected = msgspec.structs.replace(bucket.options, protect=False)
    assert codes(bucket, options=unprotected) == {"protect"}
    assert codes(bucket, "dev", options=unprotected) == set()


def test_a_stack_has_one_provider_of_its_own() -> None:
    """Of its account and region, with no tags by default but the one that says who manages."""
    stack = next(each for each in graph_of("prod").stacks if (each.name, each.region) == ("async", "eu-west-1"))
    provider = next(each for each in stack.resources if each.type == PROVIDER_TYPE)

    def said(*changed: dict[str, Any]) -> list[str]:
        providers = [msgspec.structs.replace(provider, inputs=provider.inputs | each) for each in changed]
        altered = msgspec.structs.replace(stack, resources=providers)
        return [finding.message for finding in check_stack(altered, "prod")]

    assert said({}) == []
    assert "second provider" in said({}, {"region": "us-east-1"})[0]
    assert "another region" in said({"region": "us-east-1"})[0]
    assert "allowedAccountIds" in said({"allowedAccountIds": None})[0]
    assert "default tags" in said({"defaultTags": '{"tags":{"env":"prod"}}'})[0]


def test_each_row_of_the_ownership_table_is_in_use() -> None:
    """And a resource that does not ignore what it names, or ignores something else, is found."""
    graph = graph_of("prod")
    for type_, rows in OWNERSHIP.items():
        owned = [each for each in graph.resources() if each.type == type_ and each.options.ignore_changes]
        assert owned, f"no {type_} of production ignores anything"
        named = {name for row in rows for name in row.properties}
        assert {name for each in owned for name in each.options.ignore_changes} <= named
        none, other = (msgspec.structs.replace(owned[0].options, ignore_changes=each) for each in ([], ["tags"]))
        assert codes(owned[0], options=none) == {"ownership"}
        assert codes(owned[0], options=other) == {"ownership"}


def test_the_curated_list_knows_every_type_in_use() -> None:
    """So that no change of what we have is of unknown effect."""
    types = {each.type for env in ENVIRONMENTS for each in graph_of(env).resources() if each.is_aws}
    assert {type_ for type_ in types if replaces(type_, frozenset()) is None} == set()


@pytest.mark.parametrize(
    ("type_", "inputs", "said"),
    [
        (BUCKET, {"bucket_name": "x"}, "bucket_name: there is no such property"),
        (BUCKET, {"bucket": "Upper_Case"}, "is not of the form"),
        (BUCKET, {"bucket": "x" * 64}, "64 characters, 63 are allowed"),
        (BUCKET, {"forceDestroy": "yes"}, "true or false is expected"),
        ("aws:sqs/queue:Queue", {"delaySeconds": "3"}, "a number is expected"),
        ("aws:ec2/subnet:Subnet", {"cidrBlock": "10.0.0.0/24"}, "vpcId: is required"),
        ("aws:s3/bucketVersioning:BucketVersioning", {"bucket": "b"}, "versioningConfiguration: is required"),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"bucket": "b", "versioningConfiguration": {"mfa_delete": "Enabled", "status": "Enabled"}},
            "versioningConfiguration.mfa_delete: there is no such property; there are mfaDelete, status",
        ),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"bucket": "b", "versioningConfiguration": "Enabled"},
            "a block is expected",
        ),
        ("aws:cloudwatch/logGroup:LogGroup", {"kmsKeyId": "x", "retentionInDays": True}, "a number is expected"),
    ],
)
def test_what_a_real_preview_would_refuse(type_: str, inputs: dict[str, Any], said: str) -> None:
    """Names, types, required blocks, at any depth; what values may be is in test_validators."""
    assert any(said in each for each in check_inputs(type_, inputs)), list(check_inputs(type_, inputs))


def test_what_a_value_may_be_is_checked_with_the_rest() -> None:
    """A finding of the validators, and of what resources do to each other, is one of the graph's."""
    queue = one(graph_of("prod"), "sqs/queue:Queue", "push")
    assert codes(queue, inputs={**queue.inputs, "delaySeconds": 901}) == {"inputs"}
    network = next(each for each in graph_of("dev").stacks if each.name == "network")
    subnets = [each for each in network.resources if each.type == "aws:ec2/subnet:Subnet"]
    moved = msgspec.structs.replace(
        subnets[1], inputs={**subnets[1].inputs, "cidrBlock": subnets[0].inputs["cidrBlock"]}
    )
    resources = [moved if each is subnets[1] else each for each in network.resources]
    found = list(check_stack(msgspec.structs.replace(network, resources=resources), "dev"))
    assert found
    assert all("overlaps" in each.message for each in found)


def test_every_type_in_use_has_a_class_of_inputs() -> None:
    """Also those whose class is called otherwise because a block has its name."""
    for type_ in {each.type for each in graph_of("prod").resources() if each.is_aws}:
        found = input_class(type_)
        assert found is not None
        assert found.__name__.startswith(type_.rpartition(":")[2])


def test_group_tags_reach_its_instances() -> None:
    """An auto scaling group has its tags as a list; in the graph they are as everybody else's."""
    for group in find(graph_of("prod"), "autoscaling/group:Group"):
        assert set(REQUIRED_TAGS) <= set(group.tags)
