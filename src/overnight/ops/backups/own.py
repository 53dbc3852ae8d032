"""Our own way to keep backups: directories of pieces and manifests, which need no other program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from overnight.core.checkpoints import Keeping
from overnight.core.events import printable
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.ops.backups import making, proving, pruning
from overnight.ops.backups.contract import Made, Opened, Pruned, Step, Wanted
from overnight.ops.backups.place import BackupPlace, Entry, Trial


class OwnPlace(BackupPlace):
    """A directory with backups."""

    @property
    def title(self) -> str:
        return printable(str(self.directory))

    def get(self, name: str) -> Entry | None:
        is_name = name not in ("", ".", "..") and "/" not in name
        return self.entry(name) if is_name and not self.is_free(name) else None

    def trial_bytes(self, entry: Entry) -> int:
        return entry.manifest.size_bytes if entry.manifest is not None else 0

    def where(self, entry: Entry) -> str:
        return printable(str(entry.path))

    @contextmanager
    def opened(self, entry: Entry) -> Iterator[Opened]:
        yield Opened(self.pieces, entry)

    def prove(self, entry: Entry, *, now: float, quick: bool) -> Trial:
        return proving.prove(self, entry, now=now, quick=quick)

    def plan(self, keeping: Keeping, *, now: float) -> Pruned:
        return pruning.plan(self, keeping, now=now)

    def prune(self, keeping: Keeping, *, now: float) -> Pruned:
        return pruning.prune(self, keeping, now=now)


class OwnEngine:
    """Keeps backups in directories.

    Args:
        places: The first is that of the home, another one is that of second copies.
    """

    name = "own"

    def __init__(self, places: Sequence[OwnPlace]) -> None:
        self.places = places

    def needed_bytes(self, home: Home) -> int:
        """The copy of the store, and its pieces."""
        return 2 * home.store.stat().st_size if home.store.exists() else 0

    def create(self, home: Home, wanted: Wanted, *, clock: Clock, step: Step = lambda _: None) -> Made:
        return making.create(home, self.places, wanted, clock=clock, step=step)
