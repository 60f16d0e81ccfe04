"""Pictures: everything of the graph is on them, nothing else is, and each can be read."""

import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from nottermost_conventions.contracts import UnknownSchema
from nottermost_platform.diagrams import rendering
from nottermost_platform.diagrams.architecture import BadModel, Model, check_model, load_model, missing_code
from nottermost_platform.diagrams.drawing import Picture, digraph, font, node
from nottermost_platform.diagrams.exposure import OUT, Exposure, draw_exposure
from nottermost_platform.diagrams.gallery import (
    FOLDER,
    NoSuchPicture,
    check_all,
    draw_all,
    find_strays,
    model_of,
    render_page,
    select,
    write_all,
)
from nottermost_platform.diagrams.network import draw_networks
from nottermost_platform.diagrams.rendering import LayoutFailed, NoGraphviz, hash_source, render
from nottermost_platform.diagrams.services import draw_services
from nottermost_platform.diagrams.stacks import StackPicture, count_words, draw_overview, draw_stacks
from nottermost_platform.diagrams.uses import find_uses, merge_uses
from nottermost_platform.diagrams.words import call, plural
from nottermost_platform.graph import Graph
from nottermost_platform.naming import PRIMARY
from nottermost_platform.reachability import EGRESS_TYPE, INGRESS_TYPE, RULE_TYPES, find_places
from nottermost_platform.testing import ENVIRONMENTS, find, graph_of, one

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def prod() -> Graph:
    return graph_of("prod")


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """All pictures of production."""
    return draw_all(graph_of("prod"), load_model())


@pytest.fixture(scope="module")
def drawn(pictures: list[Picture]) -> dict[str, bytes]:
    """All pictures of production, laid out."""
    return dict(zip([each.name for each in pictures], render(pictures), strict=True))


def without(graph: Graph, urn: str) -> Graph:
    """The graph without a resource."""
    stacks = [
        msgspec.structs.replace(stack, resources=[each for each in stack.resources if each.urn != urn])
        for stack in graph.stacks
    ]
    return msgspec.structs.replace(graph, stacks=stacks)


def shown(picture: Picture) -> str:
    """The text of a picture, without marks."""
    return " ".join(re.sub(r"<[^>]*>", " ", picture.source).split())


def by_name(pictures: list[Picture], name: str) -> Picture:
    (found,) = (each for each in pictures if each.name == name)
    return found


# --- the network ----------------------------------------------------------------------------------


def test_every_subnet_and_all_that_stands_in_one_is_on_the_network(prod: Graph) -> None:
    """Addresses of each subnet, zones, the way out of each, and every service, store and balancer by its name."""
    for picture, region in zip(draw_networks(prod), (PRIMARY, "eu-west-1"), strict=True):
        text = shown(picture)
        for subnet in find(prod, "ec2/subnet:Subnet", region=region):
            assert subnet.inputs["cidrBlock"] in text
            assert subnet.inputs["availabilityZone"] in text
        for type_, words in (
            ("ecs/service:Service", None), ("rds/instance:Instance", "PostgreSQL"), ("rds/proxy:Proxy", "Database proxy"),
            ("elasticache/replicationGroup:ReplicationGroup", "Cache"), ("msk/cluster:Cluster", "Kafka cluster"),
            ("opensearch/domain:Domain", "Search domain"), ("lb/loadBalancer:LoadBalancer", "Load balancer"),
            ("ec2/natGateway:NatGateway", "NAT gateway"),
        ):  # fmt: skip
            for resource in find(prod, type_, region=region):
                assert resource.urn in find_places(prod)
                assert (words or resource.name.rpartition("-")[0]) in text
        assert text.count("NAT gateway") == 3
        assert [text.count(way) for way in ("⇅ internet gateway", "↑ out through NAT", "no way out")] == [3, 3, 3]


def test_a_subnet_that_moves_moves_on_the_network(prod: Graph) -> None:
    """Without its way out, the public tier is drawn as one that leads nowhere, and no gateway is."""
    (picture, _) = draw_networks(without(prod, one(prod, "ec2/route:Route", "main-public-out").urn))
    assert shown(picture).count("no way out") == 6
    assert "Internet gateway" not in picture.source


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_environment_can_be_drawn(env: str) -> None:
    """Pictures have names of their own, none of them is empty, and all of them can be read."""
    drawn = draw_all(graph_of(env), model_of(env))
    assert len(render(drawn)) == len(drawn)
    names = [each.name for each in drawn]
    assert len(set(names)) == len(names)
    assert {"overview", "network", "services", "uses", "reachability", "stack-chat"} <= set(names)
    assert all(each.title and each.caption.endswith(".") and each.source for each in drawn)


