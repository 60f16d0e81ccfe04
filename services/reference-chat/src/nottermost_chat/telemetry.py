"""Spans along the path of a message, sent over OTLP. Imported only where `otlp_endpoint` is set.

Nothing on the path knows of spans: a role wraps the ports that it hands on, and without an endpoint there is nothing
around them. The gateway (and the API, for its requests) chooses at random what is traced; everybody after it follows.

    gateway.receive ─ rpc.append ─ ingest.append ┬ ingest.queue
                                                 ├ ingest.plan
                                                 ├ store.append
                                                 └ log.publish ┬ fanout.handle ─ gateway.deliver ─ outbox.flush
                                                               └ indexer.handle, …

A batch has a span in the trace of each of its messages; are several of them traced, one of its own links them.
Attributes say role, kind, size class and batch size: never a text, a name, an address or who it was.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import random
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import msgspec
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nottermost_chat.model import Entry, LogRecord
from nottermost_chat.ports import (
    Appended,
    AppendRequest,
    Batch,
    DeliveryItem,
    Handler,
    Ingest,
    MessageStore,
    Missed,
    OpKey,
    Signal,
    key_of,
)
from nottermost_chat.rpc.tracing import continued, current_traceparent

if TYPE_CHECKING:  # a process imports only what its role needs
    from nottermost_chat.adapters.kafka_log import KafkaLog
    from nottermost_chat.adapters.local_delivery import GatewayInbox
    from nottermost_chat.gateway.gateway import Gateway
    from nottermost_chat.ingest.service import IngestService

QUEUE_SPANS: Final = 2_048  # waiting to be sent; above it the oldest go: 1 MB, and nothing ever waits for the receiver
EXPORT_EVERY_MS: Final = 1_000
EXPORT_S: Final = 2.0  # for one attempt, in a thread of its own
CLOSE_S: Final = 2.0  # to send what waits when the process ends
MS: Final = 1_000_000  # ns
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a client may send any word

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Journey(msgspec.Struct, eq=False):
    """A traced operation in ingest, from its arrival to its answer."""

    span: Span
    begun_ns: int
    planned: bool = False


class Traced(NamedTuple):
    """A message of a batch that is traced; `large`: its conversation's size class."""

    traceparent: str
    large: bool


class Tracing:
    """Makes the spans of one process, and sends them."""

    def __init__(self, role: str, instance: str, *, endpoint: str, share: float) -> None:
        """
        Args:
            endpoint: where OTLP is received over gRPC, an address with scheme.
            share: of the messages and requests that begin here, 0 to 1.
        """
        self._share = share
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)
        resource = Resource({"service.name": "nottermost-chat", "service.instance.id": instance, "chat.role": role})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=EXPORT_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer(__name__)
        self.journeys: dict[OpKey, Journey] = {}  # bounded by what ingest takes

    async def close(self) -> None:
        """Send what waits, for a moment."""
        late = threading.Timer(CLOSE_S, self._exporter.shutdown)
        late.start()
        try:
            await asyncio.to_thread(self._provider.shutdown)
        finally:
            late.cancel()

    def chooses(self) -> bool:
        """Whether what begins now is traced."""
        return random() < self._share  # noqa: S311 - no secret

    def begin(
        self,
        name: str,
        parent: str = "",
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
        **attributes: str | int,
    ) -> Span:
        """A span below `parent`; "": the first of a trace."""
        named = {f"chat.{key}": value for key, value in attributes.items()}
        return self._tracer.start_span(name, _context(parent), kind, named, links, start_ns)

    @contextmanager
    def batch(self, name: str, traced: Sequence[Traced], size: int, kind: SpanKind) -> Iterator[list[str]]:
        """Around work on a batch of `size`; gives what follows on each traced message as its traceparent."""
        links: list[Link] = []
        spans: list[Span] = []
        if len(traced) > 1:
            several = [Link(get_current_span(_context(one.traceparent)).get_span_context()) for one in traced]
            spans.append(self.begin(f"{name}.batch", links=several, batch=size))
            links.append(Link(spans[0].get_span_context()))
        spans += [
            self.begin(name, one.traceparent, kind, links=links, batch=size, size="large" if one.large else "small")
            for one in traced
        ]
        try:
            yield [traceparent_of(span) for span in spans[-len(traced) :]]
        except BaseException as error:
            for span in spans:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))  # its sentence may hold names
            raise
        finally:
            for span in spans:
                span.end()

    # --- what the roles wrap -------------------------------------------------------------------

    def receiving(self, ingest: Ingest) -> Ingest:
        """For the gateway: here messages are chosen."""
        return TracedCalls(ingest, self, root="gateway.receive")

    def calling(self, ingest: Ingest) -> Ingest:
        """For the API: operations belong to their request."""
        return TracedCalls(ingest, self)

    def appending(self, ingest: "IngestService") -> Ingest:
        return TracedIngest(ingest, self)

    def storing(self, store: MessageStore) -> MessageStore:
        return cast("MessageStore", TracedStore(store, self))

    def logging(self, log: "KafkaLog") -> "KafkaLog":
        return cast("KafkaLog", TracedLog(log, self))

    def delivering(self, gateway: "Gateway") -> "GatewayInbox":
        return TracedInbox(gateway, self)

    def requesting(self, app: AsgiApp) -> AsgiApp:
        return TracedApp(app, self)


