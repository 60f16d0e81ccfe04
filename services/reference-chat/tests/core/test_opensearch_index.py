"""What is special about the index on OpenSearch: the server behind it, which several processes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from opensearchpy import AsyncOpenSearch
from ulid import ULID

from nottermost_chat.adapters import opensearch_index
from nottermost_chat.adapters.opensearch_index import OpenSearchIndex, is_aws, open_client
from nottermost_chat.clock import Clock
from nottermost_chat.errors import StartError, Unavailable
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import DocumentRefused, SearchDocument, SearchQuery, SearchRemoval, Term
from nottermost_chat.testing.servers import Address


def open_index(client: AsyncOpenSearch, prefix: str) -> OpenSearchIndex:
    return OpenSearchIndex(client, prefix, Metrics(), Clock(), refresh=True)


@pytest.fixture
def prefix() -> str:
    return f"test-{ULID()}".lower()


@pytest.fixture
async def client(opensearch: Address, prefix: str) -> AsyncIterator[AsyncOpenSearch]:
    async with open_client(opensearch.url) as client:
        yield client
        await client.indices.delete(index=f"{prefix}-*")
        await client.indices.delete_index_template(name=f"{prefix}-messages", params={"ignore": 404})


@pytest.fixture
async def index(client: AsyncOpenSearch, prefix: str) -> OpenSearchIndex:
    index = open_index(client, prefix)
    await index.set_up()
    return index


def document(number: int, body: str, *, sender_id: str = "u", version: int = 0) -> SearchDocument:
    return SearchDocument(f"m{number}", "c", number, sender_id, number * 1000, body, version=version)


async def find(index: OpenSearchIndex, text: str) -> set[str]:
    result = await index.search(SearchQuery({"c": 0}, (Term(text),), limit=1000))
    return {hit.message_id for hit in result.hits}


async def names(client: AsyncOpenSearch, prefix: str) -> set[str]:
    return set(await client.indices.get(index=f"{prefix}-*"))


# --- indexes ----------------------------------------------------------------------------------


async def test_set_up_is_repeated_without_harm(client: AsyncOpenSearch, prefix: str) -> None:
    """By several at once, and later over what is there."""
    several = [open_index(client, prefix) for _ in range(3)]
    await asyncio.gather(*(index.set_up() for index in several))
    await several[0].apply([document(1, "word")], [])
    await several[1].set_up()
    assert await names(client, prefix) == {f"{prefix}-messages-1"}
    assert await find(several[2], "word") == {"m1"}


async def test_before_it_is_set_up(client: AsyncOpenSearch, prefix: str) -> None:
    """Nothing is made by the way, with whatever fields a document has."""
    index = open_index(client, prefix)
    with pytest.raises(Unavailable, match="chat setup"):
        await index.apply([document(1, "word")], [])
    with pytest.raises(Unavailable):
        await find(index, "word")
    assert await names(client, prefix) == set()


async def test_one_index_is_left(client: AsyncOpenSearch, index: OpenSearchIndex, prefix: str) -> None:
    """Whatever rebuilds ended, were abandoned, or crashed before."""
    await index.begin_rebuild()
    await index.abandon_rebuild(await index.begin_rebuild())
    await index.begin_rebuild()
    rebuild = await index.begin_rebuild()
    assert await names(client, prefix) == {f"{prefix}-messages-1", f"{prefix}-messages-{rebuild}"}
    await index.finish_rebuild(rebuild)
    assert await names(client, prefix) == {f"{prefix}-messages-{rebuild}"}


async def test_a_rebuild_by_one_process_counts_for_all(client: AsyncOpenSearch, prefix: str) -> None:
    """Another process writes to both from the moment it begins, and is not asked."""
    builder, live = open_index(client, prefix), open_index(client, prefix)
    await builder.set_up()
    await live.apply([document(1, "before")], [])
    rebuild = await builder.begin_rebuild()
    await live.apply([document(2, "while")], [])
    await builder.finish_rebuild(rebuild)
    await live.apply([document(3, "after")], [])
    assert [await find(live, word) for word in ("before", "while", "after")] == [set(), {"m2"}, {"m3"}]


async def test_a_late_write_does_not_bring_a_dropped_index_back(
    client: AsyncOpenSearch, index: OpenSearchIndex, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes to the one that serves by now."""
    looked_up = await index._indices()  # the moment between looking up and writing
    await index.clear()
    left = await names(client, prefix)
    later = index._indices
    answers = [looked_up]

    async def as_it_was() -> dict[str, opensearch_index._Aliases]:
        return answers.pop() if answers else await later()

    monkeypatch.setattr(index, "_indices", as_it_was)
    await index.apply([document(1, "late")], [])
    assert await find(index, "late") == {"m1"}
    assert await names(client, prefix) == left


# --- documents --------------------------------------------------------------------------------


