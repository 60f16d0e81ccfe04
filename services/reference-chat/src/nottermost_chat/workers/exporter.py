"""Makes the copy of a user's data that they asked for: one zip, streamed into the blob store."""

import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
import structlog

from nottermost_chat.directory import ExportRow, FileRow, FileStatus
from nottermost_chat.errors import ChatError, NotFound
from nottermost_chat.model import EntryKind
from nottermost_chat.protocol import to_time
from nottermost_chat.services import Services
from nottermost_chat.workers.erasure import entries_of

BYTES_MAX: Final = 5 * 1024**4  # what one object of S3 can have
FLUSH_BYTES: Final = 65_536  # gathered before it goes on its way

logger = structlog.get_logger(__name__)


async def run_pass(services: Services) -> None:
    """Make what was asked for, and remove what was there long enough; one that cannot be made does not stop the others."""
    privacy = services.directory.privacy
    for export in await privacy.open_exports():
        try:
            await make_export(services, export)
        except ChatError as error:
            logger.warning("export_failed", export_id=export.export_id, code=error.code)
    for export in await privacy.stale_exports():
        await services.blobs.delete(export.blob_key or "")
        await privacy.forget_export(export.export_id)


async def make_export(services: Services, export: ExportRow) -> None:
    """Again from the beginning where it ended early: under another key, as what is stored never changes."""
    privacy, key = services.directory.privacy, f"export-{services.clock.new_id()}"
    if export.blob_key is not None:
        await services.blobs.delete(export.blob_key)
    await privacy.begin_export(export.export_id, key)
    size = await services.blobs.put(key, _zip(services, export.user_id), bytes_max=BYTES_MAX)
    await privacy.finish_export(
        export.export_id, expires_at=services.clock.now_ms() + services.settings.export_s * 1000
    )
    logger.info("export_made", export_id=export.export_id, bytes=size)


async def _zip(services: Services, user_id: str) -> AsyncIterator[bytes]:
    """The zip in chunks; never more of it in memory than one chunk of a file and one page of messages."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (await _documents(services, user_id)).items():
            archive.writestr(f"{name}.json", msgspec.json.format(msgspec.json.encode(content), indent=1))
        yield sink.take()
        with archive.open("messages.jsonl", "w", force_zip64=True) as file:
            async for message in _messages(services, user_id):
                file.write(msgspec.json.encode(message) + b"\n")
                if sink.size > FLUSH_BYTES:
                    yield sink.take()
        async for row in _uploads(services, user_id):
            info = zipfile.ZipInfo(f"files/{row.file_id}-{_plain(row.name)}")
            with archive.open(info, "w", force_zip64=True) as file:
                async for chunk in _content(services, row):
                    file.write(chunk)
                    yield sink.take()
    yield sink.take()


async def _documents(services: Services, user_id: str) -> dict[str, Any]:
    """What is known of the user, but for what they wrote."""
    directory = services.directory
    user = await directory.accounts.user(user_id)
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    return {
        "profile": user,
        "devices": await directory.privacy.all_devices(user_id),
        "memberships": await directory.privacy.stays(user_id),
        "workspaces": [{"name": row.name, "role": role} for row, role in await directory.workspaces.of_user(user_id)],
        "consents": await directory.consents.of_user(user_id),
        "notifications": await directory.privacy.notifications(user_id),
        "files": [row async for row in _uploads(services, user_id)],
    }


class _Sent(msgspec.Struct):
    """One own message; the conversation's name is in memberships.json."""

    message_id: str
    conversation_id: str
    seq: int
    sent_at: str
    text: str | None
    thread_id: str | None
    file_ids: Sequence[str]
    edited: bool
    deleted: bool


async def _messages(services: Services, user_id: str) -> AsyncIterator[_Sent]:
    """Own messages: from the store, then what only the archive has."""
    floors: dict[str, int] = {}
    async for entry in entries_of(services, user_id):
        if entry.kind is not EntryKind.MESSAGE:
            continue
        message = await services.store.full_message(entry.conversation_id, entry.message_id)
        if message is not None:
            at = entry.created_at if entry.detail.sent_at is None else entry.detail.sent_at
            yield _Sent(
                entry.message_id, entry.conversation_id, entry.seq, to_time(at).isoformat(), message.text,
                entry.detail.thread_id, entry.detail.file_ids, message.version > 1, message.deleted_at is not None,
            )  # fmt: skip
    if services.archive is None:
        return
    async for row in services.archive.of_sender(user_id):
        if row.conversation_id not in floors:
            head = (await services.store.heads([row.conversation_id])).get(row.conversation_id)
            floors[row.conversation_id] = 0 if head is None else head.floor_seq
        if row.seq <= floors[row.conversation_id]:
            yield _Sent(
                row.message_id, row.conversation_id, row.seq, to_time(row.created_at).isoformat(), row.text,
                row.thread_id, (), row.version > 1, row.deleted_at is not None,
            )  # fmt: skip


async def _uploads(services: Services, user_id: str) -> AsyncIterator[FileRow]:
    after = ""
    while page := await services.directory.privacy.uploads(user_id, after=after):
        after = page[-1].file_id
        for row in page:
            yield row


async def _content(services: Services, row: FileRow) -> AsyncIterator[bytes]:
    """Nothing where the bytes are not here: announced only, elsewhere, or just removed."""
    if row.status is not FileStatus.STORED:
        return
    try:
        async for chunk in services.blobs.read(row.file_id, 0, row.size):
            yield chunk
    except NotFound:
        return


def _plain(name: str) -> str:
    """A file's name that no unpacking program takes for a path."""
    return "".join(each if each.isalnum() or each in "._- " else "_" for each in name)[-100:].lstrip(".")


class _Sink(io.RawIOBase):
    """What a zip is written into, and taken out of again; it cannot go back, so zipfile does not try."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._waiting += content
        return len(content)

    @property
    def size(self) -> int:
        return len(self._waiting)

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken
