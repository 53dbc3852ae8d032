"""The store of one home in one SQLite file.

What is special about SQLite is here and in ``connection``; the operations are those of `overnight.store.sql`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from overnight.store.sql.store import SqlStore
from overnight.store.sqlite import copying
from overnight.store.sqlite.connection import PATIENCE, Database, Hooks

__all__ = ["SqliteStore"]

#: Pages of 4 KiB in the log from which on the engine moves them (8 MiB), and gives the room back (64 MiB).
TIDY_FROM = 2048
GIVE_BACK_FROM = 16_384
#: Of a data version.
_BITS = 32


class SqliteStore(SqlStore):
    """`overnight.store.contract.Store` on SQLite, for one thread. Not to be carried across a fork.

    If the process dies, nothing that was acknowledged is lost and nothing else is there. Not for
    network file systems: the write-ahead log needs shared memory.
    """

    _database: Database

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = False,
        migrate: bool = False,
        readonly: bool = False,
        hooks: Hooks | None = None,
        on_wait: Callable[[], None] | None = None,
        patience: float | None = None,
    ) -> SqliteStore:
        """Open the store at `path`; some 2 ms.

        Args:
            path: The file, ``queue.db``.
            create: Make an empty one when there is none. Many may try at once; all get the same.
            migrate: The caller holds the home's lock and may bring an older schema up to date.
            readonly: Never write.
            hooks: Called as hooks(operation, "before_commit" | "after_commit") around every COMMIT.
            on_wait: Called once by a write that finds the store busy, to ring the engine's doorbell.
            patience: Seconds that such a write waits before it is given up; None for half a minute.

        Raises:
            NotFoundError: There is no file, and none was to be made.
            HomeUnusableError: Another version wrote it, or it cannot be used by this user.
            StoreDamagedError: It is no store, or a page does not fit its checksum.
        """
        database = Database(
            path,
            create=create,
            migrate=migrate,
            readonly=readonly,
            hooks=hooks,
            on_wait=on_wait,
            patience=PATIENCE if patience is None else patience,
        )
        return cls(database)

    def tidy(self) -> None:
        """Move the write-ahead log into the store when it has grown past 8 MiB; else this costs nothing.

        Meant to be called after every turn: that bounds the log under full load. It never waits for
        anybody; what a long reader still needs is moved the next time. From 64 MiB on, which only a
        long reader can cause, the room is given back as well.
        """
        self._database.tidy(TIDY_FROM, give_back=GIVE_BACK_FROM)

    def leader(self) -> str:
        """Nobody: whoever holds the home is the engine."""
        return ""

    def change_token(self) -> int:
        with self._database.understood():
            # The pragma, and not the file control of the same name: that one moves with our own commits, too.
            # Not by the method of that name either, which prepares it anew each time.
            version = int(self._database.connection.execute("PRAGMA data_version").get)
        # Each connection counts from the beginning again, and what was changed between two must not look as before.
        return (self._database.reopened << _BITS) + version

    def check_file(self) -> None:
        self._database.check_file()

    def copy_to(self, path: Path) -> None:
        copying.copy_open(self._database.connection, self._database.path, path)
