"""Rules of load balancers and API gateways: controls 49 to 52, 64 and 65."""

from re import compile as pattern
from typing import Any, Final

from nottermost_platform.components.load_balancer import HEARTBEAT_LIMIT_S
from nottermost_platform.graph import Resource
from nottermost_platform.rules.containers import SERVICE, TASK, containers, drain_s, environment, tasks_of
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.functions import LOG_GROUP
from nottermost_platform.rules.images import word
from nottermost_platform.rules.names import CERTIFICATE
from nottermost_platform.rules.network import GROUP, SUBNET, VPC, ZONES_MIN, ZONES_MIN_ELSEWHERE
from nottermost_platform.rules.view import View, get, items, number, texts

BALANCER: Final = "lb/loadBalancer:LoadBalancer"
LISTENER: Final = "lb/listener:Listener"
LISTENER_RULE: Final = "lb/listenerRule:ListenerRule"
TARGETS: Final = "lb/targetGroup:TargetGroup"
ACL: Final = "wafv2/webAcl:WebAcl"
ASSOCIATION: Final = "wafv2/webAclAssociation:WebAclAssociation"
BUCKET: Final = "s3/bucket:Bucket"
API: Final = "apigatewayv2/api:Api"
STAGE: Final = "apigatewayv2/stage:Stage"
ROUTE: Final = "apigatewayv2/route:Route"
INTEGRATION: Final = "apigatewayv2/integration:Integration"

# TLS 1.2 with forward secrecy alone, and 1.3: neither those that go down to 1.0 nor the extended ones.
TLS_POLICIES: Final = pattern(r"^ELBSecurityPolicy-TLS13-1-[23](-Res)?(-FIPS)?(-PQ)?-20\d\d-\d\d$")
TIMEOUT: Final = "NOTTERMOST_HEARTBEAT_TIMEOUT_S"
DELAY_MAX_S: Final = 299  # 300 is what AWS chooses


@rule(
    "balancers-strict", 49, Severity.MEDIUM, BALANCER,
    title="Load balancers drop malformed headers and requests, and pass on the host that was asked for",
    fsbp="ELB.4 ELB.12", checkov="131 328", fix="components.load_balancer.LoadBalancer",
)  # fmt: skip
def balancers_strict(balancer: Resource, _view: View) -> Lacks:
    if get(balancer, "loadBalancerType", "application") != "application":
        return
    if get(balancer, "dropInvalidHeaderFields") is not True:
        yield "passes malformed headers on"
    if get(balancer, "desyncMitigationMode") not in ("defensive", "strictest"):
        yield "passes requests on that two readers read differently"
    if get(balancer, "preserveHostHeader") is not True:
        yield "changes the host that was asked for"


@rule(
    "balancers-logged", 50, Severity.MEDIUM, BALANCER,
    title="Load balancers log requests and connections to a bucket of ours",
    fsbp="ELB.5", checkov="91", nag="ELB2", fix="access_logs and connection_logs, enabled",
)  # fmt: skip
def balancers_logged(balancer: Resource, view: View) -> Lacks:
    for kind in ("accessLogs", "connectionLogs"):
        if get(balancer, f"{kind}.enabled") is not True or not view.targets(balancer, f"{kind}.bucket", BUCKET):
            yield f"keeps no {kind.removesuffix('Logs')} logs in a bucket of ours"


@rule(
    "balancers-kept", 50, Severity.MEDIUM, BALANCER,
    title="Load balancers stand in two zones (three in production) that can be left, wear groups of ours, and in production are not deleted by mistake",
    fsbp="ELB.6 ELB.13", checkov="150 152",
    fix="subnets of the tier that `internal` says, zonal shift, deletion protection and protect in production",
)  # fmt: skip
def balancers_kept(balancer: Resource, view: View) -> Lacks:
    subnets = view.targets(balancer, "subnets", SUBNET)
    zones, wanted = (
        {word(each, "availabilityZone") for each in subnets},
        ZONES_MIN.get(view.env_class, ZONES_MIN_ELSEWHERE),
    )
    if len(zones) < wanted:
        yield f"stands in {len(zones)} zones of {wanted}"
    tier = "public" if get(balancer, "internal") is False else "app"
    if len(subnets) < len(items(balancer, "subnets")) or any(each.tags.get("tier") != tier for each in subnets):
        yield f"stands in subnets that are not ours, or not of the {tier} tier"
    if not view.targets(balancer, "securityGroups", GROUP):
        yield "wears no security group of ours"
    if get(balancer, "enableZonalShift") is not True:
        yield "cannot be moved out of a zone that fails"
    if view.is_prod and (get(balancer, "enableDeletionProtection") is not True or not balancer.options.protect):
        yield "can be deleted by mistake"
    if get(balancer, "enableHttp2") is not True:
        yield "makes a connection for every request"


