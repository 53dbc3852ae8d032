"""End what an earlier life left, and nobody of this one has as a child: by a cookie in the environment.

For the one case in which all who could `purge` were killed at the same instant. The whole machine is looked at,
since such processes are below nobody of ours; so a process is killed only if it is the very one whose
environment has the cookie, and never if it was left running on purpose (see `kept`).

One that forks and exits all the time is in no list of numbers. It is chased: see `_chase`.
"""

from __future__ import annotations

import os
import signal
import time

from overnight.host.clock import SystemClock
from overnight.host.kept import is_below_kept
from overnight.host.processes import (
    LINUX,
    Identity,
    environment_in_time,
    everybody,
    identity,
    parent,
    read_whole,
)

monotonic = SystemClock().monotonic
#: Looks in a row that must find nothing, and after somebody was killed.
QUIET, QUIET_AFTER_KILL = 3, 20
#: Seconds without a new process after which nobody is forking all the time, and seconds of one chase at most.
STILL, CHASE = 0.002, 0.02

#: Seconds after which an environment counts as one that cannot be read; it is a matter of microseconds.
TOO_LONG = 0.5


def sweep(mark: bytes, *, seconds: float, patience: float = 0.0, patient_with: bytes = b"") -> list[int]:
    """Kill every process whose environment has the line `mark`, and see it dead.

    Ancestors and this process itself are left alone: we may have been started by a task of our own.

    Args:
        mark: ``NAME=value``, compared whole.
        seconds: How long to try at most.
        patience: Seconds in which those that also carry `patient_with` may end by themselves.
        patient_with: ``NAME=value`` of those that clean up better than we can.

    Returns:
        The numbers of those that could not be seen dead in time.
    """
    start = monotonic()
    mine = _ancestry()
    #: Whose environment could not be read in time: who is stuck so would take the same time in each round.
    unreadable: set[Identity | None] = set()
    found: list[int] = []
    quiet, needed = 0, QUIET
    while quiet < needed:
        before, found = found, _bearers(mark, mine, unreadable, until=start + seconds)
        waited = monotonic() - start
        if waited > seconds and (before or found or unreadable):
            # A look that the time has cut off may have missed whom the last one saw.
            return [pid for pid in sorted({*before, *found}) if identity(pid) is not None]
        sparing = b"" if waited > patience else patient_with
        # All of them: the first one may be one that never dies.
        struck = [_strike_across_lives(pid, mark, sparing) for pid in found]
        fleeing = _chase(mark, mine, sparing)
        if any(struck) or fleeing:
            needed = QUIET_AFTER_KILL
        quiet = 0 if found or fleeing else quiet + 1
        time.sleep(0.001 if found else 0)
    return []


def _chase(mark: bytes, mine: set[int], sparing: bytes) -> bool:
    """Kill who forks and exits all the time: in a list of numbers it stands under one that it has no more.

    But it always is one of the newest processes, so these are looked at as they come, for as long as there
    come any. Whether there was one to be killed.
    """
    seen, found = 0, False
    began = changed = monotonic()
    while LINUX and (moment := monotonic()) < min(changed + STILL, began + CHASE):
        newest = int(read_whole("/proc/loadavg").split()[-1])
        if newest != seen:
            seen, changed = newest, moment
            found |= newest not in mine and _strike_newest(newest, mark, sparing)
    return found


def _strike_newest(pid: int, mark: bytes, sparing: bytes) -> bool:
    """There is no time to look twice: what the descriptor means was there before its environment was read."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        lines = environment_in_time(pid).split(b"\0")
        if mark not in lines or (sparing and sparing in lines) or is_below_kept(pid, mark):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        pass  # it has just gone, and somebody of it may be there
    finally:
        os.close(descriptor)
    return True


def _bearers(mark: bytes, mine: set[int], unreadable: set[Identity | None], *, until: float) -> list[int]:
    """Everybody whose environment has the line, as far as it can be told until then."""
    found = []
    for pid in everybody():
        began = monotonic()
        if began > until:
            break
        if pid in mine or (unreadable and identity(pid) in unreadable):
            continue
        if _is_target(pid, mark):
            found.append(pid)
        elif monotonic() - began > TOO_LONG:
            unreadable.add(identity(pid))
    return found


def _strike_across_lives(pid: int, mark: bytes, sparing: bytes) -> bool:
    """Kill it if it still is what it was when it was found. Whether it was a target."""
    if sparing and _carries(pid, sparing):
        return False
    if not LINUX:
        if _is_target(pid, mark):
            os.kill(pid, signal.SIGKILL)
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        # From here on the descriptor means one process; look again whether it is the one.
        if _is_target(pid, mark):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        pass  # gone in between, or another user's: the next look tells
    finally:
        os.close(descriptor)
    return True


def _is_target(pid: int, mark: bytes) -> bool:
    return _carries(pid, mark) and not is_below_kept(pid, mark)


def _carries(pid: int, line: bytes) -> bool:
    return b"\0" + line + b"\0" in b"\0" + environment_in_time(pid) and identity(pid) is not None


def _ancestry() -> set[int]:
    line = {os.getpid()}
    pid = os.getppid()
    while pid > 0 and pid not in line:
        line.add(pid)
        pid = parent(pid)
    return line
