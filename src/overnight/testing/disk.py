"""A disk under the store whose operations are recorded, and that fails when it is told to.

It is a file-system layer (VFS) of SQLite's, below the one that looks after the checksums of pages: what
runs on it is the real store. While a `Disk` is entered every store of this process lies on it; files
outside of its directory are passed on. What a power cut makes of a recording is in ``power``.

Source: https://www.sqlite.org/vfs.html
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self

import apsw

from overnight.store.sqlite import checksums

_NAME = "overnight-disk"


class Kind(StrEnum):
    """What is done to a file."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    TRUNCATE = "truncate"
    DELETE = "delete"


class Opened(NamedTuple):
    """A file was opened for the first time. `content`: what it held, on the disk; None when this has made it."""

    file: str
    content: bytes | None


class Written(NamedTuple):
    """Bytes were written at an offset."""

    file: str
    offset: int
    data: bytes


class Truncated(NamedTuple):
    """A file was cut, or grown, to so many bytes."""

    file: str
    size_bytes: int


class Synced(NamedTuple):
    """Everything written to a file before is on the disk."""

    file: str


class Deleted(NamedTuple):
    """A file is gone."""

    file: str


class Marked(NamedTuple):
    """Somebody has noted something: what was acknowledged by now."""

    what: object


Step = Opened | Written | Truncated | Synced | Deleted | Marked
#: Asked before each operation with its number (from 1), its kind and the file's name: the error it ends with, or None.
Judge = Callable[[int, Kind, str], Exception | None]


class Disk:
    """Everything that SQLite does to the files of one directory, in order.

    Not for more than one thread, and one at a time in a process. Stores opened while it is entered must be
    closed before it is left.

    Args:
        directory: Whose files are watched.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = os.path.realpath(directory)
        self._known: set[str] = set()
        self._judge: Judge | None = None
        #: What has changed the files, with marks in between.
        self.trace: list[Step] = []
        #: How many operations there were, reads included.
        self.operations = 0

    def mark(self, what: object) -> None:
        """Note something between two operations."""
        self.trace.append(Marked(what))

    def fail(self, judge: Judge | None) -> None:
        """Let operations fail from now on as `judge` says; None: no more."""
        self._judge = judge

    def meet(self, kind: Kind, file: str) -> None:
        """An operation is about to happen. Raises what the judge says."""
        self.operations += 1
        if self._judge is not None and (error := self._judge(self.operations, kind, file)) is not None:
            raise error

    def see(self, path: str, *, there: bool) -> None:
        """A file is opened; what it held is taken for durable the first time."""
        file = os.path.basename(path)  # noqa: PTH119 - SQLite's paths are text
        if file not in self._known:
            self._known.add(file)
            self.trace.append(Opened(file, Path(path).read_bytes() if there else None))

    def forget(self, file: str) -> None:
        """A file was deleted; the next one of its name is another one."""
        self._known.discard(file)
        self.trace.append(Deleted(file))

    def watches(self, path: str) -> bool:
        """Whether a file is one of ours."""
        return os.path.realpath(os.path.dirname(path)) == self._directory  # noqa: PTH120 - as above

    def __enter__(self) -> Self:
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._pass_over
        self._usual = apsw.vfs_names()[0]
        checksums.register()
        apsw.unregister_vfs(checksums.VFS)
        self._layer = _Layer(self, self._usual)
        checksums.register()  # above whatever is everybody's default at that moment
        return self

    def __exit__(self, *_: object) -> None:
        apsw.unregister_vfs(checksums.VFS)
        apsw.set_default_vfs(self._usual)
        self._layer.unregister()
        checksums.register()
        sys.unraisablehook = self._hook

    def _pass_over(self, news: sys.UnraisableHookArgs) -> None:
        """What SQLite makes nothing of, as it may when it closes a file, is no news."""
        if not isinstance(news.exc_value, apsw.Error):
            self._hook(news)


class _Layer(apsw.VFS):
    """The layer itself; everything that is not asked for here is done by the usual one."""

    def __init__(self, disk: Disk, usual: str) -> None:
        self._disk = disk
        self._usual = usual
        super().__init__(_NAME, usual, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not self._disk.watches(path):
            return apsw.VFSFile(self._usual, name, flags)
        self._disk.meet(Kind.OPEN, os.path.basename(path))  # noqa: PTH119 - as above
        self._disk.see(path, there=os.path.exists(path))  # noqa: PTH110 - as above
        return _File(self._disk, self._usual, name, flags, path)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - SQLite's
        if self._disk.watches(filename):
            file = os.path.basename(filename)  # noqa: PTH119 - as above
            self._disk.meet(Kind.DELETE, file)
            super().xDelete(filename, syncdir)
            self._disk.forget(file)
        else:
            super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    """An open file of ours."""

    def __init__(
        self, disk: Disk, usual: str, name: str | apsw.URIFilename | None, flags: list[int], path: str
    ) -> None:
        self._disk = disk
        self._file = os.path.basename(path)  # noqa: PTH119 - as above
        super().__init__(usual, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        self._disk.meet(Kind.READ, self._file)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.meet(Kind.WRITE, self._file)
        super().xWrite(data, offset)
        self._disk.trace.append(Written(self._file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.meet(Kind.TRUNCATE, self._file)
        super().xTruncate(newsize)
        self._disk.trace.append(Truncated(self._file, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.meet(Kind.SYNC, self._file)
        super().xSync(flags)
        self._disk.trace.append(Synced(self._file))