# --- services -----------------------------------------------------------------------------------------


def test_every_service_is_on_the_pictures_of_services(prod: Graph) -> None:
    """Both colours of one are one box."""
    names = {each.name.rpartition("-")[0] for each in find(prod, "ecs/service:Service")}
    assert len(names) == 9
    for picture in draw_services(prod):
        assert names <= set(shown(picture).split())


def test_uses_follow_grants(prod: Graph) -> None:
    """Ingest writes messages and the log and never reads the log; the gateway touches no store of messages."""
    uses = merge_uses(each for each in find_uses(prod) if each.region == PRIMARY)
    said = {(name, urn.rpartition("::")[2]): (use.reads, use.writes) for (name, urn), use in uses.items()}
    assert said["ingest", "messages-log"] == (True, True)
    assert said["ingest", "log-topic-chat.entries"] == (False, True)
    assert said["indexer", "log-topic-chat.entries"] == (True, False)
    assert said["notifier", "push"] == (True, True)
    assert said["api", "search"] == (True, False)
    assert not {name for service, name in said if service == "gateway"} & {"messages-log", "messages-texts", "search"}
    assert ("notifier", "webhook") not in said  # its settings name that queue, no grant lets it in


def test_a_grant_taken_away_takes_the_use_away(prod: Graph) -> None:
    """What the policy does not say is not drawn."""
    policy = one(prod, "iam/rolePolicy:RolePolicy", "archiver-task-serve")
    less = merge_uses(each for each in find_uses(without(prod, policy.urn)) if each.region == PRIMARY)
    kept = {urn.rpartition("::")[2] for name, urn in less if name == "archiver"}
    assert "archive" not in kept
    assert "messages-log" not in kept


def test_every_secret_that_a_service_starts_with_is_in_the_table(prod: Graph) -> None:
    """By the names in the tasks' definitions."""
    (_, table) = draw_services(prod)
    tasks = "".join(
        str(each.inputs["containerDefinitions"]) for each in find(prod, "ecs/taskDefinition:TaskDefinition")
    )
    secrets = [each.name for each in find(prod, "secretsmanager/secret:Secret") if each.inputs["name"] in tasks]
    assert secrets
    assert all(name in shown(table) for name in secrets)


# --- who reaches whom -----------------------------------------------------------------------------------


def test_every_arrow_has_rules_and_every_rule_an_arrow(prod: Graph) -> None:
    """No port is drawn that no rule opens; no rule that opens one is left out."""
    rules = {each.urn for each in prod.resources() if each.type in RULE_TYPES and each.region == PRIMARY}
    arrows = Exposure(prod, PRIMARY).arrows
    assert all(each.rules for each in arrows)
    assert {rule for each in arrows for rule in each.rules} == rules
    (picture, _) = draw_exposure(prod)
    assert all(rule in picture.source for rule in rules)


@pytest.mark.parametrize("type_", [INGRESS_TYPE, EGRESS_TYPE])
def test_without_its_rule_an_arrow_goes(prod: Graph, type_: str) -> None:
    """For each rule of the region: what it alone opened is not drawn any more."""
    before = Exposure(prod, PRIMARY)
    name = {INGRESS_TYPE: "ingest-from-keeper", EGRESS_TYPE: "ingest-keeper-to"}[type_]
    rule = one(prod, type_.removeprefix("aws:"), name).urn
    after = Exposure(without(prod, rule), PRIMARY)
    gone = {(each.source, each.target) for each in before.arrows} - {
        (each.source, each.target) for each in after.arrows
    }
    assert {tuple(urn.rpartition("::")[2] for urn in pair) for pair in gone} == {("keeper-task", "ingest-task")}
    assert rule not in draw_exposure(without(prod, rule))[0].source


def test_one_of_several_that_may_no_longer_leaves_their_box(prod: Graph) -> None:
    """Sources as one box are counted by name."""
    rule = one(prod, "vpc/securityGroupEgressRule:SecurityGroupEgressRule", "notifier-task-out-https").urn
    (before,) = Exposure(prod, PRIMARY).together.values()
    (after,) = Exposure(without(prod, rule), PRIMARY).together.values()
    assert {urn.rpartition("::")[2] for urn in set(before) - set(after)} == {"notifier-task"}


