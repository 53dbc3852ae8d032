"""Going back to a checkpoint because a person wants to: what would be undone, and undoing it.

A rollback does not replay the journal: whoever goes back wants what was then. What happened since is
undone on the record, too: the journal keeps its lines and says from which to which they no longer count.
Nothing is deleted; the present store is set aside and can be gone back to in the same way.

Tasks that run at most once are the exception to "as it was then". One that has begun since must not
begin again by itself, so it is held for the person to decide, as is one that was running then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from overnight.core import events, store_events
from overnight.core.endings import Evidence, Lost
from overnight.core.errors import NotFoundError, OvernightError, StoreDamagedError
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Task
from overnight.core.verdict import Standing, judge_lost
from overnight.core.version import VERSION
from overnight.engine.journal import Journal
from overnight.host.home import Home, past
from overnight.monitor.segments import lines_after
from overnight.monitor.tail import last_seq
from overnight.ops.evidence import SAFE_DISTANCE
from overnight.ops.swapping import making_ready, swap
from overnight.store.contract import Selector, Store, Verb
from overnight.store.copies.manifest import STORE, Manifest, digest
from overnight.store.copies.shelf import LATEST, Entry, Shelf, newest_whole, troubles
from overnight.store.copies.summary import Checkpoint, read_summary, summarise
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.copying import copy_file, facts
from overnight.store.sqlite.examining import examine
from overnight.store.sqlite.rebuilding import Rebuilt, go_on_after, rebuilding

#: Tasks of a plan that are listed by name.
LISTED = 1000
_PAGE = 5000
_STARTS = frozenset({"file_started", "step_started"})


#: Checkpoints that are newer and not whole, with what is wrong.
Passed = Sequence[tuple[Entry, str]]


class Source(msgspec.Struct, frozen=True):
    """What to go back to."""

    #: A name of a checkpoint, or the path that somebody named.
    name: str
    #: The store file in it.
    store: Path
    #: None: a file without a manifest, as it was set aside.
    entry: Entry | None
    position: int


class Since(msgspec.Struct):
    """What the journal says happened after an event."""

    last: int
    fence: int = 0
    last_task_id: int = 0
    #: Numbers of tasks that may have been given and are on no record.
    passed_over: int = 0
    #: Top-level tasks that were added.
    added: int = 0
    #: Tasks of which an attempt has begun, and those that came to their end.
    begun: set[int] = msgspec.field(default_factory=set)
    finished: set[int] = msgspec.field(default_factory=set)


class Plan(msgspec.Struct, frozen=True):
    """What a rollback would do."""

    source: Source
    last: int
    #: Tasks added since, which would be gone.
    gone: int
    #: Tasks that have come to their end since, and would run again; the first of them by name.
    again: int
    again_first: list[Task]
    #: Tasks that run at most once, and would be held.
    held: int


class Rolled(msgspec.Struct, frozen=True):
    """A rollback that was done."""

    source: Source
    epoch: int
    #: First and last event that no longer count; equal when none was undone.
    undone: tuple[int, int]
    held: int
    aside: Path | None


def find(name: str, home: Home, shelves: list[Shelf]) -> tuple[Source, Passed]:
    """The checkpoint that somebody names: its name, ``latest``, or a path.

    ``latest`` is the newest that is whole and of a time that was not undone: who goes back twice does not
    come back by that.

    Returns:
        It, and with ``latest`` those that were passed over, with what is wrong.

    Raises:
        NotFoundError: There is none.
        StoreDamagedError: It is not whole.
    """
    if name == LATEST:
        entry, bad = newest_whole(shelves, holds=past(home).holds)
        if entry is None:
            raise NotFoundError(
                "there is no checkpoint that is whole and of a time that was not undone; nothing was changed",
                hint="'overnight checkpoint list' shows what there is, 'overnight checkpoint save' makes one",
            )
        return _source_of(entry), bad
    for shelf in shelves:
        if not shelf.is_free(name) and "/" not in name:
            return _source_of(shelf.entry(name)), []
    return _at_path(Path(name), shelves), []


def _source_of(entry: Entry) -> Source:
    if entry.manifest is None:
        raise _unusable(entry.name, entry.trouble)
    return Source(entry.name, entry.store, entry, entry.manifest.position)


def _at_path(path: Path, shelves: list[Shelf]) -> Source:
    """A folder of a shelf by its path, wherever it was copied to, or a store file that was set aside."""
    folder = path.resolve()
    if (folder / "manifest.json").exists():
        return _source_of(shelves[0].beside(folder))
    store = folder / STORE if folder.is_dir() else folder
    if not store.is_file():
        raise NotFoundError(
            f"there is no checkpoint {str(path)!r}; nothing was changed",
            hint="'overnight checkpoint list' shows what there is",
        )
    try:
        return Source(str(path), store, None, facts(store).position)
    except StoreDamagedError as error:  # it is the store of nobody, so nothing can set it aside and rebuild it
        raise StoreDamagedError(
            error.message, hint="'overnight checkpoint list' shows what there is to go back to"
        ) from error


def check(source: Source, *, deep: bool) -> None:
    """Make sure that a source is whole. Reads all of it.

    Raises:
        StoreDamagedError: It is not.
    """
    if source.entry is not None and (wrong := troubles(source.entry, deep=deep)):
        raise _unusable(source.name, wrong[0])


def _unusable(name: str, why: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"checkpoint {name} is not whole: {why}; nothing was changed",
        hint="'--from-checkpoint latest' takes the newest one that is",
    )


def summary(home: Home, source: Source) -> Checkpoint:
    """What a source holds, for people. A store that was set aside has no summary beside it: it is read out of a copy.

    Raises:
        StoreDamagedError: It is not whole.
        OSError: It cannot be read, or there is no room for the copy.
    """
    if source.entry is not None:
        check(source, deep=False)
        return read_summary(source.entry.path)
    with making_ready(home) as ready:
        copy = ready / STORE
        _fetch(source, copy)
        with rebuilding(copy):  # it may be of an older schema
            pass
        return summarise(copy, _as_manifest(home, source, copy), state={}, processed=None, machine=None)


def _as_manifest(home: Home, source: Source, copy: Path) -> Manifest:
    """What would stand in the manifest that a store which was set aside has not."""
    known = facts(copy)
    return Manifest(
        name=source.name,
        home=home.id,
        made_at=source.store.stat().st_mtime,
        took_seconds=0.0,
        reason="set aside",
        position=known.position,
        epoch=past(home).epoch,
        fence=known.fence,
        last_task_id=known.last_task_id,
        schema=known.schema,
        program=VERSION,
        files={},
    )


# -- what it would mean -----------------------------------------------------------------------


def since(home: Home, position: int) -> Since:
    """What has happened after an event."""
    history = past(home)
    found = Since(last_seq(home.journal))
    for line in lines_after(home.journal, position):
        with suppress(msgspec.DecodeError, LookupError):  # a damaged line
            if line.seq is not None:
                _note(found, msgspec.json.decode(line.content), counts=history.holds(line.seq))
    return found


def _note(found: Since, event: dict[str, Any], *, counts: bool) -> None:
    """Numbers were given and tasks have begun, even in a time that was undone since; the rest must still count."""
    name = event["event"]
    if name == "file_added":
        found.added += counts
        found.last_task_id = max(found.last_task_id, event["id"])
    elif name == "processor_started":
        found.fence = max(found.fence, event["fence"])
    elif name in _STARTS:
        found.begun.add(event["id"])
        found.last_task_id = max(found.last_task_id, event.get("first_step", 0) + event.get("steps", 0))
    elif counts and "state" in event and "id" in event:
        (found.finished.add if event["state"] in FINAL else found.finished.discard)(event["id"])


def plan(home: Home, source: Source) -> Plan:
    """What going back to this checkpoint would mean. Changes nothing."""
    happened = since(home, source.position)
    with making_ready(home) as ready, closing(_opened(source, ready)) as copy:
        again = list(_unfinished(copy, happened.finished))
        held = sum(_at_most_once(copy, task) for task in _unfinished(copy, happened.begun | _running(copy)))
    return Plan(source, happened.last, happened.added, len(again), again[:LISTED], held)


def _opened(source: Source, ready: Path) -> Store:
    """The copy for reading. What was set aside still has its log, and is copied first."""
    if source.entry is not None:
        return SqliteStore.open(source.store, readonly=True)
    copy_file(source.store, ready / STORE)
    return SqliteStore.open(ready / STORE, readonly=True)


def _unfinished(copy: Store, ids: set[int]) -> Iterator[Task]:
    """Those of these tasks that are in a copy and have not come to their end there."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), _PAGE):
        states = copy.states(ordered[start : start + _PAGE])
        for task_id, state in states.items():
            if state not in FINAL and state is not TaskState.HELD:
                yield copy.get(task_id)


