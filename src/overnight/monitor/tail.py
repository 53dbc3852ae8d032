"""Following the journal: every event after a number, as it is written, across rotations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from overnight.host.files import last_line

#: How a line begins.
SEQ = re.compile(rb'^\{"seq":(\d+),')


class JournalTail:
    """Reads ``events.jsonl`` from a number on. Reads only; never misses a line, never gives one twice.

    Args:
        path: The journal of a home.
        after: The last event number that is known already.
    """

    def __init__(self, path: Path, *, after: int = 0) -> None:
        self._path = path
        self._seq = after
        #: Of the file read last, and how far it was read.
        self._inode = self._offset = 0

    @property
    def seq(self) -> int:
        """The last event that is known."""
        return self._seq

    def news(self) -> Iterator[dict[str, Any]]:
        """The events written since the last call, oldest first."""
        for line in self.lines():
            try:
                yield msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # damaged: what it told is looked up in the store

    def lines(self) -> Iterator[bytes]:
        """The same as they are written: for whoever wants little of many."""
        try:
            # Opened before anything is asked about it: it may be set aside at any moment.
            with self._path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if inode != self._inode:
                    yield from self._older(inode)
                self._turn_to(inode)
                yield from self._rest_of(file)
        except FileNotFoundError:
            return  # between two files, or there has never been one

    def _older(self, inode: int) -> Iterator[bytes]:
        """What the full segments have that was not read yet, up to the file `inode`."""
        for path in full_segments(self._path):
            if number_of(path) <= self._seq:
                continue
            with path.open("rb") as file:
                own = os.fstat(file.fileno()).st_ino
                if own == inode:
                    return
                self._turn_to(own)
                yield from self._rest_of(file)

    def _turn_to(self, inode: int) -> None:
        """Another file is read from its beginning; the same one goes on where it was left."""
        if inode != self._inode:
            self._inode, self._offset = inode, 0

    def _goes_on(self, file: BinaryIO) -> bool:
        """Whether the file has what was read of it: it may be emptied, and the next may have the inode of the last."""
        file.seek(self._offset)
        line = file.readline()
        if not line.endswith(b"\n"):
            return os.fstat(file.fileno()).st_size >= self._offset
        found = SEQ.match(line)
        return found is not None and int(found[1]) <= self._seq + 1

    def _rest_of(self, file: BinaryIO) -> Iterator[bytes]:
        if self._offset and not self._goes_on(file):
            self._offset = 0  # what is there that is known tells its numbers
        file.seek(self._offset)
        for line in file:
            if not line.endswith(b"\n"):
                return  # on its way
            self._offset += len(line)
            yield from self._unless_known(line)

    def _unless_known(self, line: bytes) -> Iterator[bytes]:
        found = SEQ.match(line)
        if found and int(found[1]) > self._seq:
            self._seq = int(found[1])
            yield line


def full_segments(journal: Path) -> list[Path]:
    """The files beside ``events.jsonl`` that an engine has set aside when they were full, the oldest first."""
    return sorted(journal.parent.glob("events-*.jsonl"))


def number_of(segment: Path) -> int:
    """The last event in a full segment."""
    return int(segment.stem.rpartition("-")[2])


def last_seq(path: Path) -> int:
    """The number of the newest event in the journal, 0 when there is none."""
    try:
        with path.open("rb") as file:
            line, _ = last_line(file.fileno())
    except FileNotFoundError:
        line = b""
    if found := SEQ.match(line):
        return int(found[1])
    older = max(map(number_of, full_segments(path)), default=0)
    return max(older, _highest(path)) if line else older


def _highest(path: Path) -> int:
    """The highest number in a file whose last line is none of ours."""
    with path.open("rb") as file:
        return max((int(found[1]) for found in map(SEQ.match, file) if found), default=0)
