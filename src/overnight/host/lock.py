"""The one lock of a home, and who holds it.

The lock is the truth: the kernel gives it to one process and takes it back when that process ends,
however it ends. What is written inside is for people, and for whoever must end a holder that hangs.
Checking a number in a file instead let more than one of 100 concurrent starts win in 16 of 20 rounds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from overnight.core.errors import AlreadyRunningError, HomeUnusableError
from overnight.host.clock import SystemClock

#: More than anybody writes about himself.
_LONGEST_INFO = 64 * 1024
#: How often, and how many seconds apart, the lock is tried again while only readers are looking at it.
_TRIES, _PAUSE = 2000, 0.001


class Owner(msgspec.Struct, frozen=True):
    """What the holder of a lock wrote about itself. None or empty: it has not said (yet).

    A number alone is no reason to signal a process: compare `start` and `boot_id`, too (they are the
    `ticks` and `boot` of `processes.Identity`).
    """

    pid: int | None = None
    #: POSIX seconds, for people.
    started_at: float | None = None
    #: When it started in the kernel's unit, to tell it from a later one with its number.
    start: int | None = None
    boot_id: str = ""
    home: str = ""
    version: str = ""


class HomeLock:
    """The right to run one home; at most one process on the machine has it.

    The kernel frees the lock when its holder dies, however it dies: a stale file never blocks a
    start, and no pid has to be tested for life. Not for network file systems. A forked child keeps
    it held; a program started by exec does not.

    Source: flock(2), on open file descriptions.

    Args:
        path: The lock file. Created when missing, never deleted: unlinking it would let two
            processes lock two different files. Never opened for anything else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, info: Mapping[str, object]) -> None:
        """Take the lock and write `info` inside, with the names of `Owner` and any others.

        Raises:
            AlreadyRunningError: Somebody holds it. Raised at once, never waited for.
            HomeUnusableError: The file cannot be opened or locked at all.
        """
        try:
            self._acquire(msgspec.json.encode(info))
        except OSError as error:
            raise HomeUnusableError(
                f"{self._path} cannot be locked: {error.strerror}; nothing was started",
                hint="look at the permissions of the home and at how its disk is mounted, or use --home DIR",
            ) from error

    def _acquire(self, info: bytes) -> None:
        for _ in range(_TRIES):
            descriptor = _open(self._path)
            try:
                if _try(descriptor, fcntl.LOCK_EX) and _is_at(self._path, descriptor):
                    _write(descriptor, info)
                    self._descriptor, descriptor = descriptor, -1
                    return
                if not _try(descriptor, fcntl.LOCK_SH):
                    raise _refusal(_read(descriptor))
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            # Nobody holds it: a reader was looking at this very moment, or somebody deleted the file.
            time.sleep(_PAUSE)
        raise _refusal(Owner())

    def release(self) -> None:
        """Give the lock back. Does nothing when it is not held."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # a full disk or a dying one does not keep us from leaving
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def read_owner(path: Path) -> Owner | None:
    """Who holds the lock at this moment; None when nobody does, whatever the file says.

    Raises:
        OSError: The file is there and cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A moment's shared lock. `acquire` knows that it may meet one.
        return None if _try(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether this is still the file of that name: one that was deleted meanwhile locks nobody out."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write(descriptor: int, info: bytes) -> None:
    """Replace what an earlier holder wrote. A full disk is no reason not to hold the lock."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, info, 0)


def _read(descriptor: int) -> Owner:
    """What the holder wrote; nothing when it is about to, or was killed on the way."""
    try:
        return msgspec.json.decode(os.pread(descriptor, _LONGEST_INFO, 0), type=Owner)
    except msgspec.DecodeError:
        return Owner()


def _refusal(owner: Owner) -> AlreadyRunningError:
    who = "another process" if owner.pid is None else f"process {owner.pid}"
    since = "" if owner.started_at is None else f" (started {_moment(owner.started_at)})"
    return AlreadyRunningError(
        f"home is locked by {who}{since}; nothing was started",
        hint="'overnight status' to watch it, 'overnight stop' to end it",
    )


def _moment(instant: float) -> str:
    """The local time, with the day unless it is today."""
    moment, today = datetime.fromtimestamp(instant), datetime.fromtimestamp(SystemClock().now())  # noqa: DTZ006 - local time is what is shown
    return f"{moment:%H:%M}" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M}"
