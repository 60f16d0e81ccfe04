"""Activity gets its own table (1 of 3, expand): both places are kept equal, so old and new programs can run together.

`conversations.activity_at` was written with every message: on PostgreSQL that is a new version of a
wide row in each of its six indexes, and a wait for whoever changes the members meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = "v1_2"
down_revision = "v1_1"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# What each side does to the other. A later time wins, and an equal one ends it.
TO_ACTIVITY = """INSERT INTO activity VALUES (NEW.conversation_id, NEW.activity_at)
    ON CONFLICT (conversation_id) DO UPDATE SET active_at = excluded.active_at
    WHERE activity.active_at < excluded.active_at;"""
TO_CONVERSATIONS = """UPDATE conversations SET activity_at = NEW.active_at
    WHERE conversation_id = NEW.conversation_id AND activity_at < NEW.active_at;"""


def upgrade() -> None:
    op.create_table("activity", sa.Column("conversation_id", KEY, primary_key=True), sa.Column("active_at", sa.BigInteger(), nullable=False))  # fmt: skip
    op.create_index("ix_activity_active_at", "activity", ["active_at"])
    with op.batch_alter_table("conversations") as batch:
        batch.alter_column(
            "activity_at", existing_type=sa.BigInteger(), server_default="0"
        )  # new programs leave it out
    if op.get_bind().dialect.name == "sqlite":
        for event in ("INSERT", "UPDATE OF activity_at"):
            name = f"activity_from_conversations_{event[:6].lower()}"
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON conversations WHEN NEW.activity_at > 0 BEGIN {TO_ACTIVITY} END"
            )
        for event in ("INSERT", "UPDATE"):
            op.execute(
                f"CREATE TRIGGER activity_to_conversations_{event.lower()} AFTER {event} ON activity BEGIN {TO_CONVERSATIONS} END"
            )
        return
    for name, table, event, action in (
        (
            "activity_from_conversations",
            "conversations",
            "INSERT OR UPDATE OF activity_at",
            f"IF NEW.activity_at > 0 THEN {TO_ACTIVITY} END IF;",
        ),
        ("activity_to_conversations", "activity", "INSERT OR UPDATE", TO_CONVERSATIONS),
    ):
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action} RETURN NULL; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