@rule(
    "sockets-outlive-silence", 50, Severity.HIGH, BALANCER,
    title="A load balancer waits at least twice as long as the chat does before it cuts a silent socket",
    fix="idle_timeout_s of twice HEARTBEAT_LIMIT_S at least",
)  # fmt: skip
def sockets_outlive_silence(balancer: Resource, view: View) -> Lacks:
    waits = [
        number(environment(each), TIMEOUT)
        for task in view.of(TASK) if task.region == balancer.region for each in containers(task)
    ]  # fmt: skip
    silence_s = max([HEARTBEAT_LIMIT_S, *waits])
    idle_s = number(balancer, "idleTimeout")
    if idle_s < 2 * silence_s:
        yield f"cuts sockets that are silent for {idle_s:.0f} s; the chat does after {silence_s:.0f}, so it takes {2 * silence_s:.0f}"


@rule(
    "balancers-guarded", 52, Severity.HIGH, BALANCER,
    title="A load balancer that the internet reaches is behind a web ACL of ours, and has an HTTPS listener",
    fsbp="ELB.16 WAF.12", checkov="CKV2_AWS_28 CKV2_AWS_76", nag="ELB2", fix="a WebAclAssociation with a regional ACL",
)  # fmt: skip
def balancers_guarded(balancer: Resource, view: View) -> Lacks:
    if not any(
        get(each, "protocol") in ("HTTPS", "TLS") for each in view.users_at(balancer, LISTENER, "loadBalancerArn")
    ):
        yield "has no HTTPS listener"
    if get(balancer, "internal") is True or get(balancer, "loadBalancerType", "application") != "application":
        return
    acls = [
        acl
        for each in view.users_at(balancer, ASSOCIATION, "resourceArn")
        for acl in view.targets(each, "webAclArn", ACL)
    ]
    if not any(get(acl, "scope") == "REGIONAL" and acl.region == balancer.region for acl in acls):
        yield "is open to the internet without a web ACL"


# --- listeners ----------------------------------------------------------------------------------


@rule(
    "listeners-encrypted", 51, Severity.HIGH, LISTENER,
    title="Listeners speak TLS 1.2 with forward secrecy or 1.3; plain HTTP only says where HTTPS is",
    fsbp="ELB.1 ELB.17 ELB.18", checkov="2 103 CKV2_AWS_20 CKV2_AWS_74",
    fix="components.load_balancer.TLS_POLICY, a certificate of the region, a redirect with 301 at port 80",
)  # fmt: skip
def listeners_encrypted(listener: Resource, view: View) -> Lacks:
    if not view.targets(listener, "loadBalancerArn", BALANCER):
        yield "belongs to no load balancer of ours"
    if get(listener, "protocol") not in ("HTTPS", "TLS"):
        if not all(_sends_to_https(each) for each in items(listener, "defaultActions") or [{}]):
            yield f"takes {get(listener, 'protocol', 'anything')} in the clear and does more than redirect it"
        return
    if not TLS_POLICIES.match(word(listener, "sslPolicy")):
        yield f"negotiates by {get(listener, 'sslPolicy', 'the policy that AWS chooses')}"
    if not any(each.region == listener.region for each in view.targets(listener, "certificateArn", CERTIFICATE)):
        yield "has no certificate of ours in its region"
    if get(listener, "port") == 80:
        yield "speaks TLS where plain HTTP is expected"
    if {word(each, "type") for each in items(listener, "defaultActions")} != {"fixed-response"}:
        yield "does more than refuse what no rule names"


