"""What counts as drift, judged on values: a small graph beside what an account would have told."""

from dataclasses import replace
from typing import Any

import pytest

from nottermost_conventions import ExitCode
from nottermost_platform.drift import Drift, Found, Reading, Tagged, Unread, compare, compared_types, render
from nottermost_platform.graph import Graph, Options, Resource, StackGraph
from nottermost_platform.naming import make_urn, nottermost_id
from nottermost_platform.tokens import fill_outputs

ACCOUNT = "111122223333"
HERE = "us-east-1"
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
QUEUE = "aws:sqs/queue:Queue"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SERVICE = "aws:ecs/service:Service"
FUNCTION = "aws:lambda/function:Function"
CERTIFICATE = "aws:acm/certificate:Certificate"
LISTENER = "aws:lb/listener:Listener"
POLICY = '{"Statement":[{"Action":["s3:GetObject"],"Condition":{"Bool":{"aws:SecureTransport":"true"}},"Effect":"Allow","Resource":["arn:aws:s3:::x/*"],"Sid":"Read"}],"Version":"2012-10-17"}'


def declare(
    type_: str, name: str, /, *, tagged: bool = True, needs: tuple[Resource, ...] = (), **inputs: Any
) -> Resource:
    """A resource of the graph. `needs`: what its inputs have placeholders of."""
    urn = make_urn("dev-us-east-1", "nottermost-test", type_, name)
    tags = {"env": "dev", "nottermost-id": nottermost_id(urn)} if tagged else {}
    return Resource(
        urn=urn, type=type_, name=name, custom=True, parent=None, region=HERE, provider=None, dependencies=[],
        inputs={**inputs, **({"tags": tags} if tagged else {})}, tags=tags, source="test",
        property_dependencies={"any": [each.urn for each in needs]} if needs else {},
        options=Options(protect=False, ignore_changes=[], aliases=[], retain_on_delete=False, replace_on_changes=[], import_id=None),
    )  # fmt: skip


def placeholder(resource: Resource, output: str = "id") -> str:
    """What the graph has in place of an output."""
    return str(fill_outputs(resource.type, resource.urn, resource.inputs, region=HERE, account=ACCOUNT)[output])


def graph_of(*resources: Resource) -> Graph:
    stack = StackGraph(
        name="test", region=HERE, project="nottermost-test", stack="dev-us-east-1", requires=[], outputs={},
        resources=list(resources),
    )  # fmt: skip
    return Graph(env="dev", mode="known", stacks=[stack], references=[])


def found_of(resource: Resource, id_: str = "", *, region: str = HERE, **changes: Any) -> Found:
    """A resource as an account has it that was not touched."""
    properties = {key: value for key, value in resource.inputs.items() if key != "tags"}
    tags = {**resource.tags, "managed-by": "pulumi"} if resource.tags else None
    outputs = {"id": id_} if id_ else {}
    return Found(type=resource.type, region=region, properties={**properties, **changes}, outputs=outputs, tags=tags)


def drift_of(
    resources: list[Resource], found: list[Found], *, unread: list[Unread] | None = None,
    tagged: list[Tagged] | None = None, **selected: Any,
) -> Drift:  # fmt: skip
    reading = Reading(found, unread or [], tagged or [])
    return compare(graph_of(*resources), reading, account=ACCOUNT, types=compared_types(), **selected)


def changes_of(resource: Resource, **changes: Any) -> list[str]:
    """The paths that differ when an account has these properties instead."""
    region = "global" if resource.type.startswith("aws:iam/") else HERE
    drift = drift_of([resource], [found_of(resource, "x", region=region, **changes)])
    return [each.path for one in drift.deviations for each in one.properties]


