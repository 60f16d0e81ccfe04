"""What ingest decides, as functions of values."""

from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.ingest.plan import find_heir
from nottermost_chat.model import Member, Role

ROLES = st.sampled_from([Role.ADMIN, Role.MEMBER])
IDS = st.text("abcdef", min_size=1, max_size=2)
MEMBERS = st.dictionaries(IDS, st.tuples(ROLES, st.integers(1, 9)), min_size=1, max_size=6).map(
    lambda found: {user_id: Member(user_id, role, seq) for user_id, (role, seq) in found.items()}
)


@given(members=MEMBERS, data=st.data())
def test_somebody_administers_whoever_leaves_or_steps_down(members: dict[str, Member], data: st.DataObject) -> None:
    """If there was an admin, one of those who stay is one after any changes; nobody is promoted without need."""
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(members)), st.none() | ROLES))
    roles = {user_id: changes.get(user_id, member.role) for user_id, member in members.items()}
    staying = {user_id: members[user_id] for user_id, role in roles.items() if role is not None}
    had_admin = any(member.role is Role.ADMIN for member in members.values())
    has_admin = Role.ADMIN in roles.values()
    heir = find_heir(members, changes)
    assert (heir is not None) == (had_admin and not has_admin and bool(staying))
    if heir is not None:
        others = [member for user_id, member in staying.items() if user_id not in changes] or [*staying.values()]
        assert staying[heir] == min(others, key=lambda member: (member.joined_seq, member.user_id))


def test_who_joins_takes_no_role_away() -> None:
    """A join beside admins, and a departure of an ordinary member, promote nobody."""
    members = {"ann": Member("ann", Role.ADMIN, 1), "bob": Member("bob", Role.MEMBER, 1)}
    assert find_heir(members, {"cat": Role.MEMBER}) is None
    assert find_heir(members, {"bob": None, "cat": Role.MEMBER}) is None
    assert find_heir({}, {"ann": Role.ADMIN}) is None
