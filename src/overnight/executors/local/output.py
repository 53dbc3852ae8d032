"""Reading what attempts printed, when they have ended or while they run, and letting go of it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from overnight.core.task import OutputRef
from overnight.executors.local.segments import HEADER, Stream, number_of

#: Frames that are passed over before it is asked whether that has taken long enough.
_ASK_EVERY = 256


def read(output_dir: Path, ref: OutputRef, task_id: int, attempt: int) -> Iterator[tuple[int, bytes]]:
    """What an attempt printed, in order, as (stream, bytes): 1 is stdout, 2 is stderr.

    Where the middle was not kept, or a full disk cost something, the pieces simply follow each other;
    `ref.printed` and `ref.length` tell how much is missing.

    Raises:
        FileNotFoundError: The segment has been removed.
    """
    if not ref.length:
        return
    left = ref.length
    with (output_dir / ref.segment).open("rb") as file:
        file.seek(ref.offset)
        for stream, data in _frames(file, (task_id, attempt)):
            if stream is Stream.END or left <= 0:
                return
            if stream is not Stream.GAP:
                left -= len(data)
                yield int(stream), data


def packed(output_dir: Path, ref: OutputRef, task_id: int, attempt: int) -> Iterator[bytes]:
    """The frames of an attempt that has ended, as they lie there; `read` reads them elsewhere as well.

    Raises:
        FileNotFoundError: The segment has been removed.
    """
    with (output_dir / ref.segment).open("rb") as file:
        file.seek(ref.offset)
        for stream, words, data in _whole(file, (task_id, attempt)):
            yield words + data
            if stream is Stream.END:
                return


def follow(output_dir: Path, task_id: int, attempt: int) -> Iterator[tuple[int, bytes]]:
    """What a running attempt prints, from its beginning.

    Yields (0, b"") when there is nothing more at the moment, so that the caller can wait, or stop
    because the attempt has ended without a word. Ends when the attempt's last words have been read.
    Of a very long output the middle and the end come when the attempt has ended.
    """
    searched: dict[Path, int] = {}
    while (place := _find(output_dir, (task_id, attempt), searched)) is None:
        yield 0, b""
    path, offset = place
    with path.open("rb") as file:
        file.seek(offset)
        while True:
            for stream, data in _frames(file, (task_id, attempt)):
                if stream is Stream.END:
                    return
                if stream is not Stream.GAP:
                    yield int(stream), data
            yield 0, b""


class Frames:
    """The frames of an attempt that runs, packed, a few at a time: for whoever follows it elsewhere.

    Args:
        output_dir: Where segments lie.
        task_id: Whose.
        attempt: Whose.
        at: Bytes of its frames that are known there already.
    """

    def __init__(self, output_dir: Path, task_id: int, attempt: int, at: int = 0) -> None:
        self._directory = output_dir
        self._key = (task_id, attempt)
        self._known = at
        self._searched: dict[Path, int] = {}
        self._file: BinaryIO | None = None
        #: It has said its last word.
        self.over = False

    def take(self, most: int, enough: Callable[[], bool]) -> bytes:
        """The whole frames that came since the last call, to `most` bytes and one frame more.

        Args:
            most: Bytes.
            enough: Asked now and then: whether it has taken long enough. What was not reached comes with a later call.

        Raises:
            OSError: They cannot be read.
        """
        taken = bytearray()
        self._file = self._file or self._open(enough)
        for stream, words, data in () if self.over or self._file is None else _whole(self._file, self._key):
            size = len(words) + len(data)
            if self._known >= size:
                self._known -= size
            else:
                taken += words + data
            self.over = stream is Stream.END
            if self.over or len(taken) >= most or enough():
                break
        return bytes(taken)

    def _open(self, enough: Callable[[], bool]) -> BinaryIO | None:
        place = _find(self._directory, self._key, self._searched, enough)
        if place is None:
            return None
        file = place[0].open("rb")
        file.seek(place[1])
        return file

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()


def _frames(file: BinaryIO, key: tuple[int, int]) -> Iterator[tuple[Stream, bytes]]:
    """What the whole frames of one attempt carry, from here on; see `_whole`."""
    return ((stream, data) for stream, _, data in _whole(file, key))


def _whole(file: BinaryIO, key: tuple[int, int]) -> Iterator[tuple[Stream, bytes, bytes]]:
    """The whole frames of one attempt from here on: what they carry, head, content.

    The file stays where the first torn one begins.
    """
    while True:
        at = file.tell()
        words = file.read(HEADER.size)
        if len(words) < HEADER.size:
            file.seek(at)
            return
        task_id, attempt, stream, _, length = HEADER.unpack(words)
        if (task_id, attempt) != key:
            file.seek(length, 1)
            continue
        data = file.read(length)
        if len(data) < length:
            file.seek(at)
            return
        yield Stream(stream), words, data


def _find(
    output_dir: Path, key: tuple[int, int], searched: dict[Path, int], enough: Callable[[], bool] = lambda: False
) -> tuple[Path, int] | None:
    """The first frame of an attempt that runs: in one of the newest segments of the slots.

    `searched`: how far each of them was gone through in vain, and is now. `enough`: to be gone on with later.
    """
    seen = 0
    for path in newest_segments(output_dir):
        if seen and enough():
            return None
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            at = searched.get(path, 0)
            at = file.seek(at if at <= size else 0)  # it may be another file by now
            while len(words := file.read(HEADER.size)) == HEADER.size:
                task_id, attempt, _, _, length = HEADER.unpack(words)
                if (task_id, attempt) == key:
                    return path, at
                if at + HEADER.size + length > size:
                    break  # on its way, or torn and about to be taken back
                at = file.seek(at + HEADER.size + length)
                seen += 1
                if seen % _ASK_EVERY == 0 and enough():
                    break
            searched[path] = at
    return None


def newest_segments(output_dir: Path) -> list[Path]:
    """The segment of each slot that is being written, and the one before: an attempt may have begun there."""
    by_slot: dict[str, list[Path]] = {}
    for path in output_dir.glob("slot-*.seg"):
        by_slot.setdefault(path.name.split("-")[1], []).append(path)
    return [
        path for paths in by_slot.values() for path in sorted(paths, key=lambda path: number_of(path.name))[-2:][::-1]
    ]


def old_segments(output_dir: Path, *, before: float) -> list[str]:
    """Names of segments that were last written before this instant (POSIX seconds).

    Not the newest of a slot and the one before, however old: a keeper may write on in them.
    """
    kept = set(newest_segments(output_dir))
    others = [path for path in output_dir.glob("slot-*.seg") if number_of(path.name) and path not in kept]
    return [path.name for path in others if _written_at(path) < before]


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # somebody has taken it away
        return math.inf


def remove_segments(output_dir: Path, names: Iterable[str]) -> None:
    """Remove segments. One that cannot be removed stays for the next time."""
    for name in names:
        with contextlib.suppress(OSError):
            (output_dir / name).unlink()
