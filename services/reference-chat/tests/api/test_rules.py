"""The rules as functions of values."""

from nottermost_chat.actions.rules import may_give_workspace_role
from nottermost_chat.actions.tiers import choose_tier
from nottermost_chat.model import Role


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
