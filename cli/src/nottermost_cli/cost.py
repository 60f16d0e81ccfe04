"""`nottermost cost …`: what an environment costs a month and why, what was really billed, and what would be cheaper."""

import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nottermost_conventions import ExitCode, NottermostError

if TYPE_CHECKING:
    from nottermost_cost.engine import Choice

app = typer.Typer(
    help="Estimate, compare and check what environments cost. Begin with: nottermost cost estimate prod --scenario growth",
    no_args_is_help=True,
)


class LayoutName(StrEnum):
    """How many regions."""

    ONE = "one"
    TWO = "two"
    THREE = "three"
    FIVE = "five"


class SizingName(StrEnum):
    """Which sizes are billed."""

    DECLARED = "declared"
    SCENARIO = "scenario"


class StoreName(StrEnum):
    """Designs of the message store."""

    DYNAMODB = "dynamodb"
    DYNAMODB_SINGLE = "dynamodb-single"
    POSTGRESQL = "postgresql"


class CostName(StrEnum):
    """Which cost of a bill is compared."""

    EFFECTIVE = "effective"
    CONTRACTED = "contracted"
    LIST = "list"


Env = Annotated[str, typer.Argument(help="dev, staging, prod or pr-0.")]
Scenario = Annotated[
    str, typer.Option("--scenario", help="launch, mvp, growth, scale, 100m, team, or a path of your own.")
]
Layout = Annotated[
    LayoutName, typer.Option("--layout", help="Regions: the home region, its standby, further standbys.")
]
Sizing = Annotated[SizingName, typer.Option("--sizing", help="As the graph declares, or as the scenario needs.")]
Terms = Annotated[str, typer.Option("--terms", help="list, committed, or a path of your own.")]
Store = Annotated[StoreName, typer.Option("--store", help="Design of the message store.")]
Month = Annotated[int, typer.Option("--month", help="Months since launch, which decide how much is stored.")]
Day = Annotated[
    datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="The day of the prices. [default: today]")
]
GraphFile = Annotated[
    Path | None,
    typer.Option("--graph", help="A file of `nottermost env graph ENV --json`. [default: the reviewed graph]"),
]
Alone = Annotated[bool, typer.Option("--alone", help="Without the non-production environments of the terms.")]
FreeTier = Annotated[bool, typer.Option("--free-tier", help="Take off what an account has free each month.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse prices that are assumed, and types without one.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


class NotInstalled(NottermostError):
    """The cost model's packages are not part of the set that runs the chat."""

    code = "not_installed"


class WrongUsage(NottermostError):
    """Options that exclude each other."""

    code = "usage"
    exit_code = ExitCode.USAGE


@app.command()
def estimate(
    env: Env,
    scenario: Scenario,
    layout: Layout = LayoutName.TWO,
    sizing: Sizing = SizingName.SCENARIO,
    terms: Terms = "list",
    store: Store = StoreName.DYNAMODB,
    month: Month = 12,
    day: Day = None,
    graph: GraphFile = None,
    alone: Alone = False,
    free_tier: FreeTier = False,
    strict: Strict = False,
    lines: Annotated[bool, typer.Option("--lines", help="Print every line, not only the largest.")] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print FOCUS rows as CSV on stdout.")] = False,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", help="Write a workbook with every number.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page that needs no other file.")] = None,
) -> None:
    """Say what an environment costs a month, line by line, and what moves it; needs no cloud and no network.

    Example: nottermost cost estimate prod --scenario growth --html estimate.html
    """
    _need_cost()
    from nottermost_cost.engine import check_strict, load_model, make_estimate
    from nottermost_cost.focus import rows_of, write_focus
    from nottermost_cost.report import Figures, render_json, render_page, render_terminal, render_workbook
    from nottermost_cost.sampling import sample_model

    if json and csv:
        raise WrongUsage("--json and --csv exclude each other")
    choice = _choose(env, scenario, layout, sizing, terms, store, month, day, graph, alone, free_tier)
    model = load_model(choice)
    found = make_estimate(model)
    if strict:
        check_strict(found)
    figures = Figures(found, None if csv and not (xlsx or html) else sample_model(model))
    if xlsx:
        _write(xlsx, render_workbook(figures))
    if html:
        _write(html, render_page(figures).encode())
    if json:
        sys.stdout.buffer.write(render_json(figures))
    elif csv:
        sys.stdout.write(write_focus(rows_of(found)))
    else:
        terminal = sys.stdout.isatty()
        width = _width() if terminal else 120
        sys.stdout.write(render_terminal(figures, width=width, colour=terminal, every_line=lines))


