"""The admin host: nobody comes in, it reaches the stores, and its role allows what setting them up takes."""

from typing import Any

import pytest

from nottermost_platform.components.machines import managed_by_ssm
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one, statements, what_if

GROUP, TEMPLATE, ROLE = "autoscaling/group:Group", "ec2/launchTemplate:LaunchTemplate", "iam/role:Role"
FIREWALL, SUBNET, POLICY = "ec2/securityGroup:SecurityGroup", "ec2/subnet:Subnet", "iam/rolePolicy:RolePolicy"
IN = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
REGIONS = ("us-east-1", "eu-west-1")
ACCOUNT = "333344445555"
CODES = {"us-east-1": "use1", "eu-west-1": "euw1"}


def allowed(name: str, region: str) -> dict[str, Any]:
    """What a role of production's stores may do: resources by action."""
    policies = [each for each in find(graph_of("prod"), POLICY, stack="data", region=region)
                if each.inputs["role"] == f"prod-{CODES[region]}-{name}"]  # fmt: skip
    said = [each for policy in policies for each in statements(policy.inputs["policy"])]
    assert {each["Effect"] for each in said} == {"Allow"}
    return {action: each["Resource"] for each in said for action in each["Action"]}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_it_costs_nothing_until_it_is_wanted(env: str) -> None:
    """There is none."""
    group = one(graph_of(env), GROUP, "admin", stack="data").inputs
    assert (group["minSize"], group["maxSize"]) == (0, 0)
    assert "desiredCapacity" not in group


def test_a_setting_makes_it_one() -> None:
    """One and never more."""
    group = one(what_if("dev", "data", admin_host=True), GROUP, "admin", stack="data").inputs
    assert (group["minSize"], group["maxSize"]) == (1, 1)


@pytest.mark.parametrize("region", REGIONS)
def test_nobody_comes_in(region: str) -> None:
    """No address, no key, no open port: metadata by token, an encrypted disk, in the subnets with a way out."""
    graph = graph_of("prod")
    template = one(graph, TEMPLATE, "admin", stack="data", region=region)
    assert template.inputs["metadataOptions"]["httpTokens"] == "required"
    assert template.inputs["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
    assert "keyName" not in template.inputs
    (interface,) = template.inputs["networkInterfaces"]
    assert interface["associatePublicIpAddress"] == "false"
    own, clients = (one(graph, FIREWALL, name, stack="data", region=region) for name in ("admin", "stores-clients"))
    open_ports = [each for each in find(graph, IN, region=region)
                  if {own.urn, clients.urn} & set(each.property_dependencies["securityGroupId"])]  # fmt: skip
    assert open_ports == []
    app = {
        each.urn for each in find(graph, SUBNET, stack="network", region=region) if each.inputs["tags"]["tier"] == "app"
    }
    group = one(graph, GROUP, "admin", stack="data", region=region)
    stands_in = {
        each.to for each in graph.references if each.from_ == group.urn and each.property.startswith("vpcZone")
    }
    assert stands_in == app
    wears = {urn for urn in template.property_dependencies["networkInterfaces"] if ":SecurityGroup::" in urn}
    assert wears == {own.urn, clients.urn}


@pytest.mark.parametrize("region", REGIONS)
def test_its_role_reads_one_password_and_takes_one_role(region: str) -> None:
    """And is a machine of Systems Manager; the standby's copy of the password is under AWS's own key."""
    found = allowed("admin", region)
    ssm = {action for each in managed_by_ssm(region, ACCOUNT) for action in each.actions}
    assert set(found) - ssm == {"secretsmanager:GetSecretValue", "sts:AssumeRole"} | (
        {"kms:Decrypt"} if region == "us-east-1" else set()
    )
    (secret,) = found["secretsmanager:GetSecretValue"]
    assert secret.startswith(f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:prod-use1-database-password")
    assert found["sts:AssumeRole"] == [f"arn:aws:iam::{ACCOUNT}:role/prod-{CODES[region]}-search-admin"]


@pytest.mark.parametrize("region", REGIONS)
def test_only_the_host_takes_the_administrators_role(region: str) -> None:
    """Which may call its own domain, and nothing else."""
    place = f"prod-{CODES[region]}"
    role = one(graph_of("prod"), ROLE, "search-admin", stack="data", region=region)
    (trusted,) = statements(role.inputs["assumeRolePolicy"])
    host = one(graph_of("prod"), ROLE, "admin", stack="data", region=region).inputs["name"]
    assert trusted["Condition"] == {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{host}"}}
    verbs = ("Delete", "Get", "Head", "Patch", "Post", "Put")
    domain = [f"arn:aws:es:{region}:{ACCOUNT}:domain/{place}-search/*"]
    assert allowed("search-admin", region) == {f"es:ESHttp{verb}": domain for verb in verbs}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_policy_called_session_is_a_machines(env: str) -> None:
    """It is accepted by that name (platform/suppressions.yaml)."""
    graph = graph_of(env)
    regions = sorted({each.region for each in graph.stacks})
    policies = {
        region: [each for each in find(graph, POLICY, region=region) if each.name.endswith("-session")]
        for region in regions
    }
    assert all(policies.values())
    for region, sessions in policies.items():
        for each in sessions:
            found = list(statements(each.inputs["policy"]))
            account = found[-1]["Resource"][0].split(":")[4]
            assert found == [said.render() for said in managed_by_ssm(region, account)]
