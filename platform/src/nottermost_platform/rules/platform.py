"""Rules of our own: what every resource of the platform keeps to."""

from collections.abc import Iterator
from typing import Final

from nottermost_platform.checks import HOLDS_DATA, OWNERSHIP
from nottermost_platform.graph import Resource
from nottermost_platform.naming import PRIMARY, REQUIRED_TAGS, STANDBY, nottermost_id
from nottermost_platform.policy import canonical_json
from nottermost_platform.program import MANAGED_BY, is_taggable
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.view import PROVIDER, View, get, parse
from nottermost_platform.tokens import sdk_class

DEFAULT_TAGS: Final = canonical_json({"tags": {"managed-by": MANAGED_BY}})


@rule(
    "required-tags", 0, Severity.MEDIUM,
    title="What can be tagged says who owns it, what it costs and which resource it is",
    fix="make it with Component.add",
)  # fmt: skip
def required_tags(resource: Resource, _view: View) -> Lacks:
    made_of = sdk_class(resource.type)
    if made_of is None or not is_taggable(made_of):
        return
    missing = [tag for tag in REQUIRED_TAGS if not resource.tags.get(tag)]
    if missing:
        yield f"lacks the tags {', '.join(missing)}"
    elif resource.tags["nottermost-id"] != nottermost_id(resource.urn):
        yield f"has a nottermost-id that is not the hash of its URN, {nottermost_id(resource.urn)}"


@rule(
    "explicit-provider", 0, Severity.HIGH,
    title="Every resource hangs on a component, has its stack's provider, and is in one of our regions",
    fix="add it by a component of the stack",
)  # fmt: skip
def explicit_provider(resource: Resource, _view: View) -> Lacks:
    if resource.provider is None:
        yield "has no explicit provider"
    elif resource.provider.split("::")[:2] != resource.urn.split("::")[:2]:
        yield "has the provider of another stack"
    if resource.parent is None or "pulumi:pulumi:Stack" in resource.parent:
        yield "hangs on the stack itself and on no component"
    if resource.region not in (PRIMARY, STANDBY):
        yield f"is in {resource.region}; there are {PRIMARY} and {STANDBY}"


@rule(
    "safe-provider", 0, Severity.HIGH, PROVIDER,
    title="A stack has one provider, of its region, that refuses other accounts",
    fix="leave it to program.py; another region is the `region` argument of a resource",
)  # fmt: skip
def safe_provider(provider: Resource, view: View) -> Lacks:
    stack = view.stacks[provider.urn]
    if provider is not next(each for each in stack.resources if each.type == PROVIDER):
        yield "is a second provider"
    if get(provider, "region") != stack.region:
        yield f"is of another region than its stack, {stack.region}"
    if not parse(get(provider, "allowedAccountIds")):
        yield "says no allowedAccountIds: the wrong credentials would do"
    if get(provider, "defaultTags") != DEFAULT_TAGS:
        yield f"has other default tags than {DEFAULT_TAGS}"


@rule(
    "ownership", 0, Severity.MEDIUM,
    title="A resource ignores changes of exactly what something else owns at run time",
    fix="follow the ownership table in checks.py, or change it",
)  # fmt: skip
def ownership(resource: Resource, _view: View) -> Lacks:
    owned, ignored = set(_owned(resource)), set(resource.options.ignore_changes)
    if lacking := owned - ignored:
        yield f"must ignore changes of {', '.join(sorted(lacking))}: something else owns them at run time"
    if extra := ignored - owned:
        yield f"ignores changes of {', '.join(sorted(extra))}, which the ownership table gives to nobody"


def _owned(resource: Resource) -> Iterator[str]:
    for each in OWNERSHIP.get(resource.type, ()):
        if each.when is None or each.when(resource):
            yield from each.properties


@rule(
    "protected-data", 0, Severity.HIGH, *(each.removeprefix("aws:") for each in sorted(HOLDS_DATA)),
    title="In production, what holds data is protected from being destroyed or made anew", envs=("prod",),
    fix="protect=True where the component adds it",
)  # fmt: skip
def protected_data(resource: Resource, _view: View) -> Lacks:
    if not resource.options.protect:
        yield "holds data and is not protected"


@rule(
    "protected-parts", 0, Severity.MEDIUM,
    title="In production, what belongs to a protected component is protected with it: guards, ways, grants", envs=("prod",),
    fix="leave protection to the component; it inherits",
)  # fmt: skip
def protected_parts(resource: Resource, view: View) -> Lacks:
    parent = view.by_urn.get(resource.parent or "")
    if parent and parent.options.protect and not resource.options.protect:
        yield f"is not protected, though {parent.name} is"
