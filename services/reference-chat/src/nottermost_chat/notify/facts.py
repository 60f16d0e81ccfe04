"""Reads what is judged by: how recipients stand to a conversation now."""

import asyncio
from collections.abc import Mapping, Sequence

from nottermost_chat.directory import Directory, Quiet, Standing
from nottermost_chat.model import Member
from nottermost_chat.notify.decide import Recipient
from nottermost_chat.ports import Routes, SeenUser
from nottermost_chat.protocol import Presence

NOWHERE = SeenUser(Presence.OFFLINE, None)


class Facts:
    """A handful of look-ups, however many recipients there are."""

    def __init__(self, directory: Directory, routes: Routes) -> None:
        self._directory, self._routes = directory, routes

    async def recipients(
        self, conversation_id: str, members: Mapping[str, Member], user_ids: Sequence[str]
    ) -> list[Recipient]:
        """Those of the users who exist."""
        notifications = self._directory.notifications
        users, standings, quiet, seen = await asyncio.gather(
            self._directory.accounts.users(user_ids),
            notifications.standings(conversation_id, user_ids),
            notifications.quiet(user_ids),
            self._routes.presence(user_ids),
        )
        return [
            Recipient(
                user_id=user_id,
                member=members.get(user_id),
                level=(standing := standings.get(user_id, Standing(0))).level,
                quiet=quiet.get(user_id, Quiet()),
                read_seq=standing.read_seq,
                active=seen.get(user_id, NOWHERE).status is Presence.ONLINE,
                bot=users[user_id].bot,
                deactivated=users[user_id].deleted,
            )
            for user_id in user_ids
            if user_id in users
        ]
