"""What is wrong inside text that is JSON: policies, containers, redrive policies, event patterns, dashboards.

From the IAM policy grammar, botocore 1.44.5's shapes (ECS) and the services' API references (read 2026-11-21).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Judge = Callable[[Any], Iterator[str]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def as_list(value: Any) -> list[Any]:
    """A list, also where one thing stands for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects among a list, or the one object."""
    return [each for each in as_list(value) if isinstance(each, Mapping)]


def twice(values: Iterable[Any], what: str) -> Iterator[str]:
    """A sentence for each value that is there more than once."""
    times = Counter(map(str, values))
    yield from (f"{what} {value} is there {number} times" for value, number in times.items() if number > 1)


# --- IAM --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Policy:
    """What a kind of policy says in each statement, and how long it may be (spaces not counted).

    Attributes:
        principal, resource: None where the statement may, but need not.
    """

    principal: bool | None
    resource: bool | None
    chars_max: int


IDENTITY: Final = Policy(principal=False, resource=True, chars_max=6144)
INLINE: Final = Policy(principal=False, resource=True, chars_max=10240)
TRUST: Final = Policy(principal=True, resource=False, chars_max=2048)
POLICIES: Final[dict[tuple[str, str], Policy]] = {
    ("aws:backup/vaultPolicy:VaultPolicy", "policy"): Policy(True, True, 20480),
    ("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "policyDocument"): Policy(True, True, 5120),
    ("aws:dynamodb/resourcePolicy:ResourcePolicy", "policy"): Policy(True, True, 20480),
    ("aws:ec2/vpcEndpoint:VpcEndpoint", "policy"): Policy(True, True, 20480),
    ("aws:ecr/repositoryPolicy:RepositoryPolicy", "policy"): Policy(True, False, 10240),
    ("aws:iam/policy:Policy", "policy"): IDENTITY,
    ("aws:iam/role:Role", "assumeRolePolicy"): TRUST,
    ("aws:iam/rolePolicy:RolePolicy", "policy"): INLINE,
    ("aws:kms/key:Key", "policy"): Policy(True, True, 32768),
    ("aws:kms/replicaKey:ReplicaKey", "policy"): Policy(True, True, 32768),
    ("aws:opensearch/domain:Domain", "accessPolicies"): Policy(True, True, 102_400),
    ("aws:s3/bucketPolicy:BucketPolicy", "policy"): Policy(True, True, 20480),
    ("aws:secretsmanager/secretPolicy:SecretPolicy", "policy"): Policy(True, True, 20480),
    ("aws:sns/topicPolicy:TopicPolicy", "policy"): Policy(True, True, 30720),
    ("aws:sqs/queuePolicy:QueuePolicy", "policy"): Policy(True, True, 8192),
}
STATEMENT_KEYS: Final = frozenset(
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"]
)
PRINCIPALS: Final = frozenset(["AWS", "CanonicalUser", "Federated", "Service"])
ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
RESOURCE: Final = re.compile(r"\*|arn:[a-z0-9*?-]+:[a-z0-9*?-]+:[^:]*:[^:]*:.+")
OPERATOR: Final = re.compile(
    r"(?:(?:ForAllValues|ForAnyValue):)?(?:"
    r"String(?:Not)?(?:Equals(?:IgnoreCase)?|Like)|Arn(?:Not)?(?:Equals|Like)|Bool|BinaryEquals|(?:Not)?IpAddress"
    r"|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?))(?:IfExists)?|Null"
)


def check_policy(document: Any, policy: Policy) -> Iterator[str]:
    """What IAM would refuse in a policy document."""
    if not isinstance(document, Mapping):
        yield "a policy is an object with Version and Statement"
        return
    if extra := document.keys() - {"Version", "Id", "Statement"}:
        yield f"a policy has no {', '.join(sorted(extra))}"
    if document.get("Version") not in ("2012-10-17", "2008-10-17"):
        yield f"Version is 2012-10-17, not {document.get('Version')!r}"
    statements = as_list(document.get("Statement"))
    if not statements:
        yield "has no Statement"
    size = len(re.sub(r"\s", "", json.dumps(document, separators=(",", ":"), ensure_ascii=False)))
    if size > policy.chars_max:
        yield f"has {size} characters, {policy.chars_max} are allowed"
    yield from twice((each["Sid"] for each in objects(statements) if "Sid" in each), "Sid")
    for number, statement in enumerate(statements):
        if not isinstance(statement, Mapping):
            yield f"Statement[{number}] is no object"
            continue
        for message in _check_statement(statement, policy):
            yield f"Statement[{number}]{message}"


def _check_statement(statement: Mapping[str, Any], policy: Policy) -> Iterator[str]:
    if extra := statement.keys() - STATEMENT_KEYS:
        yield f" has no such key as {', '.join(sorted(extra))}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f".Effect: {statement.get('Effect')!r} is neither Allow nor Deny"
    if not re.fullmatch(r"[A-Za-z0-9]*", str(statement.get("Sid", ""))):
        yield f".Sid: {statement['Sid']!r} has more than letters and digits"
    yield from _check_presence(statement, "Action", True)
    yield from _check_presence(statement, "Principal", policy.principal)
    yield from _check_presence(statement, "Resource", policy.resource)
    for key, form, what in (("Action", ACTION, "service:Action"), ("Resource", RESOURCE, "an ARN")):
        for name in (key, f"Not{key}"):
            if name not in statement:
                continue
            values = as_list(statement[name])
            if not values:
                yield f".{name} is empty"
            yield from (
                f".{name}: {each!r} is not {what}"
                for each in values
                if not (isinstance(each, str) and form.fullmatch(each))
            )
    for name in ("Principal", "NotPrincipal"):
        if name in statement:
            yield from _check_principal(statement[name], name)
    yield from _check_condition(statement.get("Condition", {}))


def _check_presence(statement: Mapping[str, Any], key: str, wanted: bool | None) -> Iterator[str]:
    given = [name for name in (key, f"Not{key}") if name in statement]
    if len(given) > 1:
        yield f" has both {key} and Not{key}"
    if wanted and not given:
        yield f" has no {key}"
    if wanted is False and given:
        yield f" has {given[0]}, which such a policy cannot have"


def _check_principal(principal: Any, name: str) -> Iterator[str]:
    if isinstance(principal, Mapping):
        if not principal or (principal.keys() - PRINCIPALS):
            yield f".{name}: {', '.join(sorted(principal)) or 'nobody'} is not one of {', '.join(sorted(PRINCIPALS))}"
        for service in as_list(principal.get("Service", [])):
            if (
                isinstance(service, str)
                and service != "*"
                and not service.endswith((".amazonaws.com", ".aws.internal"))
            ):
                yield f".{name}: {service!r} is not a service, as ecs-tasks.amazonaws.com"
        for account in as_list(principal.get("AWS", [])):
            if not re.fullmatch(r"\*|\d{12}|arn:aws[a-z-]*:(?:iam|sts)::\d{12}:.+|A[A-Z0-9]{15,}", str(account)):
                yield f".{name}: {account!r} is neither an account nor an ARN of IAM"
    elif principal != "*":
        yield f".{name}: {principal!r} is neither * nor an object"


def _check_condition(condition: Any) -> Iterator[str]:
    if not isinstance(condition, Mapping):
        yield f".Condition: {condition!r} is no object"
        return
    for operator, tests in condition.items():
        if not OPERATOR.fullmatch(operator):
            yield f".Condition: there is no operator {operator}"
        elif not isinstance(tests, Mapping) or not tests:
            yield f".Condition.{operator} tests nothing"


# --- containers ---------------------------------------------------------------------------------

CONTAINER_KEYS: Final = _words(  # ecs ContainerDefinition
    "command cpu credentialSpecs dependsOn disableNetworking dnsSearchDomains dnsServers dockerLabels "
    "dockerSecurityOptions entryPoint environment environmentFiles essential extraHosts firelensConfiguration "
    "healthCheck hostname image interactive links linuxParameters logConfiguration memory memoryReservation "
    "mountPoints name portMappings privileged pseudoTerminal readonlyRootFilesystem repositoryCredentials "
    "resourceRequirements restartPolicy secrets startTimeout stopTimeout systemControls ulimits user "
    "versionConsistency volumesFrom workingDirectory"
)
CONTAINER_BLOCKS: Final = {
    "environment": _words("name value"),
    "healthCheck": _words("command interval retries startPeriod timeout"),
    "linuxParameters": _words("capabilities devices initProcessEnabled maxSwap sharedMemorySize swappiness tmpfs"),
    "logConfiguration": _words("logDriver options secretOptions"),
    "mountPoints": _words("containerPath readOnly sourceVolume"),
    "portMappings": _words("appProtocol containerPort containerPortRange hostPort name protocol"),
    "secrets": _words("name valueFrom"),
    "ulimits": _words("hardLimit name softLimit"),
}
CONTAINER_RANGES: Final = {
    ("healthCheck", "interval"): (5, 300),
    ("healthCheck", "retries"): (1, 10),
    ("healthCheck", "startPeriod"): (0, 300),
    ("healthCheck", "timeout"): (2, 60),
    ("portMappings", "containerPort"): (1, 65535),
    ("portMappings", "hostPort"): (0, 65535),
}
CONTAINER_TEXTS: Final = {  # what must be there, and of which form
    ("environment", "name"): r"[A-Za-z_][A-Za-z0-9_.-]*",
    ("environment", "value"): r"(?s:.*)",
    ("logConfiguration", "logDriver"): "awsfirelens|awslogs|fluentd|gelf|journald|json-file|splunk|syslog",
    ("mountPoints", "containerPath"): r"/\S*",
    ("secrets", "name"): r"[A-Za-z_][A-Za-z0-9_.-]*",
    ("secrets", "valueFrom"): r"arn:aws[a-z-]*:(?:secretsmanager|ssm):.+|/?[\w./-]+",
    (
        "ulimits",
        "name",
    ): "core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack",
}
STOP_S_MAX: Final = 120  # of Fargate


def check_containers(containers: Any) -> Iterator[str]:
    """What ECS would refuse in a task's container definitions."""
    if not isinstance(containers, list) or not containers or not all(isinstance(each, Mapping) for each in containers):
        yield "is not a list of containers"
        return
    names = [each.get("name") for each in containers]
    yield from twice(names, "container")
    if not any(each.get("essential", True) for each in containers):
        yield "no container is essential"
    for number, container in enumerate(containers):
        for message in _check_container(container, names):
            yield f"[{number}]{message}"


