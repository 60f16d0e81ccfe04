"""What a user's own open pages are told at once. A signal may be lost: what it tells of is stored before."""

import msgspec

from nottermost_chat.ports import Signal
from nottermost_chat.protocol import MeChanged, MeRead, Own
from nottermost_chat.services import Services

_encode = msgspec.json.Encoder().encode


async def tell_changed(services: Services, user_id: str, what: Own) -> None:
    """All connections of the user read this again."""
    await services.signals.signal(Signal(to_user=user_id, frame=_encode(MeChanged(what))))


async def tell_read(services: Services, user_id: str, conversation_id: str, seq: int) -> None:
    """All connections of the user learn how far one of them has read."""
    await services.signals.signal(Signal(to_user=user_id, frame=_encode(MeRead(conversation_id, seq))))
