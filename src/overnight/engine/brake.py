"""The storm brake at work: counts failures in a row, stops what fails for everybody, and probes.

What is decided is in ``core.storms``. A storm is on record before anything else is claimed, and ended in the
transaction that revives its failures; the rows of failures themselves are kept here alone, so a crash costs
as many tasks as it takes to see the storm. While nothing fails, nothing is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from overnight.core import storms
from overnight.core.durations import format_duration
from overnight.core.states import TaskState
from overnight.core.storms import Policy, Storm, Streak, Subject
from overnight.core.verdict import Settlement
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts, Running
from overnight.engine.orders import OrderBook
from overnight.host.clock import Clock
from overnight.store.contract import Claimed, Store

#: Who revives, in the events of it.
BY = "storm brake"
#: Rows of failures, and tasks of storms that are over, that are remembered; then the oldest are forgotten.
MOST_REMEMBERED = 1000

#: Told in words what has happened, and what to type.
Alarm = Callable[[str, str], None]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Judged = tuple[Running | None, Settlement]


def silent(words: str, hint: str) -> None:
    """Nobody is told."""


class Brake:
    """The brake of one engine.

    Args:
        store: Where storms are on record.
        orders: Which there are; read anew when one was changed.
        attempts: What runs.
        clock: Wall clock.
        policy: When it bites.
        alarm: Told when a storm begins and when it is over.
    """

    def __init__(
        self, store: Store, orders: OrderBook, attempts: Attempts, clock: Clock, policy: Policy, alarm: Alarm = silent
    ) -> None:
        self._store = store
        self._orders = orders
        self._attempts = attempts
        self._clock = clock
        self._policy = policy
        self._alarm = alarm
        self._rows: dict[Subject, Streak] = {}
        #: Tasks of storms that are over, by what failed then.
        self._proven: dict[tuple[Subject, str], frozenset[int]] = {}
        #: Attempts that were claimed in a storm: task and attempt number.
        self._probes: set[tuple[int, int]] = set()
        #: Storms that have passed, each with whether its tasks may be tried again without a person.
        self._over: list[tuple[Storm, bool]] = []
        #: What was seen to fail in this life, and the tasks in its row.
        self._seen: dict[tuple[str, int], frozenset[int]] = {}

    # -- before what has ended is written ----------------------------------------------------

    def heed(self, agenda: Agenda) -> bool:
        """What attempts that have ended mean for storms; what is to be written of them is changed where it lies.

        Returns whether a storm has begun.

        Raises:
            DiskFullError: A storm could not be written; all of them are looked at again with the next call.
        """
        if not (agenda.failing or self._rows or self._orders.storms):
            return False
        before = len(self._orders.storms)
        fresh = [self._heed(running, settlement) for running, settlement in agenda.settled[agenda.heeded :]]
        agenda.settled[agenda.heeded :] = fresh
        agenda.heeded = len(agenda.settled)
        return len(self._orders.storms) > before

    def _heed(self, running: Running | None, settlement: Settlement) -> Judged:
        if running is None or self._attempts.is_own(running):
            return running, settlement
        subject = self._subject(running.claimed)
        storm = self._orders.storms.get(subject.key)
        if storm is not None and storm.subject == subject:
            return running, self._in_storm(storm, running, settlement)
        if storm is None and self._policy.after:
            self._count(subject, running, settlement)
        return running, settlement

    def _subject(self, task: Claimed) -> Subject:
        if task.step:
            _, workflow = self._orders.names(task.lane_id)
            return Subject(workflow=workflow, step=task.step)
        return Subject(action_id=task.action_id)

    def _count(self, subject: Subject, running: Running, settlement: Settlement) -> None:
        said = storms.counts(settlement.outcome, fingerprint=settlement.fingerprint, error=settlement.error)
        if said is None or settlement.task_id in self._proven.get((subject, settlement.fingerprint), ()):
            return
        if not said:
            self._rows.pop(subject, None)
            return
        now = self._clock.now()
        row = storms.lengthened(
            self._rows.get(subject), fingerprint=settlement.fingerprint, task_id=settlement.task_id, now=now
        )
        if storms.is_storm(row, self._policy):
            self._begin(row, subject, running, settlement, now)
            return
        _remember(self._rows, subject, row)

    def _begin(self, row: Streak, subject: Subject, running: Running, settlement: Settlement, now: float) -> None:
        queue, _ = self._orders.names(running.claimed.lane_id)
        storm = storms.began(
            row,
            subject,
            self._policy,
            queue=queue,
            error_class=settlement.error_class,
            error=settlement.error,
            now=now,
        )
        self._put(storm)
        self._rows.pop(subject, None)
        self._seen[subject.key] = row.tasks
        wait = format_duration(storm.probe_at - now)
        self._alarm(
            f"{storms.sentence(storm)}; the others wait, and one of them is tried in {wait}",
            f"mend it, then 'overnight unpause {storms.name(storm)}' lets all of them go on",
        )

    # -- in a storm --------------------------------------------------------------------------

    def _in_storm(self, storm: Storm, running: Running, settlement: Settlement) -> Settlement:
        is_probe = (settlement.task_id, settlement.attempt) in self._probes
        if not is_probe:
            return self._spared(storm, running, settlement, is_probe=False)
        after = storms.after_probe(storm, settlement.outcome, self._policy, now=self._clock.now())
        if after is None:
            over = (storm, not running.action.at_most_once)
            self._over += [over] if over not in self._over else []
        else:
            self._seen.setdefault(storm.subject.key, frozenset())
            settlement = self._spared(storm, running, settlement, is_probe=True)
            if after != storm:
                self._put(after)
        self._probes.discard((running.claimed.id, running.claimed.attempt))
        return settlement

    def _spared(self, storm: Storm, running: Running, settlement: Settlement, *, is_probe: bool) -> Settlement:
        """A failure that is the storm's is no failure of its task, unless that may run but once."""
        if running.action.at_most_once or not storms.belongs(
            storm, fingerprint=settlement.fingerprint, outcome=settlement.outcome
        ):
            return settlement
        until = storms.spared_until(storm, self._policy, is_probe=is_probe, now=self._clock.now())
        return msgspec.structs.replace(
            settlement, state=TaskState.WAITING, failures=running.claimed.failures, not_before=until
        )

    def _put(self, storm: Storm) -> None:
        self._store.set_storm(storm, now=self._clock.now())
        self._orders.storms[storm.subject.key] = storm

    # -- after the turn ----------------------------------------------------------------------

    def claimed(self, tasks: Sequence[Claimed]) -> None:
        """These attempts begin; what begins in a storm is its probe."""
        if not self._orders.storms:
            self._probes.clear()
            return
        for task in tasks:
            if self._subject(task).key in self._orders.storms:
                self._probes.add((task.id, task.attempt))

    def end(self) -> list[int] | None:
        """End the storms whose probes have succeeded. Returns the tasks that are revived; None when there was none.

        Raises:
            DiskFullError: It could not be written; it is tried again with the next call.
        """
        if not self._over:
            return None
        revived: list[int] = []
        while self._over:
            (storm, may_revive), now = self._over[-1], self._clock.now()
            most = storms.REVIVALS if may_revive else 0
            ids = self._store.end_storm(storm, now=now, by=BY, revivals=most)
            self._over.pop()
            self._orders.storms.pop(storm.subject.key, None)
            self._clear(storm)
            if ids is not None:
                revived += ids
                lasted = format_duration(now - storm.began_at)
                self._alarm(
                    f"a storm is over after {lasted}: {storms.name(storm)} goes on, {len(ids):,} of its failures again",
                    "",
                )
        return revived

    def _clear(self, storm: Storm) -> None:
        """The probe has shown that what was in the row is wrong by itself if it fails again."""
        key = (storm.subject, storm.fingerprint)
        known = self._proven.get(key, frozenset())
        if len(known) < MOST_REMEMBERED:
            _remember(self._proven, key, known | self._seen.get(storm.subject.key, frozenset()))

    # -- what is asked -----------------------------------------------------------------------

    def probing(self) -> frozenset[int]:
        """Actions of plain tasks in a storm of which something runs."""
        if not self._orders.storms:
            return frozenset()
        return frozenset(one.claimed.action_id for one in self._attempts.running() if not one.claimed.step)

    def wakes_at(self, now: float) -> float | None:
        """When time alone lets a probe start, POSIX seconds."""
        return storms.next_probe(self._orders.storms.values(), now=now) if self._orders.storms else None

    def leaves_to_people(self) -> bool:
        """Whether something was seen to stand still in this life, and nothing of that could go on by itself."""
        there = self._orders.storms
        self._seen = {key: tasks for key, tasks in self._seen.items() if key in there}
        return bool(self._seen) and all(there[key].is_permanent for key in self._seen)


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Put this in, as the youngest; of too many the oldest goes."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MOST_REMEMBERED:
        del memory[next(iter(memory))]
