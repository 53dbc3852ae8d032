"""Following the journal: every event after a number, as it is written, across rotations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec


class JournalTail:
    """Reads ``events.jsonl`` from a number on. Reads only; never misses a line, never gives one twice.

    Args:
        path: The journal of a home.
        after: The last event number that is known already.
    """

    def __init__(self, path: Path, *, after: int = 0) -> None:
        self._path = path
        self._seq = after
        self._offset = 0
        self._inode = 0

    def news(self) -> Iterator[dict[str, Any]]:
        """The events written since the last call, oldest first."""
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            return
        if self._inode and inode != self._inode:
            yield from self._read(self._segments())
            self._offset = 0
        self._inode = inode
        yield from self._read([self._path])

    def _segments(self) -> list[Path]:
        """Full segments that may hold what was not read yet, oldest first."""
        named = sorted(self._path.parent.glob("events-*.jsonl"))
        return [path for path in named if int(path.stem.rpartition("-")[2]) > self._seq]

    def _read(self, paths: list[Path]) -> Iterator[dict[str, Any]]:
        for path in paths:
            with path.open("rb") as file:
                live = path == self._path
                if live:
                    file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    if live:
                        self._offset += len(line)
                    event = msgspec.json.decode(line)
                    if event["seq"] > self._seq:
                        self._seq = event["seq"]
                        yield event


def last_seq(path: Path) -> int:
    """The number of the newest event in the journal, 0 when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 1_000_000))
            lines = [line for line in file.read().splitlines() if line.startswith(b'{"seq":') and line.endswith(b"}")]
    except FileNotFoundError:
        return 0
    return int(msgspec.json.decode(lines[-1])["seq"]) if lines else 0
