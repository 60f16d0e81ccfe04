"""The address of a PostgreSQL server."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where PostgreSQL is, and who we are there; TLS is set as for every libpq (PGSSLMODE, PGSSLROOTCERT).

    Attributes:
        host: with `:port` unless it is 5432; several with commas between: the one that takes writes is used.
        password: or what makes one for each new connection, as IAM does; it is asked in a thread and may block.
    """

    host: str
    database: str
    user: str
    password: str | Callable[[], str] = field(default="", repr=False)
