"""What the command line asks about old and personal data: the archive, what would go, holds, erasures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from nottermost_chat.actions import privacy
from nottermost_chat.archive import Archive, Registered, has_arrow, to_message
from nottermost_chat.clock import Clock
from nottermost_chat.directory import AuditAction, ErasureRow, HoldRow
from nottermost_chat.directory.audit import OPERATOR
from nottermost_chat.errors import BadRequest, NotFound, StartError
from nottermost_chat.metrics import Metrics
from nottermost_chat.operating import note_operator, open_directory
from nottermost_chat.protocol import MessageFields, message_fields, to_time
from nottermost_chat.services import Services
from nottermost_chat.settings import Secrets, Settings, Store
from nottermost_chat.workers import erasure, retention

PASSES_MAX = 10  # of an erasure: the second one finds nothing unless the archiver wrote meanwhile


class Going(msgspec.Struct, frozen=True):
    """What a pass of retention would take: entries of a conversation out of the store, or rows of a day out of the archive.

    Attributes:
        up_to_seq, entries, messages, files: of the first step; others follow where there is more that is old.
        held: a legal hold keeps it.
        day, rows: of the archive.
    """

    conversation_id: str = ""
    workspace_id: str | None = None
    up_to_seq: int = 0
    entries: int = 0
    messages: int = 0
    files: int = 0
    held: bool = False
    day: str = ""
    rows: int = 0

    def render(self) -> str:
        if self.day:
            return f"archive {self.day}: {self.rows:,} rows expire"
        kept = " (held: nothing goes)" if self.held else ""
        return (
            f"{self.conversation_id}: {self.entries:,} entries up to seq {self.up_to_seq}, {self.messages:,} messages,"
            f" {self.files:,} files{kept}"
        )


@asynccontextmanager
async def open_services(settings: Settings, secrets: Secrets) -> AsyncIterator[Services]:
    """Those of the cluster that the settings name, or those over the data folder, on which no chat may be running.

    Raises: StartError, also where there is no Arrow to read the archive with.
    """
    _require_arrow()
    if settings.store is Store.SQLITE:
        from nottermost_chat import bootstrap

        async with bootstrap.open_services(settings) as services:
            yield services
        return
    from nottermost_chat.roles.process import Role, make_process
    from nottermost_chat.roles.services import open_services as open_cluster

    async with open_cluster(make_process(Role.KEEPER, settings, secrets)) as (opened, _):
        yield opened


@asynccontextmanager
async def open_archive(settings: Settings) -> AsyncIterator[Archive]:
    """That of the cluster, or the one in the data folder; a chat may be running on it. Raises StartError."""
    _require_arrow()
    clock = Clock(settings.clock_ahead_s)
    if settings.archive_bucket:
        archive = Archive.in_bucket(settings.archive_bucket, Metrics(), clock)
    elif (folder := settings.data / "archive").is_dir():
        archive = Archive.in_folder(folder, Metrics(), clock)
    else:
        raise StartError(f"there is no archive in {settings.data}: name a chat's data folder with --data")
    try:
        yield archive
    finally:
        await archive.close()


def _require_arrow() -> None:
    if not has_arrow():
        raise StartError("the archive needs Arrow: pip install 'nottermost-chat[cluster]'")


async def query_archive(
    settings: Settings, conversation_id: str, begin: datetime, end: datetime, text: str, limit: int
) -> list[MessageFields]:
    """Messages of a conversation in that time, the oldest first, each with its whole body."""
    found: list[MessageFields] = []
    first, last = (int(at.timestamp() * 1000) for at in (begin, end))
    async with open_archive(settings) as archive:
        async for row in archive.query(conversation_id, first, last, text):
            found.append(message_fields(to_message(row, full=True), full=True))
            if len(found) == limit:
                break
    return found


async def plan_retention(settings: Settings, secrets: Secrets) -> list[Going]:
    """What the next pass would begin with. Changes nothing."""
    async with open_services(settings, secrets) as services:
        return [_going(step) async for step in retention.plan(services)]


def _going(step: retention.Trim | retention.Expiry) -> Going:
    if isinstance(step, retention.Expiry):
        return Going(day=step.day, rows=step.rows)
    return Going(
        step.conversation_id, step.workspace_id, step.floor_seq, len(step.entries), len(step.message_ids),
        len(step.file_ids), step.held,
    )  # fmt: skip


# --- holds ------------------------------------------------------------------------------------


async def add_hold(
    settings: Settings, secrets: Secrets, reason: str, workspace_id: str | None, user_id: str | None,
    conversation_id: str | None,
) -> HoldRow:  # fmt: skip
    """Hold one of the three. Raises BadRequest for none or several, NotFound."""
    if sum(each is not None for each in (workspace_id, user_id, conversation_id)) != 1:
        raise BadRequest("hold one workspace, one user or one conversation")
    async with open_directory(settings, secrets) as directory:
        there = (
            workspace_id is not None and await directory.workspaces.get(workspace_id),
            user_id is not None and await directory.accounts.user(user_id),
            conversation_id is not None and await directory.conversations.get(conversation_id),
        )
        if not any(there):
            raise NotFound(f"there is no {workspace_id or user_id or conversation_id} to hold: give its id")
        row = await directory.retention.hold(
            reason=reason, created_by=OPERATOR, workspace_id=workspace_id, user_id=user_id,
            conversation_id=conversation_id,
        )  # fmt: skip
        await note_operator(directory, AuditAction.HOLD_SET, row.hold_id)
        return row


async def release_hold(settings: Settings, secrets: Secrets, hold_id: str) -> HoldRow:
    """Raises NotFound."""
    async with open_directory(settings, secrets) as directory:
        row = await directory.retention.release(hold_id)
        await note_operator(directory, AuditAction.HOLD_RELEASED, hold_id)
        return row


# --- erasures ---------------------------------------------------------------------------------


class Erased(msgspec.Struct, frozen=True):
    """An erasure and how far it came; `held`: a legal hold keeps it waiting."""

    erasure_id: str
    user_id: str
    state: str
    requested_at: datetime
    held: bool


async def erase_user(settings: Settings, secrets: Secrets, name: str, confirm: str) -> list[Erased]:
    """Erase the user of this name or id, now. Raises NotFound, Conflict unless `confirm` is the user name."""
    async with open_services(settings, secrets) as services:
        accounts = services.directory.accounts
        user = await accounts.user(name) or await accounts.by_username(name)
        if user is None:
            raise NotFound(f"there is no user {name}: give a user name or an id")
        asked = await privacy.request_erasure(services, user.user_id, OPERATOR, confirm)
        return await _carry_out(services, [asked])


async def replay_erasures(settings: Settings, secrets: Secrets, register: Path | None) -> list[Erased]:
    """Do every erasure of the register again. None: the register beside the archive. Raises BadRequest."""
    async with open_services(settings, secrets) as services:
        assert services.archive is not None, "there is Arrow"
        known = await services.archive.registered() if register is None else read_register(register)
        return await _carry_out(services, await privacy.replay(services, known))


def read_register(place: Path) -> list[Registered]:
    """From a folder with a file for each erasure, as the archive keeps it. Raises BadRequest."""
    if not place.is_dir():
        raise BadRequest(f"{place} is no folder: give the `erasures` folder of an archive")
    try:
        files = sorted(place.glob("*.json"))
        return [msgspec.json.decode(file.read_bytes(), type=Registered) for file in files]
    except (OSError, msgspec.DecodeError) as error:
        raise BadRequest(f"{place} cannot be read as a register of erasures: {error}") from error


async def _carry_out(services: Services, asked: list[ErasureRow]) -> list[Erased]:
    """Now, instead of in the background."""
    found = []
    for row in asked:
        held = await services.directory.retention.holds_user(row.user_id)
        for _ in range(0 if held else PASSES_MAX):
            if await erasure.advance(services, row):
                break
        now = await services.directory.privacy.erasure(row.erasure_id) or row
        found.append(Erased(now.erasure_id, now.user_id, now.state, to_time(now.requested_at), held))
    return found
