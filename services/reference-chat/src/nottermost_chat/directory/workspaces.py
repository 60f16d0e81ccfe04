"""Workspaces: their members and roles, and teams (named sets of members)."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from nottermost_chat.directory.engine import Noun, reads, writes, writes_rows
from nottermost_chat.directory.queries import acquainted, chunks, fetch, fetch_one, insert, insert_new, named
from nottermost_chat.directory.rows import USER, WORKSPACE, TeamRow, UserRow, WorkspaceMember, WorkspaceRow
from nottermost_chat.directory.tables import fold, team_members, teams, users, workspace_members, workspaces
from nottermost_chat.errors import Conflict, NotFound
from nottermost_chat.model import Role


class Workspaces(Noun):
    """Workspaces, who is in them, and their teams."""

    @writes
    def create(
        self,
        connection: Connection,
        name: str,
        creator_id: str,
        *,
        tier: str = "standard",
        import_key: str | None = None,
    ) -> WorkspaceRow:
        """Make a workspace; the creator is its owner. Raises Conflict when the import key is taken."""
        workspace_id, now = self._clock.new_id(), self._clock.now_ms()
        row = WorkspaceRow(workspace_id, name, tier, creator_id, now, member_count=1, import_key=import_key)
        if not insert_new(connection, workspaces, msgspec.structs.asdict(row)):
            raise Conflict(f"a workspace with the import key {import_key} exists already")
        owner = {"workspace_id": workspace_id, "user_id": creator_id, "role": Role.OWNER}
        connection.execute(workspace_members.insert().values(owner))
        return row

    @reads
    def get(self, connection: Connection, workspace_id: str) -> WorkspaceRow | None:
        """One workspace."""
        statement = select(*WORKSPACE).where(workspaces.c.workspace_id == workspace_id)
        return fetch_one(connection, statement, WorkspaceRow)

    @reads
    def by_import_key(self, connection: Connection, import_key: str) -> WorkspaceRow | None:
        """The workspace that an import knows by this key."""
        return fetch_one(connection, select(*WORKSPACE).where(workspaces.c.import_key == import_key), WorkspaceRow)

    @reads
    def of_user(self, connection: Connection, user_id: str) -> list[tuple[WorkspaceRow, Role]]:
        """The user's workspaces with the user's role, by name."""
        statement = (
            select(*WORKSPACE, workspace_members.c.role)
            .join_from(workspace_members, workspaces)
            .where(workspace_members.c.user_id == user_id)
            .order_by(workspaces.c.name, workspaces.c.workspace_id)
        )
        return [(WorkspaceRow(*row[:-1]), row[-1]) for row in connection.execute(statement)]

    @writes
    def set_tier(self, connection: Connection, workspace_id: str, tier: str) -> None:
        """Choose the limits that apply to the workspace."""
        connection.execute(update(workspaces).where(workspaces.c.workspace_id == workspace_id).values(tier=tier))

    # --- members -------------------------------------------------------------------------------

    @writes_rows
    def add_members(
        self, connection: Connection, workspace_id: str, user_ids: Sequence[str], role: Role = Role.MEMBER
    ) -> list[str]:
        """Add users; returns those who were not in before. Who is in keeps the role. Raises NotFound."""
        _lock(connection, workspace_id)
        added: list[str] = []
        for part in chunks(user_ids):
            rows = [{"workspace_id": workspace_id, "user_id": user_id, "role": role} for user_id in part]
            statement = insert(connection.dialect.name, workspace_members).values(rows).on_conflict_do_nothing()
            try:
                added += connection.scalars(statement.returning(workspace_members.c.user_id))
            except IntegrityError as error:
                raise NotFound("one of these users does not exist") from error
        _count(connection, workspace_id, len(added))
        return added

    @writes_rows
    def set_role(self, connection: Connection, workspace_id: str, user_id: str, role: Role) -> None:
        """Raises NotFound when not a member, Conflict when it would leave no owner."""
        _lock(connection, workspace_id)
        changed = connection.execute(update(workspace_members).where(_is(workspace_id, user_id)).values(role=role))
        if changed.rowcount == 0:
            raise NotFound(f"user {user_id} is not in workspace {workspace_id}")
        _require_owner(connection, workspace_id)

    @writes_rows
    def remove_member(self, connection: Connection, workspace_id: str, user_id: str) -> bool:
        """Remove a member, from the teams too. False: was not in. Raises Conflict when no owner would be left.

        The user's stays in conversations end through the log (`Conversations.in_workspace` lists them).
        """
        _lock(connection, workspace_id)
        gone = connection.execute(delete(workspace_members).where(_is(workspace_id, user_id))).rowcount
        its_teams = select(teams.c.team_id).where(teams.c.workspace_id == workspace_id)
        in_teams = (team_members.c.user_id == user_id) & team_members.c.team_id.in_(its_teams)
        connection.execute(delete(team_members).where(in_teams))
        _count(connection, workspace_id, -gone)
        _require_owner(connection, workspace_id)
        return gone > 0

    @reads
    def role_of(self, connection: Connection, workspace_id: str, user_id: str) -> Role | None:
        """None: the user is not in the workspace."""
        return _roles(connection, workspace_id, [user_id]).get(user_id)

    @reads
    def roles_of(self, connection: Connection, workspace_id: str, user_ids: Sequence[str]) -> dict[str, Role]:
        """Those of the users who are in, with their roles."""
        return _roles(connection, workspace_id, user_ids)

    @reads
    def members(
        self, connection: Connection, workspace_id: str, *, after: str = "", limit: int = 100, text: str = ""
    ) -> list[WorkspaceMember]:
        """A page of members by user id, after that id; `text`: whose names or e-mail begin with it."""
        statement = (
            select(workspace_members.c.role, *USER)
            .join_from(workspace_members, users)
            .where(workspace_members.c.workspace_id == workspace_id, workspace_members.c.user_id > after)
            .order_by(workspace_members.c.user_id)
            .limit(limit)
        )
        if text:
            statement = statement.where(named(workspace_members.c.user_id, text))
        return [WorkspaceMember(UserRow(*row[1:]), row[0]) for row in connection.execute(statement)]

    @reads
    def imported_users(self, connection: Connection, workspace_id: str) -> list[UserRow]:
        """Members who came with an import and are not claimed yet, bots and deleted ones left out, by user name."""
        statement = (
            select(*USER)
            .join_from(workspace_members, users)
            .where(workspace_members.c.workspace_id == workspace_id, users.c.imported.is_(True))
            .where(users.c.bot.is_(False), users.c.deleted.is_(False))
            .order_by(users.c.username_key)
        )
        return fetch(connection, statement, UserRow)

    @reads
    def acquainted(self, connection: Connection, user_id: str, other_ids: Sequence[str]) -> frozenset[str]:
        """Those of the others who share a workspace or a conversation with the user; the user too, if asked for."""
        known = select(users.c.user_id).where(acquainted(user_id, users.c.user_id))
        parts = (connection.scalars(known.where(users.c.user_id.in_(part))) for part in chunks(other_ids))
        return frozenset(other_id for part in parts for other_id in part) | ({user_id} & {*other_ids})

    # --- teams ---------------------------------------------------------------------------------

    @writes_rows
    def create_team(self, connection: Connection, workspace_id: str, name: str, member_ids: Sequence[str]) -> TeamRow:
        """Raises Conflict when the workspace has a team of that name, NotFound for who is not in the workspace."""
        team = TeamRow(self._clock.new_id(), workspace_id, name, tuple(sorted({*member_ids})))
        values = {"team_id": team.team_id, "workspace_id": workspace_id, "name": name, "name_key": fold(name)}
        _lock(connection, workspace_id)
        if not insert_new(connection, teams, values):
            raise _team_taken(name)
        return _put_team_members(connection, team)

    @writes_rows
    def change_team(
        self, connection: Connection, workspace_id: str, team_id: str, name: str, member_ids: Sequence[str]
    ) -> TeamRow:
        """Replace a team's name and members. Raises as `create_team`, NotFound also for an unknown team."""
        team = TeamRow(team_id, workspace_id, name, tuple(sorted({*member_ids})))
        mine = (teams.c.team_id == team_id) & (teams.c.workspace_id == workspace_id)
        _lock(connection, workspace_id)
        try:
            changed = connection.execute(update(teams).where(mine).values(name=name, name_key=fold(name)))
        except IntegrityError as error:
            raise _team_taken(name) from error
        if changed.rowcount == 0:
            raise NotFound(f"there is no team {team_id} in workspace {workspace_id}")
        return _put_team_members(connection, team)

    @writes
    def delete_team(self, connection: Connection, workspace_id: str, team_id: str) -> bool:
        """False: there is none."""
        mine = (teams.c.team_id == team_id) & (teams.c.workspace_id == workspace_id)
        return connection.execute(delete(teams).where(mine)).rowcount > 0

    @reads
    def teams(self, connection: Connection, workspace_id: str) -> list[TeamRow]:
        """All teams, by name."""
        return _teams(connection, workspace_id)

    @reads
    def team_members(self, connection: Connection, workspace_id: str, team_ids: Sequence[str]) -> list[str]:
        """User ids of these teams together, each once. Raises NotFound for an unknown team."""
        everyone = {team.team_id: team.member_ids for team in _teams(connection, workspace_id)}
        if unknown := {*team_ids} - everyone.keys():
            raise NotFound(f"there is no team {min(unknown)} in workspace {workspace_id}")
        return sorted({user_id for team_id in team_ids for user_id in everyone[team_id]})


