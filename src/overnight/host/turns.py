"""One after the other: for what must not be done by two processes at the same time, and is worth waiting for.

The kernel gives the turn on when whoever has it ends, however it ends. Not for network file systems.

Source: flock(2).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_turn(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Have the turn that belongs to this file, as long as the block takes.

    Args:
        path: The file; made when it is missing, never removed.
        waiting: Called once when somebody else has it.

    Raises:
        OSError: It cannot be opened or locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
