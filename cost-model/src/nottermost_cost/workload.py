"""From inputs to quantities: what a workload does in a month, before anybody asks what it costs.

Data is in bytes, counts are in pieces, both a month of 730 hours unless a unit says otherwise. Every
quantity carries its formula. The formulas run on decimals for an estimate and on columns for samples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nottermost_cost.errors import ScenarioError
from nottermost_cost.estimate import Quantity
from nottermost_cost.inputs import Values
from nottermost_cost.numeric import (
    HOURS_PER_DAY,
    HOURS_PER_MONTH,
    SECONDS_PER_HOUR,
    Number,
    below,
    ceil,
    exp,
    hours_to_month,
    largest,
    log,
    smallest,
)
from nottermost_cost.scenario import Region

STORES: Final = ("dynamodb", "dynamodb-single", "postgresql")  # designs of the message store (see _Derivation._store)
_KIB: Final = 1024
_READ_UNIT: Final = 4096  # bytes of a strongly consistent read unit
_TRANSACTION: Final = 2  # units that DynamoDB takes for one within a transaction
_TIERED_BYTES: Final = 128 * 1024  # S3 neither monitors nor tiers what is smaller
_AGES: Final = (1, 3, 6, 12, 24, 36, 48, 60)  # months whose storage is shown


@dataclass(frozen=True, slots=True)
class Shape:
    """What is no number: where users are, where they are served, and what the environment consists of.

    Attributes:
        home: the region that appends; standbys: those that hold copies.
        month: since launch; storage has grown for as long, or until its retention.
        further: standbys that are priced like the graph's, so that data goes there too.
        backup_days: how long each daily copy of the message tables is kept; 0 when they are not copied.
        backs_up_archive: whether the archive's bucket is copied too.
    """

    groups: tuple[Region, ...]
    home: str
    standbys: tuple[str, ...]
    store: str
    month: int
    further: int = 0
    backup_days: int = 0
    backs_up_archive: bool = False

    @property
    def served(self) -> tuple[str, ...]:
        """Regions whose gateways hold connections."""
        return tuple(dict.fromkeys(group.region for group in self.groups))


class Quantities:
    """Quantities by name and place, in the order in which they were found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Quantity] = {}

    def __iter__(self) -> Iterator[Quantity]:
        return iter(self._found.values())

    def add(self, name: str, value: Number, unit: str, formula: str, place: str = "") -> Number:
        """Keep a quantity; returns its value."""
        self._found[name, place] = Quantity(name, place, value, unit, formula)
        return value

    def __call__(self, name: str, place: str = "") -> Number:
        """The value of one."""
        return self._found[name, place].value

    def places(self, name: str) -> list[Quantity]:
        """A quantity in each of its places."""
        return [each for (found, _), each in self._found.items() if found == name]

    def total(self, name: str) -> Number:
        """Over all places."""
        return sum((each.value for each in self.places(name)), 0)


@dataclass(frozen=True)
class Workload:
    """Quantities of a month, and the day by hours (UTC) for sizing.

    Attributes:
        connections: by region, open connections in each hour.
        messages_per_s: entries sent in the busiest second of each hour; requests_per_s: REST, likewise.
        deliveries_per_s: by region.
    """

    quantities: Quantities
    connections: Mapping[str, Sequence[Number]]
    messages_per_s: Sequence[Number]
    requests_per_s: Mapping[str, Sequence[Number]]
    deliveries_per_s: Mapping[str, Sequence[Number]]
    shape: Shape


def derive_workload(values: Values, shape: Shape) -> Workload:
    """Every quantity of a workload. Raises: ScenarioError for a design of the store that is not in STORES."""
    if shape.store not in STORES:
        raise ScenarioError(f"there is no store {shape.store}: choose one of {', '.join(STORES)}")
    return _Derivation(values, shape).run()


