"""Where containers run, where their images are, and how they find each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.ecr.lifecycle_policy import LifecyclePolicy
from pulumi_aws.ecr.replication_configuration import ReplicationConfiguration
from pulumi_aws.ecr.repository import Repository
from pulumi_aws.ecs.cluster import Cluster as EcsCluster
from pulumi_aws.ecs.cluster_capacity_providers import ClusterCapacityProviders
from pulumi_aws.servicediscovery.private_dns_namespace import PrivateDnsNamespace

from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs, add_log_group
from nottermost_platform.policy import Statement, canonical_json
from nottermost_platform.program import Component, Stack

ON_DEMAND: Final = "FARGATE"
SPOT: Final = "FARGATE_SPOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterArgs:
    """An ECS cluster on Fargate.

    Attributes:
        shell_log_days, log_key_arn: how long it is kept what was typed into containers, and the key of that log.
        log_path: where that is.
        spot: whether tasks start on Spot where nothing else is said, else on demand.
    """

    shell_log_days: int
    log_key_arn: pulumi.Input[str]
    log_path: str
    spot: bool = False


class Cluster(Component):
    """A cluster that sees into its containers and logs every shell, with a key of its own."""

    KIND = "cluster:Cluster"

    def __init__(self, stack: Stack[Any], name: str, args: ClusterArgs, *, parent: Component | None = None) -> None:
        super().__init__(stack, name, parent=parent)
        self.key = EncryptionKey(
            stack, f"{name}-shell", EncryptionKeyArgs(description="Shells in containers"), parent=self
        )
        shells = add_log_group(
            self, "shells", days=args.shell_log_days, key_arn=args.log_key_arn, path=args.log_path,
            keep=stack.place.is_prod,
        )  # fmt: skip
        shell = aws.ecs.ClusterConfigurationExecuteCommandConfigurationArgs(
            kms_key_id=self.key.arn, logging="OVERRIDE",
            log_configuration=aws.ecs.ClusterConfigurationExecuteCommandConfigurationLogConfigurationArgs(
                cloud_watch_encryption_enabled=True, cloud_watch_log_group_name=shells.name
            ),
        )  # fmt: skip
        self.cluster = self.add(
            EcsCluster, "", settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="enhanced")],
            configuration=aws.ecs.ClusterConfigurationArgs(execute_command_configuration=shell),
        )  # fmt: skip
        usual = aws.ecs.ClusterCapacityProvidersDefaultCapacityProviderStrategyArgs(
            capacity_provider=SPOT if args.spot else ON_DEMAND, base=0 if args.spot else 1, weight=1
        )
        self.add(
            ClusterCapacityProviders, "capacity", cluster_name=self.cluster.name, capacity_providers=[ON_DEMAND, SPOT],
            default_capacity_provider_strategies=[usual],
        )  # fmt: skip
        self.arn: pulumi.Output[str] = self.cluster.arn
        self.name: pulumi.Output[str] = self.cluster.name
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesArgs:
    """A private domain under which services find each other in a VPC."""

    vpc_id: pulumi.Input[str]
    domain: str


class Names(Component):
    """A namespace of Cloud Map."""

    KIND = "cluster:Names"

    def __init__(self, stack: Stack[Any], name: str, args: NamesArgs) -> None:
        super().__init__(stack, name)
        self.namespace = self.add(
            PrivateDnsNamespace, "", name=args.domain, vpc=args.vpc_id, description="Services of the chat"
        )
        self.register_outputs({"arn": self.namespace.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesArgs:
    """Repositories of images.

    Attributes:
        names: one repository each, under `nottermost/<env>/`.
        kept: how many tagged images stay; untagged ones go after a day.
        replicate_to: regions that get a copy of every image pushed here. A registry has one such list: only where
            the account holds one environment.
    """

    names: Sequence[str]
    kept: int
    replicate_to: Sequence[str] = ()


class Images(Component):
    """Repositories whose tags never move, scanned on push.

    They are called the same in every region: a copy lands in the repository of its name.
    """

    KIND = "cluster:Images"

    def __init__(self, stack: Stack[Any], name: str, args: ImagesArgs) -> None:
        super().__init__(stack, name)
        env, prod = stack.place.env, stack.place.is_prod
        prefix = f"nottermost/{env}/"
        self.key = EncryptionKey(stack, name, EncryptionKeyArgs(description="Images of containers"), parent=self)
        encryption = aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=self.key.arn)
        self.repositories: dict[str, Repository] = {}
        for image in args.names:
            self.repositories[image] = self.add(
                Repository, image, name=f"{prefix}{image}", image_tag_mutability="IMMUTABLE",
                image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
                encryption_configurations=[encryption], force_delete=not prod,
                opts=pulumi.ResourceOptions(protect=True) if prod else None,
            )  # fmt: skip
            self.add(LifecyclePolicy, image, repository=self.repositories[image].name, policy=_keep(args.kept))
        if args.replicate_to:
            self._replicate(prefix, args.replicate_to)
        self.register_outputs({})

    def _replicate(self, prefix: str, regions: Sequence[str]) -> None:
        rule = aws.ecr.ReplicationConfigurationReplicationConfigurationRuleArgs(
            destinations=[
                aws.ecr.ReplicationConfigurationReplicationConfigurationRuleDestinationArgs(
                    region=region, registry_id=self.stack.settings.account_id
                )
                for region in regions
            ],
            repository_filters=[
                aws.ecr.ReplicationConfigurationReplicationConfigurationRuleRepositoryFilterArgs(
                    filter=prefix, filter_type="PREFIX_MATCH"
                )
            ],
        )
        copies = aws.ecr.ReplicationConfigurationReplicationConfigurationArgs(rules=[rule])
        self.add(ReplicationConfiguration, "copies", replication_configuration=copies)


def pull_images(*repositories: pulumi.Input[str], push: bool = False) -> list[Statement]:
    """Lets images be fetched, and with `push` brought."""
    bring = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
    fetch = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        Statement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),  # to the whole registry; it opens no image
        Statement(actions=[*fetch, *(bring if push else [])], resources=repositories),
    ]


def write_log(stack: Stack[Any], path: str) -> Statement:
    """Lets streams of a log group be opened and written."""
    group = f"arn:aws:logs:{stack.place.region}:{stack.settings.account_id}:log-group:{path}"
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    return Statement(actions=actions, resources=[f"{group}:*"])


def _keep(count: int) -> str:
    """A lifecycle policy: untagged images for a day, of the others the newest."""
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1}
    tagged = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    rules = [
        {"rulePriority": place, "description": text, "selection": selection, "action": {"type": "expire"}}
        for place, (text, selection) in enumerate(
            [("untagged images for a day", untagged), (f"the newest {count}", tagged)], start=1
        )
    ]
    return canonical_json({"rules": rules})
