"""Rules of the network: controls 1 to 11."""

from ipaddress import ip_network
from typing import Final

from nottermost_platform.components.network import GATEWAY_ENDPOINTS, INTERFACE_ENDPOINTS
from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.view import View, get, items, number, parse

VPC: Final = "ec2/vpc:Vpc"
SUBNET: Final = "ec2/subnet:Subnet"
GROUP: Final = "ec2/securityGroup:SecurityGroup"
INGRESS: Final = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"
TABLE: Final = "ec2/routeTable:RouteTable"
EGRESS: Final = "vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT: Final = "ec2/vpcEndpoint:VpcEndpoint"
PUBLIC_PORTS: Final = frozenset({80, 443})
PORTS_MAX: Final = 4  # of one rule; more is "everything" in other words
ZONES_MIN: Final = {"prod": 3}  # per tier; elsewhere 2
ZONES_MIN_ELSEWHERE: Final = 2


def is_anywhere(cidr: object) -> bool:
    """Whether a block is the whole internet, or so much of it that it makes no difference."""
    try:
        return ip_network(str(cidr), strict=False).prefixlen < 8
    except ValueError:
        return False


@rule(
    "vpc-flow-logs", 1, Severity.MEDIUM, VPC,
    title="A VPC's flow log keeps all traffic, encrypted, for a set time (365 days in production)",
    fsbp="EC2.6", checkov="CKV2_AWS_11", nag="VPC7",
    fix="give the VPC a FlowLog of ALL traffic into a log group with key and retention",
)  # fmt: skip
def vpc_flow_logs(vpc: Resource, view: View) -> Lacks:
    logs = view.users_at(vpc, "ec2/flowLog:FlowLog", "vpcId")
    if not logs:
        yield "has no flow log"
    for log in logs:
        if get(log, "trafficType") != "ALL":
            yield f"logs {get(log, 'trafficType')} traffic and not ALL"
        if get(log, "logDestinationType") == "cloud-watch-logs" and not view.targets(
            log, "iamRoleArn", "iam/role:Role"
        ):
            yield "has a flow log without a role to write it"
        groups = view.targets(log, "logDestination", "cloudwatch/logGroup:LogGroup")
        if not groups and not view.targets(log, "logDestination", "s3/bucket:Bucket"):
            yield "logs its traffic to nowhere that is known"
        for group in groups:
            if not view.targets(group, "kmsKeyId", "kms/key:Key"):
                yield "keeps its flow log unencrypted"
            if number(group, "retentionInDays") < (365 if view.is_prod else 1):
                yield f"keeps its flow log for {number(group, 'retentionInDays'):.0f} days"


@rule(
    "default-group-closed", 2, Severity.HIGH, VPC,
    title="A VPC's default security group is adopted and lets nothing through",
    fsbp="EC2.2", checkov="CKV2_AWS_12",
    fix="adopt it as DefaultSecurityGroup with ingress=[] and egress=[]",
)  # fmt: skip
def default_group_closed(vpc: Resource, view: View) -> Lacks:
    groups = view.users_at(vpc, "ec2/defaultSecurityGroup:DefaultSecurityGroup", "vpcId")
    if not groups:
        yield "leaves its default security group as AWS made it, open within"
    for group in groups:
        yield from (
            f"lets traffic through its default group's {way}" for way in ("ingress", "egress") if items(group, way)
        )


@rule(
    "subnets-private-by-default", 3, Severity.MEDIUM, SUBNET,
    title="No subnet hands out public addresses by itself",
    fsbp="EC2.15", checkov="130",
    fix="map_public_ip_on_launch=False; load balancers and NAT get theirs by being public",
)  # fmt: skip
def subnets_private_by_default(subnet: Resource, _view: View) -> Lacks:
    if get(subnet, "mapPublicIpOnLaunch") is not False:
        yield "gives every machine a public address"
    if get(subnet, "assignIpv6AddressOnCreation") is True:
        yield "gives every machine a public IPv6 address"


