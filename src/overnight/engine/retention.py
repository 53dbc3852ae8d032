"""What the engine lets go in passing: tasks that finished long ago, outputs and actions that nothing refers to.

A round goes through all tasks by pages, one page a second, so that it costs a busy night nothing that can
be measured. What may go is known before the round begins and nothing new can become part of it: a segment of
output counts as old when it was last written before any attempt that is still open was claimed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from overnight.core.lanes import OPS_QUEUE
from overnight.engine.room_needed import PUT_OFF
from overnight.executors.contract import Executor
from overnight.host.clock import Clock
from overnight.store.contract import Store

#: Seconds after the beginning of the engine, and between two rounds.
FIRST = 5.0
EVERY = 3600.0
#: Seconds after a round that was given up because it could not be written.
SOON = 60.0
#: Tasks in a page: some 3 ms.
PAGE = 2000
#: Actions that are worth a round by themselves.
MANY_ACTIONS = 1000
#: Seconds that clocks of files may differ from ours.
SLACK = 60.0


class Retention:
    """Rounds of letting go.

    Args:
        store: What is kept.
        executor: Who has the outputs.
        clock: Wall clock for ages, monotonic for the rounds.
        keep: Seconds for which a finished task is kept; None for ever.
    """

    def __init__(self, store: Store, executor: Executor, clock: Clock, *, keep: float | None) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._keep = keep
        self._round: Iterator[None] = iter(())
        self._next = clock.monotonic() + FIRST
        #: How many tasks had been removed at the last round; None before the first one.
        self._removed: int | None = None

    def put_off(self) -> None:
        """The clock has jumped: ages may be wrong, and often it is set right again soon."""
        self._round = iter(())
        self._next = self._clock.monotonic() + EVERY

    def step(self, *, fence: int) -> None:
        """Look at one page, when a round is on or due.

        Raises:
            DiskFullError, StoreBusyError: It cannot be written; the round is given up, and the next one comes `SOON`.
        """
        moment = self._clock.monotonic()
        if moment >= self._next:
            self._next = moment + EVERY
            self._round = self._go(fence)
        try:
            next(self._round, None)
        except PUT_OFF:
            self._next = moment + SOON
            raise

    def _go(self, fence: int) -> Iterator[None]:
        if self._keep is not None:
            yield from self._forget(self._keep, fence)
        removed = self._store.counts().removed + self._store.counts(queue=OPS_QUEUE).removed
        if removed != self._removed:
            yield from self._sweep(fence)
            self._removed = removed

    def _forget(self, keep: float, fence: int) -> Iterator[None]:
        """Forget what has finished long ago."""
        now, after = self._clock.now(), 0
        while True:
            page = self._store.forget_finished(
                before=now - keep, after=after, limit=PAGE, fence=fence, now=now, by="retention"
            )
            if page.last is None:
                return
            after = page.last
            yield

    def _sweep(self, fence: int) -> Iterator[None]:
        """Let go of what no task refers to."""
        segments = set(self._executor.old_outputs(before=self._settled_since()))
        actions = Unused(array("q", self._store.spare_actions()))
        if not segments and len(actions) < MANY_ACTIONS:
            return
        after = 0
        while (page := self._store.survey(after=after, limit=PAGE)).last is not None:
            segments -= page.segments
            actions.strike(page.actions)
            after = page.last
            yield
        self._executor.drop_outputs(segments)
        if unused := actions.left():
            self._store.drop_actions(unused, after=after, fence=fence)

    def _settled_since(self) -> float:
        """POSIX seconds before which no attempt was claimed that is not settled."""
        claimed = (attempt.claimed_at for attempt in self._store.left_open())
        return min(claimed, default=self._clock.now()) - SLACK


class Unused:
    """Numbers of which those that are used are struck out. Nine bytes a number.

    Args:
        numbers: In rising order.
    """

    def __init__(self, numbers: array[int]) -> None:
        self._numbers = numbers
        self._used = bytearray(len(numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def strike(self, used: frozenset[int]) -> None:
        """These are used."""
        for number in used:
            place = bisect_left(self._numbers, number)
            if place < len(self._numbers) and self._numbers[place] == number:
                self._used[place] = 1

    def left(self) -> array[int]:
        """Those that are not used."""
        return array("q", (number for number, used in zip(self._numbers, self._used, strict=True) if not used))
