"""A data folder with a crowd in it: users with tokens, pairs of them in direct conversations, all in one channel."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from nottermost_chat.actions.conversations import create_channel, open_direct
from nottermost_chat.actions.membership import append_membership
from nottermost_chat.actions.workspaces import create_workspace
from nottermost_chat.api.shapes import ChannelRequest
from nottermost_chat.bootstrap import open_services
from nottermost_chat.model import Role
from nottermost_chat.services import Services
from nottermost_chat.settings import load_settings

UNLIMITED: Final = {  # benchmark identities are exempt from rate limits
    "NOTTERMOST_LIMITS__IP_HANDSHAKES__PER_MINUTE": "10000000",
    "NOTTERMOST_LIMITS__IP_HANDSHAKES__BURST": "1000000",
} | {
    f"NOTTERMOST_LIMITS__STANDARD__{bucket}__{field}": "100000000"
    for bucket in ("USER_MESSAGES", "USER_CALLS", "CONVERSATION_MESSAGES")
    for field in ("PER_MINUTE", "BURST")
}
ENVIRONMENT: Final = UNLIMITED | {"NOTTERMOST_ACCESS_TOKEN_S": "7200", "NOTTERMOST_LOG_LEVEL": "warning"}


class Crowd(msgspec.Struct, frozen=True):
    """Who is there.

    Attributes:
        tokens: an access token for each user.
        directs: one for every two users, in their order.
        channels: one for each size asked for, with the first so many users.
    """

    tokens: list[str]
    directs: list[str]
    channels: list[str]


async def make_crowd(data: Path, users: int, *, pairs: int, in_channel: int) -> Crowd:
    """A crowd for the embedded chat."""
    async with open_services(load_settings(ENVIRONMENT, data=data)) as services:
        return await fill_crowd(services, users, pairs=pairs, in_channels=[in_channel])


async def fill_crowd(services: Services, users: int, *, pairs: int, in_channels: Sequence[int]) -> Crowd:
    """Make the users directly in the directory: their passwords are not what is measured."""
    ids, tokens = [], []
    for number in range(users):
        user = await services.directory.accounts.create_user(username=f"user{number}")
        session = await services.tokens.session(user.user_id, "bench")
        ids.append(user.user_id)
        tokens.append(session.access_token)
    directs = [(await open_direct(services, ids[2 * pair], ids[2 * pair + 1]))[0] for pair in range(pairs)]
    workspace = await create_workspace(services, ids[0], "Bench")
    everybody = ids[1 : max(in_channels)]
    await services.directory.workspaces.add_members(workspace.workspace_id, everybody, Role.MEMBER)
    channels = []
    for size in in_channels:
        request = ChannelRequest(name=f"channel-{size}")
        channels.append(await create_channel(services, ids[0], workspace.workspace_id, request))
        members = [(user_id, Role.MEMBER) for user_id in ids[1:size]]
        await append_membership(services, ids[0], channels[-1], members)
    return Crowd(tokens, directs, channels)
