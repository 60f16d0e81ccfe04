"""Objects of OpenSearch: on a real one, and what only Amazon's has (ISM, rights, signing) against its protocol.

The plugins for index state management and for security are in no package that the local cluster is made of, so for
these a small server keeps what it is given, checks sequence numbers and adds the fields that the plugins add.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.nottermost.platform.plugins.module_utils.opensearch import (
    Client,
    SearchError,
    contains,
    path_of,
)
from ansible_collections.nottermost.platform.plugins.modules import opensearch_object

from nottermost_chat.adapters.opensearch_index import OpenSearchIndex
from nottermost_chat.clock import Clock
from nottermost_chat.metrics import Metrics
from nottermost_chat.ports import SearchDocument, SearchQuery, Term
from nottermost_chat.testing.servers import Address
from nottermost_cli.testing import run_command
from nottermost_platform.inventory import Host, Inventory, render
from nottermost_platform.program import ROOT

Json = dict[str, Any]


def run(client: Client, kind: str, name: str, body: Json, *, check: bool = False, **more: str) -> Json:
    params = {"kind": kind, "name": name, "body": body, "unless_alias": "", "attach": "", **more}
    return opensearch_object.run(client, params, check=check)


@pytest.fixture(scope="module")
def client(opensearch: Address) -> Client:
    return Client(opensearch.url)


@pytest.mark.parametrize(("kind", "extra"), [("component_template", {}), ("index_template", {"priority": 7})])
def test_a_template_is_written_once_and_repaired(client: Client, own: str, kind: str, extra: Json) -> None:
    """A dry run shows a diff and writes nothing; again is nothing; another setting shows, and is put back."""
    name = f"{own}-{kind}"
    settings: Json = {"index": {"number_of_shards": 2, "refresh_interval": "1s"}}
    body = {"template": {"settings": settings, "mappings": {"properties": {"a": {"type": "long"}}}}, **extra}
    if kind == "index_template":
        body["index_patterns"] = [f"{name}-*"]
    dry = run(client, kind, name, body, check=True)
    assert dry["changed"]
    assert '"index.number_of_shards": "2"' in dry["diff"]["after"]
    assert client.get(path_of(kind, name)) is None
    assert run(client, kind, name, body)["changed"]
    assert run(client, kind, name, body) == {"changed": False, "diff": {}}
    by_hand = {**body, "template": {**body["template"], "aliases": {f"{name}-x": {}}}}
    client.send("PUT", path_of(kind, name), by_hand)
    assert run(client, kind, name, body, check=True)["changed"]  # also what is there too much
    assert run(client, kind, name, body)["changed"]
    assert not run(client, kind, name, body)["changed"]


async def test_the_chat_and_the_role_write_the_same(client: Client, own: str) -> None:
    """What the chat's own set-up leaves is no change for the role, and the other way round; and search finds with it."""
    index = OpenSearchIndex.connect(client.url, own, Metrics(), Clock())
    template = json.loads((ROOT / "ansible/roles/search/files/messages.json").read_text())
    template["index_patterns"] = [f"{own}-messages-*"]
    first: Json = {"aliases": {f"{own}-messages": {}, f"{own}-messages-1-write": {}}}
    try:
        assert run(client, "index_template", f"{own}-messages", template)["changed"]
        assert run(client, "index", f"{own}-messages-1", first, unless_alias=f"{own}-messages")["changed"]
        await index.set_up()
        assert not run(client, "index_template", f"{own}-messages", template)["changed"]
        assert not run(client, "index", f"{own}-messages-1", first, unless_alias=f"{own}-messages")["changed"]
        await index.clear()  # a rebuild: another index serves
        assert not run(client, "index", f"{own}-messages-1", first, unless_alias=f"{own}-messages")["changed"]
        await index.apply([document("m1", "a small boat")], [])
        client.send("POST", f"/{own}-messages/_refresh", {})
        found = await index.search(SearchQuery(terms=(Term("boat"),), readable={"c1": 0}))
        assert [hit.message_id for hit in found.hits] == ["m1"]
    finally:
        await index.close()
        client.send("DELETE", f"/{own}-messages-*", {})


def document(message_id: str, body: str) -> SearchDocument:
    return SearchDocument(
        message_id=message_id, conversation_id="c1", sender_id="u1", seq=1, created_at=1, body=body, file_names=(),
        has_link=False, has_reaction=False, version=1,
    )  # fmt: skip


