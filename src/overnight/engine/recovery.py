"""What an earlier engine left open, and what becomes of it.

A crash leaves attempts on record that nobody settled. The executor knows the truth about each of
them, from the marks and the spool that its workers kept: it ended and only its report was lost; it
had begun; or it never began. Nothing is decided before every process of that time was seen dead, so
a second attempt never runs beside the first. What goes on elsewhere is not decided at all: see `Executor.onward`.
"""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.error_rules import Rule
from overnight.core.states import Outcome, TaskState
from overnight.core.verdict import Intent, Settlement, Standing, judge, judge_lost
from overnight.executors.contract import Executor
from overnight.host.fences import Fences, OnlyOurs
from overnight.store.contract import Control, Rested, Store

#: All are of this home.
EVERY = OnlyOurs()
#: Why an attempt of another home will not report any more.
ELSEWHERE = "the engine of another host ended while it ran"

INTENTS = {"cancel": Intent.CANCEL, "hold": Intent.HOLD}


def recover(
    store: Store,
    executor: Executor,
    *,
    fence: int,
    now: float,
    rules: Sequence[Rule] = (),
    ours: Fences | OnlyOurs = EVERY,
) -> list[Settlement]:
    """Open the executor and judge every attempt that was left open, and does not go on.

    Of an attempt of another home nothing is known here but that it may have begun, and that its engine has ended
    before this one could begin.

    Returns:
        One settlement for each that does not go on; the caller writes them in its first turn.
    """
    left = store.left_open()
    actions = store.actions({attempt.action_id for attempt in left})
    intents = wishes(store.orders().controls)
    standings = {
        AttemptKey(attempt.task_id, attempt.attempt): Standing(
            attempt.failures,
            attempt.deaths,
            actions[attempt.action_id],
            attempt.slot,
            intents.get(attempt.task_id),
            attempt.step,
        )
        for attempt in left
    }
    here = {number for number in {attempt.fence for attempt in left} if ours.holds(number)}
    known = [AttemptKey(attempt.task_id, attempt.attempt) for attempt in left if attempt.fence in here]
    elsewhere = [
        Lost(attempt.task_id, attempt.attempt, Evidence.STARTED, error=ELSEWHERE)
        for attempt in left
        if attempt.fence not in here
    ]
    events = [*executor.open(fence=fence, left_open=known), *elsewhere]
    return [
        judge(event, standings[event.key], now=now, rules=rules)
        if isinstance(event, Ended)
        else judge_lost(event, standings[event.key])
        for event in events
    ]


def wishes(controls: Sequence[Control]) -> dict[int, Intent]:
    """What people want of running tasks, by task."""
    return {
        control.task_id: INTENTS[control.verb]
        for control in controls
        if control.task_id is not None and control.verb in INTENTS
    }


def as_settlement(rested: Rested) -> Settlement:
    """What has become of a task without an attempt of its own, as observers are told of it."""
    return Settlement(
        task_id=rested.id,
        attempt=0,
        state=rested.state,
        outcome=_OUTCOMES[rested.state],
        failures=0,
        deaths=0,
        started_at=None,
        reason=rested.reason,
        error=rested.error,
    )


def as_revival(task_id: int) -> Settlement:
    """A task that had failed for good has a new generation, as observers are told of it."""
    return Settlement(
        task_id=task_id,
        attempt=0,
        state=TaskState.PENDING,
        outcome=Outcome.FAILED,
        failures=0,
        deaths=0,
        started_at=None,
    )


def is_revival(settlement: Settlement) -> bool:
    """Whether observers are told that a failed task goes on; no attempt ends like that."""
    return settlement.state is TaskState.PENDING and settlement.outcome is Outcome.FAILED


_OUTCOMES = {
    TaskState.COMPLETED: Outcome.COMPLETED,
    TaskState.FAILED: Outcome.FAILED,
    TaskState.CANCELLED: Outcome.CANCELLED,
    TaskState.HELD: Outcome.INTERRUPTED,
}
