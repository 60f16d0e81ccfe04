"""What is agreed with AWS and how the environments are used: private rates, commitments, support, non-production."""

import fnmatch
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from nottermost_cost.documents import Decimals, Document, Range, load_document
from nottermost_cost.errors import TermsError
from nottermost_cost.inputs import Input, Kind
from nottermost_cost.pricebook import INFINITE, Band, Confidence, Rate

TERMS: Final = "nottermost.terms/1"
FOLDER: Final = Path(__file__).parents[2] / "terms"
SUPPORT_KEY: Final = "support.business"
_HUNDRED: Final = 100


class CommitmentTerms(Document):
    """A Savings Plan or reserved nodes.

    `coverage`: the share of the use of `keys` (patterns) that it covers. `unused_share`: of what is paid for it, the
    share that covers nothing. `upfront_share`: of its whole cost, what is paid at its start.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    keys: tuple[str, ...] = Field(min_length=1)
    coverage: Range
    discount_percent: Range
    unused_share: Range = Range.model_validate(0)
    term_months: Literal[12, 36]
    upfront_share: Decimals = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _check(self) -> "CommitmentTerms":
        for name, each, limit in (
            ("coverage", self.coverage, 1), ("discount_percent", self.discount_percent, 99), ("unused_share", self.unused_share, Decimal("0.99")),
        ):  # fmt: skip
            if each.low < 0 or each.high > limit:
                raise ValueError(f"{name} is between 0 and {limit}")
        return self

    def covers(self, key: str) -> bool:
        """Whether a price key is under it."""
        return any(fnmatch.fnmatchcase(key, pattern) for pattern in self.keys)


class Releases(Document):
    """How often both colours of a service run, and how long."""

    per_month: Range
    overlap_hours: Range


class Grafana(Document):
    """People with a seat."""

    editors: Range
    viewers: Range


class SupportBand(Document):
    """From this spend a month on, this percentage."""

    from_usd: Decimals = Field(ge=0)
    percent: Decimals = Field(ge=0, le=100)


class Support(Document):
    """A support plan that costs a share of what else is spent."""

    plan: str
    minimum_usd: Decimals = Field(ge=0)
    source: str = Field(min_length=1)
    bands: tuple[SupportBand, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Support":
        starts = [band.from_usd for band in self.bands]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("bands begin at 0 and rise")
        return self

    def rate(self) -> Rate:
        """As a price of one spent dollar."""
        starts = [band.from_usd for band in self.bands]
        bands = tuple(
            Band(start, end, band.percent / _HUNDRED, Confidence.ASSUMED, None, self.source)
            for band, start, end in zip(self.bands, starts, [*starts[1:], INFINITE], strict=True)
        )
        return Rate("Support", SUPPORT_KEY, "global", "USD", 1000, f"Support plan {self.plan}", bands)


class NonProduction(Document):
    """An environment beside production: how many, and what share of the month they run."""

    environment: str
    scenario: str
    count: Range
    hours_share: Range

    @model_validator(mode="after")
    def _check(self) -> "NonProduction":
        if self.hours_share.low < 0 or self.hours_share.high > 1 or self.count.low < 0:
            raise ValueError("count is at least 0, hours_share between 0 and 1")
        return self


class Terms(Document):
    """All of it; `private_rate_percent`: taken off the public price, by FOCUS service name."""

    scheme: Literal["nottermost.terms/1"] = Field(alias="schema")
    name: str
    private_rate_percent: dict[str, Decimals]
    commitments: tuple[CommitmentTerms, ...]
    spot_overhead: Range
    releases: Releases
    grafana: Grafana
    support: Support
    non_production: tuple[NonProduction, ...]

    @model_validator(mode="after")
    def _check(self) -> "Terms":
        for service, percent in self.private_rate_percent.items():
            if not 0 <= percent < _HUNDRED:
                raise ValueError(f"private_rate_percent of {service} is {percent}, expected 0 to 99")
        names = [each.name for each in self.commitments]
        if len(set(names)) < len(names):
            raise ValueError("two commitments have the same name")
        return self

    def inputs(self) -> dict[str, Input]:
        """Its numbers that are used in formulas, by path."""
        return {
            name: Input(name, each.base, each.low, each.high, unit, each.source or f"terms {self.name}", Kind.TERMS)
            for name, each, unit in self._walk()
        }

    def _walk(self) -> Iterator[tuple[str, Range, str]]:
        yield "terms.spot_overhead", self.spot_overhead, ""
        yield "terms.releases.per_month", self.releases.per_month, "releases"
        yield "terms.releases.overlap_hours", self.releases.overlap_hours, "h"
        yield "terms.grafana.editors", self.grafana.editors, "people"
        yield "terms.grafana.viewers", self.grafana.viewers, "people"
        for commitment in self.commitments:
            path = f"terms.commitments.{commitment.name}"
            yield f"{path}.coverage", commitment.coverage, ""
            yield f"{path}.discount_percent", commitment.discount_percent, "%"
            yield f"{path}.unused_share", commitment.unused_share, ""
        for each in self.non_production:
            path = f"terms.non_production.{each.environment}"
            yield f"{path}.count", each.count, "environments"
            yield f"{path}.hours_share", each.hours_share, ""


def load_terms(name: str = "list", folder: Path = FOLDER) -> Terms:
    """Committed terms by their name, or any by their path. Raises: TermsError."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise TermsError(f"there are no terms {name}: name one of {known}, or give a path")
    return load_document(path, Terms, TERMS, TermsError)
