"""A new user's terminal: the real program in a directory of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from small_machine import ROOM

from overnight.testing import terminal
from overnight.testing.terminal import PATIENCE

__all__ = ["PATIENCE", "PROGRAM", "Terminal"]

#: How the interpreter starts it.
PROGRAM = ("-m", "overnight")


class Terminal(terminal.Terminal):
    """With room on a small machine. `program`: what is run instead of the installed program."""

    def __init__(self, cwd: Path, program: Sequence[str] = PROGRAM) -> None:
        super().__init__(cwd, program, ROOM)
