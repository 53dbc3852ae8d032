"""What a turn of the engine costs: settle as many tasks as are claimed, all records, FULL sync.

Prints microseconds a task, wall clock and CPU, at several batch sizes, on a store with `QUEUED`
tasks. A turn with batch 256 settles 256 attempts and claims 256 tasks; each task is counted once.

    python benchmarks/store_turn.py [QUEUED]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Claim, Claimed, Store
from overnight.store.sqlite import SqliteStore

ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/tmp", argv=(b"true",))
NOW = 1_700_000_000.0


def fill(store: Store, count: int) -> None:
    """Queue `count` tasks in chunks, as a large add does."""
    began = time.perf_counter()
    batch = store.open_batch(now=NOW, owner="")
    for start in range(0, count, 5000):
        tasks = [NewTask(action=ACTION, input=b"/data/in/file-%08d.wav" % n) for n in range(start, start + 5000)]
        store.add(tasks, now=NOW, batch=batch)
    store.publish(batch, now=NOW)
    print(f"add {count} tasks in chunks: {time.perf_counter() - began:.2f} s")


def success(task: Claimed, started_at: float) -> Settlement:
    """What nearly every attempt comes to."""
    return Settlement(
        task_id=task.id,
        attempt=task.attempt,
        state=TaskState.COMPLETED,
        outcome=Outcome.COMPLETED,
        failures=0,
        deaths=0,
        started_at=started_at,
        seconds=0.001,
        exit_code=0,
        slot=1,
    )


def measure(store: SqliteStore, batch: int, turns: int) -> None:
    """Run turns at one batch size and print what they cost."""
    fence = store.take_fence(now=NOW, by="bench")
    lane = store.orders().lanes[0].id
    claim = Claim(count=batch, lanes={lane: {"work": 0.001}}, pools={"work": 1000.0})
    claimed = store.turn(fence=fence, now=NOW, claim=claim).claimed
    wall = cpu = tidying = longest = 0.0
    for turn in range(turns):
        settlements = [success(task, NOW + turn) for task in claimed]
        began, began_cpu = time.perf_counter(), time.process_time()
        claimed = store.turn(fence=fence, now=NOW + turn, settlements=settlements, claim=claim).claimed
        before = time.perf_counter()
        store.tidy()
        took = time.perf_counter() - before
        wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - began_cpu
        tidying, longest = tidying + took, max(longest, took)
        if turn % 50 == 49:
            store.drained(store.outbox(1_000_000)[-1].id, seq=turn)
    done = turns * batch
    print(
        f"batch {batch:4}: {wall / done * 1e6:6.1f} µs wall, {cpu / done * 1e6:6.1f} µs CPU a task, "
        f"{done / wall:8.0f} tasks/s, {wall / turns * 1e3:6.2f} ms a turn; of it tidy "
        f"{tidying / done * 1e6:5.2f} µs a task, at most {longest * 1e3:.1f} ms a turn"
    )
    store.turn(fence=fence, now=NOW, settlements=[success(task, NOW) for task in claimed])


def main() -> None:
    """Measure in a directory that goes away."""
    queued = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore.open(Path(directory) / "queue.db", create=True)
        fill(store, queued)
        store.drained(store.outbox(1_000_000)[-1].id, seq=0)
        store.tidy()
        for batch, turns in ((1, 500), (16, 300), (64, 200), (256, 150), (1024, 40)):
            measure(store, batch, min(turns, queued // 6 // batch))
        assert store.recount() == []
        store.close()


if __name__ == "__main__":
    main()
