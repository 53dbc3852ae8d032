"""Directories for what is half made: nobody mistakes one that a living process works in for one that a dead one left.

Whoever makes something in such a directory holds a lock on it, which the kernel frees however he ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def making(parent: Path, prefix: str, *, keep: Callable[[Path], bool] = lambda _: False) -> Iterator[Path]:
    """A directory in `parent` to make something in; what is still there at the end is removed.

    Those that dead processes have left are removed first.

    Args:
        parent: Where; made when it is missing.
        prefix: What the names of such directories begin with.
        keep: Whether somebody still needs one that nobody works in.

    Raises:
        OSError: It cannot be made.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear_away(parent, prefix, keep)
    rough, descriptor = _locked(parent, prefix)
    try:
        yield rough
    finally:
        if rough.exists() and not keep(rough):
            shutil.rmtree(rough, ignore_errors=True)
        os.close(descriptor)


def _locked(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new directory, and the lock on it. Before it was locked another process may have taken it for a dead one's."""
    while True:
        rough = parent / f"{prefix}{os.getpid()}-{os.urandom(4).hex()}"
        rough.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(rough, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if rough.exists():
                return rough, descriptor
            os.close(descriptor)


def _clear_away(parent: Path, prefix: str, keep: Callable[[Path], bool]) -> None:
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not keep(left):
                    shutil.rmtree(left)
            finally:
                os.close(descriptor)
