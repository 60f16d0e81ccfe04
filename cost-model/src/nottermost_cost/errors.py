"""Everything the cost model refuses, as one tree. In brackets: the module that defines it, where it is not this.

CostError
├── PriceError            the book has no single price for what was asked, or is broken
│   ├── PriceNotFound     no price for this key, region and day; names what is near
│   └── BadLines          bare lines that cannot be priced, all of them at once (price_lines)
├── GraphError            a graph that cannot be priced
├── ScenarioError         a workload that cannot be: a file, a contradiction, an absurd number
├── TermsError            private rates, commitments, budgets that make no sense
├── BillError             a bill or a currency rate that cannot be read
├── UnknownSubject        what is to be estimated cannot be read, or is not there (subject)
├── UnknownQuestion       a break-even question that nobody has written down (breakeven)
├── NoAnswer              a question that this environment or workload does not raise (breakeven.curves)
├── ClaimsError           published claims that cannot be read or computed (reproduce.claims)
└── NotStrict             `--strict` found assumed or missing prices
"""

from collections.abc import Iterable, Sequence

from nottermost_conventions import NottermostError


class CostError(NottermostError):
    """Anything the cost model refuses."""

    code = "cost_error"


class PriceError(CostError):
    """No single price for what was asked, or a broken book."""

    code = "price_error"


class PriceNotFound(PriceError):
    """The book has no price for this key, region and day."""

    code = "price_not_found"

    def __init__(self, key: str, region: str, day: str, nearest: Iterable[str], regions: Iterable[str]) -> None:
        near, where = list(nearest), list(regions)
        hint = f"it is priced in {', '.join(where)}" if where else f"nearest: {', '.join(near) or 'nothing like it'}"
        super().__init__(f"no price for {key} in {region} on {day}: {hint}")
        self.key, self.region, self.day, self.nearest, self.regions = key, region, day, near, where


def raise_missing(missing: Sequence[PriceNotFound]) -> None:
    """Say all prices that are missing at once; nothing when none is. Raises: PriceError."""
    if len(missing) == 1:
        raise missing[0]
    if missing:
        raise PriceError("; ".join(sorted({str(error) for error in missing})))


class GraphError(CostError):
    """A graph that cannot be priced."""

    code = "graph_error"


class ScenarioError(CostError):
    """A workload that cannot be."""

    code = "scenario_error"


class TermsError(CostError):
    """Private rates, commitments or budgets that make no sense."""

    code = "terms_error"


class BillError(CostError):
    """A bill that cannot be read."""

    code = "bill_error"


class NotStrict(CostError):
    """`--strict` found what is assumed or has no price."""

    code = "not_strict"
