"""The chat: two services a role, what may move at run time, what each role may do, how it grows."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import IPv4Network
from typing import Any

import pytest

from nottermost_platform.components.needs import Need
from nottermost_platform.components.roles import ROLES
from nottermost_platform.graph import Graph, Resource, load_environment
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.policy import canonical_json
from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks import chat
from nottermost_platform.testing import find, graph_of, one, statements, what_if

SERVICE, TASK, TARGETS = "ecs/service:Service", "ecs/taskDefinition:TaskDefinition", "lb/targetGroup:TargetGroup"
RULE, SCALED, POLICY = "lb/listenerRule:ListenerRule", "appautoscaling/target:Target", "appautoscaling/policy:Policy"
ALARM, LOGS = "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/logGroup:LogGroup"
COLOURS = ("blue", "green")
PROD = Place(env="prod", region="us-east-1")
DEV = Place(env="dev", region="us-east-1")
GIVEN = {"account_id": "333344445555", "domain": "chat.example.com", "cloudfront_ranges": ["203.0.113.0/24"]}
FURTHER = {"cpu": 256, "memory_mib": 512, "tasks_min": 1, "tasks_max": 2, "needs": ["log-read", "archive"]}
POOL = {
    "cpu": 256, "memory_mib": 512, "tasks_min": 1, "tasks_max": 2, "slot": 3,
    "schedules": {"morning": {"cron": "0 7 ? * MON-FRI *", "tasks_min": 2, "tasks_max": 2}},
}  # fmt: skip
Inputs = dict[str, Any]


@cache
def larger() -> Graph:
    """Development with one more service and a pool of gateways for a tier."""
    return what_if("dev", "chat", roles={"auditor": FURTHER}, gateway_tiers={"gold": POOL})


def containers(task: Inputs) -> dict[str, Inputs]:
    return {each["name"]: each for each in json.loads(task["containerDefinitions"])}


def environment(task: Inputs) -> dict[str, str]:
    return {each["name"]: each["value"] for each in containers(task)["chat"]["environment"]}


def secrets(graph: Graph, role: str, *, region: str = "us-east-1") -> dict[str, str]:
    """Where the secrets of a role come from, by their variables without the prefix."""
    listed = containers(one(graph, TASK, f"{role}-blue", stack="chat", region=region).inputs)["chat"]["secrets"]
    return {each["name"].removeprefix("NOTTERMOST_"): each["valueFrom"] for each in listed}


def in_chat(graph: Graph, type_: str) -> Iterator[Resource]:
    for region in ("us-east-1", "eu-west-1"):
        yield from find(graph, type_, stack="chat", region=region)


# Number in the list of controls, type, what must hold of its inputs.
CONTROLS: list[tuple[int, str, Callable[[Inputs], bool]]] = [
    (74, LOGS, lambda i: i["retentionInDays"] > 0 and bool(i["kmsKeyId"])),
    (75, ALARM, lambda i: i["actionsEnabled"] and i["alarmActions"] and i["treatMissingData"] and "runbooks/alerts/" in i["alarmDescription"]),
    (79, SCALED, lambda i: 2 <= i["minCapacity"] <= i["maxCapacity"] <= 1500),
]  # fmt: skip


@pytest.mark.parametrize("env", ["prod", "staging"])
@pytest.mark.parametrize(("control", "type_", "holds"), CONTROLS)
def test_controls(env: str, control: int, type_: str, holds: Callable[[Inputs], bool]) -> None:
    """Each control holds for every resource of its type, in both regions."""
    found = list(in_chat(graph_of(env), type_))
    assert found
    assert [each.urn for each in found if not holds(each.inputs)] == [], control


@pytest.mark.parametrize("env", ["dev", "staging", "prod", "pr-0"])
def test_every_role_is_there_twice(env: str) -> None:
    """Blue lives, green is idle at 0, and nothing of what the promoter moves later is moved back."""
    services = {each.name: each for each in find(graph_of(env), SERVICE, stack="chat")}
    assert set(services) == {f"{role}-{colour}" for role in ROLES for colour in COLOURS}
    for name, service in services.items():
        tasks_min = one(graph_of(env), SCALED, name).inputs["minCapacity"]
        assert service.inputs["desiredCount"] == (tasks_min if name.endswith("blue") else 0)
        assert service.options.ignore_changes == ["desiredCount", "taskDefinition"]


def test_weights_belong_to_the_promoter() -> None:
    """Both target groups are in the rule from the start, all requests go to the first, changes are ignored."""
    rules = find(graph_of("prod"), RULE, stack="chat")
    assert {each.name for each in rules} == {"api-weights", "gateway-weights"}
    for rule in rules:
        (action,) = rule.inputs["actions"]
        role = rule.name.removesuffix("-weights")
        arns = [
            one(graph_of("prod"), SERVICE, f"{role}-{c}").inputs["loadBalancers"][0]["targetGroupArn"] for c in COLOURS
        ]
        groups = action["forward"]["targetGroups"]
        assert [(group["arn"], group["weight"]) for group in groups] == list(zip(arns, (100, 0), strict=True))
        assert rule.options.ignore_changes == ["actions"]
        for colour in COLOURS:  # a service cannot be made before its target group has a load balancer
            assert rule.urn in one(graph_of("prod"), SERVICE, f"{role}-{colour}").dependencies


def test_only_the_living_colour_scales() -> None:
    """What both colours share, a backlog, must not wake the idle one; which it is, the promoter says later on."""
    for target in in_chat(graph_of("prod"), SCALED):
        idle = target.name.endswith("green")
        assert set(target.inputs["suspendedState"].values()) == {idle}
        assert target.options.ignore_changes == ["suspendedState"]


def test_a_rollback_alarm_names_its_own_service() -> None:
    """By the name that the service will have, and the alarm is there before the service."""
    for service in in_chat(graph_of("prod"), SERVICE):
        alarms = {each.inputs["name"]: each for each in in_chat(graph_of("prod"), ALARM)}
        for name in service.inputs["alarms"]["alarmNames"]:
            alarm = alarms[name]
            assert service.inputs["name"] in canonical_json(alarm.inputs) or "TargetGroup" in canonical_json(
                alarm.inputs
            )
        behind = "loadBalancers" in service.inputs
        assert len(service.inputs["alarms"]["alarmNames"]) == (4 if behind else 1)


def tracked(name: str) -> dict[str, float]:
    """Figures that a service follows, to their targets."""
    policies = find(graph_of("prod"), POLICY, stack="chat")
    key = "targetTrackingScalingPolicyConfiguration"
    mine = {each.name.removeprefix(f"{name}-"): each.inputs for each in policies if each.name.startswith(f"{name}-")}
    return {figure: inputs[key]["targetValue"] for figure, inputs in mine.items() if key in inputs}


def test_roles_grow_by_document_d() -> None:
    """8,000 sockets a gateway; the API at 100 ms for 95 of 100 or 70 % CPU; consumers at 10,000 records."""
    assert tracked("gateway-blue") == {"connections": 8_000, "cpu": 70}
    assert tracked("api-blue") == {"cpu": 70, "latency": 0.1}
    assert tracked("indexer-blue") == {"backlog": 10_000, "cpu": 70}
    assert tracked("webhooks-green") == {"backlog": 60, "cpu": 70}
    latency = one(graph_of("prod"), POLICY, "api-blue-latency").inputs["targetTrackingScalingPolicyConfiguration"]
    (metric,) = latency["customizedMetricSpecification"]["metrics"]
    assert metric["metricStat"]["stat"] == "p95"
    for target in in_chat(graph_of("prod"), SCALED):  # 79: each has a policy
        assert [
            each
            for each in in_chat(graph_of("prod"), POLICY)
            if each.inputs["resourceId"] == target.inputs["resourceId"]
        ]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_full_gateway_is_an_alarm_and_more_gateways(colour: str) -> None:
    """At 10,000 sockets a task takes nobody new: somebody is told, and tasks are added at once."""
    alarm = one(graph_of("prod"), ALARM, f"gateway-{colour}-full").inputs
    assert (alarm["threshold"], alarm["comparisonOperator"]) == (10_000, "GreaterThanOrEqualToThreshold")
    assert (
        environment(one(graph_of("prod"), TASK, f"gateway-{colour}").inputs)["NOTTERMOST_LIMITS__CONNECTIONS_MAX"]
        == "10000"
    )
    surge = one(graph_of("prod"), POLICY, f"gateway-{colour}-surge")
    topic, policy = alarm["alarmActions"]
    assert alarm["okActions"] == [topic]
    assert surge.inputs["policyType"] == "StepScaling"
    assert surge.name in policy


def test_sockets_have_time_to_go() -> None:
    """The chat sends everybody away within 60 s; the target group waits as long, ECS longer."""
    task = one(graph_of("prod"), TASK, "gateway-blue").inputs
    targets = one(graph_of("prod"), TARGETS, "gateway-blue").inputs
    assert environment(task)["NOTTERMOST_DRAIN_S"] == "60"
    assert targets["deregistrationDelay"] == 60
    assert containers(task)["chat"]["stopTimeout"] == 80


def test_container_definitions_are_as_ecs_writes_them() -> None:
    """Canonical, else they would seem changed for ever: sorted, and nothing left out that ECS fills in."""
    for task in in_chat(graph_of("prod"), TASK):
        text = task.inputs["containerDefinitions"]
        assert text == canonical_json(json.loads(text))
        assert list(containers(task.inputs)) == ["chat", "collector"]
        for each in containers(task.inputs).values():
            assert {
                "mountPoints",
                "volumesFrom",
                "systemControls",
                "portMappings",
                "environment",
                "secrets",
                "user",
            } <= set(each)
            assert all(port["hostPort"] == port["containerPort"] for port in each["portMappings"])
            for pairs in ("environment", "secrets"):
                assert each[pairs] == sorted(each[pairs], key=lambda pair: str(pair["name"]))
        assert sum(each["cpu"] for each in containers(task.inputs).values()) == int(task.inputs["cpu"])
        assert sum(each["memory"] for each in containers(task.inputs).values()) == int(task.inputs["memory"])


def test_tasks_carry_the_tags_of_their_service() -> None:
    """Bills are by task: all required tags come from the service, which is called by its role."""
    for service in in_chat(graph_of("prod"), SERVICE):
        assert set(REQUIRED_TAGS) <= set(service.tags)
        assert service.tags["service"] == service.name.rpartition("-")[0]
        assert service.tags["data-class"] == "confidential"


# --- who may do what --------------------------------------------------------------------------

# Beginnings of the actions that a need brings; all others must be absent.
BRINGS = {
    Need.ARCHIVE: ("s3:", "kms:"), Need.CACHE: (), Need.DATABASE: ("rds-db:connect",), Need.FILES: ("s3:", "kms:"),
    Need.IDENTITY: (), Need.LOG_READ: ("kafka-cluster:",), Need.LOG_WRITE: ("kafka-cluster:",), Need.PSEUDONYMS: (),
    Need.PUSH: ("sqs:", "kms:"), Need.PUSH_KEYS: (), Need.REDRIVE: ("sqs:", "kafka-cluster:", "kms:"),
    Need.REPLAY: ("sqs:", "kms:"), Need.SEARCH_READ: ("es:ESHttp",), Need.SEARCH_WRITE: ("es:ESHttp",),
    Need.TABLES_READ: ("dynamodb:", "kms:"), Need.TABLES_SWEEP: ("dynamodb:Scan",),
    Need.TABLES_WRITE: ("dynamodb:", "kms:"), Need.WEBHOOKS: ("sqs:", "kms:"),
}  # fmt: skip
WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "es:ESHttpPut", "es:ESHttpDelete")
UNNAMED = {  # actions on what has no resource in IAM
    "ecr:GetAuthorizationToken", "servicediscovery:DiscoverInstances", "xray:GetSamplingRules", "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords", "xray:PutTraceSegments",
}  # fmt: skip


def allowed(role: str, policy: str) -> list[dict[str, Any]]:
    """The statements of one policy of a role's IAM role; none where it has no such policy."""
    found = find(graph_of("prod"), "iam/rolePolicy:RolePolicy", f"{role}-{policy}", stack="chat")
    return [each for one_ in found for each in statements(one_.inputs["policy"])]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_needs(role: str) -> None:
    """Control 76: every action follows from a need that the role declares, and names what it is done to."""
    needs = ROLES[role].needs
    brought = tuple(action for need in needs for action in BRINGS[need])
    actions = {action for each in allowed(role, "task-serve") for action in each["Action"]}
    assert {
        each for each in actions - {"servicediscovery:DiscoverInstances"} if not each.startswith(brought or "-")
    } == set()
    if not {Need.TABLES_WRITE, Need.SEARCH_WRITE} & set(needs):
        assert not actions & set(WRITES)
    for policy in ("task-serve", "task-observe", "execution-start"):
        for each in allowed(role, policy):
            assert not [action for action in each["Action"] if "*" in action]
            if "*" in each["Resource"]:
                assert set(each["Action"]) <= UNNAMED


