"""The manifest of a copy: what it is a copy of, and a SHA-256 of every file in its folder.

The manifest is sealed by a hash of its own, and is read as bytes: one that was changed by a single
byte, moved to another folder or taken from another home is none.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core.sealed import is_sealed, seal, unseal
from overnight.store.sqlite.examining import BLOCK, zero_pages_of

NAME = "manifest.json"
#: The copy of the store beside it, and what people read about it.
STORE = "queue.db"
SUMMARY = "summary.json"
FORMAT = 1
#: The reasons of copies that a person asked for.
BY_HAND = ("asked", "forced")
#: More all-zero pages than this are not remembered: their number alone says that something is wrong.
_MOST_ZEROS = 10_000


class FileMark(msgspec.Struct, frozen=True):
    """What a file must be."""

    sha256: str
    size_bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy is. Instants are POSIX seconds."""

    format: int = FORMAT
    #: The name of its folder.
    name: str
    #: The home that it is a copy of.
    home: str
    made_at: float
    took_seconds: float
    #: Why it was made: "cadence", "asked" or "forced".
    reason: str
    #: Number of the last event that the copy knows of. It only rises, so it is the order of copies.
    position: int
    epoch: int
    fence: int
    last_task_id: int
    #: Version of the store's schema, and the program that wrote it.
    schema: int
    program: str
    files: dict[str, FileMark]

    @property
    def by_hand(self) -> bool:
        """Whether a person asked for it."""
        return self.reason in BY_HAND

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(mark.size_bytes for mark in self.files.values())


def render(manifest: Manifest) -> bytes:
    """The manifest as its file holds it."""
    return seal(manifest)


def read(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        ValueError: There is none, or it is not as it was written; with what is wrong.
    """
    try:
        content = (folder / NAME).read_bytes()
    except OSError as error:
        raise ValueError(f"its manifest cannot be read ({error.strerror})") from None
    manifest = unseal(content, Manifest)
    if manifest.format > FORMAT:
        raise ValueError(f"a newer version of the program has made it ({manifest.program})")
    if not is_sealed(manifest, content):
        raise ValueError("its manifest is damaged")
    if manifest.name != folder.name:
        raise ValueError(f"its manifest is that of {manifest.name}")
    return manifest


class Digest(NamedTuple):
    """A file that was read from its beginning to its end."""

    mark: FileMark
    #: Numbers, from 1, of the pages of 4 KiB that are all zeros.
    zero_pages: list[int]


def digest(path: Path) -> Digest:
    """Read a whole file: some 0.7 s a GB.

    Raises:
        OSError: It cannot be read.
    """
    hashed = hashlib.sha256()
    size = 0
    zeros: list[int] = []
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
            if len(zeros) < _MOST_ZEROS:
                zeros += zero_pages_of(block, size)
            size += len(block)
    return Digest(FileMark(hashed.hexdigest(), size), zeros)
