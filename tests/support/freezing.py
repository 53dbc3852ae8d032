"""Processes that are really stuck in the kernel: no signal reaches them, SIGKILL included, until they are let go.

A group of the freezer of the first kind (cgroup v1) holds them so; where there is none the test is
skipped. Whatever becomes of the test, all are let go after two minutes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overnight.host.purge import forget, spare

ROOT = Path("/sys/fs/cgroup/freezer")
#: Seconds in which the kernel does either.
PATIENCE = 10.0


@contextmanager
def freezer() -> Iterator[Callable[[int], None]]:
    """Yields a function that makes a process stuck; it is let go at the end."""
    group = ROOT / f"overnight-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
        (group / "freezer.state").write_text("FROZEN")
    except OSError:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip("no freezer here in which processes could be stuck")
    script = f"sleep 120; echo THAWED > {group}/freezer.state"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as guard:
        spare(guard.pid)  # an executor in this process would take it for a stray
        try:
            yield lambda pid: _freeze(group, pid)
        finally:
            let_go(group)
            os.killpg(guard.pid, 9)
            guard.wait()
            forget(guard.pid)


def _freeze(group: Path, pid: int) -> None:
    (group / "cgroup.procs").write_text(str(pid))
    _until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "D")


def let_go(group: Path) -> None:
    """Let everything in it go on, and remove it when nothing is in it any more."""
    (group / "freezer.state").write_text("THAWED")
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (ROOT / "cgroup.procs").write_text(pid)
    with contextlib.suppress(TimeoutError):
        _until(lambda: _removed(group))


def _removed(group: Path) -> bool:
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
