"""What the operations of a store answer with, beside tasks and attempts themselves."""

from __future__ import annotations

import msgspec

from overnight.core.states import Reason, TaskState


class Added(msgspec.Struct, frozen=True):
    """What `add` did: the new ids, in the order of the tasks given."""

    ids: list[int]
    #: With `unique`: the ids of equal tasks that were there already.
    known: list[int] = []
    #: The id of each task given, whether it is new or was there already.
    at: list[int] = []


class Known(msgspec.Struct, frozen=True):
    """An existing task with the identity that was asked for."""

    position: int
    id: int
    state: TaskState
    stamp: str
    #: Whether it is done in the very way that is asked for: options, priority, queue and needs.
    is_as_asked: bool = True


class Survey(msgspec.Struct, frozen=True):
    """What one page of tasks refers to. `last` is the id of its last task; None when there are no more."""

    actions: frozenset[int]
    #: Segments in which outputs of their attempts lie.
    segments: frozenset[str]
    last: int | None


class Forgotten(msgspec.Struct, frozen=True):
    """How many tasks of one page were forgotten, and the id of its last task; None when there are no more."""

    count: int
    last: int | None


class OutboxRow(msgspec.Struct, frozen=True):
    """Events of one transaction: JSON lines without their numbers."""

    id: int
    count: int
    lines: bytes


class Acted(msgspec.Struct, frozen=True):
    """What an action reached: tasks changed at once, and running ones for which the engine was asked."""

    changed: int
    asked: int
    #: The ids touched, changed ones first; at most 10,000.
    ids: list[int]


class Cause(msgspec.Struct, frozen=True):
    """Failed tasks whose errors have one fingerprint. Instants are POSIX seconds."""

    fingerprint: str
    tasks: int
    #: When the first and the last of them was given up.
    first_at: float
    last_at: float
    #: The newest of them, and how it stands there.
    newest_id: int
    error: str
    error_class: str
    reason: Reason | None
    queue: str
    workflow: str


class Discrepancy(msgspec.Struct, frozen=True):
    """Something that does not balance. Always a bug or damage. `kind`: by which comparison it was found."""

    what: str
    expected: str
    found: str
    kind: str = ""
