"""What users ask for about their own data: a copy of it, or that it goes."""

from collections.abc import Mapping

from nottermost_chat.actions.accounts import close_sockets
from nottermost_chat.actions.audit import note, noting
from nottermost_chat.api import shapes
from nottermost_chat.archive.rows import Registered
from nottermost_chat.directory import AuditAction, ErasureRow, ExportRow, RequestState
from nottermost_chat.errors import Conflict, NotFound
from nottermost_chat.files import LinkAction, check, sign
from nottermost_chat.protocol import to_time, to_time_or_none
from nottermost_chat.services import Services

# --- erasure ----------------------------------------------------------------------------------


async def erase_own(services: Services, caller_id: str, confirm: str) -> shapes.ErasureView:
    """End the caller's account now and take out what it holds. Raises Conflict unless `confirm` is the user name."""
    return erasure_view(await request_erasure(services, caller_id, caller_id, confirm))


async def request_erasure(services: Services, user_id: str, requested_by: str, confirm: str) -> ErasureRow:
    """The account ends at once, the rest goes in the background. Again is the same as once.

    Raises: NotFound; Conflict unless `confirm` is the user name.
    """
    user = await services.directory.accounts.user(user_id)
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    if confirm != user.username:
        raise Conflict("everything of the account goes for good: confirm with its user name")
    return await _begin(services, Registered("", user_id, requested_by, 0))


async def replay(services: Services, register: list[Registered]) -> list[ErasureRow]:
    """Ask once more for every erasure of the register, after a restore brought back what had gone.

    Users that this chat does not know are left out. Those that are finished run again: they find what came back.
    """
    users = await services.directory.accounts.users([erasure.user_id for erasure in register])
    return [await _begin(services, erasure) for erasure in register if erasure.user_id in users]


async def _begin(services: Services, wanted: Registered) -> ErasureRow:
    directory = noting(services, wanted.requested_by, AuditAction.ERASURE_REQUESTED, wanted.user_id)
    row = await directory.privacy.request_erasure(
        wanted.user_id, wanted.requested_by, erasure_id=wanted.erasure_id, requested_at=wanted.requested_at
    )
    if services.archive is not None:
        await services.archive.register(Registered(row.erasure_id, row.user_id, row.requested_by, row.requested_at))
    directory = noting(services, wanted.requested_by, AuditAction.ACCOUNT_ENDED, wanted.user_id)
    await close_sockets(services, wanted.user_id, await services.tokens.deactivate(wanted.user_id, directory.accounts))
    return row


def erasure_view(row: ErasureRow) -> shapes.ErasureView:
    return shapes.ErasureView(
        erasure_id=row.erasure_id,
        state=row.state,
        requested_at=to_time(row.requested_at),
        finished_at=to_time_or_none(row.finished_at),
    )


# --- export -----------------------------------------------------------------------------------


async def request_export(services: Services, caller_id: str) -> shapes.ExportView:
    """Ask for a copy; while one is being made it is the answer."""
    directory = noting(services, caller_id, AuditAction.EXPORT_REQUESTED, caller_id)
    return _export_view(await directory.privacy.request_export(caller_id, caller_id), b"")


async def list_exports(services: Services, caller_id: str, secret: bytes) -> list[shapes.ExportView]:
    """The caller's last copies, the newest first, with links to those that are there."""
    return [_export_view(row, secret) for row in await services.directory.privacy.exports_of(caller_id)]


async def open_export(services: Services, secret: bytes, export_id: str, link: Mapping[str, str]) -> str:
    """The key of the zip's bytes. The link is made for one user. Raises LinkInvalid, LinkExpired, NotFound."""
    user_id = check(secret, LinkAction.DOWNLOAD, export_id, link, now_ms=services.clock.now_ms())
    row = await services.directory.privacy.export(export_id)
    if row is None or row.user_id != user_id or row.blob_key is None or row.state is not RequestState.FINISHED:
        raise NotFound(f"there is no export {export_id}, or its time is over: ask for a new one")
    user = await services.directory.accounts.user(user_id)
    if user is None or user.deleted:
        raise NotFound(f"there is no export {export_id}: the account has ended")
    await note(services, user_id, AuditAction.EXPORT_FETCHED, export_id)
    return row.blob_key


def _export_view(row: ExportRow, secret: bytes) -> shapes.ExportView:
    there = row.state is RequestState.FINISHED and row.blob_key is not None
    url = ""
    if there and row.expires_at is not None:
        query = sign(secret, LinkAction.DOWNLOAD, row.export_id, row.expires_at, row.user_id)
        url = f"/api/exports/{row.export_id}?{query}"
    return shapes.ExportView(
        export_id=row.export_id,
        state=row.state,
        requested_at=to_time(row.requested_at),
        finished_at=to_time_or_none(row.finished_at),
        expires_at=to_time_or_none(row.expires_at),
        url=url,
    )
