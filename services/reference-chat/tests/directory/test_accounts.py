"""Accounts: what is unique, who is found, how devices and refresh tokens end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from nottermost_chat.directory import Directory, FamilyRevoked
from nottermost_chat.errors import Conflict, EmailTaken, NotFound, RefreshReused, Unauthorized, UsernameTaken
from nottermost_chat.model import Role
from nottermost_chat.protocol import Presence

WEEK_S = 7 * 24 * 3600
NewUser = Callable[[str], Awaitable[str]]
Change = Callable[..., Awaitable[None]]
Wait = Callable[[float], None]


async def test_names_and_addresses_are_unique_without_case(directory: Directory) -> None:
    """Address, user name and import key belong to one account each; the refusal says which is taken."""
    accounts = directory.accounts
    ada = await accounts.create_user(username="Ada", email="Ada@Example.org", import_key="U1")
    assert ada.email == "ada@example.org"
    with pytest.raises(EmailTaken):
        await accounts.create_user(username="other", email="ADA@example.org")
    with pytest.raises(UsernameTaken):
        await accounts.create_user(username="aDA", email="other@example.org")
    with pytest.raises(Conflict):
        await accounts.create_user(username="third", import_key="U1")
    await accounts.create_user(username="Straße")
    with pytest.raises(UsernameTaken):
        await accounts.create_user(username="STRASSE")
    assert await accounts.by_email(" ADA@example.ORG ") == ada
    assert await accounts.by_username("ADA") == ada
    assert await accounts.by_import_key(["U1", "U2"]) == {"U1": ada}
    assert await accounts.users([ada.user_id, "nobody"]) == {ada.user_id: ada}
    assert await accounts.user("nobody") is None


async def test_registering_at_once_makes_one_account(directory: Directory) -> None:
    """Of many registrations with one address at the same moment exactly one succeeds."""
    tries = (directory.accounts.create_user(username=f"u{number}", email="one@example.org") for number in range(20))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["EmailTaken"] * 19 + ["UserRow"]


async def test_profile_changes(directory: Directory, new_user: NewUser) -> None:
    """What is None stays; the old user name becomes free, another's is refused and changes nothing."""
    ada, bob = await new_user("ada"), await new_user("bob")
    changed = await directory.accounts.change_profile(ada, username="countess", title="Analyst")
    assert (changed.username, changed.display_name, changed.title) == ("countess", "", "Analyst")
    assert await directory.accounts.user(ada) == changed
    with pytest.raises(UsernameTaken):
        await directory.accounts.change_profile(bob, username="Countess", title="lost")
    assert (await directory.accounts.users([bob]))[bob].title == ""
    await directory.accounts.change_profile(bob, username="ADA")
    with pytest.raises(NotFound):
        await directory.accounts.change_profile("nobody", title="x")
    await directory.accounts.set_presence(ada, Presence.AWAY)
    assert (await directory.accounts.users([ada]))[ada].presence is Presence.AWAY


async def test_people_are_found_by_what_their_names_begin_with(
    directory: Directory, new_user: NewUser, change: Change
) -> None:
    """User name, e-mail and each word of the display name; only people one has something in common with."""
    ada, bob, eve = await new_user("ada"), await new_user("bob"), await new_user("eve")
    await directory.accounts.change_profile(bob, display_name="Robert van der Berg")
    workspace = await directory.workspaces.create("Engines", ada)
    assert await directory.accounts.find("bob", caller_id=ada) == []
    await directory.workspaces.add_members(workspace.workspace_id, [bob])

    async def found(text: str, caller_id: str) -> list[str]:
        return [user.user_id for user in await directory.accounts.find(text, caller_id=caller_id)]

    for text in ("BOB", "bob@exa", "rob", "robert  van"[:6], "der b", "berg"):
        assert await found(text, ada) == [bob], text
    for text in ("obert", "%", "b_b", "eve"):
        assert await found(text, ada) == [], text
    assert await found("ada", ada) == [ada]
    assert await found("bob", eve) == []
    direct, _ = await directory.conversations.direct(bob, eve)
    await change(direct.conversation_id, Role.MEMBER, bob, eve)
    assert await found("bob", eve) == [bob]
    await change(direct.conversation_id, None, eve)
    assert await found("bob", eve) == []
    await directory.accounts.change_profile(bob, display_name="Bert")
    assert await found("berg", ada) == []
    await directory.accounts.deactivate(bob)
    assert await found("bob", ada) == []


