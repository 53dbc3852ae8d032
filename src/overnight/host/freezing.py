"""Let a tree of processes stand still, and go on: SIGSTOP and SIGCONT, each to the very process that was seen.

A tree that forks while it is walked is walked again until a walk finds nobody who still runs. Whoever
had been stopped before, by the task itself, is left as it is and is not made to go on later.

A group of a freezer would do it at one moment; but the keeper lives in the group of its worker, and who
cleans up after a task must never be frozen with it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Collection

from overnight.host.clock import SystemClock
from overnight.host.processes import LINUX, Identity, below, identity, is_stuck, parent, send, stat_fields

_monotonic = SystemClock().monotonic
#: Walks in a row that must find nobody who runs: the list of children may miss one that moves.
QUIET = 3
#: Seconds between two walks; seconds for all to stand still.
PAUSE, PATIENCE = 0.001, 2.0


class Stillness:
    """Those that were stopped, until they go on.

    Args:
        root: Whoever is below this process is stopped; it itself is not.
        leave: Children of it that are left alone, with what is below them.
    """

    def __init__(self, root: int, leave: Collection[int] = ()) -> None:
        self._stopped: dict[int, Identity] = {}
        deadline = _monotonic() + PATIENCE
        quiet = 0
        while quiet < QUIET and _monotonic() < deadline:
            quiet = quiet + 1 if self._walk(root, leave) else 0
            if not quiet:
                time.sleep(PAUSE)

    def end(self) -> None:
        """Let them go on, those furthest below first; whoever has died meanwhile is passed over."""
        for who in reversed(self._stopped.values()):
            send(who, signal.SIGCONT)
        self._stopped.clear()

    def _walk(self, root: int, leave: Collection[int]) -> bool:
        """Stop everybody who is not stopped yet; whether all stood still already."""
        members = below(root, leave)
        family = {root, *members}
        still = True
        for pid in members:
            # What sleeps in the kernel does nothing, and stops before it does: as a shell that waits for a child to
            # become its program, when that child was stopped before.
            if not _stands_still(pid) and not (pid in self._stopped and is_stuck(pid)):
                still = False
                self._stop(pid, family)
        return still

    def _stop(self, pid: int, family: set[int]) -> None:
        who = identity(pid)
        if who is None:
            return
        if not LINUX:
            send(who, signal.SIGSTOP)
            self._stopped[pid] = who
            return
        # A number may be somebody else's since it was read: whoever is not below us is not ours to stop.
        if parent(pid) in family and send(who, signal.SIGSTOP):
            self._stopped[pid] = who


def _stands_still(pid: int) -> bool:
    """Whether it is stopped, or is nothing that could run."""
    if not LINUX:
        return _stands_still_elsewhere(pid)
    fields = stat_fields(pid)
    return fields is None or fields[0] in b"TtZX"


def _stands_still_elsewhere(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True
