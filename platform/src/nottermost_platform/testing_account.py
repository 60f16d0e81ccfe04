"""What tests of drift share: an account on loopback that is as a graph declares it, as far as drift reads it.

Each type is made by one call whose arguments are the graph's inputs under AWS's names; what needs more has a
function. moto stands for AWS: what it drops or lacks is in `docs/platform.md`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import boto3
import jmespath  # type: ignore[import-untyped]  # boto3's own, which has no types
from botocore.config import Config

from nottermost_platform.drift.placeholders import ANYTHING, Placeholders
from nottermost_platform.graph import Graph, Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.program import MANAGED_BY

START_S: Final = 30.0  # moto loads its services when they are first asked for; it is up after 1 to 3 s


@contextmanager
def running_account(account: str, log: Path) -> Iterator[str]:
    """moto as a process of its own, which is this account; yields its address. `log`: where its output goes."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", SERVER], env={**os.environ, "MOTO_ACCOUNT_ID": account, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=subprocess.PIPE, stderr=output,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            address = process.stdout.readline().decode().strip()
            if not address:
                raise RuntimeError(f"moto did not start: {log.read_text()[-500:]}")
            yield address
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


SERVER: Final = """
import sys, threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"http://{host}:{port}", flush=True)
threading.Event().wait()
"""


def credentials(address: str) -> dict[str, str]:
    """The environment variables by which the SDKs ask that account."""
    return {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": PRIMARY, "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


# --- making it ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Maker:
    """Makes the resources of a graph in an account."""

    address: str
    account: str
    placeholders: Placeholders
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = PRIMARY) -> Any:
        if (service, region) not in self.clients:
            config = Config(retries={"max_attempts": 1}, inject_host_prefix=False)
            self.clients[service, region] = boto3.client(
                service, region_name=region, endpoint_url=self.address, config=config,
                aws_access_key_id="test", aws_secret_access_key="test",  # noqa: S106 - moto takes any
            )  # fmt: skip
        return self.clients[service, region]

    def make(self, resource: Resource) -> bool:
        """Make a resource; False: its type is not among those that are made."""
        recipe = RECIPES.get(resource.type.removeprefix("aws:").partition(":")[0])
        if recipe is None:
            return False
        inputs = replace_anything(self.placeholders.replace(resource.inputs))
        if "tags" in inputs:
            inputs["tags"] = {**inputs["tags"], "managed-by": MANAGED_BY}
        call = Call(self, resource, {key: value for key, value in inputs.items() if key != "region"})
        outputs = recipe(call) if callable(recipe) else call.run(recipe)
        self.placeholders.learn(resource, outputs or {})
        return True


def replace_anything(value: Any) -> Any:
    """Something definite for what drift takes for anything."""
    return json.loads(json.dumps(value, ensure_ascii=False).replace(ANYTHING, "anything"))


@dataclass(frozen=True, slots=True)
class Recipe:
    """One call. `renamed`: inputs that AWS calls otherwise; `dropped`: it does not take; `outputs`: JMESPath."""

    service: str
    operation: str
    outputs: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A resource that is being made."""

    maker: Maker
    resource: Resource
    inputs: dict[str, Any]

    def client(self, service: str) -> Any:
        return self.maker.client(service, self.resource.region)

    def run(self, recipe: Recipe, **arguments: Any) -> dict[str, Any]:
        """Do what a recipe says. `arguments`: besides those that come from the inputs."""
        client = self.client(recipe.service)
        shape = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[recipe.operation]
        ).input_shape
        kept = {key: value for key, value in self.inputs.items() if key not in recipe.dropped}
        given = translate(shape, {recipe.renamed.get(key, key): value for key, value in kept.items()})
        if recipe.operation in EC2_TAGGED and "tags" in self.inputs:
            tags = [{"Key": key, "Value": value} for key, value in self.inputs["tags"].items()]
            given["TagSpecifications"] = [{"ResourceType": EC2_TAGGED[recipe.operation], "Tags": tags}]
        answer = getattr(client, recipe.operation)(**{**given, **arguments})
        return {name: jmespath.search(path, answer) for name, path in recipe.outputs.items()}


def translate(shape: Any, value: Any) -> Any:
    """A value of the graph in the form that AWS's model asks for; what the model does not know is left out."""
    if value == {"$secret": True}:
        return "Secret-1234567890"
    match shape.type_name:
        case "structure":
            value = value[0] if isinstance(value, list) and value else value
            return _translate_structure(shape, value)
        case "list" if isinstance(value, Mapping) and (names := _pair(shape.member)):
            return [{names[0]: key, names[1]: each} for key, each in value.items()]
        case "list":
            return [translate(shape.member, each) for each in (value if isinstance(value, list) else [value])]
        case "map":
            return {key: translate(shape.value, each) for key, each in value.items()}
        case "string":
            return value if isinstance(value, str) else json.dumps(value)
        case "boolean":
            return value in (True, "true")
        case "integer" | "long":
            return int(value)
    return value


def _translate_structure(shape: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    names = {_plain(name): name for name in shape.members}
    found = {}
    for key, each in value.items():
        plain = _plain(key)
        name = next((names[form] for form in (plain, plain[:-1], f"{plain}s", f"{plain[:-3]}y") if form in names), None)
        if name is not None and each is not None:
            found[name] = translate(shape.members[name], each)
    return found


def _pair(shape: Any) -> tuple[str, str] | None:
    """How a list of keys and values calls the two; None for a list of something else."""
    names = {name.lower(): name for name in getattr(shape, "members", ())}
    key = next((names[each] for each in ("key", "tagkey", "name") if each in names), "")
    value = next((names[each] for each in ("value", "tagvalue") if each in names), "")
    return (key, value) if key and value else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def make_account(graph: Graph, address: str, account: str) -> Maker:
    """Bring the graph's resources into the account, each after those that it needs."""
    maker = Maker(address, account, Placeholders(graph, account))
    for resource in sorted(in_order(graph), key=lambda each: each.type in LATE):
        try:
            maker.make(resource)
        except Exception as error:
            error.add_note(f"while making {resource.urn}")
            raise
    return maker


LATE: Final = frozenset({"aws:s3/bucketLogging:BucketLogging"})  # asks for the policy of the bucket that it goes to


def in_order(graph: Graph) -> Iterator[Resource]:
    """The AWS resources, each after what it depends on, also through components and stacks."""
    by_urn = {each.urn: each for each in graph.resources()}
    needs: dict[str, set[str]] = {urn: set(each.dependencies) for urn, each in by_urn.items()}
    for urn, each in by_urn.items():
        needs[urn].update(of for urns in each.property_dependencies.values() for of in urns)
    for reference in graph.references:
        needs[reference.from_].add(reference.to)
    for urn in TopologicalSorter({urn: sorted(of & by_urn.keys()) for urn, of in sorted(needs.items())}).static_order():
        if by_urn[urn].is_aws:
            yield by_urn[urn]


# --- types that take more than one call, or no call of the inputs' form -----------------------------


def _vpc(call: Call) -> dict[str, Any]:
    found = call.run(
        Recipe("ec2", "create_vpc", {"id": "Vpc.VpcId"}, dropped=("enableDnsSupport", "enableDnsHostnames"))
    )
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        value = {"Value": call.inputs[name]}
        call.client("ec2").modify_vpc_attribute(VpcId=found["id"], **{name[0].upper() + name[1:]: value})
    return found


def _internet_gateway(call: Call) -> dict[str, Any]:
    found = call.run(Recipe("ec2", "create_internet_gateway", {"id": "InternetGateway.InternetGatewayId"}))
    call.client("ec2").attach_internet_gateway(InternetGatewayId=found["id"], VpcId=call.inputs["vpcId"])
    return found


def _default_group(call: Call) -> dict[str, Any]:
    ec2 = call.client("ec2")
    filters = [{"Name": "vpc-id", "Values": [call.inputs["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    (group,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    _close(call, group["GroupId"])
    ec2.create_tags(Resources=[group["GroupId"]], Tags=_tags(call))
    return {"id": group["GroupId"]}


def _group(call: Call) -> dict[str, Any]:
    renamed = {"name": "GroupName"}
    found = call.run(Recipe("ec2", "create_security_group", {"id": "GroupId"}, renamed))
    _close(call, found["id"])
    return found


def _close(call: Call, group: str) -> None:
    """Take away the rules that AWS puts into a new group, as the provider does."""
    ec2 = call.client("ec2")
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    for each in rules:
        revoke = ec2.revoke_security_group_egress if each["IsEgress"] else ec2.revoke_security_group_ingress
        revoke(GroupId=group, SecurityGroupRuleIds=[each["SecurityGroupRuleId"]])


def _rule(direction: str) -> Callable[[Call], dict[str, Any]]:
    def make(call: Call) -> dict[str, Any]:
        given = call.inputs
        text = {"Description": given.get("description", "")}
        permission: dict[str, Any] = {"IpProtocol": given["ipProtocol"]}
        if "fromPort" in given:
            permission |= {"FromPort": given["fromPort"], "ToPort": given["toPort"]}
        if "cidrIpv4" in given:
            permission["IpRanges"] = [{"CidrIp": given["cidrIpv4"], **text}]
        if "referencedSecurityGroupId" in given:
            permission["UserIdGroupPairs"] = [{"GroupId": given["referencedSecurityGroupId"], **text}]
        authorize = getattr(call.client("ec2"), f"authorize_security_group_{direction}")
        tags = [{"ResourceType": "security-group-rule", "Tags": _tags(call)}]
        answer = authorize(GroupId=given["securityGroupId"], IpPermissions=[permission], TagSpecifications=tags)
        return {"id": answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]}

    return make


def _flow_log(call: Call) -> dict[str, Any]:
    renamed = {"iamRoleArn": "DeliverLogsPermissionArn"}
    recipe = Recipe("ec2", "create_flow_logs", {"id": "FlowLogIds[0]"}, renamed, ("vpcId",))
    return call.run(recipe, ResourceIds=[call.inputs["vpcId"]], ResourceType="VPC")


def _tags(call: Call) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in call.inputs.get("tags", {}).items()]


def _bucket(call: Call) -> dict[str, Any]:
    name, s3 = call.inputs["bucket"], call.client("s3")
    where = (
        {}
        if call.resource.region == PRIMARY
        else {"CreateBucketConfiguration": {"LocationConstraint": call.resource.region}}
    )
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=bool(call.inputs.get("objectLockEnabled")), **where)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _tags(call)})
    return {"id": name}


def _bucket_setting(operation: str, argument: str, *inside: str) -> Callable[[Call], dict[str, Any]]:
    """A setting of a bucket; `inside`: names around the inputs within the argument."""

    def make(call: Call) -> dict[str, Any]:
        s3 = call.client("s3")
        shape = s3.meta.service_model.operation_model(s3.meta.method_to_api_mapping[operation]).input_shape
        value: Any = {key: each for key, each in call.inputs.items() if key != "bucket"}
        for each in reversed(inside):
            value = {each: value}
        getattr(s3, operation)(Bucket=call.inputs["bucket"], **{argument: translate(shape.members[argument], value)})
        return {}

    return make


def _ownership(call: Call) -> dict[str, Any]:
    rules = {"Rules": [{"ObjectOwnership": call.inputs["rule"]["objectOwnership"]}]}
    call.client("s3").put_bucket_ownership_controls(Bucket=call.inputs["bucket"], OwnershipControls=rules)
    return {}


def _bucket_policy(call: Call) -> dict[str, Any]:
    call.client("s3").put_bucket_policy(Bucket=call.inputs["bucket"], Policy=call.inputs["policy"])
    return {}


def _object_lock(call: Call) -> dict[str, Any]:
    retention = call.inputs["rule"]["defaultRetention"]
    value = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": retention["mode"], "Days": retention["days"]}},
    }
    call.client("s3").put_object_lock_configuration(Bucket=call.inputs["bucket"], ObjectLockConfiguration=value)
    return {}


