"""Prices on charges: tiers walked once for each payer, key and place, and shared back to those who used them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from nottermost_cost.charges import Charge, Origin
from nottermost_cost.errors import PriceNotFound, raise_missing
from nottermost_cost.estimate import Commitment, Line
from nottermost_cost.inputs import Values
from nottermost_cost.numeric import Number
from nottermost_cost.pricebook import Confidence, PriceBook, Rate
from nottermost_cost.services import service_name
from nottermost_cost.terms import SUPPORT_KEY, CommitmentTerms, Terms
from nottermost_cost.tiers import cost_by_confidence, price_samples, share, walk_tiers

_NOTHING: Final = Decimal(0)
_HUNDRED: Final = 100


@dataclass(frozen=True)
class Tariff:
    """Everything that turns charges into money: prices of a day, terms, and account allowances when they count."""

    book: PriceBook
    day: date
    terms: Terms
    allowances: Mapping[str, Decimal]

    def rate(self, charge: Charge) -> Rate:
        """Of one charge. Raises: PriceNotFound."""
        if charge.key == SUPPORT_KEY:
            return self.terms.support.rate()
        return self.book.find(charge.key, charge.region, self.day)

    def commitment(self, key: str) -> CommitmentTerms | None:
        """The first one that covers a key."""
        return next((each for each in self.terms.commitments if each.covers(key)), None)

    def contracted_share(self, service: str) -> Decimal:
        """What is left of a public price."""
        return 1 - self.terms.private_rate_percent.get(service, _NOTHING) / _HUNDRED


_Group = tuple[str, str, str, Decimal]  # key, region, place, factor; one payer pays for all environments


def _group(charges: Iterable[Charge], tariff: Tariff) -> dict[_Group, tuple[Rate, list[Charge]]]:
    """Charges whose quantities count together. Raises: PriceError with every price that is missing."""
    groups: dict[_Group, list[Charge]] = defaultdict(list)
    for charge in charges:
        groups[charge.key, charge.region, charge.place or charge.region, charge.factor].append(charge)
    found: dict[_Group, tuple[Rate, list[Charge]]] = {}
    missing: list[PriceNotFound] = []
    for group, members in groups.items():
        try:
            found[group] = (tariff.rate(members[0]), members)
        except PriceNotFound as error:
            missing.append(error)
    raise_missing(missing)
    return found


def _allowances(groups: Iterable[_Group], tariff: Tariff) -> dict[_Group, Decimal]:
    """An account's allowance of a key goes to the first place that uses it, which is the home region."""
    first: dict[str, _Group] = {}
    for group in groups:
        if group[0] in tariff.allowances:
            first.setdefault(group[0], group)
    return {group: tariff.allowances[key] for key, group in first.items()}


def price_charges(charges: Sequence[Charge], tariff: Tariff, values: Values) -> list[Line]:
    """Every charge as a line, in their order. Raises: PriceError with every price that is missing."""
    groups = _group(charges, tariff)
    allowed = _allowances(groups, tariff)
    priced: dict[int, Line] = {}
    for group, (rate, members) in groups.items():
        used = sum((each.quantity for each in members), _NOTHING)
        quantity = max(used - allowed.get(group, _NOTHING), _NOTHING)
        steps = walk_tiers(rate, quantity)
        total = sum((step.cost for step in steps), _NOTHING) * group[3]
        if group[0] == SUPPORT_KEY:
            total = max(total, tariff.terms.support.minimum_usd)
        by_confidence = cost_by_confidence(steps)
        if group[3] != 1:
            by_confidence = {Confidence.ASSUMED: total}
        for charge, cost in zip(members, share(total, [each.quantity for each in members]), strict=True):
            priced[id(charge)] = _line(charge, rate, cost, _spread(by_confidence, cost), tariff, values)
    return [priced[id(charge)] for charge in charges]


def _spread(whole: Mapping[Confidence, Decimal], cost: Decimal) -> dict[Confidence, Decimal]:
    """A share of a group's cost by confidence, adding up to it."""
    kinds = [kind for kind, usd in whole.items() if usd]
    return dict(zip(kinds, share(cost, [whole[kind] for kind in kinds]), strict=True)) if cost else {}


def _line(
    charge: Charge, rate: Rate, cost: Decimal, by_confidence: dict[Confidence, Decimal], tariff: Tariff, values: Values
) -> Line:
    service = service_name(rate.service)
    contracted = cost * tariff.contracted_share(service)
    effective = contracted * _effective_share(tariff.commitment(charge.key), values)
    return Line(charge, rate, service, cost, contracted, effective, by_confidence)


