"""What Ansible works on, from what the stacks export: the stores of an environment and how each is reached."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import yaml

from nottermost_conventions.errors import NottermostError
from nottermost_platform.naming import REGION_CODES, physical_name

GRAPHS: Final = Path(__file__).parents[2] / "graphs"
ENVIRONMENTS: Final = ("dev", "staging", "prod")  # whose inventories are committed
GROUPS: Final = ("database", "search", "topics", "hosts")  # in the order in which they are worked on
PORTS: Final = {"database": 5432, "search": 443, "brokers": 9098, "cache": 6379}
AUTHORITIES: Final = "/etc/pki/tls/certs/rds-global-bundle.pem"  # of RDS; on the admin host (docs/platform.md)
# Where a role has no host on AWS, and need not have one.
ABSENT: Final = {
    "database": "a replica takes its roles and tables from the home region",
    "topics": "those of a provisioned cluster are made with `data`",
}
# What only AWS knows. In a reviewed graph something of the same form stands for it.
PLACEHOLDERS: Final = frozenset(
    {"database_host", "database_secret_arn", "search_url", "brokers", "cache", "database", "search"}
)
Group = Literal["database", "search", "topics", "hosts"]
Source = Literal["reviewed", "state", "local"]
Outputs = Mapping[str, Mapping[str, Any] | None]  # by `data.us-east-1`; None: never brought up


class InventoryError(NottermostError):
    """Something that Ansible needs is not exported, or not known yet."""

    code = "bad_inventory"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to work on. `variables`: of the role with the name of the group."""

    name: str
    group: Group
    region: str
    variables: dict[str, Any]


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """An environment's hosts.

    Attributes:
        source: `reviewed`: addresses are placeholders, so that nothing can be run with it.
    """

    env: str
    source: Source
    hosts: tuple[Host, ...]

    def select(self, region: str, groups: tuple[str, ...]) -> tuple[Host, ...]:
        """In the order in which they are worked on."""
        return tuple(each for group in groups for each in self.hosts if each.group == group and each.region == region)


def make_inventory(env: str, outputs: Outputs, *, source: Source) -> Inventory:
    """From the outputs of the stack `data` in every region. Raises: InventoryError."""
    regions = sorted(name.partition(".")[2] for name in outputs if name.startswith("data."))
    if not regions:
        raise InventoryError(f"{env} has no outputs of the stack data: bring it up with `nottermost env up {env}`")
    hosts = [host for region in regions for host in _hosts(env, region, outputs[f"data.{region}"])]
    return Inventory(
        env=env, source=source, hosts=tuple(sorted(hosts, key=lambda each: (GROUPS.index(each.group), each.name)))
    )


def _hosts(env: str, region: str, exported: Mapping[str, Any] | None) -> Iterator[Host]:
    if exported is None:
        raise InventoryError(
            f"data in {region} was never brought up: run `nottermost env up {env} --stack data`, then this again"
        )
    data = _Exported(f"data in {region}", exported)
    place = f"{env}-{REGION_CODES[region]}"

    def host(group: Group, **variables: Any) -> Host:
        name = f"{place}-{'admin' if group == 'hosts' else group}"
        return Host(name=name, group=group, region=region, variables=variables)

    if data.text("home_region") == region:  # elsewhere it is a replica, which takes its roles and tables with it
        yield host(
            "database", database_host=data.text("database_address"), database_name=data.text("database_name"),
            database_secret_arn=data.text("database_secret_arn"), database_sslmode="verify-full",
            database_sslrootcert=AUTHORITIES,
        )  # fmt: skip
    account = data.text("search_domain_arn").split(":")[4]
    readers, writers = _searchers(env, region, account)
    yield host(
        "search", search_url=f"https://{data.text('search_endpoint')}", search_region=region,
        search_role_arn=data.text("search_admin_role_arn"), search_managed=True, search_secured=True,
        search_readers=readers, search_writers=writers,
    )  # fmt: skip
    # No topics: those of a provisioned cluster are Pulumi's (components/brokers.py).
    endpoints = {
        "database": data.text("database_host"), "search": data.text("search_endpoint"),
        "brokers": data.text("broker_endpoints").partition(":")[0], "cache": data.text("cache_endpoint"),
    }  # fmt: skip
    yield host(
        "hosts", common_environment=env, ssm_admin_host_region=region, ssm_admin_host_group=data.text("admin_group"),
        ssm_admin_host_endpoints={name: f"{address}:{PORTS[name]}" for name, address in endpoints.items()},
    )  # fmt: skip


