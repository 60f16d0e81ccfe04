"""What the preview calls a change, and what it says about it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nottermost_conventions.contracts import UnknownSchema
from nottermost_platform.differences import PropertyChange
from nottermost_platform.environments import compare_environments
from nottermost_platform.graph import Graph, Options, Reference, Resource, StackGraph, StackOutput
from nottermost_platform.preview import Change, GoldenError, accept, assess, compare, read_golden, select_stack
from nottermost_platform.render import render_differences, render_markdown, render_preview
from nottermost_platform.testing import what_if

VPC, SUBNET, ROLE, QUEUE = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:iam/role:Role", "aws:sqs/queue:Queue"
TABLE, OTHER = "aws:dynamodb/table:Table", "aws:iot/thing:Thing"  # nobody has looked up what replaces it


def urn(type_: str, name: str, *, env: str = "dev", stack: str = "network") -> str:
    return f"urn:pulumi:{env}-us-east-1::nottermost-{stack}::nottermost:a:B${type_}::{name}"


def make(
    type_: str, name: str, /, *, uses: dict[str, str] | None = None, options: dict[str, Any] | None = None, env: str = "dev",
    stack: str = "network", region: str = "us-east-1", source: str = "here.py", **inputs: Any,
) -> Resource:  # fmt: skip
    """A resource. `uses`: input to the URN that it comes from."""
    defaults = {"protect": False, "ignore_changes": [], "aliases": [], "retain_on_delete": False}
    made_with = msgspec.convert({**defaults, "replace_on_changes": [], "import_id": None, **(options or {})}, Options)
    return Resource(
        urn=urn(type_, name, env=env, stack=stack), type=type_, name=name, custom=True, parent="urn:parent", region=region,
        provider="urn:provider", inputs=inputs, tags={}, dependencies=sorted((uses or {}).values()),
        property_dependencies={key: [each] for key, each in (uses or {}).items()}, options=made_with, source=source,
    )  # fmt: skip


def graph(*resources: Resource, env: str = "dev", name: str = "network", **more: Any) -> Graph:
    """One stack with these resources."""
    outputs = {key: StackOutput(value, False) for key, value in more.pop("outputs", {}).items()}
    stack = StackGraph(
        name=name, region="us-east-1", project=f"nottermost-{name}", stack=f"{env}-us-east-1", requires=[],
        outputs=outputs, resources=sorted(resources, key=lambda each: each.urn),
    )  # fmt: skip
    return Graph(env=env, mode="known", stacks=[stack], references=more.pop("references", []))


def changes(before: list[Resource], after: list[Resource]) -> dict[str, Change]:
    """The changes by the names of their resources."""
    return {each.name: each for each in compare(graph(*before), graph(*after))}


def values(change: Change) -> list[tuple[str, str | None, str | None]]:
    return [(each.path, each.before, each.after) for each in change.properties]


def test_the_same_is_no_change() -> None:
    """Equal graphs differ in nothing."""
    assert (
        compare(graph(make(VPC, "main", cidrBlock="10.0.0.0/16")), graph(make(VPC, "main", cidrBlock="10.0.0.0/16")))
        == []
    )


def test_added_changed_removed() -> None:
    """Each resource is what happens to it; a changed one tells old and new values."""
    before = [make(QUEUE, "a", delaySeconds=1, name="n"), make(TABLE, "t")]
    found = changes(before, [make(QUEUE, "a", delaySeconds=2, name="n", fifoQueue=False), make(VPC, "main")])
    assert {name: each.kind for name, each in found.items()} == {"a": "changed", "t": "removed", "main": "added"}
    assert values(found["a"]) == [("delaySeconds", "1", "2"), ("fifoQueue", None, "false")]
    assert found["t"].note == ""


@pytest.mark.parametrize(
    ("type_", "inputs", "options", "replace"),
    [
        (QUEUE, {"delaySeconds": 2}, {}, "no"),
        (QUEUE, {"fifoQueue": True}, {}, "yes"),
        (QUEUE, {"name": "another"}, {}, "yes"),
        (QUEUE, {"delaySeconds": 2}, {"replace_on_changes": ["delaySeconds"]}, "yes"),
        (QUEUE, {"fifoQueue": True}, {"ignore_changes": ["fifoQueue"]}, "no"),
        (OTHER, {"anything": 1}, {}, "unknown"),
        ("pulumi:providers:aws", {"region": "eu-west-1"}, {}, "unknown"),
    ],
)
def test_whether_it_replaces(type_: str, inputs: dict[str, Any], options: dict[str, Any], replace: str) -> None:
    """By the curated list and the options; what nobody has looked up is unknown, never a no."""
    before, after = make(type_, "a", options=options), make(type_, "a", options=options, **inputs)
    assert changes([before], [after])["a"].replace == replace


def test_a_move_to_another_region_replaces() -> None:
    """A resource's effective region counts, also when it comes from the provider."""
    assert changes([make(QUEUE, "a")], [make(QUEUE, "a", region="eu-west-1")])["a"].replace == "yes"


