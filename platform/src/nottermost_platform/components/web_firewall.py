"""A web ACL: AWS's managed rules and a limit on requests by address, logged without credentials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws
from pulumi_aws.wafv2.web_acl import WebAcl
from pulumi_aws.wafv2.web_acl_logging_configuration import WebAclLoggingConfiguration

from nottermost_platform.components.security import add_log_group
from nottermost_platform.naming import PRIMARY
from nottermost_platform.program import Component, Stack

# Managed groups in their order, and the rules in them that only count: people write about code in a chat, and a
# message may be longer than the 8 KB that AWS takes for suspicious; the chat itself checks sizes and escapes text.
GROUPS: Final = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesKnownBadInputsRuleSet": (),  # Log4j among others
    "AWSManagedRulesCommonRuleSet": (
        "CrossSiteScripting_BODY", "EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY",
    ),
}  # fmt: skip
REDACTED: Final = ("authorization", "cookie")
LOG_PREFIX: Final = "aws-waf-logs-"  # WAF writes to no log group of another name
WINDOW_S: Final = 300
# By one address that connects to a load balancer, whatever it says of whom it asks for: CloudFront's share its load
# among thousands, and stay far below.
DIRECT_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFirewallArgs:
    """A web ACL.

    Attributes:
        scope: CLOUDFRONT for a distribution (it lives in us-east-1, whatever the stack's region), else REGIONAL.
        requests_max: by one address in 5 minutes, before it is blocked for a while.
    """

    scope: Literal["CLOUDFRONT", "REGIONAL"]
    requests_max: int
    log_days: int
    log_key_arn: pulumi.Input[str]


class WebFirewall(Component):
    """What is refused before it reaches a distribution or a load balancer; blocked and counted requests are logged."""

    KIND = "edge:WebFirewall"

    def __init__(self, stack: Stack[Any], name: str, args: WebFirewallArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        region = PRIMARY if args.scope == "CLOUDFRONT" else None
        rules = [_managed(place, group, counted) for place, (group, counted) in enumerate(GROUPS.items())]
        self.acl = self.add(
            WebAcl, "", region=region, scope=args.scope, description=f"Nottermost {stack.place.env} {args.scope.lower()}",
            default_action=aws.wafv2.WebAclDefaultActionArgs(allow=aws.wafv2.WebAclDefaultActionAllowArgs()),
            rules=[*rules, *_limits(len(rules), args)],
            visibility_config=aws.wafv2.WebAclVisibilityConfigArgs(
                cloudwatch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=name,
            ),
        )  # fmt: skip
        path = f"{LOG_PREFIX}{stack.place.env}-{args.scope.lower()}"
        group = add_log_group(self, "logs", days=args.log_days, key_arn=args.log_key_arn, path=path)
        self.add(
            WebAclLoggingConfiguration, "logs", region=region, resource_arn=self.acl.arn,
            log_destination_configs=[group.arn], redacted_fields=[_redact(header) for header in REDACTED],
            logging_filter=_keep("BLOCK", "COUNT"),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.acl.arn
        self.register_outputs({"arn": self.arn})


def _managed(place: int, group: str, counted: tuple[str, ...]) -> aws.wafv2.WebAclRuleArgs:
    """A managed group, with the actions of its own rules but those that only count."""
    count = aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs(
        count=aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs()
    )
    overrides = [
        aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs(name=rule, action_to_use=count)
        for rule in counted
    ]
    none: Callable[[], Any] = aws.wafv2.WebAclRuleOverrideActionNoneArgs  # it takes nothing, and has no types
    return aws.wafv2.WebAclRuleArgs(
        name=group, priority=place, visibility_config=_visible(group),
        override_action=aws.wafv2.WebAclRuleOverrideActionArgs(none=none()),
        statement=aws.wafv2.WebAclRuleStatementArgs(
            managed_rule_group_statement=aws.wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs(
                vendor_name="AWS", name=group, rule_action_overrides=overrides or None
            )
        ),
    )  # fmt: skip


def _limits(place: int, args: WebFirewallArgs) -> list[aws.wafv2.WebAclRuleArgs]:
    """Limits by address. Behind CloudFront the address is CloudFront's: there the forwarded one counts too.

    That one is what the request says: whoever goes past CloudFront can say anything, and is held by the second.
    """
    if args.scope == "CLOUDFRONT":
        return [_limit("rate-by-address", place, args.requests_max, aggregate_key_type="IP")]
    forwarded = aws.wafv2.WebAclRuleStatementRateBasedStatementForwardedIpConfigArgs(
        header_name="X-Forwarded-For", fallback_behavior="MATCH"
    )
    kind = "FORWARDED_IP"
    return [
        _limit("rate-by-address", place, args.requests_max, aggregate_key_type=kind, forwarded_ip_config=forwarded),
        _limit("rate-by-connection", place + 1, DIRECT_MAX, aggregate_key_type="IP"),
    ]


def _limit(name: str, place: int, limit: int, **rate: Any) -> aws.wafv2.WebAclRuleArgs:
    return aws.wafv2.WebAclRuleArgs(
        name=name, priority=place, visibility_config=_visible(name),
        action=aws.wafv2.WebAclRuleActionArgs(block=aws.wafv2.WebAclRuleActionBlockArgs()),
        statement=aws.wafv2.WebAclRuleStatementArgs(
            rate_based_statement=aws.wafv2.WebAclRuleStatementRateBasedStatementArgs(
                limit=limit, evaluation_window_sec=WINDOW_S, **rate
            )
        ),
    )  # fmt: skip


def _visible(metric: str) -> aws.wafv2.WebAclRuleVisibilityConfigArgs:
    return aws.wafv2.WebAclRuleVisibilityConfigArgs(
        cloudwatch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=metric
    )


def _redact(header: str) -> aws.wafv2.WebAclLoggingConfigurationRedactedFieldArgs:
    single = aws.wafv2.WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs(name=header)
    return aws.wafv2.WebAclLoggingConfigurationRedactedFieldArgs(single_header=single)


def _keep(*actions: str) -> aws.wafv2.WebAclLoggingConfigurationLoggingFilterArgs:
    """Only requests with one of these actions: what was let through would cost more to log than to serve."""
    conditions = [
        aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArgs(
            action_condition=aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionActionConditionArgs(
                action=action
            )
        )
        for action in actions
    ]
    kept = aws.wafv2.WebAclLoggingConfigurationLoggingFilterFilterArgs(
        behavior="KEEP", requirement="MEETS_ANY", conditions=conditions
    )
    return aws.wafv2.WebAclLoggingConfigurationLoggingFilterArgs(default_behavior="DROP", filters=[kept])
