"""Each rule of the network notices what it is for, and production passes."""

import pytest

from nottermost_platform.rules.network import EGRESS, ENDPOINT, GROUP, INGRESS, SUBNET, VPC
from nottermost_platform.testing import REMOVED, Bad, added, changed, check_bad, removed

FLOW_LOG = "ec2/flowLog:FlowLog"
DEFAULT_GROUP = "ec2/defaultSecurityGroup:DefaultSecurityGroup"
INTERFACE = {"vpcEndpointType": "Interface", "policy": "{}"}
TEMPLATE = {"metadataOptions": {"httpTokens": "required"}, "blockDeviceMappings": [{"ebs": {"encrypted": True}}]}
CASES = [
    Bad("vpc-flow-logs", removed(FLOW_LOG), "has no flow log"),
    Bad("vpc-flow-logs", changed(FLOW_LOG, "trafficType", "ACCEPT"), "ACCEPT"),
    Bad("vpc-flow-logs", changed(FLOW_LOG, "logDestination", REMOVED), "nowhere"),
    Bad("vpc-flow-logs", changed("cloudwatch/logGroup:LogGroup", "kmsKeyId", REMOVED, "main-flow"), "unencrypted"),
    Bad("vpc-flow-logs", changed("cloudwatch/logGroup:LogGroup", "retentionInDays", 30, "main-flow"), "30 days"),
    Bad("default-group-closed", removed(DEFAULT_GROUP), "as AWS made it"),
    Bad("default-group-closed", changed(DEFAULT_GROUP, "ingress", [{"protocol": "-1"}]), "ingress"),
    Bad("subnets-private-by-default", changed(SUBNET, "mapPublicIpOnLaunch", True), "public address"),
    Bad("subnets-private-by-default", changed(SUBNET, "assignIpv6AddressOnCreation", True), "IPv6"),
    Bad("tiers-in-zones", removed(SUBNET, "main-data-us-east-1a"), "data tier in 2 zones of 3"),
    Bad("ingress-open", changed(INGRESS, "cidrIpv4", "0.0.0.0/0", "main-endpoints-in-vpc"), "internet"),
    Bad("egress-open", changed(EGRESS, "ipProtocol", "-1"), "every protocol"),
    Bad("egress-open", added(EGRESS, {"cidrIpv4": "0.0.0.0/0", "ipProtocol": "tcp", "fromPort": 25, "toPort": 25}), "25"),
    Bad("ports-named", changed(EGRESS, "ipProtocol", "icmp"), "protocol icmp"),
    Bad("ports-named", changed(INGRESS, "toPort", 65535, "stores-database-in-clients"), "ports at once"),
    Bad("ports-named", changed(INGRESS, "fromPort", REMOVED), "names no port"),
    Bad("groups-described", changed(GROUP, "description", "Managed by Pulumi"), "what it is for"),
    Bad("groups-described", added(GROUP, {"description": "of nobody"}), "worn by nothing"),
    Bad("groups-described", changed(GROUP, "vpcId", REMOVED), "no VPC of ours"),
    Bad("gateway-endpoints-in-every-table", changed(ENDPOINT, "routeTableIds.0", REMOVED, "main-s3"), "is not in main-"),
    Bad("gateway-endpoints-in-every-table", changed(ENDPOINT, "vpcId", REMOVED, "main-s3"), "no VPC of ours"),
    Bad("groups-without-inline-rules", changed(GROUP, "ingress", []), "inline ingress"),
    Bad("network-acls", added("ec2/networkAcl:NetworkAcl", {"ingress": [{"action": "allow", "cidrBlock": "0.0.0.0/0"}]}), "lets the internet in"),
    Bad("vpc-endpoints", removed(ENDPOINT, "main-kms"), "no endpoint for kms"),
    Bad("vpc-endpoints", changed(VPC, "enableDnsSupport", False), "does not resolve"),
    Bad("private-addresses", changed(SUBNET, "cidrBlock", "0.0.0.0/0"), "not private"),
    Bad("private-addresses", changed(VPC, "cidrBlock", "52.0.0.0/16"), "52.0.0.0/16"),
    Bad("vpc-flow-logs", changed(FLOW_LOG, "iamRoleArn", REMOVED), "without a role"),
    Bad("launch-templates", added("ec2/launchTemplate:LaunchTemplate", TEMPLATE), "no role of ours"),
    Bad("launch-templates", added("ec2/launchTemplate:LaunchTemplate", TEMPLATE), "no security group"),
    Bad("endpoint-policies", changed(ENDPOINT, "privateDnsEnabled", False, "main-kms"), "private DNS"),
    Bad("endpoint-policies", changed(ENDPOINT, "policy", REMOVED), "allows everything"),
    Bad("endpoint-policies", changed(ENDPOINT, "subnetIds.0", REMOVED, "main-kms"), "does not stand in us-east-1"),
    Bad("endpoint-policies", changed(ENDPOINT, "securityGroupIds", [], "main-kms"), "security group"),
    Bad("endpoint-policies", changed(ENDPOINT, "policy.Statement.0.Condition", REMOVED, "main-kms"), "any account"),
    Bad("launch-templates", added("ec2/launchTemplate:LaunchTemplate", {**TEMPLATE, "metadataOptions": {}}), "token"),
    Bad("launch-templates", added("ec2/launchTemplate:LaunchTemplate", {**TEMPLATE, "networkInterfaces": [{"associatePublicIpAddress": "true"}]}), "public addresses"),
    Bad("launch-templates", added("ec2/launchTemplate:LaunchTemplate", {**TEMPLATE, "blockDeviceMappings": []}), "unencrypted"),
    Bad("machines-in-groups", added("ec2/instance:Instance", {"associatePublicIpAddress": True}), "stands alone"),
    Bad("vpc-blocks-public-access", added(VPC, {"cidrBlock": "10.99.0.0/16"}), "public access"),
]  # fmt: skip


@pytest.mark.parametrize("bad", CASES, ids=[f"{each.rule}-{place}" for place, each in enumerate(CASES)])
def test_it_is_noticed(bad: Bad) -> None:
    """The rule says so of the changed graph, and did not of production."""
    check_bad(bad)
