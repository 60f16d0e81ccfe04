"""Rules of ECS: controls 39 to 47."""

from collections.abc import Iterator, Mapping
from functools import cache
from re import compile as pattern
from typing import Any, Final

from nottermost_platform.components.cluster import ON_DEMAND, SPOT
from nottermost_platform.graph import Resource
from nottermost_platform.naming import PRIMARY, REQUIRED_TAGS
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.functions import LOG_GROUP, ROLE
from nottermost_platform.rules.images import KEY, REPOSITORY, word, words
from nottermost_platform.rules.literals import is_literal, is_secret_name
from nottermost_platform.rules.network import GROUP, SUBNET, ZONES_MIN, ZONES_MIN_ELSEWHERE, is_anywhere
from nottermost_platform.rules.view import View, get, items, number, parse, texts

SERVICE: Final = "ecs/service:Service"
TASK_SET: Final = "ecs/taskSet:TaskSet"
TASK: Final = "ecs/taskDefinition:TaskDefinition"
CLUSTER: Final = "ecs/cluster:Cluster"
CAPACITY: Final = "ecs/clusterCapacityProviders:ClusterCapacityProviders"
SCALED: Final = "appautoscaling/target:Target"
ALARM: Final = "cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE: Final = "cloudwatch/compositeAlarm:CompositeAlarm"
SECRET: Final = "secretsmanager/secret:Secret"  # noqa: S105 - a type
ROLE_POLICY: Final = "iam/rolePolicy:RolePolicy"
ATTACHED: Final = "iam/rolePolicyAttachment:RolePolicyAttachment"
MACHINES: Final = "autoscaling/group:Group"
TEMPLATE: Final = "ec2/launchTemplate:LaunchTemplate"

SPOT_PERCENT_MAX: Final = 75
SHELL_LOG_DAYS: Final = 365
DRAIN: Final = "NOTTERMOST_DRAIN_S"
RUNNING: Final = ("RunningTaskCount",)  # what a deployment is judged by
ANSWERS: Final = ("HTTPCode_Target_5XX_Count", "TargetResponseTime", "UnHealthyHostCount")  # behind a load balancer
# What follows from being told where something is; the chat takes each for false when it is not told.
ENCRYPTED_BY: Final = {
    "NOTTERMOST_CACHE_HOST": "NOTTERMOST_CACHE_TLS",
    "NOTTERMOST_DATABASE_HOST": "NOTTERMOST_DATABASE_IAM",
}
PROXIES: Final = "NOTTERMOST_TRUSTED_PROXIES"
FENCED: Final = "NOTTERMOST_FENCED"
STORE: Final = "NOTTERMOST_STORE"
DIGEST: Final = pattern(r"@sha256:[0-9a-f]{64}$")
OWN_HOST: Final = pattern(r"^http://(127\.0\.0\.1|localhost)(:|/|$)")
UNENCRYPTED: Final = ("http://", "ws://", "redis://", "ftp://", "ldap://", "amqp://", "smtp://")


def containers(task: Resource) -> list[Mapping[str, Any]]:
    """The containers of a task definition; none where they cannot be read."""
    text = get(task, "containerDefinitions")
    return _containers(text) if isinstance(text, str) else []


