"""Files: announcing and taking in uploads, links to them, and who may fetch them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from nottermost_chat.actions.access import floor_seq, require_member
from nottermost_chat.api import shapes
from nottermost_chat.clock import day_of
from nottermost_chat.directory import ConversationOfUser, FileRow, FileStatus
from nottermost_chat.errors import BadRequest, ChatError, Conflict, NotFound, TooLarge
from nottermost_chat.files import (
    SNIFF_BYTES,
    ImageInfo,
    Images,
    LinkAction,
    check,
    inline_allowed,
    sign,
    sniff_content_type,
)
from nottermost_chat.model import Message
from nottermost_chat.protocol import to_time
from nottermost_chat.services import Services

logger = structlog.get_logger(__name__)

THUMBNAIL = "thumbnail"
LINK_STEP_MS = 900_000  # links made within a quarter of an hour are the same, so that browsers keep pictures


@dataclass(frozen=True, slots=True)
class FileTools:
    """What only files need; `secret` signs links."""

    images: Images
    secret: bytes


# --- uploads ----------------------------------------------------------------------------------


async def announce_upload(
    services: Services, tools: FileTools, caller_id: str, wanted: shapes.FileRequest
) -> shapes.UploadView:
    """Raises TooLarge, NotFound, NotAMember."""
    if wanted.size > services.settings.limits.file_bytes_max:
        raise TooLarge(f"the file has {wanted.size} bytes, the limit is {services.settings.limits.file_bytes_max}")
    await require_member(services, caller_id, wanted.conversation_id)
    row = await services.directory.files.create(wanted.conversation_id, caller_id, wanted.name, wanted.size)
    expires_at = services.clock.now_ms() + services.settings.file_link_s * 1000
    query = sign(tools.secret, LinkAction.UPLOAD, row.file_id, expires_at)
    return shapes.UploadView(
        file_id=row.file_id,
        upload_url=f"/api/files/{row.file_id}?{query}",
        expires_at=to_time(expires_at),
        direct=await _direct_upload(services, row),
    )


async def _direct_upload(services: Services, row: FileRow) -> shapes.DirectUpload | None:
    if services.blobs.links is None:
        return None
    link = await services.blobs.links.upload(row.file_id, row.size, expires_s=services.settings.file_link_s)
    return shapes.DirectUpload(url=link.url, headers=link.headers)


async def take_upload(
    services: Services, tools: FileTools, file_id: str, link: Mapping[str, str], chunks: AsyncIterator[bytes]
) -> shapes.FileView:
    """Store the bytes of an announced file.

    What is refused here stays without a message, and is removed with other stale uploads.
    Raises: LinkInvalid, LinkExpired, NotFound, Conflict (uploaded before), TooLarge, BadRequest (another
        size than announced), UnsupportedFile (an image that is none, or that unpacks to too many pixels).
    """
    row = await _announced(services, tools, file_id, link)
    sniffer = _Sniffer(chunks)
    async with _counting(services, row):
        size = await services.blobs.put(file_id, sniffer, bytes_max=row.size)
        return await _accept(services, tools, row, size, sniffer)


async def finish_upload(services: Services, tools: FileTools, file_id: str, link: Mapping[str, str]) -> shapes.FileView:
    """Look at what was uploaded directly; until then nobody gets a link to it, and it cannot be attached.

    Raises: as `take_upload`; Conflict also when nothing was uploaded.
    """
    row = await _announced(services, tools, file_id, link)
    size = await services.blobs.size(file_id)
    if size is None:
        raise Conflict(f"file {file_id} is not there yet: upload it first")
    sniffer = _Sniffer(services.blobs.read(file_id, 0, row.size))
    async with _counting(services, row):
        async for _ in sniffer:
            pass
        return await _accept(services, tools, row, size, sniffer)


@asynccontextmanager
async def _counting(services: Services, row: FileRow) -> AsyncIterator[None]:
    """Count how the upload ends; it ends so whether or not that can be counted."""
    failed = True
    try:
        yield
        failed = False
    finally:
        try:
            conversation = await services.directory.conversations.get(row.conversation_id)
            place = services.pseudonyms.workspace(conversation.workspace_id if conversation else None)
            day = day_of(services.clock.now_ms())
            await services.directory.counts.add_upload(day, place, failed=failed)
        except ChatError as error:
            logger.warning("upload_not_counted", error=repr(error))


async def _announced(services: Services, tools: FileTools, file_id: str, link: Mapping[str, str]) -> FileRow:
    check(tools.secret, LinkAction.UPLOAD, file_id, link, now_ms=services.clock.now_ms())
    row = await services.directory.files.get(file_id)
    if row is None:
        raise NotFound(f"there is no file {file_id}")
    if row.status is not FileStatus.PENDING:
        raise Conflict(f"file {file_id} was uploaded already: announce another one")
    return row


async def _accept(
    services: Services, tools: FileTools, row: FileRow, size: int, sniffer: "_Sniffer"
) -> shapes.FileView:
    """The bytes are stored, and `sniffer` saw them all."""
    if size != row.size:
        raise BadRequest(f"the upload has {size} bytes, announced were {row.size}: announce the file again")
    content_type = sniff_content_type(bytes(sniffer.head))
    image = await _store_thumbnail(services, tools, row) if inline_allowed(content_type) else None
    stored = await services.directory.files.mark_stored(
        row.file_id,
        size=size,
        content_type=content_type,
        sha256=sniffer.hash.hexdigest(),
        width=image.width if image else None,
        height=image.height if image else None,
        thumbnail=image is not None,
    )
    return _view(services, tools, stored.uploader_id, stored)


async def _store_thumbnail(services: Services, tools: FileTools, row: FileRow) -> ImageInfo:
    """Decoding needs the whole image; how many do so at a time is limited by `Images`."""
    content = b"".join([chunk async for chunk in services.blobs.read(row.file_id, 0, row.size)])
    image = await tools.images.inspect(content)
    thumbnail = await tools.images.thumbnail(content)
    await services.blobs.put(thumbnail_key(row.file_id), _once(thumbnail), bytes_max=len(thumbnail))
    return image


class _Sniffer:
    """Passes chunks on, and keeps their beginning and their hash."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.head = bytearray()
        self.hash = hashlib.sha256()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self.head += chunk[: SNIFF_BYTES - len(self.head)]
        self.hash.update(chunk)
        return chunk


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def thumbnail_key(file_id: str) -> str:
    return f"{file_id}.{THUMBNAIL}"


