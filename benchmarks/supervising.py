"""An engine that is killed with many tasks queued: how soon one works again, and what the supervisor costs.

From SIGKILL to the start of the next attempt, by the clock of the tasks themselves. The wait of about
one second before the first restart is in it.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from pathlib import Path

import psutil
from measuring import OVERNIGHT, Row, directory, spread, write_list

QUEUED = 100_000
KILLS = 3
IDLE_SECONDS = 30


def holder(cwd: Path) -> dict[str, int]:
    """Engine and supervisor of the home, as its lock names them."""
    try:
        found: dict[str, int] = json.loads((cwd / ".overnight" / "lock").read_text())
    except json.JSONDecodeError:  # it is being written
        found = {}
    return found


def overnight(cwd: Path, *words: str) -> None:
    """Run a command to its end."""
    subprocess.run([*OVERNIGHT, *words], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ledger_size(cwd: Path) -> int:
    """Bytes that the tasks have written."""
    return (cwd / "ledger").stat().st_size


def seconds_to_work(cwd: Path) -> float:
    """Kill the engine; seconds until a task of the next one has written its line."""
    killed = holder(cwd)["pid"]
    os.kill(killed, signal.SIGKILL)
    began = time.perf_counter()
    time.sleep(0.5)  # what still ran is dead by then, and the next engine is not there yet
    before = ledger_size(cwd)
    while ledger_size(cwd) == before:
        if time.perf_counter() - began > 60:
            raise SystemExit("no engine came back")
        time.sleep(0.002)
    return time.perf_counter() - began


def measure() -> list[Row]:
    """The rows of the table."""
    with directory() as cwd:
        write_list(cwd / "list", QUEUED)
        overnight(cwd, "add", "-a", "list", "--", "sh", "-c", "echo x >>ledger; exec sleep 0.05")
        overnight(cwd, "start", "-j", "2")
        try:
            while not (cwd / "ledger").exists():
                time.sleep(0.01)
            found = []
            for _ in range(KILLS):
                found.append(seconds_to_work(cwd))
                overnight(cwd, "restart", "--now")  # so that each kill is the first one of its supervisor
                time.sleep(1)
            overnight(cwd, "cancel", "--all")
            time.sleep(3)
            supervisor = psutil.Process(holder(cwd)["supervisor"])
            before = sum(supervisor.cpu_times()[:2])
            time.sleep(IDLE_SECONDS)
            idle = (sum(supervisor.cpu_times()[:2]) - before) / IDLE_SECONDS
            memory = supervisor.memory_info().rss
        finally:
            overnight(cwd, "stop", "--now")
    return [
        Row(
            f"engine killed with {QUEUED:,} tasks queued, until the next one works",
            f"{spread(found, '{:.2f}')} s",
            "",
            "< 2 s",
            statistics.median(found) < 2,
        ),
        Row(f"CPU of the idle supervisor, over {IDLE_SECONDS} s", f"{idle:.3%} of a core", "", "< 0.1 %", idle < 0.001),
        Row("memory of the supervisor", f"{memory / 1e6:.0f} MB", "", "< 25 MB", memory < 25_000_000),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
