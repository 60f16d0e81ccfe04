"""OpenSearch for the index of messages: in the VPC, encrypted, every call logged."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.cloudwatch.log_resource_policy import LogResourcePolicy
from pulumi_aws.opensearch.domain import Domain

from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs, add_log_group
from nottermost_platform.components.sizes import Ground, SearchSize
from nottermost_platform.policy import Statement, make_policy
from nottermost_platform.program import Component, Stack

VERSION: Final = "OpenSearch_2.19"
VERBS: Final = ("Delete", "Get", "Head", "Patch", "Post", "Put")
TLS_POLICY: Final = "Policy-Min-TLS-1-2-PFS-2023-10"
LOGS: Final = {
    "application": "ES_APPLICATION_LOGS", "audit": "AUDIT_LOGS", "search-slow": "SEARCH_SLOW_LOGS",
    "index-slow": "INDEX_SLOW_LOGS",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchArgs:
    """A domain; it uses as many of the subnets as it has zones.

    Attributes:
        admin_arn: the role that may take the administrator's.
    """

    ground: Ground
    size: SearchSize
    group_id: pulumi.Input[str]
    admin_arn: str


class Search(Component):
    """A domain that only signed calls of this account reach, its administrator a role that Ansible takes."""

    KIND = "data:Search"

    def __init__(self, stack: Stack[Any], name: str, args: SearchArgs) -> None:
        super().__init__(stack, name, data_class="confidential", protect=stack.place.is_prod or None)
        self.args, size = args, args.size
        account, region = stack.settings.account_id, stack.place.region
        self.name = self.physical_name(Domain, name)
        here = f"arn:aws:es:{region}:{account}:domain/{self.name}"
        admin = self._admin(here)
        call = Statement(actions=["es:ESHttp*"], resources=[f"{here}/*"], principals=[f"arn:aws:iam::{account}:root"])
        zones = size.zones
        vpc = aws.opensearch.DomainVpcOptionsArgs(
            subnet_ids=pulumi.Output.from_input(args.ground.subnet_ids).apply(lambda ids: ids[:zones]),
            security_group_ids=[args.group_id],
        )
        logs, written = self._logs(here)
        burstable = size.node_type.startswith("t")
        self.domain = self.add(
            Domain, "", engine_version=VERSION, cluster_config=self._cluster(), vpc_options=vpc,
            ebs_options=aws.opensearch.DomainEbsOptionsArgs(
                ebs_enabled=True, volume_type="gp3", volume_size=size.storage_gib
            ),
            encrypt_at_rest=aws.opensearch.DomainEncryptAtRestArgs(enabled=True, kms_key_id=args.ground.key_arn),
            node_to_node_encryption=aws.opensearch.DomainNodeToNodeEncryptionArgs(enabled=True),
            domain_endpoint_options=aws.opensearch.DomainDomainEndpointOptionsArgs(
                enforce_https=True, tls_security_policy=TLS_POLICY
            ),
            advanced_security_options=aws.opensearch.DomainAdvancedSecurityOptionsArgs(
                enabled=True, anonymous_auth_enabled=False, internal_user_database_enabled=False,
                master_user_options=aws.opensearch.DomainAdvancedSecurityOptionsMasterUserOptionsArgs(
                    master_user_arn=admin.arn
                ),
            ),
            access_policies=make_policy(call), log_publishing_options=logs,
            auto_tune_options=None if burstable else aws.opensearch.DomainAutoTuneOptionsArgs(
                desired_state="ENABLED", rollback_on_disable="NO_ROLLBACK"
            ),
            off_peak_window_options=aws.opensearch.DomainOffPeakWindowOptionsArgs(enabled=True),
            software_update_options=aws.opensearch.DomainSoftwareUpdateOptionsArgs(auto_software_update_enabled=True),
            opts=pulumi.ResourceOptions(depends_on=[written]),
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.domain.arn
        self.endpoint: pulumi.Output[str] = self.domain.endpoint
        self.admin_role_arn: pulumi.Output[str] = admin.arn
        self.register_outputs({"arn": self.arn})

    def _cluster(self) -> aws.opensearch.DomainClusterConfigArgs:
        size = self.args.size
        spread = size.zones > 1
        return aws.opensearch.DomainClusterConfigArgs(
            instance_type=size.node_type, instance_count=size.nodes, zone_awareness_enabled=spread,
            zone_awareness_config=aws.opensearch.DomainClusterConfigZoneAwarenessConfigArgs(
                availability_zone_count=size.zones
            ) if spread else None,
            dedicated_master_enabled=size.masters > 0, dedicated_master_count=size.masters or None,
            dedicated_master_type=size.master_type if size.masters else None, multi_az_with_standby_enabled=False,
        )  # fmt: skip

    def _logs(self, domain_arn: str) -> tuple[list[aws.opensearch.DomainLogPublishingOptionArgs], LogResourcePolicy]:
        """A log group a kind, and the leave for OpenSearch to write into them."""
        ground, account, region = self.args.ground, self.stack.settings.account_id, self.stack.place.region
        root = f"/aws/opensearch/{self.name}"
        options = []
        for name, kind in LOGS.items():
            group = add_log_group(
                self, f"log-{name}", days=ground.log_days, key_arn=ground.log_key_arn, path=f"{root}/{name}"
            )  # fmt: skip
            options.append(
                aws.opensearch.DomainLogPublishingOptionArgs(
                    log_type=kind, cloudwatch_log_group_arn=group.arn, enabled=True
                )
            )
        write = Statement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"],
            resources=[f"arn:aws:logs:{region}:{account}:log-group:{root}/*"], services=["es.amazonaws.com"],
            conditions={"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": domain_arn}},
        )  # fmt: skip
        return options, self.add(LogResourcePolicy, "logs", policy_document=make_policy(write))

    def _admin(self, domain_arn: str) -> ServiceRole:
        """Taken by the admin host, to put templates and roles into the index."""
        account = self.stack.settings.account_id
        take = Statement(
            actions=["sts:AssumeRole"], principals=[f"arn:aws:iam::{account}:root"],
            conditions={"ArnEquals": {"aws:PrincipalArn": self.args.admin_arn}},
        )  # fmt: skip
        call = Statement(actions=[f"es:ESHttp{verb}" for verb in VERBS], resources=[f"{domain_arn}/*"])
        return ServiceRole(
            self.stack, f"{self.logical_name}-admin", parent=self,
            args=ServiceRoleArgs(
                description="Administrator of the search domain", trusted=[take], allows={"calls": [call]}
            ),
        )  # fmt: skip
