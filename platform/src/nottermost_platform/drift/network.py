"""Reads networks: VPCs, subnets, routes, security groups rule by rule, endpoints."""

from collections.abc import Iterator
from typing import Any, Final

from nottermost_platform.drift.account import View, pick, tags_of
from nottermost_platform.drift.readers import reader
from nottermost_platform.drift.values import Found

VPC: Final = "aws:ec2/vpc:Vpc"
SUBNET: Final = "aws:ec2/subnet:Subnet"
TABLE: Final = "aws:ec2/routeTable:RouteTable"
ROUTE: Final = "aws:ec2/route:Route"
ASSOCIATION: Final = "aws:ec2/routeTableAssociation:RouteTableAssociation"
GATEWAY: Final = "aws:ec2/internetGateway:InternetGateway"
NAT: Final = "aws:ec2/natGateway:NatGateway"
ADDRESS: Final = "aws:ec2/eip:Eip"
GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
INGRESS: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW_LOG: Final = "aws:ec2/flowLog:FlowLog"
GONE: Final = frozenset({"deleted", "deleting", "failed"})  # EC2 shows what is gone for about an hour

ROUTE_PATHS: Final = {
    "destinationCidrBlock": "DestinationCidrBlock", "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId", "gatewayId": "GatewayId", "natGatewayId": "NatGatewayId",
    "transitGatewayId": "TransitGatewayId", "vpcPeeringConnectionId": "VpcPeeringConnectionId",
    "networkInterfaceId": "NetworkInterfaceId",
}  # fmt: skip


def _found(type_: str, view: View, item: dict[str, Any], id_: str, **paths: str) -> Found:
    return Found(
        type=type_, region=view.region, properties=pick(item, **paths), outputs={"id": item[id_]},
        tags=tags_of(item.get("Tags")),
    )  # fmt: skip


@reader(VPC, SUBNET, GATEWAY, NAT, ADDRESS, FLOW_LOG)
def read_networks(view: View) -> Iterator[Found]:
    for vpc in view.list("ec2", "describe_vpcs", "Vpcs"):
        if view.is_ours(VPC, "", tags_of(vpc.get("Tags"))):
            yield _read_vpc(view, vpc)
    for each in view.list("ec2", "describe_subnets", "Subnets"):
        yield _found(
            SUBNET, view, each, "SubnetId", vpcId="VpcId", cidrBlock="CidrBlock", availabilityZone="AvailabilityZone",
            mapPublicIpOnLaunch="MapPublicIpOnLaunch", assignIpv6AddressOnCreation="AssignIpv6AddressOnCreation",
        )  # fmt: skip
    for each in view.list("ec2", "describe_internet_gateways", "InternetGateways"):
        yield _found(GATEWAY, view, each, "InternetGatewayId", vpcId="Attachments[0].VpcId")
    for each in view.list("ec2", "describe_nat_gateways", "NatGateways"):
        if each.get("State") not in GONE:
            allocation = "NatGatewayAddresses[0].AllocationId"
            yield _found(NAT, view, each, "NatGatewayId", subnetId="SubnetId", allocationId=allocation)
    for each in view.list("ec2", "describe_addresses", "Addresses"):
        found = _found(ADDRESS, view, each, "AllocationId", domain="Domain")
        found.outputs["allocationId"] = each["AllocationId"]
        yield found
    for each in view.list("ec2", "describe_flow_logs", "FlowLogs"):
        yield _found(
            FLOW_LOG, view, {**each, "Arn": _log_group_arn(view, each)}, "FlowLogId", vpcId="ResourceId", trafficType="TrafficType",
            logDestinationType="LogDestinationType", logDestination="LogDestination || Arn",
            iamRoleArn="DeliverLogsPermissionArn", maxAggregationInterval="MaxAggregationInterval",
        )  # fmt: skip


def _log_group_arn(view: View, flow_log: dict[str, Any]) -> str:
    return f"arn:aws:logs:{view.region}:{view.account_id}:log-group:{flow_log.get('LogGroupName', '')}"


