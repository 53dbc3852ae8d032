"""What a database of a user must be able to do for its migrations.

The right over the records is that of the transaction: whoever is in `transaction` is alone with them,
so of two who migrate at once the second sees what the first has done, and no lock outlives its process.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from overnight.core.errors import ConfigurationError, OvernightError
from overnight.core.migrations.schemas import Schema
from overnight.core.migrations.standing import Record, Records
from overnight.core.migrations.statements import Dialect

#: The table of dbmate, and ours beside it.
VERSIONS, LOG = "schema_migrations", "overnight_migrations"

LEFT_OPEN = "it leaves a transaction open, which was undone; COMMIT belongs to each BEGIN"


class DatabaseUnavailableError(OvernightError):
    """A database of the user's is locked or away; nothing was changed, and the same call may work later."""

    exit_code = 69


class StatementError(Exception):
    """A statement of the user's failed. `offset`: where in it, in characters, if that is known."""

    def __init__(self, what: str, offset: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


class CannotRehearseError(Exception):
    """A rehearsal can go no further than this, though the real thing might."""


class Database(Protocol):
    """A database, open for one call. Not for several threads."""

    dialect: Dialect
    #: Its address as it may be shown.
    shown: str
    #: Whether `rehearsal` can run what runs outside of a transaction.
    rehearses_all: bool
    #: Whether there is one; else the first write makes it.
    is_there: bool

    def records(self) -> Records:
        """What is applied, and our log; both empty when there are no such tables yet. Writes nothing.

        Raises:
            DatabaseUnavailableError: It is locked or away.
        """

    def schema(self) -> Schema:
        """What is in it, but for the tables of the records."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, alone with the records, whose tables are there from then on. Left by an error: nothing.

        Raises:
            DatabaseUnavailableError: It is locked or away; nothing was changed.
            StatementError: What was done cannot stay (a constraint that is looked at in the end); nothing was changed.
        """

    def execute(self, statement: str) -> None:
        """Run one statement of the user's.

        Raises:
            StatementError: It failed.
            DatabaseUnavailableError: Others hold what it needs for too long, or the server has gone.
            CannotRehearseError: In a rehearsal alone.
        """

    def settle(self) -> None:
        """Put back what statements have set for this connection; to be called before `record`.

        Raises:
            StatementError: A statement has left a transaction open, which is undone.
        """

    def record(self, record: Record) -> None:
        """Write a line of the log, and what it means for what is applied. Inside of `transaction`."""

    def rehearsal(self) -> AbstractContextManager[Database]:
        """A database in which everything is as in this one, and of which nothing remains.

        Raises:
            NotNowError: There is no room for a copy.
        """

    def close(self) -> None:
        """Let go of it."""


def need_ours(shown: str, columns: Collection[str]) -> None:
    """Refuse a table of versions that means something else; no columns: there is none yet.

    Raises:
        ConfigurationError: It is another program's. That of golang-migrate names the last version alone, so that
            everything before it would be run once more.
    """
    if columns and ("version" not in columns or "dirty" in columns):
        raise ConfigurationError(
            f"the table {VERSIONS} in {shown} is not that of dbmate (its columns are {', '.join(sorted(columns))});"
            " nothing was done",
            hint="go on with the program that made it",
        )
