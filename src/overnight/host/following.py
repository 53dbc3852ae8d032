"""Who follows what an attempt prints that runs on another machine: said in the home, for whoever can bring it here.

Each such attempt has a directory with a lock in it, which all who follow it share. The kernel lets go of a lock when
its holder ends, however that is, so nothing is brought for somebody who has gone. What is brought lies beside the lock
and goes with the last one who read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from overnight.host.files import is_at

_LOCK = "lock"


class Following:
    """One who follows; others may follow the same.

    Args:
        root: Directory for all of them; made when it is missing.
        task_id: Whose attempt.
        attempt: Its number.

    Raises:
        OSError: It cannot be said here: no room, or not our home.
    """

    def __init__(self, root: Path, task_id: int, attempt: int) -> None:
        #: Where what it prints is laid down.
        self.directory = root / f"{task_id}-{attempt}"
        self._lock = self._share()

    def _share(self) -> int:
        while True:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.directory / _LOCK
            try:
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # it was removed in this moment, after somebody else or since it was empty
            fcntl.flock(lock, fcntl.LOCK_SH)
            if is_at(path, lock):
                return lock
            os.close(lock)

    def close(self) -> None:
        """Follow no longer."""
        os.close(self._lock)
        _remove_unless_followed(self.directory)


def followed(root: Path) -> dict[tuple[int, int], Path]:
    """What is followed now: task and attempt, and where what they print is to be laid down. The rest is removed."""
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208  # a list of names is all that is needed
    except OSError:
        return {}
    found: dict[tuple[int, int], Path] = {}
    for name in names:
        task_id, _, attempt = name.partition("-")
        if task_id.isdecimal() and attempt.isdecimal() and not _remove_unless_followed(root / name):
            found[int(task_id), int(attempt)] = root / name
    return found


def _remove(directory: Path, *last: str) -> None:
    """Remove it with what was brought, and these last; where somebody has just come, it stays as far as it is his."""
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            if path.name != _LOCK:
                path.unlink()
        for name in last:
            (directory / name).unlink()
        directory.rmdir()


def _remove_unless_followed(directory: Path) -> bool:
    """Whether nobody follows it, and then it is gone."""
    try:
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # somebody is about to follow, and makes it again, or was killed on the way
        _remove(directory)
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        if not is_at(directory / _LOCK, lock):
            return False  # it was removed in this moment, and this may be the one of somebody who came since
        _remove(directory, _LOCK)
        return True
    finally:
        os.close(lock)