@pytest.mark.parametrize("role", ROLES)
def test_ecs_starts_with_what_the_task_lists(role: str) -> None:
    """Control 46: the execution role reads the secrets of its own containers, whole, and pulls two images."""
    listed = {each.removesuffix(":key::") for each in secrets(graph_of("prod"), role).values()}
    start = allowed(role, "execution-start")
    read = {arn for each in start if "secretsmanager:GetSecretValue" in each["Action"] for arn in each["Resource"]}
    assert read == listed
    (pulled,) = [each["Resource"] for each in start if "ecr:BatchGetImage" in each["Action"]]
    assert len(pulled) == 2
    assert len([each for each in start if "kms:Decrypt" in each["Action"]]) == bool(listed)
    trusted = one(graph_of("prod"), "iam/role:Role", f"{role}-task").inputs["assumeRolePolicy"]
    (trust,) = statements(trusted)
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "333344445555"}


KEPT = {  # secrets of the chat by role, beside the cache's
    "gateway": {"SIGNING_KEYS"}, "api": {"SIGNING_KEYS", "WEBHOOK_KEY", "PSEUDONYM_KEY", "VAPID_KEY"},
    "keeper": {"SIGNING_KEYS", "PSEUDONYM_KEY"}, "notifier": {"VAPID_KEY"}, "webhooks": {"WEBHOOK_KEY"},
}  # fmt: skip
NAMED = {
    "SIGNING_KEYS": "signing-keys", "WEBHOOK_KEY": "webhook-key", "PSEUDONYM_KEY": "pseudonym-key",
    "VAPID_KEY": "vapid-key", "FCM_ACCOUNT": "fcm-account", "APNS_KEY": "apns-key", "CACHE_LOGIN": "cache-password",
}  # fmt: skip
CACHED = {"gateway", "api", "ingest", "fanout", "notifier", "keeper"}
PHONES = {"FCM_ACCOUNT", "APNS_KEY"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_secrets_that_it_reads(role: str) -> None:
    """No other one; each variable its own secret, and of those that a rotation makes the key in it."""
    found = secrets(graph_of("prod"), role)
    assert found.keys() == KEPT.get(role, set()) | ({"CACHE_LOGIN"} if role in CACHED else set())
    for variable, source in found.items():
        assert f"-{NAMED[variable]}" in source
        assert source.endswith(":key::") == (variable in ("WEBHOOK_KEY", "PSEUDONYM_KEY", "VAPID_KEY"))


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_secrets_are_read_in_ones_own_region(region: str) -> None:
    """A copy in the standby: nothing is asked of a region that is down."""
    for role in ROLES:
        assert {each.split(":")[3] for each in secrets(graph_of("prod"), role, region=region).values()} <= {region}


def test_accounts_of_phones_are_given_when_there_are_some() -> None:
    """To who sends and to who tells devices what is on; ECS would start nobody with a secret that has no value."""
    graph = what_if("dev", "chat", phones=["fcm", "apns"])
    assert {role for role in ROLES if secrets(graph, role).keys() & PHONES} == {"api", "notifier"}
    found = secrets(graph, "notifier")
    assert found.keys() == {"CACHE_LOGIN", "VAPID_KEY", *PHONES}
    for variable in PHONES:
        assert f"-{NAMED[variable]}" in found[variable]
        assert found[variable].count(":") == 6
    start = one(graph, "iam/rolePolicy:RolePolicy", "notifier-execution-start").inputs["policy"]
    (read,) = (each for each in statements(start) if "secretsmanager:GetSecretValue" in each["Action"])
    assert len(read["Resource"]) == 4


WORK = {"DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage"}
REVIVED = {"ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"}
JOBS: dict[str, dict[str, set[str]]] = {
    "api": {"webhook": {"GetQueueAttributes", "SendMessage"}, "webhook-dead": REVIVED},
    "keeper": {
        "push": {"GetQueueAttributes", "SendMessage"}, "push-dead": REVIVED,
        "webhook": {"GetQueueAttributes", "SendMessage"}, "webhook-dead": REVIVED,
    },
    "notifier": {"push": WORK, "push-dead": {"SendMessage"}},
    "webhooks": {"webhook": WORK, "webhook-dead": {"SendMessage"}},
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_with_queues_what_its_code_does(role: str) -> None:
    """A retry and a dead letter are new messages of the worker's; who replays takes them out of the dead letters."""
    found: dict[str, set[str]] = {}
    for each in allowed(role, "task-serve"):
        for action in each["Action"]:
            if action.startswith("sqs:"):
                for arn in each["Resource"]:
                    found.setdefault(arn.rpartition("-use1-")[2], set()).add(action.removeprefix("sqs:"))
    assert found == JOBS.get(role, {})
    given = environment(one(graph_of("prod"), TASK, f"{role}-blue").inputs)
    both = {"NOTTERMOST_PUSH_QUEUE", "NOTTERMOST_WEBHOOK_QUEUE"}
    assert given.keys() & both == (both if role in JOBS else set())
    assert ("NOTTERMOST_PUSH_CONTACT" in given) == (role == "notifier")


GROUPS = {"fanout", "indexer", "notifier", "webhooks", "archiver", "keeper", "audit", "counts"}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_the_log_under_the_names_that_its_code_gives(role: str) -> None:
    """Its own; the keeper also notes and counts, and hands over again what any group but fan-out's set aside."""
    moved = {
        arn.rpartition("/nottermost-")[2]
        for each in allowed(role, "task-serve") if "kafka-cluster:AlterGroup" in each["Action"] for arn in each["Resource"]
    }  # fmt: skip
    redriven = {f"{group}-redrive" for group in GROUPS - {"fanout"}}
    more = {"audit", "counts"} | redriven if role == "keeper" else set()
    assert moved == ({role} | more if Need.LOG_READ in ROLES[role].needs else set())
    read = {
        arn.rpartition("/")[2]
        for each in allowed(role, "task-serve") if "kafka-cluster:ReadData" in each["Action"] for arn in each["Resource"]
    }  # fmt: skip
    assert ("chat.entries.dead" in read) == (role == "keeper")


def test_texts_are_looked_through_by_the_keeper_alone() -> None:
    """It collects those that no message refers to; nobody else reads a whole table."""
    scans = {
        role: [each for each in allowed(role, "task-serve") if "dynamodb:Scan" in each["Action"]] for role in ROLES
    }
    assert {role for role, found in scans.items() if found} == {"keeper"}
    (scan,) = scans["keeper"]
    assert [arn.rpartition("-")[2] for arn in scan["Resource"]] == ["texts"]


def test_the_client_is_known_behind_cloudfront_and_the_load_balancer() -> None:
    """Whoever is reached by the load balancer believes its subnets and CloudFront's, and nobody else is told whom to."""
    graph = graph_of("prod")
    for region, block in (("us-east-1", "10.30.192.0/18"), ("eu-west-1", "10.40.192.0/18")):
        subnets = find(graph, "ec2/subnet:Subnet", stack="network", region=region)
        for each in subnets:
            inside = IPv4Network(each.inputs["cidrBlock"]).subnet_of(IPv4Network(block))
            assert inside == (each.tags["tier"] == "public")
        for role in ROLES:
            given = environment(one(graph, TASK, f"{role}-blue", region=region).inputs)
            trusted = given.get("NOTTERMOST_TRUSTED_PROXIES", "")
            assert trusted == (f"{block},203.0.113.0/24" if ROLES[role].paths else "")


def test_roles_are_called_by_whom_the_design_says() -> None:
    """Ingest by gateways, the API and what appends notes; fanout by gateways, by groups only; from outside by the load balancer."""
    rules = find(graph_of("prod"), "vpc/securityGroupIngressRule:SecurityGroupIngressRule", stack="chat")
    assert {each.name for each in rules} == {
        "api-from-balancer", "gateway-from-balancer", "fanout-from-gateway",
        *(f"ingest-from-{role}" for role in ("api", "gateway", "fanout", "keeper")),
    }  # fmt: skip
    assert all(each.inputs["referencedSecurityGroupId"] and "cidrIpv4" not in each.inputs for each in rules)
    for rule in find(graph_of("prod"), "vpc/securityGroupEgressRule:SecurityGroupEgressRule", stack="chat"):
        assert rule.inputs["ipProtocol"] == "tcp"  # 5
        assert rule.inputs.get("cidrIpv4", "0.0.0.0/0") == "0.0.0.0/0"
        assert "cidrIpv4" not in rule.inputs or rule.inputs["fromPort"] == 443


def test_the_standby_appends_nothing() -> None:
    """It is warm, two tasks each, and fenced until somebody fails over."""
    graph = graph_of("prod")
    for task in find(graph, TASK, stack="chat", region="eu-west-1"):
        assert environment(task.inputs)["NOTTERMOST_FENCED"] == "true"
    for task in find(graph, TASK, stack="chat"):
        assert environment(task.inputs)["NOTTERMOST_FENCED"] == "false"
    live = [each.inputs for each in find(graph, SERVICE, region="eu-west-1") if each.name.endswith("blue")]
    assert {each["desiredCount"] for each in live} == {2}


def test_a_failover_reaches_the_chat() -> None:
    """The fence and the database follow `home_region` of `data`: the replica while fenced, its proxy afterwards."""
    after = load_environment("prod", stack="chat", overrides={"data": {"home_region": "eu-west-1"}})
    hosts = {}
    for when, graph in (("before", graph_of("prod")), ("after", after)):
        fenced = {
            region: environment(one(graph, TASK, "ingest-blue", stack="chat", region=region).inputs)[
                "NOTTERMOST_FENCED"
            ]
            for region in ("us-east-1", "eu-west-1")
        }
        assert fenced == {"us-east-1": str(when == "after").lower(), "eu-west-1": str(when == "before").lower()}
        task = one(graph, TASK, "ingest-blue", stack="chat", region="eu-west-1")
        (data,) = (each for each in graph.stacks if (each.name, each.region) == ("data", "eu-west-1"))
        hosts[when] = environment(task.inputs)["NOTTERMOST_DATABASE_HOST"]
        resource = data.outputs["database_resource_id"].value
        serve = one(graph, "iam/rolePolicy:RolePolicy", "ingest-task-serve", stack="chat", region="eu-west-1").inputs
        (connect,) = (each for each in statements(serve["policy"]) if each["Action"] == ["rds-db:connect"])
        assert connect["Resource"][0].endswith(f":dbuser:{resource}/chat")
        assert (hosts[when] == data.outputs["database_proxy_host"].value) == (when == "after")
    assert hosts["before"] != hosts["after"]


# --- other settings ---------------------------------------------------------------------------


def test_one_more_service_replaces_nothing() -> None:
    """What was there stays byte for byte, but for the outputs that list all services."""
    before = {each.urn: each for stack in graph_of("dev").stacks if stack.name == "chat" for each in stack.resources}
    after = {each.urn: each for stack in larger().stacks if stack.name == "chat" for each in stack.resources}
    assert [urn for urn, each in before.items() if after.get(urn) != each] == []
    new = {each.name for urn, each in after.items() if urn not in before and each.type == f"aws:{SERVICE}"}
    assert new == {f"{name}-{colour}" for name in ("auditor", "gateway-gold") for colour in COLOURS}


def test_one_more_service_may_do_what_it_says() -> None:
    """A worker of one's own reads the log under its own name and writes the archive."""
    policy = one(larger(), "iam/rolePolicy:RolePolicy", "auditor-task-serve").inputs["policy"]
    actions = {action.partition(":")[0] for each in statements(policy) for action in each["Action"]}
    assert actions == {"kafka-cluster", "kms", "s3"}
    groups = {str(each["Resource"]) for each in statements(policy) if "kafka-cluster:AlterGroup" in each["Action"]}
    assert all("/nottermost-auditor" in group for group in groups)
    assert containers(one(larger(), TASK, "auditor-blue").inputs)["chat"]["command"][-1] == "auditor"


def test_a_tier_has_a_pool_of_gateways() -> None:
    """Off by default; with a path, two colours and a schedule of its own, and the same way to ingest and fanout."""
    assert not [each for each in find(graph_of("prod"), SERVICE) if each.name.startswith("gateway-gold")]
    rule = one(larger(), RULE, "gateway-gold-weights").inputs
    assert rule["conditions"] == [{"pathPattern": {"values": ["/ws/gold"]}}]
    priorities = [each.inputs["priority"] for each in find(larger(), RULE)]
    assert len(set(priorities)) == len(priorities) == 3
    assert containers(one(larger(), TASK, "gateway-gold-blue").inputs)["chat"]["command"][-1] == "gateway"
    for callee in ("ingest", "fanout"):
        assert find(larger(), "vpc/securityGroupIngressRule:SecurityGroupIngressRule", f"{callee}-from-gateway-gold")
    action = one(larger(), "appautoscaling/scheduledAction:ScheduledAction", "gateway-gold-blue-morning").inputs
    assert (action["schedule"], action["timezone"]) == ("cron(0 7 ? * MON-FRI *)", "Etc/UTC")
    assert action["scalableTargetAction"] == {"maxCapacity": 2, "minCapacity": 2}


SIZE = {"cpu": 512, "memory_mib": 1024, "tasks_min": 2, "tasks_max": 4}


@pytest.mark.parametrize(
    ("place", "settings", "said"),
    [
        (PROD, {"image": "latest"}, "image: production runs an image by digest, sha256: and 64"),
        (PROD, {"roles": {"api": {"tasks_min": 1}}}, "roles: tasks_min of api is 1; in production at least 2"),
        (PROD, {"gateway_tiers": {"gold": SIZE | {"tasks_min": 1, "slot": 0}}}, "gateway_tiers: tasks_min of gold is 1"),
        (PROD, {"roles": {"gateway": {"tasks_max": 2000}}}, "tasks_max of gateway is 2000; at most tasks_ceiling, 1500"),
        (PROD, {"targets_max": 1000}, "make 2620 targets while both colours run, the load balancer takes 1000"),
        (PROD, {"connections": [10_000, 8_000]}, "connections: two numbers, the first below the second"),
        (PROD, {"log_days": 8}, "log_days: Input should be 3, 7, 14"),
        (DEV, {"roles": {"api": {"memory_mib": 4096}}}, "memory_mib: with cpu 256 Fargate has 512, 1024, 2048"),
        (DEV, {"roles": {"api": {"spot_percent": 100}}}, "spot_percent: Input should be less than or equal to 75"),
        (DEV, {"roles": {"auditor": SIZE}}, "roles.auditor.needs: said for a role of one's own"),
        (DEV, {"roles": {"auditor": SIZE | {"needs": ["gold"]}}}, "roles.auditor.needs.0: Input should be 'archive', 'cache'"),
        (DEV, {"roles": {"gateway-gold": SIZE | {"needs": ["cache"]}}, "gateway_tiers": {"gold": SIZE | {"slot": 0}}},
         "roles.gateway-gold: so the pool of a tier is called"),
        (DEV, {"gateway_tiers": {"gold": SIZE | {"slot": 1}, "free": SIZE | {"slot": 1}}}, "each tier has a slot of its own"),
        (PROD, {"cloudfront_ranges": []}, "cloudfront_ranges: in production the addresses that CloudFront asks from"),
        (DEV, {"cloudfront_ranges": ["203.0.113.1/24"]}, "cloudfront_ranges: 203.0.113.1/24 has host bits set"),
        (DEV, {"phones": ["fax"]}, "phones.0: Input should be 'fcm' or 'apns'"),
        (DEV, {"tasks_celling": 3}, "tasks_celling: there is no such setting; there are account_id"),
    ],
)  # fmt: skip
def test_unsafe_settings_are_refused(place: Place, settings: Inputs, said: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError) as refused:
        load(chat.Settings, chat.LAYERS, place, GIVEN | settings, source="")
    assert said in str(refused.value)


def test_a_first_preview_declares_the_same() -> None:
    """Nothing is made inside `apply`, in any stack that containers and users meet."""
    known, unknown = (
        {each.urn for stack in graph.stacks for each in stack.resources}
        for graph in (graph_of("dev"), graph_of("dev", unknown=True))
    )
    assert known == unknown
