"""Schedules: what is due by the clock is decided, and added, by whoever is the engine.

Nothing is remembered here that would be missed: which instant comes next is on record, and so is what has been added
and is not done. The engine looks about once a second; without schedules that is a look at one number in its memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import tzinfo

import msgspec

from overnight.core.calendars import Calendar, calendar
from overnight.core.durations import iso
from overnight.core.firing import decide
from overnight.core.schedules import Scheduled
from overnight.core.stopping import Mode
from overnight.core.task import NewTask
from overnight.engine.agenda import Agenda
from overnight.engine.orders import OrderBook
from overnight.host.clock import Clock, zone_of
from overnight.store.contract import Selector, Store, Verb

#: The environment that a task takes along: by value, and the names that are looked up when it runs.
Surroundings = tuple[Mapping[bytes, bytes], tuple[bytes, ...]]


class Scheduling:
    """Looks whether anything is due.

    Args:
        store: Where schedules are on record.
        orders: Knows when the first one is due; read anew when something was added.
        agenda: Told that there is something to claim.
        clock: Wall clock.
        surroundings: Of the tasks that are added.
        zones: A time zone by its name.
    """

    def __init__(
        self,
        store: Store,
        orders: OrderBook,
        agenda: Agenda,
        clock: Clock,
        surroundings: Surroundings = ({}, ()),
        zones: Callable[[str], tzinfo] = zone_of,
    ) -> None:
        self._store = store
        self._orders = orders
        self._agenda = agenda
        self._clock = clock
        self._surroundings = surroundings
        self._zones = zones
        #: Tasks that were asked to make room for the next of their schedule.
        self._asked: frozenset[int] = frozenset()
        #: By the wall clock; before the first look nobody knows whether it went back.
        self._looked_at = math.inf

    def within(self, seconds: float) -> float:
        """So many seconds, or less when something is due before they are over."""
        left = math.inf if self._orders.next_firing is None else self._orders.next_firing - self._clock.now()
        return left if 0.0 < left < seconds else seconds

    def look(self, *, fence: int, stopping: Mode = Mode.RUN) -> None:
        """Decide about everything that is due, unless the engine is about to end.

        Raises:
            DiskFullError: There was no room; the rest is still due.
        """
        now = self._clock.now()
        due = self._orders.next_firing
        went_back, self._looked_at = now < self._looked_at, now
        if stopping is not Mode.RUN or (not went_back and not self._asked and (due is None or due > now)):
            return
        schedules = self._store.schedules()
        self._asked &= {task_id for one in schedules for task_id in one.open}
        decided = [self._look_at(one, fence, now) for one in schedules]
        if any(decided):
            self._orders.read(self._clock.monotonic())
            self._agenda.stir()
            self._agenda.stirred = True

    def _look_at(self, found: Scheduled, fence: int, now: float) -> bool:
        """Whether anything was decided about one of them."""
        meaning = calendar_of(found, self._zones)
        decision = decide(found, meaning, now=now)
        if decision is None:
            return False
        by = f"schedule {found.schedule.name}"
        if decision.replaces:
            return self._make_room(found, now, by)
        tasks = [run_of(found, due, self._surroundings) for due in decision.runs]
        return self._store.fire(found, decision, tasks, fence=fence, now=now, by=by) is not None

    def _make_room(self, found: Scheduled, now: float, by: str) -> bool:
        """What is not done of it is cancelled; it runs when that is gone."""
        fresh = tuple(task_id for task_id in found.open if task_id not in self._asked)
        if not fresh:
            return False
        self._store.act(Verb.CANCEL, Selector(ids=fresh), now=now, by=by)
        self._asked |= {*fresh}
        return True


def calendar_of(found: Scheduled, zones: Callable[[str], tzinfo]) -> Calendar:
    """What the words of a schedule mean."""
    return calendar(found.schedule.when, zones(found.schedule.when.tz), began_at=found.began_at)


def run_of(found: Scheduled, due: float, surroundings: Surroundings) -> NewTask:
    """What a schedule adds for an instant."""
    task = found.task
    env, env_names = surroundings
    action = msgspec.structs.replace(task.action, env={**env, **task.action.env}, env_names=env_names)
    words = f"schedule {found.schedule.name}, for {iso(due)}"
    return msgspec.structs.replace(task, action=action, description=words)
