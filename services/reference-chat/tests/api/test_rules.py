"""The rules as functions of values."""

from hypothesis import given
from hypothesis import strategies as st

from nottermost_chat.actions.rules import find_heir, is_last_admin, may_give_workspace_role
from nottermost_chat.actions.tiers import choose_tier
from nottermost_chat.model import Member, Role

ROLES = st.sampled_from([Role.ADMIN, Role.MEMBER])
MEMBERS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2), st.tuples(ROLES, st.integers(1, 9)), min_size=1, max_size=6
).map(lambda found: {user_id: Member(user_id, role, seq) for user_id, (role, seq) in found.items()})


@given(members=MEMBERS, data=st.data())
def test_somebody_administers_after_everybody_who_leaves(members: dict[str, Member], data: st.DataObject) -> None:
    """If there was an admin, there is one after any departure; nobody is promoted without need."""
    leaver = data.draw(st.sampled_from(sorted(members)))
    had_admin = any(member.role is Role.ADMIN for member in members.values())
    heir = find_heir(members, leaver)
    left = {user_id: member for user_id, member in members.items() if user_id != leaver}
    admins = {user_id for user_id, member in left.items() if member.role is Role.ADMIN} | ({heir} if heir else set())
    assert bool(admins) == bool(had_admin and left)
    if heir is not None:
        assert is_last_admin(members, leaver)
        assert left[heir].joined_seq == min(member.joined_seq for member in left.values())


def test_who_gives_which_workspace_role() -> None:
    """Owners everything, admins everything below owner, the others nothing."""
    roles = [*Role, None]
    for current in roles:
        for wanted in roles:
            assert may_give_workspace_role(Role.OWNER, current, wanted)
            assert may_give_workspace_role(Role.ADMIN, current, wanted) == (Role.OWNER not in (current, wanted))
            for giver in (Role.MEMBER, Role.GUEST, None):
                assert not may_give_workspace_role(giver, current, wanted)


def test_the_best_tier_counts() -> None:
    """Without a workspace: standard."""
    assert choose_tier([]) == "standard"
    assert choose_tier(["standard", "enterprise"]) == "enterprise"
