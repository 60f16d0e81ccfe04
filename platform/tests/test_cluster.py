"""The cluster: where containers run, what is logged of shells, images whose tags never move."""

import json

import pytest

from nottermost_platform.settings import Place, SettingsError, load
from nottermost_platform.stacks import cluster
from nottermost_platform.testing import find, graph_of, one

REGIONS = ("us-east-1", "eu-west-1")
PROD = Place(env="prod", region="us-east-1")


@pytest.mark.parametrize("region", REGIONS)
def test_images_are_of_this_environment(region: str) -> None:
    """One repository for what runs and one for what watches it, each with an end to what is kept."""
    graph = graph_of("prod")
    repositories = find(graph, "ecr/repository:Repository", stack="cluster", region=region)
    assert {each.inputs["name"] for each in repositories} == {"nottermost/prod/chat", "nottermost/prod/collector"}
    for policy in find(graph, "ecr/lifecyclePolicy:LifecyclePolicy", stack="cluster", region=region):
        _, rest = json.loads(policy.inputs["policy"])["rules"]
        assert rest["selection"]["countNumber"] == 200


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
