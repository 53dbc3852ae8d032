"""When the engine is done: never, when nothing is left, or when certain tasks are final."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from overnight.core.states import FINAL, TaskState
from overnight.store.contract import Counts, Store

#: States in which a task does not go on by itself.
AT_REST = FINAL | {TaskState.HELD}
#: So many open tasks are looked up in the store whenever somebody has changed it.
FEW = 20_000
_CODES = {state: number for number, state in enumerate(TaskState, start=1)}
_STATES = {number: state for state, number in _CODES.items()}


class Goal(Protocol):
    """Says when the work of an engine is over."""

    def settled(self, task_id: int, state: TaskState) -> None:
        """A task has come to this state."""

    def stirred(self) -> None:
        """Somebody else has changed the store; said at most once a second."""

    def met(self) -> bool:
        """Whether it is reached as far as was told; asked after every turn."""

    def reached(self, counts: Counts) -> bool:
        """Whether the engine may go; asked when nothing runs and it could claim nothing more."""


class Never:
    """Goes on until it is stopped."""

    def settled(self, task_id: int, state: TaskState) -> None:
        """It makes no difference."""

    def stirred(self) -> None:
        """It makes no difference."""

    def met(self) -> bool:
        return False

    def reached(self, counts: Counts) -> bool:  # noqa: ARG002 - the contract's argument
        return False


class QueueEmpty:
    """Done when nothing waits, is pending or runs."""

    def settled(self, task_id: int, state: TaskState) -> None:
        """It makes no difference; the counters know."""

    def stirred(self) -> None:
        """It makes no difference; the counters know."""

    def met(self) -> bool:
        return False  # only the counters know, and they are asked when nothing runs

    def reached(self, counts: Counts) -> bool:
        return counts.unfinished == 0


class TheseAtRest:
    """Done when these tasks are final or held. One byte a task, however they came to rest.

    Args:
        ids: The tasks.
        store: Asked for tasks that a person moved while the engine did not look.
    """

    def __init__(self, ids: Iterable[int], store: Store) -> None:
        self._ids = array("q", sorted(ids))
        self._codes = bytearray(len(self._ids))
        self._store = store
        self.tally: Counter[TaskState] = Counter()

    def settled(self, task_id: int, state: TaskState) -> None:
        position = self._position(task_id)
        if position is None:
            return
        before = self._codes[position]
        if before:
            self.tally[_STATES[before]] -= 1
        self._codes[position] = _CODES[state] if state in AT_REST else 0
        if state in AT_REST:
            self.tally[state] += 1

    def _position(self, task_id: int) -> int | None:
        position = bisect_right(self._ids, task_id) - 1
        return position if position >= 0 and self._ids[position] == task_id else None

    @property
    def at_rest(self) -> int:
        """How many have come to rest."""
        return sum(self.tally.values())

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._ids)

    def is_open(self, task_id: int) -> bool:
        """Whether this is one of them, and not known to be at rest."""
        position = self._position(task_id)
        return position is not None and not self._codes[position]

    def stirred(self) -> None:
        if self.total - self.at_rest <= FEW:
            self.look_again()

    def met(self) -> bool:
        return self.at_rest >= self.total

    def reached(self, counts: Counts) -> bool:
        if self.at_rest < self.total and counts.unfinished < self.total - self.at_rest:
            self.look_again()
        return self.met()

    def look_again(self) -> list[int]:
        """Ask the store about those that are not known to be at rest; one that was removed is at rest.

        Returns those that have come to rest.
        """
        open_ids = [self._ids[position] for position, code in enumerate(self._codes) if not code]
        for start in range(0, len(open_ids), 10_000):
            chunk = open_ids[start : start + 10_000]
            states = self._store.states(chunk)
            for task_id in chunk:
                self.settled(task_id, states.get(task_id, TaskState.CANCELLED))
        return [task_id for task_id in open_ids if not self.is_open(task_id)]
