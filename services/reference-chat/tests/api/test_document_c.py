"""Document C's endpoints, with exactly its paths, fields and examples (but allocate-seq)."""

from typing import Any

import httpx

from nottermost_chat.services import Services
from nottermost_chat.testing.people import PASSWORD, Person, read

CHATS, MESSAGES = "/api/chats/conversations", "/api/messages/conversations"


def holds(answer: dict[str, Any], *fields: str) -> bool:
    return set(fields) <= answer.keys()


async def test_log_in_refresh_me_log_out(http: httpx.AsyncClient, ann: Person) -> None:
    """A session as C has it: both tokens in the body, user with user_id, email, username."""
    session = read(await http.post("/api/users/auth/login", json={"email": ann.email, "password": PASSWORD}), 200)
    assert set(session) == {"access_token", "refresh_token", "user"}
    assert session["user"].items() >= {"user_id": ann.user_id, "email": ann.email, "username": "ann"}.items()
    fresh = read(await http.post("/api/users/auth/refresh", json={"refresh_token": session["refresh_token"]}), 200)
    assert set(fresh) == {"access_token", "refresh_token"}
    assert fresh["refresh_token"] != session["refresh_token"]
    bearer = {"authorization": f"Bearer {fresh['access_token']}"}
    assert read(await http.get("/api/users/me", headers=bearer), 200)["user_id"] == ann.user_id
    read(await http.post("/api/users/auth/logout", json={"refresh_token": fresh["refresh_token"]}), 204)
    assert (await http.get("/api/users/me", headers=bearer)).status_code == 401


async def test_direct_conversation_is_created_once(ann: Person, bob: Person) -> None:
    """POST dm: idempotent from both sides."""
    first = await ann.post(f"{CHATS}/dm", {"other_user_id": bob.user_id}, status=201)
    assert holds(first, "conversation_id", "type", "title")
    assert first["type"] == "DM"
    assert first["title"] is None
    again = await ann.post(f"{CHATS}/dm", {"other_user_id": bob.user_id}, status=200)
    other = await bob.post(f"{CHATS}/dm", {"other_user_id": ann.user_id}, status=200)
    assert again["conversation_id"] == other["conversation_id"] == first["conversation_id"]


async def test_group_members_and_limit(services: Services, ann: Person, bob: Person) -> None:
    """POST group: the creator and up to 99 others; one more is `group_full`."""
    group = await ann.post(f"{CHATS}/group", {"title": "Team Chat", "member_ids": [bob.user_id]}, status=201)
    assert group["type"] == "GROUP"
    assert group["title"] == "Team Chat"
    members = await bob.get(f"{CHATS}/{group['conversation_id']}/members")
    assert {each["user"]["user_id"]: each["role"] for each in members} == {ann.user_id: "admin", bob.user_id: "member"}
    ids = [(await services.directory.accounts.create_user(username=f"u{n}")).user_id for n in range(100)]
    assert (await ann.post(f"{CHATS}/group", {"title": "full", "member_ids": ids}, status=409))["code"] == "group_full"
    full = await ann.post(f"{CHATS}/group", {"title": "full", "member_ids": ids[:99]}, status=201)
    assert full["member_count"] == 100
    refused = await ann.post(f"{CHATS}/{full['conversation_id']}/invite", {"user_id": bob.user_id}, status=409)
    assert refused["code"] == "group_full"


async def test_invite_and_join(ann: Person, bob: Person, cat: Person) -> None:
    """POST invite {user_id}, POST join {invite_id}."""
    group = await ann.group("Team", bob)
    invite = await bob.post(f"{CHATS}/{group}/invite", {"user_id": cat.user_id}, status=201)
    joined = await cat.post(f"{CHATS}/{group}/join", {"invite_id": invite["invite_id"]}, status=200)
    assert joined["conversation_id"] == group
    assert joined["joined"]
    assert joined["role"] == "member"


