"""Writes what a run did, role by role, to the file that NOTTERMOST_RECAP names."""

DOCUMENTATION = r"""
name: recap
type: aggregate
short_description: Counts tasks and names changes, play by play, as JSON
description: For C(nottermost env bootstrap), which says what was done and whether anything was.
"""

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

COUNTED = {"ok": 0, "changed": 0, "failed": 0, "skipped": 0, "unreachable": 0}


class CallbackModule(CallbackBase):  # type: ignore[misc] # Ansible has no types
    """One entry a play: its name, its counts, the tasks that changed something, what went wrong."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "nottermost.platform.recap"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._plays: list[dict[str, Any]] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._plays.append({"play": play.get_name(), **COUNTED, "changes": [], "problems": []})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._plays[-1]["ok"] += 1
        if result.is_changed():
            self._plays[-1]["changed"] += 1
            self._plays[-1]["changes"].append(_name(result))

    def v2_runner_on_skipped(self, result: Any) -> None:  # noqa: ARG002 - Ansible's
        self._plays[-1]["skipped"] += 1

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._plays[-1]["failed"] += 1
            self._note(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._plays[-1]["unreachable"] += 1
        self._note(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002 - Ansible's
        if path := os.environ.get("NOTTERMOST_RECAP"):
            Path(path).write_text(json.dumps(self._plays))

    def _note(self, result: Any) -> None:
        hidden = result.task.no_log
        message = "hidden, since it may hold a secret" if hidden else str(result.result.get("msg", "no reason given"))
        self._plays[-1]["problems"].append(f"{_name(result)}: {message}")


def _name(result: Any) -> str:
    return str(result.task.get_name()).rpartition(" : ")[2]
