"""When the engine is done: never, when nothing is left, or when certain tasks are final.

A goal may also be given up: it is told of every task that ends, so it knows when too many have failed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

from overnight.core.halting import Halt, after_failures
from overnight.core.states import FINAL, TaskState
from overnight.core.stopping import Ask
from overnight.store.contract import Counts, Store

#: States in which a task does not go on by itself.
AT_REST = FINAL | {TaskState.HELD}
#: So many open tasks are looked up in the store whenever somebody has changed it; more, when nothing runs then.
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

    def ahead(self) -> bool:
        """Whether tasks may be handed out before a slot is free for them, whatever fails meanwhile."""

    def given_up(self, failing: Sequence[int]) -> Ask | None:
        """How to stop because it is not worth going on; None to go on.

        Asked before the failures of these tasks are written, so that nothing more is claimed with them.
        """

    def reached(self, counts: Counts) -> bool:
        """Whether the engine may go; asked when it runs nothing and could claim nothing more.

        What other programs have popped (`counts.popped`) is not waited for: one that hangs would keep the
        night from ending.
        """

    def leaves_to_people(self) -> bool:
        """Whether the engine may go when all that is left waits for what is held, which only a person lets go on."""


class Never:
    """Goes on until it is stopped."""

    def settled(self, task_id: int, state: TaskState) -> None:
        """It makes no difference."""

    def stirred(self) -> None:
        """It makes no difference."""

    def met(self) -> bool:
        return False

    def ahead(self) -> bool:
        return True

    def given_up(self, failing: Sequence[int]) -> Ask | None:  # noqa: ARG002 - the contract's argument
        return None

    def reached(self, counts: Counts) -> bool:  # noqa: ARG002 - the contract's argument
        return False

    def leaves_to_people(self) -> bool:
        return False


class QueueEmpty:
    """Done when everything is finished but for what other programs have popped; the counters know.

    Args:
        halt: How many failures are too many; None for any number.
        total: How many tasks there are, for a share of them.
    """

    def __init__(self, halt: Halt | None = None, total: int = 0) -> None:
        self._halt = halt
        self._total = total
        self._failed = 0

    def settled(self, task_id: int, state: TaskState) -> None:  # noqa: ARG002 - the contract's argument
        self._failed += state is TaskState.FAILED

    def stirred(self) -> None:
        """It makes no difference; the counters know."""

    def met(self) -> bool:
        return False  # only the counters know, and they are asked when nothing runs

    def ahead(self) -> bool:
        return self._halt is None

    def given_up(self, failing: Sequence[int]) -> Ask | None:
        return after_failures(self._halt, self._failed + len(failing), self._total)

    def reached(self, counts: Counts) -> bool:
        return counts.unfinished == counts.popped

    def leaves_to_people(self) -> bool:
        return True


class Endless(QueueEmpty):
    """Goes on until it is stopped, or too many have failed."""

    def reached(self, counts: Counts) -> bool:  # noqa: ARG002 - the contract's argument
        return False

    def leaves_to_people(self) -> bool:
        return False


class TheseAtRest:
    """Done when these tasks are final, held, or popped by other programs. One byte a task, however they came to rest.

    Args:
        ids: The tasks.
        store: Asked for tasks that a person moved while the engine did not look.
        halt: How many failures are too many; None for any number.
    """

    def __init__(self, ids: Iterable[int], store: Store, halt: Halt | None = None) -> None:
        self._ids = array("q", sorted(ids))
        self._codes = bytearray(len(self._ids))
        self._store = store
        self._halt = halt
        #: Whether somebody has changed the store since it was asked about all of them.
        self._stirred = False
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

    def includes(self, task_id: int) -> bool:
        """Whether this is one of them."""
        return self._position(task_id) is not None

    def is_open(self, task_id: int) -> bool:
        """Whether this is one of them, and not known to be at rest."""
        position = self._position(task_id)
        return position is not None and not self._codes[position]

    def stirred(self) -> None:
        self._stirred = True
        if self.total - self.at_rest <= FEW:
            self.look_again()

    def met(self) -> bool:
        return self.at_rest >= self.total

    def ahead(self) -> bool:
        return self._halt is None

    def given_up(self, failing: Sequence[int] = ()) -> Ask | None:
        more = sum(map(self.is_open, failing))
        if self.at_rest + more >= self.total:
            return None  # there is nothing left to give up
        return after_failures(self._halt, self.tally[TaskState.FAILED] + more, self.total)

    def reached(self, counts: Counts) -> bool:
        left = self.total - self.at_rest
        if left and (self._stirred or counts.unfinished < left):
            self.look_again()
        return self.met() or (counts.popped > 0 and self.left_to_others())

    def leaves_to_people(self) -> bool:
        return True

    def left_to_others(self) -> bool:
        """Whether everything that is open has been popped by programs outside the engine."""
        return self.popped() >= self.total - self.at_rest

    def popped(self) -> int:
        """How many of the open ones programs outside the engine have popped."""
        return sum(self.is_open(one.task_id) for one in self._store.popped())

    def open_ids(self) -> list[int]:
        """Those that are not known to be at rest."""
        return [self._ids[position] for position, code in enumerate(self._codes) if not code]

    def look_again(self) -> list[int]:
        """Ask the store about those that are not known to be at rest; one that was removed is at rest.

        Returns those that have come to rest.
        """
        self._stirred = False
        open_ids = self.open_ids()
        rested = []
        for start in range(0, len(open_ids), 10_000):
            chunk = open_ids[start : start + 10_000]
            states = self._store.states(chunk)
            for task_id in chunk:
                state = states.get(task_id, TaskState.CANCELLED)
                if state in AT_REST:
                    self.settled(task_id, state)
                    rested.append(task_id)
        return rested
