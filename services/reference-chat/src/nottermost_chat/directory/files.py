"""Files: what is known of an upload. The bytes are in the blob store, under the file's id."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes
from nottermost_chat.directory.queries import chunks, fetch, fetch_in, fetch_one, insert_new
from nottermost_chat.directory.rows import FILE, FileRow
from nottermost_chat.directory.tables import FileStatus, files
from nottermost_chat.errors import Conflict, NotFound


class Files(Noun):
    """File metadata."""

    @writes
    def create(self, connection: Connection, conversation_id: str, uploader_id: str, name: str, size: int) -> FileRow:
        """Announce an upload."""
        file_id, now = self._clock.new_id(), self._clock.now_ms()
        return _put(connection, FileRow(file_id, conversation_id, uploader_id, name, size, FileStatus.PENDING, now))

    @writes
    def create_external(
        self,
        connection: Connection,
        conversation_id: str,
        uploader_id: str,
        name: str,
        external_url: str,
        *,
        file_id: str | None = None,
        size: int = 0,
        content_type: str = "",
    ) -> FileRow:
        """Note a file that an import refers to; again with the same `file_id` returns what is there."""
        row = FileRow(
            file_id=file_id or self._clock.new_id(),
            conversation_id=conversation_id,
            uploader_id=uploader_id,
            name=name,
            size=size,
            status=FileStatus.EXTERNAL,
            created_at=self._clock.now_ms(),
            content_type=content_type,
            external_url=external_url,
        )
        return _put(connection, row)

    @writes
    def mark_stored(
        self,
        connection: Connection,
        file_id: str,
        *,
        size: int,
        content_type: str,
        sha256: str,
        width: int | None = None,
        height: int | None = None,
        thumbnail: bool = False,
    ) -> FileRow:
        """The bytes are there. Raises NotFound; Conflict when it was stored before."""
        row = _one(connection, file_id)
        if row is None:
            raise NotFound(f"there is no file {file_id}")
        found = {"size": size, "content_type": content_type, "sha256": sha256}
        seen = {"width": width, "height": height, "thumbnail": thumbnail}
        values: dict[str, Any] = found | seen | {"status": FileStatus.STORED}
        waiting = (files.c.file_id == file_id) & (files.c.status == FileStatus.PENDING)
        if connection.execute(update(files).where(waiting).values(values)).rowcount == 0:
            raise Conflict(f"file {file_id} was uploaded already: files do not change")
        return msgspec.structs.replace(row, **values)

    @reads
    def get(self, connection: Connection, file_id: str) -> FileRow | None:
        """One file."""
        return _one(connection, file_id)

    @reads
    def get_many(self, connection: Connection, file_ids: Sequence[str]) -> dict[str, FileRow]:
        """Files by id; unknown ones are absent."""
        return _many(connection, file_ids)

    @reads
    def names(self, connection: Connection, file_ids: Sequence[str]) -> dict[str, str]:
        """File names by id, for the search index."""
        return {file_id: row.name for file_id, row in _many(connection, file_ids).items()}

    @reads
    def attachable(
        self, connection: Connection, file_ids: Sequence[str], user_id: str, conversation_id: str
    ) -> frozenset[str]:
        """Those of the files that the user may attach there: own, of that conversation, there, not attached."""
        return frozenset(
            file_id
            for file_id, row in _many(connection, file_ids).items()
            if (row.uploader_id, row.conversation_id, row.message_id) == (user_id, conversation_id, None)
            and row.status is not FileStatus.PENDING
        )

    @upserts
    def attach(self, connection: Connection, file_ids: Sequence[str], message_id: str) -> None:
        """The message carries these files. A file that another message carries stays with that one."""
        free = (files.c.file_id == bindparam("id")) & files.c.message_id.is_(None)
        if rows := [{"id": file_id} for file_id in sorted({*file_ids})]:
            connection.execute(update(files).where(free).values(message_id=message_id), rows)

    @reads
    def stale(self, connection: Connection, before_ms: int, *, limit: int = 100) -> list[FileRow]:
        """Uploads announced before that time that no message carries, oldest first."""
        left = files.c.message_id.is_(None) & (files.c.created_at < before_ms)
        uploads = select(*FILE).where(left, files.c.status != FileStatus.EXTERNAL)
        return fetch(connection, uploads.order_by(files.c.created_at).limit(limit), FileRow)

    @upserts
    def remove(self, connection: Connection, file_ids: Sequence[str]) -> None:
        """Forget files; the caller removes their bytes."""
        for part in chunks(sorted(file_ids)):
            connection.execute(delete(files).where(files.c.file_id.in_(part)))


def _one(connection: Connection, file_id: str) -> FileRow | None:
    return fetch_one(connection, select(*FILE).where(files.c.file_id == file_id), FileRow)


def _many(connection: Connection, file_ids: Sequence[str]) -> dict[str, FileRow]:
    return {row.file_id: row for row in fetch_in(connection, select(*FILE), files.c.file_id, file_ids, FileRow)}


def _put(connection: Connection, row: FileRow) -> FileRow:
    """Insert the row, or return the one that has its id."""
    insert_new(connection, files, msgspec.structs.asdict(row))
    return _one(connection, row.file_id) or row
