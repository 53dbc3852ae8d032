"""What the operations need of a database: a connection, transactions, and what a write has to tell at its end.

Each store brings its own behind `Database`; the operations of this folder are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from overnight.core import events
from overnight.store.sql.statements import Connection, Row, run, run_each


class Transaction:
    """What one write has to tell at its end: its events, and by how much the counters moved."""

    __slots__ = ("_connection", "events", "moved", "told")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.events: list[events.Event] = []
        #: How many of them have gone into the outbox.
        self.told = 0
        #: (lane id, 1 for a step, state) -> difference.
        self.moved: dict[tuple[int, int, str], int] = {}

    def move(self, lane_id: int, is_step: int, state: str, by: int) -> None:
        """Note that `by` more tasks (or fewer, when negative) are in this state."""
        key = (lane_id, is_step, state)
        self.moved[key] = self.moved.get(key, 0) + by

    def spill(self, batch: int | None = None) -> None:
        """Write the events gathered so far: to the outbox, or beside the batch that is not published yet."""
        if not self.events:
            return
        lines = events.lines(self.events)
        if batch is None:
            run(self._connection, "add_to_outbox", (len(self.events), lines))
            self.told += len(self.events)
        else:
            run(self._connection, "add_batch_lines", (batch, len(self.events), lines))
        self.events.clear()

    def balance(self) -> None:
        """Apply the differences to the counters."""
        up = [(*key, n) for key, n in self.moved.items() if n > 0]
        down = [(*key, -n) for key, n in self.moved.items() if n < 0]
        if up:
            run_each(self._connection, "count_up", up)
        if down:
            run_each(self._connection, "count_down", down)
        self.moved.clear()


class Database(Protocol):
    """A connection to one store, for one thread."""

    #: Seconds that a write waits for the others.
    patience: float
    #: How many events our writes have put into the outbox so far.
    told: int

    @property
    def connection(self) -> Connection:
        """What statements are run by."""

    def write(self, operation: str, *, check: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction, alone among writers: durable when the block is left and undone when it raises.

        Args:
            operation: Its name, for the hooks.
            check: Make sure, before returning, that what was written to is still what others read.
        """

    def read(self) -> AbstractContextManager[Connection]:
        """A block whose statements all see one state of the store."""

    def understood(self) -> AbstractContextManager[None]:
        """A block in which what the database says of the machine is said in our words."""

    def rows(self, name: str, bindings: Sequence[Any] = ()) -> list[Row]:
        """All rows of a named statement, outside of a write."""

    def unchecked(self) -> AbstractContextManager[None]:
        """A block, around a write, in which no row that is deleted is looked up in others that may refer to it."""

    def ease(self) -> None:
        """Do after a write what need not keep the next one waiting. Never in the way of an answer."""

    def reopen(self) -> None:
        """See `overnight.store.contract.Store.reopen`."""

    def close(self) -> None:
        """Let go; twice is as good as once."""
