"""Telling others what happened: the journal is read on, and each portion handed to somebody outside.

Who listens may be slow, or gone. So a portion is delivered by a thread of its own, one at a time, and how far
it has come stands in the history when it has arrived: what was not taken is told again, and the engine knows
nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from overnight.monitor.history.keeping import History
from overnight.monitor.tail import JournalTail

#: Lines that are read at one go.
PORTION = 2000


class Listener(Protocol):
    """Somebody outside who is told."""

    #: Who it is, for the one who reads that it does not listen.
    name: str
    #: Under which name is kept how far it has been told.
    position: str

    def prepare(self, lines: Sequence[bytes]) -> Sequence[Any]:
        """What it is told of these lines of the journal. Quick: everything else waits."""

    def deliver(self, told: Sequence[Any]) -> None:
        """Tell it; in a thread of its own. Raises whatever hinders it, and may then be told the same again.

        With nothing to tell: find out whether it listens, as far as that can be known.
        """


class Errand:
    """Something that another thread does. It ends with the process, done or not."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._trouble: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asks
            self._trouble = error

    def is_done(self, seconds: float = 0.0) -> bool:
        """Whether it has come to its end, after no more than so many seconds.

        Raises:
            Exception: What it has raised.
        """
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        if self._trouble is not None:
            raise self._trouble
        return True


class Telling:
    """Follows the journal for one listener.

    Args:
        journal: ``events.jsonl`` of a home.
        listener: Who is told.
    """

    def __init__(self, journal: Path, listener: Listener) -> None:
        self._journal = journal
        self._listener = listener
        self._tail: JournalTail | None = None
        #: What it is told at the moment: nothing at all in the beginning, which finds out whether it listens.
        self._errand: Errand | None = None
        self._was_greeted = False
        #: What hindered it last; over when something has arrived.
        self._trouble: Exception | None = None
        #: Whether there is more to be told at once.
        self.has_more = False

    @property
    def name(self) -> str:
        """Who is told."""
        return self._listener.name

    def go_on(self, history: History, *, wait: float = 0.0) -> None:
        """Note what has arrived and send the next portion.

        Args:
            history: Knows how far it has come.
            wait: Seconds to wait for what is on its way.

        Raises:
            Exception: Whatever hinders it, until something has arrived. What has not is told again.
        """
        try:
            self._go_on(history, wait)
        except Exception as error:
            self._tail = self._errand = None
            self._trouble = error
            raise
        if self._trouble is not None:
            raise self._trouble

    def _go_on(self, history: History, wait: float) -> None:
        if self._tail is None:
            self._tail = JournalTail(self._journal, after=_begin(history, self._listener.position))
        if self._errand is not None:
            if not self._errand.is_done(wait):
                return
            self._errand = self._trouble = None
            _note(history, self._listener.position, self._tail.seq)
        lines = list(islice(self._tail.lines(), PORTION))
        self.has_more = len(lines) == PORTION
        told = self._listener.prepare(lines) if lines else ()
        if told or self._trouble is not None or not self._was_greeted:
            self._was_greeted = True
            self._errand = Errand(lambda: self._listener.deliver(told))
        else:
            _note(history, self._listener.position, self._tail.seq)


def _note(history: History, position: str, seq: int) -> None:
    if history.position(position) != seq:
        history.note_position(position, seq)


def _begin(history: History, position: str) -> int:
    """Where it was left; of a new listener, where the history stands, for it has not asked for what is old."""
    known = history.position(position)
    if known is None:
        known = history.journal_seq
        history.note_position(position, known)
    return known
