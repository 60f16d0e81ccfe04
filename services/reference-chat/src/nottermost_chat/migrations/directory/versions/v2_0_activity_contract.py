"""Activity gets its own table (3 of 3, contract): for when no program runs that knows the old column."""

from alembic import op

revision = "v2_0"
down_revision = "v1_3"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in (
            "from_conversations_insert",
            "from_conversations_update",
            "to_conversations_insert",
            "to_conversations_update",
        ):
            op.execute(f"DROP TRIGGER activity_{name}")
    else:
        for name, table in (("from_conversations", "conversations"), ("to_conversations", "activity")):
            op.execute(f"DROP TRIGGER activity_{name} ON {table}")
            op.execute(f"DROP FUNCTION activity_{name}()")
    op.drop_index("ix_conversations_activity_at")
    op.drop_column("conversations", "activity_at")
    op.execute("UPDATE meta SET value = '2' WHERE name = 'schema_version'")  # for programs that know no revisions
