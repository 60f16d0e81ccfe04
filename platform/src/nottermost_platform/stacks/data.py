"""Everything that is kept: the directory, the message store, search, the log, routes, files; and its copies.

One region is home and appends; the other holds replicas and a small warm stack whose tables refuse writes.
A failover is `home_region` in the YAML of both, the old home first: that fences the one and opens the other.

The admin host is here too: all that it may do and reach is of this stack (the database's password, the role of
search, the clients' group), it stands where stores stand, and it is wanted as soon as they do, before the chat.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import pulumi
from pydantic import ConfigDict, Field

from nottermost_platform.components.admin_host import AdminHost, AdminHostArgs, role_arn
from nottermost_platform.components.backup import Backups, BackupsArgs
from nottermost_platform.components.brokers import Brokers, BrokersArgs
from nottermost_platform.components.buckets import Buckets, BucketsArgs, Source
from nottermost_platform.components.cache import Cache, CacheArgs
from nottermost_platform.components.database import DATABASE, Database, DatabaseArgs
from nottermost_platform.components.doors import Doors, DoorsArgs
from nottermost_platform.components.replica_key import ReplicaKey, ReplicaKeyArgs
from nottermost_platform.components.search import Search, SearchArgs
from nottermost_platform.components.secrets import Secret, SecretArgs, SecretKind
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.sizes import (
    SIZES,
    AuditDays,
    BrokerSize,
    CacheSize,
    DatabaseSize,
    DaxSize,
    Ground,
    SearchSize,
    TableSize,
    in_production,
)  # fmt: skip
from nottermost_platform.components.tables import (
    ReadCache,
    ReadCacheArgs,
    TableCopies,
    TableCopiesArgs,
    Tables,
    TablesArgs,
)  # fmt: skip
from nottermost_platform.naming import PRIMARY, STANDBY
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Layers, Region, SettingsError, StackSettings, merge, regions_of
from nottermost_platform.stacks import network as network_stack

NAME: Final = "data"
EACH_REGION: Final = True
BUCKETS: Final = ("files", "page", "archive")  # those that the standby copies
SECRETS: Final[dict[str, tuple[str, SecretKind, str]]] = {  # of the chat alone, by output
    "signing_secret_arn": ("signing-keys", "signing", "Keys that sign access tokens"),
    "webhook_secret_arn": ("webhook-key", "key", "Encrypts the secrets of webhooks"),
    "pseudonym_secret_arn": ("pseudonym-key", "key", "Makes pseudonyms in counts and in the audit log"),
    "vapid_secret_arn": ("vapid-key", "vapid", "Signs what is pushed to browsers"),
    "fcm_secret_arn": ("fcm-account", "given", "Service account of Firebase"),
    "apns_secret_arn": ("apns-key", "given", "Signing key of the team at Apple"),
}
REQUIRES: Final = {
    "network": Requirement(outputs=("vpc_id", "app_subnet_ids", "data_subnet_ids", "log_key_arn")),
    "data": Requirement(
        outputs=(
            "data_key_arn", "database_arn", "database_secret_arn", *SECRETS, "table_arns", "message_table", "text_table",
            "home_region", *(f"{each}_bucket" for each in BUCKETS), *(f"{each}_bucket_arn" for each in BUCKETS),
        ),
        primary=True,
    ),
}  # fmt: skip
NOTHING: Final[Any] = {}  # of a size: its defaults, which production checks as if they were given


class Settings(StackSettings):
    """What may be chosen about what is kept.

    Attributes:
        home_region: the one that appends.
        lock_days: how long nothing in the archive can be deleted; no longer than erased text may stay there.
        query_gib_max: what one question to the archive may read.
        admin_host: whether the machine is there from which `nottermost env bootstrap` runs; needed for that alone.
        dax: a read cache before the tables; off, since it breaks "a strong read sees own writes".
    """

    model_config = ConfigDict(validate_default=True)

    home_region: Region = PRIMARY
    log_days: AuditDays = 14
    backup_days: Annotated[int, Field(ge=7), in_production(lambda days: days >= 14, "14 or more")] = 7
    lock_days: Annotated[int, Field(ge=0, le=30), in_production(bool, "from 1 to 30")] = Field(
        default=0, validate_default=True
    )
    query_gib_max: int = Field(default=10, ge=1)
    database: DatabaseSize = NOTHING
    tables: TableSize = NOTHING
    search: SearchSize = NOTHING
    brokers: BrokerSize = NOTHING
    cache: CacheSize = NOTHING
    admin_host: bool = False
    dax: DaxSize | None = None


LAYERS: Final[Layers] = merge(
    SIZES,
    {
        "pr": {"log_days": 7},
        "staging": {"log_days": 30},
        "prod": {"log_days": 365, "backup_days": 35, "lock_days": 30, "query_gib_max": 1024},
    },
)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the stores.

    `home_region`: which one appends; all others are fenced. `client_group_id`: worn by whoever talks to them.
    `database_identifiers`: of the instance and of its readers.
    `database_address`: of the instance itself, for whoever has a password.
    `database_host`, `database_resource_id`: where the chat connects to, and what IAM calls that in `rds-db:connect`:
    the proxy; where the region is fenced the replica, which lags. `database_connect_arns`: all of these, any user.
    `database_secret_arn`, `signing_secret_arn`: in the standby the copies that are there.
    `admin_group`: the auto scaling group of the admin host.
    """

    home_region: pulumi.Input[str]
    client_group_id: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    database_identifier: pulumi.Input[str]
    database_identifiers: pulumi.Input[list[str]]
    database_arn: pulumi.Input[str]
    database_name: pulumi.Input[str]
    database_address: pulumi.Input[str]
    database_host: pulumi.Input[str]
    database_resource_id: pulumi.Input[str]
    database_proxy_host: pulumi.Input[str]
    database_proxy_arn: pulumi.Input[str]
    database_reader_host: pulumi.Input[str]
    database_connect_arns: pulumi.Input[list[str]]
    database_secret_arn: pulumi.Input[str]
    signing_secret_arn: pulumi.Input[str]
    webhook_secret_arn: pulumi.Input[str]
    pseudonym_secret_arn: pulumi.Input[str]
    vapid_secret_arn: pulumi.Input[str]
    fcm_secret_arn: pulumi.Input[str]
    apns_secret_arn: pulumi.Input[str]
    table_arns: pulumi.Input[list[str]]
    message_table: pulumi.Input[str]
    text_table: pulumi.Input[str]
    search_domain_name: pulumi.Input[str]
    search_domain_arn: pulumi.Input[str]
    search_endpoint: pulumi.Input[str]
    search_admin_role_arn: pulumi.Input[str]
    broker_cluster_name: pulumi.Input[str]
    broker_cluster_arn: pulumi.Input[str]
    broker_endpoints: pulumi.Input[str]
    cache_group_id: pulumi.Input[str]
    cache_endpoint: pulumi.Input[str]
    cache_secret_arn: pulumi.Input[str]
    files_bucket: pulumi.Input[str]
    files_bucket_arn: pulumi.Input[str]
    files_bucket_domain: pulumi.Input[str]
    page_bucket: pulumi.Input[str]
    page_bucket_arn: pulumi.Input[str]
    page_bucket_domain: pulumi.Input[str]
    archive_bucket: pulumi.Input[str]
    archive_bucket_arn: pulumi.Input[str]
    logs_bucket: pulumi.Input[str]
    logs_bucket_domain: pulumi.Input[str]
    admin_group: pulumi.Input[str]


