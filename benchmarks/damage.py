"""What safety gives and what it costs: the way back from a destroyed store, and turns beside a checkpoint.

What checkpoints cost of the throughput is measured by `checkpointing`. The turn loop is timed from
outside the engine's code: the store is wrapped, and each turn that begins while a copier works is counted.
The rebuilt store is timed from the start of the program until a task of the next engine has run.
"""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from pathlib import Path

from checkpointing import OFF
from measuring import OVERNIGHT, Row, directory, percentile, seconds, spread, write_list

from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Claim
from overnight.store.copies.making import Order
from overnight.store.copies.process import CopierProcess
from overnight.store.sqlite import SqliteStore

TASKS = 100_000
DONE_BEFORE = 50_000
#: Bytes of each input that make a store of about 1 GB.
LARGE_INPUT = 4_000
LARGE_TASKS = 110_000


def half_done(cwd: Path) -> Path:
    """A home of which half is done and half is queued; its store and the newer of two checkpoints are destroyed."""
    (cwd / "job.py").write_text(
        "def noop(name):\n    return None\n\n\ndef mark(name):\n    open('began', 'w').close()\n"
    )
    (cwd / "overnight.toml").write_text(OFF)
    home = cwd / ".overnight"
    write_list(cwd / "first", DONE_BEFORE)
    (cwd / "second").write_text("".join(f"/data/later/{number:08d}\n" for number in range(TASKS - DONE_BEFORE)))
    for words in (
        ("add", "--call", "job:noop", "-a", "first"),
        ("checkpoint", "save"),
        ("run", "--quiet", "-j", "2"),
        ("add", "--call", "job:mark", "-a", "second"),
        ("checkpoint", "save"),
    ):
        seconds([*OVERNIGHT, *words], cwd)
    newest = home / "checkpoints" / (home / "checkpoints" / "latest").readlink()
    for path in (home / "queue.db", newest / "queue.db"):
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(size // 3)
            file.write(b"\xa5" * (size // 3))
    return home


def resumed() -> float:
    """Seconds from the start of the program until a task has begun."""
    with directory() as cwd:
        half_done(cwd)
        found: list[float] = []
        started = time.perf_counter()

        def watch() -> None:
            while not (cwd / "began").exists() and time.perf_counter() - started < 120:
                time.sleep(0.002)
            found.append(time.perf_counter() - started)

        watcher = threading.Thread(target=watch)
        watcher.start()
        seconds([*OVERNIGHT, "run", "--quiet", "-j", "2"], cwd)
        watcher.join()
        return found[0]


def back_at_work() -> Row:
    """How soon work goes on."""
    found = [resumed() for _ in range(3)]
    return Row(
        f"store and newest checkpoint destroyed with {TASKS:,} tasks, until the next task works",
        f"{spread(found, '{:.2f}')} s",
        "",
        "< 5 s (limit 30)",
        statistics.median(found) < 5,
    )


def large_store(cwd: Path) -> SqliteStore:
    """A store of about 1 GB."""
    action = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
    store = SqliteStore.open(cwd / "queue.db", create=True)
    for start in range(0, LARGE_TASKS, 2000):
        tasks = [NewTask(action, b"%d-" % number + b"x" * LARGE_INPUT) for number in range(start, start + 2000)]
        store.add(tasks, now=1.0)
        store.tidy()
    return store


def turn(store: SqliteStore, fence: int, lanes: dict[int, dict[str, float]]) -> float:
    """One turn that claims 64 and settles the ones before, with its journal drained; seconds."""
    began = time.perf_counter()
    claimed = store.turn(fence=fence, now=2.0, claim=Claim(count=64, lanes=lanes, pools={})).claimed
    settlements = [
        Settlement(one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, 2.0) for one in claimed
    ]
    store.turn(fence=fence, now=2.0, settlements=settlements)
    store.tidy()
    return (time.perf_counter() - began) / 2


def turns() -> Row:
    """How long turns take while a copier works."""
    with directory() as cwd:
        store = large_store(cwd)
        size = (cwd / "queue.db").stat().st_size
        fence = store.take_fence(now=2.0, by="benchmark")
        lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in store.orders().lanes}
        alone = [turn(store, fence, lanes) for _ in range(200)]
        order = Order(store=str(cwd / "queue.db"), shelf=str(cwd / "checkpoints"), home="0" * 16, reason="asked")
        copier = CopierProcess({})
        copier.begin(order)
        began = time.perf_counter()
        beside: list[float] = []
        while copier.answer() is None and len(beside) < LARGE_TASKS // 64 - 300:
            beside.append(turn(store, fence, lanes))
            time.sleep(0.01)
        took = time.perf_counter() - began
        copier.close(patience=60)
        store.close()
        shutil.rmtree(cwd / "checkpoints", ignore_errors=True)
    p99, most = percentile(beside, 0.99), max(beside)
    return Row(
        f"a turn of 64 tasks during a checkpoint of {size / 1e9:.1f} GB ({took:.0f} s, {len(beside):,} turns)",
        f"p50 {statistics.median(beside) * 1e3:.1f}, p99 {p99 * 1e3:.0f}, max {most * 1e3:.0f} ms",
        f"without one p50 {statistics.median(alone) * 1e3:.1f}, max {max(alone) * 1e3:.0f} ms",
        "p99 < 250 ms, max < 1 s",
        p99 < 0.25 and most < 1,
    )


def measure() -> list[Row]:
    """The rows of the table."""
    return [back_at_work(), turns()]


if __name__ == "__main__":
    print(*measure(), sep="\n")
