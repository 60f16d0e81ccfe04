"""Workspaces: members and roles, teams, and who knows whom."""

from collections.abc import Awaitable, Callable

import pytest

from nottermost_chat.directory import Directory
from nottermost_chat.errors import Conflict, NotFound
from nottermost_chat.model import Role

NewUser = Callable[[str], Awaitable[str]]
Change = Callable[..., Awaitable[None]]


async def test_members_and_roles(directory: Directory, new_user: NewUser) -> None:
    """The creator owns it; adding again changes nothing; the count follows."""
    workspaces = directory.workspaces
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    row = await workspaces.create("Engines", ada, import_key="T1")
    workspace_id = row.workspace_id
    assert await workspaces.by_import_key("T1") == row == await workspaces.get(workspace_id)
    with pytest.raises(Conflict):
        await workspaces.create("Engines again", ada, import_key="T1")
    assert await workspaces.add_members(workspace_id, [bob, ada, bob], Role.GUEST) == [bob]
    assert await workspaces.roles_of(workspace_id, [ada, bob, eve]) == {ada: Role.OWNER, bob: Role.GUEST}
    await workspaces.set_role(workspace_id, bob, Role.ADMIN)
    assert await workspaces.role_of(workspace_id, bob) is Role.ADMIN
    assert await workspaces.role_of(workspace_id, eve) is None
    with pytest.raises(NotFound):
        await workspaces.set_role(workspace_id, eve, Role.ADMIN)
    for unknown in ((workspace_id, "nobody"), ("nowhere", ada)):
        with pytest.raises(NotFound):
            await workspaces.add_members(unknown[0], [unknown[1]])
    await workspaces.set_tier(workspace_id, "enterprise")
    [(now, role)] = await workspaces.of_user(bob)
    assert (now.member_count, now.tier, role) == (2, "enterprise", Role.ADMIN)
    assert await workspaces.remove_member(workspace_id, bob)
    assert not await workspaces.remove_member(workspace_id, bob)
    assert await workspaces.of_user(bob) == []


async def test_a_workspace_keeps_an_owner(directory: Directory, new_user: NewUser) -> None:
    """The last owner can neither step down nor leave before somebody else is owner."""
    ada, bob = await new_user("ada"), await new_user("bob")
    workspace_id = (await directory.workspaces.create("Engines", ada)).workspace_id
    await directory.workspaces.add_members(workspace_id, [bob])
    with pytest.raises(Conflict):
        await directory.workspaces.set_role(workspace_id, ada, Role.MEMBER)
    with pytest.raises(Conflict):
        await directory.workspaces.remove_member(workspace_id, ada)
    assert await directory.workspaces.roles_of(workspace_id, [ada, bob]) == {ada: Role.OWNER, bob: Role.MEMBER}
    await directory.workspaces.set_role(workspace_id, bob, Role.OWNER)
    assert await directory.workspaces.remove_member(workspace_id, ada)


async def test_members_are_paged_and_found(directory: Directory, new_user: NewUser) -> None:
    """Pages by id cover everybody once; `text` narrows them to names that begin with it."""
    ids = [await new_user(name) for name in ("ada", "bob", "bertha", "eve", "mallory")]
    workspace_id = (await directory.workspaces.create("Engines", ids[0])).workspace_id
    await directory.workspaces.add_members(workspace_id, ids)
    seen: list[str] = []
    while page := await directory.workspaces.members(workspace_id, after=seen[-1] if seen else "", limit=2):
        seen += [member.user.user_id for member in page]
    assert seen == sorted(ids)
    found = await directory.workspaces.members(workspace_id, text="B")
    assert {member.user.username for member in found} == {"bob", "bertha"}


async def test_imported_users_wait_to_be_claimed(directory: Directory, new_user: NewUser) -> None:
    """Only people of the import whom nobody claimed are listed."""
    accounts = directory.accounts
    ada = await new_user("ada")
    workspace_id = (await directory.workspaces.create("Engines", ada)).workspace_id
    flags: list[dict[str, bool]] = [{}, {"bot": True}, {"deleted": True}, {}]
    imported = [
        await accounts.create_user(username=f"i{at}", imported=True, **flag)  # type: ignore[arg-type]
        for at, flag in enumerate(flags)
    ]
    await directory.workspaces.add_members(workspace_id, [user.user_id for user in imported])
    assert await directory.workspaces.imported_users(workspace_id) == [imported[0], imported[3]]
    await accounts.claim(await accounts.create_claim(imported[0].user_id, valid_s=60), "hash")
    assert await directory.workspaces.imported_users(workspace_id) == [imported[3]]


async def test_teams(directory: Directory, new_user: NewUser) -> None:
    """Names are unique in a workspace without case; members must be in it and leave with it."""
    workspaces = directory.workspaces
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    workspace_id = (await workspaces.create("Engines", ada)).workspace_id
    other_id = (await workspaces.create("Others", eve)).workspace_id
    await workspaces.add_members(workspace_id, [bob])
    ops = await workspaces.create_team(workspace_id, "Ops", [bob, ada, bob])
    assert ops.member_ids == tuple(sorted([ada, bob]))
    empty = await workspaces.create_team(workspace_id, "empty", [])
    assert await workspaces.teams(workspace_id) == [empty, ops]
    assert (await workspaces.create_team(other_id, "OPS", [eve])).name == "OPS"
    with pytest.raises(Conflict):
        await workspaces.create_team(workspace_id, "oPS", [])
    with pytest.raises(Conflict):
        await workspaces.change_team(workspace_id, empty.team_id, "OPS", [ada])
    with pytest.raises(NotFound):
        await workspaces.create_team(workspace_id, "strangers", [eve])
    with pytest.raises(NotFound):
        await workspaces.change_team(other_id, ops.team_id, "stolen", [eve])
    assert await workspaces.teams(workspace_id) == [empty, ops]
    changed = await workspaces.change_team(workspace_id, ops.team_id, "ops", [bob])
    assert await workspaces.team_members(workspace_id, [ops.team_id, empty.team_id]) == [bob]
    await workspaces.remove_member(workspace_id, bob)
    assert await workspaces.team_members(workspace_id, [changed.team_id]) == []
    with pytest.raises(NotFound):
        await workspaces.team_members(workspace_id, ["no team"])
    assert not await workspaces.delete_team(other_id, ops.team_id)
    assert await workspaces.delete_team(workspace_id, ops.team_id)
    assert await workspaces.teams(workspace_id) == [empty]


async def test_who_is_acquainted(directory: Directory, new_user: NewUser, change: Change) -> None:
    """Sharing a workspace or a conversation, now; oneself always."""
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    workspace_id = (await directory.workspaces.create("Engines", ada)).workspace_id
    everybody = [ada, bob, eve, "nobody"]
    assert await directory.workspaces.acquainted(ada, everybody) == {ada}
    await directory.workspaces.add_members(workspace_id, [bob])
    assert await directory.workspaces.acquainted(ada, everybody) == {ada, bob}
    group = await directory.conversations.create_group("plans", eve)
    await change(group.conversation_id, Role.MEMBER, ada, eve)
    assert await directory.workspaces.acquainted(ada, everybody) == {ada, bob, eve}
    assert await directory.workspaces.acquainted(eve, [ada, bob]) == {ada}
    await change(group.conversation_id, None, eve)
    await directory.workspaces.remove_member(workspace_id, bob)
    assert await directory.workspaces.acquainted(ada, everybody) == {ada}