class _Derivation:
    """One pass over the formulas; each method adds the quantities of its subject."""

    def __init__(self, values: Values, shape: Shape) -> None:
        self.v, self.shape, self.q = values, shape, Quantities()
        self.shares = {group: values[f"regions.{group.name}.share"] for group in shape.groups}
        whole = sum(self.shares.values())
        self.shares = {group: share / whole for group, share in self.shares.items()}
        self.hourly = [values[f"curve.hourly.{hour}"] for hour in range(HOURS_PER_DAY)]

    def run(self) -> Workload:
        self._people()
        connections = self._connections()
        self._messages()
        self._requests()
        self._files()
        self._traffic()
        self._store()
        self._kept()
        self._log_and_search()
        self._side_effects()
        self._identity()
        self._network()
        activity = self._activity()
        burst = self._burst(activity)
        per_s = self.q("messages.sent") / HOURS_PER_MONTH / SECONDS_PER_HOUR
        deliveries = self.q("messages.delivered") / HOURS_PER_MONTH / SECONDS_PER_HOUR
        requests = self.q("requests.api") / HOURS_PER_MONTH / SECONDS_PER_HOUR
        regional = {region: self._activity(region) for region in self.shape.served}
        return Workload(
            quantities=self.q,
            connections=connections,
            messages_per_s=[per_s * share * HOURS_PER_DAY * burst for share in activity],
            requests_per_s={
                region: [requests * share * HOURS_PER_DAY * burst for share in found]
                for region, found in regional.items()
            },
            deliveries_per_s={
                region: [deliveries * share * HOURS_PER_DAY * burst for share in found]
                for region, found in regional.items()
            },
            shape=self.shape,
        )

    # --- the day ----------------------------------------------------------------------------------

    def _activity(self, region: str = "") -> list[Number]:
        """The share of a day's work in each hour (UTC), of everybody or of those that a region serves."""
        whole = sum(self.hourly)
        return [
            sum(
                share * self.hourly[(hour + group.utc_offset) % HOURS_PER_DAY] / whole
                for group, share in self.shares.items()
                if region in ("", group.region)
            )
            for hour in range(HOURS_PER_DAY)
        ]

    def _burst(self, activity: Sequence[Number]) -> Number:
        """How far the busiest second lies above its hour's mean, so that the busiest of all is `peak_factor`."""
        top = largest(*activity) * HOURS_PER_DAY
        return largest(self.v["curve.peak_factor"] / top, 1)

    # --- quantities -------------------------------------------------------------------------------

    def _people(self) -> None:
        dau = self.q.add("users.dau", self.v["users.dau"] * 1, "users", "users.dau")
        self.q.add("users.mau", dau * self.v["users.mau_per_dau"], "users", "users.dau x users.mau_per_dau")

    def _connections(self) -> dict[str, list[Number]]:
        v = self.v
        peak = v["users.dau"] * v["users.devices_per_user"] * v["users.peak_concurrency"]
        activity = self._activity()
        top = largest(*activity)
        by_hour = {region: [peak * share / top for share in self._activity(region)] for region in self.shape.served}
        for region, hours in by_hour.items():
            self.q.add(
                "connections.peak", largest(*hours), "connections",
                "users.dau x users.devices_per_user x users.peak_concurrency, in the region's busiest hour", region,
            )  # fmt: skip
            for hour, connections in enumerate(hours):
                self.q.add(
                    f"connections.hour.{hour:02}", connections, "connections", "the curve at this hour, UTC", region
                )
            self.q.add(
                "connections.minutes", hours_to_month(sum(hours)) * 60, "minutes",
                "connections of each hour of the curve x 60 x 730 / 24", region,
            )  # fmt: skip
        for group, share in self.shares.items():
            self.q.add(
                "connections.opened",
                hours_to_month(v["users.dau"] * v["users.devices_per_user"] * v["socket.sessions_per_device_day"] * share),
                "connections", "users.dau x users.devices_per_user x socket.sessions_per_device_day x share", group.name,
            )  # fmt: skip
        return by_hour

    def _messages(self) -> None:
        v = self.v
        sent = self.q.add(
            "messages.sent", hours_to_month(v["users.dau"] * v["messages.per_dau_day"]), "messages",
            "users.dau x messages.per_dau_day x 730 / 24",
        )  # fmt: skip
        self.q.add(
            "messages.delivered", sent * v["messages.fan_out.mean_online"], "messages",
            "messages.sent x messages.fan_out.mean_online",
        )  # fmt: skip
        # ln(p99 / p50) = 2.3263 sigma of a lognormal; its mean is p50 x exp(sigma^2 / 2).
        median = v["messages.body_bytes.p50"]
        sigma = log(v["messages.body_bytes.p99"] / median) * 10000 / 23263
        mean = median * exp(sigma * sigma / 2)
        texts = v["messages.kinds.text"] + v["messages.kinds.edit"]
        texts = texts / (texts + v["messages.kinds.file"])
        self.q.add(
            "messages.body", mean * texts, "B / message",
            "mean of a lognormal through body_bytes.p50 and p99; a file has no text",
        )  # fmt: skip
        most = v["socket.preview_bytes"]
        short = log(most / median) / sigma
        self.q.add(
            "messages.preview", (mean * below(short - sigma) + most * (1 - below(short))) * texts, "B / message",
            "mean of the body cut at socket.preview_bytes",
        )  # fmt: skip
        more = sum(
            1 - below(log((_KIB * units - v["store.text_overhead_bytes"]) / median) / sigma) for units in range(1, 5)
        )
        self.q.add(
            "store.text_units", 1 + more * texts, "units / message",
            "1 + the share of texts above 1, 2, 3 and 4 KiB, with their overhead",
        )  # fmt: skip

    def _requests(self) -> None:
        v, q = self.v, self.q
        pages = q.add(
            "history.pages", hours_to_month(v["users.dau"] * v["reads.history_pages_per_dau_day"]), "pages",
            "users.dau x reads.history_pages_per_dau_day x 730 / 24",
        )  # fmt: skip
        searches = q.add(
            "searches", hours_to_month(v["users.dau"] * v["reads.searches_per_dau_day"]), "searches",
            "users.dau x reads.searches_per_dau_day x 730 / 24",
        )  # fmt: skip
        opened = q.total("connections.opened")
        uploads = hours_to_month(v["users.dau"] * v["attachments.per_dau_day"])
        q.add(
            "page.requests", hours_to_month(v["users.dau"] * v["page.requests"]), "requests",
            "users.dau x page.requests x 730 / 24",
        )  # fmt: skip
        q.add(
            "requests.api", pages + searches + opened * v["api.calls_per_session"] + uploads, "requests",
            "history.pages + searches + connections.opened x api.calls_per_session + attachments.uploaded",
        )  # fmt: skip

    def _files(self) -> None:
        """Uploads, and which of them S3 tiers: sizes are a lognormal with the scenario's mean."""
        v, q, home = self.v, self.q, self.shape.home
        uploads = q.add(
            "attachments.uploaded", hours_to_month(v["users.dau"] * v["attachments.per_dau_day"]), "files",
            "users.dau x attachments.per_dau_day x 730 / 24",
        )  # fmt: skip
        own = q.add(
            "attachments.bytes", uploads * v["attachments.bytes_mean"], "B", "attachments.uploaded x bytes_mean"
        )  # fmt: skip
        downloads = q.add(
            "attachments.downloaded", uploads * v["attachments.downloads_per_upload"], "files",
            "attachments.uploaded x attachments.downloads_per_upload",
        )  # fmt: skip
        sigma = v["files.size_sigma"]
        short = (log(_TIERED_BYTES / v["attachments.bytes_mean"]) + sigma * sigma / 2) / sigma
        large = q.add(
            "files.large", uploads * (1 - below(short)), "files",
            "attachments.uploaded above 128 KiB, sizes lognormal with files.size_sigma",
        )  # fmt: skip
        large_bytes = q.add(
            "files.large_bytes", own * (1 - below(short - sigma)), "B", "their share of attachments.bytes"
        )
        q.add(
            "files.small_bytes", own - large_bytes + own * v["files.derived_bytes"], "B",
            "attachments.bytes below 128 KiB, and thumbnails",
        )  # fmt: skip
        for place in (home, *self.shape.standbys):
            q.add(
                "files.puts", uploads * v["files.objects_per_upload"], "requests",
                "attachments.uploaded x files.objects_per_upload", place,
            )  # fmt: skip
            q.add("files.moved", large * 1, "objects", "files.large", place)
        q.add(
            "files.gets", downloads * (1 - v["attachments.cdn_hit"]), "requests",
            "attachments.downloaded x (1 - attachments.cdn_hit)", home,
        )  # fmt: skip

    def _traffic(self) -> None:
        """Bytes and requests at the edge, by edge; downloads that the edge has cost the same there."""
        v, q = self.v, self.q
        minutes = q.total("connections.minutes")
        heartbeats = minutes / 60 * v["socket.heartbeats_per_hour"] * v["socket.heartbeat_bytes"]
        socket_out = (
            q("messages.delivered") * (v["socket.frame_bytes"] + q("messages.preview"))
            + q("messages.sent") * v["socket.acknowledgement_bytes"]
            + heartbeats
        )
        socket_in = q("messages.sent") * (v["socket.send_bytes"] + q("messages.body")) + heartbeats
        q.add("socket.bytes_out", socket_out, "B", "deliveries, acknowledgements and heartbeats with their frames")
        q.add("socket.bytes_in", socket_in, "B", "sends and heartbeats with their frames")
        rest_out = (
            q("history.pages") * v["api.page_bytes"]
            + (q("requests.api") - q("history.pages")) * v["api.response_bytes"]
            + hours_to_month(v["users.dau"] * v["page.bytes"])
        )
        files_out = q("attachments.downloaded") * v["attachments.bytes_mean"]
        q.add("requests.bytes_out", rest_out, "B", "pages, answers and the web page")
        for edge, share in self._edge_shares().items():
            q.add(
                "edge.bytes_out", (socket_out + rest_out + files_out) * share, "B",
                "(socket.bytes_out + requests.bytes_out + attachments.downloaded x bytes_mean) x share", edge,
            )  # fmt: skip
            q.add(
                "edge.bytes_to_origin",
                (socket_in + q("requests.api") * v["api.request_bytes"]) * share, "B",
                "(socket.bytes_in + requests.api x api.request_bytes) x share; uploads go straight to S3", edge,
            )  # fmt: skip
            q.add(
                "edge.requests",
                (
                    q("requests.api")
                    + q("page.requests")
                    + q("attachments.downloaded")
                    + q.total("connections.opened")
                )
                * share, "requests",
                "(requests.api + page.requests + attachments.downloaded + connections.opened) x share", edge,
            )  # fmt: skip

    def _edge_shares(self) -> dict[str, Number]:
        shares: dict[str, Number] = {}
        for group, share in self.shares.items():
            shares[group.edge] = shares.get(group.edge, 0) + share
        return {f"edge:{edge}": share for edge, share in shares.items()}

    def _store(self) -> None:
        """Units and bytes by design of the message store.

        `dynamodb`: head, entry, repeat key, message and text in one transaction, which costs two units for one.
        `dynamodb-single`: one item a message, written without a transaction. `postgresql`: rows, no units.
        """
        v, q, shape = self.v, self.q, self.shape
        sent, body = q("messages.sent"), q("messages.body")
        text, overhead = q("store.text_units"), v["store.item_overhead_bytes"]
        text_bytes = body + v["store.text_overhead_bytes"]
        size = v["store.entry_bytes"] + text_bytes
        entries = v["store.page_entries"]
        if shape.store == "dynamodb":
            items, deletes = 3 + 1 / v["store.batch_messages"] + text, 3
            writes, how = items * _TRANSACTION, "2 x (entry + key + message + head / batch + text)"
            page, page_how = (
                ceil(entries * v["store.entry_bytes"] / _READ_UNIT) + ceil(entries * text_bytes / _READ_UNIT) + 1,
                "entries / 4 KiB + texts / 4 KiB + head",
            )
            size, size_how = size + 2 * v["store.key_bytes"] + 4 * overhead, "entry + key + message + text, 4 items"
        else:
            items = writes = text + v["store.entry_bytes"] / _KIB
            deletes, how = 0, "text and skeleton in one item, which its time to live deletes for nothing"
            page, page_how = ceil(entries * size / _READ_UNIT) + 1, "items / 4 KiB + the head"
            size, size_how = size + overhead, "skeleton and text, 1 item"
        q.add("store.bytes_per_message", size, "B / message", size_how)
        if shape.store == "postgresql":
            return
        q.add("store.writes_per_message", writes, "units / message", how)
        q.add("store.reads_per_message", v["reads.per_message"] * (1 - v["reads.cache_hit"]), "units / message",
              "reads.per_message x (1 - reads.cache_hit)")  # fmt: skip
        q.add("store.reads_per_page", page, "units / page", page_how)
        ages = sent * smallest(largest(shape.month - v["retention_months.hot"], 0), 1)
        gone = ages * deletes
        q.add(
            "store.writes", sent * writes + gone, "write units",
            "messages.sent x store.writes_per_message, and the deletes of what is older than hot", shape.home,
        )  # fmt: skip
        for standby in shape.standbys:
            q.add(
                "store.copied_writes", sent * items + gone + ages, "write units",
                "messages.sent x items, each in its KiB, and every delete", standby,
            )  # fmt: skip
        q.add(
            "store.reads",
            (sent * v["reads.per_message"] + q("history.pages") * page) * (1 - v["reads.cache_hit"]), "read units",
            "(messages.sent x reads.per_message + history.pages x store.reads_per_page) x (1 - reads.cache_hit)",
            shape.home,
        )  # fmt: skip

    def _kept(self) -> None:
        """What is stored at the end of the month, in every region that holds it."""
        v, q, shape = self.v, self.q, self.shape
        hot, life, files = self._months(shape.month)
        hot_bytes = q("messages.sent") * q("store.bytes_per_message") * hot
        archived = q("messages.sent") * (q("messages.body") + v["store.entry_bytes"]) * v["archive.compression"]
        for place in (shape.home, *shape.standbys):
            kept = "database.bytes" if shape.store == "postgresql" else "store.bytes"
            q.add(kept, hot_bytes, "B", "messages.sent x store.bytes_per_message x hot months", place)
            if kept == "store.bytes":
                q.add(
                    "backup.store_bytes",
                    hot_bytes * shape.backup_days,
                    "B",
                    "store.bytes x days of daily copies",
                    place,
                )
            self._tier("archive", archived, life - hot, place)
            self._tier("files", q("files.large_bytes"), files, place)
            q.add("files.bytes_untiered", q("files.small_bytes") * files, "B", "files.small_bytes x months kept", place)
            q.add("files.monitored", q("files.large") * files, "objects", "files.large x months kept", place)
            if shape.backs_up_archive:
                q.add("backup.archive_bytes", archived * (life - hot), "B", "the archive once more", place)
        q.add(
            "archive.puts", q("messages.sent") / v["archive.object_messages"], "requests",
            "messages.sent / archive.object_messages", shape.home,
        )  # fmt: skip
        for month in _AGES:
            q.add(
                f"storage.gb.month.{month:02}",
                self._gb(month),
                "GB",
                f"store, archive and files in month {month} after launch",
            )
        q.add("storage.gb", self._gb(shape.month), "GB", "store, archive and files in the home region, once")

    def _months(self, month: int) -> tuple[Number, Number, Number]:
        """How many months of text are hot, of text at all, and of files are kept, so long after launch."""
        v = self.v
        life = smallest(v["retention_months.archive"] * 1, month)
        return smallest(v["retention_months.hot"] * 1, life), life, smallest(v["retention_months.files"] * 1, month)

    def _tier(self, what: str, a_month: Number, months: Number, place: str) -> None:
        """Bytes of a bucket by their age, as intelligent tiering moves what nobody opens: 30 days, 90 days, older."""
        young = smallest(months, 1)
        middle = smallest(largest(months - 1, 0), 2)
        rest = largest(months - 3, 0)
        for tier, count in (("recent", young), ("infrequent", middle), ("instant", rest)):
            self.q.add(f"{what}.bytes_{tier}", a_month * count, "B", f"{what} a month x months in this tier", place)

    def _gb(self, month: int) -> Number:
        v, q = self.v, self.q
        hot, life, files = self._months(month)
        archived = (q("messages.body") + v["store.entry_bytes"]) * v["archive.compression"] * (life - hot)
        text = q("messages.sent") * (q("store.bytes_per_message") * hot + archived)
        return (text + (q("files.large_bytes") + q("files.small_bytes")) * files) / _KIB**3

    def _log_and_search(self) -> None:
        v, q, shape = self.v, self.q, self.shape
        written = q("messages.sent") * v["log.record_bytes"]
        q.add("log.bytes", written, "B", "messages.sent x log.record_bytes")
        days = HOURS_PER_MONTH / HOURS_PER_DAY
        q.add(
            "log.stored", written * v["log.replicas"] * v["log.retention_days"] * HOURS_PER_DAY / HOURS_PER_MONTH, "B",
            f"log.bytes x log.replicas x log.retention_days / {days:.1f}",
        )  # fmt: skip
        months = smallest(v["search.index_months"] * 1, smallest(v["retention_months.archive"] * 1, shape.month))
        q.add(
            "search.index_bytes",
            q("messages.sent") * (q("messages.body") + v["search.document_bytes"]) * v["search.index_bytes_ratio"] * months,
            "B", "messages.sent x (body + search.document_bytes) x search.index_bytes_ratio x months",
        )  # fmt: skip

    def _side_effects(self) -> None:
        v, q, home = self.v, self.q, self.shape.home
        pushed = q.add(
            "push.notifications",
            q("messages.sent") * (1 - v["messages.kinds.edit"]) * v["reads.push_per_message"], "notifications",
            "messages.sent without edits x reads.push_per_message", home,
        )  # fmt: skip
        called = q("messages.sent") * v["webhooks.per_message"]
        q.add(
            "queues.requests", (pushed + called) * v["push.requests_per_notification"], "requests",
            "(push.notifications + webhooks) x push.requests_per_notification", home,
        )  # fmt: skip
        q.add("webhooks.bytes", called * v["webhooks.bytes"], "B", "messages.sent x webhooks.per_message x bytes", home)

    def _identity(self) -> None:
        v, q, home = self.v, self.q, self.shape.home
        tokens = q.add(
            "identity.tokens", q.total("connections.opened") * v["identity.tokens_per_session"], "tokens",
            "connections.opened x identity.tokens_per_session", home,
        )  # fmt: skip
        q.add("identity.users", q("users.mau") * 1, "users", "users.mau", home)
        q.add(
            "identity.gb_seconds", tokens * v["identity.function_ms"] / 1000 * 128 / 1024, "GB-seconds",
            "identity.tokens x identity.function_ms x 128 MB", home,
        )  # fmt: skip

    def _network(self) -> None:
        """Between zones (each direction is billed), between regions, and what the balancers see."""
        v, q, shape = self.v, self.q, self.shape
        record = v["log.record_bytes"]
        gateways, large = self._gateways(), v["messages.fan_out.big_channel_share"]
        reached = large * gateways + (1 - large) * smallest(v["messages.fan_out.mean_online"] * 1, gateways)
        handed = q("messages.sent") * reached * record
        hops = (
            q("messages.sent") * (v["socket.send_bytes"] + q("messages.body"))  # gateway to ingest
            + q("log.bytes") * (1 + v["log.consumers"])  # ingest to brokers, brokers to consumers
            + handed  # fanout to gateways
            + q("requests.api") * v["network.service_bytes_per_request"]
        )
        q.add(
            "network.cross_zone_bytes", hops * v["network.cross_zone_share"] * 2, "B",
            "(sends + log records x (1 + consumers) + deliveries to gateways + REST) x cross_zone_share x 2 directions",
            shape.home,
        )  # fmt: skip
        transactions = q("messages.sent") * v["directory.transactions_per_message"]
        copied = (
            q("messages.sent") * q("store.bytes_per_message")
            + q("files.large_bytes") + q("files.small_bytes")
            + transactions * v["directory.wal_bytes_per_transaction"]
            + self._copied_daily()
        )  # fmt: skip
        if shape.standbys:
            q.add(
                "network.cross_region_bytes", copied * (len(shape.standbys) + shape.further), "B",
                "(stored messages + files + the directory's log + each day's copy of the tables) x standbys",
                shape.home,
            )  # fmt: skip

    def _copied_daily(self) -> Number:
        """Bytes a month of the daily copies of the tables, each of them whole."""
        if self.shape.store == "postgresql" or not self.shape.backup_days:
            return 0 * self.q("messages.sent")
        return self.q("store.bytes", self.shape.home) * HOURS_PER_MONTH / HOURS_PER_DAY

    def _gateways(self) -> Number:
        """About how many gateways there are: a record goes once to each that needs it."""
        connected = self.q.total("connections.peak")
        return largest(ceil(connected / self.v["gateway.connections_per_vcpu"] / 2), 2)
