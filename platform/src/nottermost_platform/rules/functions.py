"""Rules of Lambda: our own, as there is no control of it in the list."""

import re
from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.images import KEY, word
from nottermost_platform.rules.view import View, get, number

FUNCTION: Final = "lambda/function:Function"
PERMISSION: Final = "lambda/permission:Permission"
FUNCTION_URL: Final = "lambda/functionUrl:FunctionUrl"
SOURCE_MAPPING: Final = "lambda/eventSourceMapping:EventSourceMapping"
ROLE: Final = "iam/role:Role"
LOG_GROUP: Final = "cloudwatch/logGroup:LogGroup"
RUNTIMES: Final = re.compile(r"^(python3\.1[2-9]|nodejs2[24]\.x|java(21|25)|provided\.al2023)$")  # not soon withdrawn


@rule(
    "functions-current", 0, Severity.MEDIUM, FUNCTION,
    title="Functions run on a runtime with a future, under a role of their own, and log encrypted to a group of ours",
    fsbp="Lambda.2", checkov="363", nag="L1", fix="components.functions.Function",
)  # fmt: skip
def functions_current(function: Resource, view: View) -> Lacks:
    if get(function, "packageType", "Zip") == "Zip" and not RUNTIMES.match(word(function, "runtime")):
        yield f"runs on {get(function, 'runtime', 'an unknown runtime')}"
    roles = view.targets(function, "role", ROLE)
    if not roles:
        yield "has no role of ours"
    if any(len(view.users_at(role, FUNCTION, "role")) > 1 for role in roles):
        yield "shares its role with another function"
    groups = [
        each for each in view.targets(function, "loggingConfig.logGroup", LOG_GROUP) if each.region == function.region
    ]
    if not groups:
        yield "logs to no group of ours"
    if any(not view.targets(group, "kmsKeyId", KEY) for group in groups):
        yield "logs unencrypted"
    if get(function, "loggingConfig.logFormat") != "JSON":
        yield "logs text that nobody can search by field"
    if number(function, "timeout") <= 0:
        yield "has the time limit that AWS chooses"
    if not view.users(function, PERMISSION, SOURCE_MAPPING):
        yield "may be called by nothing"


@rule(
    "functions-callers", 0, Severity.CRITICAL, PERMISSION, FUNCTION_URL,
    title="Functions are called by one service, on behalf of one resource of this account",
    fsbp="Lambda.1", checkov="301 364 258", fix="components.functions.Function.allow",
)  # fmt: skip
def functions_callers(caller: Resource, view: View) -> Lacks:
    if caller.type.endswith(":FunctionUrl"):
        if get(caller, "authorizationType") != "AWS_IAM":
            yield "lets anybody call its function"
        return
    if not word(caller, "principal").endswith(".amazonaws.com"):
        yield "lets others than a service of AWS call its function"
    if not view.targets(caller, "sourceArn"):
        yield "does not say on behalf of which resource of ours"
    if not re.fullmatch(r"\d{12}", word(caller, "sourceAccount")):
        yield "does not say of which account"
    if get(caller, "action") != "lambda:InvokeFunction":
        yield f"allows {get(caller, 'action')}"