@dataclass(frozen=True, slots=True)
class _Part:
    """What this region is to the other.

    Attributes:
        primary: outputs of the first region's stores, in the standby.
        at_home: it appends.
        other: "" where there is one region only.
    """

    primary: Outputs | None
    at_home: bool
    other: str


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    network = stack.require(network_stack.Outputs, "network")
    part = _Part(
        primary=stack.require(Outputs, "data") if place.is_standby else None,
        at_home=place.region == settings.home_region,
        other=next((region for region in regions_of(place.env) if region != place.region), ""),
    )
    backed_up = part.at_home or part.primary is None  # the vault of a region that was home stays
    key_arn = _add_key(stack, part)
    ground = Ground(
        subnet_ids=network.data_subnet_ids, key_arn=key_arn, log_key_arn=network.log_key_arn, log_days=settings.log_days
    )
    doors = Doors(stack, "stores", DoorsArgs(vpc_id=network.vpc_id, dax=settings.dax is not None))
    buckets = Buckets(
        stack, "buckets",
        BucketsArgs(
            key_arn=key_arn, domain=settings.domain, log_days=settings.log_days, lock_days=settings.lock_days,
            query_gib_max=settings.query_gib_max, backed_up=backed_up, source=_source(part.primary),
        ),
    )  # fmt: skip
    database = _add_database(stack, part, ground, doors)
    table_arns, table_names = _add_tables(stack, part, key_arn)
    if settings.dax:
        cached = ReadCacheArgs(
            table_arns=table_arns, subnet_ids=ground.subnet_ids, group_id=doors.of("dax"), size=settings.dax
        )
        ReadCache(stack, "dax", cached)
    search = Search(
        stack, "search",
        SearchArgs(
            ground=ground, size=settings.search, group_id=doors.of("search"), admin_arn=role_arn(stack)
        ),
    )  # fmt: skip
    groups = [doors.of("brokers"), doors.of("broker-metrics")]
    brokers = Brokers(stack, "log", BrokersArgs(ground=ground, size=settings.brokers, group_ids=groups))
    cache = Cache(stack, "cache", CacheArgs(ground=ground, size=settings.cache, group_id=doors.of("cache")))
    if backed_up:
        kept = BackupsArgs(
            key_arn=key_arn, keep_days=settings.backup_days, locked=place.is_prod, copy_region=part.other
        )
        Backups(stack, "backups", kept)
    secrets = _add_secrets(stack, part, ground, database)
    admin = AdminHost(
        stack,
        AdminHostArgs(
            vpc_id=network.vpc_id, subnet_ids=network.app_subnet_ids, clients_group_id=doors.clients.id,
            there=settings.admin_host, password_arn=secrets["database_secret_arn"],
            password_key_arn=key_arn if part.primary is None else None, search_admin_arn=search.admin_role_arn,
        ),
    )  # fmt: skip
    files, page, archive, logs = buckets.files, buckets.page, buckets.archive.bucket, buckets.logs
    return Outputs(
        home_region=settings.home_region, client_group_id=doors.clients.id, data_key_arn=key_arn,
        database_identifier=database.identifier, database_identifiers=database.identifiers,
        database_arn=database.arn, database_name=DATABASE,
        database_address=database.address, database_host=database.host, database_resource_id=database.resource_id,
        database_proxy_host=database.proxy.endpoint, database_proxy_arn=database.proxy.arn,
        database_reader_host=database.reader_host, database_connect_arns=pulumi.Output.all(*database.connect_arns),
        table_arns=pulumi.Output.all(*table_arns), message_table=table_names[0], text_table=table_names[1],
        search_domain_name=search.name, search_domain_arn=search.arn, search_endpoint=search.endpoint,
        search_admin_role_arn=search.admin_role_arn, broker_cluster_name=brokers.name, broker_cluster_arn=brokers.arn,
        broker_endpoints=brokers.endpoints, cache_group_id=cache.name, cache_endpoint=cache.endpoint,
        cache_secret_arn=cache.secret_arn, files_bucket=files.name, files_bucket_arn=files.arn,
        files_bucket_domain=files.domain, page_bucket=page.name, page_bucket_arn=page.arn,
        page_bucket_domain=page.domain, archive_bucket=archive.name, archive_bucket_arn=archive.arn,
        logs_bucket=logs.name, logs_bucket_domain=logs.domain, admin_group=admin.group_name, **secrets,
    )  # fmt: skip


