"""Heads, entries, texts, reactions and republish notes: what `PostgresStore` reads and writes.

Plain DDL: this schema runs on PostgreSQL only. Ids compare by their bytes (COLLATE "C"), which
is quicker than a language's order and the same on every server.
"""

from alembic import op

revision = "v1_0"
down_revision = None

TABLES = """
-- Moved by every append: room on the page keeps the new version beside the old one and out of the index.
CREATE TABLE heads (
  conversation_id text COLLATE "C" PRIMARY KEY, epoch bigint NOT NULL, seq bigint NOT NULL, floor_seq bigint NOT NULL,
  members_seq bigint NOT NULL, messages bigint NOT NULL, channel_mentions bigint NOT NULL,
  created_at bigint NOT NULL, members integer NOT NULL, large boolean NOT NULL
) WITH (fillfactor = 60);

-- The skeletons. The columns from `version` on are the state of a message now; thread_id, broadcast and sent_at
-- are those of the detail, where an index or a filter needs them.
CREATE TABLE entries (
  conversation_id text COLLATE "C" NOT NULL, epoch bigint NOT NULL, seq bigint NOT NULL, kind text NOT NULL,
  actor_id text COLLATE "C" NOT NULL, message_id text COLLATE "C" NOT NULL, target_seq bigint NOT NULL,
  created_at bigint NOT NULL, members_seq bigint NOT NULL, messages bigint NOT NULL, channel_mentions bigint NOT NULL,
  op_id text COLLATE "C" NOT NULL, detail json NOT NULL, fingerprint bytea NOT NULL,
  large boolean NOT NULL, silent boolean NOT NULL,
  thread_id text COLLATE "C", broadcast boolean NOT NULL, sent_at bigint,
  version bigint NOT NULL DEFAULT 1, changed_seq bigint NOT NULL DEFAULT 0, edited_at bigint,
  deleted_at bigint, redacted boolean NOT NULL DEFAULT false,
  is_message boolean NOT NULL GENERATED ALWAYS AS (kind = 'message') STORED,
  PRIMARY KEY (conversation_id, seq)
);

-- `body` is null when the preview is all of it, or when it is in long_texts.
CREATE TABLE texts (
  message_id text COLLATE "C" NOT NULL, version bigint NOT NULL, preview text NOT NULL, has_more boolean NOT NULL,
  body text, PRIMARY KEY (message_id, version)
);
CREATE TABLE long_texts (
  message_id text COLLATE "C" NOT NULL, version bigint NOT NULL, body text NOT NULL, written_at bigint NOT NULL,
  in_use boolean NOT NULL DEFAULT false, PRIMARY KEY (message_id, version)
);
CREATE TABLE reactions (
  message_id text COLLATE "C" NOT NULL, emoji text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL, PRIMARY KEY (message_id, emoji, user_id)
);
CREATE TABLE republish_notes (
  owner text COLLATE "C" NOT NULL, conversation_id text COLLATE "C" NOT NULL, from_seq bigint NOT NULL,
  noted_at bigint NOT NULL, PRIMARY KEY (owner, conversation_id)
)
"""

INDEXES = """
CREATE UNIQUE INDEX entries_by_operation ON entries (conversation_id, actor_id, op_id);
CREATE UNIQUE INDEX messages_by_id ON entries (message_id) WHERE kind = 'message';
-- Pages of history cost as much as they show, however many reactions and joins lie between. Its condition is put in
-- other words, or it would be read from end to end for a message's id while the planner takes the table for small.
CREATE INDEX messages_by_seq ON entries (conversation_id, seq) WHERE is_message;
CREATE INDEX messages_by_thread ON entries (thread_id, seq) WHERE thread_id IS NOT NULL;
CREATE INDEX messages_deleted ON entries (deleted_at) WHERE deleted_at IS NOT NULL AND NOT redacted;
CREATE INDEX edits_by_message ON entries (message_id) WHERE kind = 'edit';
CREATE INDEX long_texts_unused ON long_texts (written_at) WHERE NOT in_use;
CREATE INDEX republish_notes_by_time ON republish_notes (noted_at)
"""


def upgrade() -> None:
    for statement in (*TABLES.split(";\n"), *INDEXES.split(";\n")):
        op.execute(statement)
