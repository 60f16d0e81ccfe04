"""What a role of the chat needs of the platform, and what follows from it: environment, secrets, permissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

import pulumi

from nottermost_conventions.tables import TABLES
from nottermost_conventions.topics import ENTRIES
from nottermost_platform.policy import Statement

DATABASE_USER: Final = "chat"  # logs in with IAM; made by Ansible


class Need(StrEnum):
    """Something that a role cannot do without."""

    ARCHIVE = "archive"  # writes the archive
    CACHE = "cache"
    DATABASE = "database"
    FILES = "files"
    IDENTITY = "identity"  # signs and verifies tokens and links
    JOBS = "jobs"  # leaves work for the notifier and for webhooks
    LOG_READ = "log-read"
    LOG_WRITE = "log-write"
    PUSH = "push"  # takes notifications from their queue to the phones
    SEARCH_READ = "search-read"
    SEARCH_WRITE = "search-write"
    TABLES_READ = "tables-read"
    TABLES_WRITE = "tables-write"
    WEBHOOKS = "webhooks"  # takes webhooks from their queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Where everything is: outputs of the stacks before the chat's."""

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
    issuer_url: pulumi.Input[str]
    client_id: pulumi.Input[str]
    push_queue_url: pulumi.Input[str]
    push_queue_arn: pulumi.Input[str]
    webhook_queue_url: pulumi.Input[str]
    webhook_queue_arn: pulumi.Input[str]
    mobile_push_topic_arn: pulumi.Input[str]
    queue_key_arn: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What follows from needs.

    Attributes:
        environment: of the container, never a secret.
        secrets: environment variables that ECS fills, to ARNs in Secrets Manager.
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


def provide(need: Need, at: Backends, *, consumer: str) -> Provision:
    """What follows from one need. `consumer`: the group under which the log is read."""
    match need:
        case Need.ARCHIVE:
            objects = pulumi.Output.concat("arn:aws:s3:::", at.archive_bucket, "/*")
            actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
            write = Statement(actions=actions, resources=[objects])
            environment = {"NOTTERMOST_ARCHIVE_BUCKET": at.archive_bucket}
            allows = [write, _list(at.archive_bucket), _use_key(at, at.data_key_arn, "s3")]
            return Provision(environment=environment, allows=allows)
        case Need.CACHE:
            environment = {"NOTTERMOST_CACHE_HOST": at.cache_endpoint, "NOTTERMOST_CACHE_TLS": "true"}
            return Provision(environment=environment, secrets={"NOTTERMOST_CACHE_LOGIN": at.cache_secret_arn})
        case Need.DATABASE:
            return _database(at)
        case Need.FILES:
            objects = pulumi.Output.concat("arn:aws:s3:::", at.files_bucket, "/*")
            actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
            return Provision(
                environment={"NOTTERMOST_FILES_BUCKET": at.files_bucket},
                allows=[
                    Statement(actions=actions, resources=[objects]), _list(at.files_bucket),
                    _use_key(at, at.data_key_arn, "s3"),
                ],
            )  # fmt: skip
        case Need.IDENTITY:
            environment = {"NOTTERMOST_OIDC_ISSUER": at.issuer_url, "NOTTERMOST_OIDC_CLIENT": at.client_id}
            return Provision(environment=environment, secrets={"NOTTERMOST_SIGNING_KEYS": at.signing_secret_arn})
        case Need.JOBS:
            queues = [at.push_queue_arn, at.webhook_queue_arn]
            send = Statement(actions=["sqs:GetQueueAttributes", "sqs:SendMessage"], resources=queues)
            environment = {
                "NOTTERMOST_PUSH_QUEUE": at.push_queue_url,
                "NOTTERMOST_WEBHOOK_QUEUE": at.webhook_queue_url,
            }
            return Provision(environment=environment, allows=[send, _use_key(at, at.queue_key_arn, "sqs")])
        case Need.LOG_READ | Need.LOG_WRITE:
            return _log(at, consumer, write=need is Need.LOG_WRITE)
        case Need.PUSH:
            publish = Statement(actions=["sns:Publish"], resources=[at.mobile_push_topic_arn])
            environment = {
                "NOTTERMOST_PUSH_QUEUE": at.push_queue_url,
                "NOTTERMOST_PUSH_TOPIC": at.mobile_push_topic_arn,
            }
            allows = [_consume(at.push_queue_arn), publish, _use_key(at, at.queue_key_arn, "sqs", "sns")]
            return Provision(environment=environment, allows=allows)
        case Need.SEARCH_READ | Need.SEARCH_WRITE:
            verbs = ["Get", "Head", "Post"] + (["Delete", "Put"] if need is Need.SEARCH_WRITE else [])
            paths = pulumi.Output.concat(at.search_domain_arn, "/*")
            environment = {"NOTTERMOST_SEARCH_HOST": pulumi.Output.concat("https://", at.search_endpoint)}
            allows = [Statement(actions=[f"es:ESHttp{verb}" for verb in verbs], resources=[paths])]
            return Provision(environment=environment, allows=allows)
        case Need.TABLES_READ | Need.TABLES_WRITE:
            return _tables(at, write=need is Need.TABLES_WRITE)
        case Need.WEBHOOKS:
            environment = {"NOTTERMOST_WEBHOOK_QUEUE": at.webhook_queue_url}
            return Provision(
                environment=environment,
                allows=[_consume(at.webhook_queue_arn), _use_key(at, at.queue_key_arn, "sqs")],
            )
        case _:
            assert_never(need)


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