def _running(copy: Store) -> set[int]:
    return {attempt.task_id for attempt in copy.left_open()}


def _at_most_once(copy: Store, task: Task) -> bool:
    return copy.actions([task.action_id])[task.action_id].at_most_once


# -- doing it ---------------------------------------------------------------------------------


def roll_back(home: Home, source: Source, *, now: float, by: str, passed_over: Passed = ()) -> Rolled:
    """Go back. The caller holds the lock of the home, and no engine of it lives.

    Raises:
        StoreDamagedError: The source is not whole; nothing was changed.
    """
    check(source, deep=False)
    present = _bring_in(home)
    happened = since(home, source.position)
    with making_ready(home) as ready:
        _fetch(source, ready / STORE)
        with rebuilding(ready / STORE) as rebuilt:
            go_on_after(
                rebuilt,
                last=max(happened.last, present.last),
                fence=max(happened.fence, present.fence),
                last_task_id=_highest(happened, present, rebuilt),
            )
            held = _settle(rebuilt, happened.begun, now=now, by=by)
            epoch = past(home).epoch + 1
            _tell(rebuilt.store, source, epoch, passed_over, now=now, by=by)
        undone = (source.position, max(happened.last, present.last))
        aside = swap(home, ready, undone=undone)
    if source.entry is not None and source.entry.path.parent == home.checkpoints:
        with suppress(OSError):  # it is done; the next checkpoint will have its name there
            Shelf(home.checkpoints, home.id).point(source.name)  # newer ones are of a time that is undone
    return Rolled(source, epoch, undone, held, aside)