def test_what_is_owned_at_run_time_is_said_to_be_ignored() -> None:
    """A new value of an ignored input is shown, with the reason why nothing happens."""
    options = {"ignore_changes": ["delaySeconds"]}
    found = changes(
        [make(QUEUE, "a", delaySeconds=1, options=options)], [make(QUEUE, "a", delaySeconds=2, options=options)]
    )
    assert "ignored by the deployment" in found["a"].note


def test_a_replacement_takes_along_what_depends_on_it() -> None:
    """A new VPC is a new subnet, and a queue policy that names it changes in place; what is new anyway does not."""
    vpc = urn(VPC, "main")
    subnet = make(SUBNET, "app", uses={"vpcId": vpc}, vpcId="vpc-1")
    policy = make("aws:iam/rolePolicy:RolePolicy", "p", uses={"policy": vpc}, policy="{}")
    fresh = make(SUBNET, "new", uses={"vpcId": vpc}, vpcId="vpc-1")
    ignoring = make(SUBNET, "old", uses={"vpcId": vpc}, vpcId="vpc-1", options={"ignore_changes": ["vpcId"]})
    before = [make(VPC, "main", cidrBlock="10.0.0.0/16"), subnet, policy, ignoring]
    found = changes(before, [make(VPC, "main", cidrBlock="10.1.0.0/16"), subnet, policy, ignoring, fresh])
    assert {name: (each.kind, each.replace) for name, each in found.items()} == {
        "main": ("changed", "yes"), "app": ("changed", "yes"), "p": ("changed", "no"), "new": ("added", "no"),
    }  # fmt: skip
    assert values(found["app"]) == [("vpcId", "(of main)", "(of the one made anew)")]


def test_a_replacement_reaches_other_stacks() -> None:
    """What another stack took from it is followed by the graph's references."""
    queue = make(QUEUE, "q", stack="async", url="x")
    vpc = make(VPC, "main", cidrBlock="10.0.0.0/16")
    reference = Reference(queue.urn, "url.deep", vpc.urn)
    before = graph(vpc, queue, references=[reference])
    after = graph(make(VPC, "main", cidrBlock="10.1.0.0/16"), queue, references=[reference])
    assert ("url", "(of main)", "(of the one made anew)") in values({c.name: c for c in compare(before, after)}["q"])


def test_a_vanished_urn_beside_a_new_one_needs_an_alias() -> None:
    """A rename without alias is told, with the candidates; with one it is a change and neither added nor removed."""
    renamed = changes([make(TABLE, "old")], [make(TABLE, "new"), make(QUEUE, "q")])
    assert "if it is now new, that needs an alias" in renamed["old"].note
    aliased = changes([make(TABLE, "old")], [make(TABLE, "new", options={"aliases": [urn(TABLE, "old")]})])
    assert [(each.kind, each.note) for each in aliased.values()] == [("changed", "renamed by an alias")]
    assert aliased["new"].replace == "no"
    elsewhere = changes([make(TABLE, "old")], [make(QUEUE, "new")])
    assert elsewhere["old"].note == ""


