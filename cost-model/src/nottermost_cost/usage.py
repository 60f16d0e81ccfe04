"""From quantities to charges: one table of meters says which price each quantity of the workload pays.

A meter is charged where the environment has the resource that it belongs to: no web ACL, no requests
through one. The line carries that resource's URN and tags.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from nottermost_cost.charges import Charge, Origin
from nottermost_cost.errors import PriceNotFound, raise_missing
from nottermost_cost.graph import Graph, Resource
from nottermost_cost.inputs import Values
from nottermost_cost.numeric import HOURS_PER_DAY, HOURS_PER_MONTH, SECONDS_PER_HOUR, Number, largest
from nottermost_cost.pricebook import PriceBook
from nottermost_cost.resources.rules import Surroundings
from nottermost_cost.workload import Quantities, Workload

_TABLE: Final = "aws:dynamodb/table:Table"
_BUCKET: Final = "aws:s3/bucket:Bucket"
_CDN: Final = "aws:cloudfront/distribution:Distribution"
_POOL: Final = "aws:cognito/userPool:UserPool"
_LOGS: Final = "aws:cloudwatch/logGroup:LogGroup"
_METRICS: Final = "aws:amp/workspace:Workspace"
_VPC: Final = "aws:ec2/vpc:Vpc"
_UNIT_NEW_PER_S: Final = 25  # new connections a second in a balancer's capacity unit, and open ones; beside them a
_UNIT_OPEN: Final = 3_000  # unit moves 1 GB an hour (AWS's price page, read for ADR 0022)


@dataclass(frozen=True, slots=True)
class Meter:
    """One price that a quantity pays.

    Attributes:
        key: of the price; `{zone}` stands for the zone of an edge, `{tier}` for that of the user pool.
        quantity: of the workload; the price's region is its place.
        type, resource: the resource that it is for; `resource` is a part of its name, "" for the first of its type.
    """

    key: str
    quantity: str
    name: str
    type: str
    resource: str = ""


METERS: Final = (
    # message store
    Meter("ddb.ondemand.wru", "store.writes", "message store: writes", _TABLE),
    Meter("ddb.ondemand.rru", "store.reads", "message store: reads", _TABLE),
    Meter("ddb.global.rwru", "store.copied_writes", "message store: writes to the replica", _TABLE),
    Meter("ddb.storage.standard", "store.bytes", "message store: storage", _TABLE),
    Meter("ddb.backup.pitr", "store.bytes", "message store: point-in-time recovery", _TABLE),
    Meter("backup.dynamodb", "backup.store_bytes", "message store: daily copies", _TABLE),
    Meter("rds.postgres.backup", "backup.directory_bytes", "directory: backups beyond its size", "aws:rds/instance:Instance"),
    Meter("backup.s3", "backup.archive_bytes", "archive: backups", _BUCKET, "archive"),
    # files and archive: intelligent tiering from the first day, as the buckets' lifecycle says
    Meter("s3.standard.storage", "files.bytes_untiered", "small files and thumbnails", _BUCKET, "files"),
    Meter("s3.it.frequent", "files.bytes_recent", "files of the last month", _BUCKET, "files"),
    Meter("s3.it.infrequent", "files.bytes_infrequent", "files of the two months before", _BUCKET, "files"),
    Meter("s3.it.archive_instant", "files.bytes_instant", "older files", _BUCKET, "files"),
    Meter("s3.it.monitoring", "files.monitored", "files: monitoring of tiers", _BUCKET, "files"),
    Meter("s3.lifecycle", "files.moved", "files: moves into tiers", _BUCKET, "files"),
    Meter("s3.standard.put", "files.puts", "files: uploads and their copies", _BUCKET, "files"),
    Meter("s3.standard.get", "files.gets", "files: downloads that the edge has not", _BUCKET, "files"),
    Meter("s3.it.frequent", "archive.bytes_recent", "messages archived in the last month", _BUCKET, "archive"),
    Meter("s3.it.infrequent", "archive.bytes_infrequent", "messages archived two months before", _BUCKET, "archive"),
    Meter("s3.it.archive_instant", "archive.bytes_instant", "older archived messages", _BUCKET, "archive"),
    Meter("s3.standard.put", "archive.puts", "archive: objects written", _BUCKET, "archive"),
    Meter("s3.standard.storage", "logs.files", "access logs of edge and balancer", _BUCKET, "logs"),
    # edge
    Meter("cloudfront.out.{zone}", "edge.bytes_out", "delivery to users", _CDN),
    Meter("cloudfront.origin.{zone}", "edge.bytes_to_origin", "uploads and requests to the origin", _CDN),
    Meter("cloudfront.https.{zone}", "edge.requests", "requests at the edge", _CDN),
    Meter("waf.requests", "waf.requests", "requests through the web ACLs", "aws:wafv2/webAcl:WebAcl"),
    Meter("alb.lcu_hour", "balancer.units", "balancer: capacity units", "aws:lb/loadBalancer:LoadBalancer"),
    # side effects and people
    Meter("sns.mobile_push", "push.notifications", "mobile push", "aws:sns/topic:Topic", "push"),
    Meter("sns.requests", "push.notifications", "push: publishes", "aws:sns/topic:Topic", "push"),
    Meter("sns.requests", "files.announced", "uploads: announcements", "aws:sns/topic:Topic", "upload"),
    Meter("sqs.standard", "queues.requests", "queues: requests", "aws:sqs/queue:Queue", "push"),
    Meter("cognito.{tier}", "identity.users", "accounts", _POOL),
    Meter("lambda.requests", "identity.tokens", "claims function: calls", "aws:lambda/function:Function", "claims"),
    Meter("lambda.arm.gb_second", "identity.gb_seconds", "claims function: run time", "aws:lambda/function:Function", "claims"),
    Meter("amg.editor", "grafana.editors", "dashboards: editors", "aws:grafana/workspace:Workspace"),
    Meter("amg.viewer", "grafana.viewers", "dashboards: viewers", "aws:grafana/workspace:Workspace"),
    # network
    Meter("nat.gb", "nat.bytes", "NAT: data", "aws:ec2/natGateway:NatGateway"),
    Meter("dt.internet_out", "webhooks.bytes", "webhooks to the internet", _VPC),
    Meter("vpc.endpoint.interface.gb", "endpoints.bytes", "interface endpoints: data", "aws:ec2/vpcEndpoint:VpcEndpoint"),
    Meter("dt.inter_az", "network.cross_zone_bytes", "between zones, both directions", _VPC),
    Meter("dt.inter_region", "network.cross_region_bytes", "copies to the standby region", _VPC),
    # logs, metrics, traces
    Meter("cw.logs.ingest", "logs.bytes", "logs: ingestion", _LOGS),
    Meter("cw.logs.ingest", "logs.trail", "trail: ingestion", "aws:cloudtrail/trail:Trail"),
    Meter("cw.logs.vended", "logs.flow_bytes", "flow logs: ingestion", "aws:ec2/flowLog:FlowLog"),
    Meter("cw.logs.storage", "logs.stored", "logs: storage", _LOGS),
    Meter("cw.metric", "insights.metrics", "container insights", "aws:ecs/cluster:Cluster"),
    Meter("amp.samples", "metrics.samples", "metrics: samples written", _METRICS),
    Meter("amp.query_samples", "metrics.queried", "metrics: samples read", _METRICS),
    Meter("amp.storage", "metrics.bytes", "metrics: storage", _METRICS),
    Meter("xray.recorded", "traces.recorded", "traces", "aws:xray/samplingRule:SamplingRule"),
    # keys, secrets, images, inventory
    Meter("config.item", "inventory.items", "inventory: configuration items", "aws:cfg/recorder:Recorder"),
    Meter("cloudtrail.insight", "audit.events", "trail: insights", "aws:cloudtrail/trail:Trail"),
    Meter("kms.request", "kms.requests", "keys: requests", "aws:kms/key:Key"),
    Meter("secrets.api_request", "secrets.requests", "secrets: requests", "aws:secretsmanager/secret:Secret"),
    Meter("ecr.storage", "images.bytes", "images", "aws:ecr/repository:Repository"),
    Meter("ec2.m7g.large.linux.spot", "delivery.build_hours", "build agents", "aws:autoscaling/group:Group", "build"),
)  # fmt: skip


def derive_operations(workload: Workload, task_hours: Mapping[str, Number], values: Values) -> None:
    """Add what running it takes: balancers, logs, metrics, traces, keys; some of it follows the tasks that run."""
    q, home = workload.quantities, workload.shape.home
    served = workload.shape.served
    requests, sent = q("requests.api"), q("messages.sent")
    q.add("waf.requests", q.total("edge.requests") + requests + q.total("connections.opened"), "requests",
          "edge.requests at the edge's web ACL, requests.api and connections.opened at the balancer's", home)  # fmt: skip
    for region in served:
        q.add("balancer.units", _balancer_units(workload, region, values), "LCU-hours",
              "by hour: the largest of new and open connections, and GB", region)  # fmt: skip
    log_bytes = q.add(
        "logs.bytes",
        sent * values["logs.bytes_per_message"]
        + (requests + q.total("connections.opened")) * values["logs.bytes_per_request"],
        "B", "messages.sent x logs.bytes_per_message + requests x logs.bytes_per_request", home,
    )  # fmt: skip
    keys = q.add("kms.requests", (requests + sent) * values["kms.requests_per_request"], "requests",
                 "(requests.api + messages.sent) x kms.requests_per_request", home)  # fmt: skip
    q.add("audit.events", (keys + values["audit.events"]) * 2, "events",
          "(kms.requests + audit.events) x 2 kinds of insight", home)  # fmt: skip
    q.add("logs.trail", (keys + values["audit.events"]) * values["audit.bytes_per_event"], "B",
          "(kms.requests + audit.events) x audit.bytes_per_event", home)  # fmt: skip
    files = (q.total("edge.requests") + requests) * values["logs.file_bytes_per_request"] * values["logs.file_months"]
    q.add("logs.files", files, "B",
          "(edge.requests + requests.api) x logs.file_bytes_per_request x logs.file_months", home)  # fmt: skip
    q.add("files.announced", q("attachments.uploaded") * 1, "notifications", "attachments.uploaded", home)
    flows = sum(q("connections.minutes", region) for region in served) * values["logs.flow_bytes_per_connection_minute"]
    q.add("logs.flow_bytes", flows, "B", "connections.minutes x logs.flow_bytes_per_connection_minute", home)
    q.add(
        "logs.stored", (log_bytes + flows) * values["logs.stored_ratio"] * values["logs.retention_months"], "B",
        "(logs.bytes + logs.flow_bytes) x logs.stored_ratio x logs.retention_months", home,
    )  # fmt: skip
    q.add("traces.recorded", (requests + sent) * values["traces.sample_ratio"], "traces",
          "(requests.api + messages.sent) x traces.sample_ratio", home)  # fmt: skip
    q.add("endpoints.bytes", log_bytes + q("push.notifications", home) * values["webhooks.bytes"], "B",
          "logs.bytes + notifications", home)  # fmt: skip
    for place in (home, *workload.shape.standbys):
        q.add("images.bytes", values["images.gb"] * 1024**3, "B", "images.gb", place)
        q.add("inventory.items", values["inventory.items"] * 1, "items", "inventory.items", place)
        _follow_tasks(q, place, task_hours.get(place, Decimal(0)), values, home)
    q.add("grafana.editors", values["terms.grafana.editors"] * 1, "people", "terms.grafana.editors", home)
    q.add("grafana.viewers", values["terms.grafana.viewers"] * 1, "people", "terms.grafana.viewers", home)
    q.add("delivery.build_hours", values["delivery.build_hours"] * 1, "h", "delivery.build_hours", home)
    changed = q("users.mau") * values["directory.bytes_per_user"] * values["directory.changed_per_day"]
    q.add("backup.directory_bytes", changed * values["backup.directory_days"], "B",
          "users.mau x directory.bytes_per_user x directory.changed_per_day x backup.directory_days", home)  # fmt: skip


def _follow_tasks(q: Quantities, place: str, hours: Number, values: Values, home: str) -> None:
    """What follows the tasks that run in a region."""
    tasks = hours / HOURS_PER_MONTH
    samples = q.add(
        "metrics.samples", hours * values["metrics.series_per_task"] * values["metrics.scrapes_per_hour"], "samples",
        "task hours x metrics.series_per_task x metrics.scrapes_per_hour", place,
    )  # fmt: skip
    q.add(
        "metrics.queried",
        samples * values["metrics.query_ratio"],
        "samples",
        "metrics.samples x metrics.query_ratio",
        place,
    )
    q.add(
        "metrics.bytes", samples * values["metrics.bytes_per_sample"] * values["metrics.retention_months"], "B",
        "metrics.samples x metrics.bytes_per_sample x metrics.retention_months", place,
    )  # fmt: skip
    q.add(
        "insights.metrics",
        tasks * values["insights.metrics_per_task"],
        "metrics",
        "tasks x insights.metrics_per_task",
        place,
    )
    q.add("secrets.requests", hours * values["secrets.requests_per_task_hour"], "requests",
          "task hours x secrets.requests_per_task_hour", place)  # fmt: skip
    outside = q("webhooks.bytes", place) if place == home else 0
    q.add("nat.bytes", samples * values["nat.bytes_per_sample"] + outside, "B",
          "metrics.samples x nat.bytes_per_sample + webhooks.bytes", place)  # fmt: skip


def _balancer_units(workload: Workload, region: str, values: Values) -> Number:
    """LCU-hours: for each hour the largest of what a unit holds."""
    q = workload.quantities
    connections = workload.connections[region]
    whole = sum(sum(each) for each in workload.connections.values())
    opened = sum(each.value for each in q.places("connections.opened") if each.place.startswith(f"{region}/"))
    carried = q("socket.bytes_out") + q("socket.bytes_in") + q("requests.bytes_out")
    carried = carried + q("requests.api") * values["api.request_bytes"]
    hours: list[Number] = []
    for each in connections:
        part = each / sum(connections)
        new = opened * HOURS_PER_DAY / HOURS_PER_MONTH * part / SECONDS_PER_HOUR
        moved = carried * HOURS_PER_DAY / HOURS_PER_MONTH * each / whole / 1024**3
        hours.append(largest(new / _UNIT_NEW_PER_S, each / _UNIT_OPEN, moved))
    return sum(hours) * HOURS_PER_MONTH / HOURS_PER_DAY


def charge_usage(workload: Workload, graph: Graph, book: PriceBook, day: date) -> list[Charge]:
    """A charge for each quantity that has a meter and a resource. Raises: PriceError with all that are missing."""
    resources, around = _index(graph), Surroundings(graph)
    charges = []
    missing = []
    for meter in METERS:
        for quantity in workload.quantities.places(meter.quantity):
            region = quantity.place or workload.shape.home
            resource = _find(resources, meter, region, workload.shape.home)
            if resource is None:
                continue
            key = _key(meter, region, resource)
            try:
                rate = book.find(key, region, day)
            except PriceNotFound as error:
                missing.append(error)
                continue
            charges.append(
                Charge(
                    origin=Origin.SCENARIO,
                    environment=graph.env,
                    key=rate.key,
                    region=region,
                    quantity=_in_units(quantity.value, rate.unit_size),
                    name=meter.name,
                    driver=meter.quantity,
                    urn=resource.urn,
                    tags=around.tags(resource),
                )
            )
    raise_missing(missing)
    return charges


def _in_units(value: Number, size: Decimal) -> Number:
    return value / (size if isinstance(value, Decimal | int) else float(size))


def _key(meter: Meter, region: str, resource: Resource) -> str:
    tier = str(resource.inputs.get("userPoolTier", "ESSENTIALS")).lower()
    return meter.key.format(zone=region.removeprefix("edge:"), tier=tier)


def _index(graph: Graph) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for resource in graph:
        found.setdefault(resource.type, []).append(resource)
    return found


def _find(resources: Mapping[str, Iterable[Resource]], meter: Meter, region: str, home: str) -> Resource | None:
    """The resource of the region, else of the home region for what is sold at edges and for copies of a table."""
    named = [each for each in resources.get(meter.type, ()) if meter.resource in each.name]
    near = [each for each in named if each.region == region]
    far = [each for each in named if each.region == home] if region.startswith("edge:") or meter.type == _TABLE else []
    return next(iter([*near, *far]), None)
