"""The journal as its lines lie on the disk: full segments first, then the file that is still written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from overnight.monitor.tail import SEQ, full_segments, number_of


class Line(NamedTuple):
    """One whole line. `seq` is None when it has no number, and so is no event."""

    seq: int | None
    content: bytes


def lines_after(journal: Path, seq: int) -> Iterator[Line]:
    """All lines whose number is above `seq`, and those without one among them; a torn last line is left out.

    For a journal that nobody writes at the moment.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        seq: The last event that is known.
    """
    for path in [*(one for one in full_segments(journal) if number_of(one) > seq), journal]:
        try:
            with path.open("rb") as file:
                yield from _of_file(file, seq)
        except FileNotFoundError:
            continue


def _of_file(lines: Iterator[bytes], seq: int) -> Iterator[Line]:
    for content in lines:
        if not content.endswith(b"\n"):
            return
        found = SEQ.match(content)
        if found is None:
            yield Line(None, content)
        elif int(found[1]) > seq:
            yield Line(int(found[1]), content)