def _add_key(stack: Stack[Settings], part: _Part) -> pulumi.Output[str]:
    """The key of all stores; the standby's is the primary's own, replicated. CloudFront reads files and page with it."""
    readers = ["cloudfront.amazonaws.com"]
    if part.primary is None:
        arguments = EncryptionKeyArgs(description="Stores", services=readers, multi_region=part.other != "")
        return EncryptionKey(stack, "data", arguments).arn
    known = pulumi.Output.all(part.primary.home_region, part.primary.data_key_arn)
    # Everything here hangs on the key: what is refused at it changes nothing.
    arn = known.apply(lambda both: _once_fenced(*both) if part.at_home else both[1])
    replica = ReplicaKeyArgs(description="Stores", primary_key_arn=arn, services=readers)
    return ReplicaKey(stack, "data", replica).arn


def _once_fenced(home_region: str, key_arn: str) -> str:
    """The key, unless the first region still appends as it was last deployed: two homes would give one seq twice."""
    if home_region == PRIMARY:
        raise SettingsError(
            f"home_region: {PRIMARY} still appends; set {STANDBY} there too, and bring `data` up there first: it is fenced then"
        )
    return key_arn


def _source(primary: Outputs | None) -> Source | None:
    """The primary's buckets, which the standby copies."""
    if primary is None:
        return None
    pairs = {each: (getattr(primary, f"{each}_bucket"), getattr(primary, f"{each}_bucket_arn")) for each in BUCKETS}
    return Source(region=PRIMARY, key_arn=primary.data_key_arn, buckets=pairs)


