"""Activity gets its own table (2 of 3, migrate): the rows that nobody has written since the first step."""

import sqlalchemy as sa
from alembic import op

revision = "v1_3"
down_revision = "v1_2"

BATCH = 5_000  # rows in one transaction: some 50 ms, and no long one holds back vacuum

FILL = sa.text(
    "INSERT INTO activity SELECT conversation_id, activity_at FROM conversations"
    " WHERE conversation_id > :after AND (conversation_id <= :last OR :last = '')"
    " ON CONFLICT DO NOTHING"  # what is there is newer
)
LAST = sa.text(
    "SELECT conversation_id FROM conversations WHERE conversation_id > :after"
    " ORDER BY conversation_id LIMIT 1 OFFSET :batch"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        fill()  # one transaction for all revisions: nobody else uses the file
        return
    with op.get_context().autocommit_block():
        fill()


def fill() -> None:
    """Batch after batch; again is the same as once."""
    connection, after, last = op.get_bind(), "", None
    while last != "":
        last = connection.scalar(LAST, {"after": after, "batch": BATCH - 1}) or ""
        connection.execute(FILL, {"after": after, "last": last})
        after = last
