"""What leaves the directory: rows as frozen structs. Times are ms since the Unix epoch."""

import msgspec

from nottermost_chat.directory import tables
from nottermost_chat.directory.queries import columns
from nottermost_chat.directory.tables import DeliveryState, FileStatus, HookEvent, InviteStatus, Notify, PushKind
from nottermost_chat.model import ConversationKind, Member, Role
from nottermost_chat.ports import Cursor
from nottermost_chat.protocol import Presence


class UserRow(msgspec.Struct, frozen=True):
    """A user.

    Attributes:
        email: lower case; None: bots and some imported users have none.
        presence: what the user set; whether a device is connected is not known here.
        last_seen_at: None: never.
        imported: came with an import and nobody has claimed it yet.
        deleted: deactivated: cannot log in.
        import_key: what the import knows it by.
    """

    user_id: str
    username: str
    display_name: str
    title: str
    email: str | None
    bot: bool
    imported: bool
    deleted: bool
    presence: Presence
    last_seen_at: int | None
    created_at: int
    import_key: str | None


class DeviceRow(msgspec.Struct, frozen=True):
    """A device that a user signed in on."""

    device_id: str
    user_id: str
    name: str
    created_at: int
    last_seen_at: int
    revoked_at: int | None


class Credentials(msgspec.Struct, frozen=True):
    """What a log-in is checked against; password_hash None: no password (bots, unclaimed)."""

    user: UserRow
    password_hash: str | None


class SignIn(msgspec.Struct, frozen=True):
    """A device with the refresh token that is good for its next rotation."""

    user_id: str
    device_id: str
    refresh_token: str


class WorkspaceRow(msgspec.Struct, frozen=True):
    """A workspace; `tier` names its limits: "standard" or "enterprise"."""

    workspace_id: str
    name: str
    tier: str
    created_by: str
    created_at: int
    member_count: int
    import_key: str | None


class WorkspaceMember(msgspec.Struct, frozen=True):
    """A user in a workspace."""

    user: UserRow
    role: Role


class TeamRow(msgspec.Struct, frozen=True):
    """A named set of members of a workspace; `member_ids` sorted."""

    team_id: str
    workspace_id: str
    name: str
    member_ids: tuple[str, ...]


class ConversationRow(msgspec.Struct, frozen=True):
    """A conversation.

    Attributes:
        title: "" for direct ones.
        members_epoch, members_seq: of the last membership entry applied; seq 0: none yet, so nobody is in.
        pair_key: names the two users of a direct conversation.
        import_key: what the import knows it by.
    """

    conversation_id: str
    kind: ConversationKind
    workspace_id: str | None
    title: str
    topic: str
    purpose: str
    private: bool
    archived: bool
    created_by: str
    created_at: int
    member_count: int
    members_epoch: int
    members_seq: int
    pair_key: str | None
    import_key: str | None

    @property
    def pair(self) -> tuple[str, ...]:
        """The two user ids of a direct conversation, sorted (twice the same: with oneself); () otherwise."""
        return tuple(self.pair_key.split(":")) if self.pair_key else ()


class ConversationOfUser(msgspec.Struct, frozen=True):
    """A conversation as one user has it.

    Attributes:
        role: None: the user is out (`joined_seq` of the last stay).
        active_at: when it last changed (`touch_activity`, `apply`); 0: not asked for.
    """

    conversation: ConversationRow
    role: Role | None
    joined_seq: int
    cursor: Cursor
    active_at: int = 0


class Changes(msgspec.Struct, frozen=True):
    """What changed for a user, newest first; `reset`: more than asked for, read the whole list."""

    conversations: list[ConversationOfUser]
    reset: bool


class ChannelMatch(msgspec.Struct, frozen=True):
    """A conversation that was found, and whether the searcher is in it."""

    conversation: ConversationRow
    joined: bool


class InviteRow(msgspec.Struct, frozen=True):
    """An invitation of a user into a conversation; `title`: the conversation's, as it is now."""

    invite_id: str
    conversation_id: str
    user_id: str
    invited_by: str
    status: InviteStatus
    created_at: int
    expires_at: int
    title: str


