"""How fast it goes, and how long the rest will take.

The rate is a running mean in which what lies `HALF_LIFE` seconds back counts half, so that it follows
a change within a minute and does not jump at every task. From the first moments it is the plain mean.
"""

from __future__ import annotations

import math

#: Seconds after which an observation counts half.
HALF_LIFE = 30.0
#: Deviations on either side of what is expected, between which it ends four times out of five (normal distribution).
_FOUR_OF_FIVE = 1.28
#: Seconds; who says so much has seen nothing finished for hours.
_NO_END = 1e8


class Rate:
    """Finished tasks a second."""

    def __init__(self) -> None:
        self._done = 0.0
        self._seconds = 0.0

    def saw(self, done: int, seconds: float) -> None:
        """So many were finished in so many seconds."""
        if seconds <= 0:
            return
        fade = 0.5 ** (seconds / HALF_LIFE)
        self._done = self._done * fade + done
        self._seconds = self._seconds * fade + seconds

    @property
    def per_second(self) -> float:
        """0 when nothing was seen."""
        return self._done / self._seconds if self._seconds else 0.0

    def seconds_left(self, unfinished: int) -> float | None:
        """Expected seconds until so many more are finished; None when nothing moves."""
        if not unfinished:
            return 0.0
        return unfinished / self.per_second if self.per_second > 0 else None

    def range_left(self, unfinished: int) -> tuple[float, float] | None:
        """From when to when so many more will be finished, four times out of five, in seconds.

        None when nothing moves, or has not for so long that there is no telling.

        How long tasks take is meant to differ by as much as it is long (an exponential distribution): what was
        seen of so many, and what is to come of so many others, are each known to the root of their number.
        """
        expected = self.seconds_left(unfinished)
        if expected is None or not unfinished or expected > _NO_END:
            return None
        factor = 1 + _FOUR_OF_FIVE * math.sqrt(1 / max(1.0, self._done) + 1 / unfinished)
        return expected / factor, expected * factor
