"""Crowds loaded into PostgreSQL as a snapshot, in seconds: a channel of a million, a user of a hundred thousand channels."""

from typing import Any, Final

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

USERS: Final = """
INSERT INTO users (user_id, username, username_key, display_name, title, bot, imported, deleted, presence, created_at)
SELECT lpad(n::text, 26, '0'), 'user' || n, 'user' || n, 'User ' || n, '', false, false, false, 'online', 1
FROM generate_series(1, %(count)s) AS n
"""

MEMBERS: Final = """
INSERT INTO memberships (conversation_id, user_id, joined_seq, role, changed_at)
SELECT %(place)s, lpad(n::text, 26, '0'), 1, CASE WHEN n = 1 THEN 'admin' ELSE 'member' END, 1
FROM generate_series(1, %(count)s) AS n;

UPDATE conversations SET member_count = %(count)s, members_epoch = 1, members_seq = 1 WHERE conversation_id = %(place)s;

INSERT INTO heads
(conversation_id, epoch, seq, floor_seq, members_seq, messages, channel_mentions, created_at, members, large)
VALUES (%(place)s, 1, 1, 0, 1, 0, 0, 1, %(count)s, true);

INSERT INTO entries (conversation_id, epoch, seq, kind, actor_id, message_id, target_seq, created_at, members_seq,
  messages, channel_mentions, op_id, detail, fingerprint, large, silent, broadcast)
VALUES (%(place)s, 1, 1, 'membership', '', '', 0, 1, 1, 0, 0, 'create', '{}', '', true, false, false)
"""

CHANNELS: Final = """
CREATE TEMPORARY TABLE channels ON COMMIT DROP AS
SELECT n, %(prefix)s || lpad(n::text, 6, '0') AS id FROM generate_series(1, %(count)s) AS n;

INSERT INTO conversations (conversation_id, kind, workspace_id, title, title_key, name_key, topic, purpose, private,
  archived, created_by, created_at, member_count, members_epoch, members_seq)
SELECT id, 'channel', %(workspace)s, id, id, id, '', '', false, false, %(owner)s, 1, 1, 1, 1 FROM channels;

INSERT INTO memberships (conversation_id, user_id, joined_seq, role, changed_at)
SELECT id, %(owner)s, 1, 'admin', 1 FROM channels;

INSERT INTO cursors (conversation_id, user_id, read_seq, read_messages, read_mentions, delivered_seq, changed_at)
SELECT id, %(owner)s, 2, 1, 0, 2, 1 FROM channels;

INSERT INTO activity (conversation_id, active_at)
SELECT id, CASE WHEN n <= 4 THEN %(active_at)s ELSE 1 END FROM channels;

INSERT INTO heads
(conversation_id, epoch, seq, floor_seq, members_seq, messages, channel_mentions, created_at, members, large)
SELECT id, 1, 2, 0, 1, 1, 0, 1, 1, false FROM channels;

INSERT INTO entries (conversation_id, epoch, seq, kind, actor_id, message_id, target_seq, created_at, members_seq,
  messages, channel_mentions, op_id, detail, fingerprint, large, silent, broadcast)
SELECT id, 1, 1, 'membership', %(owner)s, '', 0, 1, 1, 0, 0, 'create', '{}'::json, ''::bytea, false, false, false
FROM channels
UNION ALL SELECT id, 1, 2, 'message', %(owner)s, id, 0, 1, 1, 1, 0, id, '{}', '', false, false, false FROM channels;

INSERT INTO texts (message_id, version, preview, has_more) SELECT id, 1, 'hello', false FROM channels
"""


def user_id(number: int) -> str:
    """Of the users that `load_users` makes."""
    return f"{number:026}"


def load_users(connection: Connection, count: int) -> None:
    """Users 1 to `count`."""
    _run(connection, USERS, count=count)


def load_members(connection: Connection, conversation_id: str, count: int) -> None:
    """Users 1 to `count` are in the conversation since its first entry, the first one as admin."""
    _run(connection, MEMBERS, place=conversation_id, count=count)


def load_channels(
    connection: Connection, workspace_id: str, owner: str, prefix: str, count: int, *, active_at: int
) -> list[str]:
    """Channels that only this user is in, each with one message, read; returns their ids: `prefix` (20 characters) and a number.

    Four are active at that time, the others were long ago.
    """
    _run(
        connection, CHANNELS, workspace=workspace_id, owner=owner, prefix=prefix, count=count, active_at=active_at
    )  # fmt: skip
    return [f"{prefix}{number:06}" for number in range(1, count + 1)]


def settle(connection: Connection) -> None:
    """What autovacuum does within minutes of such a load, done now: the planner knows what is there."""
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE)")
    connection.autocommit = False


def _run(connection: Connection, script: str, **given: object) -> None:
    """All statements, in one transaction."""
    with connection.transaction():
        for statement in script.split(";\n"):
            connection.execute(statement.encode(), given)
