"""Where labels stand so that none lies over another: along a line, in as few rows as possible.

Widths are estimated from above, since no font is known; so two labels never touch, and some stand a
little further apart than they had to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

#: Pixels of a character at a size of 11, on average, from above (a bold W has 11, and names have few).
CHARACTER = 6.6
#: Of one that is as wide as it is high: Chinese, Japanese, Korean, pictures.
WIDE = 12.0
#: Pixels between two labels in a row, and between a label and its mark.
GAP, AWAY = 8.0, 4.0
_FIRST_WIDE = 0x1100


class Placed(NamedTuple):
    """Where a label begins and ends (pixels), and in which row, from 0. `shown` is the text, cut to fit."""

    left: float
    right: float
    row: int
    shown: str


def width_of(words: str) -> float:
    """Pixels that a text takes at most."""
    return sum(WIDE if ord(character) >= _FIRST_WIDE else CHARACTER for character in words)


def placed(marks: Sequence[tuple[float, str]], *, width: float, rows: int) -> list[Placed | None]:
    """A place for each label; None for one that finds no room in so many rows.

    A line leads from each mark down to its label, through the rows above it. No label lies over another one, and
    no line goes through a label: so the rightmost is placed first, and those before it go below.

    Args:
        marks: Where each label's mark is (pixels from the left), and its words.
        width: Pixels that there are.
        rows: The most rows.
    """
    found: dict[int, Placed] = {}
    for number in sorted(range(len(marks)), key=lambda one: -marks[one][0]):
        x, words = marks[number]
        others = [(marks[one][0], place) for one, place in found.items()]
        wanted = [place for row in range(rows) for place in _sides(x, _cut(words, width / 3), width, row)]
        place = next((one for one in wanted if all(_is_clear(x, one, *other) for other in others)), None)
        if place is not None:
            found[number] = place
    return [found.get(number) for number in range(len(marks))]


def _sides(x: float, shown: str, width: float, row: int) -> Iterator[Placed]:
    """To the right of its mark, and to the left; never outside."""
    long = width_of(shown)
    if x + AWAY + long <= width:
        yield Placed(x + AWAY, x + AWAY + long, row, shown)
    if x - AWAY - long >= 0:
        yield Placed(x - AWAY - long, x - AWAY, row, shown)


def _is_clear(x: float, one: Placed, other_x: float, other: Placed) -> bool:
    """Whether two labels and their lines keep out of each other's way."""
    if one.row == other.row:
        return one.right + GAP <= other.left or one.left >= other.right + GAP
    if one.row > other.row:
        return not _crosses(x, other)
    return not _crosses(other_x, one)


def _crosses(x: float, label: Placed) -> bool:
    return label.left - AWAY < x < label.right + AWAY


def _cut(words: str, room: float) -> str:
    if width_of(words) <= room:
        return words
    while words and width_of(words) + WIDE > room:
        words = words[:-1]
    return words + "…"
