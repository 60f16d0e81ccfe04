"""Policies, holds, the lease, erasures and exports, on both databases."""

from collections.abc import Awaitable, Callable

from nottermost_chat.directory import Directory, RequestState
from nottermost_chat.model import Role


async def test_policies_and_holds(directory: Directory) -> None:
    """A policy replaces the one before; a hold covers its conversation, its workspace's, or its user's of ever."""
    ann = await directory.accounts.create_user(username="ann")
    workspace = await directory.workspaces.create("W", ann.user_id)
    channel = await directory.conversations.create_channel(workspace.workspace_id, "c", ann.user_id)
    group = await directory.conversations.create_group("g", ann.user_id)
    both = [channel.conversation_id, group.conversation_id]
    retention = directory.retention
    for days in (30, 60):
        policy = {"warm_days": days, "archive_days": 90}
        await retention.set_policy(workspace.workspace_id, **policy, changed_by=ann.user_id)
    assert (await retention.policies())[workspace.workspace_id].warm_days == 60
    assert await retention.policy("nowhere") is None
    assert await retention.held(both) == frozenset()
    holds = [
        await retention.hold(reason="r", created_by="a", workspace_id=workspace.workspace_id),
        await retention.hold(reason="r", created_by="a", conversation_id=group.conversation_id),
    ]
    assert await retention.held(both) == {*both}
    assert {*await retention.all_held()} >= {*both}
    assert (await retention.release(holds[0].hold_id)).ended_at is not None
    assert await retention.held(both) == {group.conversation_id}
    assert not await retention.holds_user(ann.user_id)
    await retention.hold(reason="r", created_by="a", user_id=ann.user_id)
    assert await retention.holds_user(ann.user_id)
    assert holds[0].hold_id not in {hold.hold_id for hold in await retention.holds()}
    assert holds[0].hold_id in {hold.hold_id for hold in await retention.holds(ended=True)}
    page = await retention.places(after="", limit=1000)
    assert [place.conversation_id for place in page] == sorted(place.conversation_id for place in page)


async def test_what_came_with_an_import_is_held_with_its_users(directory: Directory) -> None:
    """Nobody says who was a member there when: a hold on one of them, or on one of its places, is about all of it."""
    accounts, retention, key = directory.accounts, directory.retention, "slack:C1@1"
    ann = await accounts.create_user(username="ann", import_key=f"{key}:U1")
    bob = await accounts.create_user(username="bob", import_key=f"{key}:U2")
    cat = await accounts.create_user(username="cat", import_key=f"{key}9:U1")  # of another import
    theirs = await directory.workspaces.create("W", ann.user_id, import_key=key)
    other = await directory.workspaces.create("X", cat.user_id, import_key=f"{key}9")
    channel = await directory.conversations.create_channel(
        theirs.workspace_id, "c", ann.user_id, import_key=f"{key}:C1"
    )
    group = await directory.conversations.create_group("g", ann.user_id, import_key=f"{key}:G1")
    made_here = await directory.conversations.create_channel(theirs.workspace_id, "here", ann.user_id)
    elsewhere = await directory.conversations.create_channel(
        other.workspace_id, "c", cat.user_id, import_key=f"{key}9:C1"
    )
    came, places = {channel.conversation_id, group.conversation_id}, [channel, group, made_here, elsewhere]
    ids = [place.conversation_id for place in places]

    async def held_users() -> set[str]:
        return {user.username for user in (ann, bob, cat) if await retention.holds_user(user.user_id)}

    hold = await retention.hold(reason="r", created_by="a", user_id=bob.user_id)
    assert await retention.held(ids) == came
    assert {*await retention.all_held()} & {*ids} == came
    assert await held_users() == {ann.username, bob.username}
    await retention.release(hold.hold_id)
    hold = await retention.hold(reason="r", created_by="a", conversation_id=channel.conversation_id)
    assert await held_users() == {ann.username, bob.username}
    await retention.release(hold.hold_id)
    hold = await retention.hold(reason="r", created_by="a", workspace_id=theirs.workspace_id)
    assert await held_users() == {ann.username, bob.username}
    await retention.release(hold.hold_id)


async def test_a_direct_conversation_of_an_import_is_held_with_its_users(
    directory: Directory, change: Callable[..., Awaitable[None]]
) -> None:
    """It has no key of its own, but members who have one; who spoke there may be a third."""
    accounts, retention = directory.accounts, directory.retention
    users = [await accounts.create_user(username=f"u{n}", import_key=f"slack:C1@1:U{n}") for n in range(3)]
    ids = [user.user_id for user in users]
    await directory.workspaces.create("W", ids[0], import_key="slack:C1@1")
    direct, _ = await directory.conversations.direct(ids[0], ids[1])
    await change(direct.conversation_id, Role.MEMBER, *ids[:2])
    ann, bob = [(await accounts.create_user(username=name)).user_id for name in ("ann", "bob")]
    others, _ = await directory.conversations.direct(ann, bob)
    await change(others.conversation_id, Role.MEMBER, ann, bob)
    await retention.hold(reason="r", created_by="a", user_id=ids[2])
    assert await retention.held([direct.conversation_id, others.conversation_id]) == {direct.conversation_id}


async def test_one_removes(directory: Directory) -> None:
    """Who has the lease goes on; another one gets it when it has ended."""
    assert await directory.retention.claim("a", valid_ms=60_000)
    assert await directory.retention.claim("a", valid_ms=0)
    assert await directory.retention.claim("b", valid_ms=60_000)
    assert not await directory.retention.claim("a", valid_ms=60_000)


async def test_erasures_and_exports(directory: Directory) -> None:
    """One of each is open at a time; a profile that was erased says nothing, and its name is free again."""
    ann = await directory.accounts.create_user(username="ann", email="ann@example.org", display_name="Ann A")
    await directory.accounts.sign_in(ann.user_id, "ann's phone", valid_s=60)
    privacy = directory.privacy
    asked = await privacy.request_erasure(ann.user_id, ann.user_id)
    assert await privacy.request_erasure(ann.user_id, "other") == asked
    await privacy.begin_erasure(asked.erasure_id)
    for _ in range(2):
        await privacy.erase_profile(ann.user_id)
    await privacy.finish_erasure(asked.erasure_id)
    assert asked.erasure_id not in {row.erasure_id for row in await privacy.erasures()}
    row = await privacy.erasure(asked.erasure_id)
    assert row is not None
    assert row.state is RequestState.FINISHED
    again = await privacy.request_erasure(ann.user_id, "o", erasure_id=asked.erasure_id, requested_at=1)
    assert again.state is RequestState.REQUESTED
    (device,) = await privacy.all_devices(ann.user_id)
    assert device.name == ""
    await directory.accounts.create_user(username="ann", email="ann@example.org")
    export = await privacy.request_export(ann.user_id, ann.user_id)
    assert await privacy.request_export(ann.user_id, ann.user_id) == export
    await privacy.begin_export(export.export_id, "key")
    await privacy.finish_export(export.export_id, expires_at=1)
    assert [one.blob_key for one in await privacy.stale_exports() if one.user_id == ann.user_id] == ["key"]
    await privacy.forget_export(export.export_id)
    assert not [one for one in await privacy.stale_exports() if one.user_id == ann.user_id]
    assert await privacy.stays(ann.user_id) == []
    assert await directory.consents.of_user(ann.user_id) == []
    assert await privacy.notifications(ann.user_id) is None