def _add_database(stack: Stack[Settings], part: _Part, ground: Ground, doors: Doors) -> Database:
    """The directory's database; the standby's is a replica until the region becomes home."""
    primary = part.primary
    return Database(
        stack, "database",
        DatabaseArgs(
            ground=ground, size=stack.settings.database, group_id=doors.of("database"),
            proxy_group_ids=[doors.of("proxy"), doors.clients.id], copied=part.other != "" and primary is None,
            source_arn=primary.database_arn if primary and not part.at_home else None,
            promoted=bool(primary and part.at_home), secret_region=part.other,
        ),
    )  # fmt: skip


def _add_tables(
    stack: Stack[Settings], part: _Part, key_arn: pulumi.Output[str]
) -> tuple[list[pulumi.Output[str]], list[pulumi.Input[str]]]:
    """ARNs and names of the message store's tables, in the order of `TABLES`; fenced where the region is not home."""
    if part.primary:
        copies = TableCopiesArgs(source_arns=part.primary.table_arns, key_arn=key_arn, fenced=not part.at_home)
        return TableCopies(stack, "messages", copies).arns, [part.primary.message_table, part.primary.text_table]
    arguments = TablesArgs(
        key_arn=key_arn, size=stack.settings.tables, replicated=part.other != "", fenced=not part.at_home
    )
    tables = Tables(stack, "messages", arguments)
    return tables.arns, list(tables.names)


def _add_secrets(stack: Stack[Settings], part: _Part, ground: Ground, database: Database) -> dict[str, Any]:
    """Both regions' secrets by output; a copy has the name and suffix of the first in its own region."""
    if part.primary is None:
        made = {output: _add_secret(stack, part, ground, *what) for output, what in SECRETS.items()}
        return {"database_secret_arn": database.secret_arn} | {output: each.arn for output, each in made.items()}
    region, arns = stack.place.region, {name: getattr(part.primary, name) for name in ("database_secret_arn", *SECRETS)}
    return {
        name: pulumi.Output.from_input(arn).apply(lambda known: known.replace(f":{PRIMARY}:", f":{region}:"))
        for name, arn in arns.items()
    }


def _add_secret(
    stack: Stack[Settings], part: _Part, ground: Ground, name: str, kind: SecretKind, description: str
) -> Secret:
    arguments = SecretArgs(description=description, kind=kind, ground=ground, replica_region=part.other)
    return Secret(stack, name, arguments)
