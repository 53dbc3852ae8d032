"""The one door to the file: opening it, its transactions, and what its errors mean.

Three things about SQLite are known here and nowhere else.

Whoever has a connection must never open and close ``queue.db`` by other means in the same process:
that drops the locks of the connection (POSIX locks belong to the process). So the file is looked
at with ``stat`` alone.

An error out of COMMIT means that nobody knows, but for a full disk, where SQLite has rolled back
by itself and says so (``in_transaction``). The caller gets `StoreUnavailableError` and must end.

Waiting for the write lock is not fair. Who waits calls ``on_wait`` once, which rings the engine's
doorbell, so that it leaves a gap after its COMMIT; then it tries again at short intervals.
"""

from __future__ import annotations

import contextlib
import os
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import apsw

from overnight.core.errors import (
    DiskFullError,
    HomeUnusableError,
    NotFoundError,
    OvernightError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnavailableError,
)
from overnight.store.sql.database import Transaction
from overnight.store.sql.statements import Row, read_all, unbalanced
from overnight.store.sqlite import checksums
from overnight.store.sqlite.migrations import bring_up_to_date, create_schema

#: Called with the operation's name and "before_commit" or "after_commit". For fault tests.
Hooks = Callable[[str, str], None]

#: Seconds that a writer waits for the others, and between two tries.
PATIENCE = 30.0
_NAP = 0.0005