def _check_container(container: Mapping[str, Any], names: list[Any]) -> Iterator[str]:
    if extra := container.keys() - CONTAINER_KEYS:
        yield f": a container has no {', '.join(sorted(extra))}"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", str(container.get("name", ""))):
        yield f".name: {container.get('name')!r} is no name"
    if not container.get("image"):
        yield ".image is missing"
    for key in ("cpu", "memory", "memoryReservation"):
        value = container.get(key, 6)
        if isinstance(value, bool) or not isinstance(value, int) or value < (0 if key == "cpu" else 6):
            yield f".{key}: {value!r} is not a number of {'CPU units' if key == 'cpu' else 'MiB, at least 6'}"
    if container.get("stopTimeout", 0) not in range(STOP_S_MAX + 1):
        yield f".stopTimeout: {container['stopTimeout']!r} is not from 0 to {STOP_S_MAX}"
    for key, known in CONTAINER_BLOCKS.items():
        for block in as_list(container.get(key)):
            yield from _check_part(block, key, known)
    for key in ("environment", "secrets"):
        yield from twice((each.get("name") for each in objects(container.get(key))), f".{key}:")
    for each in objects(container.get("dependsOn")):
        if each.get("containerName") not in names:
            yield f".dependsOn: there is no container {each.get('containerName')!r}"


