"""Rules of our own: who can reach what, worked out along routes, security groups and addresses."""

from typing import Final

from nottermost_platform.graph import Resource
from nottermost_platform.reachability import Kind, Way
from nottermost_platform.rules.engine import Lacks, Severity, rule
from nottermost_platform.rules.network import GROUP, PUBLIC_PORTS, SUBNET
from nottermost_platform.rules.view import View

LOAD_BALANCER: Final = "aws:lb/loadBalancer:LoadBalancer"
STORES: Final = (  # what keeps or carries what people write
    "rds/instance:Instance", "rds/cluster:Cluster", "rds/proxy:Proxy", "elasticache/replicationGroup:ReplicationGroup",
    "opensearch/domain:Domain", "msk/cluster:Cluster", "msk/serverlessCluster:ServerlessCluster", "dax/cluster:Cluster",
)  # fmt: skip
INSIDE: Final = (*STORES, "ecs/service:Service", "lambda/function:Function", "autoscaling/group:Group")
WAYS_OUT: Final = {"public": {Way.INTERNET}, "app": {Way.NAT, Way.NOWHERE}, "data": {Way.NOWHERE}}


@rule(
    "exposed", 0, Severity.CRITICAL, *INSIDE, "lb/loadBalancer:LoadBalancer", "rds/clusterInstance:ClusterInstance",
    title="Along routes, groups and addresses, the internet reaches load balancers on 80 and 443 and nothing else",
    fsbp="EC2.19", fix="take away the way that the sentence names",
)  # fmt: skip
def exposed(resource: Resource, view: View) -> Lacks:
    for each in view.exposures.get(resource.urn, ()):
        first, last = each.ports.from_port, each.ports.to_port
        if resource.type != LOAD_BALANCER or first != last or first not in PUBLIC_PORTS:
            yield f"can be reached from {each.source.name} on {each.ports}, by {view.name_of(each.rule)}"


@rule(
    "stores-reached-by-groups", 0, Severity.HIGH, GROUP,
    title="Stores are reached from named security groups, port by port, never from address ranges",
    fix="name the client's group as the source, and the port",
)  # fmt: skip
def stores_reached_by_groups(group: Resource, view: View) -> Lacks:
    stores = {f"aws:{each}" for each in STORES}
    for each in view.reaches.get(group.urn, ()):
        if not any(view.by_urn[urn].type in stores for urn in each.wearers):
            continue
        if each.source.kind is not Kind.GROUP:
            yield f"lets {each.source.name} reach a store on {each.ports}"


@rule(
    "tiers-lead-out", 0, Severity.HIGH, SUBNET,
    title="Public subnets lead to the internet gateway, app subnets to NAT at most, data subnets nowhere",
    fix="route by tier; AWS is reached by endpoints",
)  # fmt: skip
def tiers_lead_out(subnet: Resource, view: View) -> Lacks:
    routes, tier = view.routes[subnet.urn], subnet.tags.get("tier", "")
    allowed = WAYS_OUT.get(tier, set())
    for way in sorted({routes.way, *(out.way for out in routes.outs)} - allowed):
        yield f"is of the tier {tier or 'that nobody named'} and leads to {way}"
    if tier == "data" and routes.outs:
        yield f"is of the data tier and has a route to {routes.outs[0].destination}"
    if not routes.table:
        yield "uses the VPC's main route table, which no program holds"


@rule(
    "stores-in-data-tier", 0, Severity.HIGH, *STORES,
    title="Stores stand in the data tier, in production in more than one zone", fsbp="RDS.18 RDS.46",
    fix="give it the network's data subnets",
)  # fmt: skip
def stores_in_data_tier(store: Resource, view: View) -> Lacks:
    subnets = [view.by_urn[urn] for urn in view.places.get(store.urn, ())]
    if not subnets:
        yield "stands in no subnet of ours"
    elif wrong := {each.tags.get("tier", "no") for each in subnets} - {"data"}:
        yield f"stands in the {', '.join(sorted(wrong))} tier"
    elif view.is_prod and len({each.inputs.get("availabilityZone") for each in subnets}) < 2:
        yield "stands in one zone"
