"""What a backup is on paper: its files, the pieces that they are made of, and the names that one may write to.

A backup is read back on a bad day and perhaps from somebody else's disk, so nothing of what it says is
believed before it was looked at: a name leads into the home or the project and nowhere else, and a
piece is called by its hash and by nothing that could be a path.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import msgspec

from overnight.core.sealed import is_sealed, unseal

FORMAT = 1
#: Bytes of a piece; the last one of a file is shorter.
PIECE = 8 * 1024 * 1024
#: Where a file belongs: to the home, or to the directory around it.
HOME, PROJECT = b"home/", b"project/"
#: Databases of a home besides its store: worth having, and no reason to have no backup.
BESIDE = ("history.db", "tests.db")
#: What of a home is in a backup.
_OF_HOME = re.compile(
    rb"home/(?:queue\.db|history\.db|tests\.db|home\.json|events(?:-[0-9]{1,20})?\.jsonl"
    rb"|results/[0-9]+-[0-9]+\.json|output/slot-[0-9]+-[0-9]+\.seg)"
)
_PIECE = re.compile(r"[0-9a-f]{64}")
_MODES = range(0o1000)


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file. `path` begins with ``home/`` or ``project/``; where it is no text, `path_b64` has its bytes."""

    path: str
    path_b64: str = ""
    size_bytes: int
    mode: int = 0o600
    #: When it was last written, nanoseconds since 1970.
    modified_ns: int = 0
    #: The SHA-256 of each piece, in their order.
    pieces: list[str] = []

    @property
    def name(self) -> bytes:
        """`path` as the file system has it.

        Raises:
            ValueError: It is none.
        """
        return base64.b64decode(self.path_b64, validate=True) if self.path_b64 else self.path.encode()


class LeftOut(msgspec.Struct, frozen=True):
    """Something that should be in a backup and is not."""

    path: str
    why: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is. Instants are POSIX seconds."""

    format: int = FORMAT
    #: The name of its folder.
    name: str
    #: The home that it is of.
    home: str
    made_at: float
    took_seconds: float
    #: Number of the last event that its store and its journal know of.
    position: int
    epoch: int
    #: Version of the store's schema, and the program that wrote it.
    schema: int
    program: str
    #: Tasks by state, steps not counted.
    counts: dict[str, int]
    files: list[File]
    left_out: list[LeftOut] = []
    #: Bytes that were stored for it and not for an earlier one; None: another program keeps it.
    stored_bytes: int | None = 0

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size_bytes for file in self.files)

    def file(self, name: bytes) -> File | None:
        """The file of this name, as ``home/queue.db``."""
        return next((file for file in self.files if file.name == name), None)


def path_of(name: bytes) -> dict[str, str]:
    """The fields `path` and `path_b64` of a file with this name."""
    words = name.decode("utf-8", "backslashreplace")
    return {"path": words} if words.encode() == name else {"path": words, "path_b64": base64.b64encode(name).decode()}


def piece_sizes(file: File) -> Iterator[int]:
    """How large each piece of a file is, in their order."""
    return (min(PIECE, file.size_bytes - start) for start in range(0, file.size_bytes, PIECE))


def read(content: bytes, folder: str) -> Manifest:
    """The manifest in the bytes of a file.

    Args:
        content: The whole file.
        folder: The name of the folder in which it lies.

    Raises:
        ValueError: It is not as it was written, belongs elsewhere, or names what no backup holds; with what is wrong.
    """
    manifest = unseal(content, Manifest)
    if manifest.format > FORMAT:
        raise ValueError(f"a newer version of the program has made it ({manifest.program})")
    if not is_sealed(manifest, content):
        raise ValueError("its manifest is damaged")
    if manifest.name != folder:
        raise ValueError(f"its manifest is that of {manifest.name}")
    for fault in faults(manifest):
        raise ValueError(fault)
    return manifest


def faults(manifest: Manifest) -> Iterator[str]:
    """What is named in a manifest that no backup of ours could hold."""
    seen: set[bytes] = set()
    for file in manifest.files:
        try:
            name = file.name
        except (binascii.Error, ValueError):
            yield f"{file.path!r} is no name of a file"
            continue
        if not is_safe(name):
            yield f"it names {file.path!r}, where no backup writes"
        elif name in seen:
            yield f"it names {file.path!r} twice"
        elif not all(map(_PIECE.fullmatch, file.pieces)) or file.mode not in _MODES:
            yield f"what it says of {file.path!r} makes no sense"
        elif not _fits(file):
            yield f"the pieces of {file.path!r} are too many or too few for its size"
        seen.add(name)
    for name in seen:
        if any(above in seen for above in _above(name)):
            yield f"{name!r} would lie in a file"


def is_safe(name: bytes) -> bool:
    """Whether this is a name that a backup may write to: of the home what it is made of, of the project any file."""
    if name.startswith(HOME):
        return _OF_HOME.fullmatch(name) is not None
    parts = name.split(b"/")
    return name.startswith(PROJECT) and b"\0" not in name and not {b"", b".", b"..", b".overnight"} & set(parts)


def _fits(file: File) -> bool:
    return file.size_bytes >= 0 and len(file.pieces) == -(-file.size_bytes // PIECE)


def _above(name: bytes) -> Iterator[bytes]:
    parts = name.split(b"/")
    return (b"/".join(parts[:count]) for count in range(1, len(parts)))
