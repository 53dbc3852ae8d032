"""Tasks that programs outside the engine have popped: what becomes of those whose owner has died.

A popped task is its owner's alone, and only the owner says how it ended. When he has died without a
word, somebody has to notice: the engine, about once a second, or the next program that pops.
"""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.endings import Evidence, Lost
from overnight.core.verdict import Settlement, Standing, judge_lost
from overnight.store.contract import Popped, Store

#: Whether the process behind the name of an owner ("pid:start:boot") still lives.
IsAlive = Callable[[str], bool]


def give_back(store: Store, is_alive: IsAlive, *, now: float) -> int:
    """Put what dead processes had popped back into the queue; returns how much that was.

    A death counts like that of a worker: a task that was there at three of them is held. Several
    may do this at once; each task is given back by one of them. `now` is POSIX seconds.
    """
    popped = store.popped()
    dead = {owner for owner in {one.owner for one in popped} if not is_alive(owner)}
    gone = [one for one in popped if one.owner in dead]
    if not gone:
        return 0
    settlements = _judged(store, gone)
    return len(gone) - len(store.hand_in(settlements, now=now))


def _judged(store: Store, gone: list[Popped]) -> list[Settlement]:
    actions = store.actions({one.action_id for one in gone})
    return [
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
