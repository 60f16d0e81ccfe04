"""Searching: the query language, what texts are compared as, and snippets. The index is an adapter."""

from nottermost_chat.search.normalise import normalise
from nottermost_chat.search.query import ParsedQuery, parse_query
from nottermost_chat.search.snippet import Snippet, make_snippet

__all__ = ["ParsedQuery", "Snippet", "make_snippet", "normalise", "parse_query"]
