"""What gets into the audit log, what does not, and who may read it."""

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from nottermost_chat.actions.audit import noting
from nottermost_chat.directory import AuditAction, AuditDetails, AuditQuery
from nottermost_chat.errors import NotFound, Unavailable
from nottermost_chat.model import Role
from nottermost_chat.testing.in_process import consuming
from nottermost_chat.testing.people import PASSWORD, Person
from nottermost_chat.workers.audit import Auditor

AUTH = "/api/users/auth"


def said(rows: list[Any]) -> list[tuple[str, str, str]]:
    return [(row.action, row.actor_id, row.subject_id) for row in rows]


# --- what is noted ----------------------------------------------------------------------------


async def test_sessions(chat: Any) -> None:
    """Log-ins, refused ones, log-outs, other devices, passwords, a stolen token; and no address in clear."""
    ann: Person = await chat.join("ann")
    session = (await chat.http.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD})).json()
    refused = {"email": " Ann@Example.org", "password": "wrong horse battery"}
    assert (await chat.http.post(f"{AUTH}/login", json=refused)).status_code == 401
    await ann.put("/api/users/me/password", {"old_password": "no", "new_password": PASSWORD}, status=401)
    await ann.put("/api/users/me/password", {"old_password": PASSWORD, "new_password": "another horse"}, status=204)
    await chat.http.post(f"{AUTH}/logout", json={"refresh_token": session["refresh_token"]})
    again = (await chat.http.post(f"{AUTH}/login", json={"email": ann.email, "password": "another horse"})).json()
    await ann.delete(f"/api/users/me/devices/{again['user']['device_id']}")
    for status in (200, 401):
        answer = await chat.http.post(f"{AUTH}/refresh", json={"refresh_token": ann.refresh_token})
        assert answer.status_code == status
    rows = await chat.noted()
    assert said(rows) == [
        ("session.started", ann.user_id, ann.user_id),
        ("session.refused", "", ""),
        ("password.refused", ann.user_id, ann.user_id),
        ("password.changed", ann.user_id, ann.user_id),
        ("session.ended", ann.user_id, ann.user_id),
        ("session.started", ann.user_id, ann.user_id),
        ("device.signed_out", ann.user_id, again["user"]["device_id"]),
        ("session.token_reused", ann.user_id, ann.device_id),
    ]
    pseudonym = chat.services.pseudonyms.address("ann@example.org")
    assert rows[1].details == AuditDetails(address=pseudonym)
    whole = msgspec.json.encode(rows).decode().lower()
    assert all(word not in whole for word in ("example", "horse", ann.refresh_token.lower()))


