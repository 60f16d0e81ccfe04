"""Drift of a whole environment against an account that moto serves: untouched, then changed by hand in many places."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nottermost_conventions import ExitCode
from nottermost_platform.drift import (
    Account,
    AccountError,
    Drift,
    Reading,
    compare,
    compared_types,
    find_drift,
    read_account,
)
from nottermost_platform.drift.account import READS, View
from nottermost_platform.drift.compare import owned_properties
from nottermost_platform.drift.kinds import NOT_READ
from nottermost_platform.drift.readers import allowed_accounts
from nottermost_platform.drift.watching import TRAIL, read_trails
from nottermost_platform.graph import Resource
from nottermost_platform.testing import find, graph_of, one
from nottermost_platform.testing_account import Maker, credentials, make_account, running_account

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # an account of 400 resources is made first, by as many calls
ENV = "pr-0"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@dataclass(frozen=True, slots=True)
class Made:
    """An environment's account, and what drift said of it before anybody touched it."""

    maker: Maker
    untouched: Drift
    reading: Reading
    operations: set[str]

    def id_of(self, resource: Resource, output: str = "id") -> str:
        """What the account calls a resource."""
        from nottermost_platform.tokens import fill_outputs

        tokens = fill_outputs(
            resource.type, resource.urn, resource.inputs, region=resource.region, account=self.maker.account
        )
        return str(self.maker.placeholders.replace(tokens[output]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    graph = graph_of(ENV)
    (account,) = allowed_accounts(graph)
    with pytest.MonkeyPatch.context() as patch, running_account(account, _log(tmp_path_factory)) as address:
        for name, value in credentials(address).items():
            patch.setenv(name, value)
        maker = make_account(graph, address, account)
        operations: set[str] = set()
        asked = Account()
        asked.session.events.register("before-call.*", lambda model, **_: operations.add(model.name))
        reading = read_account(graph, asked, account)
        untouched = compare(graph, reading, account=account, types=compared_types())
        yield Made(maker, untouched, reading, operations)


def _log(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("moto") / "moto.log"


def test_an_untouched_account_has_no_drift(made: Made) -> None:
    """Every resource of the types that are read is found and is as declared; there are more than twenty such types."""
    assert made.untouched.deviations == []
    assert made.untouched.exit_code is ExitCode.DONE
    declared = [each for each in graph_of(ENV).resources() if each.type in compared_types()]
    assert made.untouched.compared == len(declared) > 300
    assert len({each.type for each in declared}) > 40


def test_drift_only_reads(made: Made) -> None:
    """Every call that it made describes, gets, lists or asks for a head; another one cannot be made."""
    assert len(made.operations) > 50
    prefixes = tuple(each.replace("_", " ").title().replace(" ", "") for each in READS)
    assert [each for each in made.operations if not each.startswith(prefixes)] == []


def test_every_declared_property_is_read_or_said_not_to_be(made: Made) -> None:
    """Of the types that are compared; what something else owns has its own table. The list has no more than that."""
    read: dict[str, set[str]] = {}
    for found in made.reading.found:
        read.setdefault(found.type, {"region", "tags", "tagsAll"}).update(found.properties)
    declared = {
        (each.type, name) for each in graph_of(ENV).resources() if each.type in read for name in {*each.inputs} - owned_properties(each)
    }  # fmt: skip
    left = {(type_, name) for type_, name in declared if name not in read[type_]}
    listed = {(type_, name) for type_, names in NOT_READ.items() for name in names}
    assert left - listed == set()
    assert {each for each in listed if each[1] in read.get(each[0], ())} == set()


def test_a_trail_is_read_with_what_it_keeps(made: Made) -> None:
    """The environment has none of its own; its account's events, its tags, and insights that are off."""
    trails, bucket = made.maker.client("cloudtrail"), _resource("s3/bucket:Bucket").inputs["bucket"]
    tags = [{"Key": "owner", "Value": "me"}]
    arn = trails.create_trail(Name="handmade", S3BucketName=bucket, TagsList=tags)["TrailARN"]
    selectors = [{"Name": "all", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    trails.put_event_selectors(TrailName=arn, AdvancedEventSelectors=selectors)
    with ThreadPoolExecutor(1) as pool:
        view = View(
            account=Account(), account_id=made.maker.account, region="us-east-1", env=ENV, pool=pool,
            declared={"us-east-1": {TRAIL: {"handmade"}}},
        )  # fmt: skip
        (trail,) = read_trails(view)
    trails.delete_trail(Name="handmade")
    assert (trail.tags, trail.properties["enableLogging"]) == ({"owner": "me"}, False)
    assert (trail.properties["advancedEventSelectors"], trail.properties["insightSelectors"]) == (selectors, None)


# --- changed by hand ------------------------------------------------------------------------------


Change = Callable[[Made], Any]


def _resource(type_: str, name: str = "") -> Resource:
    found = find(graph_of(ENV), type_, name)
    return found[0]


def _ec2(made: Made) -> Any:
    return made.maker.client("ec2")


def change_tag(made: Made) -> None:
    vpc = made.id_of(_resource("ec2/vpc:Vpc"))
    _ec2(made).create_tags(Resources=[vpc], Tags=[{"Key": "owner", "Value": "somebody"}])


def open_port(made: Made) -> None:
    group = made.id_of(_resource("ec2/securityGroup:SecurityGroup"))
    _ec2(made).authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )


def close_port(made: Made) -> None:
    declared = _resource("vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    group = str(made.maker.placeholders.replace(declared.inputs["securityGroupId"]))
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = _ec2(made).describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    rule = next(each["SecurityGroupRuleId"] for each in rules if each["IsEgress"])
    _ec2(made).revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rule])


def route_elsewhere(made: Made) -> None:
    table = made.id_of(_resource("ec2/routeTable:RouteTable"))
    gateway = made.id_of(_resource("ec2/internetGateway:InternetGateway"))
    _ec2(made).create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", GatewayId=gateway)


def give_out_addresses(made: Made) -> None:
    subnet = made.id_of(_resource("ec2/subnet:Subnet"))
    _ec2(made).modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})


def widen_role(made: Made) -> None:
    policy = _resource("iam/rolePolicy:RolePolicy")
    made.maker.client("iam").put_role_policy(
        RoleName=policy.inputs["role"], PolicyName=policy.inputs["name"], PolicyDocument=POLICY
    )


def add_role_policy(made: Made) -> None:
    role = _resource("iam/role:Role").inputs["name"]
    made.maker.client("iam").put_role_policy(RoleName=role, PolicyName="handmade", PolicyDocument=POLICY)


def attach_role_policy(made: Made) -> None:
    role = _resource("iam/role:Role").inputs["name"]
    made.maker.client("iam").attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def trust_everybody(made: Made) -> None:
    role = find(graph_of(ENV), "iam/role:Role")[1].inputs["name"]
    trust = POLICY.replace('"*","Resource":"*"', '"sts:AssumeRole","Principal":{"AWS":"*"}')
    made.maker.client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=trust)


