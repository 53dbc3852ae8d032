"""Who worked when, as a picture of a fixed width: attempts sorted into lanes and bins.

A night has a hundred thousand attempts and a screen a thousand columns. Each bin of a lane says for how
much of it somebody worked and whether anything failed in it: the failure is what must not get lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

#: Lanes of a picture; further slots share the last one.
MOST_LANES = 64


class Spell(Protocol):
    """One attempt. Instants in any unit, the same for all; `slot` below 0: not known."""

    @property
    def task_id(self) -> int: ...
    @property
    def began(self) -> float: ...
    @property
    def ended(self) -> float: ...
    @property
    def outcome(self) -> str: ...
    @property
    def slot(self) -> int: ...


class Block(msgspec.Struct, frozen=True, array_like=True):
    """One bin of a lane in which something ran."""

    #: Number of the bin, from 0.
    bin: int
    #: Share of it in which somebody worked, 0 to 1.
    busy: float
    #: Attempts that ended in it: well, failed, cut off.
    completed: int
    failed: int
    other: int
    #: A task of it: one that failed, where one did.
    task_id: int


class Lane(msgspec.Struct, frozen=True):
    """The bins of one slot. `slot` None: where it ran is not known."""

    slot: int | None
    blocks: list[Block]


class _Bin:
    __slots__ = ("busy", "completed", "failed", "other", "task_id")

    def __init__(self) -> None:
        self.busy = 0.0
        self.completed = self.failed = self.other = self.task_id = 0

    def end(self, spell: Spell) -> None:
        if spell.outcome == "completed":
            self.completed += 1
        elif spell.outcome == "failed":
            self.failed += 1
        else:
            self.other += 1


def lanes(spells: Iterable[Spell], *, since: float, until: float, bins: int) -> list[Lane]:
    """Attempts in lanes by slot, each in so many bins of the same width.

    Args:
        spells: What ran, in any order.
        since: Where the first bin begins.
        until: Where the last bin ends.
        bins: How many there are.
    """
    width = (until - since) / bins
    found: dict[int, dict[int, _Bin]] = {}
    for spell in spells:
        lane = found.setdefault(min(spell.slot, MOST_LANES - 1), {})
        _draw(lane, spell, since, width, bins)
    return [Lane(slot if slot >= 0 else None, _blocks(found[slot], width)) for slot in sorted(found)]


def _draw(lane: dict[int, _Bin], spell: Spell, since: float, width: float, bins: int) -> None:
    first = max(0, int((spell.began - since) // width))
    last = min(bins - 1, int((spell.ended - since) // width))
    for number in range(first, last + 1):
        place = lane.get(number)
        if place is None:
            place = lane[number] = _Bin()
        begins = since + number * width
        place.busy += min(spell.ended, begins + width) - max(spell.began, begins)
        failed = spell.outcome == "failed"
        if not place.task_id or (failed and not place.failed):
            place.task_id = spell.task_id
        if number == last and spell.ended < since + bins * width:
            place.end(spell)


def _blocks(lane: dict[int, _Bin], width: float) -> list[Block]:
    return [
        Block(number, min(1.0, max(0.0, one.busy / width)), one.completed, one.failed, one.other, one.task_id)
        for number, one in sorted(lane.items())
    ]
