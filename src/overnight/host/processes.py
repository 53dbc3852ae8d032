"""Processes of this machine: who they are, whether they live, and who is below whom.

A number alone does not name a process: numbers are given again. Within a life a descriptor (pidfd)
names it; across lives the number, its start time and the boot of the machine do. Even these collide
when a number comes round within one tick of 10 ms, so whoever kills across lives also compares the
cookie in the environment (see `sweep`).

On Linux everything comes from /proc and two system calls. Elsewhere psutil and kqueue stand in.
"""

# ruff: noqa: PTH110, PTH123, PTH208 - /proc is read with plain calls, thousands of files in a row

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
from collections.abc import Collection
from typing import NamedTuple

LINUX = sys.platform == "linux"
#: Source: linux/prctl.h.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
#: The first kernel thread, parent of all others.
_KTHREADD = 2
#: Somebody who is to ask for another one and has not begun to is given so many times the time.
_SLOW = 10


class Identity(NamedTuple):
    """One process for as long as the machine remembers. `ticks` is its start in the kernel's unit."""

    pid: int
    ticks: int
    boot: str


def boot_id() -> str:
    """What tells this boot of the machine from every other."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        import psutil

        return f"{psutil.boot_time():.0f}"


def identity(pid: int) -> Identity | None:
    """Who has this number now; None when nobody has, or only a zombie."""
    if not LINUX:
        return _identity_elsewhere(pid)
    fields = stat_fields(pid)
    if fields is None or fields[0] in b"ZX":
        return None
    return Identity(pid, int(fields[19]), boot_id())


def born(pid: int) -> int | None:
    """When it started, in the kernel's unit, also of a zombie; None when nobody has the number."""
    if not LINUX:
        who = _identity_elsewhere(pid)
        return who.ticks if who else None
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def alive(who: Identity) -> bool:
    """Whether this very process still runs. A zombie does not."""
    return identity(who.pid) == who


def send(who: Identity, number: signal.Signals) -> bool:
    """Signal this very process, and none that has its number by now. Whether it was there."""
    try:
        descriptor = os.pidfd_open(who.pid) if sys.platform == "linux" else None
    except OSError:
        return False
    try:
        if not alive(who):
            return False
        # From here on the descriptor means one process, and it is the one.
        if sys.platform == "linux" and descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(who.pid, number)
    except ProcessLookupError:
        return False
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return True


def parent(pid: int) -> int:
    """The number of its parent; 0 when it has none or is gone."""
    fields = stat_fields(pid) if LINUX else None
    if fields is not None:
        return int(fields[1])
    if LINUX:
        return 0
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0


def children(pid: int) -> list[int]:
    """The children of a process, zombies included. May miss some while others come and go: look again."""
    if not LINUX:
        return _children_elsewhere(pid)
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += _children_of_thread(pid, thread)
    return found


def below(pid: int, leave: Collection[int] = ()) -> list[int]:
    """Everything below a process, parents first, without the children in `leave` and what is below those."""
    members = [child for child in children(pid) if child not in leave]
    seen = set(members)
    for member in members:  # grows while it is walked
        fresh = [child for child in children(member) if child not in seen]
        seen.update(fresh)
        members += fresh
    return members


def everybody() -> list[int]:
    """All processes of this machine that can be seen."""
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    import psutil

    return psutil.pids()


def is_named(pid: int, name: bytes) -> bool:
    """Whether the kernel calls it so (15 bytes at most): as its program, unless it has chosen another name."""
    try:
        return read_whole(f"/proc/{pid}/stat").partition(b"(")[2].rpartition(b")")[0] == name
    except OSError:
        return False


def environment(pid: int) -> bytes:
    """What it was started with, ``NAME=value`` ended by NUL each; empty when it may not be seen."""
    try:
        if LINUX:
            return read_whole(f"/proc/{pid}/environ")
        import psutil

        pairs = psutil.Process(pid).environ()
        return b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in pairs.items())
    except Exception:  # noqa: BLE001 - gone, a zombie, or somebody else's: psutil has errors of its own for each
        return b""


def is_stuck(pid: int) -> bool:
    """Whether it sleeps in the kernel so that nothing wakes it, not even SIGKILL; usually for moments only."""
    fields = stat_fields(pid) if LINUX else None
    return fields is not None and fields[0] == b"D"


