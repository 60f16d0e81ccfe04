"""An estimate as an environment's is: two environments, two regions, global and edge, every confidence."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from nottermost_cost.charges import Charge, Origin, Part
from nottermost_cost.estimate import (
    Commitment,
    Estimate,
    Fit,
    Line,
    Quantity,
    SizeFinding,
    Sizing,
    Treatment,
    TypeCoverage,
)
from nottermost_cost.inputs import Input, Kind
from nottermost_cost.pricebook import INFINITE, Band, Confidence, Rate
from nottermost_cost.report import Figures
from nottermost_cost.sampling import Bar, Sensitivity
from nottermost_cost.tiers import cost_by_confidence, share, walk_tiers

DAY = date(2026, 11, 21)
PRIVATE_RATE = Decimal("0.91")
# service, price key, unit, bands as (from, price), confidence, read on
_PRICES = {
    "task": ("Fargate", "fargate.arm.vcpu", "vCPU-hour", ((0, "0.03238"),), "primary", date(2026, 9, 11)),
    "database": ("Amazon Aurora", "aurora.r7g.xlarge", "hour", ((0, "0.553"),), "primary", date(2023, 2, 23)),
    "cache": ("Amazon ElastiCache", "elasticache.valkey.r7g.large", "hour", ((0, "0.1752"),), "primary", date(2025, 4, 24)),
    "writes": ("Amazon DynamoDB", "dynamodb.write", "1M requests", ((0, "0.625"),), "primary", date(2025, 1, 3)),
    "storage": ("Amazon S3", "s3.standard", "GB-month", ((0, "0.023"), (51200, "0.022"), (512000, "0.021")), "primary", date(2026, 9, 11)),
    "egress": ("Amazon CloudFront", "cloudfront.out.us", "GB", ((0, "0.085"), (10240, "0.080"), (51200, "0.060")), "primary", date(2026, 2, 2)),
    "identity": ("Amazon Cognito", "cognito.essentials.mau", "user", ((0, "0"), (10000, "0.015")), "secondary", None),
    "logs": ("Amazon CloudWatch", "cw.logs.ingest", "GB", ((0, "0.50"),), "secondary", date(2024, 8, 1)),
    "waf": ("AWS WAF", "waf.requests", "1M requests", ((0, "0.60"),), "assumed", date(2026, 5, 6)),
    "support": ("AWS Support", "support.business", "USD", ((0, "0.07"),), "assumed", date(2026, 5, 6)),
}  # fmt: skip
_SOURCE = "AWS price list, offer of the day, read through a published copy with its SKU"


def make_rate(name: str, region: str) -> Rate:
    service, key, unit, bands, confidence, read = _PRICES[name]
    ends = [Decimal(start) for start, _ in bands[1:]] + [INFINITE]
    return Rate(
        *(service, key, region, unit, 1024, f"{name} in {region}"),
        tuple(
            Band(Decimal(start), end, Decimal(price), Confidence(confidence), read, _SOURCE, "JRTCKXETXF")
            for (start, price), end in zip(bands, ends, strict=True)
        ),
    )


def make_lines(name: str, charges: list[Charge], covered: Decimal = Decimal(0)) -> list[Line]:
    """Lines that share one walk along the bands; a commitment covers a part (0 to 1) at 62% of the price."""
    rate = make_rate(name, charges[0].region)
    steps = walk_tiers(rate, sum((charge.quantity for charge in charges), Decimal(0)))
    total = sum((step.cost for step in steps), Decimal(0))
    weights = [charge.quantity for charge in charges]
    by_confidence = {kind: share(cost, weights) for kind, cost in cost_by_confidence(steps).items()}
    lines = []
    for at, (charge, cost) in enumerate(zip(charges, share(total, weights), strict=True)):
        contracted = cost * PRIVATE_RATE
        effective = contracted * (1 - covered * Decimal("0.38"))
        found = {kind: costs[at] for kind, costs in by_confidence.items()}
        lines.append(Line(charge, rate, rate.service, cost, contracted, effective, found))
    return lines


def make_charge(price: str, quantity: str, region: str, environment: str = "prod", **more: object) -> Charge:
    tags = {"env": environment, "owner": "platform", "cost-center": "4100"}
    defaults: dict[str, object] = {
        "origin": Origin.SCENARIO,
        "environment": environment,
        "key": _PRICES[price][1],
        "region": region,
        "quantity": Decimal(quantity),
        "name": f"{price} of {environment} in {region}",
        "driver": "messages.sent",
        "tags": tags,
    }
    return Charge(**(defaults | more))  # type: ignore[arg-type]


def _tasks(region: str, environment: str, scale: int) -> list[Charge]:
    parts = (("gateway", Part.CURVE, "2920.5"), ("ingest", Part.DECLARED, "1460"), ("fan-out", Part.ADDED, "730.25"))
    return [
        make_charge(
            "task",
            str(Decimal(hours) * scale),
            region,
            environment,
            origin=Origin.GRAPH,
            part=part,
            name=f"{service} tasks: vCPU ({environment})",
            driver="connections.peak",
            urn=f"urn:pulumi:{environment}-{region}::nottermost-chat::aws:ecs/service:Service::{service}",
        )
        for service, part, hours in parts
    ]


def make_estimate() -> Estimate:
    lines: list[Line] = []
    for environment, scale in (("prod", 20), ("staging", 1)):
        for region in ("us-east-1", "eu-west-1"):
            lines += make_lines("task", _tasks(region, environment, scale), Decimal("0.7"))
            lines += [
                line
                for name, quantity in (("database", 2190), ("cache", 4380), ("writes", 3652), ("logs", 1800))
                for line in make_lines(name, [make_charge(name, str(quantity * scale), region, environment)])
            ]
            shared = [
                make_charge("storage", str(base * scale), region, environment, name=f"{what} in S3 ({environment})")
                for what, base in (("files", 4100), ("pictures", 917), ("archive", 12001), ("backups", 733))
            ]
            lines += make_lines("storage", shared)
            lines += make_lines("waf", [make_charge("waf", "91.25", region, environment, tags={"env": environment})])
        lines += make_lines("egress", [make_charge("egress", str(21000 * scale), "edge:us", environment)])
        lines += make_lines("identity", [make_charge("identity", str(125000 * scale), "global", environment)])
    odd = {"env": "prod", "owner": '=HYPERLINK("x")', "cost-center": "<b>04100</b>"}
    lines += make_lines(
        "database",
        [
            make_charge(
                "database",
                "730",
                "us-east-1",
                name="+reader [bold]of reports[/bold]",
                tags=odd,
                place="ap-southeast-2",
                factor=Decimal(1),
            )
        ],
    )
    lines.append(make_unused())
    lines += make_lines("support", [make_charge("support", "9000", "global", origin=Origin.TERMS, tags={})])
    listed = sum((line.list_cost for line in lines), Decimal(0))
    return Estimate(
        *("prod", "growth", "two", Sizing.SCENARIO, "terms.yaml", "dynamodb", 12, DAY, tuple(lines)),
        quantities=make_quantities(),
        inputs=make_inputs(),
        types=(
            TypeCoverage("aws:ecs/service:Service", 12, Treatment.PRICED, "tasks by vCPU and memory"),
            TypeCoverage("aws:iam/role:Role", 88, Treatment.FREE, "IAM has no charge"),
            TypeCoverage("aws:sqs/queue:Queue", 6, Treatment.USAGE, "by requests"),
            TypeCoverage("aws:fis/experimentTemplate:ExperimentTemplate", 3, Treatment.UNPRICED, "no source has a price"),
        ),
        findings=make_findings(),
        commitments=(
            Commitment(
                "compute savings plan, one year, all upfront",
                "Fargate",
                covered=Decimal(6000),
                upfront=Decimal(44640),
                recurring=Decimal(0),
                amortised=Decimal(3720),
                unused=Decimal("120.5"),
                reason="covers 70% of the task hours",
            ),
        ),
        alternatives={Sizing.SCENARIO: listed, Sizing.DECLARED: listed * Decimal("0.8")},
    )  # fmt: skip


def make_unused() -> Line:
    """The unused part of a commitment: a cost without a price."""
    name = "compute savings plan, one year, all upfront"
    rate = Rate("Fargate", name, "global", "USD", 1000, "Unused part of a commitment", ())
    charge = Charge(
        Origin.TERMS,
        "prod",
        name,
        "global",
        Decimal("120.5"),
        f"unused part of {name}",
        "coverage",
        tags={"env": "prod"},
    )
    return Line(charge, rate, "Fargate", Decimal(0), Decimal(0), Decimal("120.5"), {Confidence.ASSUMED: Decimal(0)})


def make_quantities() -> tuple[Quantity, ...]:
    return (
        Quantity("users.dau", "", Decimal(1_000_000), "users", "users.dau"),
        Quantity("users.mau", "", Decimal(2_500_000), "users", "users.dau x users.mau_per_dau"),
        Quantity("messages.sent", "us-east-1", Decimal("851666666.7"), "messages", "=users.dau x messages.per_dau_day"),
        Quantity("messages.sent", "eu-west-1", Decimal(365000000), "messages", "=users.dau x messages.per_dau_day"),
        Quantity("storage.gb", "", Decimal("355020.5"), "GB", "messages.sent x body_bytes.p50 x retention_months"),
        Quantity("connections.peak", "", Decimal(0), "connections", "users.dau x peak_concurrency"),
        Quantity("edge.bytes_out", "edge:us", Decimal("25030973549953.2"), "B", "(deliveries + pages + files) x share"),
        Quantity("edge.bytes_out", "edge:eu", Decimal("12515486774976.6"), "B", "(deliveries + pages + files) x share"),
        *(
            Quantity(
                f"connections.hour.{hour:02}",
                region,
                Decimal(peak * (2 + abs(12 - hour)) / 14),
                "connections",
                "the curve",
            )
            for region, peak in (("us-east-1", 140_000), ("eu-west-1", 70_000))
            for hour in range(24)
        ),
        *(
            Quantity(f"storage.gb.month.{month:02}", "", Decimal(29_585 * month), "GB", "store, archive and files")
            for month in (1, 3, 6, 24, 36, 48, 60)
        ),
    )


def make_inputs() -> tuple[Input, ...]:
    rows = (
        ("messages.per_dau_day", "25", "40", "70", Kind.SCENARIO),
        ("messages.fan_out.mean_online", "6", "10", "18", Kind.SCENARIO),
        ("attachments.bytes_mean", "200000", "300000", "800000", Kind.SCENARIO),
        ("attachments.per_dau_day", "0.3", "0.5", "0.9", Kind.SCENARIO),
        ("attachments.cdn_hit", "0.8", "0.9", "0.95", Kind.SCENARIO),
        ("users.peak_concurrency", "0.1", "0.15", "0.2", Kind.SCENARIO),
        ("gateway.connections_per_vcpu_of_a_large_region", "1250", "2500", "25000", Kind.CITED),
        ("logs.bytes_per_message", "150", "400", "900", Kind.ASSUMED),
        ("retention_months.archive", "24", "60", "84", Kind.SCENARIO),
        ("reads.per_message", "4", "10", "20", Kind.SCENARIO),
        ("dynamodb.write_units_per_message", "3", "5", "6", Kind.MEASURED),
        ("terms.savings_plan_coverage", "0.5", "0.7", "0.8", Kind.TERMS),
        ("reads.cache_hit", "0.6", "0.8", "0.9", Kind.SCENARIO),
        ("users.mau_per_dau", "2.5", "2.5", "2.5", Kind.SCENARIO),
    )
    return tuple(
        Input(name, Decimal(value), Decimal(low), Decimal(high), "", "a cited figure with its page", kind)
        for name, low, value, high, kind in rows
    )


def make_findings() -> tuple[SizeFinding, ...]:
    rows = (
        ("search nodes (r6g.large.search)", "4", "3", Fit.FITS, "searches a second decide", "0"),
        ("gateway tasks", "31", "24", Fit.TOO_SMALL, "connections at the peak decide", "812.4"),
        ("cache nodes", "2", "6", Fit.TOO_LARGE, "memory of presence decides", "0"),
    )
    return tuple(
        SizeFinding(what, "prod", "us-east-1", Decimal(needed), Decimal(declared), "nodes", fit, why, Decimal(cost))
        for what, needed, declared, fit, why, cost in rows
    )


def make_sensitivity(estimate: Estimate) -> Sensitivity:
    base = estimate.total()
    moving = [each for each in estimate.inputs if each.has_range]
    bars = tuple(
        Bar(each, base * (100 - swing) / 100, base * (100 + 2 * swing) / 100)
        if at % 4
        else Bar(each, base * (100 + swing) / 100, base * (100 - swing) / 100)
        for at, (each, swing) in enumerate(zip(moving, range(26, 0, -2), strict=True))
    )
    percentiles = {5: base * Decimal("0.7"), 50: base * Decimal("1.04"), 95: base * Decimal("1.6")}
    return Sensitivity(base, percentiles, base / 2, base * 3, 1000, 7, bars)


@pytest.fixture(scope="session")
def estimate() -> Estimate:
    """Some 60 lines of prod and staging."""
    return make_estimate()


@pytest.fixture(scope="session")
def figures(estimate: Estimate) -> Figures:
    """Its numbers, with sensitivities."""
    return Figures(estimate, make_sensitivity(estimate))


# --- pages ----------------------------------------------------------------------------------------

_OVERLAPS: Final = """() => {
  const texts = [...document.querySelectorAll('svg text')].map(e => [e.textContent, e.getBoundingClientRect()]);
  const found = [];
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const [a, b] = [texts[i][1], texts[j][1]];
    if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
      found.push(`${texts[i][0]} | ${texts[j][0]}`);
  }
  return found;
}"""
_OUTSIDE: Final = """() => [...document.querySelectorAll('svg text')].filter(e => {
  const [text, drawing] = [e.getBoundingClientRect(), e.closest('svg').getBoundingClientRect()];
  return text.left < drawing.left - 1 || text.right > drawing.right + 1;
}).map(e => e.textContent)"""


class Reader(HTMLParser):
    """Which elements there are, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def drawings(self) -> list[dict[str, str | None]]:
        """Charts; the samples of a legend's lines are none."""
        return [attributes for tag, attributes in self.elements if tag == "svg" and "role" in attributes]


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], Reader]:
    """Reads a page, and fails when it asks for something or when a table or chart cannot be read without seeing."""
    return _read_page


