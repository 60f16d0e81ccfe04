"""`nottermost chat …`: run the reference chat, fill it, talk to it, measure it."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Run the reference chat, import into it, talk to it. Begin with: nottermost chat run", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option(help="The folder that holds all data. [default: data]")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


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
    import asyncio
    import os

    from nottermost_chat.bootstrap import configure_logging, serve
    from nottermost_chat.settings import load_settings
    from nottermost_chat.welcome import greet

    settings = load_settings(os.environ, data=data, host=host, port=port)
    configure_logging(settings.log_level)
    asyncio.run(serve(settings, ready=greet(welcome=not empty)), loop_factory=None)
