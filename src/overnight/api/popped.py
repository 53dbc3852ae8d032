"""Files that programs have popped: whose they are, and what becomes of those whose owner has died."""

from __future__ import annotations

from overnight import wiring
from overnight.core.endings import Evidence, Lost
from overnight.core.verdict import Standing, judge_lost
from overnight.store.contract import Store


def give_back(store: Store, *, now: float) -> int:
    """Put what dead processes had popped back into the queue; returns how much that was.

    A death counts like that of a worker: a file that was there at three of them is held. `now` is
    POSIX seconds.
    """
    gone = [one for one in store.popped() if not wiring.is_alive(one.owner)]
    if not gone:
        return 0
    actions = store.actions({one.action_id for one in gone})
    settlements = [
        judge_lost(
            Lost(
                one.task_id,
                one.attempt,
                Evidence.STARTED,
                worker_died=True,
                started_at=one.claimed_at,
                error=f"process {one.owner.partition(':')[0]}, which had taken it, has ended",
            ),
            Standing(one.failures, one.deaths, actions[one.action_id]),
        )
        for one in gone
    ]
    return len(gone) - len(store.hand_in(settlements, now=now))
