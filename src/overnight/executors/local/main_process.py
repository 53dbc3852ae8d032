"""The main process of a command, as its keeper has it: a child of its own, or one behind a warden.

Only its number, its signals and its end are a matter of which of the two it is; everything else about a command
that runs is the same (see `running_command`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NamedTuple, Protocol

from overnight.host.processes import watched_exit

#: ru_maxrss is in KiB on Linux, in bytes on macOS. Source: getrusage(2) of both.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class MainEnd(NamedTuple):
    """How a main process has ended, and what it has used."""

    #: Exit status, or minus the number of the signal that killed it.
    code: int
    cpu_seconds: float
    #: As getrusage(2) gives it.
    maxrss: int


class MainProcess(Protocol):
    """A main process that has been started."""

    #: A child of ours that nobody else reaps.
    pid: int

    def fileno(self) -> int:
        """Readable when it has ended."""

    def has_ended(self) -> bool:
        """Whether it has."""

    def signal(self, number: int) -> None:
        """Signal its group. Nothing once `take` was called."""

    def take(self) -> MainEnd:
        """How it has ended; once, after it has. What it has left below us is there still."""

    def let_go(self) -> bool:
        """Let what it has left go on, for good; whether that could be done. After `take`."""

    def close(self) -> None:
        """Let go of what is open for it. It has ended."""


class OwnChild:
    """A main process that is a child of the keeper.

    Args:
        pid: Its number, and that of its group.

    Raises:
        OSError: It cannot be watched, and was killed.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._exit = watched_exit(pid)

    def fileno(self) -> int:
        return self._exit.fileno()

    def has_ended(self) -> bool:
        return self._exit.wait(0)

    def signal(self, number: int) -> None:
        # Not reaped yet, so the number is still its own, and so is the group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)  # it may have left its group

    def take(self) -> MainEnd:
        _, status, usage = os.wait4(self.pid, 0)
        return MainEnd(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss)

    def let_go(self) -> bool:
        return False

    def close(self) -> None:
        self._exit.close()
