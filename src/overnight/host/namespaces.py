"""Pid namespaces: when the first process of one ends, the kernel ends all others in it, whoever was killed besides.

The first process is also the one to which orphans come. What is inside cannot see or signal anything outside.
Without root there must be a user namespace around it, in which set-uid programs (sudo) do not work.

By ctypes, for Python can do this only from 3.12 on. Source: unshare(2), pid_namespaces(7), user_namespaces(7).
"""

# ruff: noqa: PTH123 - /proc is written with plain calls

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_REC, MS_PRIVATE = 16384, 1 << 18

#: Of mount_setattr(2), which has no name in older C libraries; its number is the same on every machine but Alpha.
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READONLY = 442, -100, 0x8000, 1

#: What a probe ends with when it could be done.
_POSSIBLE = 42


def enter() -> None:
    """Become the first process of a new pid namespace. Only for a process with one thread.

    What calls this goes on as the first process. The process that it was waits for that, and ends as it
    ends: its number outside is still the one that its parent knows.

    Raises:
        OSError: The system does not allow it.
    """
    user, group = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWPID | CLONE_NEWNS | (CLONE_NEWUSER if user else 0))
    if user:
        _map("setgroups", "deny")
        _map("uid_map", f"{user} {user} 1")
        _map("gid_map", f"{group} {group} 1")
    first = os.fork()
    if first:
        _stand_for(first)
    _mount(b"none", b"/", None, MS_REC | MS_PRIVATE)
    _mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def seal(scratch: str) -> None:
    """Have no network, and no file that could be written but in one directory. Only for a process with one thread.

    What is above and beside this process stays as it is. It cannot be undone, and holds for everything below.

    Args:
        scratch: A directory that is there; what is written into it goes with the last process that sees it.

    Raises:
        OSError: The system does not allow it, or only a part of it.
    """
    user, group = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
    _map("setgroups", "deny")
    _map("uid_map", f"{user} {user} 1")
    _map("gid_map", f"{group} {group} 1")
    _mount(b"none", b"/", None, MS_REC | MS_PRIVATE)
    attributes = (ctypes.c_uint64 * 4)(_READONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _call("syscall", _MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, ctypes.byref(attributes), size)
    _mount(b"tmpfs", os.fsencode(scratch), b"tmpfs", MS_NOSUID | MS_NODEV)


def refusal() -> str:
    """Why there are no pid namespaces here for us; empty when there are."""
    if sys.platform != "linux":
        return "only Linux has them"
    probe = f"from overnight.host.namespaces import probe; probe({_POSSIBLE})"
    boot = f"import sys; sys.path[:] = {sys.path!r}; {probe}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", boot], check=False, capture_output=True, text=True)
    if done.returncode == _POSSIBLE:
        return ""
    return done.stderr.strip().rpartition("] ")[2] or f"trying ended with {done.returncode}"


def probe(status: int) -> None:
    """Try it, in a process that ends with `status` when it could be done."""
    enter()
    os._exit(status)


def _stand_for(first: int) -> None:
    """Be what the parent of us both knows, and end as the first process ends."""
    os.closerange(0, 1 << 20)
    status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    os._exit(status & 0xFF)


def _map(name: str, words: str) -> None:
    with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
        file.write(words)


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, os.strerror(number))


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int) -> None:
    _call("mount", source, target, kind, ctypes.c_ulong(flags), None)
