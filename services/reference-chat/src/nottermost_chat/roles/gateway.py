"""Ends sockets. Knows ingests and fan-outs, Redis and the keys of tokens; no database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.front_door import listen
from nottermost_chat.gateway.gateway import Gateway
from nottermost_chat.operations import OperationsApp
from nottermost_chat.roles.parts import dial_ingest, follow_revoked, hear_both, serving_operations_apart
from nottermost_chat.roles.process import Process
from nottermost_chat.rpc.addresses import parse_addresses
from nottermost_chat.rpc.delivery_client import DeliveryReceiver
from nottermost_chat.verifier import Verifier
from nottermost_chat.working import working


@asynccontextmanager
async def run(process: Process) -> AsyncIterator[int]:
    """Ends sockets. Knows ingests and fan-outs, Redis and the keys of tokens; no database."""
    settings, clock, tracing = process.settings, process.clock, process.tracing
    verifier = Verifier(process.keys, clock, token_s=settings.access_token_s)
    async with AsyncExitStack() as stack:
        ingest = dial_ingest(process)
        cache = await stack.enter_async_context(backends.cache(process))
        routes = backends.routes(process, cache, ingest.last_seen)
        stack.push_async_callback(routes.close)
        limiter = backends.limiter(process, cache)
        gateway = Gateway(
            gateway_id=process.name, identity=verifier, ingest=tracing.receiving(ingest) if tracing else ingest, memberships=ingest, routes=routes,
            signals=ingest, limiter=limiter, metrics=process.metrics, clock=clock, settings=settings,
            tier_of=ingest.tier_of, seen=ingest.seen, acquainted=ingest.acquainted,
        )  # fmt: skip
        ingest.attach(hear_both(gateway.signal, verifier))
        receiver = DeliveryReceiver(
            parse_addresses(settings.fanout), tracing.delivering(gateway) if tracing else gateway
        )
        await stack.enter_async_context(
            working(
                ingest=ingest.run(), receiver=receiver.run(), routes=routes.run(), limits=limiter.run(),
                revoked=follow_revoked(verifier, ingest.revoked_since), gateway=gateway.run(),
            )
        )  # fmt: skip
        await ingest.connected()
        await receiver.connected()  # before anybody is connected here: else what is on its way passes by

        def ready() -> tuple[bool, str]:
            missing = ", ".join(receiver.unreached) or "none"  # the others take over what those would deliver
            return bool(ingest.ingests), f"{len(ingest.ingests)} ingests answer; fan-outs that do not: {missing}"

        await stack.enter_async_context(serving_operations_apart(process, ready))
        app = OperationsApp(process.metrics, ready)
        server = await listen(app, settings.host, settings.port, gateway=gateway, proxies=settings.trusted_proxies)
        try:
            yield server.port
        finally:
            server.stop_listening()
            await gateway.drain()
            await server.finish()
