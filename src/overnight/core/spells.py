"""Who worked when, as a picture of a fixed width: attempts sorted into lanes and bins.

A night has a hundred thousand attempts and a screen a thousand columns. Each bin of a lane says for how
much of it somebody worked and whether anything failed in it: the failure is what must not get lost.

Where an attempt ran is told when it has ended. What still runs, and what a crash cut off, is put where
somebody was free when it began: workers are alike, and a worker that looks idle while it works is worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

#: Lanes of a picture; further slots share the last one.
MOST_LANES = 64
#: The outcome of what still runs; seconds for which what was handed out may lie behind others, so that it seems to
#: have begun before they ended.
RUNNING, _BEHIND = "running", 1.0


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
    #: Shares of the work in it that came to no good, that was cut off, that goes on, 0 to 1.
    troubled: float
    cut: float
    running: float


class Lane(msgspec.Struct, frozen=True):
    """The bins of one slot. `slot` None: where it ran is not known."""

    slot: int | None
    blocks: list[Block]


class _Bin:
    __slots__ = ("busy", "completed", "cut", "failed", "other", "running", "task_id", "troubled")

    def __init__(self) -> None:
        self.busy = self.troubled = self.cut = self.running = 0.0
        self.completed = self.failed = self.other = self.task_id = 0

    def work(self, seconds: float, outcome: str) -> None:
        self.busy += seconds
        if outcome == "failed":
            self.troubled += seconds
        elif outcome == RUNNING:
            self.running += seconds
        elif outcome != "completed":
            self.cut += seconds

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
        spells: What ran, in the order in which it ended; what still runs comes last, as `RUNNING`.
        since: Where the first bin begins.
        until: Where the last bin ends.
        bins: How many there are.
    """
    width = (until - since) / bins
    found: dict[int, dict[int, _Bin]] = {}
    free_since: dict[int, float] = {}
    for spell in spells:
        slot = min(spell.slot if spell.slot >= 0 else _free_at(spell.began, free_since), MOST_LANES - 1)
        free_since[slot] = spell.ended
        lane = found.setdefault(slot, {})
        _draw(lane, spell, since, width, bins)
    return [Lane(slot if slot >= 0 else None, _blocks(found[slot], width)) for slot in sorted(found)]


def _free_at(began: float, free_since: Mapping[int, float]) -> int:
    """The slot that was free then, and had been for the shortest time; -1 where none is known."""
    free = [(ended, slot) for slot, ended in free_since.items() if slot >= 0 and ended <= began + _BEHIND]
    return max(free)[1] if free else -1


def _draw(lane: dict[int, _Bin], spell: Spell, since: float, width: float, bins: int) -> None:
    first = max(0, int((spell.began - since) // width))
    last = min(bins - 1, int((spell.ended - since) // width))
    for number in range(first, last + 1):
        place = lane.get(number)
        if place is None:
            place = lane[number] = _Bin()
        begins = since + number * width
        place.work(max(0.0, min(spell.ended, begins + width) - max(spell.began, begins)), spell.outcome)
        failed = spell.outcome == "failed"
        if not place.task_id or (failed and not place.failed):
            place.task_id = spell.task_id
        if number == last and spell.ended < since + bins * width and spell.outcome != RUNNING:
            place.end(spell)


def _blocks(lane: dict[int, _Bin], width: float) -> list[Block]:
    return [_block(number, one, width) for number, one in sorted(lane.items())]


def _block(number: int, one: _Bin, width: float) -> Block:
    shares = (round(part / one.busy, 3) if one.busy else 0.0 for part in (one.troubled, one.cut, one.running))
    return Block(
        number, round(min(1.0, one.busy / width), 3), one.completed, one.failed, one.other, one.task_id, *shares
    )
