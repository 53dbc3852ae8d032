"""What callers ask a store by, and what it answers about itself; `store.contract` has the operations."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from overnight.core.claims import Lane
from overnight.core.states import TaskState
from overnight.core.storms import Storm


class Verb(StrEnum):
    """What a person does to tasks."""

    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"


class Selector(msgspec.Struct, frozen=True):
    """Which tasks. All that is given must match; nothing given matches nothing, unless `everything`.

    Steps of workflows are meant only where their ids are given, the runner's own tasks where ids or their queue are.
    """

    ids: tuple[int, ...] = ()
    queue: str | None = None
    workflow: str | None = None
    states: tuple[TaskState, ...] = ()
    #: Fingerprint of the error.
    cause: str | None = None
    everything: bool = False


class Queue(msgspec.Struct, frozen=True):
    """A named line of tasks. `slots` None: no limit of its own. `rate` is starts a second."""

    name: str
    slots: int | None = None
    rate: float | None = None
    paused: bool = False
    #: POSIX seconds; the pause ends by itself then.
    paused_until: float | None = None


class Control(msgspec.Struct, frozen=True):
    """Something a person asks of the engine: cancel or hold a running task, stop, checkpoint ..."""

    id: int
    verb: str
    task_id: int | None
    argument: str
    by: str
    at: float


class Orders(msgspec.Struct, frozen=True):
    """Everything that people have laid down for the engine."""

    lanes: list[Lane]
    queues: list[Queue]
    controls: list[Control]
    #: Names of the workflows by which tasks can be begun.
    workflows: frozenset[str] = frozenset()
    storms: list[Storm] = []
    #: When the first schedule is due, POSIX seconds; None when none is.
    next_firing: float | None = None


class Popped(msgspec.Struct, frozen=True):
    """A running task that a program outside the engine has taken, and that is its owner's to settle."""

    task_id: int
    attempt: int
    action_id: int
    queue: str
    input: bytes
    #: "pid:start:boot" of the process.
    owner: str
    claimed_at: float
    failures: int
    deaths: int


class Counts(msgspec.Struct, frozen=True):
    """How many top-level tasks are in each state, `steps` for children, `removed` for cleaned ones.

    The runner's own tasks are counted only by the name of their queue.
    """

    waiting: int = 0
    pending: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    held: int = 0
    steps: dict[str, int] = {}
    removed: int = 0
    #: Of those that run: popped by programs outside the engine, and theirs to end.
    popped: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.pending + self.running + self.completed + self.failed + self.cancelled + self.held

    @property
    def unfinished(self) -> int:
        """What work is left: waiting, pending and running."""
        return self.waiting + self.pending + self.running


class Query(msgspec.Struct, frozen=True):
    """Which tasks a listing shows, newest first; `before` is the id of the last one seen."""

    states: tuple[TaskState, ...] = ()
    queue: str | None = None
    workflow: str | None = None
    cause: str | None = None
    before: int | None = None
    #: Only ids from this one on, all of them looked at: what that takes is known, whatever is looked for.
    down_to: int | None = None
    limit: int = 100
    #: Only the steps of this task.
    parent: int | None = None
    #: Steps, too; else only tasks that are none.
    steps: bool = False
    #: The runner's own tasks, too; else only with the name of their queue.
    own: bool = False
    #: Only tasks whose title or input has these words in it, capitals or not.
    words: str = ""