@app.command()
def sensitivity(
    env: Env,
    scenario: Scenario,
    layout: Layout = LayoutName.TWO,
    terms: Terms = "list",
    store: Store = StoreName.DYNAMODB,
    month: Month = 12,
    day: Day = None,
    samples: Annotated[int, typer.Option(help="Scenarios drawn at random.", min=10, max=1_000_000)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same scenarios.")] = 20261121,
    json: Json = False,
) -> None:
    """Say which inputs move the total, one at a time, and how far a thousand scenarios spread.

    Example: nottermost cost sensitivity prod --scenario 100m
    """
    _need_cost()
    from nottermost_cost.encoding import encode_json
    from nottermost_cost.engine import load_model, make_estimate
    from nottermost_cost.sampling import render_sensitivity, sample_model

    choice = _choose(env, scenario, layout, SizingName.SCENARIO, terms, store, month, day)
    model = load_model(choice)
    found, estimate = sample_model(model, samples, seed), make_estimate(model)
    if json:
        answer = {**vars(found), "list_by_source": estimate.by_confidence()}
        sys.stdout.buffer.write(encode_json(answer))
        return
    _print_lines(render_sensitivity(found, estimate))


@app.command()
def price(
    lines: Annotated[Path, typer.Argument(help="CSV with sku_key, region, quantity [, unit, effective_on, label].")],
    json: Json = False,
    strict: Strict = False,
) -> None:
    """Price bare lines, each by itself; one that cannot be priced ends it with all that cannot.

    Example: nottermost cost price lines.csv --json
    """
    _need_cost()
    from nottermost_cost.price_lines import price_lines, render_priced_lines, render_priced_lines_json
    from nottermost_cost.pricebook import load_prices

    priced = price_lines(lines, load_prices(), today=_today(), strict=strict)
    if json:
        sys.stdout.buffer.write(render_priced_lines_json(priced))
        return
    _print_lines(render_priced_lines(priced))


@app.command()
def prices(
    words: Annotated[list[str] | None, typer.Argument(help="Words of key, service or description.")] = None,
    region: Annotated[str, typer.Option(help="This region, `global` or edge:ZONE alone.")] = "",
    parity: Annotated[
        bool, typer.Option("--parity", help="Show which keys us-east-1 and eu-west-1 do not share.")
    ] = False,
    json: Json = False,
) -> None:
    """Search the price book; each price with its date, confidence and source.

    Example: nottermost cost prices dynamodb --region eu-west-1
    """
    _need_cost()
    from nottermost_cost import search
    from nottermost_cost.pricebook import load_prices

    book, today = load_prices(), _today()
    found = search.search_prices(book, words or [], region=region) if words or region or not parity else ()
    age = search.measure_age(book, today)
    compared = search.compare_regions(book, "us-east-1", "eu-west-1", today) if parity else None
    if json:
        sys.stdout.buffer.write(search.render_prices_json(found, age, compared))
        return
    _print_lines(search.render_prices(found))
    if compared:
        _print_lines(search.render_parity(compared))
    print(search.render_age(age))


@app.command()
def actual(
    bill: Annotated[Path, typer.Argument(help="FOCUS 1.x or cost and usage report, .csv or .csv.gz.")],
    against: Annotated[
        str | None, typer.Option(metavar="ENV", help="Compare with the estimate of an environment.")
    ] = None,
    scenario: Annotated[str, typer.Option("--scenario", help="The scenario of that estimate.")] = "growth",
    layout: Layout = LayoutName.TWO,
    terms: Terms = "list",
    store: Store = StoreName.DYNAMODB,
    month: Month = 12,
    day: Annotated[
        datetime | None,
        typer.Option("--day", formats=["%Y-%m-%d"], help="The day of its prices. [default: the bill's first]"),
    ] = None,
    cost: Annotated[CostName, typer.Option(help="The cost that is compared.")] = CostName.EFFECTIVE,
    tag: Annotated[list[str] | None, typer.Option(help="Also break down by this tag; may be repeated.")] = None,
    rate: Annotated[
        list[str] | None, typer.Option(metavar="EUR=1.08@2026-11-01", help="USD for a unit of a currency, and its day.")
    ] = None,
    json: Json = False,
) -> None:
    """Import what was really billed: totals by kind of cost, what is odd, and the variance against an estimate.

    Example: nottermost cost actual bill.csv.gz --against prod --scenario launch
    """
    _need_cost()
    from nottermost_cost.bill import actual_json, load_bill, parse_rates, render_actual
    from nottermost_cost.bill.bill import CostType
    from nottermost_cost.engine import load_model, make_estimate
    from nottermost_cost.variance import compare_bill, render_variance

    found = load_bill(bill, parse_rates(rate or []), tag or [])
    variance = None
    if against:
        first = next((datetime.fromisoformat(f"{each.month}-01") for each in found.months if each.month), None)
        options = _choose(against, scenario, layout, SizingName.SCENARIO, terms, store, month, day or first)
        model = load_model(options)
        variance = compare_bill(found, make_estimate(model), CostType(cost.value))
    if json:
        sys.stdout.buffer.write(actual_json(found, variance))
        return
    _print_lines(render_actual(found))
    if variance:
        print()
        _print_lines(render_variance(variance))


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="[ENV][@REVISION][:SCENARIO], such as prod@main or growth.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The same; what B has and A lacks is an increase.")],
    scenario: Annotated[str, typer.Option("--scenario", help="Where a side names none.")] = "growth",
    layout: Layout = LayoutName.TWO,
    terms: Terms = "list",
    store: Store = StoreName.DYNAMODB,
    month: Month = 12,
    day: Day = None,
    budget: Annotated[bool, typer.Option("--budget", help="Add the budgets; exit 3 when one is crossed.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Print every line that changed.")] = False,
    json: Json = False,
) -> None:
    """Say what changed between two environments, scenarios or revisions of the reviewed graph, and what it costs.

    Example: nottermost cost compare prod@HEAD~1 prod --markdown
    """
    _need_cost()
    from nottermost_cost import budgets as kept
    from nottermost_cost.compare import compare_subjects, render_json, render_markdown, render_text

    if json and markdown:
        raise WrongUsage("--json and --markdown exclude each other")
    options = _choose("prod", scenario, layout, SizingName.SCENARIO, terms, store, month, day)
    bridge = compare_subjects(one, other, options)
    verdicts = kept.check_budgets(kept.load_budgets(), options) if budget else ()
    if json:
        sys.stdout.buffer.write(render_json(bridge))
    elif markdown:
        sys.stdout.write(render_markdown(bridge, verdicts))
    else:
        sys.stdout.write(render_text(bridge, every_line=lines))
        if verdicts:
            sys.stdout.write(kept.render_text(verdicts))
    if verdicts:
        _exit(kept.exit_code(verdicts))


