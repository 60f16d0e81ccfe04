"""Accounts: users, the devices they signed in on, refresh tokens, claims of imported users."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from nottermost_chat.directory.engine import Noun, reads, upserts, writes, writes_rows
from nottermost_chat.directory.queries import acquainted, begins, fetch, fetch_in, fetch_one, insert, insert_new
from nottermost_chat.directory.rows import DEVICE, USER, Credentials, DeviceRow, SignIn, UserRow
from nottermost_chat.directory.tables import claims, devices, fold, refresh_tokens, user_names, users
from nottermost_chat.errors import Conflict, EmailTaken, NotFound, RefreshReused, Unauthorized, UsernameTaken
from nottermost_chat.protocol import Presence

NAME_WORDS_MAX: Final = 8  # words of a display name that a user is found by; longer ones are sentences


class FamilyRevoked(RefreshReused):
    """A refresh token came a second time, so its device was signed out."""

    def __init__(self, user_id: str, device_id: str) -> None:
        super().__init__("this refresh token was used before, so the device was signed out: log in again")
        self.user_id, self.device_id = user_id, device_id


class Accounts(Noun):
    """Users and what lets them in."""

    # --- users ---------------------------------------------------------------------------------

    @writes
    def create_user(
        self,
        connection: Connection,
        *,
        username: str,
        email: str | None = None,
        display_name: str = "",
        title: str = "",
        password_hash: str | None = None,
        bot: bool = False,
        imported: bool = False,
        deleted: bool = False,
        import_key: str | None = None,
    ) -> UserRow:
        """Make an account. Raises EmailTaken, UsernameTaken (both compared without case)."""
        user = UserRow(
            user_id=self._clock.new_id(),
            username=username,
            display_name=display_name,
            title=title,
            email=_email_key(email) if email else None,
            bot=bot,
            imported=imported,
            deleted=deleted,
            presence=Presence.ONLINE,
            last_seen_at=None,
            created_at=self._clock.now_ms(),
            import_key=import_key,
        )
        secret = {"username_key": fold(username), "password_hash": password_hash}
        if not insert_new(connection, users, msgspec.structs.asdict(user) | secret):
            raise _what_is_taken(connection, user)
        _index_names(connection, user)
        return user

    @reads
    def user(self, connection: Connection, user_id: str) -> UserRow | None:
        """One user."""
        return _one(connection, users.c.user_id == user_id)

    @reads
    def users(self, connection: Connection, user_ids: Sequence[str]) -> dict[str, UserRow]:
        """Users by id; unknown ones are absent."""
        return {row.user_id: row for row in fetch_in(connection, select(*USER), users.c.user_id, user_ids, UserRow)}

    @reads
    def by_email(self, connection: Connection, email: str) -> UserRow | None:
        """The user with this address, in any case."""
        return _one(connection, users.c.email == _email_key(email))

    @reads
    def by_username(self, connection: Connection, username: str) -> UserRow | None:
        """The user with this name, in any case."""
        return _one(connection, users.c.username_key == fold(username))

    @reads
    def by_import_key(self, connection: Connection, import_keys: Sequence[str]) -> dict[str, UserRow]:
        """Users by what an import knows them by."""
        found = fetch_in(connection, select(*USER), users.c.import_key, import_keys, UserRow)
        return {row.import_key: row for row in found if row.import_key}

    @reads
    def find(self, connection: Connection, text: str, *, caller_id: str, limit: int = 20) -> list[UserRow]:
        """Users whose user name, e-mail or any word of whose display name begins with `text`.

        Only the caller and those who share a workspace or a conversation with the caller; nobody deleted.
        """
        statement = (
            select(*USER)
            .join_from(user_names, users)
            .where(begins(user_names.c.name_key, text), users.c.deleted.is_(False))
            .where(or_(users.c.user_id == caller_id, acquainted(caller_id, user_names.c.user_id)))
            .order_by(user_names.c.name_key)  # walks the index and stops at the limit
            .limit(limit * 4)  # a user may be there by user name, e-mail and two or three words
        )
        return list({row.user_id: row for row in fetch(connection, statement, UserRow)}.values())[:limit]

    @writes
    def change_profile(
        self,
        connection: Connection,
        user_id: str,
        *,
        username: str | None = None,
        display_name: str | None = None,
        title: str | None = None,
    ) -> UserRow:
        """Change what is not None. Raises UsernameTaken, NotFound."""
        before = _existing(connection, user_id)
        user = msgspec.structs.replace(
            before,
            username=before.username if username is None else username,
            display_name=before.display_name if display_name is None else display_name,
            title=before.title if title is None else title,
        )
        values = {"username_key": fold(user.username)} | {
            name: getattr(user, name) for name in ("username", "display_name", "title")
        }
        try:
            connection.execute(update(users).where(users.c.user_id == user_id).values(values))
        except IntegrityError as error:
            raise UsernameTaken(f"the user name {username} is taken: choose another one") from error
        _index_names(connection, user)
        return user

    @upserts
    def set_presence(self, connection: Connection, user_id: str, presence: Presence) -> None:
        """What the user wants others to see."""
        connection.execute(update(users).where(users.c.user_id == user_id).values(presence=presence))

    @upserts
    def note_seen(self, connection: Connection, seen: Sequence[tuple[str, str, int]]) -> None:
        """Raise `last_seen_at` of users and devices: (user_id, device_id, ms)."""
        for table, key, times in (
            (users, users.c.user_id, [(user_id, ms) for user_id, _, ms in seen]),
            (devices, devices.c.device_id, [(device_id, ms) for _, device_id, ms in seen]),
        ):
            column = table.c.last_seen_at
            earlier = or_(column.is_(None), column < bindparam("ms"))
            if rows := [{"id": found, "ms": ms} for found, ms in sorted(times)]:
                statement = update(table).where(key == bindparam("id"), earlier).values(last_seen_at=bindparam("ms"))
                connection.execute(statement, rows)

    @writes
    def deactivate(self, connection: Connection, user_id: str) -> list[str]:
        """The account cannot be used any more. Returns the devices that this signed out."""
        values = {"deleted": True, "password_hash": None}
        connection.execute(update(users).where(users.c.user_id == user_id).values(values))
        connection.execute(delete(claims).where(claims.c.user_id == user_id))
        return self._revoke(connection, devices.c.user_id == user_id)

    # --- passwords and claims --------------------------------------------------------------------

    @reads
    def credentials(self, connection: Connection, name: str) -> Credentials | None:
        """For log-in, by e-mail or (imported users may have none) by user name; None also for deleted users."""
        by_email = "@" in name  # which no user name holds
        return _credentials(
            connection, users.c.email == _email_key(name) if by_email else users.c.username_key == fold(name)
        )

    @reads
    def credentials_of(self, connection: Connection, user_id: str) -> Credentials | None:
        """For changing the password; None also for deleted users."""
        return _credentials(connection, users.c.user_id == user_id)

    @writes
    def set_password(
        self, connection: Connection, user_id: str, password_hash: str, *, keep_device_id: str | None
    ) -> list[str]:
        """Set the password and sign out every device but one. Returns the devices signed out."""
        connection.execute(update(users).where(users.c.user_id == user_id).values(password_hash=password_hash))
        return self._revoke(connection, devices.c.user_id == user_id, devices.c.device_id != (keep_device_id or ""))

    @writes
    def create_claim(self, connection: Connection, user_id: str, *, valid_s: int) -> str:
        """A token with which an imported user takes the account over, once; it replaces earlier ones.

        Raises: NotFound when the user is not an imported, unclaimed one.
        """
        user = _existing(connection, user_id)
        if not user.imported or user.deleted or user.bot:
            raise NotFound(f"user {user_id} cannot be claimed: only imported people whom nobody claimed can be")
        token = secrets.token_urlsafe(32)
        values = {"token_hash": _token_hash(token), "expires_at": self._clock.now_ms() + valid_s * 1000}
        statement = insert(connection.dialect.name, claims).values(user_id=user_id, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=[claims.c.user_id], set_=values))
        return token

    @writes
    def claim(self, connection: Connection, token: str, password_hash: str) -> UserRow:
        """Take an imported account over. Raises Unauthorized when the token is unknown, used or too old."""
        valid = (claims.c.token_hash == _token_hash(token)) & (claims.c.expires_at > self._clock.now_ms())
        user_id = connection.scalar(delete(claims).where(valid).returning(claims.c.user_id))
        if user_id is None:
            raise Unauthorized("this claim link was used already or is too old: ask an administrator for a new one")
        values = {"password_hash": password_hash, "imported": False}
        connection.execute(update(users).where(users.c.user_id == user_id).values(values))
        return _existing(connection, user_id)

    # --- devices and refresh tokens --------------------------------------------------------------

    @writes
    def sign_in(self, connection: Connection, user_id: str, device_name: str, *, valid_s: int) -> SignIn:
        """A new device with its first refresh token. Raises Unauthorized for a deleted user."""
        if _existing(connection, user_id).deleted:
            raise Unauthorized("this account was deactivated")
        now = self._clock.now_ms()
        device = DeviceRow(self._clock.new_id(), user_id, device_name, now, last_seen_at=now, revoked_at=None)
        connection.execute(devices.insert().values(msgspec.structs.asdict(device)))
        return self._new_token(connection, user_id, device.device_id, valid_s)

    async def rotate(self, refresh_token: str, *, valid_s: int) -> SignIn:
        """Exchange a refresh token for the next one.

        There is no grace for a client that lost the answer: whoever repeats a token may have stolen it.

        Raises:
            FamilyRevoked: (a RefreshReused) it was exchanged before; the device is signed out now.
            Unauthorized: unknown, too old, or the device was signed out.
        """
        outcome = await self._rotate(refresh_token, valid_s)
        if isinstance(outcome, Unauthorized):
            raise outcome
        return outcome

    @writes_rows
    def _rotate(self, connection: Connection, refresh_token: str, valid_s: int) -> SignIn | Unauthorized:
        """What refuses the token is returned, not raised, because a revocation must be committed."""
        now, token, key = self._clock.now_ms(), refresh_tokens, _token_hash(refresh_token)
        row = connection.execute(
            select(token.c.used_at, token.c.expires_at, devices.c.revoked_at, devices.c.device_id, devices.c.user_id)
            .join_from(token, devices)
            .where(token.c.token_hash == key)
            .with_for_update()
        ).first()
        if row is None or row.expires_at <= now:
            return Unauthorized("this refresh token is unknown or too old: log in again")
        if row.used_at is not None:
            self._revoke(connection, devices.c.device_id == row.device_id)
            return FamilyRevoked(row.user_id, row.device_id)
        if row.revoked_at is not None:
            return Unauthorized("this device was signed out: log in again")
        connection.execute(update(token).where(token.c.token_hash == key).values(used_at=now))
        connection.execute(update(devices).where(devices.c.device_id == row.device_id).values(last_seen_at=now))
        return self._new_token(connection, row.user_id, row.device_id, valid_s)

    @writes
    def sign_out_token(self, connection: Connection, refresh_token: str) -> str | None:
        """Sign out the device that holds this token. Returns it; None: the token is unknown."""
        held = refresh_tokens.c.token_hash == _token_hash(refresh_token)
        device_id = connection.scalar(select(refresh_tokens.c.device_id).where(held))
        self._revoke(connection, devices.c.device_id == device_id)
        return device_id

    @writes
    def sign_out(self, connection: Connection, user_id: str, device_id: str) -> bool:
        """Sign out one of the user's devices. False: the user has no such device signed in."""
        return bool(self._revoke(connection, devices.c.user_id == user_id, devices.c.device_id == device_id))

    @reads
    def devices(self, connection: Connection, user_id: str) -> list[DeviceRow]:
        """Devices that are signed in, last seen first."""
        mine = select(*DEVICE).where(devices.c.user_id == user_id, devices.c.revoked_at.is_(None))
        return fetch(connection, mine.order_by(devices.c.last_seen_at.desc(), devices.c.device_id), DeviceRow)

    @reads
    def device(self, connection: Connection, device_id: str) -> DeviceRow | None:
        """One device, also when it is signed out."""
        return fetch_one(connection, select(*DEVICE).where(devices.c.device_id == device_id), DeviceRow)

    @reads
    def revoked_since(self, connection: Connection, since_ms: int) -> dict[str, int]:
        """Devices signed out at or after that time, and when."""
        statement = select(devices.c.device_id, devices.c.revoked_at).where(devices.c.revoked_at >= since_ms)
        return dict(connection.execute(statement).all())

    @upserts
    def prune(self, connection: Connection) -> None:
        """Forget refresh tokens and claims that are too old to be used."""
        for table in (refresh_tokens, claims):
            connection.execute(delete(table).where(table.c.expires_at <= self._clock.now_ms()))

    def _new_token(self, connection: Connection, user_id: str, device_id: str, valid_s: int) -> SignIn:
        token = secrets.token_urlsafe(32)
        expires_at = self._clock.now_ms() + valid_s * 1000
        values = {"token_hash": _token_hash(token), "device_id": device_id, "expires_at": expires_at}
        connection.execute(refresh_tokens.insert().values(values))
        return SignIn(user_id, device_id, token)

    def _revoke(self, connection: Connection, *conditions: ColumnElement[bool]) -> list[str]:
        """Sign out those devices that are signed in; their refresh tokens stay, to notice reuse, and are refused."""
        signed_in = select(devices.c.device_id).where(*conditions, devices.c.revoked_at.is_(None))
        in_order = signed_in.order_by(devices.c.device_id).with_for_update()  # as `note_seen` locks them
        device_ids = list(connection.scalars(in_order))
        if device_ids:
            mine = update(devices).where(devices.c.device_id.in_(device_ids))
            connection.execute(mine.values(revoked_at=self._clock.now_ms()))
        return device_ids


