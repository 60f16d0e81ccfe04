"""The faults of links, on a real Toxiproxy before a real Redis: each does what its row of the table says."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import TimeoutError as Silent
from redis.retry import Retry

from nottermost_chat.clock import Clock
from nottermost_chat.stack.ports import find_free
from nottermost_chat.testing.chaos.toxiproxy import Toxiproxy
from nottermost_chat.testing.servers import Address

pytestmark = pytest.mark.slow

ANSWER_S = 5.0
SILENCE_S = 1.0


class Link:
    """A link to Redis with a proxy in it."""

    def __init__(self, toxiproxy: Address, redis: Address) -> None:
        self.proxy, self.name, self.port = Toxiproxy(toxiproxy.url), Clock().new_id(), find_free(set())
        self.proxy.add(self.name, self.port, redis.port)

    def ask(self, answer_s: float = ANSWER_S) -> float:
        """How long an answer takes, in seconds, over a connection of its own."""
        with self.client(answer_s) as client:
            began = time.monotonic()
            assert client.ping()
            return time.monotonic() - began

    def client(self, answer_s: float) -> Redis:
        return Redis(
            port=self.port, socket_timeout=answer_s, single_connection_client=True, retry=Retry(NoBackoff(), 0)
        )


@pytest.fixture
def link(toxiproxy: Address, redis: Address) -> Iterator[Link]:
    link = Link(toxiproxy, redis)
    with closing(link.proxy):
        yield link
        link.proxy.heal(link.name)


def test_a_slow_link_takes_its_time_each_way(link: Link) -> None:
    """300 ms there and 300 ms back, until it is healed."""
    link.ask()
    link.proxy.slow_down(link.name, 300)
    assert link.ask() >= 0.6
    link.proxy.heal(link.name)
    assert link.ask() < ANSWER_S


def test_a_cut_link_is_silent(link: Link) -> None:
    """Nothing comes back, and nobody is told; then it is as it was."""
    link.proxy.partition(link.name)
    with pytest.raises(Silent):
        link.ask(SILENCE_S)
    link.proxy.heal(link.name)
    link.ask()


def test_a_resetting_link_breaks_what_is_open(link: Link) -> None:
    """Also a connection that was there before."""
    with link.client(ANSWER_S) as client:
        assert client.ping()
        link.proxy.reset(link.name, 0)
        with pytest.raises((Broken, Silent)):
            client.ping()
    link.proxy.heal(link.name)
    link.ask()


def test_a_name_that_moves(link: Link, redis: Address) -> None:
    """It leads to whoever took the place of the one that is gone."""
    link.proxy.redirect(link.name, find_free({link.port}))
    with pytest.raises(Broken):
        link.ask()
    link.proxy.redirect(link.name, redis.port)
    link.ask()
