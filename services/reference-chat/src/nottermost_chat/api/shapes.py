"""What REST takes and answers. Paths and names of document C are kept; the rest is in the same style.

Requests refuse fields they do not know. Times are RFC 3339, UTC.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from nottermost_chat.model import BODY_CHARS_MAX, Role
from nottermost_chat.protocol import MessageFields, Presence, PresenceEntry


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A body that a client sends."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A body that the server answers."""


Email = Annotated[
    str, msgspec.Meta(min_length=3, max_length=255, pattern=r"^[^@\x00-\x20\x7f]+@[^@\x00-\x20\x7f]+$(?!\n)")
]
Username = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\w.\-]+$(?!\n)")
]  # Python's $ ends before a newline
Password = Annotated[str, msgspec.Meta(min_length=8, max_length=256)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]
ChannelName = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=r"\S")]
Line = Annotated[str, msgspec.Meta(max_length=250)]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
# Said in the OpenAPI document only: ingest checks it, for sockets too, and its code is `invalid_text`.
AnyBody = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": BODY_CHARS_MAX})]
Body = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": BODY_CHARS_MAX, "pattern": r"\S"})]


# --- /api/users -----------------------------------------------------------------------------


class RegisterRequest(Request, frozen=True):  # POST /api/users/auth/register -> 201 Session
    email: Email
    username: Username
    password: Password
    display_name: Line = ""
    device_name: Line = ""


class LoginRequest(Request, frozen=True):  # POST /api/users/auth/login -> Session
    email: Annotated[str, msgspec.Meta(max_length=255)]
    password: Annotated[str, msgspec.Meta(max_length=256)]
    device_name: Line = ""


# POST /api/users/auth/refresh -> Tokens; POST /api/users/auth/logout -> 204
class RefreshRequest(Request, frozen=True):
    refresh_token: Annotated[str, msgspec.Meta(max_length=512)] | None = None  # absent: the cookie (X-Client: web)


# POST /api/users/auth/claim -> Session: an imported user takes the account over
class ClaimRequest(Request, frozen=True):
    claim_token: Annotated[str, msgspec.Meta(max_length=512)]
    password: Password
    device_name: Line = ""


class ProfileRequest(Request, frozen=True):  # PATCH /api/users/me -> UserView
    username: Username | None = None
    display_name: Line | None = None
    title: Line | None = None


class PasswordRequest(Request, frozen=True):  # PUT /api/users/me/password -> 204; every other device is signed out
    old_password: Annotated[str, msgspec.Meta(max_length=256)]
    new_password: Password


class PresenceRequest(Request, frozen=True):  # PUT /api/users/me/presence -> PresenceEntry
    status: Presence


class UserView(View, frozen=True):  # GET /api/users/{user_id}; GET /api/users?ids=a,b (at most 200) -> list[UserView]
    user_id: str
    username: str
    display_name: str
    title: str = ""
    bot: bool = False
    deleted: bool = False


class MeView(View, frozen=True):  # GET /api/users/me
    user_id: str
    email: str | None
    username: str
    display_name: str
    title: str = ""
    device_id: str = ""
    presence: Presence = Presence.ONLINE


class Session(View, frozen=True):
    access_token: str
    refresh_token: str | None  # null with X-Client: web, which gets an httpOnly cookie
    user: MeView


class Tokens(View, frozen=True):
    access_token: str
    refresh_token: str | None


# GET /api/users/me/devices -> list; DELETE /api/users/me/devices/{device_id} -> 204
class DeviceView(View, frozen=True):
    device_id: str
    name: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


# GET /api/users/presence?ids=a,b -> list[PresenceEntry]
PresenceList = list[PresenceEntry]


# --- /api/workspaces ------------------------------------------------------------------------


class WorkspaceRequest(Request, frozen=True):  # POST /api/workspaces -> 201 WorkspaceView
    name: Name


# GET /api/workspaces -> list[WorkspaceView]; GET /api/workspaces/{workspace_id}
class WorkspaceView(View, frozen=True):
    workspace_id: str
    name: str
    role: Role
    members: int
    tier: str


# POST /api/workspaces/{workspace_id}/members -> 201 WorkspaceMemberView
class WorkspaceMemberRequest(Request, frozen=True):
    email: Email
    role: Role = Role.MEMBER


# PATCH /api/workspaces/{id}/members/{user_id}, /api/chats/conversations/{id}/members/{user_id}
class RoleRequest(Request, frozen=True):
    role: Role


