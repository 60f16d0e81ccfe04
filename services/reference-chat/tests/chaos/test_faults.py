"""Faults and the clusters they may be tried on."""

from pathlib import Path

import pytest

from nottermost_chat.errors import StartError
from nottermost_chat.settings import Store
from nottermost_chat.stack.cluster import Options
from nottermost_chat.stack.launcher import Stack
from nottermost_chat.testing.chaos.faults import all_faults
from nottermost_chat.testing.chaos.sites import Site


def test_servers_that_keep_nothing_are_not_ended(tmp_path: Path) -> None:
    """A scratch cluster refuses it in a sentence, and its server goes on."""
    faults = {fault.name: fault for fault in all_faults()}
    stack = Stack(tmp_path)
    site = Site(stack=stack, store=Store.POSTGRES)
    try:
        stack.up(Options(scratch=True, free_ports=True, port=0), only=["redis"])
        pid = stack.status().units[0].pid
        for act in (faults["kill-redis"].inject, faults["restart-servers"].follow):
            with pytest.raises(StartError, match="redis of a scratch cluster keeps nothing"):
                act(site)
        assert stack.status().units[0].pid == pid
        assert stack.runs("redis")
    finally:
        stack.down(volumes=True)