def _highest(happened: Since, present: Since, rebuilt: Rebuilt) -> int:
    """The highest number of a task that may have been given."""
    known = max(happened.last_task_id, present.last_task_id, rebuilt.facts().last_task_id)
    return known + present.passed_over


def _bring_in(home: Home) -> Since:
    """Write what the present store still has for the journal, and learn what it has given. Damage is no hindrance."""
    found = Since(last_seq(home.journal))
    with suppress(OvernightError), closing(SqliteStore.open(home.store, migrate=True)) as store:
        Journal(home.journal, store).close()
        found.last = max(last_seq(home.journal), store.journal_seq())
    try:
        known = facts(home.store)
        found.fence, found.last_task_id = known.fence, known.last_task_id
    except OvernightError:
        found.passed_over = SAFE_DISTANCE
    return found


def _fetch(source: Source, target: Path) -> None:
    """Copy the source to where it is rebuilt, and make sure that it has arrived whole."""
    copy_file(source.store, target)
    if source.entry is None and (wrong := examine(target, deep=True, zero_pages=digest(target).zero_pages)):
        raise _unusable(source.name, wrong[0])


def _settle(rebuilt: Rebuilt, begun: set[int], *, now: float, by: str) -> int:
    """Nothing of then runs any more; what runs at most once waits for a person. Returns how many do."""
    store = rebuilt.store
    fence = store.take_fence(now=now, by=by)
    left = store.left_open()
    actions = store.actions({attempt.action_id for attempt in left})
    words = "the store was set back to a time at which it ran"
    settlements = [
        judge_lost(
            Lost(one.task_id, one.attempt, Evidence.STARTED, started_at=one.claimed_at, error=words),
            Standing(one.failures, one.deaths, actions[one.action_id]),
        )
        for one in left
    ]
    if settlements:
        store.turn(fence=fence, now=now, settlements=settlements)
    held = sum(one.state is TaskState.HELD for one in settlements)
    once = tuple(task.id for task in _unfinished(store, begun) if _at_most_once(store, task))
    if once:
        held += store.act(Verb.HOLD, Selector(ids=once), now=now, by=by).changed
    return held


def _tell(store: Store, source: Source, epoch: int, passed_over: Passed, *, now: float, by: str) -> None:
    at = events.stamp(now)
    failed = [(events.printable(entry.name), events.printable(why)) for entry, why in passed_over]
    store.note(
        [
            *(store_events.CheckpointRestoreFailed(at=at, checkpoint=name, error=why) for name, why in failed),
            store_events.CheckpointRestored(
                at=at,
                checkpoint=events.printable(source.name),
                position=source.position,
                epoch=epoch,
                why="asked for",
                by=events.printable(by),
            ),
        ]
    )
