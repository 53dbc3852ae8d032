"""Whether the books balance: the store with itself, and the journal with its own numbers."""

from __future__ import annotations

import re
from pathlib import Path

from overnight.store.contract import Discrepancy, Store

Finding = Discrepancy
_SEQ = re.compile(rb'^\{"seq":(\d+),')


def audit(store: Store, journal: Path) -> list[Finding]:
    """Everything that does not balance; [] when all does. Reads only.

    Args:
        store: The store of a home.
        journal: Its ``events.jsonl``; full segments lie beside it.
    """
    return [*store.recount(), *_gaps(journal, store.journal_seq())]


def _gaps(journal: Path, drained: int) -> list[Finding]:
    """Numbers that are missing, repeated or torn. The last line may be on its way: it may be torn."""
    findings: list[Finding] = []
    seq: int | None = None
    segments = [*sorted(journal.parent.glob("events-*.jsonl")), *([journal] if journal.exists() else [])]
    for segment in segments:
        with segment.open("rb") as file:
            for number, line in enumerate(file, 1):
                match = _SEQ.match(line)
                if match is None or not line.endswith(b"}\n"):
                    if segment == journal and not line.endswith(b"\n"):
                        continue
                    findings.append(Finding(f"{segment.name}:{number}", "an event with its number", "something else"))
                    continue
                if seq is not None and int(match[1]) != seq + 1:
                    findings.append(Finding(f"{segment.name}:{number}", f"event {seq + 1}", f"event {int(match[1])}"))
                seq = int(match[1])
    if segments and (seq or 0) < drained:
        findings.append(Finding("the newest event in the journal", f"at least {drained}", str(seq or 0)))
    return findings
