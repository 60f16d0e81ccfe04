"""Changes of who is in a conversation and what it is called: always an entry of its log."""

from collections.abc import Sequence

from nottermost_chat.actions.rules import find_heir
from nottermost_chat.model import MEMBERSHIP_CHANGES_MAX, ConversationKind, ConversationSettings, Role
from nottermost_chat.ports import AppendRequest, Picture
from nottermost_chat.services import Services

Change = tuple[str, Role | None]  # role None: out


async def append_membership(
    services: Services,
    actor_id: str,
    conversation_id: str,
    changes: Sequence[Change] = (),
    *,
    op_id: str | None = None,
    settings: ConversationSettings | None = None,
    silent: bool = False,
) -> None:
    """Append membership entries; when this returns, reads see them.

    Args:
        op_id: the same for a repeat of the same operation; None: this one is never repeated.
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
                settings=settings if start == 0 else None,
                silent=silent,
            )
        )


async def append_departure(services: Services, actor_id: str, conversation_id: str, user_id: str) -> None:
    """The user is out, in one entry with whoever becomes admin in place of a last one."""
    picture = await services.directory.conversations.picture(conversation_id)
    if picture is not None and user_id in picture.members:
        await append_membership(services, actor_id, conversation_id, [(user_id, None), *_succession(picture, user_id)])


def _succession(picture: Picture, leaver_id: str) -> list[Change]:
    heir_id = None if picture.kind is ConversationKind.DIRECT else find_heir(picture.members, leaver_id)
    return [] if heir_id is None else [(heir_id, Role.ADMIN)]
