"""What is left after SIGKILL to what people start, while tasks run whose shell has started a child.

Two such tasks fill the slots and a third waits. Five seconds later: are the children still there? Then the
workers are started again in the ordinary way and watched: are the two run again, beside their first
copies or after these were gone, and does the third one run at all? A queue is given a fourth one then,
so that one that does not work at all is not taken for one that has lost something. All peers at the
same time, as nothing here is timed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil

from peers.contract import SLOTS, Line, Service
from peers.room import Room, alive, room, until

#: Seconds after the kill at which children are looked for; after the restart that a second run may take.
AFTER = 5.0
WATCHED = 30.0
#: The child ends by itself, whatever happens.
SCRIPT = """\
cd {path}
case $1 in waiting | late) echo $$ >>"$1"; exit ;; esac
if [ -e killed ]; then echo $$ >>children; exit; fi
sleep 100 &
echo $! >>children
wait
"""
TASKS = (*(f"running-{number}" for number in range(SLOTS)), "waiting")


class Crashed(NamedTuple):
    """What was seen. `alive` and `again` of two, `beside` of those run again."""

    alive: int
    again: int
    beside: int
    waiting_ran: bool
    #: The one that was added after the restart; None for a line, to which nothing can be added.
    late_ran: bool | None


class Patient:
    """One peer in its room: a service, or a line that is typed."""

    def __init__(self, made: Room, *, service: type[Service] | None = None, line: type[Line] | None = None) -> None:
        self._room, self._service = made, service(made) if service else None
        self._script = made.path / "task.sh"
        self._script.write_text(SCRIPT.format(path=made.path))
        listed = made.path / "list"
        listed.write_text("".join(f"{task}\n" for task in TASKS))
        self._line = line.line(made, listed, ["/bin/sh", str(self._script)]) if line else []
        self._first: list[psutil.Process] = []
        self._left = self._beside = 0

    def start(self) -> None:
        """For the first time, with its tasks."""
        if self._service:
            for task in TASKS:
                self._add(self._service, task)
        self.restart()

    def restart(self) -> None:
        """As a person would start it."""
        if self._service:
            self._service.start()
        else:
            self._room.work(self._line)

    def late(self) -> None:
        """One task more."""
        if self._service:
            self._add(self._service, "late")

    def running(self) -> bool:
        """Whether both children are there; they are remembered."""
        self._first = [psutil.Process(pid) for pid in self._children()[:SLOTS]]
        return len(self._first) == SLOTS

    def kill(self) -> None:
        """SIGKILL to what was started. From here on a task is short, so that the third one has its turn."""
        (self._room.path / "killed").touch()
        if self._service:
            self._service.kill()
        else:
            self._room.kill()

    def count(self) -> None:
        """How many of the children are left."""
        self._left = self._alive()

    def look(self) -> None:
        """Whether one of the tasks runs a second time while its first child lives."""
        self._beside = max(self._beside, min(self._again(), self._alive()))

    def seen(self) -> Crashed:
        """All of it."""
        late_ran = (self._room.path / "late").exists() if self._service else None
        return Crashed(self._left, self._again(), self._beside, (self._room.path / "waiting").exists(), late_ran)

    def _add(self, service: Service, task: str) -> None:
        service.add("shell", f"sh {self._script} {task}")

    def _alive(self) -> int:
        return sum(alive(child) for child in self._first)

    def _again(self) -> int:
        return len(self._children()) - SLOTS

    def _children(self) -> list[int]:
        file = Path(self._room.path / "children")
        return [int(line) for line in file.read_text().split()] if file.exists() else []


def crash(services: list[type[Service]], lines: list[type[Line]]) -> dict[str, Crashed]:
    """All of them at the same time, by their names."""
    with ExitStack() as stack:
        patients = [Patient(stack.enter_context(room()), service=kind) for kind in services]
        patients += [Patient(stack.enter_context(room()), line=kind) for kind in lines]
        for one in patients:
            one.start()
        for one in patients:
            until(one.running, 60, "two running tasks")
        for one in patients:
            one.kill()
        time.sleep(AFTER)
        for one in patients:
            one.count()
            one.restart()
            one.late()
        until_then = time.monotonic() + WATCHED
        while time.monotonic() < until_then:
            for one in patients:
                one.look()
            time.sleep(0.2)
        names = [kind.NAME for kind in services] + [kind.NAME for kind in lines]
        return {name: one.seen() for name, one in zip(names, patients, strict=True)}
