"""When a failed attempt is followed by another one, and when not.

A retry waits: ``first`` seconds after the first failure, then ``factor`` times as long after each
further one, at most ``longest`` (2, 4, 8 s by default). The wait is on record with the task, so it
outlives every crash, and other tasks go on meanwhile.
"""

from __future__ import annotations

from overnight.core.states import ErrorClass, Reason
from overnight.core.task import Action, Backoff


def delay_after(backoff: Backoff, failures: int) -> float:
    """Seconds to wait after the `failures`-th failure, which counts from 1.

    ``min(longest, first * factor ** (failures - 1))``
    """
    exponent = min(failures - 1, 1000)  # beyond it every factor above 1 has long met `longest`
    try:
        return min(backoff.longest, backoff.first * backoff.factor**exponent)
    except OverflowError:
        return backoff.longest


def retry_at(action: Action, *, failures: int, error_class: ErrorClass, now: float) -> float | None:
    """When the next attempt may start, or None to give up. `failures` includes the one just seen.

    Interruptions, recalls and "try again at T" are no failures and are not in the number.
    """
    if error_class is ErrorClass.PERMANENT or failures > action.retries:
        return None
    return now + delay_after(action.backoff, failures)


def is_wanted(action: Action, reason: Reason, exit_code: int | None) -> bool:
    """Whether this kind of failure is one that the action wants to be tried again for."""
    return not action.retry_on or reason in action.retry_on or f"exit:{exit_code}" in action.retry_on