def _tables(at: Backends, *, write: bool) -> Provision:
    known = pulumi.Output.from_input(at.table_arns)
    arns = [known[place] for place in range(len(TABLES))]
    actions = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]
    if write:
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


def _log(at: Backends, consumer: str, *, write: bool) -> Provision:
    """The log's topic to write, or to read as a group of consumers that can set records aside."""
    named = pulumi.Output.from_input(at.broker_cluster_arn).apply

    def topic(name: str) -> pulumi.Output[str]:
        return named(lambda arn: f"{arn.replace(':cluster/', ':topic/', 1)}/{name}")

    dead = ENTRIES.dead_letters
    written = [topic(ENTRIES.name)] if write else [topic(dead)] if dead else []
    connect = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
    allows = [
        Statement(actions=connect, resources=[at.broker_cluster_arn]),
        Statement(actions=["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], resources=written),
    ]
    environment: dict[str, pulumi.Input[str]] = {"NOTTERMOST_BROKERS": at.brokers, "NOTTERMOST_BROKERS_IAM": "true"}
    if not write:
        here = named(lambda arn: arn.replace(":cluster/", ":group/", 1))
        groups = [pulumi.Output.concat(here, "/", consumer)]
        groups.append(pulumi.Output.concat(here, "/", consumer, "-redrive"))  # hands set-aside records over again
        read = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]
        readable = [topic(ENTRIES.name), *([topic(dead)] if dead else [])]
        allows += [
            Statement(actions=read, resources=readable),
            Statement(actions=["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"], resources=groups),
        ]
    return Provision(environment=environment, allows=allows)


def _list(bucket: pulumi.Input[str]) -> Statement:
    """Else an object that is not there reads as forbidden."""
    return Statement(actions=["s3:ListBucket"], resources=[pulumi.Output.concat("arn:aws:s3:::", bucket)])


def _consume(queue_arn: pulumi.Input[str]) -> Statement:
    actions = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    return Statement(actions=actions, resources=[queue_arn])


def _use_key(at: Backends, key_arn: pulumi.Input[str], *services: str) -> Statement:
    """The key of what is stored, but only by way of the service that stores it."""
    via = [f"{service}.{at.region}.amazonaws.com" for service in services]
    return Statement(
        actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key_arn],
        conditions={"StringEquals": {"kms:ViaService": via}},
    )  # fmt: skip
