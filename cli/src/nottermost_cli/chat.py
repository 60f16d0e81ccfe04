"""`nottermost chat …`: run the reference chat, fill it, talk to it, measure it."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from nottermost_chat.client import ChatClient
    from nottermost_chat.rebuild import Rebuilt
    from nottermost_chat.welcome import WelcomeAccount
    from nottermost_conventions.figures import Figure

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
    role: Annotated[
        str | None, typer.Option(help="Run only this role, over the servers that the settings name.")
    ] = None,
) -> None:
    """Start the chat: page, REST and socket on one port, all data in one folder. With a role: one part of a cluster.

    Example: nottermost chat run --data /var/lib/chat --port 3000
    """
    import uvloop

    from nottermost_chat.bootstrap import serve
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.notify.keys import parse_push_keys
    from nottermost_chat.settings import load_secrets, load_settings

    settings = load_settings(os.environ, data=data, host=host, port=port)
    configure_logging(settings.log_level, role=role or "")
    if role is None:
        push_keys = parse_push_keys(load_secrets(os.environ))
        uvloop.run(serve(settings, welcome=not empty, announce=_announce, push_keys=push_keys))
        return
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its core prints lines of its own otherwise
    from nottermost_chat.roles import parse_role, serve_role

    parsed = parse_role(role)
    uvloop.run(
        serve_role(parsed, settings, load_secrets(os.environ), announce=lambda port: _announce_role(parsed, port))
    )


def _announce_role(role: str, port: int) -> None:
    print(f"{role} works on port {port}", flush=True)


def _announce(url: str, accounts: "list[WelcomeAccount]") -> None:
    print(f"Nottermost is running at {url} (stop it with Ctrl+C)", flush=True)
    for account in accounts:
        print(f"  log in as {account.email} with password {account.password}", flush=True)


@app.command()
def setup(
    contract: Annotated[
        bool,
        typer.Option("--contract", help="Also take away what older versions use: when none of them runs any more."),
    ] = False,
) -> None:
    """Make what the roles of a cluster expect: schemas, tables, topics, buckets, the search index.

    Again is the same as once. Where everything is, the settings say (docs/settings.md).

    Example: nottermost chat setup
    """
    import asyncio

    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_secrets, load_settings
    from nottermost_chat.setup import set_up

    configure_logging("warning")
    asyncio.run(set_up(load_settings(os.environ), load_secrets(os.environ), contract=contract))


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
    import uvloop
    from rich.console import Console
    from rich.progress import Progress

    from nottermost_chat.logs import configure_logging
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
    _print(result, json, *result.summary(str(settings.data)))


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
    only: Annotated[str, typer.Option(help="Instead: cluster, fanout, history, routing or rpc.")] = "",
    json: Json = False,
) -> None:
    """Measure speed and memory of the chat in one process, each beside a reference measured in the same run. Two minutes.

    With --only one of these instead. Each starts what it needs (`make servers` fetches it once) in a temporary folder with
    fsync on, and removes it. --data and --export are for the chat in one process.

    cluster: the roles apart over all servers, first with PostgreSQL as the message store, then with DynamoDB Local; sends,
    deliveries, latency by stage, memory. About five minutes for each.

    fanout: what a message costs in a channel of a million, and connecting as a user in 100,000 channels; fails when a
    message takes more deliveries than there are gateways. history: the newest page from PostgreSQL and DynamoDB Local,
    beside the same from Redis. routing: Redis Pub/Sub beside log and gRPC. rpc: what gRPC adds. One to five minutes each.

    Example: nottermost chat bench --export export.zip
    """
    import uvloop

    from nottermost_chat.logs import configure_logging

    configure_logging("warning")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its core prints lines of its own otherwise
    rows = uvloop.run(_choose_bench(only, data, export))
    _print(rows, json, *(row.render() for row in rows))


def _choose_bench(only: str, data: Path | None, export: Path | None) -> "Coroutine[object, object, list[Figure]]":
    def tell(step: str) -> None:
        print(f"measuring: {step}", file=sys.stderr)

    match only:
        case "":
            from nottermost_chat.bench.measure import run_bench

            return run_bench(data, export, tell)
        case "cluster":
            from nottermost_chat.bench.cluster import STORES, Scale, run_cluster

            return run_cluster(STORES, Scale(), tell)
        case "fanout":
            from nottermost_chat.bench.fanout import run_fanout

            return run_fanout(tell)
        case "history":
            from nottermost_chat.bench.history import run_history

            return run_history(tell)
        case "routing":
            from nottermost_chat.bench.routing import run_routing

            return run_routing(tell)
        case "rpc":
            from nottermost_chat.bench.rpc import run_rpc

            return run_rpc(tell)
    raise typer.BadParameter(f"{only!r} is no part of it: choose cluster, fanout, history, routing or rpc")


@app.command()
def reindex(data: Data = None, json: Json = False) -> None:
    """Build the search index anew from the message store, with the texts of now.

    On a cluster (the settings name its servers) while the chat runs: search answers from the old index until the new one
    is whole, and what is sent, edited and deleted meanwhile is in it. If it fails or is stopped the old one stays. Over
    a data folder the chat must not be running.

    Example: nottermost chat reindex --data data
    """
    import uvloop

    from nottermost_chat.logs import configure_logging
    from nottermost_chat.rebuild import Rebuilt, open_sources, reindex
    from nottermost_chat.settings import load_secrets, load_settings

    configure_logging("warning")

    async def work() -> Rebuilt:
        async with open_sources(load_settings(os.environ, data=data), load_secrets(os.environ)) as sources:
            with _telling_how_far() as tell:
                return await reindex(sources, lambda done: tell(_rebuilt(done)))

    done = uvloop.run(work())
    _print(done, json, _rebuilt(done))


def _rebuilt(done: "Rebuilt") -> str:
    refused = f", {done.refused:,} refused" if done.refused else ""
    return f"{done.messages:,} messages of {done.conversations:,} conversations indexed{refused}"


@app.command()
def replay(
    since: Annotated[str, typer.Option(help="How long ago (90m, 2h, 3d), or a time (2026-11-21T08:00Z).")],
    group: Annotated[str, typer.Option(help="Whose: indexer, projector, audit or archiver.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Hand the log's records since a time to one of its consumers once more; its own position stays where it is.

    indexer: the messages that the records are about, as they are now, go to the search index. projector: memberships
    that the directory lacks, mentions and recent activity. Both may run meanwhile, again is the same as once. Fan-out
    keeps nothing to be rebuilt: it asks who is in a conversation (projector), and gateways fetch what they lack.
    Notifier and webhooks are refused: what they told people and other programs would be told again.

    On a cluster the chat goes on; over a data folder it must not be running.

    Example: nottermost chat replay --since 2h --group indexer --data data
    """
    from datetime import UTC, datetime

    import uvloop

    from nottermost_chat.logs import configure_logging
    from nottermost_chat.rebuild import Replayed, check_group, open_sources, parse_since, replay
    from nottermost_chat.settings import load_secrets, load_settings

    configure_logging("warning")
    check_group(group)
    begin = parse_since(since, datetime.now(UTC))

    async def work() -> Replayed:
        async with open_sources(load_settings(os.environ, data=data), load_secrets(os.environ)) as sources:
            with _telling_how_far() as tell:
                return await replay(sources, group, begin, lambda done: tell(f"{done:,} records"))

    done = uvloop.run(work())
    refused = f", {done.refused:,} refused" if done.refused else ""
    records = f"{done.records:,} records since {done.since:%Y-%m-%d %H:%M:%S %Z}"
    _print(done, json, f"{records} handled by {group}{refused}")


