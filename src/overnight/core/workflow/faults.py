"""What is wrong with a definition, and where: told by whoever knows the file it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Keys and numbers from the workflow's own table on: ``("step", 3, "needs", 0)``.
Where = tuple[str | int, ...]

#: Looking for the nearest of many names takes long; nobody mends so many mistakes at a time.
_MOST_MEANT = 50
_MOST_NAMES = 2000


class Mark(NamedTuple):
    """A further place that belongs to a mistake, and what is there."""

    where: Where
    what: str


class Fault(NamedTuple):
    """One mistake. `inside` counts characters into a text; `at_key` points at the key instead of its value."""

    where: Where
    what: str
    advice: str = ""
    inside: int = 0
    at_key: bool = False
    #: For a cycle: each of its edges.
    trail: tuple[Mark, ...] = ()


class Meant:
    """Guesses which name was meant, as long as it is cheap."""

    def __init__(self) -> None:
        self._left = _MOST_MEANT

    def __call__(self, word: str, names: Sequence[str], otherwise: str = "") -> str:
        """The advice for a name that is not there."""
        from difflib import get_close_matches  # 3 ms, for who makes mistakes

        self._left -= 1
        if self._left >= 0 and len(names) <= _MOST_NAMES and (close := get_close_matches(word[:100], names, n=1)):
            return f"did you mean {close[0]!r}?"
        return otherwise


def listed(names: Iterable[str], most: int = 10) -> str:
    """Some names as text."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
