"""The folder that holds the copies of a home, and what is trusted of what lies in it.

A copy is looked at in two steps. Its manifest says what it is, and costs nothing; whether its files
are what the manifest says is found by reading all of them. Whoever wants to use one reads it first:
what was whole when it was made may have been damaged since.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from overnight.host import rough
from overnight.host.files import names_in, sync_directory
from overnight.store.copies import manifest as manifests
from overnight.store.copies.manifest import STORE, Manifest
from overnight.store.sqlite.examining import examine

#: Names the newest valid copy.
LATEST = "latest"
#: Copies on their way.
ROUGH = ".making-"


class Entry(NamedTuple):
    """One folder on a shelf."""

    path: Path
    #: None when there is none that can be trusted.
    manifest: Manifest | None
    #: What is wrong with the manifest; empty when nothing is.
    trouble: str = ""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def store(self) -> Path:
        """The copy itself."""
        return self.path / STORE


class Shelf:
    """The copies in one directory, which need not exist yet.

    Args:
        directory: Where they lie.
        home: Whose copies; those of another home are none.
    """

    def __init__(self, directory: Path, home: str) -> None:
        self.directory = directory
        self._home = home

    def entries(self) -> list[Entry]:
        """All folders, newest copies first, those without a manifest last."""
        names = reversed(names_in(self.directory))
        found = [self.entry(name) for name in names if not name.startswith(".") and name != LATEST]
        found.sort(key=_age, reverse=True)
        return found

    def entry(self, name: str) -> Entry:
        """One folder."""
        path = self.directory / name
        try:
            manifest = manifests.read(path)
        except ValueError as error:
            return Entry(path, None, str(error))
        if manifest.home != self._home:
            return Entry(path, None, f"it is of another home ({manifest.home})")
        return Entry(path, manifest)

    def beside(self, folder: Path) -> Entry:
        """A folder that was copied to somewhere else, of the same home."""
        return Shelf(folder.parent, self._home).entry(folder.name)

    def making(self) -> AbstractContextManager[Path]:
        """A rough folder to make a copy in; what is still there at the end is removed."""
        return rough.making(self.directory, ROUGH)

    def put(self, made: Path, name: str) -> Entry:
        """Give a finished folder its place. Everything in it is on the disk already."""
        place = self.directory / name
        made.rename(place)
        sync_directory(self.directory)
        return self.entry(name)

    def is_free(self, name: str) -> bool:
        """Whether there is nothing of this name."""
        return not os.path.lexists(self.directory / name)

    def point(self, name: str | None) -> None:
        """Have ``latest`` name this copy, or nothing."""
        link = self.directory / LATEST
        if name is None:
            link.unlink(missing_ok=True)
        else:
            aside = self.directory / f".{LATEST}-{os.getpid()}"
            aside.unlink(missing_ok=True)
            aside.symlink_to(name)
            aside.replace(link)
        with contextlib.suppress(FileNotFoundError):
            sync_directory(self.directory)

    def drop(self, names: Sequence[str]) -> None:
        """Remove copies: first the manifest, so that one that is half removed is none."""
        for name in names:
            folder = self.directory / name
            with contextlib.suppress(FileNotFoundError):
                (folder / manifests.NAME).unlink()
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


def _age(entry: Entry) -> tuple[int, float]:
    return (entry.manifest.position, entry.manifest.made_at) if entry.manifest else (-1, 0.0)


def troubles(entry: Entry, *, deep: bool = False) -> list[str]:
    """Everything that keeps a copy from being used, in words; [] when it is whole. Reads all of it.

    Args:
        entry: Which.
        deep: Look at the structure and the books of the store as well, and not only at the hashes,
            which say that it is what it was when it was made and examined.
    """
    if entry.manifest is None:
        return [entry.trouble]
    zeros: list[int] = []
    for name, mark in entry.manifest.files.items():
        try:
            found = manifests.digest(entry.path / name)
        except OSError as error:
            return [f"{name} cannot be read ({error.strerror})"]
        if found.mark.size_bytes != mark.size_bytes:
            return [f"{name} has {found.mark.size_bytes} bytes and had {mark.size_bytes}"]
        if found.mark != mark:
            return [f"{name} is not what was written (SHA-256)"]
        if name == STORE:
            zeros = found.zero_pages
    return examine(entry.store, deep=True, zero_pages=zeros) if deep else []


def newest_first(shelves: Sequence[Shelf]) -> list[Entry]:
    """All folders of all shelves, newest copies first, those without a manifest last."""
    every = [entry for shelf in shelves for entry in shelf.entries()]
    every.sort(key=_age, reverse=True)
    return every


def newest_whole(
    shelves: Sequence[Shelf], *, holds: Callable[[int], bool] = lambda _: True
) -> tuple[Entry | None, list[tuple[Entry, str]]]:
    """The newest copy that is whole, wherever it lies, and those that are newer and are not, with what is wrong.

    Args:
        shelves: Where to look.
        holds: Whether a copy with this as its last event counts; others are not looked at.
    """
    every = newest_first(shelves)
    bad: list[tuple[Entry, str]] = [(entry, entry.trouble) for entry in every if entry.manifest is None]
    for entry in every:
        if entry.manifest is None or not holds(entry.manifest.position):
            continue
        found = troubles(entry)
        if not found:
            return entry, bad
        bad.append((entry, found[0]))
    return None, bad
