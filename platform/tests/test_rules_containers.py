"""Each rule of ECS notices what it is for, and production passes."""

import json
from typing import Any

import msgspec
import pytest

from nottermost_platform.graph import Graph
from nottermost_platform.rules.containers import (
    ATTACHED,
    CAPACITY,
    CLUSTER,
    MACHINES,
    ROLE_POLICY,
    SCALED,
    SERVICE,
    TASK,
    TEMPLATE,
)
from nottermost_platform.rules.functions import LOG_GROUP
from nottermost_platform.testing import (
    REMOVED,
    UNPROTECTED,
    Bad,
    Change,
    added,
    altered,
    both,
    changed,
    check_bad,
    graph_of,
    one,
    removed,
    says,
    view_of,
)

START = "api-execution-start"
SHELLS = "configuration.executeCommandConfiguration"
ALL_OFF = ("deploymentCircuitBreaker.enable", "deploymentCircuitBreaker.rollback", "alarms.enable", "alarms.rollback")


def container(path: str, value: Any) -> Change:
    """Another value of the chat's own container."""
    return changed(TASK, f"containerDefinitions.0.{path}", value, "api-blue")


def told(name: str, value: str) -> Change:
    """One more variable of the chat's container."""
    return container("environment.0", {"name": name, "value": value})


def unsaid(name: str) -> Change:
    """Without a variable of the chat's container."""

    def change(graph: Graph) -> Graph:
        kept = [
            each
            for each in json.loads(one(graph, TASK, "api-blue").inputs["containerDefinitions"])[0]["environment"]
            if each["name"] != name
        ]
        return container("environment", kept)(graph)

    return change


def unfenced(graph: Graph) -> Graph:
    """A graph whose standby appends too."""
    task = one(graph, TASK, "api-blue", region="eu-west-1")
    text = task.inputs["containerDefinitions"].replace(
        '"NOTTERMOST_FENCED","value":"true"', '"NOTTERMOST_FENCED","value":"false"'
    )
    new = msgspec.structs.replace(task, inputs={**task.inputs, "containerDefinitions": text})
    stacks = [
        msgspec.structs.replace(stack, resources=[new if each is task else each for each in stack.resources])
        for stack in graph.stacks
    ]
    return msgspec.structs.replace(graph, stacks=stacks)


