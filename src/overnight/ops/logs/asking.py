"""What is new in the logs, what is rising, and what is merely there."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from overnight.ops.logs.keeping import HOUR, LogStore

#: An error that comes so many times as often as in as long a time before is rising, if there are so many of it.
RISING, ENOUGH = 2.0, 5
#: Longer times are told by days.
_BY_DAYS = 4 * 86400.0
_DAY = 86400


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """Errors that belong together, as of a time. `key`: the fingerprint, of tasks. Instants are POSIX seconds."""

    id: int
    kind: str
    key: str
    template: str
    sample: str
    source: str
    task_id: int | None
    first_seen: float
    last_seen: float
    #: Within the time, within as long a time before, and ever.
    n: int
    before: int
    total: int
    is_new: bool
    is_rising: bool


class Bar(msgspec.Struct, frozen=True):
    """How many errors there were from an instant (POSIX seconds) on, for `seconds`."""

    at: int
    seconds: int
    n: int


def errors(store: LogStore, *, since: float, now: float) -> list[Errors]:
    """Errors seen since an instant: those of tasks first, new ones before rising ones, then the most frequent.

    They are counted by whole hours, so `n` has all of the hour in which the time begins.
    """
    span = now - since
    within: dict[int, int] = {}
    before: dict[int, int] = {}
    for cluster, hour, n in store.hours(since=since - span, until=now + _DAY):
        # The hour in which the time begins belongs to it.
        where = within if hour + HOUR > since else before
        where[cluster] = where.get(cluster, 0) + n
    found = [
        Errors(
            id=one.id,
            kind=one.kind,
            key=one.key,
            template=one.template,
            sample=one.sample,
            source=one.source,
            task_id=one.task_id,
            first_seen=one.first_seen,
            last_seen=one.last_seen,
            n=within[one.id],
            before=before.get(one.id, 0),
            total=one.n,
            is_new=one.first_seen >= since,
            is_rising=is_rising(within[one.id], before.get(one.id, 0)),
        )
        for one in store.clusters()
        if within.get(one.id) and one.last_seen >= since
    ]
    return sorted(found, key=_urgency)


def is_rising(n: int, before: int) -> bool:
    """Whether so many are notably more than so many in as long a time before."""
    return n >= ENOUGH and n >= RISING * before


def _urgency(one: Errors) -> tuple[bool, bool, bool, int]:
    return one.kind != "task", not one.is_new, not one.is_rising, -one.n


def trend(store: LogStore, clusters: Collection[int], *, since: float, now: float) -> list[Bar]:
    """How many errors of these clusters there were in each hour, or day, up to now."""
    seconds = HOUR if now - since <= _BY_DAYS else _DAY
    sums: dict[int, int] = {}
    for one, hour, n in store.hours(since=since, until=now):
        if one in clusters:
            at = hour // seconds * seconds
            sums[at] = sums.get(at, 0) + n
    first = int(since // seconds) * seconds
    return [Bar(at, seconds, sums.get(at, 0)) for at in range(first, int(now) + 1, seconds)]
