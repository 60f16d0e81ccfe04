"""The stores: who reaches them, what the standby holds, what a failover and a deletion do, how long things stay."""

import json
from typing import Any

import pytest

from nottermost_platform.capture import capture
from nottermost_platform.components.archive import COLUMNS
from nottermost_platform.components.doors import STORES
from nottermost_platform.settings import Layers, Place, SettingsError, load
from nottermost_platform.stacks.data import LAYERS, Settings
from nottermost_platform.testing import find, graph_of, one, statements, what_if

INSTANCE, CACHE = "rds/instance:Instance", "elasticache/replicationGroup:ReplicationGroup"
IN = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OUT = "vpc/securityGroupEgressRule:SecurityGroupEgressRule"
YEARS_5 = 5 * 365
PROD, DEV = Place(env="prod", region="us-east-1"), Place(env="dev", region="us-east-1")


def settings_of(place: Place, layers: Layers = LAYERS, **settings: Any) -> Settings:
    """The settings of a place with others over them."""
    given = {"account_id": "333344445555", "domain": "chat.example.com", **settings}
    return load(Settings, layers, place, given, source="Pulumi.yaml")


@pytest.mark.parametrize("stack", ["network", "identity", "data", "async"])
def test_a_first_preview_declares_the_same(stack: str) -> None:
    """Nothing is made inside `apply`, where nothing is known yet."""
    known, unknown = (
        {each.urn for one_of in graph.stacks if one_of.name == stack for each in one_of.resources}
        for graph in (graph_of("prod"), graph_of("prod", unknown=True))
    )
    assert known == unknown


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_stores_let_in_their_clients_alone(region: str) -> None:
    """Each store has one way in, from the clients' group; the clients' group leads to stores and nowhere else."""
    graph = graph_of("prod")
    clients = one(graph, "ec2/securityGroup:SecurityGroup", "stores-clients", region=region)
    stores = set(STORES) - {"dax"}
    for kind, names in (
        (IN, {f"stores-{store}-in-clients" for store in stores}),
        (OUT, {f"stores-clients-to-{store}" for store in stores}),
    ):
        found = find(graph, kind, stack="data", region=region)
        rules = {each.name: each for each in found if each.name != "admin-out-https"}  # the admin host's own group
        assert set(rules) == names
        peer = "referencedSecurityGroupId" if kind == IN else "securityGroupId"
        assert all(clients.urn in each.property_dependencies[peer] for each in rules.values())
        assert not any("cidrIpv4" in each.inputs for each in rules.values())


def test_the_standby_follows_the_database() -> None:
    """A replica in another region under that region's key, as large as the first; its proxy waits for a promotion."""
    graph = graph_of("prod")
    first, copy = one(graph, INSTANCE, "database"), one(graph, INSTANCE, "database", region="eu-west-1")
    assert copy.inputs["replicateSourceDb"].startswith("arn:aws:rds:us-east-1:")
    assert copy.inputs["instanceClass"] == first.inputs["instanceClass"]
    assert copy.inputs["kmsKeyId"].split(":")[3] == "eu-west-1"
    assert not {"username", "passwordWo", "dbName", "allocatedStorage"} & set(copy.inputs)
    assert [each.name for each in find(graph, INSTANCE)] == ["database", "database-reader-0"]
    assert len(find(graph, "rds/proxyTarget:ProxyTarget")) == 1
    assert find(graph, "rds/proxyTarget:ProxyTarget", region="eu-west-1") == []


def test_a_failover_promotes_the_standby() -> None:
    """`home_region` alone: the replica takes writes, gets its proxy, is backed up with copies in the old home."""
    before, after = graph_of("prod"), what_if("prod", "data", home_region="eu-west-1")
    copy = one(after, INSTANCE, "database", region="eu-west-1")
    assert "replicateSourceDb" not in copy.inputs
    assert copy.urn == one(before, INSTANCE, "database", region="eu-west-1").urn
    assert copy.tags["backup"] == "prod-daily"
    assert len(find(after, "rds/proxyTarget:ProxyTarget", region="eu-west-1")) == 1
    plan = one(after, "backup/plan:Plan", region="eu-west-1").inputs["rules"][0]
    assert plan["copyActions"][0]["destinationVaultArn"].split(":")[3] == "us-east-1"
    assert one(after, "s3/bucket:Bucket", "archive", region="eu-west-1").tags["backup"] == "prod-daily"
    gone = {each.urn for stack in before.stacks if stack.name == "data" for each in stack.resources}
    gone -= {each.urn for stack in after.stacks for each in stack.resources}
    assert all("ResourcePolicy" in urn for urn in gone)  # the fence, and nothing that holds data