def _is(workspace_id: str, user_id: str) -> ColumnElement[bool]:
    return (workspace_members.c.workspace_id == workspace_id) & (workspace_members.c.user_id == user_id)


def _lock(connection: Connection, workspace_id: str) -> None:
    """Changes of one workspace's members wait for each other."""
    row = (
        select(workspaces.c.workspace_id)
        .where(workspaces.c.workspace_id == workspace_id)
        .with_for_update(key_share=True)
    )
    if connection.scalar(row) is None:
        raise NotFound(f"there is no workspace {workspace_id}")


def _count(connection: Connection, workspace_id: str, more: int) -> None:
    count = workspaces.c.member_count + more
    connection.execute(update(workspaces).where(workspaces.c.workspace_id == workspace_id).values(member_count=count))


def _roles(connection: Connection, workspace_id: str, user_ids: Sequence[str]) -> dict[str, Role]:
    members = select(workspace_members.c.user_id, workspace_members.c.role).where(
        workspace_members.c.workspace_id == workspace_id
    )
    parts = (connection.execute(members.where(workspace_members.c.user_id.in_(part))) for part in chunks(user_ids))
    return {user_id: role for part in parts for user_id, role in part}


def _require_owner(connection: Connection, workspace_id: str) -> None:
    """Take the change back if nobody could hand out roles any more."""
    owners = (workspace_members.c.workspace_id == workspace_id) & (workspace_members.c.role == Role.OWNER)
    if not connection.scalar(select(func.count()).select_from(workspace_members).where(owners)):
        raise Conflict("a workspace needs an owner: make somebody else owner first")


