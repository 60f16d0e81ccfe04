"""Lambda functions: a module of `nottermost_platform.functions`, its role and its log group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.lambda_.function import Function as LambdaFunction
from pulumi_aws.lambda_.permission import Permission

from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs, add_log_group
from nottermost_platform.policy import Statement, trust
from nottermost_platform.program import Component, Stack

SOURCES: Final = Path(__file__).parents[1] / "functions"
RUNTIME: Final = "python3.13"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionArgs:
    """A function.

    Attributes:
        module: file in `nottermost_platform.functions` that has `handler`.
        environment: never a secret.
        allows: what it may do beside writing its log.
    """

    module: str
    description: str
    log_key_arn: pulumi.Input[str]
    log_days: int
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    allows: Sequence[Statement] = ()
    timeout_s: int = 10


class Function(Component):
    """A Lambda function from one file, that may do what it says and no more."""

    KIND = "functions:Function"

    def __init__(self, stack: Stack[Any], name: str, args: FunctionArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        account, region = stack.settings.account_id, stack.place.region
        path = f"/aws/lambda/{self.physical_name(LambdaFunction, name)}"
        group = add_log_group(self, "log", days=args.log_days, key_arn=args.log_key_arn, path=path)
        write = Statement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[f"arn:aws:logs:{region}:{account}:log-group:{path}:*"],
        )
        allows = {"log": [write], **({"work": args.allows} if args.allows else {})}
        role = ServiceRole(
            stack, f"{name}-role", parent=self,
            args=ServiceRoleArgs(
                description=args.description, trusted=[trust("lambda.amazonaws.com", account)], allows=allows
            ),
        )  # fmt: skip
        source = f"{args.module}.py"
        code: dict[str, pulumi.Asset | pulumi.Archive] = {source: pulumi.StringAsset((SOURCES / source).read_text())}
        self.function = self.add(
            LambdaFunction, "", description=args.description, role=role.arn, runtime=RUNTIME, architectures=["arm64"],
            handler=f"{args.module}.handler", code=pulumi.AssetArchive(code), timeout=args.timeout_s, memory_size=128,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=dict(args.environment)) if args.environment else None,
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON", log_group=group.name),
            opts=pulumi.ResourceOptions(depends_on=[group, role]),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.function.arn
        self.register_outputs({"arn": self.arn})

    def allow(self, service: str, source_arn: pulumi.Input[str]) -> Permission:
        """Lets a service call it on behalf of one resource of this account."""
        return self.add(
            Permission, service.partition(".")[0], action="lambda:InvokeFunction", function=self.function.name,
            principal=service, source_arn=source_arn, source_account=self.stack.settings.account_id,
        )  # fmt: skip
