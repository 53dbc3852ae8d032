"""Giving back what a backup has: to its own home, or to a place where there is none yet.

In its own home the store is set back as to a checkpoint: the journal and the history go on, what happened since is
undone on the record, and the present store is set aside. Elsewhere everything is put as it was. Files
of the project are replaced one by one, each set aside first; whoever is killed on the way finds all of
them, and the same call again comes to its end. All of a backup is looked at before anything is changed.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from overnight.core.backups import BESIDE, HOME, PROJECT, File
from overnight.core.errors import HomeUnusableError
from overnight.core.events import printable
from overnight.host import rough
from overnight.host.files import sync_directory, sync_file
from overnight.host.home import Home
from overnight.ops import rollback
from overnight.ops.backups.contract import Contents
from overnight.ops.backups.giving import extract, is_same, manifest_of, told_of, unusable, write
from overnight.ops.backups.place import Entry
from overnight.ops.backups.proving import damage
from overnight.ops.rollback import Rolled, Source

#: What is on its way.
ROUGH = ".restoring-"
_RESULTS = HOME + b"results/"
#: Of a home these are put back where they are missing, and are never set back.
_ONLY_MISSING = (*(HOME + name.encode() for name in BESIDE), HOME + b"events-", HOME + b"output/")


class Change(msgspec.Struct, frozen=True):
    """What becomes of one file: "new", "replaced" (the present one is set aside) or "same"."""

    path: str
    what: str


class Restored(msgspec.Struct, frozen=True):
    """A restore that was done."""

    home: Path
    changes: list[Change]
    #: Where files of the project lie that were replaced; None when none was.
    aside: Path | None
    #: In its own home: how the store was set back.
    rolled: Rolled | None = None


def check(contents: Contents, entry: Entry) -> None:
    """Look at every byte of a backup.

    Raises:
        StoreDamagedError: It is not whole.
    """
    manifest_of(entry)
    if wrong := damage(contents, entry):
        raise unusable(entry.name, wrong[0])


def changes(contents: Contents, entry: Entry, home: Path) -> list[Change]:
    """What a restore would do to the files of the project around a home.

    Raises:
        HomeUnusableError: Something stands where a file would go.
    """
    found = []
    for file in _of(entry, PROJECT):
        target = _target(home.parent, file)
        what = "same" if is_same(contents, file, target) else "replaced" if os.path.lexists(target) else "new"
        found.append(Change(file.path.removeprefix(PROJECT.decode()), what))
    return found


def need_no_home(target: Path) -> None:
    """Make sure that nothing is where a home is to be made.

    Raises:
        HomeUnusableError: Something is.
    """
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir() or any(target.iterdir())):
        raise HomeUnusableError(
            f"{target} is there already and is not empty; nothing was changed",
            hint="name a directory that does not exist yet: --to DIR/.overnight",
        )


def restore_elsewhere(contents: Contents, entry: Entry, target: Path) -> Restored:
    """Make a home of a backup where there is none, and put the files of its project around it.

    Args:
        contents: What is in the backup.
        entry: Which; `check` has looked at it.
        target: The home that is made.

    Raises:
        HomeUnusableError: Something is there already.
        StoreDamagedError: A piece is damaged.
        OSError: It could not be written; there is no home then.
    """
    need_no_home(target)
    planned = changes(contents, entry, target)
    with told_of(entry), rough.making(target.parent, ROUGH) as folder:
        extract(contents, _of(entry, HOME), folder)
        aside = _put_project(
            contents, entry, target.parent, planned, folder / "home" / "aside" / f"project-{entry.name}"
        )
        (folder / "home").rename(target)
        sync_directory(target.parent)
    return Restored(target, planned, aside and target / aside.relative_to(folder / "home"))


@contextmanager
def as_source(contents: Contents, entry: Entry, home: Home) -> Iterator[Source]:
    """The store of a backup as something to go back to, in a directory that is thrown away."""
    with told_of(entry), rough.making(home.path, ROUGH) as folder:
        extract(contents, [file for file in _of(entry, HOME) if file.name == HOME + b"queue.db"], folder)
        yield Source(f"backup {entry.name}", folder / "home" / "queue.db", None, manifest_of(entry).position)


def restore_here(home: Home, contents: Contents, entry: Entry, *, now: float, by: str) -> Restored:
    """Go back to a backup of this home. The caller holds its lock, and `check` has looked at the backup.

    Raises:
        HomeUnusableError: Something stands where a file of the project would go; nothing was changed.
        StoreDamagedError: A piece is damaged.
    """
    planned = changes(contents, entry, home.path)
    with as_source(contents, entry, home) as source:
        place_aside = _free(home.aside / f"project-{entry.name}")
        aside = _put_project(contents, entry, home.path.parent, planned, place_aside)
        rolled = rollback.roll_back(home, source, now=now, by=by)
        _put_home(contents, entry, home, (rolled.aside or home.aside) / "results")
    return Restored(home.path, planned, aside, rolled)


def _of(entry: Entry, where: bytes) -> list[File]:
    return [file for file in manifest_of(entry).files if file.name.startswith(where)]


def _target(project: Path, file: File) -> Path:
    """Where a file of the project goes: to where its name says, with no link on the way."""
    inside = os.fsdecode(file.name.removeprefix(PROJECT))
    target = project / inside
    real = os.path.join(os.path.realpath(project), os.path.dirname(inside))  # noqa: PTH118, PTH120 - text
    folder_is_there = os.path.realpath(target.parent) == os.path.normpath(real) and _is_free_or_folder(target.parent)
    if not folder_is_there or (target.is_dir() and not target.is_symlink()):
        raise HomeUnusableError(
            f"{printable(str(target))} cannot be put back: a folder or a link stands in its way; nothing was changed",
            hint="move it away, and type it again",
        )
    return target


def _is_free_or_folder(path: Path) -> bool:
    """Whether there is a folder, or could be."""
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    return there.is_dir()


def _put_project(contents: Contents, entry: Entry, project: Path, planned: list[Change], aside: Path) -> Path | None:
    """Put files of the project back, those that are replaced set aside. Returns where to; None: none was."""
    replaced = False
    for file, change in zip(_of(entry, PROJECT), planned, strict=True):
        if change.what == "same":
            continue
        target = _target(project, file)
        if os.path.lexists(target):
            _set_aside(target, aside / target.relative_to(project))
            replaced = True
        _put(contents, file, target)
    return aside if replaced else None


def _put_home(contents: Contents, entry: Entry, home: Home, aside: Path) -> None:
    """Put back what is beside the store: large results as they were, the rest where it is missing."""
    for file in _of(entry, HOME):
        target = home.path / os.fsdecode(file.name.removeprefix(HOME))
        there = os.path.lexists(target)
        if file.name.startswith(_RESULTS) and not is_same(contents, file, target):
            if there:
                _set_aside(target, aside / target.name)
            _put(contents, file, target)
        elif file.name.startswith(_ONLY_MISSING) and not there:
            _put(contents, file, target)


def _set_aside(path: Path, aside: Path) -> None:
    """Keep what is at a place, links as links."""
    aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy2(path, aside, follow_symlinks=False)
    if stat.S_ISREG(aside.lstat().st_mode):
        with suppress(PermissionError):  # a copy that nobody may write to
            sync_file(aside)
    sync_directory(aside.parent)


def _put(contents: Contents, file: File, target: Path) -> None:
    """Put a file in its place at one instant."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}.tmp")
    try:
        write(contents, file, made)
        made.replace(target)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def _free(path: Path) -> Path:
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(2, 1000))]
    return next(one for one in names if not os.path.lexists(one))
