"""Each rule of ECR notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules import View
from nottermost_platform.rules.images import COPIES, LIFECYCLE, POLICY, PUBLIC, REGISTRY_POLICY, REPOSITORY
from nottermost_platform.testing import (
    REMOVED,
    UNPROTECTED,
    Bad,
    added,
    altered,
    changed,
    check_bad,
    graph_of,
    removed,
    says,
    view_of,
)

RULES = "replicationConfiguration.rules.0"
OPEN = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":["ecr:BatchGetImage"]}]}'
OF_ONE = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::333344445555:root"]}}]}'
CASES = [
    Bad("images-kept", changed(REPOSITORY, "imageScanningConfiguration.scanOnPush", False), "unseen"),
    Bad("images-kept", changed(REPOSITORY, "imageTagMutability", "MUTABLE"), "another image"),
    Bad("images-kept", changed(REPOSITORY, "encryptionConfigurations.0.encryptionType", "AES256"), "key of ours"),
    Bad("images-kept", changed(REPOSITORY, "encryptionConfigurations.0.kmsKey", REMOVED), "key of ours"),
    Bad("images-kept", changed(REPOSITORY, "forceDelete", True), "deleted"),
    Bad("images-kept", altered(REPOSITORY, options=UNPROTECTED), "deleted"),
    Bad("images-kept", removed(LIFECYCLE), "every image for ever"),
    Bad("images-kept", changed(LIFECYCLE, "policy.rules.0.selection.tagStatus", "tagged"), "untagged images for ever"),
    Bad("images-kept", changed(LIFECYCLE, "policy.rules.1.action", REMOVED), "keeps tagged images for ever"),
    Bad("images-kept", changed(LIFECYCLE, "policy.rules.0.selection.countNumber", 0), "at once"),
    Bad("images-kept", changed(LIFECYCLE, "policy.rules.1.selection.countNumber", 3), "keeps 3 images"),
    Bad("images-copied", removed(COPIES), "not copied to eu-west-1"),
    Bad("images-copied", changed(COPIES, f"{RULES}.repositoryFilters.0.filter", "other/"), "not copied"),
    Bad("images-copied", changed(COPIES, f"{RULES}.destinations.0.region", "us-west-2"), "not copied"),
    Bad("images-not-public", added(POLICY, {"policy": OPEN}), "anybody"),
    Bad("images-not-public", added(REGISTRY_POLICY, {"policy": "{}"}), "cannot be read"),
    Bad("images-not-public", added(PUBLIC, {"repositoryName": "chat"}), "public repository"),
]


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)


def test_a_policy_for_one_account_passes() -> None:
    """Types that production has not are judged by what they say."""
    graph = added(POLICY, {"policy": OF_ONE})(graph_of("prod"))
    assert says("images-not-public", View(graph, like=view_of("prod"))) == set()
