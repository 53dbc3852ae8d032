"""What happened meanwhile, read from the journal as it grows: what is worth telling, and when attempts ran.

Most lines of a journal tell of one task each. What a person wants to know in the morning are the others:
engines that came and went, storms, gates, checkpoints. Both are kept in memory as far as they are the
newest, so that a night of a million tasks takes as much room as one of a hundred thousand.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from overnight.core.event_names import EventName as E
from overnight.core.incidents import Noted, noted
from overnight.core.states import Outcome
from overnight.monitor.report.journal import instant_of
from overnight.monitor.tail import JournalTail

#: Lines that are taken in at one go: some 20 ms.
PORTION = 4000
#: What is remembered.
MOST_INCIDENTS, MOST_SPELLS = 2000, 200_000
_NAME = re.compile(rb'"event":"([a-z_]+)"')
#: What is worth telling although it is about one task: a person did it, or waits to.
_TOLD = frozenset(
    one.value
    for one in E
    if not one.value.startswith(("file_", "step_")) and one not in (E.LATE_RESULT_REFUSED, E.WORKFLOW_DEFINED)
)
#: How an attempt ended, in one byte.
OUTCOMES = ("completed", "failed", "cancelled", "interrupted", "lost", "recalled", "postponed")


class Told(msgspec.Struct, frozen=True):
    """An event worth telling. `at`: POSIX seconds; `facts`: its fields; `note`: what `core.incidents` wants of it."""

    seq: int
    at: float
    name: str
    facts: dict[str, Any]
    note: Noted | None


class Spell(NamedTuple):
    """One attempt that has ended: when (POSIX seconds), as what, and where. `slot` -1: not known."""

    task_id: int
    attempt: int
    began: float
    ended: float
    outcome: str
    slot: int


class _Ending(msgspec.Struct, frozen=True, gc=False):
    id: int = 0
    attempt: int = 0
    at: datetime | None = None
    outcome: str | None = None
    started_at: datetime | None = None
    seconds: float = 0.0

    def ended(self, began: float) -> float:
        """When. How long one took that was lost with its engine nobody knows: until then, at most."""
        if self.outcome == Outcome.LOST and not self.seconds and self.at is not None:
            return max(began, self.at.timestamp())
        return began + self.seconds


class _Spells:
    """Attempts in the order in which they ended, as columns of numbers: 29 bytes each."""

    def __init__(self) -> None:
        self.ended, self.began = array("d"), array("d")
        self.task, self.attempt = array("q"), array("i")
        self.outcome, self.slot = array("b"), array("h")
        #: Nothing was let go.
        self.is_whole = True

    def counts(self, since: float) -> tuple[int, int] | None:
        first = bisect_left(self.ended, since)
        if not self.is_whole and not first:
            return None
        ended = self.outcome[first:]
        return ended.count(OUTCOMES.index("completed")), ended.count(OUTCOMES.index("failed"))

    def add(self, spell: Spell) -> None:
        self.task.append(spell.task_id)
        self.attempt.append(spell.attempt)
        self.began.append(spell.began)
        self.ended.append(spell.ended)
        self.outcome.append(OUTCOMES.index(spell.outcome) if spell.outcome in OUTCOMES else 1)
        self.slot.append(spell.slot)

    def trim(self, most: int) -> None:
        """Let the oldest go when there are a tenth too many."""
        over = len(self.ended) - most
        if over > most // 10:
            self.is_whole = False
            for column in (self.ended, self.began, self.task, self.attempt, self.outcome, self.slot):
                del column[:over]

    def at(self, index: int) -> Spell:
        return Spell(
            self.task[index],
            self.attempt[index],
            self.began[index],
            self.ended[index],
            OUTCOMES[self.outcome[index]],
            self.slot[index],
        )


class Incidents:
    """Follows a journal.

    Args:
        tail: Where it stands.
        slots_of: See `Store.slots_of`.
    """

    def __init__(self, tail: JournalTail, slots_of: Callable[[Iterable[int]], Mapping[tuple[int, int], int]]) -> None:
        self._tail = tail
        self._slots_of = slots_of
        self._told: deque[Told] = deque(maxlen=MOST_INCIDENTS)
        self._spells = _Spells()
        self._decode = msgspec.json.Decoder(_Ending).decode
        self._last = b""

    @property
    def seq(self) -> int:
        """The last event that was read."""
        return self._tail.seq

    @property
    def began(self) -> float | None:
        """Since when attempts are remembered, POSIX seconds; None when there are none."""
        return self._spells.began[0] if self._spells.began else None

    def news(self) -> bool:
        """Take in the next portion; whether there may be more at once."""
        seen = 0
        endings: list[_Ending] = []
        for raw in islice(self._tail.lines(), PORTION):
            seen += 1
            if b'"outcome":' in raw:
                endings += self._ending(raw)
            elif (found := _NAME.search(raw, 0, 80)) and found[1].decode() in _TOLD:
                self._tell(raw)
            self._last = raw
        self._remember(endings)
        return seen == PORTION

    @property
    def last_at(self) -> float | None:
        """When the last event of all happened."""
        return instant_of(self._last)

    def told(self) -> list[Told]:
        """What is worth telling, oldest first."""
        return list(self._told)

    def ended(self, since: float) -> tuple[int, int] | None:
        """How many attempts completed and failed since (POSIX seconds); None where they are remembered no more."""
        return self._spells.counts(since)

    def spells(self, since: float, until: float) -> Iterable[Spell]:
        """Attempts that touch a period, in the order in which they ended; what runs for long ends late."""
        ended = self._spells.ended
        for index in range(bisect_left(ended, since), len(ended)):
            if self._spells.began[index] < until:
                yield self._spells.at(index)

    def _ending(self, raw: bytes) -> list[_Ending]:
        try:
            one = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return []
        return [one] if one.started_at is not None and one.outcome else []

    def _remember(self, endings: list[_Ending]) -> None:
        slots = self._slots_of({one.id for one in endings})
        for one in endings:
            assert one.started_at is not None  # noqa: S101 - the others were left out
            began = one.started_at.timestamp()
            slot = slots.get((one.id, one.attempt), -1)
            self._spells.add(Spell(one.id, one.attempt, began, one.ended(began), one.outcome or "", slot))
        self._spells.trim(MOST_SPELLS)

    def _tell(self, raw: bytes) -> None:
        try:
            fields = msgspec.json.decode(raw)
            at = datetime.fromisoformat(fields.pop("at")).timestamp()
            name, seq = fields.pop("event"), fields.pop("seq")
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError):
            return  # damaged, or another one's
        note = noted(fields, name=name, at=at, before=instant_of(self._last))
        self._told.append(Told(seq, at, name, fields, note))
