"""Outcomes on their way: written by a worker before its end mark, read when the worker cannot tell any more.

One worker writes, to two files in turn. It changes over when a file is full and everything in the
other one has been committed by the engine, so they stay small however long the night is. Nothing
is synced: the page cache outlives every process, and after the loss of the machine an attempt whose
outcome is gone counts as interrupted.
"""

# ruff: noqa: PTH120 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from overnight.host.files import make_directory

_RECORD = Struct("<II")
#: A file of this size is full.
FULL = 1024 * 1024
ENDINGS = (b".a", b".b")


class Spool:
    """The outcomes of one worker.

    Args:
        prefix: Path without its ending; nobody else's, not even an earlier worker's.
        state: What an earlier process of the same worker knew (see `state`).
    """

    def __init__(self, prefix: bytes, state: list[int] | None = None) -> None:
        make_directory(os.path.dirname(prefix))  # somebody may have taken it away
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if state is None else 0)
        self._files = [os.open(prefix + ending, flags, 0o600) for ending in ENDINGS]
        at, count, committed, size_a, size_b, last_a, last_b = state or [0] * 7
        self._at = at
        #: Outcomes handed out so far.
        self.count = count
        self._committed = committed
        self._sizes = [size_a, size_b]
        #: Number of the last outcome in each file.
        self._last = [last_a, last_b]

    def state(self) -> list[int]:
        """What the next process of this worker must know to go on."""
        return [self._at, self.count, self._committed, *self._sizes, *self._last]

    def append(self, outcome: bytes) -> bool:
        """Write one; False when there is no room, and then it is as if it had not been tried."""
        if self._sizes[self._at] >= FULL and self._last[1 - self._at] <= self._committed:
            self._at = 1 - self._at
            os.ftruncate(self._files[self._at], 0)
            self._sizes[self._at] = 0
        record = _RECORD.pack(len(outcome), zlib.crc32(outcome)) + outcome
        try:
            written = os.pwrite(self._files[self._at], record, self._sizes[self._at])
        except OSError:
            written = 0
        # Counted in any case: the engine counts what it is sent, spooled or not.
        self.count += 1
        if written < len(record):
            return False
        self._sizes[self._at] += len(record)
        self._last[self._at] = self.count
        return True

    def committed(self, count: int) -> None:
        """The engine has committed the first `count` outcomes."""
        self._committed = count


def read(directory: Path, pattern: str) -> Iterator[bytes]:
    """All whole outcomes in the files that match, in no order. Some may have been told already."""
    for path in directory.glob(pattern):
        words = path.read_bytes()
        at = 0
        while at + _RECORD.size <= len(words):
            size, checksum = _RECORD.unpack_from(words, at)
            outcome = words[at + _RECORD.size : at + _RECORD.size + size]
            if len(outcome) < size or zlib.crc32(outcome) != checksum:
                break
            yield outcome
            at += _RECORD.size + size
