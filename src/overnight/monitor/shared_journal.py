"""The journals of many hosts that share a store, read as the one that they are together.

An engine numbers its events by the store and writes them into the journal of its own home. What it had written and the
store had not forgotten yet, the next engine writes once more into its own: the same events under the same numbers.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

from overnight.monitor.agreement import disagreements
from overnight.monitor.segments import Line, lines_after
from overnight.store.contract import Discrepancy, Store

#: Kind of what is wrong with it.
KIND = "shared_journal"


def merged(journals: Sequence[Path]) -> Iterator[Line]:
    """All lines in the order of their numbers, each as often as somebody has written it."""
    yield from (line for _, line in heapq.merge(*map(_placed, journals), key=lambda one: one[0]))


def _placed(journal: Path) -> Iterator[tuple[int, Line]]:
    """Each line with its place; one without a number stands behind the one before it."""
    place = 0
    for line in lines_after(journal, 0):
        place = place if line.seq is None else line.seq
        yield place, line


def audit(store: Store, journals: Sequence[Path]) -> tuple[list[Discrepancy], int]:
    """What does not balance between a store of many hosts and their journals, and how many events are in none of these.

    An event that is missing is no discrepancy: it may stand in a journal that was not given. What the others tell is
    compared with the store only when all are there.

    Args:
        store: Theirs. An engine may work meanwhile.
        journals: The ``events.jsonl`` of as many of their homes as can be read.
    """
    drained = store.journal_seq()
    found, last, missing = [], Line(0, b""), 0
    for line in merged(journals):
        if line.seq is None:
            found.append(_different(f"the line after event {last.seq}", "an event with its number", "something else"))
        elif line.seq == last.seq:
            if line.content != last.content:
                found.append(_different(f"event {line.seq}", "the same in all journals", "another one in one of them"))
        else:
            missing += line.seq - (last.seq or 0) - 1
            last = line
    missing += max(0, drained - (last.seq or 0))
    if found or missing:
        return found, missing
    return disagreements(store, lambda: _once(journals)), 0


def _once(journals: Sequence[Path]) -> Iterator[Line]:
    last: int | None = None
    for line in merged(journals):
        if line.seq != last:
            yield line
        last = line.seq


def _different(what: str, expected: str, found: str) -> Discrepancy:
    return Discrepancy(what=what, expected=expected, found=found, kind=KIND)
