"""The buckets of a region: logs, files, the web page, the archive; in the standby also their copies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from nottermost_platform.components.archive import Archive, ArchiveArgs
from nottermost_platform.components.storage import (
    Bucket,
    BucketArgs,
    BucketCopies,
    BucketCopiesArgs,
    Copied,
    bucket_arn,
    log_delivery,
)
from nottermost_platform.program import Component, Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Buckets of another region that are copied here: name and ARN of `files`, `page` and `archive`."""

    region: str
    key_arn: pulumi.Input[str]
    buckets: Mapping[str, tuple[pulumi.Input[str], pulumi.Input[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketsArgs:
    """The buckets.

    Attributes:
        domain: of the chat, whose pages upload.
        log_days: how long logs of load balancers, distributions and buckets stay.
        lock_days, query_gib_max, backed_up: of the archive; AWS Backup takes it.
    """

    key_arn: pulumi.Input[str]
    domain: str
    log_days: int
    lock_days: int
    query_gib_max: int
    backed_up: bool
    source: Source | None = None


class Buckets(Component):
    """What is deleted or replaced in them is gone for good 30 days later; the edge writes who reads files and page."""

    KIND = "data:Buckets"

    def __init__(self, stack: Stack[Any], name: str, args: BucketsArgs) -> None:
        super().__init__(stack, name)
        key, account = args.key_arn, stack.settings.account_id
        allows = log_delivery(account, bucket_arn(stack, "logs"))
        self.logs = Bucket(
            stack, "logs", BucketArgs(expire_days=args.log_days, keep=True, allows=allows), parent=self
        )  # fmt: skip
        logs = self.logs.writable
        self.files = Bucket(
            stack, "files", parent=self, data_class="confidential",
            args=BucketArgs(
                key_arn=key, logs_bucket=logs, tiering=True, upload_origins=[f"https://{args.domain}"], policy_elsewhere=True
            ),
        )  # fmt: skip
        page = BucketArgs(key_arn=key, logs_bucket=logs, policy_elsewhere=True)
        self.page = Bucket(stack, "page", page, parent=self, data_class="public")
        self.archive = Archive(
            stack, "archive", parent=self,
            args=ArchiveArgs(
                key_arn=key, logs_bucket=logs, lock_days=args.lock_days, query_gib_max=args.query_gib_max,
                backed_up=args.backed_up,
            ),
        )  # fmt: skip
        if source := args.source:
            targets = {"files": self.files, "page": self.page, "archive": self.archive.bucket}
            copied = {
                each: Copied(source=source.buckets[each][0], source_arn=source.buckets[each][1], target=target)
                for each, target in targets.items()
            }
            copies = BucketCopiesArgs(
                buckets=copied, source_region=source.region, source_key_arn=source.key_arn, target_key_arn=key
            )
            BucketCopies(stack, "copies", copies, parent=self)
        self.register_outputs({})
