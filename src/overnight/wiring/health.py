"""The checks on a schedule: by the engine of a home in the slot of its own tasks, or by a command without one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.errors import AlreadyRunningError
from overnight.core.lanes import OPS_QUEUE
from overnight.core.schedules import Missed, Schedule, Scheduled, When
from overnight.core.settings import Settings, resolve
from overnight.core.states import FINAL
from overnight.core.task import Action, ActionKind, NewTask, raw
from overnight.engine.scheduling import run_of
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me
from overnight.monitor.health import HealthBook
from overnight.monitor.history.keeping import History
from overnight.monitor.sidecar import Duty
from overnight.ops.checkup import Checkup
from overnight.ops.examination import Answer, Examiner
from overnight.ops.plugins import catalogue
from overnight.store.contract import Query, Selector, Store
from overnight.wiring.alerting import judge_of
from overnight.wiring.configuration import read
from overnight.wiring.examining import scene_of
from overnight.wiring.schedules import surroundings
from overnight.wiring.watching import send_what_is_left

#: Of the schedule, and who has laid it down.
NAME, SOURCE = "_health", "health"
#: What it calls.
CALL = "overnight.wiring.health:ask"
#: Seconds for one round.
TIMEOUT = 120.0
#: Rounds that stay in the queue as tasks, to be looked at; how many are looked through, and how often (seconds).
KEPT, _LOOKED_THROUGH, _TIDY_EVERY = 100, 5000, 3600.0

#: Of the worker in which rounds are made, for as long as that lives: it knows which checks are stuck in it.
_EXAMINER = Examiner()


# -- by an engine ------------------------------------------------------------------------------


def lay_down(store: Store, home: Home, every: float) -> None:
    """Have the engine of this home ask the checks from now on, each `every` seconds, and the first time now."""
    now, by = wiring.clock.now(), wiring.who()
    wanted = _scheduled(home, every, now)
    store.lay_schedules([wanted], source=SOURCE, now=now, by=by)
    store.run_schedule(NAME, run_of(wanted, now, surroundings(_as_they_are(home)[0])), now=now, by=by)


def take_away(store: Store, home: Home) -> bool:
    """Have no engine ask them any more, and forget how they stood; whether one would have."""
    gone = store.lay_schedules([], source=SOURCE, now=wiring.clock.now(), by=wiring.who())
    if home.health.exists():
        # Of a file that cannot be written it is known soon enough that nobody asks any more.
        with suppress(apsw.Error), closing(HealthBook(home.health)) as book:
            book.note([], gone=list(book.standings()), now=wiring.clock.now())
    return bool(gone)


def found(store: Store) -> Scheduled | None:
    """The schedule on record; None when there is none."""
    return next((one for one in store.schedules() if one.schedule.name == NAME), None)


def _scheduled(home: Home, every: float, now: float) -> Scheduled:
    # A round that is missed is of no use later, and one that is late is none that was missed.
    schedule = Schedule(
        NAME, When(every=every), missed=Missed.SKIP, grace=every, call=CALL, queue=OPS_QUEUE, title="health"
    )
    action = Action(
        kind=ActionKind.CALL,
        cwd=os.fsencode(home.path.parent),
        call=CALL,
        timeout=TIMEOUT,
        retries=0,
        entry=f"schedule {NAME}",
    )
    task = NewTask(action, raw(str(every)), queue=OPS_QUEUE, title="health")
    return Scheduled(schedule, task, SOURCE, began_at=now, next_at=now + every, planned_at=now)


def ask(words: str) -> None:
    """One round: what the schedule calls in its worker.

    Raises:
        OvernightError: The configuration makes no sense, or the store cannot be had.
    """
    home, every = Home(Path(os.environ["OVERNIGHT_HOME"])), float(words)
    _round(home, every, _EXAMINER, wiring.clock)
    if wiring.clock.now() % _TIDY_EVERY < every:
        with closing(wiring.open_store(home)) as store:
            tidy(store)


def _round(home: Home, every: float, examiner: Examiner, clock: Clock) -> list[Answer]:
    """One round, with the configuration as it is now."""
    settings, configured = _as_they_are(home)
    scene = scene_of(home, home.path.parent, settings, configured)._replace(clock=clock)
    with closing(HealthBook(home.health)) as book:
        return Checkup(catalogue(configured.checks), examiner, every=every).round(scene, book)


def _as_they_are(home: Home) -> tuple[Settings, Configuration]:
    configured = read(home)
    return resolve(flags={}, environ=os.environ, configured=configured.settings), configured


def tidy(store: Store) -> int:
    """Forget the tasks of rounds that are long over: what they found is in a file of its own. Returns how many."""
    tasks = store.tasks(Query(queue=OPS_QUEUE, states=tuple(FINAL), limit=_LOOKED_THROUGH))
    actions = store.actions({task.action_id for task in tasks})
    old = [task.id for task in tasks if actions[task.action_id].call == CALL][KEPT:]
    return store.remove(Selector(ids=tuple(old)), now=wiring.clock.now(), by="health") if old else 0


# -- without one -------------------------------------------------------------------------------


class Watch:
    """Rounds in this process. Where nobody else watches the home, alerts are judged here as well.

    What fails of it (a full disk, a configuration that is being edited) is told once, and tried again in the next.

    Args:
        home: Whose.
        every: Seconds from the beginning of one round to that of the next.
        tell: Is given what each round has found.
        told: Is told of what goes wrong.
        clock: Monotonic for the pace, wall clock for the records.
    """

    def __init__(
        self,
        home: Home,
        every: float,
        *,
        tell: Callable[[list[Answer]], None],
        told: Callable[[str], None],
        clock: Clock = wiring.clock,
    ) -> None:
        self._home = home
        self._every = every
        self._tell = tell
        self._told = told
        self._clock = clock
        self._examiner = Examiner()
        self._is_last = False
        self._round = Duty("health.db", self._examine, clock, told)
        self._alerts = Duty("alerts", self._judge, clock, told)

    def go_on(self, wait: Callable[[float], bool]) -> int:
        """Round after round until somebody says that it is enough. The round that is on ends first.

        Args:
            wait: Lets so many seconds pass; whether it is enough.

        Returns:
            How many rounds there were.
        """
        rounds, over = 0, False
        while not over:
            began = self._clock.monotonic()
            self._round.do(0.0)
            self._alerts.do(0.0)
            rounds += 1
            over = wait(max(0.0, began + self._every - self._clock.monotonic()))
        self._is_last = True
        self._alerts.do(0.0)
        return rounds

    def _examine(self) -> None:
        self._tell(_round(self._home, self._every, self._examiner, self._clock))

    def _judge(self) -> None:
        """Judge alerts, unless somebody watches beside an engine, who does."""
        if not read(self._home).alerts:
            return
        lock = HomeLock(self._home.path / "monitor.lock")
        try:
            lock.acquire(about_me(self._home.path, now=self._clock.now()))
        except AlreadyRunningError:
            return
        try:
            self._judge_alone()
        finally:
            lock.release()

    def _judge_alone(self) -> None:
        with (
            closing(wiring.open_store(self._home, readonly=True)) as store,
            closing(History(self._home.history)) as history,
        ):
            judge = judge_of(self._home, store, self._told)
            while judge.round(history, {}, last=self._is_last):
                pass
        send_what_is_left(self._home)
