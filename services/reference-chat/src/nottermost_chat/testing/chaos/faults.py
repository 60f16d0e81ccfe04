"""What is broken, on which cluster, for how long, and what document D claims for it: one table."""

import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
import psycopg
import redis

from nottermost_chat.errors import StartError
from nottermost_chat.stack.cluster import kind_of
from nottermost_chat.stack.roles import ROLES
from nottermost_chat.stack.servers import SERVERS
from nottermost_chat.testing.chaos.sites import Layout, Site
from nottermost_chat.testing.cluster import ROLES_THERE

Step = Callable[[Site], object]

ROLE_S: Final = 10.0  # the aim for a role
BROKER_S: Final = 15.0  # ... and for a broker or another server
HOLD_S: Final = 12.0  # with one of two left: longer than the aim, so that what waits for the heal misses it
PAUSE_S: Final = 10.0
SEARCH_PAUSE_S: Final = 20.0  # longer than the three attempts of a search, each of 5 s
LATENCY_MS: Final = 300
RESET_AFTER_MS: Final = 50
PROMOTE_S: Final = 2.0  # from a primary's death until somebody promotes the standby
CLOCK_S: Final = 3600
LEFT_BYTES: Final = 64 * 1024  # on a full disk

SOCKETS: Final = "2 to 5 s a user"
DATABASE: Final = "30 to 60 s without writes"
CACHE: Final = "5 to 10 s, nothing lost"
BACKLOG: Final = "late, nothing lost"
NOTHING: Final = "–"


def _nothing(_: Site) -> None:
    """Nothing."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong.

    Attributes:
        title: as the table says it.
        inject: what breaks; the time runs from its end.
        follow: what then goes on: a promotion, a rolling restart.
        heal: beside starting again whatever does not run.
        hold_s: from the injection to the heal.
        aim_s: within it delivery is to be normal again; None: only once it is healed.
        rate: of messages, times the usual one.
        stalled: readers who take nothing.
        search_away: search has to say that it is away meanwhile.
        searched: in the end search has to find what was said.
    """

    name: str
    title: str
    inject: Step = _nothing
    follow: Step = _nothing
    heal: Step = _nothing
    layout: Layout = Layout.PLAIN
    hold_s: float = HOLD_S
    aim_s: float | None = ROLE_S
    claim: str = NOTHING
    rate: float = 1.0
    stalled: int = 1
    search_away: bool = False
    searched: bool = False


def _kill(name: str) -> Step:
    def act(site: Site) -> None:
        _check_kept(site, name)
        site.stack.kill(name)

    return act


def _check_kept(site: Site, name: str) -> None:
    """Raises: StartError for a server of a scratch cluster: what it then lacks would be blamed on the chat."""
    if kind_of(name) in SERVERS and site.stack.options().scratch:
        raise StartError(
            f"{name} of a scratch cluster keeps nothing and cannot be broken: use a cluster without `scratch`"
        )


def _stop(name: str) -> Step:
    return lambda site: site.stack.kill(name, signal.SIGSTOP)


def _go_on(name: str) -> Step:
    return lambda site: site.stack.kill(name, signal.SIGCONT)


def _start(name: str) -> Step:
    return lambda site: site.stack.start(name)


def _flush(site: Site) -> None:
    with redis.Redis(port=site.stack.port("redis")) as client:
        client.flushall()


def _promote_postgres(site: Site) -> None:
    """Somebody notices that the primary is dead."""
    time.sleep(PROMOTE_S)
    _, port = site.standbys["standby"]
    site.retired.add("postgres")  # two of them would take writes
    with psycopg.connect(site.conninfo(port), autocommit=True) as connection:
        connection.execute("SELECT pg_promote(true, 60)")


def _promote_redis(site: Site) -> None:
    _, port = site.standbys["replica"]
    with redis.Redis(port=port) as client:
        client.replicaof("NO", "ONE")
    site.links.redirect("redis", port)


def _heal_links(site: Site) -> None:
    site.links.heal()


def _fill_disk(site: Site) -> None:
    assert site.disk is not None
    free = os.statvfs(site.disk)
    with (site.disk / "ballast").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - LEFT_BYTES))
        # What is preallocated for the write-ahead log would last for minutes.
    conninfo = site.conninfo(site.stack.port("postgres"))
    with suppress(psycopg.Error), psycopg.connect(conninfo, autocommit=True) as connection:  # refusing is the fault
        connection.execute("SELECT pg_switch_wal()")


