"""Making one checkpoint, from the copy to the last rename.

The order is the point. Copy, read back, examine, summary, manifest, and only then its place: it may be
killed between any two of these and leaves either a whole checkpoint or a rough folder, which the next
one removes. A copy that is not whole is never given a place, and damage of the store that comes to
light on the way is told as what it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from overnight.core import events, store_events
from overnight.core.checkpoints import Keeping, Kept, surplus
from overnight.core.errors import StoreDamagedError
from overnight.core.gates import Reading
from overnight.core.version import VERSION
from overnight.host.clock import Clock
from overnight.host.files import sync_directory, sync_file, write_atomically
from overnight.store.copies import manifest as manifests
from overnight.store.copies.manifest import STORE, SUMMARY, FileMark, Manifest
from overnight.store.copies.shelf import Entry, Shelf
from overnight.store.copies.summary import summarise
from overnight.store.sqlite.copying import copy_file, facts
from overnight.store.sqlite.examining import examine

#: Up to this size a copy is examined in full when it is made; a larger one when it is verified or used.
DEEP_UP_TO = 16 * 1024 * 1024

#: Called after each step with its name; for tests that stop there.
Step = Callable[[str], None]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint to be made. Paths are text, with surrogates for what is none."""

    store: str
    shelf: str
    #: Where a second copy goes; empty for nowhere.
    second: str = ""
    home: str
    epoch: int = 0
    reason: str
    keeping: Keeping = Keeping()
    #: Of the processor, as the summary has it.
    state: dict[str, Any] = {}
    processed: int | None = None
    machine: Reading | None = None


class Made(msgspec.Struct, frozen=True):
    """A checkpoint that is in its place."""

    name: str
    position: int
    size_bytes: int
    took_seconds: float
    #: Why there is no second copy although one was wanted; empty when all is well.
    second_trouble: str = ""


def saved(made: Made, *, at: float, stretched: bool = False, by: str = "") -> store_events.CheckpointSaved:
    """What the journal says of it.

    Args:
        made: The checkpoint.
        at: POSIX seconds.
        stretched: Enough tasks had finished for one earlier.
        by: Who asked for it; nobody did when it is one of the cadence.
    """
    return store_events.CheckpointSaved(
        at=events.stamp(at),
        checkpoint=made.name,
        position=made.position,
        size_bytes=made.size_bytes,
        seconds=round(made.took_seconds, 3),
        stretched=stretched,
        second_trouble=events.printable(made.second_trouble),
        by=events.printable(by),
    )


def make(order: Order, *, clock: Clock, step: Step = lambda _: None) -> Made:
    """Make a checkpoint, and let those go that are not to be kept any longer.

    Raises:
        StoreDamagedError: The store is damaged; no checkpoint was made.
        DiskFullError: There is no room for it.
        OSError: It could not be written.
    """
    began, made_at = clock.monotonic(), clock.now()
    shelf = Shelf(Path(order.shelf), order.home)
    with shelf.making() as rough:
        step("begun")
        mark = _copy(Path(order.store), rough / STORE, step)
        manifest = _describe(order, shelf, rough, mark, made_at=made_at)
        step("summary")
        manifest = msgspec.structs.replace(manifest, took_seconds=round(clock.monotonic() - began, 3))
        write_atomically(rough / manifests.NAME, manifests.render(manifest))
        step("manifest")
        entry = shelf.put(rough, manifest.name)
    step("placed")
    shelf.point(manifest.name)
    step("latest")
    trouble = events.printable(_second(order, entry, step, now=made_at))
    with suppress(OSError):  # the checkpoint is in its place, whatever cannot be removed
        prune(shelf, order.keeping, now=made_at)
    step("pruned")
    return Made(manifest.name, manifest.position, manifest.size_bytes, clock.monotonic() - began, trouble)


