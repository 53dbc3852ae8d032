"""A million queued tasks: what a claim, the engine's memory and `status` cost."""

from __future__ import annotations

import signal
import statistics
import subprocess
import time
from pathlib import Path

import psutil
from measuring import OVERNIGHT, Row, directory, seconds, write_list

from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore

MILLION = 1_000_000
BEHIND = 100_000
BATCH = 64
CLAIMS = 60
NOW = 1_700_000_000.0


def store_with(path: Path, tasks: int, *, behind: int = 0) -> SqliteStore:
    """A store with `tasks` queued behind `behind` older, more urgent ones that wait for a resource."""
    store = SqliteStore.open(path, create=True, migrate=True)
    action = Action(kind=ActionKind.CALL, cwd=b"/", call="m:f")
    waiting = [NewTask(action=action, input=b"gpu %d" % n, priority=9, needs={"gpu": 1.0}) for n in range(behind)]
    plain = (NewTask(action=action, input=b"/data/in/file-%08d.wav" % n) for n in range(tasks))
    batch = store.open_batch(now=NOW, owner="")
    for start in range(0, behind, 10_000):
        store.add(waiting[start : start + 10_000], now=NOW, batch=batch)
    chunk: list[NewTask] = []
    for task in plain:
        chunk.append(task)
        if len(chunk) == 10_000:
            store.add(chunk, now=NOW, batch=batch)
            chunk = []
    store.add(chunk, now=NOW, batch=batch)
    store.publish(batch, now=NOW)
    return store


def claim_seconds(store: SqliteStore) -> float:
    """Median seconds of a turn that claims a batch from every lane whose resources there are."""
    fence = store.take_fence(now=NOW, by="bench")
    lanes = {lane.id: {"work": 0.0} for lane in store.orders().lanes if not lane.needs}
    took = []
    for _ in range(CLAIMS):
        started = time.perf_counter()
        turn = store.turn(fence=fence, now=NOW, claim=Claim(count=BATCH, lanes=lanes, pools={"work": 1.0}))
        took.append(time.perf_counter() - started)
        if len(turn.claimed) != BATCH:
            raise SystemExit(f"claimed {len(turn.claimed)} instead of {BATCH}")
        store.tidy()
    return statistics.median(took)


def memory_and_status(cwd: Path) -> tuple[float, float]:
    """Peak memory of an engine on a million tasks (bytes), and seconds of `status` meanwhile."""
    (cwd / "job.py").write_text("def noop(name):\n    return None\n")
    listed = write_list(cwd / "list", MILLION)
    seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(listed)], cwd)
    engine = subprocess.Popen(
        [*OVERNIGHT, "run", "--quiet", "-j", "2"], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(3)
        status = statistics.median(seconds([*OVERNIGHT, "status", "--json"], cwd) for _ in range(5))
        time.sleep(3)
        peak = psutil.Process(engine.pid).memory_info().rss
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait()
    return float(peak), status


def measure() -> list[Row]:
    """The rows of the table."""
    with directory() as cwd:
        few = store_with(cwd / "few.db", 10_000)
        many = store_with(cwd / "many.db", MILLION)
        behind = store_with(cwd / "behind.db", MILLION, behind=BEHIND)
        base, deep, stuck = claim_seconds(few), claim_seconds(many), claim_seconds(behind)
        for store in (few, many, behind):
            store.close()
    with directory() as cwd:
        peak, status = memory_and_status(cwd)
    return [
        Row(
            f"claim of {BATCH}: 10,000 queued, {MILLION:,} queued, the same behind {BEHIND:,} that wait for a resource",
            f"{base * 1000:.2f} / {deep * 1000:.2f} / {stuck * 1000:.2f} ms",
            f"{deep / base:.2f}× and {stuck / base:.2f}×",
            "≤ 2× (then 1.2×)",
            max(deep, stuck) / base <= 2,
        ),
        Row(
            f"memory of the engine while it drains {MILLION:,} functions",
            f"{peak / 2**20:.0f} MiB",
            "",
            "< 80 MB (then 60)",
            peak < 80e6,
        ),
        Row(
            f"`status` with {MILLION:,} tasks beside a busy engine",
            f"{status * 1000:.0f} ms",
            "",
            "< 200 ms (then 100)",
            status < 0.2,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