def _free_disk(site: Site) -> None:
    assert site.disk is not None
    (site.disk / "ballast").unlink(missing_ok=True)


def _restart_all(kinds: Collection[str]) -> Step:
    """Of these whatever runs, one after the other, each in order: as a release does."""

    def act(site: Site) -> None:
        for unit in [one.name for one in site.stack.status().units]:
            if kind_of(unit) in kinds:
                _check_kept(site, unit)
                site.stack.stop(unit)
                site.stack.start(unit)

    return act


def _set_clock(site: Site, *, ahead_s: int) -> None:
    """One of two ingests is told another time of day, by a restart."""
    site.tell("ingest1", CLOCK_AHEAD_S=str(ahead_s))


def _jump(name: str, *, ahead_s: int) -> Step:
    return lambda site: site.set_clock(name, ahead_s=ahead_s)


def _right_clock(site: Site) -> None:
    site.stack.kill("ingest1")
    site.tell("ingest1")


def _role_faults() -> list[Fault]:
    found = []
    for role in ROLES_THERE:
        name, one_of = f"{role}1", "one of two" if ROLES[role].count > 1 else "the only one"
        claim = {"gateway": SOCKETS, "fanout": BACKLOG, "indexer": BACKLOG, "notifier": BACKLOG}.get(role, NOTHING)
        searched = role == "indexer"
        found.append(
            Fault(
                name=f"kill-{role}", title=f"{role}: SIGKILL, {one_of}", inject=_kill(name), claim=claim,
                searched=searched,
            )
        )  # fmt: skip
        found.append(
            Fault(
                name=f"stop-{role}", title=f"{role}: SIGSTOP for {PAUSE_S:.0f} s, {one_of}", inject=_stop(name),
                heal=_go_on(name), hold_s=PAUSE_S, claim=claim, searched=searched,
            )
        )  # fmt: skip
    return found


def _server_faults() -> list[Fault]:
    def pause(name: str, claim: str, *, aim_s: float | None) -> Fault:
        return Fault(
            name=f"stop-{name}", title=f"{name}: SIGSTOP for {PAUSE_S:.0f} s", inject=_stop(name), heal=_go_on(name),
            hold_s=PAUSE_S, claim=claim, aim_s=aim_s,
        )  # fmt: skip

    return [
        Fault(name="kill-kafka", title="kafka: the only broker away for 10 s", inject=_kill("kafka"), hold_s=10.0,
              claim=BACKLOG, aim_s=None),
        pause("kafka", BACKLOG, aim_s=None),
        Fault(name="kill-redis", title="redis: SIGKILL, away", inject=_kill("redis"), claim=CACHE),
        pause("redis", CACHE, aim_s=ROLE_S),
        Fault(name="flush-redis", title="redis: flushed", inject=_flush, claim=CACHE),
        Fault(name="kill-postgres", title="postgres: SIGKILL, and started again at once",
              inject=_kill("postgres"), follow=_start("postgres"), claim=DATABASE, aim_s=BROKER_S),
        pause("postgres", DATABASE, aim_s=None),
        Fault(name="kill-opensearch", title="opensearch: SIGKILL, away", inject=_kill("opensearch"), claim=BACKLOG,
              search_away=True, searched=True),
        Fault(name="stop-opensearch", title=f"opensearch: SIGSTOP for {SEARCH_PAUSE_S:.0f} s",
              inject=_stop("opensearch"), heal=_go_on("opensearch"), hold_s=SEARCH_PAUSE_S, claim=BACKLOG, search_away=True, searched=True),
        Fault(name="stalled-readers", title="readers that take nothing, 3 of 17", stalled=3,
              rate=2.0),
        Fault(name="restart-roles", title="rolling restart of every role, in order",
              follow=_restart_all(ROLES), hold_s=1.0, aim_s=None,
              claim=SOCKETS, rate=0.3),
        Fault(name="restart-servers", title="rolling restart of every server, in order",
              follow=_restart_all(SERVERS), hold_s=1.0, aim_s=None,
              rate=0.3),
        Fault(name="clock-ahead", title="clock of one ingest an hour ahead", inject=_kill("ingest1"),
              follow=partial(_set_clock, ahead_s=CLOCK_S),
              heal=_right_clock),
        Fault(name="clock-behind", title="clock of one ingest an hour behind",
              inject=_kill("ingest1"), follow=partial(_set_clock, ahead_s=-CLOCK_S), heal=_right_clock),
        *(
            Fault(name=f"jump-{way}-{kind_of(name)}",
                  title=f"clock of {of} jumps an hour {way} while it runs, and back",
                  inject=_jump(name, ahead_s=ahead_s), heal=_jump(name, ahead_s=0))
            for name, of, way, ahead_s in (
                ("ingest2", "one ingest", "ahead", CLOCK_S),
                ("ingest2", "one ingest", "behind", -CLOCK_S),
                ("gateway2", "one gateway", "ahead", CLOCK_S),
                ("keeper1", "the keeper", "ahead", CLOCK_S),
            )
        ),
    ]  # fmt: skip


LINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway–ingest": ("ingest1",),
    "gateway–fanout": ("fanout1",),
    "fanout–kafka": ("kafka-of-fanout1",),
    "ingest–kafka": ("kafka",),
    "ingest–postgres": ("postgres",),
    "roles–redis": ("redis",),
}


def _link_faults() -> list[Fault]:
    found = []
    for link, proxies in LINKS.items():

        def each(act: Callable[[Site, str], object], proxies: tuple[str, ...] = proxies) -> Step:
            def step(site: Site) -> None:
                for proxy in proxies:
                    act(site, proxy)

            return step

        aim_s = None if link in ("ingest–kafka", "ingest–postgres") else ROLE_S  # of these there is but one
        name = link.replace("–", "-")
        for kind, title, act, aim in (
            ("partition", "cut without a word", lambda site, proxy: site.links.partition(proxy), aim_s),
            ("slow", f"{LATENCY_MS} ms slower each way",
             lambda site, proxy: site.links.slow_down(proxy, LATENCY_MS), None),
            ("reset", "every connection reset", lambda site, proxy: site.links.reset(proxy, RESET_AFTER_MS), aim_s),
        ):  # fmt: skip
            found.append(
                Fault(
                    name=f"{kind}-{name}", title=f"{link}: {title}", inject=each(act), heal=_heal_links, aim_s=aim,
                    layout=Layout.LINKS, hold_s=PAUSE_S,
                )
            )  # fmt: skip
    return found


def _other_faults() -> list[Fault]:
    return [
        Fault(name="kill-broker", title="kafka: one of three brokers, SIGKILL", inject=_kill("kafka1"),
              layout=Layout.BROKERS, aim_s=BROKER_S, hold_s=20.0, claim=BACKLOG),
        Fault(name="stop-broker", title="kafka: one of three brokers, SIGSTOP for 15 s", inject=_stop("kafka2"),
              heal=_go_on("kafka2"), layout=Layout.BROKERS, aim_s=BROKER_S, hold_s=15.0, claim=BACKLOG),
        Fault(name="promote-redis", title="redis: primary killed, replica promoted", inject=_kill("redis"), follow=_promote_redis,
              layout=Layout.STANDBYS, claim=CACHE),
        Fault(name="promote-postgres", title=f"postgres: primary killed, standby promoted {PROMOTE_S:.0f} s later",
              inject=_kill("postgres"), follow=_promote_postgres, layout=Layout.STANDBYS, aim_s=BROKER_S, hold_s=20.0, claim=DATABASE),
        Fault(name="full-disk", title="postgres: its disk is full for 12 s", inject=_fill_disk, heal=_free_disk,
              layout=Layout.SMALL_DISK, aim_s=None, claim=DATABASE),
        Fault(name="kill-dynamodb", title="dynamodb: SIGKILL, and started again at once",
              inject=_kill("dynamodb"), follow=_start("dynamodb"), layout=Layout.TABLES, aim_s=None, rate=0.2, claim=DATABASE),
        Fault(name="stop-dynamodb", title=f"dynamodb: SIGSTOP for {PAUSE_S:.0f} s", inject=_stop("dynamodb"),
              heal=_go_on("dynamodb"), hold_s=PAUSE_S, layout=Layout.TABLES, aim_s=None, rate=0.2, claim=DATABASE),
        Fault(name="kill-ingest-dynamodb", title="ingest: SIGKILL, one of two", inject=_kill("ingest1"),
              layout=Layout.TABLES, rate=0.2),
        Fault(name="kill-gateway-dynamodb", title="gateway: SIGKILL, one of two", inject=_kill("gateway1"),
              layout=Layout.TABLES, rate=0.2, claim=SOCKETS),
    ]  # fmt: skip


def all_faults() -> list[Fault]:
    """Those of one cluster one after the other."""
    order = list(Layout)
    return sorted(
        [*_role_faults(), *_server_faults(), *_link_faults(), *_other_faults()], key=lambda one: order.index(one.layout)
    )