async def test_workspaces(chat: Any) -> None:
    """Who was let in, given another role, removed; policies, holds, webhooks and bots; each with its workspace."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    space = await ann.workspace("W", bob)
    at = f"/api/workspaces/{space}"
    await ann.post(f"{at}/members", {"email": bob.email, "role": "guest"})  # is in already: nothing happened
    await ann.patch(f"{at}/members/{bob.user_id}", {"role": "admin"})
    await ann.patch(f"{at}/members/{ann.user_id}", {"role": "member"}, status=409)  # somebody has to own it
    await ann.put(f"{at}/retention", {"warm_days": 30, "archive_days": 365})
    hold = await ann.post(f"{at}/holds", {"reason": "a case of which nobody is to know", "user_id": bob.user_id})
    await ann.delete(f"{at}/holds/{hold['hold_id']}")
    hook = await ann.post(f"{at}/webhooks", {"url": "https://hooks.example.net/secret", "events": ["message"]})
    await ann.delete(f"{at}/webhooks/{hook['webhook_id']}")
    bot = await ann.post(f"{at}/bots", {"username": "robot"})
    token = await ann.post(f"{at}/bots/{bot['user_id']}/tokens", {"name": "t", "scopes": ["messages:read"]})
    await ann.delete(f"{at}/bots/{bot['user_id']}/tokens/{token['token_id']}")
    await ann.delete(f"{at}/bots/{bot['user_id']}")
    await ann.delete(f"{at}/members/{bob.user_id}")
    rows = await chat.noted(workspace_id=space)
    found = [(row.action, row.subject_id) for row in rows if row.action != "workspace.member_removed" or row.subject_id == bob.user_id]  # fmt: skip
    assert found == [
        ("workspace.created", space),
        ("workspace.member_added", bob.user_id),
        ("workspace.role_changed", bob.user_id),
        ("retention.changed", space),
        ("hold.set", hold["hold_id"]),
        ("hold.released", hold["hold_id"]),
        ("webhook.created", hook["webhook_id"]),
        ("webhook.removed", hook["webhook_id"]),
        ("bot.created", bot["user_id"]),
        ("bot_token.created", token["token_id"]),
        ("bot_token.revoked", token["token_id"]),
        ("bot.removed", bot["user_id"]),
        ("workspace.member_removed", bob.user_id),
    ]
    assert rows[2].details == AuditDetails(role="admin", was="member")
    assert rows[3].details == AuditDetails(warm_days=30, archive_days=365)
    assert {row.actor_id for row in rows} == {ann.user_id}
    whole = msgspec.json.encode(rows).decode()
    assert not [word for word in ("a case", "hooks.example", hook["secret"], token["token"]) if word in whole]


async def test_conversations(chat: Any) -> None:
    """Members and deletions by others come from the log, by the API and by the socket alike; once, however often it is read."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    space = await ann.workspace("W", bob)
    place = await ann.channel(space, "general", bob)
    own, others = [(await bob.say(place, word))["message_id"] for word in ("own", "other's")]
    at = f"/api/messages/conversations/{place}/messages"
    await bob.delete(f"{at}/{own}?client_msg_id=d1", status=200)
    await ann.delete(f"{at}/{others}?client_msg_id=d2", status=200)
    await ann.post(f"{at}/{others}/restore", {"client_msg_id": "d3"}, status=200)
    await ann.patch(f"/api/chats/conversations/{place}/members/{bob.user_id}", {"role": "admin"})
    await bob.post(f"/api/chats/conversations/{place}/leave", status=204)
    for _ in range(2):
        await chat.audit(place)
    rows = [row for row in await chat.noted(workspace_id=space) if row.action.startswith(("conv", "message"))]
    assert {(row.action, row.actor_id, row.subject_id, row.details.role) for row in rows[:2]} == {
        ("conversation.member_set", ann.user_id, ann.user_id, "admin"),
        ("conversation.member_set", ann.user_id, bob.user_id, "member"),
    }
    assert [(row.action, row.actor_id, row.subject_id, row.details.role) for row in rows[2:]] == [
        ("message.deleted", ann.user_id, others, ""),
        ("message.restored", ann.user_id, others, ""),
        ("conversation.member_set", ann.user_id, bob.user_id, "admin"),
        ("conversation.member_removed", bob.user_id, bob.user_id, ""),
    ]
    assert {row.details.conversation_id for row in rows} == {place}


async def test_what_an_import_tells_is_not_noted(chat: Any) -> None:
    """It did not happen here."""
    ann = await chat.join("ann")
    place = await ann.group("G")
    records = await chat.services.store.records(place, 0, 10)
    imported = [msgspec.structs.replace(record, silent=True) for record in records]
    await Auditor(chat.services.store, chat.services.directory).handle(imported)
    assert await chat.noted() == []


async def test_the_running_chat_takes_conversations_in(chat: Any) -> None:
    """The consumer on the log, as the chat runs it."""
    ann = await chat.join("ann")
    place = await ann.group("G")
    auditor = Auditor(chat.services.store, chat.services.directory)
    async with consuming(chat.services.log, auditor.group, auditor.handle) as caught_up:
        await caught_up()
    rows = await chat.noted("conversation.member_set")
    assert [row.details.conversation_id for row in rows] == [place]


async def test_own_data(chat: Any) -> None:
    """Exports and erasure; who is erased stays in the log, by an id that means nobody."""
    ann = await chat.join("ann")
    await ann.post("/api/users/me/exports", status=202)
    await ann.delete("/api/users/me?confirm=ann", status=202)
    assert said(await chat.noted(actor_id=ann.user_id)) == [
        ("export.requested", ann.user_id, ann.user_id),
        ("erasure.requested", ann.user_id, ann.user_id),
        ("account.ended", ann.user_id, ann.user_id),
    ]
    await chat.services.directory.privacy.erase_profile(ann.user_id)
    assert len(await chat.noted(actor_id=ann.user_id)) == 3


# --- both or neither --------------------------------------------------------------------------


async def forbid(chat: Any, action: str) -> None:
    """From now on the database refuses to note this."""
    await chat.services.directory._database.write(
        lambda connection: connection.execute(
            text(
                f"CREATE TRIGGER no_more BEFORE INSERT ON audit_log WHEN NEW.action = '{action}'"
                " BEGIN SELECT RAISE(ABORT, 'not now'); END"
            )
        )
    )