def test_an_alias_leads_where_it_is_to_lead(client: Client, own: str) -> None:
    """To exactly these indices: added, moved, and then left alone."""
    for number in (1, 2):
        assert run(client, "index", f"{own}-al-{number}", {})["changed"]
    alias = f"{own}-al"
    assert run(client, "alias", alias, {"indices": [f"{own}-al-1"]}, check=True)["changed"]
    assert client.get(f"/_alias/{alias}") is None
    assert run(client, "alias", alias, {"indices": [f"{own}-al-1"]})["changed"]
    assert run(client, "alias", alias, {"indices": [f"{own}-al-2"]})["changed"]
    assert not run(client, "alias", alias, {"indices": [f"{own}-al-2"]})["changed"]
    assert set(client.get(f"/_alias/{alias}") or {}) == {f"{own}-al-2"}
    client.send("DELETE", f"/{own}-al-*", {})


def test_what_opensearch_refuses_is_told(client: Client, own: str) -> None:
    """With its reason; and so is that nobody is there."""
    broken = {"index_patterns": [f"{own}-b-*"], "template": {"settings": {"index": {"no_such_setting": 1}}}}
    with pytest.raises(SearchError, match=r"400 to PUT /_index_template.*no_such_setting"):
        run(client, "index_template", f"{own}-broken", broken)
    with pytest.raises(SearchError, match="does not answer"):
        run(Client("http://127.0.0.1:9"), "role", "x", {})


# --- what only Amazon's has ----------------------------------------------------------------------


@dataclass
class Plugins:
    """What the plugins keep.

    Attributes:
        race: somebody else writes before the next write of a policy.
        versions: the sequence number of the policy that an index was given; another write does not change it.
        refused: indices with which index state management does nothing, with status 200.
        upstream: takes everything that is not for a plugin.
    """

    url: str = ""
    upstream: Client | None = None
    race: bool = False
    objects: dict[str, Json] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    managed: dict[str, str | None] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def answer(self, method: str, target: str, body: Json) -> tuple[int, Json]:
        url = urlsplit(target)
        if self.upstream and not url.path.startswith("/_plugins/"):
            passed = self.upstream.ask(method, target, body or None)
            return passed.status, passed.body
        name = url.path.rpartition("/")[2]
        if "/explain/" in url.path:
            key = "index.plugins.index_state_management.policy_id"
            return 200, {index: {key: policy} for index, policy in self.managed.items()} | {"total_managed_indices": 0}
        if "/add/" in url.path or "/change_policy/" in url.path:
            return 200, self._manage(name, body["policy_id"], is_new="/add/" in url.path)
        if method == "GET":
            return (200, self._shown(url.path, name)) if url.path in self.objects else (404, {"status": 404})
        number = self.numbers.get(url.path)
        if "/policies/" in url.path:
            self.numbers[url.path] = -1 if number is None else number
            if self.race:
                self.numbers[url.path] += 1
            given = parse_qs(url.query).get("if_seq_no")
            if number is not None and given != [str(self.numbers[url.path])]:
                return 409, {"error": {"type": "version_conflict_engine_exception"}}
            self.numbers[url.path] += 1
        self.objects[url.path] = body
        return 200, {"status": "OK"}

    def _manage(self, index: str, policy: str, *, is_new: bool) -> Json:
        if index in self.refused or is_new == bool(self.managed[index]):
            failed = {"index_name": index, "index_uuid": "u", "reason": "This index is not to be managed"}
            return {"updated_indices": 0, "failures": True, "failed_indices": [failed]}
        self.managed[index] = policy
        self.versions[index] = self.numbers[f"/_plugins/_ism/policies/{policy}"]
        return {"updated_indices": 1, "failures": False, "failed_indices": []}

    def _shown(self, path: str, name: str) -> Json:
        if "/policies/" not in path:
            return {name: {**self.objects[path], "reserved": False, "hidden": False, "static": False}}
        policy = json.loads(json.dumps(self.objects[path]["policy"]))
        policy |= {"policy_id": name, "schema_version": 21, "error_notification": None, "last_updated_time": 1}
        for state in policy["states"]:
            for action in state["actions"]:
                action["retry"] = {"count": 3, "backoff": "exponential", "delay": "1m"}
        for template in policy["ism_template"]:
            template["last_updated_time"] = 1
        return {"_id": name, "_seq_no": self.numbers[path], "_primary_term": 1, "policy": policy}


