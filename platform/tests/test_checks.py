"""What must not be deployed is found: by changing one thing of a good graph."""

from typing import Any

import msgspec
import pytest

from nottermost_platform.checks import check_graph, check_stack
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.replacements import replaces
from nottermost_platform.sdk_check import check_inputs, input_class
from nottermost_platform.testing import ENVIRONMENTS, changed, find, graph_of

BUCKET = "aws:s3/bucket:Bucket"


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_nothing_is_wrong_with_what_is_committed(env: str, unknown: bool) -> None:
    """In both modes."""
    assert check_graph(graph_of(env, unknown=unknown)) == []


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
    found = check_graph(changed("sqs/queue:Queue", "delaySeconds", 901, "push")(graph_of("prod")))
    assert [each.code for each in found] == ["inputs"]
    network = next(each for each in graph_of("dev").stacks if each.name == "network")
    subnets = [each for each in network.resources if each.type == "aws:ec2/subnet:Subnet"]
    moved = msgspec.structs.replace(
        subnets[1], inputs={**subnets[1].inputs, "cidrBlock": subnets[0].inputs["cidrBlock"]}
    )
    resources = [moved if each is subnets[1] else each for each in network.resources]
    found = list(check_stack(msgspec.structs.replace(network, resources=resources)))
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
