"""Claims that documents make, as data: what is written where, and the formula that finds the same figure."""

from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from nottermost_cost.documents import Decimals, Document, load_document
from nottermost_cost.errors import CostError

CLAIMS: Final = "nottermost.claims/1"
FOLDER: Final = Path(__file__).parents[3] / "claims"
USD: Final = "USD"
_WRITTEN: Final = Field(min_length=1)


class ClaimsError(CostError):
    """Claims that cannot be read or computed."""

    code = "claims_error"


class MeasureOf(Document):
    """A further figure beside a claim's; `id` stands for it in the claim's reason."""

    id: str = Field(default="needs", pattern=r"^[a-z][a-z0-9_]*$")
    name: str = ""
    unit: str = USD
    formula: str = _WRITTEN


class Claim(Document):
    """One figure at its place.

    Attributes:
        place: document and section. written: in short, what is there; claimed: as a number of `unit`, with
            `claimed_high` for a range, None where it gives none.
        formula: of the same figure; None where the document says too little, with `formula_high` for a range.
        needs: the quantity that would make the claim right.
        ours: patterns of "key name" of the lines of our estimate that are for the same thing.
    """

    id: str
    title: str = ""
    place: str = _WRITTEN
    written: str = _WRITTEN
    claimed: Decimals | None = None
    claimed_high: Decimals | None = None
    unit: str = USD
    formula: str | None = None
    formula_high: str | None = None
    needs: MeasureOf | None = None
    others: tuple[MeasureOf, ...] = ()
    because: str = _WRITTEN
    ours: tuple[str, ...] = ()


class Omission(Document):
    """Something the table has no line for; `formula` prices it from the documents' own figures, where they suffice."""

    id: str
    title: str = _WRITTEN
    formula: str | None = None
    formula_high: str | None = None
    others: tuple[MeasureOf, ...] = ()
    because: str = _WRITTEN
    ours: tuple[str, ...] = ()


class Saying(Document):
    """One of two sentences that do not go together; `formula` is what it costs, USD a month."""

    place: str = _WRITTEN
    says: str = _WRITTEN
    formula: str | None = None


class Contradiction(Document):
    """Two places that do not agree."""

    id: str
    about: str = _WRITTEN
    first: Saying
    second: Saying
    follows: str = _WRITTEN


class Phase(Document):
    """A phase of growth: what is written for it, and the scenario that is its end."""

    id: str
    title: str = _WRITTEN
    scenario: str
    written: str = _WRITTEN
    formula: str = _WRITTEN
    because: str = _WRITTEN


class Lever(Document):
    """One change of our estimate; those of one `decision` exclude each other."""

    id: str
    decision: str
    title: str = _WRITTEN
    gives_up: str = _WRITTEN
    store: str | None = None
    terms: str | None = None
    identity: str | None = None
    backup_days: int | None = Field(default=None, ge=0)
    inputs: dict[str, Decimals] = Field(default_factory=dict)
    private_rate_percent: dict[str, Decimals] = Field(default_factory=dict)


class Claims(Document):
    """All of one document's claims.

    Attributes:
        tolerance: a claim holds when it is at most this share off.
        scenario: of our estimate for the same load.
        figures: formulas by name, in the order in which they use each other.
    """

    scheme: Literal["nottermost.claims/1"] = Field(alias="schema")
    name: str
    title: str
    region: str
    tolerance: Decimals = Field(gt=0, lt=1)
    scenario: str
    figures: dict[str, str]
    table: tuple[Claim, ...] = Field(min_length=1)
    omitted: tuple[Omission, ...]
    capacity: tuple[Claim, ...]
    contradictions: tuple[Contradiction, ...]
    money: tuple[Claim, ...]
    performance: tuple[Claim, ...]
    phases: tuple[Phase, ...]
    levers: tuple[Lever, ...]

    @model_validator(mode="after")
    def _check(self) -> "Claims":
        if any(each.claimed is None or each.unit != USD for each in self.table):
            raise ValueError("each line of the table claims USD")
        for section in (self.table + self.omitted, self.capacity, self.money, self.performance, self.levers):
            ids = [each.id for each in section]
            if len(set(ids)) < len(ids):
                raise ValueError(f"an id is there twice among {', '.join(ids)}")
        return self

    @property
    def claimed_total(self) -> Decimal:
        """What the lines of the table add up to."""
        return sum((each.claimed for each in self.table if each.claimed is not None), Decimal(0))


def load_claims(name: str, folder: Path = FOLDER) -> Claims:
    """Committed claims by their name. Raises: ClaimsError."""
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml"))) or "none"
        raise ClaimsError(f"there are no claims {name!r} to reproduce: known are {known}")
    return load_document(path, Claims, CLAIMS, ClaimsError)
