"""What a role of the chat needs of the platform, and what follows from it: environment, secrets, permissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, assert_never

import pulumi

from nottermost_conventions.tables import TABLES, TEXTS
from nottermost_conventions.topics import ENTRIES
from nottermost_platform.policy import Statement

DATABASE_USER: Final = "chat"  # logs in with IAM; made by Ansible


class Phone(StrEnum):
    """A push service of phones. Its account is made there, by hand: no program has the secret."""

    FCM = "fcm"
    APNS = "apns"


class Need(StrEnum):
    """Something that a role cannot do without."""

    ARCHIVE = "archive"  # writes the archive
    CACHE = "cache"
    DATABASE = "database"
    FILES = "files"
    IDENTITY = "identity"  # signs and verifies tokens and links
    LOG_READ = "log-read"
    LOG_WRITE = "log-write"
    PSEUDONYMS = "pseudonyms"  # for what is counted and noted
    PUSH = "push"  # leaves notifications in their queue and takes them from there to the phones
    PUSH_KEYS = "push-keys"  # tells devices which push services are on, and browsers the key they subscribe with
    REDRIVE = "redrive"  # hands over again what was set aside, in the log and in the queues
    REPLAY = "replay"  # keeps the secrets of webhooks, and sends their tests and dead letters again
    SEARCH_READ = "search-read"
    SEARCH_WRITE = "search-write"
    TABLES_READ = "tables-read"
    TABLES_SWEEP = "tables-sweep"  # looks through all texts for those that no message refers to
    TABLES_WRITE = "tables-write"
    WEBHOOKS = "webhooks"  # leaves webhooks in their queue and takes them from there


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Where everything is: outputs of the stacks before the chat's.

    Attributes:
        phones: the push services of phones that there is an account of.
        push_contact: whom push services write to when something is wrong.
    """

    region: str
    account_id: str
    database_host: pulumi.Input[str]
    database_resource_id: pulumi.Input[str]
    database_name: pulumi.Input[str]
    table_arns: pulumi.Input[list[str]]
    search_endpoint: pulumi.Input[str]
    search_domain_arn: pulumi.Input[str]
    brokers: pulumi.Input[str]
    broker_cluster_arn: pulumi.Input[str]
    cache_endpoint: pulumi.Input[str]
    cache_secret_arn: pulumi.Input[str]
    files_bucket: pulumi.Input[str]
    archive_bucket: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    signing_secret_arn: pulumi.Input[str]
    webhook_secret_arn: pulumi.Input[str]
    pseudonym_secret_arn: pulumi.Input[str]
    vapid_secret_arn: pulumi.Input[str]
    fcm_secret_arn: pulumi.Input[str]
    apns_secret_arn: pulumi.Input[str]
    issuer_url: pulumi.Input[str]
    client_id: pulumi.Input[str]
    push_queue_url: pulumi.Input[str]
    push_queue_arn: pulumi.Input[str]
    push_dead_arn: pulumi.Input[str]
    webhook_queue_url: pulumi.Input[str]
    webhook_queue_arn: pulumi.Input[str]
    webhook_dead_arn: pulumi.Input[str]
    queue_key_arn: pulumi.Input[str]
    phones: Sequence[Phone]
    push_contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What follows from needs.

    Attributes:
        environment: of the container, never a secret.
        secrets: environment variables that ECS fills, to ARNs in Secrets Manager; with `:key::` after it that key of
            the secret's JSON alone.
        allows: what the role's own IAM role may do.
    """

    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    allows: Sequence[Statement] = ()

    def __or__(self, other: "Provision") -> "Provision":
        return Provision(
            environment={**self.environment, **other.environment},
            secrets={**self.secrets, **other.secrets},
            allows=[*self.allows, *other.allows],
        )


def provide(need: Need, at: Backends, *, consumers: Sequence[str]) -> Provision:
    """What follows from one need. `consumers`: the groups under which the log is read, or redriven."""
    match need:
        case Need.ARCHIVE:
            return _bucket(at, "NOTTERMOST_ARCHIVE_BUCKET", at.archive_bucket)
        case Need.CACHE:
            environment = {"NOTTERMOST_CACHE_HOST": at.cache_endpoint, "NOTTERMOST_CACHE_TLS": "true"}
            return Provision(environment=environment, secrets={"NOTTERMOST_CACHE_LOGIN": at.cache_secret_arn})
        case Need.DATABASE:
            return _database(at)
        case Need.FILES:
            return _bucket(at, "NOTTERMOST_FILES_BUCKET", at.files_bucket)
        case Need.IDENTITY:
            environment = {"NOTTERMOST_OIDC_ISSUER": at.issuer_url, "NOTTERMOST_OIDC_CLIENT": at.client_id}
            return Provision(environment=environment, secrets={"NOTTERMOST_SIGNING_KEYS": at.signing_secret_arn})
        case Need.LOG_READ | Need.LOG_WRITE:
            return _log(at, consumers, write=need is Need.LOG_WRITE)
        case Need.PSEUDONYMS:
            return Provision(secrets={"NOTTERMOST_PSEUDONYM_KEY": _made(at.pseudonym_secret_arn)})
        case Need.PUSH_KEYS:
            return Provision(secrets=_push_keys(at))
        case Need.PUSH | Need.REDRIVE | Need.REPLAY | Need.WEBHOOKS:
            return _jobs(need, at, consumers)
        case Need.SEARCH_READ | Need.SEARCH_WRITE:
            return _search(at, write=need is Need.SEARCH_WRITE)
        case Need.TABLES_READ | Need.TABLES_SWEEP | Need.TABLES_WRITE:
            return _tables(at, need)
        case _:
            assert_never(need)


def _bucket(at: Backends, variable: str, bucket: pulumi.Input[str]) -> Provision:
    """Objects of a bucket, to read and to write, and to find out which there are."""
    objects = pulumi.Output.concat("arn:aws:s3:::", bucket, "/*")
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    write = Statement(actions=actions, resources=[objects])
    return Provision(environment={variable: bucket}, allows=[write, _list(bucket), _use_key(at, at.data_key_arn, "s3")])


def _database(at: Backends) -> Provision:
    """PostgreSQL, through its proxy where it has one, with a token of IAM instead of a password."""
    here = f"arn:aws:rds-db:{at.region}:{at.account_id}:dbuser:"
    user = pulumi.Output.concat(here, at.database_resource_id, f"/{DATABASE_USER}")
    environment = {
        "NOTTERMOST_DATABASE_HOST": at.database_host,
        "NOTTERMOST_DATABASE_NAME": at.database_name,
        "NOTTERMOST_DATABASE_USER": DATABASE_USER,
        "NOTTERMOST_DATABASE_IAM": "true",
    }
    return Provision(environment=environment, allows=[Statement(actions=["rds-db:connect"], resources=[user])])


def _search(at: Backends, *, write: bool) -> Provision:
    verbs = ["Get", "Head", "Post"] + (["Delete", "Put"] if write else [])
    paths = pulumi.Output.concat(at.search_domain_arn, "/*")
    environment = {"NOTTERMOST_SEARCH_HOST": pulumi.Output.concat("https://", at.search_endpoint)}
    allows = [Statement(actions=[f"es:ESHttp{verb}" for verb in verbs], resources=[paths])]
    return Provision(environment=environment, allows=allows)


def _tables(at: Backends, need: Literal[Need.TABLES_READ, Need.TABLES_SWEEP, Need.TABLES_WRITE]) -> Provision:
    known = pulumi.Output.from_input(at.table_arns)
    arns = [known[place] for place in range(len(TABLES))]
    if need is Need.TABLES_SWEEP:
        return Provision(allows=[Statement(actions=["dynamodb:Scan"], resources=[arns[TABLES.index(TEXTS)]])])
    actions = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]
    if need is Need.TABLES_WRITE:
        actions += [
            "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ]  # fmt: skip
    environment: dict[str, pulumi.Input[str]] = {
        f"NOTTERMOST_TABLE_{table.name.upper()}": arn.apply(lambda arn: arn.rpartition("/")[2])
        for table, arn in zip(TABLES, arns, strict=True)
    }
    environment["NOTTERMOST_STORE"] = "dynamodb"
    key = _use_key(at, at.data_key_arn, "dynamodb")
    return Provision(environment=environment, allows=[Statement(actions=actions, resources=arns), key])


def _log(at: Backends, consumers: Sequence[str], *, write: bool) -> Provision:
    """The log's topic to write, or to read as groups of consumers that can set records aside."""
    dead = ENTRIES.dead_letters
    written = [_topic(at, ENTRIES.name)] if write else [_topic(at, dead)] if dead else []
    connect = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
    allows = [
        Statement(actions=connect, resources=[at.broker_cluster_arn]),
        Statement(actions=["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], resources=written),
    ]
    environment: dict[str, pulumi.Input[str]] = {"NOTTERMOST_BROKERS": at.brokers, "NOTTERMOST_BROKERS_IAM": "true"}
    if not write:
        allows += [_read_topic(at, ENTRIES.name), _move(at, consumers)]
    return Provision(environment=environment, allows=allows)


def _redrive(at: Backends, consumers: Sequence[str]) -> list[Statement]:
    """The log's dead letters, and the groups whose positions tell which of them were handed over again."""
    dead = [_read_topic(at, ENTRIES.dead_letters)] if ENTRIES.dead_letters else []
    return [*dead, _move(at, [f"{consumer}-redrive" for consumer in consumers])]


def _topic(at: Backends, name: str) -> pulumi.Output[str]:
    cluster = pulumi.Output.from_input(at.broker_cluster_arn)
    return cluster.apply(lambda arn: f"{arn.replace(':cluster/', ':topic/', 1)}/{name}")


def _read_topic(at: Backends, name: str) -> Statement:
    return Statement(
        actions=["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"], resources=[_topic(at, name)]
    )  # fmt: skip


def _move(at: Backends, groups: Sequence[str]) -> Statement:
    """To join groups of consumers, and to write down how far they are."""
    here = pulumi.Output.from_input(at.broker_cluster_arn).apply(lambda arn: arn.replace(":cluster/", ":group/", 1))
    arns = [pulumi.Output.concat(here, "/", group) for group in groups]
    return Statement(actions=["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"], resources=arns)


def _jobs(
    need: Literal[Need.PUSH, Need.REDRIVE, Need.REPLAY, Need.WEBHOOKS], at: Backends, consumers: Sequence[str]
) -> Provision:
    """What is done with queues, and the keys that it takes."""
    match need:
        case Need.PUSH:
            more = Provision(environment={"NOTTERMOST_PUSH_CONTACT": at.push_contact}, secrets=_push_keys(at))
            return _work(at, at.push_queue_arn, at.push_dead_arn) | more
        case Need.REDRIVE:
            queues, dead = [at.push_queue_arn, at.webhook_queue_arn], [at.push_dead_arn, at.webhook_dead_arn]
            return _revive(at, queues, dead) | Provision(allows=_redrive(at, consumers))
        case Need.REPLAY:
            revive = _revive(at, [at.webhook_queue_arn], [at.webhook_dead_arn])
            return revive | Provision(secrets=_webhook_key(at))
        case Need.WEBHOOKS:
            return _work(at, at.webhook_queue_arn, at.webhook_dead_arn) | Provision(secrets=_webhook_key(at))


def _queues(at: Backends) -> Provision:
    """Where both queues are: whoever knows one wants to know the other."""
    environment = {"NOTTERMOST_PUSH_QUEUE": at.push_queue_url, "NOTTERMOST_WEBHOOK_QUEUE": at.webhook_queue_url}
    return Provision(environment=environment)


def _work(at: Backends, queue_arn: pulumi.Input[str], dead_arn: pulumi.Input[str]) -> Provision:
    """A worker of a queue. It also fills it, from the log; a retry is a new message, and so is a dead letter."""
    take = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
    allows = [
        Statement(actions=take, resources=[queue_arn]),
        Statement(actions=["sqs:SendMessage"], resources=[dead_arn]),
        _use_key(at, at.queue_key_arn, "sqs"),
    ]
    return _queues(at) | Provision(allows=allows)


def _revive(at: Backends, queue_arns: Sequence[pulumi.Input[str]], dead_arns: Sequence[pulumi.Input[str]]) -> Provision:
    """Jobs into queues, and back into them from their dead letters, which the queues' attributes name."""
    look = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
    allows = [
        Statement(actions=["sqs:GetQueueAttributes", "sqs:SendMessage"], resources=queue_arns),
        Statement(actions=look, resources=dead_arns),
        _use_key(at, at.queue_key_arn, "sqs"),
    ]
    return _queues(at) | Provision(allows=allows)


def _push_keys(at: Backends) -> dict[str, pulumi.Input[str]]:
    """Of browsers always, of phones those that there is an account of: ECS starts nothing with a secret that is empty."""
    phones = {
        Phone.FCM: ("NOTTERMOST_FCM_ACCOUNT", at.fcm_secret_arn),
        Phone.APNS: ("NOTTERMOST_APNS_KEY", at.apns_secret_arn),
    }
    return {"NOTTERMOST_VAPID_KEY": _made(at.vapid_secret_arn), **dict(phones[each] for each in at.phones)}


def _webhook_key(at: Backends) -> dict[str, pulumi.Input[str]]:
    return {"NOTTERMOST_WEBHOOK_KEY": _made(at.webhook_secret_arn)}


def _made(secret_arn: pulumi.Input[str]) -> pulumi.Output[str]:
    """The key in a secret that `functions/rotate.py` made."""
    return pulumi.Output.concat(secret_arn, ":key::")


def _list(bucket: pulumi.Input[str]) -> Statement:
    """Else an object that is not there reads as forbidden."""
    return Statement(actions=["s3:ListBucket"], resources=[pulumi.Output.concat("arn:aws:s3:::", bucket)])


def _use_key(at: Backends, key_arn: pulumi.Input[str], *services: str) -> Statement:
    """The key of what is stored, but only by way of the service that stores it."""
    via = [f"{service}.{at.region}.amazonaws.com" for service in services]
    return Statement(
        actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": via}},
    )  # fmt: skip