async def test_an_imported_user_is_claimed_once(directory: Directory, wait: Wait) -> None:
    """Only the token opens the account; it works once, ends by time, and a newer one replaces it."""
    accounts = directory.accounts
    user = await accounts.create_user(username="kim", email="kim@example.org", imported=True)
    with pytest.raises(EmailTaken):
        await accounts.create_user(username="stranger", email="kim@example.org")
    known = await accounts.credentials("kim@example.org")
    assert known is not None
    assert known.password_hash is None
    replaced = await accounts.create_claim(user.user_id, valid_s=60)
    late = await accounts.create_claim(user.user_id, valid_s=60)
    wait(60)
    for token in (replaced, late, "no token", ""):
        with pytest.raises(Unauthorized):
            await accounts.claim(token, "hash")
    token = await accounts.create_claim(user.user_id, valid_s=60)
    claimed = await accounts.claim(token, "hash")
    assert (claimed.user_id, claimed.imported) == (user.user_id, False)
    with pytest.raises(Unauthorized):
        await accounts.claim(token, "other hash")
    with pytest.raises(NotFound):
        await accounts.create_claim(user.user_id, valid_s=60)
    known = await accounts.credentials("KIM")
    assert known is not None
    assert known.password_hash == "hash"


@pytest.mark.parametrize("flags", [{}, {"imported": True, "bot": True}, {"imported": True, "deleted": True}])
async def test_nobody_else_can_be_claimed(directory: Directory, flags: dict[str, bool]) -> None:
    """Registered people, bots and deleted users have no claim."""
    user = await directory.accounts.create_user(username="kim", **flags)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await directory.accounts.create_claim(user.user_id, valid_s=60)


async def test_refresh_tokens_rotate(directory: Directory, new_user: NewUser, wait: Wait) -> None:
    """Each rotation gives the next token of the same device, for a week from then."""
    signed_in = await directory.accounts.sign_in(await new_user("ada"), "laptop", valid_s=WEEK_S)
    current = signed_in
    for _ in range(3):
        wait(WEEK_S - 1)
        current = await directory.accounts.rotate(current.refresh_token, valid_s=WEEK_S)
        assert (current.user_id, current.device_id) == (signed_in.user_id, signed_in.device_id)
    wait(WEEK_S)
    with pytest.raises(Unauthorized) as refusal:
        await directory.accounts.rotate(current.refresh_token, valid_s=WEEK_S)
    assert not isinstance(refusal.value, RefreshReused)
    with pytest.raises(Unauthorized):
        await directory.accounts.rotate("\ud800 no token", valid_s=WEEK_S)


async def test_reuse_revokes_the_whole_family(directory: Directory, new_user: NewUser) -> None:
    """A used token that comes again signs its device out, the newest token of it included, and no other device."""
    user_id = await new_user("ada")
    other = await directory.accounts.sign_in(user_id, "phone", valid_s=WEEK_S)
    first = await directory.accounts.sign_in(user_id, "laptop", valid_s=WEEK_S)
    second = await directory.accounts.rotate(first.refresh_token, valid_s=WEEK_S)
    third = await directory.accounts.rotate(second.refresh_token, valid_s=WEEK_S)
    for _ in range(2):
        with pytest.raises(FamilyRevoked) as refusal:
            await directory.accounts.rotate(first.refresh_token, valid_s=WEEK_S)
        assert refusal.value.device_id == first.device_id
    with pytest.raises(Unauthorized):
        await directory.accounts.rotate(third.refresh_token, valid_s=WEEK_S)
    assert [device.device_id for device in await directory.accounts.devices(user_id)] == [other.device_id]
    assert await directory.accounts.revoked_since(0) == {first.device_id: 1_700_000_000_000}
    await directory.accounts.rotate(other.refresh_token, valid_s=WEEK_S)


