"""Reads what runs: load balancers with their listeners, services, functions."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

from nottermost_platform.drift.account import View, pick, tags_of
from nottermost_platform.drift.kinds import LEFT_OUT
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import Found

BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
LISTENER: Final = "aws:lb/listener:Listener"
RULE: Final = "aws:lb/listenerRule:ListenerRule"
TARGETS: Final = "aws:lb/targetGroup:TargetGroup"
CLUSTER: Final = "aws:ecs/cluster:Cluster"
SERVICE: Final = "aws:ecs/service:Service"
TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"
FUNCTION: Final = "aws:lambda/function:Function"
TAGS_AT_ONCE: Final = 20  # DescribeTags takes no more
SERVICES_AT_ONCE: Final = 10  # DescribeServices takes no more


# --- load balancers -------------------------------------------------------------------------------


@reader(BALANCER, LISTENER, RULE)
def read_balancers(view: View) -> Iterator[Found]:
    balancers = view.list("elbv2", "describe_load_balancers", "LoadBalancers")
    ours = [each for each in balancers if view.is_ours(BALANCER, each["LoadBalancerName"])]
    for parts in view.each(lambda each: list(_read_balancer(view, each)), ours):
        yield from parts


def _read_balancer(view: View, balancer: dict[str, Any]) -> Iterator[Found]:
    arn = balancer["LoadBalancerArn"]
    listed = view.list("elbv2", "describe_load_balancer_attributes", "Attributes", LoadBalancerArn=arn)
    attributes = {each["Key"]: each["Value"] for each in listed}
    properties = pick(
        balancer, name="LoadBalancerName", loadBalancerType="Type", ipAddressType="IpAddressType",
        securityGroups="SecurityGroups", subnets="AvailabilityZones[].SubnetId",
    )  # fmt: skip
    properties |= {
        "internal": balancer["Scheme"] == "internal",
        "idleTimeout": attributes.get("idle_timeout.timeout_seconds"),
        "enableDeletionProtection": attributes.get("deletion_protection.enabled"),
        "dropInvalidHeaderFields": attributes.get("routing.http.drop_invalid_header_fields.enabled"),
        "desyncMitigationMode": attributes.get("routing.http.desync_mitigation_mode"),
        "accessLogs": {key: attributes.get(f"access_logs.s3.{key}") for key in ("bucket", "prefix", "enabled")},
    }
    outputs = {
        "id": arn, "arn": arn, "arnSuffix": arn.partition("loadbalancer/")[2], "dnsName": balancer["DNSName"],
        "zoneId": balancer.get("CanonicalHostedZoneId"),
    }  # fmt: skip
    tags = read_tags(view, [arn])[arn]
    yield Found(type=BALANCER, region=view.region, properties=properties, outputs=outputs, tags=tags)
    yield from _read_listeners(view, arn)


def _read_listeners(view: View, balancer: str) -> Iterator[Found]:
    listeners = view.list("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer)
    tags = read_tags(view, [each["ListenerArn"] for each in listeners])
    for each in listeners:
        arn = each["ListenerArn"]
        properties = pick(
            each, loadBalancerArn="LoadBalancerArn", port="Port", protocol="Protocol", sslPolicy="SslPolicy",
            certificateArn="Certificates[0].CertificateArn",
        )  # fmt: skip
        properties["defaultActions"] = [read_action(action) for action in each["DefaultActions"]]
        yield Found(
            type=LISTENER, region=view.region, properties=properties, outputs={"id": arn, "arn": arn}, tags=tags[arn],
            belongs_to=(BALANCER, balancer),
        )  # fmt: skip
        yield from _read_rules(view, arn)


def _read_rules(view: View, listener: str) -> Iterator[Found]:
    rules = view.list("elbv2", "describe_rules", "Rules", ListenerArn=listener)
    added = [each for each in rules if not each["IsDefault"]]
    tags = read_tags(view, [each["RuleArn"] for each in added])
    for each in added:
        arn = each["RuleArn"]
        properties = {
            "listenerArn": listener, "priority": each["Priority"],
            "actions": [read_action(action) for action in each["Actions"]],
            "conditions": [read_condition(condition) for condition in each["Conditions"]],
        }  # fmt: skip
        yield Found(
            type=RULE, region=view.region, properties=properties, outputs={"id": arn, "arn": arn}, tags=tags[arn],
            belongs_to=(LISTENER, listener),
        )  # fmt: skip


def read_action(action: dict[str, Any]) -> dict[str, Any]:
    """In the graph's words: `fixedResponse`, `redirect`, `forward`."""
    return pick(action, type="Type", fixedResponse="FixedResponseConfig", redirect="RedirectConfig") | {
        "forward": pick(action, targetGroups="ForwardConfig.TargetGroups[].{arn: TargetGroupArn, weight: Weight}")
    }


