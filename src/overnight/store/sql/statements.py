"""The named statements of ``queries.sql``, ``workflows.sql`` and ``night.sql``.

SQL stays in files of its own, where an editor colours it and a reader finds all of it at once.
The loader knows one thing: a statement begins at ``-- name:``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from overnight.core.errors import StoreDamagedError

_MARK = "-- name: "


def load(path: Path) -> dict[str, str]:
    """The statements of a file by name, without their comments.

    Raises:
        ValueError: A name stands there twice.
    """
    statements: dict[str, str] = {}
    for part in path.read_text(encoding="utf-8").split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        if name in statements:
            raise ValueError(f"{path.name} has two statements named {name}")
        lines = (line for line in body.splitlines() if not line.startswith("--"))
        statements[name] = "\n".join(lines).strip().removesuffix(";")
    return statements


SQL = {
    name: statement
    for file in ("queries.sql", "workflows.sql", "night.sql")
    for name, statement in load(Path(__file__).with_name(file)).items()
}

#: Statements about ids as they are about one, as far as they were asked for.
_OF_ONE: dict[str, str] = {}
_TABLE = re.compile(r"IN carray\((\?\d*)\)")

#: A row as it comes out of the database; whoever asked knows what is in it.
Row = tuple[Any, ...]


class Rows(Protocol):
    """What a statement answers."""

    @property
    def get(self) -> Any:  # noqa: ANN401  # the caller knows
        """The one value of the one row, all of the one row if it has several; None when there is no row."""

    def fetchall(self) -> list[Row]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Row]:
        """The rows, read as they are asked for."""


class Connection(Protocol):
    """What statements are run by. They are written as SQLite has them; who is not SQLite translates.

    Ids stand in them as ``IN carray(?)``, and are bound as `ids` makes them.
    """

    def execute(self, statement: str, bindings: Any = ..., /) -> Rows:  # noqa: ANN401  # any that a column can have
        """Run a statement."""

    def executemany(self, statement: str, many: Iterable[Any], /) -> Rows:
        """Run a statement once for each of `many`; the rows of all."""

    def insert_many(self, statement: str, many: Sequence[Sequence[Any]], /) -> None:
        """Run an ``INSERT ... VALUES (...)`` for each of `many`, the fast way."""

    def ids(self, ids: Iterable[int], /) -> object:
        """Ids as a parameter."""

    def total_changes(self) -> int:
        """How many rows statements have added, changed and deleted so far."""

    #: Whether statements and answers travel: who knows what it will ask says so ahead then, all at once.
    travels: bool

    def foresee(self, statement: str, bindings: Sequence[Any] = ..., /) -> None:
        """Say what will be asked in this transaction, so that it is asked already."""

    def mark(self) -> int:
        """Where we are, for `want`."""

    def want(self, since: int, expected: int, /) -> None:
        """Make sure, before COMMIT at the latest, that statements since a `mark` have changed so many rows."""


def read_all(connection: Connection, name: str, bindings: Sequence[Any] = ()) -> list[Row]:
    """All rows of a named statement."""
    return connection.execute(SQL[name], bindings).fetchall()


def read_each(connection: Connection, name: str, bindings: Sequence[Any] = ()) -> Iterator[Row]:
    """The rows of a named statement, read as they are asked for."""
    return iter(connection.execute(SQL[name], bindings))


def read_one(connection: Connection, name: str, bindings: Sequence[Any] = ()) -> Any:  # noqa: ANN401  # the caller knows
    """The one value of a named statement's one row; None when there is no row."""
    return connection.execute(SQL[name], bindings).get


def run(connection: Connection, name: str, bindings: Sequence[Any] | Mapping[str, Any] = ()) -> None:
    """Run a named statement that has no rows to give."""
    connection.execute(SQL[name], bindings)


def read_for(connection: Connection, name: str, ids: Sequence[int]) -> Iterator[Row]:
    """The rows of a named statement about these ids."""
    statement, asked = _about(connection, name, ids)
    return iter(connection.execute(statement, (asked,)))


def run_for(connection: Connection, name: str, ids: Sequence[int], *others: object) -> None:
    """Run a named statement about these ids, which has no rows to give; its other parameters come first."""
    statement, asked = _about(connection, name, ids)
    connection.execute(statement, (*others, asked))


def _about(connection: Connection, name: str, ids: Sequence[int]) -> tuple[str, object]:
    """Of one id it is an equation, at half the cost of a table with one row."""
    if len(ids) != 1 or connection.travels:
        return SQL[name], connection.ids(ids)
    statement = _OF_ONE.get(name)
    if statement is None:
        statement = _OF_ONE[name] = _of_one(name)
    return statement, ids[0]


def _of_one(name: str) -> str:
    statement, found = _TABLE.subn(r"= \1", SQL[name])
    if found != 1 or "NOT =" in statement:
        raise ValueError(f"statement {name} is not about the rows of some ids")
    return statement


def run_each(connection: Connection, name: str, many: Iterable[Sequence[Any]]) -> None:
    """Run a named statement once for each of `many`, the fast way."""
    connection.executemany(SQL[name], many)


def read_for_each(connection: Connection, name: str, many: Iterable[Sequence[Any]]) -> list[Row]:
    """Run a named statement once for each of `many`; all their rows in one list."""
    return connection.executemany(SQL[name], many).fetchall()


def insert_many(connection: Connection, name: str, many: Sequence[Sequence[Any]]) -> None:
    """Run a named ``INSERT ... VALUES (...)`` for each of `many`, the fast way."""
    connection.insert_many(SQL[name], many)


def foresee(connection: Connection, name: str, bindings: Sequence[Any] = ()) -> None:
    """Say that a named statement will be read. For who `travels`."""
    connection.foresee(SQL[name], bindings)


def unbalanced(expected: int, found: int) -> StoreDamagedError:
    """Statements have changed other rows than they must."""
    return StoreDamagedError(
        f"the store does not balance ({expected} rows should have changed, {found} did); nothing was changed",
        hint="'overnight verify' to see what is wrong",
    )
