"""The life of a task: its states, and every way from one to the next.

This is the only file that knows which steps are legal. The store repeats the states in CHECK
constraints and ``docs/lifecycle.md`` draws them; tests compare both with the table below, so
change the table first and follow the red.

A retry is not a state. A task that waits for its second attempt is WAITING with a later
``not_before``: one state fewer to count, and the claim looks only at PENDING.

Four numbers travel with a task and are never mixed up. ``attempt`` rises at every claim and is
the fence that refuses late results. ``failures`` is counted against the retries. ``deaths``
counts workers that died with the task running. ``generation`` rises whenever a finished task is
revived; ``failures`` starts again with it.
"""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is. The values are what the store, the log and ``--json`` show."""

    #: Not eligible yet: parents unfinished, or ``not_before`` lies in the future.
    WAITING = "waiting"
    #: Eligible now; the only state that a claim looks at.
    PENDING = "pending"
    #: Claimed: an attempt is on record and has not been settled.
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    #: Stopped for a person to decide. Leaves only by a person.
    HELD = "held"


#: A task in one of these states is finished; only a revival (a new generation) leaves it.
FINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED})


class Cause(StrEnum):
    """Why a task changes its state."""

    #: Its time has come, and its parents are done.
    DUE = "due"
    CLAIM = "claim"
    SUCCEED = "succeed"
    #: The attempt failed and another one is allowed, later; or the task asked to be tried at a later time.
    RETRY = "retry"
    #: The attempt failed and there will be no other.
    FAIL = "fail"
    #: The attempt was lost, interrupted or recalled; nothing is counted against the task.
    UNCLAIM = "unclaim"
    CANCEL = "cancel"
    #: A person holds it, or it must wait for a person (poison, at-most-once and interrupted).
    HOLD = "hold"
    RELEASE = "release"
    #: A finished task gets a new generation.
    REVIVE = "revive"


S = TaskState
C = Cause

#: Every legal step. What is not here is refused.
STEPS: dict[tuple[TaskState, Cause], frozenset[TaskState]] = {
    (S.WAITING, C.DUE): frozenset({S.PENDING}),
    (S.WAITING, C.CANCEL): frozenset({S.CANCELLED}),
    (S.WAITING, C.HOLD): frozenset({S.HELD}),
    # A parent failed, or a barrier cannot open any more.
    (S.WAITING, C.FAIL): frozenset({S.FAILED}),
    # A condition turned out false: the step is completed with outcome "skipped".
    (S.WAITING, C.SUCCEED): frozenset({S.COMPLETED}),
    # A person asks for a waiting retry now.
    (S.WAITING, C.RELEASE): frozenset({S.PENDING}),
    (S.PENDING, C.CLAIM): frozenset({S.RUNNING}),
    (S.PENDING, C.CANCEL): frozenset({S.CANCELLED}),
    (S.PENDING, C.HOLD): frozenset({S.HELD}),
    # It was given a later time, or a parent.
    (S.PENDING, C.RETRY): frozenset({S.WAITING}),
    (S.RUNNING, C.SUCCEED): frozenset({S.COMPLETED}),
    (S.RUNNING, C.FAIL): frozenset({S.FAILED}),
    (S.RUNNING, C.RETRY): frozenset({S.WAITING}),
    (S.RUNNING, C.UNCLAIM): frozenset({S.PENDING}),
    (S.RUNNING, C.CANCEL): frozenset({S.CANCELLED}),
    (S.RUNNING, C.HOLD): frozenset({S.HELD}),
    (S.COMPLETED, C.REVIVE): frozenset({S.PENDING, S.WAITING}),
    (S.FAILED, C.REVIVE): frozenset({S.PENDING, S.WAITING}),
    (S.CANCELLED, C.REVIVE): frozenset({S.PENDING, S.WAITING}),
    (S.HELD, C.RELEASE): frozenset({S.PENDING, S.WAITING}),
    (S.HELD, C.CANCEL): frozenset({S.CANCELLED}),
}


class IllegalStepError(ValueError):
    """A change of state that the table does not know; always a bug of ours."""

    def __init__(self, state: TaskState, cause: Cause, target: TaskState) -> None:
        super().__init__(f"a {state} task cannot become {target} by {cause}")


def check(state: TaskState, cause: Cause, target: TaskState) -> TaskState:
    """Return `target` when the step is legal.

    Raises:
        IllegalStepError: The table has no such step.
    """
    if target not in STEPS.get((state, cause), ()):
        raise IllegalStepError(state, cause, target)
    return target


def sources(cause: Cause) -> frozenset[TaskState]:
    """The states that `cause` can leave."""
    return frozenset(state for state, why in STEPS if why is cause)


class Reason(StrEnum):
    """Why a task is failed or held."""

    ERROR = "error"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    #: Ended by a signal that was not ours.
    CRASHED = "crashed"
    MEMORY = "memory"
    OUTPUT = "output"
    GATE = "gate"
    DEPENDENCY = "dependency"
    #: Held: it was running at three deaths of its worker.
    POISON = "poison"
    #: Held: it was interrupted and must not simply run again: it may run at most once, or goes on somewhere.
    INTERRUPTED = "interrupted"
    #: Held by a person.
    BY_HAND = "by_hand"


#: What may stand as the reason of a failed task, and of a held one.
FAILED_REASONS = frozenset(Reason) - {Reason.POISON, Reason.INTERRUPTED, Reason.BY_HAND}
HELD_REASONS = frozenset({Reason.POISON, Reason.INTERRUPTED, Reason.BY_HAND})


class Outcome(StrEnum):
    """How one attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    #: A person ended it.
    CANCELLED = "cancelled"
    #: A stop ended it; the task goes back to the queue.
    INTERRUPTED = "interrupted"
    #: Its worker or its engine died while it ran.
    LOST = "lost"
    #: It was claimed and never began.
    RECALLED = "recalled"
    #: The task itself asked to be tried at a later time.
    POSTPONED = "postponed"


class ErrorClass(StrEnum):
    """What kind of failure it was; decides about another attempt."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    RESOURCE = "resource"
    RATE_LIMITED = "rate_limited"
    #: Nothing is known, as with a plain exit 1. Retried like a transient one.
    UNKNOWN = "unknown"
