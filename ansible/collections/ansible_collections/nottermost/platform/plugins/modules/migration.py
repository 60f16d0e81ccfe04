"""The chat's own migrations, phase by phase, and the ledger of them."""

DOCUMENTATION = r"""
module: migration
short_description: Expand or contract the chat's SQL schemas, with a ledger
description:
  - Runs the chat's own Alembic revisions (docs/migrations.md) as the owner of the tables.
  - C(expand) goes as far as running older programs bear. C(promoted) notes that nothing older than this program
    runs, and which revision it bears. C(contract) takes away what older programs use, and is refused unless
    the last C(promoted) was noted of what is expanded and bears what the contraction comes to.
options:
  host: {description: Where PostgreSQL is, type: str, required: true}
  port: {description: Its port, type: int, default: 5432}
  database: {description: The database, type: str, required: true}
  user: {description: Who may act as the owner, type: str, required: true}
  password: {description: Theirs, type: str, default: ""}
  sslmode: {description: As in libpq, type: str, default: prefer}
  sslrootcert: {description: Certificates to trust, type: str, default: ""}
  owner: {description: Has the tables, type: str, required: true}
  phase: {description: What to do, type: str, choices: [expand, promoted, contract], default: expand}
  schemas: {description: Of the chat, type: list, elements: str, default: [directory]}
  ledger_schema: {description: Where the ledger is, type: str, required: true}
  program: {description: The version that runs this, type: str, default: unknown}
author: [Nottermost (@nottermost)]
"""
EXAMPLES = r"""
- name: Expand
  nottermost.platform.migration:
    host: 127.0.0.1
    database: chat
    user: postgres
    owner: chat_owner
    ledger_schema: operations
"""
RETURN = r"""
steps: {description: "schema, phase and revisions of what was done", type: list, returned: always}
"""

from dataclasses import asdict
from typing import Any

import psycopg
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nottermost.platform.plugins.module_utils.ledger import (
    PHASES,
    Ledger,
    Refused,
    Step,
    plan_phase,
)
from ansible_collections.nottermost.platform.plugins.module_utils.postgres import CONNECTION, conninfo
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from nottermost_chat import migrations
from nottermost_chat.errors import StartError


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring it about; returns what Ansible is told. Raises: Refused, StartError, psycopg.Error, DBAPIError."""
    # Nothing is asked of the owner before it is to be written: in check mode it may not be there yet.
    acting_as = {} if check else {"options": f"-c role={params['owner']}"}
    info = conninfo(params) | acting_as
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(**info), poolclass=NullPool)
    with psycopg.connect(**info, autocommit=True) as connection, engine.connect() as alembic:
        ledger = Ledger(connection, params["ledger_schema"])
        missing = not ledger.exists()
        entries = [] if missing else ledger.entries()
        steps = [
            plan_phase(
                params["phase"], schema, now=migrations.current(alembic, schema), known=migrations.known(schema),
                entries=entries,
            )
            for schema in params["schemas"]
        ]  # fmt: skip
        if missing and not check:
            ledger.create()
        changes = [step for step in steps if step.changes]
        for step in () if check else changes:
            number = ledger.begin(step, params["program"])
            if step.phase != "promoted":
                migrations.upgrade(alembic, step.schema, contract=step.phase == "contract")
            ledger.end(number)
    return {
        "changed": bool(changes) or missing,
        "steps": [asdict(step) for step in steps],
        "diff": {
            "before": "".join(f"{each.schema}: {each.from_revision or 'nothing'}\n" for each in changes),
            "after": "".join(_line(each) for each in changes) + ("ledger: made\n" if missing else ""),
        },
    }


def _line(step: Step) -> str:
    if step.phase == "promoted":
        return f"{step.schema}: {step.from_revision}, what runs bears {step.to_revision} (promoted)\n"
    return f"{step.schema}: {step.to_revision} ({step.phase})\n"


def main() -> None:
    module = AnsibleModule(
        argument_spec=CONNECTION
        | {
            "owner": {"type": "str", "required": True},
            "phase": {"type": "str", "choices": list(PHASES), "default": "expand"},
            "schemas": {"type": "list", "elements": "str", "default": ["directory"]},
            "ledger_schema": {"type": "str", "required": True},
            "program": {"type": "str", "default": "unknown"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check=module.check_mode))
    except Refused as error:
        module.fail_json(msg=f"{module.params['phase']} refused: {error}")
    except (StartError, psycopg.Error, DBAPIError) as error:
        module.fail_json(msg=f"{module.params['database']} at {module.params['host']}: {str(error).strip()}")


if __name__ == "__main__":
    main()