def test_an_opened_port_is_seen(prod: Graph) -> None:
    """From the internet to the database, next to what was there."""
    rule = one(prod, "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "stores-database-in-clients")
    inputs = {**rule.inputs, "cidrIpv4": "0.0.0.0/0"}
    del inputs["referencedSecurityGroupId"]
    opened = msgspec.structs.replace(rule, inputs=inputs)
    stacks = [
        msgspec.structs.replace(stack, resources=[opened if each is rule else each for each in stack.resources])
        for stack in prod.stacks
    ]
    arrows = Exposure(msgspec.structs.replace(prod, stacks=stacks), PRIMARY).arrows
    found = {each.target.rpartition("::")[2]: each.ports for each in arrows if each.source == "internet"}
    assert found["stores-database"] == ("5432",)


def test_the_way_from_the_internet_is_drawn(prod: Graph) -> None:
    """Through CloudFront to the load balancer and the buckets; out through NAT."""
    (picture, standby) = draw_exposure(prod)
    assert {"CloudFront", "files", "page", "Internet"} <= set(shown(picture).split())
    assert any(each.target == OUT for each in Exposure(prod, PRIMARY).arrows)
    assert "CloudFront" not in standby.source


# --- stacks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_resource_of_a_stack_is_forgotten(env: str) -> None:
    """What the boxes count adds up to all resources of AWS, and the sentence counts the rest."""
    graph = graph_of(env)
    for stack in graph.stacks:
        drawn = StackPicture(graph, stack)
        picture = drawn.picture()
        aws = [each for each in stack.resources if each.is_aws]
        assert sorted(urn for urns in drawn.boxes.values() for urn in urns) == sorted(each.urn for each in aws)
        counted = 0
        for urns in drawn.boxes.values():
            for word, count in count_words([drawn.resources[urn] for urn in urns]):
                assert f"{count} {word if count == 1 else plural(word)}" in shown(picture)
                counted += count
        assert counted == len(aws) > 0
        said = [int(each) for each in re.findall(r"\b(\d+)\b", picture.caption)]
        assert said[0] == len(stack.resources) == sum(said[1:])


def test_many_of_a_kind_are_one_box(prod: Graph) -> None:
    """The alarms of a stack are a number."""
    alarms = find(prod, "cloudwatch/metricAlarm:MetricAlarm", stack="observability")
    picture = by_name(draw_stacks(prod), "stack-observability")
    assert f"{len(alarms)} alarms" in shown(picture)


def test_the_standby_has_pictures_of_what_differs(prod: Graph) -> None:
    """What is built alike in both regions is drawn once and says so."""
    drawn = draw_stacks(prod)
    names = {each.name for each in drawn}
    assert {"stack-data", "stack-data-eu-west-1", "stack-chat"} <= names
    assert "stack-chat-eu-west-1" not in names
    assert by_name(drawn, "stack-chat").title.endswith("us-east-1, eu-west-1")


def test_other_stacks_are_dashed_with_what_is_taken(prod: Graph) -> None:
    """The chat's picture names the stacks before it, and an output of each."""
    source = by_name(draw_stacks(prod), "stack-chat").source
    for stack, output in (("network", "vpc_id"), ("edge", "https_listener_arn"), ("identity", "issuer_url")):
        assert f"<B>\u00a0stack {stack}\u00a0</B>" in source
        assert output in source
    assert "ROUNDED,DASHED" in source


def test_the_overview_counts_every_stack(prod: Graph) -> None:
    """All stacks of all regions, with their resources."""
    text = shown(draw_overview(prod))
    for stack in prod.stacks:
        assert f"{sum(each.is_aws for each in stack.resources)} in {stack.region}" in text


@pytest.mark.parametrize(
    ("type_", "count", "words"),
    [
        ("aws:cloudwatch/metricAlarm:MetricAlarm", 40, "40 alarms"),
        ("aws:iam/policy:Policy", 2, "2 policies"),
        ("aws:kms/key:Key", 3, "3 KMS keys"),
        ("aws:s3/bucketVersioning:BucketVersioning", 4, "4 bucket settings"),
        ("aws:cfg/recorderStatus:RecorderStatus", 2, "2 recorder status"),
        ("aws:ec2/vpc:Vpc", 1, "VPC"),
    ],
)
def test_types_are_called_as_people_call_them(type_: str, count: int, words: str) -> None:
    """One, and many."""
    assert call(type_, count) == words


# --- the model --------------------------------------------------------------------------------------------


def test_the_model_says_what_is_so(prod: Graph) -> None:
    """Every element is in code or graph, and every arrow has its grant."""
    assert check_model(load_model(), prod) == []


def broken(**changes: Any) -> Model:
    """The model with one thing that is not so: an element's fields, or its views."""
    model = load_model()
    name = changes.pop("element", "")
    if name:
        elements = {**model.elements, name: msgspec.structs.replace(model.elements[name], **changes)}
        return msgspec.structs.replace(model, elements=elements)
    return msgspec.structs.replace(model, **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"element": "lanes", "code": "ingest/lane.py::Lanes"}, "element lanes: there is no file ingest/lane.py"),
        ({"element": "lanes", "code": "ingest/lanes.py::Lane"}, "element lanes: ingest/lanes.py has no Lane"),
        ({"element": "search", "resource": "aws:opensearch/domain:Domain find"}, "prod has no resource aws:opensearch"),
        ({"element": "chat", "code": ""}, "element chat names neither code nor a resource"),
        ({"element": "chat", "kind": "thing"}, "element chat: there is no kind thing"),
    ],
)
def test_an_element_that_does_not_exist_is_told(prod: Graph, changes: dict[str, Any], says: str) -> None:
    """In one sentence with its name."""
    assert any(says in each for each in check_model(broken(**changes), prod))


