"""What happened to schedules. Each line says when it is due next, so that a store can be rebuilt from them."""

from __future__ import annotations

import base64
from datetime import datetime

import msgspec

from overnight.core import events
from overnight.core.event_names import EventName
from overnight.core.schedules import Decision, Misses, Schedule, Scheduled, Why
from overnight.core.task import NewTask


class ScheduleLaid(events.OfSchedule, frozen=True, kw_only=True, gc=False, tag=EventName.SCHEDULE_LAID.value):
    """A person has laid it down, or changed it."""

    #: In words: when.
    when: str
    began_at: datetime | None
    planned_at: datetime | None
    source: str
    by: str
    #: The schedule and its task, as `packed` has them.
    definition_b64: str


class ScheduleDropped(events.OfSchedule, frozen=True, kw_only=True, gc=False, tag=EventName.SCHEDULE_DROPPED.value):
    """A person has taken it away."""

    by: str


class ScheduleFired(events.OfSchedule, frozen=True, kw_only=True, gc=False, tag=EventName.SCHEDULE_FIRED.value):
    """It has run: a task was added."""

    id: int
    #: The instant for which it runs.
    due_at: datetime | None
    by: str
    #: A person wanted it now; nothing else about it has changed.
    by_hand: bool = False


class ScheduleMissed(events.OfSchedule, frozen=True, kw_only=True, gc=False, tag=EventName.SCHEDULE_MISSED.value):
    """Nothing has run in time for these instants."""

    why: Why
    first_at: datetime | None
    last_at: datetime | None
    count: int
    #: There were more than are counted.
    more: bool = False
    #: The first of the tasks that make up for it; 0: none does.
    made_up: int = 0


class ScheduleReplanned(events.OfSchedule, frozen=True, kw_only=True, gc=False, tag=EventName.SCHEDULE_REPLANNED.value):
    """What was planned came from a clock that was wrong."""


def packed(schedule: Schedule, task: NewTask) -> bytes:
    """A schedule and what it adds, as bytes that are equal for equal ones."""
    return msgspec.msgpack.encode((schedule, task))


def unpacked(definition: bytes) -> tuple[Schedule, NewTask]:
    """The opposite of `packed`."""
    return msgspec.msgpack.decode(definition, type=tuple[Schedule, NewTask])


def laid(one: Scheduled, *, at: str, by: str) -> ScheduleLaid:
    """The record of a schedule as it is from now on."""
    return ScheduleLaid(
        at=at,
        schedule=one.schedule.name,
        next_at=events.instant(one.next_at),
        when=events.printable(one.schedule.when.words()),
        began_at=events.instant(one.began_at),
        planned_at=events.instant(one.planned_at),
        source=events.printable(one.source),
        by=by,
        definition_b64=base64.b64encode(packed(one.schedule, one.task)).decode(),
    )


def decided(name: str, decision: Decision, ids: list[int], *, at: str, by: str) -> list[events.Event]:
    """The records of a decision. `ids`: the tasks that were added for its runs."""
    next_at = events.instant(decision.next_at)
    found: list[events.Event] = [_missed(name, one, ids, at=at, next_at=next_at) for one in decision.misses]
    found += [
        ScheduleFired(at=at, schedule=name, next_at=next_at, id=task_id, due_at=events.instant(due), by=by)
        for task_id, due in zip(ids, decision.runs, strict=True)
    ]
    return found or [ScheduleReplanned(at=at, schedule=name, next_at=next_at)]


def _missed(name: str, one: Misses, ids: list[int], *, at: str, next_at: datetime | None) -> ScheduleMissed:
    return ScheduleMissed(
        at=at,
        schedule=name,
        next_at=next_at,
        why=one.why,
        first_at=events.instant(one.first),
        last_at=events.instant(one.last),
        count=one.count,
        more=one.more,
        made_up=ids[0] if ids else 0,
    )
