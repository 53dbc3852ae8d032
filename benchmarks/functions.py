"""Durable no-op Python functions, from the start of the process until the queue is drained; beside Huey.

Overnight: every start and every outcome is on disk (FULL sync) with its event. Huey on SQLite in its
own configuration (WAL, no start records, the row is deleted before the task runs), two worker
processes, results off, from the start of the consumer until nothing is pending.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from measuring import OVERNIGHT, Row, counts, directory, pairs, seconds, spread, write_list

TASKS = 200_000
HUEY_TASKS = 20_000
SLOTS = 2

HUEY = """
from huey import SqliteHuey
huey = SqliteHuey(filename={path!r}, results=False)

@huey.task()
def noop(name):
    return None
"""


def ours(tasks: int = TASKS) -> float:
    """Tasks a second."""
    with directory() as cwd:
        (cwd / "job.py").write_text("def noop(name):\n    return None\n")
        listed = write_list(cwd / "list", tasks)
        seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(listed)], cwd)
        took = seconds([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd)
        if counts(cwd)["completed"] != tasks:
            raise SystemExit(f"not every task was completed: {counts(cwd)}")
        return tasks / took


def huey(tasks: int = HUEY_TASKS) -> float:
    """Tasks a second."""
    with directory() as cwd:
        (cwd / "hueyjob.py").write_text(HUEY.format(path=str(cwd / "huey.db")))
        fill = f"import hueyjob\nfor n in range({tasks}): hueyjob.noop(f'/data/in/file-{{n:08d}}.wav')"
        subprocess.run([sys.executable, "-c", fill], cwd=cwd, check=True)
        consumer = Path(sys.executable).with_name("huey_consumer")
        argv = [sys.executable, str(consumer), "hueyjob.huey", "-w", str(SLOTS), "-k", "process", "-q"]
        started = time.perf_counter()
        worker = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait = "import hueyjob, time\nwhile hueyjob.huey.pending_count(): time.sleep(0.02)"
            subprocess.run([sys.executable, "-c", wait], cwd=cwd, check=True, timeout=300)
            return tasks / (time.perf_counter() - started)
        finally:
            worker.terminate()
            worker.wait()


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    mine, theirs = pairs(ours, huey, repeats)
    rate, times = statistics.median(mine), statistics.median(mine) / statistics.median(theirs)
    return [
        Row(
            f"no-op functions a second, {TASKS:,} of them, {SLOTS} slots, whole process",
            spread(mine),
            f"Huey {spread(theirs)}: {times:.1f}×",
            "≥ 20,000 and ≥ 4× (then 52,000 and 10×)",
            rate >= 20_000 and times >= 4,
        )
    ]


if __name__ == "__main__":
    print(*measure(1), sep="\n")
