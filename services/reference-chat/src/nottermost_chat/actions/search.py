"""Search: names become ids, the index finds messages among those the caller may read, the store says what they say now."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from nottermost_chat.actions.access import floor_seq
from nottermost_chat.api import shapes
from nottermost_chat.directory import ConversationOfUser
from nottermost_chat.model import ConversationKind, Message
from nottermost_chat.ports import SearchHit, SearchQuery, Term
from nottermost_chat.protocol import message_fields
from nottermost_chat.search import ParsedQuery, Snippet, make_snippet, parse_query
from nottermost_chat.services import Services

SEARCHED_MAX = 10_000  # of the last active: all are in the query, and OpenSearch takes 65,536 ids in one
NAMESAKES_MAX = 20  # conversations beyond that of one name

Places = Mapping[str, ConversationOfUser]  # the caller's conversations by id


class Resolved(msgspec.Struct, frozen=True):
    """A query's names as ids; None: not asked for. `unknown`: the parts that name nobody and nothing."""

    senders: frozenset[str] | None
    conversations: frozenset[str] | None
    unknown: tuple[str, ...]

    @property
    def is_possible(self) -> bool:
        """Whether any message could match."""
        return not self.unknown and self.senders != frozenset() and self.conversations != frozenset()


async def search(
    services: Services,
    caller_id: str,
    text: str,
    *,
    by_date: bool,
    offset: int,
    limit: int,
    utc_offset_minutes: int = 0,
) -> shapes.SearchView:
    """Messages that match `text`, a query as typed, among those the caller may read.

    Of a caller in more than SEARCHED_MAX conversations the last active are searched, and those that `in:` names.
    """
    parsed = parse_query(text, utc_offset_minutes=utc_offset_minutes)
    if parsed == ParsedQuery(problems=parsed.problems):
        return shapes.SearchView(hits=[], total=0, unknown=list(parsed.problems))
    places, cut = await _places(services, caller_id, parsed.in_names)
    names = await _resolve(services, caller_id, parsed, places)
    unknown = [*names.unknown, *parsed.problems]
    if cut and (names.unknown or not parsed.in_names):
        unknown.append(f"conversations beyond the {SEARCHED_MAX:,} last active")
    if not names.is_possible:
        return shapes.SearchView(hits=[], total=0, unknown=unknown)
    query = SearchQuery(
        readable={key: floor_seq(place) for key, place in places.items()},
        terms=parsed.terms,
        in_conversations=tuple(sorted(names.conversations or ())),
        senders=tuple(sorted(names.senders or ())),
        created_from=parsed.created_from,
        created_before=parsed.created_before,
        has_file=parsed.has_file,
        has_link=parsed.has_link,
        has_reaction=parsed.has_reaction,
        by_date=by_date,
        offset=offset,
        limit=limit,
    )
    result = await services.search.search(query)
    found = await _messages_of_now(services, result.hits, query.readable)
    snippets = await asyncio.to_thread(_make_snippets, found, parsed.terms)  # 100,000 characters take a while
    hits = [_hit(message, snippet, places) for message, snippet in zip(found, snippets, strict=True)]
    return shapes.SearchView(hits=hits, total=result.total, unknown=unknown)


# --- names ------------------------------------------------------------------------------------


async def _places(
    services: Services, caller_id: str, named: Sequence[str]
) -> tuple[dict[str, ConversationOfUser], bool]:
    """The conversations to search, and whether there are more than those.

    Args:
        named: ids and titles; these conversations are among them however long ago they were active.
    """
    conversations = services.directory.conversations
    found = await conversations.list_of(caller_id, limit=SEARCHED_MAX + 1)
    cut = len(found) > SEARCHED_MAX
    found = found[:SEARCHED_MAX]
    if cut and named:
        matches = await asyncio.gather(
            *(conversations.find(name, user_id=caller_id, limit=NAMESAKES_MAX) for name in named)
        )
        titled = [match.conversation.conversation_id for some in matches for match in some if match.joined]
        found += await conversations.list_of(caller_id, [*named, *titled])
    return {place.conversation.conversation_id: place for place in found}, cut


