"""The journal as its lines lie on the disk: full segments first, then the file that is still written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from overnight.host.files import is_at
from overnight.monitor.tail import SEQ, full_segments, number_of


class Line(NamedTuple):
    """One whole line. `seq` is None when it has no number, and so is no event."""

    seq: int | None
    content: bytes


def lines_after(journal: Path, seq: int) -> Iterator[Line]:
    """All lines whose number is above `seq`, and those without one among them; a torn last line is left out.

    For a journal that nobody writes at the moment; else see `whole`.

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


def segments_before(live: BinaryIO | None, journal: Path) -> Iterator[Path]:
    """The full segments before an open journal: it may have been set aside since, and what follows it, too."""
    for segment in full_segments(journal):
        if live is not None and is_at(segment, live.fileno()):
            return
        yield segment


def whole(journal: Path) -> Iterator[tuple[str, bytes]]:
    """All lines and where they stand, as of one moment; an engine may write and set segments aside meanwhile.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
    """
    with ExitStack() as stack:
        try:
            live = stack.enter_context(journal.open("rb"))
        except FileNotFoundError:
            live = None
        for segment in segments_before(live, journal):
            with segment.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield f"{segment.name}:{number}", line
        for number, line in enumerate(live or (), 1):
            if not line.endswith(b"\n"):
                return  # on its way
            yield f"{journal.name}:{number}", line


def lines(journal: Path) -> Iterator[Line]:
    """The same as lines, with their numbers. Only what is whole has one."""
    for _, content in whole(journal):
        found = SEQ.match(content) if content.endswith(b"}\n") else None
        yield Line(int(found[1]) if found else None, content)