def _read_page(page: str) -> Reader:
    reader = Reader(page)
    tags = {tag for tag, _ in reader.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [
        attributes for _, attributes in reader.elements if {"src", "href", "onclick", "style"} & set(attributes)
    ]
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)
    assert reader.count("table") == reader.count("caption") > 0
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in reader.elements if tag == "th")
    ids = [
        attributes["id"] or "" for tag, attributes in reader.elements if tag in ("title", "desc") and "id" in attributes
    ]
    assert sorted(name for each in reader.drawings for name in (each["aria-labelledby"] or "").split()) == sorted(ids)
    return reader


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Chromium; skipped without one, but not in CI."""
    executable = shutil.which("chromium")
    if executable is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("there is no Chromium here; install it with: apt-get install chromium")
    with sync_playwright() as playwright:  # for one test: its event loop would stay in the thread that others need
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def look_at(browser: Browser, tmp_path: Path) -> Callable[[str, int, str], None]:
    """Opens a page in a window of a width and a colour scheme, and fails for what people would stumble over."""

    def look(page: str, width: int, scheme: str) -> None:
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        shown, troubles = open_page(browser, path, width, scheme)
        try:
            assert troubles == []
            assert shown.evaluate("document.documentElement.scrollWidth") == width
            assert shown.evaluate(_OVERLAPS) == []
            assert shown.evaluate(_OUTSIDE) == []
            background = shown.evaluate("getComputedStyle(document.body).backgroundColor")
            assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 26, 33)")
            shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            assert shown.evaluate("document.documentElement.scrollWidth") == width
            aligned = "[...document.querySelectorAll('td.number')].map(e => getComputedStyle(e).textAlign)"
            assert set(shown.evaluate(aligned)) == {"right"}
            shown.emulate_media(media="print")
            assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        finally:
            shown.close()

    return look


def open_page(browser: Browser, path: Path, width: int, scheme: Any) -> tuple[Page, list[str]]:
    """The page in a window of its own, and what went wrong or was asked for while it loaded."""
    troubles: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, troubles
