"""What an account needs before anything else: the state of all stacks, workflows' identity, and safe defaults."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_aws.accessanalyzer.analyzer import Analyzer
from pulumi_aws.ebs.encryption_by_default import EncryptionByDefault
from pulumi_aws.ebs.snapshot_block_public_access import SnapshotBlockPublicAccess
from pulumi_aws.ec2.image_block_public_access import ImageBlockPublicAccess
from pulumi_aws.ec2.instance_metadata_defaults import InstanceMetadataDefaults
from pulumi_aws.iam.account_password_policy import AccountPasswordPolicy
from pulumi_aws.iam.open_id_connect_provider import OpenIdConnectProvider
from pulumi_aws.iam.service_linked_role import ServiceLinkedRole
from pulumi_aws.s3.account_public_access_block import AccountPublicAccessBlock

from nottermost_platform.program import Component, Stack

SEARCH: Final = "opensearchservice.amazonaws.com"
GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
PASSWORD_LENGTH: Final = 14  # CIS AWS Foundations 1.8
PASSWORDS_REMEMBERED: Final = 24  # CIS 1.9


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultsArgs:
    """Safe defaults of an account. `regions`: where anything runs; some defaults are of a region."""

    regions: Sequence[str]


class Defaults(Component):
    """Nothing public by accident, disks encrypted, metadata by session token only, outside access found and told."""

    KIND = "account:Defaults"

    def __init__(self, stack: Stack[Any], name: str, args: DefaultsArgs) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        self.add(
            AccountPublicAccessBlock, "buckets", account_id=stack.settings.account_id, block_public_acls=True,
            block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True,
        )  # fmt: skip
        self.add(
            AccountPasswordPolicy, "passwords", minimum_password_length=PASSWORD_LENGTH, require_lowercase_characters=True,
            require_uppercase_characters=True, require_numbers=True, require_symbols=True,
            password_reuse_prevention=PASSWORDS_REMEMBERED, allow_users_to_change_password=True,
        )  # fmt: skip
        for region in args.regions:
            self.add(EncryptionByDefault, f"disks-{region}", enabled=True, region=region)
            self.add(SnapshotBlockPublicAccess, f"snapshots-{region}", state="block-all-sharing", region=region)
            self.add(ImageBlockPublicAccess, f"images-{region}", state="block-new-sharing", region=region)
            self.add(
                InstanceMetadataDefaults, f"metadata-{region}", http_endpoint="enabled", http_tokens="required",
                http_put_response_hop_limit=1, region=region,
            )  # fmt: skip
            self.add(Analyzer, f"access-{region}", type="ACCOUNT", region=region)
        self.add(ServiceLinkedRole, "search", aws_service_name=SEARCH)  # a domain in a VPC is refused without it
        self.register_outputs({})


class WorkflowIdentity(Component):
    """GitHub as an identity provider, so that workflows take roles without a stored secret.

    No thumbprints: AWS checks this issuer's certificate with its own list of authorities.
    """

    KIND = "account:WorkflowIdentity"

    def __init__(self, stack: Stack[Any], name: str) -> None:
        super().__init__(stack, name, protect=stack.place.is_prod or None)
        provider = self.add(OpenIdConnectProvider, "", url=GITHUB_ISSUER, client_id_lists=["sts.amazonaws.com"])
        self.arn: pulumi.Output[str] = provider.arn
        self.register_outputs({"arn": self.arn})
