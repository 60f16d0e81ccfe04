"""Conversations and workspaces: channels, teams, roles, guests, leaving, archives, the quick switcher."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from nottermost_chat.services import Services
from nottermost_chat.testing.people import PASSWORD, Person, ShiftedClock

CHATS = "/api/chats/conversations"

Join = Callable[[str], Awaitable[Person]]


async def members_of(person: Person, conversation_id: str) -> dict[str, str]:
    """Names and roles."""
    found = await person.get(f"{CHATS}/{conversation_id}/members")
    return {each["user"]["username"]: each["role"] for each in found}


# --- channels ---------------------------------------------------------------------------------


async def test_public_channels_are_found_and_joined(ann: Person, bob: Person) -> None:
    """All of its history is there for who joins late."""
    workspace = await ann.workspace("W", bob)
    channel = await ann.channel(workspace, "general")
    await ann.say(channel, "before bob")
    assert [(each["title"], each["joined"]) for each in await bob.get(f"/api/workspaces/{workspace}/channels")] == [
        ("general", False)
    ]
    seen = await bob.get(f"{CHATS}/{channel}")
    assert seen["joined"] is False
    assert seen["last_preview"] is None
    assert (await bob.get(f"/api/messages/conversations/{channel}/messages", status=403))["code"] == "not_a_member"
    assert (await bob.post(f"{CHATS}/{channel}/join", status=200))["joined"] is True
    await bob.post(f"{CHATS}/{channel}/join", {}, status=200)  # again: no difference
    assert [each["preview"] for each in await bob.history(channel)] == ["before bob"]
    assert (await bob.get(f"{CHATS}/{channel}"))["unread_count"] == 0
    await bob.post(f"{CHATS}/{channel}/leave", status=204)
    assert await members_of(ann, channel) == {"ann": "admin"}


async def test_private_channels_exist_for_their_members_only(ann: Person, bob: Person, cat: Person) -> None:
    """Members add others, whole teams in one step; nobody joins by themselves."""
    workspace = await ann.workspace("W", bob, cat)
    channel = await ann.channel(workspace, "secret", private=True)
    assert await bob.get(f"/api/workspaces/{workspace}/channels") == []
    await bob.post(f"{CHATS}/{channel}/join", status=404)
    team = {"name": "crew", "member_ids": [bob.user_id, cat.user_id]}
    team_id = (await ann.post(f"/api/workspaces/{workspace}/teams", team))["team_id"]
    added = await ann.post(f"{CHATS}/{channel}/members", {"user_ids": [bob.user_id], "team_ids": [team_id]}, status=200)
    assert {each["user"]["username"] for each in added} == {"bob", "cat"}
    assert await members_of(cat, channel) == {"ann": "admin", "bob": "member", "cat": "member"}
    assert await ann.post(f"{CHATS}/{channel}/members", {"team_ids": [team_id]}, status=200) == []


async def test_only_people_of_the_workspace_are_added(ann: Person, bob: Person) -> None:
    """A stranger cannot be pulled in, neither at creation nor later."""
    workspace = await ann.workspace("W")
    body = {"name": "general", "member_ids": [bob.user_id]}
    await ann.post(f"/api/workspaces/{workspace}/channels", body, status=404)
    channel = await ann.channel(workspace, "general")
    await ann.post(f"{CHATS}/{channel}/members", {"user_ids": [bob.user_id]}, status=404)


async def test_channel_names_are_unique_and_can_be_changed(ann: Person, bob: Person) -> None:
    """Admins rename; any member sets topic and purpose."""
    workspace = await ann.workspace("W", bob)
    channel = await ann.channel(workspace, "general", bob)
    await ann.post(f"/api/workspaces/{workspace}/channels", {"name": "General"}, status=409)
    other = await ann.channel(workspace, "random", bob)
    await ann.patch(f"{CHATS}/{other}", {"title": "GENERAL"}, status=409)
    changed = await ann.patch(f"{CHATS}/{other}", {"title": "fun", "purpose": "play"})
    assert (changed["title"], changed["purpose"]) == ("fun", "play")
    await bob.patch(f"{CHATS}/{other}", {"title": "mine"}, status=403)
    assert (await bob.patch(f"{CHATS}/{other}", {"topic": "cats"}))["topic"] == "cats"
    assert (await bob.patch(f"{CHATS}/{channel}", {}))["title"] == "general"  # nothing to change is no error
    await ann.channel(workspace, "random")  # the name is free again
    for name in (" ", "", "x" * 81, "\u2003"):
        await ann.post(f"/api/workspaces/{workspace}/channels", {"name": name}, status=400)


async def test_archived_channels_are_read_only(ann: Person, bob: Person) -> None:
    """Nothing but unarchiving and leaving."""
    workspace = await ann.workspace("W", bob)
    channel = await ann.channel(workspace, "old", bob)
    said = await ann.say(channel, "hello")
    await bob.patch(f"{CHATS}/{channel}", {"archived": True}, status=403)
    assert (await ann.patch(f"{CHATS}/{channel}", {"archived": True}))["archived"] is True
    talk = f"/api/messages/conversations/{channel}/messages"
    for answer in (
        await ann.call("POST", talk, {"client_msg_id": "x", "body": "x"}),
        await ann.call("PUT", f"{talk}/{said['message_id']}/reactions", {"client_msg_id": "y", "emoji": "+1"}),
        await ann.call("PATCH", f"{CHATS}/{channel}", {"topic": "x"}),
        await ann.call("POST", f"{CHATS}/{channel}/members", {"user_ids": [bob.user_id]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "archived")
    assert len(await bob.history(channel)) == 1
    await bob.post(f"{CHATS}/{channel}/leave", status=204)
    assert (await bob.post(f"{CHATS}/{channel}/join", status=409))["code"] == "archived"
    await ann.patch(f"{CHATS}/{channel}", {"archived": False})
    await ann.say(channel, "open again")


async def test_guests_see_only_what_they_were_added_to(ann: Person, bob: Person, cat: Person) -> None:
    """Not in the list of channels, not by id, not in the quick switcher; and they add nobody."""
    workspace = await ann.workspace("W", bob)
    await ann.post(f"/api/workspaces/{workspace}/members", {"email": cat.email, "role": "guest"})
    hidden = await ann.channel(workspace, "general")
    shown = await ann.channel(workspace, "guests", cat)
    assert [each["title"] for each in await cat.get(f"/api/workspaces/{workspace}/channels?q=g")] == ["guests"]
    assert await cat.get(f"/api/workspaces/{workspace}/channels?after=Guests") == []
    await cat.get(f"{CHATS}/{hidden}", status=404)
    await cat.post(f"{CHATS}/{hidden}/join", status=404)
    await cat.post(f"/api/workspaces/{workspace}/channels", {"name": "mine"}, status=403)
    await cat.post(f"{CHATS}/{shown}/members", {"user_ids": [bob.user_id]}, status=403)
    found = await cat.get("/api/chats/search?q=g")
    assert [each["label"] for each in found if each["kind"] == "conversation"] == ["guests"]
    assert {each["label"] for each in await bob.get("/api/chats/search?q=general")} == {"general"}


# --- groups, roles, leaving -------------------------------------------------------------------


async def test_when_the_last_admin_leaves_the_longest_standing_member_takes_over(
    ann: Person, bob: Person, cat: Person
) -> None:
    """A group is never without an admin."""
    group = await ann.group("G", bob)
    invite = await ann.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"{CHATS}/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    await ann.post(f"{CHATS}/{group}/leave", status=204)
    assert await members_of(cat, group) == {"bob": "admin", "cat": "member"}
    await bob.delete(f"{CHATS}/{group}/members/{bob.user_id}")  # removing oneself is leaving
    assert await members_of(cat, group) == {"cat": "admin"}
    await cat.post(f"{CHATS}/{group}/leave", status=204)


async def test_admins_hand_the_role_on_and_remove(ann: Person, bob: Person, cat: Person) -> None:
    """Members may not; the last admin cannot step down."""
    group = await ann.group("G", bob, cat)
    role = f"{CHATS}/{group}/members"
    await bob.patch(f"{role}/{bob.user_id}", {"role": "admin"}, status=403)
    await bob.delete(f"{role}/{cat.user_id}", status=403)
    await ann.patch(f"{role}/{ann.user_id}", {"role": "member"}, status=409)
    assert (await ann.patch(f"{role}/{bob.user_id}", {"role": "admin"}))["role"] == "admin"
    await ann.patch(f"{role}/{ann.user_id}", {"role": "member"})
    await bob.delete(f"{role}/{cat.user_id}")
    await bob.delete(f"{role}/{cat.user_id}", status=404)
    assert await members_of(bob, group) == {"ann": "member", "bob": "admin"}
    await ann.patch(f"{role}/{bob.user_id}", {"role": "owner"}, status=400)


async def test_a_removed_member_sees_nothing_newer(ann: Person, bob: Person) -> None:
    """Neither messages nor what the group has become; `changed_since` tells that it is gone."""
    group = await ann.group("G", bob)
    await ann.say(group, "together")
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await ann.delete(f"{CHATS}/{group}/members/{bob.user_id}")
    await ann.patch(f"{CHATS}/{group}", {"title": "secret plan"})
    await ann.say(group, "alone")
    await bob.get(f"/api/messages/conversations/{group}/messages", status=404)
    await bob.get(f"{CHATS}/{group}", status=404)
    assert await bob.get(CHATS) == []
    changes = await bob.get(f"{CHATS}?changed_since={since}")
    assert [(each["conversation_id"], each["joined"]) for each in changes["conversations"]] == [(group, False)]
    assert "secret" not in str(changes)
    assert "alone" not in str(changes)


async def test_direct_conversations_stay_as_they_are(ann: Person, bob: Person) -> None:
    """Nobody leaves, is removed, is invited or renames."""
    direct = await ann.direct(bob)
    for method, path, body in (
        ("POST", f"{CHATS}/{direct}/leave", None),
        ("POST", f"{CHATS}/{direct}/invite", {"user_id": bob.user_id}),
        ("POST", f"{CHATS}/{direct}/members", {"user_ids": [bob.user_id]}),
        ("PATCH", f"{CHATS}/{direct}", {"topic": "x"}),
    ):
        assert (await ann.call(method, path, body)).json()["code"] == "conflict"
    assert (await ann.call("DELETE", f"{CHATS}/{direct}/members/{bob.user_id}")).status_code == 403
    alone = await ann.direct(ann)  # notes to oneself
    await ann.say(alone, "remember")
    assert (await ann.get(f"{CHATS}/{alone}"))["other_user_ids"] == []


async def test_unknown_people_are_not_written_to(ann: Person, services: Services, bob: Person) -> None:
    """404 for ids that do not exist and for closed accounts."""
    await services.tokens.deactivate(bob.user_id)
    for user_id in ("nobody", bob.user_id):
        await ann.post(f"{CHATS}/dm", {"other_user_id": user_id}, status=404)
        await ann.post(f"{CHATS}/group", {"title": "G", "member_ids": [user_id]}, status=404)


# --- invites ----------------------------------------------------------------------------------


async def test_invites_are_answered_once(ann: Person, bob: Person, cat: Person) -> None:
    """Any member invites; the invited one sees it, accepts or declines; only from the join on is anything shown."""
    group = await ann.group("G", bob)
    await ann.say(group, "before")
    invite = await bob.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id})
    assert (await ann.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id}))["invite_id"] == invite["invite_id"]
    assert [each["title"] for each in await cat.get("/api/chats/invites")] == ["G"]
    answer = {"invite_id": invite["invite_id"]}
    await ann.post(f"{CHATS}/{group}/join", answer, status=404)  # somebody else's
    other = await ann.group("H")
    await cat.post(f"{CHATS}/{other}/join", answer, status=404)  # for another group
    joined = await cat.post(f"{CHATS}/{group}/join", answer, status=200)
    assert joined["last_preview"] is None
    assert joined["unread_count"] == 0
    await cat.post(f"{CHATS}/{group}/join", answer, status=200)  # a repeat, as after a lost answer
    assert await cat.get("/api/chats/invites") == []
    await ann.say(group, "after")
    assert [each["preview"] for each in await cat.history(group)] == ["after"]
    await cat.post(f"{CHATS}/{group}/leave", status=204)
    assert (await cat.post(f"{CHATS}/{group}/join", answer, status=409))["code"] == "invite_closed"


async def test_declined_and_expired_invites_are_closed(
    ann: Person, bob: Person, cat: Person, clock: ShiftedClock
) -> None:
    """And the person can be invited again."""
    group = await ann.group("G")
    declined = await ann.post(f"{CHATS}/{group}/invite", {"user_id": bob.user_id})
    await bob.post(f"{CHATS}/{group}/decline", {"invite_id": declined["invite_id"]}, status=204)
    refused = await bob.post(f"{CHATS}/{group}/join", {"invite_id": declined["invite_id"]}, status=409)
    assert refused["code"] == "invite_closed"
    expired = await ann.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id})
    clock.ahead_s = 7 * 24 * 3600 + 1
    for person in (ann, bob, cat):
        session = await person.post("/api/users/auth/login", {"email": person.email, "password": PASSWORD}, status=200)
        person.access_token = session["access_token"]
    assert await cat.get("/api/chats/invites") == []
    refused = await cat.post(f"{CHATS}/{group}/join", {"invite_id": expired["invite_id"]}, status=409)
    assert refused["code"] == "invite_closed"
    again = await ann.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id})
    await cat.post(f"{CHATS}/{group}/join", {"invite_id": again["invite_id"]}, status=200)


# --- workspaces -------------------------------------------------------------------------------


async def test_workspace_roles(ann: Person, bob: Person, cat: Person) -> None:
    """Admins manage members but not owners; the last owner stays."""
    workspace = await ann.workspace("W", bob)
    path = f"/api/workspaces/{workspace}/members"
    await ann.patch(f"{path}/{bob.user_id}", {"role": "admin"})
    await bob.post(path, {"email": cat.email})
    await bob.post(path, {"email": "nobody@example.org"}, status=404)
    await bob.patch(f"{path}/{cat.user_id}", {"role": "owner"}, status=403)
    await bob.patch(f"{path}/{ann.user_id}", {"role": "member"}, status=403)
    await bob.delete(f"{path}/{ann.user_id}", status=403)
    await ann.delete(f"{path}/{ann.user_id}", status=409)
    await ann.patch(f"{path}/{ann.user_id}", {"role": "admin"}, status=409)
    await ann.patch(f"{path}/{bob.user_id}", {"role": "owner"})
    await ann.delete(f"{path}/{ann.user_id}")
    assert {each["user"]["username"]: each["role"] for each in await bob.get(path)} == {"bob": "owner", "cat": "member"}


async def test_leaving_a_workspace_leaves_its_conversations(ann: Person, bob: Person) -> None:
    """Public and private channels alike; direct conversations and groups stay."""
    workspace = await ann.workspace("W", bob)
    public = await ann.channel(workspace, "general", bob)
    private = await ann.channel(workspace, "secret", bob, private=True)
    direct = await ann.direct(bob)
    await ann.delete(f"/api/workspaces/{workspace}/members/{bob.user_id}")
    assert [each["conversation_id"] for each in await bob.get(CHATS)] == [direct]
    for channel in (public, private):
        await bob.get(f"{CHATS}/{channel}", status=404)
        assert await members_of(ann, channel) == {"ann": "admin"}


async def test_teams(ann: Person, bob: Person, cat: Person) -> None:
    """Admins make, change and dissolve them."""
    workspace = await ann.workspace("W", bob)
    path = f"/api/workspaces/{workspace}/teams"
    team = await ann.post(path, {"name": "crew", "member_ids": [bob.user_id]})
    await ann.post(path, {"name": "CREW"}, status=409)
    await ann.post(path, {"name": "other", "member_ids": [cat.user_id]}, status=404)  # not in the workspace
    changed = await ann.put(f"{path}/{team['team_id']}", {"name": "staff", "member_ids": [ann.user_id]})
    assert changed["member_ids"] == [ann.user_id]
    assert [each["name"] for each in await bob.get(path)] == ["staff"]
    await ann.delete(f"{path}/{team['team_id']}")
    await ann.delete(f"{path}/{team['team_id']}", status=404)


# --- finding ----------------------------------------------------------------------------------


async def test_the_quick_switcher_finds_people_and_conversations(ann: Person, bob: Person, cat: Person) -> None:
    """People one shares something with by name; a stranger only by the whole address."""
    workspace = await ann.workspace("W", bob)
    await ann.channel(workspace, "bobsleigh")
    found = await ann.get("/api/chats/search?q=bob")
    assert {(each["kind"], each["label"]) for each in found} == {("user", "Bob"), ("conversation", "bobsleigh")}
    assert await ann.get("/api/chats/search?q=cat") == []
    assert [each["id"] for each in await ann.get(f"/api/chats/search?q={cat.email}")] == [cat.user_id]
    assert await ann.get("/api/chats/search?q=%20") == []


async def test_the_list_has_an_end(ann: Person, clock: ShiftedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last active are listed; one beyond them is found by its name and shown by its id."""
    workspace, ids = await ann.workspace("W"), dict[str, str]()
    for name in ("oldest", "older", "newest"):
        ids[name] = await ann.channel(workspace, name)
        clock.ahead_s += 1
    mine = [view["title"] for view in await ann.get(CHATS)]
    assert mine[:3] == ["newest", "older", "oldest"]
    monkeypatch.setattr("nottermost_chat.actions.conversations.LISTED_MAX", 2)
    assert [view["title"] for view in await ann.get(CHATS)] == mine[:2]
    assert [match["id"] for match in await ann.get("/api/chats/search?q=oldest")] == [ids["oldest"]]
    assert (await ann.get(f"{CHATS}/{ids['oldest']}"))["title"] == "oldest"


async def test_pages_of_members_and_channels(services: Services, ann: Person) -> None:
    """`after` and `limit` walk through all, each once."""
    workspace = await ann.workspace("W")
    ids = [(await services.directory.accounts.create_user(username=f"u{n}")).user_id for n in range(5)]
    await services.directory.workspaces.add_members(workspace, ids)
    seen: list[str] = []
    while page := await ann.get(f"/api/workspaces/{workspace}/members?limit=2&after={seen[-1] if seen else ''}"):
        seen += [each["user"]["user_id"] for each in page]
    assert seen == sorted([*ids, ann.user_id])
    for name in ("c", "a", "b"):
        await ann.channel(workspace, name)
    page = await ann.get(f"/api/workspaces/{workspace}/channels?limit=2")
    rest = await ann.get(f"/api/workspaces/{workspace}/channels?limit=2&after={page[-1]['title']}")
    assert [each["title"] for each in [*page, *rest]] == ["a", "b", "c"]
