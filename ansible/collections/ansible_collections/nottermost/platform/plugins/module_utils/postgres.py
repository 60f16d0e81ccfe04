"""How modules reach PostgreSQL, and who may do what there as a set of facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

CONNECT_S: Final = 10
PUBLIC: Final = "PUBLIC"
CONNECTION: Final[dict[str, dict[str, Any]]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "database": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "default": "", "no_log": True},
    "sslmode": {"type": "str", "default": "prefer"},
    "sslrootcert": {"type": "str", "default": ""},
}

# A fact is a kind and what it is about; facts that are wanted and not there become one statement each, and so do
# those that are there and must not be.
Fact = tuple[str, ...]
Facts = frozenset[Fact]
ATTRIBUTES: Final = ("login", "superuser", "createdb", "createrole", "replication", "bypassrls")


def connect(params: Mapping[str, Any], **more: Any) -> "psycopg.Connection[tuple[Any, ...]]":
    """Raises: psycopg.OperationalError."""
    return psycopg.connect(**conninfo(params), **more)


def conninfo(params: Mapping[str, Any]) -> dict[str, Any]:
    """What libpq takes, of a module's parameters."""
    named = {"host", "port", "user", "password", "sslmode", "sslrootcert"}
    found = {key: params[key] for key in named if params.get(key)}
    return found | {
        "dbname": params["database"],
        "connect_timeout": CONNECT_S,
        "application_name": "nottermost-bootstrap",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is to be there.

    Attributes:
        owner: has the tables and changes them; nobody signs in as it.
        app: reads and writes rows. readonly: reads, but not what is hidden.
        schemas: of the chat. ledger: the schema with the ledger of migrations.
        hidden: tables with passwords, tokens and addresses.
        iam: RDS makes this role; who is in it signs in with a token and with nothing else.
    """

    owner: str
    app: str
    readonly: str
    schemas: tuple[str, ...]
    ledger: str
    hidden: frozenset[str]
    extensions: tuple[str, ...]
    iam: str

    @property
    def people(self) -> tuple[str, str]:
        return self.app, self.readonly


@dataclass(frozen=True, slots=True)
class Relation:
    """Something in a schema. `kind`: TABLE, VIEW, SEQUENCE or ROUTINE; `name`: with its schema, quoted."""

    kind: str
    schema: str
    name: str
    plain: str


@dataclass(frozen=True, slots=True)
class Server:
    """What has to be known of a server before anything can be wanted of it. `iam`: whether it has RDS' role for that."""

    database: str
    admin: str
    superuser: bool
    iam: bool
    relations: tuple[Relation, ...]


TABLE_RIGHTS: Final = {"app": ("SELECT", "INSERT", "UPDATE", "DELETE"), "readonly": ("SELECT",)}
SEQUENCE_RIGHTS: Final = {"app": ("USAGE", "SELECT"), "readonly": ("SELECT",)}


def want(access: Access, server: Server) -> Facts:
    """Every fact that is to hold."""
    facts: set[Fact] = {("role", each) for each in (access.owner, *access.people)}
    facts |= {("attribute", each, "login") for each in access.people}
    facts |= {("extension", each) for each in access.extensions}
    facts |= {("schema", each) for each in (*access.schemas, access.ledger)}
    facts |= {("owner", "SCHEMA", each, access.owner) for each in (*access.schemas, access.ledger)}
    facts |= {("owner", each.kind, each.name, access.owner) for each in server.relations}
    if not server.superuser:
        facts.add(("member", access.owner, server.admin))
    if server.iam:
        facts |= {("member", access.iam, each) for each in access.people}
    rights = {access.owner: ("CONNECT", "CREATE", "TEMPORARY")} | dict.fromkeys(access.people, ("CONNECT",))
    facts |= {("grant", "DATABASE", server.database, who, right) for who, each in rights.items() for right in each}
    facts |= {("grant", "SCHEMA", each, who, "USAGE") for each in access.schemas for who in access.people}
    facts.add(("grant", "SCHEMA", access.ledger, access.readonly, "USAGE"))
    facts |= set(_want_rows(access, server))
    # What a migration makes is the program's at once. Readers see it with the next bootstrap: it may be to hide.
    for schema in access.schemas:
        facts |= {("default", schema, "TABLES", access.app, right) for right in TABLE_RIGHTS["app"]}
        facts |= {("default", schema, "SEQUENCES", access.app, right) for right in SEQUENCE_RIGHTS["app"]}
    return frozenset(facts)


def _want_rows(access: Access, server: Server) -> Iterable[Fact]:
    for each in server.relations:
        if each.kind == "ROUTINE":
            continue
        rights = SEQUENCE_RIGHTS if each.kind == "SEQUENCE" else TABLE_RIGHTS
        if each.schema != access.ledger:
            yield from (("grant", each.kind, each.name, access.app, right) for right in rights["app"])
        if each.plain not in access.hidden:
            yield from (("grant", each.kind, each.name, access.readonly, right) for right in rights["readonly"])


# --- what there is --------------------------------------------------------------------------------

_KINDS: Final = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE"}
_OURS: Final = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = {}.oid AND d.deptype IN ('e', 'i'))"
_RELATIONS: Final = f"""
SELECT c.relkind::text, n.nspname, format('%%I.%%I', n.nspname, c.relname), c.relname, pg_get_userbyid(c.relowner)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND {_OURS.format("c")}
UNION ALL
SELECT 'routine', n.nspname, format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       p.proname, pg_get_userbyid(p.proowner)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s) AND {_OURS.format("p")}
"""  # noqa: S608 - put together from constants
_GRANTS: Final = f"""
SELECT 'DATABASE', d.datname, a.grantee, a.privilege_type
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = current_database()
UNION ALL
SELECT 'SCHEMA', n.nspname, a.grantee, a.privilege_type
FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE n.nspname = ANY(%(schemas)s)
UNION ALL
SELECT c.relkind::text, format('%%I.%%I', n.nspname, c.relname), a.grantee, a.privilege_type
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
     aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) a
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND {_OURS.format("c")}
"""  # noqa: S608 - as above
_COLUMNS: Final = f"""
SELECT format('%%I.%%I', n.nspname, c.relname), format('%%I', t.attname), a.grantee, a.privilege_type
FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
     aclexplode(t.attacl) a
WHERE n.nspname = ANY(%(schemas)s) AND NOT t.attisdropped AND {_OURS.format("c")}
"""  # noqa: S608 - as above
_DEFAULTS: Final = """
SELECT n.nspname, CASE f.defaclobjtype WHEN 'S' THEN 'SEQUENCES' ELSE 'TABLES' END, a.grantee, a.privilege_type
FROM pg_default_acl f JOIN pg_namespace n ON n.oid = f.defaclnamespace, aclexplode(f.defaclacl) a
WHERE n.nspname = ANY(%(schemas)s) AND f.defaclobjtype IN ('r', 'S') AND pg_get_userbyid(f.defaclrole) = %(owner)s
"""
_MEMBERS: Final = """
SELECT pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members
WHERE (pg_get_userbyid(member) = ANY(%(people)s)
       OR pg_get_userbyid(roleid) = %(owner)s
       OR (pg_get_userbyid(roleid) = ANY(%(people)s) AND pg_get_userbyid(member) <> current_user))
"""
# From 16 on who made a role is its member without being able to act as it.
_USABLE: Final = " AND (set_option OR pg_get_userbyid(member) <> current_user)"
_USABLE_SINCE: Final = 160_000


