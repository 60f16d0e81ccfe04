"""The files of the archive, in a folder and in a bucket: found again as last known, few, and without what has to go."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.archive import Archive, Registered, Row, Wanted
from nottermost_chat.archive.parts import Parts, only_standing, standing, to_rows, to_table
from nottermost_chat.archive.shelf import Shelf
from nottermost_chat.clock import DAY_MS, Clock
from nottermost_chat.metrics import Metrics
from nottermost_chat.testing.buckets import remove_buckets, s3_environment

NOON = 1_767_268_800_000  # 2026-01-01T12:00Z


def row(seq: int, text: str | None = None, *, place: str = "A", day: int = 0, **more: Any) -> Row:
    """A message of ann, unless `more` says otherwise."""
    known: dict[str, Any] = {
        "conversation_id": place, "workspace_id": None, "epoch": 1, "seq": seq, "as_of": seq, "kind": "message",
        "actor_id": "ann", "message_id": f"M{seq}", "target_seq": 0, "created_at": NOON + day * DAY_MS + seq,
        "members_seq": 1, "messages": seq, "channel_mentions": 0, "op_id": str(seq), "thread_id": None,
        "broadcast": False, "detail": "{}", "text": f"text {seq}" if text is None else text,
    }  # fmt: skip
    return Row(**known | more)


@pytest.fixture(params=["folder", "bucket"])
async def archive(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Archive]:
    """An empty archive."""
    if request.param == "folder":
        archive = Archive.in_folder(tmp_path, Metrics(), Clock())
        yield archive
        await archive.close()
        return
    for name, value in s3_environment(request.getfixturevalue("s3")).items():
        monkeypatch.setenv(name, value)
    bucket = f"archive-{Clock().new_id().lower()}"
    archive = Archive.in_bucket(bucket, Metrics(), Clock())
    await archive.set_up()
    await archive.set_up()
    yield archive
    await archive.close()
    await remove_buckets(AioSession(), bucket)


async def texts(archive: Archive, **wanted: Any) -> dict[int, str | None]:
    """Of one conversation, by seq."""
    known: dict[str, Any] = {"conversation_id": "A", "limit": 100} | wanted
    return {found.seq: found.text for found in await archive.messages(Wanted(**known))}


async def test_pages_go_across_days(archive: Archive) -> None:
    """Forward from a place or back to it, never more than asked for, and other conversations do not come in."""
    await archive.append([row(seq, day=seq // 10) for seq in range(1, 40)])
    await archive.append([row(seq, place="B") for seq in range(1, 5)])
    assert list(await archive.days()) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    assert list(await texts(archive, limit=7, before_seq=12, newest_first=True)) == [5, 6, 7, 8, 9, 10, 11]
    assert list(await texts(archive, limit=7, after_seq=28)) == [29, 30, 31, 32, 33, 34, 35]
    assert list(await texts(archive, after_seq=28, before_seq=31, last_day="2026-01-03")) == [29]
    assert await texts(archive, message_id="M5") == {5: "text 5"}
    assert list(await texts(archive, from_ms=NOON + 3 * DAY_MS)) == list(range(30, 40))
    found = [one.seq async for one in archive.query("A", NOON, NOON + DAY_MS + 13, "TEXT 1")]
    assert found == [1, 10, 11, 12]


async def test_the_state_known_last_is_the_one_that_shows(archive: Archive) -> None:
    """However often and in whatever order an entry comes; and the same rows again are the same file."""
    await archive.append([row(1), row(2)])
    await archive.append([row(1), row(2)])
    assert await archive.days() == {"2026-01-01": 1}
    await archive.append([row(1, "new", as_of=9)])
    await archive.append([row(1, "old", as_of=5)])
    assert await texts(archive) == {1: "new", 2: "text 2"}
    assert await archive.merge("2026-01-01") == 2
    assert await archive.days() == {"2026-01-01": 1}
    assert await texts(archive) == {1: "new", 2: "text 2"}
    assert await archive.merge("2026-01-01") == 0


async def test_threads_and_roots(archive: Archive) -> None:
    """A thread with its root; and what a conversation shows, which is replies only where they were broadcast."""
    await archive.append([row(1), row(2, thread_id="M1"), row(3, thread_id="M1", broadcast=True), row(4)])
    assert list(await texts(archive, thread_id="M1")) == [1, 2, 3]
    assert list(await texts(archive, roots_only=True)) == [1, 3, 4]


async def test_a_user_is_erased(archive: Archive) -> None:
    """Texts of all days are blank, reactions on what others said are gone, and others are as they were."""
    reactions = '[{"emoji":"+1","user_ids":["ann","bob"]},{"emoji":"-1","user_ids":["ann"]}]'
    await archive.append([row(1), row(2, day=1), row(3, actor_id="bob", reactions=reactions)])
    assert await archive.erase("ann", nothing_held) == 3
    assert await archive.erase("ann", nothing_held) == 0
    found = {one.seq: one for one in await archive.messages(Wanted(conversation_id="A", limit=9))}
    assert [(found[seq].text, found[seq].redacted) for seq in (1, 2, 3)] == [
        (None, True),
        (None, True),
        ("text 3", False),
    ]
    assert found[3].reactions == '[{"emoji":"+1","user_ids":["bob"]}]'


async def test_rows_expire_by_workspace(archive: Archive) -> None:
    """Those of some workspaces, or of none, without the conversations that are held; a day without rows is gone."""
    rows = [row(1, workspace_id="W"), row(1, place="B", workspace_id="X"), row(1, place="C"), row(1, place="D")]
    await archive.append(rows)
    assert await archive.count_expired("2026-01-01", ["W"], []) == 1
    assert await archive.expire("2026-01-01", ["W", None], holding("D")) == 2
    assert await archive.expire("2026-01-01", ["W", None], holding("D")) == 0
    assert not await texts(archive)
    assert await texts(archive, conversation_id="B")
    assert await texts(archive, conversation_id="D")
    assert await archive.expire("2026-01-01", ["W", "X", None], holding()) == 2
    assert await archive.days() == {}


async def nothing_held() -> None: ...


def holding(*places: str) -> Callable[[], Awaitable[list[str]]]:
    """These conversations are held, whenever one asks."""

    async def held() -> list[str]:
        return [*places]

    return held


async def test_a_hold_stops_an_erasure_before_the_next_part(archive: Archive) -> None:
    """It is asked for before each part, of one day as of several."""
    for number, day in ((1, 0), (2, 0), (3, 1)):
        await archive.append([row(number, day=day)])
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await archive.erase("ann", check)
    found = await archive.messages(Wanted(conversation_id="A", limit=9))
    assert sorted(one.redacted for one in found) == [False, False, True]


async def test_a_hold_stops_an_expiry_before_the_next_part(archive: Archive) -> None:
    """What is held when the second part's turn comes stays."""
    await archive.append([row(1)])
    await archive.append([row(2)])
    answers = iter([[], ["A"]])

    async def held() -> list[str]:
        return next(answers)

    assert await archive.expire("2026-01-01", ["W", None], held) == 1
    assert len(await archive.messages(Wanted(conversation_id="A", limit=9))) == 1