#: Pages of 4 KiB that the cache may hold: 16 MiB. More makes a claim no faster at a million tasks.
_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA cache_size = -10000;
PRAGMA mmap_size = 0;
"""

#: Pages in the log (64 MiB) from which on whoever writes moves it.
LONG_LOG = 16_384

#: What is not the fault of a statement.
_MACHINE = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
_DAMAGE = (apsw.CorruptError, apsw.NotADBError)
#: Errors of reading: a page is gone, or is not what was written.
_UNREADABLE = (
    apsw.SQLITE_IOERR_DATA,
    apsw.SQLITE_IOERR_READ,
    apsw.SQLITE_IOERR_SHORT_READ,
    apsw.SQLITE_IOERR_CORRUPTFS,
)
_TRY_DAMAGE = "'overnight resume' sets the file aside, rebuilds it from a checkpoint and the journal, and goes on"


#: Places for prepared statements. APSW takes one out while it runs and puts it into the next place, over whatever
#: is there: so this is not how many are kept, but how many runs of others one outlives. A turn has some thirty.
PREPARED = 2000

#: Rows that go into one statement: measured with 8, 32 and 64, nothing is gained above.
TOGETHER = 32


class Connection(apsw.Connection):
    """`overnight.store.sql.statements.Connection`, which is APSW's with two more words."""

    def ids(self, ids: Iterable[int]) -> object:
        """Ids as a parameter of ``IN carray(?)``. Instead of none there is 0, nobody's: an empty one is refused."""
        return apsw.carray(array("q", ids) or array("q", [0]))

    travels = False
    mark = apsw.Connection.total_changes

    def want(self, since: int, expected: int) -> None:
        """See `overnight.store.sql.statements.Connection.want`."""
        found = self.total_changes() - since
        if found != expected:
            raise unbalanced(expected, found)

    def foresee(self, statement: str, bindings: Sequence[Any] = ()) -> None:
        """Nothing: what is asked is here."""

    def insert_many(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        """Run an ``INSERT ... VALUES (...)`` for each of `many`, `TOGETHER` rows a statement.

        A statement prepares its CHECKs each time it runs (an IN list becomes a small table), so rows
        that share one cost 1.6 µs instead of 2.7 for a row of 21 columns.
        """
        whole = len(many) - len(many) % TOGETHER
        if whole:
            head, row = statement.split("VALUES", 1)
            sql = f"{head}VALUES {', '.join([row] * TOGETHER)}"
            groups = (list(chain.from_iterable(many[at : at + TOGETHER])) for at in range(0, whole, TOGETHER))
            self.executemany(sql, groups)
        if whole < len(many):
            self.executemany(statement, many[whole:])


class _Understood:
    """See `Database.understood`. A broken constraint is a bug and stays as it is. A dozen a turn: no generator."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and isinstance(error, _MACHINE):
            raise meaning(error, self._path) from error


class Database:
    """A connection to one store file, for one thread.

    Args:
        path: The file.
        create: Make it when it is missing; else that is a `NotFoundError`.
        migrate: This caller holds the home's lock, or has made the file: it may change an older schema.
        readonly: Never write, not even for a migration.
        hooks: Called around every COMMIT.
        on_wait: Called once by a write that has to wait for another process.
        patience: Seconds that it waits.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        migrate: bool = False,
        readonly: bool = False,
        hooks: Hooks | None = None,
        on_wait: Callable[[], None] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.path = path
        self._understood = _Understood(path)
        #: Seconds that a write waits for another process.
        self.patience = patience
        self._hooks = hooks
        self._on_wait = on_wait
        self._readonly = readonly
        #: Of the log, once there is one; looked at each second.
        self._log: tuple[int, int] | None = None
        self._log_path = Path(f"{path}-wal")
        #: Pages in the write-ahead log after our last commit; others' are counted with them.
        self.wal_pages = 0
        #: How often we have gone on by another connection.
        self.reopened = 0
        self.told = 0
        if create and not readonly and not path.exists():
            create_file(path)
        with self.understood():
            self.connection = self._open()
        try:
            with self.understood():
                self._prepare(migrate=migrate and not readonly)
        except BaseException:
            self.connection.close()
            raise

    def _open(self) -> Connection:
        checksums.register()
        flags = apsw.SQLITE_OPEN_READONLY if self._readonly else apsw.SQLITE_OPEN_READWRITE
        try:
            before = _inode(self.path)
            name, uri = named(self.path)
            connection = Connection(name, flags=flags | uri, vfs=checksums.VFS, statementcachesize=PREPARED)
        except FileNotFoundError:
            raise NotFoundError(
                f"there is no store at {self.path}, and so there are no tasks; nothing was changed",
                hint="'overnight add' or 'overnight run' makes one",
            ) from None
        self._inode = before
        return connection

    def _prepare(self, *, migrate: bool) -> None:
        connection = self.connection
        connection.set_busy_handler(self._wait)
        # Closing must not cost a producer a checkpoint; the engine moves the log (`tidy`).
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        # Without this SQLite looks at the values bound to LIMIT, and prepares the statement anew for each.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(_PRAGMAS)
        # Takes the place of SQLite's own checkpoint after a commit: only `tidy` moves the log.
        connection.set_wal_hook(self._note_wal)
        bring_up_to_date(connection, self.path, migrate=migrate)
        # One byte of the header says that pages have checksums; without it nobody would look at them.
        if not self._has_checksums() and not self._mend_header():
            raise StoreDamagedError(f"{self.path} is damaged (no checksums); nothing was changed", hint=_TRY_DAMAGE)
        self._log = None
        with contextlib.suppress(OSError):  # a copy has none
            self._log = _inode(self._log_path)
        self.check_file()

    def _has_checksums(self) -> bool:
        return bool(self.connection.pragma("checksum_verification") == "1")

    def _mend_header(self) -> bool:
        """Move the log into the file, whose first page a power cut may have spoilt on that very way.

        SQLite believes the log and never looks at the spoilt page, but what guards the pages does. To move the
        log writes the page again, before any other. Returns whether that has helped.
        """
        if not self.connection.readonly("main"):
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return self._has_checksums()

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def _wait(self, tries: int) -> bool:
        if tries == 0 and self._on_wait is not None:
            self._on_wait()
        if tries * _NAP >= self.patience:
            return False
        time.sleep(_NAP)
        return True

    # -- transactions ------------------------------------------------------------------------

    @contextmanager
    def write(self, operation: str, *, check: bool = True) -> Iterator[Transaction]:
        """One transaction, durable when the block is left and undone when it raises.

        Args:
            operation: Its name, for the hooks.
            check: Make sure, before returning, that the file is still the one at its path: a commit
                into a deleted file succeeds, and must not be acknowledged.
        """
        transaction = Transaction(self.connection)
        with self.understood():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield transaction
                transaction.balance()
                transaction.spill()
                self._tell(operation, "before_commit")
            except BaseException:
                self._undo()
                raise
        self._commit()
        self.told += transaction.told
        self._tell(operation, "after_commit")
        if check:
            self.check_file()

    def _commit(self) -> None:
        try:
            self.connection.execute("COMMIT")
        except apsw.FullError as error:
            if not self.connection.in_transaction:
                raise _no_room(self.path) from error
            self._undo()
            raise _unknown(self.path, error) from error
        except apsw.Error as error:
            self._undo()
            raise _unknown(self.path, error) from error

    def _undo(self) -> None:
        if self.connection.in_transaction:
            try:
                self.connection.execute("ROLLBACK")
            except apsw.Error:
                # It undoes itself when the file is opened again; what led here is the news.
                return

    def _tell(self, operation: str, moment: str) -> None:
        if self._hooks is not None:
            self._hooks(operation, moment)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A block whose statements all see one state of the store."""
        with self.understood():
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self._undo()

    def understood(self) -> _Understood:
        """A block in which what SQLite says of the machine is said in our words."""
        return self._understood

    def rows(self, name: str, bindings: Sequence[Any] = ()) -> list[Row]:
        """All rows of a named statement, outside of a write."""
        with self.understood():
            return read_all(self.connection, name, bindings)

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """A block, around a write, in which no row that is deleted is looked up in others that may refer to it."""
        self.connection.execute("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA foreign_keys = ON")

    # -- the file ----------------------------------------------------------------------------

    def check_file(self) -> None:
        """Raise `StoreDamagedError` when the paths do not name our file and its log any more."""
        _check(self.path, self._inode)
        if self._log is not None:  # what has just been committed lies there
            _check(self._log_path, self._log)

    def tidy(self, pages: int, *, give_back: int) -> None:
        """Move the log into the file when it has at least `pages` pages; give its room back from `give_back` on.

        Never waits: what a reader still needs stays for the next time.
        """
        if self.wal_pages < pages:
            return
        with self.understood():
            self.connection.set_busy_handler(None)
            try:
                total, moved = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                self.wal_pages = total - moved
                if total >= give_back and total == moved:
                    self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            except apsw.BusyError:
                return
            finally:
                self.connection.set_busy_handler(self._wait)

    def ease(self) -> None:
        """Move the log after a COMMIT when it is long, for no engine may be there to do it.

        Never in the way of an answer: what the caller asked for is on disk, whatever becomes of the log.
        """
        with contextlib.suppress(OvernightError):
            self.tidy(LONG_LOG, give_back=LONG_LOG)

    def reopen(self) -> None:
        """Go on with the file that is at the path now; without one this stays as it is.

        Raises:
            NotFoundError: There is none.
            StoreDamagedError: It cannot be used.
        """
        with self.understood():
            fresh = self._open()
            self.connection.close()
            self.connection = fresh
            self.reopened += 1
            self._prepare(migrate=False)

    def close(self) -> None:
        """Let go; twice is as good as once."""
        self.connection.close()


def _inode(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - after every commit
    return found.st_dev, found.st_ino


def _check(path: Path, inode: tuple[int, int]) -> None:
    try:
        now = _inode(path)
    except OSError as error:
        raise StoreDamagedError(
            f"{path} is gone while it is in use ({error.strerror}); nothing more can be recorded in it",
            hint="an engine at work puts it back within seconds, 'overnight resume' rebuilds it; then again",
        ) from error
    if now != inode:
        raise StoreDamagedError(
            f"{path} has been replaced while it is in use; what was just written is not in the new file",
            hint="run the command again",
        )


def named(path: Path) -> tuple[str, int]:
    """A path as SQLite is told of it, and the flag that goes with that: what is not UTF-8 goes in as a URI."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8"), 0
    except UnicodeDecodeError:
        from urllib.parse import quote

        return f"file:{quote(raw)}", apsw.SQLITE_OPEN_URI


