"""What the commands about backups share: finding one, saying what a restore means, and carrying it out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError, UsageError
from overnight.core.events import printable
from overnight.host.home import Home
from overnight.monitor.elsewhere import elsewhere
from overnight.ops import rollback
from overnight.ops.backups.contract import BackupEngine, Place
from overnight.ops.backups.giving import manifest_of
from overnight.ops.backups.own import OwnPlace
from overnight.ops.backups.place import MANIFEST, Entry
from overnight.ops.backups.programs.contract import ProgramError
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

Found = tuple[Place, Entry]


def engine_in_use() -> BackupEngine:
    """Who keeps the backups of this call's home; without a home, the repository that its settings name.

    Raises:
        NotFoundError: There is no home, and without one nobody knows where its backups are.
    """
    settings, _ = in_use()
    try:
        home = wiring.find_home(home_option())
    except NotFoundError:
        if settings.backup_engine == "own":
            raise
        return click.get_current_context().with_resource(wired.without_home(settings))
    return wired.engine(home, settings)


def find(name: str) -> Found:
    """The backup that somebody names: its name, ``latest``, or the path of its folder, which needs no home.

    Raises:
        NotFoundError: There is none.
    """
    if "/" in name:
        return at_path(name)
    refused: ProgramError | None = None
    for place in engine_in_use().places:
        try:
            entry = _latest(place) if name == LATEST else place.get(name)
        except ProgramError as error:  # the second place may have it
            refused = refused or error
            continue
        if entry is not None:
            return place, entry
    raise refused or NotFoundError(
        f"there is no backup {name!r}; nothing was changed",
        hint="'overnight backup list' shows what there is, 'overnight backup create' makes one",
    )


def _latest(place: Place) -> Entry | None:
    """The newest of a place, where all are of one home."""
    entries = place.whole()
    homes = {manifest_of(entry).home for entry in entries}
    if len(homes) > 1:
        raise UsageError(
            f"{place.title} has backups of {len(homes)} homes; nothing was changed",
            hint="'overnight backup list --json' says which is of which; name the one that you mean",
        )
    return entries[0] if entries else None


def at_path(name: str) -> Found:
    """A backup by the path of its folder, wherever it was copied to with its pieces."""
    folder = Path(os.path.abspath(name))  # noqa: PTH100 - links are kept
    if not (folder / MANIFEST).exists():
        raise NotFoundError(
            f"there is no backup {name!r}; nothing was changed", hint="name its folder, as in /mnt/backups/HOME/NAME"
        )
    place = OwnPlace(folder.parent, None)
    return place, place.entry(folder.name)


def shape(place: Place, entry: Entry) -> dict[str, Any]:
    """A backup for programs."""
    path = place.where(entry)
    if entry.manifest is None:
        return {"backup": printable(entry.name), "path": path, "trouble": printable(entry.trouble)}
    one = entry.manifest
    return {
        "backup": one.name,
        "path": path,
        "home": one.home,
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
    with found[0].opened(found[1]) as (contents, entry):
        check(contents, entry)
        manifest = manifest_of(entry)
        if to is not None:
            need_no_home(to)
            return Planned(entry.name, str(to), manifest.counts, None, None, None, changes(contents, entry, to))
        home = own_home(entry)
        with as_source(contents, entry, home) as source:
            plan = rollback.plan(home, source)
        files = changes(contents, entry, home.path)
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
    with found[0].opened(found[1]) as (contents, entry):
        check(contents, entry)
        if to is not None:
            return restore_elsewhere(contents, entry, to)
        home = own_home(entry)
        with taking_over(home, lambda words: printing.note(f"overnight: {printing.clean(words)}")):
            return restore_here(home, contents, entry, now=wiring.clock.now(), by=wiring.who())


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