@contextmanager
def _telling_how_far() -> "Iterator[Callable[[str], object]]":
    """Gives what to tell it to: one line on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress("{task.description}", console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading")
        yield lambda text: bar.update(task, description=text)


@app.command()
def audit(
    since: Annotated[str, typer.Option(help="How long ago (90m, 2h, 3d), or a time (2026-11-21T08:00Z).")] = "7d",
    until: Annotated[str | None, typer.Option(help="The same; nothing from then on.")] = None,
    actor: Annotated[str, typer.Option(help="Who did it: a user's id, operator or system.")] = "",
    action: Annotated[str, typer.Option(help="What was done, like session.refused.")] = "",
    subject: Annotated[str, typer.Option(help="To what or whom: an id.")] = "",
    workspace: Annotated[str | None, typer.Option(help="Of one workspace only: its id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 1000,
    data: Data = None,
    json: Json = False,
) -> None:
    """Who did what, in the whole installation, the newest first. That it was read is noted too.

    The chat may be running meanwhile.

    Example: nottermost chat audit --since 2h --action session.refused --data data
    """
    import asyncio
    from datetime import UTC, datetime

    from nottermost_chat.directory import AuditQuery
    from nottermost_chat.operating import open_directory, read_audit
    from nottermost_chat.rebuild import parse_since
    from nottermost_chat.settings import load_secrets, load_settings

    now = datetime.now(UTC)
    begin, end = parse_since(since, now), parse_since(until, now) if until else None
    wanted = AuditQuery(
        workspace_id=workspace, actor_id=actor, action=action, subject_id=subject,
        since=int(begin.timestamp() * 1000), until=None if end is None else int(end.timestamp() * 1000), limit=limit,
    )  # fmt: skip

    async def work() -> None:
        async with open_directory(load_settings(os.environ, data=data), load_secrets(os.environ)) as directory:
            rows = await read_audit(directory, wanted)
        told = (f"{row.at:%Y-%m-%d %H:%M:%S}Z {row.action} by {row.actor_id or '?'}: {row.subject_id}" for row in rows)
        _print({"rows": rows}, json, *told)

    asyncio.run(work())


@app.command()
def counts(
    since: Annotated[str, typer.Option(help="How long ago (30d), or a time (2026-11-21T08:00Z).")] = "30d",
    data: Data = None,
    json: Json = False,
) -> None:
    """Active people, messages and uploads by day (UTC) and workspace, in which nobody can be found.

    Workspaces are named by pseudonyms; those with fewer than five active people are together in `other`. The chat may
    be running meanwhile.

    Example: nottermost chat counts --since 30d --json --data data
    """
    import asyncio
    from datetime import UTC, datetime

    from nottermost_chat.operating import open_directory, read_counts
    from nottermost_chat.rebuild import parse_since
    from nottermost_chat.settings import load_secrets, load_settings

    begin = parse_since(since, datetime.now(UTC))

    async def work() -> None:
        async with open_directory(load_settings(os.environ, data=data), load_secrets(os.environ)) as directory:
            days = await read_counts(directory, begin)
        told = (
            f"{day.day} {day.workspace}: {day.daily_users:,} active ({day.monthly_users:,} in thirty days), "
            f"{day.messages:,} messages"
            for day in days
        )
        _print({"days": days}, json, *told)

    asyncio.run(work())


dead_letters = typer.Typer(
    help="What was set aside after several attempts. Begin with: nottermost chat dead-letters list --group indexer",
    no_args_is_help=True,
)
app.add_typer(dead_letters, name="dead-letters")
Group = Annotated[
    str,
    typer.Option(
        help="Whose: projector, indexer, notifier, webhooks, archiver, audit, counts; or jobs: push-jobs, webhook-jobs."
    ),
]


@dead_letters.command(name="list")
def list_dead_letters(
    group: Group,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 100,
    data: Data = None,
    json: Json = False,
) -> None:
    """What was set aside and why, without what was said. Over a data folder the chat must not be running.

    Example: nottermost chat dead-letters list --group indexer --data data
    """
    import uvloop

    from nottermost_chat.dead_letters import open_letters
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_secrets, load_settings

    configure_logging("warning")

    async def work() -> None:
        settings, secrets = load_settings(os.environ, data=data), load_secrets(os.environ)
        async with open_letters(settings, secrets, group) as letters:
            found = await letters.list(limit)
        told = (f"{one.entry or one.job_id or 'unreadable'} {one.kind or 'job'}: {one.reason}" for one in found)
        _print({"letters": found}, json, *told)

    uvloop.run(work())


@dead_letters.command(name="redrive")
def redrive_dead_letters(group: Group, data: Data = None, json: Json = False) -> None:
    """Have what was set aside tried once more; what is refused again stays. It is noted in the audit log.

    On a cluster the chat goes on; over a data folder it must not be running.

    Example: nottermost chat dead-letters redrive --group indexer --data data
    """
    import uvloop

    from nottermost_chat.dead_letters import redrive
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_secrets, load_settings

    configure_logging("warning")
    taken = uvloop.run(redrive(load_settings(os.environ, data=data), load_secrets(os.environ), group))
    _print({"taken": taken}, json, f"{taken:,} taken")


archive = typer.Typer(
    help="What is kept for years, as Parquet by day. Begin with: nottermost chat archive query", no_args_is_help=True
)
app.add_typer(archive, name="archive")


@archive.command(name="query")
def query_archive(
    conversation: Annotated[str, typer.Option(help="The conversation's id.")],
    since: Annotated[
        str, typer.Option("--from", help="How long ago (90m, 3d), or a time (2026-11-21T08:00Z).")
    ] = "30d",
    until: Annotated[str | None, typer.Option("--to", help="The same; nothing from then on.")] = None,
    text: Annotated[str, typer.Option(help="Only what holds it, in any case.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 1000,
    data: Data = None,
    json: Json = False,
) -> None:
    """Messages as the archive last knew them, the oldest first. The chat may be running meanwhile.

    Example: nottermost chat archive query --conversation 01JQ… --from 2026-01-01T00:00Z --json --data data
    """
    import asyncio
    from datetime import UTC, datetime

    import msgspec

    from nottermost_chat.keeping import query_archive
    from nottermost_chat.rebuild import parse_since
    from nottermost_chat.settings import load_settings

    now = datetime.now(UTC)
    begin, end = parse_since(since, now), parse_since(until, now) if until else now
    found = asyncio.run(query_archive(load_settings(os.environ, data=data), conversation, begin, end, text, limit))
    told = (
        f"{msgspec.to_builtins(message.created_at)[:19]}Z {message.sender_id}: "
        f"{'(gone)' if message.body is None else message.body}"
        for message in found
    )
    _print({"messages": found}, json, *told)


retention = typer.Typer(
    help="What goes when its time is over. Begin with: nottermost chat retention plan", no_args_is_help=True
)
app.add_typer(retention, name="retention")


@retention.command(name="plan")
def plan_retention(data: Data = None, json: Json = False) -> None:
    """What the next pass would take out of store and archive, and what a legal hold keeps. Changes nothing.

    Over a data folder the chat must not be running.

    Example: nottermost chat retention plan --data data
    """
    import uvloop

    from nottermost_chat.keeping import plan_retention
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_secrets, load_settings

    configure_logging("warning")
    going = uvloop.run(plan_retention(load_settings(os.environ, data=data), load_secrets(os.environ)))
    _print({"steps": going}, json, *(step.render() for step in going), f"{len(going)} steps")


holds = typer.Typer(
    help="Legal holds: nothing that is held goes. Begin with: nottermost chat hold list", no_args_is_help=True
)
app.add_typer(holds, name="hold")


@holds.command(name="list")
def list_holds(
    ended: Annotated[bool, typer.Option("--ended", help="Those too that were released.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Every legal hold of the installation. The chat may be running meanwhile.

    Example: nottermost chat hold list --data data
    """
    import asyncio

    from nottermost_chat.operating import open_directory
    from nottermost_chat.settings import load_secrets, load_settings

    async def work() -> None:
        async with open_directory(load_settings(os.environ, data=data), load_secrets(os.environ)) as directory:
            found = await directory.retention.holds(ended=ended)
        told = (
            f"{hold.hold_id} {hold.workspace_id or hold.user_id or hold.conversation_id}: "
            f"{hold.reason}{' (released)' if hold.ended_at else ''}"
            for hold in found
        )
        _print({"holds": found}, json, *told)

    asyncio.run(work())


