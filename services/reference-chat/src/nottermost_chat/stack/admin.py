"""Talks to a running HAProxy over its admin socket."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from nottermost_chat.errors import StartError
from nottermost_chat.stack.cluster import kind_of
from nottermost_chat.stack.haproxy import ADMIN_SOCKET

ANSWER_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 1_000_000
BACKENDS: Final = {"gateway": "gateways", "api": "apis"}

ServerState = Literal["ready", "drain", "maint"]  # drain: what is open goes on, nothing new comes


def set_servers(folder: Path, names: Iterable[str], state: ServerState) -> None:
    """Whether requests go to these; the others stay as they are. Raises: StartError when HAProxy refuses; OSError."""
    for name in names:
        server = f"{BACKENDS[kind_of(name)]}/{name}"
        if answer := ask_haproxy(folder, f"set server {server} state {state}").strip():
            raise StartError(f"haproxy does not take {name} in or out: {answer}")


def ask_haproxy(folder: Path, command: str) -> str:
    """What HAProxy answers; most commands that succeed answer nothing. `folder`: its own. Raises: OSError."""
    # A path of a socket holds 107 bytes, ours may be longer: it is named below an open folder.
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(f"/proc/self/fd/{opened}/{ADMIN_SOCKET}")
            connection.sendall(command.encode() + b"\n")
            answer = bytearray()
            while len(answer) < ANSWER_BYTES_MAX and (part := connection.recv(65_536)):
                answer += part
            return answer.decode(errors="replace")
    finally:
        os.close(opened)