def _read_vpc(view: View, vpc: dict[str, Any]) -> Found:
    found = _found(VPC, view, vpc, "VpcId", cidrBlock="CidrBlock")
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = view.get("ec2", "describe_vpc_attribute", VpcId=vpc["VpcId"], Attribute=name) or {}
        found.properties[name] = answer.get(f"{name[0].upper()}{name[1:]}", {}).get("Value")
    return found


@reader(TABLE, ROUTE, ASSOCIATION)
def read_routes(view: View) -> Iterator[Found]:
    for table in view.list("ec2", "describe_route_tables", "RouteTables"):
        yield _found(TABLE, view, table, "RouteTableId", vpcId="VpcId")
        id_ = table["RouteTableId"]
        for each in filter(_was_added, table["Routes"]):
            yield Found(
                type=ROUTE, region=view.region, properties={"routeTableId": id_, **pick(each, **ROUTE_PATHS)},
                belongs_to=(TABLE, id_),
            )  # fmt: skip
        for each in table["Associations"]:
            if each.get("SubnetId"):
                yield Found(
                    type=ASSOCIATION, region=view.region, properties={"routeTableId": id_, "subnetId": each["SubnetId"]},
                    outputs={"id": each["RouteTableAssociationId"]}, belongs_to=(TABLE, id_),
                )  # fmt: skip


def _was_added(route: dict[str, Any]) -> bool:
    """Not the VPC's own, and not one that a gateway endpoint brings."""
    return route.get("GatewayId") != "local" and not str(route.get("GatewayId", "")).startswith("vpce-")


@reader(GROUP, DEFAULT_GROUP, INGRESS, EGRESS)
def read_security_groups(view: View) -> Iterator[Found]:
    groups = view.list("ec2", "describe_security_groups", "SecurityGroups")
    types = {each["GroupId"]: DEFAULT_GROUP if each["GroupName"] == "default" else GROUP for each in groups}
    for each in groups:
        type_ = types[each["GroupId"]]
        paths = {"name": "GroupName", "description": "Description"} if type_ == GROUP else {}
        yield _found(type_, view, each, "GroupId", vpcId="VpcId", **paths)
    for each in view.list("ec2", "describe_security_group_rules", "SecurityGroupRules"):
        yield _read_rule(view, each, types.get(each["GroupId"], GROUP))


def _read_rule(view: View, rule: dict[str, Any], group_type: str) -> Found:
    properties = pick(
        rule, securityGroupId="GroupId", ipProtocol="IpProtocol", fromPort="FromPort", toPort="ToPort",
        cidrIpv4="CidrIpv4", cidrIpv6="CidrIpv6", prefixListId="PrefixListId",
        referencedSecurityGroupId="ReferencedGroupInfo.GroupId",
    )  # fmt: skip
    if properties["ipProtocol"] == "-1":  # all protocols have no ports, which AWS says as -1
        properties |= {"fromPort": None, "toPort": None}
    return Found(
        type=EGRESS if rule["IsEgress"] else INGRESS, region=view.region, properties=properties,
        outputs={"id": rule["SecurityGroupRuleId"]}, tags=tags_of(rule.get("Tags")), belongs_to=(group_type, rule["GroupId"]),
    )  # fmt: skip


@reader(ENDPOINT)
def read_endpoints(view: View) -> Iterator[Found]:
    for each in view.list("ec2", "describe_vpc_endpoints", "VpcEndpoints"):
        if each.get("State") not in GONE:
            yield _found(
                ENDPOINT, view, each, "VpcEndpointId", vpcId="VpcId", serviceName="ServiceName",
                vpcEndpointType="VpcEndpointType", policy="PolicyDocument", routeTableIds="RouteTableIds",
                subnetIds="SubnetIds", securityGroupIds="Groups[].GroupId", privateDnsEnabled="PrivateDnsEnabled",
            )  # fmt: skip
