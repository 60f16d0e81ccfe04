"""How users want to be told of news: devices that take pushes, quiet hours, what each conversation may notify of."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, select, update

from nottermost_chat.directory.engine import Noun, reads, upserts, writes, writes_rows
from nottermost_chat.directory.queries import chunks, fetch, insert
from nottermost_chat.directory.rows import (
    LEVEL,
    QUIET_WINDOW,
    SUBSCRIPTION,
    Level,
    Quiet,
    QuietWindow,
    Standing,
    Subscription,
)
from nottermost_chat.directory.tables import (
    PushKind,
    cursors,
    devices,
    mutes,
    notification_settings,
    push_subscriptions,
    quiet_windows,
)

_signed_in = devices.c.revoked_at.is_(None)
_subscribed = push_subscriptions.join(devices, devices.c.device_id == push_subscriptions.c.device_id)


class Notifications(Noun):
    """Push subscriptions, and when and of what their users want to hear."""

    # --- devices ------------------------------------------------------------------------------

    @writes
    def subscribe(
        self,
        connection: Connection,
        device_id: str,
        kind: PushKind,
        address: str,
        public_key: str = "",
        auth_secret: str = "",
    ) -> None:
        """Pushes for the device's user go to this address, in place of the one before; from another device it moves here."""
        table = push_subscriptions
        connection.execute(delete(table).where((table.c.device_id == device_id) | (table.c.address == address)))
        values = {
            "device_id": device_id, "kind": kind, "address": address, "public_key": public_key,
            "auth_secret": auth_secret, "created_at": self._clock.now_ms(), "failures": 0,
        }  # fmt: skip
        connection.execute(table.insert().values(values))

    @upserts
    def unsubscribe(self, connection: Connection, device_id: str, address: str | None = None) -> None:
        """The device takes no pushes any more; with `address`: unless it has another one by now."""
        theirs = push_subscriptions.c.device_id == device_id
        if address is not None:
            theirs &= push_subscriptions.c.address == address
        connection.execute(delete(push_subscriptions).where(theirs))

    @reads
    def subscriptions(self, connection: Connection, user_id: str) -> list[Subscription]:
        """Where pushes for the user go: to devices that are signed in, by device id."""
        statement = select(*SUBSCRIPTION).select_from(_subscribed).where(devices.c.user_id == user_id, _signed_in)
        return fetch(connection, statement.order_by(push_subscriptions.c.device_id), Subscription)

    @reads
    def subscribed(self, connection: Connection, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the users who have a device that takes pushes."""
        statement = select(devices.c.user_id).select_from(_subscribed).where(_signed_in)
        parts = [statement.where(devices.c.user_id.in_(part)) for part in chunks(user_ids)]
        return frozenset(user_id for part in parts for user_id in connection.scalars(part))

    @upserts
    def note_sent(self, connection: Connection, device_id: str, address: str) -> None:
        """A push went through: earlier failures are forgotten."""
        here = (push_subscriptions.c.device_id == device_id) & (push_subscriptions.c.address == address)
        connection.execute(update(push_subscriptions).where(here).values(failures=0))

    @writes_rows
    def note_refused(self, connection: Connection, device_id: str, address: str, *, failures_max: int) -> bool:
        """A push was refused; with that many in a row the subscription goes. Returns whether it went."""
        table = push_subscriptions
        here = (table.c.device_id == device_id) & (table.c.address == address)
        connection.execute(update(table).where(here).values(failures=table.c.failures + 1))
        gone = connection.execute(delete(table).where(here, table.c.failures >= failures_max))
        return gone.rowcount > 0

    # --- quiet hours --------------------------------------------------------------------------

    @reads
    def quiet(self, connection: Connection, user_ids: Sequence[str]) -> dict[str, Quiet]:
        """When the users are not to be disturbed; those who never said are absent."""
        table, found = notification_settings, dict[str, Quiet]()
        for part in chunks(user_ids):
            settings = select(table.c.user_id, table.c.time_zone, table.c.paused_until).where(table.c.user_id.in_(part))
            found |= {user_id: Quiet(time_zone, paused) for user_id, time_zone, paused in connection.execute(settings)}
            windows = select(quiet_windows.c.user_id, *QUIET_WINDOW).where(quiet_windows.c.user_id.in_(part))
            for user_id, *values in connection.execute(windows.order_by(*quiet_windows.primary_key.columns)):
                now = found.get(user_id, Quiet())
                found[user_id] = msgspec.structs.replace(now, windows=(*now.windows, QuietWindow(*values)))
        return found

    @writes
    def set_quiet(self, connection: Connection, user_id: str, quiet: Quiet) -> None:
        """In place of what the user said before."""
        values = {"time_zone": quiet.time_zone, "paused_until": quiet.paused_until}
        statement = insert(connection.dialect.name, notification_settings).values(user_id=user_id, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
        connection.execute(delete(quiet_windows).where(quiet_windows.c.user_id == user_id))
        if quiet.windows:
            rows = [{"user_id": user_id, **msgspec.structs.asdict(window)} for window in quiet.windows]
            connection.execute(quiet_windows.insert(), rows)

    # --- conversations ------------------------------------------------------------------------

    @upserts
    def set_level(self, connection: Connection, user_id: str, conversation_id: str, level: Level | None) -> None:
        """What the conversation may notify the user of; None: the usual."""
        if level is None:
            theirs = (mutes.c.user_id == user_id) & (mutes.c.conversation_id == conversation_id)
            connection.execute(delete(mutes).where(theirs))
            return
        values = {"notify": level.notify, "until": level.until}
        key = {"user_id": user_id, "conversation_id": conversation_id}
        statement = insert(connection.dialect.name, mutes).values(**key, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))

    @reads
    def levels(self, connection: Connection, user_id: str) -> dict[str, Level]:
        """What the user chose, by conversation."""
        statement = select(mutes.c.conversation_id, *LEVEL).where(mutes.c.user_id == user_id)
        return {conversation_id: Level(*values) for conversation_id, *values in connection.execute(statement)}

    @reads
    def standings(self, connection: Connection, conversation_id: str, user_ids: Sequence[str]) -> dict[str, Standing]:
        """How far the users have read in a conversation, and what it may notify them of; absent: not at all, nothing."""
        found: dict[str, Standing] = {}
        for part in chunks(user_ids):
            read = select(cursors.c.user_id, cursors.c.read_seq).where(
                cursors.c.conversation_id == conversation_id, cursors.c.user_id.in_(part)
            )
            found |= {user_id: Standing(seq) for user_id, seq in connection.execute(read)}
            chosen = select(mutes.c.user_id, *LEVEL).where(
                mutes.c.conversation_id == conversation_id, mutes.c.user_id.in_(part)
            )
            for user_id, *values in connection.execute(chosen):
                seq = found[user_id].read_seq if user_id in found else 0
                found[user_id] = Standing(seq, Level(*values))
        return found

    @reads
    def read_since(self, connection: Connection, user_ids: Sequence[str], since_ms: int) -> dict[tuple[str, str], int]:
        """Read cursors of the users that moved at or after that time: (user, conversation) to seq."""
        statement = select(cursors.c.user_id, cursors.c.conversation_id, cursors.c.read_seq).where(
            cursors.c.changed_at >= since_ms
        )
        parts = [statement.where(cursors.c.user_id.in_(part)) for part in chunks(user_ids)]
        return {(user, place): seq for part in parts for user, place, seq in connection.execute(part)}