def traceparent_of(span: Span) -> str:
    """As W3C trace context says it."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _context(traceparent: str) -> Context:
    """Nonsense counts as none."""
    return _PROPAGATOR.extract({"traceparent": traceparent}, Context()) if traceparent else Context()


def _end_all(spans: Sequence[Span], done: "asyncio.Future[Appended]") -> None:
    for span in spans:
        if done.cancelled() or done.exception() is not None:
            reason = "cancelled" if done.cancelled() else getattr(done.exception(), "code", "failed")
            span.set_status(Status(StatusCode.ERROR, reason))
        span.end()


class TracedCalls:
    """Operations on their way to ingest. Implements `ports.Ingest`."""

    def __init__(self, ingest: Ingest, tracing: Tracing, *, root: str = "") -> None:
        """`root`: operations without a trace begin one with a span of this name, if they are chosen."""
        self._ingest, self._tracing, self._root = ingest, tracing, root

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        parent, spans = current_traceparent(), list[Span]()
        if not parent and self._root and self._tracing.chooses():
            spans.append(self._tracing.begin(self._root, kind=SpanKind.SERVER, entry=request.kind))
            parent = traceparent_of(spans[0])
        if not parent:
            return self._ingest.submit(request)
        spans.insert(0, self._tracing.begin("rpc.append", parent, SpanKind.CLIENT, entry=request.kind))
        with continued(traceparent_of(spans[0])):
            done = self._ingest.submit(request)
        done.add_done_callback(partial(_end_all, spans))
        return done

    def mark(self, user_id: str, conversation_id: str, *, read_seq: int = 0, delivered_seq: int = 0) -> None:
        self._ingest.mark(user_id, conversation_id, read_seq=read_seq, delivered_seq=delivered_seq)

    async def missed(self, user_id: str | None, conversation_id: str, after: tuple[int, int]) -> Missed:
        return await self._ingest.missed(user_id, conversation_id, after)


class TracedIngest:
    """Operations in ingest. Implements `ports.Ingest`."""

    def __init__(self, ingest: "IngestService", tracing: Tracing) -> None:
        self._ingest, self._tracing = ingest, tracing
        self.mark, self.missed = ingest.mark, ingest.missed

    def submit(self, request: AppendRequest) -> "asyncio.Future[Appended]":
        parent = current_traceparent()
        if not parent:
            return self._ingest.submit(request)
        key = key_of(request)
        span = self._tracing.begin("ingest.append", parent, SpanKind.SERVER, entry=request.kind)
        journey = self._tracing.journeys[key] = Journey(span, time_ns())
        done = self._ingest.submit(request)
        done.add_done_callback(partial(self._end, key, journey))
        return done

    def _end(self, key: OpKey, journey: Journey, done: "asyncio.Future[Appended]") -> None:
        if self._tracing.journeys.get(key) is journey:  # else it was repeated meanwhile
            del self._tracing.journeys[key]
        journey.span.set_attribute("chat.conversation", self._ingest.kind_of(key[0]))
        _end_all([journey.span], done)


class TracedStore:
    """A message store whose appends are traced; everything else is the store's own."""

    def __init__(self, store: MessageStore, tracing: Tracing) -> None:
        self._store, self._tracing = store, tracing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, batch: Batch) -> list[int]:
        journeys = self._tracing.journeys
        found = [(new, journeys[key]) for new in batch.entries if journeys and (key := key_of(new.entry)) in journeys]
        if not found:
            return await self._store.append(batch)
        now_ns = time_ns()
        for new, journey in found:
            self._tell_waiting(new.entry, journey, now_ns)
        traced = [Traced(traceparent_of(journey.span), new.large) for new, journey in found]
        with self._tracing.batch("store.append", traced, len(batch.entries), SpanKind.CLIENT):
            return await self._store.append(batch)

    def _tell_waiting(self, entry: Entry, journey: Journey, now_ns: int) -> None:
        """What came before the first write: waiting and reading until it was planned (`created_at`), and planning."""
        if journey.planned:
            return
        journey.planned, parent = True, traceparent_of(journey.span)
        planned_ns = min(max(entry.created_at * MS, journey.begun_ns), now_ns)
        self._tracing.begin("ingest.queue", parent, start_ns=journey.begun_ns).end(planned_ns)
        self._tracing.begin("ingest.plan", parent, start_ns=planned_ns).end(now_ns)


