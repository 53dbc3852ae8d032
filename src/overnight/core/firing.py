"""What becomes of a schedule whose time has come: what runs, what is missed, and when it is due next.

A schedule is decided from what is on record and from the present alone, so it makes no difference who died in between,
or for how long nobody was there: the first instant that has not been decided is on record, and everything from there
up to now is decided at once. An instant is decided once, and none is passed over in silence.
"""

from __future__ import annotations

import math
from itertools import islice

from overnight.core.calendars import Calendar, instants, last_of
from overnight.core.schedules import Decision, Missed, Misses, Overlap, Schedule, Scheduled, Why

#: Instants that are counted; of more it is only known that there were more.
COUNTED = 1000
#: Runs that are made up for at once.
MOST_AT_ONCE = 100
#: Seconds by which a clock may be set back before it counts as having been wrong.
SET_BACK = 86400.0


def decide(found: Scheduled, calendar: Calendar, *, now: float) -> Decision | None:
    """Decide about a schedule; None when there is nothing to decide yet.

    Args:
        found: As it is on record.
        calendar: What its words mean.
        now: POSIX seconds.
    """
    if _clock_was_wrong(found, now):
        return Decision((), calendar(now))
    first = found.next_at
    how = found.schedule
    if first is None or now < first or (how.overlap is Overlap.QUEUE and found.open):
        return None
    if how.missed is Missed.ALL:
        return _each(how, calendar, first, now)
    last = last_of(calendar, first=first, until=now)
    runs = (last,) if how.missed is Missed.ONCE or _in_time(how, last, now) else ()
    misses = _missed(how, calendar, first, last, now)
    following = calendar(last)
    if runs and found.open and how.overlap is Overlap.SKIP:
        return Decision((), following, (*misses, *_in_the_way(how, last, now)))
    if runs and found.open and how.overlap is Overlap.REPLACE:
        return Decision((), first, replaces=True)
    return Decision(runs, following, misses)


def _clock_was_wrong(found: Scheduled, now: float) -> bool:
    """Whether what is on record was planned by a clock that was far ahead; nobody is to wait for it to come true."""
    every = found.schedule.when.every
    if now < found.planned_at - SET_BACK:
        return True
    return every is not None and found.next_at is not None and found.next_at - now > every + 1.0


def _in_time(how: Schedule, instant: float, now: float) -> bool:
    return now - instant <= how.grace


def _each(how: Schedule, calendar: Calendar, first: float, now: float) -> Decision:
    """Every instant has a run of its own; one after the other where they wait for each other."""
    if how.overlap is Overlap.QUEUE:
        late = () if _in_time(how, first, now) else (Misses(Why.LATE, first, first, 1),)
        return Decision((first,), calendar(first), late)
    due = [first, *islice(instants(calendar, after=first, until=now), MOST_AT_ONCE - 1)]
    late_ones = [instant for instant in due if not _in_time(how, instant, now)]
    late = (Misses(Why.LATE, late_ones[0], late_ones[-1], len(late_ones)),) if late_ones else ()
    return Decision(tuple(due), calendar(due[-1]), late)


def _missed(how: Schedule, calendar: Calendar, first: float, last: float, now: float) -> tuple[Misses, ...]:
    """All up to the last one, and that one, too, if it is late."""
    due = [first, *islice(instants(calendar, after=first, until=last), COUNTED)]
    more = len(due) > COUNTED
    due = due[:COUNTED]
    if not more and _in_time(how, last, now):
        due.pop()
    if not due:
        return ()
    return (
        Misses(Why.LATE, first, _last_missed(how, calendar, first, last, now) if more else due[-1], len(due), more),
    )


def _last_missed(how: Schedule, calendar: Calendar, first: float, last: float, now: float) -> float:
    return last_of(calendar, first=first, until=math.nextafter(last, first)) if _in_time(how, last, now) else last


def _in_the_way(how: Schedule, last: float, now: float) -> tuple[Misses, ...]:
    """One before is not done: what would have been in time is missed by that. What was late is told already."""
    return (Misses(Why.OVERLAP, last, last, 1),) if _in_time(how, last, now) else ()
