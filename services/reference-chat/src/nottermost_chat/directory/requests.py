"""Requests with an Idempotency-Key: what a repeat is answered with."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, select, update

from nottermost_chat.directory.engine import Noun, upserts, writes_rows
from nottermost_chat.directory.queries import insert_new
from nottermost_chat.directory.rows import Finished
from nottermost_chat.directory.tables import requests
from nottermost_chat.errors import Conflict, IdempotencyMismatch

WORKING_MS_MAX: Final = 60_000  # no request takes longer; after that its process is taken to have died


class Requests(Noun):
    """One row for each (user, key)."""

    @writes_rows
    def begin(
        self, connection: Connection, user_id: str, key: str, fingerprint: bytes, *, valid_s: int
    ) -> Finished | None:
        """None: act, then call `finish` or `abandon`. Otherwise the answer to repeat.

        Raises:
            IdempotencyMismatch: the key came with another request before.
            Conflict: the first request is still being worked on (for up to a minute).
        """
        now = self._clock.now_ms()
        times = {"started_at": now, "expires_at": now + valid_s * 1000}
        new: dict[str, Any] = {"fingerprint": fingerprint, "status": None, "body": None} | times
        there = select(requests).where(_is(user_id, key)).with_for_update()
        row = None
        while row is None:  # whoever was there may be removed between the two statements
            if insert_new(connection, requests, {"user_id": user_id, "key": key} | new):
                return None
            row = connection.execute(there).first()
        if row.expires_at > now:
            if row.fingerprint != fingerprint:
                raise IdempotencyMismatch(f"the Idempotency-Key {key} came with another request: use a new key")
            if row.status is not None:
                return Finished(row.status, row.body)
            if row.started_at > now - WORKING_MS_MAX:
                raise Conflict(f"the first request with the Idempotency-Key {key} is not finished: try again later")
        connection.execute(update(requests).where(_is(user_id, key)).values(new))
        return None

    @upserts
    def finish(self, connection: Connection, user_id: str, key: str, status: int, body: bytes) -> None:
        """Keep the answer for repeats."""
        connection.execute(update(requests).where(_is(user_id, key)).values(status=status, body=body))

    @writes_rows
    def abandon(self, connection: Connection, user_id: str, key: str) -> None:
        """The request failed without effect: a repeat may act."""
        connection.execute(delete(requests).where(_is(user_id, key), requests.c.status.is_(None)))

    @upserts
    def prune(self, connection: Connection) -> None:
        """Forget what is too old to be repeated."""
        connection.execute(delete(requests).where(requests.c.expires_at <= self._clock.now_ms()))


def _is(user_id: str, key: str) -> ColumnElement[bool]:
    return (requests.c.user_id == user_id) & (requests.c.key == key)