def _copy(store: Path, target: Path, step: Step) -> FileMark:
    copy_file(store, target)
    step("copied")
    found = manifests.digest(target)
    step("read")
    wrong = examine(target, deep=found.mark.size_bytes <= DEEP_UP_TO, zero_pages=found.zero_pages)
    if wrong:
        raise StoreDamagedError(
            f"{store} is damaged ({wrong[0]}); no checkpoint was made and the older ones are as they were",
            hint="'overnight resume' rebuilds the store from the newest checkpoint and the journal, and goes on",
        )
    step("examined")
    return found.mark


def _describe(order: Order, shelf: Shelf, rough: Path, mark: FileMark, *, made_at: float) -> Manifest:
    """Write the summary; return what the manifest will say."""
    known = facts(rough / STORE)
    manifest = Manifest(
        name=free_name(made_at, known.position, shelf.is_free),
        home=order.home,
        made_at=made_at,
        took_seconds=0.0,
        reason=order.reason,
        position=known.position,
        epoch=order.epoch,
        fence=known.fence,
        last_task_id=known.last_task_id,
        schema=known.schema,
        program=VERSION,
        files={STORE: mark},
    )
    summary = summarise(rough / STORE, manifest, state=order.state, processed=order.processed, machine=order.machine)
    write_atomically(rough / SUMMARY, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    marks = {STORE: mark, SUMMARY: manifests.digest(rough / SUMMARY).mark}
    return msgspec.structs.replace(manifest, files=marks)


def free_name(made_at: float, position: int, is_free: Callable[[str], bool]) -> str:
    """When it was made and the last event in it, as in 20261120-094100-4711."""
    name = f"{datetime.fromtimestamp(made_at, UTC):%Y%m%d-%H%M%S}-{position}"
    names = [name, *(f"{name}.{number}" for number in range(2, 1000))]
    return next(one for one in names if is_free(one))


def _seconds(order: Order) -> list[Shelf]:
    return [Shelf(Path(order.second) / order.home, order.home)] if order.second else []


def _second(order: Order, entry: Entry, step: Step, *, now: float) -> str:
    """Copy a finished checkpoint to the second place. Returns why that was not possible; else nothing."""
    for shelf in _seconds(order):
        try:
            duplicate(entry, shelf, step)
            prune(shelf, order.keeping, now=now)
        except OSError as error:
            return f"{shelf.directory}: {error.strerror or error}"
    return ""


def duplicate(entry: Entry, shelf: Shelf, step: Step = lambda _: None) -> None:
    """Copy a checkpoint to another shelf, manifest last, and read it back there.

    Raises:
        OSError: It could not be written, or is not what was written.
    """
    assert entry.manifest is not None  # noqa: S101 - it is whole
    with shelf.making() as rough:
        for name, mark in entry.manifest.files.items():
            shutil.copyfile(entry.path / name, rough / name)
            sync_file(rough / name)
            if manifests.digest(rough / name).mark != mark:
                raise OSError(None, f"{name} is not what was written to it")
        step("second copied")
        write_atomically(rough / manifests.NAME, (entry.path / manifests.NAME).read_bytes())
        sync_directory(rough)
        shelf.drop([entry.name])  # one of an earlier try
        shelf.put(rough, entry.name)
    step("second placed")


def surplus_of(shelf: Shelf, keeping: Keeping, *, now: float) -> list[Kept]:
    """The copies that are not to be kept any longer; what is damaged stays for people to see.

    Damaged ones do not count: three of them must not be all that is left.
    """
    copies = [
        Kept(entry.name, entry.manifest.made_at, entry.manifest.size_bytes, by_hand=entry.manifest.by_hand)
        for entry in shelf.entries()
        if entry.manifest is not None
    ]
    gone = surplus(copies, keeping, now=now)
    return [copy for copy in copies if copy.name in gone]


def prune(shelf: Shelf, keeping: Keeping, *, now: float) -> list[Kept]:
    """Let copies go that are not to be kept any longer. Returns them."""
    gone = surplus_of(shelf, keeping, now=now)
    shelf.drop([copy.name for copy in gone])
    return gone
