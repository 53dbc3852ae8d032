"""What default checkpoints cost a run of 100,000 tasks: two runs at the same moment on the same CPU.

One after the other, or on a CPU each, two runs that are the same differ by more than is asked about while others use
the machine. So both sides run at once and share one CPU, and what is compared is how much of it each has
taken, its copier included: where nothing is idle, that is what there is less of for tasks. The functions do
nothing, so nothing but Overnight is slowed down. Waiting is not in it: a copier holds nobody up, and
both share the disk. Pairs without checkpoints on either side, by the same way, say what noise is left.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from measuring import OVERNIGHT, Row, directory, seconds, spread, write_list

TASKS = 100_000
PAIRS = 7
CONTROLS = 3

OFF = "[checkpoints]\ntasks = 0\ninterval = 0\n"
#: Checkpoints or none: one side.
Side = bool


class Drained(NamedTuple):
    """A queue that was drained: functions a second, seconds of CPU that all processes of it took, checkpoints made."""

    rate: float
    cpu: float
    made: int


def filled(cwd: Path, tasks: int, *, checkpoints: Side) -> None:
    """A home with so many tasks."""
    cwd.mkdir()
    (cwd / "job.py").write_text("def noop(name):\n    return None\n")
    if not checkpoints:
        (cwd / "overnight.toml").write_text(OFF)
    seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(write_list(cwd / "list", tasks))], cwd)


def begun(cwd: Path, cpu: int) -> subprocess.Popen[bytes]:
    """A run whose processes have this CPU and no other."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        return subprocess.Popen([*OVERNIGHT, "run", "--quiet", "-j", "2"], cwd=cwd, stdout=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, mine)


def drained(cwd: Path, run: subprocess.Popen[bytes], began: float, tasks: int) -> Drained:
    """Wait for its end."""
    _, status, used = os.wait4(run.pid, 0)
    took = time.perf_counter() - began
    run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"a run has exited {run.returncode}")
    journal = (cwd / ".overnight").glob("events*.jsonl")
    made = sum(path.read_bytes().count(b'"checkpoint_saved"') for path in journal)
    return Drained(tasks / took, used.ru_utime + used.ru_stime, made)


def at_once(tasks: int, sides: tuple[Side, Side]) -> tuple[Drained, Drained]:
    """Both sides at the same moment."""
    cpu = max(os.sched_getaffinity(0))
    with directory() as cwd, ThreadPoolExecutor(2) as pool:
        homes = [cwd / name for name in ("first", "second")]
        for home, checkpoints in zip(homes, sides, strict=True):
            filled(home, tasks, checkpoints=checkpoints)
        began = time.perf_counter()
        runs = [begun(home, cpu) for home in homes]
        first, second = pool.map(lambda home, run: drained(home, run, began, tasks), homes, runs)
        return first, second


def dearer(found: Sequence[tuple[Drained, Drained]]) -> list[float]:
    """The share of throughput that the first sides lose against the second ones, where no CPU is idle."""
    return [1 - second.cpu / first.cpu for first, second in found]


def measure(tasks: int = TASKS, repeats: int = PAIRS, controls: int = CONTROLS) -> list[Row]:
    """The rows of the table."""
    control = [at_once(tasks, (False, False)) for _ in range(controls)]
    found = [at_once(tasks, (True, False)) for _ in range(repeats)]
    loss, made = statistics.median(dearer(found)), statistics.mean(first.made for first, _ in found)
    return [
        Row(
            f"seconds of CPU for {tasks:,} no-op functions with default checkpoints, {repeats} pairs on one CPU,"
            f" {made:.1f} checkpoints in each",
            spread([first.cpu for first, _ in found], "{:.1f}"),
            f"without {spread([second.cpu for _, second in found], '{:.1f}')}: loss"
            f" {spread(dearer(found), '{:.1%}')} pair by pair; {controls} pairs without on both sides"
            f" {spread(dearer(control), '{:.1%}')}",
            "loss < 5 %",
            loss < 0.05,
        )
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
