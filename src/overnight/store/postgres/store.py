"""The store of many hosts in one PostgreSQL database.

What is special about PostgreSQL is here and in ``connection``; the operations are those of `overnight.store.sql`.
An operation that finds the server gone waits for it and is done then: nothing of it had happened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from overnight.core.errors import StoreAwayError, StoreUnavailableError, UsageError
from overnight.store.contract import Store
from overnight.store.postgres.connection import PATIENCE, Database, Hooks
from overnight.store.postgres.lease import HOLDER
from overnight.store.postgres.meanings import StatementError
from overnight.store.sql.store import SqlStore

__all__ = ["PostgresStore"]

#: Tasks that are published at once from which on the planner is told of them.
_MANY = 10_000


class PostgresStore(SqlStore):
    """`overnight.store.contract.Store` on PostgreSQL, for one thread. Not to be carried across a fork.

    What was acknowledged is as safe as the server's COMMIT: leave ``synchronous_commit`` on there.
    """

    _database: Database

    @classmethod
    def open(
        cls,
        address: str,
        *,
        create: bool = False,
        migrate: bool = False,
        readonly: bool = False,
        hooks: Hooks | None = None,
        told: Callable[[str], None] = lambda _: None,
        patience: float | None = None,
    ) -> PostgresStore:
        """Open the store at `address`.

        Args:
            address: ``postgresql://USER@HOST/DATABASE``; passwords are in no message.
            create: Make an empty one when there is none. Many may try at once; all get the same.
            migrate: The caller leads the store (`lease`) and may bring older tables up to date.
            readonly: Never write.
            hooks: Called as hooks(operation, "before_commit" | "after_commit") around every COMMIT.
            told: Told once when the server is waited for, and once when it is there again.
            patience: Seconds for which an operation waits for other writers, and for a server that is away; None for
                half a minute.

        Raises:
            NotFoundError: There is no store, and none was to be made.
            HomeUnusableError: A newer version has made it, or it cannot be used by this user.
            StoreOutdatedError: An older version has made it, and this caller may not change it.
            StoreAwayError: The server does not answer.
        """
        return cls(
            Database(
                address,
                create=create,
                migrate=migrate,
                readonly=readonly,
                hooks=hooks,
                told=told,
                patience=PATIENCE if patience is None else patience,
            )
        )

    @property
    def id(self) -> str:
        """Which store this is, wherever it is reached: a copy from a backup has the same."""
        return self._database.id

    def publish(self, batch: int, *, now: float) -> int:
        count = super().publish(batch, now=now)
        if count >= _MANY:
            # It is published, whatever becomes of this.
            with contextlib.suppress(StoreUnavailableError, StatementError):
                self._database.connection.execute("ANALYZE tasks").fetchall()
        return count

    def leader(self) -> str:
        """The engine that has the lease of this store now, wherever it is; empty when none has."""
        return str(self._database.connection.execute(HOLDER).get or "")

    def tidy(self) -> None:
        """Nothing: the server moves its log by itself."""

    def change_token(self) -> int:
        return self._database.change_token()

    def check_file(self) -> None:
        """Nothing: a database has no file that could be replaced."""

    def copy_to(self, path: Path) -> None:
        raise UsageError(
            f"the store is at {self._database.shown}: there is no file to be copied to {path}; nothing was done",
            hint="pg_dump copies it, or the backups of your server do",
        )


#: What is no operation on the database, or says itself what it does without a server.
_ALONE = frozenset({"told", "tidy", "waiting", "check_file", "copy_to", "reopen", "close"})


def _patient(operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that is done again, from its beginning, by a new connection when the server went away."""

    @wraps(operation)
    def done(store: PostgresStore, *args: object, **options: object) -> Any:  # noqa: ANN401  # as the operation has it
        times = 0
        while True:
            try:
                return operation(store, *args, **options)
            except StoreAwayError:
                if not store._database.try_again(times):  # noqa: SLF001  # its own
                    raise
                times += 1

    return done


# All at once, and not one by one: each is one transaction, of which nothing has happened when it says so.
for _name in vars(Store):
    if not _name.startswith("_") and _name not in _ALONE:
        setattr(PostgresStore, _name, _patient(getattr(PostgresStore, _name)))