def _table(call: Call) -> dict[str, Any]:
    given, dynamodb = call.inputs, call.client("dynamodb")
    keys = [{"AttributeName": given["hashKey"], "KeyType": "HASH"}]
    keys += [{"AttributeName": given["rangeKey"], "KeyType": "RANGE"}] if "rangeKey" in given else []
    stream = {"StreamEnabled": bool(given.get("streamEnabled"))}
    if stream["StreamEnabled"]:
        stream |= {"StreamViewType": given["streamViewType"]}
    table = dynamodb.create_table(
        TableName=given["name"], BillingMode=given["billingMode"], KeySchema=keys, Tags=_tags(call),
        DeletionProtectionEnabled=bool(given.get("deletionProtectionEnabled")), StreamSpecification=stream,
        AttributeDefinitions=[{"AttributeName": each["name"], "AttributeType": each["type"]} for each in given["attributes"]],
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": given["serverSideEncryption"]["kmsKeyArn"]},
    )["TableDescription"]  # fmt: skip
    if given.get("pointInTimeRecovery"):
        recovery = {"PointInTimeRecoveryEnabled": given["pointInTimeRecovery"]["enabled"]}
        dynamodb.update_continuous_backups(TableName=given["name"], PointInTimeRecoverySpecification=recovery)
    if given.get("ttl"):
        expiry = {"Enabled": True, "AttributeName": given["ttl"]["attributeName"]}
        dynamodb.update_time_to_live(TableName=given["name"], TimeToLiveSpecification=expiry)
    return {"id": given["name"], "arn": table["TableArn"], "streamArn": table.get("LatestStreamArn")}