def test_never_are_two_regions_home() -> None:
    """The standby opens only after the first region was fenced; before that its program changes nothing."""
    upstream: dict[str, Any] = {}
    standby = Place(env="prod", region="eu-west-1")
    for stack, place in (("network", PROD), ("data", PROD), ("network", standby)):
        upstream[f"organization/nottermost-{stack}/{place.stack}"] = capture(stack, place, upstream).outputs
    with pytest.raises(SettingsError, match=r"home_region: us-east-1 still appends"):
        capture("data", standby, upstream, overrides={"home_region": "eu-west-1"})


def test_the_standby_has_the_primarys_secrets_and_key() -> None:
    """Copies in its own region, so that nothing is asked of a region that is down."""
    graph = graph_of("prod")
    (standby,) = (each for each in graph.stacks if (each.name, each.region) == ("data", "eu-west-1"))
    for output in ("database_secret_arn", "signing_secret_arn", "cache_secret_arn", "data_key_arn"):
        assert standby.outputs[output].value.split(":")[3] == "eu-west-1", output
    key = one(graph, "kms/replicaKey:ReplicaKey", region="eu-west-1").inputs
    assert key["primaryKeyArn"].split(":")[3] == "us-east-1"
    assert one(graph, "kms/key:Key", "data").inputs["multiRegion"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_production_is_not_deleted_by_accident(region: str) -> None:
    """Whatever holds data is protected; logs outlive the stack; nothing is emptied to be deleted."""
    holds = ("rds/instance", "dynamodb/table", "opensearch/domain", "msk/cluster", "msk/topic", "elasticache/replicationGroup",
             "s3/bucket:", "kms/key", "kms/replicaKey", "secretsmanager/secret:", "backup/vault:")  # fmt: skip
    (stack,) = (each for each in graph_of("prod").stacks if (each.name, each.region) == ("data", region))
    held = [each for each in stack.resources if each.type.removeprefix("aws:").startswith(holds)]
    assert len(held) >= 15
    assert [each.name for each in held if not each.options.protect] == []
    assert one(graph_of("prod"), "s3/bucket:Bucket", "logs", region=region).options.retain_on_delete


def test_a_preview_environment_goes_without_a_trace() -> None:
    """Its buckets and vault are emptied, its secrets' names are free at once, it says when it ends, it is small."""
    graph = graph_of("pr-0")
    (stack,) = (each for each in graph.stacks if each.name == "data")
    assert not [each.name for each in stack.resources if each.options.protect]
    assert all(each.inputs["forceDestroy"] for each in find(graph, "s3/bucket:Bucket", stack="data"))
    assert {each.inputs["recoveryWindowInDays"] for each in find(graph, "secretsmanager/secret:Secret")} == {0}
    assert {each.tags["expires-on"] for each in stack.resources if each.tags} == {"2099-12-31"}
    assert one(graph, INSTANCE).inputs["instanceClass"] == "db.t4g.micro"
    assert one(graph, INSTANCE).inputs["finalSnapshotIdentifier"].endswith("2099-12-31")
    assert one(graph, CACHE).inputs["numCacheClusters"] == 1


def test_how_long_things_stay() -> None:
    """Archive five years in Intelligent-Tiering, files until deleted and then 30 days, results a week, logs a year."""
    rules = {
        each.name.removesuffix("-lifecycle"): each.inputs["rules"][0]
        for each in find(graph_of("prod"), "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", stack="data")
    }
    days = {name: rule.get("expiration", {}).get("days") for name, rule in rules.items()}
    assert days == {"logs": 365, "files": None, "page": None, "archive": YEARS_5 + 1, "archive-results": 7}
    tiered = {name for name, rule in rules.items() if rule.get("transitions")}
    assert tiered == {"files", "archive"}
    assert {rules[name]["transitions"][0]["storageClass"] for name in tiered} == {"INTELLIGENT_TIERING"}
    assert {rules[name]["noncurrentVersionExpiration"]["noncurrentDays"] for name in ("files", "page", "archive")} == {
        30
    }


def test_the_archive_can_be_asked() -> None:
    """A table by day over the bucket, whose partitions need nobody; answers encrypted, a question's cost bounded."""
    graph = graph_of("prod")
    table = one(graph, "glue/catalogTable:CatalogTable").inputs
    assert {each["name"] for each in table["storageDescriptor"]["columns"]} == set(COLUMNS)
    assert table["parameters"]["projection.enabled"] == "true"
    assert table["parameters"]["storage.location.template"].endswith("/entries/day=${day}/")
    assert [each["name"] for each in table["partitionKeys"]] == ["day"]
    group = one(graph, "athena/workgroup:Workgroup").inputs["configuration"]
    assert group["enforceWorkgroupConfiguration"]
    assert group["bytesScannedCutoffPerQuery"] == 1024**4
    assert group["resultConfiguration"]["encryptionConfiguration"]["encryptionOption"] == "SSE_KMS"


def test_volumes_of_the_log_grow() -> None:
    """At 60 %, never back; the program leaves them alone, and with them the block that a new zone would change."""
    graph = graph_of("prod")
    policy = one(graph, "appautoscaling/policy:Policy", "log-volumes").inputs[
        "targetTrackingScalingPolicyConfiguration"
    ]
    assert (policy["targetValue"], policy["disableScaleIn"]) == (60, True)
    assert one(graph, "msk/cluster:Cluster").options.ignore_changes == ["brokerNodeGroupInfo"]


def test_a_cache_above_100_gb_grows_by_shards() -> None:
    """Cluster mode as an option: shards are added at document D's 80 % of memory; small nodes cannot."""
    wide = {"shards": 3, "shards_max": 12, "node_type": "cache.r7g.large"}
    graph = what_if("staging", "data", cache=wide)
    group = one(graph, CACHE).inputs
    assert (group["numNodeGroups"], group["replicasPerNodeGroup"]) == (3, 1)
    assert "numCacheClusters" not in group
    parameters = {
        each["name"]: each["value"]
        for each in one(graph, "elasticache/parameterGroup:ParameterGroup").inputs["parameters"]
    }
    assert parameters["cluster-enabled"] == "yes"
    target = one(graph, "appautoscaling/target:Target", "cache-shards").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 12)
    policy = one(graph, "appautoscaling/policy:Policy", "cache-shards").inputs
    assert policy["targetTrackingScalingPolicyConfiguration"]["targetValue"] == 80
    with pytest.raises(SettingsError, match=r"cache: shards_max is above shards, .* cache\.m or cache\.r"):
        settings_of(DEV, cache={"shards": 2, "shards_max": 4})