def _email_key(email: str) -> str:
    return email.strip().lower()


def _token_hash(token: str) -> bytes:
    """Tokens are long and random, so a plain hash keeps a stolen database from opening sessions."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _one(connection: Connection, condition: ColumnElement[bool]) -> UserRow | None:
    return fetch_one(connection, select(*USER).where(condition), UserRow)


def _existing(connection: Connection, user_id: str) -> UserRow:
    user = _one(connection, users.c.user_id == user_id)
    if user is None:
        raise NotFound(f"there is no user {user_id}")
    return user


def _credentials(connection: Connection, condition: ColumnElement[bool]) -> Credentials | None:
    statement = select(users.c.password_hash, *USER).where(condition, users.c.deleted.is_(False))
    row: Any = connection.execute(statement).first()
    return None if row is None else Credentials(UserRow(*row[1:]), row[0])


def _what_is_taken(connection: Connection, user: UserRow) -> Conflict:
    if user.email and _one(connection, users.c.email == user.email):
        return EmailTaken(f"an account with the address {user.email} exists already: log in, or use another one")
    if _one(connection, users.c.username_key == fold(user.username)):
        return UsernameTaken(f"the user name {user.username} is taken: choose another one")
    return Conflict(f"a user with the import key {user.import_key} exists already")


def _index_names(connection: Connection, user: UserRow) -> None:
    """Write down what the user is found by."""
    words = fold(user.display_name).split()
    keys = {fold(user.username), user.email, *(" ".join(words[at:]) for at in range(min(len(words), NAME_WORDS_MAX)))}
    connection.execute(delete(user_names).where(user_names.c.user_id == user.user_id))
    connection.execute(user_names.insert(), [{"name_key": key, "user_id": user.user_id} for key in keys if key])