def _table_replica(call: Call) -> dict[str, Any]:
    """A table of the same keys: moto has no copies in other regions."""
    given, (*_, home, _account, _kind, name) = call.inputs, re.split("[:/]", call.inputs["globalTableArn"])
    source = call.maker.client("dynamodb", home).describe_table(TableName=name)["Table"]
    dynamodb = call.client("dynamodb")
    table = dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=source["KeySchema"], Tags=_tags(call),
        AttributeDefinitions=source["AttributeDefinitions"], DeletionProtectionEnabled=given["deletionProtectionEnabled"],
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": given["kmsKeyArn"]},
    )["TableDescription"]  # fmt: skip
    recovery = {"PointInTimeRecoveryEnabled": given["pointInTimeRecovery"]}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    return {"id": name, "arn": table["TableArn"]}


def _queue(call: Call) -> dict[str, Any]:
    given = {key: value for key, value in call.inputs.items() if key in QUEUE_ATTRIBUTES}
    attributes = {QUEUE_ATTRIBUTES[key]: str(value) for key, value in given.items()}
    name, tags = call.inputs["name"], call.inputs["tags"]
    url = call.client("sqs").create_queue(QueueName=name, Attributes=attributes, tags=tags)["QueueUrl"]
    return {"id": url, "url": url, "arn": f"arn:aws:sqs:{call.resource.region}:{call.maker.account}:{name}"}