# GET /api/workspaces/{id}/members?after=&limit= -> list; DELETE …/{user_id} -> 204
class WorkspaceMemberView(View, frozen=True):
    user: UserView
    role: Role


# POST /api/workspaces/{id}/teams -> 201 TeamView; PUT /api/workspaces/{id}/teams/{team_id}
class TeamRequest(Request, frozen=True):
    name: Username
    member_ids: Annotated[list[Id], msgspec.Meta(max_length=1000)] = []


class TeamView(View, frozen=True):  # GET /api/workspaces/{id}/teams -> list[TeamView]; DELETE …/{team_id} -> 204
    team_id: str
    name: str
    member_ids: list[str]


class ChannelRequest(Request, frozen=True):  # POST /api/workspaces/{id}/channels -> 201 ConversationView
    name: ChannelName
    private: bool = False
    topic: Line = ""
    purpose: Line = ""
    member_ids: Annotated[list[Id], msgspec.Meta(max_length=1000)] = []
    team_ids: Annotated[list[Id], msgspec.Meta(max_length=20)] = []


# GET /api/workspaces/{id}/channels?q=&after=&limit= -> list: public ones and one's own
class ChannelView(View, frozen=True):
    conversation_id: str
    title: str
    topic: str
    purpose: str
    private: bool
    archived: bool
    joined: bool
    members: int


# --- /api/chats -----------------------------------------------------------------------------


class ConversationType(StrEnum):
    """Document C's names for the kinds of conversation."""

    DM = "DM"
    GROUP = "GROUP"
    CHANNEL = "CHANNEL"


class DmRequest(Request, frozen=True):  # POST /api/chats/conversations/dm -> 200 or 201 ConversationView
    other_user_id: Id


class GroupRequest(Request, frozen=True):  # POST /api/chats/conversations/group -> 201 ConversationView
    title: Name
    member_ids: Annotated[list[Id], msgspec.Meta(max_length=100)]


class InviteRequest(Request, frozen=True):  # POST /api/chats/conversations/{id}/invite -> 201 InviteView
    user_id: Id


class JoinRequest(Request, frozen=True):  # POST …/{id}/join -> ConversationView; a public channel needs no invite
    invite_id: Id | None = None


class DeclineRequest(Request, frozen=True):  # POST …/{id}/decline -> 204
    invite_id: Id


class AddMembersRequest(Request, frozen=True):  # POST …/{id}/members -> list[MemberView]; channels only
    user_ids: Annotated[list[Id], msgspec.Meta(max_length=1000)] = []
    team_ids: Annotated[list[Id], msgspec.Meta(max_length=20)] = []


class ConversationPatch(Request, frozen=True):  # PATCH …/{id} -> ConversationView
    title: Name | None = None
    topic: Line | None = None
    purpose: Line | None = None
    archived: bool | None = None


# GET /api/chats/invites -> list[InviteView]: those that wait for the caller's answer
class InviteView(View, frozen=True):
    invite_id: str
    conversation_id: str
    title: str
    invited_user_id: str
    invited_by: str
    status: str
    created_at: datetime
    expires_at: datetime


# GET …/{id}/members?after=&limit= -> list[MemberView]; DELETE …/{id}/members/{user_id} -> 204
class MemberRole(StrEnum):
    """Roles in a conversation."""

    ADMIN = "admin"
    MEMBER = "member"


class MemberRoleRequest(Request, frozen=True):  # PATCH …/{id}/members/{user_id} -> MemberView
    role: MemberRole


class MemberView(View, frozen=True):
    user: UserView
    role: Role


class ConversationView(View, frozen=True):  # GET …/{id}; in the list as document C has it
    conversation_id: str
    type: ConversationType
    title: str | None
    last_message_at: datetime | None
    last_preview: str | None
    last_has_more: bool
    unread_count: int
    mention_count: int = 0
    last_sender_id: str | None = None
    workspace_id: str | None = None
    private: bool = True
    topic: str = ""
    purpose: str = ""
    archived: bool = False
    joined: bool = True
    role: Role | None = None
    member_count: int = 0
    other_user_ids: list[str] = []  # DM: the other one; GROUP: up to 100
    epoch: int = 1
    last_seq: int = 0
    read_seq: int = 0
    created_at: datetime | None = None


class ConversationChanges(View, frozen=True):  # GET /api/chats/conversations?changed_since=<RFC 3339>
    """Without `changed_since` the answer is document C's plain list, all of the caller's conversations."""

    conversations: list[ConversationView]
    reset: bool  # more than 200 changed: read the whole list
    as_of: datetime


