"""What the workers need: push, notification settings, webhooks, bots, audit, holds, retention, consent, requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v1_1"
down_revision = "v1_0"

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("audit_id", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", KEY, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY),
        sa.Column("details", JSON, nullable=False),
        sa.PrimaryKeyConstraint("audit_id"),
    )
    op.create_index("ix_audit_log_actor", "audit_log", ["actor_id", "audit_id"])
    op.create_index("ix_audit_log_subject", "audit_log", ["subject_id", "audit_id"])
    op.create_index("ix_audit_log_workspace", "audit_log", ["workspace_id", "audit_id"])
    op.create_table(
        "daily_counts",
        sa.Column("day", KEY, nullable=False),
        sa.Column("workspace_pseudonym", KEY, nullable=False),
        sa.Column("metric", KEY, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "workspace_pseudonym", "metric"),
    )
    op.create_table(
        "bot_tokens",
        sa.Column("token_id", KEY, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("token_id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_bot_tokens_user_id", "bot_tokens", ["user_id"])
    op.create_table(
        "consents",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("document", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("given_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "document", "version", "given_at"),
    )
    op.create_table(
        "erasures",
        sa.Column("erasure_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("requested_by", KEY, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("erasure_id"),
    )
    op.create_index("ux_erasures_open", "erasures", ["user_id"], unique=True, **where("state <> 'finished'"))
    op.create_table(
        "exports",
        sa.Column("export_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("requested_by", KEY, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("blob_key", sa.String()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("export_id"),
    )
    op.create_index("ux_exports_open", "exports", ["user_id"], unique=True, **where("state <> 'finished'"))
    op.create_table(
        "notification_settings",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("paused_until", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "quiet_windows",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("weekday", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("end_minute", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "weekday", "start_minute"),
    )
    op.create_table(
        "retention_policies",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("hot_hours", sa.Integer(), nullable=False),
        sa.Column("warm_days", sa.Integer(), nullable=False),
        sa.Column("archive_days", sa.Integer(), nullable=False),
        sa.Column("changed_by", KEY, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.workspace_id"],
        ),
        sa.PrimaryKeyConstraint("workspace_id"),
    )
    op.create_table(
        "incoming_hooks",
        sa.Column("hook_id", KEY, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("conversation_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
        ),
        sa.PrimaryKeyConstraint("hook_id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_incoming_hooks_conversation_id", "incoming_hooks", ["conversation_id"])
    op.create_table(
        "legal_holds",
        sa.Column("hold_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY),
        sa.Column("user_id", KEY),
        sa.Column("conversation_id", KEY),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.CheckConstraint(
            "(workspace_id IS NOT NULL AND user_id IS NULL AND conversation_id IS NULL) OR (workspace_id IS NULL AND user_id IS NOT NULL AND conversation_id IS NULL) OR (workspace_id IS NULL AND user_id IS NULL AND conversation_id IS NOT NULL)",
            name="ck_legal_holds_one",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.workspace_id"],
        ),
        sa.PrimaryKeyConstraint("hold_id"),
    )
    op.create_index("ix_legal_holds_open", "legal_holds", ["created_at"], **where("ended_at IS NULL"))
    op.create_table(
        "mutes",
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("conversation_id", KEY, nullable=False),
        sa.Column("notify", sa.String(16), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.user_id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id"),
    )
    op.create_index("ix_mutes_conversation", "mutes", ["conversation_id"])
    op.create_table(
        "push_subscriptions",
        sa.Column("device_id", KEY, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address", KEY, nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("auth_secret", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["devices.device_id"],
        ),
        sa.PrimaryKeyConstraint("device_id"),
        sa.UniqueConstraint("address"),
    )
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", KEY, nullable=False),
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("conversation_id", KEY),
        sa.Column("events", JSON, nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.conversation_id"],
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.workspace_id"],
        ),
        sa.PrimaryKeyConstraint("webhook_id"),
    )
    op.create_index("ix_webhooks_workspace_id", "webhooks", ["workspace_id"])
    keep_audit_log()


def keep_audit_log() -> None:
    """Rows of the audit log can be added, and nothing else."""
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_keeps_on_{action.lower()} BEFORE {action} ON audit_log"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_log_keeps() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_log_keeps()"
    )


def where(condition: str) -> dict[str, Any]:
    """Of a partial index, in both dialects."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
