"""Who is in a conversation while an export is replayed: at its start, after each event, at the end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nottermost_chat.model import ConversationKind

from .records import EntryKey, Record, SlackConversation, SlackMembership


class MemberPlan(msgspec.Struct, frozen=True):
    """What the export says about the members of one conversation, by their Slack ids.

    Attributes:
        start: who is in before the first entry.
        after: by the key of each join or leave, whether the user is in after it.
        end: who is in today: the export's list of members.
    """

    start: tuple[str, ...]
    after: Mapping[EntryKey, bool]
    end: frozenset[str]


def plan_members(conversation: SlackConversation, records: Sequence[Record]) -> MemberPlan:
    """Bring a list of members and joins and leaves together, which seldom agree.

    Who is listed but whose first event is a join comes in with it; who left and is listed all the
    same came back without an entry, so that leave is passed over; who joined and is not listed has
    gone without one and is removed at the end. A direct conversation keeps its two members.
    """
    end = frozenset(conversation.member_ids)
    events = [record for record in records if isinstance(record, SlackMembership)]
    if conversation.kind is ConversationKind.DIRECT:
        return MemberPlan(conversation.member_ids, {event.key: event.user_id in end for event in events}, end)
    first = {event.user_id: event.joined for event in reversed(events)}
    joins_left = Counter(event.user_id for event in events if event.joined)
    start = [user_id for user_id in conversation.member_ids if not first.get(user_id, False)]
    start += [user_id for user_id, joined in first.items() if not joined and user_id not in end]
    after: dict[EntryKey, bool] = {}
    for event in events:
        joins_left[event.user_id] -= event.joined
        after[event.key] = event.joined or (event.user_id in end and not joins_left[event.user_id])
    return MemberPlan(tuple(start), after, end)


def find_difference(now: Iterable[str], wanted: Iterable[str]) -> Mapping[str, bool]:
    """Who has to come in (True) or to go (False), in the order of the ids."""
    inside, end = frozenset(now), frozenset(wanted)
    return {user_id: user_id in end for user_id in sorted(inside ^ end)}
