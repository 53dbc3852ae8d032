"""The figures of one peer. Every function makes a room, measures, and leaves nothing behind.

Functions a second: from the moment at which a first task, queued before the others, begins until nothing waits
or runs; start-up is not in it. Commands a second: with the adds, or with reading the list, as nobody can
queue for a line that has not been typed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from measuring import write_list

from peers.contract import SLOTS, Line, Service
from peers.room import Room, room, until
from peers.work import COMMANDS

PATIENCE = 60.0
#: Seconds for which single tasks are submitted, and between which a pause before each is drawn: a worker
#: that polls would otherwise be met at the same point of its look each time.
SUBMITTING = 2.5
PAUSES = (0.1, 0.5)
#: Seconds for which single adds are counted.
ADDING = 0.8
#: Seconds until an idle worker is believed to be idle, and for which it is then watched.
SETTLING = 2.0
WATCHING = 5.0


class Round(NamedTuple):
    """What is timed of a service, once. Rates are a second, the rest is seconds."""

    rate: float
    #: Adds when many are added at once; None where that cannot be done.
    many: float | None
    #: Adds one by one; the same with each synced where that has to be asked for.
    adds: float
    synced: float | None
    #: From starting the workers to the start of a task that waits.
    ready: float
    #: From the call that submits to the start of the task.
    latencies: list[float]


class Idle(NamedTuple):
    """What one costs that has nothing to do: bytes, and a share of one core."""

    memory: int
    cpu: float


def time_service(kind: type[Service]) -> Round:
    """Fill the queue, start, drain it, submit single tasks, stop, add one by one."""
    with room() as made:
        service, stamps = kind(made), made.path / "stamps"
        if kind.RUNS == "functions":
            service.add("stamp", str(stamps))
            many = fill(service, kind.COUNT)
            ready = start(service, stamps)
            begun = written(stamps)[0]
        else:  # the first call starts the server, so nothing can be there before it
            ready = start(service, stamps, add=True)
            begun = time.time()
            many = fill(service, kind.COUNT)
        until(service.done, PATIENCE, f"{kind.COUNT} tasks", pause=0.02)
        rate = kind.COUNT / (time.time() - begun)
        latencies = submit(service, made.path)
        service.stop()
        adds, ask = single_adds(service), getattr(service, "sync_every_add", None)
        if ask:
            ask()
        return Round(rate, many if kind.MANY else None, adds, single_adds(service) if ask else None, ready, latencies)


def fill(service: Service, count: int) -> float:
    """Adds a second."""
    began = time.perf_counter()
    service.fill(count)
    return count / (time.perf_counter() - began)


def start(service: Service, stamps: Path, *, add: bool = False) -> float:
    """Seconds until the first task begins, which waits already or is added now."""
    began = time.time()
    service.start()
    if add:
        service.add("stamp", str(stamps))
    return first(stamps) - began


def time_line(kind: type[Line], count: int = 0) -> float:
    """Commands a second of the whole line, with so many of them; 0: as many as it has for itself."""
    count = count or kind.COUNT
    with room() as made:
        listed = write_list(made.path / "list", count)
        began = time.perf_counter()
        process = made.work(kind.line(made, listed, COMMANDS["noop"]))
        if process.wait(PATIENCE):
            raise SystemExit(f"{kind.NAME} exited {process.returncode}: {(made.path / 'log').read_text()[-2000:]}")
        return count / (time.perf_counter() - began)


def submit(service: Service, where: Path) -> list[float]:
    """Seconds from submit to start, of one task after the other."""
    found: list[float] = []
    dice = random.Random(1)  # noqa: S311 - nothing secret
    until_then = time.monotonic() + SUBMITTING
    while time.monotonic() < until_then:
        stamp = where / f"stamp-{len(found)}"
        time.sleep(dice.uniform(*PAUSES))
        submitted = time.time()
        service.add("stamp", str(stamp))
        found.append(first(stamp) - submitted)
    return found


def idle_service(kind: type[Service]) -> Idle:
    """Start it, give it one task, and watch it do nothing."""
    with room() as made:
        start(kind(made), made.path / "stamps", add=True)
        return watch(made.everything)


def ready_line(kind: type[Line]) -> float:
    """Seconds until its first command begins."""
    with room() as made:
        script, listed, stamps = made.path / "stamp.sh", made.path / "list", made.path / "stamps"
        script.write_text('date +%s.%N >>"$1"\n')  # in a file: parallel would take the quotes off a command
        listed.write_text(f"{stamps}\n")
        began = time.time()
        made.work(kind.line(made, listed, ["/bin/sh", str(script)]))
        return first(stamps) - began


def idle_line(kind: type[Line]) -> Idle:
    """A line is never idle: watched while both slots sleep."""
    with room() as made:
        listed = made.path / "list"
        listed.write_text(f"{SETTLING + WATCHING + 10:.0f}\n" * SLOTS)
        made.work(kind.line(made, listed, ["/bin/sleep"]))
        until(lambda: len(made.everything()) - len(runners(made)) == SLOTS, PATIENCE, "sleeping commands")
        return watch(lambda: runners(made))


def runners(made: Room) -> set[psutil.Process]:
    """All but the commands themselves."""
    return {one for one in made.everything() if one.name() != "sleep"}


def watch(processes: Callable[[], set[psutil.Process]]) -> Idle:
    """Memory now, and processor time over some seconds, of all of them.

    Memory is the proportional share: pages that several processes have in common count once.
    """
    time.sleep(SETTLING)
    memory = sum(one.memory_full_info().pss for one in processes())
    before = {one.pid: nanoseconds(one.pid) for one in processes()}
    time.sleep(WATCHING)
    used = sum(nanoseconds(one.pid) - before.get(one.pid, 0) for one in processes())
    return Idle(memory, used / 1e9 / WATCHING)


def nanoseconds(pid: int) -> int:
    """Processor time of all threads of a process; its other clock ticks only a hundred times a second."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def single_adds(service: Service) -> float:
    """Adds a second."""
    service.add("noop", "warm")
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < ADDING:
        service.add("noop", str(count))
        count += 1
    return count / took


def first(stamps: Path) -> float:
    """Wait for the first moment that is written there."""
    until(lambda: bool(written(stamps)), PATIENCE, "the first task")
    return written(stamps)[0]


def written(stamps: Path) -> list[float]:
    """The moments that tasks have written there; only whole lines."""
    if not stamps.exists():
        return []
    return [float(line) for line in stamps.read_text().splitlines(keepends=True) if line.endswith("\n")]
