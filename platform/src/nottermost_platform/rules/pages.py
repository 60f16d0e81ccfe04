"""The pages docs/security.md and docs/policy-mutations.md, made from the rules and production's reviewed graph."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from nottermost_platform.preview import read_golden
from nottermost_platform.program import ROOT
from nottermost_platform.rules.engine import RULES, Rule
from nottermost_platform.rules.mutation import Measured, Operator, Survivor, find_unexplained, load_survivors, measure
from nottermost_platform.rules.suppressions import Suppression, load_suppressions
from nottermost_platform.rules.verdict import Judged, Verdict, judge
from nottermost_platform.rules.view import View

PAGE: Final = ROOT / "docs" / "security.md"
MUTATIONS: Final = ROOT / "docs" / "policy-mutations.md"
MUTATIONS_HEAD: Final = """\
# How much the rules notice

Each line of the table below is a way to make production's reviewed graph worse; every kind of change (operator, type, property, new value; of policies, each statement of each) is made once, alone, and counts as noticed when some rule says something that none said before. Made by `nottermost env docs --mutations`; a test holds it to 95 %, and every survivor to a line of `platform/mutation-survivors.yaml`.
"""
WORDS: Final = {
    Operator.FLIP: "a switch is turned",
    Operator.DROP: "a reference to a key, a group, a log, … is taken out",
    Operator.CHOOSE: "another allowed value, one that says off, open, plain, old or less",
    Operator.ZERO: "how long, how many or how strict becomes 0",
    Operator.OPEN: "an address range becomes the internet",
    Operator.WIDEN: "a policy's statement allows any action, any resource, anybody, or loses its condition; a refusal goes",
    Operator.REMOVE: "a resource that guards another is taken away",
    Operator.UNPROTECT: "protection, ignored changes or tags are taken off",
}
SOURCES: Final = "platform/src/nottermost_platform/"
HEAD: Final = """\
# Security

Every rule that an environment is held against, with its number in the checklist of 79 controls (own rules have none), the same control elsewhere (FSBP and other AWS controls, checkov, cdk-nag), the files that declare what it looks at, and how the reviewed graph of production stands. Made by `nottermost env docs` from the rules and platform/graphs; [the threat model](threat-model.md) says what they are against, [how much the rules notice](policy-mutations.md) is measured.

