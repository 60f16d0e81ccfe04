"""The recording monitor, through small programs and through the real ones."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi_aws.cognito.user_pool_client import UserPoolClient
from pulumi_aws.lambda_.function import Function
from pulumi_aws.sqs.queue import Queue
from pulumi_aws.ssm.parameter import Parameter

from nottermost_platform.capture import Captured, CaptureError, capture, record
from nottermost_platform.graph import encode, load_environment, make_stack
from nottermost_platform.settings import Place, SettingsError

DEV = Place(env="dev", region="us-east-1")


class Part(pulumi.ComponentResource):
    """A component of tests."""

    def __init__(
        self, name: str, kind: str = "Part", parent: pulumi.Resource | None = None, aliases: Sequence[str] = ()
    ) -> None:
        options = pulumi.ResourceOptions(parent=parent, aliases=[pulumi.Alias(name=each) for each in aliases])
        super().__init__(f"nottermost:test:{kind}", name, None, options)


def run(program: Callable[[], None], *, unknown: bool = False) -> Captured:
    captured = Captured("network", DEV, unknown)
    record(captured, program, {"account_id": "111122223333"}, {})
    return captured


def under(parent: pulumi.Resource) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=parent)


def test_urns_carry_the_chain_of_parent_types() -> None:
    """As a real engine makes them; the root stack is not part of the chain."""

    def program() -> None:
        inner = Part("inner", "Inner", Part("outer"))
        Queue("queue", opts=under(inner))

    urns = set(run(program).nodes)
    start = "urn:pulumi:dev-us-east-1::nottermost-network::"
    assert f"{start}nottermost:test:Part::outer" in urns
    assert f"{start}nottermost:test:Part$nottermost:test:Inner$aws:sqs/queue:Queue::queue" in urns


def test_siblings_of_two_parents_of_one_type_are_refused() -> None:
    """Pulumi would refuse them; plain mocks keep the last one only."""

    def program() -> None:
        for name in ("one", "two"):
            Queue("queue", opts=under(Part(name)))

    with pytest.raises(CaptureError, match=r"two resources are called .*::queue; give one another name"):
        run(program)


def test_everything_about_a_resource_is_kept() -> None:
    """Dependencies, which property they came by, and all options."""

    def program() -> None:
        part = Part("part")
        dead = Queue("dead", opts=pulumi.ResourceOptions(parent=part, protect=True, retain_on_delete=True))
        Queue(
            "live",
            name=dead.name.apply(lambda name: f"{name}-live"),
            opts=pulumi.ResourceOptions(
                parent=part, ignore_changes=["policy"], replace_on_changes=["name"], depends_on=[dead],
                aliases=[pulumi.Alias(name="old")], import_="https://queue",
            ),
        )  # fmt: skip

    captured = run(program)
    dead, live = (next(each for each in captured.nodes.values() if each.name == name) for name in ("dead", "live"))
    assert dead.options["protect"]
    assert dead.options["retain_on_delete"]
    assert dead.urn in live.dependencies
    assert live.property_dependencies == {"name": (dead.urn,)}
    assert live.inputs["name"].endswith("-live")
    assert live.options["ignore_changes"] == ["policy"]
    assert live.options["replace_on_changes"] == ["name"]
    assert live.options["import_id"] == "https://queue"
    assert live.options["aliases"] == [live.urn.removesuffix("live") + "old"]


def test_an_alias_leads_to_where_a_resource_was() -> None:
    """Renamed, moved to another parent, and under a parent that was renamed itself."""

    def before() -> None:
        Queue("old", opts=under(Part("part")))
        Queue("moved", opts=under(Part("left")))
        Queue("group-queue", opts=under(Part("group")))

    def after() -> None:
        part = Part("part")
        Queue("new", opts=pulumi.ResourceOptions(parent=part, aliases=[pulumi.Alias(name="old")]))
        left = Part("left")
        Queue("moved", opts=pulumi.ResourceOptions(parent=Part("right", "Other"), aliases=[pulumi.Alias(parent=left)]))
        renamed = Part("team", aliases=["group"])
        Queue("team-queue", opts=under(renamed))

    old = {urn for urn in run(before).nodes if "sqs/queue" in urn}
    aliases = {alias for node in run(after).nodes.values() for alias in node.options["aliases"]}
    assert old <= aliases


def test_secrets_are_in_no_graph() -> None:
    """Neither in inputs nor in outputs, nor in what is computed from them."""

    def program() -> None:
        secret = pulumi.Output.secret("hunter2")
        password = Parameter("password", type="SecureString", value=secret, opts=under(Part("part")))
        pulumi.export("password", secret.apply(lambda value: f"<{value}>"))
        pulumi.export("stored", password.value)

    stack = make_stack(run(program))
    text = encode(stack).decode()
    assert "hunter2" not in text
    assert stack.outputs["password"].secret
    assert stack.outputs["password"].value == {"$secret": True}
    (resource,) = (each for each in stack.resources if each.type == "aws:ssm/parameter:Parameter")
    assert resource.inputs["value"] == {"$secret": True}


def test_outputs_that_the_sdk_calls_secret_are_secret() -> None:
    """Without the program saying so: here a client's secret, exported by mistake."""

    def program() -> None:
        client = UserPoolClient(
            "client", user_pool_id="us-east-1_abcdefghi", generate_secret=True, opts=under(Part("part"))
        )
        pulumi.export("client_secret", client.client_secret)

    assert make_stack(run(program)).outputs["client_secret"].secret


