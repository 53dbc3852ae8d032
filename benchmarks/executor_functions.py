"""No-op functions through the local executor alone: no store, no engine. `python benchmarks/executor_functions.py`.

Prints attempts a second for three rounds, and the processor time that each attempt costs this
process, which stands where the engine stands.
"""

from __future__ import annotations

import select
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from executor_bench import Bench

from overnight.executors.contract import Spec

__all__ = ["Bench", "drive"]


def drive(bench: Bench, action: int, count: int, ahead: int) -> float:
    """Push so many attempts through all slots, each holding at most `ahead`. Returns seconds."""
    executor, given, done = bench.executor, 0, 0
    begin = time.perf_counter()
    while done < count:
        for slot, outstanding in executor.offers():
            if outstanding <= ahead // 2 and given < count:
                until = min(count, given + ahead - outstanding)
                batch = [Spec(number, 1, action, b"x", "default") for number in range(given, until)]
                executor.submit(slot, batch, bench.actions)
                given = until
        select.select([executor], [], [], 1.0)
        done += len(executor.events())
        executor.ack()
    return time.perf_counter() - begin


def main(count: int = 200_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root), slots=2)
        bench.open()
        action = bench.call("noop:f", "def f(value): pass\n")
        drive(bench, action, 1000, 400)
        for _ in range(3):
            used = time.process_time()
            seconds = drive(bench, action, count, 400)
            each = (time.process_time() - used) / count * 1e6
            print(f"{count / seconds:9,.0f} functions/s   {each:.1f} us of the engine's process each")
        bench.close()


if __name__ == "__main__":
    main()
