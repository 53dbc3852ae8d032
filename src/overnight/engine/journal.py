"""The journal: what happened, in order, one JSON object a line, numbered without gaps.

The store's outbox is where events are born, in the transaction that made them true. The journal is
drained from it after COMMIT. A line is written once; its number is given here. The outbox forgets a
line only after the file was synced, so a crash in between finds the line in both, and the numbers
tell: what the file has already is not written again, and a torn last line is cut off first. The same
way leads out of a full disk, and back to a file at its place when somebody has taken ours away.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from overnight.core.errors import DiskFullError
from overnight.engine.room_needed import PUT_OFF
from overnight.host.files import last_line, sync_directory
from overnight.store.contract import OutboxRow, Store

#: Seconds between two syncs while events flow.
SYNC_EVERY = 1.0
#: Size at which a segment is full.
ROTATE_BYTES = 64 * 1024 * 1024
#: Outbox rows read at a time: at first and while they are large, and at most. A row of a turn is small; one of
#: a large add has some thousand lines, and a hundred of them would be all that an engine may have of memory.
FEW, ROWS = 4, 512
LARGE_BYTES = 1024 * 1024
_SEQ = re.compile(rb'^\{"seq":(\d+),')


class Journal:
    """Writes ``events.jsonl``. One writer: the engine, under the lock of the home.

    Args:
        path: The file; segments that were full lie beside it as ``events-NUMBER.jsonl``, named after
            their last event.
        store: Whose outbox is drained.
        rotate_bytes: Size at which a segment is full.

    Raises:
        DiskFullError: There is no room, here and in `pump` and `sync`. No line is torn or lost: the
            outbox keeps what was not synced, and the next call goes on where this one stopped.
        StoreBusyError: Another program holds the store, in `sync`; the same.
    """

    def __init__(self, path: Path, store: Store, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._store = store
        self._rotate_bytes = rotate_bytes
        self._file = -1
        #: The last number in the file, or given before there was this file.
        self.seq = 0
        with self._room_needed():
            self._open()

    def _open(self) -> None:
        """Open the file at its place, and go on after what it has and the outbox has forgotten."""
        self._let_go()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        line, self._size = last_line(self._file)
        os.ftruncate(self._file, self._size)
        drained = self._store.journal_seq()
        self.seq = int(found[1]) if (found := _SEQ.match(line)) else 0
        if not self._size:
            self.seq = drained
            sync_directory(self._path.parent)  # else a power cut could take the file and what was synced into it
        self._next_seq = drained + 1
        self._upto = self._drained = 0

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    @contextmanager
    def _room_needed(self) -> Iterator[None]:
        """Something that a full disk ends; the file is opened anew afterwards."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._let_go()
            raise DiskFullError(
                f"no room is left on the disk of {self._path}; its events stay in the store until there is",
                hint="make room; nothing is lost",
            ) from error

    def pump(self) -> int:
        """Write what the outbox has and the file has not. Returns how many lines were written."""
        written = 0
        with self._room_needed():
            if self._file < 0:
                self._open()
            limit = FEW
            while rows := self._store.outbox(limit, after=self._upto):
                written += self._write(rows)
                self._upto = rows[-1].id
                if len(rows) < limit:
                    break
                limit = min(ROWS, limit * 2) if sum(len(row.lines) for row in rows) < LARGE_BYTES else FEW
        return written

    def _write(self, rows: Sequence[OutboxRow]) -> int:
        lines: list[bytes] = []
        for row in rows:
            for line in row.lines.splitlines():
                if self._next_seq > self.seq:
                    lines.append(b'{"seq":%d,%b\n' % (self._next_seq, line[1:]))
                self._next_seq += 1
        if lines:
            self._size += _write_all(self._file, b"".join(lines))
            self.seq = self._next_seq - 1
        return len(lines)

    def sync(self) -> None:
        """Make what was written durable, and let the outbox forget it."""
        if not self.behind:
            return
        with self._room_needed():
            if not self._is_whole():
                self._open()
                self.pump()
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
            self._store.drained(self._upto, seq=self._next_seq - 1)
            self._drained = self._upto
            if self._size >= self._rotate_bytes:
                self._rotate()

    @property
    def told(self) -> int:
        """How many events of ours have been on their way to the file so far."""
        return self._store.told()

    @property
    def behind(self) -> bool:
        """Whether something written has not been synced yet."""
        return self._file >= 0 and self._upto != self._drained

    def _is_whole(self) -> bool:
        """Whether the file at the path is ours still, and all there; a person may have deleted or emptied it."""
        mine = os.fstat(self._file)
        try:
            return os.path.samestat(self._path.stat(), mine) and mine.st_size == self._size
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        self._path.rename(self._path.with_name(f"events-{self.seq:012d}.jsonl"))
        self._open()

    def close(self) -> None:
        """Write and sync what is left. What cannot be done now, for want of room, is left to the next engine."""
        try:
            self.pump()
            self.sync()
        except PUT_OFF:
            pass
        finally:
            self._let_go()


def _write_all(file: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)
