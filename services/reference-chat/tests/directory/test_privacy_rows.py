"""Policies, holds, the lease, erasures and exports, on both databases."""

from nottermost_chat.directory import Directory, RequestState


async def test_policies_and_holds(directory: Directory) -> None:
    """A policy replaces the one before; a hold covers its conversation, its workspace's, or its user's of ever."""
    ann = await directory.accounts.create_user(username="ann")
    workspace = await directory.workspaces.create("W", ann.user_id)
    channel = await directory.conversations.create_channel(workspace.workspace_id, "c", ann.user_id)
    group = await directory.conversations.create_group("g", ann.user_id)
    both = [channel.conversation_id, group.conversation_id]
    retention = directory.retention
    for days in (30, 60):
        policy = {"hot_hours": 1, "warm_days": days, "archive_days": 90}
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
    assert await privacy.consents(ann.user_id) == []
    assert await privacy.notifications(ann.user_id) is None