@app.command()
def budgets(
    env: Annotated[str | None, typer.Argument(help="One environment. [default: all that have a budget]")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="REVISION", help="Also judge the change since a revision of the graphs.")
    ] = None,
    day: Day = None,
    json: Json = False,
) -> None:
    """Hold each environment's estimate against its budget; exit 3 when one is crossed, 4 when one cannot be told.

    Example: nottermost cost budgets --against main
    """
    _need_cost()
    from nottermost_cost import budgets as kept

    verdicts = kept.check_budgets(
        kept.load_budgets(), _choose("prod", "growth", day=day), environment=env, against=against
    )
    if json:
        sys.stdout.buffer.write(kept.render_json(verdicts))
    else:
        sys.stdout.write(kept.render_text(verdicts))
    _exit(kept.exit_code(verdicts))


@app.command()
def breakeven(
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="dynamodb, compute, sockets, cache, regions.")
    ] = None,
    env: Annotated[str, typer.Option("--env", help="The environment that stands at `here`.")] = "prod",
    scenario: Annotated[str, typer.Option("--scenario", help="The scenario that stands at `here`.")] = "growth",
    day: Day = None,
    json: Json = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the curves.")] = None,
) -> None:
    """Say from where on another way would be cheaper: a curve for each way, where they cross, and where we are.

    Example: nottermost cost breakeven sockets --scenario mvp
    """
    _need_cost()
    from nottermost_cost.breakeven import answer_questions, render_json, render_page, render_text

    choice = _choose(env, scenario, day=day)
    answers = answer_questions(choice, questions or ())
    if html:
        _write(html, render_page(answers, choice).encode())
    if json:
        sys.stdout.buffer.write(render_json(answers))
        return
    sys.stdout.write(render_text(answers))


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="The claims: 100m-dau.")],
    json: Json = False,
) -> None:
    """Rebuild a published cost table from list prices: what each line costs, what it would need, and whether it holds.

    Example: nottermost cost reproduce 100m-dau
    """
    _need_cost()
    from nottermost_cost.reproduce import render_reproduction, reproduction_json
    from nottermost_cost.reproduce import reproduce as rebuild

    found = rebuild(name)
    if json:
        sys.stdout.buffer.write(reproduction_json(found))
        return
    terminal = sys.stdout.isatty()
    sys.stdout.write(render_reproduction(found, width=_width() if terminal else 140, colour=terminal))


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when one is stale.")] = False,
) -> None:
    """Write what is generated: all scenarios' estimates, the page about a hundred million users, the schemas.

    Example: nottermost cost docs --check
    """
    _need_cost()
    from nottermost_cost.committed import find_stale, write_committed

    if not check:
        for path in write_committed():
            print(f"wrote {path.name}", file=sys.stderr)
        return
    stale = find_stale()
    for path in stale:
        print(f"nottermost: {path.name} is stale: run `nottermost cost docs`", file=sys.stderr)
    if stale:
        raise typer.Exit(int(ExitCode.SAYS_NO))


