"""The cluster: where containers run, what is logged of shells, images whose tags never move."""

import json

import pytest

from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks import cluster
from nottermost_platform.testing import find, graph_of, one

REGIONS = ("us-east-1", "eu-west-1")
PROD = Place(env="prod", region="us-east-1")


@pytest.mark.parametrize("region", REGIONS)
def test_shells_are_logged_and_encrypted(region: str) -> None:
    """Control 47; the log is an audit log: it stays a year and outlives the stack (74)."""
    found = one(graph_of("prod"), "ecs/cluster:Cluster", "main", region=region).inputs
    assert found["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    shell = found["configuration"]["executeCommandConfiguration"]
    assert shell["logging"] == "OVERRIDE"
    assert shell["kmsKeyId"].startswith("arn:aws:kms:")
    log = one(graph_of("prod"), "cloudwatch/logGroup:LogGroup", "main-shells", region=region)
    assert shell["logConfiguration"]["cloudWatchLogGroupName"] == log.inputs["name"]
    assert log.inputs["retentionInDays"] >= 365
    assert log.inputs["kmsKeyId"]
    assert log.options.retain_on_delete


def test_tasks_start_on_demand_unless_told_otherwise() -> None:
    """Spot is there for who asks; the default has a base on demand (41)."""
    capacity = one(graph_of("prod"), "ecs/clusterCapacityProviders:ClusterCapacityProviders").inputs
    assert capacity["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    (usual,) = capacity["defaultCapacityProviderStrategies"]
    assert (usual["capacityProvider"], usual["base"]) == ("FARGATE", 1)


@pytest.mark.parametrize("region", REGIONS)
def test_images_stay_what_they_are(region: str) -> None:
    """Control 48: scanned, immutable, encrypted with a key, an end to what is kept; in production no `force_delete`."""
    graph = graph_of("prod")
    repositories = find(graph, "ecr/repository:Repository", stack="cluster", region=region)
    assert {each.inputs["name"] for each in repositories} == {"nottermost/prod/chat", "nottermost/prod/collector"}
    policies = find(graph, "ecr/lifecyclePolicy:LifecyclePolicy", stack="cluster", region=region)
    assert {each.inputs["repository"] for each in policies} == {each.inputs["name"] for each in repositories}
    for policy in policies:
        untagged, rest = json.loads(policy.inputs["policy"])["rules"]
        assert untagged["selection"]["tagStatus"] == "untagged"
        assert rest["selection"]["countNumber"] == 200
    for each in repositories:
        assert each.inputs["imageTagMutability"] == "IMMUTABLE"
        assert each.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
        assert each.inputs["encryptionConfigurations"][0]["encryptionType"] == "KMS"
        assert each.inputs["encryptionConfigurations"][0]["kmsKey"]
        assert each.options.protect
        assert not each.inputs["forceDelete"]


def test_images_are_copied_to_the_standby() -> None:
    """By one rule of the primary's registry, for this environment's images only."""
    type_ = "ecr/replicationConfiguration:ReplicationConfiguration"
    (rule,) = one(graph_of("prod"), type_).inputs["replicationConfiguration"]["rules"]
    assert rule["destinations"] == [{"region": "eu-west-1", "registryId": "333344445555"}]
    assert rule["repositoryFilters"] == [{"filter": "nottermost/prod/", "filterType": "PREFIX_MATCH"}]
    assert not find(graph_of("prod"), type_, region="eu-west-1")
    assert not find(graph_of("staging"), type_)


def test_services_find_each_other_in_their_vpc() -> None:
    """A private namespace of the environment."""
    names = one(graph_of("prod"), "servicediscovery/privateDnsNamespace:PrivateDnsNamespace").inputs
    assert names["name"] == "prod.nottermost.internal"
    assert names["vpc"].startswith("vpc-")


def test_production_keeps_what_was_typed() -> None:
    """One sentence with the key and what is allowed."""
    given = {"account_id": "333344445555", "domain": "chat.example.com", "shell_log_days": 30}
    with pytest.raises(SettingsError, match=r"shell_log_days: in production .* 365, 400 or 731 \(it is 30\)"):
        load(cluster.Settings, cluster.LAYERS, PROD, given, source="")
