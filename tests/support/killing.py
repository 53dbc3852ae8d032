"""Real runs whose processes are killed at random, with the program under test."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
from small_machine import ROOM
from terminal import PROGRAM

from overnight.host.processes import identity
from overnight.testing import kills
from overnight.testing import terminal as terminals
from overnight.testing.kills import COMMANDS, FUNCTIONS, run_schedule, violations

__all__ = ["CARELESS", "COMMANDS", "FUNCTIONS", "WHO", "Site", "family", "kill_at_once", "run_schedule", "violations"]

#: Whom a home in the background consists of.
WHO = ("supervisor", "engine", "keeper")
#: The program with every purge and sweep taken out, in the engine and in its keepers.
CARELESS = """
import sys
from overnight.executors.local import executor, keeper_process, place, slot
from overnight.executors.local.containment import Containment
from overnight.ui.cli import main
careful = place.keeper_argv
def careless(where):
    *words, boot, last = careful(where)
    patch = "from overnight.executors.local import keeper as a, running_command as b; "
    patch += "a.purge = b.purge = lambda *_, **__: set(); "
    return [*words, boot.replace("from overnight.executors", patch + "from overnight.executors", 1), last]
keeper_process.keeper_argv = careless
for room in (executor, slot):
    room.purge = lambda *_, **__: set()
executor.sweep = lambda *_, **__: []
Containment.end_left = lambda _: []
main()
"""


class Site(kills.Site):
    """With room on a small machine. `program`: what runs as the engine instead of the installed program."""

    def __init__(self, directory: Path, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(directory, PROGRAM, ROOM, engine=program)


def family(terminal: terminals.Terminal) -> dict[str, list[int]]:
    """The living processes of a home in the background, by what they are."""
    owner = terminal.owner()
    engine = owner.get("pid") if owner.get("pid") != owner.get("supervisor") else None
    found = {"supervisor": [owner["supervisor"]] if owner else [], "engine": [engine] if engine else [], "keeper": []}
    for pid in terminal.cookies():
        try:
            if psutil.Process(pid).environ().get("OVERNIGHT_ROLE") == "keeper":
                found["keeper"].append(pid)
        except psutil.Error:
            continue
    return {who: [pid for pid in pids if identity(pid) is not None] for who, pids in found.items()}


def kill_at_once(pids: list[int]) -> None:
    """All are stopped first, so that none sees another one die."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
