"""PostgreSQL for the directory: users, conversations, memberships. An instance in two zones, its proxy, its replicas."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.cloudwatch.log_group import LogGroup
from pulumi_aws.rds.event_subscription import EventSubscription
from pulumi_aws.rds.instance import Instance
from pulumi_aws.rds.parameter_group import ParameterGroup
from pulumi_aws.rds.proxy import Proxy
from pulumi_aws.rds.proxy_default_target_group import ProxyDefaultTargetGroup
from pulumi_aws.rds.proxy_target import ProxyTarget
from pulumi_aws.rds.subnet_group import SubnetGroup
from pulumi_aws.secretsmanager.secret_rotation import SecretRotation

from nottermost_platform.components.backup import backup_tag
from nottermost_platform.components.queues import Topic
from nottermost_platform.components.secrets import Secret, SecretArgs
from nottermost_platform.components.security import ServiceRole, ServiceRoleArgs, add_log_group
from nottermost_platform.components.sizes import DatabaseSize, Ground
from nottermost_platform.policy import Statement, trust
from nottermost_platform.program import Component, Stack

USERNAME: Final = "nottermost"  # the first user; roles of the chat sign in by IAM and are made by Ansible
DATABASE: Final = "nottermost"
PORT: Final = 5432
LOGS: Final = ("postgresql", "upgrade")
PARAMETERS: Final = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "500",  # milliseconds: what misses the API's p95 of 100 ms by far
    "log_statement": "ddl",
    "log_lock_waits": "1",
    "idle_in_transaction_session_timeout": "60000",  # milliseconds: a lost client must not hold row locks
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseArgs:
    """A PostgreSQL instance.

    Attributes:
        group_id, proxy_group_ids: security groups of the instance and of its proxy.
        version: the major version; minor ones are installed in the maintenance window.
        copied: another region has a replica of it.
        source_arn: the instance in the other region whose replica this is; None: it takes writes.
        promoted: this one was a replica and takes writes since a failover.
        secret_region: where a copy of its password is kept.
    """

    ground: Ground
    size: DatabaseSize
    group_id: pulumi.Input[str]
    proxy_group_ids: Sequence[pulumi.Input[str]]
    version: str = "17"
    copied: bool = False
    source_arn: pulumi.Input[str] | None = None
    promoted: bool = False
    secret_region: str = ""

    @property
    def is_replica(self) -> bool:
        return self.source_arn is not None or self.promoted

    @property
    def has_replicas(self) -> bool:
        return self.copied or self.size.replicas > 0


class Database(Component):
    """An encrypted instance that only TLS reaches, a proxy that only IAM opens, and readers.

    RDS manages the first user's password, unless there are replicas: it refuses to make a replica of an
    instance whose password it manages (RDS User Guide, "Password management with Secrets Manager",
    limitations, read 2026-11-21). Then the password is write-only and made anew at once by its secret's
    own rotation.
    """

    KIND = "data:Database"

    def __init__(self, stack: Stack[Any], name: str, args: DatabaseArgs) -> None:
        super().__init__(stack, name, data_class="confidential", protect=stack.place.is_prod or None)
        self.args = args
        group = self.add(
            SubnetGroup, "", description="Data subnets, which lead nowhere", subnet_ids=args.ground.subnet_ids
        )  # fmt: skip
        parameters = [aws.rds.ParameterGroupParameterArgs(name=key, value=value) for key, value in PARAMETERS.items()]
        self.parameters = self.add(  # named after the version: the next one needs its own before this one is gone
            ParameterGroup, f"postgres{args.version}", family=f"postgres{args.version}", description="TLS only, slow statements logged",
            parameters=parameters,
        )  # fmt: skip
        self.monitoring = self._monitoring_role()
        self.identifier = self.physical_name(Instance, name)
        self.instance = self._instance("", group.name, **self._origin())
        self.readers = [
            self._instance(f"reader-{n}", group.name, replicate_source_db=self.instance.arn)
            for n in range(args.size.replicas)
        ]
        self.secret_arn: pulumi.Output[str] | None = None if args.is_replica else self._secret()
        self.proxy = self._proxy()
        self.arn: pulumi.Output[str] = self.instance.arn
        self.identifiers = pulumi.Output.all(*(each.identifier for each in (self.instance, *self.readers)))
        self.address: pulumi.Output[str] = self.instance.address
        # RDS takes no replica as a target of a proxy: until it is promoted, clients read from the replica itself.
        fenced = args.source_arn is not None
        self.host: pulumi.Output[str] = self.address if fenced else self.proxy.endpoint
        proxy_id = self.proxy.arn.apply(lambda arn: arn.rpartition(":")[2])
        self.resource_id: pulumi.Output[str] = self.instance.resource_id if fenced else proxy_id
        self.reader_host: pulumi.Output[str] = (self.readers or [self.instance])[0].address
        self.register_outputs({"arn": self.arn})

    @property
    def connect_arns(self) -> list[pulumi.Output[str]]:
        """What `rds-db:connect` is allowed on, for every user: the proxy and the instances."""
        here = f"arn:aws:rds-db:{self.stack.place.region}:{self.stack.settings.account_id}:dbuser:"
        ids = [self.proxy.arn.apply(lambda arn: arn.rpartition(":")[2]), self.instance.resource_id]
        ids += [reader.resource_id for reader in self.readers]
        return [pulumi.Output.concat(here, each, "/*") for each in ids]

    def _origin(self) -> dict[str, Any]:
        """Where an instance's data and first user come from."""
        args = self.args
        if args.promoted:
            return {}
        if args.source_arn is not None:
            return {"replicate_source_db": args.source_arn}
        first = {"db_name": DATABASE, "username": USERNAME, "allocated_storage": args.size.storage_gib}
        if args.has_replicas:
            return first | {"password_wo": pulumi.Output.secret(secrets.token_urlsafe(32)), "password_wo_version": 1}
        return first | {"manage_master_user_password": True, "master_user_secret_kms_key_id": args.ground.key_arn}

    def _instance(self, name: str, subnet_group: pulumi.Input[str], **origin: Any) -> Instance:
        args, size, key, place = self.args, self.args.size, self.args.ground.key_arn, self.stack.place
        logical = f"{self.logical_name}-{name}" if name else self.logical_name
        identifier = self.physical_name(Instance, logical)
        # The standby's replica keeps its last snapshot too: it may have been promoted. Until then RDS takes no
        # snapshot of a replica, so that deleting it asks for a change here first. A reader is a replica for good.
        is_reader, expires = bool(name), self.stack.settings.expires_on
        last = f"{identifier}-final" + (f"-{expires}" if expires else "")
        groups = [self._log(f"{name}-{kind}".lstrip("-"), f"/aws/rds/instance/{identifier}/{kind}") for kind in LOGS]
        return self.add(
            Instance, name, engine="postgres", engine_version=args.version, instance_class=size.instance_class,
            port=PORT, storage_type="gp3", max_allocated_storage=size.storage_max_gib, storage_encrypted=True,
            kms_key_id=key, multi_az=size.multi_az, db_subnet_group_name=subnet_group,
            vpc_security_group_ids=[args.group_id], publicly_accessible=False, ca_cert_identifier="rds-ca-rsa2048-g1",
            parameter_group_name=self.parameters.name, iam_database_authentication_enabled=True,
            backup_retention_period=size.backup_days, backup_window="03:00-04:00", maintenance_window="sun:04:30-sun:05:30",
            copy_tags_to_snapshot=True, delete_automated_backups=not place.is_prod, deletion_protection=place.is_prod,
            skip_final_snapshot=is_reader, final_snapshot_identifier=None if is_reader else last,
            auto_minor_version_upgrade=True, enabled_cloudwatch_logs_exports=list(LOGS),
            monitoring_interval=60, monitoring_role_arn=self.monitoring.arn, performance_insights_enabled=True,
            performance_insights_kms_key_id=key, performance_insights_retention_period=7,
            tags=backup_tag(self.stack) if not name and args.source_arn is None else None, **origin,
            opts=pulumi.ResourceOptions(
                ignore_changes=["passwordWo"] if "password_wo" in origin else None, depends_on=[self.monitoring, *groups]
            ),
        )  # fmt: skip

    def _log(self, name: str, path: str) -> LogGroup:
        """RDS would make it by itself, without key and without end."""
        ground = self.args.ground
        return add_log_group(self, f"log-{name}", days=ground.log_days, key_arn=ground.log_key_arn, path=path)

    def _secret(self) -> pulumi.Output[str]:
        args = self.args
        if not args.has_replicas:
            secret = self.instance.master_user_secrets[0].secret_arn
            rules = aws.secretsmanager.SecretRotationRotationRulesArgs(automatically_after_days=30)  # RDS' own: 7
            self.add(SecretRotation, "password", secret_id=secret, rotation_rules=rules)
            return pulumi.Output.from_input(secret)
        change = Statement(
            actions=["rds:ModifyDBInstance", "rds:DescribeDBInstances"], resources=[self.instance.arn]
        )  # fmt: skip
        return Secret(
            self.stack, f"{self.logical_name}-password", parent=self,
            args=SecretArgs(
                description="First user of the database", kind="database", ground=args.ground, allows=[change],
                after=[self.instance, *self.readers],  # while a reader is made the instance takes no change
                environment={"USERNAME": USERNAME, "TARGET": self.identifier},
                replica_region=args.secret_region,
            ),
        ).arn  # fmt: skip

    def _proxy(self) -> Proxy:
        """Pools connections; who connects is proved by IAM, and so is the proxy to the instance: no password."""
        args, account = self.args, self.stack.settings.account_id
        self._log("proxy", f"/aws/rds/proxy/{self.physical_name(Proxy, self.logical_name)}")
        here = f"arn:aws:rds-db:{self.stack.place.region}:{account}:dbuser:"
        connect = Statement(
            actions=["rds-db:connect"], resources=[pulumi.Output.concat(here, self.instance.resource_id, "/*")]
        )
        role = ServiceRole(
            self.stack, f"{self.logical_name}-proxy", parent=self,
            args=ServiceRoleArgs(
                description="Lets the database's proxy connect", trusted=[trust("rds.amazonaws.com", account)],
                allows={"connect": [connect]},
            ),
        )  # fmt: skip
        two = pulumi.Output.from_input(args.ground.subnet_ids).apply(lambda ids: ids[:2])  # a third would replace it
        proxy = self.add(
            Proxy, "", engine_family="POSTGRESQL", role_arn=role.arn, vpc_subnet_ids=two,
            vpc_security_group_ids=list(args.proxy_group_ids), require_tls=True, default_auth_scheme="IAM_AUTH",
            idle_client_timeout=1800, debug_logging=False,
        )  # fmt: skip
        pool = aws.rds.ProxyDefaultTargetGroupConnectionPoolConfigArgs(
            max_connections_percent=90, max_idle_connections_percent=50, connection_borrow_timeout=10
        )
        targets = self.add(ProxyDefaultTargetGroup, "", db_proxy_name=proxy.name, connection_pool_config=pool)
        if args.source_arn is None:  # RDS takes no replica as a target: in the standby it comes with the promotion
            self.add(
                ProxyTarget, "", db_proxy_name=proxy.name, target_group_name=targets.name,
                db_instance_identifier=self.instance.identifier,
            )  # fmt: skip
        return proxy

    def _monitoring_role(self) -> ServiceRole:
        region, account = self.stack.place.region, self.stack.settings.account_id
        group = f"arn:aws:logs:{region}:{account}:log-group:RDSOSMetrics"
        write = [
            Statement(actions=["logs:CreateLogGroup", "logs:PutRetentionPolicy"], resources=[group]),
            Statement(
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"],
                resources=[f"{group}:log-stream:*"],
            ),
        ]  # fmt: skip
        return ServiceRole(
            self.stack, f"{self.logical_name}-monitoring", parent=self,
            args=ServiceRoleArgs(
                description="Lets RDS write what its machines are doing",
                trusted=[trust("monitoring.rds.amazonaws.com", account)], allows={"write": write},
            ),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseEventsArgs:
    """Whose events go where. `identifiers`: of the instance and its readers."""

    identifiers: pulumi.Input[list[str]]
    topic: Topic


class DatabaseEvents(Component):
    """What RDS reports of the instances and of every parameter group goes to a topic."""

    KIND = "data:DatabaseEvents"

    def __init__(self, stack: Stack[Any], name: str, args: DatabaseEventsArgs) -> None:
        super().__init__(stack, name)
        after = pulumi.ResourceOptions(depends_on=[args.topic.policy])  # RDS tries it at once
        self.add(
            EventSubscription, "instance", sns_topic=args.topic.arn, source_type="db-instance",
            source_ids=args.identifiers,
            event_categories=["availability", "failover", "failure", "low storage", "maintenance", "notification",
                              "recovery", "configuration change", "deletion"], opts=after,
        )  # fmt: skip
        self.add(
            EventSubscription, "parameters", sns_topic=args.topic.arn, source_type="db-parameter-group",
            event_categories=["configuration change"], opts=after,
        )  # fmt: skip
        self.register_outputs({})
