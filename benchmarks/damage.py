"""What safety costs and what it gives: checkpoints beside a busy engine, and the way back from a destroyed store.

Throughput with and without checkpoints is taken in pairs, in turn in one run. The turn loop is timed from
outside the engine's code: the store is wrapped, and each turn that begins while a copier works is counted.
The rebuilt store is timed from the start of the program until a task of the next engine has run.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import NamedTuple

from measuring import OVERNIGHT, Row, directory, pairs, percentile, seconds, spread, write_list

from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Claim
from overnight.store.copies.making import Order
from overnight.store.copies.process import CopierProcess
from overnight.store.sqlite import SqliteStore

TASKS = 100_000
PAIRS = 7
#: Enough for several checkpoints: the first of a new home waits until it costs no more than its share.
LONG_TASKS = 400_000
LONG_PAIRS = 3
DONE_BEFORE = 50_000
#: Bytes of each input that make a store of about 1 GB.
LARGE_INPUT = 4_000
LARGE_TASKS = 110_000
OFF = "[checkpoints]\ntasks = 0\ninterval = 0\n"


class Drained(NamedTuple):
    """A queue that was drained: functions a second, seconds of CPU that all processes of it took, checkpoints made."""

    rate: float
    cpu: float
    made: int


def cpu_of_children() -> float:
    """Seconds so far, of those that have ended and of what they have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def drained(tasks: int, *, checkpoints: bool) -> Drained:
    """Drain no-op functions; a whole process."""
    with directory() as cwd:
        (cwd / "job.py").write_text("def noop(name):\n    return None\n")
        if not checkpoints:
            (cwd / "overnight.toml").write_text(OFF)
        listed = write_list(cwd / "list", tasks)
        seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(listed)], cwd)
        before = cpu_of_children()
        took = seconds([*OVERNIGHT, "run", "--quiet", "-j", "2"], cwd)
        journal = (cwd / ".overnight").glob("events*.jsonl")
        made = sum(path.read_bytes().count(b'"checkpoint_saved"') for path in journal)
        return Drained(tasks / took, cpu_of_children() - before, made)


def throughput(tasks: int, repeats: int) -> Row:
    """What default checkpoints cost."""
    with_them, without = pairs(
        lambda: drained(tasks, checkpoints=True), lambda: drained(tasks, checkpoints=False), repeats
    )
    losses = [1 - a.rate / b.rate for a, b in zip(with_them, without, strict=True)]
    loss = statistics.median(losses)
    more = statistics.median(a.cpu / b.cpu - 1 for a, b in zip(with_them, without, strict=True))
    made = statistics.median(one.made for one in with_them)
    return Row(
        f"no-op functions a second with default checkpoints, {tasks:,} of them, {repeats} pairs, {made:.0f} made",
        spread([one.rate for one in with_them]),
        f"without {spread([one.rate for one in without])}: loss {loss:.1%} ({min(losses):.1%} to {max(losses):.1%})"
        f" pair by pair; {more:.1%} more CPU",
        "loss < 5 %",
        loss < 0.05,
    )


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
    return [back_at_work(), throughput(TASKS, PAIRS), throughput(LONG_TASKS, LONG_PAIRS), turns()]


if __name__ == "__main__":
    print(*measure(), sep="\n")
