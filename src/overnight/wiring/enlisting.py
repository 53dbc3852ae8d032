"""Tasks that wait for each other, from a list to disk: all or none, however many transactions that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from overnight.core.task import NewTask
from overnight.store.contract import Added, Store
from overnight.wiring.adding import CHUNK, Producer, Progress, add_all


class Enlisted(NamedTuple):
    """What became of the tasks of a list."""

    #: The id of each, in their order.
    at: list[int]
    #: Those that are new.
    added: list[int]


def enlist(
    store: Store,
    tasks: Sequence[NewTask],
    producer: Producer,
    *,
    there: Mapping[int, int] | None = None,
    unique: bool = True,
    progress: Progress | None = None,
) -> Enlisted:
    """Add the tasks of a list, all or none; those that are there already stay as they are.

    Args:
        store: Where to.
        tasks: Each behind those that it waits for: `after_here` are positions in the whole list.
        producer: Who adds.
        there: The ids of those that are there, by position.
        unique: Look again for each whether it is there, in the transaction that would add it.
        progress: Told of tasks done and tasks in all.

    Raises:
        UsageError: One waits for a task that has failed or was cancelled; nothing was added.
    """
    at = [0] * len(tasks)
    for position, task_id in (there or {}).items():
        at[position] = task_id
    new = [position for position, task_id in enumerate(at) if not task_id]
    done = 0

    def pieces() -> Iterator[list[NewTask]]:
        for start in range(0, len(new), CHUNK):
            here = {position: number for number, position in enumerate(new[start : start + CHUNK])}
            yield [_bound(tasks[position], at, here) for position in here]

    def note(added: Added) -> None:
        nonlocal done
        for position, task_id in zip(new[done : done + len(added.at)], added.at, strict=True):
            at[position] = task_id
        done += len(added.at)
        if progress and len(new) > CHUNK:
            progress(done, len(new))

    added = add_all(store, pieces(), len(new), producer, unique=unique, told=note)
    return Enlisted(at, added.ids)


def _bound(task: NewTask, at: Sequence[int], here: Mapping[int, int]) -> NewTask:
    """A task that waits for those of its transaction by position, and for all others by id."""
    if not task.after_here:
        return task
    others = tuple(at[one] for one in task.after_here if one not in here)
    positions = tuple(here[one] for one in task.after_here if one in here)
    return msgspec.structs.replace(task, after=(*task.after, *others), after_here=positions)