async def test_conversation_list(ann: Person, bob: Person) -> None:
    """GET conversations: a plain list with C's seven fields, last active first."""
    direct = await ann.direct(bob)
    group = await ann.group("Team Chat", bob)
    sent = await ann.say(group, "Hey everyone, let's meet at noon")
    await ann.say(direct, "x" * 300)
    listed = await bob.get(CHATS)
    assert [each["conversation_id"] for each in listed] == [direct, group]
    seven = ("conversation_id", "type", "title", "last_message_at", "last_preview", "last_has_more", "unread_count")
    assert {field: listed[1][field] for field in seven} == {
        "conversation_id": group,
        "type": "GROUP",
        "title": "Team Chat",
        "last_message_at": sent["created_at"],
        "last_preview": "Hey everyone, let's meet at noon",
        "last_has_more": False,
        "unread_count": 1,
    }
    assert listed[0]["last_preview"] == "x" * 200
    assert listed[0]["last_has_more"] is True


async def test_history_and_full_message(ann: Person, bob: Person) -> None:
    """GET messages?after_seq=&limit= previews 200 characters; ?fields=full answers the body."""
    direct = await ann.direct(bob)
    long_body = "This is a very long message " * 20
    bodies = ["Hello world", long_body, "and more"]
    sent = [await ann.say(direct, body) for body in bodies]
    page = await bob.get(f"{MESSAGES}/{direct}/messages?after_seq=0&limit=2")
    assert page["has_more"] is True
    assert page["next_seq"] == sent[1]["seq"] + 1
    assert [each["seq"] for each in page["messages"]] == [each["seq"] for each in sent[:2]]
    six = ("message_id", "seq", "sender_id", "preview", "has_more", "created_at")
    assert {field: page["messages"][1][field] for field in six} == {
        "message_id": sent[1]["message_id"],
        "seq": sent[1]["seq"],
        "sender_id": ann.user_id,
        "preview": long_body[:200],
        "has_more": True,
        "created_at": sent[1]["created_at"],
    }
    rest = await bob.get(f"{MESSAGES}/{direct}/messages?after_seq={page['next_seq'] - 1}&limit=200")
    assert [each["preview"] for each in rest["messages"]] == ["and more"]
    assert rest["has_more"] is False
    full = await bob.get(f"{MESSAGES}/{direct}/messages/{sent[1]['message_id']}?fields=full")
    assert full["body"] == long_body
    assert holds(full, "message_id", "seq", "sender_id", "created_at")


async def test_send_takes_client_msg_id_and_limits_the_body(ann: Person, bob: Person) -> None:
    """POST messages: 100,000 characters are taken, one more is not, and a repeat is the same message."""
    direct = await ann.direct(bob)
    path = f"{MESSAGES}/{direct}/messages"
    first = await ann.post(path, {"client_msg_id": "a", "body": "ü" * 100_000}, status=201)
    again = await ann.post(path, {"client_msg_id": "a", "body": "ü" * 100_000}, status=201)
    assert again == first
    refused = await ann.post(path, {"client_msg_id": "b", "body": "x" * 100_001}, status=400)
    assert refused["code"] == "invalid_text"
    full = await bob.get(f"{path}/{first['message_id']}?fields=full")
    assert full["body"] == "ü" * 100_000


async def test_read_state(ann: Person, bob: Person) -> None:
    """POST read {last_read_seq}: the unread count follows, and the cursor only rises."""
    direct = await ann.direct(bob)
    seqs = [(await ann.say(direct, str(n)))["seq"] for n in range(3)]
    read_path = f"{MESSAGES}/{direct}/read"
    assert (await bob.post(read_path, {"last_read_seq": seqs[1]}, status=200))["unread_count"] == 1
    assert (await bob.post(read_path, {"last_read_seq": seqs[0]}, status=200))["last_read_seq"] == seqs[1]
    assert (await bob.get(CHATS))[0]["unread_count"] == 1
    assert (await bob.post(read_path, {"last_read_seq": 10_000}, status=200))["last_read_seq"] == seqs[2]


async def test_allocate_seq_is_not_offered(ann: Person, bob: Person) -> None:
    """It would make gaps (ADR 0001)."""
    assert (await ann.call("POST", f"{CHATS}/{await ann.direct(bob)}/allocate-seq", {})).status_code == 404
