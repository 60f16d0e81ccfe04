"""Pictures of who is in a conversation: never older than asked for, and complete after a crash."""

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nottermost_chat.ingest.plan import find_heir
from nottermost_chat.model import Entry, Head, Member, Role
from nottermost_chat.pictures import Pictures
from nottermost_chat.testing.batches import Draft
from nottermost_chat.testing.ingesting import open_writing

CHANGES = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([Role.MEMBER, Role.ADMIN, None])), min_size=1, max_size=4),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=CHANGES, applied=st.integers(0, 8))
async def test_a_picture_is_what_the_log_says(
    tmp_path: Path, steps: list[list[tuple[int, Role | None]]], applied: int
) -> None:
    """Projected, advanced in memory, or half applied before a crash: members and joins are those of the log."""
    async with open_writing(tmp_path) as writing:
        users = await writing.users("ann", "bob", "cat", "dan")
        place = await writing.conversation(*users, join=False)
        entries: list[Entry] = []
        for number, step in enumerate(steps):
            draft = Draft((await writing.store.heads([place])).get(place, Head(place)))
            last = {users[user]: role for user, role in step}
            entries.append(draft.change(place, str(number), list(last.items())))
            await writing.store.append(draft.batch)
        memberships = writing.directory.conversations
        await memberships.apply(entries[:applied])
        advanced = Pictures(memberships, writing.store)
        await advanced.at(place, len(entries[:applied]))
        for entry in entries[applied:]:
            advanced.advance(entry)
        projected = Pictures(memberships, writing.store)
        for pictures in (projected, advanced):
            picture = await pictures.at(place, len(entries))
            assert picture is not None
            assert picture.members_seq == len(entries)
            assert dict(picture.members) == members_of(entries)


def members_of(entries: list[Entry]) -> dict[str, Member]:
    """The model: the last word on each user counts; a role change is no new join."""
    members: dict[str, Member] = {}
    for entry in entries:
        for change in entry.detail.changes:
            before = members.get(change.user_id)
            if change.role is None:
                members.pop(change.user_id, None)
            else:
                members[change.user_id] = Member(
                    change.user_id, change.role, before.joined_seq if before else entry.seq
                )
    return members


async def test_a_conversation_that_does_not_exist_has_no_picture(tmp_path: Path) -> None:
    """None, not an empty one."""
    async with open_writing(tmp_path) as writing:
        assert await Pictures(writing.directory.conversations, writing.store).at("nowhere", 1) is None


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    joins=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=8, max_size=8),
    changed=st.sets(st.integers(0, 7), min_size=1, max_size=7),
    role=st.sampled_from([Role.MEMBER, None]),
)
async def test_an_excerpt_is_enough_to_judge_by(
    tmp_path: Path, joins: list[tuple[int, bool]], changed: set[int], role: Role | None
) -> None:
    """Who becomes admin when others leave is the same, seen on all members or on an excerpt of them."""
    async with open_writing(tmp_path) as writing:
        users = await writing.users(*"abcdefgh")
        place = await writing.conversation(*users, join=False)
        for step in range(4):
            draft = Draft((await writing.store.heads([place])).get(place, Head(place)))
            roles = [
                (users[at], Role.ADMIN if admin else Role.MEMBER)
                for at, (when, admin) in enumerate(joins)
                if when == step
            ]
            if roles:
                await writing.directory.conversations.apply([draft.change(place, str(step), roles)])
                await writing.store.append(draft.batch)
        memberships = writing.directory.conversations
        whole = await memberships.picture(place)
        wanted = {users[at]: role for at in changed}
        part = await Pictures(memberships, writing.store).excerpt(place, 1, list(wanted), eldest=len(wanted) + 1)
        assert whole is not None
        assert part is not None
        assert part.members.items() <= whole.members.items()
        assert find_heir(part.members, wanted) == find_heir(whole.members, wanted)


async def test_excerpts_follow_the_members(tmp_path: Path) -> None:
    """Who was looked up stays known; who leaves or joins is so at once, and the rest is looked up when it is needed."""
    async with open_writing(tmp_path) as writing:
        ann, bob, cat = await writing.users("ann", "bob", "cat")
        place = await writing.conversation(ann, bob)
        pictures = Pictures(writing.directory.conversations, writing.store)
        first = await pictures.excerpt(place, 1, [ann])
        assert first is not None
        assert set(first.members) == {ann}
        left = await writing.change(place, ann, (bob, None), (cat, Role.MEMBER))
        pictures.advance(left.entry)
        second = await pictures.excerpt(place, left.entry.seq, [ann, bob, cat])
        assert second is not None
        assert (set(second.members), second.members_seq) == ({ann, cat}, left.entry.seq)


class SlowMemberships:
    """Answers with the picture of when it was asked; the first time after `gate` is set."""

    def __init__(self, memberships: Any) -> None:
        self._memberships, self.gate, self._is_first = memberships, asyncio.Event(), True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memberships, name)

    async def picture(self, conversation_id: str) -> Any:
        is_first, self._is_first = self._is_first, False
        picture = await self._memberships.picture(conversation_id)
        if is_first:
            await self.gate.wait()
        return picture


async def test_a_slow_look_replaces_nothing_newer(tmp_path: Path) -> None:
    """It was begun before somebody was removed, and ends after it: who is out stays out."""
    async with open_writing(tmp_path) as writing:
        ann, bob = await writing.users("ann", "bob")
        place = await writing.conversation(ann, bob)
        slow = SlowMemberships(writing.directory.conversations)
        pictures = Pictures(slow, writing.store)
        before = asyncio.create_task(pictures.at(place, 1))
        await asyncio.sleep(0)
        removed = (await writing.change(place, ann, (bob, None))).entry
        assert await pictures.at(place, removed.seq) is not None
        slow.gate.set()
        await before
        known = pictures.known(place, removed.seq)
        assert known is not None
        assert known.members.keys() == {ann}
