"""`nottermost env drift` through the command line, against an account that moto serves."""

import json
from collections.abc import Iterator

import pytest

from nottermost_cli.testing import Call, make_call
from nottermost_conventions import ExitCode
from nottermost_platform.graph import Resource
from nottermost_platform.testing import find, graph_of
from nottermost_platform.testing_account import Maker, credentials, make_account, running_account

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # an account of 400 resources is made first, by as many calls
ENV = "pr-0"
ACCOUNT = "111122223333"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with running_account(ACCOUNT, tmp_path_factory.mktemp("moto") / "moto.log") as address:
        yield make_account(graph_of(ENV), address, ACCOUNT)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], maker: Maker) -> Call:
    """With credentials of that account."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in credentials(maker.address).items():
        monkeypatch.setenv(name, value)
    return make_call(monkeypatch, capfd)


def test_drift_of_an_account_before_and_after(call: Call, maker: Maker) -> None:
    """As declared: 0. Then a tag, a port, a role, a queue, a stranger and what the promoter owns: each told, exit 3."""
    clean = call("drift", ENV)
    assert (clean.code, clean.err) == (ExitCode.DONE, "")
    assert f"{ENV} in account {ACCOUNT}: " in clean.out
    assert " resources compared, no drift\n" in clean.out
    assert "not compared: " in clean.out
    words = _change(maker)
    result = call("drift", ENV)
    assert result.code == ExitCode.SAYS_NO
    lines = [line.strip() for line in result.out.splitlines()]
    for first, then in words:
        (at,) = [number for number, line in enumerate(lines) if line.startswith(first)]
        assert any(line.startswith(then) for line in lines[at + 1 : at + 6]), lines[at : at + 6]
    assert "desiredCount" not in result.out
    assert ", 2 missing, 2 changed, 2 stranger" in result.out
    part = call("drift", ENV, "--stack", "async", "--json")
    assert part.code == ExitCode.SAYS_NO
    found = json.loads(part.out)
    assert (found["stack"], {each["stack"] for each in found["deviations"]}) == ("async", {"async"})
    assert {each["kind"] for each in found["deviations"]} == {"missing", "changed"}


def _change(maker: Maker) -> list[tuple[str, str]]:
    """What an operator would do by hand; returns how each begins in the output, and a line that follows.

    Beside it a service is scaled, which the promoter may.
    """
    graph, ec2, sqs = graph_of(ENV), maker.client("ec2"), maker.client("sqs")
    topic = find(graph, "sns/topic:Topic", stack="async")[0]
    arn = f"arn:aws:sns:us-east-1:{ACCOUNT}:{topic.inputs['name']}"
    maker.client("sns").tag_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "somebody"}])
    firewall = find(graph, "ec2/securityGroup:SecurityGroup")[0]
    names = [{"Name": "group-name", "Values": [firewall.inputs["name"]]}]
    (group,) = ec2.describe_security_groups(Filters=names)["SecurityGroups"]
    port = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    (rule,) = ec2.authorize_security_group_ingress(GroupId=group["GroupId"], **port)["SecurityGroupRules"]
    policy = find(graph, "iam/rolePolicy:RolePolicy")[0]
    wide = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    role, name = policy.inputs["role"], policy.inputs["name"]
    maker.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=wide)
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="pr-0-use1-push")["QueueUrl"])
    sqs.create_queue(QueueName="handmade", tags={"env": ENV, "managed-by": "pulumi"})
    service, cluster = (find(graph, each)[0].inputs["name"] for each in ("ecs/service:Service", "ecs/cluster:Cluster"))
    maker.client("ecs").update_service(cluster=cluster, service=service, desiredCount=7)
    return [
        (f"changed  async us-east-1 sns/topic:Topic {topic.name} ({arn})", 'tags.owner: "platform" → "somebody"'),
        (
            f"stranger {group_stack(firewall)} us-east-1 vpc/securityGroupIngressRule:SecurityGroupIngressRule {rule['SecurityGroupRuleId']}: part of {firewall.name}",
            'cidrIpv4: (none) → "0.0.0.0/0"',
        ),
        (
            f"changed  {group_stack(policy)} us-east-1 iam/rolePolicy:RolePolicy {policy.name} ({role} {name})",
            "policy.Statement",
        ),
        (
            "missing  async us-east-1 sqs/queue:Queue push (pr-0-use1-push)",
            "missing  async us-east-1 sqs/queuePolicy:QueuePolicy",
        ),
        (
            f"stranger us-east-1 sqs handmade (arn:aws:sqs:us-east-1:{ACCOUNT}:handmade): bears the tags of {ENV}",
            "stranger ",
        ),
    ]


def group_stack(resource: Resource) -> str:
    """The stack that declares a resource, by its URN's project."""
    return resource.urn.split("::")[1].removeprefix("nottermost-")


def test_what_makes_no_sense_is_wrong_usage(call: Call) -> None:
    """A region or a stack that the environment does not have."""
    region = call("drift", ENV, "--region", "eu-west-1")
    assert region.code == ExitCode.USAGE
    assert "pr-0 is not in eu-west-1: us-east-1" in region.err
    assert call("drift", ENV, "--stack", "delivery").code == ExitCode.USAGE


def test_another_account_is_not_compared(call: Call) -> None:
    """Staging's programs against dev's account: exit 4 with both numbers."""
    result = call("drift", "staging")
    assert result.code == ExitCode.COULD_NOT_TELL
    assert result.out == ""
    assert f"these credentials are of account {ACCOUNT}, but the environment is in 222233334444" in result.err


def test_nobody_answering_is_no_pass(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is not there: exit 4 with why."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = call("drift", ENV)
    assert result.code == ExitCode.COULD_NOT_TELL
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:9/"' in result.err