class TracedLog:
    """The log, with spans where it is written and where it is handled; everything else is the log's own."""

    def __init__(self, log: "KafkaLog", tracing: Tracing) -> None:
        self._log, self._tracing = log, tracing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def publish(self, records: Sequence[LogRecord]) -> None:
        journeys = self._tracing.journeys
        places = [place for place, record in enumerate(records) if journeys and key_of(record.entry) in journeys]
        parents = [traceparent_of(journeys[key_of(records[place].entry)].span) for place in places]
        if places:
            with _renamed(self._tracing, "log.publish", records, places, parents, SpanKind.PRODUCER) as traced:
                await self._log.publish(traced)
        else:
            await self._log.publish(records)

    async def consume(self, group: str, handler: Handler, *, from_end: bool = False) -> None:
        async def handle(records: Sequence[LogRecord]) -> None:
            places = [place for place, record in enumerate(records) if record.traceparent]
            if not places:
                await handler(records)
                return
            parents = [records[place].traceparent for place in places]
            with _renamed(self._tracing, f"{group}.handle", records, places, parents, SpanKind.CONSUMER) as traced:
                await handler(traced)

        await self._log.consume(group, handle, from_end=from_end)


@contextmanager
def _renamed(
    tracing: Tracing, name: str, records: Sequence[LogRecord], places: Sequence[int], parents: Sequence[str], kind: SpanKind
) -> Iterator[list[LogRecord]]:  # fmt: skip
    """The records, of which those at `places` are traced below `parents`: what follows on them goes below these spans."""
    traced = [Traced(parent, records[place].large) for place, parent in zip(places, parents, strict=True)]
    with tracing.batch(name, traced, len(records), kind) as made:
        renamed = list(records)
        for place, traceparent in zip(places, made, strict=True):
            renamed[place] = msgspec.structs.replace(records[place], traceparent=traceparent)
        yield renamed


class TracedInbox:
    """Deliveries to a gateway, until they are written to the sockets. Implements `GatewayInbox`."""

    def __init__(self, gateway: "Gateway", tracing: Tracing) -> None:
        self._gateway, self._tracing, self.gateway_id = gateway, tracing, gateway.gateway_id

    async def take(self, items: Sequence[DeliveryItem]) -> None:
        records = [item.record for item in items if item.record.traceparent]
        if not records:
            await self._gateway.take(items)
            return
        traced = [Traced(record.traceparent, record.large) for record in records]
        with self._tracing.batch("gateway.deliver", traced, len(items), SpanKind.CONSUMER) as made:
            await self._gateway.take(items)
        flushes = [self._tracing.begin("outbox.flush", parent) for parent in made]
        self._gateway.after_flush(lambda: [span.end() for span in flushes])

    def signal(self, signal: Signal) -> None:
        self._gateway.signal(signal)

    def lapse(self) -> None:
        self._gateway.lapse()


class TracedApp:
    """An ASGI application whose requests are traced: the route as the program knows it, never what was asked for."""

    def __init__(self, app: AsgiApp, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not self._tracing.chooses():
            await self._app(scope, receive, send)
            return
        span = self._tracing.begin("api.request", kind=SpanKind.SERVER)

        async def send_and_note(message: Any) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
            await send(message)

        try:
            with continued(traceparent_of(span)):
                await self._app(scope, receive, send_and_note)
        finally:
            span.set_attribute("http.request.method", scope["method"] if scope["method"] in METHODS else "other")
            span.set_attribute("http.route", str(scope.get("path_template", "unknown")))
            span.end()