NETWORK = declare(VPC, "main", cidrBlock="10.0.0.0/16")
FIREWALL = declare(GROUP, "web", needs=(NETWORK,), name="dev-use1-web", vpcId=placeholder(NETWORK))
OPENING = declare(
    INGRESS, "web-from-all", needs=(FIREWALL,), securityGroupId=placeholder(FIREWALL), ipProtocol="tcp", fromPort=443, toPort=443,
    cidrIpv4="0.0.0.0/0",
)  # fmt: skip
MAIL = declare(QUEUE, "mail", name="dev-use1-mail", visibilityTimeoutSeconds=30)
READER = declare(ROLE_POLICY, "reader-read", tagged=False, role="dev-use1-reader", name="read", policy=POLICY)


def account_of_network() -> list[Found]:
    return [
        found_of(NETWORK, "vpc-1"),
        found_of(FIREWALL, "sg-1", vpcId="vpc-1"),
        replace(found_of(OPENING, "sgr-1", securityGroupId="sg-1"), belongs_to=(GROUP, "sg-1")),
    ]


# --- references -----------------------------------------------------------------------------------


def test_a_reference_compares_by_the_id_of_what_it_leads_to() -> None:
    """The graph's placeholders are the account's ids: no drift; another network's id is."""
    resources = [NETWORK, FIREWALL, OPENING]
    assert drift_of(resources, account_of_network()).deviations == []
    moved = [found_of(NETWORK, "vpc-1"), found_of(FIREWALL, "sg-1", vpcId="vpc-2"), account_of_network()[2]]
    (changed,) = drift_of(resources, moved).deviations
    (change,) = changed.properties
    assert (changed.kind, change.path, change.before, change.after) == ("changed", "vpcId", '"vpc-1"', '"vpc-2"')


def test_a_reference_to_what_is_missing_says_so() -> None:
    """The network is gone: that is one result, and what refers to it names it."""
    missing, changed = sorted(
        drift_of([NETWORK, FIREWALL], account_of_network()[1:2]).deviations, key=lambda each: -len(each.kind)
    )
    assert {missing.kind, changed.kind} == {"missing", "changed"}
    (gone,) = [each for each in (missing, changed) if each.kind == "changed"]
    assert gone.properties[0].before == '"[aws:ec2/vpc:Vpc main, which is missing]"'


def test_what_drift_does_not_read_stands_for_anything_unless_its_tags_tell() -> None:
    """A certificate's ARN is not known without its tags; with them another certificate is noticed."""
    certificate = declare(CERTIFICATE, "web", domainName="chat.example.com")
    arn = placeholder(certificate, "arn")
    listener = declare(LISTENER, "https", needs=(certificate,), loadBalancerArn="lb", port=443, certificateArn=arn)
    actual = found_of(listener, "l-1", certificateArn="arn:aws:acm:us-east-1:111122223333:certificate/other")
    assert drift_of([certificate, listener], [actual]).deviations == []
    told = Tagged("arn:aws:acm:us-east-1:111122223333:certificate/mine", HERE, certificate.tags)
    (changed,) = drift_of([certificate, listener], [actual], tagged=[told]).deviations
    assert [each.path for each in changed.properties] == ["certificateArn"]


# --- what is the same, and what is not ------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        POLICY.replace('["s3:GetObject"]', '"s3:GetObject"').replace('"Sid":"Read"', '"Sid": "Read"'),
        POLICY.replace('"Version":"2012-10-17"', '"Version": "2012-10-17"'),
    ],
)
def test_a_policy_written_otherwise_is_the_same(policy: str) -> None:
    """Brackets around one action, spaces: AWS gives back what means the same."""
    assert changes_of(READER, policy=policy) == []


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        (POLICY.replace('["s3:GetObject"]', '["s3:GetObject","s3:PutObject"]'), "policy.Statement[Read].Action[]"),
        (POLICY.replace('["s3:GetObject"]', '"s3:*"'), "policy.Statement[Read].Action[]"),
        (POLICY.replace('"Condition":{"Bool":{"aws:SecureTransport":"true"}},', ""), "policy.Statement[Read].Condition.Bool.aws:SecureTransport"),
        (POLICY.replace('"Version"', '"Id":"mine","Version"'), "policy.Id"),
        (POLICY.replace("]}]", ']},{"Sid":"More","Effect":"Allow","Action":"*","Resource":"*"}]').replace('"Sid":"Read"}', '"Sid":"Read"},{"Action":"*","Effect":"Allow","Resource":"*","Sid":"More"}'), "policy.Statement[More].Action"),
    ],
)  # fmt: skip
def test_a_policy_that_allows_more_is_found(policy: str, path: str) -> None:
    """One more action, a wider one, a condition taken away, one more statement."""
    assert path in changes_of(READER, policy=policy)


