"""Delivery by function call, for gateways of the same process."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from nottermost_chat.ports import DeliveryItem, Signal

LAPSE_S = 5.0  # a gateway that takes longer has lapsed: it drops what waits, and its connections resume


class GatewayInbox(Protocol):
    """What a gateway offers to whoever delivers."""

    @property
    def gateway_id(self) -> str: ...

    async def take(self, items: Sequence[DeliveryItem]) -> None: ...

    def signal(self, signal: Signal) -> None: ...

    def lapse(self) -> None: ...


class LocalDelivery:
    """Delivery to gateways that were `attach`ed."""

    def __init__(self) -> None:
        self._gateways: dict[str, GatewayInbox] = {}

    def attach(self, gateway: GatewayInbox) -> None:
        self._gateways[gateway.gateway_id] = gateway

    async def gateways(self) -> list[str]:
        return list(self._gateways)

    async def deliver(self, gateway_id: str, items: Sequence[DeliveryItem]) -> None:
        gateway = self._gateways.get(gateway_id)
        if gateway is None:
            return
        try:
            async with asyncio.timeout(LAPSE_S):
                await gateway.take(items)
        except TimeoutError:
            gateway.lapse()

    async def signal(self, signal: Signal) -> None:
        for gateway in self._gateways.values():
            gateway.signal(signal)
