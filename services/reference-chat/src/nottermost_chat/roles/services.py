"""All that actions need, over servers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nottermost_chat import backends
from nottermost_chat.identity import Tokens
from nottermost_chat.notify.keys import parse_push_keys
from nottermost_chat.oidc import open_oidc
from nottermost_chat.people import People
from nottermost_chat.pseudonyms import find_pseudonyms
from nottermost_chat.roles.parts import dial_ingest, follow_revoked, hear_both
from nottermost_chat.roles.process import Process
from nottermost_chat.rpc.ingest_client import RemoteIngest
from nottermost_chat.secret_box import SecretBox
from nottermost_chat.services import Services
from nottermost_chat.working import working


@asynccontextmanager
async def open_services(process: Process) -> AsyncIterator[tuple[Services, RemoteIngest]]:
    """All that actions need."""
    settings, clock = process.settings, process.clock
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(backends.directory(process))
        store = await stack.enter_async_context(backends.store(process))
        cache = await stack.enter_async_context(backends.cache(process))
        search = await stack.enter_async_context(backends.search(process))
        blobs = await stack.enter_async_context(backends.blobs(process))
        oidc = await stack.enter_async_context(open_oidc(settings, process.metrics, clock))
        queues = await stack.enter_async_context(backends.queues(process))
        archive = await stack.enter_async_context(backends.archive(process))
        tokens = await Tokens.open(directory, settings, clock, keys=process.keys)
        stack.push_async_callback(tokens.close)
        people, ingest = People(directory, settings.limits, clock), dial_ingest(process)
        routes, limiter = backends.routes(process, cache, people.last_seen), backends.limiter(process, cache)
        stack.push_async_callback(routes.close)
        ingest.attach(hear_both(lambda _signal: None, tokens))
        await stack.enter_async_context(
            working(
                ingest=ingest.run(),
                routes=routes.run(),
                limits=limiter.run(),
                revoked=follow_revoked(tokens, people.revoked_since),
            )
        )
        await ingest.connected()
        services = Services(
            settings=settings, clock=clock, metrics=process.metrics, limiter=limiter, directory=directory,
            tokens=tokens, store=store, ingest=process.tracing.calling(ingest) if process.tracing else ingest, signals=ingest, routes=routes, search=search, blobs=blobs,
            archive=archive, queues=queues, oidc=oidc, push_keys=parse_push_keys(process.secrets), secret_box=SecretBox.find(process.secrets.webhook_key, settings.data),
            pseudonyms=find_pseudonyms(process.secrets.pseudonym_key, process.keys),
        )  # fmt: skip
        yield services, ingest