async def _resolve(services: Services, caller_id: str, parsed: ParsedQuery, places: Places) -> Resolved:
    """Several `from:` or `in:` widen the search, `with:` narrows it."""
    names = dict.fromkeys([*parsed.from_names, *parsed.with_names, *parsed.in_names])
    users = dict(
        zip(names, await asyncio.gather(*(_user_id(services, caller_id, name) for name in names)), strict=True)
    )
    unknown = [f"{key}:{name}" for key, wanted in (("from", parsed.from_names), ("with", parsed.with_names))
               for name in wanted if users[name] is None]  # fmt: skip
    conversations: frozenset[str] | None = None
    if parsed.in_names:
        people = await services.directory.conversations.people(_of_kinds(places, ConversationKind.DIRECT))
        conversations = frozenset()
        for name in parsed.in_names:
            meant = _named(places, name) or _direct_with(people, caller_id, users[name])
            conversations |= meant
            if not meant:
                unknown.append(f"in:{name}")
    for name in parsed.with_names:
        shared = await _shared_with(services, places, users[name])
        conversations = shared if conversations is None else conversations & shared
    senders = (
        frozenset(user_id for name in parsed.from_names if (user_id := users[name])) if parsed.from_names else None
    )
    return Resolved(senders, conversations, tuple(unknown))


async def _user_id(services: Services, caller_id: str, name: str) -> str | None:
    if name.casefold() == "me":
        return caller_id
    user = await services.directory.accounts.by_username(name)
    return None if user is None else user.user_id


def _named(places: Places, name: str) -> frozenset[str]:
    """The conversation of this id, or those of this title."""
    if name in places:
        return frozenset({name})
    folded = name.casefold()
    return frozenset(key for key, place in places.items() if place.conversation.title.casefold() == folded)


def _direct_with(people: Mapping[str, Sequence[str]], caller_id: str, user_id: str | None) -> frozenset[str]:
    """The caller's direct conversation with the user (with oneself: the one that has nobody else)."""
    return frozenset(key for key, ids in people.items() if user_id is not None and {*ids} == {caller_id, user_id})


async def _shared_with(services: Services, places: Places, user_id: str | None) -> frozenset[str]:
    """Direct and group conversations that the user is in too."""
    if user_id is None:
        return frozenset()
    private = _of_kinds(places, ConversationKind.DIRECT, ConversationKind.GROUP)
    return frozenset(await services.directory.conversations.of_user(user_id, private))


def _of_kinds(places: Places, *kinds: ConversationKind) -> list[str]:
    return [key for key, place in places.items() if place.conversation.kind in kinds]


# --- hits -------------------------------------------------------------------------------------


async def _messages_of_now(services: Services, hits: Sequence[SearchHit], readable: Mapping[str, int]) -> list[Message]:
    """The messages in the order of the hits, with whole texts; those that are gone are left out."""
    by_conversation: dict[str, list[str]] = {}
    for hit in hits:
        by_conversation.setdefault(hit.conversation_id, []).append(hit.message_id)
    pages = await asyncio.gather(*(services.store.messages(key, ids) for key, ids in by_conversation.items()))
    found = {message_id: message for page in pages for message_id, message in page.items()}
    shown = [
        found[hit.message_id]
        for hit in hits
        if hit.message_id in found
        and found[hit.message_id].text is not None
        and found[hit.message_id].entry.seq > readable.get(hit.conversation_id, 0)
    ]
    return list(await asyncio.gather(*(_with_whole_text(services, message) for message in shown)))


async def _with_whole_text(services: Services, message: Message) -> Message:
    if not message.has_more:
        return message
    full = await services.store.full_message(message.entry.conversation_id, message.entry.message_id)
    return message if full is None or full.text is None else full


def _make_snippets(messages: Sequence[Message], terms: Sequence[Term]) -> list[Snippet]:
    return [make_snippet(message.text or "", terms) for message in messages]


def _hit(message: Message, snippet: Snippet, places: Places) -> shapes.Hit:
    conversation = places[message.entry.conversation_id].conversation
    fields = message_fields(message, full=True)
    return shapes.Hit(
        message=msgspec.structs.replace(fields, body=None),
        snippet=snippet.text,
        highlights=snippet.highlights,
        conversation_title=conversation.title or None,
    )