def read_condition(condition: dict[str, Any]) -> dict[str, Any]:
    return pick(
        condition, pathPattern="PathPatternConfig", httpHeader="HttpHeaderConfig", hostHeader="HostHeaderConfig",
        httpRequestMethod="HttpRequestMethodConfig", sourceIp="SourceIpConfig",
    )  # fmt: skip


def read_tags(view: View, arns: Iterable[str]) -> dict[str, dict[str, str]]:
    """The tags of load balancers and what belongs to them, by ARN."""
    left, found = list(arns), {}
    while left:
        part, left = left[:TAGS_AT_ONCE], left[TAGS_AT_ONCE:]
        for each in view.list("elbv2", "describe_tags", "TagDescriptions", ResourceArns=part):
            found[each["ResourceArn"]] = tags_of(each["Tags"])
    return found


@reader(TARGETS)
def read_target_groups(view: View) -> Iterator[Found]:
    groups = view.list("elbv2", "describe_target_groups", "TargetGroups")
    ours = [each for each in groups if view.is_ours(TARGETS, each["TargetGroupName"])]
    tags = read_tags(view, [each["TargetGroupArn"] for each in ours])
    yield from view.each(lambda each: _read_target_group(view, each, tags[each["TargetGroupArn"]]), ours)


def _read_target_group(view: View, group: dict[str, Any], tags: dict[str, str]) -> Found:
    arn = group["TargetGroupArn"]
    listed = view.list("elbv2", "describe_target_group_attributes", "Attributes", TargetGroupArn=arn)
    attributes = {each["Key"]: each["Value"] for each in listed}
    properties = pick(
        group, name="TargetGroupName", port="Port", protocol="Protocol", protocolVersion="ProtocolVersion", vpcId="VpcId",
        targetType="TargetType", ipAddressType="IpAddressType",
        healthCheck="{enabled: HealthCheckEnabled, path: HealthCheckPath, port: HealthCheckPort, protocol: HealthCheckProtocol,"
        " interval: HealthCheckIntervalSeconds, timeout: HealthCheckTimeoutSeconds, matcher: Matcher.HttpCode,"
        " healthyThreshold: HealthyThresholdCount, unhealthyThreshold: UnhealthyThresholdCount}",
    )  # fmt: skip
    properties["deregistrationDelay"] = attributes.get("deregistration_delay.timeout_seconds")
    properties["loadBalancingAlgorithmType"] = attributes.get("load_balancing.algorithm.type")
    outputs = {"id": arn, "arn": arn, "arnSuffix": arn.rpartition(":")[2]}
    return Found(type=TARGETS, region=view.region, properties=properties, outputs=outputs, tags=tags)


# --- services -------------------------------------------------------------------------------------


