"""What the live screen costs at four pictures a second with 50 busy slots, and how soon it shows what has happened."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from measuring import OVERNIGHT, Row, directory, percentile, seconds

from overnight.core.durations import iso
from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.host.lock import HomeLock
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore

SLOTS, WAITING, SECONDS, EVENTS = 50, 20_000, 20.0, 40


class Night:
    """A home at work: this process holds its lock, and tasks end and begin as it is told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lock = HomeLock(home / "lock")
        self.lock.acquire({"pid": os.getpid()})
        self.store = SqliteStore.open(home / "queue.db", create=True, migrate=True)
        action = Action(ActionKind.COMMAND, b"/data", argv=(b"convert", b"{}"))
        self.store.add([NewTask(action, b"scans/%08d.tif" % n) for n in range(WAITING)], now=time.time())
        self.fence = self.store.take_fence(now=time.time(), by="bench")
        self.lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in self.store.orders().lanes}
        self.running: list[Any] = []
        self.completed = 0
        self.committed_at = 0.0
        words = {"pid": os.getpid(), "slots": SLOTS, "active": SLOTS, "state": "working", "rate_per_second": 40.0}
        (home / "engine.json").write_bytes(msgspec.json.encode(words | {"last_heartbeat": iso(time.time())}))
        (home / "spool").mkdir(exist_ok=True)
        self.turn(0)

    def turn(self, count: int) -> None:
        """So many tasks end, and as many begin."""
        now = time.time()
        ended, self.running = self.running[:count], self.running[count:]
        settled = [
            Settlement(one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, now - 1, seconds=1.0)
            for one in ended
        ]
        claim = Claim(count=SLOTS - len(self.running), lanes=self.lanes, pools={})
        self.running += self.store.turn(fence=self.fence, now=now, settlements=settled, claim=claim).claimed
        self.committed_at = time.monotonic()
        self.completed += count
        for slot, one in enumerate(self.running):
            report = {
                "progress": now * 7 % 100 / 100,
                "message": f"page {slot}",
                "task": one.id,
                "attempt": one.attempt,
            }
            (self.home / "spool" / f"control-{slot}").write_bytes(msgspec.json.encode(report) + b"\n")


class Screen:
    """The program on a terminal of 120 columns and 60 lines."""

    def __init__(self, cwd: Path) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 120, 0, 0))
        environment = os.environ | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [*OVERNIGHT, "monitor"], cwd=cwd, stdin=there, stdout=there, stderr=there, env=environment
        )
        os.close(there)
        self.seen = b""

    def read(self, seconds: float) -> None:
        """Take in what is drawn within so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._here], [], [], left)[0]:
                self.seen = (self.seen + os.read(self._here, 1 << 16))[-(1 << 18) :]

    def wait_for(self, words: bytes) -> float:
        """When this stands there, monotonic seconds; after ten at the latest."""
        until = time.monotonic() + 10
        while words not in self.seen and time.monotonic() < until:
            self.read(0.005)
        return time.monotonic()

    def close(self) -> None:
        """Leave it."""
        os.write(self._here, b"q")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._here)


@contextmanager
def showing() -> Iterator[tuple[Night, Screen]]:
    """A home at work, and the screen that shows it."""
    with directory() as cwd:
        seconds([*OVERNIGHT, "add", "--", "true"], cwd)
        night = Night(cwd / ".overnight")
        screen = Screen(cwd)
        try:
            screen.wait_for(b"50 running")
            yield night, screen
        finally:
            screen.close()
            night.store.close()
            night.lock.release()


def measure() -> list[Row]:
    """The rows of the table."""
    with showing() as (night, screen):
        process = psutil.Process(screen.process.pid)
        before, began = process.cpu_times(), time.monotonic()
        while time.monotonic() - began < SECONDS:
            night.turn(10)
            screen.read(0.25)
        after, took = process.cpu_times(), time.monotonic() - began
        memory = process.memory_info().rss / 1e6
        share = 100 * (after.user + after.system - before.user - before.system) / took
        shown = []
        for number in range(EVENTS):
            screen.read(0.25 + 0.25 * (number * 7 % EVENTS) / EVENTS)  # at any moment between two pictures
            screen.seen = b""
            night.turn(1)
            seen_at = screen.wait_for(f"{night.completed:,} completed".encode())
            shown.append(1000 * (seen_at - night.committed_at))
    return [
        Row(
            "the screen with 50 slots, 10 tasks ended each 0.25 s: CPU",
            f"{share:.0f} % of a core",
            "",
            "< 5 %",
            share < 5,
        ),
        Row("its memory", f"{memory:.0f} MB", "", "< 60 MB", memory < 60),
        Row(
            f"from COMMIT to the screen, p50 and p99 of {EVENTS}",
            f"{statistics.median(shown):.0f} ms, {percentile(shown, 0.99):.0f} ms",
            "",
            "< 300 ms",
            percentile(shown, 0.99) < 300,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
