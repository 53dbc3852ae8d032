"""When the journal is written and when it is synced: soon after something happened, and not for each event."""

from __future__ import annotations

from overnight.engine.journal import SYNC_EVERY, Journal
from overnight.engine.room_needed import PUT_OFF
from overnight.host.clock import Clock

#: Seconds from an event to the drain of the outbox, for company to gather.
EVERY = 0.1


class Journaling:
    """The times of one journal.

    Args:
        journal: Which.
        clock: Monotonic.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        #: Monotonic seconds of the next drain; None while nothing is known that could be drained.
        self._at: float | None = 0.0
        self._sync_at = 0.0
        #: How many events of ours there had been at the last drain.
        self._told = 0

    def _notice(self) -> None:
        """Whatever of the engine has written: nobody has to say so."""
        if self._at is None and self._journal.told != self._told:
            self._at = self._clock.monotonic() + EVERY

    def hurry(self) -> None:
        """There are events of somebody else in the outbox."""
        self._at = self._clock.monotonic()

    def wakes(self) -> list[float]:
        """Monotonic seconds at which there is something to do."""
        self._notice()
        wakes = [] if self._at is None else [self._at]
        return [*wakes, self._sync_at] if self._journal.behind else wakes

    def keep(self) -> None:
        """Do what is due.

        Raises:
            DiskFullError: There is no room; it is tried again after a while.
            StoreBusyError: Another program holds the store; the same.
        """
        try:
            self._keep(self._clock.monotonic())
        except PUT_OFF:
            self._at = self._clock.monotonic() + SYNC_EVERY
            raise

    def _keep(self, moment: float) -> None:
        if self._at is not None and moment >= self._at:
            self._told = self._journal.told
            self._journal.pump()
            self._at = None
        if self._journal.behind and moment >= self._sync_at:
            self._sync_at = moment + SYNC_EVERY
            self._journal.sync()

    def flush(self) -> None:
        """Write and sync all there is, now.

        Raises:
            DiskFullError: There is no room.
            StoreBusyError: Another program holds the store.
        """
        self._journal.pump()
        self._journal.sync()

    def close(self) -> None:
        """Write and sync what is left, as far as that can be done now."""
        self._journal.close()