def _check_part(block: Any, key: str, known: frozenset[str]) -> Iterator[str]:
    if not isinstance(block, Mapping):
        yield f".{key}: {block!r} is no object"
        return
    if extra := block.keys() - known:
        yield f".{key} has no {', '.join(sorted(extra))}"
    for (owner, name), (low, high) in CONTAINER_RANGES.items():
        value = block.get(name) if owner == key else None
        if value is not None and not (isinstance(value, int) and low <= value <= high):
            yield f".{key}.{name}: {value!r} is not from {low} to {high}"
    for (owner, name), form in CONTAINER_TEXTS.items():
        if owner == key and not (isinstance(block.get(name), str) and re.fullmatch(form, block[name])):
            yield f".{key}.{name}: {block.get(name)!r} is not of the form {form}"
    if key == "healthCheck" and as_list(block.get("command"))[:1] not in (["CMD"], ["CMD-SHELL"], ["NONE"]):
        yield ".healthCheck.command begins with CMD or CMD-SHELL"
    if key == "portMappings":
        if block.get("protocol", "tcp") not in ("tcp", "udp"):
            yield f".portMappings.protocol: {block['protocol']!r} is neither tcp nor udp"
        if "containerPort" not in block and "containerPortRange" not in block:
            yield ".portMappings has no containerPort"


# --- queues, events, dashboards, images -----------------------------------------------------------

EVENT_KEYS: Final = _words("$or account detail detail-type id region resources source time version")
WIDGETS: Final = _words("alarm custom explorer log metric text")
QUEUE_ARN: Final = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+(\.fifo)?")


def check_redrive(policy: Any) -> Iterator[str]:
    if not isinstance(policy, Mapping) or policy.keys() != {"deadLetterTargetArn", "maxReceiveCount"}:
        yield "has deadLetterTargetArn and maxReceiveCount, and nothing else"
        return
    if not QUEUE_ARN.fullmatch(str(policy["deadLetterTargetArn"])):
        yield f"deadLetterTargetArn: {policy['deadLetterTargetArn']!r} is not the ARN of a queue"
    if not str(policy["maxReceiveCount"]).isdigit() or not 1 <= int(policy["maxReceiveCount"]) <= 1000:
        yield f"maxReceiveCount: {policy['maxReceiveCount']!r} is not from 1 to 1000"