def test_an_arrow_without_a_grant_is_told(prod: Graph) -> None:
    """The gateway knows nothing of storage: no picture may say otherwise."""
    model = load_model()
    live = next(each for each in model.views if each.name == "c4-live")
    wrong = msgspec.structs.replace(live.relations[0], from_="gateway", to="messages")
    views = [msgspec.structs.replace(live, relations=[*live.relations, wrong])]
    (problem,) = check_model(broken(views=views), prod)
    assert problem.startswith("c4-live: nothing in prod lets gateway and messages speak")


def test_names_that_nothing_has_are_told(prod: Graph) -> None:
    """In views and in sequences."""
    model = load_model()
    view = msgspec.structs.replace(model.views[0], elements=[*model.views[0].elements, "ghost"])
    sequence = msgspec.structs.replace(model.sequences[0], participants=model.sequences[0].participants[1:])
    said = check_model(broken(views=[view], sequences=[sequence]), prod)
    assert "view c4-context: there is no element ghost" in said
    assert "sequence sequence-send: page takes no part in it" in said


def test_code_is_found_by_file_class_and_method() -> None:
    """Below the chat, else below the root."""
    code = FOLDER.parents[1] / "services" / "reference-chat" / "src" / "nottermost_chat"
    for reference in ("ports.py::MessageStore.append", "web/index.html", "README.md", "ports.py"):
        assert missing_code(reference, code) == ""
    assert missing_code("ports.py::MessageStore.appendix", code) == "ports.py has no MessageStore.appendix"


def test_a_model_of_another_version_or_form_is_refused(tmp_path: Path) -> None:
    """With the version that was expected, or the key that is wrong."""
    path = tmp_path / "architecture.yaml"
    path.write_text("schema: nottermost.architecture/2\n")
    with pytest.raises(UnknownSchema, match=r"expected 'nottermost.architecture/1'"):
        load_model(path)
    path.write_text("schema: nottermost.architecture/1\nelements: {}\nviews: []\nsequences: []\nviewz: []\n")
    with pytest.raises(BadModel, match="viewz"):
        load_model(path)
    path.write_text("schema: [\n")
    with pytest.raises(BadModel, match="cannot be read"):
        load_model(path)


# --- on paper -----------------------------------------------------------------------------------------------


def test_committed_pictures_are_those_of_the_graph(pictures: list[Picture]) -> None:
    """None is stale, none too many, and the page shows them all."""
    assert check_all(pictures, FOLDER, page=render_page("prod", pictures)) == []