`nottermost env policy prod` prints what is violated and exits with 3; `--format sarif` is for code hosts. To accept something, write a line with a reason and a last day into `platform/suppressions.yaml`: it shows here and in every output, fails when its day has passed, and fails when nothing needs it any more. Whether a last day has passed is not judged here but by the command.
"""


def render_pages(*, mutations: bool) -> dict[Path, str]:
    """The pages by their paths. Raises: GoldenError, UnknownSchema, BadSuppression, BadSurvivors."""
    view = View(read_golden("prod"))
    pages = {PAGE: render_security(view, load_suppressions())}
    if mutations:
        pages[MUTATIONS] = render_mutations(measure(view), load_survivors())
    return pages


def render_security(view: View, suppressions: list[Suppression]) -> str:
    """Every rule with what it is elsewhere, what it holds of, and how production stands; the same on any day."""
    verdict = judge(view, suppressions, date.min)
    rules = sorted(RULES.values(), key=lambda rule: (rule.number or 1000, rule.id))
    controls = {rule.number for rule in rules if rule.number}
    said = (
        f"{len(rules)} rules: {len(controls)} of the 79 controls and {sum(not rule.number for rule in rules)} rules of our own. "
        f"Production: {verdict.resources:,} resources, {len(verdict.violations)} violations, {len(verdict.suppressed)} accepted."
    )
    lines = [HEAD, said, "", "## Rules", "", *_rules(rules, view, verdict), "", "## Accepted", "", *_accepted(verdict)]
    return "\n".join([*lines, ""])


def _rules(rules: list[Rule], view: View, verdict: Verdict) -> Iterator[str]:
    yield "| # | rule | what must hold | severity | elsewhere | declared in | production |"
    yield "|---:|---|---|---|---|---|---|"
    for rule in rules:
        elsewhere = ", ".join((*rule.fsbp, *rule.checkov, *rule.nag))
        envs = "" if len(rule.envs) > 1 else f" ({next(iter(rule.envs))} alone)"
        yield (
            f'| {rule.number or ""} | <a id="{rule.id}"></a>`{rule.id}` | {rule.title}{envs} | {rule.severity} '
            f"| {elsewhere} | {_components(rule, view)} | {_status(rule, view, verdict)} |"
        )


def _components(rule: Rule, view: View) -> str:
    if not rule.types:
        return "every component"
    files = {each.source.removeprefix(SOURCES) for each in view.resources if rule.applies(each, view.env_class)}
    return ", ".join(f"[{Path(each).stem}](../{SOURCES}{each})" for each in sorted(files)) or "–"


def _status(rule: Rule, view: View, verdict: Verdict) -> str:
    """In words: at how many resources nothing is wrong, what is accepted, what is violated."""
    looked_at = sum(rule.applies(each, view.env_class) for each in view.resources)
    if not looked_at:
        return "nothing of the kind" if view.env_class in rule.envs else "not for it"
    wrong, accepted = (
        len({each.urn for each in found if each.rule == rule.id}) for found in (verdict.violations, verdict.suppressed)
    )
    parts = [f"**violated by {wrong}**"] if wrong else []
    parts += [f"[accepted of {accepted}](#accepted)"] if accepted else []
    held = looked_at - wrong - accepted
    return ", ".join([*([f"nothing wrong at {held}"] if held else []), *parts])


def _accepted(verdict: Verdict) -> Iterator[str]:
    yield "| rule | resources | until | why |"
    yield "|---|---|---|---|"
    groups = Counter((each.rule, each.until, each.suppressed) for each in verdict.suppressed)
    for (rule, until, reason), count in groups.items():
        named = [each for each in verdict.suppressed if (each.rule, each.suppressed) == (rule, reason)]
        yield f"| [`{rule}`](#{rule}) | {_names(named, count)} | {until} | {reason} |"


def _names(found: list[Judged], count: int) -> str:
    names = list(dict.fromkeys(f"`{each.resource}`" for each in found))
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "") if count > 1 else names[0]


def render_mutations(measured: Measured, reasons: list[Survivor]) -> str:
    """How much is noticed by operator, and what is not, with the reason."""
    noticed = measured.mutants - len(measured.survivors)
    widened, others = measured.tried[Operator.WIDEN], measured.mutants - measured.tried[Operator.WIDEN]
    left = sum(each.operator is not Operator.WIDEN for each in measured.survivors)
    lines = [MUTATIONS_HEAD, f"**{noticed:,} of {measured.mutants:,} noticed, {measured.share:.1%}** (aim 95 %)."]
    lines += [
        f"Of these {widened:,} are statements of policies; without them {1 - left / others:.1%} of {others:,}.",
        "",
    ]
    lines += ["| operator | what it does | mutants | noticed |", "|---|---|---:|---:|"]
    for operator in Operator:
        total, left = measured.tried[operator], sum(each.operator is operator for each in measured.survivors)
        lines.append(f"| {operator} | {WORDS[operator]} | {total:,} | {(total - left) / total if total else 0:.1%} |")
    lines += ["", "## What survives", "", "| change | why no rule says so |", "|---|---|"]
    for survivor in reasons:
        kinds = sorted({each.kind for each in measured.survivors if survivor.covers(each)})
        lines += [f"| `{kind}` | {survivor.reason} |" for kind in kinds]
    lines += [f"| `{each.kind}` | **nobody has said why** |" for each in find_unexplained(measured, reasons)]
    return "\n".join([*lines, ""])
