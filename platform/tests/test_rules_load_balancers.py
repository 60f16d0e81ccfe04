"""Each rule of load balancers and API gateways notices what it is for, and production passes."""

import re
from pathlib import Path
from typing import Any

import pytest

from nottermost_platform.components.load_balancer import HEARTBEAT_LIMIT_S
from nottermost_platform.rules import View
from nottermost_platform.rules.containers import SERVICE, TASK
from nottermost_platform.rules.load_balancers import (
    API,
    ASSOCIATION,
    BALANCER,
    INTEGRATION,
    LISTENER,
    LISTENER_RULE,
    ROUTE,
    STAGE,
    TARGETS,
    TIMEOUT,
)
from nottermost_platform.testing import (
    REMOVED,
    UNPROTECTED,
    Bad,
    added,
    altered,
    both,
    changed,
    check_bad,
    graph_of,
    removed,
    says,
    view_of,
)

LIMITS = {"throttlingBurstLimit": 100, "throttlingRateLimit": 50, "loggingLevel": "ERROR"}
GROUP_ARN = "arn:aws:logs:us-east-1:333344445555:log-group:/nottermost/prod/chat/api"
GOOD_STAGE: dict[str, Any] = {
    "apiId": "none", "accessLogSettings": {"destinationArn": GROUP_ARN}, "defaultRouteSettings": LIMITS,
}  # fmt: skip
WEIGHTS = "actions.0.forward.targetGroups"
CHAT_SETTINGS = Path(__file__).parents[2] / "services/reference-chat/src/nottermost_chat/settings.py"
CASES = [
    Bad("balancers-strict", changed(BALANCER, "dropInvalidHeaderFields", False), "malformed headers"),
    Bad("balancers-strict", changed(BALANCER, "desyncMitigationMode", "monitor"), "two readers"),
    Bad("balancers-strict", changed(BALANCER, "preserveHostHeader", False), "changes the host"),
    Bad("balancers-logged", changed(BALANCER, "accessLogs.enabled", False), "no access logs"),
    Bad("balancers-logged", changed(BALANCER, "connectionLogs.bucket", "other"), "no connection logs"),
    Bad("balancers-kept", changed(BALANCER, "subnets.0", "subnet-1"), "2 zones of 3"),
    Bad("balancers-kept", changed(BALANCER, "internal", True), "app tier"),
    Bad("balancers-kept", changed(BALANCER, "securityGroups", []), "no security group"),
    Bad("balancers-kept", changed(BALANCER, "enableZonalShift", False), "out of a zone"),
    Bad("balancers-kept", changed(BALANCER, "enableDeletionProtection", False), "by mistake"),
    Bad("balancers-kept", altered(BALANCER, options=UNPROTECTED), "by mistake"),
    Bad("balancers-kept", changed(BALANCER, "enableHttp2", False), "every request"),
    Bad("sockets-outlive-silence", changed(BALANCER, "idleTimeout", 119), "silent for 119 s; the chat does after 60, so it takes 120"),
    Bad("sockets-outlive-silence", changed(BALANCER, "idleTimeout", REMOVED), "silent for 0 s"),
    Bad("sockets-outlive-silence", changed(TASK, "containerDefinitions.0.environment.0", {"name": TIMEOUT, "value": "120"}), "the chat does after 120"),
    Bad("balancers-guarded", changed(LISTENER, "protocol", "HTTP", "main-https"), "no HTTPS listener"),
    Bad("balancers-guarded", removed(ASSOCIATION), "without a web ACL"),
    Bad("balancers-guarded", changed("wafv2/webAcl:WebAcl", "scope", "CLOUDFRONT", "main-web"), "without a web ACL"),
    Bad("listeners-encrypted", changed(LISTENER, "loadBalancerArn", "other"), "no load balancer of ours"),
    Bad("listeners-encrypted", changed(LISTENER, "protocol", "HTTP", "main-https"), "in the clear"),
    Bad("listeners-encrypted", changed(LISTENER, "defaultActions.0.redirect.protocol", "HTTP", "main-http"), "in the clear"),
    Bad("listeners-encrypted", changed(LISTENER, "defaultActions", [], "main-http"), "in the clear"),
    Bad("listeners-encrypted", changed(LISTENER, "sslPolicy", "ELBSecurityPolicy-TLS13-1-1-2021-06", "main-https"), "TLS13-1-1"),
    Bad("listeners-encrypted", changed(LISTENER, "sslPolicy", REMOVED, "main-https"), "AWS chooses"),
    Bad("listeners-encrypted", changed(LISTENER, "certificateArn", REMOVED, "main-https"), "no certificate"),
    Bad("listeners-encrypted", changed(LISTENER, "port", 80, "main-https"), "plain HTTP is expected"),
    Bad("listeners-encrypted", changed(LISTENER, "defaultActions.0.type", "forward", "main-https"), "more than refuse"),
    Bad("listener-rules-lead-somewhere", changed(LISTENER_RULE, "conditions.0.pathPattern.values", []), "every request"),
    Bad("listener-rules-lead-somewhere", changed(LISTENER_RULE, "listenerArn", "other"), "no HTTPS listener"),
    Bad("listener-rules-lead-somewhere", changed(LISTENER_RULE, "actions", [{"type": "redirect", "redirect": {"protocol": "HTTP"}}]), "away from HTTPS"),
    Bad("listener-rules-lead-somewhere", changed(LISTENER_RULE, f"{WEIGHTS}.1.arn", "other"), "no target group"),
    Bad("listener-rules-lead-somewhere", changed(LISTENER_RULE, f"{WEIGHTS}.0.weight", 0), "nowhere"),
    Bad("targets-drain", changed(TARGETS, "healthCheck.enabled", False), "checks health"),
    Bad("targets-drain", changed(TARGETS, "healthCheck.path", REMOVED), "checks health"),
    Bad("targets-drain", changed(TARGETS, "deregistrationDelay", 59, "gateway-blue"), "59 s for tasks that leave; they drain for 60"),
    Bad("targets-drain", changed(TARGETS, "deregistrationDelay", 300), "waits 300 s"),
    Bad("targets-drain", removed(SERVICE, "api-blue"), "no service behind it"),
    Bad("targets-drain", removed(LISTENER_RULE, "api-weights"), "sent nothing"),
    Bad("targets-drain", changed(TARGETS, "vpcId", "vpc-1"), "no VPC"),
    Bad("targets-encrypted", added(TARGETS, {"protocol": "TCP", "healthCheck": {"protocol": "HTTPS"}}), "TCP as protocol"),
    Bad("api-stages-observed", added(STAGE, {**GOOD_STAGE, "accessLogSettings": {}}), "no group of ours"),
    Bad("api-stages-observed", added(STAGE, {**GOOD_STAGE, "defaultRouteSettings": {}}), "no throttlingRateLimit"),
    Bad("api-routes-authorised", added(ROUTE, {"routeKey": "$connect", "authorizationType": "NONE"}), "anybody"),
    Bad("api-routes-authorised", added(ROUTE, {"routeKey": "GET /"}), "anybody"),
    Bad("api-integrations-encrypted", added(INTEGRATION, {"connectionType": "VPC_LINK"}), "the VPC in the clear"),
    Bad("api-integrations-encrypted", added(INTEGRATION, {"integrationUri": "http://example.com"}), "an address in the clear"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


GOOD = [
    (BALANCER, {"loadBalancerType": "network"}, "balancers-strict"),
    (TARGETS, {"protocol": "HTTPS", "healthCheck": {"protocol": "HTTPS"}}, "targets-encrypted"),
    (STAGE, GOOD_STAGE, "api-stages-observed"),
    (ROUTE, {"routeKey": "GET /", "authorizationType": "JWT"}, "api-routes-authorised"),
    (INTEGRATION, {"connectionType": "VPC_LINK", "tlsConfig": {"serverNameToVerify": "a"}}, "api-integrations-encrypted"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "inputs", "rule"), GOOD)
def test_what_production_has_not_passes_when_it_is_right(type_: str, inputs: dict[str, Any], rule: str) -> None:
    """As it should be made, it is not complained of."""
    view = View(added(type_, inputs)(graph_of("prod")), like=view_of("prod"))
    assert says(rule, view) == says(rule, view_of("prod"))


SOCKET = added(API, {"name": "sockets", "protocolType": "WEBSOCKET"}, like=TARGETS)


@pytest.mark.parametrize(
    ("route", "lacks"),
    [({"routeKey": "$connect"}, 1), ({"routeKey": "send"}, 0), ({"routeKey": "$connect", "authorizationType": "CUSTOM"}, 0)],
)  # fmt: skip
def test_of_a_socket_the_connection_is_authorised(route: dict[str, str], lacks: int) -> None:
    """What comes over it later comes from whom it let in."""
    graph = SOCKET(graph_of("prod"))
    (api,) = View(graph).of(API)
    known = next(each for each in View(graph)._texts(api).own if "/" not in each and ":" not in each)
    view = View(added(ROUTE, {**route, "apiId": known})(graph), like=view_of("prod"))
    assert len(says("api-routes-authorised", view)) == lacks
    stage = {**GOOD_STAGE, "apiId": known, "defaultRouteSettings": {**LIMITS, "loggingLevel": "OFF"}}
    (said,) = says("api-stages-observed", View(added(STAGE, stage)(graph), like=view_of("prod")))
    assert said.message == "does not log what goes wrong"


def test_the_heartbeat_is_the_one_of_the_chat() -> None:
    """The platform takes no code of the chat: so its figure is compared with the chat's own setting."""
    (said,) = re.findall(r"^    heartbeat_timeout_s: int = (\d+)$", CHAT_SETTINGS.read_text(), re.MULTILINE)
    assert int(said) == HEARTBEAT_LIMIT_S


def test_an_inner_balancer_needs_no_web_acl() -> None:
    """Nobody from outside reaches it."""
    graph = both(removed(ASSOCIATION), changed(BALANCER, "internal", True))(graph_of("prod"))
    assert says("balancers-guarded", View(graph, like=view_of("prod"))) == set()