CASES = [
    Bad("services-private", changed(SERVICE, "networkConfiguration.assignPublicIp", True), "public addresses"),
    Bad("services-private", changed(SERVICE, "platformVersion", "1.3.0"), "version 1.3.0"),
    Bad("services-private", changed(SERVICE, "networkConfiguration.subnets", ["subnet-1"]), "app tier"),
    Bad("services-private", changed(SERVICE, "networkConfiguration.subnets.0", "subnet-1"), "2 zones of 3"),
    Bad("services-private", changed(SERVICE, "networkConfiguration.securityGroups", []), "no security group"),
    Bad("services-private", changed(SERVICE, "networkConfiguration.securityGroups.0", "sg-1"), "not ours"),
    Bad("services-private", changed(SERVICE, "cluster", "default"), "cluster that is not ours"),
    Bad("services-without-shells", changed(SERVICE, "enableExecuteCommand", True), "shells"),
    *(Bad("deployments-roll-back", changed(SERVICE, path, False), f"{path} off") for path in ALL_OFF),
    Bad("deployments-roll-back", changed(SERVICE, "alarms.alarmNames", ["of-nobody"]), "not there"),
    Bad("deployments-roll-back", changed(SERVICE, "alarms", REMOVED), "no alarm of RunningTaskCount"),
    Bad("deployments-roll-back", changed(SERVICE, "alarms.alarmNames", ["prod-use1-api-blue-missing"], "api-blue"), "no alarm of UnHealthyHostCount"),
    Bad("deployments-roll-back", changed(SERVICE, "deploymentMinimumHealthyPercent", 50), "fewer tasks"),
    Bad("deployments-roll-back", changed(SERVICE, "deploymentMaximumPercent", 100), "no room"),
    Bad("deployments-roll-back", changed(SERVICE, "waitForSteadyState", REMOVED), "before it is steady"),
    Bad("deployments-roll-back", changed(SERVICE, "forceNewDeployment", False), "is replaced"),
    Bad("deployments-roll-back", changed(SERVICE, "healthCheckGracePeriodSeconds", 0, "api-blue"), "judged before"),
    Bad("deployments-roll-back", changed(TASK, "skipDestroy", False), "that a rollback needs"),
    Bad("services-scaled", removed(SCALED, "api-blue"), "scaled by nothing"),
    Bad("services-scaled", altered(SERVICE, options=UNPROTECTED), "takes back"),
    Bad("services-scaled", changed(SERVICE, "capacityProviderStrategies.0.base", 0), "on demand for certain"),
    Bad("services-scaled", changed(SERVICE, "capacityProviderStrategies.1.weight", 500, "api-blue"), "more than 75 %"),
    Bad("services-scaled", changed(SERVICE, "availabilityZoneRebalancing", "DISABLED"), "happen to be"),
    Bad("services-scaled", changed(SERVICE, "schedulingStrategy", "DAEMON"), "by count"),
    Bad("task-tags", changed(SERVICE, "propagateTags", "NONE"), "to no task"),
    Bad("task-tags", changed(SERVICE, "enableEcsManagedTags", False), "cluster and service"),
    Bad("machine-tags", changed(TEMPLATE, "tagSpecifications.0.tags.owner", REMOVED), "no instance its owner"),
    Bad("machine-tags", changed(TEMPLATE, "tagSpecifications.2.resourceType", "snapshot"), "no volume its"),
    Bad("machine-tags", changed(MACHINES, "mixedInstancesPolicy", REMOVED), "no instance its"),
    Bad("tasks-isolated", changed(TASK, "networkMode", "host"), "shares the network"),
    Bad("tasks-isolated", changed(TASK, "pidMode", "host"), "shares pid with host"),
    Bad("tasks-isolated", changed(TASK, "volumes", [{"hostPath": "/"}]), "mounts a folder"),
    Bad("tasks-isolated", changed(TASK, "volumes", [{"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]), "unencrypted"),
    Bad("tasks-isolated", changed(TASK, "enableFaultInjection", True), "faults"),
    Bad("containers-unprivileged", changed(TASK, "containerDefinitions", {"$secret": True}), "no containers"),
    *(Bad("containers-unprivileged", container("user", user), "as root") for user in ("root", "0:0", REMOVED)),
    Bad("containers-unprivileged", container("privileged", True), "privileges of its machine"),
    Bad("containers-unprivileged", container("readonlyRootFilesystem", REMOVED), "its own file system"),
    Bad("containers-unprivileged", container("linuxParameters.capabilities.add", ["SYS_PTRACE"]), "leaves capabilities"),
    Bad("containers-unprivileged", container("linuxParameters.devices", [{"hostPath": "/dev/kvm"}]), "devices"),
    Bad("containers-take-secrets-by-reference", told("NOTTERMOST_API_TOKEN", "abcdef"), "NOTTERMOST_API_TOKEN as text"),
    Bad("containers-take-secrets-by-reference", container("environmentFiles", [{"type": "s3", "value": "arn:x"}]), "from a file"),
    Bad("containers-take-secrets-by-reference", container("secrets.0.valueFrom", "arn:aws:secretsmanager:us-east-1:333344445555:secret:other"), "no secret that is here"),
    Bad("containers-take-secrets-by-reference", container("secrets.0.valueFrom", "plain"), "NOTTERMOST_CACHE_LOGIN from no secret"),
    Bad("containers-take-secrets-by-reference", changed("secretsmanager/secret:Secret", "replicas", REMOVED, "signing-keys"), "NOTTERMOST_SIGNING_KEYS from no secret"),
    Bad("containers-speak-tls", told("NOTTERMOST_SEARCH_HOST", "http://search.internal"), "unencrypted address"),
    Bad("containers-speak-tls", told("OTHER", '{"exporter":{"endpoint":"http://elsewhere"}}'), "by OTHER"),
    Bad("containers-speak-tls", unsaid("NOTTERMOST_CACHE_TLS"), "NOTTERMOST_CACHE_TLS=true"),
    Bad("containers-speak-tls", unsaid("NOTTERMOST_DATABASE_IAM"), "NOTTERMOST_DATABASE_IAM=true"),
    Bad("proxies-named", both(unsaid("NOTTERMOST_TRUSTED_PROXIES"), told("NOTTERMOST_TRUSTED_PROXIES", "10.0.0.0/16,0.0.0.0/0")), "anybody"),
    Bad("containers-observed", unsaid("NOTTERMOST_DRAIN_S"), "how long it may drain"),
    Bad("containers-observed", container("healthCheck.interval", 0), "health of chat"),
    Bad("containers-observed", container("logConfiguration.logDriver", "json-file"), "elsewhere"),
    Bad("containers-observed", container("logConfiguration.options.awslogs-group", "/other"), "no log group of ours"),
    Bad("containers-observed", container("logConfiguration.options.mode", "blocking"), "a full log"),
    Bad("containers-observed", container("healthCheck", REMOVED), "health of chat"),
    Bad("containers-observed", container("stopTimeout", REMOVED), "how long chat"),
    Bad("containers-observed", container("stopTimeout", 20), "after 20 s, though it drains for 30"),
    Bad("containers-observed", container("linuxParameters.initProcessEnabled", False), "orphans of chat"),
    Bad("containers-observed", container("image", "333344445555.dkr.ecr.us-east-1.amazonaws.com/nottermost/prod/chat:latest"), "another tomorrow"),
    Bad("containers-observed", container("image", f"docker.io/chat@sha256:{'0' * 64}"), "registry that is not ours"),
    Bad("containers-observed", container("essential", False), "alone is essential"),
    Bad("containers-observed", container("mountPoints.0.readOnly", True), "cannot write"),
    Bad("task-roles", changed(TASK, "taskRoleArn", REMOVED), "lacks a role"),
    Bad("task-roles", changed(TASK, "taskRoleArn", "arn:aws:iam::333344445555:role/prod-use1-api-execution", "api-blue"), "that it is started with"),
    Bad("task-roles", added(ATTACHED, {"role": "prod-use1-api-execution", "policyArn": "arn:aws:iam::aws:policy/Any"}), "everything of its kind"),
    Bad("task-roles", changed(ROLE_POLICY, "policy.Statement.3.Resource", ["*"], START), "also reads *"),
    Bad("task-roles", changed(ROLE_POLICY, "policy.Statement.3.Effect", "Deny", START), "may not read"),
    Bad("task-roles", changed(ROLE_POLICY, "policy.Statement.2.Resource", ["*"], START), "logs:CreateLogStream to anything"),
    Bad("task-roles", changed(ROLE_POLICY, "policy.Statement.4.Condition", REMOVED, START), "decrypts more"),
    Bad("one-region-appends", unfenced, "appends beside us-east-1"),
    Bad("messages-outlive-tasks", unsaid("NOTTERMOST_STORE"), "api keep messages in its own file system"),
    Bad("clusters-observed", changed(CLUSTER, "settings.0.value", "disabled"), "see into"),
    Bad("clusters-observed", changed(CLUSTER, f"{SHELLS}.logging", "NONE"), "log shells"),
    Bad("clusters-observed", changed(CLUSTER, f"{SHELLS}.logConfiguration.cloudWatchEncryptionEnabled", False), "in the clear"),
    Bad("clusters-observed", changed(CLUSTER, f"{SHELLS}.kmsKeyId", REMOVED), "no key for shells"),
    Bad("clusters-observed", changed(CLUSTER, f"{SHELLS}.logConfiguration.cloudWatchLogGroupName", "/other"), "no group of ours"),
    Bad("clusters-observed", changed(LOG_GROUP, "kmsKeyId", REMOVED, "main-shells"), "unencrypted"),
    Bad("clusters-observed", changed(LOG_GROUP, "retentionInDays", 30, "main-shells"), "30 days"),
    Bad("clusters-observed", altered(LOG_GROUP, "main-shells", options=UNPROTECTED), "takes what was typed"),
    Bad("clusters-on-demand", removed(CAPACITY), "no capacity provider"),
    Bad("clusters-on-demand", changed(CAPACITY, "defaultCapacityProviderStrategies.0.capacityProvider", "FARGATE_SPOT"), "asked for nothing"),
    Bad("clusters-on-demand", changed(CAPACITY, "capacityProviders", ["FARGATE"]), "lacks a capacity provider"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_figure_of_production_is_what_it_must_be() -> None:
    """A task that drains exactly as long as ECS waits is right: the rule is about less."""
    change = both(container("stopTimeout", 30), told("OTHER", "https://elsewhere.example.com"))
    changed_view = type(view_of("prod"))(change(graph_of("prod")), like=view_of("prod"))
    for rule in ("containers-observed", "containers-speak-tls"):
        assert says(rule, changed_view) == says(rule, view_of("prod"))


def test_a_group_of_machines_may_hand_its_tags_on() -> None:
    """Without a template every required tag is handed on at launch."""
    group = one(graph_of("prod"), MACHINES, "agents-deploy")
    tags = [{**each, "propagateAtLaunch": True} for each in group.inputs["tags"]]
    change = both(changed(MACHINES, "mixedInstancesPolicy", REMOVED), changed(MACHINES, "tags", tags))
    assert says("machine-tags", type(view_of("prod"))(change(graph_of("prod")), like=view_of("prod"))) == set()


def test_containers_are_the_ones_of_the_graph() -> None:
    """Every task definition of production has its containers read: else the rules would judge nothing."""
    text = one(graph_of("prod"), TASK, "api-blue").inputs["containerDefinitions"]
    assert [each["name"] for each in json.loads(text)] == ["chat", "collector"]
