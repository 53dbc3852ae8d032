"""Errors of the disk at any operation, and what the store may say and hold afterwards.

The same small night as under power cuts, on the real store. An operation fails once or from then on; or the
disk is full until somebody makes room. Nothing may be called done that is not; what is refused must be refused
in words of ours; and who reads again must find what was acknowledged to the last bit, and the books in balance.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw

from overnight.core.errors import DiskFullError, OvernightError
from overnight.store.sqlite.connection import Database
from overnight.store.sqlite.examining import examine
from overnight.testing.cutting import STORE
from overnight.testing.disk import Disk, Judge, Kind
from overnight.testing.small_night import Deed, SmallNight, picture

_CODES = {
    Kind.OPEN: apsw.SQLITE_CANTOPEN,
    Kind.READ: apsw.SQLITE_IOERR_READ,
    Kind.WRITE: apsw.SQLITE_IOERR_WRITE,
    Kind.SYNC: apsw.SQLITE_IOERR_FSYNC,
    Kind.TRUNCATE: apsw.SQLITE_IOERR_TRUNCATE,
    Kind.DELETE: apsw.SQLITE_IOERR_DELETE,
}


class Reference(NamedTuple):
    """The same night without faults: its operations, and the store after each transaction."""

    kinds: Sequence[Kind]
    pictures: Sequence[bytes]


class Strike(NamedTuple):
    """One fault: at which operation (from 1), whether the disk is broken or full, and whether it stays broken."""

    at: int
    full: bool = False
    lasting: bool = False

    def judge(self) -> Judge:
        """What the disk asks. A full one refuses to write until somebody makes room."""

        def judge(number: int, kind: Kind, _file: str) -> Exception | None:
            stays = self.lasting or self.full
            if number < self.at or (number > self.at and not stays) or (self.full and kind is not Kind.WRITE):
                return None
            return apsw.exception_for(apsw.SQLITE_FULL if self.full else _CODES[kind])

        return judge


def refer(directory: Path) -> Reference:
    """The night without faults, in a directory of its own."""
    kinds: list[Kind] = []
    with Disk(directory) as disk:
        disk.fail(lambda _number, kind, _file: kinds.append(kind))
        _Life(directory, disk).live()
    pictures: list[bytes] = []
    shutil.rmtree(directory)
    directory.mkdir()
    # Once more for the pictures: to take them is to read.
    _Life(directory, None, pictures).live()
    return Reference(kinds, pictures)


def strikes(reference: Reference) -> list[Strike]:
    """Every operation fails once, and from then on; every write finds the disk full."""
    found = []
    for at, kind in enumerate(reference.kinds, 1):
        found += [Strike(at), Strike(at, lasting=True)]
        if kind is Kind.WRITE:
            found.append(Strike(at, full=True))
    return found


def strike(reference: Reference, chosen: Iterable[Strike], directory: Path) -> list[str]:
    """Strike one night after the other; everything that was wrong with any of them."""
    return [f"{one}: {words}" for one in chosen for words in _struck(reference, one, directory)]


class _Life:
    """A process that works through the night.

    Args:
        directory: Where the store is, or will be.
        disk: It lies on; None: on the usual one.
        pictures: Takes what the store is like after each transaction.
    """

    def __init__(self, directory: Path, disk: Disk | None, pictures: list[bytes] | None = None) -> None:
        self._path = directory / STORE
        self._disk = disk
        self._pictures = pictures
        #: Transactions that were acknowledged; -1: there is no store yet.
        self.acknowledged = -1
        self.wrong: list[str] = []
        #: It came to its end by an error that tells what is so.
        self.gave_up = False

    def live(self) -> None:
        """Until the night is over, or something ends it as it would end an engine."""
        try:
            with closing(Database(self._path, create=True, migrate=True, hooks=self._heed)) as database:
                self._heed("", "after_commit")
                for deed in SmallNight(database).steps():
                    self._do(deed)
        except OvernightError:
            self.gave_up = True
        except apsw.Error as error:
            self.wrong.append(f"an error of SQLite came out as it was: {type(error).__name__}: {error}")

    def _heed(self, _operation: str, moment: str) -> None:
        if moment == "after_commit":
            self.acknowledged += 1
            if self._pictures is not None:
                self._pictures.append(picture(self._path))

    def _do(self, deed: Deed) -> None:
        try:
            deed()
        except DiskFullError:
            if self._disk is not None:
                self._disk.fail(None)  # somebody makes room
            deed()


def _struck(reference: Reference, one: Strike, directory: Path) -> list[str]:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    with Disk(directory) as disk:
        disk.fail(one.judge())
        life = _Life(directory, disk)
        life.live()
    if life.wrong:
        return life.wrong
    path = directory / STORE
    try:
        Database(path, create=life.acknowledged < 0, migrate=True).close()
        found = [f"damaged: {words}" for words in examine(path, deep=True)]
    except OvernightError as error:
        return [f"not usable afterwards: {error}"]
    done = life.acknowledged if life.gave_up else len(reference.pictures) - 1
    if picture(path) not in reference.pictures[max(0, done) : done + 2]:
        found.append(f"after {life.acknowledged} acknowledged transactions the store is as it should not be")
    return found
