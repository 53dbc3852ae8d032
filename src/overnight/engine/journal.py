"""The journal: what happened, in order, one JSON object a line, numbered without gaps.

The store's outbox is where events are born, in the transaction that made them true. The journal is
drained from it after COMMIT. A line is written once; its number is given here. The outbox forgets a
line only after the file was synced, so a crash in between finds the line in both, and the numbers
tell: what the file has already is not written again, and a torn last line is cut off first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from overnight.store.contract import OutboxRow, Store

#: Seconds between two syncs while events flow.
SYNC_EVERY = 1.0
#: Size at which a segment is full.
ROTATE_BYTES = 64 * 1024 * 1024
#: Outbox rows read at a time.
ROWS = 512
_SEQ = re.compile(rb'^\{"seq":(\d+),')


class Journal:
    """Writes ``events.jsonl``. One writer: the engine, under the lock of the home.

    Args:
        path: The file; segments that were full lie beside it as ``events-NUMBER.jsonl``, named after
            their last event.
        store: Whose outbox is drained.
        rotate_bytes: Size at which a segment is full.
    """

    def __init__(self, path: Path, store: Store, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._store = store
        self._rotate_bytes = rotate_bytes
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.seq = max(self._mend(), store.journal_seq() if self._is_fresh() else 0)
        self._upto = 0
        self._drained = 0
        self._next_seq = store.journal_seq() + 1

    def _is_fresh(self) -> bool:
        return os.fstat(self._file).st_size == 0

    def _mend(self) -> int:
        """Cut off a torn last line; return the last number in the file, 0 when it has none."""
        size = os.fstat(self._file).st_size
        start = max(0, size - 4 * 1024 * 1024)
        tail = os.pread(self._file, size - start, start)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            os.ftruncate(self._file, start + whole)
        lines = tail[:whole].splitlines()
        found = _SEQ.match(lines[-1]) if lines else None
        return int(found[1]) if found else 0

    def pump(self) -> int:
        """Write what the outbox has and the file has not. Returns how many lines were written."""
        written = 0
        while rows := self._store.outbox(ROWS, after=self._upto):
            written += self._write(rows)
            self._upto = rows[-1].id
            if len(rows) < ROWS:
                break
        return written

    def _write(self, rows: Sequence[OutboxRow]) -> int:
        lines: list[bytes] = []
        for row in rows:
            for line in row.lines.splitlines():
                if self._next_seq > self.seq:
                    lines.append(b'{"seq":%d,%b\n' % (self._next_seq, line[1:]))
                self._next_seq += 1
        if lines:
            _write_all(self._file, b"".join(lines))
            self.seq = self._next_seq - 1
        return len(lines)

    def sync(self) -> None:
        """Make what was written durable, and let the outbox forget it."""
        if self._upto == self._drained:
            return
        os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        self._store.drained(self._upto, seq=self._next_seq - 1)
        self._drained = self._upto
        if os.fstat(self._file).st_size >= self._rotate_bytes:
            self._rotate()

    @property
    def behind(self) -> bool:
        """Whether something written has not been synced yet."""
        return self._upto != self._drained

    def _rotate(self) -> None:
        os.close(self._file)
        self._path.rename(self._path.with_name(f"events-{self.seq:012d}.jsonl"))
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Write and sync what is left."""
        self.pump()
        self.sync()
        os.close(self._file)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
