"""Whether the wall clock has jumped: was set by somebody, or went on while the machine slept.

The two clocks are compared whenever the loop comes round. They drift apart by a little all the time (the
wall clock is disciplined), so each look compares with the one before it and not with the first.
"""

from __future__ import annotations

from overnight.engine.agenda import Agenda
from overnight.engine.retention import Retention
from overnight.host.clock import Clock
from overnight.store.contract import Store

#: Seconds that are a jump and no drift between two looks.
JUMP = 0.5
#: Seconds between two readings of a clock that were made at the same moment; else something came in between.
CLOSE = 0.05
#: Readings tried; on a machine so busy the last one must do.
TRIES = 10


class ClockWatch:
    """Compares the wall clock with the monotonic one.

    Args:
        clock: Both.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._read()

    def jumped(self) -> float:
        """Seconds by which the wall clock has jumped since the last call; 0.0 when it has not."""
        before, self._offset = self._offset, self._read()
        jump = self._offset - before
        return jump if abs(jump) >= JUMP else 0.0

    def _read(self) -> float:
        """By how much the wall clock is ahead of the monotonic one."""
        for _ in range(TRIES):
            before = self._clock.monotonic()
            now = self._clock.now()
            if self._clock.monotonic() - before <= CLOSE:
                break
        return now - before


class Jumps:
    """What follows from a jump: what waits for a length of time waits as long as it should.

    Args:
        clock: Both clocks.
        store: Where retries wait.
        agenda: Where retries are that are not settled yet.
        retention: Put off, since ages may be wrong for a while.
    """

    def __init__(self, clock: Clock, store: Store, agenda: Agenda, retention: Retention) -> None:
        self._clock = clock
        self._watch = ClockWatch(clock)
        self._store = store
        self._agenda = agenda
        self._retention = retention
        #: Seconds by which the clock has jumped and the store has not heard of.
        self._untold = 0.0

    def notice(self) -> None:
        """To be called before anything is judged by the present time."""
        if jump := self._watch.jumped():
            self._agenda.shift(jump)
            self._retention.put_off()
            self._untold += jump

    def heed(self, *, fence: int) -> bool:
        """To be called before the store makes anything due by the present time. Returns whether the clock has jumped.

        Raises:
            DiskFullError: There is no room to write it; it is told the next time.
        """
        self.notice()
        jumped = bool(self._untold)
        if jumped:
            self._store.move_waits(self._untold, fence=fence, now=self._clock.now())
            self._untold = 0.0
            self._agenda.stir()  # what waits for an instant may be due now
        return jumped
