"""Who is in a conversation, for fan-out: asked of ingest, kept in memory, never older than asked for."""

from collections import OrderedDict
from typing import Final

from nottermost_chat.ports import Picture
from nottermost_chat.rpc.ingest_client import RemoteIngest

PICTURES_MAX: Final = 50_000  # conversations; a few KB each, the one used longest ago goes first
KEPT_MEMBERS_MAX: Final = 1_000  # a larger one is not kept: its records soon name nobody


class RemotePictures:
    """In fan-out, what `Pictures` is in the embedded mode. Implements `fanout.service.Pictures`."""

    def __init__(self, ingest: RemoteIngest) -> None:
        self._ingest = ingest
        self._known: OrderedDict[str, Picture] = OrderedDict()

    async def at(self, conversation_id: str, members_seq: int) -> Picture | None:
        """The picture that includes the membership entry `members_seq`; None: no such conversation. Raises: Unavailable."""
        known = self._known.get(conversation_id)
        if known is not None and known.members_seq >= members_seq:
            self._known.move_to_end(conversation_id)
            return known
        found = await self._ingest.picture_at(conversation_id, members_seq)
        if found is None:
            return None
        picture, partial = found
        if partial or len(picture.members) > KEPT_MEMBERS_MAX:
            self._known.pop(conversation_id, None)
        else:
            self._keep(picture)
        return picture

    def _keep(self, picture: Picture) -> None:
        known = self._known.get(picture.conversation_id)
        if known is None or known.members_seq <= picture.members_seq:  # two questions may be answered in any order
            self._known[picture.conversation_id] = picture
            self._known.move_to_end(picture.conversation_id)
        if len(self._known) > PICTURES_MAX:
            self._known.popitem(last=False)
