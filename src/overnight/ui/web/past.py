"""What was: history and journal put together, by the thread that reads files; what is not there is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import apsw
import msgspec

from overnight.core.event_names import EventName
from overnight.core.gauges import span_for
from overnight.core.incidents import Incident, Kind, Life, Noted, beginning_of_run, incidents, lives
from overnight.core.spells import lanes
from overnight.core.trends import direction
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.history.asking import Past, Point, merged
from overnight.monitor.history.rhythm import Rhythm, Times, Trend
from overnight.monitor.history.totals import Total
from overnight.monitor.incidents import Incidents, Spell
from overnight.monitor.tail import JournalTail
from overnight.ui.web.answers import (
    CauseView,
    IncidentView,
    Series,
    Since,
    Timeline,
)
from overnight.ui.web.desk import Desk
from overnight.ui.web.telling import deeds, happening, summary

#: Points that are drawn of a figure, incidents of a picture, portions of the journal at one go.
_MOST_POINTS, _MOST_MARKS, _PORTIONS = 400, 200, 5
#: Seconds of a period that is asked for without an end, when nothing says how long the night was.
_DAY = 86400.0


class PastTimes:
    """What the files of a home tell."""

    def __init__(self, desk: Desk) -> None:
        self._home: Home = desk.home
        slots = lambda ids: desk.read_now(lambda store: store.slots_of(ids))  # noqa: E731 - a name for one line
        self._incidents = Incidents(JournalTail(self._home.journal), slots)

    def catch_up(self) -> bool:
        """Read the next portion of the journal; whether there is more."""
        return self._incidents.news()

    def series(self, names: Sequence[str], since: float, until: float, now: float) -> Series:
        """Figures and attempts over time; a day, or since something ran, where nothing is said."""
        first, end, is_open = self._incidents.began, until or self._end(now), not until
        since, until = _period(since or (max(min(first, end - 60.0), end - _DAY) if first else 0.0), end, now)
        rhythm, found = Rhythm(60, []), dict[str, list[Point]]()
        with self._times() as times:
            if times is not None:
                rhythm = times.rhythm(since=since, until=until, now=now)
            is_counted = times is not None and not (is_open and self._is_behind(rhythm, since))
        with self._past() as past:
            if past is not None:
                found = {one: _thinned(past.series(one, since=since, until=until, now=now)) for one in names}
        return Series(
            since, until, max(rhythm.span, span_for(until - since, now - since)), rhythm.beats, found, is_counted
        )

    def trends(self, fingerprints: Sequence[str], since: float, until: float, now: float) -> list[Trend]:
        """How often attempts failed of these causes."""
        since, until = _period(since, until, now)
        with self._times() as times:
            return times.trends(fingerprints, since=since, until=until, now=now) if times is not None else []

    def courses(self, causes: Sequence[CauseView], start: float | None, now: float) -> list[CauseView]:
        """How each goes on, since a person started the engine."""
        self._refresh()
        since = self._begun() or start or now - _DAY
        known = {one.fingerprint: one for one in self.trends([one.fingerprint for one in causes], since, now, now)}
        return [
            msgspec.structs.replace(
                one,
                is_new=one.first_at >= since,
                direction=_direction(known[one.fingerprint], since, now) if one.fingerprint in known else "",
            )
            for one in causes
        ]

    def totals(self) -> list[Total]:
        """Attempts since the history began."""
        with self._past() as past:
            return past.totals() if past is not None else []

    def machine(self, now: float) -> dict[str, float]:
        """The last figures of the machine."""
        names = ("cpu", "load", "memory_available", "disk_free", "network_up")
        with self._past() as past:
            if past is None:
                return {}
            found = {name: past.series(name, since=now - 60, until=now + 1, now=now) for name in names}
        return {name: points[-1].mean for name, points in found.items() if points}

    def since(self, at: float | None, start: float | None, now: float) -> Since:
        """What has happened since somebody looked last, or since the engine was started."""
        is_read = self._refresh()
        start = self._begun() or start
        meaning = "visit" if at is not None else "start" if start is not None else "day"
        since = at if at is not None else start if start is not None else now - _DAY
        happened = self._happened(since, now)
        ended = (self._incidents.ended(since) if is_read and self._incidents.seq else None) or self._counted(since, now)
        saved = sum(one.name == EventName.CHECKPOINT_SAVED and one.at >= since for one in self._incidents.told())
        return Since(since, meaning, summary(happened, saved, ended), self._marks(since, now))

    def timeline(self, since: float, until: float, bins: int, running: Sequence[Spell], now: float) -> Timeline:
        """Who worked when. `running`: what still does, the longest first."""
        self._refresh()
        since, until = self._whole(since, until, now)
        spells = chain(self._incidents.spells(since, until), [one for one in running if one.began < until])
        return Timeline(
            since,
            until,
            bins,
            lanes(spells, since=since, until=until, bins=bins),
            self._marks(since, until),
            self._incidents.began,
        )

    def _begun(self) -> float | None:
        """When a person started the engine last; what followed a crash was started by the supervisor."""
        return beginning_of_run(self._engines())

    def _engines(self) -> list[Life]:
        runs = read_owner(self._home.lock) is not None
        return lives(self._notes(), runs=runs, last_at=self._incidents.last_at)

    def _notes(self) -> list[Noted]:
        return [one.note for one in self._incidents.told() if one.note is not None]

    def _happened(self, since: float, until: float) -> list[Incident]:
        found = incidents(self._notes(), self._engines())
        return [one for one in found if one.began_at <= until and (one.ended_at is None or one.ended_at >= since)]

    def _marks(self, since: float, until: float) -> list[IncidentView]:
        """What belongs into a picture of a period, the oldest first."""
        marks = [happening(one) for one in self._happened(since, until) if one.kind is not Kind.STOPPED]
        marks += [one for one in deeds(self._incidents.told(), self._engines()) if since <= one.at <= until]
        return sorted(marks, key=lambda one: one.at)[-_MOST_MARKS:]

    def _whole(self, since: float, until: float, now: float) -> tuple[float, float]:
        """All that is known, where nothing is said."""
        began = self._incidents.began
        until = until or self._end(now)
        return (since or min(began if began is not None else now, until - 60.0)), until

    def _counted(self, since: float, now: float) -> tuple[int, int] | None:
        """How many attempts completed and failed, by the history; None where there is none."""
        with self._times() as times:
            if times is None:
                return None
            beats = times.rhythm(since=since, until=now, now=now).beats
            return sum(one.completed for one in beats), sum(one.failed for one in beats)

    def _is_behind(self, rhythm: Rhythm, since: float) -> bool:
        """Whether the journal tells of endings of a kind of which the history has none yet."""
        completed, failed = self._incidents.ended(since) or (0, 0)
        has = [any(one.completed for one in rhythm.beats), any(one.failed for one in rhythm.beats)]
        return bool((completed and not has[0]) or (failed and not has[1]))

    def _end(self, now: float) -> float:
        """Until when a picture goes: what is over ends with its last event."""
        last = self._incidents.last_at
        return now if last is None or read_owner(self._home.lock) is not None else min(now, last)

    def _refresh(self) -> bool:
        """Take in what is new; whether that was all."""
        return any(not self._incidents.news() for _ in range(_PORTIONS))

    @contextmanager
    def _past(self) -> Iterator[Past | None]:
        try:
            past = Past(self._home.path / "history.db")
        except apsw.Error:
            yield None
            return
        try:
            yield past
        finally:
            past.close()

    @contextmanager
    def _times(self) -> Iterator[Times | None]:
        try:
            times = Times(self._home.path / "history.db")
        except apsw.Error:
            yield None
            return
        try:
            yield times
        finally:
            times.close()


def _period(since: float, until: float, now: float) -> tuple[float, float]:
    until = until or now
    return (since or until - _DAY), until


def _direction(trend: Trend, since: float, now: float) -> str:
    if not trend.points:
        return ""
    first = since // trend.span
    counts = [0] * (int(now // trend.span - first) + 1)
    for at, n in trend.points:
        counts[int(at // trend.span - first)] += n
    return direction(counts).value


def _thinned(points: list[Point]) -> list[Point]:
    """No more than a chart has columns; of those that share one the mean, the least and the most."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return points
    return [merged(points[at : at + size]) for at in range(0, len(points), size)]