@rule(
    "private-addresses",
    0,
    Severity.MEDIUM,
    VPC,
    SUBNET,
    title="A VPC and its subnets have private addresses, of a VPC's size at most",
    fix="take the block from the network's settings",
)
def private_addresses(place: Resource, _view: View) -> Lacks:
    block = str(get(place, "cidrBlock", ""))
    if is_anywhere(block) or not block or not ip_network(block, strict=False).is_private:
        yield f"has the addresses {block or 'of nobody'}, which are not private"


@rule(
    "tiers-in-zones", 3, Severity.MEDIUM, VPC,
    title="Each tier of a VPC stands in two zones at least, three in production",
    fsbp="ELB.13 RDS.15", fix="name more zones in the network's settings",
)  # fmt: skip
def tiers_in_zones(vpc: Resource, view: View) -> Lacks:
    tiers: dict[str, set[str]] = {}
    for subnet in view.users_at(vpc, SUBNET, "vpcId"):
        tiers.setdefault(subnet.tags.get("tier", ""), set()).add(get(subnet, "availabilityZone", ""))
    wanted = ZONES_MIN.get(view.env_class, ZONES_MIN_ELSEWHERE)
    for tier in ("public", "app", "data"):
        zones = tiers.get(tier, set()) - {""}
        if len(zones) < wanted:
            yield f"has its {tier} tier in {len(zones)} zones of {wanted}"


@rule(
    "ingress-open", 4, Severity.CRITICAL, INGRESS,
    title="The internet reaches load balancers on 80 and 443, and nothing else",
    fsbp="EC2.18 EC2.19", checkov="24 25 260 277", nag="EC23",
    fix="name a security group or a prefix list as the source; the internet belongs to CloudFront and load balancers",
)  # fmt: skip
def ingress_open(ingress: Resource, view: View) -> Lacks:
    if not any(is_anywhere(get(ingress, each)) for each in ("cidrIpv4", "cidrIpv6")):
        return
    wearers = [
        user.type
        for group in view.targets(ingress, "securityGroupId", GROUP)
        for user in view.users(group)
        if user.type not in (f"aws:{INGRESS}", f"aws:{EGRESS}")
    ]
    first, last = number(ingress, "fromPort"), number(ingress, "toPort")
    if not (first == last and first in PUBLIC_PORTS and get(ingress, "ipProtocol") == "tcp"):
        yield f"opens {get(ingress, 'ipProtocol', 'everything')} {first:.0f} to {last:.0f} to the internet"
    elif set(wearers) != {"aws:lb/loadBalancer:LoadBalancer"}:
        yield "opens to the internet what is no load balancer"


@rule(
    "egress-open", 5, Severity.MEDIUM, EGRESS,
    title="No security group may send everything everywhere",
    checkov="382", fix="allow the port, to a security group, a prefix list or, for HTTPS alone, the internet",
)  # fmt: skip
def egress_open(egress: Resource, _view: View) -> Lacks:
    if str(get(egress, "ipProtocol")) == "-1":
        yield "lets every protocol out"
    elif any(is_anywhere(get(egress, each)) for each in ("cidrIpv4", "cidrIpv6")) and not (
        number(egress, "fromPort") == number(egress, "toPort") == 443
    ):
        yield f"lets ports {number(egress, 'fromPort'):.0f} to {number(egress, 'toPort'):.0f} out to the internet"


@rule(
    "ports-named",
    0,
    Severity.MEDIUM,
    INGRESS,
    EGRESS,
    title="A security group rule names its protocol and its port, or a handful of them",
    fix="a rule for each port that is used",
)
def ports_named(opening: Resource, _view: View) -> Lacks:
    first, last = get(opening, "fromPort"), get(opening, "toPort")
    if get(opening, "ipProtocol") not in ("tcp", "udp"):
        yield f"is of the protocol {get(opening, 'ipProtocol', 'that nobody named')}"
    elif first is None or last is None or not 0 < number(opening, "fromPort") <= number(opening, "toPort"):
        yield "names no port"
    elif last - first >= PORTS_MAX:
        yield f"opens {last - first + 1:.0f} ports at once"


