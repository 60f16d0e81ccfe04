"""The readers of the areas, and how they are all run: side by side, each failure kept as what could not be read."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from nottermost_platform.differences import parse_text
from nottermost_platform.drift.account import Account, NotReadable, View, tags_of
from nottermost_platform.drift.compare import compare
from nottermost_platform.drift.kinds import key_names, place_of
from nottermost_platform.drift.values import EVERY, GLOBAL, Drift, Found, Reading, Tagged, Unread
from nottermost_platform.graph import Graph
from nottermost_platform.naming import PRIMARY

READERS_AT_ONCE: Final = 8
DETAILS_AT_ONCE: Final = 12  # of all readers together: below the rates at which AWS throttles an account
PROVIDERS: Final = "pulumi:providers:"
Read = Callable[[View], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads some types of one region; those of IAM, which is in none, once."""

    types: tuple[str, ...]
    read: Read

    @property
    def is_global(self) -> bool:
        return place_of(self.types[0], PRIMARY) == GLOBAL


READERS: Final[list[Reader]] = []


def reader(*types: str) -> Callable[[Read], Read]:
    """Enters a function among the readers. `types`: all that it yields."""

    def enter(read: Read) -> Read:
        READERS.append(Reader(types, read))
        return read

    return enter


def compared_types() -> frozenset[str]:
    """The types that drift compares."""
    return frozenset(type_ for each in READERS for type_ in each.types)


def find_drift(
    graph: Graph, *, stack: str | None = None, region: str | None = None, account: Account | None = None
) -> Drift:
    """How the account differs from an environment's graph; what is not of the stack or region is left out.

    Raises: AccountError when it is another account, or nobody answers.
    """
    asked = account or Account()
    account_id = asked.check(PRIMARY, allowed_accounts(graph))
    reading = read_account(graph, asked, account_id)
    return compare(graph, reading, account=account_id, types=compared_types(), stack=stack, region=region)


def allowed_accounts(graph: Graph) -> frozenset[str]:
    """The accounts that the environment's providers allow."""
    said = (each.inputs.get("allowedAccountIds") for each in graph.resources() if each.type.startswith(PROVIDERS))
    return frozenset(str(account) for text in said for account in parse_text(text) or ())


def read_account(graph: Graph, account: Account, account_id: str) -> Reading:
    """Everything in the account that the readers know of, in every region of the graph."""
    regions = sorted({each.region for each in graph.resources() if each.is_aws})
    declared = {region: _declared_names(graph, region) for region in (*regions, GLOBAL)}
    with ThreadPoolExecutor(READERS_AT_ONCE) as pool, ThreadPoolExecutor(DETAILS_AT_ONCE) as details:
        views = [
            View(
                account=account, account_id=account_id, region=region, env=graph.env, declared=declared, pool=details
            )
            for region in (*regions, GLOBAL)
        ]  # fmt: skip
        parts = list(pool.map(_read_tagged, views))
        jobs = [pool.submit(_run, each, view) for view in views for each in READERS if each.is_global == view.is_global]
        parts += [job.result() for job in jobs]
    return Reading(
        found=[found for part in parts for found in part.found],
        unread=[each for part in parts for each in part.unread] + [each for view in views for each in view.unread],
        tagged=[each for part in parts for each in part.tagged],
    )


def _run(reader: Reader, view: View) -> Reading:
    try:
        return Reading(list(reader.read(view)), [])
    except NotReadable as error:
        return Reading([], [Unread(type_, view.region, EVERY, str(error)) for type_ in reader.types])


def _read_tagged(view: View) -> Reading:
    """Whatever bears the environment's tag, of every service that tells; the readers are spared asking for it."""
    if view.is_global:
        return Reading([], [])
    service, filters = "resourcegroupstaggingapi", [{"Key": "env", "Values": [view.env]}]
    try:
        found = view.list(service, "get_resources", "ResourceTagMappingList", TagFilters=filters, ResourcesPerPage=100)
    except NotReadable as error:
        return Reading([], [Unread("tags", view.region, EVERY, str(error))])
    tagged = [Tagged(each["ResourceARN"], view.region, tags_of(each["Tags"])) for each in found]
    view.tags.update({each.arn: each.tags for each in tagged})
    return Reading([], [], tagged)


def _declared_names(graph: Graph, region: str) -> dict[str, set[str]]:
    """The physical names that the programs declare in a region, by type."""
    names: dict[str, set[str]] = {}
    for resource in graph.resources():
        if place_of(resource.type, resource.region) == region:
            for key in key_names(resource.type)[-1:]:
                names.setdefault(resource.type, set()).add(str(resource.inputs.get(key)))
    return names
