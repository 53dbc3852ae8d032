"""What is true of attempts whichever engine looks, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Lost
from overnight.core.states import ErrorClass
from overnight.executors.contract import Over
from overnight.testing.clock import FakeClock


class Play(msgspec.Struct, frozen=True):
    """How one attempt goes: it takes `seconds` and ends like this.

    `dies`: its worker dies with it. `stuck`: its worker dies, and what it ran cannot be ended.
    """

    seconds: float = 0.001
    ending: Ending = Ending.RETURNED
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    error_class: ErrorClass | None = None
    retry_at: float | None = None
    result: bytes = b""
    dies: bool = False
    stuck: bool = False


class Deed(StrEnum):
    """What happens to an attempt, whoever looks."""

    BEGIN = "begin"
    END = "end"
    #: It is dead and will never report.
    KILLED = "killed"


class Line(NamedTuple):
    """One line of a ledger: what happened to which attempt, and when (POSIX seconds)."""

    deed: Deed
    key: AttemptKey
    at: float


class FakeWorld:
    """What is true of attempts whichever engine looks, and what of it outlives an engine.

    Give one world to the executors of engines that follow each other, and a crash is to drop one
    engine and start the next: what ran is dead by then, what had ended is told again until it was
    acknowledged, and the rest never began. These are the answers that marks and spool give.

    Args:
        clock: When things happen.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        #: Everything that really happened, in order. What an engine believes is compared with it.
        self.ledger: list[Line] = []
        self._began_at: dict[AttemptKey, float] = {}
        self._alive: set[AttemptKey] = set()
        self._kept: dict[AttemptKey, Ended] = {}

    def begin(self, key: AttemptKey) -> None:
        """An attempt begins."""
        self._began_at[key] = self._write(Deed.BEGIN, key)
        self._alive.add(key)

    def end(self, outcome: Ended) -> None:
        """An attempt has ended; how is kept until it is forgotten."""
        self._write(Deed.END, outcome.key)
        self._alive.discard(outcome.key)
        self._kept[outcome.key] = outcome

    def kill(self, keys: Iterable[AttemptKey] | None = None) -> None:
        """Attempts (None: whatever is alive) die without a word."""
        for key in sorted(self._alive if keys is None else self._alive.intersection(keys)):
            self._write(Deed.KILLED, key)
            self._alive.discard(key)

    def began_at(self, key: AttemptKey) -> float | None:
        """When an attempt began, POSIX seconds; None when it has not."""
        return self._began_at.get(key)

    def testimony(self, key: AttemptKey) -> Over:
        """What can be known of an attempt that an engine left open."""
        return self._kept.get(key) or Lost(*key, Evidence.STARTED if key in self._began_at else Evidence.NEVER_STARTED)

    def forget(self, keys: Iterable[AttemptKey]) -> None:
        """These outcomes are in the store."""
        for key in keys:
            self._kept.pop(key, None)

    def _write(self, deed: Deed, key: AttemptKey) -> float:
        now = self._clock.now()
        self.ledger.append(Line(deed, key, now))
        return now
