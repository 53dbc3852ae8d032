"""Real runs whose processes are killed at random, with the program under test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from small_machine import ROOM
from terminal import PROGRAM

from overnight.testing import kills
from overnight.testing.kills import COMMANDS, FUNCTIONS, run_schedule, violations

__all__ = ["COMMANDS", "FUNCTIONS", "Site", "run_schedule", "violations"]


class Site(kills.Site):
    """With room on a small machine. `program`: what runs as the engine instead of the installed program."""

    def __init__(self, directory: Path, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(directory, PROGRAM, ROOM, engine=program)
