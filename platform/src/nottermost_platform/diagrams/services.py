"""The chat's services: who calls whom and through which queues they work, and what each of them uses."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from nottermost_platform.diagrams.drawing import (
    COMPUTE,
    OUTSIDE,
    PLAIN,
    QUIET,
    SMALL,
    STORE,
    TRAFFIC,
    Paint,
    Picture,
    Swatch,
    card,
    cell,
    digraph,
    edge,
    font,
    node,
    row,
    table,
)
from nottermost_platform.diagrams.uses import SERVICE, TOPIC, Use, find_uses, merge_uses
from nottermost_platform.diagrams.words import call, component_name, paint_of, resources_of
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.reachability import Kind, find_reaches

BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
QUEUE: Final = "aws:sqs/queue:Queue"
READ: Final = Paint("#dbeafe", "#93c5fd")
WRITE: Final = Paint("#fed7aa", "#fdba74")
BOTH: Final = Paint("#fde68a", "#fcd34d")
USED: Final = Paint("#e2e8f0", "#cbd5e1")
GROUPS: Final = (  # rows of the table, by type
    ("DynamoDB", ("aws:dynamodb/table:Table", "aws:dynamodb/tableReplica:TableReplica")),
    ("PostgreSQL", ("aws:rds/proxy:Proxy", "aws:rds/instance:Instance")),
    ("Kafka", (TOPIC,)),
    ("Queues", (QUEUE, "aws:sns/topic:Topic")),
    ("Cache", ("aws:elasticache/replicationGroup:ReplicationGroup",)),
    ("Search", ("aws:opensearch/domain:Domain",)),
    ("Buckets", ("aws:s3/bucket:Bucket",)),
    ("Identity", ("aws:cognito/userPool:UserPool",)),
    ("Secrets", ("aws:secretsmanager/secret:Secret",)),
    ("Keys", ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey")),
)


def draw_services(graph: Graph, region: str = PRIMARY) -> list[Picture]:
    """How the services work together, and the table of what they use; nothing where no service runs."""
    services = _Services(graph, region)
    return [services.flow(), services.table()] if services.names else []


class _Services:
    def __init__(self, graph: Graph, region: str) -> None:
        self.graph, self.region, self.resources = graph, region, resources_of(graph)
        self.calls = sorted(set(self._calls()))
        found = {self._name(each) for each in self.resources.values() if each.type == SERVICE and each.region == region}
        self.names = sorted(found, key=self._order)
        self.uses = merge_uses(each for each in find_uses(graph) if each.region == region)

    def _name(self, resource: Resource) -> str:
        return component_name(resource, self.resources) if resource.type == SERVICE else call(resource.type)

    def _order(self, service: str) -> tuple[int, str]:
        """Who is called by the load balancer, then who is called by others, then the workers."""
        callers = {source for source, target, _ in self.calls if target == service}
        return (0 if call(BALANCER) in callers else 1 if callers else 2, service)

    def _calls(self) -> Iterator[tuple[str, str, str]]:
        """(caller, called, port) of services and the load balancer, as the security groups let them."""
        for reach in find_reaches(self.graph):
            for target in (self.resources[urn] for urn in reach.wearers):
                if target.type != SERVICE or target.region != self.region:
                    continue
                for source in (self.resources[urn] for urn in reach.source_wearers):
                    yield self._name(source), self._name(target), str(reach.ports)
                if reach.source.kind is not Kind.GROUP:
                    yield reach.source.name, self._name(target), str(reach.ports)

    # --- the flow -------------------------------------------------------------------------------

    def flow(self) -> Picture:
        return Picture(
            name="services",
            title=f"How the services of {self.graph.env} work together",
            caption=(
                "Solid arrows are calls, with their port; dashed ones are messages, from who writes a topic or a queue"
                " to who reads it. Stores and dead letters are in the table of uses."
            ),
            legend=(
                Swatch(COMPUTE, "service, in two colours (blue, green)"),
                Swatch(STORE, "topic or queue"),
                Swatch(TRAFFIC, "load balancer"),
            ),
            source=digraph(self._flow(), rankdir="LR", nodesep=0.22, ranksep=0.85),
        )

    def _flow(self) -> Iterator[str]:
        for name in self.names:
            yield node(name, card(name, [self._scale(name)], COMPUTE, chars=22))
        for name in sorted({source for source, _, _ in self.calls} - set(self.names)):
            yield node(name, card(name.capitalize(), [], TRAFFIC))
        for source, target, port in self.calls:
            yield edge(source, target, port)
        for urn in sorted(
            {each.resource for each in self.uses.values()}, key=lambda urn: (urn.rpartition("::")[2], urn)
        ):
            resource = self.resources[urn]
            if resource.type in (TOPIC, QUEUE) and not _is_dead(resource):
                yield from self._messages(resource)

    def _messages(self, carrier: Resource) -> Iterator[str]:
        yield node(carrier.urn, card(_short(carrier), [call(carrier.type)], paint_of(carrier.type)))
        for (name, urn), use in sorted(self.uses.items()):
            if urn == carrier.urn and use.reads and use.writes:
                yield edge(name, urn, dir="both", style="dashed")
            elif urn == carrier.urn and use.reads:
                yield edge(urn, name, style="dashed")
            elif urn == carrier.urn and use.writes:
                yield edge(name, urn, style="dashed")

    def _scale(self, name: str) -> str:
        """How many tasks are declared, of the colour that serves."""
        counts = [
            int(each.inputs.get("desiredCount", 0))
            for each in self.resources.values()
            if each.type == SERVICE and each.region == self.region and self._name(each) == name
        ]
        return f"{max(counts)} task{'s' * (max(counts) != 1)}"

    # --- the table ------------------------------------------------------------------------------

    def table(self) -> Picture:
        return Picture(
            name="uses",
            title=f"What each service of {self.graph.env} uses",
            caption=(
                "From the IAM grants, secrets and settings of each service's tasks. Besides, all of them pull images,"
                " write their logs and send figures and traces."
            ),
            legend=(
                Swatch(READ, "reads"),
                Swatch(WRITE, "writes"),
                Swatch(BOTH, "reads and writes"),
                Swatch(USED, "uses: connects, calls, decrypts"),
            ),
            source=digraph([node("uses", self._matrix())]),
        )

    def _matrix(self) -> str:
        blank = cell(font(""), COLSPAN=2)
        rows = [row(blank, *(cell(font(name, bold=True), COMPUTE, BORDER=1) for name in self.names))]
        callers: dict[str, set[str]] = defaultdict(set)
        for source, target, _ in self.calls:
            callers[target].add(source)
        called = [name for name in self.names if callers[name] & set(self.names)]
        rows += self._rows(
            "Calls", [(name, ["calls" * (one in callers[name]) for one in self.names]) for name in called]
        )
        for group, types in GROUPS:
            used = {urn for _, urn in self.uses if self.resources[urn].type in types}
            found = sorted((self.resources[urn] for urn in used), key=lambda each: (each.name, each.urn))
            rows += self._rows(group, [(_short(each), self._marks(each)) for each in found])
        return table(rows, CELLSPACING=1, CELLPADDING=4)

    def _marks(self, resource: Resource) -> list[str]:
        return [_mark(self.uses.get((name, resource.urn))) for name in self.names]

    def _rows(self, group: str, lines: list[tuple[str, list[str]]]) -> Iterator[str]:
        for place, (name, marks) in enumerate(lines):
            heading = [] if place else [cell(font(group, bold=True), ROWSPAN=len(lines), ALIGN="RIGHT", VALIGN="TOP")]
            yield row(*heading, cell(font(name), OUTSIDE, ALIGN="LEFT"), *map(_marked, marks))


def _mark(use: Use | None) -> str:
    if use is None:
        return ""
    return "both" if use.reads and use.writes else "reads" if use.reads else "writes" if use.writes else "uses"


def _marked(mark: str) -> str:
    paint = {"": PLAIN, "reads": READ, "writes": WRITE, "both": BOTH}.get(mark, USED)
    return cell(font(mark, size=SMALL, color=QUIET if not mark else "#1f2937"), paint, WIDTH=52)


def _is_dead(resource: Resource) -> bool:
    return "dead" in resource.name.split("-") or resource.name.endswith(".dead")


def _short(resource: Resource) -> str:
    """A topic by its own name, everything else by its logical one."""
    return str(resource.inputs.get("name", resource.name)) if resource.type == TOPIC else resource.name
