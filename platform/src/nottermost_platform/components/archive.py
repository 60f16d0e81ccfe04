"""The archive: entries of all conversations as Parquet for five years, and how they are asked (Glue, Athena)."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.athena.workgroup import Workgroup
from pulumi_aws.glue.catalog_database import CatalogDatabase
from pulumi_aws.glue.catalog_table import CatalogTable

from nottermost_platform.components.storage import Bucket, BucketArgs
from nottermost_platform.program import Component, Stack

KEEP_DAYS: Final = 5 * 365 + 1  # five years (document D)
RESULT_DAYS: Final = 7
FIRST_DAY: Final = "2026-01-01"
HIVE: Final = "org.apache.hadoop.hive.ql.io.parquet"
# An entry of the chat's log with the text that it has now; erased text is rewritten as null.
COLUMNS: Final = {
    "conversation_id": "string", "epoch": "bigint", "seq": "bigint", "kind": "string", "actor_id": "string",
    "message_id": "string", "target_seq": "bigint", "created_at": "bigint", "members_seq": "bigint",
    "messages": "bigint", "channel_mentions": "bigint", "op_id": "string", "detail": "string", "text": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveArgs:
    """An archive.

    Attributes:
        lock_days: how long nothing in it can be deleted; no longer than erased text may stay.
        query_gib_max: what one query may read.
        backed_up: AWS Backup takes it.
    """

    key_arn: pulumi.Input[str]
    logs_bucket: pulumi.Input[str]
    lock_days: int
    query_gib_max: int
    backed_up: bool = False


class Archive(Component):
    """A bucket by day, its table in the catalog, and a workgroup whose results are encrypted and bounded."""

    KIND = "data:Archive"

    def __init__(self, stack: Stack[Any], name: str, args: ArchiveArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent, data_class="confidential")
        self.bucket = Bucket(
            stack, name, parent=self,
            args=BucketArgs(
                key_arn=args.key_arn, logs_bucket=args.logs_bucket, expire_days=KEEP_DAYS, tiering=True,
                lock_days=args.lock_days, backed_up=args.backed_up,
            ),
        )  # fmt: skip
        results = Bucket(
            stack, f"{name}-results", parent=self,
            args=BucketArgs(
                key_arn=args.key_arn, logs_bucket=args.logs_bucket, expire_days=RESULT_DAYS, purge_days=RESULT_DAYS
            ),
        )  # fmt: skip
        database = self.add(CatalogDatabase, "", description="Archive of conversations")
        self._table(database)
        encryption = aws.athena.WorkgroupConfigurationResultConfigurationEncryptionConfigurationArgs(
            encryption_option="SSE_KMS", kms_key_arn=args.key_arn
        )
        result = aws.athena.WorkgroupConfigurationResultConfigurationArgs(
            output_location=pulumi.Output.concat("s3://", results.name, "/"), encryption_configuration=encryption,
            expected_bucket_owner=stack.settings.account_id,
        )  # fmt: skip
        self.add(
            Workgroup, "", description="Questions to the archive", force_destroy=not stack.place.is_prod,
            configuration=aws.athena.WorkgroupConfigurationArgs(
                bytes_scanned_cutoff_per_query=args.query_gib_max * 1024**3, enforce_workgroup_configuration=True,
                publish_cloudwatch_metrics_enabled=True, result_configuration=result,
                engine_version=aws.athena.WorkgroupConfigurationEngineVersionArgs(selected_engine_version="AUTO"),
            ),
        )  # fmt: skip
        self.register_outputs({"bucket": self.bucket.name})

    def _table(self, database: CatalogDatabase) -> None:
        """Days are worked out from the table's own properties: no crawler, no partition to be added."""
        location = pulumi.Output.concat("s3://", self.bucket.name, "/entries/")
        columns = [
            aws.glue.CatalogTableStorageDescriptorColumnArgs(name=column, type=kind) for column, kind in COLUMNS.items()
        ]
        serde = aws.glue.CatalogTableStorageDescriptorSerDeInfoArgs(
            serialization_library=f"{HIVE}.serde.ParquetHiveSerDe", parameters={"serialization.format": "1"}
        )
        self.add(
            CatalogTable, "entries", name="entries", database_name=database.name, table_type="EXTERNAL_TABLE",
            description="Entries of all conversations, by day",
            parameters={
                "EXTERNAL": "TRUE", "classification": "parquet", "parquet.compression": "ZSTD",
                "projection.enabled": "true", "projection.day.type": "date", "projection.day.format": "yyyy-MM-dd",
                "projection.day.range": f"{FIRST_DAY},NOW",
                "storage.location.template": pulumi.Output.concat(location, "day=${day}/"),
            },
            partition_keys=[aws.glue.CatalogTablePartitionKeyArgs(name="day", type="string")],
            storage_descriptor=aws.glue.CatalogTableStorageDescriptorArgs(
                location=location, input_format=f"{HIVE}.MapredParquetInputFormat",
                output_format=f"{HIVE}.MapredParquetOutputFormat", columns=columns, ser_de_info=serde,
            ),
        )  # fmt: skip
