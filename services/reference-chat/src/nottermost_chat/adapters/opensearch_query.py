"""What OpenSearch is asked: the layout of the index, and searches in its query language.

Every condition is "this substring is in that text" (see `search/normalise.py`), and n-grams answer it
exactly, in every script: three and more characters are a phrase of consecutive trigrams, one or two are
a gram. Texts come normalised, so the built-in n-gram tokenizer is all the analysis there is. Neither
texts nor documents are stored: the message store has them, and fills every new index.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from nottermost_chat.ports import SearchDocument, SearchQuery, Term
from nottermost_chat.search.normalise import Needles, find_needles, normalise, word_form

Json = Mapping[str, object]

PAGES_MAX: Final = 20_000  # offset + limit; the API asks for less than 10,200
_IDS_MAX: Final = 65_536  # in one `terms` clause: the default of index.max_terms_count
_WHOLE_WORD: Final = 1000.0  # more than any sum of BM25 scores, so that whole words come first

# A group shows its members nothing before their join. One script, compiled once, instead of a clause a
# group: a bool query takes 1,024. It looks only at what all other conditions have left.
_ABOVE: Final = (
    "def above = params.above.get(doc['conversation_id'].value); return above == null || doc['seq'].value > above"
)


def render_template(pattern: str, *, shards: int, replicas: str) -> Json:
    """The template of every index; `replicas` as in index.auto_expand_replicas."""
    grams = {f"grams{size}": {"type": "ngram", "min_gram": size, "max_gram": size} for size in (1, 2, 3)}
    settings = {
        "number_of_shards": shards,
        "auto_expand_replicas": replicas,
        "refresh_interval": "1s",  # set, so that an index nobody searched for a while is not left behind
        "max_result_window": PAGES_MAX,
        "analysis": {"tokenizer": grams, "analyzer": {name: {"tokenizer": name} for name in grams}},
    }
    flag, number, identifier = {"type": "boolean"}, {"type": "long"}, {"type": "keyword"}
    properties = {
        "message_id": identifier, "conversation_id": identifier, "sender_id": identifier,
        "seq": number, "created_at": number,
        "has_file": flag, "has_link": flag, "has_reaction": flag,
        "text": _trigrams(1, 2, norms=True), "words": _trigrams(2, norms=False),
    }  # fmt: skip
    mappings = {"dynamic": "strict", "_source": {"enabled": False}, "properties": properties}
    return {"index_patterns": [pattern], "template": {"settings": {"index": settings}, "mappings": mappings}}


def _trigrams(*shorter: int, norms: bool) -> Json:
    """A field of trigrams with their places, and fields of shorter grams without them, for needles that short."""
    grams = {
        f"grams{size}": {"type": "text", "analyzer": f"grams{size}", "index_options": "docs", "norms": False}
        for size in shorter
    }
    return {"type": "text", "analyzer": "grams3", "norms": norms, "fields": grams}


def render_document(document: SearchDocument) -> Json:
    texts = [normalise(field) for field in (document.body, *document.file_names)]  # apart by 100 places: no needle fits
    return {
        "message_id": document.message_id,
        "conversation_id": document.conversation_id,
        "sender_id": document.sender_id,
        "seq": document.seq,
        "created_at": document.created_at,
        "has_file": bool(document.file_names),
        "has_link": document.has_link,
        "has_reaction": document.has_reaction,
        "text": texts,
        "words": [word_form(text) for text in texts],
    }


def render_search(query: SearchQuery, readable: Mapping[str, int]) -> Json:
    """`readable`: the conversations to look in, not none."""
    weighed: list[Json] = []
    filters = [*_may_be_read(readable), *_filters_of(query)]
    absent: list[Json] = []
    for term in query.terms:
        needles = find_needles(term)
        if term.negated:
            absent.append(_all(_conditions_of(needles)))
            continue
        # What is too short for trigrams weighs nothing, as in the embedded index.
        weighed += [_contains("text", chunk) for chunk in needles.chunks if len(chunk) > 2]
        filters += _conditions_of(Needles(tuple(chunk for chunk in needles.chunks if len(chunk) < 3), needles.words))
    wholes = [] if query.by_date else [_whole_word(term) for term in query.terms if _is_plain(term)]
    ranked = {"filter": filters, "must_not": absent, "must": weighed, "should": wholes}
    newest_first = [{"created_at": "desc"}, {"seq": "desc"}, {"message_id": "desc"}]
    return {
        "query": {"bool": ranked},
        "sort": newest_first if query.by_date else [{"_score": "desc"}, *newest_first],
        "docvalue_fields": ["conversation_id", "seq"],
        "track_total_hits": True,
        "from": query.offset,
        "size": query.limit,
    }


def _may_be_read(readable: Mapping[str, int]) -> list[Json]:
    ids = list(readable)
    groups = [ids[first : first + _IDS_MAX] for first in range(0, len(ids), _IDS_MAX)]
    conditions: list[Json] = [_any({"terms": {"conversation_id": group}} for group in groups)]
    if above := {id_: seq for id_, seq in readable.items() if seq > 0}:
        script = {"lang": "painless", "source": _ABOVE, "params": {"above": above}}
        conditions.append({"script": {"script": script}})
    return conditions


def _filters_of(query: SearchQuery) -> list[Json]:
    filters: list[Json] = [{"term": {flag: True}} for flag in ("has_file", "has_link", "has_reaction")
                           if getattr(query, flag)]  # fmt: skip
    if query.senders:
        filters.append({"terms": {"sender_id": list(query.senders)}})
    if query.created_from is not None:
        filters.append({"range": {"created_at": {"gte": query.created_from}}})
    if query.created_before is not None:
        filters.append({"range": {"created_at": {"lt": query.created_before}}})
    return filters


def _conditions_of(needles: Needles) -> list[Json]:
    conditions = [_contains("text", chunk) for chunk in needles.chunks if chunk]
    return [*conditions, _contains("words", needles.words)] if needles.words else conditions


def _contains(field: str, needle: str) -> Json:
    """`needle` is not empty; in the words it has two characters at least."""
    if len(needle) < 3:
        return {"term": {f"{field}.grams{len(needle)}": needle}}
    return {"match_phrase": {field: needle}}


def _is_plain(term: Term) -> bool:
    return not (term.negated or term.whole_words or term.prefix)


def _whole_word(term: Term) -> Json:
    needle = word_form(normalise(term.text))
    return {"constant_score": {"filter": _contains("words", needle), "boost": _WHOLE_WORD}}


def _all(conditions: Sequence[Json]) -> Json:
    return {"bool": {"filter": conditions}} if conditions else {"match_all": {}}


def _any(conditions: Iterable[Json]) -> Json:
    return {"bool": {"should": list(conditions)}}
