"""Changes of who is in a conversation and what it is called: always an entry of its log."""

from collections.abc import Sequence

from nottermost_chat.model import MEMBERSHIP_CHANGES_MAX, ConversationSettings, Role
from nottermost_chat.ports import AppendRequest
from nottermost_chat.services import Services

Change = tuple[str, Role | None]  # role None: out


async def append_membership(
    services: Services,
    actor_id: str,
    conversation_id: str,
    changes: Sequence[Change] = (),
    *,
    op_id: str | None = None,
    joins: bool = False,
    settings: ConversationSettings | None = None,
    silent: bool = False,
) -> None:
    """Append membership entries; when this returns, reads see them.

    Where the last admin goes, the longest-standing member becomes admin by the same entry; ingest sees to it.

    Args:
        op_id: the same for a repeat of the same operation; None: this one is never repeated.
        joins: who is in already stays in as they are.
        silent: an import's: delivered to nobody.
    """
    op_id = op_id or services.clock.new_id()
    for start in range(0, max(1, len(changes)), MEMBERSHIP_CHANGES_MAX):
        await services.ingest.submit(
            AppendRequest(
                kind="membership",
                conversation_id=conversation_id,
                actor_id=actor_id,
                op_id=f"{op_id}:{start}" if start else op_id,
                changes=tuple(changes[start : start + MEMBERSHIP_CHANGES_MAX]),
                joins=joins,
                settings=settings if start == 0 else None,
                silent=silent,
            )
        )


async def append_departure(services: Services, actor_id: str, conversation_id: str, user_id: str) -> None:
    """The user is out, if they were in."""
    await append_membership(services, actor_id, conversation_id, [(user_id, None)])
