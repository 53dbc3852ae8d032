"""What tasks print, kept in a few large files per slot and not in two small ones per task.

A segment is a row of frames: a header that says whose bytes these are, and the bytes as they came.
An attempt lies in one segment, perhaps among frames of nobody. Of a long output the first half of what
is to be kept is written as it comes; from there on the end goes round in two files aside, and when
the attempt ends the second half is taken from them. So neither memory nor disk grows with what a task prints.

A full disk costs output, never a task: what cannot be written is counted as lost.
"""

# ruff: noqa: PTH118, PTH208 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

from overnight.core.task import OutputRef
from overnight.host.files import make_directory

#: task, attempt, stream, POSIX seconds, length of what follows.
HEADER = Struct("<qIBxxxdI")
#: A segment of this size is full; an attempt that has begun in it goes on in it.
FULL = 64 * 1024 * 1024
NAME = "slot-{slot}-{number:06d}.seg"
_NAME = re.compile(r"slot-(\d+)-(\d+)\.seg")
_COUNT = Struct("<Q")


class Stream(IntEnum):
    """What a frame carries."""

    #: Not output: 8 bytes that say how much is left out here.
    GAP = 0
    STDOUT = 1
    STDERR = 2
    #: Not output: the attempt prints no more.
    END = 3


def number_of(name: str, slot: int | None = None) -> int:
    """The number of a segment file; 0 when the name is none, or none of this slot."""
    found = _NAME.fullmatch(name)
    return int(found[2]) if found and slot in (None, int(found[1])) else 0


class Segments:
    """The segments of one slot, written by its keeper.

    Args:
        directory: Where segments lie.
        slot: Counted from 0.
        full: Size at which a segment is full, bytes.
    """

    def __init__(self, directory: str, slot: int, *, full: int = FULL) -> None:
        self._directory = directory
        self._slot = slot
        self._full = full
        make_directory(directory)
        self.number = max((number_of(name, slot) for name in os.listdir(directory)), default=0)
        self._file = -1
        self._size = 0

    def _open_next(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        make_directory(self._directory)  # somebody may have taken it away
        path = os.path.join(self._directory, NAME.format(slot=self._slot, number=self.number + 1))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.number += 1
        self._size = 0

    def room(self) -> int:
        """Where the next frame will begin, in a segment that is not full.

        Raises:
            OSError: No segment can be made.
        """
        if self._file < 0 or self._size >= self._full:
            self._open_next()
        return self._size

    def write(self, frame: bytes) -> bool:
        """Add a frame; False when there is no room on the disk, and then nothing of it is there."""
        if self._file < 0:
            return False
        try:
            written = os.pwrite(self._file, frame, self._size)
        except OSError:
            return False
        if written == len(frame):
            self._size += written
            return True
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._size)
        return False

    def aside(self, which: int) -> str:
        """A file for the end of a long output."""
        return os.path.join(self._directory, f"slot-{self._slot}.tail-{which}")

    @property
    def name(self) -> str:
        """The segment that is being written."""
        return NAME.format(slot=self._slot, number=self.number)


class Recording:
    """The output of one attempt, as it is being written.

    Args:
        segments: Where to.
        task_id: Whose.
        attempt: Whose.
        keep: Bytes to keep: half from the beginning, half from the end.
    """

    def __init__(self, segments: Segments, task_id: int, attempt: int, keep: int) -> None:
        self.key = (task_id, attempt)
        self._segments = segments
        self._head = keep - keep // 2
        self._half = keep // 2
        self._tail: _Tail | None = None
        self._offset = -1
        self._written = 0
        self.printed = 0
        #: Bytes that a full disk has cost.
        self.lost = 0

    def write(self, stream: int, data: bytes, now: float) -> None:
        """Take what was printed."""
        self.printed += len(data)
        head = data[: self._head] if self._head else b""
        if head:
            self._head -= len(head)
            self._put(stream, head, now)
        rest = data[len(head) :] if head else data
        if rest and self._half:
            self._put_aside(stream, rest, now)

    def _put_aside(self, stream: int, data: bytes, now: float) -> None:
        if self._tail is None:
            try:
                self._tail = _Tail(self._segments, self._half)
            except OSError:
                self.lost += len(data)
                return
        self._tail.write(HEADER.pack(*self.key, stream, now, len(data)) + data, len(data))

    def _put(self, stream: int, data: bytes, now: float) -> None:
        if self._offset < 0:
            try:
                self._offset = self._segments.room()
            except OSError:
                self.lost += len(data)
                return
        if self._segments.write(HEADER.pack(*self.key, stream, now, len(data)) + data):
            self._written += len(data)
        else:
            self.lost += len(data)

    def ref(self) -> OutputRef | None:
        """Where it lies, the end that is still aside counted as written; None when nothing was printed."""
        if not self.printed:
            return None
        kept = self._written + (self._tail.kept if self._tail else 0)
        return OutputRef(self._segments.name, max(self._offset, 0), kept, self.printed)

    def end(self, now: float) -> OutputRef | None:
        """It prints no more: bring in its end."""
        ref = self.ref()
        if self._tail is not None:
            gap = self.printed - self.lost - self._written - self._tail.kept
            if gap > 0:
                self._segments.write(HEADER.pack(*self.key, Stream.GAP, now, _COUNT.size) + _COUNT.pack(gap))
            for header, data in self._tail.frames():
                self._put(header[2], data, header[3])
            self._tail.close()
            self._tail = None
        if self._offset >= 0:
            self._segments.write(HEADER.pack(*self.key, Stream.END, now, 0))
        return ref


class _Tail:
    """The last `half` bytes of an output: two files in turn, each begun anew when the other one is full."""

    def __init__(self, segments: Segments, half: int) -> None:
        self._half = half
        self._files = [
            os.open(segments.aside(which), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            for which in (0, 1)
        ]
        self._sizes = [0, 0]
        self._payloads = [0, 0]
        self._at = 0

    @property
    def kept(self) -> int:
        return min(sum(self._payloads), self._half)

    def write(self, frame: bytes, payload: int) -> None:
        if self._payloads[self._at] >= self._half:
            self._at = 1 - self._at
            os.ftruncate(self._files[self._at], 0)
            self._sizes[self._at] = self._payloads[self._at] = 0
        try:
            written = os.pwrite(self._files[self._at], frame, self._sizes[self._at])
        except OSError:
            return
        if written == len(frame):
            self._sizes[self._at] += written
            self._payloads[self._at] += payload

    def frames(self) -> Iterator[tuple[tuple[int, int, int, float, int], bytes]]:
        """The frames that are kept, the first one cut."""
        excess = sum(self._payloads) - self.kept
        for which in (1 - self._at, self._at):
            at = 0
            while at < self._sizes[which]:
                header = HEADER.unpack(os.pread(self._files[which], HEADER.size, at))
                data = os.pread(self._files[which], header[4], at + HEADER.size)
                at += HEADER.size + header[4]
                yield header, data[excess:]
                excess = max(0, excess - len(data))

    def close(self) -> None:
        for file in self._files:
            os.ftruncate(file, 0)
            os.close(file)
