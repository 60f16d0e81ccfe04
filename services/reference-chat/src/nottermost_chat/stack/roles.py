"""The one description of the chat's processes: which roles there are, how many, where each listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SLOTS: Final = 8  # of each role at most: the load balancer keeps a place for each gateway and api
METRICS_APART: Final = 1000  # the metrics port beside a gRPC port


class Serves(StrEnum):
    """What a role answers beside health and metrics, which are HTTP."""

    HTTP = "http"  # on one port with them
    GRPC = "grpc"  # on a port of its own
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role of the chat.

    Attributes:
        port: of the first one; the others follow.
        count: how many run unless `--scale` says otherwise.
        memory_mib: of one process under load, at most.
    """

    name: str
    port: int
    serves: Serves = Serves.NOTHING
    count: int = 1
    memory_mib: int = 200

    def usual_ports(self, number: int) -> dict[str, int]:
        """Of the `number`th process of the role, from 1. The first is what clients, or else health checks, know."""
        main = self.port + number - 1
        match self.serves:
            case Serves.HTTP:
                return {"client": main}
            case Serves.GRPC:
                return {"client": main, "metrics": main + METRICS_APART}
            case Serves.NOTHING:
                return {"metrics": main}


ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        Role(name="ingest", serves=Serves.GRPC, count=2, port=23100),
        Role(name="fanout", serves=Serves.GRPC, count=2, port=23200),
        Role(name="gateway", serves=Serves.HTTP, count=2, port=23300),
        Role(name="api", serves=Serves.HTTP, count=2, port=23400, memory_mib=300),
        Role(name="indexer", port=23500),
        Role(name="notifier", port=23510),
        Role(name="webhooks", port=23520),
        Role(name="archiver", port=23530),
        Role(name="keeper", port=23540),
    )
}