@holds.command(name="add")
def add_hold(
    reason: Annotated[str, typer.Option(help="Why, for whoever looks at it later.")],
    workspace: Annotated[str | None, typer.Option(help="Hold this workspace: its id.")] = None,
    user: Annotated[str | None, typer.Option(help="Hold this user and all they are or were in: an id.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Hold this conversation: its id.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Keep everything of one workspace, user or conversation until it is released. The chat may be running meanwhile.

    Example: nottermost chat hold add --conversation 01JQ… --reason 'case 7' --data data
    """
    import asyncio

    from nottermost_chat.keeping import add_hold
    from nottermost_chat.settings import load_secrets, load_settings

    settings, secrets = load_settings(os.environ, data=data), load_secrets(os.environ)
    made = asyncio.run(add_hold(settings, secrets, reason, workspace, user, conversation))
    _print(made, json, f"held as {made.hold_id}")


@holds.command(name="release")
def release_hold(
    hold: Annotated[str, typer.Argument(help="The hold's id.")], data: Data = None, json: Json = False
) -> None:
    """Let go what a hold kept: it goes when its time is over. The chat may be running meanwhile.

    Example: nottermost chat hold release 01JQ… --data data
    """
    import asyncio

    from nottermost_chat.keeping import release_hold
    from nottermost_chat.settings import load_secrets, load_settings

    ended = asyncio.run(release_hold(load_settings(os.environ, data=data), load_secrets(os.environ), hold))
    _print(ended, json, f"{ended.hold_id} is released")


@app.command()
def erase(
    user: Annotated[str | None, typer.Option(help="Whom: a user name or an id.")] = None,
    confirm: Annotated[str, typer.Option(help="The user name once more: it cannot be undone.")] = "",
    replay: Annotated[bool, typer.Option("--replay", help="Do every erasure of the register again.")] = False,
    register: Annotated[
        Path | None, typer.Option(help="The register: an `erasures` folder. [default: the one beside the archive]")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take out all that a user wrote, uploaded and told; or, after a restore, do again what it brought back.

    What a legal hold keeps waits for its release; then the chat goes on by itself. Over a data folder the chat must
    not be running.

    Example: nottermost chat erase --replay --register erasures --data restored
    """
    import uvloop

    from nottermost_chat.keeping import erase_user, replay_erasures
    from nottermost_chat.logs import configure_logging
    from nottermost_chat.settings import load_secrets, load_settings

    if replay == (user is not None):
        raise typer.BadParameter("give --user with --confirm, or --replay")
    configure_logging("warning")
    settings, secrets = load_settings(os.environ, data=data), load_secrets(os.environ)
    work = (
        replay_erasures(settings, secrets, register) if user is None else erase_user(settings, secrets, user, confirm)
    )
    erased = uvloop.run(work)
    told = (f"{one.user_id}: {one.state}{', waits for a legal hold' if one.held else ''}" for one in erased)
    _print({"erasures": erased}, json, *told, f"{len(erased)} erasures")


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
        _print(found, json)
        return
    names: dict[str, str] = {}
    for hit in found["hits"]:
        await _print_message(chat, names, {**hit["message"], "preview": hit["snippet"]}, json)
    for part in found["unknown"]:
        print(f"nottermost: not known or not searched: {part}", file=sys.stderr)
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


def _print(value: object, json: bool, *lines: str) -> None:
    """One JSON object, or these lines for people."""
    if json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
        sys.stdout.buffer.flush()
    else:
        for line in lines:
            print(line, flush=True)
