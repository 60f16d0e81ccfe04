"""The delivery stack: who may deploy and from where, machines without a way in, a load fleet that has an end."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from nottermost_platform.capture import Captured, capture
from nottermost_platform.components import pipeline
from nottermost_platform.naming import NAMED
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks import delivery

PROD = Place(env="prod", region="us-east-1")
STAGING = Place(env="staging", region="us-east-1")
DEV = Place(env="dev", region="us-east-1")
POLICY_MAX = 6_144  # characters of a managed policy (IAM quotas)
INLINE_MAX = 10_240  # of all inline policies of a role
KEY = "arn:aws:kms:us-east-1:222233334444:key"
UPSTREAM: dict[str, dict[str, Any]] = {
    "account": {
        "access_logs_bucket": "the-access-logs", "audit_key_arn": f"{KEY}/audit", "state_key_arn": f"{KEY}/state",
        "oidc_provider_arn": "arn:aws:iam::222233334444:oidc-provider/token.actions.githubusercontent.com",
        "state_bucket": "the-state", "trail_bucket": "the-trail",
    },
    "network": {"app_subnet_ids": ["subnet-1", "subnet-2"], "log_key_arn": f"{KEY}/logs", "vpc_id": "vpc-1"},
    "cluster": {
        "collector_arn": "arn:aws:ecr:us-east-1:222233334444:repository/nottermost/staging/collector",
        "repository_arn": "arn:aws:ecr:us-east-1:222233334444:repository/nottermost/staging/chat",
    },
}  # fmt: skip
# What IAM calls the services that the SDK's modules are of, where it has another name.
SERVICES = {
    "amp": "aps", "appautoscaling": "application-autoscaling", "cognito": "cognito-idp", "lb": "elasticloadbalancing",
    "msk": "kafka", "opensearch": "es",
}  # fmt: skip
# Brought up by a person, once an account: accounts are not the pipeline's.
NOT_DEPLOYED = {"accessanalyzer", "autoscaling", "budgets", "cfg", "cloudtrail", "costexplorer", "guardduty"}
Inputs = dict[str, Any]


def captured(place: Place, *, unknown: bool = False) -> Captured:
    upstream = {f"organization/nottermost-{stack}/{place.stack}": outputs for stack, outputs in UPSTREAM.items()}
    return capture("delivery", place, upstream, unknown=unknown)


def inputs(found: Captured, kind: str) -> dict[str, Inputs]:
    """Inputs of the resources whose type ends so, by their names."""
    return {node.name: node.inputs for node in found.nodes.values() if node.custom and node.type.endswith(kind)}


def allowed(found: Captured) -> Iterator[tuple[str, str, list[str]]]:
    """Every action that a policy of IAM allows, with the policy's name and the resources."""
    for kind in (":Policy", ":RolePolicy"):
        for name, policy in inputs(found, kind).items():
            for each in json.loads(policy["policy"])["Statement"]:
                if each["Effect"] == "Allow":
                    yield from ((name, action, each["Resource"]) for action in each["Action"])


@pytest.fixture(scope="module")
def staging() -> Captured:
    return captured(STAGING)


@pytest.mark.parametrize("place", [PROD, STAGING, DEV], ids=lambda place: place.stack)
def test_a_first_preview_declares_the_same(place: Place) -> None:
    """Nothing is made inside `apply`."""
    assert set(captured(place, unknown=True).nodes) == set(captured(place).nodes)


def test_only_the_machines_that_deploy_take_the_deploying_role(staging: Captured) -> None:
    """A build runs anybody's code; it gets no role of the pipeline."""
    roles = inputs(staging, ":Role")
    (machines,) = json.loads(roles["pipeline-deploy"]["assumeRolePolicy"])["Statement"][1:]
    assert machines["Principal"] == {"AWS": ["arn:aws:iam::222233334444:role/staging-use1-agents-deploy"]}
    assert len(json.loads(roles["pipeline-preview"]["assumeRolePolicy"])["Statement"]) == 1


