"""Where the real servers are that tests use: each started once for a whole run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A server on this machine."""

    port: int
    host: str = "127.0.0.1"

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"
