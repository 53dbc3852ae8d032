"""How fast it goes, and how long the rest will take.

The rate is a running mean in which what lies `HALF_LIFE` seconds back counts half, so that it follows
a change within a minute and does not jump at every task. From the first moments it is the plain mean.

How long the rest will take is another question. Fifty tasks that fail within a second, for a disk is not there,
say nothing of how long the next ones will work: one that did not complete counts as much as it took of what
one takes that completes. So the time left is rather too long, where many of the rest will fail as quickly, than
too short for somebody who goes home by it.
"""

from __future__ import annotations

import math

#: Seconds after which an observation counts half.
HALF_LIFE = 30.0
#: Tasks after which what one takes is forgotten.
_REMEMBERED = 100
#: Deviations on either side of what is expected, between which it ends four times out of five (normal distribution).
_FOUR_OF_FIVE = 1.28
#: Seconds; who says so much has seen nothing finished for hours.
_NO_END = 1e8


class Rate:
    """Finished tasks a second, and the work that they were."""

    def __init__(self) -> None:
        self._done = self._work = self._seconds = 0.0
        #: Told, and not yet seen.
        self._new_done, self._new_work = 0, 0.0
        #: Seconds that one takes that completes, and how many of them were told.
        self._usual, self._completed = 0.0, 0

    def finished(self, took: float, *, completed: bool) -> None:
        """One was finished, and its last attempt took so many seconds. It counts from the next `passed` on."""
        self._new_done += 1
        if completed:
            self._completed += 1
            self._usual += (took - self._usual) / min(self._completed, _REMEMBERED)
        self._new_work += 1.0 if completed or self._usual <= 0 else min(1.0, took / self._usual)

    def passed(self, seconds: float) -> None:
        """In so many seconds was finished what was told since the last call."""
        done, work = self._new_done, self._new_work
        self._new_done, self._new_work = 0, 0.0
        self._take_in(done, work, seconds)

    def saw(self, done: int, seconds: float) -> None:
        """So many were finished in so many seconds, and all of them completed."""
        self._take_in(done, done, seconds)

    def _take_in(self, done: int, work: float, seconds: float) -> None:
        if seconds <= 0:
            return
        fade = 0.5 ** (seconds / HALF_LIFE)
        self._done = self._done * fade + done
        self._work = self._work * fade + work
        self._seconds = self._seconds * fade + seconds

    @property
    def per_second(self) -> float:
        """0 when nothing was seen."""
        return self._done / self._seconds if self._seconds else 0.0

    def seconds_left(self, unfinished: int) -> float | None:
        """Expected seconds until so many more are finished; None when nothing moves."""
        if not unfinished:
            return 0.0
        return unfinished * self._seconds / self._work if self._work > 0 else None

    def range_left(self, unfinished: int) -> tuple[float, float] | None:
        """From when to when so many more will be finished, four times out of five, in seconds.

        None when nothing moves, or has not for so long that there is no telling.

        How long tasks take is meant to differ by as much as it is long (an exponential distribution): what was
        seen of so many, and what is to come of so many others, are each known to the root of their number.
        """
        expected = self.seconds_left(unfinished)
        if expected is None or not unfinished or expected > _NO_END:
            return None
        factor = 1 + _FOUR_OF_FIVE * math.sqrt(1 / max(1.0, self._work) + 1 / unfinished)
        return expected / factor, expected * factor
