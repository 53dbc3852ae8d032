"""Pieces of files, each called by its hash: what is there already is never stored a second time.

A piece is on the disk, whole, before it has its name. One that is found damaged loses its name, so the
next backup stores it anew instead of relying on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

from overnight.core.backups import PIECE, File, piece_sizes
from overnight.host.files import open_regular, sync_directory, write_aside

DIRECTORY = "objects"
#: What the name of a damaged piece ends with.
DAMAGED = ".damaged"
#: Pieces that are written at the same time; a piece is in memory meanwhile.
_WRITERS = 3


class Stored(NamedTuple):
    """A file in pieces. `new_bytes`: of those that were not there before."""

    pieces: list[str]
    size_bytes: int
    new_bytes: int


class DamagedError(ValueError):
    """A piece is missing, or is not what its name says.

    Attributes:
        piece: Which.
    """

    def __init__(self, piece: str, why: str) -> None:
        super().__init__(f"piece {piece[:12]} {why}")
        self.piece = piece


class Pieces:
    """All pieces of one place.

    Args:
        directory: Where they lie; made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._touched: set[Path] = set()

    @cached_property
    def _buffers(self) -> list[bytearray]:
        return [bytearray(PIECE) for _ in range(_WRITERS)]

    def path(self, piece: str) -> Path:
        """Where it lies, or would."""
        return self._directory / piece[:2] / piece

    def has(self, piece: str, size_bytes: int) -> bool:
        """Whether a piece of this name and size is there. Its content is not looked at."""
        try:
            found = self.path(piece).lstat()
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes

    def store(self, file: BinaryIO, size_bytes: int | None = None, name: bytes = b"") -> Stored:  # noqa: ARG002 - pieces are called by their hashes
        """Cut a file into pieces and keep those that are not there yet; durable after `settle`.

        Args:
            file: At its beginning.
            size_bytes: How much of it; None for all.
            name: What it is called.

        Raises:
            OSError: It could not be read, or a piece not be written.
        """
        from concurrent.futures import ThreadPoolExecutor

        found: list[tuple[str, int, bool]] = []
        left = size_bytes
        with ThreadPoolExecutor(_WRITERS) as pool:
            while blocks := self._read(file, left):
                found += pool.map(self._keep, blocks) if len(blocks) > 1 else map(self._keep, blocks)
                left = None if left is None else left - sum(map(len, blocks))
        sizes = {piece: size for piece, size, new in found if new}
        return Stored([piece for piece, _, _ in found], sum(size for _, size, _ in found), sum(sizes.values()))

    def _read(self, file: BinaryIO, left: int | None) -> list[memoryview]:
        """The next pieces, as many as there are writers, in memory that is used again: to get new one costs as much."""
        blocks = []
        for buffer in self._buffers:
            block = _fill(file, memoryview(buffer)[: PIECE if left is None else min(PIECE, left)])
            left = None if left is None else left - len(block)
            blocks += [block] if block else []
            if len(block) < PIECE:
                break
        return blocks

    def _keep(self, block: memoryview) -> tuple[str, int, bool]:
        piece = hashlib.sha256(block).hexdigest()
        new = not self.has(piece, len(block))
        if new:
            self.put(piece, block)
        return piece, len(block), new

    def put(self, piece: str, block: bytes | memoryview) -> None:
        """Keep a piece under its name; durable after `settle`."""
        path = self.path(piece)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = write_aside(path, block)
        try:
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        self._touched.add(path.parent)

    def settle(self) -> None:
        """Return when the names of what was kept are on the disk."""
        for directory in (*sorted(self._touched), *([self._directory] if self._touched else ())):
            sync_directory(directory)
        self._touched.clear()

    def block(self, piece: str, size_bytes: int) -> bytes:
        """A piece, looked at.

        Raises:
            DamagedError: It is not there, or not what its name says, or has another size.
        """
        try:
            with open_regular(self.path(piece)) as file:
                content = file.read(PIECE + 1)
        except FileNotFoundError:
            raise DamagedError(piece, "is missing") from None
        except OSError as error:
            raise DamagedError(piece, f"cannot be read ({error.strerror or error})") from None
        if hashlib.sha256(content).hexdigest() != piece:
            raise DamagedError(piece, "is not what was written (SHA-256)")
        if len(content) != size_bytes:
            raise DamagedError(piece, f"has {len(content)} bytes and should have {size_bytes}")
        return content

    def content(self, file: File) -> Iterator[bytes]:
        """A file, piece by piece, each looked at.

        Raises:
            DamagedError: One is damaged.
        """
        for piece, size in zip(file.pieces, piece_sizes(file), strict=True):
            yield self.block(piece, size)

    def disown(self, piece: str) -> None:
        """Take the name from a damaged piece; where that is not possible it keeps it."""
        path = self.path(piece)
        with contextlib.suppress(OSError):
            path.replace(path.with_name(path.name + DAMAGED))

    def sweep(self, wanted: Iterable[str]) -> tuple[int, int]:
        """Remove all pieces but these, and what killed writers have left. Returns how many went, and their bytes."""
        kept, count, freed = set(wanted), 0, 0
        for path in self._directory.glob("??/*"):
            if path.name not in kept:
                with contextlib.suppress(OSError):
                    size = path.lstat().st_size
                    path.unlink()
                    count, freed = count + 1, freed + size
        return count, freed

    def unused_bytes(self, wanted: Iterable[str]) -> int:
        """What `sweep` would free."""
        kept = set(wanted)
        sizes = 0
        for path in self._directory.glob("??/*"):
            with contextlib.suppress(OSError):
                sizes += path.lstat().st_size if path.name not in kept else 0
        return sizes


def _fill(file: BinaryIO, room: memoryview) -> memoryview:
    """Read until there is no more room, or nothing more."""
    size = 0
    while size < len(room) and (count := file.readinto(room[size:])):  # type: ignore[attr-defined]  # all that we open have it
        size += count
    return room[:size]