def test_what_is_removed_tells_whether_it_can_go() -> None:
    """A protected resource stops the deployment; one that is retained stays in AWS."""
    found = changes(
        [make(TABLE, "t", options={"protect": True}), make(QUEUE, "q", options={"retain_on_delete": True})], []
    )
    assert "refuses to delete" in found["t"].note
    assert "stays in AWS" in found["q"].note


def test_access_comes_first_then_what_loses_data() -> None:
    """Roles and security groups on top, then tables that go, then the rest, in a fixed order."""
    rule = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    before = [make(TABLE, "t"), make(QUEUE, "a", delaySeconds=1)]
    after = [make(QUEUE, "a", delaySeconds=2), make(ROLE, "r"), make(rule, "i")]
    order = [each.name for each in compare(graph(*before), graph(*after))]
    assert order == ["r", "i", "t", "a"]


def test_values_inside_of_json_text_and_lists() -> None:
    """A policy is compared statement by statement, a list of texts as a set, and a mere new order is told as such."""
    old = {"Statement": [{"Sid": "Read", "Action": ["s3:GetObject"], "Resource": "x"}]}
    new = {
        "Statement": [
            {"Sid": "Read", "Action": ["s3:GetObject", "s3:*"], "Resource": "x"},
            {"Sid": "B", "Effect": "Deny"},
        ]
    }
    before = make(ROLE, "r", policy=json.dumps(old), subnets=["a", "b"], order=["a", "b"])
    found = changes([before], [make(ROLE, "r", policy=json.dumps(new), subnets=["b", "c"], order=["b", "a"])])
    assert values(found["r"]) == [
        ("order", "…", "the same in another order"),
        ("policy.Statement[B].Effect", None, '"Deny"'),
        ("policy.Statement[B].Sid", None, '"B"'),
        ("policy.Statement[Read].Action[]", None, '"s3:*"'),
        ("subnets[]", '"a"', '"c"'),
    ]


def test_secrets_and_long_values_are_not_shown() -> None:
    """A secret is `[secret]`, a long text is cut, content is told by its hash."""
    before = make(QUEUE, "a", password="x", text="y", file={"$asset": "a" * 64})
    after = make(QUEUE, "a", password={"$secret": True}, text="z" * 500, file={"$asset": "b" * 64})
    shown = {path: is_ for path, _, is_ in values(changes([before], [after])["a"])}
    assert shown["password"] == "[secret]"
    assert len(str(shown["text"])) == 60
    assert shown["file"] == "content bbbbbbbbbbbb"


def test_long_values_are_shown_where_they_differ() -> None:
    """Two texts that begin alike are cut around the difference, which is never lost."""
    before, after = ("x" * 300 + end + "y" * 300 for end in ("old", "new"))
    ((path, was, is_),) = values(changes([make(QUEUE, "a", text=before)], [make(QUEUE, "a", text=after)])["a"])
    assert path == "text"
    assert was is not None
    assert is_ is not None
    assert ("xold" in was, "xnew" in is_) == (True, True)
    assert max(len(was), len(is_)) <= 60


def test_what_only_the_graph_sees_is_a_change_without_effect() -> None:
    """A moved file makes the golden stale, and nothing is deployed for it; a stack's outputs are compared as well."""
    moved = changes([make(QUEUE, "a")], [make(QUEUE, "a", source="there.py")])["a"]
    assert (moved.replace, moved.note) == ("no", "in the graph alone: nothing is deployed")
    (exported,) = compare(graph(outputs={"vpc_id": "a"}), graph(outputs={"vpc_id": "b"}))
    assert (exported.type, values(exported)) == ("stack", [("outputs.vpc_id.value", '"a"', '"b"')])


def test_a_resource_made_inside_apply_is_a_finding() -> None:
    """What is there only when outputs are known, or only while they are not, would surprise a first deployment."""
    both, extra = make(OTHER, "both"), make(OTHER, "extra")
    found = assess(graph(both, extra), graph(both), graph())
    assert ("apply", extra.urn) in [(each.code, each.urn) for each in found.findings]
    assert all(each.urn != both.urn for each in found.findings if each.code == "apply")


