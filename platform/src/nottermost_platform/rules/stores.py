"""What the rules of all stores ask: keys and groups of ours, subnets that lead nowhere, logs that are kept."""

from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.rules.engine import Lacks
from nottermost_platform.rules.network import GROUP, SUBNET, ZONES_MIN, ZONES_MIN_ELSEWHERE, is_anywhere
from nottermost_platform.rules.view import View, get, items

KEYS: Final = ("kms/key:Key", "kms/replicaKey:ReplicaKey")
LOG_GROUP: Final = "cloudwatch/logGroup:LogGroup"
ROLE: Final = "iam/role:Role"
TARGET: Final = "appautoscaling/target:Target"
SCALING: Final = "appautoscaling/policy:Policy"
DESTINATIONS: Final = ("destinationCidrBlock", "destinationIpv6CidrBlock", "cidrBlock", "ipv6CidrBlock")


def are_ours(resource: Resource, view: View, path: str, *types: str) -> bool:
    """Whether each value at a path stands for one of ours of these types, in the region; one at least."""
    values = items(resource, path)
    return bool(values) and all(
        any(each.region == resource.region for each in view.meant(value, *types)) for value in values
    )


def has_key(resource: Resource, view: View, path: str) -> bool:
    """Whether the value at a path is a key of ours, of the resource's own region."""
    return are_ours(resource, view, path, *KEYS)


def lacks_ground(resource: Resource, view: View, subnets: str, groups: str = "", zones: int = 0) -> Lacks:
    """What is wrong with where a store stands: data subnets of ours behind groups of ours.

    Args:
        subnets, groups: paths of lists; groups "": its members wear them.
        zones: how many it has to stand in; 0: as many as tiers of the network do.
    """
    if not are_ours(resource, view, subnets, SUBNET):
        yield "stands in subnets that are not ours"
    found = view.targets(resource, subnets, SUBNET)
    for subnet in found:
        if subnet.tags.get("tier") != "data" or leads_out(subnet, view):
            yield f"stands in {subnet.name}, which is no data subnet or leads to the internet"
    within = {str(get(subnet, "availabilityZone")) for subnet in found}
    wanted = zones or ZONES_MIN.get(view.env_class, ZONES_MIN_ELSEWHERE)
    if len(within) < wanted:
        yield f"stands in {len(within)} zones of {wanted}"
    if groups and not are_ours(resource, view, groups, GROUP):
        yield "wears a security group that is not ours, or none"


def leads_out(subnet: Resource, view: View) -> bool:
    """Whether a subnet has a way to everywhere, or the way that AWS gives it."""
    tables = [
        table
        for each in view.users_at(subnet, "ec2/routeTableAssociation:RouteTableAssociation", "subnetId")
        for table in view.targets(each, "routeTableId", "ec2/routeTable:RouteTable")
    ]
    ways = [way for table in tables for way in view.users_at(table, "ec2/route:Route", "routeTableId")]
    ways += [way for table in tables for way in items(table, "routes")]
    return not tables or any(is_anywhere(get(way, each)) for way in ways for each in DESTINATIONS)


def has_log_group(resource: Resource, view: View, path: str) -> bool:
    """Whether we make the log group of this name, so that AWS does not make it without key and end."""
    return any(get(each, "name") == path and each.region == resource.region for each in view.of(LOG_GROUP))


def scales(resource: Resource, view: View, place: object, dimension: str) -> bool:
    """Whether a target and a policy move a dimension of what Application Auto Scaling calls `place`."""
    return all(
        any(
            get(each, "resourceId") == place
            and get(each, "scalableDimension") == dimension
            and each.region == resource.region
            for each in view.of(type_)
        )
        for type_ in (TARGET, SCALING)
    )
