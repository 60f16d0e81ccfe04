"""Budgets: what each environment may cost a month, and whether its estimate stays within that.

An environment is judged alone, with the scenario that its budget names. No estimate is a verdict of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from nottermost_conventions import ExitCode
from nottermost_cost.currencies import USD, ExchangeRate
from nottermost_cost.documents import Decimals, Document, load_document
from nottermost_cost.encoding import encode_json
from nottermost_cost.engine import Choice
from nottermost_cost.errors import TermsError
from nottermost_cost.report.cells import show_amount
from nottermost_cost.subject import Subject, estimate_subject

BUDGETS: Final = "nottermost.budgets/1"
PATH: Final = Path(__file__).parents[2] / "budgets.yaml"
_HUNDRED: Final = 100


class ChangeLimit(Document):
    """How far an environment may rise above what it is compared with: in the budget's currency, in percent, or both."""

    amount: Decimals | None = Field(default=None, ge=0)
    percent: Decimals | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "ChangeLimit":
        if self.amount is None and self.percent is None:
            raise ValueError("name an amount, percent, or both")
        return self


class Budget(Document):
    """Of one environment; `warn_share`: of the limit, from which on it warns."""

    environment: str = Field(pattern=r"^(dev|staging|prod|pr-(0|[1-9][0-9]{0,4}))$")
    owner: str = Field(min_length=1)
    scenario: str = Field(min_length=1)
    limit: Decimals = Field(gt=0)
    currency: str = Field(default=USD, pattern=r"^[A-Z]{3}$")
    warn_share: Decimals = Field(default=Decimal("0.8"), gt=0, le=1)
    change: ChangeLimit | None = None