@pytest.fixture
def plugins() -> Iterator[Plugins]:
    """The server, on a free port."""
    kept = Plugins()

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            kept.requests.append((self.command, self.path, dict(self.headers.items())))
            status, answer = kept.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_any  # noqa: N815 - the names that the base class calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


POLICY: Json = {
    "default_state": "serving",
    "states": [{"name": "serving", "actions": [{"index_priority": {"priority": 100}}], "transitions": []}],
    "ism_template": [{"index_patterns": ["chat-messages-*"], "priority": 100}],
}


def test_a_policy_is_written_with_the_number_that_was_read(plugins: Plugins) -> None:
    """First without, then with; unchanged it is not written, whatever the plugin adds; a race is refused."""
    client = Client(plugins.url)
    assert run(client, "policy", "p", POLICY)["changed"]
    assert not run(client, "policy", "p", POLICY)["changed"]
    higher = json.loads(
        json.dumps(POLICY).replace('"index_priority": {"priority": 100}', '"index_priority": {"priority": 200}')
    )
    dry = run(client, "policy", "p", higher, check=True)
    assert "retry" not in dry["diff"]["before"]
    plugins.race = True
    with pytest.raises(SearchError, match="409"):
        run(client, "policy", "p", higher)
    plugins.race = False
    assert run(client, "policy", "p", higher)["changed"]
    assert plugins.requests[-1][:2] == ("PUT", "/_plugins/_ism/policies/p?if_seq_no=1&if_primary_term=1")
    assert not run(client, "policy", "p", higher)["changed"]


def test_a_policy_takes_the_indices_that_nothing_manages(plugins: Plugins) -> None:
    """Those that were there before it; a dry run names them."""
    plugins.managed = {"chat-messages-1": None, "chat-messages-2": "other"}
    client = Client(plugins.url)
    run(client, "policy", "p", POLICY)
    assert run(client, "policy", "p", POLICY, attach="chat-messages-*", check=True)["attached"] == ["chat-messages-1"]
    assert plugins.managed["chat-messages-1"] is None
    assert run(client, "policy", "p", POLICY, attach="chat-messages-*")["changed"]
    assert plugins.managed == {"chat-messages-1": "p", "chat-messages-2": "other"}
    assert not run(client, "policy", "p", POLICY, attach="chat-messages-*")["changed"]


def test_a_changed_policy_reaches_the_indices_that_it_manages(plugins: Plugins) -> None:
    """Its own, at the new version; another policy's stay. A dry run names them; again is nothing."""
    plugins.managed = {"chat-messages-1": None, "chat-messages-2": "other"}
    client = Client(plugins.url)
    run(client, "policy", "p", POLICY, attach="chat-messages-*")
    assert plugins.versions == {"chat-messages-1": 0}
    higher = json.loads(json.dumps(POLICY).replace('"priority": 100}}', '"priority": 200}}'))
    assert run(client, "policy", "p", higher, attach="chat-messages-*", check=True)["moved"] == ["chat-messages-1"]
    assert plugins.versions == {"chat-messages-1": 0}
    assert run(client, "policy", "p", higher, attach="chat-messages-*")["moved"] == ["chat-messages-1"]
    assert plugins.versions == {"chat-messages-1": 1}
    assert plugins.managed["chat-messages-2"] == "other"
    again = run(client, "policy", "p", higher, attach="chat-messages-*")
    assert (again["changed"], again["moved"]) == (False, [])


@pytest.mark.parametrize(("manager", "action"), [(None, "add"), ("p", "change_policy")])
def test_what_index_state_management_does_not_do_is_told(plugins: Plugins, manager: str | None, action: str) -> None:
    """It answers 200 all the same."""
    plugins.managed, plugins.refused = {"chat-messages-1": manager}, {"chat-messages-1"}
    with pytest.raises(SearchError, match=f"{action} of chat-messages-1 was refused: .*not to be managed"):
        run(Client(plugins.url), "policy", "p", POLICY, attach="chat-messages-*")