class FileRow(msgspec.Struct, frozen=True):
    """A file.

    Attributes:
        size: bytes; as announced while pending, then as stored.
        content_type: sniffed, never the uploader's word; "" while pending.
        width, height: of images, in pixels.
        thumbnail: there is one.
        sha256: hexadecimal; "" while pending.
        external_url: where an imported file is.
        message_id: the message that carries it.
    """

    file_id: str
    conversation_id: str
    uploader_id: str
    name: str
    size: int
    status: FileStatus
    created_at: int
    content_type: str = ""
    width: int | None = None
    height: int | None = None
    thumbnail: bool = False
    sha256: str = ""
    external_url: str = ""
    message_id: str | None = None


class Finished(msgspec.Struct, frozen=True):
    """What the first request with an Idempotency-Key was answered with."""

    status: int
    body: bytes


class Subscription(msgspec.Struct, frozen=True):
    """Where a device takes pushes.

    Attributes:
        address: the endpoint (Web Push) or the token (FCM, APNs); whoever knows it may send there.
        public_key, auth_secret: Web Push: of the browser, base64url.
        failures: in a row.
    """

    device_id: str
    kind: PushKind
    address: str
    public_key: str
    auth_secret: str
    created_at: int
    failures: int

    def __repr__(self) -> str:
        return f"Subscription({self.device_id}, {self.kind})"


class QuietWindow(msgspec.Struct, frozen=True):
    """Do not disturb: minutes since midnight; an end at or before the start is on the next day. Weekday 0: Monday."""

    weekday: int
    start_minute: int
    end_minute: int


class Quiet(msgspec.Struct, frozen=True):
    """When a user is not to be disturbed: until then, and in these windows by the clocks of the time zone (IANA)."""

    time_zone: str = "UTC"
    paused_until: int | None = None
    windows: tuple[QuietWindow, ...] = ()


class Level(msgspec.Struct, frozen=True):
    """What a conversation may notify a member of; `until` None: until it is changed."""

    notify: Notify
    until: int | None = None


class Standing(msgspec.Struct, frozen=True):
    """How far somebody has read in a conversation, and what it may notify them of; None: the usual."""

    read_seq: int
    level: Level | None = None


class WebhookRow(msgspec.Struct, frozen=True):
    """An outgoing webhook.

    Attributes:
        conversation_id: None: all public channels of the workspace.
        secret: encrypted.
    """

    webhook_id: str
    workspace_id: str
    conversation_id: str | None
    events: tuple[HookEvent, ...]
    url: str
    secret: bytes
    active: bool
    created_by: str
    created_at: int

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "events", tuple(map(HookEvent, self.events)))  # from JSON


class DeliveryRow(msgspec.Struct, frozen=True):
    """What became of telling a webhook of an entry; `conversation_id` "": a test, `status` None: no answer came."""

    delivery_id: str
    webhook_id: str
    job_id: str
    event: str
    conversation_id: str
    epoch: int
    seq: int
    state: DeliveryState
    attempts: int
    status: int | None
    reason: str
    at: int


class IncomingHookRow(msgspec.Struct, frozen=True):
    """A token that posts into a conversation; `hook_id`: also the bot in whose name it posts."""

    hook_id: str
    conversation_id: str
    name: str
    created_by: str
    created_at: int
    revoked_at: int | None
    last_used_at: int | None


class BotTokenRow(msgspec.Struct, frozen=True):
    """A bot's token, without the token; `token_id`: also the bot's device."""

    token_id: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: int
    revoked_at: int | None
    last_used_at: int | None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "scopes", tuple(self.scopes))  # from JSON


# What to select for each: the columns that the fields are named after, in their order.
USER = columns(tables.users, UserRow)
DEVICE = columns(tables.devices, DeviceRow)
WORKSPACE = columns(tables.workspaces, WorkspaceRow)
CONVERSATION = columns(tables.conversations, ConversationRow)
MEMBER = columns(tables.memberships, Member)
CURSOR = columns(tables.cursors, Cursor)
FILE = columns(tables.files, FileRow)
SUBSCRIPTION = columns(tables.push_subscriptions, Subscription)
QUIET_WINDOW = columns(tables.quiet_windows, QuietWindow)
LEVEL = columns(tables.mutes, Level)
WEBHOOK = columns(tables.webhooks, WebhookRow)
DELIVERY = columns(tables.webhook_deliveries, DeliveryRow)
INCOMING_HOOK = columns(tables.incoming_hooks, IncomingHookRow)
BOT_TOKEN = columns(tables.bot_tokens, BotTokenRow)
