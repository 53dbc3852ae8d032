"""What a person may change of a task that is still to run, and why another one is left as it is.

An attempt keeps what it was started with, and what has ended has nothing left to run: only what
waits, may start, or is held can be edited. A step is done as the definition says by which its
workflow was begun, and so is a workflow task from its beginning on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from overnight.core.states import FINAL, TaskState
from overnight.core.task import Action

EDITABLE = frozenset({TaskState.WAITING, TaskState.PENDING, TaskState.HELD})


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be different; what is not said stays as it is."""

    priority: int | None = None
    queue: str | None = None
    #: Instead of all that it needed before.
    needs: dict[str, float] | None = None
    #: Whether its time is changed; `not_before` None: it need not wait for a time any more.
    moves: bool = False
    #: POSIX seconds.
    not_before: float | None = None
    #: Fields of its action with their new values: limits, retries.
    action: dict[str, Any] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be different."""
        return self == Change()

    def applied_to(self, action: Action) -> Action:
        """The action as it is to be; what it does (its identity) stays."""
        return msgspec.structs.replace(action, **self.action)


class Left(StrEnum):
    """Why a task is left as it is."""

    RUNNING = "running"
    ENDED = "ended"
    STEP = "step"
    BEGUN = "begun"
    #: What is held has no time to wait for.
    HELD = "held"
    #: What a workflow task needs is a matter of its steps.
    NEEDS = "needs"


class Edited(msgspec.Struct, frozen=True):
    """How many tasks are another way now, and those named by their ids that were left, and why."""

    changed: int
    left: dict[int, Left]


def refusal(state: TaskState, change: Change, *, is_step: bool, is_workflow: bool, is_begun: bool) -> Left | None:
    """Why this change cannot be made to such a task; None when it can."""
    if is_step:
        return Left.STEP
    if is_begun:
        return Left.BEGUN
    if state not in EDITABLE:
        return Left.ENDED if state in FINAL else Left.RUNNING
    if change.moves and state is TaskState.HELD:
        return Left.HELD
    return Left.NEEDS if is_workflow and change.needs is not None else None


def spell_refusal(task_id: int, state: TaskState, left: Left) -> tuple[str, str]:
    """What to tell a person: what is so and what it means for the task, and what to type."""
    sentence, hint = _WORDS[left]
    return f"task {task_id} {sentence.format(state=state)}; it was not changed", hint.format(id=task_id)


_WORDS = {
    Left.RUNNING: (
        "is running, and an attempt keeps what it was started with",
        "'overnight hold {id}' ends the attempt without counting it; edit it then, and 'overnight release {id}'",
    ),
    Left.ENDED: ("is {state} and has nothing left to run", "'overnight retry {id}' queues it once more; edit it then"),
    Left.STEP: (
        "is a step, done as the definition says by which its workflow was begun",
        "'overnight workflow show' names the file; change it there, and 'overnight retry' begins by the new one",
    ),
    Left.BEGUN: (
        "is a workflow that has been begun, and goes on by the definition that it was begun by",
        "'overnight show {id}' lists its steps",
    ),
    Left.HELD: (
        "is held, and starts when it is released and not at a time",
        "'overnight release {id}', and give it a time then",
    ),
    Left.NEEDS: ("is a workflow, and what is needed is a matter of its steps", "leave out --needs"),
}
