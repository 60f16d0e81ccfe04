"""Building the sourced files of the price book from the facts that were collected.

`python -m nottermost_cost.facts FACTS.csv` writes one file a service. A fact becomes a row in four steps:
it is parsed, mended (`mends.csv`: one row a decision, with its note), laid together with those that say the
same, and written. Nothing is dropped: what another row repeats is named in that row's source, what is not
believed is written to `quarantine.csv` with the reason.
"""

import csv
import io
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from nottermost_cost.errors import PriceError
from nottermost_cost.pricebook import (
    COLUMNS,
    INFINITE,
    PRICES,
    Confidence,
    convert_unit,
    parse_date,
    parse_end,
    parse_number,
    read_rows,
    strip_tier,
)

FACT_COLUMNS: Final = (
    "service", "sku_key", "description", "unit", "region", "price_usd", "tier_from", "tier_to",
    "effective_or_snapshot_date", "source",
)  # fmt: skip
MEND_COLUMNS: Final = ("action", "sku_key", "region", "match", "value", "note")
QUARANTINE_COLUMNS: Final = (*FACT_COLUMNS, "note")

_SUFFIX: Final = re.compile(r"\.(golden|pre_cut)$")  # a test file or a period: no part of a key, and no tier either
_SKU: Final = re.compile(r" ?\((?:AWS )?(?:SKU )?([A-Z0-9]{16})(?: rate [A-Z0-9]{10})?\)")
_SECONDARY: Final = "SECONDARY: "
_INDEX: Final = re.compile(r"GitHub text index ids? \d+(, \d+)*( and kin)?")


@dataclass(frozen=True, slots=True)
class Fact:
    """One collected price on its way into the book.

    Attributes:
        name: the key that the source gives it; `key` is the one of the book.
        end: exclusive, infinite in the last band.
        snapshot: the day on which it was read; a month counts as its first day.
        notes: of the mends that changed it.
        written: the fact as it was collected.
    """

    service: str
    name: str
    key: str
    description: str
    unit: str
    region: str
    price: Decimal
    start: Decimal
    end: Decimal
    snapshot: date | None
    confidence: Confidence
    sku: str
    source: str
    written: Mapping[str, str]
    valid_from: date | None = None
    valid_to: date | None = None
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, str, str, Decimal, Decimal]:
        """What only one row of the book may say."""
        return self.key, self.region, str(self.valid_from or ""), self.start, self.end


@dataclass(frozen=True, slots=True)
class Mend:
    """One decision about facts.

    Attributes:
        action: one of `ACTIONS`, or `quarantine`.
        key: the facts' own name, or that without its tier; region: "" for all.
        match: a text that the description, the date or the source must hold.
        note: why; empty only where words change and no price does.
    """

    action: str
    key: str
    region: str
    match: str
    value: str
    note: str

    def concerns(self, fact: Fact) -> bool:
        """Whether it is about this fact."""
        text = " ".join(fact.written.values())
        key = self.key in (fact.name, strip_tier(fact.name))
        return key and self.region in ("", fact.written["region"]) and self.match in text


def _set_bands(fact: Fact, value: str) -> list[Fact]:
    start, _, end = value.partition("..")
    return [replace(fact, start=parse_number(start, fact.name), end=parse_end(end, fact.name))]


def _add_free_band(fact: Fact, value: str) -> list[Fact]:
    free = replace(fact, price=Decimal(0), start=Decimal(0), end=Decimal(value))
    return [free, replace(fact, start=Decimal(value))]


def _change_unit(fact: Fact, value: str) -> list[Fact]:
    return [replace(fact, unit=value, price=fact.price / convert_unit(fact.unit, value))]


ACTIONS: Final[Mapping[str, Callable[[Fact, str], list[Fact]]]] = {
    "key": lambda fact, value: [replace(fact, key=value)],
    "describe": lambda fact, value: [replace(fact, description=value)],
    "region": lambda fact, value: [replace(fact, region=value)],
    "unit": _change_unit,
    "bands": _set_bands,
    "free": _add_free_band,
    "from": lambda fact, value: [replace(fact, valid_from=parse_date(value, fact.name))],
    "until": lambda fact, value: [replace(fact, valid_to=parse_date(value, fact.name))],
}


def say_source(text: str) -> str:
    """A fact's source without the numbers of a search index, which lead nobody anywhere."""
    return _INDEX.sub("a file in a public repository", text)


def build_prices(facts: Path, mends: Path) -> dict[str, str]:
    """The text of every generated file by its name.

    Raises: PriceError when two facts disagree and no mend decides, or a mend concerns no fact.
    """
    collected = [_parse_fact(row) for _, row in read_rows(facts, FACT_COLUMNS)]
    kept, refused = _apply_mends(collected, [Mend(*row.values()) for _, row in read_rows(mends, MEND_COLUMNS)])
    files: dict[str, list[dict[str, str]]] = defaultdict(list)
    for fact in _fold(kept):
        files[f"{fact.service.lower()}.csv"].append(_write_row(fact))
    texts = {name: _write_csv(COLUMNS, rows) for name, rows in sorted(files.items())}
    return texts | {"quarantine.csv": _write_csv(QUARANTINE_COLUMNS, refused)}


