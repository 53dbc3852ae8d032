"""Durable no-op Python functions on two nodes of Ray beside each other; beside the same run without nodes.

Store, events and outcomes are as in `functions`; what is added is the way of each attempt: engine, bridge, actor, agent
and back. What it takes to begin, the join of the cluster above all, is measured by a short run and taken off.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from functions import queued
from measuring import OVERNIGHT, Row, pairs, seconds, spread

TASKS, FEW = 100_000, 1_000
CLUSTER = Path(__file__).parents[1] / "tests" / "support" / "ray_cluster.py"


@contextmanager
def cluster() -> Iterator[str]:
    """Two nodes of two CPUs each; where they are."""
    environ = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    words = ["env", *(f"{name}={value}" for name, value in environ.items()), sys.executable, str(CLUSTER)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield next(line for line in process.stdout if line.startswith("at "))[3:].strip()
    finally:
        process.stdin.close()
        process.wait(60)


def drain(tasks: int, *flags: str) -> float:
    """Seconds of a run to its end."""
    with queued(tasks) as cwd:
        return seconds([*OVERNIGHT, "run", "--quiet", "-j", "4", *flags], cwd)


def rate(*flags: str) -> float:
    """Functions a second, without what it takes to begin."""
    return (TASKS - FEW) / (drain(TASKS, *flags) - drain(FEW, *flags))


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    with cluster() as address:
        theirs, mine = pairs(rate, lambda: rate("--on", "ray", "--ray-address", address), repeats)
    found = statistics.median(mine)
    return [
        Row(
            f"no-op functions a second on two nodes of Ray, {TASKS:,} of them, 4 slots, after the join",
            spread(mine),
            f"on this machine alone {spread(theirs)}",
            "≥ 10,000",
            found >= 10_000,
        )
    ]


if __name__ == "__main__":
    print(*measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1), sep="\n")
