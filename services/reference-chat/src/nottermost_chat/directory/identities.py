"""Who a user is to an identity provider."""

from sqlalchemy import Connection, select

from nottermost_chat.directory.engine import Noun, reads, upserts
from nottermost_chat.directory.queries import fetch_one, insert_new
from nottermost_chat.directory.rows import USER, UserRow
from nottermost_chat.directory.tables import external_identities, users


class Identities(Noun):
    """A user may have several; one of them belongs to one user for ever."""

    @reads
    def user_of(self, connection: Connection, issuer: str, subject: str) -> UserRow | None:
        """Whose it is; None: nobody's here."""
        mine = (external_identities.c.issuer == issuer) & (external_identities.c.subject == subject)
        return fetch_one(connection, select(*USER).join_from(users, external_identities).where(mine), UserRow)

    @upserts
    def link(self, connection: Connection, issuer: str, subject: str, user_id: str) -> bool:
        """It is this user's from now on. False: it was somebody's already, and stays so."""
        return add_identity(connection, issuer, subject, user_id, self._clock.now_ms())


def add_identity(connection: Connection, issuer: str, subject: str, user_id: str, at: int) -> bool:
    """False: it is somebody's already."""
    values = {"issuer": issuer, "subject": subject, "user_id": user_id, "linked_at": at}
    return insert_new(connection, external_identities, values)