def _parse_fact(row: Mapping[str, str]) -> Fact:
    found = _SKU.search(row["description"])
    description = _SKU.sub("", row["description"])
    snapshot = _parse_day(row["effective_or_snapshot_date"])
    secondary = snapshot is None or description.startswith(_SECONDARY)
    return Fact(
        service=row["service"],
        name=row["sku_key"],
        key=_strip_suffix(row["sku_key"]),
        description=description.removeprefix(_SECONDARY),
        unit=row["unit"],
        region=row["region"],
        price=parse_number(row["price_usd"], row["sku_key"]),
        start=parse_number(row["tier_from"], row["sku_key"]),
        end=parse_end(row["tier_to"], row["sku_key"]),
        snapshot=snapshot,
        confidence=Confidence.SECONDARY if secondary else Confidence.PRIMARY,
        sku=found[1] if found else "",
        source=say_source(row["source"]),
        written=row,
    )


def _strip_suffix(name: str) -> str:
    return _SUFFIX.sub("", strip_tier(name))


def _parse_day(text: str) -> date | None:
    if text.startswith("undated"):
        return None
    return parse_date(text if len(text) > len("2026-06") else f"{text}-01", "the facts")


def _apply_mends(facts: Iterable[Fact], mends: Sequence[Mend]) -> tuple[list[Fact], list[dict[str, str]]]:
    """Facts for the book, and rows of those that are not believed."""
    kept: list[Fact] = []
    refused: list[dict[str, str]] = []
    used: set[Mend] = set()
    for fact in facts:
        concerning = [mend for mend in mends if mend.concerns(fact)]
        used.update(concerning)
        refusals = [mend for mend in concerning if mend.action == "quarantine"]
        if refusals:
            refused.append({**fact.written, "note": refusals[0].note})
        else:
            kept.extend(_mend(fact, concerning))
    unused = [f"{mend.action} {mend.key}" for mend in mends if mend not in used]
    if unused:
        raise PriceError(f"mends.csv has rows that concern no fact: {', '.join(unused)}")
    return kept, refused


def _mend(fact: Fact, mends: Iterable[Mend]) -> list[Fact]:
    facts = [fact]
    for mend in mends:
        if mend.action not in ACTIONS:
            raise PriceError(f"mends.csv: {mend.action!r} is none of {', '.join((*ACTIONS, 'quarantine'))}")
        if not mend.note and mend.action != "describe":
            raise PriceError(f"mends.csv: {mend.action} {mend.key} needs its note")
        changed = [new for old in facts for new in ACTIONS[mend.action](old, mend.value)]
        facts = [replace(each, notes=(*each.notes, mend.note)) for each in changed] if mend.note else changed
    return facts


def _fold(facts: Iterable[Fact]) -> list[Fact]:
    """One fact for each place: the newest of the best confidence, whose source names the others."""
    places: dict[tuple[str, str, str, Decimal, Decimal], list[Fact]] = defaultdict(list)
    for fact in facts:
        places[fact.place].append(fact)
    return [_fold_one(places[place]) for place in sorted(places)]


def _fold_one(facts: list[Fact]) -> Fact:
    first, *others = sorted(
        facts, key=lambda fact: (fact.confidence is not Confidence.PRIMARY, -(fact.snapshot or date.min).toordinal())
    )
    for other in others:
        if (other.price, other.unit) != (first.price, first.unit):
            raise PriceError(
                f"{first.key} in {first.region} from {first.start:f}: {first.price:f} per {first.unit} ({first.source})"
                f" and {other.price:f} per {other.unit} ({other.source}): decide with a row in mends.csv"
            )
    also = [f"; also {_cite(other, first.key)}" for other in others]
    notes = dict.fromkeys(note for fact in (first, *others) for note in fact.notes)
    mended = f"; mended: {'; '.join(notes)}" if notes else ""
    sku = next((fact.sku for fact in (first, *others) if fact.sku), "")
    return replace(first, source="".join((first.source, *also, mended)), sku=sku)


def _cite(fact: Fact, key: str) -> str:
    name = "" if _strip_suffix(fact.name) == key else f"{fact.name}, "
    return f"{fact.source} ({name}{fact.written['effective_or_snapshot_date']})"


def _write_row(fact: Fact) -> dict[str, str]:
    return {
        "service": fact.service,
        "sku_key": fact.key,
        "description": fact.description,
        "unit": fact.unit,
        "unit_system": "1024" if fact.unit.startswith(("GB", "MiBps")) else "1000",
        "region": fact.region,
        "price_usd": f"{fact.price.normalize():f}",
        "tier_from": f"{fact.start:f}",
        "tier_to": "Inf" if fact.end == INFINITE else f"{fact.end:f}",
        "effective_from": str(fact.valid_from or ""),
        "effective_to": str(fact.valid_to or ""),
        "snapshot_date": str(fact.snapshot or ""),
        "confidence": fact.confidence.value,
        "aws_sku": fact.sku,
        "aws_usage_type": "",
        "source": fact.source,
    }


def _write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Write the generated files of the book beside its hand-written ones."""
    (facts,) = arguments
    for name, text in build_prices(Path(facts), PRICES / "mends.csv").items():
        (PRICES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
