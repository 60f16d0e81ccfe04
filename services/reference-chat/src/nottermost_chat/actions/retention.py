"""How long a workspace keeps what is said, and legal holds, which keep it longer."""

from nottermost_chat.actions.access import require_workspace_role
from nottermost_chat.actions.audit import noting
from nottermost_chat.actions.rules import WORKSPACE_ADMINS
from nottermost_chat.api import shapes
from nottermost_chat.directory import AuditAction, AuditDetails, HoldRow, PolicyRow
from nottermost_chat.errors import Conflict, NotFound
from nottermost_chat.protocol import to_time
from nottermost_chat.services import Services


async def get_policy(services: Services, caller_id: str, workspace_id: str) -> shapes.RetentionView:
    """Raises NotFound for strangers."""
    await require_workspace_role(services, caller_id, workspace_id)
    row = await services.directory.retention.policy(workspace_id)
    if row is not None:
        return _policy_view(row)
    settings = services.settings
    return shapes.RetentionView(warm_days=settings.warm_days, archive_days=settings.archive_days)


async def set_policy(
    services: Services, caller_id: str, workspace_id: str, wanted: shapes.RetentionRequest
) -> shapes.RetentionView:
    """Counts from the next pass of the worker on. Raises NotFound, Forbidden, Conflict."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    if wanted.archive_days < wanted.warm_days:
        raise Conflict(
            f"archive_days is {wanted.archive_days} and warm_days {wanted.warm_days}: the archive keeps at least as long"
        )
    details = AuditDetails(warm_days=wanted.warm_days, archive_days=wanted.archive_days)
    action = AuditAction.RETENTION_CHANGED
    directory = noting(services, caller_id, action, workspace_id, workspace_id=workspace_id, details=details)
    row = await directory.retention.set_policy(
        workspace_id,
        warm_days=wanted.warm_days,
        archive_days=wanted.archive_days,
        changed_by=caller_id,
    )
    return _policy_view(row)


def _policy_view(row: PolicyRow) -> shapes.RetentionView:
    return shapes.RetentionView(
        warm_days=row.warm_days,
        archive_days=row.archive_days,
        changed_by=row.changed_by,
        changed_at=to_time(row.changed_at),
    )


# --- legal holds ------------------------------------------------------------------------------


async def list_holds(services: Services, caller_id: str, workspace_id: str) -> list[shapes.HoldView]:
    """Open holds of the workspace, its conversations and its members. Raises NotFound, Forbidden."""
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    holds = await services.directory.retention.holds()
    return [hold_view(hold) for hold in holds if await _is_of(services, workspace_id, hold)]


async def hold(services: Services, caller_id: str, workspace_id: str, wanted: shapes.HoldRequest) -> shapes.HoldView:
    """Keep everything of the workspace, or of one of its members or conversations.

    Raises: NotFound, also for a user or conversation that is not of the workspace, Forbidden, Conflict for both.
    """
    await require_workspace_role(services, caller_id, workspace_id, WORKSPACE_ADMINS)
    if wanted.user_id and wanted.conversation_id:
        raise Conflict("give user_id or conversation_id, or neither to hold the whole workspace")
    user_id, conversation_id = wanted.user_id or None, wanted.conversation_id or None
    held_workspace = None if user_id or conversation_id else workspace_id
    about = HoldRow("", held_workspace, user_id, conversation_id, "", "", 0, None)
    if not await _is_of(services, workspace_id, about):
        raise NotFound(f"the workspace has no {'member' if user_id else 'conversation'} {user_id or conversation_id}")
    directory = noting(
        services, caller_id, AuditAction.HOLD_SET, lambda held: str(held.hold_id), workspace_id=workspace_id,
        details=AuditDetails(user_id=user_id or "", conversation_id=conversation_id or ""),
    )  # fmt: skip
    row = await directory.retention.hold(
        reason=wanted.reason, created_by=caller_id, workspace_id=held_workspace, user_id=user_id,
        conversation_id=conversation_id,
    )  # fmt: skip
    return hold_view(row)


async def release(services: Services, caller_id: str, workspace_id: str, hold_id: str) -> None:
    """What it kept goes when its time is over. Raises NotFound, Forbidden."""
    holds = await list_holds(services, caller_id, workspace_id)
    if hold_id not in {each.hold_id for each in holds}:
        raise NotFound(f"the workspace has no open legal hold {hold_id}")
    directory = noting(services, caller_id, AuditAction.HOLD_RELEASED, hold_id, workspace_id=workspace_id)
    await directory.retention.release(hold_id)


async def _is_of(services: Services, workspace_id: str, hold: HoldRow) -> bool:
    if hold.user_id is not None:
        return await services.directory.workspaces.role_of(workspace_id, hold.user_id) is not None
    if hold.conversation_id is not None:
        conversation = await services.directory.conversations.get(hold.conversation_id)
        return conversation is not None and conversation.workspace_id == workspace_id
    return hold.workspace_id == workspace_id


def hold_view(row: HoldRow) -> shapes.HoldView:
    return shapes.HoldView(
        hold_id=row.hold_id,
        workspace_id=row.workspace_id,
        user_id=row.user_id,
        conversation_id=row.conversation_id,
        reason=row.reason,
        created_by=row.created_by,
        created_at=to_time(row.created_at),
    )
