"""From many inputs to tasks on disk: all or none, and nobody waits long for the store meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from overnight import wiring
from overnight.core.task import NewTask
from overnight.store.contract import Store

#: Tasks in one transaction: about 50 ms of the store.
CHUNK = 5000

#: The tasks from one place to another, so that a million of them need not exist at once.
Maker = Callable[[int, int], list[NewTask]]


def add_all(store: Store, make: Maker, total: int, *, unique: bool = False) -> list[int]:
    """Add `total` tasks; returns their ids.

    More than a chunk goes in several transactions, invisible until the last of it is there. What a
    process left that died on the way is removed by the next one that adds so much.

    Args:
        store: Where to.
        make: The tasks from one place to another.
        total: How many there are.
        unique: Leave out what was added before with the same work, directory and input.
    """
    now, by = wiring.clock.now(), wiring.who()
    if total <= CHUNK:
        return store.add(make(0, total), now=now, by=by, unique=unique).ids
    for batch, left_by, _ in store.open_batches():
        if not wiring.is_alive(left_by):
            store.abandon(batch)
    return _in_chunks(store, make, total, now=now, by=by, unique=unique)


def _in_chunks(store: Store, make: Maker, total: int, *, now: float, by: str, unique: bool) -> list[int]:
    batch = store.open_batch(now=now, owner=wiring.owner())
    ids: list[int] = []
    try:
        for start in range(0, total, CHUNK):
            ids += store.add(make(start, start + CHUNK), now=now, by=by, batch=batch, unique=unique).ids
        store.publish(batch, now=now)
    except BaseException:
        store.abandon(batch)
        raise
    return ids
