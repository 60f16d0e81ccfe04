"""What every client of Kafka here has in common: where the brokers are, how to log in, which topics there are."""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from nottermost_chat.errors import StartError, Unavailable
from nottermost_chat.settings import Settings
from nottermost_conventions.topics import TOPICS, Topic

ADMIN_S: Final = 5.0  # how long a question to the brokers may take
COMPLAIN_EVERY_S: Final = 30.0  # librdkafka repeats itself with every attempt to connect
TOKEN_S_MAX: Final = 900.0  # MSK's tokens live for a quarter of an hour

TokenSource = Callable[[], tuple[str, float]]  # a token, and when it ends: seconds since the epoch
Properties = dict[str, Any]  # as librdkafka takes them
T = TypeVar("T")
logger = structlog.get_logger(__name__)


class Brokers(msgspec.Struct, frozen=True):
    """Where the brokers are, and how to log in.

    Attributes:
        addresses: `host:port`, with commas between.
        token: for IAM; None: no TLS and no log-in, as on a laptop.
        topic_prefix: before every topic and group: several chats on one log.
        extra: properties of librdkafka that win over ours.
    """

    addresses: str
    token: TokenSource | None = None
    topic_prefix: str = ""
    extra: Mapping[str, str | int | bool] = {}

    def topic(self, topic: Topic) -> str:
        return self.topic_prefix + topic.name

    def group(self, group: str) -> str:
        """The name that brokers know a consumer group by."""
        return f"{self.topic_prefix}nottermost-{group}"

    def properties(self, **ours: object) -> Properties:
        """The configuration of a client; `ours` with underscores for dots."""
        common: Properties = {
            "bootstrap.servers": self.addresses,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,  # of 10 s by default: a broker that is back is used at once
            "socket.connection.setup.timeout.ms": 3000,
            "socket.keepalive.enable": True,
            "log_level": 2,  # what matters comes to `error_cb`
            "error_cb": Complaints().note,
        }
        if self.token is not None:
            source = self.token
            common |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "oauth_cb": lambda _: source(),  # called in a thread of the client's, also between polls
            }
        return common | {name.replace("_", "."): value for name, value in ours.items()} | dict(self.extra)


class Complaints:
    """Logs what a client complains about, each kind at most twice a minute."""

    def __init__(self) -> None:
        self._logged_at: dict[int, float] = {}

    def note(self, error: KafkaError) -> None:
        now = time.monotonic()
        if now - self._logged_at.get(error.code(), -COMPLAIN_EVERY_S) >= COMPLAIN_EVERY_S:
            self._logged_at[error.code()] = now
            logger.warning("log_client_failed", error=str(error))


def brokers_of(settings: Settings) -> Brokers:
    """Raises: StartError when the settings ask for IAM and there is no region."""
    token = None
    if settings.brokers_iam:
        import botocore.session  # takes a third of a second, which only this needs

        region = botocore.session.get_session().get_config_variable("region")
        if not region:
            raise StartError("the log wants a log-in with IAM and no region is set: set AWS_REGION")
        token = iam_tokens(region)
    return Brokers(settings.brokers, token, settings.topic_prefix)


def iam_tokens(region: str) -> TokenSource:
    """Tokens for MSK from the process's AWS credentials."""
    signer = importlib.import_module("aws_msk_iam_sasl_signer.MSKAuthTokenProvider")  # only where IAM is asked for

    def make() -> tuple[str, float]:
        token, expires_at_ms = signer.generate_auth_token(region)
        return str(token), min(expires_at_ms / 1000, time.time() + TOKEN_S_MAX)

    return make


async def create_topics(brokers: Brokers, *, replication: int, partitions: int | None = None) -> None:
    """Create the topics that are missing.

    Args:
        replication: copies of each record; with three of them two must confirm.
        partitions: instead of those in the table (tests).
    Raises: StartError when a topic has another number of partitions; Unavailable.
    """
    admin = AdminClient(brokers.properties())
    wanted = {brokers.topic(topic): new_topic(brokers, topic, replication, partitions) for topic in TOPICS}
    for name, future in admin.create_topics(list(wanted.values()), request_timeout=ADMIN_S).items():
        try:
            await answer(future)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Unavailable(f"topic {name} cannot be created: {error.args[0].str()}") from error
            found = len(await partitions_of(admin, name))
            if found != wanted[name].num_partitions:
                raise StartError(
                    f"topic {name} has {found} partitions, expected {wanted[name].num_partitions}: records would change "
                    "places; start with another topic prefix"
                ) from error


async def delete_topics(brokers: Brokers) -> None:
    """Remove the topics with all that they hold, and nothing when they are not there (tests). Raises: Unavailable."""
    admin = AdminClient(brokers.properties())
    for future in admin.delete_topics([brokers.topic(topic) for topic in TOPICS], request_timeout=ADMIN_S).values():
        try:
            await answer(future)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise Unavailable(f"the topics cannot be removed: {error.args[0].str()}") from error


def new_topic(brokers: Brokers, topic: Topic, replication: int, partitions: int | None = None) -> NewTopic:
    """A topic with all that it is to be; Ansible's role makes it of the same (ansible/generate.py)."""
    count = min(topic.partitions, partitions or topic.partitions)
    config = {
        "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
        "segment.ms": str(24 * 3600 * 1000),  # whole segments are removed: what is too old stays a day at most
        "cleanup.policy": "delete",
        "min.insync.replicas": str(max(1, replication - 1)),
        "unclean.leader.election.enable": "false",
    }
    return NewTopic(brokers.topic(topic), count, replication, config=config)


async def partitions_of(admin: AdminClient, topic: str) -> list[int]:
    """Raises: Unavailable when the brokers do not answer or have no such topic."""
    try:
        found = (await asyncio.to_thread(admin.list_topics, topic, timeout=ADMIN_S)).topics[topic]
    except KafkaException as error:
        raise Unavailable(f"the log does not answer: {error.args[0].str()}") from error
    if found.error is not None:
        raise Unavailable(f"the log has no topic {topic} ({found.error.str()}): run the set-up command")
    return sorted(found.partitions)


async def answer(future: "Future[T]") -> T:
    """What the brokers say to an administrative question. Raises: KafkaException, Unavailable."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), 2 * ADMIN_S)
    except TimeoutError as error:
        raise Unavailable("the log does not answer: try again in a moment") from error
