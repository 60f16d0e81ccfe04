"""Rules of ECR: control 48."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nottermost_platform.graph import Resource
from nottermost_platform.naming import PRIMARY
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.view import View, get, items, number, parse, texts

REPOSITORY: Final = "ecr/repository:Repository"
POLICY: Final = "ecr/repositoryPolicy:RepositoryPolicy"
REGISTRY_POLICY: Final = "ecr/registryPolicy:RegistryPolicy"
PUBLIC: Final = "ecrpublic/repository:Repository"
LIFECYCLE: Final = "ecr/lifecyclePolicy:LifecyclePolicy"
COPIES: Final = "ecr/replicationConfiguration:ReplicationConfiguration"
KEY: Final = "kms/key:Key"
KEPT_MIN: Final = 20  # images: a rollback of some weeks


def word(within: Resource | Mapping[str, Any] | None, path: str) -> str:
    """The text at a path; what is missing or no text is empty."""
    value = get(within, path)
    return value if isinstance(value, str) else ""


def words(within: Resource | Mapping[str, Any] | None, path: str) -> set[str]:
    """The texts and numbers of the list at a path, as text."""
    return {str(each) for each in items(within, path) if isinstance(each, str | int)}


@rule(
    "images-kept", 48, Severity.HIGH, REPOSITORY,
    title="Images are scanned, never change under a tag, are encrypted with our key; old ones go, enough stay",
    fsbp="ECR.1 ECR.2 ECR.3", checkov="51 136 163",  nag="ECR1",
    fix="components.cluster.Images; protect and no force_delete in production",
)  # fmt: skip
def images_kept(repository: Resource, view: View) -> Lacks:
    if get(repository, "imageScanningConfiguration.scanOnPush") is not True:
        yield "takes images unseen"
    if get(repository, "imageTagMutability") != "IMMUTABLE":
        yield "lets a tag become another image"
    kinds = {word(each, "encryptionType") for each in items(repository, "encryptionConfigurations")}
    if not kinds or not kinds <= {"KMS", "KMS_DSSE"} or not view.targets(repository, "encryptionConfigurations", KEY):
        yield "is not encrypted with a key of ours"
    if view.is_prod and (get(repository, "forceDelete") is not False or not repository.options.protect):
        yield "can be deleted with the images in it"
    policies = [each for each in view.users_at(repository, LIFECYCLE, "repository") if each.region == repository.region]
    if not policies:
        yield "keeps every image for ever"
    for policy in policies:
        yield from _spared(items(parse(get(policy, "policy")), "rules"), view)


def _spared(rules: list[Any], view: View) -> Iterator[str]:
    """What is wrong with a lifecycle policy's rules."""
    ended = [get(each, "selection.tagStatus") == "untagged" for each in rules if get(each, "action.type") == "expire"]
    if True not in ended:
        yield "keeps untagged images for ever"
    if False not in ended:
        yield "keeps tagged images for ever"
    for each in rules:
        count, untagged = number(each, "selection.countNumber"), get(each, "selection.tagStatus") == "untagged"
        if count < 1:
            yield "deletes images at once"
        elif view.is_prod and not untagged and count < KEPT_MIN:
            yield f"keeps {count:.0f} images: too few to go back to"


@rule(
    "images-copied", 48, Severity.MEDIUM, REPOSITORY,
    title="Images are copied to each region that has a repository of the same name",
    fix="name the region in replicate_to",
)  # fmt: skip
def images_copied(repository: Resource, view: View) -> Lacks:
    name = word(repository, "name")
    homes = {each.region for each in view.of(REPOSITORY) if get(each, "name") == name} - {repository.region}
    if repository.region != PRIMARY:
        return
    rules = [
        each
        for copies in view.of(COPIES) if copies.region == repository.region
        for each in items(copies, "replicationConfiguration.rules")
    ]  # fmt: skip
    reached = {
        word(to, "region")
        for each in rules
        if any(name.startswith(word(only, "filter")) for only in items(each, "repositoryFilters"))
        or not items(each, "repositoryFilters")
        for to in items(each, "destinations")
    }
    for region in sorted(homes - reached):
        yield f"is not copied to {region}, where its images are expected"


@rule(
    "images-not-public", 48, Severity.CRITICAL, POLICY, REGISTRY_POLICY, PUBLIC,
    title="Nobody but named accounts pulls or pushes images",
    fsbp="ECR.4", checkov="32", fix="name the principals",
)  # fmt: skip
def images_not_public(policy: Resource, _view: View) -> Lacks:
    if policy.type == f"aws:{PUBLIC}":
        yield "is a public repository"
        return
    statements = items(parse(get(policy, "policy")), "Statement")
    if not statements:
        yield "cannot be read"
    for statement in statements:
        if get(statement, "Effect") == "Allow" and "*" in {*texts(get(statement, "Principal"))}:
            yield "lets anybody in"
