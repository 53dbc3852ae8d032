"""Backups that another program keeps: everything is put into one directory first, and that is handed to it.

The directory has all of one moment: the copies of the databases, the journal up to the same event, and the
manifest, which was written last. So what the program keeps is whole or is not there, however slowly
it reads, and a second repository gets the very same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from overnight.core.backups import Manifest
from overnight.core.sealed import seal
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.host.home import Home
from overnight.ops.backups.contract import Made, Step, Wanted
from overnight.ops.backups.making import Taking, need_store, remember, told
from overnight.ops.backups.place import MANIFEST
from overnight.ops.backups.programs.contract import ProgramError
from overnight.ops.backups.repository import Repository
from overnight.ops.backups.tree import Tree

#: The directory that is handed over.
STAGE = "stage"


class ByProgram:
    """Keeps backups in repositories.

    Args:
        places: The first, and that of second copies if there is one.
    """

    def __init__(self, places: Sequence[Repository]) -> None:
        self.places = places
        self.name = places[0].program.name

    def needed_bytes(self, home: Home) -> int:
        """The copy of the store, once more among all that is handed over, and the rest of that."""
        store = home.store.stat().st_size if home.store.exists() else 0
        files = (*home.path.glob("events*.jsonl"), *home.results.glob("*"), *home.output.glob("*"))
        return 2 * store + sum(file.stat().st_size for file in files)

    def create(self, home: Home, wanted: Wanted, *, clock: Clock, step: Step = lambda _: None) -> Made:
        first, *others = self.places
        began = clock.monotonic()
        need_store(home)
        taken = {entry.name for entry in first.entries()}  # nothing is copied for one that cannot be reached
        with first.records.alone() as held, first.records.making() as rough:
            step("begun")
            manifest = _staged(home, rough, wanted, taken, clock, step)
            kept = first.put(rough / STAGE, manifest, held)
            step("placed")
            first.record(kept)
            remember(home, kept.name)
            trouble = _second(rough / STAGE, manifest, others, held)
        where = first.where(first.records.entry(kept.name))
        return told(kept, where, trouble, seconds=clock.monotonic() - began)


def _staged(home: Home, rough: Path, wanted: Wanted, taken: Collection[str], clock: Clock, step: Step) -> Manifest:
    """Put everything into a directory, the manifest last."""
    began, now, stage = clock.monotonic(), clock.now(), rough / STAGE
    stage.mkdir(mode=0o700)
    found = Taking(home, Tree(stage), rough, step).take(wanted, lambda name: name not in taken, now=now)
    seconds = round(clock.monotonic() - began, 3)
    manifest = msgspec.structs.replace(found, took_seconds=seconds, stored_bytes=None)
    write_atomically(stage / MANIFEST, seal(manifest), durable=False)
    step("manifest")
    return manifest


def _second(stage: Path, manifest: Manifest, others: Iterable[Repository], held: int) -> str:
    """Have other repositories keep the same. Returns why that was not possible; else nothing."""
    for place in others:
        try:
            place.record(place.put(stage, manifest, held))
        except (ProgramError, OSError) as error:
            return str(error)
    return ""
