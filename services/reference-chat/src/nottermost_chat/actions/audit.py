"""The audit log: how actions get into it, and who may read it.

- What changes the directory is noted in the very transaction (`noting`): both happen or neither.
- What reads, or happens elsewhere, is noted before it is answered (`note`), and refused if it cannot be.
- What happens in a conversation is an entry of its log, for good, before it is answered; the audit log
  takes it from there, however it was sent (`workers/audit.py`).
- Only log-ins, log-outs and refusals go on when they cannot be noted (`note_session`): nobody is to be
  locked out of the chat, or kept in, by its audit log. That is counted.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from nottermost_chat.actions.access import require_workspace_role
from nottermost_chat.actions.rules import WORKSPACE_ADMINS
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, AuditDetails, AuditQuery, AuditRow, Directory
from nottermost_chat.directory.audit import NO_DETAILS, add_rows, audit_id
from nottermost_chat.errors import ChatError
from nottermost_chat.protocol import to_time
from nottermost_chat.services import Services

# An id, several, or how they follow from what the write returns.
Subject = str | Sequence[str] | Callable[[Any], str | Sequence[str]]

logger = structlog.get_logger(__name__)


async def note(
    services: Services,
    actor_id: str,
    action: AuditAction,
    subject_id: str,
    *,
    workspace_id: str | None = None,
    details: AuditDetails = NO_DETAILS,
) -> None:
    """Returns when it is noted for good. Raises Unavailable: then refuse the action."""
    await services.directory.audit.note(_rows(services, actor_id, action, [subject_id], workspace_id, details))


async def note_session(
    services: Services, actor_id: str, action: AuditAction, subject_id: str, *, details: AuditDetails = NO_DETAILS
) -> None:
    """As `note`, for what must not fail because of it."""
    try:
        await note(services, actor_id, action, subject_id, details=details)
    except (ChatError, SQLAlchemyError) as error:
        services.metrics.audit_lost.labels(action).inc()
        logger.error("audit_lost", action=action, actor_id=actor_id, subject_id=subject_id, error=repr(error))


def noting(
    services: Services,
    actor_id: str,
    action: AuditAction,
    subject: Subject,
    *,
    workspace_id: str | Callable[[Any], str] | None = None,
    details: AuditDetails = NO_DETAILS,
) -> Directory:
    """The directory, for one write that is noted in its own transaction.

    A write that returns False has changed nothing and is not noted; nor is one of whose `subject` there is none.
    """

    def also(connection: Connection, result: Any) -> None:
        if result is not False:
            place = workspace_id(result) if callable(workspace_id) else workspace_id
            add_rows(connection, _rows(services, actor_id, action, _subjects(subject, result), place, details))

    return services.directory.together(also)


def _subjects(subject: Subject, result: Any) -> Sequence[str]:
    found = subject(result) if callable(subject) else subject
    return [found] if isinstance(found, str) else found


def _rows(
    services: Services,
    actor_id: str,
    action: AuditAction,
    subject_ids: Sequence[str],
    workspace_id: str | None,
    details: AuditDetails,
) -> list[AuditRow]:
    at = services.clock.now_ms()
    return [AuditRow(audit_id(at), at, actor_id, action, each, workspace_id, details) for each in subject_ids]


# --- reading ----------------------------------------------------------------------------------


async def read(services: Services, caller_id: str, wanted: AuditQuery) -> list[shapes.AuditView]:
    """A page of one workspace's, the newest first; that it was read is noted first. Raises NotFound, Forbidden."""
    workspace_id = wanted.workspace_id or ""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    await note(services, caller_id, AuditAction.AUDIT_READ, workspace_id, workspace_id=workspace_id)
    return [audit_view(row) for row in await services.directory.audit.find(wanted)]


def audit_view(row: AuditRow) -> shapes.AuditView:
    return shapes.AuditView(
        audit_id=row.audit_id,
        at=to_time(row.at),
        actor_id=row.actor_id,
        action=row.action,
        subject_id=row.subject_id,
        workspace_id=row.workspace_id,
        details=row.details,
    )
