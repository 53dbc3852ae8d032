"""The report as values: everything that any form of it shows, gathered once.

From the picture of now, the store, the journal and the history, and from nothing else. What the history
does not have (it was turned off, or begun anew) is missing from the report, and nothing besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from overnight.core.event_names import EventName
from overnight.core.gauges import RESOLUTIONS
from overnight.core.incidents import Incident, Kind, Life, Noted, beginning_of_run, incidents, lives
from overnight.core.next_steps import Limits, NextStep, next_step
from overnight.core.night import Alike, Lasting, Night
from overnight.core.scores import WINDOW, Scores, scores
from overnight.core.sentence import Sentence, sentence
from overnight.core.states import TaskState
from overnight.core.task import Action, Task
from overnight.core.timeline import Pace, Strip, pace, strips
from overnight.core.trends import Direction, direction
from overnight.monitor.history.asking import Past, Point, merged
from overnight.monitor.report.journal import engine_at, first_failures, notes_since
from overnight.monitor.snapshot import EngineState, Snapshot
from overnight.monitor.standing import facts_of
from overnight.store.contract import Discrepancy, Store

#: Spans into which the window is divided: two pixels or more on any screen.
SPANS = 240
#: Causes, attempts and held tasks that are shown one by one.
MOST_CAUSES, MOST_SLOWEST = 30, 10
#: How far back a report looks that is told nothing.
LONGEST = 86400.0
#: Seconds that a window has at least: less cannot be divided.
SHORTEST = 1.0
#: What is drawn of the machine.
SHOWN = ("cpu", "memory_available", "disk_free", "load", "disk_read", "disk_written")


class Cause(msgspec.Struct, frozen=True):
    """Tasks that failed alike, where that goes, and what to do about it."""

    alike: Alike
    #: No attempt had failed of it before the window.
    is_new: bool
    direction: Direction
    step: NextStep
    task: Task | None
    action: Action | None


class Slow(msgspec.Struct, frozen=True):
    """One of the attempts that took longest."""

    lasting: Lasting
    task: Task | None
    action: Action | None


class MorningReport(msgspec.Struct, frozen=True):
    """What a stretch of time was like, and how it stands now. Instants are POSIX seconds."""

    picture: Snapshot
    sentence: Sentence
    since: float
    until: float
    #: The window is that of the last run, and not one that somebody has asked for.
    is_last_run: bool
    night: Night
    failed: list[Cause]
    held: list[Cause]
    slowest: list[Slow]
    incidents: list[Incident]
    scores: Scores
    strips: list[Strip]
    pace: Pace
    #: By the names of `core.gauges`.
    machine: Mapping[str, Sequence[Point]]
    checkpoints: int
    last_checkpoint_at: float | None
    #: What does not balance; empty when every task is accounted for.
    troubles: list[Discrepancy]

    @property
    def crashes(self) -> int:
        """How many engines ended without a word and were followed by another one."""
        return sum(one.kind is Kind.CRASH and one.ended_at is not None for one in self.incidents)


class _Window(msgspec.Struct, frozen=True):
    since: float
    until: float
    is_last_run: bool
    engines: list[Life]
    notes: list[Noted]


def gather(store: Store, home: Path, picture: Snapshot, *, since: float | None) -> MorningReport:
    """Gather everything. Goes through all tasks once, and counts them again.

    Args:
        store: The store of the home.
        home: Where journal and history lie.
        picture: How it stands now.
        since: POSIX seconds; None: since the last run began, a day at most.
    """
    window = _window(home, picture, since)
    night = store.night(since=window.since, until=window.until, spans=SPANS)
    causes = _causes(store, night, home / "events.jsonl")
    troubles = store.recount()
    saved = [note.at for note in window.notes if note.event is EventName.CHECKPOINT_SAVED and note.at >= window.since]
    return MorningReport(
        picture=picture,
        sentence=sentence(msgspec.structs.replace(facts_of(picture), unaccounted=picture.unaccounted or len(troubles))),
        since=window.since,
        until=window.until,
        is_last_run=window.is_last_run,
        night=night,
        failed=[one for one in causes if one.alike.state is TaskState.FAILED],
        held=[one for one in causes if one.alike.state is TaskState.HELD],
        slowest=_slowest(store, night),
        incidents=[one for one in incidents(window.notes, window.engines) if _reaches(one, window.since)],
        scores=scores(store.scored(WINDOW)),
        strips=strips(night),
        pace=pace(night),
        machine=_machine(home, window, picture.at),
        checkpoints=len(saved),
        last_checkpoint_at=saved[-1] if saved else None,
        troubles=troubles,
    )


# -- when ------------------------------------------------------------------------------------


def _window(home: Path, picture: Snapshot, since: float | None) -> _Window:
    """From when to when, and what happened then. A night that is over ends with its last event."""
    runs = picture.engine.state is not EngineState.STOPPED
    journal, first = home / "events.jsonl", picture.at - LONGEST if since is None else since
    notes, last_at = notes_since(journal, first)
    engines = lives(notes, runs=runs, last_at=last_at, began=engine_at(journal, first))
    began = since if since is not None else beginning_of_run(engines)
    if began is not None and began < first:
        began = None  # of a run that is longer only the last day is told
    start = first if began is None else began
    # What ended last has ended at that very instant, and is to be in it.
    end = picture.at if runs or last_at is None or since is not None else last_at + 0.001
    return _Window(min(start, end - SHORTEST), end, since is None and began is not None, engines, notes)


def _reaches(incident: Incident, since: float) -> bool:
    """What ended at the very beginning is told only if it began there as well."""
    return incident.ended_at is None or incident.ended_at > since or incident.began_at >= since


# -- what ------------------------------------------------------------------------------------


def _causes(store: Store, night: Night, journal: Path) -> list[Cause]:
    shown = _dated(night.alike[:MOST_CAUSES], journal)
    tasks, actions = _known(store, [one.newest_id for one in shown])
    found = []
    for one in shown:
        task, action = _of(one.newest_id, tasks, actions)
        limits = Limits(action.timeout, action.stall, action.memory) if action else Limits()
        is_new = one.first_at >= night.since
        found.append(Cause(one, is_new, direction(one.spans), next_step(one, limits), task, action))
    return found


def _dated(causes: Sequence[Alike], journal: Path) -> list[Alike]:
    """With when an attempt failed of it first: the store knows that of the last attempts alone, the journal of all."""
    latest = max((one.first_at for one in causes), default=0.0)
    first = first_failures(journal, [one.fingerprint for one in causes], latest)
    replace = msgspec.structs.replace
    return [replace(one, first_at=min(one.first_at, first.get(one.fingerprint, one.first_at))) for one in causes]


def _slowest(store: Store, night: Night) -> list[Slow]:
    longest = night.longest[:MOST_SLOWEST]
    tasks, actions = _known(store, [one.task_id for one in longest])
    return [Slow(one, *_of(one.task_id, tasks, actions)) for one in longest]


def _of(task_id: int, tasks: Mapping[int, Task], actions: Mapping[int, Action]) -> tuple[Task | None, Action | None]:
    task = tasks.get(task_id)
    return task, actions.get(task.action_id) if task else None


def _known(store: Store, ids: Sequence[int]) -> tuple[dict[int, Task], dict[int, Action]]:
    """Those that are still there, and what they do."""
    there = store.states(ids)
    tasks = {task_id: store.get(task_id) for task_id in there}
    return tasks, store.actions({task.action_id for task in tasks.values()})


def _machine(home: Path, window: _Window, now: float) -> dict[str, list[Point]]:
    try:
        with closing(Past(home / "history.db")) as past:
            series = {name: past.series(name, since=window.since, until=window.until, now=now) for name in SHOWN}
    except apsw.Error:
        return {}
    return {name: _thinned(points, window) for name, points in series.items() if len(points) > 1}


def _thinned(points: Sequence[Point], window: _Window) -> list[Point]:
    """At most one point a span: its mean, its least and its most."""
    length = max((window.until - window.since) / SPANS, RESOLUTIONS[0].span)
    groups: dict[int, list[Point]] = {}
    for point in points:
        groups.setdefault(int((point.at - window.since) / length), []).append(point)
    return [merged(group) for group in groups.values()]