async def test_two_rotations_at_once_are_a_reuse(directory: Directory, new_user: NewUser) -> None:
    """Of two refreshes with one token one succeeds, and its device is signed out by the other."""
    signed_in = await directory.accounts.sign_in(await new_user("ada"), "laptop", valid_s=WEEK_S)
    tries = (directory.accounts.rotate(signed_in.refresh_token, valid_s=WEEK_S) for _ in range(2))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["FamilyRevoked", "SignIn"]
    assert await directory.accounts.devices(signed_in.user_id) == []


async def test_devices_are_listed_and_signed_out(directory: Directory, new_user: NewUser, wait: Wait) -> None:
    """Last seen first; one may sign out one's own devices only; a new password signs out the others."""
    accounts = directory.accounts
    ada, bob = await new_user("ada"), await new_user("bob")
    laptop = await accounts.sign_in(ada, "laptop", valid_s=WEEK_S)
    phone = await accounts.sign_in(ada, "phone", valid_s=WEEK_S)
    tablet = await accounts.sign_in(ada, "tablet", valid_s=WEEK_S)
    wait(10)
    now = 1_700_000_010_000
    await accounts.note_seen([(ada, laptop.device_id, now), (ada, phone.device_id, now - 1), (ada, "", now - 2)])
    await accounts.note_seen([(ada, laptop.device_id, now - 5)])
    assert [device.name for device in await accounts.devices(ada)] == ["laptop", "phone", "tablet"]
    assert (await accounts.users([ada]))[ada].last_seen_at == now
    assert not await accounts.sign_out(bob, laptop.device_id)
    assert await accounts.sign_out(ada, tablet.device_id)
    assert not await accounts.sign_out(ada, tablet.device_id)
    assert await accounts.set_password(ada, "new", keep_device_id=laptop.device_id) == [phone.device_id]
    assert await accounts.sign_out_token("no token") is None
    assert await accounts.sign_out_token(laptop.refresh_token) == laptop.device_id
    with pytest.raises(Unauthorized):
        await accounts.rotate(laptop.refresh_token, valid_s=WEEK_S)
    assert await accounts.devices(ada) == []


async def test_a_deactivated_user_is_out(directory: Directory, new_user: NewUser) -> None:
    """No log-in, no refresh, no device; the row stays, for the history."""
    user_id = await new_user("ada")
    signed_in = await directory.accounts.sign_in(user_id, "laptop", valid_s=WEEK_S)
    assert await directory.accounts.deactivate(user_id) == [signed_in.device_id]
    with pytest.raises(Unauthorized):
        await directory.accounts.sign_in(user_id, "laptop", valid_s=WEEK_S)
    with pytest.raises(Unauthorized):
        await directory.accounts.rotate(signed_in.refresh_token, valid_s=WEEK_S)
    assert await directory.accounts.credentials("ada@example.org") is None
    assert await directory.accounts.credentials_of(user_id) is None
    assert (await directory.accounts.users([user_id]))[user_id].deleted


async def test_pruning_keeps_what_still_counts(directory: Directory, new_user: NewUser, wait: Wait) -> None:
    """Expired tokens go, others stay usable."""
    user_id = await new_user("ada")
    old = await directory.accounts.sign_in(user_id, "old", valid_s=10)
    new = await directory.accounts.sign_in(user_id, "new", valid_s=20)
    wait(10)
    await directory.accounts.prune()
    assert await directory.accounts.sign_out_token(old.refresh_token) is None
    assert (await directory.accounts.rotate(new.refresh_token, valid_s=20)).device_id == new.device_id