def environment_in_time(pid: int, *, seconds: float = 1.0) -> bytes:
    """`environment`, but never waiting longer than this for a lock: empty then.

    Reading it takes a lock of that process, and one that is stuck in the kernel may hold it for hours.
    So it is another process that asks, and that one may be left to wait. One that only has not come to
    ask yet, because the machine is busy, is given more time: nothing would be known of what is there.
    """
    if not is_stuck(pid) or is_kernel_thread(pid):
        return environment(pid)
    import subprocess  # hardly ever needed, and `status` would wait for it

    try:
        asker = subprocess.Popen(["cat", f"/proc/{pid}/environ"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:  # no process is to be had: to be told late is better than never
        return environment(pid)
    try:
        for _ in range(_SLOW):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return asker.communicate(timeout=seconds)[0]
            if is_stuck(asker.pid):
                break
        asker.kill()  # it ends when it can; whoever purges waits for it
        asker.returncode = -signal.SIGKILL
        return b""
    finally:
        if asker.stdout is not None:
            asker.stdout.close()


def is_kernel_thread(pid: int) -> bool:
    """Whether it is a part of the kernel: they have no memory of their own, and kthreadd (2) is their parent."""
    return pid == _KTHREADD or parent(pid) == _KTHREADD


def peak_of_memory() -> int:
    """The most that the memory of this process has been since its program began, in bytes."""
    if LINUX:
        words = read_whole("/proc/self/status").partition(b"VmHWM:")[2].split(maxsplit=1)
        return int(words[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def set_subreaper() -> bool:
    """From now on orphans below this process become its children. False where the kernel cannot.

    Without it (macOS) a daemon that left its parents is only found by its cookie.
    """
    if not LINUX:
        return False
    import ctypes  # the engine and its workers alone get here

    return int(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0


def die_with(parent: int) -> None:
    """From now on this process is killed when its parent ends, however that ends; at once when it has ended already.

    To be called after everything that changes rights: the kernel forgets it then. Only for a process whose parent has
    one thread: to the kernel a parent is the thread that has forked. Does nothing off Linux.

    Source: prctl(2), PR_SET_PDEATHSIG.

    Args:
        parent: Its number.
    """
    if not LINUX:
        return
    import ctypes  # as above

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class Exit:
    """Becomes readable when a child of ours ends. Does not reap it.

    Args:
        pid: A child that has not been reaped, so the number cannot mean another one.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fileno = _exit_descriptor(pid)

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._fileno

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; whether it has."""
        poll = select.poll()
        poll.register(self._fileno, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self._fileno)


def watched_exit(pid: int) -> Exit:
    """The `Exit` of a child that has just been started and leads a group; it never lives on without one.

    Raises:
        OSError: There is no room for a descriptor. The child was killed and reaped, its group killed.
    """
    try:
        return Exit(pid)
    except OSError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it may have left its group
        os.waitpid(pid, 0)
        raise


if sys.platform == "linux":

    def _exit_descriptor(pid: int) -> int:
        return os.pidfd_open(pid)

else:

    def _exit_descriptor(pid: int) -> int:
        queue = select.kqueue()
        event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        try:
            queue.control([event], 0)
            return os.dup(queue.fileno())
        except ProcessLookupError:  # it is a zombie already: anything readable will do
            reader, writer = os.pipe()
            os.close(writer)
            return reader
        finally:
            queue.close()


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat after the name: state, parent, ...; None when it is gone. Source: proc(5)."""
    try:
        return read_whole(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def read_whole(path: str) -> bytes:
    """A file of /proc, by plain calls: thousands of them are read in a row."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(file, 65536)]
        while parts[-1]:
            parts.append(os.read(file, 65536))
        return b"".join(parts)
    finally:
        os.close(file)


def _children_of_thread(pid: int, thread: str) -> list[int]:
    try:
        return [int(child) for child in read_whole(f"/proc/{pid}/task/{thread}/children").split()]
    except FileNotFoundError:
        # Either the thread is gone or the kernel was built without this file.
        return _children_elsewhere(pid) if os.path.exists(f"/proc/{pid}/task/{thread}") else []
    except OSError:
        return []


def _children_elsewhere(pid: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def _identity_elsewhere(pid: int) -> Identity | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, int(process.create_time() * 1000), boot_id())
    except psutil.Error:
        return None
