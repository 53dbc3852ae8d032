"""From many inputs to tasks on disk: all or none, and nobody waits long for the store meanwhile.

A small call is one transaction. A large one goes in chunks and stays invisible until the last of it
is there; if we die on the way, the next producer of a large call removes what we left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from overnight import wiring
from overnight.core.task import NewTask
from overnight.host.home import Home
from overnight.host.turns import in_turn
from overnight.store.contract import Added, Store

#: Tasks in one transaction: about 50 ms of the store.
CHUNK = 5000

#: The tasks from one place to another, so that a million of them need not exist at once.
Maker = Callable[[int, int], list[NewTask]]
#: Told of tasks done and tasks in all.
Progress = Callable[[int, int], None]


class Producer(NamedTuple):
    """Who adds."""

    #: POSIX seconds.
    now: float
    #: For the record.
    by: str
    #: Names this process as `is_alive` understands it.
    owner: Callable[[], str]
    #: Whether the process behind such a name still lives.
    is_alive: Callable[[str], bool]


def this_process() -> Producer:
    """We ourselves, now."""
    return Producer(wiring.clock.now(), wiring.who(), wiring.owner, wiring.is_alive)


def alone(home: Home, waiting: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
    """Look what is there, and add what is not, without another process of this home doing so between the two.

    Without it the same line, typed twice, would be two sets of tasks. `waiting` is called when one must wait.
    """
    return in_turn(home.adding, waiting)


def chunks(make: Maker, total: int, progress: Progress | None = None) -> Iterator[list[NewTask]]:
    """All the tasks, a chunk at a time; `progress` is told when the next one is asked for."""
    for start in range(0, total, CHUNK):
        yield make(start, start + CHUNK)
        if progress and total > CHUNK:
            progress(min(start + CHUNK, total), total)


def add_all(
    store: Store,
    pieces: Iterable[list[NewTask]],
    total: int,
    producer: Producer,
    *,
    unique: bool = False,
    told: Callable[[Added], None] = lambda _: None,
) -> Added:
    """Add all tasks of a call, or none.

    Args:
        store: Where to.
        pieces: The tasks, at most a chunk at a time.
        total: How many there are at most.
        producer: Who adds.
        unique: Leave out tasks whose equal is there already.
        told: Called with what became of each piece, before the next one is asked for.
    """
    now, by = producer.now, producer.by
    if total <= CHUNK:
        tasks = [task for piece in pieces for task in piece]
        added = store.add(tasks, now=now, by=by, unique=unique) if tasks else Added([], [])
        told(added)
        return added
    for left, left_by, _ in store.open_batches():
        if not producer.is_alive(left_by):
            store.abandon(left)
    batch = store.open_batch(now=now, owner=producer.owner())
    whole = Added([], [])
    try:
        for tasks in pieces:
            if tasks:
                added = store.add(tasks, now=now, by=by, batch=batch, unique=unique)
                whole.ids.extend(added.ids)
                whole.known.extend(added.known)
                told(added)
        store.publish(batch, now=now)
    except BaseException:
        store.abandon(batch)
        raise
    return whole
