"""The fan-out plane: from log records to one delivery for each gateway that needs it. Keeps no state that matters."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from nottermost_chat.model import EntryKind, LogRecord
from nottermost_chat.ports import Delivery, DeliveryItem, Picture, Routes


class Pictures(Protocol):
    """Who is in a conversation, as `nottermost_chat.pictures` and `rpc.members_client` tell."""

    async def at(self, conversation_id: str, members_seq: int) -> Picture | None: ...


class Fanout:
    """Turns log records into deliveries; `handle` is the log consumer's handler."""

    def __init__(self, pictures: Pictures, routes: Routes, delivery: Delivery) -> None:
        self._pictures, self._routes, self._delivery = pictures, routes, delivery

    async def handle(self, records: Sequence[LogRecord]) -> None:
        """Returns when every live gateway has taken its part or has lapsed."""
        live = [record for record in records if not record.silent]
        if not live:
            return
        addressed = [(record, await self._recipients(record)) for record in live]
        users = sorted({user for _, recipients in addressed for user in recipients or ()})
        routes = await self._routes.gateways_of(users) if users else {}
        gateways = await self._delivery.gateways()
        parts = {gateway: assign(addressed, gateway, routes) for gateway in gateways}
        await asyncio.gather(*(self._delivery.deliver(gateway, items) for gateway, items in parts.items() if items))

    async def _recipients(self, record: LogRecord) -> tuple[str, ...] | None:
        """Members as of the record's own membership entry, and those whom the record itself removes.

        None: too many to name; the gateways work it out.
        """
        if record.large:
            return None
        entry = record.entry
        picture = await self._pictures.at(entry.conversation_id, entry.members_seq)
        if picture is None:
            return ()
        removed: tuple[str, ...] = ()
        if entry.kind is EntryKind.MEMBERSHIP:
            removed = tuple(change.user_id for change in entry.detail.changes if change.role is None)
        # The picture may be newer than the record: who joined since does not get what came before.
        members = tuple(user for user, member in picture.members.items() if member.joined_seq <= entry.seq)
        return (*members, *(user for user in removed if user not in picture.members))


def assign(
    addressed: Sequence[tuple[LogRecord, tuple[str, ...] | None]],
    gateway: str,
    routes: dict[str, frozenset[str]] | None,
) -> list[DeliveryItem]:
    """What one gateway is told: large conversations unaddressed, others with its own users named.

    Args:
        routes: user to gateways; None: unknown, so every gateway is told about everybody.
    """
    items = []
    for record, recipients in addressed:
        if recipients is None:
            items.append(DeliveryItem(record))
            continue
        here = recipients if routes is None else tuple(user for user in recipients if gateway in routes.get(user, ()))
        if here:
            items.append(DeliveryItem(record, here))
    return items
