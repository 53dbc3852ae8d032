"""A store whose file was deleted or replaced while an engine has it open: written anew from what is open.

Commits into a deleted file succeed, and the file is there as long as somebody has it open. So nothing is
lost yet: the whole of it, with all that was committed since, is copied out, examined, and put in its
place. What lies there by then is set aside. Producers that still have the old file find another one
at its place after their COMMIT, and acknowledge nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from overnight.core import events, store_events
from overnight.core.errors import StoreDamagedError
from overnight.host.home import Home, past
from overnight.ops.swapping import making_ready, next_aside, swap
from overnight.store.contract import Store
from overnight.store.copies.manifest import STORE, digest
from overnight.store.sqlite.examining import examine
from overnight.store.sqlite.rebuilding import rebuilding


class Rescued(msgspec.Struct, frozen=True):
    """What was done."""

    why: str
    epoch: int
    #: Where what lay in its place lies now; None: nothing did.
    aside: Path | None


def rescue(home: Home, store: Store, why: str, *, now: float) -> Rescued:
    """Put all that `store` holds back in its place, and let it go on with that. The caller is the engine of the home.

    Args:
        home: The home.
        store: Open, and without a name.
        why: What `check_file` said.
        now: POSIX seconds.

    Raises:
        StoreDamagedError: What is open is not whole.
        DiskFullError: There is no room.
        OSError: The home is gone, or cannot be written to.
    """
    with making_ready(home) as ready:
        target = ready / STORE
        store.copy_to(target)
        if wrong := examine(target, deep=False, zero_pages=digest(target).zero_pages):
            raise StoreDamagedError(f"{home.store}: what was left of it is damaged ({wrong[0]})")
        epoch, aside = past(home).epoch + 1, next_aside(home)
        told = store_events.StoreRescued(
            at=events.stamp(now),
            epoch=epoch,
            why=events.printable(why),
            aside=events.printable(str(aside or "")),
        )
        with rebuilding(target) as rebuilt:
            rebuilt.store.note([told])
        aside = swap(home, ready)
    store.reopen()
    return Rescued(why, epoch, aside)
