"""Who administers a channel, and who would if they left, without a look at its million members."""

import sqlalchemy as sa
from alembic import op

revision = "v2_3"
down_revision = "v2_2"


def upgrade() -> None:
    for name, columns, condition in (
        ("ix_memberships_admins", ["conversation_id"], "left_seq IS NULL AND role = 'admin'"),
        ("ix_memberships_eldest", ["conversation_id", "joined_seq", "user_id"], "left_seq IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "memberships", columns, sqlite_where=where, postgresql_where=where)
