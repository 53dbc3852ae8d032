"""A night with known faults: what a report has to tell of it, to the last count.

Forty virtual minutes of the real engine on the real store. 300 tasks fail for 4 causes, one engine crashes,
the disk is full for four of them, and for eight every upload fails, until its other side is back.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from overnight.core.endings import Ending
from overnight.core.scores import WINDOW
from overnight.core.states import ErrorClass
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.ports import Observer
from overnight.executors.contract import Spec
from overnight.monitor.history.keeping import History
from overnight.monitor.report.gathering import MorningReport, gather
from overnight.monitor.snapshot import take
from overnight.store.contract import Counts, Store
from overnight.testing import Play, Simulation

HOUR, MINUTE = 3600.0, 60.0
#: The causes: how their attempts end, and how many tasks do so.
FULL = Play(4.0, Ending.EXITED, exit_code=3, error="OSError: [Errno 28] No space left on device: '/scratch/out'")
SLOW = Play(20.0, Ending.TIMEOUT)
BROKEN = Play(
    2.0,
    Ending.EXITED,
    exit_code=65,
    error="ValueError: bad header in block 7",
    error_class=ErrorClass.PERMANENT,
)
CRASHED = Play(1.0, Ending.SIGNALLED, signal=11)
CAUSES = ((FULL, 104), (BROKEN, 96), (SLOW, 60), (CRASHED, 40))
GOOD, UPLOADS = 600, 80
#: Seconds after the beginning: the crash, and when the disk and the other side are gone and back.
CRASH, RESUMED_AFTER = 8 * MINUTE, 4.0
DISK = (12 * MINUTE, 16 * MINUTE)
OUTAGE = (20 * MINUTE, 28 * MINUTE)


def report_of(night: Simulation, since: float | None = None) -> MorningReport:
    """What a person reads two hours after the end of any simulated night."""
    with night.opened() as store:
        picture = take(store, night.directory, now=night.clock.now() + 2 * HOUR)
        return gather(store, night.directory, picture, since=since)


class Sampler:
    """Keeps the history of the machine as the sidecar does, by the virtual clock."""

    def __init__(self, night: SimulatedNight, history: History) -> None:
        self._night = night
        self._history = history
        self._next = 0.0

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """Nothing."""

    def stopping(self, stopping: object, still_running: int) -> None:
        """Nothing."""

    def limits(self, holds: object, slots: int) -> None:
        """Nothing."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - contract
        """A look each quarter of a minute."""
        night = self._night
        if night.gone >= self._next:
            self._next = night.gone + 15
            reading = night.machine.reading
            figures = {
                "cpu": min(1.0, 0.2 * len(running) + 0.1 * night.dice.random()),
                "memory_available": reading.memory_available or 0.0,
                "disk_free": float(reading.disk_free),
                "load": len(running) + night.dice.random(),
            }
            self._history.sample(figures, now=night.clock.now())


class SimulatedNight(Simulation):
    """That night."""

    def __init__(self, directory: Path, *, seed: int = 7) -> None:
        super().__init__(directory, play=self._how, slots=4)
        self.dice = random.Random(seed)  # noqa: S311 - for a schedule, not for a secret
        self._plays = [play for play, number in CAUSES for _ in range(number)]
        self._plays += [Play(self.dice.uniform(2.0, 18.0)) for _ in range(GOOD)]
        self.dice.shuffle(self._plays)
        self._history = History(directory / "history.db")

    def live(self) -> None:
        """Add everything, and let the engines work until nothing is left."""
        convert = Action(ActionKind.COMMAND, b"/data", argv=(b"convert", b"{}"), retries=0, timeout=20.0)
        upload = Action(ActionKind.COMMAND, b"/data", argv=(b"rclone", b"{}"), retries=2)
        self.add([NewTask(convert, b"scans/%05d.tif" % number) for number in range(len(self._plays))])
        at = self.clock.now() + OUTAGE[0] - 60
        self.add(
            [
                NewTask(upload, b"out/%05d.jpg" % number, queue="upload", priority=9, not_before=at + 5 * number)
                for number in range(UPLOADS)
            ]
        )
        with closing(self._history):
            self.run()

    def report(self, since: float | None = None) -> MorningReport:
        """What a person reads in the morning."""
        return report_of(self, since)

    def script(self) -> list[tuple[float, Callable[[], None]]]:
        if self.crashes:
            self.clock.advance(RESUMED_AFTER)
        plan: list[tuple[float, Callable[[], None]]] = [
            (CRASH, self._crash),
            (DISK[0], lambda: self.machine.change(disk_free=412_000_000)),
            (DISK[1], lambda: self.machine.change(disk_free=90_000_000_000)),
        ]
        return [(at - self.gone, act) for at, act in plan if at > self.gone]

    def observers(self, store: Store) -> list[Observer]:  # noqa: ARG002 - what is replaced takes it
        return [Sampler(self, self._history)]

    def _crash(self) -> None:
        self.points._dead = True  # the next thing that the engine writes it does not live to see

    def _how(self, spec: Spec, action: Action) -> Play:
        if action.argv[0] == b"convert":
            return self._plays[spec.task_id - 1]
        if OUTAGE[0] <= self.gone < OUTAGE[1]:
            words = "ConnectionRefusedError: [Errno 111] Connection refused"
            return Play(0.5, Ending.EXITED, exit_code=1, error=words, error_class=ErrorClass.TRANSIENT)
        return Play(3.0)


assert GOOD + UPLOADS + sum(number for _, number in CAUSES) < WINDOW
