"""The roles run apart: each a process of its own, over servers.

What the embedded chat is put together from function calls in `bootstrap.py` is put together here
from gRPC, Kafka, Redis and databases. One file a role, and a process imports only its own: the
clients of all servers together take three seconds and 150 MiB.
"""

import asyncio
import signal
from collections.abc import Callable
from importlib import import_module

from nottermost_chat.roles.process import Process, Role, make_process, parse_role, traced
from nottermost_chat.settings import Secrets, Settings

__all__ = ["Process", "Role", "make_process", "parse_role", "serve_role", "traced"]


async def serve_role(role: Role, settings: Settings, secrets: Secrets, *, announce: Callable[[int], object]) -> None:
    """Run one role until SIGTERM or SIGINT, then drain.

    Args:
        announce: called once it works, with the port it serves.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    run = import_module(f"{__name__}.{role}").run
    async with traced(make_process(role, settings, secrets)) as process, run(process) as port:
        announce(port)
        await stop.wait()