def test_the_preview_changes_nothing_and_reads_no_users_data(staging: Captured) -> None:
    """What it may beside looking is Pulumi's lock."""
    attached = {
        a["policyArn"].rpartition("/")[2] for n, a in inputs(staging, ":RolePolicyAttachment").items() if "preview" in n
    }
    assert attached == {"staging-use1-pipeline-look"}
    beginnings = ("Describe", "Get", "List")
    looks = [action.partition(":")[2] for name, action, _ in allowed(staging) if name == "pipeline-look"]
    assert all(look.startswith(beginnings) for look in looks)
    read = ("dynamodb:GetI", "logs:GetLogE", "s3:GetO", "secretsmanager:GetSecretV", "sqs:Receive", "es:ESHttp")
    assert not [each for each in pipeline.looks() for data in read if data.startswith(each.rstrip("*"))]
    changes = {
        a for name, a, where in allowed(staging) if name == "pipeline-preview-state" and "locks" not in str(where)
    }
    assert changes == {"kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:ListBucket"}


@pytest.mark.parametrize("place", [PROD, STAGING, DEV], ids=lambda place: place.stack)
def test_policies_fit(place: Place) -> None:
    """IAM refuses longer ones, at `up` only."""
    found = captured(place)
    assert {n: len(p["policy"]) for n, p in inputs(found, ":Policy").items() if len(p["policy"]) > POLICY_MAX} == {}
    inline: dict[str, int] = {}
    for policy in inputs(found, ":RolePolicy").values():
        inline[policy["role"]] = inline.get(policy["role"], 0) + len(policy["policy"])
    assert max(inline.values()) <= INLINE_MAX


def test_the_boundary_covers_what_is_granted(staging: Captured) -> None:
    """Every granted action is under the ceiling."""
    boundary = json.loads(inputs(staging, ":Policy")["pipeline-boundary"]["policy"])["Statement"]
    ceiling = tuple(action.rstrip("*") for action in boundary[0]["Action"])
    granted = {action for name, action, _ in allowed(staging) if name.startswith("pipeline-")}
    assert {action for action in granted if not action.startswith(ceiling)} == set()


def test_the_pipeline_may_deploy_every_named_type() -> None:
    """A service that a stack begins to use has to be listed, or its first `up` fails."""
    areas = {token.split(":")[1].partition("/")[0] for token in NAMED} - NOT_DEPLOYED - {"iam"}
    assert {area for area in areas if SERVICES.get(area, area) not in pipeline.SERVICES} == set()


def test_dev_also_deploys_temporary_environments() -> None:
    """They live in its account, and their names begin with `pr-`."""
    named = {end for _, action, where in allowed(captured(DEV)) if action == "sqs:CreateQueue*" for end in where}
    assert named >= {"arn:aws:sqs:*:111122223333:dev-*", "arn:aws:sqs:*:111122223333:pr-*"}


def test_machines_have_no_way_in(staging: Captured) -> None:
    """Control 11: metadata by token, no address, encrypted disk; nothing comes in, and out goes HTTPS alone."""
    templates = inputs(staging, ":LaunchTemplate")
    assert set(templates) == {"agents-build", "agents-deploy"}
    for template in templates.values():
        assert template["metadataOptions"]["httpTokens"] == "required"
        assert template["networkInterfaces"][0]["associatePublicIpAddress"] == "false"
        assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
        assert {each["resourceType"] for each in template["tagSpecifications"]} == {
            "instance",
            "network-interface",
            "volume",
        }
        assert yaml.safe_load(base64.b64decode(template["userData"]))["packages"]
    assert set(inputs(staging, ":SecurityGroupIngressRule")) == {"load-in-workers"}
    out = [each for name, each in inputs(staging, ":SecurityGroupEgressRule").items() if name != "load-out-workers"]
    assert {(each["ipProtocol"], each["fromPort"], each["toPort"]) for each in out} == {("tcp", 443, 443)}