def _sends_to_https(action: Any) -> bool:
    redirect = get(action, "redirect", {})
    wanted = {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
    return get(action, "type") == "redirect" and all(get(redirect, key) == value for key, value in wanted.items())


@rule(
    "listener-rules-lead-somewhere", 51, Severity.MEDIUM, LISTENER_RULE,
    title="Rules of listeners are about some requests, and send them to target groups of ours",
    fix="conditions, and weights of which one is not 0",
)  # fmt: skip
def listener_rules_lead_somewhere(listener_rule: Resource, view: View) -> Lacks:
    if not [*texts(get(listener_rule, "conditions"))]:
        yield "is about every request"
    if not any(get(each, "protocol") == "HTTPS" for each in view.targets(listener_rule, "listenerArn", LISTENER)):
        yield "belongs to no HTTPS listener of ours"
    for action in items(listener_rule, "actions"):
        if get(action, "type") == "redirect" and not _sends_to_https(action):
            yield "sends people away from HTTPS"
        if get(action, "type") == "forward":
            groups = items(action, "forward.targetGroups") or [{"arn": get(action, "targetGroupArn"), "weight": 1}]
            if not all(view.meant(get(each, "arn"), TARGETS) for each in groups):
                yield "sends requests to no target group of ours"
            if sum(number(each, "weight") for each in groups) <= 0:
                yield "sends requests nowhere"


# --- target groups ------------------------------------------------------------------------------


@rule(
    "targets-drain", 52, Severity.MEDIUM, TARGETS,
    title="Target groups check health by a path, and wait for as long as their tasks drain",
    fsbp="ELB.7", checkov="261", fix="a health check with path, interval and thresholds; deregistration_delay of the drain",
)  # fmt: skip
def targets_drain(targets: Resource, view: View) -> Lacks:
    check = get(targets, "healthCheck", {})
    explicit = all(
        number(check, each) > 0 for each in ("interval", "timeout", "healthyThreshold", "unhealthyThreshold")
    )
    if get(check, "enabled") is not True or not get(check, "path") or not get(check, "matcher") or not explicit:
        yield "checks health as AWS would, or not at all"
    services = view.users_at(targets, SERVICE, "loadBalancers")
    drains_s = max((drain_s(tasks_of(each, view)) for each in services), default=0)
    delay_s = number(targets, "deregistrationDelay")
    if not max(1, drains_s) <= delay_s <= DELAY_MAX_S:
        yield f"waits {delay_s:.0f} s for tasks that leave; they drain for {drains_s:.0f}"
    if not services:
        yield "has no service behind it"
    if not view.users(targets, LISTENER_RULE, LISTENER):
        yield "is sent nothing"
    if not view.targets(targets, "vpcId", VPC):
        yield "is in no VPC of ours"


@rule(
    "targets-encrypted", 52, Severity.MEDIUM, TARGETS,
    title="Behind a load balancer requests and health checks go over TLS, or it is recorded why not",
    fsbp="ELB.21 ELB.22", checkov="378", fix="HTTPS to the task, or a line in suppressions.yaml",
)  # fmt: skip
def targets_encrypted(targets: Resource, _view: View) -> Lacks:
    clear = [path for path in ("protocol", "healthCheck.protocol") if get(targets, path) not in ("HTTPS", "TLS")]
    if clear:
        yield f"is spoken to in the clear: {', '.join(f'{get(targets, each)} as {each}' for each in clear)}"


# --- API gateways -------------------------------------------------------------------------------


@rule(
    "api-stages-observed", 64, Severity.MEDIUM, STAGE,
    title="Stages of an API log to a group of ours and have limits",
    fsbp="APIGateway.1 APIGateway.9", checkov="76 95", nag="APIG1",
    fix="access_log_settings, and throttling limits with a logging level in default_route_settings",
)  # fmt: skip
def api_stages_observed(stage: Resource, view: View) -> Lacks:
    if not view.targets(stage, "accessLogSettings.destinationArn", LOG_GROUP):
        yield "logs to no group of ours"
    is_socket = any(get(each, "protocolType") == "WEBSOCKET" for each in view.targets(stage, "apiId", API))
    if is_socket and get(stage, "defaultRouteSettings.loggingLevel") not in ("ERROR", "INFO"):
        yield "does not log what goes wrong"
    for limit in ("throttlingBurstLimit", "throttlingRateLimit"):
        if number(stage, f"defaultRouteSettings.{limit}") <= 0:
            yield f"has no {limit}"


@rule(
    "api-routes-authorised", 65, Severity.HIGH, ROUTE,
    title="Routes of an API ask who calls; of sockets the one that connects",
    fsbp="APIGateway.8", checkov="309", nag="APIG4", fix="authorization_type and an authorizer",
)  # fmt: skip
def api_routes_authorised(route: Resource, view: View) -> Lacks:
    is_socket = any(get(each, "protocolType") == "WEBSOCKET" for each in view.targets(route, "apiId", API))
    if is_socket and get(route, "routeKey") != "$connect":
        return
    if get(route, "authorizationType", "NONE") == "NONE":
        yield "lets anybody call"


@rule(
    "api-integrations-encrypted", 65, Severity.MEDIUM, INTEGRATION,
    title="An API reaches what is in the VPC over TLS, for a name that it checks",
    fsbp="APIGateway.10", fix="tls_config with server_name_to_verify",
)  # fmt: skip
def api_integrations_encrypted(integration: Resource, _view: View) -> Lacks:
    if get(integration, "connectionType") == "VPC_LINK" and not get(integration, "tlsConfig.serverNameToVerify"):
        yield "reaches the VPC in the clear"
    if word(integration, "integrationUri").startswith("http://"):
        yield "calls an address in the clear"
