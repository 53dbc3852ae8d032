"""From work to tasks on disk: all or none, however many there are.

A small call is one transaction. A large one goes in chunks, so that nobody else has to wait long
for the store, and stays invisible until the last of it is there; if we die on the way, the next
producer removes what we left.

`resume` is what makes the same ``run`` line go on after a crash: it looks every task up by its
identity and adds only what was never there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import NewTask
from overnight.store.contract import Added, Known, Selector, Store, Verb

#: Tasks in one transaction: about 50 ms of the store.
CHUNK = 5000
#: Ids in one action of a person.
_ACTED_AT_ONCE = 10_000

Progress = Callable[[int, int], None]


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
    #: Completed before.
    skipped: int = 0
    #: Inputs whose file has another size or time now than when they were completed.
    changed: list[bytes] = msgspec.field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """Every task that this call is about and that was not completed before."""
        return [*self.added, *self.revived, *self.under_way, *self.held, *self.cancelled]


def submit(
    store: Store,
    work: Source,
    *,
    now: float,
    by: str,
    owner: str,
    is_alive: Callable[[str], bool],
    unique: bool = False,
    progress: Progress | None = None,
) -> Added:
    """Put all tasks of a call into the queue, or none.

    Args:
        store: Where to.
        work: What.
        now: POSIX seconds.
        by: Who does it, for the record.
        owner: "pid:start:boot" of this process.
        is_alive: Whether the process behind such a name still lives.
        unique: Leave out tasks whose equal is there already.
        progress: Called with tasks written and tasks in all after each chunk.
    """
    total = len(work.inputs)
    if total <= CHUNK:
        return store.add(work.tasks(), now=now, by=by, unique=unique)
    for batch, left_by, _ in store.open_batches():
        if not is_alive(left_by):
            store.abandon(batch)
    return _in_chunks(store, work.tasks, total, now=now, by=by, owner=owner, unique=unique, progress=progress)


def _in_chunks(
    store: Store,
    tasks: Callable[[int, int], list[NewTask]],
    total: int,
    *,
    now: float,
    by: str,
    owner: str,
    unique: bool = False,
    progress: Progress | None = None,
) -> Added:
    batch = store.open_batch(now=now, owner=owner)
    ids: list[int] = []
    known: list[int] = []
    try:
        for start in range(0, total, CHUNK):
            added = store.add(tasks(start, start + CHUNK), now=now, by=by, batch=batch, unique=unique)
            ids += added.ids
            known += added.known
            if progress:
                progress(min(start + CHUNK, total), total)
        store.publish(batch, now=now)
    except BaseException:
        store.abandon(batch)
        raise
    return Added(ids, known)


def resume(
    store: Store,
    work: Source,
    *,
    now: float,
    by: str,
    owner: str,
    is_alive: Callable[[str], bool],
    changed: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> Resumed:
    """Go on by identity: add what is new, revive what failed, leave alone what is done.

    Args:
        store: Where the tasks are.
        work: What the call asks for; its inputs are distinct.
        now: POSIX seconds.
        by: Who does it, for the record.
        owner: "pid:start:boot" of this process.
        is_alive: Whether the process behind such a name still lives.
        changed: Run again what was completed with another size or time of its file.
        again: Run everything anew that is not under way.
        progress: Called with tasks looked up and tasks in all after each chunk.
    """
    resumed = Resumed()
    anew: list[int] = []
    to_revive: list[int] = []
    total = len(work.inputs)
    for start in range(0, total, CHUNK):
        tasks = work.tasks(start, start + CHUNK)
        known = {one.position: one for one in store.find(tasks)}
        for position, task in enumerate(tasks):
            found = known.get(position)
            if found is None or _anew(found, task, resumed, changed=changed, again=again, to_revive=to_revive):
                anew.append(start + position)
        if progress and total > CHUNK:
            progress(min(start + CHUNK, total), total)
    chosen = _Chosen(work, anew)
    if anew:
        resumed.added = submit(store, chosen, now=now, by=by, owner=owner, is_alive=is_alive).ids
    resumed.revived = _revive(store, to_revive, now=now, by=by)
    return resumed


def _anew(found: Known, task: NewTask, resumed: Resumed, *, changed: bool, again: bool, to_revive: list[int]) -> bool:
    """Whether a task that is there already must be added once more; if not, sort it into `resumed`."""
    under_way = found.state in (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING)
    if under_way:
        resumed.under_way.append(found.id)
    elif again:
        return True
    elif found.state is TaskState.COMPLETED:
        differs = bool(found.stamp and task.stamp and found.stamp != task.stamp)
        if differs:
            resumed.changed.append(task.input)
        if differs and changed:
            return True
        resumed.skipped += 1
    elif found.state is TaskState.FAILED:
        to_revive.append(found.id)
    elif found.state is TaskState.HELD:
        resumed.held.append(found.id)
    else:
        resumed.cancelled.append(found.id)
    return False


def _revive(store: Store, ids: Sequence[int], *, now: float, by: str) -> list[int]:
    for start in range(0, len(ids), _ACTED_AT_ONCE):
        selector = Selector(ids=tuple(ids[start : start + _ACTED_AT_ONCE]))
        store.act(Verb.RETRY, selector, now=now, by=by)
    return list(ids)


class _Chosen:
    """Some of the tasks of a call, by their positions."""

    def __init__(self, work: Source, positions: list[int]) -> None:
        self._work = work
        self._positions = positions
        self.inputs = [work.inputs[position] for position in positions]

    def tasks(self, start: int = 0, stop: int | None = None) -> list[NewTask]:
        """The chosen tasks, neighbours fetched together."""
        found: list[NewTask] = []
        run: list[int] = []
        for position in [*self._positions[start:stop], -1]:
            if run and position != run[-1] + 1:
                found += self._work.tasks(run[0], run[-1] + 1)
                run = []
            run.append(position)
        return found
