"""What a backup costs: the seconds of one of a large store, and the turns of an engine beside it.

The turn loop is that of the checkpoints' benchmark; the backup is the command as people type it, a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from contextlib import closing
from pathlib import Path

from damage import LARGE_TASKS, large_store, turn
from measuring import OVERNIGHT, Row, cpu_of_children, directory, percentile, seconds

from overnight.host.home import create, remember_store
from overnight.store.sqlite import SqliteStore


def home_with(cwd: Path) -> Path:
    """A home with a store of about 1 GB."""
    home = create(cwd / ".overnight")
    large_store(home.path).close()
    remember_store(home)
    return home.store


def beside(cwd: Path, store: Path) -> tuple[list[float], list[float], float]:
    """Seconds of turns alone and beside a backup, and of the backup."""
    with closing(SqliteStore.open(store)) as opened:
        fence = opened.take_fence(now=2.0, by="benchmark")
        lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in opened.orders().lanes}
        alone = [turn(opened, fence, lanes) for _ in range(200)]
        child = subprocess.Popen([*OVERNIGHT, "backup", "create"], cwd=cwd, stdout=subprocess.DEVNULL)
        began, found = time.perf_counter(), []
        while child.poll() is None and len(found) < LARGE_TASKS // 64 - 300:
            found.append(turn(opened, fence, lanes))
            time.sleep(0.01)
        child.wait()
        return alone, found, time.perf_counter() - began


def measure() -> list[Row]:
    """The rows of the table."""
    with directory() as cwd:
        store = home_with(cwd)
        size = store.stat().st_size / 1e9
        used = cpu_of_children()
        first = seconds([*OVERNIGHT, "backup", "create"], cwd)
        used = cpu_of_children() - used
        second = seconds([*OVERNIGHT, "backup", "create"], cwd)
        proven = seconds([*OVERNIGHT, "backup", "verify"], cwd)
        alone, turns, took = beside(cwd, store)
    p99, most = percentile(turns, 0.99), max(turns)
    return [
        Row(
            f"a backup of a store of {size:.1f} GB",
            f"{first:.1f} s",
            f"{used:.1f} s of CPU; once more {second:.1f} s",
            "< 6 s",
            first < 6,
        ),
        Row("its verification, restored on trial", f"{proven:.1f} s", "", "", None),
        Row(
            f"a turn of 64 tasks during one ({took:.0f} s, {len(turns):,} turns)",
            f"p50 {statistics.median(turns) * 1e3:.1f}, p99 {p99 * 1e3:.0f}, max {most * 1e3:.0f} ms",
            f"without one p50 {statistics.median(alone) * 1e3:.1f}, max {max(alone) * 1e3:.0f} ms",
            "p99 < 250 ms",
            p99 < 0.25,
        ),
    ]
