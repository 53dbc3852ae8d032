"""What an engine says at its start in a home that was copied or moved."""

from __future__ import annotations

import contextlib

from overnight.core import events
from overnight.core.errors import DiskFullError
from overnight.host.home import Home, arrive
from overnight.monitor.elsewhere import elsewhere
from overnight.store.contract import Store
from overnight.wiring import clock
from overnight.wiring.telling import Told


def tell_if_moved(home: Home, store: Store, told: Told) -> None:
    """Say once, and in the journal, that tasks would run where the home was before. The caller holds the home."""
    if arrive(home) is None:
        return
    found = elsewhere(store, home)
    if found is None:
        return
    with contextlib.suppress(DiskFullError):  # it is said all the same
        store.note(
            [
                events.HomeMoved(
                    at=events.stamp(clock.now()),
                    was=events.printable(found.was),
                    now=events.printable(str(home.path.parent)),
                    tasks=found.count,
                )
            ]
        )
    told(found.words(), found.advice())