class Reader:
    """Reads the catalogs of one database."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", access: Access) -> None:
        self._connection, self._access = connection, access
        self._schemas = [*access.schemas, access.ledger]

    def server(self) -> Server:
        query = """
        SELECT current_database(), current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
               EXISTS (SELECT FROM pg_roles WHERE rolname = %(iam)s)
        """
        database, admin, superuser, iam = self._rows(query)[0]
        return Server(database, admin, superuser, iam, tuple(relation for relation, _ in self._relations()))

    def facts(self, server: Server) -> Facts:
        """What holds, of the kinds that are ours to say: grants and memberships of our roles and of everybody."""
        facts: set[Fact] = {("extension", name) for (name,) in self._rows("SELECT extname FROM pg_extension")}
        facts |= set(self._roles())
        for name, owner in self._rows(
            "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ANY(%(schemas)s)"
        ):
            facts |= {("schema", name), ("owner", "SCHEMA", name, owner)}
        facts |= {("owner", each.kind, each.name, owner) for each, owner in self._relations()}
        facts |= set(self._members(server))
        names = self._names()
        for kind, name, grantee, right in self._rows(_GRANTS):
            if self._is_ours(kind, who := names.get(grantee, "")):
                facts.add(("grant", _KINDS.get(kind, kind), name, who, right))
        for table, column, grantee, right in self._rows(_COLUMNS):
            if self._is_ours("COLUMN", who := names.get(grantee, "")):
                facts.add(("column", table, column, who, right))
        for schema, kind, grantee, right in self._rows(_DEFAULTS):
            if (who := names.get(grantee, "")) in self._access.people:
                facts.add(("default", schema, kind, who, right))
        return frozenset(facts)

    def _is_ours(self, kind: str, who: str) -> bool:
        """The owner's own rights in its schemas go without saying."""
        owner = (self._access.owner,) if kind == "DATABASE" else ()
        return who in (*self._access.people, PUBLIC, *owner)

    def _roles(self) -> Iterable[Fact]:
        columns = ", ".join(f"rol{'canlogin' if each == 'login' else each}" for each in ATTRIBUTES)
        columns = columns.replace("rolsuperuser", "rolsuper")
        rows = self._rows(f"SELECT rolname, {columns} FROM pg_roles WHERE rolname = ANY(%(ours)s)")  # noqa: S608 - ours
        for name, *flags in rows:
            yield ("role", name)
            yield from (("attribute", name, each) for each, is_set in zip(ATTRIBUTES, flags, strict=True) if is_set)

    def _members(self, server: Server) -> Iterable[Fact]:
        usable = _USABLE if self._connection.info.server_version >= _USABLE_SINCE else ""
        for group, member in self._rows(_MEMBERS + usable):
            if member != server.admin or not server.superuser:
                yield ("member", group, member)

    def _relations(self) -> list[tuple[Relation, str]]:
        return [
            (Relation(_KINDS.get(kind, "ROUTINE"), schema, name, plain), owner)
            for kind, schema, name, plain, owner in self._rows(_RELATIONS)
        ]

    def _names(self) -> dict[int, str]:
        return {0: PUBLIC} | dict(self._rows("SELECT oid, rolname FROM pg_roles"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        access = self._access
        values = {
            "schemas": self._schemas, "owner": access.owner, "people": list(access.people), "iam": access.iam,
            "ours": [access.owner, *access.people],
        }  # fmt: skip
        return self._connection.execute(query, values).fetchall()


# --- from one to the other ------------------------------------------------------------------------

# In this order: what follows stands on what comes before.
_ORDER: Final = (
    "role", "attribute", "extension", "schema", "member", "grant-first", "owner", "grant", "column", "default",
)  # fmt: skip
_REMOVABLE: Final = ("attribute", "member", "grant", "column", "default")


def plan(wanted: Facts, found: Facts, owner: str) -> list[sql.Composed]:
    """The statements that make what is wanted of what is found, in an order that works."""
    removable = {fact for fact in found - wanted if fact[0] in _REMOVABLE}
    make = sorted(wanted - found, key=_place)
    return [_statement(fact, owner, make=True) for fact in make] + [
        _statement(fact, owner, make=False) for fact in sorted(removable, key=_place)
    ]


def _place(fact: Fact) -> tuple[int, Fact]:
    """The owner needs its rights on the database before it can be given a schema."""
    kind = "grant-first" if fact[:2] == ("grant", "DATABASE") else fact[0]
    return _ORDER.index(kind), fact


def _statement(fact: Fact, owner: str, *, make: bool) -> sql.Composed:
    name = sql.Identifier
    match fact:
        case ("role", who):
            return sql.SQL("CREATE ROLE {}").format(name(who))
        case ("attribute", who, attribute):
            return sql.SQL("ALTER ROLE {} {}").format(name(who), sql.SQL(("" if make else "NO") + attribute.upper()))
        case ("extension", extension):
            return sql.SQL("CREATE EXTENSION {}").format(name(extension))
        case ("schema", schema):
            return sql.SQL("CREATE SCHEMA {}").format(name(schema))
        case ("member", group, who):
            verb, to = ("GRANT", "TO") if make else ("REVOKE", "FROM")
            return sql.SQL("{} {} {} {}").format(sql.SQL(verb), name(group), sql.SQL(to), name(who))
        case ("owner", kind, what, who):
            return sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), _object(kind, what), name(who))
        case ("grant", kind, what, who, right):
            table = "TABLE" if "VIEW" in kind else kind
            return _grant(make, sql.SQL("{} ON {} {}").format(sql.SQL(right), sql.SQL(table), _object(kind, what)), who)
        case ("column", table, column, who, right):
            given = sql.SQL("{} ({}) ON TABLE {}").format(sql.SQL(right), sql.SQL(column), sql.SQL(table))
            return _grant(make, given, who)
        case ("default", schema, kind, who, right):
            given = _grant(make, sql.SQL("{} ON {}").format(sql.SQL(right), sql.SQL(kind)), who)
            head = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} ").format(name(owner), name(schema))
            return head + given
    raise AssertionError(fact)


