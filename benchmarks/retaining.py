"""What finished tasks cost a store: bytes that stay, bytes of log, and what it takes to let go of them.

On both stores the same: queue, run through in turns of 256, then forget all, a page of 2,000 at a time, as the engine
does. On PostgreSQL also a table with the same rows that is dropped whole, as a partition would be.

    python benchmarks/retaining.py [TASKS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
from postgres_store import server
from store_turn import NOW, fill, success

from overnight.engine.retention import PAGE
from overnight.store.contract import Claim, Store
from overnight.store.postgres import PostgresStore
from overnight.store.sqlite import SqliteStore

TURN = 256
_SIZE = """
SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'
"""
_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"


def work(store: Store, tasks: int) -> int:
    """Run all through. Returns the fence."""
    fence = store.take_fence(now=NOW, by="bench")
    lane = store.orders().lanes[0].id
    claim = Claim(count=TURN, lanes={lane: {"work": 0.001}}, pools={"work": 1000.0})
    claimed = store.turn(fence=fence, now=NOW, claim=claim).claimed
    done = 0
    while claimed:
        done += len(claimed)
        claimed = store.turn(
            fence=fence, now=NOW, settlements=[success(task, NOW) for task in claimed], claim=claim
        ).claimed
        drain(store)
    assert done == tasks
    return fence


def drain(store: Store) -> None:
    """The journal has it."""
    while rows := store.outbox(100_000):
        store.drained(rows[-1].id, seq=rows[-1].id)


def forget(store: Store, fence: int) -> tuple[int, float]:
    """Let all go. Returns how many, and the seconds of this process's processor."""
    began, after, gone = time.process_time(), 0, 0
    while True:
        page = store.forget_finished(before=NOW + 1, after=after, limit=PAGE, fence=fence, now=NOW + 1, by="bench")
        if page.last is None:
            return gone, time.process_time() - began
        after, gone = page.last, gone + page.count
        drain(store)


def tell(what: str, store: Store, tasks: int, size: Callable[[], int], log: Callable[[], int]) -> None:
    """Work, measure, forget, measure."""
    empty = size()
    before = log()
    fill(store, tasks)
    drain(store)
    fence = work(store, tasks)
    full, worked = size(), log()
    gone, seconds = forget(store, fence)
    print(
        f"{what}: {(full - empty) / tasks:,.0f} bytes a finished task, {(worked - before) / tasks:,.0f} written for it"
    )
    print(f"  forgetting one: {seconds / gone * 1e6:.1f} µs CPU of the engine, {(log() - worked) / gone:,.0f} bytes")
    print(f"  {(size() - empty) / tasks:,.0f} bytes a task stay, to be used again")


def on_sqlite(tasks: int) -> None:
    """A file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "queue.db"
        with closing(SqliteStore.open(path, create=True)) as store:
            wrote = lambda: psutil.Process().io_counters().write_bytes  # noqa: E731
            connection = store._database.connection  # noqa: SLF001
            tell("SQLite", store, tasks, lambda: int(str(connection.execute("PRAGMA page_count").get)) * 4096, wrote)


def on_postgres(tasks: int) -> None:
    """A server that goes away."""
    with server() as address, closing(PostgresStore.open(address, create=True)) as store:
        connection = store._database.connection  # noqa: SLF001
        backend = psutil.Process(int(connection.execute("SELECT pg_backend_pid()").get))
        before = sum(backend.cpu_times()[:2])
        tell(
            "PostgreSQL",
            store,
            tasks,
            lambda: int(connection.execute(_SIZE).get),
            lambda: int(connection.execute(_LOG).get),
        )
        print(
            f"PostgreSQL: {(sum(backend.cpu_times()[:2]) - before) / tasks * 1e6:.0f} µs CPU of the server a task, all"
        )
        _drop_whole(store, tasks)


def _drop_whole(store: PostgresStore, tasks: int) -> None:
    connection = store._database.connection  # noqa: SLF001
    connection.execute(
        "CREATE TABLE whole AS SELECT id, repeat('x', 200) AS words FROM generate_series(1, ?1) id", (tasks,)
    ).fetchall()
    log, began = int(connection.execute(_LOG).get), time.perf_counter()
    connection.execute("DROP TABLE whole").fetchall()
    took, wrote = time.perf_counter() - began, int(connection.execute(_LOG).get) - log
    print(f"  a table of {tasks:,} rows dropped whole: {took * 1e3:.0f} ms, {wrote:,} bytes of log")


def main() -> None:
    """Measure both."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    on_sqlite(tasks)
    on_postgres(tasks)


if __name__ == "__main__":
    main()