# --- goldens --------------------------------------------------------------------------------------


def two_stacks() -> Graph:
    one, other = graph(make(VPC, "main")), graph(make(QUEUE, "q", stack="async"), name="async")
    reference = Reference(urn(QUEUE, "q", stack="async"), "url", urn(VPC, "main"))
    return msgspec.structs.replace(one, stacks=[*other.stacks, *one.stacks], references=[reference])


def test_goldens_come_back_as_they_were_written(tmp_path: Path) -> None:
    """What is accepted is read again without a difference, and written again without a change."""
    accepted = two_stacks()
    written = accept(accepted, golden=tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "dev/async.us-east-1.json", "dev/network.us-east-1.json",
    ]  # fmt: skip
    assert read_golden("dev", golden=tmp_path) == accepted
    assert compare(read_golden("dev", golden=tmp_path), accepted) == []
    assert accept(accepted, golden=tmp_path) == []


def test_accepting_one_stack_leaves_the_others(tmp_path: Path) -> None:
    """Only a whole environment tells which stacks are no more."""
    accept(two_stacks(), golden=tmp_path)
    assert accept(select_stack(two_stacks(), "async"), stack="async", golden=tmp_path) == []
    gone = accept(graph(make(VPC, "main")), golden=tmp_path)
    assert [path.name for path in gone] == ["async.us-east-1.json"]
    assert not gone[0].exists()


def test_goldens_of_another_version_are_refused(tmp_path: Path) -> None:
    """The error says which version was found and which expected; what is no graph is told apart."""
    (path, _) = accept(two_stacks(), golden=tmp_path)
    text = path.read_text()
    path.write_text(text.replace("nottermost.graph/1", "nottermost.graph/9"))
    with pytest.raises(UnknownSchema, match=r"'nottermost.graph/9', expected 'nottermost.graph/1'"):
        read_golden("dev", golden=tmp_path)
    path.write_text("<<<<<<< ours")
    with pytest.raises(UnknownSchema, match="names no schema"):
        read_golden("dev", golden=tmp_path)
    path.write_text(text.replace('"stacks"', '"stock"'))
    with pytest.raises(GoldenError, match="restore it"):
        read_golden("dev", golden=tmp_path)


# --- as text --------------------------------------------------------------------------------------


def test_the_comment_for_a_pull_request() -> None:
    """Access first and marked; values cannot break out of their cells."""
    before = graph(make(ROLE, "r", policy="a|b <script>"), make(QUEUE, "q", delaySeconds=1))
    after = graph(make(ROLE, "r", policy="@all"), make(QUEUE, "q", delaySeconds=2))
    preview = msgspec.structs.replace(assess(after, after, before), findings=[])
    lines = render_markdown(preview).splitlines()
    assert lines[0] == "### dev: 2 resources, 2 changed"
    assert lines[4].startswith("| ⚠ changed | `aws:iam/role:Role` r | network us-east-1 | ")
    assert "<script>" not in lines[4]
    assert lines[4].count("|") - lines[4].count("\\|") == 6
    assert lines[5] == "| changed | `aws:sqs/queue:Queue` q | network us-east-1 | delaySeconds: 1 → 2 |  |"


def test_the_summary_counts_what_is_in_aws() -> None:
    """On both sides; components, providers, references and outputs are counted apart, and never called no change."""
    others = ("nottermost:a:B", "pulumi:providers:aws", "pulumi:pulumi:StackReference", "pulumi:pulumi:Stack")
    after = graph(make(VPC, "main"), make(QUEUE, "q"), *(make(each, each) for each in others), outputs={"vpc_id": "a"})
    assert assess(after, after, graph(make(VPC, "main"))).summary == (
        "dev: 2 resources, 1 added; 5 changes of components, providers and outputs"
    )
    assert assess(after, after, msgspec.structs.replace(graph(), stacks=[])).summary == (
        "dev: 2 resources, 2 added; 4 changes of components, providers and outputs"
    )
    assert assess(after, after, after).summary == "dev: 2 resources, no change"
    exported = graph(make(VPC, "main"), outputs={"vpc_id": "b"})
    assert assess(exported, exported, graph(make(VPC, "main"))).summary == (
        "dev: 1 resources, no change; 1 changes of components, providers and outputs"
    )


