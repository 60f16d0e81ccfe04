"""The archive: every entry of every conversation as Parquet, by UTC day; see docs/retention.md.

`rows.py` says what a row is and makes it from the store, `parts.py` keeps the files, `shelf.py` asks
them, and `archive.py` is what the rest of the chat talks to. The embedded chat does without Arrow
where it is not installed: only `parts.py` and `shelf.py` import it.
"""

from nottermost_chat.archive.archive import Archive, has_arrow
from nottermost_chat.archive.rows import Registered, Row, Wanted, rows_of, to_message

__all__ = ["Archive", "Registered", "Row", "Wanted", "has_arrow", "rows_of", "to_message"]
