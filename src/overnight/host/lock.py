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
from overnight.core.events import printable
from overnight.core.version import VERSION
from overnight.host.clock import SystemClock
from overnight.host.files import is_at
from overnight.host.processes import Identity, boot_id, identity

#: More than anybody writes about himself.
_LONGEST_INFO = 64 * 1024
#: How often, and how many seconds apart, the lock is tried again while only readers are looking at it.
_TRIES, _PAUSE = 2000, 0.001
#: How often what cannot be read is read again: a writer may have lost the processor in the middle of it.
_READS = 50


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
    #: The process that watches over the engine, if one does: its number and its start. It holds the lock too,
    #: and between two engines it is itself the `pid`.
    supervisor: int | None = None
    supervisor_start: int | None = None

    def who(self) -> Identity | None:
        """The holder itself, as far as it can be told from a later process of its number."""
        return _named(self.pid, self.start, self.boot_id)

    def who_supervises(self) -> Identity | None:
        """Its supervisor, as far as it can be told from a later process of its number."""
        return _named(self.supervisor, self.supervisor_start, self.boot_id)

    @property
    def chief(self) -> tuple[int, int | None] | None:
        """Number and start of who stays when one engine follows another: the supervisor, or an engine without one."""
        if self.supervisor is not None:
            return self.supervisor, self.supervisor_start
        return None if self.pid is None else (self.pid, self.start)

    @property
    def is_supervisor(self) -> bool:
        """Whether a supervisor holds the lock, and no engine."""
        return self.pid is not None and self.pid == self.supervisor


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
        #: Our parent holds it as well.
        self._shared = False
        #: Who held it before and has not given it back: it was killed. Set by `acquire`.
        self.left_by: Owner | None = None

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
                if _try(descriptor, fcntl.LOCK_EX) and is_at(self._path, descriptor):
                    self.left_by = _read(descriptor) if os.fstat(descriptor).st_size else None
                    _write(descriptor, info)
                    self._descriptor, descriptor = descriptor, -1
                    return
                if not _try(descriptor, fcntl.LOCK_SH):
                    raise refusal(_read(descriptor))
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            # Nobody holds it: a reader was looking at this very moment, or somebody deleted the file.
            time.sleep(_PAUSE)
        raise refusal(Owner())

    def adopt(self, descriptor: int, info: Mapping[str, object]) -> None:
        """Share the lock of our parent, which holds it and has handed its descriptor down; write `info` inside.

        Both hold it then: it is free when both have ended, and whoever is left keeps it.

        Raises:
            AlreadyRunningError: It is not the lock of this path, or another process holds that.
        """
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only argument
        if not (is_at(self._path, descriptor) and _try(descriptor, fcntl.LOCK_EX)):
            raise refusal(Owner())
        _write(descriptor, msgspec.json.encode(info))
        self._descriptor, self._shared = descriptor, True

    def rewrite(self, info: Mapping[str, object]) -> None:
        """Say something else about the holder. Only while the lock is held."""
        if self._descriptor is not None:
            _write(self._descriptor, msgspec.json.encode(info))

    def fileno(self) -> int:
        """The descriptor that holds the lock, to be handed down.

        Raises:
            ValueError: The lock is not held.
        """
        if self._descriptor is None:
            raise ValueError(f"{self._path} is not held")
        return self._descriptor

    def release(self) -> None:
        """Give the lock back. Does nothing when it is not held."""
        if self._descriptor is None:
            return
        if not self._shared:  # otherwise what is written is for our parent to change
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


def _named(pid: int | None, start: int | None, boot_id: str) -> Identity | None:
    return None if pid is None or start is None else Identity(pid, start, boot_id)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int, info: bytes) -> None:
    """Replace what was written before in one piece, for somebody may be reading.

    A full disk is no reason not to hold the lock.
    """
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, info.ljust(os.fstat(descriptor).st_size), 0)


def _read(descriptor: int) -> Owner:
    """What the holder wrote; nothing when it is about to, or was killed on the way."""
    for _ in range(_READS):  # it may be writing at this very moment
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(os.pread(descriptor, _LONGEST_INFO, 0), type=Owner)
        time.sleep(_PAUSE)
    return Owner()


def about_me(home: str | os.PathLike[str], *, now: float) -> dict[str, object]:
    """What this process writes about itself, for people and for whoever must end it when it hangs.

    Args:
        home: The directory that it holds.
        now: POSIX seconds.
    """
    me = identity(os.getpid())
    return {
        "pid": os.getpid(),
        "started_at": now,
        "start": me.ticks if me else None,
        "boot_id": boot_id(),
        "home": printable(os.fspath(home)),
        "version": VERSION,
    }


def refusal(owner: Owner) -> AlreadyRunningError:
    """What to tell whoever wants a home that this one holds."""
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
