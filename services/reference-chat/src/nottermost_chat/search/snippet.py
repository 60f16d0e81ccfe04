"""The part of a message that shows why it was found."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from nottermost_chat.graphemes import grapheme_end, grapheme_start, is_grapheme_start
from nottermost_chat.ports import Term
from nottermost_chat.search.normalise import find_needles, word_spans
from nottermost_chat.search.offsets import normalise_with_offsets

ELLIPSIS: Final = "…"

_SPACE_WITHIN: Final = 20  # characters: how far a cut moves to fall between words

Span = tuple[int, int]


class Snippet(msgspec.Struct, frozen=True):
    """A piece of a text; highlights are [start, end) in its code points, ascending and apart."""

    text: str
    highlights: list[Span]


class Match(msgspec.Struct, frozen=True, order=True):
    """Where a term was found, in code points of the original text."""

    start: int
    end: int
    term: int


def make_snippet(text: str, terms: Sequence[Term], chars: int = 160) -> Snippet:
    """At most `chars` code points of `text` around its best cluster of matches, and where they are.

    Without a match (it was in a file's name) the text's beginning.
    """
    matches = sorted(_find_matches(text, [term for term in terms if not term.negated]))
    start, end = _choose_window(text, matches, chars)
    before, after = ELLIPSIS * (start > 0), ELLIPSIS * (end < len(text))
    shown = [match for match in matches if match.start < end and match.end > start]
    spans = (
        (max(grapheme_start(text, match.start), start), min(grapheme_end(text, match.end), end)) for match in shown
    )
    shift = len(before) - start
    highlights = [(first + shift, last + shift) for first, last in _merge(sorted(spans))]
    return Snippet(before + text[start:end] + after, highlights)


def _find_matches(text: str, terms: Sequence[Term]) -> Iterator[Match]:
    """Everything that made the text match, under the index's own normalisation."""
    normalised = normalise_with_offsets(text)
    words = word_spans(normalised.text)
    for number, term in enumerate(terms):
        needles = find_needles(term)
        spans = list(_find_words(normalised.text, words, needles.words)) if needles.words else []
        for chunk in needles.chunks:
            if not needles.words or word_spans(chunk) != [(0, len(chunk))]:  # `c++`: the sign as well as the word
                spans += _find_all(normalised.text, chunk)
        for span in spans:
            yield Match(*normalised.original(*span), number)


def _find_all(text: str, needle: str) -> Iterator[Span]:
    start = text.find(needle) if needle else -1
    while start >= 0:
        yield start, start + len(needle)
        start = text.find(needle, start + len(needle))


def _find_words(text: str, words: Sequence[Span], needle: str) -> Iterator[Span]:
    """Where a needle for the word form (` one two `) is in the text that the words are from."""
    form = [" "]
    offsets: list[int] = []  # of each word in its form
    length = 1
    for start, end in words:
        offsets.append(length)
        form.append(text[start:end] + " ")
        length += end - start + 1
    joined = "".join(form)
    found = joined.find(needle)
    while found >= 0:
        last = found + len(needle.rstrip()) - 1
        first_word, last_word = bisect_right(offsets, found + 1) - 1, bisect_right(offsets, last) - 1
        yield words[first_word][0], words[last_word][0] + last - offsets[last_word] + 1
        found = joined.find(needle, last + 1)  # the space after may be the one before the next


def _choose_window(text: str, matches: Sequence[Match], chars: int) -> Span:
    """[start, end) of the text to show, cut between words or at least between visible characters."""
    if len(text) <= chars:
        return 0, len(text)
    room = chars - 2 * len(ELLIPSIS)
    first, last = _best_cluster(matches, room)
    start = max(0, min(first - (room - (last - first)) // 2, len(text) - room))
    start = _cut_before(text, start, first)
    end = min(len(text), start + room)
    return start, _cut_after(text, end, max(last, start + 1))


def _best_cluster(matches: Sequence[Match], room: int) -> Span:
    """The stretch of at most `room` characters with the most different terms, then the most matches; the first such."""
    best, best_score = (0, 0), (0, 0)
    inside: Counter[int] = Counter()
    beyond = 0
    for number, match in enumerate(matches):
        while beyond < len(matches) and (beyond == number or matches[beyond].end - match.start <= room):
            inside[matches[beyond].term] += 1
            beyond += 1
        score = (len(inside), beyond - number)
        if score > best_score:
            best, best_score = (match.start, min(matches[beyond - 1].end, match.start + room)), score
        inside[match.term] -= 1
        if not inside[match.term]:
            del inside[match.term]
    return best


def _cut_before(text: str, start: int, latest: int) -> int:
    """A good place to begin, at or after `start`; `latest`: where the first match begins."""
    if start == 0:
        return 0
    for place in range(start, min(start + _SPACE_WITHIN, latest) + 1):
        if text[place - 1].isspace() and is_grapheme_start(text, place):
            return place
    place = grapheme_end(text, start)
    return place if place <= latest else grapheme_start(text, start)


def _cut_after(text: str, end: int, earliest: int) -> int:
    """A good place to end, at or before `end`; `earliest`: where the last match ends."""
    if end == len(text):
        return end
    for place in range(end, max(end - _SPACE_WITHIN, earliest) - 1, -1):
        if text[place].isspace() and is_grapheme_start(text, place):
            return place
    place = grapheme_start(text, end)
    return place if place >= earliest else end


def _merge(spans: Iterable[Span]) -> list[Span]:
    """Ascending spans, those that touch joined."""
    merged: list[Span] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