@cache
def _containers(text: str) -> list[Mapping[str, Any]]:
    found = parse(text)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def variables(container: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a container is told by its environment, in its order."""
    return [(str(get(each, "name")), str(get(each, "value", ""))) for each in items(container, "environment")]


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """The same by name."""
    return dict(variables(container))


def role_of(container: Mapping[str, Any]) -> str:
    """The role of the chat that a container runs; empty for anything else."""
    command = items(container, "command")
    return str(command[4]) if command[:4] == ["nottermost", "chat", "run", "--role"] and len(command) > 4 else ""


def tasks_of(service: Resource, view: View) -> list[Resource]:
    """The task definition that a service begins with."""
    return view.targets(service, "taskDefinition", TASK)


def drain_s(tasks: list[Resource]) -> float:
    """How long these tasks take to let go of what they serve; 0 for those that hold nothing."""
    told = [environment(each) for task in tasks for each in containers(task)]
    return max((number(each, DRAIN) for each in told), default=0)


def called(container: Mapping[str, Any]) -> str:
    return str(get(container, "name", "?"))


# --- services -----------------------------------------------------------------------------------


@rule(
    "services-private", 39, Severity.HIGH, SERVICE, TASK_SET,
    title="Tasks have no public address, run in private subnets of two zones (three in production), on the newest platform",
    fsbp="ECS.2 ECS.10 ECS.16", checkov="332 333",
    fix="assign_public_ip=False, subnets of the app tier, groups of ours, no platform_version",
)  # fmt: skip
def services_private(service: Resource, view: View) -> Lacks:
    if get(service, "networkConfiguration.assignPublicIp") is not False:
        yield "gives its tasks public addresses"
    if get(service, "platformVersion", "LATEST") != "LATEST":
        yield f"stays at platform version {get(service, 'platformVersion')}"
    subnets = view.targets(service, "networkConfiguration.subnets", SUBNET)
    named = len(items(service, "networkConfiguration.subnets"))
    if len(subnets) < named or any(each.tags.get("tier") != "app" for each in subnets):
        yield "runs in subnets that are not ours, or not of the app tier"
    zones, wanted = (
        {word(each, "availabilityZone") for each in subnets},
        ZONES_MIN.get(view.env_class, ZONES_MIN_ELSEWHERE),
    )
    if len(zones) < wanted:
        yield f"runs in {len(zones)} zones of {wanted}"
    groups = view.targets(service, "networkConfiguration.securityGroups", GROUP)
    if not groups or len(groups) < len(items(service, "networkConfiguration.securityGroups")):
        yield "wears no security group, or one that is not ours"
    if not view.targets(service, "cluster", CLUSTER):
        yield "runs in a cluster that is not ours"


@rule(
    "services-without-shells", 47, Severity.MEDIUM, SERVICE,
    title="In production nobody opens a shell in a container that serves users",
    fix="enable_execute_command=False; a debug task can be started beside the service", envs=("prod",),
)  # fmt: skip
def services_without_shells(service: Resource, _view: View) -> Lacks:
    if get(service, "enableExecuteCommand") is not False:
        yield "lets shells be opened in its containers"


@rule(
    "deployments-roll-back", 40, Severity.MEDIUM, SERVICE,
    title="A deployment that fails or raises an alarm goes back by itself, and never takes tasks away first",
    fix="keep the circuit breaker, alarms with rollback, 100 % healthy and wait_for_steady_state",
)  # fmt: skip
def deployments_roll_back(service: Resource, view: View) -> Lacks:
    for path in (
        "deploymentCircuitBreaker.enable",
        "deploymentCircuitBreaker.rollback",
        "alarms.enable",
        "alarms.rollback",
    ):
        if get(service, path) is not True:
            yield f"has {path} off"
    followed = view.targets(service, "alarms.alarmNames", ALARM, COMPOSITE)
    ours = {word(each, "name") or word(each, "alarmName") for each in followed}
    if not words(service, "alarms.alarmNames") <= ours:
        yield "follows an alarm that is not there"
    measured = {text for each in followed for text in texts(each.inputs)}
    for figure in [*RUNNING, *(ANSWERS if items(service, "loadBalancers") else ())]:
        if figure not in measured:
            yield f"follows no alarm of {figure}"
    if number(service, "deploymentMinimumHealthyPercent") < 100:
        yield "may have fewer tasks than it needs while it is deployed"
    if number(service, "deploymentMaximumPercent") <= 100:
        yield "has no room for new tasks beside the old ones"
    if get(service, "waitForSteadyState") is not True:
        yield "counts as deployed before it is steady"
    if get(service, "forceNewDeployment") is not True:
        yield "is replaced, and not redeployed, when its capacity providers change"
    if items(service, "loadBalancers") and number(service, "healthCheckGracePeriodSeconds") <= 0:
        yield "has its tasks judged before they can have started"
    tasks = tasks_of(service, view)
    if not tasks or any(get(task, "skipDestroy") is not True for task in tasks):
        yield "loses the task definition that a rollback needs"


@rule(
    "services-scaled", 41, Severity.MEDIUM, SERVICE,
    title="Each service is scaled, its count is left to that, a base is on demand, and tasks spread over zones",
    fix="keep desiredCount in ignore_changes, base >= 1 on FARGATE, at most 75 % on Spot, zone rebalancing",
)  # fmt: skip
def services_scaled(service: Resource, view: View) -> Lacks:
    if not any(
        str(get(each, "resourceId")).endswith(f"/{get(service, 'name')}") and each.region == service.region
        for each in view.of(SCALED)
    ):
        yield "is scaled by nothing"
    elif "desiredCount" not in service.options.ignore_changes:
        yield "takes back at each deployment what scaling decided"
    shares = {word(each, "capacityProvider"): each for each in items(service, "capacityProviderStrategies")}
    if number(shares.get(ON_DEMAND), "base") < 1:
        yield "has no task that is on demand for certain"
    weights = sum(number(each, "weight") for each in shares.values())
    if number(shares.get(SPOT), "weight") * 100 > SPOT_PERCENT_MAX * weights:
        yield f"puts more than {SPOT_PERCENT_MAX} % of its tasks on Spot"
    if get(service, "availabilityZoneRebalancing") != "ENABLED":
        yield "leaves its tasks in the zones where they happen to be"
    if get(service, "schedulingStrategy", "REPLICA") != "REPLICA":
        yield "is not scheduled by count"


@rule(
    "task-tags", 0, Severity.LOW, SERVICE,
    title="Tasks carry the tags of their service, with cluster and service beside them: bills are by task",
    fix="propagate_tags='SERVICE' and enable_ecs_managed_tags=True",
)  # fmt: skip
def task_tags(service: Resource, _view: View) -> Lacks:
    if get(service, "propagateTags") != "SERVICE":
        yield "gives its tags to no task"
    if get(service, "enableEcsManagedTags") is not True:
        yield "does not mark its tasks with cluster and service"


@rule(
    "machine-tags", 0, Severity.LOW, MACHINES, TEMPLATE,
    title="Machines, their disks and their interfaces carry the required tags of what makes them",
    checkov="153", fix="propagate_at_launch for each tag, and tag_specifications for all three kinds",
)  # fmt: skip
def machine_tags(maker: Resource, view: View) -> Lacks:
    if maker.type == f"aws:{MACHINES}":
        handed = {word(each, "key") for each in items(maker, "tags") if get(each, "propagateAtLaunch") is True}
        if not view.targets(maker, "mixedInstancesPolicy", TEMPLATE) and not view.targets(
            maker, "launchTemplate", TEMPLATE
        ):
            yield from _untagged("instance", handed)
        return
    tags = {word(each, "resourceType"): get(each, "tags") for each in items(maker, "tagSpecifications")}
    for kind in ("instance", "network-interface", "volume"):
        yield from _untagged(kind, set(tags.get(kind) or ()))


def _untagged(kind: str, handed: set[Any]) -> Iterator[str]:
    if missing := set(REQUIRED_TAGS) - handed:
        yield f"gives no {kind} its {', '.join(sorted(missing))}"


# --- tasks and containers -----------------------------------------------------------------------


@rule(
    "tasks-isolated", 42, Severity.HIGH, TASK,
    title="Tasks have a network, processes and disks of their own",
    fsbp="ECS.3 ECS.17 ECS.18", checkov="97 335",
    fix="awsvpc on Fargate, no pid_mode, ipc_mode or host volume, EFS in transit encrypted",
)  # fmt: skip
def tasks_isolated(task: Resource, view: View) -> Lacks:
    if get(task, "networkMode") != "awsvpc" or items(task, "requiresCompatibilities") != ["FARGATE"]:
        yield "shares the network of the machine it is on"
    for mode in ("pidMode", "ipcMode"):
        if get(task, mode) is not None:
            yield f"shares {mode.removesuffix('Mode')} with {get(task, mode)}"
    for volume in items(task, "volumes"):
        if get(volume, "hostPath"):
            yield "mounts a folder of the machine it is on"
        efs = get(volume, "efsVolumeConfiguration")
        if efs and get(efs, "transitEncryption") != "ENABLED":
            yield "mounts a file system unencrypted"
    if view.is_prod and get(task, "enableFaultInjection") is True:
        yield "lets faults be injected"


@rule(
    "containers-unprivileged", 43, Severity.HIGH, TASK,
    title="Containers run as a user that is not root, without privileges, on a read-only file system",
    fsbp="ECS.4 ECS.5 ECS.20", checkov="334 336",
    fix="components.containers.harden: user, read-only root, no capability",
)  # fmt: skip
def containers_unprivileged(task: Resource, _view: View) -> Lacks:
    if not containers(task):
        yield "has no containers that can be read"
    for each in containers(task):
        user = str(get(each, "user", "")).partition(":")[0]
        if user in ("", "root") or set(user) == {"0"}:
            yield f"runs {called(each)} as root"
        if get(each, "privileged") is not False:
            yield f"runs {called(each)} with the privileges of its machine"
        if get(each, "readonlyRootFilesystem") is not True:
            yield f"lets {called(each)} write its own file system"
        if items(each, "linuxParameters.capabilities.drop") != ["ALL"] or items(
            each, "linuxParameters.capabilities.add"
        ):
            yield f"leaves capabilities to {called(each)}"
        if items(each, "linuxParameters.devices") or items(each, "dockerSecurityOptions"):
            yield f"gives {called(each)} devices or security options"


@rule(
    "containers-take-secrets-by-reference", 44, Severity.HIGH, TASK,
    title="Containers are given secrets as references to ours, in their own region, and none as text",
    fsbp="ECS.8", nag="ECS2", fix="list it in `secrets` with the ARN of a secret that is replicated to the region",
)  # fmt: skip
def containers_take_secrets_by_reference(task: Resource, view: View) -> Lacks:
    for each in containers(task):
        for name, value in variables(each):
            if is_secret_name(name) and is_literal(value):
                yield f"tells {called(each)} {name} as text"
        if items(each, "environmentFiles"):
            yield f"lets {called(each)} read its environment from a file"
        for listed in [*items(each, "secrets"), *items(each, "logConfiguration.secretOptions")]:
            if not _is_held(str(get(listed, "valueFrom", "")), task.region, view):
                yield f"takes {get(listed, 'name')} from no secret that is here"


def _is_held(value: str, region: str, view: View) -> bool:
    """Whether an ARN, with or without a key at its end, is of one of our secrets or its replica in this region."""
    arn = value.split(":")[:7]
    if arn[:4] != ["arn", "aws", "secretsmanager", region]:
        return False
    if view.meant(":".join(arn), SECRET):
        return True
    first = view.meant(":".join([*arn[:3], PRIMARY, *arn[4:]]), SECRET)
    return any(get(copy, "region") == region for secret in first for copy in items(secret, "replicas"))


@rule(
    "containers-speak-tls", 0, Severity.HIGH, TASK,
    title="Containers are told only addresses over TLS, and to sign in to databases by IAM",
    fix="give the address over TLS, with NOTTERMOST_CACHE_TLS and NOTTERMOST_DATABASE_IAM",
)  # fmt: skip
def containers_speak_tls(task: Resource, _view: View) -> Lacks:
    for each in containers(task):
        for name, value in variables(each):
            if any(text.startswith(UNENCRYPTED) and not OWN_HOST.match(text) for text in texts(value)):
                yield f"sends {called(each)} to an unencrypted address by {name}"
            if name in ENCRYPTED_BY and environment(each).get(ENCRYPTED_BY[name]) != "true":
                yield f"does not tell {called(each)} {ENCRYPTED_BY[name]}=true"


@rule(
    "proxies-named", 0, Severity.HIGH, TASK,
    title="Whom a container believes about who asks are some networks, not the internet",
    fix="the public subnets and `cloudfront_ranges`",
)  # fmt: skip
def proxies_named(task: Resource, _view: View) -> Lacks:
    for each in containers(task):
        believed = environment(each).get(PROXIES, "").split(",")
        if any(is_anywhere(network) for network in believed):
            yield f"lets {called(each)} believe anybody about who asks"


@rule(
    "containers-observed", 45, Severity.MEDIUM, TASK,
    title="Containers log, answer for their health, have time to end, reap orphans; in production by digest from our registry",
    fsbp="ECS.9", checkov="CKV_AWS_65", nag="ECS7",
    fix="components.containers.harden, a health check, stop_timeout of the drain at least, an image by digest",
)  # fmt: skip
def containers_observed(task: Resource, view: View) -> Lacks:
    for each in containers(task):
        yield from (f"{lack} {called(each)}" for lack in _unlogged(each, task, view))
        figures = [number(each, f"healthCheck.{figure}") for figure in ("interval", "timeout", "retries")]
        if not items(each, "healthCheck.command") or not all(figures):
            yield f"does not check the health of {called(each)}"
        stop_s, drains_s = number(each, "stopTimeout"), number(environment(each), DRAIN)
        if stop_s <= 0:
            yield f"does not say how long {called(each)} may take to end"
        elif role_of(each) and drains_s <= 0:
            yield f"does not tell {called(each)} how long it may drain"
        elif stop_s < drains_s:
            yield f"ends {called(each)} after {stop_s:.0f} s, though it drains for {drains_s:.0f}"
        if get(each, "linuxParameters.initProcessEnabled") is not True:
            yield f"has nobody reap the orphans of {called(each)}"
        image = str(get(each, "image", ""))
        if view.is_prod and not DIGEST.search(image):
            yield f"runs {called(each)} from an image that can be another tomorrow"
        if view.is_prod and not any(
            repo.region == task.region for repo in view.meant(image.partition("@")[0], REPOSITORY)
        ):
            yield f"runs {called(each)} from a registry that is not ours, or of another region"
    if [get(each, "essential") for each in containers(task)].count(True) != 1:
        yield "does not end and begin with one container: it alone is essential"
    yield from _unwritable(task)


def _unlogged(container: Mapping[str, Any], task: Resource, view: View) -> Iterator[str]:
    log = get(container, "logConfiguration", {})
    groups = view.meant(get(log, "options.awslogs-group"), LOG_GROUP)
    if get(log, "logDriver") != "awslogs" or get(log, "options.awslogs-region") != task.region:
        yield "logs elsewhere than in its region what is said by"
    if not any(each.region == task.region for each in groups):
        yield "has no log group of ours for"
    if get(log, "options.mode") != "non-blocking":
        yield "lets a full log stop"


def _unwritable(task: Resource) -> Iterator[str]:
    """An empty volume of the task's own is there to be written."""
    empty = {word(each, "name") for each in items(task, "volumes") if each == {"name": word(each, "name")}}
    for each in containers(task):
        for mount in items(each, "mountPoints"):
            if word(mount, "sourceVolume") in empty and get(mount, "readOnly") is True:
                yield f"gives {called(each)} an empty folder that it cannot write"


@rule(
    "task-roles", 46, Severity.HIGH, TASK,
    title="A task starts under one role and runs under another; the first reads the listed secrets and images, no more",
    checkov="249", fix="give execution and task roles of their own; allow the secrets that the containers list",
)  # fmt: skip
def task_roles(task: Resource, view: View) -> Lacks:
    starts, runs = view.targets(task, "executionRoleArn", ROLE), view.targets(task, "taskRoleArn", ROLE)
    if not starts or not runs:
        yield "lacks a role of ours to start or to run under"
    if get(task, "executionRoleArn") == get(task, "taskRoleArn"):
        yield "runs under the role that it is started with"
    listed = {_whole(get(pair, "valueFrom")) for each in containers(task) for pair in items(each, "secrets")}
    for role in starts:
        if view.users_at(role, ATTACHED, "role") or items(role, "managedPolicyArns"):
            yield "is started under a role with a policy for everything of its kind"
        read, other = _read_to_start(role, view)
        if read - listed:
            yield f"is started under a role that also reads {', '.join(sorted(read - listed))}"
        if listed - read:
            yield f"cannot start: its role may not read {', '.join(sorted(listed - read))}"
        yield from other


def _whole(value: Any) -> str:
    """The ARN of a secret of which a container may take one key."""
    return ":".join(str(value).split(":")[:7])


def _read_to_start(role: Resource, view: View) -> tuple[set[str], list[str]]:
    """The secrets that a role reads, and what else it should not do."""
    read, other = set[str](), list[str]()
    for policy in view.users_at(role, ROLE_POLICY, "role"):
        for statement in items(parse(get(policy, "policy")), "Statement"):
            actions, named = (
                [str(each) for each in items(statement, "Action")],
                [str(each) for each in items(statement, "Resource")],
            )
            if get(statement, "Effect") != "Allow":
                continue
            if any(each.startswith("secretsmanager:") for each in actions):
                read |= set(named)
            loose = [each for each in actions if each != "ecr:GetAuthorizationToken"]
            if loose and (not named or any(each == "*" or each.endswith(":*:*") for each in named)):
                other.append(f"is started under a role that may do {loose[0]} to anything")
            if any(each.startswith("kms:") for each in actions) and not get(
                statement, "Condition.StringEquals.kms:ViaService"
            ):
                other.append("is started under a role that decrypts more than secrets")
    return read, other


@rule(
    "one-region-appends", 0, Severity.CRITICAL, TASK,
    title="One region appends messages at most: all others are fenced",
    fix="the fence follows `home_region` of `data`; set neither by hand",
)  # fmt: skip
def one_region_appends(task: Resource, view: View) -> Lacks:
    if task.region == PRIMARY or not _appends(task):
        return
    others = {each.region for each in view.of(TASK) if _appends(each)} - {task.region}
    if others:
        yield f"appends beside {', '.join(sorted(others))}: messages would get the same numbers twice"


def _appends(task: Resource) -> bool:
    return any(role_of(each) and environment(each).get(FENCED) != "true" for each in containers(task))


@rule(
    "messages-outlive-tasks", 0, Severity.CRITICAL, TASK,
    title="The chat keeps messages in DynamoDB, and not in a task that ends",
    fix="NOTTERMOST_STORE=dynamodb for every role but the gateway, which stores nothing",
)  # fmt: skip
def messages_outlive_tasks(task: Resource, _view: View) -> Lacks:
    for each in containers(task):
        if role_of(each) not in ("", "gateway") and environment(each).get(STORE) != "dynamodb":
            yield f"has {role_of(each)} keep messages in {environment(each).get(STORE, 'its own file system')}"


# --- clusters -----------------------------------------------------------------------------------


@rule(
    "clusters-observed", 47, Severity.MEDIUM, CLUSTER,
    title="A cluster sees into its containers and logs every shell, encrypted, in production for a year",
    fsbp="ECS.12", checkov="65 223 224", nag="ECS4",
    fix="components.cluster.Cluster: container insights, OVERRIDE into a log group with keys",
)  # fmt: skip
def clusters_observed(cluster: Resource, view: View) -> Lacks:
    insights = [word(each, "value") for each in items(cluster, "settings") if get(each, "name") == "containerInsights"]
    if not {"enabled", "enhanced"} & set(insights):
        yield "does not see into its containers"
    shell = get(cluster, "configuration.executeCommandConfiguration", {})
    if get(shell, "logging") != "OVERRIDE" or get(shell, "logConfiguration.cloudWatchEncryptionEnabled") is not True:
        yield "does not log shells, or in the clear"
    if not view.targets(cluster, "configuration.executeCommandConfiguration.kmsKeyId", KEY):
        yield "has no key for shells"
    groups = view.targets(
        cluster, "configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName", LOG_GROUP
    )
    if not groups:
        yield "logs shells to no group of ours"
    for group in groups:
        if not view.targets(group, "kmsKeyId", KEY):
            yield "keeps what was typed into shells unencrypted"
        if view.is_prod and number(group, "retentionInDays") < SHELL_LOG_DAYS:
            yield f"keeps what was typed into shells for {number(group, 'retentionInDays'):.0f} days"
        if view.is_prod and not group.options.retain_on_delete:
            yield "takes what was typed into shells along when it goes"


@rule(
    "clusters-on-demand", 41, Severity.MEDIUM, CLUSTER,
    title="Where services run, a task is on demand unless it asks for Spot",
    fix="spot=False in the cluster's arguments",
)  # fmt: skip
def clusters_on_demand(cluster: Resource, view: View) -> Lacks:
    capacity = view.users_at(cluster, CAPACITY, "clusterName")
    if not capacity:
        yield "has no capacity provider"
    if not view.users_at(cluster, SERVICE, "cluster"):
        return
    for each in capacity:
        usual = items(each, "defaultCapacityProviderStrategies")
        if not any(get(way, "capacityProvider") == ON_DEMAND and number(way, "base") >= 1 for way in usual):
            yield "starts tasks on Spot that asked for nothing"
        if not {ON_DEMAND, SPOT} <= words(each, "capacityProviders"):
            yield "lacks a capacity provider that its services name"
