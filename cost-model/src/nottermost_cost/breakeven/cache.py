"""Reads: from DynamoDB alone, through DAX, or with pages in Valkey."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from nottermost_cost.breakeven.curves import (
    Assumption,
    Axis,
    BreakEven,
    NoAnswer,
    Option,
    answer_question,
    space_by_decades,
)
from nottermost_cost.breakeven.setting import SECONDS_PER_MONTH, Setting
from nottermost_cost.capacity import Store, StoreKind, find_stores
from nottermost_cost.numeric import HOURS_PER_MONTH, ceil
from nottermost_cost.report.cells import show_whole
from nottermost_cost.tiers import price_quantity

NO_CACHE: Final = "no cache"
VALKEY: Final = "Valkey"
DAX_STRONG: Final = "DAX with strong reads"
DAX_STALE: Final = "DAX with stale reads"
DAX_NODE: Final = "dax.r5.large"
DAX_NODES_MIN: Final = 3  # one a zone
DAX_NODES_MAX: Final = 11  # of one cluster
DAX_HITS_PER_S: Final = 37_500  # of a node; AWS's sizing page, as generally known
DAX_MISS: Final = 10  # hits' worth of work (DynamoDB developer guide, sizing a DAX cluster)
VALKEY_MISS: Final = 2  # operations: looked for, then put there
_LOW: Final = Decimal(10)
_HIGH: Final = Decimal(1_000_000)


@dataclass(frozen=True)
class Reads:
    """What one read is on average, and what serves it.

    Attributes:
        units: strongly consistent read units; head: of them the page's head, which a page from Valkey still needs.
        peak: busiest second over the mean; hit: the share that a cache answers.
        valkey_per_s: operations of a primary that leave it room.
    """

    units: Decimal
    head: Decimal
    peak: Decimal
    hit: Decimal
    valkey_per_s: Decimal


def ask_cache(setting: Setting) -> BreakEven:
    """x: reads of the message store a second, in the scenario's mix. Raises: NoAnswer without DynamoDB or a cache."""
    reads, here = find_reads(setting)
    cache = _find_cache(setting)
    unit = setting.find("ddb.ondemand.rru", setting.home)
    dax, valkey = setting.find(DAX_NODE, setting.home), setting.find(cache.node_key, setting.home)

    def read(x: Decimal, units: Decimal) -> Decimal:
        return price_quantity(unit, x * SECONDS_PER_MONTH * units / unit.unit_size)

    def dax_nodes(x: Decimal, hit: Decimal) -> Decimal:
        work = x * reads.peak * (hit + (1 - hit) * DAX_MISS)
        return max(Decimal(ceil(work / DAX_HITS_PER_S)), Decimal(DAX_NODES_MIN)) * HOURS_PER_MONTH * dax.bands[0].price

    def valkey_nodes(x: Decimal) -> Decimal:
        work = x * reads.peak * (reads.hit + (1 - reads.hit) * VALKEY_MISS)
        groups = max(Decimal(ceil(work / reads.valkey_per_s)), Decimal(1))
        return groups * cache.nodes * HOURS_PER_MONTH * valkey.bands[0].price

    missed = 1 - reads.hit
    half = reads.units / 2  # an eventually consistent read takes half a unit
    options = (
        Option(NO_CACHE, lambda x: read(x, reads.units), (unit,)),
        Option(
            VALKEY, lambda x: read(x, missed * reads.units + reads.hit * reads.head) + valkey_nodes(x), (unit, valkey)
        ),
        Option(DAX_STRONG, lambda x: read(x, reads.units) + dax_nodes(x, Decimal(0)), (unit, dax)),
        Option(DAX_STALE, lambda x: read(x, missed * half) + dax_nodes(x, reads.hit), (unit, dax)),
    )
    return answer_question(
        "cache",
        "DAX or Redis (Valkey)?",
        Axis("reads of the message store a second", "reads", space_by_decades(min(_LOW, here), max(_HIGH, here)), here),
        options,
        lambda found: _answer(found, setting.scenario),
        (
            Assumption("DAX passes strongly consistent reads through and caches only others", "ADR 0021"),
            Assumption("a page from Valkey costs the strong read of its head, a look-up from it nothing", "ADR 0021"),
            Assumption(f"{reads.hit:.0%} of reads are answered by either cache", "the scenario's reads.cache_hit"),
            Assumption(
                f"a {DAX_NODE} answers {DAX_HITS_PER_S:,} hits a second and a miss is worth {DAX_MISS} of them, "
                f"at least {DAX_NODES_MIN} nodes, and another cluster above {DAX_NODES_MAX}",
                "the DynamoDB developer guide; the hits a node are generally known, not measured",
            ),
            Assumption(
                "Valkey's nodes are counted whole, although routes and presence need them anyway", "in DAX's favour"
            ),
        ),
    )


def find_reads(setting: Setting) -> tuple[Reads, Decimal]:
    """The mean read and how many there are a second. Raises: NoAnswer without a DynamoDB store or reads."""
    q, values = setting.workload.quantities, setting.values
    if not q.places("store.reads_per_page"):
        raise NoAnswer(f"the store {setting.side.shape.store} is not read from DynamoDB: ask with another store")
    lookups, pages = Decimal(q("messages.sent") * values["reads.per_message"]), Decimal(q("history.pages"))
    count = lookups + pages
    if not count:
        raise NoAnswer(f"scenario {setting.scenario} reads nothing: there is nothing to cache")
    busy = Decimal(values["cache.operations_per_vcpu_s"] * values["autoscaling.utilisation"])
    found = Reads(
        units=(lookups + pages * Decimal(q("store.reads_per_page"))) / count,
        head=pages / count,
        peak=Decimal(values["curve.peak_factor"]),
        hit=Decimal(values["reads.cache_hit"]),
        valkey_per_s=busy,
    )
    return found, count / SECONDS_PER_MONTH


def _find_cache(setting: Setting) -> Store:
    """The home region's, with its declared type and copies."""
    for each in find_stores(setting.side.graph):
        if each.kind is StoreKind.CACHE and each.region == setting.home:
            return each
    raise NoAnswer(f"{setting.side.graph.env} has no cache in {setting.home} to compare with")


def _answer(found: BreakEven, scenario: str) -> str:
    none, valkey, strong, stale = (found.cost_here(each) for each in (NO_CACHE, VALKEY, DAX_STRONG, DAX_STALE))
    pays, rivals = found.crossing(NO_CACHE, VALKEY), found.crossing(VALKEY, DAX_STALE)
    first = f"A cache in Valkey pays from {pays.x:,.0f} reads a second on." if pays else "Valkey pays nowhere here."
    other = (
        f", and cheaper than Valkey {'above' if rivals.above == DAX_STALE else 'below'} {rivals.x:,.0f}"
        if rivals
        else ""
    )
    return (
        f"{first} At the {found.here[0].x:,.0f} of {scenario} it costs {show_whole(valkey)} a month with what is still read "
        f"from DynamoDB, instead of {show_whole(none)}. DAX caches only eventually consistent reads, and the message store "
        f"promises strong ones (ADR 0021): it would come on top, {show_whole(strong)}. If reads might be stale it would "
        f"be {show_whole(stale)}{other}, another promise and not another price."
    )