async def test_what_cannot_be_noted_does_not_happen(chat: Any) -> None:
    """A role is changed and noted, or neither."""
    ann, bob = await chat.join("ann"), await chat.join("bob")
    space = await ann.workspace("W", bob)
    await forbid(chat, "workspace.role_changed")
    assert (
        await ann.call("PATCH", f"/api/workspaces/{space}/members/{bob.user_id}", {"role": "admin"})
    ).status_code >= 500
    assert await chat.services.directory.workspaces.role_of(space, bob.user_id) is Role.MEMBER


async def test_reading_that_cannot_be_noted_is_refused(chat: Any) -> None:
    ann = await chat.join("ann")
    space = await ann.workspace("W")
    await forbid(chat, "audit.read")
    assert (await ann.call("GET", f"/api/workspaces/{space}/audit")).status_code >= 500


async def test_a_log_in_goes_on_when_it_cannot_be_noted(chat: Any) -> None:
    """Nobody is locked out by the audit log; it is counted."""
    ann = await chat.join("ann")
    await forbid(chat, "session.started")
    answer = await chat.http.post(f"{AUTH}/login", json={"email": ann.email, "password": PASSWORD})
    assert answer.status_code == 200
    lost = chat.services.metrics.registry.get_sample_value("chat_audit_lost_total", {"action": "session.started"})
    assert lost == 1


async def test_what_is_refused_is_not_noted(chat: Any) -> None:
    """The note goes with the write that failed."""
    with pytest.raises(NotFound):
        await noting(chat.services, "a", AuditAction.HOLD_RELEASED, "h").retention.release("h")
    assert await chat.noted() == []


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor_id = 'nobody'", "DELETE FROM audit_log"])
async def test_nothing_is_taken_back(chat: Any, statement: str) -> None:
    """The database itself refuses."""
    ann = await chat.join("ann")
    await ann.workspace("W")
    with pytest.raises((DBAPIError, Unavailable)):
        await chat.services.directory._database.write(lambda connection: connection.execute(text(statement)))
    assert said(await chat.noted("workspace.created"))[0][1] == ann.user_id


# --- reading ----------------------------------------------------------------------------------


async def test_who_reads_it(chat: Any) -> None:
    """Owners and admins, of their own workspace alone; and that they did is in it."""
    ann, bob, cat = [await chat.join(name) for name in ("ann", "bob", "cat")]
    space, elsewhere = await ann.workspace("W", bob), await cat.workspace("V")
    for person, status in ((bob, 403), (cat, 404)):
        await person.get(f"/api/workspaces/{space}/audit", status=status)
    await ann.patch(f"/api/workspaces/{space}/members/{bob.user_id}", {"role": "admin"})
    shown = await bob.get(f"/api/workspaces/{space}/audit")
    assert [row["action"] for row in shown] == [
        "audit.read", "workspace.role_changed", "workspace.member_added", "workspace.created",
    ]  # fmt: skip
    assert shown[0]["actor_id"] == bob.user_id
    assert shown[1]["details"] == {"role": "admin", "was": "member"}
    assert {row["workspace_id"] for row in shown} == {space}
    assert elsewhere not in json.dumps(shown)


async def test_looking_for_something(chat: Any) -> None:
    """By actor, action, subject and time; pages by the last id."""
    ann, bob, cat = [await chat.join(name) for name in ("ann", "bob", "cat")]
    space = await ann.workspace("W", bob, cat)
    at = f"/api/workspaces/{space}/audit"
    assert [row["subject_id"] for row in await ann.get(f"{at}?action=workspace.member_added")] == [
        cat.user_id, bob.user_id,
    ]  # fmt: skip
    assert [row["action"] for row in await ann.get(f"{at}?subject={bob.user_id}")] == ["workspace.member_added"]
    assert await ann.get(f"{at}?actor={bob.user_id}") == []
    whole = [row["audit_id"] for row in await ann.get(f"{at}?action=workspace.member_added")]
    page = await ann.get(f"{at}?action=workspace.member_added&limit=1")
    rest = await ann.get(f"{at}?action=workspace.member_added&before={page[-1]['audit_id']}")
    assert [row["audit_id"] for row in (*page, *rest)] == whole
    chat.clock.ahead_s = 600
    await ann.delete(f"/api/workspaces/{space}/members/{cat.user_id}")
    now = chat.clock.now_ms()
    find = chat.services.directory.audit.find
    late = await find(AuditQuery(workspace_id=space, since=now - 60_000))
    assert "workspace.member_removed" in {row.action for row in late}
    early = await find(AuditQuery(workspace_id=space, until=now - 60_000))
    assert len(early) + len(late) == len(await find(AuditQuery(workspace_id=space)))
