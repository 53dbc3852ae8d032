"""The journals of many hosts that share a store, read as the one that they are together.

An engine numbers its events by the store and writes them into the journal of its own home. What it had written and the
store had not forgotten yet, the next engine writes once more into its own: the same events under the same numbers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from overnight.monitor.agreement import disagreements
from overnight.monitor.segments import Line, lines
from overnight.store.contract import Discrepancy, Store

#: Kind of what is wrong with it.
KIND = "shared_journal"


def merged(journals: Sequence[Path]) -> Iterator[Line]:
    """All lines in the order of their numbers, each as often as somebody has written it."""
    yield from (line for _, line in heapq.merge(*map(_placed, journals), key=lambda one: one[0]))


def _placed(journal: Path) -> Iterator[tuple[int, Line]]:
    """Each line with its place; one without a number stands behind the one before it."""
    place = 0
    for line in lines(journal):
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
    found: list[Discrepancy] = []
    last = missing = 0
    for seq, _ in _events(journals, found.append):
        missing += seq - last - 1
        last = seq
    missing += max(0, drained - last)
    if found or missing:
        return found, missing
    return disagreements(store, lambda: (line for _, line in _events(journals, lambda _: None))), 0


def lacking(missing: int) -> Discrepancy:
    """What an event that is missing is when the journals of all homes were given."""
    return _different("the number of events that stand in none of these journals", "0", str(missing))


def _events(journals: Sequence[Path], tell: Callable[[Discrepancy], None]) -> Iterator[tuple[int, Line]]:
    """Each event once, in the order of their numbers. `tell`: called with what keeps the journals from being one."""
    last, content = 0, b""
    for line in merged(journals):
        if line.seq is None:
            tell(_different(f"the line after event {last}", "an event with its number", "something else"))
        elif line.seq < last:
            tell(_different(f"the event after event {last} in one of the journals", "a later one", f"event {line.seq}"))
        elif line.seq > last:
            last, content = line.seq, line.content
            yield last, line
        elif line.content != content:
            tell(_different(f"event {last}", "the same in all journals", "another one in one of them"))


def _different(what: str, expected: str, found: str) -> Discrepancy:
    return Discrepancy(what=what, expected=expected, found=found, kind=KIND)
