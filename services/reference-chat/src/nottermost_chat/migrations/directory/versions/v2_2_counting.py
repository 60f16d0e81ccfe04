"""What daily counts are made of."""

import sqlalchemy as sa
from alembic import op

revision = "v2_2"
down_revision = "v2_1"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "counting",
        sa.Column("day", KEY, nullable=False),
        sa.Column("workspace_pseudonym", KEY, nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("group_messages", sa.BigInteger(), nullable=False),
        sa.Column("uploads", sa.BigInteger(), nullable=False),
        sa.Column("uploads_failed", sa.BigInteger(), nullable=False),
        sa.Column("users", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day", "workspace_pseudonym"),
    )
    op.create_index("ix_counting_workspace", "counting", ["workspace_pseudonym", "day"])
    op.create_table(
        "counted",
        sa.Column("conversation_id", KEY, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id"),
    )