def test_values_are_compared_by_what_they_mean() -> None:
    """AWS tells numbers and switches as text, lists in any order, and nothing where nothing is set."""
    queue = declare(QUEUE, "q", name="q", visibilityTimeoutSeconds=30, delaySeconds=0, kmsMasterKeyId="key")
    assert changes_of(queue, visibilityTimeoutSeconds="30", delaySeconds="0") == []
    assert changes_of(queue, visibilityTimeoutSeconds="31") == ["visibilityTimeoutSeconds"]
    assert changes_of(queue, kmsMasterKeyId=None) == ["kmsMasterKeyId"]


def test_what_a_program_does_not_say_has_its_usual_value() -> None:
    """A subnet that gives out public addresses by hand is drift, though nobody declared that it does not."""
    subnet = declare(SUBNET, "app", vpcId="vpc-1", cidrBlock="10.0.0.0/24")
    assert changes_of(subnet, mapPublicIpOnLaunch=False) == []
    assert changes_of(subnet, mapPublicIpOnLaunch=True) == ["mapPublicIpOnLaunch"]
    key = declare("aws:kms/key:Key", "data", description="data")
    assert (changes_of(key, isEnabled=True), changes_of(key, isEnabled=False)) == ([], ["isEnabled"])


def test_what_aws_does_not_tell_again_is_left_out() -> None:
    """The first user of a domain is given once and never told; whether its rights are on is."""
    options = {"enabled": True, "masterUserOptions": {"masterUserArn": "admin"}}
    domain = declare("aws:opensearch/domain:Domain", "search", domainName="s", advancedSecurityOptions=options)
    assert changes_of(domain, advancedSecurityOptions={"Enabled": True}) == []
    assert changes_of(domain, advancedSecurityOptions={"Enabled": False}) == ["advancedSecurityOptions.enabled"]


def test_tags_are_compared_to_the_last() -> None:
    """A tag changed, taken away or added by hand is drift; AWS's own tags are not."""
    own = found_of(MAIL, "q")
    assert own.tags is not None
    for tags, path in (
        ({"env": "prod"}, "tags.env"),
        ({"owner": "me"}, "tags.owner"),
        ({"aws:cloudformation": "x"}, None),
    ):
        drift = drift_of([MAIL], [replace(own, tags={**own.tags, **tags})])
        assert [each.path for one in drift.deviations for each in one.properties] == ([path] if path else [])
    untagged = drift_of([MAIL], [replace(own, tags={})])
    assert "tags.managed-by" in [each.path for one in untagged.deviations for each in one.properties]


def test_what_others_own_at_run_time_never_counts() -> None:
    """The promoter sets how many tasks run of which revision; where they run is the program's."""
    service = declare(
        SERVICE, "api", cluster="c", name="api", desiredCount=2, taskDefinition="api:1", propagateTags="SERVICE"
    )
    assert changes_of(service, desiredCount=9, taskDefinition="api:7") == []
    assert changes_of(service, desiredCount=9, propagateTags="NONE") == ["propagateTags"]


def test_what_may_be_a_secret_is_not_shown() -> None:
    """A password that somebody put into an environment by hand is noticed and not printed."""
    function = declare(FUNCTION, "f", name="f", environment={"variables": {"KIND": "cache"}})
    drift = drift_of([function], [found_of(function, "f", environment={"variables": {"KIND": "hunter2"}})])
    assert drift.exit_code is ExitCode.SAYS_NO
    assert "hunter2" not in "\n".join(render(drift))
    added = {"variables": {"KIND": "cache", "TOKEN": "hunter2"}}
    drift = drift_of([function], [found_of(function, "f", environment=added)])
    assert drift.exit_code is ExitCode.SAYS_NO
    assert "hunter2" not in "\n".join(render(drift))