QUEUE_ATTRIBUTES: Final = {
    "kmsMasterKeyId": "KmsMasterKeyId", "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "messageRetentionSeconds": "MessageRetentionPeriod", "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redrivePolicy": "RedrivePolicy", "visibilityTimeoutSeconds": "VisibilityTimeout", "delaySeconds": "DelaySeconds",
}  # fmt: skip


def _queue_policy(call: Call) -> dict[str, Any]:
    given = call.inputs
    call.client("sqs").set_queue_attributes(QueueUrl=given["queueUrl"], Attributes={"Policy": given["policy"]})
    return {}


def _topic(call: Call) -> dict[str, Any]:
    attributes = {
        "KmsMasterKeyId": call.inputs["kmsMasterKeyId"],
        "SignatureVersion": str(call.inputs["signatureVersion"]),
    }
    arn = call.client("sns").create_topic(Name=call.inputs["name"], Attributes=attributes, Tags=_tags(call))["TopicArn"]
    return {"id": arn, "arn": arn}


def _topic_policy(call: Call) -> dict[str, Any]:
    given = call.inputs
    call.client("sns").set_topic_attributes(
        TopicArn=given["arn"], AttributeName="Policy", AttributeValue=given["policy"]
    )
    return {}


def _key(call: Call) -> dict[str, Any]:
    outputs = {"id": "KeyMetadata.KeyId", "keyId": "KeyMetadata.KeyId", "arn": "KeyMetadata.Arn"}
    tags = [{"TagKey": key, "TagValue": value} for key, value in call.inputs["tags"].items()]
    found = call.run(Recipe("kms", "create_key", outputs, dropped=("tags",)), Tags=tags)
    if call.inputs.get("enableKeyRotation"):
        call.client("kms").enable_key_rotation(KeyId=found["id"])
    return found


def _alias(call: Call) -> dict[str, Any]:
    """moto gives a replica its primary's alias, which AWS does not: it is taken away first."""
    kms, name = call.client("kms"), call.inputs["name"]
    if name in [each["AliasName"] for each in kms.list_aliases(KeyId=call.inputs["targetKeyId"])["Aliases"]]:
        kms.delete_alias(AliasName=name)
    kms.create_alias(AliasName=name, TargetKeyId=call.inputs["targetKeyId"])
    return {"id": name}


def _replica_key(call: Call) -> dict[str, Any]:
    given, (*_, region, _account, _kind, key) = call.inputs, re.split("[:/]", call.inputs["primaryKeyArn"])
    tags = [{"TagKey": name, "TagValue": value} for name, value in given["tags"].items()]
    kms = call.maker.client("kms", region)
    answer = kms.replicate_key(
        KeyId=key,
        ReplicaRegion=call.resource.region,
        Policy=given["policy"],
        Description=given["description"],
        Tags=tags,
    )["ReplicaKeyMetadata"]
    here = call.client("kms")
    here.tag_resource(KeyId=answer["KeyId"], Tags=tags)
    return {"id": answer["KeyId"], "keyId": answer["KeyId"], "arn": answer["Arn"]}


