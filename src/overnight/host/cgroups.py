"""Control groups (version 2): processes that nobody can leave by forking, sessions or an empty environment.

A worker that lives in a group of its own cannot lose anybody: what it starts is born there, and one
write kills all of it at once, however fast it forks, even when everybody who could have purged is
dead. Only root, or whoever was given a part of the tree (systemd calls it delegation), may make groups.

Where the controllers for memory and processes can be switched on, a group also has walls that its tree
cannot break through between two looks at it. That needs a group without processes of its own, which is what
``Delegate=yes`` with ``DelegateSubgroup=`` gives. Source: Documentation/admin-guide/cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from overnight.host.clock import SystemClock
from overnight.host.processes import below

CONTROLLERS = ("memory", "pids")
#: Seconds for what was killed to be gone; seconds between two looks.
GONE_WITHIN, PAUSE = 5.0, 0.002
#: Seconds after which an empty group of ours is nobody's any more.
FORGOTTEN_AFTER = 3600.0
PREFIX = "overnight-"
#: Below the group of a home: what tasks have left running on purpose.
KEPT = "kept"

_clock = SystemClock()


class Group:
    """One group.

    Args:
        path: Its directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Have it.

        Raises:
            OSError: It cannot be made.
        """
        self.path.mkdir(exist_ok=True)

    def enter(self, pid: int) -> None:
        """Put a process into it; what it starts from then on is born there.

        Raises:
            OSError: It cannot be moved.
        """
        (self.path / "cgroup.procs").write_text(str(pid))

    def members(self) -> list[int]:
        """Who is in it, in groups below included."""
        return [int(word) for group in self._groups() for word in _read(group / "cgroup.procs").split()]

    def kill(self) -> None:
        """SIGKILL to everybody in it, at one moment; one by one where the kernel is old."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1")
            return
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)  # a member cannot leave, so its number is still its own

    def end(self, *, seconds: float = GONE_WITHIN) -> list[int]:
        """Kill everybody in it and see them dead; who is still there in the end."""
        deadline = _clock.monotonic() + seconds
        while left := self.members():
            if _clock.monotonic() > deadline:
                return left
            self.kill()
            time.sleep(PAUSE)
        return []

    def below(self) -> list[Group]:
        """The groups right below it."""
        with contextlib.suppress(OSError):
            return [Group(path) for path in self.path.iterdir() if path.is_dir()]
        return []

    def remove(self) -> bool:
        """Remove it and the groups below; whether it is gone. One with processes in it stays."""
        for group in reversed(list(self._groups())):
            with contextlib.suppress(OSError):
                group.rmdir()
        return not self.path.exists()

    def _groups(self) -> Iterator[Path]:
        """It and all below, outside first."""
        yield self.path
        for group in self.below():
            yield from group._groups()  # noqa: SLF001 - of the same kind

    # -- walls -------------------------------------------------------------------------------

    def control(self) -> frozenset[str]:
        """Switch on for the groups below what can be switched on; which controllers these have then."""
        for name in CONTROLLERS:
            with contextlib.suppress(OSError):
                (self.path / "cgroup.subtree_control").write_text(f"+{name}")
        return frozenset(_read(self.path / "cgroup.subtree_control").split()) & frozenset(CONTROLLERS)

    def limit(self, file: str, most: int | None) -> None:
        """Set a wall, as ``memory.max`` or ``pids.max``; None for none.

        Raises:
            OSError: There is no such controller.
        """
        (self.path / file).write_text("max" if most is None else str(most))

    def out_of_memory(self) -> int:
        """How often the kernel has killed somebody in it for want of memory."""
        words = _read(self.path / "memory.events").split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


def own() -> Path | None:
    """The group of this process; None where there are none, or it cannot be seen."""
    mount = _mount()
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        if line.startswith("0::") and mount is not None and "/.." not in line:
            path = mount / line[3:].lstrip("/")
            return path if path.is_dir() else None
    return None


def leave_worker() -> None:
    """Put this process and all below it where what goes on lives, if it is in the group of a worker of ours.

    What is forked meanwhile is born in the group of its parent: so look again until nobody is left behind.

    Raises:
        OSError: They cannot be moved.
    """
    here = own()
    if here is None or not here.parent.name.startswith(PREFIX):
        return
    kept = Group(here.parent / KEPT)
    kept.make()
    kept.enter(os.getpid())
    while behind := set(below(os.getpid())).intersection(Group(here).members()):
        for pid in behind:
            with contextlib.suppress(ProcessLookupError):
                kept.enter(pid)


def usable() -> Path | None:
    """The group below which we may make groups; None where we may not.

    One level up where that was given to us as a whole: then it has no processes of its own.
    """
    here = own()
    if here is None:
        return None
    if is_delegated(here.parent) and _is_writable(here.parent):
        return here.parent
    return here if _is_writable(here) else None


def is_delegated(path: Path) -> bool:
    """Whether systemd has left this group to whoever runs in it. Source: systemd.resource-control(5), Delegate=."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError, AttributeError):
            if os.getxattr(path, name) == b"1":
                return True
    return False


def tidy(parent: Path) -> None:
    """Remove groups of ours that are empty and were not touched for an hour: their homes are gone."""
    with contextlib.suppress(OSError):
        for path in parent.glob(f"{PREFIX}*"):
            if _clock.now() - path.stat().st_mtime > FORGOTTEN_AFTER:
                Group(path).remove()


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path / "cgroup.procs", os.W_OK)


def _mount() -> Path | None:
    """Where version 2 is mounted. Source: proc(5), mountinfo."""
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4].encode().decode("unicode_escape"))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
