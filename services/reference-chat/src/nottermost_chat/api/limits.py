"""Token buckets of REST requests, under the same names as the socket's: one allowance for both."""

from nottermost_chat.actions.tiers import Tiers
from nottermost_chat.services import Services
from nottermost_chat.settings import Tier


class RequestLimits:
    """Takes tokens for callers and addresses. Everything raises RateLimited."""

    def __init__(self, services: Services) -> None:
        self._services, self._limiter, self._limits = services, services.limiter, services.settings.limits
        self._tiers = Tiers(services.directory.workspaces, self._limits)

    async def take_call(self, user_id: str) -> None:
        self._limiter.take("calls", user_id, (await self._tier(user_id)).user_calls)

    async def take_message(self, user_id: str) -> None:
        self._limiter.take("messages", user_id, (await self._tier(user_id)).user_messages)

    async def take_group_creation(self, user_id: str) -> None:
        self._limiter.take("new groups", user_id, (await self._tier(user_id)).user_group_creations)

    async def take_log_in(self, client_ip: str) -> None:
        """Also registrations, claims and changed passwords: whatever costs a password hash. Counted exactly."""
        await self._limiter.take_now("log-ins from this address", client_ip, self._limits.ip_log_ins)

    def take_connection(self, client_ip: str) -> None:
        """For what costs as little as opening a socket: a whole office reloads its pages at once."""
        self._limiter.take("connections from this address", client_ip, self._limits.ip_handshakes)

    async def _tier(self, user_id: str) -> Tier:
        return await self._tiers.of(user_id, self._services.clock.monotonic())
