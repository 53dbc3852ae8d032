"""Leave nothing behind: `purge` ends everything below this process.

A group or a session is easy to leave, so neither is trusted. Purge stands on the subreaper: whatever
loses its parents becomes a child of ours, so when there is no child there is nothing below at all.
It kills what it sees and looks again until it sees nothing, which also ends a process that forks
faster than it can be named. What was left running on purpose is left alone (see `kept`). For what an
earlier life has left there is `sweep`.

Exit statuses are never stolen: only numbers seen as children and not in `keep` are reaped. A
``waitpid(-1)`` here once turned an exit status of 7 into a success.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection

from overnight.host.clock import SystemClock
from overnight.host.kept import is_kept
from overnight.host.processes import (
    LINUX,
    born,
    children,
    identity,
    parent,
)

monotonic = SystemClock().monotonic
#: Looks in a row that must find nothing: the list of children may miss one that moves.
QUIET = 3
#: Seconds between two looks: what is killed is gone at once, and what is stuck may be so for hours.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.0002, 0.05

#: What could not be seen dead in the time that it was given, with its start, for numbers come again. It is still
#: killed and waited for, by the way.
_given_up: dict[int, int] = {}
#: Children of this process that no purge may touch: keepers, a copier, a sidecar.
_ours: set[int] = set()
#: Children that are nobody's here and came from elsewhere, with their starts: others reap them, and numbers come again.
_strangers: dict[int, int] = {}


def spare(pid: int) -> None:
    """This child is somebody's; purges in this process leave it and what is below it alone."""
    _ours.add(pid)


def spare_strangers(pids: Collection[int] | None = None, *, reap: bool = False) -> None:
    """Leave alone these children of this process (all that it has now), unless one is somebody's already.

    For what was there before we were: a program that starts a helper and then becomes us by exec has
    left us a child that is none of ours. What such a helper leaves behind later comes to us as well, and
    cannot be told from what a worker has left.

    Args:
        pids: Children; None for all.
        reap: Wait for those that have ended; only where nobody else in this process does.
    """
    for pid in children(os.getpid()) if pids is None else pids:
        start = born(pid)
        if pid in _ours or _is_given_up(pid) or start is None:
            continue
        if not (reap and _reap(pid)):
            _strangers[pid] = start


def _kept(keep: Collection[int]) -> set[int]:
    for pid in [pid for pid, start in _strangers.items() if born(pid) != start]:
        del _strangers[pid]
    return _ours.union(keep, _strangers)


def forget(pid: int) -> None:
    """The child has been waited for, or is nobody's any more."""
    _ours.discard(pid)


def give_up(pids: Collection[int]) -> None:
    """Do not wait for these any more: they are stuck in the kernel, and the night must go on."""
    _given_up.update((pid, start) for pid in pids if (start := born(pid)) is not None)


def _is_given_up(pid: int) -> bool:
    start = _given_up.get(pid)
    if start is not None and born(pid) != start:
        del _given_up[pid]
    return pid in _given_up


def purge(keep: Collection[int] = (), *, seconds: float = 5.0, below: int = 0) -> set[int]:
    """Kill and reap all below this process but `keep`, the spared, and what is below those.

    Args:
        keep: Children to leave alone; they are not reaped either.
        seconds: How long to try. SIGKILL is at once, but for what is stuck in the kernel.
        below: Another process; what is directly below it becomes a zombie then, and it must reap.

    Returns:
        The numbers of those still there; empty when all were seen dead.
    """
    kept = _kept(keep)
    deadline = monotonic() + seconds
    quiet, pause = 0, SHORTEST_PAUSE
    while quiet < QUIET:
        if not kept and not below and not _has_children():
            return set()
        left = _strike(kept, below or os.getpid())
        left = {pid for pid in left if not _is_given_up(pid)}
        quiet = 0 if left else quiet + 1
        if left and monotonic() > deadline:
            return left
        if left:
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
    return set()


def strays(keep: Collection[int] = ()) -> list[int]:
    """Living children of this process that nobody owns, after reaping the dead ones."""
    return [pid for pid in _nobodys(os.getpid(), _kept(keep)) if not _is_given_up(pid)]


def see_off(*, patience: float, seconds: float = 5.0) -> set[int]:
    """Let what is left below this process end by itself for a while, then `purge`. Returns who is still there.

    For the workers of an engine that has died: they end what they run, and know best how.
    """
    deadline = monotonic() + patience
    pause = SHORTEST_PAUSE
    while strays() and monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return purge(seconds=seconds)


def _nobodys(root: int, kept: Collection[int]) -> list[int]:
    """Living children that nobody owns and nobody has left on purpose, after reaping the dead ones."""
    return [pid for pid in children(root) if pid not in kept and not _reap(pid) and not is_kept(pid)]


def _strike(kept: Collection[int], root: int) -> set[int]:
    """Kill every one seen, once. Returns those that may still live."""
    seen = dict.fromkeys(_nobodys(root, kept))
    fresh = list(seen)
    while fresh:
        fresh = [child for pid in fresh for child in children(pid) if child not in seen and not is_kept(child)]
        seen |= dict.fromkeys(fresh)
    # Those above first: one that saw its child killed could still tell of a good end.
    for pid in seen:
        _kill_below(pid, seen, root)
    return {pid for pid in seen if not _reap(pid)}


def _kill_below(pid: int, seen: Collection[int], root: int) -> None:
    """Kill it, if it still is below us.

    A number that we have not reaped ourselves may have been given to somebody else since it was read: so
    look again through a descriptor, which means one process whatever becomes of the number.
    """
    if not LINUX:
        _kill(pid)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return  # gone, or no room for a descriptor: the next look tells
    try:
        above = parent(pid)
        if above == root or above == os.getpid() or above in seen:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        pass  # gone, or another user's: then it is reported as still there
    finally:
        os.close(descriptor)


def _has_children() -> bool:
    try:
        # WNOWAIT leaves the zombie, and its status, for whoever owns it.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap(pid: int) -> bool:
    """Whether it is gone. A child is waited for by its number, and by nothing else."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return identity(pid) is None


def _kill(pid: int) -> None:
    # Gone, or another user's: then it is reported as still there.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