def _log_group(call: Call) -> dict[str, Any]:
    recipe = Recipe("logs", "create_log_group", renamed={"name": "logGroupName"}, dropped=("retentionInDays",))
    call.run(recipe)
    name, days = call.inputs["name"], int(call.inputs["retentionInDays"])
    call.client("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
    return {"id": name, "arn": f"arn:aws:logs:{call.resource.region}:{call.maker.account}:log-group:{name}"}


def _alarm(call: Call) -> dict[str, Any]:
    queries = [_query(each) for each in call.inputs.get("metricQueries", [])]
    renamed = {"name": "AlarmName", "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile"}
    recipe = Recipe("cloudwatch", "put_metric_alarm", renamed=renamed, dropped=("metricQueries",))
    call.run(recipe, **({"Metrics": queries} if queries else {}))
    name = call.inputs["name"]
    return {"id": name, "arn": f"arn:aws:cloudwatch:{call.resource.region}:{call.maker.account}:alarm:{name}"}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    names = {"id": "Id", "expression": "Expression", "label": "Label", "returnData": "ReturnData", "period": "Period"}
    found = {names[key]: value for key, value in query.items() if key in names}
    if "metric" in query:
        metric = query["metric"]
        dimensions = [{"Name": key, "Value": value} for key, value in metric.get("dimensions", {}).items()]
        place = {
            "Namespace": metric.get("namespace", "AWS"),
            "MetricName": metric["metricName"],
            "Dimensions": dimensions,
        }
        found["MetricStat"] = {"Metric": place, "Period": metric["period"], "Stat": metric["stat"]}
    return found


def _secret(call: Call) -> dict[str, Any]:
    return call.run(
        Recipe("secretsmanager", "create_secret", {"id": "ARN", "arn": "ARN"}, {"replicas": "AddReplicaRegions"})
    )


def _rotation(call: Call) -> dict[str, Any]:
    secrets, given = call.client("secretsmanager"), call.inputs
    secrets.put_secret_value(SecretId=given["secretId"], SecretString="{}")
    by = {"RotationLambdaARN": given["rotationLambdaArn"]} if "rotationLambdaArn" in given else {}
    secrets.rotate_secret(
        SecretId=given["secretId"], RotateImmediately=False, **by,
        RotationRules={"AutomaticallyAfterDays": given["rotationRules"]["automaticallyAfterDays"]},
    )  # fmt: skip
    return {}


def _user_pool(call: Call) -> dict[str, Any]:
    outputs = {"id": "UserPool.Id", "arn": "UserPool.Arn"}
    renamed = {"name": "PoolName", "tags": "UserPoolTags"}
    policy = call.inputs["passwordPolicy"]
    recipe = Recipe("cognito-idp", "create_user_pool", outputs, renamed, ("passwordPolicy", "mfaConfiguration"))
    found = call.run(
        recipe, Policies={"PasswordPolicy": {key[0].upper() + key[1:]: value for key, value in policy.items()}}
    )
    call.client("cognito-idp").set_user_pool_mfa_config(
        UserPoolId=found["id"],
        SoftwareTokenMfaConfiguration={"Enabled": True},
        MfaConfiguration=call.inputs["mfaConfiguration"],
    )
    return {**found, "endpoint": f"cognito-idp.{call.resource.region}.amazonaws.com/{found['id']}"}


def _database(call: Call) -> dict[str, Any]:
    source = call.inputs.pop("replicateSourceDb", "")
    is_copy = f":{call.resource.region}:" in source  # moto looks the subnets of others up in their source's region
    if is_copy:
        call.inputs["replicateSourceDb"] = source
    elif source:
        call.inputs["allocatedStorage"] = 100
    outputs = {
        "arn": "DBInstance.DBInstanceArn",
        "resourceId": "DBInstance.DbiResourceId",
        "address": "DBInstance.Endpoint.Address",
        "secret": "DBInstance.MasterUserSecret.SecretArn",
    }
    recipe = Recipe(
        "rds", "create_db_instance_read_replica" if is_copy else "create_db_instance", outputs, DATABASE_NAMES,
        COPIED if is_copy else (),
    )  # fmt: skip
    found = call.run(recipe)
    if is_copy:  # which takes these from its source when it is made
        changes = {
            "BackupRetentionPeriod": call.inputs["backupRetentionPeriod"],
            "DBInstanceIdentifier": call.inputs["identifier"],
        }
        call.client("rds").modify_db_instance(**changes)
    if secret := found.pop("secret", None):
        found["masterUserSecrets"] = [{"secretArn": secret}]
    return {**found, "id": found["resourceId"], "endpoint": f"{found['address']}:5432"}


DATABASE_NAMES: Final = {
    "identifier": "DBInstanceIdentifier", "parameterGroupName": "DBParameterGroupName", "username": "MasterUsername",
    "passwordWo": "MasterUserPassword", "performanceInsightsEnabled": "EnablePerformanceInsights",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication", "instanceClass": "DBInstanceClass",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports", "backupWindow": "PreferredBackupWindow",
    "maintenanceWindow": "PreferredMaintenanceWindow", "replicateSourceDb": "SourceDBInstanceIdentifier",
    "caCertIdentifier": "CACertificateIdentifier",
}  # fmt: skip
COPIED: Final = (
    "engine",
    "engineVersion",
    "backupRetentionPeriod",
    "backupWindow",
    "maintenanceWindow",
    "storageEncrypted",
)


def _proxy(call: Call) -> dict[str, Any]:
    """moto wants the list that IAM's scheme does without."""
    outputs = {"arn": "DBProxy.DBProxyArn", "endpoint": "DBProxy.Endpoint"}
    recipe = Recipe("rds", "create_db_proxy", outputs, {"name": "DBProxyName"})
    return call.run(recipe, Auth=[{"AuthScheme": "SECRETS", "IAMAuth": "REQUIRED"}])


def _parameter_group(call: Call) -> dict[str, Any]:
    names = {"name": "DBParameterGroupName", "family": "DBParameterGroupFamily"}
    return call.run(Recipe("rds", "create_db_parameter_group", renamed=names, dropped=("parameters",)))


def _balancer(call: Call) -> dict[str, Any]:
    given, elb = call.inputs, call.client("elbv2")
    (made,) = elb.create_load_balancer(
        Name=given["name"], Subnets=given["subnets"], SecurityGroups=given["securityGroups"], Type=given["loadBalancerType"],
        Scheme="internal" if given["internal"] else "internet-facing", IpAddressType=given["ipAddressType"], Tags=_tags(call),
    )["LoadBalancers"]  # fmt: skip
    logs = given["accessLogs"]
    attributes = {
        "idle_timeout.timeout_seconds": given["idleTimeout"], "routing.http.drop_invalid_header_fields.enabled": given["dropInvalidHeaderFields"],
        "deletion_protection.enabled": given["enableDeletionProtection"], "routing.http.desync_mitigation_mode": given["desyncMitigationMode"],
        "access_logs.s3.bucket": logs["bucket"], "access_logs.s3.prefix": logs["prefix"], "access_logs.s3.enabled": logs["enabled"],
    }  # fmt: skip
    listed = [
        {"Key": key, "Value": str(value).lower() if isinstance(value, bool) else str(value)}
        for key, value in attributes.items()
    ]
    arn = made["LoadBalancerArn"]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=listed)
    return {
        "id": arn, "arn": arn, "dnsName": made["DNSName"], "zoneId": made["CanonicalHostedZoneId"],
        "arnSuffix": arn.partition("loadbalancer/")[2],
    }  # fmt: skip


