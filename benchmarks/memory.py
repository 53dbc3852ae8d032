"""What the engine and the process that watches keep in memory: as the queue grows, and as time goes by.

Time is simulated: the real loop on the real store with a clock that is moved by hand, in a process of its own,
whose resident memory is looked at again and again.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import psutil
from measuring import OVERNIGHT, Row, directory, write_list

from overnight.core.gauges import NAMES
from overnight.core.monitor.memory import memory_bound

QUEUES = (1_000, 100_000, 1_000_000)
#: Seconds for which an engine with a full queue is looked at.
LOOKED_AT = 10.0
#: Seconds that it may take at most to read the store before.
READS_FOR = 300.0
#: Of the engine: simulated hours, and tasks in each. Of the other: days, looks in each, and attempts between two.
HOURS, AN_HOUR = 24, 1000
DAYS, LOOKS, ATTEMPTS = 60, 288, 10
NOON = 1_800_000_000.0
MIB = 1024 * 1024


def resident() -> int:
    """Bytes of this process, without what could be collected."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def engine_by_queue(count: int) -> int:
    """The most bytes that an engine has had while it works on a queue of so many functions."""
    nothing = subprocess.DEVNULL
    with directory() as cwd:
        (cwd / "nothing.py").write_text("def nothing(value):\n    return None\n")
        listed = write_list(cwd / "list", count)
        argv = [*OVERNIGHT, "add", "--call", "nothing:nothing", "-a", str(listed)]
        subprocess.run(argv, cwd=cwd, check=True, stdin=nothing, stdout=nothing, stderr=nothing)
        run = subprocess.Popen([*OVERNIGHT, "run", "-j2", "--quiet"], cwd=cwd, stdin=nothing, stdout=nothing)
        found, engine, journal = 0, psutil.Process(run.pid), cwd / ".overnight" / "events.jsonl"
        until = time.perf_counter() + READS_FOR
        while run.poll() is None and time.perf_counter() < until:
            if journal.exists() and until - time.perf_counter() > LOOKED_AT:  # the store was read, and it begins
                until = time.perf_counter() + LOOKED_AT
            try:
                found = max(found, engine.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.02)
        run.terminate()
        run.wait()
        return found


def over_time(what: str) -> list[int]:
    """Bytes at each look of a simulation, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, what], check=True, stdout=subprocess.PIPE)
    found: list[int] = json.loads(done.stdout)
    return found


def simulate_engine() -> list[int]:
    """A day of the engine, with everything that goes wrong in one; a look each half hour."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from simulated_day import Day

    looks: list[int] = []

    class Lean(Day):
        """Without the judge's memory of everything that ever succeeded."""

        def _look(self) -> None:
            super()._look()
            self._succeeded.clear()
            looks.append(resident())

    with directory() as cwd:
        Lean(cwd, seed=1, hours=HOURS, an_hour=AN_HOUR).live()
    return looks[len(looks) // 2 :]  # in the second half one engine lives through


class _Clock:
    """Moved by hand."""

    at = NOON

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class _Machine:
    """Tells every figure."""

    def look(self) -> Mapping[str, float]:
        return dict.fromkeys(NAMES, 0.5)

    def resident(self, pid: int) -> float:
        return float(pid)


def simulate_sidecar() -> list[int]:
    """Months of the process that watches, with new fingerprints all the time; a look each day."""
    from overnight.monitor.sidecar import Sidecar
    from overnight.monitor.snapshot import take
    from overnight.store.sqlite import SqliteStore

    looks, clock = [], _Clock()
    with directory() as cwd:
        SqliteStore.open(cwd / "queue.db", create=True, migrate=True).close()
        with closing(SqliteStore.open(cwd / "queue.db", readonly=True)) as store:
            sidecar = Sidecar(
                cwd,
                store,
                look=lambda: take(store, cwd, now=clock.now()),
                gauges=_Machine(),
                clock=clock,
                told=lambda words: sys.exit(f"it should have been well: {words}"),
            )
            lines = _journal()
            with (cwd / "events.jsonl").open("ab") as journal:
                for _ in range(DAYS):
                    for _ in range(LOOKS):
                        clock.at += 86400.0 / LOOKS
                        journal.writelines(next(lines) for _ in range(ATTEMPTS))
                        journal.flush()
                        sidecar.round()
                    looks.append(resident())
            sidecar.finish()
    return looks


def _journal() -> Iterator[bytes]:
    seq = 0
    while True:
        seq += 1
        at = NOON + seq * 86400.0 / LOOKS / ATTEMPTS
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        line = {"seq": seq, "event": "file_failed", "at": moment, "id": seq, "outcome": "failed", "state": "failed"}
        yield msgspec.json.encode(line | {"started_at": moment, "seconds": 1.0, "fingerprint": f"{seq:x}"}) + b"\n"


def measure(repeats: int = 1) -> list[Row]:  # noqa: ARG001 - as the others have it
    """The rows of the table."""
    rows = []
    for count in QUEUES:
        used, bound = engine_by_queue(count), memory_bound(count)
        rows.append(
            Row(
                f"memory of the engine with {count:,} functions to do",
                f"{used / MIB:.0f} MiB",
                f"{used / bound:.0%} of what it may have",
                "≤ 64 MiB + 64 KiB · √tasks",
                used <= bound,
            )
        )
    engine = over_time("engine")
    rows.append(_flat(f"memory of one engine, simulated hour {HOURS // 2} to {HOURS}", engine))
    sidecar = over_time("sidecar")
    rows.append(_flat(f"memory of the process that watches, simulated day {DAYS // 2} to {DAYS}", sidecar[DAYS // 2 :]))
    return rows


def _flat(what: str, looks: list[int]) -> Row:
    """By the means of the first and the last quarter, since single looks swing."""
    quarter = max(1, len(looks) // 4)
    first, last = (sum(part) / quarter for part in (looks[:quarter], looks[-quarter:]))
    beside = f"{last - first:+,.0f} bytes from the first quarter to the last; {min(looks) / MIB:.1f} at least"
    return Row(what, f"{max(looks) / MIB:.1f} MiB at most", beside, "flat: < 1 MiB more", last - first < MIB)


if __name__ == "__main__":
    simulations = {"engine": simulate_engine, "sidecar": simulate_sidecar}
    if sys.argv[1:]:
        print(json.dumps(simulations[sys.argv[1]]()))
    else:
        print(*measure(), sep="\n")