def test_machines_are_there_only_when_needed(staging: Captured) -> None:
    """From none to a maximum, on Spot where a job can be run again; who has jobs owns the size. Tags are a list there."""
    groups = inputs(staging, ":Group")
    assert {name: (each["minSize"], each["maxSize"]) for name, each in groups.items()} == {
        "agents-build": (0, 10), "agents-deploy": (0, 1),
    }  # fmt: skip
    mixed = {n: g["mixedInstancesPolicy"]["instancesDistribution"] for n, g in groups.items()}
    assert mixed["agents-build"]["onDemandPercentageAboveBaseCapacity"] == 0
    assert mixed["agents-deploy"]["onDemandPercentageAboveBaseCapacity"] == 100
    for node in staging.nodes.values():
        if node.type.endswith(":Group"):
            assert "desiredCapacity" not in node.inputs
            assert {"env", "service", "nottermost-id"} <= {tag["key"] for tag in node.inputs["tags"]}


CONTAINER: list[tuple[int, Callable[[Inputs], bool]]] = [
    (43, lambda c: c["user"] not in ("", "0", "root") and c["readonlyRootFilesystem"] and not c["privileged"]),
    (44, lambda c: not c["secrets"] and not any("SECRET" in each["name"] for each in c["environment"])),
    (45, lambda c: "@sha256:" in c["image"] and c["linuxParameters"]["initProcessEnabled"] and c["stopTimeout"] == 120),
    (
        45,
        lambda c: (
            bool(c["healthCheck"]) and c["logConfiguration"]["options"]["awslogs-group"] == "/nottermost/staging/load"
        ),
    ),
]


@pytest.mark.parametrize(("control", "holds"), CONTAINER)
def test_the_load_task_is_hardened(staging: Captured, control: int, holds: Callable[[Inputs], bool]) -> None:
    """The controls of tasks hold for the fleet that acts as users, too."""
    (task,) = inputs(staging, ":TaskDefinition").values()
    (container,) = json.loads(task["containerDefinitions"])
    assert holds(container), control
    assert task["networkMode"] == "awsvpc"  # 42
    assert task["taskRoleArn"] != task["executionRoleArn"]  # 46


def test_the_load_fleet_has_an_end(staging: Captured) -> None:
    """On Spot, on a cluster that logs its shells (47), from a repository whose tags stay (48); capped in tasks and time."""
    (cluster,), (capacity,) = (
        inputs(staging, ":Cluster").values(),
        inputs(staging, ":ClusterCapacityProviders").values(),
    )
    assert cluster["configuration"]["executeCommandConfiguration"]["logging"] == "OVERRIDE"
    assert [each["capacityProvider"] for each in capacity["defaultCapacityProviderStrategies"]] == ["FARGATE_SPOT"]
    (repository,) = inputs(staging, ":Repository").values()
    assert repository["imageTagMutability"] == "IMMUTABLE"
    (task,) = inputs(staging, ":TaskDefinition").values()
    environment = {each["name"]: each["value"] for each in json.loads(task["containerDefinitions"])[0]["environment"]}
    assert environment["NOTTERMOST_LOAD_TASKS_MAX"] == "100"
    assert environment["NOTTERMOST_LOAD_RUN_S_MAX"] == "3600"
    runs = {name for name, action, _ in allowed(staging) if action == "ecs:RunTask"}
    assert runs == {"agents-build-load"}


def test_production_is_not_put_under_load() -> None:
    """Neither by default nor by a setting."""
    assert not inputs(captured(PROD), ":TaskDefinition")
    given = {"account_id": "333344445555", "domain": "chat.example.com", "load_tasks_max": 5}
    with pytest.raises(SettingsError, match="load_tasks_max: production is not put under load, staging is: 0"):
        load(delivery.Settings, delivery.LAYERS, PROD, given, source="")


@pytest.mark.parametrize("ref", ["main", "refs/heads/*", "refs/pull/1/merge"])
def test_a_ref_is_one_branch_or_tag(ref: str) -> None:
    """No pattern, no pull request."""
    given = {"account_id": "222233334444", "domain": "staging.example.com", "ref": ref}
    with pytest.raises(SettingsError, match="ref: "):
        load(delivery.Settings, delivery.LAYERS, STAGING, given, source="")
