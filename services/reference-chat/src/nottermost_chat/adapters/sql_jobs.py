"""Job queues of a chat that is one process: a SQLite file of their own."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from nottermost_chat.adapters.sqlite import SqliteFile
from nottermost_chat.clock import Clock
from nottermost_chat.jobs import DEAD_KEPT_S, NEVER_FINISHED, REASON_CHARS_MAX, Kind, check_bodies
from nottermost_chat.ports import DeadJob, Job

SCHEMA: Final = """
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    queue TEXT NOT NULL,
    body BLOB NOT NULL,
    attempts INTEGER NOT NULL,  -- so far
    due_at INTEGER NOT NULL,    -- ms since the epoch; of a taken job, when it is handed out again; of a dead one, when it died
    reason TEXT NOT NULL,       -- of the last failure
    dead INTEGER NOT NULL
) STRICT;
CREATE INDEX ix_jobs_due ON jobs (queue, dead, due_at)
"""
VERSION: Final = 1


class SqlJobs:
    """The file, and the queues in it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises StartError."""
        self._file, self._clock = SqliteFile(path, SCHEMA, VERSION, readers=1), clock

    def queue(self, kind: Kind) -> "SqlJobQueue":
        """One object a queue: it wakes those who wait in this process."""
        return SqlJobQueue(self._file, kind, self._clock)

    async def close(self) -> None:
        await self._file.close()


class SqlJobQueue:
    """JobQueue over rows; the clock of the machine says what is due, so a job outlives a restart."""

    def __init__(self, file: SqliteFile, kind: Kind, clock: Clock) -> None:
        self._file, self._name, self._clock = file, kind.name, clock
        self._visibility_ms, self._attempts_max = round(kind.visibility_s * 1000), kind.attempts_max
        self._changed = asyncio.Event()

    async def put(self, bodies: Sequence[bytes], *, delay_s: float = 0.0) -> list[str]:
        check_bodies(bodies)
        due_at = self._clock.now_ms() + round(delay_s * 1000)
        rows = [(self._clock.new_id(), self._name, body, due_at) for body in bodies]
        await self._write("INSERT INTO jobs VALUES (?, ?, ?, 0, ?, '', 0)", *rows)
        return [job_id for job_id, *_ in rows]

    async def take(self, limit: int, wait_s: float) -> list[Job]:
        ends_at = self._clock.monotonic() + wait_s
        while True:
            changed = self._changed
            jobs, next_due_s = await self._file.write(lambda connection: self._take(connection, limit))
            left_s = ends_at - self._clock.monotonic()
            if jobs or left_s <= 0:
                return jobs
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s if next_due_s is None else min(left_s, next_due_s)):
                    await changed.wait()

    async def finish(self, job: Job) -> None:
        await self._write("DELETE FROM jobs WHERE job_id = ? AND attempts = ? AND dead = 0", (job.job_id, job.attempt))

    async def retry(self, job: Job, after_s: float, reason: str) -> None:
        if job.attempt >= self._attempts_max:
            await self.bury(job, reason)
            return
        due_at = self._clock.now_ms() + round(after_s * 1000)
        await self._write(
            "UPDATE jobs SET due_at = ?, reason = ? WHERE job_id = ? AND attempts = ? AND dead = 0",
            (due_at, reason[:REASON_CHARS_MAX], job.job_id, job.attempt),
        )

    async def bury(self, job: Job, reason: str) -> None:
        await self._write(
            "UPDATE jobs SET dead = 1, due_at = ?, reason = ? WHERE job_id = ? AND attempts = ? AND dead = 0",
            (self._clock.now_ms(), reason[:REASON_CHARS_MAX], job.job_id, job.attempt),
        )

    async def dead(self, limit: int) -> list[DeadJob]:
        rows = await self._file.read(
            lambda connection: connection.execute(
                "SELECT job_id, body, reason FROM jobs WHERE queue = ? AND dead ORDER BY job_id LIMIT ?",
                (self._name, limit),
            ).fetchall()
        )
        return [DeadJob(*row) for row in rows]

    async def revive(self, job_ids: Sequence[str]) -> int:
        now = self._clock.now_ms()
        return await self._write(
            "UPDATE jobs SET dead = 0, attempts = 0, due_at = ?, reason = '' WHERE job_id = ? AND queue = ? AND dead",
            *((now, job_id, self._name) for job_id in job_ids),
        )

    async def waiting(self) -> int:
        found: int = await self._file.read(
            lambda connection: connection.execute(
                "SELECT count(*) FROM jobs WHERE queue = ? AND NOT dead", (self._name,)
            ).fetchone()[0]
        )
        return found

    def _take(self, connection: sqlite3.Connection, limit: int) -> tuple[list[Job], float | None]:
        """The jobs, and in how many seconds the next one is due."""
        now = self._clock.now_ms()
        connection.execute(
            "DELETE FROM jobs WHERE queue = ? AND dead = 1 AND due_at < ?", (self._name, now - DEAD_KEPT_S * 1000)
        )
        connection.execute(
            "UPDATE jobs SET dead = 1, reason = CASE reason WHEN '' THEN ? ELSE reason END"
            " WHERE queue = ? AND dead = 0 AND due_at <= ? AND attempts >= ?",
            (NEVER_FINISHED, self._name, now, self._attempts_max),
        )
        rows = connection.execute(
            "UPDATE jobs SET attempts = attempts + 1, due_at = ? WHERE job_id IN"
            " (SELECT job_id FROM jobs WHERE queue = ? AND dead = 0 AND due_at <= ? ORDER BY due_at LIMIT ?)"
            " RETURNING job_id, body, attempts",
            (now + self._visibility_ms, self._name, now, limit),
        ).fetchall()
        next_due = connection.execute(
            "SELECT min(due_at) FROM jobs WHERE queue = ? AND dead = 0", (self._name,)
        ).fetchone()[0]
        jobs = [Job(job_id, body, attempts, job_id) for job_id, body, attempts in rows]
        return jobs, None if next_due is None else max(next_due - now, 1) / 1000

    async def _write(self, statement: str, *rows: Sequence[Any]) -> int:
        """Run it for each row in one transaction, and tell those who wait; returns how many rows it changed."""
        changed = await self._file.write(lambda connection: connection.executemany(statement, rows).rowcount)
        self._changed.set()
        self._changed = asyncio.Event()  # who waits holds the old one: nobody misses a change
        return changed