def test_what_a_program_prints_does_not_reach_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """There is the graph, for whoever reads it as JSON."""
    run(lambda: sys.stdout.writelines(["hello\n"]))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_archives_differ_when_a_file_does(tmp_path: Path) -> None:
    """Moved, renamed or changed; and what is not there is an error, not an empty archive."""

    def digest(code: pulumi.Archive) -> str:
        def program() -> None:
            Function("function", role="arn:aws:iam::111122223333:role/x", code=code, opts=under(Part("part")))

        nodes = make_stack(run(program)).resources
        return str(next(each.inputs["code"]["$asset"] for each in nodes if each.name == "function"))

    for folder, name, text in (("a", "x.py", "1"), ("b", "y.py", "1"), ("c", "x.py", "2"), ("d", "in/x.py", "1")):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    digests = {digest(pulumi.FileArchive(str(tmp_path / folder))) for folder in "abcd"}
    assert len(digests) == 4
    for missing in (tmp_path / "none", tmp_path / "none.zip"):
        with pytest.raises(CaptureError, match=r"none.* is to be deployed, but holds no file"):
            digest(pulumi.FileArchive(str(missing)))


def test_assets_are_their_hash_and_whole_floats_integers() -> None:
    """So that the same program gives the same bytes."""

    def program() -> None:
        part = Part("part")
        Queue("queue", delay_seconds=30, policy='{"b": 1, "a": 2}', opts=under(part))
        code = pulumi.AssetArchive({"a.py": pulumi.StringAsset("pass")})
        Function("function", role="arn:aws:iam::111122223333:role/x", code=code, opts=under(part))

    resources = {each.name: each.inputs for each in make_stack(run(program)).resources}
    assert resources["queue"]["delaySeconds"] == 30
    assert isinstance(resources["queue"]["delaySeconds"], int)
    assert resources["queue"]["policy"] == '{"a":2,"b":1}'
    assert len(resources["function"]["code"]["$asset"]) == 64


def test_a_resource_made_inside_apply_shows_in_one_mode_only() -> None:
    """That is how a preview finds it."""

    def program() -> None:
        part = Part("part")
        queue = Queue("first", opts=under(part))
        queue.arn.apply(lambda arn: Queue("second", name=arn[-8:], opts=under(part)))

    assert len(run(program).nodes) == len(run(program, unknown=True).nodes) + 1


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (lambda: pulumi.export("nothing", None), "output nothing is None"),
        (lambda: aws.get_region_output(), "the program calls aws:index/getRegion:getRegion"),
        (lambda: pulumi.StackReference("organization/nottermost-data/dev-us-east-1"), "is not captured before network"),
        (lambda: setattr(pulumi, "nothing", int("x")), "ValueError"),
        (lambda: sys.exit(0), "SystemExit"),
        (lambda: pulumi.log.error("no image"), "the program logged an error: no image"),
        (lambda: Queue.get("queue", "https://queue"), "reads aws:sqs/queue:Queue https://queue"),
        (lambda: pulumi.runtime.register_resource_transform(lambda _args: None), "registers transforms"),
    ],
)
def test_what_a_program_must_not_do(program: Callable[[], None], said: str) -> None:
    """Each is an error that says what it was."""
    with pytest.raises(CaptureError, match=said):
        run(program)


def test_an_error_inside_apply_is_an_error() -> None:
    """Also when nobody holds the output."""

    def program() -> None:
        Queue("queue", opts=under(Part("part"))).arn.apply(lambda _arn: 1 / 0)

    with pytest.raises(CaptureError, match="ZeroDivisionError"):
        run(program)


def test_a_failed_capture_leaves_the_next_one_clean() -> None:
    """Whatever was wrong: settings, a program, a missing stack; and what came before does not show."""
    before = encode(make_stack(capture("network", DEV, {})))
    with pytest.raises(SettingsError):
        capture("network", DEV, {}, overrides={"vpc_cidr": "10.0.0.0/8"})
    with pytest.raises(CaptureError, match="not captured before"):
        capture("async", DEV, {})
    with pytest.raises(CaptureError):
        run(lambda: pulumi.export("nothing", None))
    assert encode(make_stack(capture("network", DEV, {}))) == before


def test_two_environments_in_one_process_share_nothing() -> None:
    """One after the other gives what each gives alone, in whatever order."""
    first = [encode(load_environment(env, stack="identity")) for env in ("dev", "staging")]
    second = [encode(load_environment(env, stack="identity")) for env in ("staging", "dev")]
    assert first == second[::-1]
    assert b"222233334444" not in first[0]
    assert b"111122223333" not in first[1]


def test_a_capture_inside_of_a_running_loop_says_so() -> None:
    """It brings its own loop; a coroutine has to hand it to a thread."""

    async def inside() -> None:
        capture("network", DEV, {})

    with pytest.raises(CaptureError, match="own event loop"):
        asyncio.run(inside())


def test_numbers_of_json_text_are_left_alone() -> None:
    """JSON text is sorted, not read as values: 1.0 in it stays 1.0."""

    def program() -> None:
        Queue("queue", policy='{"z": 1.0, "a": [3, 1]}', opts=under(Part("part")))

    inputs: dict[str, Any] = next(each.inputs for each in make_stack(run(program)).resources if each.name == "queue")
    assert inputs["policy"] == '{"a":[3,1],"z":1.0}'
