"""What the rules say of an environment, with what is accepted set apart."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

import msgspec

from nottermost_platform.rules.engine import RULES, Severity, evaluate
from nottermost_platform.rules.suppressions import Suppression
from nottermost_platform.rules.view import View

EXPIRED: Final = "suppression-expired"
UNUSED: Final = "suppression-unused"
ORDER: Final = {severity: place for place, severity in enumerate(Severity)}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A violation as a reviewer reads it.

    Attributes:
        resource: `<stack>.<region>/<name>`; source: the file that declares it.
        suppressed: the reason, "" where nothing suppresses it; until: its last day.
    """

    rule: str
    severity: Severity
    resource: str
    type: str
    urn: str
    source: str
    message: str
    fix: str
    suppressed: str = ""
    until: date | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Of one environment.

    Attributes:
        rules: how many applied; resources: how many were looked at.
        problems: suppressions that expired or that nothing needs any more; each fails as a violation does.
    """

    env: str
    rules: int
    resources: int
    violations: list[Judged]
    suppressed: list[Judged]
    problems: list[str]

    @property
    def passes(self) -> bool:
        return not self.violations and not self.problems


def judge(view: View, suppressions: Sequence[Suppression], today: date, *, stack: str | None = None) -> Verdict:
    """Hold every rule against an environment, or against the resources of one stack of it."""
    live = [each for each in suppressions if view.env_class in each.envs]
    used: set[Suppression] = set()
    violations, suppressed = list[Judged](), list[Judged]()
    resources = [each for each in view.resources if stack in (None, view.stacks[each.urn].name)]
    for found in evaluate(view, RULES.values(), resources):
        resource, rule = view.by_urn[found.urn], RULES[found.rule]
        named = view.named(resource)
        cover = next((each for each in live if each.covers(found.rule, named, view.env_class)), None)
        if cover:
            used.add(cover)
        accepted = cover is not None and not cover.expired(today)
        (suppressed if accepted else violations).append(
            Judged(
                rule=rule.id,
                severity=rule.severity,
                resource=named,
                type=resource.type,
                urn=resource.urn,
                source=resource.source,
                message=found.message,
                fix=rule.fix,
                suppressed=cover.reason if cover and accepted else "",
                until=cover.until if cover else None,
            )
        )
    return Verdict(
        env=view.graph.env,
        rules=sum(view.env_class in rule.envs for rule in RULES.values()),
        resources=sum(each.is_aws for each in resources),
        violations=sorted(violations, key=_by_severity),
        suppressed=sorted(suppressed, key=_by_severity),
        problems=[*_expired(used, today), *(_unused(live, used) if stack is None else ())],
    )


def _expired(used: Iterable[Suppression], today: date) -> Iterator[str]:
    for each in sorted(used, key=lambda each: (each.until, each.rule, each.resource)):
        if each.expired(today):
            yield f"{EXPIRED}: {each.rule} at {each.resource} was accepted until {each.until}: decide again or mend it"


def _unused(live: Iterable[Suppression], used: set[Suppression]) -> Iterator[str]:
    for each in live:
        if each not in used:
            yield f"{UNUSED}: {each.rule} at {each.resource} is accepted and nothing violates it: delete the line"


def _by_severity(judged: Judged) -> tuple[int, str, str, str]:
    return ORDER[judged.severity], judged.rule, judged.resource, judged.message
