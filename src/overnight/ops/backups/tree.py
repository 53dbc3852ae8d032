"""The files of a backup as they are, below one directory: so they are handed to another program, and come back.

What comes back is not believed: every piece is compared with the hash in the manifest, and nothing but
plain files and folders may be there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from overnight.core.backups import PIECE, File, piece_sizes
from overnight.host.files import open_regular
from overnight.ops.backups.pieces import DamagedError, Stored

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Tree:
    """One directory with the files of one backup.

    Args:
        directory: It is there, and ours alone.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def store(self, file: BinaryIO, size_bytes: int | None, name: bytes) -> Stored:
        """Copy a file; whoever keeps it makes it durable."""
        path = self._directory / os.fsdecode(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pieces, size = [], 0
        with os.fdopen(os.open(path, _NEW, 0o600), "wb") as target:
            for block in _blocks(file, size_bytes):
                target.write(block)
                pieces.append(hashlib.sha256(block).hexdigest())
                size += len(block)
        return Stored(pieces, size, size)

    def settle(self) -> None:
        """Nothing: it is thrown away when it was handed over."""

    def content(self, file: File) -> Iterator[bytes]:
        """A file, piece by piece, each looked at.

        Raises:
            DamagedError: One is not what was written.
        """
        piece = "of " + file.path
        try:
            with open_regular(self._directory / os.fsdecode(file.name)) as found:
                for piece, size in zip(file.pieces, piece_sizes(file), strict=True):
                    block = found.read(size)
                    if hashlib.sha256(block).hexdigest() != piece:
                        raise DamagedError(piece, "is not what was written (SHA-256)")
                    yield block
                if found.read(1):
                    raise DamagedError(piece, "is not the last one")
        except OSError as error:
            raise DamagedError(piece, f"cannot be read ({error.strerror or error})") from None

    def disown(self, piece: str) -> None:
        """Nothing: no other backup relies on it."""

    def odd(self) -> Iterator[str]:
        """What is there and is neither a file nor a folder."""
        for folder, folders, names in os.walk(self._directory):
            for name in (*folders, *names):
                mode = os.lstat(os.path.join(folder, name)).st_mode  # noqa: PTH118 - names of any bytes
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    yield name


def _blocks(file: BinaryIO, left: int | None) -> Iterator[bytes]:
    """A file, or so many bytes of it, cut as a backup cuts it."""
    while block := file.read(PIECE if left is None else min(PIECE, left)):
        yield block
        left = None if left is None else left - len(block)
