"""A task that does not want to end: ``hostile.py KIND MARK``.

Its processes ignore what can be ignored, and end by themselves within a minute. They share a lock on ``MARK.alive``,
which is free when none of them is left, however fast they change their numbers. The main process says by a
file called as the mark that everything is there, and waits for the file ``go``.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

#: Seconds after which every process ends by itself.
LONGEST = 55.0
KINDS = ("itself", "child", "group", "daemon", "bare", "hopper")


def linger() -> None:
    """Be there."""
    time.sleep(LONGEST)
    os._exit(0)


def hop() -> None:
    """Fork and exit, again and again: nobody who looks it up finds it under the number that he has read.

    Where a file `enough` lies it ends.
    """
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and not os.access("enough", os.F_OK):
        if os.fork():
            os._exit(0)
    os._exit(0)


def become(kind: str, mark: str) -> None:
    """Be the other process of this kind."""
    if kind == "group":
        os.setpgid(0, 0)
    elif kind != "child":
        os.setsid()
        if os.fork():
            os._exit(0)
    if kind == "bare":
        os.execve(sys.executable, [sys.executable, "-S", __file__, "linger", mark], {})  # noqa: S606 - no shell
    (hop if kind == "hopper" else linger)()


def main() -> None:
    kind, mark = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if kind == "linger":
        linger()
    alive = os.open(f"{mark}.alive", os.O_RDWR | os.O_CREAT)
    fcntl.flock(alive, fcntl.LOCK_EX)
    os.set_inheritable(alive, True)  # noqa: FBT003 - by position
    if kind != "itself" and not os.fork():
        become(kind, mark)
    with open(mark, "w") as file:  # noqa: PTH123 - little is imported
        file.write(kind)
    until = time.monotonic() + LONGEST
    while not os.path.exists("go") and time.monotonic() < until:  # noqa: PTH110 - little is imported
        time.sleep(0.01)


def is_there(mark: str) -> bool:
    """Whether any process of this task is left."""
    try:
        descriptor = os.open(f"{mark}.alive", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


if __name__ == "__main__":
    main()
