"""Drift as text, for a terminal."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from nottermost_platform.drift.values import Deviation, Drift, Kind
from nottermost_platform.render import render_properties

KINDS: Final[dict[Kind, str]] = {  # in the order in which they are told; with what to do
    "missing": "somebody deleted it, or it was never brought up: `nottermost env up` makes it anew; look for its data first",
    "changed": "declared → found: take it into the program, or let `nottermost env up` set it back",
    "stranger": "no program declares it: find out who made it, then delete it or declare and import it",
    "unread": "nobody knows: give the role the permission to read it, or ask again when AWS is not throttling",
}


def render(drift: Drift) -> Iterator[str]:
    """Each deviation with what differs, then what to do, then the sum."""
    for kind in KINDS:
        for each in drift.deviations:
            if each.kind == kind:
                yield from _render_one(each)
    counts = Counter(each.kind for each in drift.deviations)
    yield from (f"{kind}: {advice}" for kind, advice in KINDS.items() if counts[kind])
    others = sum(drift.not_compared.values())
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]) or "no drift"
    yield f"{drift.env} in account {drift.account}: {drift.compared} resources compared, {told}"
    if others:
        yield f"not compared: {others} resources of {len(drift.not_compared)} types (see --json)"
    if drift.stack:
        yield f"of stack {drift.stack} alone: strangers that belong to no resource of it are told without --stack"


def _render_one(each: Deviation) -> Iterator[str]:
    where = " ".join(filter(None, (each.stack, each.region)))
    name = each.name if each.physical in ("", each.name) else f"{each.name} ({each.physical})"
    note = f": {each.note}" if each.note else ""
    yield f"{each.kind:<8} {where} {each.type.removeprefix('aws:')} {name}{note}"
    yield from (f"           {line}" for line in render_properties(each.properties))
