"""Whether the books balance: the store with itself, the journal with its own numbers, and both with each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from overnight.monitor.agreement import disagreements
from overnight.monitor.segments import lines, whole
from overnight.monitor.tail import SEQ
from overnight.store.contract import Discrepancy, Store

Finding = Discrepancy
#: Kind of what is wrong with the journal itself.
KIND = "journal"


def audit(store: Store, journal: Path, *, holds: Callable[[int], bool] = lambda _: True) -> list[Finding]:
    """Everything that does not balance; [] when all does. Reads only.

    Args:
        store: The store of a home.
        journal: Its ``events.jsonl``; full segments lie beside it.
        holds: Whether the event of a number counts: a rollback undoes some.
    """
    # The number first: the journal only grows, so what it must have is what it had to have before it was read.
    drained = store.journal_seq()
    gaps = _gaps(journal, drained)
    # What a journal with gaps tells otherwise follows from the gaps.
    return [*store.recount(), *(gaps or disagreements(store, lambda: lines(journal), holds))]


def _gaps(journal: Path, drained: int) -> list[Finding]:
    """Numbers that are missing or repeated, and lines that are no events."""
    findings: list[Finding] = []
    seq: int | None = None
    for where, line in whole(journal):
        match = SEQ.match(line)
        if match is None or not line.endswith(b"}\n"):
            findings.append(Finding(where, "an event with its number", "something else", KIND))
            continue
        if seq is not None and int(match[1]) != seq + 1:
            findings.append(Finding(where, f"event {seq + 1}", f"event {int(match[1])}", KIND))
        seq = int(match[1])
    if (seq or 0) < drained and (seq or journal.exists()):
        findings.append(Finding("the newest event in the journal", f"at least {drained}", str(seq or 0), KIND))
    return findings
