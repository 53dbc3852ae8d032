"""Going on by identity: what makes the same ``run`` line continue after a crash.

Every task is looked up by what it is; only what was never there is added, and what failed is revived.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import NewTask
from overnight.store.contract import Known, Selector, Store, Verb
from overnight.wiring.adding import CHUNK, Producer, add_all, chunks
from overnight.wiring.enlisting import enlist

#: Ids in one action of a person.
_ACTED_AT_ONCE = 10_000
#: States of tasks that have not worked on their file yet, or will do so again.
_TO_RUN = (TaskState.WAITING, TaskState.PENDING, TaskState.FAILED)
#: In place of the id of a task that is about to be added.
_NOT_YET = 0
_NONE: Mapping[int, str] = {}


class Source(Protocol):
    """Where tasks come from, piece by piece."""

    @property
    def inputs(self) -> list[bytes]: ...

    def tasks(self, start: int = 0, stop: int | None = None) -> list[NewTask]: ...


class Resumed(msgspec.Struct):
    """What became of each task of a call that goes on where an earlier one ended."""

    #: Never seen before, or to be run anew; now in the queue.
    added: list[int] = msgspec.field(default_factory=list)
    #: Had failed; in the queue once more with a new generation.
    revived: list[int] = msgspec.field(default_factory=list)
    #: In the queue or running already.
    under_way: list[int] = msgspec.field(default_factory=list)
    #: Stopped for a person, who has to decide.
    held: list[int] = msgspec.field(default_factory=list)
    #: Cancelled by a person; left so.
    cancelled: list[int] = msgspec.field(default_factory=list)
    #: Completed before. There may be a million of them.
    completed: array[int] = msgspec.field(default_factory=lambda: array("q"))
    #: Every task that this call is about and that was not completed before, in the order of the inputs.
    ids: list[int] = msgspec.field(default_factory=list)
    #: Of the tasks of a list: the id of each, in its order.
    at: list[int] = msgspec.field(default_factory=list)
    #: Still to run, and now in the way that this call asks for.
    redefined: list[int] = msgspec.field(default_factory=list)
    #: Inputs whose file has another size or time now than when they were completed.
    changed: list[bytes] = msgspec.field(default_factory=list)

    @property
    def skipped(self) -> int:
        """How many were completed before."""
        return len(self.completed)


def resume(
    store: Store,
    work: Source,
    producer: Producer,
    *,
    changed: bool = False,
    again: bool = False,
    revive_all: bool = True,
) -> Resumed:
    """Go on by identity: add what is new, revive what failed, leave alone what is done.

    Args:
        store: Where the tasks are.
        work: What the call asks for; its inputs are distinct.
        producer: Who asks.
        changed: Run again what was completed with another size or time of its file.
        again: Run everything anew that is not under way.
        revive_all: Revive everything that failed; if not, only where the file is another one since.
    """
    resumed = Resumed()
    to_revive: list[int] = []
    stamps: dict[int, str] = {}
    otherwise: dict[int, NewTask] = {}

    def fresh() -> Iterator[list[NewTask]]:
        for tasks in chunks(work.tasks, len(work.inputs)):
            known = {one.position: one for one in store.find(tasks)}
            piece = []
            for position, task in enumerate(tasks):
                found = known.get(position)
                if found is None or _anew(found, task, resumed, changed=changed, again=again, to_revive=to_revive):
                    piece.append(task)
                    resumed.ids.append(_NOT_YET)
                elif found.state in _TO_RUN:
                    if task.stamp not in ("", found.stamp):
                        stamps[found.id] = task.stamp
                    if not found.is_as_asked:
                        otherwise[found.id] = task
            yield piece

    resumed.added = add_all(store, fresh(), len(work.inputs), producer).ids
    failed = {one: stamps.pop(one) for one in to_revive if one in stamps}
    if stamps:
        store.restamp(stamps, now=producer.now, by=producer.by)
    resumed.redefined = _redefine(store, otherwise, producer)
    resumed.revived = _revive(store, to_revive if revive_all else list(failed), producer, failed)
    added = iter(resumed.added)
    resumed.ids = [next(added) if one == _NOT_YET else one for one in resumed.ids]
    return resumed


def resume_list(
    store: Store, tasks: Sequence[NewTask], producer: Producer, *, changed: bool = False, again: bool = False
) -> Resumed:
    """The same for tasks that wait for each other: `after_here` are positions in all of them. They are distinct.

    What failed is revived before anything is added, since nothing may wait for what has failed.
    """
    resumed = Resumed()
    to_revive: list[int] = []
    there: dict[int, int] = {}
    otherwise: dict[int, NewTask] = {}
    for position, one in _found(store, tasks):
        if not _anew(one, tasks[position], resumed, changed=changed, again=again, to_revive=to_revive):
            there[position] = one.id
            if one.state in _TO_RUN and not one.is_as_asked:
                otherwise[one.id] = tasks[position]
    resumed.redefined = _redefine(store, otherwise, producer)
    resumed.revived = _revive(store, to_revive, producer)
    enlisted = enlist(store, tasks, producer, there=there, unique=not (again or changed))
    resumed.added, resumed.at = enlisted.added, enlisted.at
    completed = set(resumed.completed)
    resumed.ids = [task_id for task_id in enlisted.at if task_id not in completed]
    return resumed


def _found(store: Store, tasks: Sequence[NewTask]) -> Iterator[tuple[int, Known]]:
    """Those that are there already, by position."""
    for start in range(0, len(tasks), CHUNK):
        yield from ((start + one.position, one) for one in store.find(tasks[start : start + CHUNK]))


def _anew(found: Known, task: NewTask, resumed: Resumed, *, changed: bool, again: bool, to_revive: list[int]) -> bool:
    """Whether a task that is there already must be added once more; if not, sort it into `resumed`."""
    if found.state in (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING):
        resumed.under_way.append(found.id)
    elif again:
        return True
    elif found.state is TaskState.COMPLETED:
        return _completed(found, task, resumed, changed=changed)
    elif found.state is TaskState.FAILED:
        to_revive.append(found.id)
    elif found.state is TaskState.HELD:
        resumed.held.append(found.id)
    else:
        resumed.cancelled.append(found.id)
    resumed.ids.append(found.id)
    return False


def _completed(found: Known, task: NewTask, resumed: Resumed, *, changed: bool) -> bool:
    """Whether a completed task must be added once more."""
    differs = bool(found.stamp and task.stamp and found.stamp != task.stamp)
    if differs:
        resumed.changed.append(task.input)
    if differs and changed:
        return True
    resumed.completed.append(found.id)
    return False


def _redefine(store: Store, tasks: Mapping[int, NewTask], producer: Producer) -> list[int]:
    """The options of this call count for what is still to run; those of an earlier one may be why it failed."""
    changed: list[int] = []
    ids = list(tasks)
    for start in range(0, len(ids), CHUNK):
        some = {task_id: tasks[task_id] for task_id in ids[start : start + CHUNK]}
        changed += store.redefine(some, now=producer.now, by=producer.by)
    return changed


def _revive(store: Store, ids: Sequence[int], producer: Producer, stamps: Mapping[int, str] = _NONE) -> list[int]:
    """Back into the queue, at once with the new size and time of its file, by which it is known what to revive."""
    for start in range(0, len(ids), _ACTED_AT_ONCE):
        some = tuple(ids[start : start + _ACTED_AT_ONCE])
        anew = {one: stamps[one] for one in some if one in stamps}
        store.act(Verb.RETRY, Selector(ids=some), now=producer.now, by=producer.by, stamps=anew)
    return list(ids)
