"""What builds and tests: machines that run Jenkins jobs, and a fleet that puts the chat under load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.ecs.task_definition import TaskDefinition
from pulumi_aws.vpc.security_group_egress_rule import SecurityGroupEgressRule
from pulumi_aws.vpc.security_group_ingress_rule import SecurityGroupIngressRule

from nottermost_platform.components.cluster import Cluster, ClusterArgs, Images, ImagesArgs, pull_images, write_log
from nottermost_platform.components.containers import SCRATCH, SCRATCH_MOUNT, STOP_S_MAX, USER, harden, list_pairs
from nottermost_platform.components.machines import OUT, WORN_BY_MACHINES, MachinesArgs, add_machines, managed_by_ssm
from nottermost_platform.components.security import (
    Firewall,
    FirewallArgs,
    ServiceRole,
    ServiceRoleArgs,
    add_log_group,
)
from nottermost_platform.policy import Statement, canonical_json, trust, use_key
from nottermost_platform.program import Component, Stack

DISK_GIB: Final = 60  # images of a few builds
LOAD_PORT: Final = 5557  # Locust's workers to their leader
LOAD_IMAGES_KEPT: Final = 20
LOAD_CPU: Final = 2048
LOAD_MEMORY_MIB: Final = 4096
USER_DATA: Final = """#cloud-config
packages: [docker, git, java-21-amazon-corretto-headless]
users:
  - default
  - {name: jenkins, groups: docker, homedir: /var/lib/jenkins, shell: /sbin/nologin}
