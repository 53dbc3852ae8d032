"""How fast logs are read: lines a second of a scan, of a log in which few lines are errors and of one in which all are.

By the processor's time, since a scan has one thread and others may use the machine; wall clock stands beside it.
"""

from __future__ import annotations

import time
from pathlib import Path

from measuring import Row, directory

from overnight.host.clock import LocalZone
from overnight.host.home import create
from overnight.ops.logs.scanning import Scan

LINES = 500_000
_QUIET = "2026-03-01 06:{0:02d}:{1:02d},123 INFO app.worker[{2}]: took 10.0.{0}.{1}:443 in {2} ms for /srv/in/{2}.wav\n"
_LOUD = "2026-03-01 06:{0:02d}:{1:02d},123 ERROR app.db[{2}]: connection to 10.0.{0}.{1}:5432 lost after {2} ms: {3}\n"
_JSON = '{{"time":"2026-03-01T06:{0:02d}:{1:02d}Z","level":"error","msg":"cannot read /srv/in/{2}.wav: {3}"}}\n'
_WHY = ("reset by peer", "timed out", "no route to host", "broken pipe", "refused")


def write(path: Path, pattern: str, *, loud_one_in: int) -> None:
    """A log of `LINES` lines, of which one in so many is an error."""
    with path.open("w") as file:
        for number in range(LINES):
            line = pattern if number % loud_one_in == 0 else _QUIET
            file.write(line.format(number // 60 % 60, number % 60, number, _WHY[number % len(_WHY)]))


def scanned(cwd: Path, pattern: str, *, loud_one_in: int) -> tuple[float, float]:
    """Lines a second of the processor, and of the clock."""
    home = create(cwd / ".overnight")
    write(cwd / "app.log", pattern, loud_one_in=loud_one_in)
    began, used = time.perf_counter(), time.process_time()
    found = Scan(None, zone=LocalZone(), now=1_800_000_000.0).run(home, ["*.log"])
    took, used = time.perf_counter() - began, time.process_time() - used
    assert found.lines == -(-LINES // loud_one_in), found.lines
    return LINES / used, LINES / took


def measure() -> list[Row]:
    """The rows of the table."""
    rows = []
    for words, pattern, loud in (
        ("one line in 20 is an error", _LOUD, 20),
        ("all lines are errors", _LOUD, 1),
        ("all lines are errors in JSON", _JSON, 1),
    ):
        with directory() as cwd:
            rate, wall = scanned(cwd, pattern, loud_one_in=loud)
        what = f"lines of a log read a second of CPU, {words}"
        rows.append(Row(what, f"{rate:,.0f}", f"{wall:,.0f} by the clock", "≥ 100,000", rate >= 100_000))
    return rows


if __name__ == "__main__":
    print(*measure(), sep="\n")
