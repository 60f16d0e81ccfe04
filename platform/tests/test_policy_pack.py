"""The policy pack answers as Pulumi's engine asks it: started by its folder, over gRPC, one stack at a time."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from nottermost_platform.graph import StackGraph
from nottermost_platform.program import ROOT
from nottermost_platform.testing import graph_of, set_at

WITHIN_S = 90.0  # the first question captures the environment


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Any]:
    """A client of a pack in a process of its own, which says on stdout where it listens."""
    command = [sys.executable, str(ROOT / "platform" / "policy-pack")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


def network() -> StackGraph:
    return next(each for each in graph_of("prod").stacks if (each.name, each.region) == ("network", "us-east-1"))


def ask(analyzer: Any, **changes: Any) -> list[Any]:
    """What the pack says of the network as the engine would show it; `changes`: to the first subnet's inputs."""
    request = analyzer_pb2.AnalyzeStackRequest()
    subnet = next(each for each in network().resources if each.type == "aws:ec2/subnet:Subnet")
    for each in network().resources:
        inputs = each.inputs
        for path, value in changes.items() if each is subnet else ():
            inputs = set_at(inputs, path, value)
        if each.type == "aws:ec2/securityGroup:SecurityGroup":  # the engine shows what AWS computed, too
            inputs = {**inputs, "ingress": [{"protocol": "-1"}], "egress": [], "ownerId": "333344445555"}
        shown = request.resources.add(type=each.type, urn=each.urn, name=each.name, parent=each.parent or "")
        shown.properties.CopyFrom(json_format.ParseDict(inputs, struct_pb2.Struct()))
        shown.options.protect = each.options.protect
        shown.options.ignoreChanges.extend(each.options.ignore_changes)
    return list(analyzer.AnalyzeStack(request, timeout=WITHIN_S).diagnostics)


@pytest.mark.slow
def test_what_is_committed_passes(analyzer: Any) -> None:
    """What is accepted is not reported."""
    assert ask(analyzer) == []


@pytest.mark.slow
def test_a_violation_names_rule_resource_and_what_to_do(analyzer: Any) -> None:
    """As a mandatory one, which stops the deployment."""
    (found,) = ask(analyzer, mapPublicIpOnLaunch=True)
    assert found.policyName == "nottermost-medium"
    assert found.message.splitlines()[-1].startswith("subnets-private-by-default: gives every machine a public address")
    assert "aws:ec2/subnet:Subnet" in found.urn
    assert found.enforcementLevel == analyzer_pb2.EnforcementLevel.Value("MANDATORY")


@pytest.mark.slow
def test_what_is_unknown_before_the_first_deployment_is_judged_as_captured(analyzer: Any) -> None:
    """Ids that only AWS will know."""
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # as the engine writes an unknown text
    assert ask(analyzer, vpcId=unknown) == []


@pytest.mark.slow
def test_it_says_who_it_is(analyzer: Any) -> None:
    """One policy for each severity."""
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty(), timeout=WITHIN_S)
    assert info.name == "nottermost"
    assert [each.name for each in info.policies] == [
        f"nottermost-{each}" for each in ("critical", "high", "medium", "low")
    ]
