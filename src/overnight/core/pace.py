"""How much work to hand out at a time.

Group commit is the whole game: at one task a transaction the disk's sync is everything, at a
hundred it is nothing. So tiny tasks are claimed by the hundred and long ones singly, which keeps
priorities honest, leaves work for other slots, and makes a crash touch few attempts.

A slot holds up to one and a half times `AHEAD` seconds of expected work: what it runs and what it will
run next. A lane of which nothing is known yet, or whose tasks take longer than `LONG`, gives a slot
one task. What was expected to be tiny and is not is found out by `STUCK`: what waits behind it goes
to other slots.
"""

from __future__ import annotations

import math

#: Seconds of expected work that a slot may hold: one batch running, one to follow.
AHEAD = 0.05
#: A task of this many seconds or more is never queued behind another one.
LONG = 0.05
#: Seconds that a task with others behind it may run before these are given to other slots.
STUCK = 0.5
#: Attempts at which a slot takes no more, however short they are. The marks have room for 1024.
MOST_IN_A_SLOT = 512
#: So many of the last attempts a slot is given in any case.
LAST_IN_A_SLOT = 8
#: Share of the newest duration in the running mean; a long one counts in full at once.
WEIGHT = 0.1


class Pace:
    """What is known of the durations of each lane, in seconds.

    Args:
        ahead: Whether tasks may be handed out before a slot is free for them.
    """

    def __init__(self, *, ahead: bool = True) -> None:
        self._ahead = ahead
        self._means: dict[int, float] = {}
        self._single: set[int] = set()

    def saw(self, lane: int, seconds: float) -> None:
        """An attempt of `lane` took this long."""
        mean = self._means.get(lane)
        if mean is None or (seconds >= LONG > mean):
            self._means[lane] = seconds
        else:
            self._means[lane] = mean + WEIGHT * (seconds - mean)

    def never_ahead(self, lane: int) -> None:
        """Tasks of this lane must not be handed out before a slot is free for them."""
        self._single.add(lane)

    def cost(self, lane: int) -> float:
        """Expected seconds of a task of this lane; `AHEAD` when it must have a slot for itself."""
        mean = self._means.get(lane)
        if not self._ahead or mean is None or mean >= LONG or lane in self._single:
            return AHEAD
        return max(mean, AHEAD / MOST_IN_A_SLOT)

    def forget(self, lanes: set[int]) -> None:
        """Drop what is known of lanes that are not in `lanes`."""
        self._means = {lane: mean for lane, mean in self._means.items() if lane in lanes}
        self._single &= lanes


def batch_room(load: float, outstanding: int) -> float:
    """Seconds of work that a slot with this load may be given: a whole `AHEAD`, or nothing.

    A slot that holds more than half of what it may is left alone: topping it up task by task would
    make every transaction a small one. One that holds less takes a whole share, so that a long task
    waits behind half a share of tiny ones at the most, and not until they have run out.
    """
    return AHEAD if outstanding < MOST_IN_A_SLOT and (not outstanding or load <= AHEAD / 2) else 0.0


def share_of(left: int, in_hand: int, least: int) -> int:
    """How many of the last `left` tasks that can start to hand out now, while `in_hand` are under way.

    So many that one half of all is under way, and then half of the rest, down to `least`. Tiny tasks end
    faster than their outcomes are written: whatever waits for the last of them waits until the outcomes
    of all that were under way with it are on the disk, so these should be few.
    """
    return min(left, max(least, (left + in_hand) // 2 - in_hand))


class Allowance:
    """A rate limit: at most `rate` starts a second, with a second's worth saved up at the most."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._saved = 1.0
        self._at = now

    def available(self, now: float) -> int:
        """How many starts are allowed at monotonic `now`."""
        self._saved = min(max(self.rate, 1.0), self._saved + self.rate * max(0.0, now - self._at))
        self._at = now
        return math.floor(self._saved + 1e-9)

    def spend(self, starts: int) -> None:
        """So many were started."""
        self._saved -= starts

    def next_at(self) -> float | None:
        """Monotonic seconds when the next start is allowed; None when one was at the last look."""
        return None if self._saved >= 1 - 1e-9 else self._at + (1 - self._saved) / self.rate
