"""The journal read backwards, a page at a time: events have rising numbers, so a place is found by halving."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from overnight.monitor.tail import SEQ, full_segments

#: Bytes that one page may read: what is asked for may be rare.
MOST_READ = 16 * 1024 * 1024
_BLOCK = 128 * 1024


def page(
    journal: Path, *, before: int | None, limit: int, wanted: Callable[[bytes], bool]
) -> tuple[list[dict[str, Any]], int | None]:
    """Events whose number is below `before`, newest first, and where the next page begins.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        before: None for the newest.
        limit: At most so many.
        wanted: Looks at a line as it is written, before it is taken apart.
    """
    found: list[dict[str, Any]] = []
    for seq, line in _backwards(journal, before):
        if line is None:
            return found, seq
        if wanted(line) and (event := _decoded(line)) is not None:
            found.append(event)
            if len(found) >= limit:
                return found, seq
    return found, None


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event


def _backwards(journal: Path, before: int | None) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers, the newest first; one without content says that enough was read."""
    left = MOST_READ
    for path in [journal, *reversed(full_segments(journal))]:
        try:
            with path.open("rb") as file:
                end = _place(file, before)
                for line in _lines_before(file, end):
                    found = SEQ.match(line)
                    if found is None:
                        continue
                    left -= len(line)
                    if left < 0:
                        yield int(found[1]) + 1, None
                        return
                    yield int(found[1]), line
        except FileNotFoundError:
            continue


def _place(file: BinaryIO, before: int | None) -> int:
    """Where the first line stands whose number is `before` or above."""
    end = os.fstat(file.fileno()).st_size
    if before is None:
        return end
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        if middle:
            file.readline()
        start = file.tell()
        found = SEQ.match(file.readline())
        if start >= high or found is None:
            high = middle
        elif int(found[1]) < before:
            low = start + 1
        else:
            high = middle
    file.seek(max(0, low - 1))
    if low:
        file.readline()
    return _forward(file, before, end)


def _forward(file: BinaryIO, before: int, end: int) -> int:
    """From a line near the place on to the place itself."""
    while (start := file.tell()) < end:
        found = SEQ.match(file.readline())
        if found is not None and int(found[1]) >= before:
            return start
    return end


def _lines_before(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Whole lines that end at `end` or before, the last one first."""
    rest = b""
    while end > 0:
        size = min(_BLOCK, end)
        end -= size
        file.seek(end)
        parts = (file.read(size) + rest).split(b"\n")
        rest = parts[0]
        yield from (part for part in reversed(parts[1:]) if part)
    if rest:
        yield rest


__all__ = ["MOST_READ", "page"]
