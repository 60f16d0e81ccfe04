"""What a rule is, and how all of them judge a graph."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from nottermost_platform.graph import Resource
from nottermost_platform.rules.view import View

Lacks = Iterator[str]  # what is wrong with a resource, each as the end of a sentence that begins with its name
Check = Callable[[Resource, View], Lacks]


class Severity(StrEnum):
    """How bad it is, as Security Hub says it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must hold of every resource of some types.

    Attributes:
        number: of the control in the checklist of 79; 0 for a rule of our own.
        title: what must hold.
        types: as `aws:ec2/vpc:Vpc`; empty for every type.
        fsbp, checkov, nag: the same elsewhere: AWS Foundational Security Best Practices (or another AWS control),
            `CKV_AWS_n` and `CKV2_AWS_n`, AwsSolutions rules of cdk-nag.
        envs: classes of environments that it is for; what is for production alone within a rule, its title says.
        fix: what to change in the programs.
    """

    id: str
    number: int
    title: str
    severity: Severity
    types: frozenset[str]
    fsbp: tuple[str, ...]
    checkov: tuple[str, ...]
    nag: tuple[str, ...]
    envs: frozenset[str]
    fix: str
    check: Check

    def applies(self, resource: Resource, env_class: str) -> bool:
        return env_class in self.envs and (resource.type in self.types if self.types else resource.is_aws)


class Violation(msgspec.Struct, frozen=True, order=True):
    """A resource of which a rule does not hold."""

    rule: str
    urn: str
    message: str


EVERYWHERE: Final = ("prod", "staging", "dev", "pr")
RULES: Final[dict[str, Rule]] = {}


def rule(
    id_: str,
    number: int,
    severity: Severity,
    *types: str,
    title: str,
    fix: str,
    fsbp: str = "",
    checkov: str = "",
    nag: str = "",
    envs: tuple[str, ...] = EVERYWHERE,
) -> Callable[[Check], Check]:
    """Make a check a rule of the set; `types` as `ec2/vpc:Vpc`; ids as words, checkov's as `16 CKV2_12`."""

    def register(check: Check) -> Check:
        if id_ in RULES:
            raise ValueError(f"two rules are called {id_}")
        RULES[id_] = Rule(
            id=id_,
            number=number,
            title=title,
            severity=severity,
            types=frozenset(each if each.startswith("pulumi:") else f"aws:{each}" for each in types),
            fsbp=tuple(fsbp.split()),
            checkov=tuple(f"CKV_AWS_{each}" if each.isdigit() else each for each in checkov.split()),
            nag=tuple(f"AwsSolutions-{each}" for each in nag.split()),
            envs=frozenset(envs),
            fix=fix,
            check=check,
        )
        return check

    return register


def evaluate(view: View, rules: Iterable[Rule], resources: Iterable[Resource] | None = None) -> Iterator[Violation]:
    """What these rules say of a graph's resources: of all of them, or of those given."""
    for each in rules:
        for resource in view.resources if resources is None else resources:
            if each.applies(resource, view.env_class):
                for message in each.check(resource, view):
                    yield Violation(each.id, resource.urn, message)
