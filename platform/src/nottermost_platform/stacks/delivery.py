"""What builds, tests and deploys: roles of workflows, artifacts, Jenkins agents, a load fleet."""

from dataclasses import dataclass
from typing import Final, Literal

import pulumi
from pydantic import Field, ValidationInfo, field_validator

from nottermost_platform.components.cluster import pull_images
from nottermost_platform.components.delivery import Agents, AgentsArgs, LoadFleet, LoadFleetArgs
from nottermost_platform.components.pipeline import Pipeline, PipelineArgs
from nottermost_platform.components.security import EncryptionKey, EncryptionKeyArgs
from nottermost_platform.components.storage import Bucket, BucketArgs
from nottermost_platform.policy import Statement, use_key
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Layers, StackSettings
from nottermost_platform.stacks import account as account_stack
from nottermost_platform.stacks import cluster as cluster_stack
from nottermost_platform.stacks import network as network_stack

NAME: Final = "delivery"
EACH_REGION: Final = False
REQUIRES: Final = {
    "account": Requirement(
        outputs=(
            "oidc_provider_arn", "state_bucket", "state_key_arn", "trail_bucket", "audit_key_arn", "access_logs_bucket",
        )
    ),
    "network": Requirement(outputs=("vpc_id", "app_subnet_ids", "log_key_arn")),
    "cluster": Requirement(outputs=("repository_arn", "collector_arn")),
}  # fmt: skip
NO_IMAGE: Final = f"sha256:{'0' * 64}"  # until the first one was pushed


class Settings(StackSettings):
    """What may be chosen about delivery.

    Attributes:
        repository, ref: whose workflows may take roles here: owner/name, and one branch or tag in full.
        build_machines_max, deploy_machines_max: of Jenkins at once; deploying ones may change the platform.
        load_tasks_max: of the load fleet at once; 0: there is none.
        load_run_s_max: after which a load task ends by itself.
    """

    repository: str = Field(default="nottermost/nottermost", pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")
    ref: str = Field(default="refs/heads/main", pattern=r"^refs/(heads|tags)/[A-Za-z0-9_./-]+$")
    instance_types: tuple[str, ...] = Field(
        default=("m7g.large", "m6g.large", "c7g.xlarge", "c6g.xlarge"), min_length=1
    )
    build_machines_max: int = Field(default=2, ge=0, le=50)
    deploy_machines_max: int = Field(default=1, ge=0, le=5)
    artifact_days: int = Field(default=90, ge=7)
    load_tasks_max: int = Field(default=0, ge=0, le=500)
    load_run_s_max: int = Field(default=3600, ge=60, le=6 * 3600)
    load_image_digest: str = Field(default=NO_IMAGE, pattern=r"^sha256:[0-9a-f]{64}$")
    load_log_days: Literal[7, 14, 30, 90] = 14

    @field_validator("load_tasks_max")
    @classmethod
    def _spares_users(cls, value: int, info: ValidationInfo) -> int:
        if value and info.context and info.context["place"].is_prod:
            raise ValueError("production is not put under load, staging is: 0")
        return value


LAYERS: Final[Layers] = {
    "dev": {"load_tasks_max": 5},
    "staging": {"build_machines_max": 10, "load_tasks_max": 100},
    "prod": {"build_machines_max": 0, "deploy_machines_max": 2, "artifact_days": 400},
}
NAMES: Final = {"dev": ("dev", "pr")}  # temporary environments live in the account of dev


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of delivery. `load_cluster_arn` and `load_task_family` are empty where there is no fleet."""

    artifact_bucket: pulumi.Input[str]
    deploy_role_arn: pulumi.Input[str]
    preview_role_arn: pulumi.Input[str]
    load_cluster_arn: pulumi.Input[str]
    load_task_family: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, env = stack.settings, stack.place.env
    account = stack.require(account_stack.Outputs, "account")
    network, cluster = stack.require(network_stack.Outputs, "network"), stack.require(cluster_stack.Outputs, "cluster")
    key = EncryptionKey(stack, "artifacts", EncryptionKeyArgs(description="What was built and measured"))
    artifacts = Bucket(
        stack, "artifacts",
        BucketArgs(
            key_arn=key.arn, logs_bucket=account.access_logs_bucket, expire_days=settings.artifact_days, tiering=True
        ),
    )  # fmt: skip
    use_artifacts = [
        Statement(actions=["s3:ListBucket"], resources=[artifacts.arn]),
        Statement(actions=["s3:GetObject", "s3:PutObject"], resources=[pulumi.Output.concat(artifacts.arn, "/*")]),
        use_key("s3", stack.place.region, key.arn),
    ]
    fleet = None
    if settings.load_tasks_max:
        fleet = LoadFleet(
            stack, "load",
            LoadFleetArgs(
                vpc_id=network.vpc_id, target=f"https://{settings.domain}", image_digest=settings.load_image_digest,
                tasks_max=settings.load_tasks_max, run_s_max=settings.load_run_s_max, log_days=settings.load_log_days,
                log_key_arn=network.log_key_arn, results_arn=artifacts.arn, results_key_arn=key.arn,
            ),
        )  # fmt: skip
    images = [cluster.repository_arn, cluster.collector_arn, *(fleet.repositories if fleet else [])]
    jobs = {"artifacts": use_artifacts, "images": pull_images(*images, push=True)} | (
        {"load": fleet.run()} if fleet else {}
    )
    pools = {
        "build": (settings.build_machines_max, True, jobs),
        "deploy": (settings.deploy_machines_max, False, {"artifacts": use_artifacts}),
    }
    agents = {
        name: Agents(
            stack, f"agents-{name}",
            AgentsArgs(
                vpc_id=network.vpc_id, subnet_ids=network.app_subnet_ids, instance_types=settings.instance_types,
                machines_max=machines_max, spot=spot, allows=allows,
            ),
        )
        for name, (machines_max, spot, allows) in pools.items()
        if machines_max
    }  # fmt: skip
    pipeline = Pipeline(
        stack, "pipeline",
        PipelineArgs(
            envs=NAMES.get(env, (env,)), oidc_provider_arn=account.oidc_provider_arn, repository=settings.repository,
            ref=settings.ref, deployers=[agents["deploy"].role.arn] if "deploy" in agents else [],
            state_bucket=account.state_bucket, state_key_arn=account.state_key_arn,
            kept_buckets=[account.state_bucket, account.trail_bucket],
            kept_keys=[account.state_key_arn, account.audit_key_arn], artifacts_arn=artifacts.arn,
            artifacts_key_arn=key.arn,
        ),
    )  # fmt: skip
    return Outputs(
        artifact_bucket=artifacts.name,
        deploy_role_arn=pipeline.deploy.arn,
        preview_role_arn=pipeline.preview.arn,
        load_cluster_arn=fleet.cluster.arn if fleet else "",
        load_task_family=fleet.task.family if fleet else "",
    )
