"""What is known of the time after a copy of the store: the journal, and what a damaged store had still to tell it.

Read in one go, in order, each event once. What is missing is noted by its numbers: whoever rebuilds a
store says exactly what he cannot know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from overnight.host.home import Home, past
from overnight.monitor.segments import lines_after
from overnight.monitor.tail import last_seq
from overnight.store.contract import OutboxRow
from overnight.store.sql.redo import Record, read
from overnight.store.sqlite.salvaging import Salvaged

#: Numbers of tasks that are passed over when it is not known which of them were given.
SAFE_DISTANCE = 10_000


class Account(msgspec.Struct):
    """What was read of it so far."""

    #: The last event that is known.
    last: int
    #: Numbers of events that nobody has: first and last of each gap.
    missing: list[tuple[int, int]] = []
    #: Lines without a number.
    strange: int = 0
    #: Given in a time that was undone, and not to be given again.
    fence: int = 0
    last_task_id: int = 0


class Waiting(NamedTuple):
    """Transactions whose events wait for the journal, and the number of the event before the first of them."""

    number: int
    rows: Sequence[OutboxRow]

    @property
    def end(self) -> int:
        """Number of the last event."""
        return self.number + sum(row.count for row in self.rows)

    def beyond(self, last: int) -> Waiting:
        """Those that are not in a journal which ends with this number."""
        number = self.number
        for at, row in enumerate(self.rows):
            if number + row.count > last:
                return Waiting(number, self.rows[at:])
            number += row.count
        return Waiting(number, [])


class Evidence:
    """See the module.

    Args:
        home: Whose.
        salvaged: What a damaged store has still told.
    """

    def __init__(self, home: Home, salvaged: Salvaged) -> None:
        self._home = home
        self._past = past(home)
        self._salvaged = salvaged
        #: What the damaged store had for the journal.
        self._told = Waiting(salvaged.drained or 0, salvaged.rows)
        #: The last event in the journal.
        self.written = last_seq(home.journal)

    @property
    def is_whole(self) -> bool:
        """Whether the outbox was read to its end and goes on where the journal ends."""
        drained = self._salvaged.drained
        return self._salvaged.whole and drained is not None and self._told.end >= self.written >= drained

    def counts(self, position: int) -> bool:
        """Whether a copy with this as its last event is of a time that was not undone."""
        return self._past.holds(position)

    def lines(self, account: Account) -> Iterator[bytes]:
        """All lines after `account.last` that count, which is kept up to date."""
        for line in lines_after(self._home.journal, account.last):
            if line.seq is None:
                account.strange += 1
            elif self._is_next(line.seq, account):
                if self._past.holds(line.seq):
                    yield line.content
                else:
                    _note(read(line.content), account)
        for seq, content in self._salvaged_lines():
            if self._is_next(seq, account):
                yield content

    @staticmethod
    def _is_next(seq: int, account: Account) -> bool:
        if seq <= account.last:
            return False
        if seq > account.last + 1:
            account.missing.append((account.last + 1, seq - 1))
        account.last = seq
        return True

    def _salvaged_lines(self) -> Iterator[tuple[int, bytes]]:
        seq = self._told.number
        for row in self._told.rows:
            for line in row.lines.splitlines():
                seq += 1
                yield seq, b'{"seq":%d,%b\n' % (seq, line[1:])

    def unwritten(self, account: Account, copy: Waiting) -> Waiting:
        """What is known and not in the journal, by transactions: out of the damaged store, or else of the copy.

        Args:
            account: What was read.
            copy: What the copy that is rebuilt has for the journal. It may be newer than what was written there.
        """
        told, own = self._told.beyond(self.written), copy.beyond(self.written)
        if not own.rows or (told.rows and told.number <= own.number):
            return told if told.rows else Waiting(max(account.last, self.written, told.number), [])
        rest = self._told.beyond(own.end)
        if not rest.rows:
            return own
        return Waiting(own.number, [*own.rows, *rest.rows]) if rest.number == own.end else told


def _note(record: Record | None, account: Account) -> None:
    """Numbers that were given in a time that was undone."""
    if record is not None:
        account.fence = max(account.fence, record.fence)
        account.last_task_id = max(account.last_task_id, record.id or 0, record.first_step + record.steps - 1)
