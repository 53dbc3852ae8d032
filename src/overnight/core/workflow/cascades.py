"""How a workflow task and its steps move together: what is done to one, and what it means for the others.

One table for everything that reaches from a task to its steps (`CASCADES`), and a few rules for the
way back. A failure flows along the edges and no further: what comes after a failed step fails with
reason ``dependency``, what does not goes on, for it has been begun and may be worth something.

A workflow task is RUNNING while one of its steps can move by itself. When none can and some are held, it
is HELD: only a person can help. Its steps may only be claimed while it is RUNNING; what a person lets go
on before then is WAITING for nothing but the task to be claimed again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from overnight.core.states import Cause, Reason, TaskState, check
from overnight.core.workflow.model import OnFailure


class Posture(StrEnum):
    """Where a step is, as far as a cascade cares."""

    #: Waiting for other steps.
    BLOCKED = "blocked"
    #: Waiting for a time, or for its task to be claimed again.
    LATER = "later"
    READY = "ready"
    RUNNING = "running"
    HELD = "held"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_SIMPLE = {
    TaskState.PENDING: Posture.READY,
    TaskState.RUNNING: Posture.RUNNING,
    TaskState.HELD: Posture.HELD,
    TaskState.COMPLETED: Posture.COMPLETED,
    TaskState.FAILED: Posture.FAILED,
    TaskState.CANCELLED: Posture.CANCELLED,
}


def posture(state: TaskState, *, blockers: int) -> Posture:
    """The posture of a step. `blockers`: how many others it still waits for."""
    if state is TaskState.WAITING:
        return Posture.BLOCKED if blockers else Posture.LATER
    return _SIMPLE[state]


class Wish(StrEnum):
    """What is done to a workflow task as a whole."""

    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    #: Its time is over.
    DEADLINE = "deadline"


class Move(NamedTuple):
    """What becomes of a step: a legal step of its state, or a question to the engine about its attempt."""

    cause: Cause
    target: TaskState
    #: The engine is asked to end its attempt; that makes it `target`.
    asks: bool = False


_P, _S, _C = Posture, TaskState, Cause
_CANCEL = {
    _P.BLOCKED: Move(_C.CANCEL, _S.CANCELLED),
    _P.LATER: Move(_C.CANCEL, _S.CANCELLED),
    _P.READY: Move(_C.CANCEL, _S.CANCELLED),
    _P.HELD: Move(_C.CANCEL, _S.CANCELLED),
    _P.RUNNING: Move(_C.CANCEL, _S.CANCELLED, asks=True),
}

#: What is not here stays as it is. A retry also revives everything that comes after what it revives.
CASCADES: dict[Wish, dict[Posture, Move]] = {
    Wish.CANCEL: _CANCEL,
    Wish.DEADLINE: _CANCEL,
    Wish.HOLD: {
        # What is blocked cannot move while the others are held.
        _P.LATER: Move(_C.HOLD, _S.HELD),
        _P.READY: Move(_C.HOLD, _S.HELD),
        _P.RUNNING: Move(_C.HOLD, _S.HELD, asks=True),
    },
    Wish.RELEASE: {_P.HELD: Move(_C.RELEASE, _S.WAITING)},
    Wish.RETRY: {
        _P.FAILED: Move(_C.REVIVE, _S.WAITING),
        _P.CANCELLED: Move(_C.REVIVE, _S.WAITING),
    },
}

_STATES = {value: key for key, value in _SIMPLE.items()} | {_P.BLOCKED: _S.WAITING, _P.LATER: _S.WAITING}
for _moves in CASCADES.values():
    for _posture, _move in _moves.items():
        check(_STATES[_posture], _move.cause, _move.target)


def lets_go_on(state: TaskState, reason: Reason | None, on_failure: OnFailure) -> bool:
    """Whether what waits for a step may go on, now that the step has ended like this.

    A step that failed because another one did passes that on, whatever it says of its own failures.
    """
    if state is TaskState.COMPLETED:
        return True
    return state is TaskState.FAILED and reason is not Reason.DEPENDENCY and on_failure is OnFailure.CONTINUE


class Tally(NamedTuple):
    """How the steps of a task stand: `open` are not finished, `moving` of these can move by themselves.

    Counted are causes, not what followed from them: `failed` are steps that failed by themselves and stop the
    task, `warned` those that failed and do not, `cancelled` those that a person cancelled.
    """

    open: int
    moving: int
    failed: int = 0
    warned: int = 0
    cancelled: int = 0


def standing_of(tally: Tally) -> TaskState:
    """What a workflow task is, by its steps."""
    if tally.open:
        return TaskState.RUNNING if tally.moving else TaskState.HELD
    if tally.failed:
        return TaskState.FAILED
    return TaskState.CANCELLED if tally.cancelled else TaskState.COMPLETED