@rule(
    "groups-described", 6, Severity.LOW, GROUP, INGRESS, EGRESS,
    title="Security groups and their rules say what they are for, and no group is left over",
    checkov="23 CKV2_AWS_5", nag="EC27", fix="describe it; delete a group that nothing wears",
)  # fmt: skip
def groups_described(resource: Resource, view: View) -> Lacks:
    if get(resource, "description", "") in ("", "Managed by Pulumi"):
        yield "does not say what it is for"
    if resource.type == f"aws:{GROUP}" and not view.targets(resource, "vpcId", VPC):
        yield "is in no VPC of ours"
    rules = (f"aws:{INGRESS}", f"aws:{EGRESS}")
    if resource.type not in rules and not [each for each in view.users(resource) if each.type not in rules]:
        yield "is worn by nothing"


@rule(
    "groups-without-inline-rules", 7, Severity.MEDIUM, GROUP,
    title="Rules of security groups are resources of their own: inline ones delete those",
    fix="use SecurityGroupIngressRule and SecurityGroupEgressRule",
)  # fmt: skip
def groups_without_inline_rules(group: Resource, _view: View) -> Lacks:
    for way in ("ingress", "egress"):
        if way in group.inputs:
            yield f"has inline {way} rules"


@rule(
    "network-acls", 8, Severity.MEDIUM, "ec2/networkAcl:NetworkAcl", "ec2/networkAclRule:NetworkAclRule",
    title="No network ACL lets the internet in; groups do the work, and none is preferred",
    fsbp="EC2.21", checkov="229 230 231 232 352", nag="VPC3", fix="delete the ACL, or deny the internet in it",
)  # fmt: skip
def network_acls(acl: Resource, _view: View) -> Lacks:
    entries = items(acl, "ingress") if acl.type.endswith(":NetworkAcl") else [acl.inputs]
    for entry in entries:
        allows = get(entry, "action", get(entry, "ruleAction", "allow")) == "allow" and get(entry, "egress") is not True
        if allows and any(is_anywhere(get(entry, each)) for each in ("cidrBlock", "ipv6CidrBlock")):
            yield "lets the internet in"


@rule(
    "vpc-endpoints", 9, Severity.MEDIUM, VPC,
    title="What the chat asks of AWS stays in the VPC: an endpoint for each service it uses",
    fsbp="EC2.10 EC2.55 EC2.56 EC2.57", fix="add the service to the network's endpoints",
)  # fmt: skip
def vpc_endpoints(vpc: Resource, view: View) -> Lacks:
    services = {
        str(get(each, "serviceName")).rpartition(f"{vpc.region}.")[2] for each in view.users_at(vpc, ENDPOINT, "vpcId")
    }
    if get(vpc, "enableDnsSupport") is not True or get(vpc, "enableDnsHostnames") is not True:
        yield "does not resolve the names of its endpoints"
    for missing in sorted({*GATEWAY_ENDPOINTS, *INTERFACE_ENDPOINTS} - services):
        yield f"has no endpoint for {missing}"


@rule(
    "endpoint-policies", 9, Severity.MEDIUM, ENDPOINT,
    title="Endpoints answer to the service's own name, and not for strangers' accounts",
    fsbp="EC2.10", fix="private_dns_enabled=True, and a policy with aws:PrincipalAccount or aws:ResourceAccount",
)  # fmt: skip
def endpoint_policies(endpoint: Resource, view: View) -> Lacks:
    if get(endpoint, "vpcEndpointType") == "Interface":
        if get(endpoint, "privateDnsEnabled") is not True:
            yield "has no private DNS, so nobody uses it"
        if missing := _app_zones(endpoint, view) - {
            str(get(each, "availabilityZone")) for each in view.targets(endpoint, "subnetIds", SUBNET)
        }:
            yield f"does not stand in {', '.join(sorted(missing))}"
        if not view.targets(endpoint, "securityGroupIds", GROUP):
            yield "wears no security group of ours"
    for statement in items(parse(get(endpoint, "policy")), "Statement"):
        named = "*" not in items(statement, "Resource") and not any(
            str(each).endswith("*") for each in items(statement, "Action")
        )
        if get(statement, "Effect") == "Allow" and not get(statement, "Condition") and not named:
            yield "lets any account through to any resource"
    if get(endpoint, "policy") is None:
        yield "has the policy that AWS gives it, which allows everything"