def _grant(make: bool, what: sql.Composed, who: str) -> sql.Composed:
    verb, to = ("GRANT ", " TO ") if make else ("REVOKE ", " FROM ")
    grantee = sql.SQL(PUBLIC) if who == PUBLIC else sql.Identifier(who)
    return sql.SQL(verb) + what + sql.SQL(to) + sql.Composed([grantee])


def _object(kind: str, what: str) -> sql.Composable:
    """Databases and schemas are names; everything else comes quoted from the catalogs, by `format`."""
    return sql.Identifier(what) if kind in ("DATABASE", "SCHEMA") else sql.SQL(what)


def show(facts: Iterable[Fact]) -> str:
    """One line a fact, for a diff."""
    return "".join(f"{' '.join(fact)}\n" for fact in sorted(facts, key=_place))


def managed(found: Facts, wanted: Facts) -> Facts:
    """What is found and concerns what is wanted: the other side of the diff."""
    names = {fact[:-1] for fact in wanted if fact[0] == "owner"}
    return frozenset(
        fact for fact in found
        if fact in wanted or fact[0] in _REMOVABLE or fact[:-1] in names
    )  # fmt: skip


def can_sign_in(params: Mapping[str, Any], user: str, password: str) -> bool:
    """Whether the password is the one that the server knows: only it can tell."""
    try:
        psycopg.connect(**(conninfo(params) | {"user": user, "password": password})).close()
    except psycopg.OperationalError:
        return False
    return True


def set_password(connection: "psycopg.Connection[tuple[Any, ...]]", user: str, password: str) -> None:
    """Sent as a verifier, so that no log of statements holds it."""
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(verifier)))


def render(statements: Sequence[sql.Composed], connection: "psycopg.Connection[tuple[Any, ...]]") -> list[str]:
    return [statement.as_string(connection) for statement in statements]
