"""Why a program failed: one line, the same each time."""

from collections.abc import Callable

import pulumi
import pytest
from pulumi_aws.sqs.queue import Queue

from nottermost_platform.capture import Captured, CaptureError, record
from nottermost_platform.failures import explain
from nottermost_platform.settings import Place


class Part(pulumi.ComponentResource):
    """A component of tests."""

    def __init__(self, name: str) -> None:
        super().__init__("nottermost:test:Part", name)


def name_second(name: Callable[[str], str]) -> BaseException:
    """The error of a program that names a queue like this after another one's ARN."""

    def program() -> None:
        under = pulumi.ResourceOptions(parent=Part("part"))
        first = Queue("first", opts=under)
        Queue("second", name=first.arn.apply(name), opts=under)

    with pytest.raises(CaptureError) as caught:
        record(Captured("network", Place(env="dev", region="us-east-1"), False), program, {"account_id": "1"}, {})
    assert caught.value.__cause__
    return caught.value.__cause__


def refuse(_arn: str) -> str:
    raise ValueError(f"three\nlines\nof {object()}")


def test_an_error_inside_apply_names_cause_input_and_resource() -> None:
    """Not the objects that were on the way, whose addresses differ in every run."""
    said = explain(name_second(refuse))
    assert said == "ValueError: three lines of <object object> (name of aws:sqs/queue:Queue second)"


def test_what_the_sdk_does_not_wrap_is_told_as_it_is() -> None:
    """Without a resource, which it does not say."""
    assert explain(name_second(lambda arn: {"a": arn}["b"])) == "KeyError: 'b'"


def test_a_circle_of_causes_ends() -> None:
    """The SDK raises some errors from themselves."""
    error = ValueError()
    error.__cause__ = error
    assert explain(error) == "ValueError"
