"""What may wait: queues of the workers, and topics for alarms, mobile push and uploads."""

from dataclasses import dataclass
from typing import Annotated, Final

import pulumi
from pydantic import Field

from nottermost_platform.components.database import DatabaseEvents, DatabaseEventsArgs
from nottermost_platform.components.queues import Queue, QueueArgs, Topic, TopicArgs, Uploads, UploadsArgs
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.sizes import in_production
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import EMAIL, Layers, StackSettings
from nottermost_platform.stacks import data as data_stack

NAME: Final = "async"
EACH_REGION: Final = True
REQUIRES: Final = {"data": Requirement(outputs=("database_identifiers", "files_bucket", "files_bucket_arn"))}
HANDLERS_S: Final = {"push": 10, "webhook": 20}  # the longest a worker takes over one message: its timeout outwards
REPORTERS: Final = ("cloudwatch", "events", "events.rds")  # services that raise alarms


class Settings(StackSettings):
    """What may be chosen about queues and topics. `alarm_emails`: who is told of alarms."""

    alarm_emails: Annotated[
        list[Annotated[str, Field(pattern=EMAIL)]], in_production(bool, "at least one address, as oncall@example.com")
    ] = Field(default=[], validate_default=True)


LAYERS: Final[Layers] = {}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take. `dead_letter_names`: of queues that want an alarm each."""

    key_arn: pulumi.Input[str]
    push_queue_url: pulumi.Input[str]
    push_queue_arn: pulumi.Input[str]
    push_dead_arn: pulumi.Input[str]
    webhook_queue_url: pulumi.Input[str]
    webhook_queue_arn: pulumi.Input[str]
    webhook_dead_arn: pulumi.Input[str]
    dead_letter_names: pulumi.Input[list[str]]
    alarms_topic_arn: pulumi.Input[str]
    mobile_push_topic_arn: pulumi.Input[str]
    uploads_topic_arn: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings = stack.settings
    data = stack.require(data_stack.Outputs, "data")
    reporters = [f"{service}.amazonaws.com" for service in REPORTERS]
    key = EncryptionKey(
        stack, "async",
        EncryptionKeyArgs(description="Queues and topics", services=[*reporters, "s3.amazonaws.com", "sns.amazonaws.com"]),
    )  # fmt: skip
    queues = {
        name: Queue(stack, name, QueueArgs(key_arn=key.arn, handler_s=seconds)) for name, seconds in HANDLERS_S.items()
    }
    alarms = Topic(
        stack, "alarms",
        TopicArgs(key_arn=key.arn, publishers=dict.fromkeys(reporters, ""), emails=settings.alarm_emails),
    )  # fmt: skip
    mobile = Topic(stack, "mobile-push", TopicArgs(key_arn=key.arn))
    uploads = Topic(
        stack, "uploads", TopicArgs(key_arn=key.arn, publishers={"s3.amazonaws.com": data.files_bucket_arn})
    )  # fmt: skip
    Uploads(stack, "files", UploadsArgs(bucket=data.files_bucket, topic=uploads))
    DatabaseEvents(
        stack, "database", DatabaseEventsArgs(identifiers=data.database_identifiers, topic=alarms)
    )  # fmt: skip
    return Outputs(
        key_arn=key.arn,
        push_queue_url=queues["push"].url, push_queue_arn=queues["push"].arn,
        push_dead_arn=queues["push"].dead_arn,
        webhook_queue_url=queues["webhook"].url, webhook_queue_arn=queues["webhook"].arn,
        webhook_dead_arn=queues["webhook"].dead_arn,
        dead_letter_names=pulumi.Output.all(*(queue.dead_name for queue in queues.values())),
        alarms_topic_arn=alarms.arn, mobile_push_topic_arn=mobile.arn, uploads_topic_arn=uploads.arn,
    )  # fmt: skip
