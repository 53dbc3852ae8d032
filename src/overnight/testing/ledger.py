"""What really happened, compared with the books.

The world's ledger says which attempts began, ended and died, whatever any engine believes. Whoever compares
believes the ledger, and never the books with themselves alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.endings import AttemptKey
from overnight.core.states import Outcome
from overnight.core.task import Attempt
from overnight.monitor.segments import lines_after
from overnight.store.contract import Store
from overnight.testing.world import Deed, Line

#: What the books may say of an attempt that never began, and of one that died without a word.
_NEVER_BEGAN = frozenset({Outcome.RECALLED, Outcome.CANCELLED})
_DIED = frozenset({Outcome.LOST, Outcome.CANCELLED})
#: Settled at the same instant is not too early.
_INSTANT = 1e-6


def by_task(ledger: Sequence[Line]) -> dict[int, list[Line]]:
    """The lines of each task, in order."""
    found: dict[int, list[Line]] = defaultdict(list)
    for line in ledger:
        found[line.key.task_id].append(line)
    return found


def of_attempts(store: Store, ledger: Sequence[Line], journal: Path) -> list[str]:
    """Everything in which the attempts on record, the journal and the ledger are at odds; [] when all is well."""
    lines = by_task(ledger)
    books = {task_id: store.attempts(task_id) for task_id in lines}
    found = [
        f"task {task_id}: {words}"
        for task_id, attempts in books.items()
        for words in of_task(lines[task_id], {attempt.number: attempt for attempt in attempts})
    ]
    return found + of_journal(journal, books)


def of_task(lines: Sequence[Line], attempts: Mapping[int, Attempt]) -> Iterator[str]:
    """The same for one task."""
    alive: AttemptKey | None = None
    deeds: dict[int, list[Deed]] = defaultdict(list)
    for line in lines:
        number = line.key.attempt
        deeds[number].append(line.deed)
        if line.deed is Deed.BEGIN:
            if alive:
                yield f"attempt {number} began while {alive.attempt} was alive"
            alive = line.key
        else:
            alive = None
        record = attempts.get(number)
        if record is None:
            yield f"attempt {number} is not on record"
        elif line.deed is Deed.END and record.finished_at < line.at - _INSTANT:
            yield f"attempt {number} was settled before it ended"
    for number, attempt in attempts.items():
        yield from _of_attempt(number, deeds[number], attempt.outcome)


def _of_attempt(number: int, deeds: Sequence[Deed], outcome: Outcome) -> Iterator[str]:
    allowed: Collection[Outcome]
    if not deeds:
        allowed = _NEVER_BEGAN
    elif deeds == [Deed.BEGIN, Deed.KILLED]:
        allowed = _DIED
    elif deeds == [Deed.BEGIN, Deed.END]:
        allowed = frozenset(Outcome) - {Outcome.LOST, Outcome.RECALLED}
    else:
        allowed = ()
    if outcome not in allowed:
        yield f"attempt {number} is {outcome} on record; it really was {', '.join(deeds) or 'never begun'}"


class _Event(msgspec.Struct):
    event: str
    id: int | None = None
    attempt: int | None = None
    steps: int = 0


_decoder = msgspec.json.Decoder(_Event)


def of_journal(journal: Path, books: Mapping[int, Sequence[Attempt]]) -> list[str]:
    """Each attempt of these tasks has one start and one end in the journal."""
    started: Counter[tuple[int, int]] = Counter()
    ended: Counter[tuple[int, int]] = Counter()
    for line in lines_after(journal, 0):
        event = _decoder.decode(line.content)
        if event.event == "late_result_refused" or event.attempt is None or event.steps:
            continue
        if event.id is None or event.id not in books:
            continue
        (started if event.event.endswith("_started") else ended)[event.id, event.attempt] += 1
    expected = Counter((task_id, attempt.number) for task_id, attempts in books.items() for attempt in attempts)
    return [
        f"the journal has other {what} than the store: {sorted((found - expected) + (expected - found))}"
        for what, found in (("starts", started), ("ends", ended))
        if found != expected
    ]
