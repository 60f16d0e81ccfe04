"""Region layouts: one, production's two, and three or five by declared factors on the standby's lines."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from nottermost_cost.documents import Decimals, Document, load_document
from nottermost_cost.errors import TermsError

REGIONS: Final = "nottermost.regions/1"
PATH: Final = Path(__file__).parents[2] / "regions.yaml"


class Layout(StrEnum):
    """How many regions: the home region alone, with the graph's standby, or with more standbys like it."""

    ONE = "one"
    TWO = "two"
    THREE = "three"
    FIVE = "five"


class FurtherRegion(Document):
    """A region whose standby is priced as the graph's one, times a factor."""

    region: str
    factor: Decimals = Field(gt=0, le=5)
    source: str = Field(min_length=1)


class Regions(Document):
    """Which further standbys a layout has."""

    scheme: Literal["nottermost.regions/1"] = Field(alias="schema")
    further: tuple[FurtherRegion, ...]

    @model_validator(mode="after")
    def _check(self) -> "Regions":
        names = [each.region for each in self.further]
        if len(names) != FURTHER[Layout.FIVE] or len(set(names)) < len(names):
            raise ValueError(f"five regions need {FURTHER[Layout.FIVE]} further ones, each once")
        return self

    def of(self, layout: Layout) -> dict[str, Decimal]:
        """Factors of the further regions of a layout."""
        return {each.region: each.factor for each in self.further[: FURTHER[layout]]}


FURTHER: Final = {Layout.ONE: 0, Layout.TWO: 0, Layout.THREE: 1, Layout.FIVE: 3}


def load_regions(path: Path = PATH) -> Regions:
    """Raises: TermsError."""
    return load_document(path, Regions, REGIONS, TermsError)
