"""What users have agreed to, and since when; what was withdrawn stays as history."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select, update

from nottermost_chat.directory.engine import Noun, reads, writes
from nottermost_chat.directory.queries import columns, fetch, insert_new
from nottermost_chat.directory.tables import consents


class Consent(msgspec.Struct, frozen=True):
    """What a user agreed to."""

    document: str
    version: str
    given_at: int
    withdrawn_at: int | None


class Consents(Noun):
    """One row for each time that somebody agreed to a version of a document."""

    @reads
    def of_user(self, connection: Connection, user_id: str) -> list[Consent]:
        """All of them, the oldest first."""
        mine = select(*columns(consents, Consent)).where(consents.c.user_id == user_id)
        return fetch(connection, mine.order_by(consents.c.given_at, consents.c.document, consents.c.version), Consent)

    @writes
    def give(self, connection: Connection, user_id: str, document: str, version: str) -> None:
        """Agree from now on; who does already agreed then."""
        add_consents(connection, user_id, {document: version}, self._clock.now_ms())

    @writes
    def withdraw(self, connection: Connection, user_id: str, document: str) -> bool:
        """Do not agree to any version any more. False: the user did not."""
        mine = (consents.c.user_id == user_id) & (consents.c.document == document) & consents.c.withdrawn_at.is_(None)
        return connection.execute(update(consents).where(mine).values(withdrawn_at=self._clock.now_ms())).rowcount > 0


def add_consents(connection: Connection, user_id: str, versions: Mapping[str, str], at: int) -> None:
    """Inside somebody's transaction; what is agreed to already stays as it is. `versions`: by document."""
    for document, version in versions.items():
        same = (consents.c.user_id == user_id) & (consents.c.document == document) & (consents.c.version == version)
        open_one = select(consents.c.given_at).where(same, consents.c.withdrawn_at.is_(None))
        if connection.execute(open_one).first() is None:
            values = {"user_id": user_id, "document": document, "version": version, "given_at": at}
            insert_new(connection, consents, values)