@reader(CLUSTER, SERVICE)
def read_clusters(view: View) -> Iterator[Found]:
    arns = view.list("ecs", "list_clusters", "clusterArns")
    for arn in (each for each in arns if view.is_ours(CLUSTER, each.rpartition("/")[2])):
        include = ["TAGS", "SETTINGS", "CONFIGURATIONS"]
        (cluster,) = view.list("ecs", "describe_clusters", "clusters", clusters=[arn], include=include)
        yield Found(
            type=CLUSTER, region=view.region, outputs={"id": arn, "arn": arn}, tags=tags_of(cluster.get("tags")),
            properties=pick(cluster, name="clusterName", settings="settings", configuration="configuration"),
        )  # fmt: skip
        services = view.list("ecs", "list_services", "serviceArns", cluster=arn)
        parts = [services[at : at + SERVICES_AT_ONCE] for at in range(0, len(services), SERVICES_AT_ONCE)]
        for found in view.each(partial(_describe_services, view, arn), parts):
            yield from (_read_service(view, each) for each in found if each["status"] == "ACTIVE")


def _describe_services(view: View, cluster: str, services: list[str]) -> list[Any]:
    return view.list("ecs", "describe_services", "services", cluster=cluster, services=services, include=["TAGS"])


def _read_service(view: View, service: dict[str, Any]) -> Found:
    properties = pick(
        service, name="serviceName", cluster="clusterArn", taskDefinition="taskDefinition", desiredCount="desiredCount",
        schedulingStrategy="schedulingStrategy", propagateTags="propagateTags", enableExecuteCommand="enableExecuteCommand", loadBalancers="loadBalancers",
        serviceRegistries="serviceRegistries[0]",
    )  # fmt: skip
    network = service.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    properties["networkConfiguration"] = {**network, "assignPublicIp": network.get("assignPublicIp") == "ENABLED"}
    return Found(
        type=SERVICE, region=view.region, properties=properties, tags=tags_of(service.get("tags")),
        outputs={"id": service["serviceArn"], "arn": service["serviceArn"]}, belongs_to=(CLUSTER, service["clusterArn"]),
    )  # fmt: skip


@reader(TASK)
def read_task_definitions(view: View) -> Iterator[Found]:
    families = [
        each
        for each in view.list("ecs", "list_task_definition_families", "families", status="ACTIVE")
        if view.is_ours(TASK, each)
    ]
    yield from view.each(lambda each: _read_task_definition(view, each), families)


def _read_task_definition(view: View, family: str) -> Found:
    """The newest revision: that is what the next deployment runs."""
    answer = view.get("ecs", "describe_task_definition", taskDefinition=family, include=["TAGS"]) or {}
    task = answer["taskDefinition"]
    properties = pick(
        task, family="family", cpu="cpu", memory="memory", networkMode="networkMode", taskRoleArn="taskRoleArn",
        executionRoleArn="executionRoleArn", requiresCompatibilities="requiresCompatibilities",
        runtimePlatform="runtimePlatform", volumes="volumes",
    )  # fmt: skip
    properties["containerDefinitions"] = [
        {key: value for key, value in each.items() if key != LEFT_OUT["containerDefinitions"]}
        for each in task["containerDefinitions"]
    ]
    arn = task["taskDefinitionArn"]
    outputs = {"id": family, "arn": arn, "arnWithoutRevision": arn.rpartition(":")[0]}
    return Found(
        type=TASK, region=view.region, properties=properties, outputs=outputs, tags=tags_of(answer.get("tags"))
    )


# --- functions ------------------------------------------------------------------------------------


@reader(FUNCTION)
def read_functions(view: View) -> Iterator[Found]:
    functions = view.list("lambda", "list_functions", "Functions")
    ours = [each for each in functions if view.is_ours(FUNCTION, each["FunctionName"])]
    yield from view.each(lambda each: _read_function(view, each), ours)


def _read_function(view: View, function: dict[str, Any]) -> Found:
    arn = function["FunctionArn"]
    properties = pick(
        function, name="FunctionName", role="Role", handler="Handler", runtime="Runtime", timeout="Timeout",
        memorySize="MemorySize", description="Description", environment="Environment.{variables: Variables}",
        architectures="Architectures",
    )  # fmt: skip
    tags = (view.get("lambda", "list_tags", Resource=arn) or {}).get("Tags", {})
    return Found(
        type=FUNCTION,
        region=view.region,
        properties=properties,
        outputs={"id": function["FunctionName"], "arn": arn},
        tags=tags,
    )