class Budgets(Document):
    """All of them; `rates`: of the currencies that are not USD, which has none."""

    scheme: Literal["nottermost.budgets/1"] = Field(alias="schema")
    rates: dict[str, ExchangeRate] = Field(default_factory=dict)
    budgets: tuple[Budget, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Budgets":
        names = [each.environment for each in self.budgets]
        if len(set(names)) < len(names):
            raise ValueError("an environment has two budgets")
        if USD in self.rates:
            raise ValueError("USD needs no rate: everything is in USD")
        for each in self.budgets:
            if each.currency != USD and each.currency not in self.rates:
                raise ValueError(
                    f"the budget of {each.environment} is in {each.currency}, which has no dated rate: "
                    f"add rates.{each.currency} with usd, day and source"
                )
        return self

    def of(self, environment: str) -> Budget:
        """Raises: TermsError."""
        for each in self.budgets:
            if each.environment == environment:
                return each
        known = ", ".join(each.environment for each in self.budgets)
        raise TermsError(f"{environment} has no budget: these have one: {known}")


class State(StrEnum):
    """How an environment stands."""

    WITHIN = "within"
    WARNING = "warning"
    CROSSED = "crossed"
    NO_DATA = "no data"  # there is no estimate: never a pass


@dataclass(frozen=True, slots=True)
class BudgetVerdict:
    """How one environment stands; amounts are USD a month.

    Attributes:
        limit: at the rate of its day, where the budget is in another currency.
        cost: effective; base: of what it is compared with. None without an estimate.
    """

    environment: str
    owner: str
    scenario: str
    state: State
    limit: Decimal
    cost: Decimal | None
    base: Decimal | None
    sentence: str


def load_budgets(path: Path = PATH) -> Budgets:
    """Raises: TermsError, also for a currency without a dated rate."""
    return load_document(path, Budgets, BUDGETS, TermsError)


def check_budgets(
    budgets: Budgets, options: Choice, environment: str | None = None, against: str | None = None
) -> tuple[BudgetVerdict, ...]:
    """Estimate the environments that have a budget, and judge them.

    Args:
        options: what holds for every estimate besides its environment and scenario.
        environment: only this one.
        against: a git revision, with whose graphs the change limits are judged; without it they are not.
    Raises: TermsError when the environment has no budget, or a rate is of a later day than the prices; CostError of an
        environment that has a graph and cannot be estimated.
    """
    found = []
    for budget in (budgets.of(environment),) if environment else budgets.budgets:
        rate = budgets.rates.get(budget.currency)
        if rate and rate.day > options.day:
            raise TermsError(f"the rate of {budget.currency} is of {rate.day}, after the prices of {options.day}")
        choice = replace(options, environment=budget.environment, scenario=budget.scenario, graph=None, alone=True)
        known = (choice.graphs / budget.environment).is_dir()
        cost = estimate_subject(Subject(), choice).total() if known else None
        base = estimate_subject(Subject(revision=against), choice).total() if against and budget.change else None
        found.append(judge_budget(budget, rate, cost, base))
    return tuple(found)


def judge_budget(
    budget: Budget, rate: ExchangeRate | None, cost: Decimal | None, base: Decimal | None
) -> BudgetVerdict:
    """Judge one environment.

    Args:
        rate: of the budget's currency; None for USD.
        cost: effective USD a month; None when there is no estimate.
        base: of what it is compared with; None judges no change.
    """
    factor = rate.usd if rate else Decimal(1)
    limit = budget.limit * factor
    state, sentence = _judge(budget, limit, factor, cost, base)
    if rate:
        sentence += f" ({rate.describe(budget.currency)}, {rate.source})"
    return BudgetVerdict(budget.environment, budget.owner, budget.scenario, state, limit, cost, base, sentence)


def _judge(
    budget: Budget, limit: Decimal, factor: Decimal, cost: Decimal | None, base: Decimal | None
) -> tuple[State, str]:
    name = budget.environment
    if cost is None:
        return State.NO_DATA, f"{name} has no graph to estimate: capture one, or take its budget out"
    said = f"{name} costs {show_amount(cost)} a month with {budget.scenario}"
    of = f"{cost / limit * _HUNDRED:.1f}% of its limit of {show_amount(limit)}"
    if cost > limit:
        return State.CROSSED, f"{said}, {of}: {show_amount(cost - limit)} too much, ask {budget.owner}"
    if problem := _judge_change(budget.change, factor, cost, base):
        return State.CROSSED, f"{said}, {of}, but {problem}: ask {budget.owner}"
    if cost >= limit * budget.warn_share:
        return State.WARNING, f"{said}, {of}; it warns from {budget.warn_share * _HUNDRED:f}% on"
    return State.WITHIN, f"{said}, {of}"


def _judge_change(change: ChangeLimit | None, factor: Decimal, cost: Decimal, base: Decimal | None) -> str:
    """What is too much about it; "" for nothing, and for savings."""
    if change is None or base is None or cost <= base:
        return ""
    rise = cost - base
    if change.amount is not None and rise > change.amount * factor:
        return f"it rises by {show_amount(rise)}, more than {show_amount(change.amount * factor)}"
    if change.percent is not None and rise * _HUNDRED > base * change.percent:
        share = f"{rise / base * _HUNDRED:.1f}%" if base else "from nothing"
        return f"it rises by {share}, more than {change.percent:f}%"
    return ""


def exit_code(verdicts: Sequence[BudgetVerdict]) -> ExitCode:
    """3 when a budget is crossed, else 4 when one could not be judged (or none was), else 0."""
    states = {each.state for each in verdicts}
    if State.CROSSED in states:
        return ExitCode.SAYS_NO
    return ExitCode.COULD_NOT_TELL if State.NO_DATA in states or not states else ExitCode.DONE


def render_text(verdicts: Iterable[BudgetVerdict]) -> str:
    """A line for each budget that does not simply hold, and one for all that do."""
    found = list(verdicts)
    held = [each for each in found if each.state is State.WITHIN]
    lines = [f"{each.state.upper()}: {each.sentence}" for each in found if each.state is not State.WITHIN]
    if held:
        shares = (
            f"{each.environment} {each.cost / each.limit * _HUNDRED:.0f}%" for each in held if each.cost is not None
        )
        lines.append(f"within budget: {', '.join(shares)}")
    return "".join(f"{line}\n" for line in lines)


def render_json(verdicts: Sequence[BudgetVerdict]) -> bytes:
    """One object: `budgets`, and the worst of their states as `exit_code`."""
    return encode_json(
        {"schema": "nottermost.budget-verdicts/1", "budgets": verdicts, "exit_code": int(exit_code(verdicts))}
    )
