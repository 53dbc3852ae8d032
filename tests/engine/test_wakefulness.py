from __future__ import annotations

import pytest

from overnight.engine.wakefulness import PATIENCE, Wakefulness
from overnight.store.contract import Counts
from overnight.testing import FakeClock


class Lock:
    """Whether the machine is kept awake."""

    held = False

    def hold(self) -> None:
        self.held = True

    def let_go(self) -> None:
        self.held = False


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_it_is_kept_awake_while_tasks_run_and_through_the_waits_between_them(clock: FakeClock) -> None:
    lock = Lock()
    watch = Wakefulness(lock, clock)
    watch.ticked(Counts(pending=1), [])
    assert not lock.held  # nothing has run yet: what is there may be paused
    watch.ticked(Counts(running=1), [object()])  # type: ignore[list-item]  # how many is all that matters
    assert lock.held
    clock.advance(PATIENCE - 1)
    watch.ticked(Counts(waiting=1), [])
    assert lock.held


def test_it_may_sleep_when_nothing_is_left_or_what_is_left_waits_for_long(clock: FakeClock) -> None:
    for counts, seconds in ((Counts(completed=1), 0.0), (Counts(waiting=1), PATIENCE), (Counts(pending=9), PATIENCE)):
        lock = Lock()
        watch = Wakefulness(lock, clock)
        watch.ticked(Counts(running=1), [object()])  # type: ignore[list-item]
        clock.advance(seconds)
        watch.ticked(counts, [])
        assert not lock.held