@app.command()
def bench(json: Json = False) -> None:
    """Measure estimates, samples and the import of a bill of a million rows. Takes about half a minute.

    Example: nottermost cost bench
    """
    _need_cost()
    import msgspec

    from nottermost_cost.bench import run_bench

    figures = run_bench(lambda step: print(f"measuring: {step}", file=sys.stderr, flush=True))
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(figures) + b"\n")
        return
    for figure in figures:
        print(figure.render())


# --- what the commands share ----------------------------------------------------------------------


def _need_cost() -> None:
    """The chat runs without pandas and pyarrow, so they may be missing. Raises: NotInstalled."""
    from importlib.util import find_spec

    if find_spec("nottermost_cost") is None or find_spec("pyarrow") is None:
        raise NotInstalled("`nottermost cost` needs the cost model's packages, which `make setup` installs")


def _choose(
    env: str,
    scenario: str,
    layout: LayoutName = LayoutName.TWO,
    sizing: SizingName = SizingName.SCENARIO,
    terms: str = "list",
    store: StoreName = StoreName.DYNAMODB,
    month: int = 12,
    day: datetime | None = None,
    graph: Path | None = None,
    alone: bool = False,
    free_tier: bool = False,
) -> "Choice":
    from nottermost_cost.engine import Choice
    from nottermost_cost.estimate import Sizing as SizingKind
    from nottermost_cost.layouts import Layout as LayoutKind

    return Choice(
        env,
        scenario,
        layout=LayoutKind(layout.value),
        sizing=SizingKind(sizing.value),
        terms=terms,
        store=store.value,
        month=month,
        day=day.date() if day else _today(),
        graph=graph,
        alone=alone,
        free_tier=free_tier,
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _exit(code: ExitCode) -> None:
    if code is not ExitCode.DONE:
        raise typer.Exit(int(code))


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _write(path: Path, data: bytes) -> None:
    """Raises: WrongUsage when it cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise WrongUsage(f"cannot write {path}: {error.strerror}") from None
    print(f"wrote {path}", file=sys.stderr)
