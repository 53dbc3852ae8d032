"""A copy of a store file, made beside whoever works in it.

One step of SQLite's backup, from a connection of its own: it sees one state and holds nobody up. (In
several steps it begins anew whenever another process writes, and on a busy store never ends.) Three
things are easily missed.

The target must have a page, and so its header, before the copy begins: the checksums of pages are
computed only once the header was seen to have room for them, and what lies in the source's log has none.

What is written is handed to the disk a little at a time. One large sync at the end would keep the
engine's own waiting for most of a second.

The copy is one file that can be read without writing beside it, so it leaves the mode with a log.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from overnight.store.sql.statements import read_all
from overnight.store.sqlite import checksums
from overnight.store.sqlite.connection import Connection, meaning, named

#: Seconds that a copy waits for a lock, which only a recovering or truncating writer takes.
PATIENCE_MS = 30_000
#: Seconds between two portions that are handed to the disk.
PORTION = 0.05


class Facts(msgspec.Struct, frozen=True):
    """What a store file says of itself."""

    #: Version of the schema.
    schema: int
    #: Number of the last event that the file knows of.
    position: int
    fence: int
    last_task_id: int


def copy_file(source: Path, target: Path) -> None:
    """Copy the store at `source` as it is at one moment to `target`, a new file; on the disk on return.

    Raises:
        StoreDamagedError: A page of the source does not fit its checksum.
        DiskFullError: There is no room for the copy.
        StoreUnavailableError: Something else stood in the way.
    """
    try:
        read = open_copy(source)
    except apsw.Error as error:
        raise meaning(error, source) from error
    with closing(read):
        copy_open(read, source, target)


def copy_open(read: apsw.Connection, source: Path, target: Path) -> None:
    """The same by a connection that is open already, whatever has become of the name of its file."""
    checksums.register()
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        with _handed_out(target):
            _copy(read, target)
    except apsw.FullError as error:
        raise meaning(error, target) from error
    except apsw.Error as error:
        raise meaning(error, source) from error


def _copy(read: apsw.Connection, target: Path) -> None:
    name, uri = named(target)
    flags = apsw.SQLITE_OPEN_READWRITE | uri
    with closing(apsw.Connection(name, flags=flags, vfs=checksums.VFS)) as write:
        checksums.reserve(write)
        # Nobody knows of the file yet: if we die it is thrown away.
        write.pragma("synchronous", "off")
        write.pragma("journal_mode", "off")
        write.execute("CREATE TABLE header (is_there)")
        with write.backup("main", read, "main") as backup:
            backup.step(-1)
        write.pragma("journal_mode", "delete")


@contextmanager
def _handed_out(path: Path) -> Iterator[None]:
    """Have what is written to a file reach the disk meanwhile, and all of it at the end."""
    # Two descriptors: an error of the disk is told once to each, and the last sync must not miss one.
    portions, whole = (os.open(path, os.O_RDWR | os.O_CLOEXEC) for _ in range(2))
    done = threading.Event()
    thread = threading.Thread(target=_hand_out, args=(portions, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        try:
            os.fsync(whole)
        finally:
            os.close(portions)
            os.close(whole)


def _hand_out(descriptor: int, done: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not done.wait(PORTION):
            os.fsync(descriptor)


def open_copy(path: Path) -> Connection:
    """A store file to be read and never written, with its checksums looked at."""
    checksums.register()
    name, uri = named(path)
    connection = Connection(name, flags=apsw.SQLITE_OPEN_READONLY | uri, vfs=checksums.VFS)
    connection.set_busy_timeout(PATIENCE_MS)
    return connection


def facts(path: Path) -> Facts:
    """What a store file says of itself.

    Raises:
        StoreDamagedError: It says nothing.
    """
    try:
        with closing(open_copy(path)) as connection:
            return facts_of(connection)
    except apsw.Error as error:
        raise meaning(error, path) from error


def facts_of(connection: Connection) -> Facts:
    """The same by an open connection."""
    ((position, fence, last_task_id),) = read_all(connection, "facts")
    return Facts(connection.pragma("user_version"), position, fence, last_task_id)
