"""From entries as they were written to a list: who waits for whom, in which order, and what is wrong with that.

The parts of an entry are done before the whole of it, and none of them begins before what the whole waits for
is done. Linear in entries and edges, and without recursion: lists are written by programs, too.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import msgspec

from overnight.core.problems import Problem
from overnight.core.task_list.entries import Box, Entry
from overnight.core.workflow.faults import Meant, Where
from overnight.core.workflow.graph import find_cycle

#: Edges of a list; a file within its limit of size could ask for billions by nesting.
MOST_EDGES = 500_000
#: Members of a cycle that are told one by one.
_MOST_SHOWN = 12
_NOT_RUN = frozenset({Box.CANCELLED, Box.LATER})


class Draft(msgspec.Struct):
    """An entry as it was written."""

    entry: Entry
    #: Ids that it waits for, and where each is named.
    needs: list[tuple[str, int]] = []
    #: Position of the entry that it is a part of.
    whole: int | None = None


class Linked(msgspec.Struct, frozen=True):
    """Entries in order, or what keeps them from having one."""

    entries: tuple[Entry, ...]
    problems: list[Problem]
    #: How many are to be done and wait for one that is not for now.
    left_out: int = 0


def link(drafts: Sequence[Draft], *, strict: bool = True) -> Linked:
    """Put entries into an order in which each stands behind those that it waits for.

    Args:
        drafts: The entries; a whole stands before its parts.
        strict: Whether it is a mistake to wait for what is cancelled; if not, what does so is left out.
    """
    linker = _Linker(drafts, strict=strict)
    linker.collect()
    return Linked((), linker.problems) if linker.problems else linker.ordered()


class _Linker:
    """Gathers edges, and mistakes on the way."""

    def __init__(self, drafts: Sequence[Draft], *, strict: bool) -> None:
        self._drafts = drafts
        self._strict = strict
        self._by_key: dict[str, int] = {}
        self._meant = Meant()
        self._first_words: set[str] | None = None
        self.problems: list[Problem] = []
        #: (before, after) to the place that says so.
        self._edges: dict[tuple[int, int], Where] = {}

    def collect(self) -> None:
        for position, draft in enumerate(self._drafts):
            self._name(position, draft.entry)
        own = [self._own_needs(position, draft) for position, draft in enumerate(self._drafts)]
        inherited: list[list[tuple[int, int]]] = []
        for position, draft in enumerate(self._drafts):
            above = [] if draft.whole is None else inherited[draft.whole]
            inherited.append(above + own[position])
            if len(self._edges) + len(inherited[-1]) > MOST_EDGES:
                self.problems.append(Problem(draft.entry.offset, f"more than {MOST_EDGES:,} dependencies"))
                return
            self._wait(position, draft, inherited[-1])

    def _name(self, position: int, entry: Entry) -> None:
        if not entry.key:
            return
        first = self._by_key.setdefault(entry.key, position)
        if first != position:
            trail = ((self._drafts[first].entry.offset, "the first one"),)
            self.problems.append(Problem(entry.offset, f"{entry.key!r} is the id of two tasks", trail=trail))

    def _own_needs(self, position: int, draft: Draft) -> list[tuple[int, int]]:
        """Positions that it waits for, and where each is named."""
        found = []
        for key, offset in draft.needs:
            other = self._by_key.get(key)
            if other is None:
                advice = self._meant(key, list(self._by_key), self._without_colon(key))
                self.problems.append(Problem(offset, f"there is no task {key!r} in this list", advice))
            elif other == position:
                self.problems.append(Problem(offset, f"{key!r} would wait for itself"))
            else:
                found.append((other, offset))
        return found

    def _without_colon(self, key: str) -> str:
        """What to do about an id that somebody has written without the colon that makes it one."""
        if self._first_words is None:
            self._first_words = {one.entry.title.split(" ")[0] for one in self._drafts if not one.entry.key}
        return f"an id ends in a colon: write '{key}: ...'" if key in self._first_words else "ids are written 'T1: ...'"

    def _wait(self, position: int, draft: Draft, needs: list[tuple[int, int]]) -> None:
        entry = draft.entry
        refuses = self._strict and entry.box is Box.OPEN
        if draft.whole is not None:
            self._edges.setdefault((position, draft.whole), (entry.offset,))
            whole = self._drafts[draft.whole].entry
            if refuses and whole.box is Box.CANCELLED:
                what = f"{entry.name!r} is to be done and is a part of {whole.name!r}, which is cancelled"
                self.problems.append(Problem(entry.offset, what, "mark it [-], too, or move it out"))
        for other, offset in needs:
            self._edges.setdefault((other, position), (offset,))
            before = self._drafts[other].entry
            if refuses and before.box is Box.CANCELLED:
                what = f"{entry.name!r} waits for {before.name!r}, which is cancelled, so it would never run"
                self.problems.append(Problem(offset, what, "take that dependency away, or mark this one [-], too"))

    # -- order -------------------------------------------------------------------------------

    def ordered(self) -> Linked:
        """All entries, those first that stand first, as far as nothing is in the way."""
        count = len(self._drafts)
        needs: list[list[int]] = [[] for _ in range(count)]
        dependents: list[list[int]] = [[] for _ in range(count)]
        for before, after in self._edges:
            needs[after].append(before)
            dependents[before].append(after)
        left = list(map(len, needs))
        ready = [position for position, others in enumerate(left) if not others]
        order: list[int] = []
        while ready:
            position = heapq.heappop(ready)
            order.append(position)
            for after in dependents[position]:
                left[after] -= 1
                if not left[after]:
                    heapq.heappush(ready, after)
        if len(order) < count:
            return Linked((), [self._cycle(needs, left)])
        return self._placed(order, needs)

    def _placed(self, order: list[int], needs: list[list[int]]) -> Linked:
        """The entries with the new positions of what they wait for; what waits for something put off is put off."""
        boxes = self._boxes()
        place = {position: number for number, position in enumerate(order)}
        entries = []
        for position in order:
            if boxes[position] is Box.OPEN and any(self._puts_off(boxes, one, position) for one in needs[position]):
                boxes[position] = Box.LATER
            after = tuple(sorted(place[one] for one in needs[position] if boxes[one] is Box.OPEN))
            entry = self._drafts[position].entry
            entries.append(msgspec.structs.replace(entry, box=boxes[position], after=after))
        left_out = sum(
            boxes[position] is Box.LATER and draft.entry.box is Box.OPEN for position, draft in enumerate(self._drafts)
        )
        return Linked(tuple(entries), [], left_out)

    def _boxes(self) -> list[Box]:
        """What becomes of each; the parts of what is not to be done are not, either."""
        boxes: list[Box] = []
        for draft in self._drafts:
            above = Box.OPEN if draft.whole is None else boxes[draft.whole]
            boxes.append(Box.LATER if draft.entry.box is Box.OPEN and above in _NOT_RUN else draft.entry.box)
        return boxes

    def _puts_off(self, boxes: list[Box], before: int, after: int) -> bool:
        """Whether one that is not done keeps the other from being done. A part that was given up keeps nothing back."""
        given_up_part = boxes[before] is Box.CANCELLED and self._drafts[before].whole == after
        return boxes[before] in _NOT_RUN and not given_up_part

    def _cycle(self, needs: list[list[int]], left: list[int]) -> Problem:
        """The mistake that a cycle is, told from the entry that stands first in the text."""
        cycle = find_cycle(needs, left, self._edges)
        start = min(range(len(cycle)), key=lambda number: cycle[number].after)
        ring = cycle[start:] + cycle[:start]
        names = [self._drafts[edge.after].entry.name for edge in (*ring, ring[0])]
        shown = names if len(names) <= _MOST_SHOWN else [*names[: _MOST_SHOWN // 2], "...", *names[-_MOST_SHOWN // 2 :]]
        trail = tuple((int(edge.where[0]), self._why(edge.before, edge.after)) for edge in ring[:_MOST_SHOWN])
        what = f"tasks wait for each other: {' waits for '.join(shown)}"
        return Problem(int(ring[0].where[0]), what, "take away one of these dependencies", trail)

    def _why(self, before: int, after: int) -> str:
        names = self._drafts[after].entry.name, self._drafts[before].entry.name
        part = self._drafts[before].whole == after
        return f"{names[0]} waits for its part {names[1]}" if part else f"{names[0]} waits for {names[1]}"
