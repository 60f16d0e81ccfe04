"""Ports of this machine: which are free, and who has one that is not."""

import random
import socket
from contextlib import suppress
from typing import Final

import psutil

from nottermost_chat.stack.probes import HOST

# Below what kernels give to outgoing connections (32768 and up), and beside the range of `testing.process`.
FREE: Final = range(10_000, 15_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((HOST, port))
            return True
    return False


def find_free(taken: set[int], among: range = FREE) -> int:
    """A port on which nobody listens, and none of `taken`."""
    while True:
        port = random.choice(among)  # noqa: S311 - any will do
        if port not in taken and is_free(port):
            return port


def name_owner(port: int) -> str:
    """Who listens there, as far as we may know: `redis-server (process 4711)`."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
            with suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "a process of another user"
