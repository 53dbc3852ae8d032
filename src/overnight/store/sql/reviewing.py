"""What a stretch of time was like, for reports: a few hundred rows out of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from overnight.core.night import Alike, Lasting, Night, Stretch
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.statements import Connection, Row, read_all, read_each

#: Causes that are told; attempts that are told one by one when they took long, and whatever they took.
MOST_ALIKE, MOST_LASTING, FEW_LASTING = 100, 3000, 20

_Cause = tuple[str, str | None]


def night(database: Database, lanes: Lanes, *, since: float, until: float, spans: int) -> Night:
    """See `Store.night`."""
    seconds = (until - since) / spans
    with database.read() as connection:
        finished, recovered = _finished(connection, since, until)
        alike = sorted(_alike(connection, lanes, since, seconds, spans), key=lambda one: (-one.tasks, one.newest_id))
        own = connection.ids([row[0] for row in read_each(connection, "night_own")])
        longest = _longest(connection, since, until, seconds, own)
        stretches = [
            Stretch(row[0], row[1], Outcome(row[2]), row[3], row[4])
            for row in read_each(connection, "night_stretches", (since, seconds, until, own))
        ]
    return Night(since, until, spans, finished, recovered, alike[:MOST_ALIKE], len(alike), stretches, longest)


def unaccounted(database: Database) -> int:
    """See `Store.unaccounted`."""
    with database.read() as connection:
        ((found, counted),) = read_all(connection, "running_accounted_for")
    return abs(int(counted) - int(found))


def _finished(connection: Connection, since: float, until: float) -> tuple[dict[TaskState, int], int]:
    rows = read_all(connection, "night_finished", (since, until))
    recovered = sum(row[2] for row in rows if row[0] == TaskState.COMPLETED)
    return {TaskState(row[0]): row[1] for row in rows}, recovered


def _longest(connection: Connection, since: float, until: float, seconds: float, own: object) -> list[Lasting]:
    """Those that took as long as this, and a few in any case."""
    rows = read_all(connection, "night_longest", (since, until, MOST_LASTING, own))
    return [_lasting(row) for number, row in enumerate(rows) if number < FEW_LASTING or row[7] >= seconds]


def _lasting(row: Row) -> Lasting:
    return Lasting(row[0], row[1], row[2], Outcome(row[3]), row[4] and Reason(row[4]), *row[5:])


def _alike(connection: Connection, lanes: Lanes, since: float, seconds: float, spans: int) -> Iterator[Alike]:
    for told, ended, is_held in (("night_failed", "night_failed_when", False), ("night_held", "night_held_when", True)):
        when = _when(read_each(connection, ended, (since, seconds)), by_reason=is_held)
        for row in read_each(connection, told):
            yield _told(row, lanes, when[_cause(row[0], row[2], by_reason=is_held)], spans)


def _cause(fingerprint: str, reason: str | None, *, by_reason: bool) -> _Cause:
    return fingerprint, reason if by_reason or not fingerprint else None


def _when(rows: Iterable[Row], *, by_reason: bool) -> dict[_Cause, list[Row]]:
    """Rows of span, number, first and last instant, by cause."""
    found: dict[_Cause, list[Row]] = {}
    for row in rows:
        found.setdefault(_cause(row[0], row[1], by_reason=by_reason), []).append(row[2:])
    return found


def _told(row: Row, lanes: Lanes, when: list[Row], spans: int) -> Alike:
    counts: list[Any] = [0] * spans
    for span, number, _, _ in when:
        if span >= 0:
            counts[min(span, spans - 1)] += number
    lane = lanes.get(row[6])
    return Alike(
        fingerprint=row[0],
        state=TaskState(row[1]),
        reason=row[2] and Reason(row[2]),
        error_class=row[3] and ErrorClass(row[3]),
        error=row[4],
        newest_id=row[5],
        queue=lane.queue if lane else "",
        workflow=lane.workflow if lane else "",
        tasks=row[7],
        before=sum(number for span, number, _, _ in when if span < 0),
        spans=tuple(counts),
        first_at=min(one[2] for one in when),
        last_at=max(one[3] for one in when),
    )
