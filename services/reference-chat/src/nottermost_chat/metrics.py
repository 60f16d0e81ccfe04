"""Every metric of the chat: name, meaning and labels in one place. Base units, as Prometheus asks."""

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STAGES = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 90)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.connections = Gauge("chat_connections", "Open sockets", registry=registry)
        self.frames_in = Counter("chat_frames_received_total", "Frames from clients", ["type"], registry=registry)
        self.refused = Counter("chat_refused_total", "Frames and requests refused", ["code"], registry=registry)
        self.deliveries = Counter("chat_deliveries_total", "Frames queued for connections", registry=registry)
        self.evicted = Counter("chat_outbox_evicted_total", "Connections closed: read too slowly", registry=registry)
        self.closed = Counter("chat_connections_closed_total", "Connections closed by us", ["code"], registry=registry)
        self.append_seconds = Histogram(
            "chat_append_seconds", "From submit to durable", buckets=_FAST, registry=registry
        )
        self.batch_entries = Histogram(
            "chat_append_batch_entries", "Entries a batch", buckets=_COUNTS, registry=registry
        )
        self.appended = Counter("chat_entries_appended_total", "Entries stored", ["kind"], registry=registry)
        self.repeats = Counter("chat_append_repeats_total", "Repeated operations answered", registry=registry)
        self.conflicts = Counter("chat_append_conflicts_total", "Appends refused and planned again", registry=registry)
        self.delivery_seconds = Histogram(
            "chat_delivery_seconds", "From created_at to the outbox", buckets=_FAST, registry=registry
        )
        self.stage_seconds = Histogram(
            "chat_stage_seconds", "Where the time of a message goes", ["stage"], buckets=_STAGES, registry=registry
        )
        self.lag = Gauge("chat_log_lag_records", "Records a consumer has not handled", ["group"], registry=registry)
        self.log_seconds = Histogram(
            "chat_log_seconds", "From written to the log to handed over", ["group"], buckets=_FAST, registry=registry
        )
        self.dead_letters = Counter("chat_dead_letters_total", "Records set aside", ["group"], registry=registry)
        self.requests = Histogram(
            "chat_request_seconds", "REST requests", ["method", "route", "status"], buckets=_FAST, registry=registry
        )
        self.canary_age_seconds = Gauge(
            "chat_canary_age_seconds", "Since a canary message last came through", registry=registry
        )
        self.breaker_state = Gauge(
            "chat_breaker_state", "Of a dependency: 0 closed, 1 probing, 2 open", ["dependency"], registry=registry
        )
        self.dependency_failures = Counter(
            "chat_dependency_failures_total", "Calls that failed after all attempts", ["dependency"], registry=registry
        )
        self.notify_decisions = Counter(
            "chat_notify_decisions_total",
            "What became of messages for recipients",
            ["verdict", "reason"],
            registry=registry,
        )
        self.pushes = Counter("chat_pushes_total", "Pushes by outcome", ["kind", "outcome"], registry=registry)
        self.push_seconds = Histogram(
            "chat_push_seconds",
            "From created_at to the push service",
            ["kind"],
            buckets=(*_FAST, 30.0, 60.0, 300.0),
            registry=registry,
        )
        self.audit_lost = Counter(
            "chat_audit_lost_total", "Log-ins and log-outs that could not be noted", ["action"], registry=registry
        )
        self.daily_users = Gauge("chat_daily_users", "Active yesterday (UTC); NaN: fewer than five", registry=registry)
        self.monthly_users = Gauge("chat_monthly_users", "Active in the thirty days up to yesterday", registry=registry)
        self.daily_messages = Gauge("chat_daily_messages", "Messages of yesterday", registry=registry)
        self.daily_group_share = Gauge(
            "chat_daily_group_message_ratio", "Of yesterday's messages, in groups and channels", registry=registry
        )
        self.daily_upload_success = Gauge(
            "chat_daily_upload_success_ratio", "Of yesterday's uploads, stored", registry=registry
        )
        for gauge in (
            self.daily_users, self.monthly_users, self.daily_messages, self.daily_group_share, self.daily_upload_success,
        ):  # fmt: skip
            gauge.set(math.nan)  # no data is not zero
