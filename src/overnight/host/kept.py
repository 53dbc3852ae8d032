"""Processes that were left running on purpose: how they are told from what must be ended.

Such processes live below a warden (`overnight.executors.local.warden`), a subreaper of their own, so none of
them can ever become an orphan of ours. A warden whose attempt has ended well takes a name by which everybody who
purges or sweeps knows it, and from that moment it and all below it are left alone. The name is one that
the kernel keeps: it changes at one instant, stays whoever else dies, and reading it never waits.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from overnight.host.processes import LINUX, below, environment, everybody, is_named, parent

#: What the kernel calls a warden whose family goes on: at most 15 bytes. Source: prctl(2), PR_SET_NAME.
NAME = b"overnight-kept"
PR_SET_NAME = 15
#: Looks at the line of ancestors, which may change while it is walked.
_LOOKS = 3


class Left(NamedTuple):
    """Something that a task has left running on purpose."""

    #: Its warden, and what is below that.
    warden: int
    pids: list[int]


def become_kept() -> bool:
    """From now on nobody purges or sweeps this process and what is below it. Only for a subreaper on Linux."""
    return LINUX and not ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, NAME, 0, 0, 0)


def is_kept(pid: int) -> bool:
    """Whether this process is a warden that was told to let its family go on."""
    return LINUX and is_named(pid, NAME)


def is_below_kept(pid: int) -> bool:
    """Whether this process was left running on purpose."""
    return LINUX and any(_has_kept_ancestor(pid) for _ in range(_LOOKS))


def _has_kept_ancestor(pid: int) -> bool:
    while pid > 1:
        if is_kept(pid):
            return True
        pid = parent(pid)
    return False


def left_by(task_id: int, cookie: str) -> list[Left]:
    """What this task has left running on purpose, and still runs.

    Args:
        task_id: The task.
        cookie: Of its home.
    """
    lines = (b"OVERNIGHT_TASK_ID=%d" % task_id, b"OVERNIGHT_COOKIE=" + cookie.encode())
    wardens = [pid for pid in everybody() if is_kept(pid)] if LINUX else []
    return [Left(pid, below(pid)) for pid in wardens if set(lines) <= set(environment(pid).split(b"\0"))]