def _app_zones(endpoint: Resource, view: View) -> set[str]:
    """The zones in which services run that use an endpoint."""
    subnets = [each for vpc in view.targets(endpoint, "vpcId", VPC) for each in view.users_at(vpc, SUBNET, "vpcId")]
    return {str(get(each, "availabilityZone")) for each in subnets if each.tags.get("tier") == "app"}


@rule(
    "gateway-endpoints-in-every-table",
    9,
    Severity.LOW,
    ENDPOINT,
    title="A gateway endpoint is in every route table of its VPC: what is left out goes through NAT, or nowhere",
    fsbp="EC2.10",
    fix="hand the network's tables to the endpoint",
)
def gateway_endpoints_in_every_table(endpoint: Resource, view: View) -> Lacks:
    if get(endpoint, "vpcEndpointType", "Gateway") == "Gateway":
        tables = [each for vpc in view.targets(endpoint, "vpcId", VPC) for each in view.users_at(vpc, TABLE, "vpcId")]
        for missing in sorted(
            {each.name for each in tables} - {each.name for each in view.targets(endpoint, "routeTableIds", TABLE)}
        ):
            yield f"is not in {missing}"
        if not tables:
            yield "is in no VPC of ours"


@rule(
    "machines-in-groups",
    11,
    Severity.HIGH,
    "ec2/instance:Instance",
    "ec2/spotInstanceRequest:SpotInstanceRequest",
    title="There is no machine but those that a group makes of a launch template",
    fsbp="EC2.9",
    fix="components/machines.py makes groups; one machine is a group of one",
)
def machines_in_groups(_machine: Resource, _view: View) -> Lacks:
    yield "stands alone: no template says how it is closed, and nothing replaces it"


@rule(
    "vpc-blocks-public-access", 10, Severity.MEDIUM, VPC,
    title="Where no way to the internet is needed, the VPC's block of public access says so",
    fsbp="EC2.172", fix="set VpcBlockPublicAccessOptions, or record why the VPC needs its gateway",
)  # fmt: skip
def vpc_blocks_public_access(vpc: Resource, view: View) -> Lacks:
    options = [
        each
        for each in view.of("ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions")
        if each.region == vpc.region
    ]
    if not any(get(each, "internetGatewayBlockMode") in ("block-bidirectional", "block-ingress") for each in options):
        yield "does not block public access"


@rule(
    "launch-templates", 11, Severity.HIGH, "ec2/launchTemplate:LaunchTemplate",
    title="Machines answer metadata by token alone, have no public address, and encrypt their disks",
    fsbp="EC2.170 EC2.25 EC2.181", fix="metadata_options.http_tokens='required', encrypted disks, no public address",
)  # fmt: skip
def launch_templates(template: Resource, view: View) -> Lacks:
    if get(template, "metadataOptions.httpTokens") != "required":
        yield "answers metadata without a token"
    if any(
        get(each, "associatePublicIpAddress") not in (False, "false") for each in items(template, "networkInterfaces")
    ):
        yield "gives its machines public addresses"
    if not view.targets(template, "iamInstanceProfile", "iam/instanceProfile:InstanceProfile"):
        yield "gives its machines no role of ours"
    if not view.targets(template, "networkInterfaces", GROUP) and not view.targets(
        template, "vpcSecurityGroupIds", GROUP
    ):
        yield "gives its machines no security group of ours"
    disks = items(template, "blockDeviceMappings")
    if not disks or not all(get(each, "ebs.encrypted") in (True, "true") for each in disks):
        yield "leaves disks unencrypted"
