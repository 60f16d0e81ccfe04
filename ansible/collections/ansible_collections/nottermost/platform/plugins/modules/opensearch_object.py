"""One object of OpenSearch: read, compared, and written only where it differs."""

DOCUMENTATION = r"""
module: opensearch_object
short_description: A template, policy, role, index or alias of OpenSearch
description:
  - Reads the object, compares it, and writes it only where it differs.
  - A policy is written with the sequence number that was read, so that a change in between is refused.
  - An index that a policy manages keeps the version it began with, so after a change they are led to the new one.
  - An index is made once and never changed.
options:
  url: {description: Where OpenSearch is, type: str, required: true}
  region: {description: Sign requests for this region of AWS, type: str, default: ""}
  role_arn: {description: A role to take before signing, type: str, default: ""}
  kind:
    description: What it is
    type: str
    required: true
    choices: [component_template, index_template, policy, role, role_mapping, index, alias]
  name: {description: Its name, type: str, required: true}
  body: {description: What it is to be, type: dict, required: true}
  unless_alias: {description: Make no index while this alias leads to one, type: str, default: ""}
  attach: {description: Indices by pattern that this policy is to manage, type: str, default: ""}
author: [Nottermost (@nottermost)]
"""
EXAMPLES = r"""
- name: Write the template
  nottermost.platform.opensearch_object:
    url: http://127.0.0.1:9200
    kind: index_template
    name: chat-messages
    body: {index_patterns: ["chat-messages-*"]}
"""
RETURN = r"""
attached: {description: indices that the policy was attached to, type: list, returned: for a policy}
moved: {description: indices that were led to its new version, type: list, returned: for a policy}
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nottermost.platform.plugins.module_utils.opensearch import (
    Client,
    Json,
    SearchError,
    differs,
    extract,
    normalise,
    path_of,
    project,
)

MANAGED_BY = "index.plugins.index_state_management.policy_id"


def run(client: Client, params: Json, *, check: bool) -> Json:
    """Bring it about; returns what Ansible is told. Raises: SearchError."""
    kind, name, body = params["kind"], params["name"], params["body"]
    if kind == "index" and params["unless_alias"] and client.get(path_of("alias", params["unless_alias"])) is not None:
        return {"changed": False}
    answer = client.get(path_of(kind, name))
    found = extract(kind, name, answer)
    wanted = {"indices": sorted(body["indices"])} if kind == "alias" else body
    changed = found is None if kind == "index" else differs(kind, wanted, found)
    result: Json = {"changed": changed, "diff": _diff(kind, name, wanted, found) if changed else {}}
    if changed and not check:
        _write(client, kind, name, wanted, found, answer)
    if kind == "policy" and params["attach"]:
        result |= _manage(client, name, params["attach"], written=changed, check=check)
        result["changed"] = changed or bool(result["attached"])
    return result


def _write(client: Client, kind: str, name: str, wanted: Json, found: Json | None, answer: Json | None) -> None:
    path = path_of(kind, name)
    match kind:
        case "alias":
            there = set(found["indices"]) if found else set()
            actions: list[Json] = [{"add": {"index": each, "alias": name}} for each in wanted["indices"]]
            actions += [{"remove": {"index": each, "alias": name}} for each in sorted(there - set(wanted["indices"]))]
            client.send("POST", "/_aliases", {"actions": actions})
        case "policy":
            read = f"?if_seq_no={answer['_seq_no']}&if_primary_term={answer['_primary_term']}" if answer else ""
            client.send("PUT", path + read, {"policy": wanted})
        case _:
            client.send("PUT", path, wanted)


def _manage(client: Client, policy: str, pattern: str, *, written: bool, check: bool) -> Json:
    """Let the policy manage the indices that nothing manages: its own pattern sees new ones only.

    Those that it manages keep the version they began with: once it is written they are led to the new one.
    """
    explained = client.get(f"/_plugins/_ism/explain/{pattern}") or {}
    managers = {name: each.get(MANAGED_BY) for name, each in explained.items() if isinstance(each, dict)}
    alone = sorted(name for name, manager in managers.items() if not manager)
    moved = sorted(name for name, manager in managers.items() if written and manager == policy)
    if not check:
        for index in moved:
            _act(client, "change_policy", index, policy)
        for index in alone:
            _act(client, "add", index, policy)
    return {"attached": alone, "moved": moved}


def _act(client: Client, action: str, index: str, policy: str) -> None:
    """Index state management answers 200 also when it did nothing. Raises: SearchError."""
    answer = client.send("POST", f"/_plugins/_ism/{action}/{index}", {"policy_id": policy})
    if answer.get("failures"):
        reason = json.dumps(answer.get("failed_indices"))[:500]
        raise SearchError(
            f"policy {policy} is written, but {action} of {index} was refused: {reason}; "
            f"mend that, then POST /_plugins/_ism/{action}/{index} by hand: a later run sees no difference"
        )


def _diff(kind: str, name: str, wanted: Json, found: Json | None) -> Json:
    before = {} if found is None else project(found, wanted)
    if kind in ("component_template", "index_template"):
        before, wanted = normalise(kind, found or {}), normalise(kind, wanted)
    header = f"{kind} {name}"
    return {
        "before": _show(before),
        "after": _show(wanted),
        "before_header": header,
        "after_header": header,
    }


def _show(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n" if value else ""


def main() -> None:
    kinds = ["component_template", "index_template", "policy", "role", "role_mapping", "index", "alias"]
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "region": {"type": "str", "default": ""},
            "role_arn": {"type": "str", "default": ""},
            "kind": {"type": "str", "required": True, "choices": kinds},
            "name": {"type": "str", "required": True},
            "body": {"type": "dict", "required": True},
            "unless_alias": {"type": "str", "default": ""},
            "attach": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = Client(params["url"], params["region"], params["role_arn"])
    try:
        module.exit_json(**run(client, params, check=module.check_mode))
    except SearchError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
