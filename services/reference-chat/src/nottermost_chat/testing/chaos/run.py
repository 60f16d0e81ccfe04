"""One fault after the other, each in a phase of its own: talk, break, hold, heal, drain, read everything, judge."""

import asyncio
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Final

import httpx
import msgspec

from nottermost_chat.errors import ChatError
from nottermost_chat.testing.chaos.faults import Fault
from nottermost_chat.testing.chaos.found import choose_wanted, finds, tell_if_search_answers, tell_unfound
from nottermost_chat.testing.chaos.load import Load
from nottermost_chat.testing.chaos.measure import Outage, measure_outage
from nottermost_chat.testing.chaos.sites import Site, enlist_crowd, make_crowd, running_site
from nottermost_chat.testing.chaos.team import Team, person_of
from nottermost_chat.testing.history import History, Result, Sent, Verdict, judge

RATE_PER_S: Final = 30.0
WARM_S: Final = 6.0  # of traffic before the fault
AFTER_S: Final = 6.0  # ... and of normal deliveries after the heal,
AFTER_S_MAX: Final = 30.0  # unless they do not come
PHASE_S_MAX: Final = 900.0  # then it proves nothing

Announce = Callable[[str], object]


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one fault.

    Attributes:
        outage: None: the phase did not come so far.
        amiss: what else is wrong than the history, a sentence.
        load: of the machine, the mean of the last minute.
        healed_s: when all ran again, from its beginning.
    """

    fault: Fault
    store: str
    verdict: Verdict
    outage: Outage | None
    load: float
    at: datetime
    amiss: str = ""
    healed_s: float = 0.0

    @property
    def result(self) -> Result:
        """Also wrong: times that go back within a conversation, and a search that answers wrongly."""
        return Result.INVALID if self.amiss else self.verdict.result

    @property
    def reason(self) -> str:
        return self.amiss or self.verdict.reason

    @property
    def within_aim(self) -> bool | None:
        """Whether delivery was normal again in time; None: there is no aim, or nothing was measured."""
        if self.outage is None or self.fault.aim_s is None:
            return None
        return self.outage.normal_s is not None and self.outage.normal_s <= self.fault.aim_s


def run_faults(faults: Iterable[Fault], announce: Announce, done: Callable[[Phase], object]) -> None:
    """Run them, each layout's on one cluster. `done` is given each phase when it ends.

    Args:
        faults: those of one layout one after the other.
    """
    for layout, group in groupby(faults, key=lambda fault: fault.layout):
        left = list(group)
        announce(f"starting a cluster: {layout}")
        try:
            with running_site(layout) as site:
                asyncio.run(make_crowd(site))
                while left:
                    announce(f"{left[0].name}: {left[0].title}")
                    done(asyncio.run(run_fault(site, left[0])))
                    left.pop(0)
        except (ChatError, OSError, subprocess.SubprocessError) as error:
            for fault in left:
                done(_nothing(fault, "–", f"its cluster did not run: {error}"))


async def run_fault(site: Site, fault: Fault, *, rate_per_s: float = RATE_PER_S) -> Phase:
    """One phase; what keeps it from its end makes it unknown."""
    try:
        async with asyncio.timeout(PHASE_S_MAX):
            return await _run_phase(site, fault, rate_per_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the next fault has its turn
        await asyncio.to_thread(_heal_anyway, site, fault)
        return _nothing(fault, site.store, f"the phase did not come to its end: {error!r}")


def _nothing(fault: Fault, store: str, reason: str) -> Phase:
    verdict = Verdict(Result.UNKNOWN, reason, {}, ())
    return Phase(fault=fault, store=store, verdict=verdict, outage=None, load=_load(), at=datetime.now(UTC))


async def _run_phase(site: Site, fault: Fault, rate_per_s: float) -> Phase:
    async with AsyncExitStack() as stack:
        team = Team(site.stack.url(), stack)
        await team.form(partial(enlist_crowd, site))
        followers = {
            where: frozenset(device for device in team.devices if person_of(device) in members)
            for where, members in team.members.items()
        }
        load = Load(team, rate_per_s * fault.rate, random.Random(), stalled=fault.stalled)
        await load.start()
        try:
            await asyncio.sleep(WARM_S)
            await asyncio.to_thread(fault.inject, site)
            began = time.monotonic()
            await asyncio.to_thread(fault.follow, site)
            amiss = [await tell_if_search_answers(team)] if fault.search_away else []
            await asyncio.sleep(fault.hold_s - (time.monotonic() - began))
            await asyncio.to_thread(_heal, site, fault)
            healed = time.monotonic()
            ended = await _wait_normal(load, followers, began)
        finally:
            await load.finish()
        logs, backward = await load.read_logs()
        if backward:
            amiss.append(f"{backward} messages are older than the one before them")
        if fault.searched:
            amiss.append(await tell_unfound(partial(finds, team), choose_wanted(load.recorder.events, logs)))
        outage = measure_outage(load.stamped, followers, began=began, ended=ended)
        verdict = judge(History(tuple(load.recorder.events), logs))
        if not outage.acked and verdict.result is Result.VALID:
            verdict = Verdict(Result.UNKNOWN, "nothing was acknowledged after the fault", {}, ())
        return Phase(
            fault=fault, store=site.store, verdict=verdict, outage=outage, load=_load(), at=datetime.now(UTC),
            amiss="; ".join(filter(None, amiss)), healed_s=healed - began,
        )  # fmt: skip


async def _wait_normal(load: Load, followers: Mapping[str, frozenset[str]], began: float) -> float:
    """Returns the time when deliveries have been normal for a while, or will not be."""
    deadline = time.monotonic() + AFTER_S_MAX
    while True:
        await asyncio.sleep(AFTER_S)
        now = time.monotonic()
        until = now - AFTER_S / 2  # what was sent since then may be on its way
        seen = [one for one in load.stamped if one.at <= until or not isinstance(one.event, Sent)]
        normal_s = measure_outage(seen, followers, began=began, ended=now).normal_s
        if (normal_s is not None and normal_s < now - began - AFTER_S / 2) or now > deadline:
            return now


def _heal(site: Site, fault: Fault) -> None:
    fault.heal(site)
    site.heal()


def _heal_anyway(site: Site, fault: Fault) -> None:
    """Whatever of the fault there is."""
    with suppress(ChatError, OSError, httpx.HTTPError):
        fault.heal(site)
    site.heal()


def _load() -> float:
    return os.getloadavg()[0]
