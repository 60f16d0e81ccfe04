"""A document's claims priced again: what each would cost at list price, what is missing, and what we would pay."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from nottermost_cost.engine import PRICE_DAY, Model, make_estimate
from nottermost_cost.estimate import Estimate, Line
from nottermost_cost.inputs import base_values
from nottermost_cost.layouts import Layout
from nottermost_cost.pricebook import PRICES, Rate, load_prices
from nottermost_cost.report.cells import show_amount
from nottermost_cost.reproduce import ours
from nottermost_cost.reproduce.claims import (
    FOLDER,
    Claim,
    Claims,
    ClaimsError,
    MeasureOf,
    Omission,
    Phase,
    Saying,
    load_claims,
)
from nottermost_cost.reproduce.findings import (
    LEVERS,
    Conflict,
    Design,
    Finding,
    Measure,
    Missing,
    Ours,
    PhaseCost,
    PriceUsed,
    Pulled,
    Reproduction,
    Side,
    Swing,
    Totals,
    largest_levers,
    show_span,
)
from nottermost_cost.reproduce.formulas import Calculator
from nottermost_cost.reproduce.verdicts import Span, judge_claim
from nottermost_cost.sampling import Bar, sample_model

REST: Final = "everything else"


def reproduce(name: str, *, prices: Path = PRICES, claims: Path = FOLDER) -> Reproduction:
    """Check every claim of a document against the price book and our own model.

    Raises: ClaimsError for a name or a formula that there is not, PriceError for a price that is missing.
    """
    said = load_claims(name, claims)
    models = ours.load_ours(said.scenario, prices)
    estimates = {layout: make_estimate(model) for layout, model in models.items()}
    one = ours.in_production(estimates[Layout.ONE])
    inputs = base_values(models[Layout.ONE].inputs)
    calculator = Calculator(load_prices(prices), PRICE_DAY, said.region, inputs, _sum_matching(one))
    for figure, formula in said.figures.items():
        calculator.names[figure] = calculator.compute(formula, f"figure {figure}")
    return _Reproducing(said, calculator, models, estimates).run()


def _sum_matching(lines: list[Line]) -> Callable[[str], Decimal]:
    return lambda pattern: ours.cost_of(line for line in lines if ours.matches(line, pattern))


class _Reproducing:
    """One pass over the claims."""

    def __init__(
        self,
        said: Claims,
        calculator: Calculator,
        models: Mapping[Layout, Model],
        estimates: Mapping[Layout, Estimate],
    ) -> None:
        self.said, self.calculator, self.models, self.estimates = said, calculator, models, estimates
        lines: list[Claim | Omission] = [*said.table, *said.omitted]
        patterns = {each.id: each.ours for each in lines if each.ours}
        every = [line for estimate in estimates.values() for line in ours.in_production(estimate)]
        ours.check_patterns(every, [pattern for each in patterns.values() for pattern in each])
        groups = {
            layout: ours.group_lines(ours.in_production(estimate), patterns, REST)
            for layout, estimate in estimates.items()
        }
        self.ours = {name: Ours(groups[Layout.ONE][name], groups[Layout.TWO][name]) for name in (*patterns, REST)}

    def run(self) -> Reproduction:
        said = self.said
        table = tuple(map(self._check, said.table))
        omitted = tuple(map(self._miss, said.omitted))
        phases = tuple(map(self._price_phase, said.phases))
        return Reproduction(
            name=said.name,
            title=said.title,
            day=self.calculator.day,
            region=said.region,
            tolerance=said.tolerance,
            scenario=said.scenario,
            users=self.models[Layout.ONE].inputs["users.dau"].value,
            totals=self._total(table, omitted),
            table=table,
            omitted=omitted,
            capacity=tuple(map(self._check, said.capacity)),
            contradictions=tuple(self._contradict()),
            money=tuple(map(self._check, said.money)),
            performance=tuple(map(self._check, said.performance)),
            phases=phases,
            design=self._design(),
            prices=tuple(_describe(rate) for _, rate in sorted(self.calculator.used.items())),
        )

    # --- claims -----------------------------------------------------------------------------------

    def _check(self, claim: Claim) -> Finding:
        claimed = None if claim.claimed is None else Span(claim.claimed, claim.claimed_high or claim.claimed)
        found = self._span(claim)
        names = {} if claimed is None else {"claimed": claimed.low}
        names |= {} if found is None else {"literal": found.low}
        others = self._measure(claim.others, claim.id, names)
        needs = self._measure((claim.needs,), claim.id, names)["needs"] if claim.needs else None
        verdict, ratio = judge_claim(claimed, found, self.said.tolerance)
        texts = {name: each.text for name, each in others.items()}
        texts |= {"needs": needs.text} if needs else {}
        texts |= {"found": show_span(found, claim.unit), "claimed": show_span(claimed, claim.unit)}
        return Finding(
            id=claim.id,
            title=claim.title or claim.written,
            place=claim.place,
            written=claim.written,
            unit=claim.unit,
            claimed=claimed,
            found=found,
            ratio=ratio,
            verdict=verdict,
            needs=needs,
            others=others,
            because=_fill(claim.because, texts, claim.id),
            ours=self.ours.get(claim.id) if claim.ours else None,
        )

    def _miss(self, omission: Omission) -> Missing:
        found = self._span(omission)
        others = self._measure(omission.others, omission.id, {})
        texts = {name: each.text for name, each in others.items()}
        texts["found"] = show_amount(found.low) if found else ""
        return Missing(
            id=omission.id,
            title=omission.title,
            found=found,
            others=others,
            because=_fill(omission.because, texts, omission.id),
            ours=self.ours.get(omission.id) if omission.ours else None,
        )

    def _contradict(self) -> Iterable[Conflict]:
        for each in self.said.contradictions:
            yield Conflict(
                each.id, each.about, self._side(each.first, each.id), self._side(each.second, each.id), each.follows
            )

    def _side(self, saying: Saying, where: str) -> Side:
        cost = self.calculator.compute(saying.formula, where) if saying.formula else None
        return Side(saying.place, saying.says, cost)

    def _span(self, of: Claim | Omission) -> Span | None:
        if of.formula is None:
            return None
        ends = [self.calculator.compute(each, of.id) for each in (of.formula, of.formula_high) if each]
        return Span(min(ends), max(ends))

    def _measure(self, measures: Iterable[MeasureOf], where: str, names: Mapping[str, Decimal]) -> dict[str, Measure]:
        return {
            each.id: Measure(each.name, self.calculator.compute(each.formula, where, **names), each.unit, each.formula)
            for each in measures
        }

    def _total(self, table: Iterable[Finding], omitted: Iterable[Missing]) -> Totals:
        priced = [each.found or each.claimed for each in table]
        literal = _add(each for each in priced if each)
        claimed = self.said.claimed_total
        verdict, ratio = judge_claim(Span(claimed, claimed), literal, self.said.tolerance)
        return Totals(claimed, literal, _add(each.found for each in omitted if each.found), ratio, verdict)

    # --- ours -------------------------------------------------------------------------------------

    def _price_phase(self, phase: Phase) -> PhaseCost:
        estimates: Mapping[Layout, Estimate] = self.estimates
        if phase.scenario != self.said.scenario:
            models = ours.load_ours(phase.scenario, self.models[Layout.ONE].choice.prices)
            estimates = {layout: make_estimate(model) for layout, model in models.items()}
        one, two = (ours.cost_of(ours.in_production(each)) for each in estimates.values())
        return PhaseCost(
            id=phase.id,
            title=phase.title,
            scenario=phase.scenario,
            users=estimates[Layout.TWO].quantity("users.dau"),
            written=phase.written,
            kit=self.calculator.compute(phase.formula, phase.id),
            ours=Ours(one, two),
            sizes=ours.list_sizes(estimates[Layout.TWO], self.said.region),
            because=phase.because,
        )

    def _design(self) -> Design:
        two = self.models[Layout.TWO]
        lines = {layout: ours.in_production(estimate) for layout, estimate in self.estimates.items()}
        production = Ours(ours.cost_of(lines[Layout.ONE]), ours.cost_of(lines[Layout.TWO]))
        levers = self._pull(two, production.two)
        sensitivity = sample_model(two)
        chosen = {each.id for each in largest_levers(levers)}
        together = two
        for lever in self.said.levers:
            together = ours.pull_lever(together, lever) if lever.id in chosen else together
        return Design(
            month=ours.MONTH,
            production=production,
            others=self.estimates[Layout.TWO].total() - production.two,
            months={month: self._in_month(month) for month in ours.MONTHS},
            rest=self.ours[REST],
            levers=levers,
            together=ours.cost_production(together),
            percentiles=sensitivity.percentiles,
            swings=tuple(map(_swing, sensitivity.bars[:LEVERS])),
            by_confidence=ours.cost_by_confidence(lines[Layout.TWO]),
        )

    def _pull(self, model: Model, before: Decimal) -> tuple[Pulled, ...]:
        pulled = (
            Pulled(
                each.id,
                each.decision,
                each.title,
                before - ours.cost_production(ours.pull_lever(model, each)),
                each.gives_up,
            )
            for each in self.said.levers
        )
        return tuple(sorted(pulled, key=lambda each: (-each.saves, each.id)))

    def _in_month(self, month: int) -> Ours:
        one, two = (ours.cost_production(ours.change_month(model, month)) for model in self.models.values())
        return Ours(one, two)


def _swing(bar: Bar) -> Swing:
    return Swing(bar.input.name, bar.input.low, bar.input.high, bar.low, bar.high, bar.input.source)


def _add(spans: Iterable[Span]) -> Span:
    found = list(spans)
    return Span(sum((each.low for each in found), Decimal(0)), sum((each.high for each in found), Decimal(0)))


def _describe(rate: Rate) -> PriceUsed:
    days = [band.snapshot for band in rate.bands]
    read = None if None in days else min(day for day in days if day is not None)
    return PriceUsed(rate.key, rate.region, rate.unit, rate.confidence, read)


def _fill(text: str, values: Mapping[str, str], where: str) -> str:
    try:
        return text.format_map(values)
    except (KeyError, ValueError, IndexError) as error:
        raise ClaimsError(f"{where}: the reason names {error}, which is none of {', '.join(sorted(values))}") from None