class QuickMatch(View, frozen=True):  # GET /api/chats/search?q=&limit= -> list[QuickMatch]: the quick switcher
    kind: str  # "user" or "conversation"
    id: str
    label: str
    hint: str = ""
    joined: bool = True


# POST …/{id}/leave -> 204


# --- /api/messages ----------------------------------------------------------------------------


class SendRequest(Request, frozen=True):  # POST /api/messages/conversations/{id}/messages -> 201 SentView
    client_msg_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    body: AnyBody  # may be empty with files
    thread_id: Id | None = None
    broadcast: bool = False
    file_ids: Annotated[list[Id], msgspec.Meta(max_length=10)] = []


class SentView(View, frozen=True):
    conversation_id: str
    client_msg_id: str
    message_id: str
    epoch: int
    seq: int
    created_at: datetime
    id_reused: bool = False


class EditRequest(Request, frozen=True):  # PATCH …/messages/{message_id} -> SentView
    client_msg_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    body: Body


# DELETE …/messages/{message_id}?client_msg_id= -> SentView
# POST …/messages/{message_id}/restore {client_msg_id} -> SentView
class OperationRequest(Request, frozen=True):
    client_msg_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ReactionRequest(Request, frozen=True):  # PUT …/messages/{message_id}/reactions -> SentView
    client_msg_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    emoji: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    on: bool = True


class HistoryPage(View, frozen=True):
    """GET …/messages?after_seq=N&limit= (forward) or ?before_seq=N (backward; 0: from the end); always oldest first.

    GET …/messages/{message_id}/thread?after_seq= answers the same shape; GET …/messages?around_seq=N or
    ?at=<RFC 3339> answers a page around a place (jump to date).
    """

    messages: list[MessageFields]
    has_more: bool
    next_seq: int  # forward: the next after_seq is next_seq - 1 as in document C; backward: the next before_seq
    has_more_before: bool = False  # around a place: there are older ones too (has_more and next_seq go forward)


# GET …/messages/{message_id}?fields=full -> MessageFields with body


class ReadRequest(Request, frozen=True):  # POST …/{id}/read -> ReadView
    last_read_seq: Seq


class DeliveredRequest(Request, frozen=True):  # POST …/{id}/delivered -> 204
    last_delivered_seq: Seq


class ReadView(View, frozen=True):
    conversation_id: str
    last_read_seq: int
    unread_count: int
    mention_count: int


class ReceiptView(View, frozen=True):  # GET …/{id}/receipts -> list[ReceiptView]; conversations of up to 100 members
    user_id: str
    delivered_seq: int
    read_seq: int


# --- /api/files -------------------------------------------------------------------------------


class FileRequest(Request, frozen=True):  # POST /api/files -> 201 UploadView
    conversation_id: Id
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    size: Annotated[int, msgspec.Meta(ge=0)]


class UploadView(View, frozen=True):
    file_id: str
    upload_url: str  # PUT the bytes there -> 201 FileView; no token needed, the link is signed and ends
    expires_at: datetime


class FileLinksRequest(Request, frozen=True):  # POST /api/files/links -> list[FileView]: those the caller may see
    file_ids: Annotated[list[Id], msgspec.Meta(max_length=200)]


class FileView(View, frozen=True):
    file_id: str
    conversation_id: str
    name: str
    size: int
    content_type: str
    width: int | None = None
    height: int | None = None
    inline: bool = False  # an image that may be shown in the page
    url: str = ""  # signed; supports Range
    thumbnail_url: str = ""
    external_url: str = ""  # an imported reference: the export held no bytes
    expires_at: datetime | None = None


# --- /api/search ------------------------------------------------------------------------------


class Hit(View, frozen=True):
    message: MessageFields
    snippet: str  # of the text of now
    highlights: list[tuple[int, int]]  # [start, end) in code points of the snippet
    conversation_title: str | None = None


class SearchView(View, frozen=True):  # GET /api/search?q=&sort=rank|date&offset=&limit=
    hits: list[Hit]
    total: int
    unknown: list[str] = []  # parts of the query that name nobody and nothing


class Problem(View, frozen=True):
    """RFC 9457 problem document (`application/problem+json`)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retry_after_ms: int | None = None
    errors: list[str] = []


class ImportedUserView(View, frozen=True):  # GET /api/workspaces/{id}/imported-users (admins) -> list: not claimed yet
    user: UserView
    email: str | None


class ClaimLinkView(View, frozen=True):  # POST /api/workspaces/{id}/imported-users/{user_id}/claim -> 201
    claim_token: str
    url: str  # path of the page that takes it
    expires_at: datetime
