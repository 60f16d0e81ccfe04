"""Which stacks there are, in which order, and where each of them stands."""

import importlib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Final, cast

from nottermost_platform.naming import environment_class
from nottermost_platform.program import StackModule
from nottermost_platform.settings import Place, regions_of

MODULES: Final = {  # `async` is a word of Python
    name: f"nottermost_platform.stacks.{name if name != 'async' else 'async_'}"
    for name in (
        "account", "network", "identity", "data", "async", "edge", "cluster", "observability", "chat", "delivery",
    )
}  # fmt: skip
NOT_IN_PR: Final = frozenset({"account", "delivery"})  # a temporary environment lives in dev's account


@cache
def stack_module(name: str) -> StackModule:
    """The module of a stack. Raises KeyError for a name that is none."""
    return cast("StackModule", importlib.import_module(MODULES[name]))


@cache
def stack_order(stack: str | None = None) -> tuple[str, ...]:
    """All stacks, each after those that it requires; with `stack`, that one and what it requires, however far.

    Raises: CycleError when there is no such order.
    """
    needs: dict[str, list[str]] = {}
    waiting = [stack] if stack else list(MODULES)
    while waiting:  # modules are imported as they are needed: each brings a part of the SDK
        name = waiting.pop()
        needs[name] = sorted(set(stack_module(name).REQUIRES) - {name})
        waiting += [each for each in needs[name] if each not in needs]
    try:
        return tuple(TopologicalSorter(dict(sorted(needs.items()))).static_order())
    except CycleError as error:
        raise CycleError(f"stacks require each other: {' -> '.join(error.args[1])}") from None


def places(env: str, stack: str | None = None) -> Iterator[tuple[str, Place]]:
    """The stacks of an environment in the order in which they are brought up, region by region.

    Args:
        stack: this one and what it requires alone.
    """
    in_pr = environment_class(env) == "pr"
    for region in regions_of(env):
        for name in stack_order(stack):
            if (region == regions_of(env)[0] or stack_module(name).EACH_REGION) and not (in_pr and name in NOT_IN_PR):
                yield name, Place(env=env, region=region)
