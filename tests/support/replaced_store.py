"""Another store in the place of the one that is open, as a rescue or going back to a checkpoint leaves it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from overnight.store.sqlite import SqliteStore


def replace_store(home: Path, change: Callable[[SqliteStore], object]) -> None:
    """Put a copy of the store of this home into its place; `change` is done to the copy alone."""
    with closing(SqliteStore.open(home / "queue.db")) as store:
        store.copy_to(home / "copy.db")
    with closing(SqliteStore.open(home / "copy.db")) as other:
        change(other)
    for name in ("queue.db-wal", "queue.db-shm"):
        (home / name).rename(home / f"old-{name}")
    for end in ("-wal", "-shm", ""):
        if (copied := home / f"copy.db{end}").exists():
            copied.replace(home / f"queue.db{end}")