def delete_queue(made: Made) -> None:
    queue = _resource("sqs/queue:Queue", "push")
    made.maker.client("sqs").delete_queue(QueueUrl=made.id_of(queue, "url"))


def change_queue(made: Made) -> None:
    queue = _resource("sqs/queue:Queue", "webhook")
    sqs, url = made.maker.client("sqs"), made.id_of(queue, "url")
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]  # moto would forget it
    sqs.set_queue_attributes(QueueUrl=url, Attributes={**policy, "VisibilityTimeout": "1"})


def publish_bucket(made: Made) -> None:
    bucket = find(graph_of(ENV), "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")[0].inputs["bucket"]
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    made.maker.client("s3").put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={**block, "BlockPublicPolicy": False}
    )


def keep_nothing(made: Made) -> None:
    bucket = find(graph_of(ENV), "s3/bucketVersioning:BucketVersioning")[0].inputs["bucket"]
    made.maker.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def forget_logs(made: Made) -> None:
    group = _resource("cloudwatch/logGroup:LogGroup").inputs["name"]
    made.maker.client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)


def delete_alarm(made: Made) -> None:
    made.maker.client("cloudwatch").delete_alarms(
        AlarmNames=[_resource("cloudwatch/metricAlarm:MetricAlarm").inputs["name"]]
    )


