"""What a turn of the engine costs on PostgreSQL: settle as many tasks as are claimed, all records, every COMMIT synced.

Starts a server of its own with the system's programs (or a wheel's), on a socket, with `fsync` and `synchronous_commit`
on; server and engine share the machine. Prints what a bare COMMIT of 8 kB of log takes on this disk, and then tasks a
second, CPU of both and bytes of log at several batch sizes, on a store with `QUEUED` tasks.

    python benchmarks/postgres_store.py [QUEUED]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import postgres_server
import psutil
from store_turn import NOW, fill, success

from overnight.store.contract import Claim
from overnight.store.postgres import PostgresStore

OPTIONS = ("listen_addresses=", "fsync=on", "shared_buffers=256MB", "max_wal_size=2GB")
COMMITS = 300
BATCHES = ((1, 300), (16, 200), (64, 300), (256, 100), (1024, 30))


@contextmanager
def server() -> Iterator[str]:
    """The address of a server that syncs."""
    programs = postgres_server.programs()
    if programs is None:
        raise SystemExit("no PostgreSQL here: neither the system's programs nor a wheel with them")
    with tempfile.TemporaryDirectory(prefix="pg-") as place:
        folder = Path(place)
        postgres_server.make(programs, folder)
        running = postgres_server.start(programs, folder, OPTIONS)
        try:
            yield f"postgres://postgres@/postgres?host={folder}"
        finally:
            running.terminate()
            running.wait()


def bare_commit(store: PostgresStore) -> None:
    """Print what the least of a turn takes: a COMMIT that syncs 8 kB of log, and nothing else."""
    link = store._database.connection  # noqa: SLF001
    took = []
    for _ in range(COMMITS):
        began = time.perf_counter()
        link.execute("SELECT pg_logical_emit_message(true, 'bench', repeat('x', 8000))").fetchall()
        took.append(time.perf_counter() - began)
    took.sort()
    middle, slow = took[COMMITS // 2], took[COMMITS * 9 // 10]
    print(f"a bare COMMIT of 8 kB: {middle * 1e3:.2f} ms in the middle, one in ten {slow * 1e3:.2f} ms or more")


def measure(store: PostgresStore, batch: int, turns: int) -> None:
    """Run turns at one batch size and print what they cost."""
    fence = store.take_fence(now=NOW, by="bench")
    lane = store.orders().lanes[0].id
    claim = Claim(count=batch, lanes={lane: {"work": 0.001}}, pools={"work": 1000.0})
    claimed = store.turn(fence=fence, now=NOW, claim=claim).claimed
    backend = psutil.Process(store._database.connection.execute("SELECT pg_backend_pid()").get)  # noqa: SLF001
    before = sum(backend.cpu_times()[:2])
    began_log = written(store)
    wall = cpu = longest = 0.0
    for turn in range(turns):
        settlements = [success(task, NOW + turn) for task in claimed]
        began, began_cpu = time.perf_counter(), time.process_time()
        claimed = store.turn(fence=fence, now=NOW + turn, settlements=settlements, claim=claim).claimed
        took = time.perf_counter() - began
        wall, cpu, longest = wall + took, cpu + time.process_time() - began_cpu, max(longest, took)
        if turn % 50 == 49:
            store.drained(store.outbox(1_000_000)[-1].id, seq=turn)
    log = written(store) - began_log
    done, served = turns * batch, sum(backend.cpu_times()[:2]) - before
    print(
        f"batch {batch:4}: {done / wall:8.0f} tasks/s, {wall / turns * 1e3:7.2f} ms a turn, max {longest * 1e3:.0f};"
        f" CPU a task: {cpu / done * 1e6:6.1f} µs of the engine, {served / done * 1e6:6.1f} of the server;"
        f" log a task: {log / done:5.0f} bytes"
    )
    store.turn(fence=fence, now=NOW, settlements=[success(task, NOW) for task in claimed])


def written(store: PostgresStore) -> int:
    """Bytes of log that the server has written so far."""
    return int(store._database.connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").get)  # noqa: SLF001


def main() -> None:
    """Measure on a server that goes away."""
    queued = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with server() as address, closing(PostgresStore.open(address, create=True)) as store:
        bare_commit(store)
        fill(store, queued)
        while rows := store.outbox(100):
            store.drained(rows[-1].id, seq=0)
        for batch, turns in BATCHES:
            measure(store, batch, min(turns, queued // 6 // batch))
        assert store.recount() == []


if __name__ == "__main__":
    main()
