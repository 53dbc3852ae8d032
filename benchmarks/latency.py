"""From submit to start on an idle engine, and what the idle engine costs.

Submit is one durable add by another process (its own fsync included), then a ring. Start is the
moment at which the worker begins, by the same wall clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from measuring import Row, directory, percentile

from overnight import wiring
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask

SUBMITS = 300
IDLE_SECONDS = 30
SLOTS = 2


@contextmanager
def engine(cwd: Path, slots: int = SLOTS) -> Iterator[psutil.Process]:
    """An engine in this directory, up and idle."""
    forever = Path(__file__).with_name("forever.py")
    process = subprocess.Popen([sys.executable, str(forever), str(slots)], cwd=cwd, stdout=subprocess.PIPE)
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise SystemExit("the engine did not come up")
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def latencies(cwd: Path) -> list[float]:
    """Seconds from submit to start, one task after the other."""
    (cwd / "job.py").write_text("def noop(name):\n    return None\n")
    action = Action(kind=ActionKind.CALL, cwd=os.fsencode(cwd), call="job:noop", env={b"PATH": b"/usr/bin:/bin"})
    home = wiring.find_home(str(cwd / ".overnight"))
    store = wiring.open_store(home)
    found = []
    for number in range(SUBMITS):
        submitted = time.time()
        (task_id,) = store.add([NewTask(action=action, input=b"%d" % number)], now=submitted).ids
        wiring.ring(home)
        while (task := store.get(task_id)).state is not TaskState.COMPLETED:
            time.sleep(0.001)
        found.append((store.attempts(task.id)[0].started_at or 0.0) - submitted)
        time.sleep(0.01)
    store.close()
    return found[20:]  # the first ones start a runner and import the function


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and everything that is or was below it."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:4]) for one in family)  # the last two: of children that have ended


def measure() -> list[Row]:
    """The rows of the table."""
    with directory() as cwd, engine(cwd) as process:
        found = latencies(cwd)
        time.sleep(3)  # let the last write settle; what follows is idleness
        before = cpu_seconds(process)
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(process) - before) / IDLE_SECONDS
    p50, p99 = percentile(found, 0.5) * 1000, percentile(found, 0.99) * 1000
    return [
        Row(
            f"submit to start on an idle engine, p50 / p99 of {len(found)}",
            f"{p50:.1f} / {p99:.1f} ms",
            "",
            "< 4 / 12 ms (then 2.6 / 8)",
            p50 < 4 and p99 < 12,
        ),
        Row(
            f"CPU of the idle home with {SLOTS} slots, over {IDLE_SECONDS} s",
            f"{idle:.3%} of a core",
            "",
            "< 0.3 % (then 0.1 %)",
            idle < 0.003,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
