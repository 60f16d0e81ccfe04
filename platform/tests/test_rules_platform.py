"""Rules of our own: tags, providers, parents, ownership, protection; each on production with one thing changed."""

from typing import Any

import msgspec
import pytest

from nottermost_platform.checks import OWNERSHIP
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import REQUIRED_TAGS
from nottermost_platform.rules import View
from nottermost_platform.rules.view import PROVIDER
from nottermost_platform.testing import Bad, Change, altered, check_bad, graph_of, one, says, view_of

BUCKET = "s3/bucket:Bucket"
FILES = {each: f"{each}-of-nobody" for each in REQUIRED_TAGS}


def files(**changes: Any) -> Change:
    return altered(BUCKET, "files", **changes)


def option(**changes: Any) -> Change:
    """The bucket of files with other options."""

    def change(graph: Graph) -> Graph:
        options = msgspec.structs.replace(one(graph, BUCKET, "files").options, **changes)
        return files(options=options)(graph)

    return change


def provider(**changes: Any) -> Change:
    """A provider with other inputs; the first there is."""

    def change(graph: Graph) -> Graph:
        found = next(each for each in graph.resources() if each.type == PROVIDER)
        return altered(PROVIDER, "", inputs={**found.inputs, **changes})(graph)

    return change


def second_provider(graph: Graph) -> Graph:
    stack = graph.stacks[0]
    extra = next(each for each in stack.resources if each.type == PROVIDER)
    more = msgspec.structs.replace(extra, urn=f"{extra.urn}-2", name="aws-2")
    stacks = [msgspec.structs.replace(stack, resources=[*stack.resources, more]), *graph.stacks[1:]]
    return msgspec.structs.replace(graph, stacks=stacks)


CASES = [
    Bad("required-tags", files(tags={}), "lacks the tags"),
    *(
        Bad("required-tags", files(tags={key: "x" for key in REQUIRED_TAGS if key != tag}), f"lacks the tags {tag}")
        for tag in REQUIRED_TAGS
    ),
    Bad("required-tags", files(tags=FILES), "not the hash of its URN"),
    Bad("explicit-provider", files(provider=None), "no explicit provider"),
    Bad("explicit-provider", files(provider="urn:pulumi:dev-us-east-1::nottermost-data::p::aws"), "of another stack"),
    Bad("explicit-provider", files(parent=None), "on no component"),
    Bad("explicit-provider", files(parent="urn:pulumi:x::p::pulumi:pulumi:Stack::p-x"), "on no component"),
    Bad("explicit-provider", files(region="us-west-9"), "us-west-9"),
    Bad("safe-provider", second_provider, "is a second provider"),
    Bad("safe-provider", provider(region="ap-south-1"), "another region"),
    Bad("safe-provider", provider(allowedAccountIds=None), "the wrong credentials would do"),
    Bad("safe-provider", provider(allowedAccountIds="[]"), "the wrong credentials would do"),
    Bad("safe-provider", provider(defaultTags='{"tags":{"env":"prod"}}'), "other default tags"),
    Bad("ownership", option(ignore_changes=["tags"]), "gives to nobody"),
    Bad("protected-data", option(protect=False), "is not protected"),
    Bad("protected-parts", option(protect=False), "is not protected, though files is"),
]


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_protection_is_asked_for_in_production_alone() -> None:
    """Other environments come and go."""
    assert not says("protected-data", view_of("dev"))
    assert any(not each.options.protect for each in view_of("dev").of(BUCKET))


@pytest.mark.parametrize("type_", sorted(OWNERSHIP))
def test_each_row_of_the_ownership_table_is_in_use(type_: str) -> None:
    """And a resource that does not ignore what it names is found."""
    view = view_of("prod")
    owned = [each for each in view.resources if each.type == type_ and each.options.ignore_changes]
    assert owned, f"no {type_} of production ignores anything"
    named = {name for row in OWNERSHIP[type_] for name in row.properties}
    assert {name for each in owned for name in each.options.ignore_changes} <= named
    assert _lacking(owned[0]) > says("ownership", view)


def _lacking(resource: Resource) -> set[Any]:
    options = msgspec.structs.replace(resource.options, ignore_changes=[])
    graph = altered(resource.type.removeprefix("aws:"), resource.name, options=options)(graph_of("prod"))
    return says("ownership", View(graph, like=view_of("prod")))
