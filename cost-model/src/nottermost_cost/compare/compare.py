"""Both sides of a comparison, from the words that name them."""

from dataclasses import replace

from nottermost_cost.compare.bridge import Bridge, build_bridge
from nottermost_cost.engine import Choice
from nottermost_cost.subject import estimate_subject, parse_subject


def compare_subjects(left: str, right: str, base: Choice) -> Bridge:
    """Estimate both sides and build the bridge between them.

    Two different environments are compared alone: what one counts as an environment beside it may be the other.

    Args:
        base: options that hold for both sides where they do not say otherwise.
    Raises: UnknownSubject, and CostError of whatever cannot be estimated.
    """
    one, other = parse_subject(left), parse_subject(right)
    if one.apply(base).environment != other.apply(base).environment:
        base = replace(base, alone=True)
    return build_bridge(estimate_subject(one, base), estimate_subject(other, base), one.label(base), other.label(base))
