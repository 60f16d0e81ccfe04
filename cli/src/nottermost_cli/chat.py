"""`nottermost chat …`: run the reference chat, fill it, talk to it, measure it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nottermost_chat.client import ChatClient
    from nottermost_chat.welcome import WelcomeAccount

app = typer.Typer(
    help="Run the reference chat, import into it, talk to it. Begin with: nottermost chat run", no_args_is_help=True
)

Data = Annotated[Path | None, typer.Option(help="The folder that holds all data. [default: data]")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Url = Annotated[str, typer.Option(envvar="NOTTERMOST_CLIENT_URL", help="Address of the chat.")]
Email = Annotated[str, typer.Option(envvar="NOTTERMOST_CLIENT_EMAIL", help="Who to log in as.")]
Password = Annotated[
    str, typer.Option(envvar="NOTTERMOST_CLIENT_PASSWORD", help="The password.", prompt=True, hide_input=True)
]
Conversation = Annotated[str, typer.Argument(help="A conversation's id, a channel as #name, or a person as @name.")]
LOCAL = "http://127.0.0.1:3000"


@app.command()
def run(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [default: 3000]")] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Begin without the welcome workspace.")] = False,
) -> None:
    """Start the chat: page, REST and socket on one port, all data in one folder.

    Example: nottermost chat run --data /var/lib/chat --port 3000
    """
    import uvloop

    from nottermost_chat.bootstrap import configure_logging, serve
    from nottermost_chat.settings import load_settings

    settings = load_settings(os.environ, data=data, host=host, port=port)
    configure_logging(settings.log_level)
    uvloop.run(serve(settings, welcome=not empty, announce=_announce))


def _announce(url: str, accounts: "list[WelcomeAccount]") -> None:
    print(f"Nottermost is running at {url} (stop it with Ctrl+C)", flush=True)
    for account in accounts:
        print(f"  log in as {account.email} with password {account.password}", flush=True)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A Slack export, as the zip file that Slack gives.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Read a Slack export into the data folder, through the same path as live messages.

    It can be stopped and run again; run twice it adds nothing. The chat must not be running on
    the folder meanwhile.

    Example: nottermost chat import export.zip --data data
    """
    import msgspec
    import uvloop
    from rich.console import Console
    from rich.progress import Progress

    from nottermost_chat.bootstrap import configure_logging
    from nottermost_chat.settings import load_settings
    from nottermost_chat.slack.importer import run_import

    settings = load_settings(os.environ, data=data)
    configure_logging("warning")
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("importing", total=None)
        result = uvloop.run(
            run_import(settings, file, lambda done, total: bar.update(task, completed=done, total=total))
        )
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        return
    for line in result.summary(str(settings.data)):
        print(line)