def _target_group(call: Call) -> dict[str, Any]:
    given, elb, health = call.inputs, call.client("elbv2"), call.inputs["healthCheck"]
    (made,) = elb.create_target_group(
        Name=given["name"], Protocol=given["protocol"], ProtocolVersion=given["protocolVersion"], Port=given["port"],
        VpcId=given["vpcId"], TargetType=given["targetType"], IpAddressType=given["ipAddressType"], Tags=_tags(call),
        HealthCheckEnabled=health["enabled"], HealthCheckProtocol=health["protocol"], HealthCheckPort=health["port"],
        HealthCheckPath=health["path"], HealthCheckIntervalSeconds=health["interval"], HealthCheckTimeoutSeconds=health["timeout"],
        HealthyThresholdCount=health["healthyThreshold"], UnhealthyThresholdCount=health["unhealthyThreshold"],
        Matcher={"HttpCode": health["matcher"]},
    )["TargetGroups"]  # fmt: skip
    arn = made["TargetGroupArn"]
    attributes = [
        {"Key": "deregistration_delay.timeout_seconds", "Value": str(given["deregistrationDelay"])},
        {"Key": "load_balancing.algorithm.type", "Value": given["loadBalancingAlgorithmType"]},
    ]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    return {"id": arn, "arn": arn, "arnSuffix": arn.rpartition(":")[2]}


def _listener(call: Call) -> dict[str, Any]:
    recipe = Recipe(
        "elbv2", "create_listener", {"id": "Listeners[0].ListenerArn", "arn": "Listeners[0].ListenerArn"},
        dropped=("defaultActions", "certificateArn"),
    )  # fmt: skip
    more = (
        {"Certificates": [{"CertificateArn": call.inputs["certificateArn"]}]} if "certificateArn" in call.inputs else {}
    )
    return call.run(recipe, DefaultActions=[_action(each) for each in call.inputs["defaultActions"]], **more)


def _listener_rule(call: Call) -> dict[str, Any]:
    recipe = Recipe(
        "elbv2", "create_rule", {"id": "Rules[0].RuleArn", "arn": "Rules[0].RuleArn"}, dropped=("actions", "conditions")
    )
    conditions = [_condition(each) for each in call.inputs["conditions"]]
    return call.run(recipe, Actions=[_action(each) for each in call.inputs["actions"]], Conditions=conditions)


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"Type": action["type"]}
    for name, argument in (("fixedResponse", "FixedResponseConfig"), ("redirect", "RedirectConfig")):
        if name in action:
            found[argument] = {key[0].upper() + key[1:]: value for key, value in action[name].items()}
    if "forward" in action:
        groups = action["forward"]["targetGroups"]
        found["ForwardConfig"] = {
            "TargetGroups": [{"TargetGroupArn": each["arn"], "Weight": each["weight"]} for each in groups]
        }
    return found


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    if "pathPattern" in condition:
        return {"Field": "path-pattern", "PathPatternConfig": {"Values": condition["pathPattern"]["values"]}}
    header = condition["httpHeader"]
    return {
        "Field": "http-header",
        "HttpHeaderConfig": {"HttpHeaderName": header["httpHeaderName"], "Values": header["values"]},
    }


def _service(call: Call) -> dict[str, Any]:
    network = call.inputs["networkConfiguration"]
    recipe = Recipe(
        "ecs", "create_service", {"id": "service.serviceArn", "arn": "service.serviceArn"}, {"name": "serviceName"},
        ("networkConfiguration", "alarms", "deploymentCircuitBreaker"),
    )  # fmt: skip
    place = {**network, "assignPublicIp": "ENABLED" if network["assignPublicIp"] else "DISABLED"}
    return call.run(recipe, networkConfiguration={"awsvpcConfiguration": place})


