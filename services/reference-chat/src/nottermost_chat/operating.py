"""What the command line asks of a chat beside its running: the audit log and the daily counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from nottermost_chat import backends, migrations
from nottermost_chat.actions.audit import audit_view
from nottermost_chat.api.shapes import AuditView
from nottermost_chat.clock import Clock, day_of
from nottermost_chat.directory import AuditAction, AuditQuery, AuditRow, Directory
from nottermost_chat.directory.audit import NO_DETAILS, OPERATOR, audit_id
from nottermost_chat.directory.sqlite import open_engine
from nottermost_chat.errors import StartError
from nottermost_chat.roles.process import Role, make_process
from nottermost_chat.settings import Secrets, Settings, Store
from nottermost_chat.workers.counts import DaySummary, summarise

PAGE = 500


@asynccontextmanager
async def open_directory(settings: Settings, secrets: Secrets) -> AsyncIterator[Directory]:
    """That of the cluster that the settings name, or the file in the data folder; a chat may run on it. Raises StartError."""
    if settings.store is not Store.SQLITE:
        async with backends.directory(make_process(Role.KEEPER, settings, secrets)) as directory:
            yield directory
        return
    path = settings.data / "directory.db"
    _require_current(path)
    directory = await Directory.open(path, Clock())
    try:
        yield directory
    finally:
        await directory.close()


def _require_current(path: Path) -> None:
    """Opening a file brings it up to date, which must not happen under a chat that runs. Raises StartError."""
    if not path.is_file():
        raise StartError(f"there is no chat in {path.parent}: name its data folder with --data")
    engine = open_engine(path, "BEGIN")
    try:
        with engine.connect() as connection:
            current = migrations.current(connection, "directory")
    finally:
        engine.dispose()
    if current != migrations.known("directory")[0]:
        raise StartError(f"{path} is from another version ({current}): start the chat with this one first")


async def note_operator(directory: Directory, action: AuditAction, subject_id: str) -> None:
    """Note that somebody did this on the command line."""
    at = Clock().now_ms()
    await directory.audit.note([AuditRow(audit_id(at), at, OPERATOR, action, subject_id, None, NO_DETAILS)])


async def read_audit(directory: Directory, wanted: AuditQuery) -> list[AuditView]:
    """The audit log of the whole installation, the newest first; that it was read is noted first."""
    await note_operator(directory, AuditAction.AUDIT_READ, wanted.workspace_id or "")
    found: list[AuditRow] = []
    while len(found) < wanted.limit:
        before = found[-1].audit_id if found else wanted.before
        limit = min(PAGE, wanted.limit - len(found))
        page = await directory.audit.find(msgspec.structs.replace(wanted, before=before, limit=limit))
        found += page
        if len(page) < limit:
            break
    return [audit_view(row) for row in found]


async def read_counts(directory: Directory, since: datetime) -> list[DaySummary]:
    """What is shown of each day since then."""
    today = day_of(Clock().now_ms())
    return summarise(await directory.counts.published(day_of(int(since.timestamp() * 1000)), today))
