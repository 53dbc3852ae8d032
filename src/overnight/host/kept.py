"""Processes that were left running on purpose: how they are told from what must be ended.

Such processes live below a warden (`overnight.executors.local.warden`), a subreaper of their own, so none of
them can ever become an orphan of ours. A warden whose attempt has ended well takes a name by which everybody who
purges or sweeps knows it, and from that moment it and all below it are left alone. The name is one that
the kernel keeps: it changes at one instant, stays whoever else dies, and reading it never waits.

Anybody may take that name, and wardens of another home are none of ours: what a task has started that runs Overnight
itself ends with that task. So the environment counts as well, with which only a keeper starts a warden of
its home. This keeps out what is not meant, and nobody who wants to deceive us: as the same user he could
write into the store.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from typing import NamedTuple

from overnight.host.processes import LINUX, below, environment, everybody, is_named, parent

#: What the kernel calls a warden whose family goes on: at most 15 bytes. Source: prctl(2), PR_SET_NAME.
NAME = b"overnight-kept"
PR_SET_NAME = 15
#: With this and the cookie of its home a warden is started.
ROLE = b"OVERNIGHT_ROLE=warden"
_COOKIE = b"OVERNIGHT_COOKIE="
#: Looks at the line of ancestors, which may change while it is walked.
_LOOKS = 3
#: Lines of the homes whose wardens this process leaves alone; see `honour`.
_honoured: set[bytes] = set()


class Left(NamedTuple):
    """Something that a task has left running on purpose."""

    #: Its warden, and what is below that.
    warden: int
    pids: list[int]


def become_kept() -> bool:
    """From now on nobody purges or sweeps this process and what is below it. Only for a subreaper on Linux."""
    return LINUX and not ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, NAME, 0, 0, 0)


def honour(cookie: str) -> None:
    """From now on a purge in this process leaves alone what tasks of the home with this cookie have left on purpose."""
    _honoured.add(_COOKIE + cookie.encode())


def is_kept(pid: int) -> bool:
    """Whether this process is a warden of a home of ours that was told to let its family go on."""
    return bool(_honoured) and _is_kept_in(pid, _honoured)


def _is_kept_in(pid: int, homes: Collection[bytes]) -> bool:
    """Whether it is such a warden of one of these homes, named by the line of their cookie."""
    if not LINUX or not is_named(pid, NAME):
        return False
    lines = environment(pid).split(b"\0")
    return ROLE in lines and any(home in lines for home in homes)


def is_below_kept(pid: int, mark: bytes) -> bool:
    """Whether this process was left running on purpose by a task of the home that this line of an environment names."""
    return LINUX and any(_has_kept_ancestor(pid, mark) for _ in range(_LOOKS))


def _has_kept_ancestor(pid: int, mark: bytes) -> bool:
    while pid > 1:
        if _is_kept_in(pid, (mark,)):
            return True
        pid = parent(pid)
    return False


def left_by(task_id: int, cookie: str) -> list[Left]:
    """What this task has left running on purpose, and still runs.

    Args:
        task_id: The task.
        cookie: Of its home.
    """
    home, line = _COOKIE + cookie.encode(), b"OVERNIGHT_TASK_ID=%d" % task_id
    wardens = [pid for pid in everybody() if _is_kept_in(pid, (home,))] if LINUX else []
    return [Left(pid, below(pid)) for pid in wardens if line in environment(pid).split(b"\0")]