runcmd:
  - [systemctl, enable, --now, docker]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsArgs:
    """A pool of machines that run Jenkins jobs.

    Attributes:
        instance_types: of Graviton, the preferred first; with Spot the more the safer.
        machines_max: at once; there are none while nothing is to be done.
        spot: whether they may be taken away, for jobs that can be run again.
        allows: what jobs may do, by the name of the policy.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    instance_types: Sequence[str]
    machines_max: int
    spot: bool
    allows: Mapping[str, Sequence[Statement]] = field(default_factory=dict)


class Agents(Component):
    """Agents without a controller of their own: whoever has a job raises the pool's size and reaches them over SSM.

    No address, no port, no key: a machine is entered through Systems Manager only.
    """

    KIND = "delivery:Agents"

    def __init__(self, stack: Stack[Any], name: str, args: AgentsArgs) -> None:
        super().__init__(stack, name)
        firewall = Firewall(
            stack, name, parent=self,
            args=FirewallArgs(vpc_id=args.vpc_id, description="Jenkins agents: nobody comes in", egress=[OUT]),
        )  # fmt: skip
        self.role = ServiceRole(
            stack, name, parent=self,
            args=ServiceRoleArgs(
                description=f"Jobs of the pool {name}",
                trusted=[WORN_BY_MACHINES],
                allows={**args.allows, "session": managed_by_ssm(stack.place.region, stack.settings.account_id)},
            ),
        )  # fmt: skip
        machines = MachinesArgs(
            role=self.role, subnet_ids=args.subnet_ids, group_ids=[firewall.id], instance_types=args.instance_types,
            machines=(0, args.machines_max), spot=args.spot, disk_gib=DISK_GIB, user_data=USER_DATA,
        )  # fmt: skip
        add_machines(self, machines)
        self.register_outputs({"role": self.role.arn})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFleetArgs:
    """A fleet that acts as users.

    Attributes:
        target: the origin that is put under load.
        image_digest: of the image in the fleet's repository that runs.
        tasks_max: leaders and workers at once: the leader starts no more, and says so when more are asked for.
        run_s_max: a task ends by itself after it, also when everybody forgot about it.
        results_arn, results_key_arn: the bucket that takes results under `load/`, and its key.
    """

    vpc_id: pulumi.Input[str]
    target: str
    image_digest: str
    tasks_max: int
    run_s_max: int
    log_days: int
    log_key_arn: pulumi.Input[str]
    results_arn: pulumi.Input[str]
    results_key_arn: pulumi.Input[str]


class LoadFleet(Component):
    """A cluster for load on Fargate Spot, and the task that is run on it; nothing runs until somebody starts it."""

    KIND = "delivery:LoadFleet"

    def __init__(self, stack: Stack[Any], name: str, args: LoadFleetArgs) -> None:
        super().__init__(stack, name)
        env, account, region = stack.place.env, stack.settings.account_id, stack.place.region
        self.images = Images(stack, f"{name}-images", ImagesArgs(names=["load"], kept=LOAD_IMAGES_KEPT))
        repository = self.images.repositories["load"]
        self.repositories = [repository.arn]
        path = f"/nottermost/{env}/load"
        add_log_group(self, "log", days=args.log_days, key_arn=args.log_key_arn, path=path)
        self.cluster = Cluster(
            stack, f"{name}-cluster", parent=self,
            args=ClusterArgs(
                shell_log_days=args.log_days, log_key_arn=args.log_key_arn, log_path=f"{path}/shells", spot=True
            ),
        )  # fmt: skip
        self.firewall = Firewall(
            stack, name, parent=self,
            args=FirewallArgs(vpc_id=args.vpc_id, description="Load: its leader and workers", egress=[OUT]),
        )  # fmt: skip
        for kind, make in (("in", SecurityGroupIngressRule), ("out", SecurityGroupEgressRule)):
            self.add(
                make, f"{kind}-workers", security_group_id=self.firewall.id, description="Workers to their leader",
                ip_protocol="tcp", from_port=LOAD_PORT, to_port=LOAD_PORT,
                referenced_security_group_id=self.firewall.id,
            )  # fmt: skip
        trusted = [trust("ecs-tasks.amazonaws.com", account, source_arn=f"arn:aws:ecs:{region}:{account}:*")]
        start = ServiceRole(
            stack, f"{name}-start", parent=self,
            args=ServiceRoleArgs(
                description="Starts tasks of the load fleet", trusted=trusted,
                allows={"start": [*pull_images(repository.arn), write_log(stack, path)]},
            ),
        )  # fmt: skip
        results = [
            Statement(
                actions=["s3:GetObject", "s3:PutObject"], resources=[pulumi.Output.concat(args.results_arn, "/load/*")]
            ),
            use_key("s3", stack.place.region, args.results_key_arn),
        ]
        work = ServiceRole(
            stack, f"{name}-work", parent=self,
            args=ServiceRoleArgs(description="Acts as users and keeps results", trusted=trusted, allows={"work": results}),
        )  # fmt: skip
        self.roles = [start.arn, work.arn]
        image = repository.repository_url.apply(lambda url: f"{url}@{args.image_digest}")
        self.task = self.add(
            TaskDefinition, "", requires_compatibilities=["FARGATE"], network_mode="awsvpc",
            cpu=str(LOAD_CPU), memory=str(LOAD_MEMORY_MIB),
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture="ARM64", operating_system_family="LINUX"
            ),
            execution_role_arn=start.arn, task_role_arn=work.arn,
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=SCRATCH)],
            container_definitions=pulumi.Output.all(image, args.results_arn).apply(
                lambda known: _containers(args, image=known[0], results=known[1], log=path, region=region)
            ),
        )  # fmt: skip
        self.register_outputs({"cluster": self.cluster.arn})

    def run(self) -> list[Statement]:
        """Lets the fleet's task be started and stopped, on its own cluster only."""
        stack = self.stack
        here = f"arn:aws:ecs:{stack.place.region}:{stack.settings.account_id}"
        family, cluster = self.physical_name(TaskDefinition, self.logical_name), self.cluster.arn
        return [
            Statement(
                actions=["ecs:RunTask"], resources=[f"{here}:task-definition/{family}:*"],
                conditions={"ArnEquals": {"ecs:cluster": cluster}},
            ),
            Statement(
                actions=["ecs:DescribeTasks", "ecs:StopTask"],
                resources=[self.cluster.name.apply(lambda name: f"{here}:task/{name}/*")],
            ),
            Statement(
                actions=["iam:PassRole"], resources=self.roles,
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ]  # fmt: skip


def _containers(args: LoadFleetArgs, *, image: str, results: str, log: str, region: str) -> str:
    """The container definitions, in the form that AWS gives back, so that nothing ever seems changed."""
    environment = {
        "NOTTERMOST_LOAD_RESULTS": f"s3://{results.rpartition(':')[2]}/load",
        "NOTTERMOST_LOAD_RUN_S_MAX": str(args.run_s_max),
        "NOTTERMOST_LOAD_TARGET": args.target,
        "NOTTERMOST_LOAD_TASKS_MAX": str(args.tasks_max),
    }
    container = {
        **harden("load", USER, log_group=log, region=region, stream="load"),
        "image": image,
        "essential": True,
        "cpu": LOAD_CPU,
        "memory": LOAD_MEMORY_MIB,
        "environment": list_pairs(environment, "value"),
        "secrets": [],
        "mountPoints": [SCRATCH_MOUNT],
        "portMappings": [{"containerPort": LOAD_PORT, "hostPort": LOAD_PORT, "protocol": "tcp"}],
        "stopTimeout": STOP_S_MAX,
        "healthCheck": {  # the agent touches the file while it lives
            "command": ["CMD-SHELL", 'test -n "$(find /tmp/alive -mmin -1)"'],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 60,
        },
    }
    return canonical_json([container])
