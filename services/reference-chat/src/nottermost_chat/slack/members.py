"""Who is in a conversation while an export is replayed: at its start, after each event, at the end."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from nottermost_chat.model import ConversationKind

from .records import EntryKey, Record, SlackConversation, SlackMembership


class MemberPlan(msgspec.Struct, frozen=True):
    """What the export says about the members of one conversation, by their Slack ids.

    Attributes:
        start: who is in before the first entry.
        changes: joins and leaves that change something; the others tell what was so already.
        end: who is in today: the export's list of members.
    """

    start: tuple[str, ...]
    changes: frozenset[EntryKey]
    end: frozenset[str]


def plan_members(conversation: SlackConversation, records: Sequence[Record]) -> MemberPlan:
    """Bring a list of members and joins and leaves together, which seldom agree.

    Who is listed but whose first event is a join comes in with it; who left and is listed all the
    same came back without an entry, so that leave is passed over; who joined and is not listed has
    gone without one and is removed at the end. A direct conversation keeps its two members.
    """
    end = frozenset(conversation.member_ids)
    if conversation.kind is ConversationKind.DIRECT:
        return MemberPlan(conversation.member_ids, frozenset(), end)
    events = [record for record in records if isinstance(record, SlackMembership)]
    first = {event.user_id: event.joined for event in reversed(events)}
    last = {event.user_id: event.key for event in events}
    start = [user_id for user_id in conversation.member_ids if not first.get(user_id, False)]
    start += [user_id for user_id, joined in first.items() if not joined and user_id not in end]
    inside, changes = set(start), set[EntryKey]()
    for event in events:
        stays = not event.joined and event.user_id in end and event.key == last[event.user_id]
        if event.joined is not (event.user_id in inside) and not stays:
            changes.add(event.key)
            (inside.add if event.joined else inside.remove)(event.user_id)
    return MemberPlan(tuple(start), frozenset(changes), end)


def find_difference(now: Iterable[str], wanted: Iterable[str]) -> Mapping[str, bool]:
    """Who has to come in (True) or to go (False), in the order of the ids."""
    inside, end = frozenset(now), frozenset(wanted)
    return {user_id: user_id in end for user_id in sorted(inside ^ end)}