def _team_taken(name: str) -> Conflict:
    return Conflict(f"the workspace has a team named {name} already: choose another name")


def _put_team_members(connection: Connection, team: TeamRow) -> TeamRow:
    if strangers := {*team.member_ids} - _roles(connection, team.workspace_id, team.member_ids).keys():
        raise NotFound(f"user {min(strangers)} is not in workspace {team.workspace_id}: add the user first")
    connection.execute(delete(team_members).where(team_members.c.team_id == team.team_id))
    if team.member_ids:
        rows = [{"team_id": team.team_id, "user_id": user_id} for user_id in team.member_ids]
        connection.execute(team_members.insert(), rows)
    return team


def _teams(connection: Connection, workspace_id: str) -> list[TeamRow]:
    statement = (
        select(teams.c.team_id, teams.c.name, team_members.c.user_id)
        .join_from(teams, team_members, isouter=True)
        .where(teams.c.workspace_id == workspace_id)
        .order_by(teams.c.name_key, team_members.c.user_id)
    )
    members: dict[tuple[str, str], list[str]] = {}
    for team_id, name, user_id in connection.execute(statement):
        members.setdefault((team_id, name), []).extend([user_id] if user_id else [])
    return [TeamRow(team_id, workspace_id, name, tuple(ids)) for (team_id, name), ids in members.items()]
