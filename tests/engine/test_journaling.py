"""What is in the store is in the journal a moment later, whichever part of the engine has written it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from night import Night, task

from overnight.core.calendars import calendar
from overnight.core.events import stamp
from overnight.core.schedules import Schedule, Scheduled, When
from overnight.core.slots import fixed
from overnight.core.store_events import CheckpointFailed
from overnight.engine.attempts import Running
from overnight.engine.conditions import Limits
from overnight.engine.goal import Never
from overnight.store.contract import Counts
from overnight.testing import Play, Recorder

#: Seconds from a look of the engine, which is one after the moment at the latest, to a line in the journal.
SOON = 1.2


class Noting(Recorder):
    """An observer that writes into the store by itself, once."""

    def __init__(self, night: Night, at: float) -> None:
        super().__init__()
        self._night = night
        self._at = night.clock.monotonic() + at

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        del counts, running
        if self._night.clock.monotonic() >= self._at:
            self._at = float("inf")
            self._night.store.note([CheckpointFailed(at=stamp(self._night.clock.now()), error="no")])


def told_at(night: Night, name: str, seconds: Sequence[float], **options: Any) -> list[int]:
    """How many events of this name the journal has after so many seconds."""
    found: list[int] = []

    def look() -> None:
        found.append(len(night.told(name)))

    looks = [(at, look) for at in seconds]
    night.run(goal=Never(), script=[*looks, (seconds[-1] + 1.0, night.give_up)], **options)
    return found


def test_what_a_schedule_adds_while_no_slot_is_free(night: Night) -> None:
    night.add(task("long"))
    now = night.clock.now()
    when = When(every=600.0)
    first = calendar(when, ZoneInfo("UTC"), began_at=now)(now)
    laid = Scheduled(Schedule("s", when), task("s"), "file", now, first, now)
    night.store.lay_schedules([laid], source="file", now=now, by="test")
    moments = (599.0, 600.0 + SOON)
    assert told_at(night, "schedule_fired", moments, play=lambda *_: Play(seconds=7200.0), slots=1) == [0, 1]


def test_what_is_forgotten_while_there_is_nothing_to_do(night: Night) -> None:
    night.add(task("a"))
    found = told_at(night, "file_removed", (3000.0, 8000.0), limits=Limits(fixed(1), keep_finished=3600.0))
    assert found == [0, 1]


def test_what_an_observer_notes(night: Night) -> None:
    night.add(task("a"))
    night.observers = [Noting(night, at=100.0)]
    assert told_at(night, "checkpoint_failed", (99.0, 100.0 + 2 * SOON)) == [0, 1]


def test_a_journal_with_nothing_to_come_is_let_be(night: Night) -> None:
    """One round a second, and those of the one task."""
    night.add(task("a"))
    told_at(night, "file_completed", (1000.0,))
    assert night.waiter.waits < 1000 + 10
