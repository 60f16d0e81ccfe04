"""A verdict as a table for people, and as SARIF 2.1.0 for code hosts and scanners."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

from nottermost_platform.rules.engine import RULES, Rule, Severity
from nottermost_platform.rules.verdict import Judged, Verdict

SARIF: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
PAGE: Final = "https://github.com/nottermost/nottermost/blob/main/docs/security.md"
LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
SCORES: Final = {  # `security-severity`, by which code hosts sort: from CVSS' ranges
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.0",
    Severity.LOW: "2.0",
}


def render_verdict(verdict: Verdict) -> Iterator[str]:
    """Violations first, what is accepted after them, the sum last."""
    if verdict.violations:
        yield from _table(verdict.violations)
        yield ""
        for rule in dict.fromkeys(each.rule for each in verdict.violations):
            yield f"{rule}: {RULES[rule].title}. To mend it: {RULES[rule].fix}"
        yield ""
    if verdict.suppressed:
        yield f"accepted, each with its reason and last day ({len(verdict.suppressed)}):"
        groups: dict[tuple[str, str], list[Judged]] = {}
        for each in verdict.suppressed:
            groups.setdefault((each.rule, each.suppressed), []).append(each)
        for (rule, reason), found in groups.items():
            yield f"  {rule} until {found[0].until}: {reason}"
            yield from (f"    {each.resource} {each.message}" for each in found)
        yield ""
    yield from verdict.problems
    yield summarise(verdict)


def summarise(verdict: Verdict) -> str:
    """In one line."""
    kinds = Counter(each.severity for each in verdict.violations)
    said = ", ".join(f"{kinds[each]} {each}" for each in Severity if kinds[each]) or "none"
    wrong = f", {len(verdict.problems)} suppressions to look at" if verdict.problems else ""
    return (
        f"{verdict.env}: {verdict.rules} rules on {verdict.resources} resources; violations: {said}; "
        f"{len(verdict.suppressed)} accepted{wrong}"
    )


def _table(rows: Sequence[Judged]) -> Iterator[str]:
    widths = [max(len(str(getattr(row, name))) for row in rows) for name in ("severity", "rule", "resource")]
    for row in rows:
        cells = (row.severity, row.rule, row.resource)
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + f"  {row.message}"


def make_sarif(verdict: Verdict) -> dict[str, Any]:
    """One run; what is accepted is there too, as a suppressed result."""
    used = sorted(RULES.values(), key=lambda rule: rule.id)
    places = {rule.id: place for place, rule in enumerate(used)}
    results = [_result(each, places[each.rule]) for each in (*verdict.violations, *verdict.suppressed)]
    notices = [{"level": "error", "message": {"text": each}} for each in verdict.problems]
    driver = {
        "name": "nottermost env policy",
        "version": version("nottermost-platform"),
        "informationUri": PAGE,
        "rules": [_descriptor(each) for each in used],
    }
    invocation = {"executionSuccessful": True, "toolExecutionNotifications": notices}
    run = {
        "automationDetails": {"id": f"policy/{verdict.env}/"},  # one environment's report does not replace another's
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": results,
    }
    return {"$schema": SARIF, "version": "2.1.0", "runs": [run]}


def _fingerprint(*parts: str) -> str:
    """By which a code host knows a result again."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.fix},
        "helpUri": f"{PAGE}#{rule.id}",
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "security-severity": SCORES[rule.severity],
            "tags": ["security", *rule.fsbp, *rule.checkov, *rule.nag],
        },
    }


def _result(judged: Judged, place: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": judged.rule,
        "ruleIndex": place,
        "level": LEVELS[judged.severity],
        "message": {"text": f"{judged.resource} {judged.message}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": judged.source}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": judged.urn, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(judged.rule, judged.urn, judged.message)},
    }
    if judged.suppressed:
        result["suppressions"] = [{"kind": "external", "justification": f"until {judged.until}: {judged.suppressed}"}]
    return result
