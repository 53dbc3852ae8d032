"""When a schedule is due: instants that follow from its words, one after the other.

Clocks of a zone go forward and back, and two things can be meant by a time. *At two thirty each day* is meant
once a day: in the night in which half past two is left out it is the moment at which clocks jump, in the night
in which it comes twice it is the first of the two. *Every ten minutes* (a star first in the minutes or in the hours)
is meant as often as clocks show it: what is left out is left out, and what comes twice comes twice. Debian's cron
tells the two apart in the same way. A length of time has no clock in it, and is a length of time in such nights, too.

The words of cron are read by ``cronsim``, which knows them all (ranges, steps, names, the last Friday) and nothing
is gained by knowing them again. It is only asked what a calendar on the wall says, without a zone: what clocks do
to that is decided here, since over a change of half an hour (Lord Howe) it is off by one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from overnight.core.durations import quoted
from overnight.core.schedules import When

#: The first instant after one, POSIX seconds; None when there is none any more.
Calendar = Callable[[float], float | None]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - what a clock shows, of whatever zone
_LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
_DAY = 86400.0
#: Seconds between two looks for a change of clocks: there are no two so close to each other.
_STRIDE = 7 * _DAY
#: Changes of clocks that a search goes over: half a century of them.
_CHANGES = 200
_CRON_FIELDS = (5, 6)


def check_cron(words: object) -> str:
    """The words of cron as they are.

    Raises:
        ValueError: They are none, or no day is meant.
    """
    if isinstance(words, str) and len(words.split()) in _CRON_FIELDS:
        if _ever(words):
            return words
        *before, day, _, week = words.split()
        if _ever(" ".join((*before, day, "*", week))):
            raise ValueError(
                f"{quoted(words)} means a day that no such month has, and would never run; write another day"
            )
    raise ValueError(f"{quoted(words)} is no time for cron; write '30 2 * * *': minute, hour, day, month, day of week")


def _ever(words: str) -> bool:
    try:
        next(CronSim(words, _EPOCH.replace(year=2000)))
    except (CronSimError, StopIteration, ValueError, OverflowError):
        return False
    return True


def check_moment(words: object) -> str:
    """A moment or a time of day as it is.

    Raises:
        ValueError: It is neither.
    """
    found = words.isoformat() if isinstance(words, datetime | time) else words
    if isinstance(found, str) and (_time_of_day(found) or _moment(found)):
        return found
    raise ValueError(f"{quoted(words)} is no moment; write '2027-01-31 06:00', or '06:00' for each day")


def calendar(when: When, zone: tzinfo, *, began_at: float) -> Calendar:
    """What comes when.

    Args:
        when: In words that have been checked.
        zone: The one that `when.tz` names.
        began_at: POSIX seconds from which lengths of time count.
    """
    if when.every is not None:
        return _every(when.every, began_at)
    if when.cron:
        return _cron(when.cron, zone)
    daily = [_cron(f"{at.second} {at.minute} {at.hour} * * *", zone) for at in map(_time_of_day, when.at) if at]
    once = sorted(
        (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() for at in map(_moment, when.at) if at is not None
    )
    return _merged([*daily, lambda after: next((at for at in once if at > after), None)])


def instants(calendar: Calendar, *, after: float, until: float) -> Iterator[float]:
    """All instants after one, up to and with another."""
    found = calendar(after)
    while found is not None and found <= until:
        yield found
        found = calendar(found)


def last_of(calendar: Calendar, *, first: float, until: float) -> float:
    """The last instant up to `until`; `first` is one, and not after it. Costs little however many there are."""
    reach = 1.0
    while reach < until - first:
        found = calendar(until - reach)
        if found is not None and found <= until:
            return deque(instants(calendar, after=until - reach, until=until), maxlen=1)[-1]
        reach *= 2
    return [first, *instants(calendar, after=first, until=until)][-1]


def _time_of_day(words: str) -> time | None:
    try:
        found = time.fromisoformat(words.strip())
    except ValueError:
        return None
    return found if found.tzinfo is None and ":" in words else None


def _moment(words: str) -> datetime | None:
    try:
        return None if _time_of_day(words) else datetime.fromisoformat(words.strip())
    except ValueError:
        return None


def _merged(calendars: list[Calendar]) -> Calendar:
    def after(instant: float) -> float | None:
        return min((found for one in calendars if (found := one(instant)) is not None), default=None)

    return after


def _every(seconds: float, began_at: float) -> Calendar:
    def after(instant: float) -> float:
        passed = math.floor((instant - began_at) / seconds)
        return next(at for n in (0, 1, 2) if (at := began_at + (passed + n) * seconds) > instant)

    return after


# -- cron ------------------------------------------------------------------------------------


def _cron(words: str, zone: tzinfo) -> Calendar:
    *_, minute, hour, _, _, _ = words.split()
    by_the_clock = minute.startswith("*") or hour.startswith("*")
    return _Clocks(words, zone).as_shown if by_the_clock else _Clocks(words, zone).once_a_day


class _Clocks:
    """The clocks of a zone, and times that they show.

    Args:
        words: For cron.
        zone: Whose clocks.
    """

    def __init__(self, words: str, zone: tzinfo) -> None:
        self._words = words
        self._zone = zone

    def as_shown(self, after: float) -> float | None:
        """The first moment after this one at which clocks show such a time."""
        here, shown = after, self._shown(after)
        for _ in range(_CHANGES):
            found = self._next(shown)
            if found is None:
                return None
            instant = _seconds(found) - self._offset(here)
            change = self._change(here, instant)
            if change is None:
                return instant
            here, shown = change, self._shown(change) - timedelta(seconds=1)
        return None

    def once_a_day(self, after: float) -> float | None:
        """The first moment after this one that such a time is meant to be."""
        shown = self._shown(after)
        while (found := self._next(shown)) is not None:
            instant = self._meant(found)
            if instant > after:
                return instant
            shown = found
        return None

    def _next(self, shown: datetime) -> datetime | None:
        """What a calendar without a zone says; it gives up after half a century."""
        try:
            return next(CronSim(self._words, shown))
        except (StopIteration, ValueError, OverflowError):
            return None

    def _meant(self, shown: datetime) -> float:
        """The first moment at which clocks show this; when they never do, the one at which they jump over it."""
        instant = shown.replace(tzinfo=self._zone).timestamp()
        jumped = (self._shown(instant) - shown).total_seconds()
        change = self._change(instant - jumped, instant) if jumped > 0 else None
        return instant if change is None else change

    def _change(self, since: float, until: float) -> float | None:
        """The first whole second up to `until` from which clocks are another time ahead than at `since`; or None."""
        before = self._offset(since)
        low = since
        while low < until:
            high = min(low + _STRIDE, until)
            if self._offset(high) != before:
                return self._bisect(math.floor(low), math.ceil(high), before)
            low = high
        return None

    def _bisect(self, low: int, high: int, before: float) -> float:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == before else (low, middle)
        return float(high)

    def _offset(self, instant: float) -> float:
        """Seconds by which clocks are ahead of UTC."""
        ahead = datetime.fromtimestamp(min(instant, _LAST), self._zone).utcoffset()
        return ahead.total_seconds() if ahead is not None else 0.0

    def _shown(self, instant: float) -> datetime:
        return datetime.fromtimestamp(min(instant, _LAST), self._zone).replace(tzinfo=None, fold=0)


def _seconds(shown: datetime) -> float:
    return (shown - _EPOCH).total_seconds()
