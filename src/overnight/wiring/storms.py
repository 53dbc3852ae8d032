"""Ending storms by hand: what fails for everybody has been mended, and everything goes on."""

from __future__ import annotations

from collections.abc import Collection

from overnight.core import storms
from overnight.store.contract import Store


def names(store: Store) -> set[str]:
    """What the storms that there are can be called: workflows, and the queues of plain tasks."""
    return {storms.name(storm) for storm in store.storms()}


def end(store: Store, wanted: Collection[str], *, now: float, by: str) -> list[tuple[str, int]]:
    """End storms: those of these names, all when there are none. Returns each that was there, and how many it revives.

    Everything that failed for good in one is revived, however often it was.
    """
    ended = []
    for storm in store.storms():
        if not wanted or storms.name(storm) in wanted:
            ids = store.end_storm(storm, now=now, by=by)
            if ids is not None:
                ended.append((storms.what(storm), len(ids)))
    return ended


__all__ = ["end", "names"]