def create_file(path: Path) -> None:
    """Make a whole, empty store at `path`; who is later than somebody else uses theirs.

    It is made under another name and linked into place, so that nobody ever sees half of one.
    """
    rough = path.with_name(f"{path.name}.new-{os.getpid()}")
    rough.unlink(missing_ok=True)
    checksums.register()
    try:
        name, uri = named(rough)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | uri
        connection = apsw.Connection(name, flags=flags, vfs=checksums.VFS)
        try:
            checksums.reserve(connection)
            connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            create_schema(connection)
        finally:
            connection.close()
        rough.chmod(0o600)
        _link(rough, path)
    except FileNotFoundError:
        raise NotFoundError(f"there is no directory {path.parent}; nothing was made") from None
    except apsw.Error as error:
        raise meaning(error, path) from error
    except OSError as error:
        raise HomeUnusableError(f"cannot make {path}: {error.strerror}; nothing was made") from error
    finally:
        for leftover in (rough, Path(f"{rough}-wal"), Path(f"{rough}-shm")):
            leftover.unlink(missing_ok=True)


def _link(rough: Path, path: Path) -> None:
    try:
        os.link(rough, path)
    except FileExistsError:
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def meaning(error: apsw.Error, path: Path) -> OvernightError:
    """What an error of SQLite, raised before COMMIT, means for the tasks."""
    if isinstance(error, apsw.FullError):
        return _no_room(path)
    if isinstance(error, apsw.BusyError):
        return StoreBusyError(
            f"{path} was busy for too long; nothing was changed",
            hint="try again; 'overnight status' shows who works on it",
        )
    if isinstance(error, _DAMAGE) or getattr(error, "extendedresult", 0) in _UNREADABLE:
        return StoreDamagedError(f"{path} is damaged ({error}); nothing was changed", hint=_TRY_DAMAGE)
    if isinstance(error, (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)):
        return HomeUnusableError(
            f"{path} cannot be used ({error}); nothing was changed",
            hint="look at the owner and the permissions of the file and of its directory",
        )
    return StoreUnavailableError(f"{path} could not be used ({type(error).__name__}: {error}); nothing was changed")


def _no_room(path: Path) -> DiskFullError:
    return DiskFullError(
        f"no room is left on the disk of {path}; nothing of this is recorded",
        hint="make room and try again; what was recorded before is safe",
    )


def _unknown(path: Path, error: apsw.Error) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{path}: the answer to COMMIT is unknown ({type(error).__name__}: {error}); it may be recorded or not",
        hint="'overnight list' shows which it is",
    )