class _Exported:
    """The outputs of one stack in one region."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self._name, self._values = name, values

    def text(self, output: str) -> str:
        """Raises: InventoryError."""
        found = self._values.get(output)
        if found is None:
            raise InventoryError(
                f"{self._name} does not export {output}: its program is older than this one; bring it up again"
            )
        if not isinstance(found, str) or not found:  # a secret and what is not known yet are marked by a mapping
            raise InventoryError(f"{output} of {self._name} is {found!r}, expected text: is the stack up?")
        return found


def _searchers(env: str, region: str, account: str) -> tuple[list[str], list[str]]:
    """The roles of the chat's tasks that search, and those that write the index."""
    from nottermost_platform.components.needs import Need
    from nottermost_platform.components.roles import ROLES

    def arns(need: Need) -> list[str]:
        names = [
            physical_name("aws:iam/role:Role", env=env, region=region, account=account, name=f"{role}-task")
            for role, each in ROLES.items()
            if need in each.needs
        ]
        return [f"arn:aws:iam::{account}:role/{name}" for name in names]

    return arns(Need.SEARCH_READ), arns(Need.SEARCH_WRITE)


class _Output(msgspec.Struct, frozen=True):
    value: Any


class _Stack(msgspec.Struct, frozen=True):
    name: str
    region: str
    outputs: dict[str, _Output]


class _Reviewed(msgspec.Struct, frozen=True):
    """What is asked of a reviewed graph; the rest of it is not read."""

    schema: Literal["nottermost.graph/1"]
    stacks: list[_Stack]


def read_reviewed(env: str) -> Inventory:
    """From the reviewed graph. Raises: InventoryError."""
    stacks: list[_Stack] = []
    for path in sorted((GRAPHS / env).glob("data.*.json")):
        try:
            stacks += msgspec.json.decode(path.read_bytes(), type=_Reviewed).stacks
        except msgspec.MsgspecError as error:
            raise InventoryError(
                f"{path.name} of {env} is no reviewed graph: {error}; restore it from version control"
            ) from error
    found = {f"{each.name}.{each.region}": {name: one.value for name, one in each.outputs.items()} for each in stacks}
    return make_inventory(env, found, source="reviewed")


def make_local(settings: Mapping[str, str], root: Path) -> Inventory:
    """The cluster of a laptop, from what its roles are told (`NOTTERMOST_…`).

    Args:
        root: a folder that stands for the root of a host.
    """
    host, _, port = settings["NOTTERMOST_DATABASE_HOST"].partition(":")
    brokers = settings["NOTTERMOST_BROKERS"]
    variables: dict[Group, dict[str, Any]] = {
        "database": {
            "database_host": host, "database_port": int(port), "database_name": settings["NOTTERMOST_DATABASE_NAME"],
            "database_admin": settings["NOTTERMOST_DATABASE_USER"], "database_app": "nottermost_app",
        },
        "search": {"search_url": settings["NOTTERMOST_SEARCH_HOST"], "search_managed": False},
        "topics": {
            "topics_brokers": brokers, "topics_prefix": settings.get("NOTTERMOST_TOPIC_PREFIX", ""),
            "topics_replication": 3 if brokers.count(",") >= 2 else 1,
        },
        "hosts": {"common_environment": "local", "root_prefix": str(root), "ssm_admin_host_region": "local"},
    }  # fmt: skip
    hosts = [
        Host(name=f"local-{group}", group=group, region="local", variables=each) for group, each in variables.items()
    ]
    return Inventory(env="local", source="local", hosts=tuple(hosts))


# --- the file -------------------------------------------------------------------------------------

_CONNECTION: Final = {  # the modules run here, and reach the stores over the network
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
}


def render(inventory: Inventory) -> str:
    """As YAML for Ansible; what is a placeholder says so."""
    children = {
        group: {"hosts": {each.name: {"region": each.region, **each.variables} for each in inventory.hosts if each.group == group}}
        for group in GROUPS
    }  # fmt: skip
    variables = {"environment_name": inventory.env, "inventory_source": inventory.source, **_CONNECTION}
    document = {"all": {"vars": variables, "children": children}}
    text = dump_yaml(document)
    if inventory.source != "reviewed":
        return text
    note = "# Written by ansible/generate.py from the reviewed graph; `nottermost env bootstrap` takes the stacks' own outputs.\n"
    return note + "".join(_mark(line) for line in text.splitlines(keepends=True))


def _mark(line: str) -> str:
    key, _, value = line.strip().partition(":")
    return f"{line.rstrip()}  # placeholder\n" if key in PLACEHOLDERS and value else line


def dump_yaml(document: object) -> str:
    return yaml.dump(document, Dumper=_Indented, sort_keys=False, explicit_start=True, width=1000)


class _Indented(yaml.SafeDumper):
    """Lists stand deeper than their key, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's
        super().increase_indent(flow, False)


def parse(text: str, name: str) -> Inventory:
    """An inventory in the form in which `render` writes it. `name`: for errors. Raises: InventoryError."""
    try:
        document = yaml.safe_load(text)["all"]
        hosts = [
            {
                "name": host,
                "group": group,
                "region": values["region"],
                "variables": {k: v for k, v in values.items() if k != "region"},
            }
            for group, one in document["children"].items()
            for host, values in one["hosts"].items()
        ]
        found = {
            "env": document["vars"]["environment_name"],
            "source": document["vars"]["inventory_source"],
            "hosts": hosts,
        }
        return msgspec.convert(found, Inventory)
    except (yaml.YAMLError, msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise InventoryError(
            f"{name} is no inventory of ours ({error}): see ansible/inventories for the form"
        ) from error