def check_redrive_allow(policy: Any) -> Iterator[str]:
    if not isinstance(policy, Mapping) or policy.get("redrivePermission") not in ("allowAll", "byQueue", "denyAll"):
        yield "redrivePermission is allowAll, byQueue or denyAll"
        return
    sources = policy.get("sourceQueueArns", [])
    if (policy["redrivePermission"] == "byQueue") != bool(sources) or len(as_list(sources)) > 10:
        yield "byQueue names one to ten sourceQueueArns, the others none"
    for each in as_list(sources):
        if not QUEUE_ARN.fullmatch(str(each)):
            yield f"{each!r} is not the ARN of a queue"


def check_event_pattern(pattern: Any) -> Iterator[str]:
    if not isinstance(pattern, Mapping) or not pattern:
        yield "an event pattern is an object that is not empty"
        return
    if extra := pattern.keys() - EVENT_KEYS:
        yield f"an event has no {', '.join(sorted(extra))}"
    yield from _check_alternatives(pattern, "")


def _check_alternatives(pattern: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in pattern.items():
        if isinstance(value, Mapping):
            yield from _check_alternatives(value, f"{path}{key}.")
        elif not isinstance(value, list) or not value:
            yield f"{path}{key}: a list of what matches is expected, not {value!r}"


def check_dashboard(body: Any) -> Iterator[str]:
    if not isinstance(body, Mapping) or not isinstance(body.get("widgets"), list):
        yield "a dashboard is an object with a list of widgets"
        return
    for number, widget in enumerate(objects(body["widgets"])):
        if widget.get("type") not in WIDGETS:
            yield f"widgets[{number}].type: {widget.get('type')!r} is not one of {', '.join(sorted(WIDGETS))}"
        if not isinstance(widget.get("properties"), Mapping):
            yield f"widgets[{number}] has no properties"
        if widget.get("width", 6) not in range(1, 25) or widget.get("height", 6) not in range(1, 1001):
            yield f"widgets[{number}] is wider than 24 or higher than 1000"


def check_image_rules(policy: Any) -> Iterator[str]:
    rules = objects(policy.get("rules")) if isinstance(policy, Mapping) else []
    if not rules:
        yield "a lifecycle policy is an object with rules"
    yield from twice((each.get("rulePriority") for each in rules), "priority")
    for each in rules:
        selection, action = (next(iter(objects(each.get(key))), {}) for key in ("selection", "action"))
        if selection.get("tagStatus") not in ("any", "tagged", "untagged"):
            yield f"tagStatus: {selection.get('tagStatus')!r} is not any, tagged or untagged"
        if selection.get("countType") not in ("imageCountMoreThan", "sinceImagePushed"):
            yield f"countType: {selection.get('countType')!r} is not imageCountMoreThan or sinceImagePushed"
        elif (selection["countType"] == "sinceImagePushed") != ("countUnit" in selection):
            yield "countUnit goes with sinceImagePushed, and only with it"
        if action.get("type") not in ("expire", "transition"):
            yield f"action: {each.get('action')!r} is neither expire nor transition"


def check_object(document: Any) -> Iterator[str]:
    if not isinstance(document, Mapping):
        yield "is not a JSON object"


# --- which property is which ------------------------------------------------------------------

DOCUMENTS: Final[dict[tuple[str, str], Judge]] = {
    ("aws:cloudwatch/dashboard:Dashboard", "dashboardBody"): check_dashboard,
    ("aws:cloudwatch/eventRule:EventRule", "eventPattern"): check_event_pattern,
    ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "policy"): check_image_rules,
    ("aws:ecs/taskDefinition:TaskDefinition", "containerDefinitions"): check_containers,
    ("aws:grafana/workspace:Workspace", "configuration"): check_object,
    ("aws:msk/topic:Topic", "configs"): check_object,
    ("aws:sns/topicSubscription:TopicSubscription", "filterPolicy"): check_object,
    ("aws:sns/topicSubscription:TopicSubscription", "redrivePolicy"): check_object,
    ("aws:sqs/queue:Queue", "redriveAllowPolicy"): check_redrive_allow,
    ("aws:sqs/queue:Queue", "redrivePolicy"): check_redrive,
    ("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "redriveAllowPolicy"): check_redrive_allow,
    ("aws:sqs/redrivePolicy:RedrivePolicy", "redrivePolicy"): check_redrive,
}


def check_documents(type_: str, inputs: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the JSON among a resource's inputs."""
    for key, text in inputs.items():
        policy, judge = POLICIES.get((type_, key)), DOCUMENTS.get((type_, key))
        if not isinstance(text, str) or (policy is None and judge is None):
            continue
        try:
            document = json.loads(text)
        except ValueError as error:
            yield f"{key}: is not JSON, {error}"
            continue
        if policy is not None:
            yield from (f"{key}: {message}" for message in check_policy(document, policy))
        elif judge is not None:
            yield from (f"{key}: {message}" for message in judge(document))
