"""The directory that holds the backups of a home: a folder for each, and the pieces that they share.

A folder gets its name when everything in it is on the disk, so one without a manifest is what somebody
has begun to remove. Whoever changes anything holds a lock: a piece that nobody refers to may be one
that another backup is about to rely on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core import backups
from overnight.core.backups import Manifest
from overnight.core.errors import NotNowError
from overnight.host import rough
from overnight.host.files import names_in, open_regular, sync_directory, write_atomically
from overnight.ops.backups.pieces import DIRECTORY, Pieces

MANIFEST = "manifest.json"
#: What the last trial has found; no part of the backup.
TRIAL = "verified.json"
#: Backups on their way.
ROUGH = ".making-"
_LOCK = ".lock"
#: Bytes of a manifest that are read.
_LARGEST = 256 * 1024 * 1024


class Trial(msgspec.Struct, frozen=True):
    """What the last trial of a backup has found. `at` is POSIX seconds."""

    at: float
    whole: bool
    troubles: list[str] = []


class Entry(NamedTuple):
    """One folder."""

    path: Path
    #: None when there is none that can be trusted.
    manifest: Manifest | None
    #: What is wrong with it; empty when nothing is.
    trouble: str = ""
    trial: Trial | None = None
    #: It refers to nothing: somebody has begun to remove it, or it is somebody else's.
    is_empty: bool = False

    @property
    def name(self) -> str:
        return self.path.name


class BackupPlace:
    """The backups in one directory, which need not exist yet.

    Args:
        directory: Where they lie.
        home: Whose; those of another home are none. None: whoever's they are.
    """

    def __init__(self, directory: Path, home: str | None) -> None:
        self.directory = directory
        self.pieces = Pieces(directory / DIRECTORY)
        self._home = home

    @property
    def is_there(self) -> bool:
        """Whether somebody has made it; that of a disk that is not mounted is not there."""
        return self.directory.is_dir()

    def entries(self) -> list[Entry]:
        """All folders, newest first, those without a manifest last."""
        names = reversed(names_in(self.directory))
        found = [self.entry(name) for name in names if not name.startswith(".") and name != DIRECTORY]
        found.sort(key=lambda entry: entry.manifest.made_at if entry.manifest else -1.0, reverse=True)
        return found

    def entry(self, name: str) -> Entry:
        """One folder."""
        path = self.directory / name
        if path.is_symlink() or not path.is_dir():
            return Entry(path, None, "it is no folder")
        try:
            manifest = backups.read(_read(path / MANIFEST), name)
        except FileNotFoundError:
            return Entry(path, None, "it was never finished, or is being removed", is_empty=True)
        except OSError as error:
            return Entry(path, None, f"its manifest cannot be read ({error.strerror or error})")
        except ValueError as error:
            return Entry(path, None, str(error))
        if self._home is not None and manifest.home != self._home:
            return Entry(path, None, f"it is one of another home ({manifest.home})")
        return Entry(path, manifest, trial=_trial(path))

    def whole(self) -> list[Entry]:
        """Those with a manifest, newest first."""
        return [entry for entry in self.entries() if entry.manifest is not None]

    def is_free(self, name: str) -> bool:
        """Whether there is nothing of this name."""
        return not os.path.lexists(self.directory / name)

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Change what is here; nobody else does meanwhile. Gives the descriptor that holds the lock.

        Raises:
            NotNowError: Somebody else does at this moment.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotNowError(
                f"another process is at work on the backups in {self.directory}; nothing was changed",
                hint="wait for it, and type it again",
            ) from None

    def making(self, prefix: str = ROUGH) -> AbstractContextManager[Path]:
        """A rough folder; what is still there at the end is removed."""
        return rough.making(self.directory, prefix)

    def put(self, made: Path, name: str) -> Entry:
        """Give a finished folder its place. Everything in it, and every piece, is on the disk already."""
        sync_directory(made)
        made.rename(self.directory / name)
        sync_directory(self.directory)
        return self.entry(name)

    def note(self, entry: Entry, trial: Trial) -> None:
        """Remember what a trial has found, where that can be written."""
        with contextlib.suppress(OSError):
            write_atomically(entry.path / TRIAL, msgspec.json.encode(trial) + b"\n")

    def drop(self, names: Sequence[str]) -> None:
        """Remove backups: first the manifest, so that one that is half removed is none. Pieces stay until a sweep."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name / MANIFEST).unlink()
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.directory / name)

    def leavings(self) -> list[str]:
        """Names of folders that somebody has begun to remove. One with more in it than a backup had is not ours."""
        names = [entry.name for entry in self.entries() if entry.is_empty]
        return [name for name in names if all(map(_is_of_a_trial, names_in(self.directory / name)))]

    def wanted(self, *, without: Sequence[str] = ()) -> set[str] | None:
        """The pieces that some backup refers to; None while one cannot be read, for then nobody knows.

        Args:
            without: Names of backups that do not count.
        """
        entries = [entry for entry in self.entries() if entry.name not in without and not entry.is_empty]
        if any(entry.manifest is None for entry in entries):
            return None
        manifests = [entry.manifest for entry in entries if entry.manifest is not None]
        return {piece for one in manifests for file in one.files for piece in file.pieces}


def _is_of_a_trial(name: str) -> bool:
    return name == TRIAL or name.startswith(f".{TRIAL}.")


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_LARGEST)


def _trial(folder: Path) -> Trial | None:
    try:
        return msgspec.json.decode(_read(folder / TRIAL), type=Trial)
    except (OSError, msgspec.DecodeError):
        return None
