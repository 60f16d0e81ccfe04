"""Policy: one set of rules over the graph, and what is known and accepted."""

from nottermost_platform.rules import (  # noqa: F401 - each adds its rules
    access,
    account,
    alarms,
    backups,
    brokers,
    buckets,
    caches,
    containers,
    databases,
    distributions,
    functions,
    images,
    keys,
    literals,
    load_balancers,
    messages,
    names,
    network,
    platform,
    reach,
    search,
    tables,
    users,
)
from nottermost_platform.rules.engine import RULES, Rule, Severity, Violation, evaluate
from nottermost_platform.rules.verdict import Judged, Verdict, judge
from nottermost_platform.rules.view import View

__all__ = ["RULES", "Judged", "Rule", "Severity", "Verdict", "View", "Violation", "evaluate", "judge"]