def test_pictures_stand_alone_and_say_what_they_show(pictures: list[Picture], drawn: dict[str, bytes]) -> None:
    """Well formed, of a page's width, on a ground of their own, with title and description, nothing from elsewhere."""
    for picture in pictures:
        root = ET.fromstring(drawn[picture.name])
        assert root.get("width") == "960"
        assert [root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")] == [picture.title, picture.caption]
        ground = root.find(f"{SVG}rect")
        assert ground is not None
        assert ground.get("fill") == "#ffffff"
        assert not re.search(rb"<image|@import|url\(|xlink:href=\"(?!#)|<script", drawn[picture.name])


def test_pictures_stay_within_the_page(drawn: dict[str, bytes]) -> None:
    """No text begins left of the page or ends right of it, however many letters it has."""
    for name, svg in drawn.items():
        if name.startswith("sequence-"):
            for x, _, text in re.findall(
                rb'<text x="([0-9.]+)" y="([0-9.]+)" font-size="12" text-anchor="middle"[^>]*>([^<]*)', svg
            ):
                half = len(text.decode()) * 6.1 / 2
                assert float(x) - half > 0, (name, text)
                assert float(x) + half < 960, (name, text)


def test_pictures_are_the_same_each_time(pictures: list[Picture], drawn: dict[str, bytes]) -> None:
    """Byte for byte."""
    again = dict(zip([each.name for each in pictures], render(pictures), strict=True))
    assert again == drawn


def test_a_picture_that_nobody_could_read_is_refused() -> None:
    """Rather than shrunk."""
    wide = [node(str(each), font("a rather long name")) for each in range(40)]
    picture = Picture(name="wide", title="Wide", caption="Wide.", legend=(), source=digraph(wide))
    with pytest.raises(LayoutFailed, match="group, wrap or split it"):
        render([picture])


def test_broken_dot_text_is_one_sentence() -> None:
    """With what Graphviz said."""
    with pytest.raises(LayoutFailed, match="broken: Graphviz ended with 1 and said: Error: <stdin>: syntax error"):
        render([Picture(name="broken", title="", caption="", legend=(), source="digraph {")])


def test_a_stuck_graphviz_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has a time limit."""
    stuck = tmp_path / "dot"
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(rendering, "DOT_S_MAX", 0.3)
    assert shutil.which("dot") == str(stuck)
    with pytest.raises(LayoutFailed, match="took longer"):
        render([Picture(name="slow", title="", caption="", legend=(), source="digraph {}")])


def test_without_graphviz_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn without it is drawn all the same."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoGraphviz, match="sudo apt-get install graphviz"):
        render([Picture(name="any", title="", caption="", legend=(), source="digraph {}")])
    assert render([Picture(name="own", title="", caption="", legend=(), source="", height=1)])


def test_stale_missing_and_superfluous_pictures_are_told(tmp_path: Path) -> None:
    """By the hash of their source: another layout of the same is not stale."""
    picture = Picture(name="one", title="One", caption="One.", legend=(), source="<g/>", height=10)
    assert check_all([picture], tmp_path) == ["one.svg is stale or missing"]
    write_all([picture, renamed(picture, "two")], tmp_path, page="page\n")
    assert check_all([picture], tmp_path) == []
    assert [path.name for path in find_strays([picture], tmp_path)] == ["two.svg"]
    assert check_all([picture], tmp_path, page="other\n") == [
        "two.svg is of nothing that is there any more", "README.md is stale or missing",
    ]  # fmt: skip
    path = tmp_path / "one.svg"
    path.write_bytes(path.read_bytes().replace(b"<g/>", b"<g />"))
    assert check_all([picture], tmp_path) == []
    path.write_bytes(path.read_bytes().replace(hash_source(picture).encode(), b"0" * 64))
    assert check_all([picture], tmp_path) == ["one.svg is stale or missing"]
    (tmp_path / "foreign.svg").write_text("<svg/>")
    write_all([picture], tmp_path, page="page\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["README.md", "foreign.svg", "one.svg"]


def renamed(picture: Picture, name: str) -> Picture:
    """The picture under another name."""
    return Picture(name=name, title=picture.title, caption=picture.caption, legend=(), source=picture.source, height=10)


def test_one_picture_may_be_asked_for(pictures: list[Picture]) -> None:
    """By its name; another name is answered with those that there are."""
    assert [each.name for each in select(pictures, ["network"])] == ["network"]
    with pytest.raises(NoSuchPicture, match=r"no picture is called net; there are overview, "):
        select(pictures, ["net"])


def test_the_page_shows_every_picture_with_its_sentence(pictures: list[Picture]) -> None:
    """As Markdown, with alternative text."""
    page = render_page("prod", pictures)
    for picture in pictures:
        assert f"![{picture.title}]({picture.name}.svg)" in page
        assert picture.caption in page
