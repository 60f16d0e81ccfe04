"""The machine inside the network from which `nottermost env bootstrap` reaches the stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from nottermost_platform.components.machines import OUT, WORN_BY_MACHINES, MachinesArgs, add_machines, managed_by_ssm
from nottermost_platform.components.security import Firewall, FirewallArgs, ServiceRole, ServiceRoleArgs
from nottermost_platform.naming import physical_name
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component, Stack

NAME: Final = "admin"  # as inventory.py calls it
INSTANCE_TYPES: Final = ("t4g.medium", "m7g.medium")  # Ansible and its modules take about 1 GiB
DISK_GIB: Final = 20  # the system, a checkout, its .venv
USER_DATA: Final = """#cloud-config
packages: [git, make, python3.12]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminHostArgs:
    """The admin host of a region.

    Attributes:
        clients_group_id: the security group that stores let in.
        there: whether it is there now.
        password_arn: the secret of the database's first user.
        password_key_arn: the key of that secret; None: AWS's own, which asks no role for leave.
        search_admin_arn: the role that it takes to set up the search domain.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    clients_group_id: pulumi.Input[str]
    there: bool
    password_arn: pulumi.Input[str]
    password_key_arn: pulumi.Input[str] | None
    search_admin_arn: pulumi.Input[str]


def role_arn(stack: Stack[Any]) -> str:
    """Of the host's role, before there is one: the administrator's role trusts it, and it may take that one."""
    account = stack.settings.account_id
    name = physical_name(
        "aws:iam/role:Role", env=stack.place.env, region=stack.place.region, account=account, name=NAME
    )
    return f"arn:aws:iam::{account}:role/{name}"


class AdminHost(Component):
    """A group of no machine or one. No address, no port, no key: it is entered through Systems Manager only."""

    KIND = "data:AdminHost"

    def __init__(self, stack: Stack[Any], args: AdminHostArgs) -> None:
        super().__init__(stack, NAME)
        firewall = Firewall(
            stack, NAME, parent=self,
            args=FirewallArgs(vpc_id=args.vpc_id, description="Admin host: nobody comes in", egress=[OUT]),
        )  # fmt: skip
        region, account = stack.place.region, stack.settings.account_id
        role = ServiceRole(
            stack, NAME, parent=self,
            args=ServiceRoleArgs(
                description="Sets up the stores", trusted=[WORN_BY_MACHINES],
                allows={
                    "password": _read_password(args, region),
                    "search": [Statement(actions=["sts:AssumeRole"], resources=[args.search_admin_arn])],
                    "session": managed_by_ssm(region, account),
                },
            ),
        )  # fmt: skip
        number = int(args.there)
        self.group_name = add_machines(
            self,
            MachinesArgs(
                role=role, subnet_ids=args.subnet_ids, group_ids=[firewall.id, args.clients_group_id],
                instance_types=INSTANCE_TYPES, machines=(number, number), spot=False, disk_gib=DISK_GIB,
                user_data=USER_DATA,
            ),
        )  # fmt: skip
        self.register_outputs({"group": self.group_name})


def _read_password(args: AdminHostArgs, region: str) -> list[Statement]:
    read = [Statement(actions=["secretsmanager:GetSecretValue"], resources=[args.password_arn])]
    if args.password_key_arn is None:
        return read
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
    return [*read, Statement(actions=["kms:Decrypt"], resources=[args.password_key_arn], conditions=via)]