async def test_no_text_is_stored(client: AsyncOpenSearch, index: OpenSearchIndex, prefix: str) -> None:
    """The index tells where words are; what was written is in the message store alone."""
    await index.apply([document(1, "my secret words")], [])
    found = await client.search(index=f"{prefix}-messages", body={"stored_fields": ["*"]})
    assert found["hits"]["total"]["value"] == 1
    assert "secret" not in repr(found["hits"]["hits"])


async def test_what_cannot_be_indexed_is_named(index: OpenSearchIndex) -> None:
    """And everything beside it is there; its text is not in the error."""
    too_long = document(2, "hidden text", sender_id="s" * 40_000)  # keywords end at 32,766 bytes
    with pytest.raises(DocumentRefused) as refused:
        await index.apply([document(1, "word"), too_long, document(3, "word")], [SearchRemoval("m9")])
    assert refused.value.message_ids == ("m2",)
    assert "hidden" not in str(refused.value)
    assert await find(index, "word") == {"m1", "m3"}


async def test_large_batches_go_in_parts(index: OpenSearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of bounded size; one document that is larger goes alone."""
    sizes: list[int] = []
    bulk = index._bulk

    async def note_size(lines: bytes) -> list[opensearch_index._Outcome]:
        sizes.append(len(lines))
        return await bulk(lines)

    monkeypatch.setattr(index, "_bulk", note_size)
    monkeypatch.setattr(opensearch_index, "BULK_BYTES_MAX", 20_000)
    long = "字" * 20_000
    await index.apply([document(1, long), *(document(n, f"word {n} " * 50) for n in range(2, 60))], [])
    assert len(sizes) > 3
    assert sizes[0] > 20_000 > max(sizes[1:])
    assert await find(index, "字字字字") == {"m1"}
    assert await find(index, "word 33") == {"m33"}


async def test_more_conversations_than_one_clause_takes(index: OpenSearchIndex) -> None:
    """Each may have its own seq above which it can be read."""
    await index.apply([document(n, "word") for n in range(1, 5)], [])
    readable = {f"c{n}": n for n in range(70_000)} | {"c": 2}
    result = await index.search(SearchQuery(readable, (Term("word"),)))
    assert [hit.message_id for hit in result.hits] == ["m4", "m3"]


# --- away -------------------------------------------------------------------------------------


async def test_a_server_that_is_gone(unused_tcp_port: int) -> None:
    """Everything is refused as unavailable, with a sentence for the person who searches."""
    async with open_client(f"http://127.0.0.1:{unused_tcp_port}") as client:
        index = open_index(client, "away")
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"the search .*try again in a moment"):
                await find(index, "word")
            with pytest.raises(Unavailable):
                await index.apply([document(1, "word")], [])
        with pytest.raises(Unavailable, match="is away"):  # at once, now that it is known
            await find(index, "word")
        with pytest.raises(Unavailable):
            await index.set_up()


async def test_an_overloaded_server_is_asked_again() -> None:
    """A bulk of which a part was refused for now is repeated whole."""
    busy = b'{"items":[{"index":{"_id":"m1","status":429,"error":{"type":"rejected"}}}]}'
    fine = b'{"items":[{"index":{"_id":"m1","status":200}}]}'
    aliases = b'{"x-messages-1":{"aliases":{"x-messages":{}}}}'
    async with answering([aliases, busy, busy, fine]) as (url, asked), open_client(url) as client:
        await open_index(client, "x").apply([document(1, "word")], [])
    assert len(asked) == 4


# --- AWS --------------------------------------------------------------------------------------


async def test_requests_to_aws_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the role's credentials of the moment, for the service and the region."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    answers = [b'{"hits":{"total":{"value":0},"hits":[]}}']
    async with answering(answers) as (url, asked), open_client(url, signed=True) as client:
        assert await find(open_index(client, "x"), "word") == set()
    assert "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" in asked[0]
    assert "/eu-west-1/es/aws4_request" in asked[0]
    assert "x-amz-security-token: session" in asked[0].lower()


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("vpc-chat-abc.eu-west-1.es.amazonaws.com", True),
        ("search-chat.aos.us-east-1.on.aws", True),
        ("127.0.0.1", False),
        ("es.amazonaws.com.example.org", False),
    ],
)
def test_domains_of_aws(hostname: str, expected: bool) -> None:
    """Credentials are shown to nobody else."""
    assert is_aws(hostname) is expected


async def test_an_address_that_is_none() -> None:
    """Said at the start."""
    with pytest.raises(StartError, match="expected an address"):
        open_client("search.example.org:9200")


@asynccontextmanager
async def answering(answers: list[bytes]) -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP server that gives these answers in turn; gives its address and the heads of what it was asked."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                await reader.readexactly(int(length[0].split(":")[1]) if length else 0)
                body = answers[len(asked)]
                asked.append(head)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                )
                writer.write(body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()