@app.command()
def claim(
    link: Annotated[str, typer.Argument(help="The link or token that an import or an administrator gave.")],
    password: Annotated[
        str,
        typer.Option(
            envvar="NOTTERMOST_CLIENT_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            help="The password that the account gets.",
        ),
    ],
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Take an imported account over: give it a password.

    Example: nottermost chat claim 'http://127.0.0.1:3000/claim#token=…'
    """

    from nottermost_chat.client import Rest

    async def work() -> None:
        rest = Rest(url)
        try:
            body = {"claim_token": link.rpartition("token=")[2], "password": password}
            me = (await rest.call("POST", "/api/users/auth/claim", body))["user"]
            _print(me, json, f"you are {me['username']} <{me['email'] or 'no e-mail: log in by name'}>")
        finally:
            await rest.close()

    _answering(url, work())


@app.command()
def bench(
    data: Annotated[Path | None, typer.Option(help="Where the data goes; decides what a sync costs.")] = None,
    export: Annotated[Path | None, typer.Option(help="A Slack export to import.")] = None,
    json: Json = False,
) -> None:
    """Measure speed and memory, each beside a reference measured in the same run. Takes about two minutes.

    Example: nottermost chat bench --export export.zip
    """
    import msgspec
    import uvloop

    from nottermost_chat.bench.measure import run_bench
    from nottermost_chat.bootstrap import configure_logging

    configure_logging("warning")
    rows = uvloop.run(run_bench(data, export, lambda step: print(f"measuring: {step}", file=sys.stderr)))
    if json:
        sys.stdout.buffer.write(msgspec.json.encode(rows) + b"\n")
        return
    for row in rows:
        print(row.render())


@app.command()
def docs(
    folder: Annotated[Path, typer.Option(help="Where the documents are.")] = Path("docs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when one is stale.")] = False,
) -> None:
    """Write the documents that are made from the code.

    Example: nottermost chat docs --check
    """
    from nottermost_chat.generated import check_documents, write_documents
    from nottermost_cli.reference import check_reference, write_reference
    from nottermost_conventions import ExitCode

    if not check:
        write_documents(folder)
        write_reference(folder)
        return
    stale = check_documents(folder) + check_reference(folder)
    for path in stale:
        print(f"nottermost: {folder / path} is stale: run `nottermost chat docs`", file=sys.stderr)
    if stale:
        raise typer.Exit(int(ExitCode.SAYS_NO))


@app.command()
def whoami(email: Email, password: Password, url: Url = LOCAL, json: Json = False) -> None:
    """Log in and tell who that is.

    Example: nottermost chat whoami --email ada@example.org
    """
    _with_client(_whoami, url, email, password, json)


@app.command()
def say(
    conversation: Conversation,
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    email: Email,
    password: Password,
    url: Url = LOCAL,
    json: Json = False,
) -> None:
    """Send a message; returns when it is stored for good.

    Example: nottermost chat say '#welcome' 'hello from the shell' --email ada@example.org
    """
    body = sys.stdin.read() if text == "-" else text
    _with_client(_say, url, email, password, conversation, body, json)


@app.command()
def tail(
    conversation: Conversation,
    email: Email,
    password: Password,
    url: Url = LOCAL,
    follow: Annotated[bool, typer.Option(help="Go on with what is said from now on.")] = True,
    lines: Annotated[int, typer.Option(min=0, max=200, help="How many messages to begin with.")] = 10,
    json: Json = False,
) -> None:
    """Print a conversation's last messages, and what follows.

    Example: nottermost chat tail '#welcome' --no-follow --email ada@example.org
    """
    _with_client(_tail, url, email, password, conversation, follow, lines, json)


@app.command()
def search(
    query: Annotated[
        str, typer.Argument(help='Words, "phrases", prefix*, and from: in: with: before: after: on: has:')
    ],
    email: Email,
    password: Password,
    url: Url = LOCAL,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many hits to print.")] = 20,
    by_date: Annotated[bool, typer.Option("--by-date", help="Newest first instead of best first.")] = False,
    json: Json = False,
) -> None:
    """Search what you may read; the last line tells how many match in all.

    Example: nottermost chat search 'release from:ada after:2026-01-01' --email ada@example.org
    """
    _with_client(_search, url, email, password, query, limit, by_date, json)


def _with_client(act: object, url: str, email: str, password: str, *args: object) -> None:
    """Log in, act, and close the connection whatever happens."""
    from nottermost_chat.client import ChatClient

    async def work() -> None:
        async with await ChatClient.log_in(url, email, password) as chat:
            await act(chat, *args)  # type: ignore[operator]

    _answering(url, work())


def _answering(url: str, work: "Coroutine[object, object, None]") -> None:
    """Run it; when nobody answers, say so in one line."""
    import asyncio

    import httpx

    from nottermost_chat.errors import Unavailable

    try:
        asyncio.run(work)
    except httpx.TransportError as error:
        raise Unavailable(f"nobody answers at {url}: start the chat with `nottermost chat run`") from error


async def _whoami(chat: "ChatClient", json: bool) -> None:
    me = await chat.rest.call("GET", "/api/users/me")
    _print(me, json, f"{me['username']} <{me['email']}> ({me['user_id']})")


async def _say(chat: "ChatClient", conversation: str, body: str, json: bool) -> None:
    ack = await chat.send(await _find(chat, conversation), body)
    _print(ack, json, f"stored as {ack.message_id}, seq {ack.seq}")


async def _tail(chat: "ChatClient", conversation: str, follow: bool, lines: int, json: bool) -> None:
    from nottermost_chat.protocol import MessageNew

    conversation_id = await _find(chat, conversation)
    path = f"/api/messages/conversations/{conversation_id}/messages"
    page = await chat.rest.call("GET", path, before_seq=0, limit=max(1, lines))
    names: dict[str, str] = {}
    seen = 0
    for message in page["messages"][len(page["messages"]) - lines :]:
        await _print_message(chat, names, message, json)
        seen = message["seq"]
    if not follow:
        return
    async for event in chat.events():
        if isinstance(event, MessageNew) and event.conversation_id == conversation_id and event.seq > seen:
            import msgspec

            await _print_message(chat, names, msgspec.to_builtins(event), json)


async def _search(chat: "ChatClient", query: str, limit: int, by_date: bool, json: bool) -> None:
    found = await chat.rest.call("GET", "/api/search", q=query, limit=limit, sort="date" if by_date else "rank")
    if json:
        _print(found, json, "")
        return
    names: dict[str, str] = {}
    for hit in found["hits"]:
        await _print_message(chat, names, {**hit["message"], "preview": hit["snippet"]}, json)
    for part in found["unknown"]:
        print(f"nottermost: {part} names nobody and nothing", file=sys.stderr)
    print(f"{found['total']} found")


async def _print_message(chat: "ChatClient", names: dict[str, str], message: dict[str, object], json: bool) -> None:
    sender = str(message["sender_id"])
    if sender not in names:
        names[sender] = (await chat.rest.call("GET", f"/api/users/{sender}"))["username"]
    when = str(message.get("sent_at") or message["created_at"])[:19].replace("T", " ")
    text = "(deleted)" if message["preview"] is None else message["preview"]
    _print(message, json, f"{when} {names[sender]}: {text}{' …' if message['has_more'] else ''}")


async def _find(chat: "ChatClient", name: str) -> str:
    """The conversation that #name, @name or an id stands for."""
    from nottermost_chat.client import Refused

    if name.startswith("@"):
        for match in await chat.rest.call("GET", "/api/chats/search", q=name[1:]):
            if match["kind"] == "user" and name[1:].lower() in (match["label"].lower(), match["hint"].lower()):
                view = await chat.rest.call("POST", "/api/chats/conversations/dm", {"other_user_id": match["id"]})
                return str(view["conversation_id"])
    for view in await chat.rest.call("GET", "/api/chats/conversations"):
        if name in (view["conversation_id"], f"#{view['title']}", view["title"]):
            return str(view["conversation_id"])
    raise Refused(404, "not_found", f"you are in no conversation {name}: use an id, #channel or @person")


def _print(value: object, json: bool, line: str) -> None:
    if json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
        sys.stdout.buffer.flush()
    else:
        print(line, flush=True)
