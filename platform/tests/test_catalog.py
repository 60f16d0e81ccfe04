"""The stacks: their order, and that each exports what others require and reads what it requires."""

from dataclasses import fields
from graphlib import CycleError

import pytest

from nottermost_platform import catalog
from nottermost_platform.catalog import MODULES, places, stack_module, stack_order
from nottermost_platform.graph import StackGraph
from nottermost_platform.program import Requirement
from nottermost_platform.testing import ENVIRONMENTS, graph_of


def test_every_stack_comes_after_what_it_requires() -> None:
    """The order is a DAG; the same each time."""
    order = stack_order()
    assert set(order) == set(MODULES)
    for name in order:
        for needed in set(stack_module(name).REQUIRES) - {name}:
            assert order.index(needed) < order.index(name), (needed, name)


def test_a_circle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which stacks."""
    network = stack_module("network")
    monkeypatch.setattr(network, "REQUIRES", {"chat": Requirement(outputs=("service_names",))})
    catalog.stack_order.cache_clear()
    try:
        with pytest.raises(CycleError, match=r"stacks require each other: .*network"):
            stack_order()
    finally:
        catalog.stack_order.cache_clear()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_required_is_exported(name: str) -> None:
    """By the other stack's typed outputs."""
    for other, requirement in stack_module(name).REQUIRES.items():
        exported = {each.name for each in fields(stack_module(other).Outputs)}
        assert set(requirement.outputs) <= exported, other
        assert len(set(requirement.outputs)) == len(requirement.outputs)


def _stacks(name: str) -> list[StackGraph]:
    return [each for env in ENVIRONMENTS for each in graph_of(env).stacks if each.name == name]


@pytest.mark.parametrize("name", MODULES)
def test_what_is_required_is_read_somewhere(name: str) -> None:
    """A requirement that no environment uses would only keep stacks from being changed."""
    used = {(one.stack, output) for stack in _stacks(name) for one in stack.requires for output in one.outputs}
    asked = {(other, output) for other, one in stack_module(name).REQUIRES.items() for output in one.outputs}
    assert used == asked


@pytest.mark.parametrize("name", MODULES)
def test_what_is_exported_is_what_was_declared(name: str) -> None:
    """Every output of the typed struct has a value in every environment."""
    declared = {each.name for each in fields(stack_module(name).Outputs)}
    for stack in _stacks(name):
        assert set(stack.outputs) == declared


def test_only_production_has_a_standby_and_only_for_what_is_regional() -> None:
    """In the order in which they are brought up, the primary first."""
    assert {place.region for _, place in places("staging")} == {"us-east-1"}
    assert [name for name, place in places("prod") if place.region == "eu-west-1"] == [
        name for name in stack_order() if stack_module(name).EACH_REGION
    ]
    assert {name for name, _ in places("pr-0")} == set(MODULES) - {"account", "delivery"}
