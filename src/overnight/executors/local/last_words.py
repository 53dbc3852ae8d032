"""The last line that each running attempt has printed, for screens: little read of much.

Follows the newest segment of each slot frame by frame, and never more of it in one look than that takes no
time; whoever is behind catches up over the next looks.
"""

from __future__ import annotations

from pathlib import Path

from overnight.executors.local.output import newest_segments
from overnight.executors.local.segments import HEADER, Stream

#: Frames of one segment that are gone through in one look; bytes of a frame that are read for its last line.
_FRAMES, _TAIL = 1000, 4096
#: Characters of a line.
LONGEST = 200

Key = tuple[int, int]


class LastWords:
    """Follows the output of a home.

    Args:
        output_dir: Where segments lie.
    """

    def __init__(self, output_dir: Path) -> None:
        self._output_dir = output_dir
        self._offsets: dict[Path, int] = {}
        self._words: dict[Key, str] = {}

    def look(self) -> dict[Key, str]:
        """The last line of each attempt that has not ended, by task and attempt; not yet safe to print."""
        there = newest_segments(self._output_dir)
        self._offsets = {path: self._offsets.get(path, 0) for path in there}
        for path in there:
            try:
                self._offsets[path] = self._read(path, self._offsets[path])
            except OSError:  # taken away meanwhile
                continue
        return self._words

    def _read(self, path: Path, offset: int) -> int:
        """Go on in one segment; returns where the next look goes on."""
        size = path.stat().st_size
        if size <= offset:
            return offset
        with path.open("rb") as file:
            for _ in range(_FRAMES):
                file.seek(offset)
                words = file.read(HEADER.size)
                if len(words) < HEADER.size:
                    break
                task_id, attempt, stream, _, length = HEADER.unpack(words)
                end = offset + HEADER.size + length
                if end > size:
                    break
                file.seek(max(offset + HEADER.size, end - _TAIL))
                self._hear((task_id, attempt), stream, file.read(min(length, _TAIL)))
                offset = end
        return offset

    def _hear(self, key: Key, stream: int, data: bytes) -> None:
        if stream == Stream.END:
            self._words.pop(key, None)
        elif stream != Stream.GAP and (line := _last_line(data)):
            self._words[key] = line


def _last_line(data: bytes) -> str:
    lines = data.replace(b"\r", b"\n").split(b"\n")
    last = next((line for line in reversed(lines) if line.strip()), b"")
    return last.decode("utf-8", "replace").strip()[:LONGEST]
