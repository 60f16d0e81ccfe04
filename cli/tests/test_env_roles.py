"""What the platform gives to a role on AWS is what the chat takes: both sides of it together."""

import json
from pathlib import Path

import pytest

from nottermost_chat.dead_letters import CONSUMERS, GROUPS_ON_A_CLUSTER
from nottermost_chat.notify.keys import parse_push_keys
from nottermost_chat.proxies import Proxies
from nottermost_chat.roles import Role
from nottermost_chat.settings import SECRET_NAMES, Secrets, Settings, Store, load_settings
from nottermost_chat.verifier import parse_keys
from nottermost_chat.webhooks import SecretBox
from nottermost_platform.components.roles import ROLES
from nottermost_platform.functions import rotate
from nottermost_platform.testing import graph_of, one


def chat_container(env: str, role: str) -> dict[str, list[dict[str, str]]]:
    task = one(graph_of(env), "ecs/taskDefinition:TaskDefinition", f"{role}-blue", stack="chat").inputs
    return next(dict(each) for each in json.loads(task["containerDefinitions"]) if each["name"] == "chat")


def settings_of(env: str, role: str) -> Settings:
    """As the role reads them. Raises StartError for a name or a value that it does not know."""
    given = {each["name"]: each["value"] for each in chat_container(env, role)["environment"]}
    return load_settings({name: value for name, value in given.items() if name.startswith("NOTTERMOST_")})


def test_the_platform_runs_every_role_of_the_chat() -> None:
    """And no other one."""
    assert set(ROLES) == set(Role)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("env", ["dev", "prod"])
def test_a_role_understands_what_it_is_told(env: str, role: Role) -> None:
    """Every setting and secret has a name that the chat knows; proxies parse; nothing is left at a laptop's default."""
    settings, container = settings_of(env, role), chat_container(env, role)
    assert {each["name"] for each in container["secrets"]} <= SECRET_NAMES
    assert not {each["name"] for each in container["environment"]} & SECRET_NAMES
    assert settings.url.startswith("https://")
    assert settings.metrics_port
    assert bool(Proxies(settings.trusted_proxies).networks) == (role in (Role.GATEWAY, Role.API))
    assert settings.store is (Store.SQLITE if role is Role.GATEWAY else Store.DYNAMODB)
    assert settings.push_contact.endswith("@example.org") == (role is not Role.NOTIFIER)


# What the role's file opens (nottermost_chat/roles, backends.py), by settings; each refuses to start without.
OPENS = {
    "brokers": {Role.INGEST, Role.FANOUT, Role.INDEXER, Role.NOTIFIER, Role.WEBHOOKS, Role.ARCHIVER, Role.KEEPER},
    "database_host": set(Role) - {Role.GATEWAY, Role.FANOUT},
    "cache_host": {Role.GATEWAY, Role.API, Role.INGEST, Role.FANOUT, Role.NOTIFIER, Role.KEEPER},
    "search_host": {Role.API, Role.INDEXER, Role.KEEPER},
    "files_bucket": {Role.API, Role.KEEPER},
    "archive_bucket": {Role.API, Role.ARCHIVER, Role.KEEPER},
    "push_queue": {Role.API, Role.NOTIFIER, Role.WEBHOOKS, Role.KEEPER},
    "webhook_queue": {Role.API, Role.NOTIFIER, Role.WEBHOOKS, Role.KEEPER},
    "ingest": {Role.GATEWAY, Role.API, Role.FANOUT, Role.KEEPER},
    "fanout": {Role.GATEWAY},
}


@pytest.mark.parametrize("setting", OPENS)
def test_who_opens_something_is_told_where_it_is(setting: str) -> None:
    """And nobody else."""
    assert {role for role in Role if getattr(settings_of("prod", role), setting)} == OPENS[setting]


def test_the_keeper_redrives_what_any_consumer_set_aside() -> None:
    """Operators' commands run as a task of its."""
    assert {GROUPS_ON_A_CLUSTER.get(each, each) for each in CONSUMERS} == set(ROLES["keeper"].redrives)


def test_the_chat_takes_the_keys_that_rotations_make(tmp_path: Path) -> None:
    """For tokens, webhooks and browsers."""
    assert parse_keys(json.dumps(rotate.Signing().make({}))).keys
    box = SecretBox.find(rotate.make_key(), tmp_path)
    assert box.open(box.seal("s", "w"), "w") == "s"
    assert parse_push_keys(Secrets(vapid_key=rotate.make_vapid_key())).vapid