# --- who may see ------------------------------------------------------------------------------


async def list_files(
    services: Services, tools: FileTools, caller_id: str, file_ids: Sequence[str]
) -> list[shapes.FileView]:
    """Those of the files that the caller may see, with fresh links."""
    rows = await services.directory.files.get_many(file_ids)
    visible = await _visible(services, caller_id, list(rows.values()))
    return [_view(services, tools, caller_id, rows[each]) for each in dict.fromkeys(file_ids) if each in visible]


async def open_download(
    services: Services, tools: FileTools, file_id: str, link: Mapping[str, str]
) -> tuple[FileRow, str]:
    """The file that a link is for, and the key of its bytes.

    The link says whom it was made for, and that user has to be allowed to see the file still:
    who is removed from a conversation cannot fetch its files any more.
    Raises: LinkInvalid, LinkExpired, NotFound.
    """
    variant = check(tools.secret, LinkAction.DOWNLOAD, file_id, link, now_ms=services.clock.now_ms())
    kind, _, user_id = variant.partition(".")
    row = await services.directory.files.get(file_id)
    if row is None or row.status is not FileStatus.STORED or not await _visible(services, user_id, [row]):
        raise NotFound(f"there is no file {file_id}, or none that you may see")
    return row, thumbnail_key(file_id) if kind == THUMBNAIL else file_id


async def _visible(services: Services, user_id: str, rows: Sequence[FileRow]) -> set[str]:
    """Files of the user's conversations: those of messages that can be read, and own ones on their way."""
    conversation_ids = sorted({row.conversation_id for row in rows})
    places = {
        place.conversation.conversation_id: place
        for place in await services.directory.conversations.list_of(user_id, conversation_ids)
    }
    inside = [row for row in rows if row.conversation_id in places]
    messages = await _messages_of(services, inside)
    return {
        row.file_id
        for row in inside
        if may_see_file(row, user_id, places[row.conversation_id], messages.get(row.message_id or ""))
    }


def may_see_file(row: FileRow, user_id: str, place: ConversationOfUser, message: Message | None) -> bool:
    """Whether a member of the conversation may see one of its files. `message`: the one it is attached to."""
    if row.message_id is None:
        return row.uploader_id == user_id
    if message is None or message.text is None or message.entry.seq <= floor_seq(place):
        return False  # deleted, or said before the user came
    return row.file_id in message.entry.detail.file_ids


async def _messages_of(services: Services, rows: Sequence[FileRow]) -> dict[str, Message]:
    wanted: dict[str, set[str]] = {}
    for row in rows:
        if row.message_id is not None:
            wanted.setdefault(row.conversation_id, set()).add(row.message_id)
    pages = await asyncio.gather(*(services.store.messages(key, sorted(ids)) for key, ids in wanted.items()))
    return {message_id: message for page in pages for message_id, message in page.items()}


# --- views ------------------------------------------------------------------------------------


def _view(services: Services, tools: FileTools, user_id: str, row: FileRow) -> shapes.FileView:
    stored = row.status is FileStatus.STORED
    shortest = services.clock.now_ms() + services.settings.file_link_s * 1000
    expires_at = -(-shortest // LINK_STEP_MS) * LINK_STEP_MS

    def link(kind: str) -> str:
        query = sign(tools.secret, LinkAction.DOWNLOAD, row.file_id, expires_at, f"{kind}.{user_id}")
        return f"/api/files/{row.file_id}?{query}"

    return shapes.FileView(
        file_id=row.file_id,
        conversation_id=row.conversation_id,
        name=row.name,
        size=row.size,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        inline=stored and inline_allowed(row.content_type),
        url=link("") if stored else "",
        thumbnail_url=link(THUMBNAIL) if stored and row.thumbnail else "",
        external_url=row.external_url,
        expires_at=to_time(expires_at) if stored else None,
    )