def test_a_long_change_is_cut_on_screen_only() -> None:
    """Twelve values are shown and the rest is counted; the data has all."""
    before, after = make(QUEUE, "q"), make(QUEUE, "q", many={f"key{number:02}": number for number in range(20)})
    preview = msgspec.structs.replace(assess(graph(after), graph(after), graph(before)), findings=[])
    assert len(preview.changes[0].properties) == 20
    assert "     … and 8 more" in list(render_preview(preview))


# --- between environments -------------------------------------------------------------------------


def test_environments_differ_in_choices_not_in_names() -> None:
    """Names, accounts, domains, ids and the order of ids count for nothing; sizes, policies, protection do."""

    def side(env: str, size: int, *, protect: bool, vpc: str, ids: list[str]) -> Graph:
        resource = make(
            QUEUE, "q", env=env, name=f"{env}-use1-q", url=f"https://{env}.example.com", vpcId=vpc, ids=ids, size=size,
            uses={"vpcId": "x"}, options={"protect": protect},
            policy=json.dumps({"Resource": f"arn:aws:sqs:us-east-1::{env}-q", "Action": [f"a{size}"]}),
        )  # fmt: skip
        return graph(resource, env=env)

    one = side("dev", 1, protect=False, vpc="vpc-0123456789abcdef0", ids=["0123456789ab", "x"])
    other = side("prod", 2, protect=True, vpc="vpc-fedcba9876543210f", ids=["x", "fedcba987654"])
    (difference,) = compare_environments(one, other, {"dev": "dev.example.com", "prod": "prod.example.com"})
    assert difference.properties == [
        PropertyChange("options.protect", "false", "true"),
        PropertyChange("policy.Action[]", '"a1"', '"a2"'),
        PropertyChange("size", "1", "2"),
    ]
    (missing,) = compare_environments(one, graph(env="prod"))
    assert (missing.name, missing.only_in) == ("q", "dev")


def test_a_stack_that_only_one_has_is_one_line() -> None:
    """Not each of its resources."""
    one, account = graph(make(QUEUE, "q")), graph(make(ROLE, "a"), make(ROLE, "b"), name="account")
    both = msgspec.structs.replace(one, stacks=[*account.stacks, *one.stacks])
    other = graph(make(QUEUE, "q", env="pr-7"), env="pr-7")
    (found,) = compare_environments(both, other)
    assert (found.stack, found.is_stack, found.only_in, found.resources) == ("account", True, "dev", 2)
    assert compare_environments(other, both) == [found]
    assert list(render_differences("dev", "pr-7", [found])) == [
        "0 resources differ, dev → pr-7",
        "stack account, 2 resources  (only in dev)",
    ]


def test_what_many_resources_have_in_common_is_told_once() -> None:
    """Options and tags with their count; each resource is listed for what is its own; the data has all."""

    def side(env: str, *, protect: bool) -> Graph:
        options = {"protect": protect}
        resources = [make(QUEUE, name, env=env, options=options) for name in ("a", "b")]
        return graph(*resources, make(TABLE, "t", env=env, options=options, size=int(protect)), env=env)

    found = compare_environments(side("staging", protect=False), side("prod", protect=True))
    assert sum(len(each.properties) for each in found) == 4
    assert list(render_differences("staging", "prod", found)) == [
        "3 resources differ, staging → prod",
        "options.protect: false → true  (3 resources)",
        f"network {TABLE} t",
        "  size: 0 → 1",
    ]


def test_a_third_zone_replaces_nothing() -> None:
    """On the real graph: one zone more adds, and replaces no subnet."""
    zones = {"us-east-1a": 0, "us-east-1b": 1}
    before, after = (
        select_stack(what_if("dev", "network", zones=each), "network") for each in (zones, {**zones, "us-east-1c": 2})
    )
    found = compare(before, after)
    assert {each.kind for each in found} == {"added", "changed"}
    assert [each.name for each in found if each.replace != "no"] == []
