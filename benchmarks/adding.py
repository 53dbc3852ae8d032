"""Adding: a hundred thousand from a file, one on the command line, and one while the queue drains."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

from measuring import OVERNIGHT, Row, directory, percentile, seconds, write_list

from overnight import wiring
from overnight.core.task import Action, ActionKind, NewTask

MANY = 100_000
DRAINED = 500_000
SINGLE = 300


def from_file() -> float:
    """Seconds to add many inputs from a list file, whole process."""
    with directory() as cwd:
        listed = write_list(cwd / "list", MANY)
        return seconds([*OVERNIGHT, "add", "-a", str(listed), "--", "true"], cwd)


def one() -> float:
    """Median seconds of adding one task, whole process."""
    with directory() as cwd:
        seconds([*OVERNIGHT, "add", "x", "--", "true"], cwd)
        return statistics.median(seconds([*OVERNIGHT, "add", "x", "--", "true"], cwd) for _ in range(15))


def while_draining() -> list[float]:
    """Seconds of single adds by another process while an engine drains at full speed."""
    with directory() as cwd:
        (cwd / "job.py").write_text("def noop(name):\n    return None\n")
        listed = write_list(cwd / "list", DRAINED)
        seconds([*OVERNIGHT, "add", "--call", "job:noop", "-a", str(listed)], cwd)
        engine = subprocess.Popen(
            [*OVERNIGHT, "run", "--quiet", "-j", "2"], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(1.0)
            return single_adds(cwd)
        finally:
            if engine.poll() is not None:
                raise SystemExit("the queue was drained before the adds were over; raise DRAINED")
            engine.send_signal(signal.SIGTERM)
            engine.wait()


def single_adds(cwd: Path) -> list[float]:
    """Seconds of each of many single adds."""
    home = wiring.find_home(str(cwd / ".overnight"))
    store = wiring.open_store(home)
    action = Action(kind=ActionKind.CALL, cwd=os.fsencode(cwd), call="job:noop")
    took = []
    for number in range(SINGLE):
        started = time.perf_counter()
        store.add([NewTask(action=action, input=b"new %d" % number)], now=time.time())
        took.append(time.perf_counter() - started)
        wiring.ring(home)
        time.sleep(0.01)
    store.close()
    return took


def measure() -> list[Row]:
    """The rows of the table."""
    many, single, busy = from_file(), one(), while_draining()
    p50, p99 = percentile(busy, 0.5) * 1000, percentile(busy, 0.99) * 1000
    return [
        Row(f"`add` of {MANY:,} inputs from a file, whole process", f"{many:.2f} s", "", "< 4 s (then 1)", many < 4),
        Row("`add x`, whole process", f"{single * 1000:.0f} ms", "", "< 100 ms (then 60)", single < 0.1),
        Row(
            f"an add while the queue drains at full speed, p50 / p99 of {SINGLE}",
            f"{p50:.1f} / {p99:.1f} ms",
            "",
            "p99 < 60 ms (then 20)",
            p99 < 60,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