@pytest.mark.parametrize(
    ("kind", "body", "other"),
    [
        ("role", {"cluster_permissions": ["a"]}, {"cluster_permissions": ["a", "b"]}),
        ("role_mapping", {"backend_roles": ["x"]}, {"backend_roles": ["y"]}),
        ("role_mapping", {"backend_roles": ["x"], "users": []}, {"backend_roles": ["x"], "users": ["bob"]}),
    ],
)
def test_rights_are_written_once_and_repaired(plugins: Plugins, kind: str, body: Json, other: Json) -> None:
    """Also one right too many shows."""
    client = Client(plugins.url)
    assert run(client, kind, "r", body)["changed"]
    assert not run(client, kind, "r", body)["changed"]
    assert run(client, kind, "r", other)["changed"]
    assert run(client, kind, "r", body)["changed"]


@pytest.mark.slow
@pytest.mark.timeout(300)  # two bootstraps, on a machine that other tests keep busy
def test_the_role_does_all_that_amazon_has(plugins: Plugins, client: Client, own: str, tmp_path: Path) -> None:
    """Policy, rights of readers and writers, template, index; the second run changes nothing; no policy ever deletes."""
    prefix = f"{own}-aws"
    plugins.upstream = client
    plugins.managed = {f"{prefix}-messages-0": None}
    variables = {
        "search_url": plugins.url, "search_prefix": prefix, "search_managed": True, "search_secured": True,
        "search_readers": ["arn:api"], "search_writers": ["arn:indexer", "arn:keeper"], "search_shards": 3,
    }  # fmt: skip
    path = tmp_path / "inventory.yml"
    host = Host(name="local-search", group="search", region="local", variables=variables)
    path.write_text(render(Inventory(env="local", source="local", hosts=(host,))))
    arguments = ("env", "bootstrap", "local", "--inventory", str(path), "--json")
    try:
        first, again = run_command(*arguments), run_command(*arguments)
    finally:
        client.send("DELETE", f"/{prefix}-messages-*", {})
    assert json.loads(first.stdout)["plays"][0]["changes"] == [
        "Write the template of the messages", "Write policies", "Make roles", "Give them to the chat's tasks",
        "Make the first index",
    ], first.stderr  # fmt: skip
    assert json.loads(again.stdout)["changed"] == 0, again.stderr
    policy = plugins.objects[f"/_plugins/_ism/policies/{prefix}-messages"]["policy"]
    assert policy["states"][0]["transitions"] == [{"state_name": "grown", "conditions": {"min_size": "150gb"}}]
    assert not [action for state in policy["states"] for action in state["actions"] if "delete" in action]
    assert plugins.managed == {f"{prefix}-messages-0": f"{prefix}-messages"}
    rights = {path.rpartition("/")[2]: body for path, body in plugins.objects.items() if "/rolesmapping/" in path}
    nobody: Json = {"and_backend_roles": [], "users": [], "hosts": []}
    assert rights == {
        f"{prefix}-reader": {"backend_roles": ["arn:api"], **nobody},
        f"{prefix}-writer": {"backend_roles": ["arn:indexer", "arn:keeper"], **nobody},
    }
    reader = plugins.objects[f"/_plugins/_security/api/roles/{prefix}-reader"]["index_permissions"][0]
    assert reader["index_patterns"] == [f"{prefix}-messages", f"{prefix}-messages-*"]
    assert "indices_all" not in reader["allowed_actions"]


def test_requests_to_aws_are_signed(plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the region and the service, with the credentials of the process; without any it says so."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run(Client(plugins.url, "eu-west-1"), "role", "r", {"cluster_permissions": []})
    signed = plugins.requests[-1][2]["Authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/es/aws4_request" in signed
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SearchError, match="give this machine a role or credentials"):
        run(Client(plugins.url, "eu-west-1"), "role", "r", {"cluster_permissions": []})


@pytest.mark.parametrize(
    ("found", "wanted", "is_there"),
    [({"a": 1, "b": 2}, {"a": 1}, True), ({"a": [1, 2]}, {"a": [1]}, False), ({"a": 1}, {"b": 1}, False),
     ({"a": "1"}, {"a": 1}, True), ([], [{}], False), ({"a": None}, {"a": {}}, False)],
)  # fmt: skip
def test_contains(found: Any, wanted: Any, is_there: bool) -> None:
    """Everything wanted, lists at their length."""
    assert contains(found, wanted) is is_there
