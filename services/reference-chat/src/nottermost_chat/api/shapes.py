"""What REST takes and answers. Paths and names of document C are kept; the rest is in the same style.

Requests refuse fields they do not know. Times are RFC 3339, UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from nottermost_chat.directory.audit import AuditDetails
from nottermost_chat.directory.tables import DeliveryState, HookEvent, Notify, PushKind
from nottermost_chat.model import BODY_CHARS_MAX, Role
from nottermost_chat.protocol import MessageFields, Presence
from nottermost_chat.scopes import Scope


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
    consents: Annotated[dict[Id, Id], msgspec.Meta(max_length=20)] = {}  # versions by document


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


# POST /api/users/auth/oidc -> Session: with the token of the identity provider that the server trusts
class OidcRequest(Request, frozen=True):
    id_token: Annotated[str, msgspec.Meta(max_length=16_384)]
    nonce: Annotated[str, msgspec.Meta(max_length=255)] | None = None  # that the provider was asked to put in
    password: Annotated[str, msgspec.Meta(max_length=256)] | None = None  # of an account to link, after `link_required`
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


class DirectUpload(View, frozen=True):
    url: str
    headers: Mapping[str, str]


class UploadView(View, frozen=True):
    file_id: str
    upload_url: str  # PUT the bytes there -> 201 FileView; no token needed, the link is signed and ends
    expires_at: datetime
    direct: DirectUpload | None = None  # or: PUT them there with its headers, then POST upload_url -> 201 FileView


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
    unknown: list[str] = []  # parts of the query that name nobody and nothing; conversations that were left out


# --- webhooks ---------------------------------------------------------------------------------

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Events = Annotated[tuple[HookEvent, ...], msgspec.Meta(min_length=1, max_length=5)]


class WebhookRequest(Request, frozen=True):  # POST /api/workspaces/{id}/webhooks -> 201 WebhookView; admins
    url: Url
    events: Events
    conversation_id: Id | None = None  # null: all public channels of the workspace


class WebhookChangeRequest(Request, frozen=True):  # PATCH …/webhooks/{webhook_id} -> WebhookView; null: as it is
    url: Url | None = None
    events: Events | None = None
    active: bool | None = None
    new_secret: bool = False


class WebhookView(View, frozen=True):
    webhook_id: str
    conversation_id: str | None
    events: list[HookEvent]
    url: str
    active: bool
    created_by: str
    created_at: datetime
    secret: str | None = None  # only in the answer to the request that made it


class DeliveryStarted(View, frozen=True):  # POST …/webhooks/{webhook_id}/test; POST …/deliveries/{delivery_id}/replay
    delivery_id: str


class DeliveryView(View, frozen=True):  # GET …/webhooks/{webhook_id}/deliveries -> list[DeliveryView]
    delivery_id: str
    event: str
    conversation_id: str | None  # null: a test
    seq: int
    state: DeliveryState
    attempts: int
    status: int | None  # of the last answer; null: there was none
    reason: str
    at: datetime


class IncomingHookRequest(Request, frozen=True):  # POST …/incoming-hooks -> 201 IncomingHookView; admins
    conversation_id: Id
    name: Name


class IncomingHookView(View, frozen=True):
    hook_id: str  # also the user who posts
    conversation_id: str
    name: str
    created_by: str
    created_at: datetime
    last_used_at: datetime | None = None
    url: str | None = None  # only in the answer to the request that made it: whoever has it may post


class HookMessageRequest(Request, frozen=True):  # POST /api/hooks/{token} -> 201 SentView
    text: Body


# --- bots -------------------------------------------------------------------------------------


class BotRequest(Request, frozen=True):  # POST /api/workspaces/{id}/bots -> 201 UserView; admins
    username: Username
    display_name: Line = ""


class BotTokenRequest(Request, frozen=True):  # POST …/bots/{bot_id}/tokens -> 201 BotTokenView
    name: Name
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=20)]


class BotTokenView(View, frozen=True):
    token_id: str
    name: str
    scopes: list[Scope]
    created_by: str
    created_at: datetime
    last_used_at: datetime | None = None  # within a minute
    token: str | None = None  # only in the answer to the request that made it


class BotSessionRequest(Request, frozen=True):  # POST /api/bots/session -> BotSession
    token: Annotated[str, msgspec.Meta(max_length=512)]


class BotSession(View, frozen=True):
    user_id: str
    access_token: str  # for `authenticate` on the socket, and as a bearer token
    expires_at: datetime
    scopes: list[Scope]


# --- /api/notifications -----------------------------------------------------------------------

Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]  # 0: Monday
Minute = Annotated[int, msgspec.Meta(ge=0, le=1439)]  # since midnight
AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]


class PushRequest(Request, frozen=True):  # PUT /api/notifications/push -> PushView; for the calling device
    kind: PushKind
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]  # a browser's endpoint, or the app's token
    public_key: Annotated[str, msgspec.Meta(max_length=128)] = ""  # webpush: `p256dh`
    auth_secret: Annotated[str, msgspec.Meta(max_length=64)] = ""  # webpush: `auth`


class PushDeviceView(View, frozen=True):
    device_id: str
    kind: PushKind
    created_at: datetime
    current: bool


class PushView(View, frozen=True):  # GET /api/notifications/push; DELETE -> 204: the calling device's goes
    kinds: list[PushKind]  # what is on; for others there is no key here
    vapid_public_key: str | None  # what browsers subscribe with
    devices: list[PushDeviceView]


class QuietHours(Request, frozen=True):
    weekday: Weekday  # on which they begin
    start_minute: Minute
    end_minute: Minute  # at or before the start: on the next day


class NotificationsRequest(Request, frozen=True):  # PUT /api/notifications/settings -> NotificationsView
    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]  # IANA
    paused_until: AwareTime | None = None
    quiet: Annotated[list[QuietHours], msgspec.Meta(max_length=21)] = []


# GET, PUT /api/notifications/conversations/{conversation_id}
class ConversationNotifyRequest(Request, frozen=True):
    notify: Notify | None = None  # null: the usual
    until: AwareTime | None = None


class ConversationNotifyView(View, frozen=True):
    conversation_id: str
    notify: Notify
    until: datetime | None = None


class NotificationsView(View, frozen=True):  # GET /api/notifications/settings
    time_zone: str
    paused_until: datetime | None
    quiet: list[QuietHours]
    conversations: list[ConversationNotifyView]  # where something was chosen


# --- retention and privacy ---------------------------------------------------------------------

WarmDays = Annotated[int, msgspec.Meta(ge=7, le=365)]  # a week: what was deleted can be restored for so long
ArchiveDays = Annotated[int, msgspec.Meta(ge=30, le=1_826)]  # document D: 30 days to five years


class RetentionRequest(Request, frozen=True):  # PUT /api/workspaces/{id}/retention -> RetentionView
    warm_days: WarmDays = 30
    archive_days: ArchiveDays = 1_826


class RetentionView(View, frozen=True):  # GET /api/workspaces/{id}/retention
    warm_days: int  # 0: the message store keeps everything
    archive_days: int
    changed_by: str | None = None  # nobody: it is what this installation does where no workspace says otherwise
    changed_at: datetime | None = None


class HoldRequest(Request, frozen=True):  # POST /api/workspaces/{id}/holds -> 201 HoldView
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
    user_id: Annotated[str, msgspec.Meta(max_length=64)] = ""  # one of the two, or neither: the whole workspace
    conversation_id: Annotated[str, msgspec.Meta(max_length=64)] = ""


class HoldView(View, frozen=True):
    hold_id: str
    workspace_id: str | None
    user_id: str | None
    conversation_id: str | None
    reason: str
    created_by: str
    created_at: datetime


class ErasureView(View, frozen=True):  # DELETE /api/users/me?confirm= -> 202
    erasure_id: str
    state: str  # requested, running, finished
    requested_at: datetime
    finished_at: datetime | None = None


class ExportView(View, frozen=True):  # POST /api/users/me/exports -> 202; GET -> list
    export_id: str
    state: str  # requested, running, finished
    requested_at: datetime
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    url: str = ""  # signed, for this user; "": not there yet, or not any more


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


# --- consents ---------------------------------------------------------------------------------


class ConsentRequest(Request, frozen=True):  # PUT /api/users/me/consents -> ConsentsView
    document: Id
    version: Id


class ConsentDocument(View, frozen=True):
    document: str
    version: str


class ConsentDocuments(View, frozen=True):  # GET /api/users/auth/consents
    documents: list[ConsentDocument]
    required: bool


class ConsentView(View, frozen=True):
    document: str
    version: str
    given_at: datetime
    withdrawn_at: datetime | None


class ConsentsView(View, frozen=True):  # GET /api/users/me/consents
    documents: list[ConsentDocument]
    given: list[ConsentView]


# --- the audit log ----------------------------------------------------------------------------


class AuditView(View, frozen=True):  # GET /api/workspaces/{workspace_id}/audit -> list
    audit_id: str
    at: datetime
    actor_id: str
    action: str
    subject_id: str
    workspace_id: str | None
    details: AuditDetails
