"""IAM documents as rules read them: who may do what, with what, and under which condition."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks
from nottermost_platform.rules.view import PROVIDER, View, parse

POSITIVE: Final = frozenset({"stringequals", "stringlike", "arnequals", "arnlike", "stringequalsignorecase"})
CALLERS: Final = frozenset({"aws:principalaccount", "aws:principalarn", "aws:principalorgid", "kms:calleraccount"})
SOURCES: Final = frozenset(
    {"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "kms:encryptioncontext:aws:logs:arn"}
)
VERSION: Final = "2012-10-17"  # the older one takes `${...}` literally


class Said(msgspec.Struct, frozen=True):
    """One statement of a document.

    Attributes:
        principals: who, by kind, as `Service` or `AWS`; `*` alone is an AWS principal.
        conditions: the values wanted, by operator and key, both in lower case.
        inverted: it says what it does not mean (NotAction, NotResource, NotPrincipal).
    """

    allows: bool
    actions: list[str]
    resources: list[str]
    principals: dict[str, list[str]]
    conditions: dict[tuple[str, str], list[str]]
    inverted: bool

    @property
    def services(self) -> list[str]:
        return self.principals.get("Service", [])

    @property
    def anybody(self) -> bool:
        return any("*" in named for named in self.principals.values())

    def wants(self, key: str) -> list[str]:
        """The values that a condition wants of a key; one that lets requests without the key pass wants nothing."""
        return [
            value
            for (operator, name), values in self.conditions.items()
            if operator in POSITIVE and name == key.lower()
            for value in values
        ]

    def covers(self, action: str, resource: str) -> bool:
        """Whether it speaks of this action on this resource."""
        return _matches(action.lower(), (each.lower() for each in self.actions)) and _matches(resource, self.resources)


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, each.replace("[", "[[]")) for each in patterns)


def read(document: Any) -> list[Said]:
    """The statements of a policy; none of what is no policy."""
    opened = parse(document) if isinstance(document, str) else document
    found = opened.get("Statement") if isinstance(opened, Mapping) else None
    return [_said(each) for each in (found if isinstance(found, list) else [found]) if isinstance(each, Mapping)]


def is_current(document: Any) -> bool:
    """Whether a policy is of the version that knows variables."""
    opened = parse(document) if isinstance(document, str) else document
    return isinstance(opened, Mapping) and opened.get("Version") == VERSION


def _said(statement: Mapping[str, Any]) -> Said:
    principal = statement.get("Principal", {})
    return Said(
        allows=statement.get("Effect") != "Deny",
        actions=_list(statement.get("Action")),
        resources=_list(statement.get("Resource")),
        principals={kind: _list(named) for kind, named in principal.items()}
        if isinstance(principal, Mapping)
        else {"AWS": _list(principal)},
        conditions=_conditions(statement.get("Condition")),
        inverted=any(key in statement for key in ("NotAction", "NotResource", "NotPrincipal")),
    )


def _conditions(condition: Any) -> dict[tuple[str, str], list[str]]:
    if not isinstance(condition, Mapping):
        return {}
    return {
        (str(operator).lower(), str(key).lower()): _list(values)
        for operator, wanted in condition.items()
        if isinstance(wanted, Mapping)
        for key, values in wanted.items()
    }


def _list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def denies(document: Sequence[Said], action: str, resource: str) -> bool:
    """Whether a document denies an action on a resource, whatever the circumstances."""
    return any(not each.allows and not each.conditions and each.covers(action, resource) for each in document)


def may(document: Sequence[Said], action: str, resource: str) -> bool:
    """Whether a document allows an action on a resource under some circumstances, and denies it under none."""
    return any(each.allows and each.covers(action, resource) for each in document) and not any(
        not each.allows and each.covers(action, resource) for each in document
    )


def account_of(resource: Resource, view: View) -> str:
    """The account that a resource belongs to, as its stack's provider pins it."""
    providers = (each for each in view.stacks[resource.urn].resources if each.type == PROVIDER)
    return next((str(id_) for each in providers for id_ in parse(each.inputs.get("allowedAccountIds")) or ()), "")


def is_ours(said: Said, account: str, view: View) -> bool:
    """Whether a condition keeps a statement to our account or a source of ours."""
    tells = CALLERS if said.anybody else CALLERS | SOURCES  # a source is what a service says, and nobody else
    return any(
        bool(values := said.wants(key)) and all(_is_our(key, value, account, view) for value in values) for key in tells
    )


def _is_our(key: str, value: str, account: str, view: View) -> bool:
    if key.endswith("account"):
        return value == account
    return is_our_arn(value, account, view)


def is_our_arn(arn: str, account: str, view: View) -> bool:
    """Whether an ARN is of our account, or, where ARNs name none, of a resource of ours."""
    parts = arn.split(":")
    return len(parts) > 5 and (parts[4] == account if parts[4] else bool(view.meant(arn)))


def refuses_plain_transport(document: Sequence[Said], action: str, *resources: str) -> bool:
    """Whether a document denies an action on each of these to everybody who comes without TLS, and to nobody else."""
    denials = [
        each
        for each in document
        if not each.allows and each.anybody and each.conditions == {("bool", "aws:securetransport"): ["false"]}
    ]
    return all(any(each.covers(action, resource) for each in denials) for resource in resources)


def denials_of_all(document: Sequence[Said]) -> Iterator[Said]:
    """Denials to everybody without a condition: nobody can use the resource any more."""
    return (each for each in document if not each.allows and each.anybody and not each.conditions)


def wide_actions(document: Sequence[Said]) -> Lacks:
    """What a document allows by a `*` that stands for a whole service, or by what it leaves out."""
    for said in document:
        if said.allows and said.inverted:
            yield "allows all but what it names"
        for action in said.actions if said.allows else ():
            if action.partition(":")[2] in ("", "*"):
                yield f"allows {action}"
