"""Durable no-op Python functions, from the start of the process until the queue is drained; beside Huey.

Overnight: every start and every outcome is on disk (FULL sync) with its event. Huey on SQLite in its
own configuration (WAL, no start records, the row is deleted before the task runs), two worker
processes, results off, from the start of the consumer until nothing is pending.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import OVERNIGHT, Row, counts, directory, pairs, seconds, spread, write_list
from peers.huey import Huey
from peers.room import room, until

TASKS = 200_000
HUEY_TASKS = 20_000
SLOTS = 2


@contextmanager
def queued(tasks: int = TASKS) -> Iterator[Path]:
    """A directory with so many of them to do; that they were done is looked at when it goes."""
    with directory() as cwd:
        (cwd / "job.py").write_text("def noop(name):\n    return None\n")
        listed = write_list(cwd / "list", tasks)
        seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(listed)], cwd)
        yield cwd
        if counts(cwd)["completed"] != tasks:
            raise SystemExit(f"not every task was completed: {counts(cwd)}")


def drain(cwd: Path) -> float:
    """Seconds of a run to its end."""
    return seconds([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd)


def ours(tasks: int = TASKS) -> float:
    """Tasks a second."""
    with queued(tasks) as cwd:
        return tasks / drain(cwd)


def huey(tasks: int = HUEY_TASKS) -> float:
    """Tasks a second."""
    with room() as made:
        peer = Huey(made)
        peer.fill(tasks)
        started = time.perf_counter()
        peer.start()
        until(peer.done, 300, "Huey's tasks", pause=0.02)
        return tasks / (time.perf_counter() - started)


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
