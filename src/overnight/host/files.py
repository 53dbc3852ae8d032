"""Files that are whole after a power cut: written aside, synced, renamed, and the directory synced too.

A rename is on disk only when its directory has been synced; a file that was not synced before the
rename may come back empty. Nothing here follows a symbolic link at the last step, and what is made
is readable by its owner alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_ONLY_MINE = 0o600
#: Bytes written at once where the system cannot allocate.
_BLOCK = 64 * 1024


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file with `data`: whoever reads it sees all of the old or all of the new.

    Args:
        path: The file; what is there (a symbolic link, too) is replaced. A device or a pipe never is: for root
            that would take it from everybody.
        data: The whole content.
        durable: Whether it must be on disk on return. Without, nothing is synced: safe against a
            crash of any process, while a power cut may leave the old content, the new, or an empty file.

    Raises:
        OSError: It could not be written; the old content is still there.
    """
    if is_special(path):
        raise FileExistsError(errno.EEXIST, "a device or a pipe is there", os.fspath(path))
    temporary = write_aside(path, data, durable=durable)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def is_special(path: Path) -> bool:
    """Whether a device, a pipe or a socket is there, which is written into and not replaced. Links are followed."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def write_aside(path: Path, data: bytes | memoryview, *, durable: bool = True) -> Path:
    """Write `data` into a new file beside `path` and return that file, for the caller to move or remove.

    Raises:
        OSError: It could not be written; nothing is left, and `path` is the file of which that is told.
    """
    if path.name in ("", ".."):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with _opened(temporary, flags) as descriptor:
            _write_all(descriptor, data)
            if durable:  # before any rename: a name that reaches the disk before the data is an empty file
                os.fsync(descriptor)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = os.fspath(path)
        raise
    return temporary


def make_directory(path: str | bytes) -> None:
    """Make one directory, unless it is there. Not those above it: a home that was removed is not made again.

    Raises:
        OSError: It cannot be made; FileNotFoundError when the one above is not there.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # noqa: PTH102 - bytes


def append(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Add `data` to the end of a file. One writer at a time.

    Args:
        path: The file; made when it is missing.
        data: What to add.
        durable: Whether it must be on disk on return.

    Raises:
        OSError: It could not be written; what was written of it has been cut off again, if the
            system let us. A file that is not synced after an error is not to be trusted.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with _opened(path, flags) as descriptor:
        size = os.fstat(descriptor).st_size
        try:
            _write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                os.ftruncate(descriptor, size)
            raise
    if durable and size == 0:
        sync_directory(path.parent)


def last_line(descriptor: int) -> tuple[bytes, int]:
    """The last whole line of a file, however long, and the offset at which it ends; what follows is torn.

    (b"", 0) when there is no whole line.
    """
    size = os.fstat(descriptor).st_size
    window = _BLOCK
    while True:
        start = max(0, size - window)
        tail = os.pread(descriptor, size - start, start)
        end = tail.rfind(b"\n") + 1
        begin = tail.rfind(b"\n", 0, max(0, end - 1)) + 1
        if begin or not start:
            return tail[begin:end], start + end if end else 0
        window *= 8


class NoFileError(OSError):
    """What stands in the place of a file is no regular one."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and nothing else: a pipe would wait for ever, and a link lead anywhere.

    Raises:
        OSError: It is something else, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoFileError(None, "it is no regular file")
    return os.fdopen(descriptor, "rb")


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file has this name, by device and inode; None when none can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_at(path: Path, descriptor: int) -> bool:
    """Whether this is still the file of that name: one that was deleted meanwhile locks nobody out."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def stamp_of(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file is written or replaced; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def names_in(directory: Path) -> list[str]:
    """The names in a directory, in their order; none when it is not there, or is no directory."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - names are what is wanted
    except (FileNotFoundError, NotADirectoryError):
        return []


def sync_file(path: Path) -> None:
    """Return when what was written to a file, by whomever, is on disk."""
    with _opened(path, os.O_RDWR | os.O_CLOEXEC) as descriptor:
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are on disk: files made, renamed and removed before this call."""
    with _opened(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as descriptor:
        os.fsync(descriptor)


def allocate(path: Path, size_bytes: int) -> None:
    """Have a file of at least this size whose blocks really exist; what it holds stays, the rest is zeros.

    To be done before a file is mapped: writing to a page that has no block yet on a full disk ends
    the process with SIGBUS.

    Raises:
        OSError: There is no room. The file may be there, shorter.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with _opened(path, flags) as descriptor:
        allocate_open(descriptor, size_bytes)


def allocate_open(descriptor: int, size_bytes: int) -> None:
    """The same for a file that is open for writing.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)
    else:  # macOS
        _fill(descriptor, size_bytes)


def _fill(descriptor: int, size_bytes: int) -> None:
    """Write zeros from the end of a file up to `size_bytes`."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    while end < size_bytes:
        end += os.write(descriptor, bytes(min(_BLOCK, size_bytes - end)))
    os.fsync(descriptor)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, _ONLY_MINE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything: a disk that fills up, or more than 2 GiB, makes one write a short one."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
