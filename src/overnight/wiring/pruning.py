"""Everything that grows in a home, what of it is to be kept, and who lets the rest go.

What goes by this is let go of by those who know it; what somebody else lets go in passing, or nobody, is named, so
that the table is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from overnight.core.durations import format_duration, format_size
from overnight.core.events import printable
from overnight.core.health import KEPT
from overnight.core.settings import Settings
from overnight.host.home import Home
from overnight.ops.backups.contract import Place
from overnight.ops.backups.programs.contract import ProgramError
from overnight.ops.logs.cleaning import OLD, clean, old
from overnight.ops.logs.following import matching
from overnight.store.copies.making import prune, surplus_of
from overnight.wiring import backups, clock, reporting
from overnight.wiring.checkpoints import plan_of, shelves

#: Of a second place that cannot be looked at.
_NOT_THERE = "not there: its disk is perhaps not mounted"


class Share(NamedTuple):
    """One kind of what a home keeps."""

    kind: str
    #: Where it lies.
    place: Path
    #: How long it is kept, for people.
    rule: str
    #: What goes, and what that gives back.
    names: Sequence[str] = ()
    freed_bytes: int = 0
    #: Lets it go; None where this is somebody else's.
    let_go: Callable[[], object] | None = None
    #: Why nothing can go now; empty when it can.
    trouble: str = ""


def shares(home: Home, settings: Settings) -> Iterator[Share]:
    """Everything there is. Changes nothing.

    Raises:
        OSError: Something cannot be looked at.
    """
    yield from _checkpoints(home, settings)
    first, *others = backups.engine(home, settings).places
    yield _backups(first, settings)
    for place in others:
        yield _backups(place, settings) if place.is_there else Share("backups", place.directory, _NOT_THERE)
    yield _logs(home, settings)
    yield from _of_others(home, settings)


def _checkpoints(home: Home, settings: Settings) -> Iterator[Share]:
    plan = plan_of(settings)
    keeping = plan.keeping
    every, hourly, daily = map(format_duration, (keeping.all_seconds, keeping.hourly_seconds, keeping.daily_seconds))
    room = format_size(keeping.room_bytes)
    rule = f"all of {every}, one an hour of {hourly}, one a day of {daily}, {room} in all"
    for shelf in shelves(home, plan):
        gone, let_go = surplus_of(shelf, keeping, now=clock.now()), partial(prune, shelf, keeping, now=clock.now())
        freed = sum(copy.size_bytes for copy in gone)
        yield Share("checkpoints", shelf.directory, rule, [copy.name for copy in gone], freed, let_go)


def _backups(place: Place, settings: Settings) -> Share:
    keeping = backups.keeping(settings)
    rule = f"as checkpoints, {format_size(keeping.room_bytes)} in all, and the newest that was verified"
    try:
        plan = place.plan(keeping, now=clock.now())
    except ProgramError as error:  # what cannot be reached holds up nothing else
        return Share("backups", place.directory, rule, trouble=error.message)
    let_go = partial(place.prune, keeping, now=clock.now())
    return Share("backups", place.directory, rule, plan.names, plan.freed_bytes or 0, let_go, plan.trouble)


def _logs(home: Home, settings: Settings) -> Share:
    project, before = home.config.parent, clock.now() - OLD
    found = old(matching(settings.log_files, project), before)
    rule = f"files of [logs] and errors in them, for {format_duration(OLD)}"
    let_go = partial(clean, home, [path for path, _ in found], before=before)
    names = [printable(os.fspath(path)) for path, _ in found]
    return Share("logs", project, rule, names, sum(size for _, size in found), let_go)


def _of_others(home: Home, settings: Settings) -> Iterator[Share]:
    kept = settings.keep_finished
    tasks = "for ever; [retention] finished" if kept is None else f"for {format_duration(kept)}, by the engine"
    yield Share("tasks", home.store, tasks)
    yield Share("output", home.output, "as long as its task, by the engine")
    yield Share("journal", home.journal, "for ever: the books are proven by it")
    yield Share("results", home.results, "as long as its task, by the engine")
    yield Share("history", home.history, "ever coarser for a year, by who watches")
    yield Share("health", home.health, f"for {format_duration(KEPT)}, by who examines")
    yield Share("errors", home.logs, f"kinds of errors, for {format_duration(OLD)}, by 'overnight logs clean' and this")
    yield Share("tests", home.tests, f"the last {settings.tests_keep} runs of each suite, by who runs them")
    yield Share("dormant", home.dormant, "what was read in files that are there, by 'overnight dormant'")
    yield Share("reports", home.reports, f"the last {reporting.KEPT}, by who sends them")
    yield Share("aside", home.aside, "until a person removes it")