def stop_recovery(made: Made) -> None:
    table = _resource("dynamodb/table:Table").inputs["name"]
    made.maker.client("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def add_listener_rule(made: Made) -> None:
    listener = one(graph_of(ENV), "lb/listener:Listener", "main-https")
    made.maker.client("elbv2").create_rule(
        ListenerArn=made.id_of(listener, "arn"), Priority=1, Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin"]}}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )  # fmt: skip


def make_stranger(made: Made) -> None:
    tags = {"env": ENV, "managed-by": "pulumi"}
    made.maker.client("sqs").create_queue(QueueName="handmade", tags=tags)


def change_tag_of_proxy(made: Made) -> None:
    proxy = made.id_of(_resource("rds/proxy:Proxy"), "arn")
    made.maker.client("rds").add_tags_to_resource(ResourceName=proxy, Tags=[{"Key": "owner", "Value": "somebody"}])


def change_tag_of_subnets(made: Made) -> None:
    name = _resource("rds/subnetGroup:SubnetGroup").inputs["name"]
    arn = f"arn:aws:rds:us-east-1:{made.maker.account}:subgrp:{name}"
    made.maker.client("rds").add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "owner", "Value": "somebody"}])


def make_policy(made: Made) -> None:
    tags = [{"Key": "env", "Value": ENV}, {"Key": "managed-by", "Value": "pulumi"}]
    made.maker.client("iam").create_policy(PolicyName="handmade", PolicyDocument=POLICY, Tags=tags)


def disable_key(made: Made) -> None:
    made.maker.client("kms").disable_key(KeyId=made.id_of(_resource("kms/key:Key")))


def give_variable(made: Made) -> None:
    function = _resource("lambda/function:Function").inputs
    variables = {**function["environment"]["variables"], "MORE": "1"}
    made.maker.client("lambda").update_function_configuration(
        FunctionName=function["name"], Environment={"Variables": variables}
    )


