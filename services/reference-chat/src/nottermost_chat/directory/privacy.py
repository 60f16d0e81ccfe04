"""What one user asks for about their own data: to have it erased, or handed out."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, delete, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes
from nottermost_chat.directory.queries import columns, fetch, fetch_one, insert_new
from nottermost_chat.directory.rows import DEVICE, FILE, DeviceRow, FileRow
from nottermost_chat.directory.tables import (
    RequestState,
    bot_tokens,
    claims,
    consents,
    conversations,
    cursors,
    devices,
    erasures,
    exports,
    external_identities,
    files,
    memberships,
    mentions,
    mutes,
    notification_settings,
    push_subscriptions,
    quiet_windows,
    refresh_tokens,
    requests,
    user_names,
    users,
    workspaces,
)

ERASED_NAME: Final = "Deleted user"


class ErasureRow(msgspec.Struct, frozen=True):
    """A user's data on its way out; rows stay for good: together they are the register."""

    erasure_id: str
    user_id: str
    requested_by: str
    requested_at: int
    state: RequestState
    finished_at: int | None


class ExportRow(msgspec.Struct, frozen=True):
    """A copy of a user's data; `blob_key` until it expires."""

    export_id: str
    user_id: str
    requested_by: str
    requested_at: int
    state: RequestState
    finished_at: int | None
    blob_key: str | None
    expires_at: int | None


class Stay(msgspec.Struct, frozen=True):
    """A time in a conversation, as its user is told of it."""

    conversation_id: str
    kind: str
    title: str
    workspace: str | None
    role: str
    joined_seq: int
    left_seq: int | None


class NotificationChoice(msgspec.Struct, frozen=True):
    """How the user wishes to be notified."""

    time_zone: str
    paused_until: int | None


ERASURE: Final = columns(erasures, ErasureRow)
EXPORT: Final = columns(exports, ExportRow)

# Rows that are about one user only, and mean nothing without the account. Who is a member of what stays, as an id.
OWN: Final[tuple[Table, ...]] = (
    claims, user_names, external_identities, notification_settings, quiet_windows, mutes, mentions, cursors, consents,
    bot_tokens, requests,
)  # fmt: skip


