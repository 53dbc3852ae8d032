"""The same work on a disk that takes 1 ms longer to sync, as a cheap one does.

A small library that is loaded before the C library makes every fsync and fdatasync of every process late,
SQLite's included; both sides load it, one with a delay of nothing. So the real store code runs, and the
disk still does what it is asked to.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import functions
from measuring import Row, directory, pairs, seconds, spread
from peers.figures import time_line
from peers.ours import Run

LATE = 0.001
TASKS = 200_000
#: So many that what is fixed (starting, adding) and a noisy second are a small part.
COMMANDS = 20_000
SOURCE = Path(__file__).with_name("slow_sync.c")
#: Commits as the store makes them: how many, and how much later each must be.
PROBE = """
import apsw, sys, time
commits, late = int(sys.argv[1]), float(sys.argv[2])
file = apsw.Connection("probe.db")
file.execute("PRAGMA journal_mode=WAL").fetchall()
file.execute("PRAGMA synchronous=FULL; CREATE TABLE t (x)")
began = time.perf_counter()
for _ in range(commits):
    file.execute("INSERT INTO t VALUES (1)")
took = time.perf_counter() - began
if took < commits * late:
    sys.exit(f"{commits} commits took {took:.3f} s; the delay did not reach SQLite")
"""
#: So long that no disk takes it by itself.
VERY_LATE = 0.03


@contextmanager
def late(library: Path, delay: float) -> Iterator[None]:
    """Everything that is started inside syncs that much later (seconds)."""
    names = {"LD_PRELOAD": str(library), "SLOW_SYNC_US": str(round(delay * 1e6))}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def compiled(where: Path) -> Path | None:
    """The library; None where there is no C compiler, or no way to load it first."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        return None
    library = where / "slow_sync.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)], check=True)
    return library


def check(library: Path) -> None:
    """The delay reaches SQLite, or nothing here means anything."""
    with directory() as cwd, late(library, VERY_LATE):
        seconds([sys.executable, "-c", PROBE, "20", str(VERY_LATE)], cwd)


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    with directory() as where:
        library = compiled(where)
        if library is None:
            return [Row("with 1 ms more for every sync", "not measured: needs Linux and a C compiler", "", "", None)]
        check(library)

        def both(delay: float) -> tuple[float, float]:
            with late(library, delay):
                return functions.ours(TASKS), time_line(Run, COMMANDS)

        slow, quick = pairs(lambda: both(LATE), lambda: both(0), repeats)
    calls, runs = [one[0] for one in slow], [one[1] for one in slow]
    share = statistics.median(a[1] / b[1] for a, b in zip(slow, quick, strict=True))
    return [
        Row(
            f"functions a second with {LATE * 1000:.0f} ms more for every sync",
            spread(calls),
            f"without {spread([one[0] for one in quick])}",
            "≥ 15,000",
            statistics.median(calls) >= 15_000,
        ),
        Row(
            f"/bin/true a second with {LATE * 1000:.0f} ms more for every sync, {COMMANDS:,} of them",
            spread(runs),
            f"without {spread([one[1] for one in quick])}: {share:.0%} pair by pair",
            "≥ 95 %",
            share >= 0.95,
        ),
    ]


if __name__ == "__main__":
    print(*measure(1), sep="\n")
