"""What tells how much is spent: budgets, unusual spending, tags on the bill, and the bill itself as FOCUS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.bcmdata.export import Export
from pulumi_aws.budgets.budget import Budget
from pulumi_aws.costexplorer.anomaly_monitor import AnomalyMonitor
from pulumi_aws.costexplorer.anomaly_subscription import AnomalySubscription
from pulumi_aws.costexplorer.cost_allocation_tag import CostAllocationTag

from nottermost_platform.components.storage import Bucket, BucketArgs, bucket_arn
from nottermost_platform.naming import PRIMARY, REQUIRED_TAGS
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component, Stack

WARN_AT_PERCENT: Final = (50, 80, 100)
FOCUS_TABLE: Final = "FOCUS_1_0_AWS"
# Every column of that table (AWS, Data Exports table dictionary, read 2026-11-21); `*` is no valid query there.
FOCUS_COLUMNS: Final = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory",
    "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
    "x_CostCategories", "x_Discounts", "x_Operation", "x_ServiceCode", "x_UsageType",
)  # fmt: skip

FOCUS_QUERY: Final = f"SELECT {', '.join(FOCUS_COLUMNS)} FROM {FOCUS_TABLE}"  # noqa: S608 - of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingArgs:
    """How much may be spent, and who is told.

    Attributes:
        usd_per_month: of the whole account.
        anomaly_usd: unusual spending is told of from this impact on.
        emails, topic_arn: whom to tell, and the topic for the same.
        tags_on_bill: whether to make the required tags columns of the bill. AWS allows it for the account that pays,
            and for tags that it has seen in use for a day: off in a member account and on a new account's first day.
        monitor_arn: a monitor of services that is there already; AWS makes one in new accounts and allows no second.
    """

    usd_per_month: int
    anomaly_usd: int
    emails: Sequence[str]
    topic_arn: pulumi.Input[str]
    tags_on_bill: bool = True
    monitor_arn: str = ""


class Spending(Component):
    """A monthly budget that warns at 50, 80 and 100 % (spent and foreseen), and a watch for unusual spending."""

    KIND = "billing:Spending"

    def __init__(self, stack: Stack[Any], name: str, args: SpendingArgs) -> None:
        super().__init__(stack, name)
        self.add(
            Budget, "", budget_type="COST", time_unit="MONTHLY", limit_amount=str(args.usd_per_month), limit_unit="USD",
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN", notification_type=kind, threshold=percent,
                    threshold_type="PERCENTAGE", subscriber_email_addresses=args.emails,
                    subscriber_sns_topic_arns=[args.topic_arn],
                )
                for kind in ("ACTUAL", "FORECASTED")
                for percent in WARN_AT_PERCENT
            ],
        )  # fmt: skip
        monitors: list[pulumi.Input[str]] = [args.monitor_arn]
        if not args.monitor_arn:
            monitor = self.add(AnomalyMonitor, "anomalies", monitor_type="DIMENSIONAL", monitor_dimension="SERVICE")
            monitors = [monitor.arn]
        self.add(
            AnomalySubscription, "anomalies", frequency="IMMEDIATE", monitor_arn_lists=monitors,
            subscribers=[aws.costexplorer.AnomalySubscriptionSubscriberArgs(type="SNS", address=args.topic_arn)],
            threshold_expression=aws.costexplorer.AnomalySubscriptionThresholdExpressionArgs(
                dimension=aws.costexplorer.AnomalySubscriptionThresholdExpressionDimensionArgs(
                    key="ANOMALY_TOTAL_IMPACT_ABSOLUTE", match_options=["GREATER_THAN_OR_EQUAL"],
                    values=[str(args.anomaly_usd)],
                )
            ),
        )  # fmt: skip
        for tag in REQUIRED_TAGS if args.tags_on_bill else ():
            self.add(CostAllocationTag, tag, tag_key=tag, status="Active")
        self.register_outputs({})


@dataclass(frozen=True, slots=True, kw_only=True)
class BillExportArgs:
    """An export of the bill.

    Attributes:
        key_arn: encrypts it, and needs to let Data Exports use it.
        logs_bucket: takes the access log of its bucket.
    """

    key_arn: pulumi.Input[str]
    logs_bucket: pulumi.Input[str]


class BillExport(Component):
    """The bill as FOCUS 1.0 in Parquet, brought up to date by AWS several times a day, for `nottermost cost actual`."""

    KIND = "billing:BillExport"

    def __init__(self, stack: Stack[Any], name: str, args: BillExportArgs) -> None:
        super().__init__(stack, name, data_class="confidential")
        account, arn = stack.settings.account_id, bucket_arn(stack, name)
        deliver = Statement(
            sid="DataExports", actions=["s3:GetBucketPolicy", "s3:PutObject"], resources=[arn, f"{arn}/*"],
            services=["bcm-data-exports.amazonaws.com", "billingreports.amazonaws.com"],
            conditions={
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {
                    "aws:SourceArn": [
                        f"arn:aws:bcm-data-exports:{PRIMARY}:{account}:export/*",
                        f"arn:aws:cur:{PRIMARY}:{account}:definition/*",
                    ]
                },
            },
        )  # fmt: skip
        self.bucket = Bucket(
            stack, name, parent=self,
            args=BucketArgs(key_arn=args.key_arn, logs_bucket=args.logs_bucket, tiering=True, allows=[deliver]),
        )  # fmt: skip
        export = self.add(
            Export, "",
            export=aws.bcmdata.ExportExportArgs(
                name=f"{stack.place.env}-focus",
                description="Cost and usage as FOCUS 1.0",
                data_queries=[
                    aws.bcmdata.ExportExportDataQueryArgs(
                        query_statement=FOCUS_QUERY,
                        table_configurations={FOCUS_TABLE: {}},
                    )
                ],
                destination_configurations=[
                    aws.bcmdata.ExportExportDestinationConfigurationArgs(
                        s3_destinations=[
                            aws.bcmdata.ExportExportDestinationConfigurationS3DestinationArgs(
                                s3_bucket=self.bucket.name, s3_prefix="focus", s3_region=stack.place.region,
                                s3_output_configurations=[
                                    aws.bcmdata.ExportExportDestinationConfigurationS3DestinationS3OutputConfigurationArgs(
                                        compression="PARQUET", format="PARQUET", output_type="CUSTOM",
                                        overwrite="OVERWRITE_REPORT",
                                    )
                                ],
                            )
                        ]
                    )
                ],
                refresh_cadences=[aws.bcmdata.ExportExportRefreshCadenceArgs(frequency="SYNCHRONOUS")],
            ),
            opts=pulumi.ResourceOptions(depends_on=[self.bucket]),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = export.arn
        self.register_outputs({"arn": self.arn})
