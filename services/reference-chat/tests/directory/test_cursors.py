"""Cursors only rise; personal mentions count above them; receipts are for small conversations."""

from collections.abc import Awaitable, Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.directory import Directory
from nottermost_chat.model import RECEIPT_MEMBERS_MAX, Role
from nottermost_chat.ports import Cursor

Change = Callable[..., Awaitable[None]]

raises = st.lists(  # each: who, read up to, delivered up to
    st.lists(st.tuples(st.sampled_from(["ada", "bob"]), st.integers(0, 9), st.integers(0, 9)), max_size=5), max_size=6
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=raises)
async def test_cursors_only_rise(directory: Directory, batches: list[list[tuple[str, int, int]]]) -> None:
    """After every batch both halves stand at their maximum, the counters with the read half."""
    here = (await directory.conversations.create_group("t", "ada")).conversation_id
    model: dict[str, Cursor] = {}
    for batch in batches:
        await directory.cursors.raise_cursors(
            [Cursor(here, who, read, read * 2, read * 3, delivered) for who, read, delivered in batch]
        )
        for who, read, delivered in batch:
            before = model.get(who, Cursor(here, who))
            read = max(read, before.read_seq)
            model[who] = Cursor(here, who, read, read * 2, read * 3, max(delivered, before.delivered_seq))
        for who in ("ada", "bob"):
            assert (await directory.cursors.of_user(who, [here])).get(here) == model.get(who)


async def test_mentions_count_above_the_cursor(directory: Directory) -> None:
    """Each mention once, only unread ones, also when they are told of again after they were read."""
    mentions = [("ada", "c1", 3), ("ada", "c1", 5), ("ada", "c2", 1), ("bob", "c1", 5)]
    for _ in range(2):
        await directory.cursors.add_mentions(mentions)
    await directory.cursors.add_mentions([])
    assert await directory.cursors.count_mentions("ada") == {"c1": 2, "c2": 1}
    await directory.cursors.raise_cursors([Cursor("c1", "ada", 3), Cursor("c2", "ada", 0, delivered_seq=9)])
    await directory.cursors.add_mentions(mentions)
    assert await directory.cursors.count_mentions("ada") == {"c1": 1, "c2": 1}
    assert await directory.cursors.count_mentions("ada", ["c1", "c3"]) == {"c1": 1}
    assert await directory.cursors.count_mentions("ada", []) == {}
    await directory.cursors.raise_cursors([Cursor("c1", "ada", 9)])
    assert await directory.cursors.count_mentions("ada") == {"c2": 1}
    assert await directory.cursors.count_mentions("bob") == {"c1": 1}


async def test_receipts_of_small_conversations(directory: Directory, change: Change) -> None:
    """Active members' watermarks by user; none above 100 members, where they cost more than they tell."""
    here = (await directory.conversations.create_group("t", "ada")).conversation_id
    await change(here, Role.MEMBER, "ada", "bob", "eve")
    await directory.conversations.raise_cursors([Cursor(here, "ada", 7, 1, 0, 8), Cursor(here, "eve", 7)])
    await change(here, None, "eve")
    assert await directory.cursors.receipts(here) == [Cursor(here, "ada", 7, 1, 0, 8), Cursor(here, "bob", 1)]
    await change(here, Role.MEMBER, *(f"member {at}" for at in range(RECEIPT_MEMBERS_MAX - 1)))
    assert await directory.cursors.receipts(here) == []
    assert await directory.cursors.receipts("nowhere") == []