async def test_parts_that_another_process_merges_meanwhile_are_found_again(archive: Archive) -> None:
    """Whoever erases has listed the day before; what is gone then is in a part that is looked at, too."""
    for number in (1, 2, 3):
        await archive.append([row(number), row(number, place="B", actor_id="bob")])
    merged = False

    async def merge() -> None:
        nonlocal merged
        if not merged:  # as the archiver does it, which knows nothing of this process
            merged = True
            assert await archive._run(lambda shelf: shelf.merge("2026-01-01")) == 2

    assert await archive.erase("ann", merge) == 3
    assert set((await texts(archive)).values()) == {None}
    assert set((await texts(archive, conversation_id="B")).values()) == {"text 1", "text 2", "text 3"}


async def test_the_register_is_kept(archive: Archive) -> None:
    """Each erasure once, beside the days."""
    for number in (2, 1, 2):
        await archive.register(Registered(f"E{number}", "ann", "bob", number))
    assert await archive.registered() == [Registered("E1", "ann", "bob", 1), Registered("E2", "ann", "bob", 2)]
    assert await archive.days() == {}


# --- parts alone ------------------------------------------------------------------------------

STATES = st.lists(
    st.builds(
        lambda seq, as_of, redacted: row(seq, f"{seq} at {as_of}", as_of=as_of, redacted=redacted),
        st.integers(1, 4), st.integers(1, 20), st.booleans(),
    ),
    max_size=20,
)  # fmt: skip


