"""Where containers run and images are kept."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import pulumi
from pydantic import Field

from nottermost_platform.components.cluster import Cluster, ClusterArgs, Images, ImagesArgs, Names, NamesArgs
from nottermost_platform.components.sizes import in_production
from nottermost_platform.program import Requirement, Stack
from nottermost_platform.settings import Layers, StackSettings, regions_of
from nottermost_platform.stacks import network as network_stack

NAME: Final = "cluster"
EACH_REGION: Final = True
REQUIRES: Final = {"network": Requirement(outputs=("vpc_id", "log_key_arn"))}
IMAGES: Final = ("chat", "collector")  # the chat, and a copy of AWS's OpenTelemetry collector
YEAR: Final = 365


class Settings(StackSettings):
    """What may be chosen about the cluster. `images_kept`: of each repository; what runs must be among them."""

    images_kept: int = Field(default=50, ge=5)
    shell_log_days: Annotated[
        Literal[7, 14, 30, 90, 365, 400, 731],
        in_production(lambda days: days >= YEAR, "what was typed into containers stays a year: 365, 400 or 731"),
    ] = Field(default=30, validate_default=True)


LAYERS: Final[Layers] = {
    "pr": {"images_kept": 5, "shell_log_days": 7},
    "prod": {"images_kept": 200, "shell_log_days": YEAR},
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What others take of the cluster. `repository_*`: of the chat's image, `collector_*`: of the collector's."""

    cluster_arn: pulumi.Input[str]
    cluster_name: pulumi.Input[str]
    namespace_id: pulumi.Input[str]
    namespace_arn: pulumi.Input[str]
    namespace_name: pulumi.Input[str]
    repository_url: pulumi.Input[str]
    repository_arn: pulumi.Input[str]
    collector_url: pulumi.Input[str]
    collector_arn: pulumi.Input[str]


def build(stack: Stack[Settings]) -> Outputs:
    settings, place = stack.settings, stack.place
    network = stack.require(network_stack.Outputs, "network")
    cluster = Cluster(
        stack, "main",
        ClusterArgs(
            shell_log_days=settings.shell_log_days, log_key_arn=network.log_key_arn,
            log_path=f"/nottermost/{place.env}/shells",
        ),
    )  # fmt: skip
    names = Names(stack, "names", NamesArgs(vpc_id=network.vpc_id, domain=f"{place.env}.nottermost.internal")).namespace
    others = () if place.is_standby else regions_of(place.env)[1:]
    images = Images(stack, "images", ImagesArgs(names=IMAGES, kept=settings.images_kept, replicate_to=others))
    chat, collector = (images.repositories[each] for each in IMAGES)
    return Outputs(
        cluster_arn=cluster.arn, cluster_name=cluster.name, namespace_id=names.id, namespace_arn=names.arn,
        namespace_name=names.name, repository_url=chat.repository_url, repository_arn=chat.arn,
        collector_url=collector.repository_url, collector_arn=collector.arn,
    )  # fmt: skip
