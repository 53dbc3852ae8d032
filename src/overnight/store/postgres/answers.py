"""What a server answers, on its way: read when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from overnight.store.postgres.meanings import away
from overnight.store.sql.statements import Row


class Prepared(NamedTuple):
    """A statement as the server has it."""

    name: bytes
    names: tuple[str, ...] | None
    changes: bool


class Settling(Protocol):
    """A connection that has answers to come."""

    shown: str

    def settle(self) -> None:
        """Read all that are due."""


class Answer:
    """The rows of one statement, `overnight.store.sql.statements.Rows`; waited for when somebody looks."""

    __slots__ = ("kinds", "link", "prepared", "rows")

    def __init__(self, link: Settling, prepared: Prepared | None) -> None:
        self.link = link
        self.prepared = prepared
        self.rows: list[Row] | None = None
        #: Of a statement that was described: the types of its parameters.
        self.kinds: list[int] = []

    def fetchall(self) -> list[Row]:
        """All rows. Raises StoreAwayError when the connection was closed before they came: none is no answer."""
        if self.rows is None:
            self.link.settle()
            if self.rows is None:
                raise away(self.link.shown, "the connection was closed")
        return self.rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchall())

    @property
    def get(self) -> Any:  # noqa: ANN401  # the caller knows
        """The one value of the first row, all of it if it has several; None when there is no row."""
        found = self.fetchall()
        if not found:
            return None
        return found[0][0] if len(found[0]) == 1 else found[0]


class Several:
    """The rows of one statement that was run several times."""

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers

    def fetchall(self) -> list[Row]:
        return [row for answer in self._answers for row in answer.fetchall()]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchall())

    @property
    def get(self) -> Any:  # noqa: ANN401  # the caller knows
        return next((answer.get for answer in self._answers if answer.fetchall()), None)