@given(states=STATES)
def test_one_state_of_each_entry_stands(states: list[Row]) -> None:
    """A redacted one before all others, else the latest."""
    best: dict[int, Row] = {}
    for state in states:
        if state.seq not in best or (state.redacted, state.as_of) >= (best[state.seq].redacted, best[state.seq].as_of):
            best[state.seq] = state
    table = to_table(states)
    assert len(standing(table)) == len(states)
    found = to_rows(only_standing(table))
    assert [(one.seq, one.redacted, one.as_of) for one in found] == [
        (one.seq, one.redacted, one.as_of) for _, one in sorted(best.items())
    ]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.tuples(STATES, st.booleans()), max_size=6))
def test_merging_changes_nothing_that_shows(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[list[Row], bool]]
) -> None:
    """Whenever the parts are merged, the messages are those of one table with everything in it."""
    shelf, everything = Shelf(Parts.in_folder(tmp_path_factory.mktemp("archive"))), list[Row]()
    for rows, merges in batches:
        shelf.append(rows)
        everything += rows
        if merges:
            shelf.merge("2026-01-01")
    found = shelf.messages(Wanted(conversation_id="A", limit=100))
    wanted = to_rows(only_standing(to_table(everything)))
    assert [(one.seq, one.as_of, one.redacted) for one in found] == [
        (one.seq, one.as_of, one.redacted) for one in wanted
    ]


def test_what_was_replaced_is_in_no_file(tmp_path: Path) -> None:
    """After a merge, and after an erasure: not in one byte, uncompressed as Arrow reads them."""
    parts = Parts.in_folder(tmp_path)
    shelf = Shelf(parts)
    shelf.append([row(1, "secret one"), row(2, "secret two")])
    shelf.append([row(1, "public", as_of=9)])
    shelf.merge("2026-01-01")
    assert words(parts, tmp_path) == {"public", "secret two"}
    for part in parts.parts("2026-01-01"):
        shelf.erase(part, "ann")
    assert words(parts, tmp_path) == set()


def words(parts: Parts, folder: Path) -> set[str]:
    """Every text in every file there is."""
    from pyarrow import parquet as pq  # type: ignore[import-untyped]

    assert parts.days()
    tables = [pq.read_table(path, partitioning=None) for path in folder.rglob("*") if path.is_file()]
    return {text for table in tables for text in table["text"].to_pylist() if text is not None}


def test_a_crash_between_writing_and_removing_shows_nothing_twice(tmp_path: Path) -> None:
    """Rows that are there twice are read once, an unfinished file not at all, and opening removes it."""
    parts = Parts.in_folder(tmp_path)
    shelf = Shelf(parts)
    shelf.append([row(1), row(2)])
    shelf.append([row(3)])
    parts.write_all("2026-01-01", to_table([row(1), row(2), row(3)]))  # merged, and the others are still there
    unfinished = tmp_path / "day=2026-01-01" / ".unfinished.parquet"
    unfinished.write_bytes(b"PAR1")
    found = shelf.messages(Wanted(conversation_id="A", limit=10))
    assert [one.seq for one in found] == [1, 2, 3]
    assert Shelf(Parts.in_folder(tmp_path)).days() == {"2026-01-01": 3}
    assert not unfinished.exists()


def test_a_large_batch_becomes_several_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part is larger than what is read and written whole."""
    monkeypatch.setattr("nottermost_chat.archive.parts.PART_BYTES_MAX", 200_000)
    parts = Parts.in_folder(tmp_path)
    Shelf(parts).append([row(seq, f"{seq} " * 5_000) for seq in range(1, 50)])
    (several,) = parts.days().values()
    assert len(several) > 3
    assert all(re.fullmatch(r"[0-9a-f]{32}\.parquet", Path(part.path).name) for part in several)
