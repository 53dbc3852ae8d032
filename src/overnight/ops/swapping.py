"""Putting another store file in the place of the present one, so that a crash at any point leaves one of the two.

The other store lies ready in a directory of the home, whole and on the disk. Then ``home.json`` promises
it: from that moment on the swap will be finished, by us or by whoever takes the home next. The present
file is set aside together with its log: a log that stayed behind would be played into the new file.
"""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from overnight.host import rough
from overnight.host.files import sync_directory
from overnight.host.home import Home, past, promise_restore, promised_restore, restore_kept
from overnight.host.removal import is_gone

#: Directories in which a store is made ready.
READY = ".ready-"
#: A store file and what belongs to it.
PARTS = ("", "-wal", "-shm")


def making_ready(home: Home) -> AbstractContextManager[Path]:
    """A directory in the home for a store to be made ready in; removed at the end, unless it was promised.

    One in which somebody else is at work is left alone: a dry run asks nobody's leave, and an engine may be saving its
    store at that moment.
    """
    return rough.making(home.path, READY, keep=lambda path: not is_gone(home) and path == promised_restore(home))


def swap(home: Home, ready: Path, *, undone: tuple[int, int] | None = None) -> Path | None:
    """Put the store in `ready` in place of the present one, for good. Under the lock of the home.

    Args:
        home: The home.
        ready: Holds ``queue.db``, a whole store without a log, on the disk.
        undone: What of the journal a rollback undoes.

    Returns:
        Where the present store was set aside; None when there was none.
    """
    sync_directory(ready)
    sync_directory(home.path)
    promise_restore(home, ready.name, undone=undone)
    return keep_promise(home)


def keep_promise(home: Home) -> Path | None:
    """Finish a swap that was promised; nothing when none was. Returns where the store of before lies."""
    ready = promised_restore(home)
    if ready is None:
        return None
    aside = None
    store = ready / home.store.name
    if store.exists():
        aside = set_aside(home)
        store.rename(home.store)
        sync_directory(home.path)
    restore_kept(home)
    shutil.rmtree(ready, ignore_errors=True)
    return aside


def set_aside(home: Home, *, epoch: int | None = None) -> Path | None:
    """Move the store at its place, and what belongs to it, aside. Returns where to; None when there is nothing.

    Args:
        home: The home.
        epoch: Which epoch follows; None for the present one, which a promise has begun.
    """
    parts = [part for part in PARTS if os.path.lexists(f"{home.store}{part}")]
    if not parts:
        return None
    place = _free_place(home, past(home).epoch if epoch is None else epoch, parts)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in parts:  # the store first: without it nobody opens the log
        Path(f"{home.store}{part}").rename(place / f"{home.store.name}{part}")
    for directory in (place, home.path):
        sync_directory(directory)
    return place


def next_aside(home: Home) -> Path | None:
    """Where the present store will lie when the next epoch begins; None when there is nothing of it."""
    parts = [part for part in PARTS if os.path.lexists(f"{home.store}{part}")]
    return _free_place(home, past(home).epoch + 1, parts) if parts else None


def _free_place(home: Home, epoch: int, parts: list[str]) -> Path:
    """One that has none of these yet: what a crash has left behind goes to where the rest of it lies."""
    number = 1
    while True:
        place = home.aside / (_name(epoch) if number == 1 else f"{_name(epoch)}.{number}")
        if not any(os.path.lexists(place / f"{home.store.name}{part}") for part in parts):
            return place
        number += 1


def _name(epoch: int) -> str:
    return f"epoch-{epoch}"