def quiet_alarm(made: Made) -> None:
    alarms = find(graph_of(ENV), "cloudwatch/metricAlarm:MetricAlarm")
    name = next(each.inputs["name"] for each in alarms[1:] if "metricQueries" in each.inputs)
    cloudwatch = made.maker.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    arguments = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    given = {key: value for key, value in alarm.items() if key in arguments}
    given["Metrics"] = [{**each, **({"Expression": "0"} if "Expression" in each else {})} for each in given["Metrics"]]
    cloudwatch.put_metric_alarm(**given, Tags=cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"])


def open_search(made: Made) -> None:
    made.maker.client("opensearch").update_domain_config(
        DomainName=_resource("opensearch/domain:Domain").inputs["domainName"],
        AdvancedSecurityOptions={"Enabled": False}, LogPublishingOptions={"AUDIT_LOGS": {"Enabled": False}},
    )  # fmt: skip


CHANGES: list[tuple[Change, str, str, str]] = [  # with the kind, the type and the words that tell of it
    (change_tag, "changed", "aws:ec2/vpc:Vpc", 'tags.owner "platform" "somebody"'),
    (open_port, "stranger", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "fromPort None 22"),
    (close_port, "missing", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", ""),
    (route_elsewhere, "stranger", "aws:ec2/route:Route", 'destinationCidrBlock None "192.0.2.0/24"'),
    (give_out_addresses, "changed", "aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch false true"),
    (widen_role, "changed", "aws:iam/rolePolicy:RolePolicy", '"*"'),
    (add_role_policy, "stranger", "aws:iam/rolePolicy:RolePolicy", 'name None "handmade"'),
    (attach_role_policy, "stranger", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "AdministratorAccess"),
    (trust_everybody, "changed", "aws:iam/role:Role", "assumeRolePolicy.Statement"),
    (delete_queue, "missing", "aws:sqs/queue:Queue", "push"),
    (change_queue, "changed", "aws:sqs/queue:Queue", 'visibilityTimeoutSeconds 120 "1"'),
    (publish_bucket, "changed", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicPolicy true"),
    (keep_nothing, "changed", "aws:s3/bucketVersioning:BucketVersioning", '"Enabled" "Suspended"'),
    (forget_logs, "changed", "aws:cloudwatch/logGroup:LogGroup", "retentionInDays"),
    (delete_alarm, "missing", "aws:cloudwatch/metricAlarm:MetricAlarm", ""),
    (stop_recovery, "changed", "aws:dynamodb/table:Table", "pointInTimeRecovery"),
    (add_listener_rule, "stranger", "aws:lb/listenerRule:ListenerRule", "/admin"),
    (make_stranger, "stranger", "sqs", "handmade"),
    (change_tag_of_proxy, "changed", "aws:rds/proxy:Proxy", 'tags.owner "platform" "somebody"'),
    (change_tag_of_subnets, "changed", "aws:rds/subnetGroup:SubnetGroup", 'tags.owner "platform" "somebody"'),
    (make_policy, "stranger", "aws:iam/policy:Policy", 'name None "handmade"'),
    (disable_key, "changed", "aws:kms/key:Key", "isEnabled true false"),
    (give_variable, "changed", "aws:lambda/function:Function", "environment.variables.MORE None [another"),
    (quiet_alarm, "changed", "aws:cloudwatch/metricAlarm:MetricAlarm", '"0"'),
    (open_search, "changed", "aws:opensearch/domain:Domain", "advancedSecurityOptions.enabled true false"),
]


@pytest.fixture(scope="module")
def changed(made: Made) -> Drift:
    """What drift says after all of them; beside them somebody scaled a service, which the promoter may."""
    for change, *_ in CHANGES:
        change(made)
    service = _resource("ecs/service:Service").inputs
    made.maker.client("ecs").update_service(
        cluster=made.id_of(_resource("ecs/cluster:Cluster"), "arn"), service=service["name"], desiredCount=7
    )
    return find_drift(graph_of(ENV))


@pytest.mark.parametrize(("change", "kind", "type_", "words"), CHANGES, ids=[each[0].__name__ for each in CHANGES])
def test_each_change_is_found(changed: Drift, change: Change, kind: str, type_: str, words: str) -> None:
    """By its kind, on its resource, with what is different."""
    told = [
        " ".join([each.name, each.note, *(f"{one.path} {one.before} {one.after}" for one in each.properties)])
        for each in changed.deviations
        if (each.kind, each.type) == (kind, type_)
    ]
    assert any(words in each for each in told), told


def test_nothing_else_is_found(changed: Drift) -> None:
    """As many as were changed, and what hangs on the deleted queue; the scaled service is not among them."""
    assert changed.exit_code is ExitCode.SAYS_NO
    extra = [
        each
        for each in changed.deviations
        if (each.kind, each.type) not in {(kind, type_) for _, kind, type_, _ in CHANGES}
    ]
    assert [(each.kind, each.type) for each in extra] == [("missing", "aws:sqs/queuePolicy:QueuePolicy")]
    assert len(changed.deviations) == len(CHANGES) + 1


# --- what cannot be read --------------------------------------------------------------------------


class Refusing(Account):
    """An account that refuses some operations, as one does whose role may not read everything."""

    def __init__(self, **refused: str) -> None:
        super().__init__()
        for operation, service in refused.items():
            self.session.events.register(f"before-call.{service}.{operation}", self._refuse)

    def _refuse(self, model: Any, **_: Any) -> Any:
        from types import SimpleNamespace

        error = {"Error": {"Code": "AccessDenied", "Message": "not yours"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return SimpleNamespace(status_code=403, headers={}), error


def test_a_refused_call_is_no_pass(made: Made) -> None:
    """Of a bucket's policy alone the policies are unread; of topics all that is read with them; with AWS's own words."""
    drift = find_drift(
        graph_of(ENV),
        account=Refusing(GetBucketPolicy="s3", ListTopics="sns", GetResources="resource-groups-tagging-api"),
    )
    unread = {each.type for each in drift.deviations if each.kind == "unread"}
    topics = {
        f"aws:sns/{each}" for each in ("topic:Topic", "topicPolicy:TopicPolicy", "topicSubscription:TopicSubscription")
    }
    assert unread == {"aws:s3/bucketPolicy:BucketPolicy", "tags", *topics}
    notes = {each.note for each in drift.deviations if each.kind == "unread"}
    assert "s3: AccessDenied of GetBucketPolicy: not yours" in notes
    assert not [each for each in drift.deviations if each.kind == "missing" and each.type in unread]


def test_another_account_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's number is checked before anything else is asked."""
    with running_account("999988887777", tmp_path / "moto.log") as address:
        for name, value in credentials(address).items():
            monkeypatch.setenv(name, value)
        asked: list[str] = []
        account = Account()
        account.session.events.register("before-call.*", lambda model, **_: asked.append(model.name))
        with pytest.raises(AccountError, match="of account 999988887777, but the environment is in 111122223333"):
            find_drift(graph_of(ENV), account=account)
        assert asked == ["GetCallerIdentity"]


def test_without_credentials_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials are no account: that is not a pass."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccountError, match="Unable to locate credentials") as failed:
        find_drift(graph_of(ENV))
    assert failed.value.exit_code is ExitCode.COULD_NOT_TELL
