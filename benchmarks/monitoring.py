"""What watching costs and how soon it shows: the main benchmark with and without it, and the files that it writes."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import functions
from measuring import OVERNIGHT, Row, directory, pairs, percentile, spread

from overnight import MonitoringStatus
from overnight.core.gauges import NAMES
from overnight.core.monitor.comparison import Period
from overnight.core.tallies import Ending, Key
from overnight.monitor.history.asking import Past
from overnight.monitor.history.keeping import History

EVENTS = 60
HOURS, RATE = 8, 10


@contextmanager
def switched(to: str) -> Iterator[None]:
    """With the setting as said, for programs that are started meanwhile."""
    before = os.environ.get("OVERNIGHT_MONITOR")
    os.environ["OVERNIGHT_MONITOR"] = to
    try:
        yield
    finally:
        os.environ.pop("OVERNIGHT_MONITOR")
        if before is not None:
            os.environ["OVERNIGHT_MONITOR"] = before


def rate(to: str) -> tuple[float, float]:
    """No-op functions a second, and a second of processor time of all processes, which a busy machine shifts less."""
    with switched(to), functions.queued() as cwd:
        before = spent()
        took = functions.drain(cwd)
        return functions.TASKS / took, functions.TASKS / (spent() - before)


def spent() -> float:
    """Seconds of processor time of all processes that we have started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seen_after() -> list[float]:
    """Seconds from the end of `add` to a monitor.json that counts it, of a home in the background."""
    with directory() as cwd, switched("true"):
        run(cwd, "add", "--", "true")
        run(cwd, "start")
        run(cwd, "wait", "--all")
        run(cwd, "pause")
        found = []
        try:
            for number in range(EVENTS):
                before = total(cwd)
                run(cwd, "add", "--", "true", str(number))
                began = time.perf_counter()
                while total(cwd) == before and time.perf_counter() - began < 10:
                    time.sleep(0.002)
                found.append(time.perf_counter() - began)
        finally:
            run(cwd, "stop", "--now")
        return found


def run(cwd: Path, *words: str) -> None:
    """Run a command to its end."""
    nothing = subprocess.DEVNULL
    subprocess.run([*OVERNIGHT, *words], cwd=cwd, check=True, stdin=nothing, stdout=nothing, stderr=nothing)


def total(cwd: Path) -> int:
    """Tasks that monitor.json counts; 0 before there is one."""
    try:
        return sum(MonitoringStatus.read(cwd).counts.values())
    except Exception:  # noqa: BLE001 - not there yet
        return 0


def night(path: Path) -> tuple[float, list[float]]:
    """MB of the history of a night, and seconds of a chart over all of it for each figure."""
    start = 1_800_000_000
    with closing(History(path)) as history:
        for second in range(HOURS * 3600):
            history.sample(dict.fromkeys(NAMES, second % 97 / 97), now=start + second)
            if second % 10 == 0:
                key = Key("default", "scan", "probe", "completed")
                history.tally([Ending(start + second, key, 1.0)] * RATE * 10, seq=second)
    until = start + HOURS * 3600
    found = []
    with closing(Past(path)) as past:
        for name in NAMES:
            began = time.perf_counter()
            past.series(name, since=start, until=until, now=until)
            found.append(time.perf_counter() - began)
        began = time.perf_counter()
        past.sums(Period(start, until), now=until)
        found.append(time.perf_counter() - began)
    return path.stat().st_size / 1e6, found


def beside(what: str, on: Sequence[float], off: Sequence[float]) -> Row:
    """A rate with and without."""
    share = statistics.median(one / other for one, other in zip(on, off, strict=True))
    return Row(what, spread(on), f"without {spread(off)}: {share:.1%} pair by pair", "≥ 95 %", share >= 0.95)


def measure(repeats: int = 5) -> list[Row]:
    """The rows of the table."""
    on, off = pairs(lambda: rate("true"), lambda: rate("false"), repeats)
    rows = [
        beside(f"no-op functions a second{of} with all that watches, {functions.TASKS:,} of them", *sides)
        for of, *sides in zip(("", " of processor time"), zip(*on, strict=True), zip(*off, strict=True), strict=True)
    ]
    shown = [1000 * seconds for seconds in seen_after()]
    with directory() as cwd:
        size, charts = night(cwd / "history.db")
    slowest = 1000 * max(charts)
    return [
        *rows,
        Row(
            f"from `add` to monitor.json, p50 and p99 of {EVENTS}",
            f"{statistics.median(shown):.0f} ms, {percentile(shown, 0.99):.0f} ms",
            "",
            "< 250 ms",
            percentile(shown, 0.99) < 250,
        ),
        Row(f"history of {HOURS} h at {RATE} tasks/s", f"{size:.1f} MB", "", "< 50 MB", size < 50),
        Row(
            "slowest chart over that night, any figure",
            f"{slowest:.1f} ms",
            f"median {1000 * statistics.median(charts):.1f} ms",
            "< 50 ms",
            slowest < 50,
        ),
    ]


if __name__ == "__main__":
    print(*measure(1), sep="\n")
