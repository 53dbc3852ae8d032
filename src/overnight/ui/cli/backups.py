"""What the commands about backups share: finding one, saying what a restore means, and carrying it out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError, UsageError
from overnight.core.events import printable
from overnight.host.home import Home
from overnight.monitor.elsewhere import elsewhere
from overnight.ops import rollback
from overnight.ops.backups.giving import manifest_of
from overnight.ops.backups.place import MANIFEST, BackupPlace, Entry
from overnight.ops.backups.restoring import (
    Change,
    Restored,
    as_source,
    changes,
    check,
    need_no_home,
    restore_elsewhere,
    restore_here,
)
from overnight.ui.cli import printing
from overnight.ui.cli.group import home_option
from overnight.ui.cli.settings import in_use
from overnight.wiring import backups as wired
from overnight.wiring.going_back import taking_over

LATEST = "latest"
#: Files that are named.
_NAMED = 20

Found = tuple[BackupPlace, Entry]


def places_of(home: Home) -> list[BackupPlace]:
    """Where the backups of a home lie."""
    settings, _ = in_use()
    return wired.places(home, settings)


def find(name: str) -> Found:
    """The backup that somebody names: its name, ``latest``, or the path of its folder, which needs no home.

    Raises:
        NotFoundError: There is none.
    """
    if "/" in name:
        return at_path(name)
    home = wiring.find_home(home_option())
    for place in places_of(home):
        if name == LATEST and (entries := place.whole()):
            return place, entries[0]
        if name not in (LATEST, "", ".", "..") and not place.is_free(name):
            return place, place.entry(name)
    raise NotFoundError(
        f"there is no backup {name!r}; nothing was changed",
        hint="'overnight backup list' shows what there is, 'overnight backup create' makes one",
    )


def at_path(name: str) -> Found:
    """A backup by the path of its folder, wherever it was copied to with its pieces."""
    folder = Path(os.path.abspath(name))  # noqa: PTH100 - links are kept
    if not (folder / MANIFEST).exists():
        raise NotFoundError(
            f"there is no backup {name!r}; nothing was changed", hint="name its folder, as in /mnt/backups/HOME/NAME"
        )
    place = BackupPlace(folder.parent, None)
    return place, place.entry(folder.name)


def shape(entry: Entry) -> dict[str, Any]:
    """A backup for programs."""
    path = printable(str(entry.path))
    if entry.manifest is None:
        return {"backup": printable(entry.name), "path": path, "trouble": printable(entry.trouble)}
    one = entry.manifest
    return {
        "backup": one.name,
        "path": path,
        "created_at": printing.iso(one.made_at),
        "position": one.position,
        "epoch": one.epoch,
        "files": len(one.files),
        "size_bytes": one.size_bytes,
        "stored_bytes": one.stored_bytes,
        "seconds": one.took_seconds,
        "counts": one.counts,
        "left_out": [msgspec.to_builtins(left) for left in one.left_out],
        "verified_at": printing.iso(entry.trial.at) if entry.trial else None,
        "whole": entry.trial.whole if entry.trial else None,
        "program": one.program,
    }


class Planned(msgspec.Struct, frozen=True):
    """What a restore would do."""

    backup: str
    home: str
    #: Tasks by state: in the backup, and now; None where there is no home.
    then: dict[str, int]
    again: int | None
    gone: int | None
    held: int | None
    files: list[Change]


def planned(found: Found, to: Path | None) -> Planned:
    """Look at all of a backup, and say what giving it back would mean. Changes nothing."""
    place, entry = found
    check(place, entry)
    manifest = manifest_of(entry)
    if to is not None:
        need_no_home(to)
        return Planned(entry.name, str(to), manifest.counts, None, None, None, changes(place, entry, to))
    home = own_home(entry)
    with as_source(place, entry, home) as source:
        plan = rollback.plan(home, source)
    files = changes(place, entry, home.path)
    return Planned(entry.name, str(home.path), manifest.counts, plan.again, plan.gone, plan.held, files)


def own_home(entry: Entry) -> Home:
    """The home of this call, which must be the one that a backup is of.

    Raises:
        UsageError: It is another one.
    """
    home = wiring.find_home(home_option())
    manifest = manifest_of(entry)
    if manifest.home != home.id:
        raise UsageError(
            f"backup {entry.name} is of another home ({manifest.home}); nothing was changed",
            hint="--to DIR/.overnight makes a home of it there",
        )
    return home


def say_plan(plan: Planned) -> None:
    """Say it to people."""
    printing.say(f"backup {plan.backup} to {printing.clean(plan.home)}: {printing.count(plan.then['total'], 'task')}")
    if plan.again is not None:
        printing.say(f"{printing.count(plan.again, 'task')} would run again")
    if plan.gone:
        printing.say(f"{printing.count(plan.gone, 'task')} added since would be gone")
    if plan.held:
        printing.say(f"{printing.count(plan.held, 'task')} that may run only once would be held for you to decide")
    changing = [change for change in plan.files if change.what != "same"]
    for change in changing[:_NAMED]:
        printing.say(f"  {change.what}: {printing.clean(change.path)}")
    if len(changing) > _NAMED:
        printing.say(f"  and {len(changing) - _NAMED:,} more files")


def give_back(found: Found, to: Path | None) -> Restored:
    """Carry it out: the engine ends first, the present state is set aside."""
    place, entry = found
    check(place, entry)
    if to is not None:
        return restore_elsewhere(place, entry, to)
    home = own_home(entry)
    with taking_over(home, lambda words: printing.note(f"overnight: {printing.clean(words)}")):
        return restore_here(home, place, entry, now=wiring.clock.now(), by=wiring.who())


def _left_behind(home: Path) -> list[str]:
    """What is to be said of tasks that would run where the home was, before anybody starts them."""
    with closing(wiring.open_store(Home(home), readonly=True)) as store:
        found = elsewhere(store, Home(home))
    return [f"overnight: {printing.clean(found.words())}", f"  try: {printing.clean(found.advice())}"] if found else []


def say_restored(entry: Entry, done: Restored) -> None:
    """Say what was done, and where what was there before lies."""
    printing.say(f"backup {entry.name} is restored to {printing.clean(str(done.home))}")
    asides: Sequence[Path | None] = (done.rolled.aside if done.rolled else None, done.aside)
    for aside in asides:
        if aside is not None:
            printing.note(f"  what was there before is kept in {printing.clean(str(aside))}")
    for line in _left_behind(done.home):
        printing.note(line)
    printing.note("  try: 'overnight verify', then 'overnight run' or 'overnight start' to go on")
