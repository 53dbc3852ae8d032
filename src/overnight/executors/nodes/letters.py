"""Outcomes on their way to the engine: kept by the agent until the engine has committed them.

What is out and not acknowledged is written anew for whoever asks anew, from the first piece of its files; so the engine
may die, or the line may break, at any point. Pieces are acknowledged as they come: no memory has to hold a large file.

The letters are in memory, and need not be elsewhere: the agent acknowledges to its own executor only what
the engine has committed, so marks and spool of the node still have what an agent takes with it when it is killed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from overnight.core.endings import Ended, Lost
from overnight.executors.contract import Over
from overnight.executors.nodes.messages import Key, Piece

#: What one letter carries at most: outcomes, and bytes of files; a piece is no larger than the latter.
MOST, MOST_BYTES = 4096, 1024 * 1024
#: Outcomes that are on their way before more of them wait for a commit.
MANY = 256


class Letter(msgspec.Struct):
    """Some outcomes, and pieces of files that belong to them or to one that comes in the next letter."""

    number: int
    ended: list[Ended]
    lost: list[Lost]
    pieces: list[Piece]


class Letters:
    """The outcomes of one agent.

    Args:
        pieces: The files that go with an outcome, cut into pieces.
    """

    def __init__(self, pieces: Callable[[Ended], Iterator[Piece]]) -> None:
        self._pieces = pieces
        self._waiting: deque[Over] = deque()
        #: What is left of the files of the first one that waits; None when it has not been looked at.
        self._files: Iterator[Piece] | None = None
        #: The letters that are out, oldest first.
        self.out: deque[Letter] = deque()
        self._number = 0

    @property
    def empty(self) -> bool:
        """Whether everything that was added has been committed."""
        return not self.out and not self._waiting

    @property
    def many(self) -> bool:
        """Whether so much waits to be committed that more had better wait for it."""
        return len(self._waiting) + sum(len(letter.ended) + len(letter.lost) for letter in self.out) >= MANY

    def keys(self) -> set[Key]:
        """Of what has not been committed."""
        overs: list[Over] = list(self._waiting)
        for letter in self.out:
            overs += [*letter.ended, *letter.lost]
        return {(over.task_id, over.attempt) for over in overs}

    def add(self, events: Sequence[Over]) -> None:
        """Keep these."""
        self._waiting += events

    def begin_again(self, wanted: Collection[Key]) -> None:
        """Nothing is out any more; of what was, or waits, what is wanted waits to be told."""
        overs: list[Over] = []
        for letter in self.out:
            overs += [*letter.ended, *letter.lost]
        overs += self._waiting
        asked = set(wanted)
        self._waiting = deque(over for over in overs if (over.task_id, over.attempt) in asked)
        self._files = None
        self.out.clear()

    def acknowledge(self, number: int) -> list[Key]:
        """Letters up to this number are committed; whose outcomes they told."""
        keys: list[Key] = []
        while self.out and self.out[0].number <= number:
            letter = self.out.popleft()
            keys += [(over.task_id, over.attempt) for over in letter.ended]
            keys += [(over.task_id, over.attempt) for over in letter.lost]
        return keys

    def write(self) -> Letter | None:
        """The next letter, if there is something to tell; it is out from now on."""
        if not self._waiting:
            return None
        self._number += 1
        letter = Letter(self._number, [], [], [])
        self.out.append(letter)
        room = MOST_BYTES
        while self._waiting and room > 0 and len(letter.ended) + len(letter.lost) < MOST:
            room -= self._put(letter, room)
        return letter

    def _put(self, letter: Letter, room: int) -> int:
        """Put the first one into the letter, or as many pieces of it as there is room for; the bytes of these."""
        first = self._waiting[0]
        used = 0
        if isinstance(first, Ended):
            self._files = self._files or self._pieces(first)
            for piece in self._files:
                letter.pieces.append(piece)
                used += len(piece.data)
                if used >= room:
                    return used
            letter.ended.append(first)
        else:
            letter.lost.append(first)
        self._files = None
        self._waiting.popleft()
        return used
