"""The topics of the log."""

DOCUMENTATION = r"""
module: kafka_topics
short_description: Kafka topics that are made, configured and never shrunk
description:
  - Compares the topics that are wanted with those of the cluster, makes what is missing and sets what differs.
  - Fewer partitions are refused, and so are more of them unless C(may_grow) is set, since order is by partition.
options:
  brokers: {description: "host:port, with commas between", type: str, required: true}
  iam_region: {description: Sign in with IAM as MSK wants it, type: str, default: ""}
  prefix: {description: Before every name, type: str, default: ""}
  replication: {description: Copies of each record; -1 for the cluster's own number, type: int, default: -1}
  may_grow: {description: Add partitions, type: bool, default: false}
  properties: {description: Of every topic; they win over its own, type: dict, default: {}}
  only_properties: {description: Leave out all others; nothing for all, type: list, elements: str, default: []}
  topics:
    description: What is wanted
    type: list
    elements: dict
    required: true
    options:
      name: {description: Without the prefix, type: str, required: true}
      partitions: {description: How many, type: int, required: true}
      config: {description: Its properties, type: dict, default: {}}
author: [Nottermost (@nottermost)]
"""
EXAMPLES = r"""
- name: Make the topics
  nottermost.platform.kafka_topics:
    brokers: 127.0.0.1:9092
    topics: [{name: chat.entries, partitions: 12}]
"""
RETURN = r"""
created: {description: topics that were made, type: list, returned: always}
grown: {description: topics that were given partitions, type: list, returned: always}
configured: {description: topics that were given properties, type: list, returned: always}
"""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nottermost.platform.plugins.module_utils.topics import (
    Plan,
    Refused,
    Topic,
    plan_topics,
    restrict,
    show,
)
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

ANSWER_S: Final = 30.0


def run(admin: AdminClient, params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring it about; returns what Ansible is told. Raises: Refused, KafkaException."""
    wanted = [
        Topic(
            name=params["prefix"] + each["name"], partitions=each["partitions"], replication=params["replication"],
            config=_config(each["config"] | params["properties"], params["only_properties"]),
        )
        for each in params["topics"]
    ]  # fmt: skip
    found = read_topics(admin, [topic.name for topic in wanted])
    plan = plan_topics(wanted, found, may_grow=params["may_grow"])
    if not check:
        carry_out(admin, plan)
    return {
        "changed": plan.changes,
        "created": [topic.name for topic in plan.create],
        "grown": sorted(plan.grow),
        "configured": sorted(plan.configure),
        "diff": {
            "before": show(restrict(found, wanted)), "after": show(wanted),
            "before_header": "topics", "after_header": "topics",
        } if plan.changes else {},
    }  # fmt: skip


def _config(wanted: dict[str, Any], only: list[str]) -> dict[str, str]:
    return {key: str(value) for key, value in wanted.items() if not only or key in only}


def read_topics(admin: AdminClient, names: list[str]) -> dict[str, Topic]:
    """Those of the names that are there."""
    known = admin.list_topics(timeout=ANSWER_S).topics
    there = [name for name in names if name in known]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
    futures = admin.describe_configs(resources, request_timeout=ANSWER_S) if resources else {}
    configs = {resource.name: future.result() for resource, future in futures.items()}
    return {
        name: Topic(
            name=name, partitions=len(known[name].partitions),
            replication=min(len(each.replicas) for each in known[name].partitions.values()),
            config={key: str(entry.value) for key, entry in configs[name].items()},
        )
        for name in there
    }  # fmt: skip


def carry_out(admin: AdminClient, plan: Plan) -> None:
    """Raises: KafkaException."""
    new = [NewTopic(each.name, each.partitions, each.replication, config=dict(each.config)) for each in plan.create]
    for future in (admin.create_topics(new, request_timeout=ANSWER_S) if new else {}).values():
        future.result()
    more = [NewPartitions(name, count) for name, count in plan.grow.items()]
    for future in (admin.create_partitions(more, request_timeout=ANSWER_S) if more else {}).values():
        future.result()
    resources = [
        ConfigResource(
            ResourceType.TOPIC, name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
            ],
        )
        for name, config in plan.configure.items()
    ]  # fmt: skip
    for future in (admin.incremental_alter_configs(resources, request_timeout=ANSWER_S) if resources else {}).values():
        future.result()
    wait_for(admin, {each.name: each.partitions for each in plan.create} | plan.grow, plan.configure)


def wait_for(
    admin: AdminClient, partitions: Mapping[str, int], configs: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> None:
    """Until the brokers have told each other: what comes next expects the topics to be so."""
    names, ends_at = sorted({*partitions, *configs}), time.monotonic() + ANSWER_S
    while names and time.monotonic() < ends_at:
        found = read_topics(admin, names)
        if len(found) == len(names) and all(
            each.partitions >= partitions.get(name, 0) and configs.get(name, {}).items() <= each.config.items()
            for name, each in found.items()
        ):
            return
        time.sleep(0.05)
    if names:
        raise Refused(f"{', '.join(names)}: not on every broker after {ANSWER_S:.0f} s; run it again")


def open_admin(params: dict[str, Any]) -> AdminClient:
    """As the chat's own clients, with its sign-in for MSK."""
    from nottermost_chat.adapters.kafka_client import Brokers, iam_tokens

    token = iam_tokens(params["iam_region"]) if params["iam_region"] else None
    return AdminClient(Brokers(params["brokers"], token).properties())


def main() -> None:
    topic = {
        "name": {"type": "str", "required": True},
        "partitions": {"type": "int", "required": True},
        "config": {"type": "dict", "default": {}},
    }
    module = AnsibleModule(
        argument_spec={
            "brokers": {"type": "str", "required": True},
            "iam_region": {"type": "str", "default": ""},
            "prefix": {"type": "str", "default": ""},
            "replication": {"type": "int", "default": -1},
            "may_grow": {"type": "bool", "default": False},
            "properties": {"type": "dict", "default": {}},
            "only_properties": {"type": "list", "elements": "str", "default": []},
            "topics": {"type": "list", "elements": "dict", "required": True, "options": topic},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(open_admin(module.params), module.params, check=module.check_mode))
    except Refused as error:
        module.fail_json(msg=str(error))
    except KafkaException as error:
        module.fail_json(msg=f"{module.params['brokers']}: {error.args[0].str()}")


if __name__ == "__main__":
    main()