# --- missing, strangers, unread -------------------------------------------------------------------


def test_what_is_not_there_is_missing() -> None:
    """By its name in AWS, with what to do."""
    drift = drift_of([MAIL], [])
    text = "\n".join(render(drift))
    assert "missing  test us-east-1 sqs/queue:Queue mail (dev-use1-mail)" in text
    assert "`nottermost env up` makes it anew" in text
    assert drift.exit_code is ExitCode.SAYS_NO


def test_a_rule_that_nobody_declared_is_a_stranger() -> None:
    """In a group of ours, without any tag; in another's group it is none of our business."""
    ssh = Found(
        type=INGRESS, region=HERE, outputs={"id": "sgr-2"}, tags={}, belongs_to=(GROUP, "sg-1"),
        properties={"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"},
    )  # fmt: skip
    theirs = replace(
        ssh,
        outputs={"id": "sgr-3"},
        belongs_to=(GROUP, "sg-9"),
        properties={**ssh.properties, "securityGroupId": "sg-9"},
    )
    (stranger,) = drift_of([NETWORK, FIREWALL, OPENING], [*account_of_network(), ssh, theirs]).deviations
    assert (stranger.kind, stranger.stack, stranger.physical) == ("stranger", "test", "sgr-2")
    assert "part of web" in stranger.note
    assert ("fromPort", "22") in [(each.path, each.after) for each in stranger.properties]


def test_whatever_bears_our_tags_and_is_not_declared_is_a_stranger() -> None:
    """By the account's tags, of any service; copies of ours, as snapshots, bear the id of what they were made from."""
    tags = {"env": "dev", "managed-by": "pulumi", "nottermost-id": "0123456789abcdef"}
    bucket = Tagged("arn:aws:s3:::handmade", HERE, tags)
    snapshot = Tagged("arn:aws:rds:us-east-1:111122223333:snapshot:old", HERE, {**tags, **MAIL.tags})
    others = Tagged("arn:aws:s3:::staging", HERE, {**tags, "env": "staging"})
    untold = Tagged("arn:aws:s3:::env-only", HERE, {"env": "dev"})
    (stranger,) = drift_of([MAIL], [found_of(MAIL, "q")], tagged=[bucket, snapshot, others, untold]).deviations
    assert (stranger.kind, stranger.type, stranger.physical) == ("stranger", "s3", "arn:aws:s3:::handmade")


def test_a_second_one_with_copied_tags_is_a_stranger() -> None:
    """The one with the declared name is ours; the other bears its tags and is told as such."""
    copy = replace(found_of(MAIL, "q2"), properties={"name": "dev-use1-mail-2", "visibilityTimeoutSeconds": 30})
    for account in ([found_of(MAIL, "q1"), copy], [copy, found_of(MAIL, "q1")]):
        (stranger,) = drift_of([MAIL], account).deviations
        assert (stranger.kind, stranger.physical) == ("stranger", "q2")
        assert "bears the tags of aws:sqs/queue:Queue mail" in stranger.note


def test_what_could_not_be_read_is_neither_missing_nor_fine() -> None:
    """Of the type or of this one resource, in this region: exit 4 with the reason; another region's is no excuse."""
    for unread in (Unread(QUEUE, HERE, "", "AccessDenied"), Unread(QUEUE, HERE, "dev-use1-mail", "AccessDenied")):
        drift = drift_of([MAIL], [], unread=[unread])
        assert [(each.kind, each.note) for each in drift.deviations] == [("unread", "AccessDenied")]
        assert drift.exit_code is ExitCode.COULD_NOT_TELL
    for unread in (
        Unread(QUEUE, "eu-west-1", "", "AccessDenied"),
        Unread(QUEUE, HERE, "dev-use1-other", "AccessDenied"),
    ):
        deviations = drift_of([MAIL], [], unread=[unread]).deviations
        assert [(each.kind, each.region) for each in deviations] == [("missing", HERE), ("unread", unread.region)]