def _effective_share(commitment: CommitmentTerms | None, values: Values) -> Number:
    """What is left of a contracted cost; the unused part of a commitment is a line of its own."""
    if commitment is None:
        return 1
    path = f"terms.commitments.{commitment.name}"
    return 1 - values[f"{path}.coverage"] * values[f"{path}.discount_percent"] / _HUNDRED


def price_commitments(lines: Sequence[Line], tariff: Tariff, values: Values) -> list[Commitment]:
    """What each commitment covers and costs; upfront payments are spread over its term."""
    found = []
    for each in tariff.terms.commitments:
        path = f"terms.commitments.{each.name}"
        under = [line for line in lines if tariff.commitment(line.charge.key) is each]
        covered = sum((line.contracted_cost for line in under), _NOTHING) * values[f"{path}.coverage"]
        used = covered * (1 - values[f"{path}.discount_percent"] / _HUNDRED)
        amortised = used / (1 - values[f"{path}.unused_share"])
        reason = f"{each.term_months} months, {each.upfront_share * _HUNDRED:f} % upfront, {len(under)} lines"
        found.append(
            Commitment(
                name=each.name,
                service=under[0].service if under else "",
                covered=covered,
                upfront=amortised * each.term_months * each.upfront_share,
                recurring=amortised * (1 - each.upfront_share),
                amortised=amortised,
                unused=amortised - used,
                reason=reason,
            )
        )
    return found


def _owners(lines: Sequence[Line], environment: str) -> dict[str, str]:
    """Who pays for what belongs to no single resource: whoever owns the most of an environment's lines."""
    kept = ("owner", "cost-center")
    found = Counter(
        tuple(line.charge.tags.get(tag, "") for tag in kept) for line in lines if line.charge.environment == environment
    )
    owners = found.most_common(1)[0][0] if found else ("",) * len(kept)
    return {"env": environment, **{tag: owner for tag, owner in zip(kept, owners, strict=True) if owner}}


def unused_lines(commitments: Sequence[Commitment], lines: Sequence[Line], environment: str) -> list[Line]:
    """What commitments cost beyond what they cover."""
    found = []
    for each in commitments:
        if each.unused:
            rate = Rate(each.service, each.name, "global", "USD", 1000, "Unused part of a commitment", ())
            charge = Charge(
                Origin.TERMS, environment, each.name, "global", each.unused, f"unused part of {each.name}",
                f"terms.commitments.{each.name}.unused_share", tags=_owners(lines, environment),
            )  # fmt: skip
            found.append(
                Line(
                    charge,
                    rate,
                    each.service,
                    _NOTHING,
                    _NOTHING,
                    each.unused,
                    {Confidence.ASSUMED: _NOTHING},
                )
            )
    return found


def support_charges(lines: Sequence[Line]) -> list[Charge]:
    """The support plan's charge for each environment, by what all its other lines cost (contracted)."""
    spent: dict[str, Decimal] = {}
    for line in lines:
        environment = line.charge.environment
        spent[environment] = spent.get(environment, _NOTHING) + line.contracted_cost
    return [
        Charge(
            Origin.TERMS,
            environment,
            SUPPORT_KEY,
            "global",
            usd,
            "support plan",
            "all other lines",
            tags=_owners(lines, environment),
        )
        for environment, usd in spent.items()
    ]


def total_columns(charges: Sequence[Charge], tariff: Tariff, values: Values) -> npt.NDArray[np.float64]:
    """The effective cost of every sample at once, in float64: the same prices and terms without lines."""
    total = np.zeros(1)
    contracted = np.zeros(1)
    groups = _group(charges, tariff)
    allowed = _allowances(groups, tariff)
    for group, (rate, members) in groups.items():
        key, _, _, factor = group
        used = sum(_column(charge.quantity) for charge in members) - float(allowed.get(group, _NOTHING))
        public = price_samples(rate, np.maximum(used, 0.0)) * float(factor)
        agreed = public * float(tariff.contracted_share(service_name(rate.service)))
        commitment = tariff.commitment(key)
        contracted = contracted + agreed
        total = total + agreed * _effective_share(commitment, values)
        if commitment is not None:
            total = total + _unused(agreed, commitment, values)
    support = price_samples(tariff.terms.support.rate(), contracted)
    return total + np.maximum(support, float(tariff.terms.support.minimum_usd))


def _unused(agreed: Number, commitment: CommitmentTerms, values: Values) -> Number:
    path = f"terms.commitments.{commitment.name}"
    used = agreed * values[f"{path}.coverage"] * (1 - values[f"{path}.discount_percent"] / _HUNDRED)
    unused = values[f"{path}.unused_share"]
    return used * unused / (1 - unused)


def _column(quantity: Number) -> Number:
    return float(quantity) if isinstance(quantity, Decimal) else quantity
