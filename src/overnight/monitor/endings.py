"""What became of attempts, read from the journal as it grows: little of many lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import msgspec

from overnight.core.lanes import is_own
from overnight.core.tallies import Ending, Key
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store

#: Lines that are taken in at one go: some 20 ms, so that nothing else waits for long.
PORTION = 4000


class _Line(msgspec.Struct, frozen=True, gc=False):
    """What is wanted of a line. `outcome` is there only when an attempt has ended."""

    at: datetime
    outcome: str | None = None
    id: int = 0
    seconds: float = 0.0
    step: str = ""
    error_class: str | None = None
    fingerprint: str = ""
    #: What its task is now.
    state: str = ""
    #: Only an attempt has one: steps that are skipped and workflow tasks end without.
    started_at: str | None = None


class News(NamedTuple):
    """Attempts that have ended, and whether more of the journal is to be read at once."""

    endings: Sequence[Ending]
    more: bool


class Endings:
    """Follows a journal.

    Args:
        tail: Where it stands.
        store: Knows which queue and workflow a task belongs to.
    """

    def __init__(self, tail: JournalTail, store: Store) -> None:
        self._tail = tail
        self._store = store
        self._decode = msgspec.json.Decoder(_Line).decode

    @property
    def seq(self) -> int:
        """The last event that was read."""
        return self._tail.seq

    def news(self) -> News:
        """The next portion. Attempts that never began are none; those of tasks that are gone have no workflow.

        Attempts at the runner's own tasks are left out.
        """
        seen, found = 0, []
        for raw in islice(self._tail.lines(), PORTION):
            seen += 1
            if (line := self._read(raw)) is not None:
                found.append(line)
        places = self._store.places({line.id for line in found})
        nowhere = ("", "")
        return News(
            [
                Ending(
                    line.at.timestamp(),
                    Key(
                        *places.get(line.id, nowhere),
                        line.step,
                        line.outcome or "",
                        line.error_class or "",
                        line.fingerprint,
                    ),
                    line.seconds,
                )
                for line in found
                if not is_own(places.get(line.id, nowhere)[0])
            ],
            seen == PORTION,
        )

    def _read(self, raw: bytes) -> _Line | None:
        # Most lines tell of something else, and to look for a word is cheaper than to take a line apart.
        if b'"outcome":' not in raw:
            return None
        try:
            line = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return line if line.state and line.started_at else None
