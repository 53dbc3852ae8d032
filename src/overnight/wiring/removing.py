"""Forgetting tasks: their records, and the files that belong to them."""

from __future__ import annotations

from overnight.host import results
from overnight.host.home import Home
from overnight.store.contract import Selector, Store


def remove(home: Home, store: Store, selector: Selector, *, now: float, by: str) -> int:
    """Forget selected tasks that are final or held, with the files of their results. Returns how many.

    The records go first: a file whose task is gone is removed by the next call, while a task whose file
    is gone would have lost its result.
    """
    gone = store.remove(selector, now=now, by=by)
    results.sweep(home.results, store.states)
    return gone
