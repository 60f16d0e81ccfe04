"""The search index on OpenSearch; what it is asked is in `opensearch_query.py`.

An index `<prefix>-messages-<n>` is written through an alias of its own, `…-<n>-write`, so that a late
write never makes a dropped index anew; the alias `<prefix>-messages` is what search reads.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import botocore.session
import msgspec
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, AWSV4SignerAsyncAuth
from opensearchpy.exceptions import NotFoundError, RequestError, TransportError

from nottermost_chat.adapters.opensearch_query import Json, render_document, render_search, render_template
from nottermost_chat.clock import Clock
from nottermost_chat.errors import Conflict, StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import (
    DocumentRefused,
    SearchDocument,
    SearchHit,
    SearchQuery,
    SearchRemoval,
    SearchResult,
)
from nottermost_chat.resilience import POLICIES, Guard

BULK_BYTES_MAX: Final = 500_000  # 1 MB took up to 3 s on two overloaded cores, and the policy gives up after 5
_ADMIN_S: Final = 60.0  # a new index waits for its shards; on AWS half a minute was seen
_MOVES_MAX: Final = 3  # rebuilds that may begin or end while one `apply` runs
_CONNECTIONS_MAX: Final = 20  # searches at a time, a process; more wait
_OVERLOADED: Final = frozenset({429, 502, 503, 504})  # for an item of a bulk; or its node goes away
_WRONG: Final = frozenset({400, 413})  # again would be the same again

T = TypeVar("T")


class _Away(Exception):
    """OpenSearch cannot do it now."""


class _Moved(Exception):
    """An index was dropped after it had been looked up."""


class _Reason(msgspec.Struct):
    type: str  # the sentence beside it may quote the text


class _Refusal(msgspec.Struct):
    error: _Reason


class _Outcome(msgspec.Struct):
    status: int
    id: str = msgspec.field(name="_id")
    error: _Reason | None = None


class _Item(msgspec.Struct):
    index: _Outcome


class _BulkAnswer(msgspec.Struct):
    items: list[_Item]


class _Fields(msgspec.Struct):
    conversation_id: tuple[str]
    seq: tuple[int]


class _Found(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    fields: _Fields


class _Total(msgspec.Struct):
    value: int


class _Hits(msgspec.Struct):
    total: _Total
    hits: list[_Found]


class _SearchAnswer(msgspec.Struct):
    hits: _Hits


class _Aliases(msgspec.Struct):
    aliases: dict[str, object]


class _Target(msgspec.Struct):
    """Where a bulk line goes; external versions make the order of writers irrelevant."""

    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    version: int
    version_type: str = "external_gte"
    require_alias: bool = True


class _Line(msgspec.Struct):
    index: _Target


class _State(msgspec.Struct):
    """What the index is to hold of a message, encoded."""

    message_id: str
    version: int
    document: bytes


class OpenSearchIndex:
    """SearchIndex on OpenSearch, shared by any number of processes.

    A removed message leaves an empty document with its version, so that an older state of it that
    comes late, however late, stays out; a rebuild leaves those behind.
    """

    def __init__(
        self, client: AsyncOpenSearch, prefix: str, metrics: Metrics, clock: Clock, *, refresh: bool = False
    ) -> None:
        """`refresh`: what `apply` wrote is found when it returns, instead of within a second: for tests."""
        self._client, self._clock, self._refresh = client, clock, refresh
        self._name = f"{prefix}-messages"
        self._guard = Guard(POLICIES["search"], metrics, clock.monotonic, _Away)

    @classmethod
    def connect(cls, host: str, prefix: str, metrics: Metrics, clock: Clock) -> Self:
        """`host`: an address with scheme; requests to a domain of AWS are signed. Raises StartError."""
        return cls(open_client(host), prefix, metrics, clock)

    async def close(self) -> None:
        await self._client.close()

    async def set_up(self, *, shards: int = 1, replicas: str = "0-1") -> None:
        """Write the template, and make the first index unless one serves. Again is the same as once."""
        template = render_template(f"{self._name}-*", shards=shards, replicas=replicas)
        await _administer(lambda: self._client.indices.put_index_template(name=self._name, body=template))
        if self._serving(await self._indices()) is None:
            try:
                await self._create("1", {self._name: {}})
            except Conflict:
                pass  # another one set up at the same time

    async def apply(self, upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> None:
        states = await asyncio.to_thread(_encode, upserts, removals)  # a text of 100,000 characters takes a while
        for _ in range(_MOVES_MAX):
            try:
                return await self._write(states)
            except _Moved:
                continue
        raise Unavailable("the search indexes keep changing: is more than one rebuild running?")

    async def search(self, query: SearchQuery) -> SearchResult:
        readable = query.searched
        if not readable:
            return SearchResult((), 0)
        body = render_search(query, readable)
        answer = msgspec.convert(await self._guard.call(lambda: self._search(body)), _SearchAnswer).hits
        hits = tuple(SearchHit(hit.fields.conversation_id[0], hit.id, hit.fields.seq[0]) for hit in answer.hits)
        return SearchResult(hits, answer.total.value)

    async def clear(self) -> None:
        await self.finish_rebuild(await self.begin_rebuild())

    # --- rebuilding ---------------------------------------------------------------------------

    async def begin_rebuild(self) -> str:
        indices = await self._indices()
        rebuild = str(self._clock.now_ms())  # never the number of one that was dropped
        await self._create(rebuild, {})
        serving = self._serving(indices)
        for left_over in indices.keys() - {serving}:
            await self._drop(left_over)
        return rebuild

    async def finish_rebuild(self, rebuild: str) -> None:
        new, others = f"{self._name}-{rebuild}", (await self._indices()).keys() - {f"{self._name}-{rebuild}"}
        actions: list[Json] = [{"add": {"index": new, "alias": self._name}}]
        actions += [{"remove_index": {"index": other}} for other in sorted(others)]
        try:
            await _administer(lambda: self._client.indices.refresh(index=new))
            await _administer(lambda: self._client.indices.update_aliases(body={"actions": actions}))
        except NotFoundError as error:
            raise Conflict(f"the rebuild {rebuild} was dropped by a later one: let that one finish") from error

    async def abandon_rebuild(self, rebuild: str) -> None:
        await self._drop(f"{self._name}-{rebuild}")

    async def _create(self, number: str, aliases: Mapping[str, Json]) -> None:
        index = f"{self._name}-{number}"
        body = {"aliases": {_writing(index): {}, **aliases}}
        try:
            await _administer(lambda: self._client.indices.create(index=index, body=body))
        except RequestError as error:
            if _type_of(error) != "resource_already_exists_exception":
                raise
            raise Conflict(f"the search index {index} is there already: another process made it") from error

    async def _drop(self, index: str) -> None:
        await _administer(lambda: self._client.indices.delete(index=index, params={"ignore_unavailable": "true"}))

    async def _indices(self) -> dict[str, _Aliases]:
        """Those that there are, by name."""
        found = await self._guard.call(
            lambda: _passing(self._client.indices.get_alias(index=f"{self._name}-*"), self._name)
        )
        return msgspec.convert(found, dict[str, _Aliases])

    def _serving(self, indices: Mapping[str, _Aliases]) -> str | None:
        return next((index for index, known in indices.items() if self._name in known.aliases), None)

    # --- reading and writing --------------------------------------------------------------------

    async def _search(self, body: Json) -> object:
        # Ranks are comparable between shards only with common statistics; part of the hits is no answer.
        params = {"search_type": "dfs_query_then_fetch", "allow_partial_search_results": "false"}
        return await _passing(self._client.search(index=self._name, body=body, params=params), self._name)

    async def _write(self, states: Sequence[_State]) -> None:
        """To the index that serves and to the one that is being built. Raises _Moved."""
        indices = await self._indices()
        if self._serving(indices) is None:
            raise Unavailable(f"there is no search index {self._name}: run `nottermost chat setup`")
        refused: dict[str, str] = {}
        lines = (_lines(_writing(index), state) for state in states for index in indices)
        for chunk in _chunks(lines):
            refused |= _refused(await self._guard.call(partial(self._bulk, chunk)))
        if refused:
            raise DocumentRefused(sorted(refused), ", ".join(sorted(set(refused.values()))))

    async def _bulk(self, lines: bytes) -> list[_Outcome]:
        params = {"refresh": "true"} if self._refresh else {}
        answer = msgspec.convert(await _passing(self._client.bulk(body=lines, params=params), self._name), _BulkAnswer)
        outcomes = [item.index for item in answer.items]
        if overloaded := next((each.status for each in outcomes if each.status in _OVERLOADED), None):
            raise _Away(f"status {overloaded} for a part of a bulk")
        return outcomes


def open_client(host: str, *, signed: bool | None = None) -> AsyncOpenSearch:
    """`signed`: whether requests are signed for AWS; None: when the host is a domain of AWS.

    Raises: StartError when there is nothing to sign with.
    """
    address = urlsplit(host)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise StartError(f"search_host is {host!r}: expected an address like https://search.example.org")
    auth = _signer() if (is_aws(address.hostname) if signed is None else signed) else None
    return AsyncOpenSearch(
        [host], http_auth=auth, connection_class=AsyncHttpConnection, maxsize=_CONNECTIONS_MAX,
        timeout=_ADMIN_S, max_retries=0, http_compress=True,
    )  # fmt: skip


def is_aws(hostname: str) -> bool:
    """Whether it is a domain of Amazon OpenSearch Service."""
    return re.search(r"\.es\.amazonaws\.com(\.cn)?$|\.aos\.[a-z0-9-]+\.on\.aws$", hostname) is not None


def _signer() -> AWSV4SignerAsyncAuth:
    session = botocore.session.get_session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None or not region:
        raise StartError("requests to OpenSearch on AWS are signed: give AWS_DEFAULT_REGION, and a role or credentials")
    return AWSV4SignerAsyncAuth(credentials, region)


async def _administer(act: Callable[[], Awaitable[Any]]) -> None:
    """Once, and with time; rare and by an operator, who repeats it."""
    try:
        async with asyncio.timeout(_ADMIN_S):
            await act()
    except (NotFoundError, RequestError):
        raise
    except (TransportError, TimeoutError) as error:
        raise Unavailable("search cannot be administered now: see whether OpenSearch answers, and try again") from error


async def _passing(act: Awaitable[T], name: str) -> T:
    """Raises _Away, also for a refused log-in, and RuntimeError for what is wrong with the request itself: a bug."""
    try:
        return await act
    except NotFoundError as error:
        raise _Away(f"{name} is not there: it moves, or `nottermost chat setup` has yet to run") from error
    except TransportError as error:
        if error.status_code not in _WRONG:
            raise _Away(f"{type(error).__name__} {error.status_code}") from error
        problem = f"OpenSearch refused a request for {name}: {error.status_code} {_type_of(error)}"
    raise RuntimeError(problem)  # not `from` the error, which may quote a text


def _type_of(error: TransportError) -> str:
    """The server's name for it; the client leaves the answer undecoded."""
    try:
        return msgspec.json.decode(str(error.error), type=_Refusal).error.type
    except msgspec.DecodeError:
        return "unknown"


def _writing(index: str) -> str:
    return f"{index}-write"


def _encode(upserts: Sequence[SearchDocument], removals: Sequence[SearchRemoval]) -> list[_State]:
    states = [_State(each.message_id, each.version, msgspec.json.encode(render_document(each))) for each in upserts]
    return states + [_State(each.message_id, each.version, b"{}") for each in removals]


def _lines(alias: str, state: _State) -> bytes:
    target = _Line(_Target(alias, state.message_id, state.version))
    return b"%b\n%b\n" % (msgspec.json.encode(target), state.document)


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Joined up to BULK_BYTES_MAX; longer ones alone."""
    chunk = bytearray()
    for line in lines:
        if chunk and len(chunk) + len(line) > BULK_BYTES_MAX:
            yield bytes(chunk)
            chunk.clear()
        chunk += line
    if chunk:
        yield bytes(chunk)


def _refused(outcomes: Sequence[_Outcome]) -> dict[str, str]:
    """Message id to reason. A version conflict is none: something newer is there. Raises _Moved."""
    failed = [each for each in outcomes if each.error is not None and each.status != 409]
    if any(each.status == 404 for each in failed):
        raise _Moved
    return {each.id: each.error.type for each in failed if each.error is not None}