def _task_definition(call: Call) -> dict[str, Any]:
    call.inputs["containerDefinitions"] = json.loads(call.inputs["containerDefinitions"])
    found = call.run(Recipe("ecs", "register_task_definition", {"arn": "taskDefinition.taskDefinitionArn"}))
    return {**found, "id": call.inputs["family"], "arnWithoutRevision": found["arn"].rpartition(":")[0]}


def _function(call: Call) -> dict[str, Any]:
    recipe = Recipe(
        "lambda", "create_function", {"id": "FunctionName", "arn": "FunctionArn"}, {"name": "FunctionName"}, ("code",)
    )
    return call.run(recipe, Code={"ZipFile": _archive()})


def _archive() -> bytes:
    import io
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): ...")
    return content.getvalue()


def _domain(call: Call) -> dict[str, Any]:
    outputs = {"id": "DomainStatus.ARN", "arn": "DomainStatus.ARN", "endpoint": "DomainStatus.Endpoints.vpc"}
    logs = {
        each["logType"]: {"CloudWatchLogsLogGroupArn": each["cloudwatchLogGroupArn"], "Enabled": each["enabled"]}
        for each in call.inputs["logPublishingOptions"]
    }
    renamed = {
        "encryptAtRest": "EncryptionAtRestOptions",
        "nodeToNodeEncryption": "NodeToNodeEncryptionOptions",
        "tags": "TagList",
    }
    recipe = Recipe("opensearch", "create_domain", outputs, renamed, ("logPublishingOptions",))
    return call.run(recipe, LogPublishingOptions=logs)


def _certificate(call: Call) -> dict[str, Any]:
    return call.run(Recipe("acm", "request_certificate", {"id": "CertificateArn", "arn": "CertificateArn"}))


def _certificate_validation(call: Call) -> dict[str, Any]:
    return {"certificateArn": call.inputs["certificateArn"], "id": call.inputs["certificateArn"]}


def _trail(call: Call) -> dict[str, Any]:
    renamed = {"cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn", "tags": "TagsList"}
    dropped = ("advancedEventSelectors", "insightSelectors", "enableLogging")
    found = call.run(Recipe("cloudtrail", "create_trail", {"id": "TrailARN", "arn": "TrailARN"}, renamed, dropped))
    trails, name = call.client("cloudtrail"), call.inputs["name"]
    trails.start_logging(Name=name)
    for kind, operation in (
        ("advancedEventSelectors", "put_event_selectors"),
        ("insightSelectors", "put_insight_selectors"),
    ):
        call.run(Recipe("cloudtrail", operation, dropped=tuple({*call.inputs} - {kind})), TrailName=name)
    return found


def _cluster(call: Call) -> dict[str, Any]:
    return call.run(
        Recipe(
            "ecs", "create_cluster", {"id": "cluster.clusterArn", "arn": "cluster.clusterArn"}, {"name": "clusterName"}
        )
    )


def _cache(call: Call) -> dict[str, Any]:
    group = "ReplicationGroup"
    outputs = {
        "id": f"{group}.ReplicationGroupId", "arn": f"{group}.ARN",
        "primaryEndpointAddress": f"{group}.NodeGroups[0].PrimaryEndpoint.Address",
    }  # fmt: skip
    renamed = {
        "description": "ReplicationGroupDescription", "nodeType": "CacheNodeType", "parameterGroupName": "CacheParameterGroupName",
        "subnetGroupName": "CacheSubnetGroupName", "maintenanceWindow": "PreferredMaintenanceWindow",
    }  # fmt: skip
    return call.run(
        Recipe(
            "elasticache",
            "create_replication_group",
            outputs,
            renamed,
            ("finalSnapshotIdentifier", "logDeliveryConfigurations"),
        )
    )