def test_what_could_not_be_read_counts_though_nothing_is_declared_there() -> None:
    """A bucket that declares no policy may have one: exit 4, of the bucket's stack and region alone."""
    bucket = declare("aws:s3/bucket:Bucket", "files", bucket="dev-files")
    found, policy = found_of(bucket, "dev-files"), "aws:s3/bucketPolicy:BucketPolicy"
    unread = [Unread(policy, HERE, "dev-files", "AccessDenied")]
    asked: list[dict[str, Any]] = [{}, {"stack": "test"}, {"region": HERE}]
    others: list[dict[str, Any]] = [{"stack": "other"}, {"region": "eu-west-1"}]
    for selected in asked:
        drift = drift_of([bucket], [found], unread=unread, **selected)
        assert [(each.kind, each.stack, each.type, each.name, each.note) for each in drift.deviations] == [
            ("unread", "test", policy, "dev-files", "AccessDenied")
        ]
        assert drift.exit_code is ExitCode.COULD_NOT_TELL
    for selected in others:
        assert drift_of([bucket], [found], unread=unread, **selected).deviations == []
    (whole,) = drift_of([bucket], [found], unread=[Unread(QUEUE, "eu-west-1", "", "throttled")]).deviations
    assert (whole.kind, whole.region, whole.name) == ("unread", "eu-west-1", "all that are there")


def test_a_stranger_that_a_reader_has_no_tags_of_is_told_by_its_tags() -> None:
    """That it was read does not keep the tagging service's word of it back."""
    tags, arn = {"env": "dev", "managed-by": "pulumi"}, "arn:aws:rds:us-east-1:111122223333:db-proxy:prx-1"
    proxy = Found(
        type="aws:rds/proxy:Proxy", region=HERE, properties={"name": "mine"}, outputs={"id": "mine", "arn": arn}
    )
    account = [found_of(MAIL, "q"), proxy]
    (stranger,) = drift_of([MAIL], account, tagged=[Tagged(arn, HERE, tags)]).deviations
    assert (stranger.kind, stranger.physical) == ("stranger", arn)
    (once,) = drift_of([MAIL], [account[0], replace(proxy, tags=tags)], tagged=[Tagged(arn, HERE, tags)]).deviations
    assert (once.kind, once.physical) == ("stranger", "mine")


def test_a_difference_is_a_no_whatever_else_is_unread() -> None:
    """3 before 4; and with nothing compared there is no yes."""
    both = drift_of([MAIL, NETWORK], [], unread=[Unread(QUEUE, HERE, "", "throttled")])
    assert both.exit_code is ExitCode.SAYS_NO
    assert drift_of([], []).exit_code is ExitCode.COULD_NOT_TELL
    strangers = drift_of([MAIL], [found_of(MAIL, "q")], unread=[Unread("tags", HERE, "", "AccessDenied")])
    assert strangers.exit_code is ExitCode.COULD_NOT_TELL


def test_a_part_can_be_asked_for() -> None:
    """What is not of the stack or the region is left out, strangers of no stack too."""
    tagged = [Tagged("arn:aws:s3:::x", HERE, {"env": "dev", "managed-by": "pulumi"})]
    assert [each.kind for each in drift_of([MAIL], [], tagged=tagged, stack="test").deviations] == ["missing"]
    assert drift_of([MAIL], [], tagged=tagged, stack="other").deviations == []
    assert drift_of([MAIL], [], tagged=tagged, region="eu-west-1").deviations == []


def test_the_sum_says_what_was_not_compared() -> None:
    """Types that nobody reads are counted, so that silence about them is not taken for a pass."""
    certificate = declare(CERTIFICATE, "web", domainName="chat.example.com")
    drift = drift_of([MAIL, certificate], [found_of(MAIL, "q")])
    assert drift.not_compared == {CERTIFICATE: 1}
    assert list(render(drift))[-2:] == [
        f"dev in account {ACCOUNT}: 1 resources compared, no drift",
        "not compared: 1 resources of 1 types (see --json)",
    ]
