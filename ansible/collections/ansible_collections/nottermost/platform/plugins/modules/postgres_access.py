"""Who may do what in the chat's database."""

DOCUMENTATION = r"""
module: postgres_access
short_description: Roles, grants, owners and extensions of one PostgreSQL database
description:
  - Reads who may do what from the catalogs, compares it with what is to be, and runs the statements between the two
    in one transaction. What our roles and everybody have beyond that is taken away, also on single columns, and so
    is the membership of others in our roles.
  - Where RDS has the role rds_iam, the roles that sign in are put into it and have no password.
options:
  host: {description: Where PostgreSQL is, type: str, required: true}
  port: {description: Its port, type: int, default: 5432}
  database: {description: The database, type: str, required: true}
  user: {description: Who may make roles there, type: str, required: true}
  password: {description: Theirs, type: str, default: ""}
  sslmode: {description: As in libpq, type: str, default: prefer}
  sslrootcert: {description: Certificates to trust, type: str, default: ""}
  owner: {description: Has the tables; nobody signs in as it, type: str, required: true}
  app: {description: Reads and writes rows, type: str, required: true}
  readonly: {description: Reads rows of what is not hidden, type: str, required: true}
  app_password: {description: Where there is no IAM, type: str, default: ""}
  readonly_password: {description: Where there is no IAM, type: str, default: ""}
  schemas: {description: The chat's, type: list, elements: str, required: true}
  ledger_schema: {description: Where migrations are written down, type: str, required: true}
  hidden: {description: Tables that are not for readers, type: list, elements: str, default: []}
  extensions: {description: What is to be there, type: list, elements: str, default: []}
  iam_role: {description: Where it exists who signs in is put into it, type: str, default: rds_iam}
author: [Nottermost (@nottermost)]
"""
EXAMPLES = r"""
- name: Say who may do what
  nottermost.platform.postgres_access:
    host: 127.0.0.1
    database: chat
    user: postgres
    owner: chat_owner
    app: chat_app
    readonly: chat_readonly
    schemas: [public]
    ledger_schema: operations
"""
RETURN = r"""
statements: {description: what was run, type: list, returned: always}
"""

from typing import Any

import psycopg
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nottermost.platform.plugins.module_utils.postgres import (
    CONNECTION,
    Access,
    Reader,
    can_sign_in,
    connect,
    managed,
    plan,
    render,
    set_password,
    show,
    want,
)


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Bring it about; returns what Ansible is told. Raises: psycopg.Error."""
    access = Access(
        owner=params["owner"], app=params["app"], readonly=params["readonly"], schemas=tuple(params["schemas"]),
        ledger=params["ledger_schema"], hidden=frozenset(params["hidden"]), extensions=tuple(params["extensions"]),
        iam=params["iam_role"],
    )  # fmt: skip
    with connect(params) as connection:
        reader = Reader(connection, access)
        server = reader.server()
        wanted, found = want(access, server), reader.facts(server)
        statements = plan(wanted, found, access.owner)
        rendered = render(statements, connection)
        if not check:
            for statement in statements:
                connection.execute(statement)
        stale = [] if server.iam else _stale_passwords(params)
        for user, password in stale:
            if not check:
                set_password(connection, user, password)
    before, after = managed(found, wanted), wanted
    header = f"access to {params['database']}"
    lines = [f"password of {user}" for user, _ in stale]
    return {
        "changed": bool(statements or stale),
        "statements": rendered + lines,
        "diff": {
            "before": show(before), "after": show(after) + "".join(f"{each} set\n" for each in lines),
            "before_header": header, "after_header": header,
        },
    }  # fmt: skip


def _stale_passwords(params: dict[str, Any]) -> list[tuple[str, str]]:
    given = [(params["app"], params["app_password"]), (params["readonly"], params["readonly_password"])]
    return [(user, password) for user, password in given if password and not can_sign_in(params, user, password)]


def main() -> None:
    module = AnsibleModule(
        argument_spec=CONNECTION
        | {
            "owner": {"type": "str", "required": True},
            "app": {"type": "str", "required": True},
            "readonly": {"type": "str", "required": True},
            "app_password": {"type": "str", "default": "", "no_log": True},
            "readonly_password": {"type": "str", "default": "", "no_log": True},
            "schemas": {"type": "list", "elements": "str", "required": True},
            "ledger_schema": {"type": "str", "required": True},
            "hidden": {"type": "list", "elements": "str", "default": []},
            "extensions": {"type": "list", "elements": "str", "default": []},
            "iam_role": {"type": "str", "default": "rds_iam"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, check=module.check_mode))
    except psycopg.Error as error:
        module.fail_json(msg=f"{module.params['database']} at {module.params['host']}: {str(error).strip()}")


if __name__ == "__main__":
    main()
