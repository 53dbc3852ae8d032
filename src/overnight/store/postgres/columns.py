"""Many rows in one statement: its parameters are columns, and those in which all rows agree are single values.

Each parameter costs the server two look-ups of its type: to write 64 rows of 22 values took twice as long by 1,408 of
them as it does by 22.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from overnight.store.postgres.values import ARRAYS, column

_PARAMETER = re.compile(r"\?")
_NUMBERED = re.compile(r"\?(\d+)")
_UPDATE = re.compile(r"\s*UPDATE\b(?!.*\bRETURNING\b)(?=.*\bWHERE\b)(?!.*\?(?!\d))", re.DOTALL)


def is_update(statement: str) -> bool:
    """Whether it is an ``UPDATE`` of the rows that its parameters name by their numbers, and says nothing of them."""
    return _UPDATE.match(statement) is not None


def in_columns(statement: str, kinds: Sequence[int], agreed: Sequence[bool]) -> str:
    """An ``INSERT ... VALUES (...)``, or what `is_update`, that takes columns.

    Args:
        statement: Parameters of an ``INSERT`` are told by their places.
        kinds: Numbers of their types.
        agreed: Which of them are the same in all rows.
    """
    given = [_given(ARRAYS[kind], same=same) for kind, same in zip(kinds, agreed, strict=True)]
    if is_update(statement):
        table = ", ".join(f"{one} AS a{number}" for number, one in enumerate(given, 1))
        head, condition = _NUMBERED.sub(r"v.a\1", statement).rsplit("WHERE", 1)
        return f"{head}FROM (SELECT {table}) AS v WHERE{condition}"
    head, row = statement.split("VALUES", 1)
    values = iter(given)
    return f"{head}SELECT {_PARAMETER.sub(lambda _: next(values), row.strip()[1:-1])}"


def can_be_columns(kinds: Sequence[int]) -> bool:
    """Whether there are columns of all these types."""
    return set(kinds) <= ARRAYS.keys()


def _given(kind: str, *, same: bool) -> str:
    return f"?::{kind}" if same else f"unnest(?::{kind}[])"


def agreement(columns: Sequence[Sequence[Any]]) -> tuple[bool, ...]:
    """In which columns all rows agree; never in all of them, for one of them has to say how many rows there are."""
    agreed = [one.count(one[0]) == len(one) for one in columns]
    agreed[0] &= not all(agreed)
    return tuple(agreed)


def bound(columns: Sequence[Sequence[Any]], kinds: Sequence[int], agreed: Sequence[bool]) -> list[Any]:
    """The parameters of such a statement."""
    return [one[0] if same else column(kind, one) for one, kind, same in zip(columns, kinds, agreed, strict=True)]
