"""The small workspace that a new chat begins with, so that there is something to look at."""

import secrets
from typing import Final

import msgspec

from nottermost_chat.actions import conversations, messages, workspaces
from nottermost_chat.api.shapes import ChannelRequest, ReactionRequest, SendRequest
from nottermost_chat.model import Role
from nottermost_chat.private_file import write_private_file
from nottermost_chat.services import Services

FILE: Final = "welcome.json"

_WELCOME: Final = """*Welcome to Nottermost.* This workspace is yours to try things in.
Nobody else can see it: it runs on your machine, and all of it is in one folder."""

_TIPS: Final = """Some things to try:
- `Ctrl+K` or `Cmd+K` jumps to people and conversations
- `Up` in an empty composer edits your last message
- drop a file here, or type `:` for an emoji and `@` for a person"""

_RICH: Final = """Messages take a little formatting:
> a quote, _italic_, *bold*, ~gone~ and `code`
```
def greet(name: str) -> str:
    return f"hello {name}"
```
and links like https://www.rfc-editor.org/rfc/rfc6455"""

_LONG: Final = (
    "Long messages show their beginning first, and the rest when you ask for it. "
    "That keeps a busy channel quick to load and easy to skim, on a phone as well as on a desk. "
    "A message may be up to one hundred thousand characters long, which is more than most books have in a chapter, "
    "and it is stored once, searched whole, and sent to each reader only as far as it is read."
)


class WelcomeAccount(msgspec.Struct, frozen=True):
    """An account to look around with; made up on the spot for this data folder."""

    email: str
    username: str
    password: str


async def make_welcome(services: Services) -> list[WelcomeAccount]:
    """Fill an empty chat; returns the accounts to log in with, also in later runs of the same folder."""
    path = services.settings.data / FILE
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=list[WelcomeAccount])
    if await services.directory.accounts.by_username("guide") is not None:
        return []
    accounts = [WelcomeAccount(f"{name}@example.org", name, secrets.token_urlsafe(9)) for name in ("guide", "newcomer")]
    guide, newcomer = [await _register(services, account) for account in accounts]
    await _fill(services, guide, newcomer)
    write_private_file(path, msgspec.json.encode(accounts))
    return accounts


async def _register(services: Services, account: WelcomeAccount) -> str:
    user = await services.directory.accounts.create_user(
        username=account.username,
        email=account.email,
        display_name=account.username.capitalize(),
        password_hash=await services.tokens.hash_password(account.password),
    )
    return user.user_id


async def _fill(services: Services, guide: str, newcomer: str) -> None:
    workspace = await workspaces.create_workspace(services, guide, "Welcome")
    await services.directory.workspaces.add_members(workspace.workspace_id, [newcomer], Role.MEMBER)
    hall, corner = [
        await conversations.create_channel(
            services, guide, workspace.workspace_id, ChannelRequest(name=name, topic=topic, member_ids=[newcomer])
        )
        for name, topic in (("welcome", "What this is, and what to try"), ("corner", "Anything else"))
    ]
    await _say(services, guide, hall, _WELCOME)
    await _say(services, guide, hall, _TIPS)
    await _say(services, guide, hall, _RICH)
    question = await _say(services, newcomer, hall, "Where does my data go?")
    await _say(services, guide, hall, "Into the folder that `--data` names. Copy it and you have a backup.", question)
    reaction = ReactionRequest(client_msg_id="welcome-thanks", emoji="thumbsup")
    await messages.react(services, newcomer, hall, question, reaction)
    await _say(services, guide, corner, _LONG)
    direct, _ = await conversations.open_direct(services, guide, newcomer)
    await _say(services, guide, direct, "Hello @newcomer! Open a second browser as the other account and answer me.")


async def _say(services: Services, user_id: str, conversation_id: str, body: str, thread_id: str | None = None) -> str:
    request = SendRequest(client_msg_id=services.clock.new_id(), body=body, thread_id=thread_id)
    return (await messages.send(services, user_id, conversation_id, request)).message_id