class Privacy(Noun):
    """Erasures and exports, and what the directory itself has of a user."""

    # --- erasures --------------------------------------------------------------------------------

    @writes
    def request_erasure(
        self, connection: Connection, user_id: str, requested_by: str, *, erasure_id: str = "", requested_at: int = 0
    ) -> ErasureRow:
        """Ask for it; one that is not finished yet is the answer.

        Args:
            erasure_id, requested_at: of the register, after a restore; a finished one begins again.
        """
        is_open = (erasures.c.user_id == user_id) & (erasures.c.state != RequestState.FINISHED)
        there = fetch_one(connection, select(*ERASURE).where(is_open), ErasureRow)
        if there is not None:
            return there
        now = requested_at or self._clock.now_ms()
        known = RequestState.REQUESTED, None
        row = ErasureRow(erasure_id or self._clock.new_id(), user_id, requested_by, now, *known)
        if not insert_new(connection, erasures, msgspec.structs.asdict(row)):
            again = update(erasures).where(erasures.c.erasure_id == row.erasure_id)
            connection.execute(again.values(state=RequestState.REQUESTED, finished_at=None))
        return row

    @upserts
    def begin_erasure(self, connection: Connection, erasure_id: str) -> None:
        """It runs from now on."""
        connection.execute(
            update(erasures).where(erasures.c.erasure_id == erasure_id).values(state=RequestState.RUNNING)
        )

    @upserts
    def finish_erasure(self, connection: Connection, erasure_id: str) -> None:
        """Nothing is left."""
        values = {"state": RequestState.FINISHED, "finished_at": self._clock.now_ms()}
        connection.execute(update(erasures).where(erasures.c.erasure_id == erasure_id).values(values))

    @reads
    def erasure(self, connection: Connection, erasure_id: str) -> ErasureRow | None:
        return fetch_one(connection, select(*ERASURE).where(erasures.c.erasure_id == erasure_id), ErasureRow)

    @reads
    def erasures(self, connection: Connection, *, finished: bool = False) -> list[ErasureRow]:
        """Those that are not finished, the oldest first; `finished`: all."""
        statement = select(*ERASURE) if finished else select(*ERASURE).where(erasures.c.state != RequestState.FINISHED)
        return fetch(connection, statement.order_by(erasures.c.requested_at, erasures.c.erasure_id), ErasureRow)

    @upserts
    def erase_profile(self, connection: Connection, user_id: str) -> None:
        """Leave a row that says that there was somebody. What an import knew it by stays: else it would come again."""
        name = f"deleted-{user_id.lower()}"
        values = {
            "username": name, "username_key": name, "display_name": ERASED_NAME, "title": "", "email": None,
            "password_hash": None, "deleted": True, "last_seen_at": None,
        }  # fmt: skip
        connection.execute(update(users).where(users.c.user_id == user_id).values(values))
        held = select(devices.c.device_id).where(devices.c.user_id == user_id)
        for table in (push_subscriptions, refresh_tokens):
            connection.execute(delete(table).where(table.c.device_id.in_(held)))
        connection.execute(update(devices).where(devices.c.user_id == user_id).values(name=""))
        for table in OWN:
            connection.execute(delete(table).where(table.c.user_id == user_id))

    @reads
    def uploads(self, connection: Connection, user_id: str, *, after: str = "", limit: int = 100) -> list[FileRow]:
        """A page of the user's files, by id."""
        mine = select(*FILE).where(files.c.uploader_id == user_id, files.c.file_id > after)
        return fetch(connection, mine.order_by(files.c.file_id).limit(limit), FileRow)

    @reads
    def imported(self, connection: Connection, user_id: str) -> bool:
        """Whether the user came with an import, which may have messages where nobody says that they were a member."""
        key = connection.scalar(select(users.c.import_key).where(users.c.user_id == user_id))
        return key is not None

    # --- exports ---------------------------------------------------------------------------------

    @writes
    def request_export(self, connection: Connection, user_id: str, requested_by: str) -> ExportRow:
        """Ask for it; one that is not finished yet is the answer."""
        is_open = (exports.c.user_id == user_id) & (exports.c.state != RequestState.FINISHED)
        there = fetch_one(connection, select(*EXPORT).where(is_open), ExportRow)
        if there is not None:
            return there
        known: tuple[Any, ...] = RequestState.REQUESTED, None, None, None
        row = ExportRow(self._clock.new_id(), user_id, requested_by, self._clock.now_ms(), *known)
        connection.execute(exports.insert().values(msgspec.structs.asdict(row)))
        return row

    @upserts
    def begin_export(self, connection: Connection, export_id: str, blob_key: str) -> None:
        """It is made under this key; what an earlier attempt left under another is the caller's."""
        values = {"state": RequestState.RUNNING, "blob_key": blob_key}
        connection.execute(update(exports).where(exports.c.export_id == export_id).values(values))

    @upserts
    def finish_export(self, connection: Connection, export_id: str, *, expires_at: int) -> None:
        """It can be fetched until then (ms since the epoch)."""
        values = {"state": RequestState.FINISHED, "finished_at": self._clock.now_ms(), "expires_at": expires_at}
        connection.execute(update(exports).where(exports.c.export_id == export_id).values(values))

    @upserts
    def forget_export(self, connection: Connection, export_id: str) -> None:
        """Its bytes are gone."""
        values = {"state": RequestState.FINISHED, "blob_key": None}
        connection.execute(update(exports).where(exports.c.export_id == export_id).values(values))

    @reads
    def export(self, connection: Connection, export_id: str) -> ExportRow | None:
        return fetch_one(connection, select(*EXPORT).where(exports.c.export_id == export_id), ExportRow)

    @reads
    def exports_of(self, connection: Connection, user_id: str, *, limit: int = 20) -> list[ExportRow]:
        """The user's last exports, the newest first."""
        mine = select(*EXPORT).where(exports.c.user_id == user_id).order_by(exports.c.export_id.desc())
        return fetch(connection, mine.limit(limit), ExportRow)

    @reads
    def open_exports(self, connection: Connection) -> list[ExportRow]:
        """Those that are to be made, the oldest first."""
        waiting = select(*EXPORT).where(exports.c.state != RequestState.FINISHED)
        return fetch(connection, waiting.order_by(exports.c.export_id), ExportRow)

    @reads
    def stale_exports(self, connection: Connection) -> list[ExportRow]:
        """Those whose bytes are still there though their time is over."""
        over = exports.c.expires_at <= self._clock.now_ms()
        return fetch(connection, select(*EXPORT).where(exports.c.blob_key.is_not(None), over), ExportRow)

    # --- what is known of a user -----------------------------------------------------------------

    @reads
    def stays(self, connection: Connection, user_id: str) -> list[Stay]:
        """Every time in every conversation, also those that are over."""
        statement = (
            select(
                memberships.c.conversation_id, conversations.c.kind, conversations.c.title, workspaces.c.name,
                memberships.c.role, memberships.c.joined_seq, memberships.c.left_seq,
            )
            .join_from(memberships, conversations, conversations.c.conversation_id == memberships.c.conversation_id)
            .join(workspaces, workspaces.c.workspace_id == conversations.c.workspace_id, isouter=True)
            .where(memberships.c.user_id == user_id)
            .order_by(memberships.c.conversation_id, memberships.c.joined_seq)
        )  # fmt: skip
        return fetch(connection, statement, Stay)

    @reads
    def all_devices(self, connection: Connection, user_id: str) -> list[DeviceRow]:
        """Also those that were signed out."""
        mine = select(*DEVICE).where(devices.c.user_id == user_id).order_by(devices.c.device_id)
        return fetch(connection, mine, DeviceRow)

    @reads
    def notifications(self, connection: Connection, user_id: str) -> NotificationChoice | None:
        mine = select(*columns(notification_settings, NotificationChoice))
        return fetch_one(connection, mine.where(notification_settings.c.user_id == user_id), NotificationChoice)
