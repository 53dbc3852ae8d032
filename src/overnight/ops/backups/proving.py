"""Whether a backup is worth anything: every byte looked at, and then restored on trial, with the books balanced.

Hashes say that it is what was written. That what was written is a home in which work could go on is shown
by making one of it, in a directory that is thrown away.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from overnight.core.backups import BESIDE, HOME
from overnight.core.errors import OvernightError
from overnight.core.events import printable
from overnight.host.home import Home
from overnight.ops import verification
from overnight.ops.backups.contract import Contents
from overnight.ops.backups.giving import extract
from overnight.ops.backups.pieces import DamagedError
from overnight.ops.backups.place import BackupPlace, Entry, Trial
from overnight.store.copies.manifest import digest
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.examining import examine

#: Homes on trial.
ROUGH = ".trying-"
#: Troubles that are remembered.
_TOLD = 20


def damage(contents: Contents, entry: Entry) -> list[str]:
    """Everything of a backup that is not what was written; [] when it is whole. Reads all of it.

    What is damaged loses its name, so that the next backup does not rely on it.
    """
    if entry.manifest is None:
        return [entry.trouble]
    found = []
    for file in entry.manifest.files:
        try:
            for _ in contents.content(file):
                pass
        except DamagedError as error:
            found.append(f"{file.path}: {error}")
            contents.disown(error.piece)
    return found


def prove(place: BackupPlace, entry: Entry, *, now: float, quick: bool = False) -> Trial:
    """Look at every byte of a backup, and restore it on trial.

    Args:
        place: Where it lies.
        entry: Which.
        now: POSIX seconds.
        quick: Leave the trial out; then nothing is remembered but what is wrong.

    Raises:
        NotNowError: Another process is at work on the backups.
        OSError: There is no room for the trial.
    """
    with place.alone():
        found = damage(place.pieces, entry)
        if not found and not quick:
            with place.making(ROUGH) as rough:
                found = troubles_on_trial(place.pieces, entry, rough)
        return noted(place, entry, found, now=now, quick=quick)


def noted(place: BackupPlace, entry: Entry, found: list[str], *, now: float, quick: bool) -> Trial:
    """Remember what was found; of a quick look only what is wrong. Returns it as it is remembered."""
    trial = Trial(now, not found, [printable(one) for one in found[:_TOLD]])
    if entry.manifest is not None and (found or not quick):
        place.note(entry, trial)
    return trial


def troubles_on_trial(contents: Contents, entry: Entry, rough: Path) -> list[str]:
    """Make a home of a backup, whose bytes were looked at, in a directory of ours. Returns what is wrong."""
    assert entry.manifest is not None  # noqa: S101 - its bytes have been looked at
    rough.chmod(0o700)
    extract(contents, [file for file in entry.manifest.files if file.name.startswith(HOME)], rough)
    home = Home(rough / "home")
    try:
        return [*_of_store(home), *(wrong for name in BESIDE for wrong in _of_one_beside(home.path / name))]
    except OvernightError as error:
        return [error.message]


def _of_store(home: Home) -> list[str]:
    wrong = examine(home.store, deep=True, zero_pages=digest(home.store).zero_pages)
    if wrong:
        return [f"queue.db: {one}" for one in wrong]
    with closing(SqliteStore.open(home.store, readonly=True)) as store:
        return [trouble.sentence for trouble in verification.verify(home, store, []).troubles]


def _of_one_beside(database: Path) -> list[str]:
    if not database.exists():
        return []
    try:
        with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(1)")]
    except apsw.Error as error:
        found = [str(error)]
    return [] if found == ["ok"] else [f"{database.name}: {found[0]}"]
