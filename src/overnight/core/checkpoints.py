"""When a checkpoint is due, and which of the old ones may go.

A checkpoint is a verified copy of the store, made beside the work. How often is a matter of two
promises that can be at odds. It never costs more than `SHARE` of the time: a checkpoint that took
four seconds is followed by one after eighty, however many tasks finish meanwhile. And while anything
changes, the newest copy is never older than the interval and the time that making one takes: there
the interval wins, and a store so large that its copy takes more than `SHARE` of it costs more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

#: Share of the time that making checkpoints may take.
SHARE = 0.05
#: Seconds of a CPU that the process which makes one needs to start.
START = 0.1
#: Bytes of a store that are copied and looked at in a second, while no checkpoint has shown it. Source:
#: benchmarks/damage.py, 33 MB in 0.3 s and 1 GB in 5 s.
PACE_BYTES = 100e6
#: Finished tasks between two checkpoints, and seconds.
DEFAULT_TASKS = 5
DEFAULT_INTERVAL = 300.0
#: The newest ones are kept, however old and large they are: the newest of all may prove damaged.
AT_LEAST = 3

HOUR = 3600.0
DAY = 24 * HOUR


class Cadence(msgspec.Struct, frozen=True):
    """How often: after so many finished tasks or so many seconds, whichever is first; 0 switches one off."""

    tasks: int = DEFAULT_TASKS
    seconds: float = DEFAULT_INTERVAL


class Due(StrEnum):
    """Whether to begin a checkpoint now."""

    NO = "no"
    NOW = "now"
    #: Enough tasks have finished, and another one so soon would cost more than `SHARE`.
    STRETCHED = "stretched"


def due(cadence: Cadence, *, finished: int, changed: bool, since: float, took: float) -> Due:
    """Whether a checkpoint is due.

    Args:
        cadence: How often.
        finished: Tasks that have finished since the last one began.
        changed: Whether anything in the store has changed since then.
        since: Seconds since the last one began.
        took: Seconds that the last one took; 0 when that is not known.
    """
    if not changed:
        return Due.NO
    if cadence.seconds > 0 and since >= cadence.seconds:
        return Due.NOW
    if cadence.tasks <= 0 or finished < cadence.tasks:
        return Due.NO
    return Due.NOW if since >= spacing(took) else Due.STRETCHED


def expected(size_bytes: int) -> float:
    """Seconds that the first checkpoint of a store of this size will take, roughly."""
    return size_bytes / PACE_BYTES


def spacing(took: float) -> float:
    """Seconds between the beginnings of two checkpoints that take so long, for them to cost `SHARE` of the time."""
    return (START + took) / SHARE


class Keeping(msgspec.Struct, frozen=True):
    """Which checkpoints are kept: all of a time, then one an hour, then one a day, as far as there is room."""

    all_seconds: float = HOUR
    hourly_seconds: float = DAY
    daily_seconds: float = 30 * DAY
    #: What all of them together may take, bytes; the newest `AT_LEAST` stay in any case.
    room_bytes: int = 2 * 1024**3


class Kept(msgspec.Struct, frozen=True):
    """One checkpoint, as far as keeping it is concerned. `made_at` is POSIX seconds."""

    name: str
    made_at: float
    size_bytes: int
    #: A person asked for it: kept as long as the daily ones.
    by_hand: bool = False


def surplus(copies: Sequence[Kept], keeping: Keeping, *, now: float) -> list[str]:
    """The names of those that may go.

    Of an hour or a day the newest is kept. One from the future (the clock was set back) counts as new.

    Args:
        copies: All valid ones, newest first.
        keeping: What to keep.
        now: POSIX seconds.
    """
    newest = [copy.name for copy in copies[:AT_LEAST]]
    sparse = [*_of_each(HOUR, copies, keeping.hourly_seconds, now), *_of_each(DAY, copies, keeping.daily_seconds, now)]
    by_hand = [copy.name for copy in copies if copy.by_hand and now - copy.made_at <= keeping.daily_seconds]
    dense = [copy.name for copy in copies if now - copy.made_at <= keeping.all_seconds]
    # In the order of what is missed most.
    wanted = dict.fromkeys([*newest, *by_hand, *sparse, *dense])
    kept = _that_fit(wanted, {copy.name: copy.size_bytes for copy in copies}, keeping.room_bytes)
    return [copy.name for copy in copies if copy.name not in kept]


def _of_each(span: float, copies: Iterable[Kept], seconds: float, now: float) -> list[str]:
    """The newest of each hour or day, back to `seconds` ago."""
    found: dict[int, str] = {}
    for copy in copies:
        if now - copy.made_at <= seconds:
            found.setdefault(math.floor(copy.made_at / span), copy.name)
    return list(found.values())


def _that_fit(wanted: Iterable[str], sizes: dict[str, int], room_bytes: int) -> set[str]:
    kept: set[str] = set()
    used = 0
    for name in wanted:
        used += sizes[name]
        if len(kept) >= AT_LEAST and used > room_bytes:
            break
        kept.add(name)
    return kept
