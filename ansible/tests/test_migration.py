"""Expand, promoted, contract: the chat's own revisions on a real PostgreSQL, with the ledger of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from ansible_collections.nottermost.platform.plugins.module_utils.ledger import Entry, Refused, plan_phase
from ansible_collections.nottermost.platform.plugins.modules import migration

from nottermost_chat import migrations
from nottermost_chat.testing.databases import connect_to, make_database
from nottermost_chat.testing.servers import Address

KNOWN = ("v2_1", "v2_0", "v1_3", "v1_2", "v1_1", "v1_0")
SCHEMA = "directory"
ENDED = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def params(postgres: Address) -> Iterator[dict[str, Any]]:
    """An empty database."""
    with make_database(postgres, SCHEMA, empty=True) as name:
        yield {
            "host": postgres.host, "port": postgres.port, "database": name, "user": "postgres", "password": "",
            "sslmode": "prefer", "sslrootcert": "", "owner": "postgres", "schemas": [SCHEMA],
            "ledger_schema": "public", "program": "test",
        }  # fmt: skip


def run(params: dict[str, Any], phase: str, *, check: bool = False) -> dict[str, Any]:
    return migration.run(params | {"phase": phase}, check=check)


def lines(params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with psycopg.connect(
        host=params["host"], port=params["port"], dbname=params["database"], user="postgres"
    ) as connection:
        return connection.execute(
            "SELECT phase, from_revision, to_revision, program, ended_at IS NOT NULL FROM migration_ledger ORDER BY number"
        ).fetchall()


def revision(postgres: Address, params: dict[str, Any]) -> str | None:
    with connect_to(postgres, params["database"]) as connection:
        return migrations.current(connection, SCHEMA)


def test_an_empty_database_goes_all_the_way_once(postgres: Address, params: dict[str, Any]) -> None:
    """A dry run says so and does nothing; the run is in the ledger; again is nothing."""
    newest = migrations.known(SCHEMA)[0]
    planned = run(params, "expand", check=True)
    assert planned["changed"]
    assert revision(postgres, params) is None
    assert run(params, "expand")["steps"] == planned["steps"]
    assert revision(postgres, params) == newest
    assert lines(params) == [("expand", None, newest, "test", True)]
    assert not run(params, "expand")["changed"]
    assert not run(params, "contract")["changed"]  # nothing is left to take away


def test_contract_waits_for_the_promotion(postgres: Address, params: dict[str, Any]) -> None:
    """From a database that an older version made: expand, contract refused, promoted, contract; each once."""
    with connect_to(postgres, params["database"]) as connection:
        migrations.upgrade(connection, SCHEMA, to="v1_1")
    with pytest.raises(Refused, match="not expanded to v1_3: run the phase expand first"):
        run(params, "contract")
    assert run(params, "expand")["changed"]
    with pytest.raises(Refused, match="run the phase promoted"):
        run(params, "contract")
    assert revision(postgres, params) == "v1_3"
    assert run(params, "promoted")["changed"]
    assert not run(params, "promoted")["changed"]
    assert run(params, "contract")["changed"]
    newest = migrations.known(SCHEMA)[0]
    assert revision(postgres, params) == newest
    assert not run(params, "contract")["changed"]
    assert lines(params) == [
        ("expand", "v1_1", "v1_3", "test", True),
        ("promoted", "v1_3", newest, "test", True),
        ("contract", "v1_3", newest, "test", True),
    ]


def promoted(at: str, bears: str, *, schema: str = SCHEMA, ended_at: datetime | None = ENDED) -> Entry:
    return Entry(schema=schema, phase="promoted", from_revision=at, to_revision=bears, ended_at=ended_at)


def test_a_promotion_that_never_ended_counts_for_nothing() -> None:
    """Nor does one of another schema or of an older revision."""
    others = [
        promoted("v1_3", "v2_1", ended_at=None),
        promoted("v1_3", "v2_1", schema="store"),
        promoted("v1_2", "v2_1"),
    ]
    for each in others:
        with pytest.raises(Refused, match="nobody has said"):
            plan_phase("contract", SCHEMA, now="v1_3", known=KNOWN, entries=[each])
    assert plan_phase("contract", SCHEMA, now="v1_3", known=KNOWN, entries=[promoted("v1_3", "v2_1")]).changes


def test_a_contraction_of_its_own_needs_a_promotion_of_its_own() -> None:
    """Release A was promoted at v2_1; B ships v3_0 alone, on which A would refuse to start. A roll-back counts too."""
    known = ("v3_0", *KNOWN)
    of_a = plan_phase("promoted", SCHEMA, now="v2_1", known=KNOWN, entries=[])
    assert (of_a.from_revision, of_a.to_revision, of_a.changes) == ("v2_1", "v2_1", True)
    a, b = promoted("v2_1", "v2_1"), promoted("v2_1", "v3_0")
    with pytest.raises(Refused, match="only programs that bear v3_0 run"):
        plan_phase("contract", SCHEMA, now="v2_1", known=known, entries=[a])
    assert plan_phase("promoted", SCHEMA, now="v2_1", known=known, entries=[a]).to_revision == "v3_0"
    assert plan_phase("contract", SCHEMA, now="v2_1", known=known, entries=[a, b]).to_revision == "v3_0"
    assert plan_phase("promoted", SCHEMA, now="v2_1", known=KNOWN, entries=[a, b]).changes
    with pytest.raises(Refused, match="only programs that bear v3_0 run"):
        plan_phase("contract", SCHEMA, now="v2_1", known=known, entries=[a, b, a])


@pytest.mark.parametrize(
    ("now", "to"), [(None, "v2_1"), ("v1_0", "v1_3"), ("v1_3", "v1_3"), ("v2_0", "v2_1"), ("v2_9", "v2_9")]
)
def test_expand_goes_as_far_as_older_programs_bear(now: str | None, to: str) -> None:
    """And leaves alone what a newer program made."""
    step = plan_phase("expand", SCHEMA, now=now, known=KNOWN, entries=[])
    assert (step.to_revision, step.changes) == (to, now != to)


@pytest.mark.parametrize("phase", ["expand", "contract"])
def test_what_the_chat_refuses_to_start_on_is_refused(phase: str) -> None:
    """Two generations behind, or one ahead."""
    with pytest.raises(Refused, match="contract it with the versions between"):
        plan_phase(phase, SCHEMA, now="v0_4", known=KNOWN, entries=[])
    with pytest.raises(Refused, match="which a newer program made"):
        plan_phase(phase, SCHEMA, now="v3_0", known=KNOWN, entries=[])


def test_contract_also_takes_what_follows_in_the_generation() -> None:
    """v2_0 to v2_1 takes nothing away; no promotion is asked for."""
    step = plan_phase("contract", SCHEMA, now="v2_0", known=KNOWN, entries=[])
    assert (step.to_revision, step.changes) == ("v2_1", True)


@pytest.mark.parametrize("now", ["v1_0", "v1_1", "v1_2", "v1_3"])
def test_what_is_planned_is_what_the_chat_does(postgres: Address, params: dict[str, Any], now: str) -> None:
    """The plan of an expansion and the chat's own upgrade come to the same revision."""
    planned = plan_phase("expand", SCHEMA, now=now, known=migrations.known(SCHEMA), entries=[])
    with connect_to(postgres, params["database"]) as connection:
        migrations.upgrade(connection, SCHEMA, to=now)
        migrations.upgrade(connection, SCHEMA)
        assert migrations.current(connection, SCHEMA) == planned.to_revision
