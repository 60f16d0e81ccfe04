"""Words and formats that every part of Nottermost shares. Depends on no other part."""

from nottermost_conventions.errors import ExitCode, NottermostError
from nottermost_conventions.topics import TOPICS, Topic

__all__ = ["TOPICS", "ExitCode", "NottermostError", "Topic"]