EC2_TAGGED: Final = {
    "create_vpc": "vpc", "create_subnet": "subnet", "create_internet_gateway": "internet-gateway",
    "allocate_address": "elastic-ip", "create_nat_gateway": "natgateway", "create_route_table": "route-table",
    "create_security_group": "security-group", "create_vpc_endpoint": "vpc-endpoint", "create_flow_logs": "vpc-flow-log",
}  # fmt: skip
RECIPES: Final[dict[str, Recipe | Callable[[Call], dict[str, Any]]]] = {
    "acm/certificate": _certificate,
    "acm/certificateValidation": _certificate_validation,
    "cloudtrail/trail": _trail,
    "cloudwatch/logGroup": _log_group,
    "cloudwatch/metricAlarm": _alarm,
    "cognito/userPool": _user_pool,
    "cognito/userPoolClient": Recipe(
        "cognito-idp", "create_user_pool_client", {"id": "UserPoolClient.ClientId"}, {"name": "ClientName"},
        ("refreshTokenRotation",),
    ),
    "dynamodb/resourcePolicy": Recipe("dynamodb", "put_resource_policy"),
    "dynamodb/table": _table,
    "dynamodb/tableReplica": _table_replica,
    "ec2/defaultSecurityGroup": _default_group,
    "ec2/eip": Recipe("ec2", "allocate_address", {"id": "AllocationId", "allocationId": "AllocationId"}),
    "ec2/flowLog": _flow_log,
    "ec2/internetGateway": _internet_gateway,
    "ec2/natGateway": Recipe("ec2", "create_nat_gateway", {"id": "NatGateway.NatGatewayId"}),
    "ec2/route": Recipe("ec2", "create_route"),
    "ec2/routeTable": Recipe("ec2", "create_route_table", {"id": "RouteTable.RouteTableId"}),
    "ec2/routeTableAssociation": Recipe("ec2", "associate_route_table", {"id": "AssociationId"}),
    "ec2/securityGroup": _group,
    "ec2/subnet": Recipe("ec2", "create_subnet", {"id": "Subnet.SubnetId"}),
    "ec2/vpc": _vpc,
    "ec2/vpcEndpoint": Recipe("ec2", "create_vpc_endpoint", {"id": "VpcEndpoint.VpcEndpointId"}, {"policy": "PolicyDocument"}),
    "ecr/lifecyclePolicy": Recipe("ecr", "put_lifecycle_policy", renamed={"repository": "repositoryName", "policy": "lifecyclePolicyText"}),
    "ecr/repository": Recipe(
        "ecr", "create_repository", {"arn": "repository.repositoryArn", "repositoryUrl": "repository.repositoryUri"},
        {"name": "repositoryName", "encryptionConfigurations": "encryptionConfiguration"},
    ),
    "ecs/cluster": _cluster,
    "ecs/service": _service,
    "ecs/taskDefinition": _task_definition,
    "elasticache/replicationGroup": _cache,
    "elasticache/subnetGroup": Recipe(
        "elasticache", "create_cache_subnet_group", renamed={"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription"}
    ),
    "iam/openIdConnectProvider": Recipe(
        "iam", "create_open_id_connect_provider", {"id": "OpenIDConnectProviderArn", "arn": "OpenIDConnectProviderArn"},
        {"clientIdLists": "ClientIDList"},
    ),
    "iam/policy": Recipe(
        "iam", "create_policy", {"id": "Policy.Arn", "arn": "Policy.Arn"}, {"name": "PolicyName", "policy": "PolicyDocument"}
    ),
    "iam/role": Recipe(
        "iam", "create_role", {"id": "Role.RoleName", "arn": "Role.Arn", "uniqueId": "Role.RoleId"},
        {"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
    ),
    "iam/rolePolicy": Recipe("iam", "put_role_policy", renamed={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"}),
    "iam/rolePolicyAttachment": Recipe("iam", "attach_role_policy", renamed={"role": "RoleName"}),
    "kms/alias": _alias,
    "kms/key": _key,
    "kms/replicaKey": _replica_key,
    "lambda/function": _function,
    "lb/listener": _listener,
    "lb/listenerRule": _listener_rule,
    "lb/loadBalancer": _balancer,
    "lb/targetGroup": _target_group,
    "opensearch/domain": _domain,
    "rds/instance": _database,
    "rds/parameterGroup": _parameter_group,
    "rds/proxy": _proxy,
    "rds/subnetGroup": Recipe(
        "rds", "create_db_subnet_group", renamed={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"}
    ),
    "s3/bucket": _bucket,
    "s3/bucketCorsConfiguration": _bucket_setting("put_bucket_cors", "CORSConfiguration"),
    "s3/bucketLifecycleConfiguration": _bucket_setting("put_bucket_lifecycle_configuration", "LifecycleConfiguration"),
    "s3/bucketLogging": _bucket_setting("put_bucket_logging", "BucketLoggingStatus", "loggingEnabled"),
    "s3/bucketObjectLockConfiguration": _object_lock,
    "s3/bucketOwnershipControls": _ownership,
    "s3/bucketPolicy": _bucket_policy,
    "s3/bucketPublicAccessBlock": _bucket_setting("put_public_access_block", "PublicAccessBlockConfiguration"),
    "s3/bucketServerSideEncryptionConfiguration": _bucket_setting("put_bucket_encryption", "ServerSideEncryptionConfiguration"),
    "s3/bucketVersioning": Recipe("s3", "put_bucket_versioning"),
    "secretsmanager/secret": _secret,
    "secretsmanager/secretRotation": _rotation,
    "sns/topic": _topic,
    "sns/topicPolicy": _topic_policy,
    "sns/topicSubscription": Recipe("sns", "subscribe", {"id": "SubscriptionArn", "arn": "SubscriptionArn"}, {"topic": "TopicArn"}),
    "sqs/queue": _queue,
    "sqs/queuePolicy": _queue_policy,
    "vpc/securityGroupEgressRule": _rule("egress"),
    "vpc/securityGroupIngressRule": _rule("ingress"),
}  # fmt: skip
