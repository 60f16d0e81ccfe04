"""A receiver of spans over real gRPC: no collector can be had here."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from nottermost_chat.testing.running import wait_until


@dataclass
class Collector(service.TraceServiceServicer):
    """What was exported.

    Attributes:
        roles: by span id.
        texts: everything that came, as readable text.
    """

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    roles: dict[bytes, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    async def Export(  # noqa: N802 - gRPC's name
        self, request: wire.ExportTraceServiceRequest, _: object
    ) -> wire.ExportTraceServiceResponse:
        self.texts.append(str(request))
        for one in request.resource_spans:
            role = next(pair.value.string_value for pair in one.resource.attributes if pair.key == "chat.role")
            for scope in one.scope_spans:
                self.spans += scope.spans
                self.roles |= dict.fromkeys((span.span_id for span in scope.spans), role)
        return wire.ExportTraceServiceResponse()

    def named(self, name: str, trace_id: bytes | None = None) -> list[Span]:
        return [span for span in self.spans if span.name == name and trace_id in (None, span.trace_id)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Raises: TimeoutError."""

        async def look() -> bool:
            return holds()

        await wait_until(look)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A receiver of OTLP on a free port."""
    collector, server = Collector(), grpc.aio.server()
    service.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(grace=0)


def attributes_of(span: Span) -> Mapping[str, str | int]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}