def test_files_are_read_with_the_key_by_our_distributions() -> None:
    """The key lets CloudFront decrypt for this account's distributions alone, in both regions."""
    for kind, region in (("kms/key:Key", "us-east-1"), ("kms/replicaKey:ReplicaKey", "eu-west-1")):
        by_sid = {
            each["Sid"]: each
            for each in statements(one(graph_of("prod"), kind, "data", region=region).inputs["policy"])
        }
        assert by_sid["Distributions"]["Condition"] == {
            "ArnLike": {"aws:SourceArn": "arn:aws:cloudfront::333344445555:distribution/*"}
        }


def test_uploads_come_from_the_chats_pages_alone() -> None:
    """Cross-origin rules name the domain of the environment."""
    (rule,) = one(graph_of("prod"), "s3/bucketCorsConfiguration:BucketCorsConfiguration").inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://chat.example.com"]
    assert "DELETE" not in json.dumps(rule)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"database": {"multi_az": False}}, "database.multi_az: in production it stands in two zones: true"),
        ({"database": {"backup_days": 7}}, "database.backup_days: in production from 14 to 35"),
        (
            {"database": {"storage_gib": 200, "storage_max_gib": 210}},
            "database: storage_max_gib is at least a tenth more",
        ),
        ({"search": {"nodes": 2, "zones": 2}}, "search.nodes: in production 3 or more"),
        ({"search": {"nodes": 4}}, r"search: nodes is a multiple of zones \(3\)"),
        ({"search": {"zones": 1}}, "search.zones: in production 2 or 3"),
        ({"search": {"masters": 0}}, "search.masters: in production 3"),
        ({"brokers": {"nodes": 2}}, "brokers.nodes: .*greater than or equal to 3"),
        ({"cache": {"nodes": 1}}, "cache.nodes: in production from 2 to 6"),
        ({"cache": {"snapshot_days": 1}}, "cache.snapshot_days: in production from 7 to 35"),
        ({"log_days": 30}, "log_days: in production 365 days or more, for audits"),
        ({"backup_days": 7}, "backup_days: in production 14 or more"),
        ({"lock_days": 60}, "lock_days: .*less than or equal to 30"),
        ({"home_region": "us-west-2"}, "home_region: .*'us-east-1' or 'eu-west-1'"),
        ({"databse": {}}, "databse: there is no such setting; there are .*database"),
    ],
)
def test_unsafe_production_is_refused(settings: dict[str, Any], told: str) -> None:
    """One sentence with the key and what is allowed."""
    with pytest.raises(SettingsError, match=told):
        settings_of(PROD, **settings)


def test_production_does_not_begin_with_small_defaults() -> None:
    """What a YAML leaves out is checked as well: the defaults are a development environment's."""
    with pytest.raises(SettingsError, match=r"log_days.*database\.multi_az.*search\.nodes.*cache\.nodes"):
        settings_of(PROD, layers={})
