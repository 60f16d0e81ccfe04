"""Each rule of Lambda notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.functions import FUNCTION, FUNCTION_URL, LOG_GROUP, PERMISSION
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, graph_of, one, removed, says, view_of

NAME = "users-claims"
CASES = [
    Bad("functions-current", changed(FUNCTION, "runtime", "python3.8"), "python3.8"),
    Bad("functions-current", changed(FUNCTION, "runtime", REMOVED), "unknown runtime"),
    Bad("functions-current", changed(FUNCTION, "role", "arn:aws:iam::333344445555:role/other"), "no role of ours"),
    Bad(
        "functions-current",
        lambda graph: changed(FUNCTION, "role", one(graph, FUNCTION, "users-sign-up").inputs["role"], NAME)(graph),
        "shares its role",
    ),
    Bad("functions-current", changed(FUNCTION, "loggingConfig", REMOVED), "no group of ours"),
    Bad("functions-current", changed(LOG_GROUP, "kmsKeyId", REMOVED, f"{NAME}-log"), "unencrypted"),
    Bad("functions-current", changed(FUNCTION, "loggingConfig.logFormat", "Text"), "by field"),
    Bad("functions-current", changed(FUNCTION, "timeout", 0), "time limit"),
    Bad("functions-current", removed(PERMISSION, f"{NAME}-cognito-idp"), "called by nothing"),
    Bad("functions-callers", changed(PERMISSION, "principal", "*"), "others than a service"),
    Bad("functions-callers", changed(PERMISSION, "sourceArn", REMOVED), "which resource"),
    Bad("functions-callers", changed(PERMISSION, "sourceAccount", REMOVED), "which account"),
    Bad("functions-callers", changed(PERMISSION, "action", "lambda:*"), "allows lambda:*"),
    Bad("functions-callers", added(FUNCTION_URL, {"authorizationType": "NONE"}), "anybody"),
]


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_an_address_that_asks_who_calls_passes() -> None:
    """Production has none; one with IAM is fine."""
    graph = added(FUNCTION_URL, {"authorizationType": "AWS_IAM"})(graph_of("prod"))
    assert says("functions-callers", View(graph, like=view_of("prod"))) == set()
