"""Who reaches the stores: one security group for their clients, and one a store that lets in exactly that."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_aws.vpc.security_group_egress_rule import SecurityGroupEgressRule

from nottermost_platform.components.brokers import EXPORTER_PORTS
from nottermost_platform.components.brokers import PORT as BROKER_PORT
from nottermost_platform.components.cache import PORT as CACHE_PORT
from nottermost_platform.components.database import PORT as DATABASE_PORT
from nottermost_platform.components.security import Firewall, FirewallArgs, Rule
from nottermost_platform.components.tables import DAX_PORT
from nottermost_platform.program import Component, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A store's port. `to_port`: the last, where it has several."""

    port: int
    why: str
    to_port: int | None = None


STORES: Final = {
    "database": Door(port=DATABASE_PORT, why="PostgreSQL"),
    "proxy": Door(port=DATABASE_PORT, why="PostgreSQL"),
    "search": Door(port=443, why="HTTPS"),
    "brokers": Door(port=BROKER_PORT, why="Kafka"),
    "broker-metrics": Door(port=EXPORTER_PORTS[0], to_port=EXPORTER_PORTS[1], why="Metrics of Kafka"),
    "cache": Door(port=CACHE_PORT, why="Valkey"),
    "dax": Door(port=DAX_PORT, why="DAX"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsArgs:
    """The stores of a VPC. `dax`: whether there is a read cache among them."""

    vpc_id: pulumi.Input[str]
    dax: bool = False


class Doors(Component):
    """The clients' group may go to every store and nowhere else; a store's group lets in the clients' alone."""

    KIND = "security:Doors"

    def __init__(self, stack: Stack[Any], name: str, args: DoorsArgs) -> None:
        super().__init__(stack, name)
        self.clients = Firewall(
            stack, f"{name}-clients", parent=self,
            args=FirewallArgs(vpc_id=args.vpc_id, description="Worn by whoever talks to the stores"),
        )  # fmt: skip
        self._groups: dict[str, pulumi.Output[str]] = {}
        for store, door in STORES.items():
            if store == "dax" and not args.dax:
                continue
            rule = Rule(
                name="clients",
                port=door.port,
                to_port=door.to_port,
                why=f"{door.why} from clients",
                group=self.clients.id,
            )
            store_args = FirewallArgs(vpc_id=args.vpc_id, description=f"Store: {store}", ingress=[rule])
            firewall = Firewall(stack, f"{name}-{store}", store_args, parent=self)
            self.add(
                SecurityGroupEgressRule, f"clients-to-{store}", security_group_id=self.clients.id, ip_protocol="tcp",
                description=f"{door.why} to {store}", from_port=door.port, to_port=door.to_port or door.port,
                referenced_security_group_id=firewall.id,
            )  # fmt: skip
            self._groups[store] = firewall.id
        self.register_outputs({"clients": self.clients.id})

    def of(self, store: str) -> pulumi.Output[str]:
        """The security group that a store wears."""
        return self._groups[store]
