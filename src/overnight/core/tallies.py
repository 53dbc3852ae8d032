"""What became of attempts, added up: how many, how long, and with what they failed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from overnight.core.gauges import Resolution

#: Upper ends of the classes into which durations are sorted, seconds; the last one has none.
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
#: Spans in which they are kept, and for how long; a period longer than the second number is read in the longer one.
TALLIES = (Resolution(60, 40 * 86400.0), Resolution(3600, 800 * 86400.0))
_LONG = 2 * 86400.0
#: Fingerprints that are told apart within one span of time; what follows is one.
MOST_FINGERPRINTS = 200
#: The fingerprint of all that are too many to be told apart.
OTHERS = "(others)"


class Key(NamedTuple):
    """What is added up apart from everything else. `step`, `error_class` and `fingerprint` may be empty."""

    queue: str
    workflow: str
    step: str
    outcome: str
    error_class: str = ""
    fingerprint: str = ""


class Ending(NamedTuple):
    """One attempt that has ended: when (POSIX seconds), as what, and after how many seconds."""

    at: float
    key: Key
    seconds: float


class Tally:
    """How many, their seconds in all, the longest, and how many in each class of durations."""

    __slots__ = ("buckets", "longest", "n", "seconds")

    def __init__(self) -> None:
        self.n = 0
        self.seconds = self.longest = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)

    def add(self, seconds: float) -> None:
        """One more."""
        self.n += 1
        self.seconds += seconds
        self.longest = max(self.longest, seconds)
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def merge(self, other: Tally) -> None:
        """All of another one, too."""
        self.n += other.n
        self.seconds += other.seconds
        self.longest = max(self.longest, other.longest)
        self.buckets = [one + more for one, more in zip(self.buckets, other.buckets, strict=True)]


def beginning(at: float, span: int) -> int:
    """Of the span that an instant lies in: POSIX seconds, a multiple of `span`."""
    return int(at // span) * span


def tally_span(seconds: float, age: float) -> int:
    """The span in which a period of so many seconds is read, when its beginning lies `age` seconds back."""
    finer, coarser = TALLIES
    return coarser.span if seconds >= _LONG or age >= finer.kept else finer.span


def tallied(
    endings: Iterable[Ending], span: int, fingerprints: Mapping[int, set[str]] | None = None
) -> Mapping[tuple[int, Key], Tally]:
    """All added up, by the beginning of the span and by key.

    Args:
        endings: What ended.
        span: Seconds.
        fingerprints: Those that are told apart already, by the beginning of the span; never the empty one.
    """
    found: dict[tuple[int, Key], Tally] = {}
    prints = {at: set(known) for at, known in (fingerprints or {}).items()}
    for one in endings:
        at = beginning(one.at, span)
        key = _bounded(one.key, prints.setdefault(at, set()))
        tally = found.get((at, key))
        if tally is None:
            tally = found[(at, key)] = Tally()
        tally.add(one.seconds)
    return found


def _bounded(key: Key, known: set[str]) -> Key:
    """The key, its fingerprint among the others when there are too many of them."""
    if not key.fingerprint or key.fingerprint in known:
        return key
    if len(known) >= MOST_FINGERPRINTS:
        return key._replace(fingerprint=OTHERS)
    known.add(key.fingerprint)
    return key
